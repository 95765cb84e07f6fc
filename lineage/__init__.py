"""Questions about versions of the dataset, and the `dataset` command. Never part of a run."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineage.training import training_run as training_run


def __getattr__(name: str) -> Any:
    """`lineage.training_run`, loaded when it is asked for: every command imports this package."""
    if name != "training_run":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lineage.training import training_run

    return training_run
