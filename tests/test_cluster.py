"""DATASET_ENGINE=dask on a real scheduler with real workers: the same bytes, whatever happens to a worker."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from distributed import Client

from stages import dedup
from stages.contract import cluster as engine
from stages.contract import params, paths, shards
from stages.contract import run as run_stage
from stages.contract.params import Stop
from stages.contract.shards import put_rows
from stages.contract.signatures import COLUMNS, Signed
from stages.text import bands, minhash, near
from tests.cluster import QUICK, cluster, command, scheduler, until, workers
from tests.conftest import REPOSITORY, SAMPLE, run, stage
from tests.servers import object_store
from tests.test_pipeline import outputs

PRIVATE = "jo.private@example.org"
KEY = "a key that is not the sample's"
slow = pytest.mark.skipif(
    "DATASET_CLUSTER_TEST" not in os.environ, reason="takes a quarter of a minute: make cluster-test"
)
STAGES = (("collect", "log"), ("measure", "log"), ("filter", "log"), ("dedup", ""))


def project_of(root: Path, rows: int = 9_000) -> Path:
    """A project with a source of several blocks and shards: near-duplicates, personal data, subjects, a broken row."""
    root.mkdir(parents=True)
    chosen = params.read_yaml(SAMPLE / "params.yaml")
    del chosen["generate"]
    chosen["sources"] = {"log": {"path": "log.jsonl", "licence": "CC0-1.0", "subject_field": "who"}}
    chosen["project_key"] = params.fingerprint(params.hashed(KEY))
    (root / "params.yaml").write_text(yaml.safe_dump(chosen))
    shutil.copy(REPOSITORY / "dvc.yaml", root)
    words = [f"{start}{end}" for start in ("list", "task", "due", "plan", "board") for end in range(40)]
    chance = random.Random(3)
    said = [" ".join(chance.choices(words, k=70)) for _ in range(rows - 500)]
    said += [text.replace("list1 ", "list2 ") for text in said[:500]]
    lines = [
        json.dumps({"input": f"What is {text[:40]}, {PRIVATE}?", "output": text, "who": str(n % 99)})
        for n, text in enumerate(said)
    ]
    lines[10] = lines[10][:-9]
    (root / "log.jsonl").write_text("\n".join(lines))
    return root


def built(root: Path, **env: str) -> dict[str, str]:
    """What the first stages write in a project that is not built yet."""
    for name, source in STAGES:
        stage(root, name, source, **{"DATASET_KEY": KEY} | env)
    assert len(list((root / "data/records/log").iterdir())) > 2
    return outputs(root)


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that one process built."""
    root = project_of(tmp_path_factory.mktemp("serial") / "p")
    built(root, DATASET_ENGINE="serial")
    return root


@pytest.fixture(scope="module")
def expected(serial: Path) -> dict[str, str]:
    """What one process writes."""
    found = outputs(serial)
    assert any("near" in name for name in found)
    return found


def not_measured(serial: Path, root: Path) -> Path:
    """The same project as it was before `measure`."""
    shutil.copytree(serial, root)
    for name in ("scores", "signatures", "dropped/dedup.jsonl", "near.jsonl"):
        shards.remove(root / "data" / name)
    return root


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder in which the workers are started too."""
    return project_of(tmp_path_factory.mktemp("shared") / "p")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> dict[str, str]:
    """The environment that names a cluster of two workers."""
    folder = tmp_path_factory.mktemp("cluster")
    with cluster(folder, shared, DATASET_KEY=KEY) as address:
        yield on(address)


def on(address: str) -> dict[str, str]:
    """The environment in which the stages run on the cluster there."""
    return QUICK | {"DATASET_ENGINE": "dask", "DASK_SCHEDULER_ADDRESS": address}


@pytest.fixture
def here(two: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is a driver of the cluster."""
    for name, value in two.items():
        monkeypatch.setenv(name, value)


# the same bytes


def test_local_processes_write_the_bytes_of_one_process(expected, tmp_path):
    assert built(project_of(tmp_path / "p"), DATASET_WORKERS="2") == expected


def test_two_workers_in_the_projects_folder_write_the_bytes_of_one_process(expected, shared, two):
    assert built(shared, **two) == expected


def test_workers_without_the_projects_folder_write_them_too_if_there_is_a_storage(expected, two, tmp_path):
    store = tmp_path / "store/below"
    assert built(project_of(tmp_path / "p"), **two, DATASET_STORAGE=f"file://{store}") == expected
    assert len(list(store.iterdir())) == len(list((tmp_path / "p/data/records/log").iterdir()))
    assert not [file for file in store.iterdir() if PRIVATE.encode() in file.read_bytes()]


def stored(folder: Path) -> dict[Path, int]:
    """When each object of the store was written."""
    return {file: file.stat().st_mtime_ns for file in (folder / "served").rglob("*") if file.is_file()}


@slow
def test_an_object_store_serves_and_nothing_is_put_there_twice(serial, expected, tmp_path):
    root = not_measured(serial, tmp_path / "p")
    with (
        object_store(tmp_path) as keys,
        scheduler(tmp_path) as address,
        workers(address, tmp_path, tmp_path / "workers.log", **keys),
    ):
        env = on(address) | keys | {"DATASET_STORAGE": "s3://bucket/shards"}
        stage(root, "measure", "log", **env)
        first = stored(tmp_path)
        stage(root, "dedup", **env)
    assert outputs(root) == expected
    assert first
    assert first == stored(tmp_path)


@pytest.fixture
def machines() -> Iterator[tuple[str, str]]:
    """Two network namespaces, 10.99.0.1 and 10.99.0.2, that reach each other and nothing else."""
    names = (f"driver{os.getpid()}", f"other{os.getpid()}")
    made = [subprocess.run(("ip", "netns", "add", name), capture_output=True, check=False).returncode for name in names]
    if any(made):
        pytest.skip("network namespaces need root and iproute2")
    link = (f"v{os.getpid()}a", f"v{os.getpid()}b")
    try:
        ip("link", "add", link[0], "netns", names[0], "type", "veth", "peer", "name", link[1], "netns", names[1])
        for number, (name, end) in enumerate(zip(names, link, strict=True), 1):
            ip("-n", name, "addr", "add", f"10.99.0.{number}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


def ip(*words: str) -> None:
    """Change the network."""
    subprocess.run(("ip", *words), check=True)


@slow
def test_two_machines_write_the_bytes_of_one_process(serial, expected, machines, tmp_path):
    here, there = (("ip", "netns", "exec", name) for name in machines)
    root = not_measured(serial, tmp_path / "p")
    (tmp_path / "elsewhere").mkdir()
    with ExitStack() as running:
        keys = running.enter_context(object_store(tmp_path, "10.99.0.1", here))
        address = running.enter_context(scheduler(tmp_path, *here, host="10.99.0.1"))
        env = on(address) | keys | {"DATASET_STORAGE": "s3://bucket/shards"}
        words = ("dask", "worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path))
        for number, machine in enumerate((here, there), 1):
            log = tmp_path / f"worker{number}.log"
            at = ("--host", f"10.99.0.{number}")
            running.enter_context(command(*machine, *words, *at, log=log, cwd=tmp_path / "elsewhere", **env))
            until(lambda log=log: b"Registered to" in log.read_bytes())
        run(*here, "python", "-m", "stages.measure", "--source", "log", cwd=root, **env)
        ask = (
            "from distributed import Client; print(Client().run(lambda dask_worker: dask_worker.state.executed_count))"
        )
        worked = run(*here, "python", "-c", ask, cwd=root, **env).stdout
    stage(root, "dedup", DATASET_ENGINE="serial")
    assert outputs(root) == expected
    assert sorted(re.findall(r"//(10\.99\.0\.\d):\d+': [1-9]", worked)) == ["10.99.0.1", "10.99.0.2"]


def test_a_worker_that_dies_in_the_middle_changes_no_byte(expected, tmp_path):
    root = project_of(tmp_path / "p")
    with cluster(tmp_path / "c", root, DATASET_KEY=KEY) as address, Client(address, set_as_default=False) as client:
        for name in ("collect", "measure"):
            before = client.run(os.getpid)
            with driver(root, name, address) as running:
                until(lambda: any(client.processing().values()))
                busy = next(worker for worker, keys in client.processing().items() if keys)
                os.kill(before[busy], signal.SIGKILL)
            assert running.returncode == 0
            until(lambda gone=before[busy]: len(now := client.run(os.getpid)) == 2 and gone not in now.values())
    stage(root, "filter", "log", DATASET_ENGINE="serial")
    stage(root, "dedup", DATASET_ENGINE="serial")
    assert outputs(root) == expected


def driver(root: Path, name: str, address: str) -> "subprocess.Popen[str]":
    """A stage of a source that runs on the cluster while the test does something to it."""
    env = os.environ | on(address) | {"DATASET_KEY": KEY, "PYTHONPATH": str(REPOSITORY)}
    words = (sys.executable, "-m", f"stages.{name}", "--source", "log")
    return subprocess.Popen(words, cwd=root, env=env, stderr=subprocess.PIPE, text=True)


# the buckets of near-duplicates


def signed_shards(folder: Path, records: int, shards: int, seed: int = 1) -> list[Path]:
    """Files of signatures, a third of them near another one."""
    chance = np.random.default_rng(seed)
    table = np.zeros(records, COLUMNS)
    table["minhash"] = chance.integers(0, 2**32, (records, 128), np.uint32)
    for copy in range(records // 3):
        other = chance.integers(records // 3, records)
        kept = chance.random(128) < 0.85
        table["minhash"][copy][kept] = table["minhash"][other][kept]
    table["family"] = chance.integers(0, 2, records)
    folder.mkdir(parents=True)
    files = [folder / f"{number:05d}.npy" for number in range(shards)]
    for file, part in zip(files, np.array_split(table, shards), strict=True):
        np.save(file, part)
    return files


def buckets_of(files: list[Path], order: Any, meet: Any = None) -> tuple[Any, Any]:
    """The buckets of the rows in this order."""
    tables = [np.load(file) for file in files]
    families = np.concatenate([table["family"] for table in tables])[order]
    apart = np.arange(len(order), dtype=np.uint64) * np.uint64(2**40)
    return near.met_in([table["minhash"] for table in tables], order, families, apart, *minhash.bands(0.7, 0.98), meet)


def meeting(files: list[Path], order: Any) -> Any:
    """What dedup gives `near` where the buckets are found by a cluster."""
    tables = [np.load(file) for file in files]
    known = Signed({}, order, order, [table["minhash"] for table in tables], [], files)
    return partial(dedup.met_on_cluster, known, order)


@pytest.mark.parametrize("rows", [40, 400, 10_000])
@pytest.mark.parametrize("records", [1, 40, 2_000])
def test_shuffled_keys_give_the_buckets_of_sorted_ones(monkeypatch, tmp_path, records, rows):
    monkeypatch.setattr(bands, "ROWS", rows)
    files = signed_shards(tmp_path / "s", records, 9)
    order = np.random.default_rng(2).permutation(records)[: -(-records * 4 // 5)]
    buckets, rooms = buckets_of(files, order)
    again, rooms_again = buckets_of(files, order, meeting(files, order))
    assert (buckets == again).all()
    assert (rooms == rooms_again).all()
    assert records < 2_000 or (buckets[:, 1:] >= 0).any()


@slow
def test_a_worker_that_dies_while_keys_are_shuffled_changes_no_bucket(monkeypatch, tmp_path):
    monkeypatch.setattr(bands, "ROWS", 500)
    files = signed_shards(tmp_path / "p/s", 20_000, 40)
    order = np.random.default_rng(2).permutation(20_000)[:18_000]
    expected, rooms = buckets_of(files, order)
    shutil.copy(SAMPLE / "params.yaml", tmp_path / "p")
    with cluster(tmp_path / "c", tmp_path / "p") as address, Client(address, set_as_default=False) as client:
        for name, value in on(address).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(paths, "ROOT", tmp_path / "p")
        before = client.run(os.getpid)
        with ThreadPoolExecutor(1) as aside:
            found = aside.submit(buckets_of, files, order, meeting(files, order))
            until(lambda: any(len(keys) > 4 for keys in client.has_what().values()))
            os.kill(next(iter(before.values())), signal.SIGKILL)
            again, rooms_again = found.result()
        until(lambda: len(now := client.run(os.getpid)) == 2 and set(now.values()) != set(before.values()))
    assert (expected == again).all()
    assert (rooms == rooms_again).all()


def test_an_error_while_a_shuffle_is_split_stops_it(here):
    with pytest.raises(ValueError, match="invalid literal"):
        list(engine.shuffle(int, sum, ["1", "x"], 2))


def test_dedup_on_a_cluster_drops_what_one_process_drops(expected, serial, monkeypatch, tmp_path):
    root = tmp_path / "p"
    shutil.copytree(serial, root)
    monkeypatch.setattr(bands, "ROWS", 1_000)
    monkeypatch.setattr(paths, "ROOT", root)
    params.whole.cache_clear()
    with cluster(tmp_path / "c", root) as address:
        for name, value in on(address).items():
            monkeypatch.setenv(name, value)
        decision, _ = run_stage.decided(dedup, dedup.Params(**params.value("dedup", dict)))
    put_rows(root / "data/dropped/dedup.jsonl", decision.drops)
    put_rows(root / "data/near.jsonl", decision.rows)
    assert outputs(root) == expected
    assert len(decision.drops) > 100


# what stops a run


def test_a_worker_that_sees_another_file_stops_the_run(two, shared, tmp_path):
    root = project_of(tmp_path / "p", 4_000)
    stage(root, "collect", "log", DATASET_KEY=KEY)
    lines = (root / "data/records/log/00000.jsonl").read_text().splitlines(keepends=True)
    for number in range(50, 53):
        (root / f"data/records/log/{number:05d}.jsonl").write_text(lines[0])
    said = stage(root, "measure", "log", code=2, **two).stderr
    assert "data/records/log/00000.jsonl: is " in said
    assert "set DATASET_STORAGE" in said
    assert "Traceback" not in said


def test_a_worker_without_the_projects_key_stops_the_run_before_anything_is_written(expected, tmp_path):
    root = project_of(tmp_path / "p")
    with cluster(tmp_path / "c", root) as address:
        said = stage(root, "collect", "log", code=2, DATASET_KEY=KEY, **on(address)).stderr
    assert "put the team's key into DATASET_KEY" in said
    assert "said by the worker tcp://" in said
    assert not list(root.glob("data/records/*"))


def test_without_an_address_the_run_says_how_to_start_a_cluster(shared):
    said = stage(shared, "collect", "log", code=2, DATASET_ENGINE="dask", DATASET_KEY=KEY).stderr
    assert said.startswith("DASK_SCHEDULER_ADDRESS: is not set; start a cluster, on this machine with `make cluster`")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nothing://x", "tcp://no.such.host.invalid:1"])
def test_a_scheduler_that_is_not_there_stops_the_run(shared, address):
    said = stage(shared, "collect", "log", code=2, DATASET_KEY=KEY, **on(address)).stderr
    assert "nobody answers as a Dask scheduler" in said
    assert "Traceback" not in said


def test_a_scheduler_without_workers_stops_the_run(shared, tmp_path):
    with scheduler(tmp_path) as address:
        said = stage(shared, "collect", "log", code=2, DATASET_KEY=KEY, **on(address)).stderr
    assert "the scheduler has had no worker for 3s; start some with `dask worker tcp://" in said


def test_an_item_that_kills_every_worker_stops_the_run(monkeypatch, tmp_path):
    with cluster(tmp_path / "c", tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as address:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
        with pytest.raises(Stop, match="was the last of several workers to die over the same item"):
            list(engine.map(os._exit, [1, 1]))


def test_a_scheduler_that_goes_away_stops_the_run(tmp_path):
    root = project_of(tmp_path / "p")
    with cluster(tmp_path / "c", root, DATASET_KEY=KEY) as address:
        with Client(address, set_as_default=False) as client:
            running = driver(root, "collect", address)
            until(lambda: any(client.processing().values()))
            there = client.run_on_scheduler(os.getpid)
        os.kill(there, signal.SIGKILL)
        said = running.communicate()[1]
    assert running.returncode == 2
    assert "went away in the middle" in said
    assert "Traceback" not in said
    assert not list(root.glob("data/records/*"))


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (("--nthreads", "2"), "threads is 2 there and must be 1"),
        (("--no-nanny",), "BLAS threads is 2 there and must be 1"),
    ],
)
def test_a_worker_that_adds_up_in_another_order_is_refused(shared, tmp_path, options, wrong):
    blas = {"OPENBLAS_NUM_THREADS": "2"}  # which a nanny sets to 1
    with scheduler(tmp_path) as address, workers(address, shared, tmp_path / "log", *options, count=1, **blas):
        assert wrong in stage(shared, "collect", "log", code=2, DATASET_KEY=KEY, **on(address)).stderr


def test_a_worker_with_other_code_or_libraries_is_refused(shared, tmp_path):
    shutil.copytree(REPOSITORY / "stages", tmp_path / "code/stages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "requirements.lock", tmp_path / "code")
    with (tmp_path / "code/stages/collect.py").open("a") as file:
        file.write("# changed\n")
    other = tmp_path / "code/msgspec-0.1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: msgspec\nVersion: 0.1\n")
    here = {"PYTHONPATH": str(tmp_path / "code")}
    with scheduler(tmp_path) as address, workers(address, shared, tmp_path / "log", count=1, **here):
        said = stage(shared, "collect", "log", code=2, DATASET_KEY=KEY, **on(address)).stderr
    assert "the project's code is " in said
    assert "msgspec is 0.1 there and must be " in said
    assert "start it again from this version" in said


def test_a_worker_without_the_code_is_refused(shared, tmp_path):
    (tmp_path / "code/stages").mkdir(parents=True)
    (tmp_path / "code/stages/__init__.py").touch()
    here = {"PYTHONPATH": str(tmp_path / "code")}
    with scheduler(tmp_path) as address, workers(address, shared, tmp_path / "log", count=1, **here):
        said = stage(shared, "collect", "log", code=2, DATASET_KEY=KEY, **on(address)).stderr
    assert "has not the project's code" in said


def test_another_python_is_a_difference():
    assert engine.differences({"Python": "3.11"}, {"Python": "3.12"}) == ["Python is 3.12 there and must be 3.11"]
    assert engine.differences({"numpy": "2.4.0"}, {}) == []


# the map


def test_results_come_in_the_order_of_the_items(here):
    assert list(engine.map(abs, range(-40, 0))) == [abs(n) for n in range(-40, 0)]


def test_a_long_task_is_waited_for(here, monkeypatch):
    monkeypatch.setattr(engine, "LOOK", 0.05)
    assert list(engine.map(time.sleep, [0.4, 0.4])) == [None, None]


def test_only_a_few_items_are_under_way(here):
    taken = []
    results = engine.map(abs, (taken.append(n) or n for n in range(100)))  # type: ignore[func-returns-value]
    next(results)
    assert len(taken) <= 2 * 2 + 1


def test_an_error_in_a_worker_stops_the_map_with_its_traceback_and_logs_no_argument(here, two, tmp_path_factory):
    with pytest.raises(ValueError, match="invalid literal") as caught:
        list(engine.map(int, ["1", "2", PRIVATE]))
    assert "on the worker tcp://" in caught.value.__notes__[0]
    assert "return function(" in caught.value.__notes__[0]
    logs = [file.read_text() for file in tmp_path_factory.getbasetemp().glob("cluster*/*.log")]
    assert logs
    assert not [log for log in logs if PRIVATE in log]


def test_workers_take_the_params_of_the_driver(here, monkeypatch):
    monkeypatch.setattr(params, "whole", lambda: {"seed": 7})
    assert list(engine.map(partial(params.value, expected=int), ["seed"] * 3)) == [7, 7, 7]


def test_a_storage_that_is_none_stops_the_run(monkeypatch, tmp_path):
    (tmp_path / "a").touch()
    for address, wrong in (("/mnt/x", "is no address"), ("nothing://x", "Protocol not known")):
        monkeypatch.setenv("DATASET_STORAGE", address)
        with pytest.raises(Stop) as caught:
            engine.sent(tmp_path / "a")
        assert wrong in str(caught.value)


def test_a_file_that_changed_in_the_storage_is_not_used(monkeypatch, tmp_path):
    (tmp_path / "a").write_text("here")
    monkeypatch.setenv("DATASET_STORAGE", f"file://{tmp_path}/store")
    there = engine.sent(tmp_path / "a")
    assert there.read_bytes() == b"here"
    (tmp_path / "store" / there.digest).write_text("this")
    with pytest.raises(Stop, match="is another file here"):
        there.read_bytes()
    (tmp_path / "store" / there.digest).write_text("half")
    (tmp_path / "store" / there.digest).write_text("h")
    assert engine.sent(tmp_path / "a").read_bytes() == b"here"
