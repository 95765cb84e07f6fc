"""A callback that records a run of `transformers.Trainer`: hyperparameters, metrics, the base model and the last checkpoint.

    from lineage.integrations.transformers import DatasetCallback

    with lineage.training_run(model="tasks-7b") as run:
        trainer = Trainer(…, train_dataset=load(run.data("train")), callbacks=[DatasetCallback(run)])
        trainer.train()
        trainer.save_model("out")
        run.artefact("out")

Without a run, `DatasetCallback(model="tasks-7b", data=["train"])` begins one with the training and ends it with it; then the
model is the last checkpoint. Of several processes only the first writes.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from lineage.metadata import plain
from lineage.training import Training, training_run

PRIVATE = ("output_dir", "logging_dir", "run_name", "local_rank", "logging_nan_inf_filter", "_n_gpu")
"""Arguments that say where and not how, beside those about the Hub and tokens."""


class DatasetCallback(TrainerCallback):  # type: ignore[misc]
    """Give it the run that is under way, or what `training_run` takes and the names of the `data` that are read."""

    def __init__(self, under_way: Training | None = None, /, data: Iterable[str] = (), **begin: Any) -> None:
        if under_way is None and "model" not in begin:
            raise TypeError("DatasetCallback: give it a run, or the model's name: DatasetCallback(model=…, data=[…])")
        self.run = under_way
        self.data = data
        self.begin = begin
        self.owned: AbstractContextManager[Training] | None = None
        self.saved = ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin the run if there is none, and record the hyperparameters."""
        if not state.is_world_process_zero:
            return
        if self.run is None:
            self.owned = training_run(**self.begin)
            self.run = self.owned.__enter__()
        for name in self.data:
            self.run.data(name)
        self.run.record.params = hyperparameters(args) | self.run.record.params
        base = getattr(getattr(kwargs.get("model"), "config", None), "_name_or_path", "")
        self.run.record.model.base = self.run.record.model.base or base or None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Record metrics."""
        if self.run is not None and state.is_world_process_zero:
            self.run.log(**{name: value for name, value in (logs or {}).items() if isinstance(value, int | float)})

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the last checkpoint."""
        self.saved = str(Path(args.output_dir).resolve() / f"checkpoint-{state.global_step}")

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End the run if it was begun here."""
        if self.owned is None or self.run is None:
            return
        if self.saved and Path(self.saved).is_dir():
            self.run.artefact(self.saved)
        self.owned.__exit__(None, None, None)
        self.owned, self.run = None, None


def hyperparameters(args: Any) -> dict[str, Any]:
    """The training arguments that say how it was trained."""
    given = {name: value for name, value in args.to_dict().items() if value not in (None, "", [], {})}
    kept = {
        name: value
        for name, value in given.items()
        if name not in PRIVATE and not name.startswith(("hub_", "push_to_hub"))
    }
    return dict(plain(kept))
