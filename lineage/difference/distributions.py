"""How records are spread in two versions: by length, tokens, topic, source, language and score, side by side.

The Jensen-Shannon divergence to base 2 tells how far apart two spreads are: 0 for equal ones, 1 for
those that share nothing.
"""

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from lineage.difference.rows import UNKNOWN, Names, Table

LARGE = 0.045  # bits; about where the population stability index, eight times as much in nats, is at its customary 0.25
LISTED = 12  # names that are listed; the rest are counted together
STEP = 2**0.5  # from one bin of a length to the next
HALF = 0.5  # the width of a bin of scores
NAMED = ("topic", "source", "language")
MEASURED = {"length": "words", "tokens": "tokens"}


class Bin(Struct):
    """A name, or numbers from one on, with how many records each version has there."""

    name: str
    before: int
    after: int


class Distribution(Struct):
    """One property in both versions. `large` if the two differ by more than LARGE, and by more than chance alone does."""

    name: str
    unit: str
    bins: list[Bin]
    divergence: float
    large: bool
    before: dict[str, float] = {}
    after: dict[str, float] = {}


def distributions(
    tables: tuple[Table, Table], names: Names, renamed: dict[str, str], split: str | None = None
) -> list[Distribution]:
    """Every property of the records that are in the dataset, or in one split of it; a renamed source counts as one."""
    chosen = [members(table, split) for table in tables]
    for name, former in renamed.items():
        column = tables[0].columns.source
        column[column == names.source.get(former, UNKNOWN)] = names.source[name]
    found = [
        numbers(name, unit, *(measured(table, here, unit) for table, here in zip(tables, chosen, strict=True)))
        for name, unit in MEASURED.items()
    ]
    found += [
        named(name, names, *(getattr(table.columns, name)[here] for table, here in zip(tables, chosen, strict=True)))
        for name in NAMED
    ]
    scores = (table.score[here] for table, here in zip(tables, chosen, strict=True))
    return [*found, numbers("score", "of 5", *(each[~np.isnan(each)] for each in scores))]


def members(table: Table, split: str | None) -> NDArray[np.int64]:
    """The places of the records of the dataset, or of one split."""
    from stages.contract.paths import SPLITS

    return np.flatnonzero(table.split >= 0 if split is None else table.split == SPLITS.index(split))


def measured(table: Table, here: NDArray[np.int64], unit: str) -> NDArray[Any]:
    """What was measured of these records."""
    values = getattr(table.columns, unit)[here]
    return np.asarray(values[values != UNKNOWN])


def numbers(name: str, unit: str, before: NDArray[Any], after: NDArray[Any]) -> Distribution:
    """Numbers in bins: of half a point for scores, each a good third wider than the last for lengths."""
    place, label = (by_half, half) if name == "score" else (by_step, step)
    counted = [np.bincount(place(values)) if len(values) else np.zeros(0, np.int64) for values in (before, after)]
    width = max(map(len, counted))
    one, other = (np.pad(each, (0, width - len(each))) for each in counted)
    bins = [Bin(label(at), int(one[at]), int(other[at])) for at in range(width) if one[at] or other[at]]
    return compared(name, unit, bins, spread(before), spread(after))


def by_half(values: NDArray[Any]) -> NDArray[np.int64]:
    """The bins of scores."""
    return np.floor(values / HALF).astype(np.int64)


def half(place: int) -> str:
    """Where a bin of scores begins."""
    return f"{place * HALF:g}"


def by_step(values: NDArray[Any]) -> NDArray[np.int64]:
    """The bins of lengths; nothing has its own."""
    return np.where(values < 1, 0, 1 + np.floor(np.log(np.maximum(values, 1)) / np.log(STEP) + 1e-9)).astype(np.int64)


def step(place: int) -> str:
    """Where a bin of lengths begins."""
    return str(int(np.ceil(STEP ** (place - 1) - 1e-9))) if place else "0"


def named(name: str, names: Names, before: NDArray[np.int32], after: NDArray[np.int32]) -> Distribution:
    """Names, the commonest of both versions first."""
    known = [each or "none" for each in getattr(names, name)]
    one, other = (np.bincount(values, minlength=len(known)) for values in (before, after))
    order = sorted(np.flatnonzero(one + other).tolist(), key=lambda at: (-int(one[at] + other[at]), known[at]))
    return compared(name, "records", [Bin(known[at], int(one[at]), int(other[at])) for at in order])


def compared(name: str, unit: str, bins: list[Bin], *spreads: dict[str, float]) -> Distribution:
    """Two spreads with how far they are apart."""
    far = divergence([each.before for each in bins], [each.after for each in bins])
    return Distribution(name, unit, bins, round(far, 4), bool(far >= max(LARGE, 2 * by_chance(bins))), *spreads)


def divergence(before: list[int], after: list[int]) -> float:
    """The Jensen-Shannon divergence of two counts, in bits; 0 if either is empty."""
    one, other = np.array(before, np.float64), np.array(after, np.float64)
    if not one.sum() or not other.sum():
        return 0.0
    one, other = one / one.sum(), other / other.sum()
    middle = (one + other) / 2
    return max(0.0, float(sum(relative(each, middle) for each in (one, other)) / 2))


def relative(part: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    """The Kullback-Leibler divergence in bits."""
    there = part > 0
    return float((part[there] * np.log2(part[there] / whole[there])).sum())


def by_chance(bins: list[Bin]) -> float:
    """How far apart two samples of one spread are on average, in bits: a chi-square of one less than the bins."""
    sizes = [sum(each.before for each in bins), sum(each.after for each in bins)]
    return 0.0 if not all(sizes) else (len(bins) - 1) / (8 * np.log(2)) * sum(1 / size for size in sizes)


def spread(values: NDArray[Any]) -> dict[str, float]:
    """Mean and quantiles."""
    if not len(values):
        return {}
    median, high = np.quantile(values, [0.5, 0.9])
    return {
        "mean": round(float(np.mean(values, dtype=np.float64)), 2),
        "median": round(float(median), 2),
        "p90": round(float(high), 2),
    }
