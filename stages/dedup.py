"""Drop exact and near-duplicates, each for one survivor that it really matches.

Records are taken in the order of preference: written by people before logs, unknown origin, templates and models, higher
rating, longer, then by id. Each is compared with survivors only, so there are no chains. MinHash bands propose, the exact
Jaccard similarity of the runs of five characters decides: nothing is dropped below the threshold. Pairs that stay, down to
the floor, are kept for `split`. Pairs are compared with pairs, labelled answers with those of the same label.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.params import sources, stop
from stages.contract.record import Drop, Record, conversation, kind
from stages.contract.run import Decision, records_with, run_on_all
from stages.contract.scores import signatures_of

REASONS = {
    "exact_duplicate": "the same turns as the survivor's, whatever the system's",
    "near_duplicate": "as similar to the survivor as dedup.threshold, or more",
}
METHODS = ("human", "log", "unknown", "template", "augmented", "model")
"""Who wrote it, most trusted first; what nobody says is put behind what people wrote and before what is known to be made."""


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """From which similarity on records are the same, and how hard it looks."""

    threshold: Annotated[float, Limits(gt=0, le=1, description="Jaccard similarity of runs of five characters")] = 0.8
    floor: Annotated[float, Limits(gt=0, le=1, description="pairs from here on are kept for split")] = 0.7
    recall: Annotated[float, Limits(gt=0, lt=1, description="share of pairs at the floor that the bands find")] = 0.98
    compared: Annotated[int, Limits(ge=1, description="survivors a record is compared with, nearest first")] = 64


class Fact(Struct):
    """What decides with whom a record is compared, and who survives."""

    source: str
    family: str
    preference: tuple[Any, ...]


def prepare(params: Params) -> None:
    """Stop at limits that cannot be kept."""
    from stages.text.minhash import bands

    if params.floor > params.threshold:
        raise stop(f"params.yaml: dedup.floor: {params.floor} is above the threshold {params.threshold}; lower it")
    try:
        bands(params.floor, params.recall)
    except ValueError as error:
        raise stop(f"params.yaml: dedup: {error}; raise the floor or lower the recall") from None


def measure(record: Record, params: Params, prepared: None) -> Fact:
    """The record's family and its place in the order of preference."""
    rating, length = record.meta.rating or 0.0, sum(len(message.content) for message in record.messages)
    family = f"{kind(record)}:{record.label}"
    return Fact(record.source, family, (METHODS.index(record.meta.method), -rating, -length, record.id))


def decide(facts: dict[str, Fact], params: Params, prepared: None) -> Decision:
    """All drops, and the pairs of survivors that are alike."""
    from stages.text.near import near

    table = signatures_of(list(sources()))
    place = {identifier.decode(): row for row, identifier in enumerate(table["id"].tolist())}
    decision = Decision([])
    for members in families(facts):
        rows = table[[place[identifier] for identifier in members]]
        same = exact(members, rows["exact"].tolist())
        rest = [n for n, identifier in enumerate(members) if identifier not in same]
        bounds = (params.threshold, params.floor, params.recall, params.compared)
        alike, pairs = near([members[n] for n in rest], rows["minhash"][rest], texts_of, *bounds)
        alike |= {copy: alike[first] for copy, first in same.items() if first in alike}  # a copy has the same text
        decision.drops += [
            dropped(facts, "exact_duplicate", loser, survivor, 1.0)
            for loser, survivor in same.items()
            if loser not in alike
        ]
        decision.drops += [dropped(facts, "near_duplicate", loser, *match) for loser, match in alike.items()]
        decision.rows += [
            {"a": min(pair), "b": max(pair), "similarity": similarity} for pair, similarity in pairs.items()
        ]
    decision.rows.sort(key=lambda row: (row["a"], row["b"]))
    return decision


def families(facts: dict[str, Fact]) -> Iterator[list[str]]:
    """The ids of each family of comparable records in the order of preference."""
    members = defaultdict(list)
    for identifier, fact in facts.items():
        members[fact.family].append(identifier)
    return (sorted(members[family], key=lambda identifier: facts[identifier].preference) for family in sorted(members))


def dropped(facts: dict[str, Fact], reason: str, loser: str, survivor: str, similarity: float) -> Drop:
    """The drop of a record for its survivor."""
    return Drop(loser, facts[loser].source, "dedup", reason, {"survivor": survivor, "similarity": similarity})


def exact(members: list[str], digests: list[bytes]) -> dict[str, str]:
    """Each later record with a digest seen before, and the first record that had it."""
    first: dict[bytes, str] = {}
    return {
        member: first[digest]
        for member, digest in zip(members, digests, strict=True)
        if first.setdefault(digest, member) != member
    }


def texts_of(members: list[str]) -> dict[str, str]:
    """The texts of these records that are compared."""
    return {record.id: conversation(record) for record in records_with(members)}


if __name__ == "__main__":
    run_on_all(measure, decide)
