"""What releases have published stays in its split: the file of pins, and which records fit them.

A pin is the hash of something that ties records together (an id, a prompt, a subject, a group, a parent) and the split it
was published in. The file is part of git and holds nothing else: of a text that is known already it says where it went, of
others nothing. `dataset release` writes it; the stage `split` obeys it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from stages.contract import paths
from stages.contract.params import stop
from stages.contract.record import digest
from stages.contract.shards import drops, lines

Key = tuple[str, str]
"""A kind of tie, with its rank in naming a group, and its value. A subject names better than a prompt: it comes back."""

RECORD = "4 record"
"""The kind of an id as a tie: a record's own, or that of a parent."""
PUBLISHED = "published"
"""The kind of an id that stood in a release, in the file of pins."""


class Pins(Struct, frozen=True):
    """The split of each pinned hash, and the ids of the records that each survivor of dedup stands for."""

    splits: dict[str, str] = {}
    replaced: dict[str, list[str]] = {}


def pin(kind: str, name: str) -> str:
    """The hash of a key: 64 bits, so that among a million records hardly two share one by chance."""
    return digest("pin", kind, name)[:16]


def published() -> Pins:
    """The pins in the project's file, and whom the survivors of dedup stand for; nothing if there are no pins."""
    file = paths.ROOT / paths.PINS
    splits = read(lines(file)) if file.is_file() else {}
    replaced: dict[str, list[str]] = defaultdict(list)
    for drop in drops([paths.dropped("dedup")]) if splits else ():
        replaced[str(drop.evidence.get("survivor"))].append(drop.id)
    return Pins(splits, replaced)


def read(content: Iterable[bytes]) -> dict[str, str]:
    """The pins in the lines of their file, or a stop that names the line."""
    found: dict[str, str] = {}
    for number, line in enumerate(content, 1):
        name, _, split = line.decode("utf-8", "replace").partition(" ")
        if not re.fullmatch("[0-9a-f]{16}", name) or split not in paths.SPLITS:
            raise stop(f"{paths.PINS}:{number}: is no pin; take the file back with git, or empty it to pin nothing")
        if found.setdefault(name, split) != split:
            raise stop(
                f"{paths.PINS}:{number}: pins to {split} what is in {found[name]} too; take one of the lines out"
            )
    return found


def written(splits: Mapping[str, str]) -> list[bytes]:
    """The lines of the file."""
    return [f"{name} {split}".encode() for name, split in sorted(splits.items())]


def of(keys: Mapping[str, Sequence[Key]], assigned: Mapping[str, str]) -> dict[str, str]:
    """What a release pins: the hashes of all that ties its records to others, each with its split."""
    found = {}
    for identifier, split in assigned.items():
        found[pin(PUBLISHED, identifier)] = split
        found |= {pin(*key): split for key in keys[identifier] if key != (RECORD, identifier)}
    return found


def fitted(keys: Mapping[str, Sequence[Key]], pins: Pins) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The split of each record that is tied to something published; and those that tie two splits together, with their ties.

    The published come first, those farthest from training before the others: what comes later and does not fit is out.
    """
    if not pins.splits:
        return {}, {}
    own = {identifier: pins.splits.get(pin(PUBLISHED, identifier)) for identifier in keys}
    order = {split: place for place, split in enumerate((*reversed(paths.SPLITS), None))}
    root: dict[Key, Key] = {}
    label: dict[Key, str | None] = {}
    between = {}
    for identifier in sorted(keys, key=lambda each: (order[own[each]], each)):
        tops = [top(key, root, label, pins) for key in keys[identifier]]
        claims = {split: key[0][2:] for key, one in zip(keys[identifier], tops, strict=True) if (split := label[one])}
        for other in pins.replaced.get(identifier, ()) if not own[identifier] else ():
            if split := pins.splits.get(pin(PUBLISHED, other)):
                claims.setdefault(split, f"survivor of {other}")
        if len(claims) > 1:
            between[identifier] = dict(sorted(claims.items()))
            continue
        root |= dict.fromkeys(tops, tops[0])
        label[tops[0]] = next(iter(claims), None)
    held = {i: label[top(own_keys[0], root, label, pins)] for i, own_keys in keys.items() if i not in between}
    return {identifier: split for identifier, split in held.items() if split}, between


def released(identifiers: Iterable[str], pins: Pins) -> set[str]:
    """Those of these records that stood in a release themselves."""
    return (
        {identifier for identifier in identifiers if pin(PUBLISHED, identifier) in pins.splits}
        if pins.splits
        else set()
    )


def top(key: Key, root: dict[Key, Key], label: dict[Key, str | None], pins: Pins) -> Key:
    """The key that stands for all that a key is tied to by now; of a key that is new, its pin becomes known."""
    if key not in root:
        root[key] = key
        label[key] = pins.splits.get(pin(*key)) or (
            pins.splits.get(pin(PUBLISHED, key[1])) if key[0] == RECORD else None
        )
        return key
    while root[key] != key:
        root[key] = root[root[key]]
        key = root[key]
    return key
