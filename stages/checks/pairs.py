"""Preference pairs whose two endings teach no preference: the same, almost the same, or far apart in length alone.

Measured are the Jaccard similarity of the endings' runs of five characters, in lower case and with single spaces, and
how many times as long the longer one is, in characters. On 2,312 pairs of people (hh-rlhf) and 300 of models no two
endings are as alike as the limit; a hundredth of them differ in length by 29 times and more, a plain "No." among
them, so that limit is off. Pairs that contradict each other are found by `dedup`, which sees all of them.
"""

from typing import Annotated, Any

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, ending, joined
from stages.text.shingles import fold, jaccard, letters, runs

REASONS = {
    "identical_endings": "the two endings are the same but for case and space",
    "alike_endings": "the two endings are as similar as max_similarity, or more",
    "length_gap": "one ending is more than max_length_ratio times as long as the other",
}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How alike, and how different in length, the two endings may be."""

    max_similarity: Annotated[
        Annotated[float, Limits(gt=0, le=1)] | None,
        Limits(description="Jaccard similarity of character runs; null takes any but the same"),
    ] = 0.95
    max_length_ratio: Annotated[
        Annotated[float, Limits(ge=1)] | None,
        Limits(description="characters of the longer ending over those of the shorter; null takes any"),
    ] = None


class Apart(Struct):
    """How alike two endings are (1 only if they are the same), how many times as long the longer is, and which it is."""

    similarity: float
    length_ratio: float
    longer: str


def measure(record: Record, params: None = None) -> Apart | None:
    """How the two endings of a pair differ; None of a record that is no pair."""
    if not record.rejected:
        return None
    chosen, rejected = (fold(joined(part)) for part in (record.messages[ending(record.messages) :], record.rejected))
    short, long = sorted((len(chosen), len(rejected)))
    longer = "neither" if short == long else "chosen" if len(chosen) == long else "rejected"
    return Apart(similarity(chosen, rejected), round(max(1, long) / max(1, short), 3), longer)


def similarity(one: str, other: str) -> float:
    """Shared runs of two folded texts over all, from 0 to 1; texts that are not the same stay below 1."""
    return 1.0 if one == other else min(0.999, round(jaccard(runs(letters(one)), runs(letters(other))), 3))


def decide(value: dict[str, Any] | None, params: Params) -> str | None:
    """The first limit that is broken."""
    if not value:
        return None
    if value["similarity"] == 1:
        return "identical_endings"
    if params.max_similarity is not None and value["similarity"] >= params.max_similarity:
        return "alike_endings"
    far = params.max_length_ratio is not None and value["length_ratio"] > params.max_length_ratio
    return "length_gap" if far else None
