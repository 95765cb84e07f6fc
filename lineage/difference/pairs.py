"""An edited row whose id is made of its content is another record: here it is paired with its former self.

First by everything but the id and the source's name, then by near-identity: MinHash bands propose, the exact Jaccard
similarity decides, the likest pairs come first, and of equally alike ones those that stand in the same place.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stages.contract.record import Record, compared, conversation, encode, spoken
from stages.text.minhash import band_keys, bands, signatures
from stages.text.near import likely
from stages.text.shingles import fold, jaccard, letters, runs

ALIKE = 0.5  # Jaccard similarity from which on a row is another's former self
RECALL = 0.98  # of pairs at ALIKE that are looked at
CROWD = 50  # rows of one side that share a band: more of them share boilerplate and tell nothing
COMPARED = 8  # candidates that a row is compared with, the likest first
TOGETHER = 10_000  # pairs whose signatures are compared at once
CACHED = 4096  # sets of runs kept while they may be needed again
MOST = 50_000  # rows of one side of a source that are compared; beyond, only equal ones are paired


class Side(Struct):
    """A record that is in one version only: its id, its origin (`path:line`) and itself."""

    id: str
    origin: str
    record: Record


def paired(gone: Sequence[Side], new: Sequence[Side]) -> list[tuple[int, int]]:
    """Places of former and new selves, each record in one pair at most; in no particular order of the input."""
    taken = equal(gone, new)
    left = [i for i in range(len(gone)) if i not in taken]
    fresh = sorted({*range(len(new))} - {*taken.values()})
    if left and fresh and max(len(left), len(fresh)) <= MOST:
        found = near([gone[i] for i in left], [new[i] for i in fresh])
        taken |= {left[one]: fresh[other] for one, other in found}
    return sorted(taken.items())


def equal(gone: Sequence[Side], new: Sequence[Side]) -> dict[int, int]:
    """Records that differ in nothing but their id, in the order of their places."""
    waiting: dict[str, list[int]] = defaultdict(list)
    for place in sorted(range(len(new)), key=lambda place: new[place].origin, reverse=True):
        waiting[content(new[place].record)].append(place)
    found = {}
    for place in sorted(range(len(gone)), key=lambda place: gone[place].origin):
        if others := waiting.get(content(gone[place].record)):
            found[place] = others.pop()
    return found


def content(record: Record) -> str:
    """Everything of a record but its id and its source."""
    return repr((record.messages, record.meta, record.tools, record.rejected, record.label))


def near(gone: Sequence[Side], new: Sequence[Side]) -> list[tuple[int, int]]:
    """Pairs that are alike, or that stand in one place and have the prompt or the reply in common."""
    texts = [[conversation(side.record) for side in sides] for sides in (gone, new)]
    runs_of = [lru_cache(CACHED)(lambda place, each=each: runs(letters(fold(each[place])))) for each in texts]
    place = {side.origin: number for number, side in enumerate(new)}
    scored = []
    for one, others in enumerate(candidates(texts)):
        there = place.get(gone[one].origin, -1)
        for other in {*others, there} - {-1}:
            like = jaccard(runs_of[0](one), runs_of[1](other))
            if like >= ALIKE or (other == there and half(gone[one].record, new[other].record)):
                scored.append((-like, other != there, distance(gone[one].origin, new[other].origin), one, other))
    found: dict[int, int] = {}
    met: set[int] = set()
    for *_, one, other in sorted(scored):
        if one not in found and other not in met:
            found[one] = other
            met.add(other)
    return list(found.items())


def candidates(texts: list[list[str]]) -> list[list[int]]:
    """For each of the first texts those of the second that share a band with it and look alike, the likest first."""
    signed = [signatures(each) for each in texts]
    ours, theirs = met(signed)
    equal = np.concatenate(
        [same(signed, ours[at : at + TOGETHER], theirs[at : at + TOGETHER]) for at in range(0, len(ours), TOGETHER)]
        or [ours]
    )
    enough = np.flatnonzero(equal >= likely(ALIKE, signed[0].shape[1]))
    found: list[list[int]] = [[] for _ in texts[0]]
    for at in enough[np.argsort(-equal[enough], kind="stable")].tolist():
        if len(others := found[ours[at]]) < COMPARED:
            others.append(int(theirs[at]))
    return found


def met(signed: "list[NDArray[np.uint32]]") -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """The places of all pairs that share a band, but for what a crowd shares."""
    count, rows = bands(ALIKE, RECALL)
    numbers = [np.empty(0, np.int64)]
    for band in range(count):
        ours, theirs = (band_keys(each, band, rows) for each in signed)
        order = np.argsort(theirs, kind="stable")
        first, last = (np.searchsorted(theirs[order], ours, side) for side in ("left", "right"))
        here = np.where(last - first <= CROWD, last - first, 0)
        within = np.arange(here.sum()) - np.repeat(np.cumsum(here) - here, here)
        numbers.append(np.repeat(np.arange(len(ours)), here) * len(theirs) + order[np.repeat(first, here) + within])
    found = np.unique(np.concatenate(numbers))
    return found // max(1, len(signed[1])), found % max(1, len(signed[1]))


def same(
    signed: "list[NDArray[np.uint32]]", ours: "NDArray[np.int64]", theirs: "NDArray[np.int64]"
) -> "NDArray[np.int64]":
    """How many values of their signatures pairs have in common."""
    return np.asarray(np.count_nonzero(signed[0][ours] == signed[1][theirs], axis=1))


def half(one: Record, other: Record) -> bool:
    """Whether two records have the prompt or the reply in common."""
    pairs = zip(compared(one, "conversation"), compared(other, "conversation"), strict=True)
    return any(text and text == counterpart for text, counterpart in pairs)


def distance(one: str, other: str) -> int:
    """How many lines apart two places of one file are; far if they are not of one file."""
    (file, _, line), (another, _, there) = one.rpartition(":"), other.rpartition(":")
    return abs(int(line) - int(there)) if file == another and line.isdigit() and there.isdigit() else 10**9


def fields(before: Record, after: Record) -> list[str]:
    """What of a record differs: roles of turns, parts of the record, and fields of its meta."""
    found = [role for role in ("system", "user", "assistant", "tool") if said(before, role) != said(after, role)]
    if not found and before.messages != after.messages:
        found = ["messages"]
    found += [name for name in ("tools", "rejected", "label") if getattr(before, name) != getattr(after, name)]
    meta = before.meta.__struct_fields__
    return found + [f"meta.{name}" for name in meta if getattr(before.meta, name) != getattr(after.meta, name)]


def said(record: Record, role: str) -> list[object]:
    """The turns of a role."""
    return [message for message in record.messages if message.role == role]


def lines(before: Record | None, after: Record | None) -> Iterator[str]:
    """The lines of text of a record that differ, with a minus or a plus; of one that is in one version only, all of them."""
    old, new = ([] if each is None else list(told(each)) for each in (before, after))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            yield from (f"- {line}" for line in old[a:b])
            yield from (f"+ {line}" for line in new[c:d])


def told(record: Record) -> Iterator[str]:
    """A record line by line, each turn after its role, and what is known of it."""
    for role, message in [(message.role, message) for message in record.messages] + [
        ("losing", each) for each in record.rejected
    ]:
        first, *more = spoken(message).split("\n")
        yield f"{role}: {first}"
        yield from more
    if record.label is not None:
        yield f"label: {record.label}"
    for name in record.meta.__struct_fields__:
        if value := getattr(record.meta, name):
            yield f"meta.{name}: {value if isinstance(value, str) else encode(value).decode()}"
