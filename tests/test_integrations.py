"""Training tools that carry the record of a run, each for real: `make integrations` installs them."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

import lineage
from lineage import runs
from tests import repositories
from tests.conftest import REPOSITORY
from tests.repositories import example

pytestmark = pytest.mark.filterwarnings("default")  # those of the tools are not ours


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with one version, and the process in its folder."""
    root = repositories.project(tmp_path / "project")
    repositories.commit(root, [(example(number), "train") for number in range(8)])
    monkeypatch.chdir(root)
    monkeypatch.setattr(lineage.runs.paths, "ROOT", root)
    return root


# transformers


@pytest.fixture
def trainer():
    """A trainer of a random model of a few thousand weights, for two steps."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    config = transformers.LlamaConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        name_or_path="tiny-base",
    )
    model = transformers.LlamaForCausalLM(config)

    def made(path, output, *callbacks, **more):
        rows = [{"input_ids": torch.arange(8), "labels": torch.arange(8)} for _ in path.read_bytes().splitlines()]
        arguments = transformers.TrainingArguments(
            output_dir=str(output), max_steps=2, logging_steps=1, learning_rate=3e-4, report_to=[], use_cpu=True, **more
        )
        return transformers.Trainer(model, arguments, train_dataset=rows, callbacks=list(callbacks))

    return made


def test_the_callback_records_what_the_trainer_did_in_the_run_that_is_under_way(project, trainer, tmp_path):
    from lineage.integrations.transformers import DatasetCallback

    with lineage.training_run(model="tiny", run="one", params={"seed_of_mine": 7}) as run:
        training = trainer(run.data("train"), tmp_path / "out", DatasetCallback(run), save_strategy="no")
        training.train()
        training.save_model(str(tmp_path / "model"))
        run.artefact(tmp_path / "model")
    found = runs.named("one")
    assert (found.status, found.model.base, found.model.path) == ("finished", "tiny-base", "model")
    assert found.params["learning_rate"] == 3e-4
    assert found.params["seed_of_mine"] == 7
    assert str(tmp_path) not in (project / "data/runs/one.json").read_text()
    assert found.metrics["loss"] is not None
    assert list(found.dataset.files) == ["data/curated/train.jsonl"]
    assert {"torch", "transformers"} <= {*found.environment.packages}
    assert runs.of_bytes([found], str(tmp_path / "model")) == [found]


def test_the_callback_alone_begins_the_run_and_ends_it_with_the_last_checkpoint(project, trainer, tmp_path):
    from lineage.integrations.transformers import DatasetCallback

    callback = DatasetCallback(model="tiny", run="two", data=["train"])
    trainer(project / "data/curated/train.jsonl", tmp_path / "out", callback, save_steps=2).train()
    found = runs.named("two")
    assert (found.status, found.model.path) == ("finished", "checkpoint-2")
    assert found.model.sha256


def test_the_callback_refuses_before_anything_is_trained(project, trainer, tmp_path):
    from lineage.integrations.transformers import DatasetCallback
    from lineage.training import Refused

    (project / "params.yaml").write_text("seed: 1\n")
    training = trainer(project / "data/curated/train.jsonl", tmp_path / "out", DatasetCallback(model="tiny"))
    with pytest.raises(Refused, match=r"not committed: params\.yaml"):
        training.train()
    assert training.state.global_step == 0
    assert not (project / "data/runs").exists()


# MLflow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a real MLflow server on loopback."""
    pytest.importorskip("mlflow")
    pytest.importorskip("alembic")  # mlflow-skinny alone has no server
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
    ]
    command = [sys.executable, "-m", "mlflow", "server", *words, "--artifacts-destination", str(folder / "artefacts")]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder) as process,
    ):
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/health", process, folder / "log")
            yield address
        finally:
            process.terminate()


def wait_for(address, process, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.3)
    raise AssertionError(log.read_text())


def test_mlflow_has_the_dataset_as_an_input_and_each_record_names_the_other(project, server, monkeypatch):
    import mlflow

    from lineage.integrations import mlflow as ours

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(server.replace("://", "://someone:secret@"))
    with mlflow.start_run() as active, lineage.training_run(model="tiny", run="three") as run:
        run.data("train")
        ours.log(run)
        ours.log(run)
    found = runs.named("three")
    asked = mlflow.tracking.MlflowClient(server).get_run(active.info.run_id)
    assert [(each.dataset.name, each.dataset.digest) for each in asked.inputs.dataset_inputs] == [
        ("data/curated", found.dataset.md5.removesuffix(".dir"))
    ]
    assert json.loads(asked.inputs.dataset_inputs[0].dataset.source)["commit"] == found.dataset.commit
    assert asked.inputs.dataset_inputs[0].tags[0].value == "training"
    assert (asked.data.tags["dataset.run"], found.links["mlflow"]["run_id"]) == ("three", active.info.run_id)
    assert found.links["mlflow"]["tracking_uri"] == server
    assert "secret" not in (project / "data/runs/three.json").read_text()
    listed = mlflow.tracking.MlflowClient(server).search_runs(["0"], 'tags.`dataset.run` = "three"')
    assert [each.info.run_id for each in listed] == [active.info.run_id]


def test_without_an_active_run_the_helper_says_so(project, server):
    from lineage.integrations import mlflow as ours

    with lineage.training_run(model="tiny", run="four") as run, pytest.raises(RuntimeError, match="no run is active"):
        ours.log(run)


# without any of them


def test_loading_lineage_loads_no_training_tool_nor_dvc():
    code = "import sys, lineage; lineage.training_run; print({'dvc', 'pandas', 'numpy', 'torch', 'mlflow'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
