"""The figures of the last run, as the commands read them."""

from typing import Any

import msgspec

from stages.contract import paths
from stages.contract.params import stop
from stages.contract.record import decode


def read() -> dict[str, Any]:
    """reports/metrics.json, or a stop that says how to make it."""
    path = paths.ROOT / paths.METRICS
    if not path.is_file():
        raise stop(f"{paths.METRICS}: is not there; run `make run` in the project's folder")
    try:
        return dict(decode(path.read_bytes()))
    except (msgspec.DecodeError, TypeError, ValueError):
        raise stop(f"{paths.METRICS}: is not what a run writes; run `dvc repro`, or take it back with git") from None
