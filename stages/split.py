"""Assign lineage groups to train, validation and test, then drop what still leaks between them.

Records belong together if they share a declared group, a parent, a subject or a prompt. A group's split is a keyed hash of
its first key against the shares, so it stays when other records come or go: adding a record moves at most the groups that
it joins. Near-duplicates do not move a group; of a near-duplicate pair across splits the side nearer to training is dropped.

What a release has published is pinned (`stages/contract/pins.py`): it stays in its split whatever joins its group, a
survivor that replaces it takes its split, and a record that would tie together groups of different splits is dropped. Of a
near-duplicate pair across splits the published side stays; if both are published, both stay and each names the other.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract import paths, pins
from stages.contract.params import seed, stop, value
from stages.contract.pins import RECORD, Key, Pins
from stages.contract.record import Drop, Record, digest, draw, prompt
from stages.contract.run import Decision, run_on_all
from stages.contract.shards import rows
from stages.text.shingles import fold

REASONS = {
    "near_duplicate_across_splits": (
        "as similar as split.near, or more, to a record of another split that is farther from training, or published"
    ),
    "bridges_splits": "ties together groups that a release has published in different splits",
}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Shares of the splits, and what counts as a leak."""

    train: Annotated[float, Limits(gt=0, le=1)] = 0.8
    validation: Annotated[float, Limits(ge=0, le=1)] = 0.1
    test: Annotated[float, Limits(ge=0, le=1)] = 0.1
    near: Annotated[float, Limits(gt=0, le=1, description="Jaccard similarity; not below dedup.floor")] = 0.7
    stratify: Annotated[Literal["topic", "source"] | None, Limits(description="draw inside each of these")] = None


class Fact(Struct):
    """A record's source, the keys that tie it to others, and its stratum."""

    source: str
    keys: tuple[Key, ...]
    stratum: str | None


def check(params: Params) -> None:
    """Stop at shares that are no whole, and at a similarity of which dedup keeps no pairs."""
    if params.near < (floor := value("dedup.floor", float)):
        raise stop(
            f"params.yaml: split.near: {params.near} is below dedup.floor {floor}, where no pairs are kept; "
            "lower the floor too"
        )
    if abs(params.train + params.validation + params.test - 1) > 1e-9:
        raise stop("params.yaml: split: train, validation and test do not add up to 1; mend the shares")


def prepare(params: Params) -> dict[tuple[str, str], float]:
    """The pairs of alike records that dedup kept, with their similarity."""
    check(params)
    return {(row["a"], row["b"]): row["similarity"] for row in rows(paths.ROOT / paths.OUTPUT["dedup"])}


def measure(record: Record, params: Params, pairs: Any) -> Fact:
    """What ties the record to others. A record that names nothing and asks nothing is a group of its own."""
    meta = record.meta
    asked = fold(prompt(record))
    keys = (
        *([("1 group", meta.group)] if meta.group else []),
        *([("2 subject", meta.subject)] if meta.subject else []),
        *([("3 prompt", digest(asked))] if asked else []),
        *((RECORD, parent) for parent in (record.id, *meta.parents)),
    )
    return Fact(
        record.source, keys, getattr(meta, params.stratify or "", None) or record.source if params.stratify else None
    )


def decide(
    facts: dict[str, Fact], params: Params, pairs: dict[tuple[str, str], float], published: Pins | None = None
) -> Decision:
    """Every record's split, and the drops of what leaks; the pins are those of the project's file if none are given."""
    known = pins.published() if published is None else published
    pinned, bridges = pins.fitted(keys_of(facts), known)
    drops = [Drop(i, facts[i].source, "split", "bridges_splits", {"ties": ties}) for i, ties in bridges.items()]
    facts = {i: fact for i, fact in facts.items() if i not in bridges}
    groups = joined(keys_of(facts))
    strata: dict[str, str | None] = {groups[i]: fact.stratum for i, fact in sorted(facts.items(), reverse=True)}
    split = {i: pinned.get(i) or drawn(groups[i], strata[groups[i]], params) for i in facts}
    alike = {pair: near for pair, near in pairs.items() if near >= params.near}
    released = pins.released({identifier for pair in alike for identifier in pair}, known)
    drops += leaks(split, facts, alike, released)
    gone, left = {drop.id for drop in drops}, left_alike(split, alike, released)
    rows = [{"id": i, "split": split[i], "group": groups[i]} | left.get(i, {}) for i in facts if i not in gone]
    return Decision(drops, rows)


def keys_of(facts: dict[str, Fact]) -> dict[str, tuple[Key, ...]]:
    """What ties each record to others."""
    return {identifier: fact.keys for identifier, fact in facts.items()}


def joined(keys: Mapping[str, Iterable[Key]]) -> dict[str, str]:
    """Each record's group: the digest of the first key that ties its records together, directly or through others."""
    holders: dict[Key, list[str]] = defaultdict(list)
    for identifier, own in keys.items():
        for key in own:
            holders[key].append(identifier)
    group: dict[str, str] = {}
    for identifier in keys:
        if identifier not in group and all(len(holders[key]) == 1 for key in keys[identifier]):
            group[identifier] = digest(min(keys[identifier]))
        elif identifier not in group:
            members, ties = reached(identifier, keys, holders)
            group |= dict.fromkeys(members, digest(min(ties)))
    return group


def reached(start: str, keys: Mapping[str, Iterable[Key]], holders: dict[Key, list[str]]) -> tuple[set[str], set[Key]]:
    """All records that `start` is tied to, and all their keys."""
    members, waiting = {start}, [start]
    ties: set[Key] = set()
    while waiting:
        for key in keys[waiting.pop()]:
            if key not in ties:
                ties.add(key)
                fresh = [holder for holder in holders[key] if holder not in members]
                members.update(fresh)
                waiting += fresh
    return members, ties


def drawn(group: str, stratum: str | None, params: Params) -> str:
    """The split of a group, by its place in [0, 1); a stratum has draws of its own."""
    place = draw(seed(), "split", group, *([stratum] if stratum else []))
    return "train" if place < params.train else "validation" if place < params.train + params.validation else "test"


def across(split: dict[str, str], pairs: dict[tuple[str, str], float]) -> list[tuple[str, str, float]]:
    """Every record of an alike pair across splits with the other one, from both sides, and their similarity.

    Those farther from training than the record itself come first, of these the most similar.
    """
    sides = [(*pair, near) for (a, b), near in pairs.items() if {a, b} <= split.keys() for pair in ((a, b), (b, a))]
    place = {name: number for number, name in enumerate(paths.SPLITS)}
    return sorted(
        (side for side in sides if split[side[0]] != split[side[1]]),
        key=lambda side: (place[split[side[0]]] > place[split[side[1]]], -side[2], side[:2]),
    )


def falling(split: dict[str, str], apart: list[tuple[str, str, float]], released: AbstractSet[str]) -> set[str]:
    """Of each alike pair across splits the side that is not released, else that nearer to training; never a released one."""

    def rank(identifier: str) -> tuple[bool, int]:
        return identifier in released, paths.SPLITS.index(split[identifier])

    found: set[str] = set()
    for one, other in sorted(((one, other) for one, other, _ in apart), key=lambda pair: rank(pair[0]), reverse=True):
        if one not in released and rank(one) < rank(other) and other not in found:
            found.add(one)
    return found


def leaks(
    split: dict[str, str],
    facts: dict[str, Fact],
    pairs: dict[tuple[str, str], float],
    released: AbstractSet[str] = frozenset(),
) -> list[Drop]:
    """The drops of what falls, each for a record that stays.

    Which one must not depend on who is released: a release that pins what stays would change the outputs it describes.
    """
    apart = across(split, pairs)
    gone = falling(split, apart, released)
    found: dict[str, Drop] = {}
    for one, other, near in apart:
        if one in gone and other not in gone and one not in found:
            evidence = {"other": other, "similarity": near, "split": split[one], "other_split": split[other]}
            found[one] = Drop(one, facts[one].source, "split", "near_duplicate_across_splits", evidence)
    return list(found.values())


def left_alike(
    split: dict[str, str], pairs: dict[tuple[str, str], float], released: AbstractSet[str]
) -> dict[str, dict[str, Any]]:
    """What is said of released records that are alike across splits, and so all stay: one of the others."""
    found: dict[str, dict[str, Any]] = {}
    for one, other, near in across(split, pairs):
        if {one, other} <= released:
            found.setdefault(one, {"leak": {"other": other, "similarity": near, "other_split": split[other]}})
    return found


if __name__ == "__main__":
    run_on_all(measure, decide)
