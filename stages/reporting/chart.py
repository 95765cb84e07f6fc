"""What charts are drawn from: bins of equal and round width that two distributions share, and their places on paper."""

import math
from collections.abc import Sequence

from msgspec import Struct

BARS = 30  # about as many in a histogram
WIDTH, HEIGHT = 480, 150  # units of the drawing
TOP = 0.99  # the last bar takes in everything above this quantile


class Bar(Struct, frozen=True):
    """Values from `low` up to but without `high`, the last bar all above; `x`, `width` and heights are of the drawing."""

    low: float
    high: float | None
    before: int
    after: int
    x: float
    width: float
    before_height: float
    after_height: float


def step(span: float) -> float:
    """The width of a bin: 1, 2 or 5 times a power of ten, so that about BARS of them make up the span."""
    rough = span / BARS or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)


def histogram(before: Sequence[float], after: Sequence[float], low: float = 0.0) -> list[Bar]:
    """The bars of two distributions from `low` on, of which the second is a part of the first."""
    import numpy as np

    if not len(before):
        return []
    values = np.asarray(before, dtype=float)
    low, top = min(low, float(values.min())), float(np.quantile(values, TOP))
    width = step(top - low if top > low else 1.0)
    count = max(1, math.floor((top - low) / width) + 1)

    def counted(given: Sequence[float]) -> list[int]:
        places = np.clip(np.floor((np.asarray(given, dtype=float) - low) / width + 1e-9), 0, count - 1)
        return [int(n) for n in np.bincount(places.astype(int), minlength=count)]

    both = list(zip(counted(before), counted(after), strict=True))
    highest = max(max(pair) for pair in both) or 1
    more = float(values.max()) >= low + width * count
    return [
        Bar(
            round(low + width * n, 3),
            None if more and n == count - 1 else round(low + width * (n + 1), 3),
            *pair,
            round(WIDTH * n / count, 2),
            round(WIDTH / count, 2),
            *(round(HEIGHT * value / highest, 2) for value in pair),
        )
        for n, pair in enumerate(both)
    ]
