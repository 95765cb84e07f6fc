"""How values are distributed: counts by name, sums, quantiles and shares, rounded as everything that is written."""

from collections import Counter
from collections.abc import Iterable

import pandas as pd


def tally(names: Iterable[str]) -> dict[str, int]:
    """How often each name occurs, by name."""
    return dict(sorted(Counter(names).items()))


def totals(counted: Iterable[dict[str, int]]) -> dict[str, int]:
    """The sums of many counts by kind."""
    total: Counter[str] = Counter()
    for each in counted:
        total.update(each)
    return dict(sorted(total.items()))


def spread(values: pd.Series) -> dict[str, float]:
    """Mean and quantiles of what was measured; zeros if there is nothing."""
    values = values.dropna()
    if values.empty:
        return dict.fromkeys(("mean", "min", "p10", "median", "p90", "p99", "max"), 0.0)
    quantiles = values.quantile([0.1, 0.5, 0.9, 0.99])
    named_values = zip(("p10", "median", "p90", "p99"), quantiles, strict=True)
    return {"mean": rounded(values.mean()), "min": rounded(values.min()), "max": rounded(values.max())} | {
        n: rounded(v) for n, v in named_values
    }


def widths(found: dict[str, float]) -> dict[str, float]:
    """The quantiles with how many times the 90th is the 10th; below one token counts as one."""
    return found | {"p90_over_p10": rounded(found["p90"] / max(1.0, found["p10"]))}


def imbalance(topics: pd.Series) -> float:
    """The largest topic over the smallest."""
    sizes = topics.value_counts()
    return rounded(sizes.max() / sizes.min()) if len(sizes) else 0.0


def share(part: float, whole: float) -> float:
    """Part of the whole, 0 of nothing."""
    return rounded(part / whole) if whole else 0.0


def rounded(value: float) -> float:
    """Three decimals, as everything that is written."""
    return round(float(value), 3)
