"""Tie a run to MLflow: the dataset becomes an input of the MLflow run, and each record names the other.

    with mlflow.start_run(), lineage.training_run(model="tasks-7b") as run:
        lineage.integrations.mlflow.log(run)
        …

MLflow then shows the dataset with its digest, and `tags.dataset.run = "…"` finds the run. Give files to the run before this,
or call it again after: an input that is there already is not added twice.
"""

import json

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.tracking import MlflowClient

from lineage.metadata import ADDRESS
from lineage.runs import Run
from lineage.training import Training
from stages.contract import paths

NAME = "data/curated"
LONGEST = 36  # characters of a digest in MLflow's database


def log(run: Training, run_id: str = "", client: MlflowClient | None = None, context: str = "training") -> str:
    """Log the dataset as an input of an MLflow run, by default the active one, and the ids both ways. MLflow's id."""
    client = client or MlflowClient()
    active = mlflow.active_run()
    if not run_id and active is None:
        raise RuntimeError("mlflow: no run is active; call mlflow.start_run() first, or pass run_id")
    run_id = run_id or active.info.run_id
    found = client.get_run(run_id)
    record = run.record
    client.log_inputs(run_id, [DatasetInput(dataset(record), [InputTag("mlflow.data.context", context)])])
    for name, value in tags(record).items():
        client.set_tag(run_id, name, value)
    run.link(
        "mlflow",
        run_id=run_id,
        experiment_id=str(found.info.experiment_id),
        tracking_uri=ADDRESS.sub(r"\1", client.tracking_uri),
    )
    return str(run_id)


def dataset(record: Run) -> Dataset:
    """The dataset as MLflow holds it: its name, its digest, and where it comes from."""
    data = record.dataset
    digest = (data.md5 or "unknown").removesuffix(".dir")[:LONGEST]
    source = {"commit": data.commit, "release": data.release, "path": paths.CURATED}
    profile = {"files": {place: each.md5 for place, each in data.files.items()}}
    return Dataset(NAME, digest, "dvc", json.dumps(source), profile=json.dumps(profile))


def tags(record: Run) -> dict[str, str]:
    """What finds the MLflow run from here."""
    data = record.dataset
    found = {"dataset.run": record.run, "dataset.commit": data.commit, "dataset.release": data.release}
    return {name: value for name, value in found.items() if value}
