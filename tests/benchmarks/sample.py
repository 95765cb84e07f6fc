"""The stage instances of the tests' sample, started as DVC starts them, without DVC."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks import Row, usage
from tests.benchmarks.usage import ROUNDS
from tests.conftest import instances, sample_project, stage


def rows(folder: Path) -> Iterator[Row]:
    """CPU seconds of a stage instance, on average."""
    measured = [sample_seconds(folder) for _ in range(ROUNDS)]
    seconds, (number, *_) = zip(*measured, strict=True)
    yield f"CPU seconds of a stage instance, on average of {number}", f"{median(seconds):.2f}", "0.6"


def sample_seconds(folder: Path) -> tuple[float, int]:
    """CPU seconds of an average stage instance of the sample, and how many there are."""
    with TemporaryDirectory(dir=folder) as name:
        root = sample_project(Path(name))
        names = list(instances(root))
        used = usage.of(lambda: [stage(root, *instance) for instance in names])
    return used.cpu / len(names), len(names)
