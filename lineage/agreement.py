"""How far scores agree: kappa, alpha, AC1, bias, slope, threshold and corrected pass rate, each with an interval.

Arrays are of floats, one place per item; NaN is a score that was not given. An interval is the 95 % percentile bootstrap
over items, with chance from the seed alone. A number that the items cannot tell is None, never 0.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct

ROUNDS = 1_000  # resamples of an interval
TAILS = (2.5, 97.5)  # percentiles: an interval of 95 %
NONE = float("nan")
Array = np.ndarray[Any, np.dtype[np.float64]]


class Estimate(Struct):
    """A number with its interval, and the items it is of."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class Cut(Struct):
    """A threshold, and which of the items that people call good and bad it keeps."""

    threshold: float
    good: int
    good_kept: int
    bad: int
    bad_kept: int


def weighted_kappa(one: Array, other: Array) -> float:
    """Cohen's kappa of two raters with quadratic weights, on any scale of numbers.

    With these weights kappa needs no categories: it is one less the mean squared difference over what it would be by chance.
    """
    observed = np.mean((one - other) ** 2)
    chance = np.var(one) + np.var(other) + (np.mean(one) - np.mean(other)) ** 2
    return float(1 - observed / chance) if chance else NONE


def ordinal_alpha(ratings: Array) -> float:
    """Krippendorff's alpha for ordered values; a row per item, a column per rater, NaN where one is missing."""
    values, places = np.unique(ratings[~np.isnan(ratings)], return_inverse=True)
    if len(values) < 2:
        return NONE
    counts = np.zeros((len(ratings), len(values)))
    np.add.at(counts, (np.nonzero(~np.isnan(ratings))[0], places), 1)
    counts = counts[counts.sum(axis=1) > 1]  # an item with one rating has nothing to agree with
    weight = 1 / (counts.sum(axis=1) - 1)
    together = (counts * weight[:, None]).T @ counts - np.diag((counts * weight[:, None]).sum(axis=0))
    totals = together.sum(axis=1)
    upto = np.cumsum(totals) - totals / 2  # so that a difference of two holds half of each end and all between
    apart = (upto[:, None] - upto[None, :]) ** 2
    chance = float(totals @ apart @ totals)
    return 1 - (totals.sum() - 1) * float((together * apart).sum()) / chance if chance else NONE


def first_coefficient(one: Array, other: Array) -> float:
    """Gwet's AC1 of two raters' yes and no (1 and 0): unlike kappa it does not collapse where nearly all is yes."""
    agreed = np.mean(one == other)
    share = (np.mean(one) + np.mean(other)) / 2
    chance = 2 * share * (1 - share)
    return float((agreed - chance) / (1 - chance))


def bias(judge: Array, people: Array) -> float:
    """Mean of the judge's score less the people's."""
    return float(np.mean(judge - people))


def slope(judge: Array, people: Array, tokens: Array) -> float:
    """Points that the judge gives beyond the people for every doubling of the reply's length."""
    length = np.log2(np.maximum(tokens, 1))
    spread = np.var(length)
    return float(np.mean((length - length.mean()) * (judge - people)) / spread) if spread else NONE


def share(hits: Array) -> float:
    """Share of ones."""
    return float(np.mean(hits))


def cut(judge: Array, good: Array, threshold: float) -> Cut:
    """What a threshold keeps: scores of at least as much."""
    kept, right = judge >= threshold, good > 0
    return Cut(threshold, int(right.sum()), int((kept & right).sum()), int((~right).sum()), int((kept & ~right).sum()))


def youden(found: Cut) -> float:
    """Share of the good that is kept less share of the bad that is kept: 1 is perfect, 0 is chance.

    Unlike F1 it does not depend on how many good items there are; of a file that was put together by hand that says nothing.
    """
    return found.good_kept / found.good - found.bad_kept / found.bad


def best_cut(judge: Array, good: Array, now: float) -> Cut | None:
    """The cut that parts good from bad best; of equals the nearest to the one in force. None if there are not both."""
    if not 0 < good.sum() < len(good):
        return None
    scores = np.unique(judge)
    between = [max(1.0, round(float(place), 3)) for place in (scores[1:] + scores[:-1]) / 2]
    cuts = [cut(judge, good, place) for place in (now, *between)]
    return max(cuts, key=lambda each: (round(youden(each), 9), -abs(each.threshold - now)))


def corrected(passed: float, specificity: float, sensitivity: float) -> float:
    """The share of good examples behind a share that passed, from how often the judge fails bad and passes good ones.

    That is (passed + specificity - 1) / (specificity + sensitivity - 1), within 0 and 1. ValueError if the judge is no
    better than chance: nothing can be told from such verdicts.
    """
    better = specificity + sensitivity - 1
    if better <= 0:
        raise ValueError("the judge passes bad replies as often as good ones; its pass rate says nothing")
    return min(1.0, max(0.0, (passed + specificity - 1) / better))


def corrected_by(passes: Array, good: Array, passed: float) -> float:
    """The same from the judge's yes and no on items that people judged; NaN where it cannot be told."""
    right = good > 0
    if not 0 < right.sum() < len(right):
        return NONE
    try:
        return corrected(passed, 1 - share(passes[~right]), share(passes[right]))
    except ValueError:
        return NONE


def estimate(statistic: Callable[..., float], *arrays: Array, seed: int) -> Estimate:
    """A statistic of arrays with one place per item, and its interval, widened to the value where it leaves that out."""
    count = len(arrays[0])
    value = statistic(*arrays) if count > 1 else NONE
    if np.isnan(value):
        return Estimate(None, None, None, count)
    drawn = [statistic(*(each[places] for each in arrays)) for places in resamples(count, seed)]
    known = [each for each in drawn if not np.isnan(each)]
    if 2 * len(known) < ROUNDS:
        return Estimate(rounded(value), None, None, count)
    low, high = np.percentile(known, TAILS)
    return Estimate(rounded(value), rounded(min(low, value)), rounded(max(high, value)), count)


def resamples(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Places of as many items, drawn with replacement; the generator's raw stream is the same in every version of numpy."""
    raw = np.random.PCG64(seed).random_raw(ROUNDS * count)
    return (raw % np.uint64(count)).astype(np.intp).reshape(ROUNDS, count)


def rounded(value: float) -> float:
    """Three decimals, and no minus before a zero."""
    return round(float(value), 3) + 0.0
