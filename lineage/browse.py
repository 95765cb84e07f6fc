"""Records and drops as they can be looked up: by split, stage, reason, source, version or id."""

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, json

from lineage import lookup, version
from stages.contract import params, paths
from stages.contract.params import stop
from stages.contract.record import Drop, Record, decode, decode_drop, decode_record
from stages.reporting.reasons import MEANINGS

STAGES = paths.DROPPING
COLUMNS = {"split": "split", "score": "judge"}
"""What is known of a record from which stage's output."""
SHORTEST = 6  # characters of an id: fewer hit several of a few thousand records


class Query(Struct, frozen=True):
    """What to look for. Without anything: the records of the dataset."""

    split: str | None = None
    after: str | None = None
    dropped: bool = False
    stage: str | None = None
    reason: str | None = None
    source: str | None = None
    revision: str | None = None


class Assigned(Struct, gc=False):
    """The part of a row of data/splits.jsonl that tells who is where; a million of them are read at once."""

    id: str
    split: str


splits = json.Decoder(Assigned).decode_lines


class Found(Struct, omit_defaults=True):
    """A record, or a row that never became one, with what the stages said of it."""

    id: str
    source: str
    origin: str | None = None
    split: str | None = None
    score: float | None = None
    drop: Drop | None = None
    record: Record | None = None


def search(query: Query) -> Iterator[Found]:
    """What the query asks for, in the order of the sources and their rows."""
    check(query)
    names = [query.source] if query.source else sources(query.revision)
    drops = {drop.id: drop for drop in wanted_drops(query, names)}
    if query.dropped or query.stage or query.reason:
        yield from (found for name in names for found in rows_dropped(name, drops, query.revision))
        yield from (found for found in records(names, query.revision, drops.__contains__, drops))
        return
    members = members_of(query.split, query.revision) if query.split else None

    def stays(identifier: str) -> bool:
        return identifier not in drops and (members is None or identifier in members)

    known = (lambda found: found) if query.after else assigned(query.revision)
    yield from map(known, records(names, query.revision, stays, {}))


def members_of(split: str, revision: str | None) -> set[str]:
    """The ids of a split."""
    content = version.content(paths.ROOT / paths.OUTPUT["split"], revision)
    return {row.id for row in splits(content) if row.split == split}


def assigned(revision: str | None) -> Callable[[Found], Found]:
    """The function that adds split and score to a record, looked up in outputs that are sorted by id."""
    outputs = {field: version.content(paths.ROOT / paths.OUTPUT[at], revision) for field, at in COLUMNS.items()}

    def known(found: Found) -> Found:
        for field, content in outputs.items():
            setattr(found, field, value_in(content, found.id, field))
        return found

    return known


def value_in(content: bytes, identifier: str, field: str) -> Any:
    """One field of the row with this id, in lines that are sorted by id; None if there is none."""
    return (row_in(content, identifier) or {}).get(field)


def row_in(content: bytes, identifier: str) -> dict[str, Any] | None:
    """The row with this id, in lines that are sorted by id; None if there is none."""
    line = next(lookup.lines_with(content, "id", identifier), None)
    return None if line is None else dict(decode(line))


def check(query: Query) -> None:
    """Stop at a name that is none."""
    if query.after and (query.dropped or query.stage or query.reason or query.split):
        raise stop(
            "dataset show: --after lists what is left after a stage; leave out --dropped, --stage, --reason, --split"
        )
    if query.split and (query.dropped or query.stage or query.reason):
        raise stop("dataset show: what was dropped is in no split; leave out --split, or --dropped, --stage, --reason")
    known = {reason for reasons in MEANINGS.values() for reason in reasons}
    if query.reason and query.reason not in known and not query.revision:
        near = difflib.get_close_matches(query.reason, known, 1)
        advice = f"did you mean {near[0]}?" if near else "`dataset show --dropped` shows those that occur"
        raise stop(f"--reason {query.reason}: no stage drops for it; {advice}")
    if query.source and query.source not in sources(query.revision):
        raise stop(f"--source {query.source}: is no source; known are {', '.join(sources(query.revision))}")


def sources(revision: str | None) -> list[str]:
    """The names of the sources in a version."""
    if revision is None:
        return list(params.sources())
    return sorted(map(str, version.settings(revision).get("sources") or {}))


def wanted_drops(query: Query, names: list[str]) -> Iterator[Drop]:
    """The drops that a query is about: those that match it, or those that take records out of what it lists."""
    stages = [query.stage] if query.stage else STAGES[: STAGES.index(query.after) + 1] if query.after else STAGES
    for line in version.lines((path for stage in stages for path in files_of_drops(stage, names)), query.revision):
        drop = decode_drop(line)
        if query.reason in (None, drop.reason) and drop.source in names and drop.stage in stages:
            yield drop


def files_of_drops(stage: str, names: list[str]) -> list[Path]:
    """Where a stage's drops lie."""
    return [paths.dropped(stage, name) for name in (names if stage in paths.PER_SOURCE else [""])]


def rows_dropped(source: str, drops: dict[str, Drop], revision: str | None) -> Iterator[Found]:
    """The rows of a source that never became records."""
    for line in version.lines([paths.origins(source) / "dropped.jsonl"], revision):
        row = decode(line)
        if drop := drops.get(row["id"]):
            yield Found(row["id"], source, row["origin"], drop=drop)


def records(
    names: list[str], revision: str | None, wanted: Callable[[str], bool], drops: dict[str, Drop]
) -> Iterator[Found]:
    """The wanted records with their origins and drops."""
    for name in names:
        for shard in version.files(paths.records(name), revision):
            lines = version.lines([paths.records(name) / shard], revision)
            origins = version.lines([paths.origins(name) / shard], revision)
            for line, origin in zip(lines, origins, strict=True):
                identifier = line[7:39].decode()
                if wanted(identifier):
                    drop = drops.get(identifier)
                    yield Found(identifier, name, decode(origin)["origin"], drop=drop, record=decode_record(line))


def by_id(start: str, revision: str | None = None) -> list[Found]:
    """The records and dropped rows whose ids start so. Bytes are searched: a million lines are not parsed for one."""
    if len(start) < SHORTEST:
        raise stop(f"--id {start}: is too short; give {SHORTEST} characters or more")
    found = [each for name in sources(revision) for each in in_source(name, start, revision)]
    for each in map(assigned(revision), found):
        each.drop = next(drops_of(each, revision), None)
    return found


def in_source(name: str, start: str, revision: str | None) -> Iterator[Found]:
    """The records and dropped rows of one source whose ids start so."""
    beginning = b'{"id":"' + start.encode("utf-8", "surrogateescape")
    for shard in version.files(paths.records(name), revision):
        content = version.content(paths.records(name) / shard, revision)
        for line in lines_with(content, beginning):
            if not line.startswith(beginning):
                continue  # an argument of a tool call
            identifier = line[7:39].decode()
            origin = next(lines_with(version.content(paths.origins(name) / shard, revision), line[:39]))
            yield Found(identifier, name, decode(origin)["origin"], record=decode_record(line))
    for line in lines_with(version.content(paths.origins(name) / "dropped.jsonl", revision), beginning):
        row = decode(line)
        yield Found(row["id"], name, row["origin"])


def drops_of(found: Found, revision: str | None) -> Iterator[Drop]:
    """What a stage said when it dropped the record."""
    for stage in STAGES:
        for path in files_of_drops(stage, [found.source]):
            for line in lines_with(version.content(path, revision), b'"id":"' + found.id.encode()):
                if (drop := decode_drop(line)).id == found.id:
                    yield drop


def lines_with(content: bytes, part: bytes) -> Iterator[bytes]:
    """The lines that hold some bytes, without looking at the others."""
    place = content.find(part)
    while place >= 0:
        end = content.find(b"\n", place)
        end = len(content) if end < 0 else end
        yield content[content.rfind(b"\n", 0, place) + 1 : end]
        place = content.find(part, end)
