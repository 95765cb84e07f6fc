"""How well each split stands for the whole: the Jensen-Shannon distance of its shares from those of the whole.

The distance is 0 for the same shares and 1 for nothing in common. A small split differs from the whole by chance alone,
so the distance is held against the one that a random draw of the same size has on average.
"""

import math

import pandas as pd
from msgspec import Struct

from stages.contract.paths import SPLITS
from stages.reporting.distribution import rounded


class Likeness(Struct, frozen=True):
    """One split against the whole: its distance, the one by chance, what that means, and the share that is farthest off."""

    split: str
    distance: float
    chance: float
    word: str
    farthest: str
    deviation: float


def distance(part: pd.Series, whole: pd.Series) -> float:
    """The Jensen-Shannon distance, base 2, of two sets of counts by name; `whole` has every name of `part`."""
    p, q = (part / part.sum()).reindex(whole.index, fill_value=0.0), whole / whole.sum()
    mean = (p + q) / 2
    divergence = sum(
        float(a * math.log2(a / m)) / 2 for shares in (p, q) for a, m in zip(shares, mean, strict=True) if a > 0
    )
    return math.sqrt(max(0.0, divergence))


def by_chance(part: int, whole: int, names: int) -> float:
    """About the distance of a random draw of `part` out of `whole` records with so many names."""
    return math.sqrt((names - 1) * (1 - part / whole) / (8 * part * math.log(2)))


def word(found: float, chance: float) -> str:
    """What the distance means."""
    if found <= max(0.02, 2 * chance):
        return "like the whole"
    return "somewhat unlike the whole" if found <= max(0.1, 3 * chance) else "unlike the whole"


def likeness(names: pd.Series, splits: pd.Series) -> list[Likeness]:
    """Each split that has records against all of them, by what `names` says of each record."""
    whole, found = names.value_counts().sort_index(), []
    for split in SPLITS:
        part = names[splits == split].value_counts()
        if part.empty:
            continue
        off = part.reindex(whole.index, fill_value=0) / part.sum() - whole / whole.sum()
        farthest = off.abs().round(6).idxmax()
        far, chance = distance(part, whole), by_chance(int(part.sum()), int(whole.sum()), len(whole))
        found.append(
            Likeness(split, rounded(far), rounded(chance), word(far, chance), str(farthest), rounded(off[farthest]))
        )
    return found
