"""Near-duplicates: MinHash bands propose, the exact Jaccard similarity decides, and only survivors are compared with."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stages.contract import progress
from stages.text.minhash import band_keys, bands, estimate
from stages.text.shingles import jaccard, runs

DEVIATIONS = (
    3  # standard deviations that an estimate may lie below the floor and still be verified: misses 1 pair in 700
)


def near(
    members: list[str],
    signatures: NDArray[np.uint32],
    texts_of: Callable[[list[str]], dict[str, str]],
    threshold: float,
    floor: float,
    recall: float,
    compared: int,
) -> tuple[dict[str, tuple[str, float]], dict[tuple[str, str], float]]:
    """The records that match a survivor, with it and the similarity; and the survivors alike from the floor on.

    The members come in the order of preference, `signatures` has a row for each, shape (members, 128), and `texts_of` gives
    the texts of those it is asked for. A member is compared with at most `compared` survivors, the likeliest first.
    """
    keys = list(shared_keys(band_keys(signatures, *bands(floor, recall))))
    texts = texts_of([member for member, met in zip(members, keys, strict=True) if met])
    runs_of = cache(lambda member: runs(texts[member]))
    lowest = floor - DEVIATIONS * math.sqrt(floor * (1 - floor) / signatures.shape[1])
    survivors: dict[int, list[int]] = defaultdict(list)
    drops: dict[str, tuple[str, float]] = {}
    pairs: dict[tuple[str, str], float] = {}
    for place, met in progress.over(enumerate(keys), "near-duplicates", len(keys)):
        others = sorted({other for key in met for other in survivors[key]})
        likely = nearest(estimate(signatures[place], signatures[others]), lowest, compared) if others else []
        alike: dict[tuple[str, str], float] = {}
        for n in likely:
            survivor = members[others[n]]
            similarity = jaccard(runs_of(members[place]), runs_of(survivor))
            if similarity >= threshold:
                drops[members[place]] = (survivor, round(similarity, 3))
                break
            if similarity >= floor:
                alike[members[place], survivor] = round(similarity, 3)
        else:
            pairs |= alike
            for key in met:
                survivors[key].append(place)
    return drops, pairs


def shared_keys(keys: NDArray[np.uint64]) -> Iterator[list[int]]:
    """Of each record the keys that another record has too, from an array of shape (records, bands) with 0 for none."""
    flat = keys[keys > 0].tolist()
    stops = np.count_nonzero(keys, axis=1).cumsum().tolist()
    return (flat[start:stop] for start, stop in pairwise([0, *stops]))


def nearest(estimates: NDArray[np.float64], lowest: float, most: int) -> list[int]:
    """Places of the highest estimates from `lowest` on, the highest first, equal ones in their order."""
    order = np.argsort(-estimates, kind="stable")[:most]
    return [int(place) for place in order if estimates[place] >= lowest]
