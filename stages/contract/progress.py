"""How far a stage is: a bar with rate and time left on a terminal, a plain line a minute without one.

It goes to stderr and into no output. A stage that is done within two seconds shows nothing.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

AFTER = 2.0  # seconds before a bar appears
EVERY = 60.0  # seconds between two lines


def one(item: object) -> float:
    """Every item counts once."""
    return 1


def megabytes(files: Iterable[Path]) -> float:
    """The size of some files."""
    return sum(file.stat().st_size for file in files) / 1e6


def over_files(items: Iterable[T], label: str, files: list[Path]) -> Iterator[T]:
    """The items, each made of one of the files, in their order; counted by the size of the files."""
    pairs = over(zip(files, items, strict=True), label, megabytes(files), lambda pair: megabytes(pair[:1]), "MB")
    return (item for _, item in pairs)


def nothing() -> str:
    """No note."""
    return ""


def over(
    items: Iterable[T],
    label: str,
    total: float | None,
    size: Callable[[T], float] = one,
    unit: str = "records",
    note: Callable[[], str] = nothing,
) -> Iterator[T]:
    """The items, while it is shown how many of `total` units have been through, and a note; the total may be unknown."""
    return (bar if sys.stderr.isatty() else lines)(items, label, total, size, unit, note)


def bar(
    items: Iterable[T],
    label: str,
    total: float | None,
    size: Callable[[T], float],
    unit: str,
    note: Callable[[], str] = nothing,
) -> Iterator[T]:
    """The items under a bar."""
    from tqdm import tqdm

    with tqdm(
        total=total, desc=label, unit=f" {unit}", unit_scale=True, delay=AFTER, leave=False, dynamic_ncols=True
    ) as shown:
        for item in items:
            yield item
            shown.set_postfix_str(note(), refresh=False)
            shown.update(size(item))


def lines(
    items: Iterable[T],
    label: str,
    total: float | None,
    size: Callable[[T], float],
    unit: str,
    note: Callable[[], str] = nothing,
) -> Iterator[T]:
    """The items, with a line now and then."""
    done, start = 0.0, monotonic()
    last = start
    for item in items:
        yield item
        done += size(item)
        if (now := monotonic()) - last >= EVERY:
            last = now
            said = ", ".join(filter(None, [line(label, done, total, unit, now - start), note()]))
            print(said, file=sys.stderr, flush=True)  # noqa: T201


def line(label: str, done: float, total: float | None, unit: str, seconds: float) -> str:
    """One line: how many, how fast, and how long it still takes if the rate stays."""
    rate = done / max(seconds, 1e-9)
    if not total:
        return f"{label}: {done:,.0f} {unit}, {rate:,.0f} a second"
    left = max(0, total - done) / max(rate, 1e-9)
    return f"{label}: {done:,.0f} of {total:,.0f} {unit}, {rate:,.0f} a second, about {left:,.0f} s left"
