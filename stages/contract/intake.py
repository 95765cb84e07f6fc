"""How the rows of a source become its shards of records: ids, numbered copies, origins and drops.

Records keep the order of their rows. Lines wait in a spool file until all ids are known, because the id of a repeated
record depends on how many equal ones the source has; memory holds the ids, not the records.
"""

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from msgspec import Struct

from stages.contract import engine, params, paths, progress, shards
from stages.contract import source as rows_of
from stages.contract.params import Source, project_key, stop
from stages.contract.record import Drop, Fault, Record, content_id, decode_record, digest, encode
from stages.contract.source import Row, value_of

FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z_ -]{0,40}")
LOOKED_AT = 20  # rows whose field names are looked for: rows that are lists have none, and are not parsed twice
DECLARED = ("topic", "created", "subject", "rating", "model")
"""What a source can name a field for, besides its id."""


class Read(Struct):
    """A row after `read`: the encoded record with its declared and its content id, or the drop."""

    origin: str
    line: bytes = b""
    declared: str = ""
    content: str = ""
    drop: Drop | None = None
    redacted: dict[str, int] = {}
    known: tuple[str, ...] = ()
    bytes: int = 0


class Taken(Struct):
    """What is known of a source while it is read: one entry per record, in order, and everything else.

    `redacted` is the ledger: by the place of a record, how much of each kind was replaced in it, and nothing of the data.
    """

    declared: list[str] = []
    content: list[str] = []
    origins: list[str] = []
    redacted: dict[int, dict[str, int]] = {}
    offsets: array = msgspec.field(default_factory=lambda: array("Q"))  # type: ignore[type-arg]
    drops: list[tuple[Drop, str]] = []
    repairs: Counter[str] = msgspec.field(default_factory=Counter)
    known: Counter[str] = msgspec.field(default_factory=Counter)
    fields: list[str] = []
    rows: int = 0


def take_in(stage: ModuleType, name: str, given: Any) -> None:
    """Read the source and write its records, origins and drops; stop if it has no record at all."""
    source, _ = params.source(name), project_key()
    files = files_of(name, source)
    with shards.replaced(paths.records(name)) as records, shards.replaced(paths.origins(name)) as origins:
        records.mkdir(parents=True)
        spool = records / "spool"
        taken = Taken()
        with spool.open("wb") as file:
            found = read_all(stage, name, source, files, given, taken)
            for read in progress.over(found, f"collect {name}", size_of(files), lambda read: read.bytes / 1e6, "MB"):
                keep(read, taken, file.write)
        if not taken.content:
            raise stop(no_record(name, taken))
        check_fields(name, source, taken)
        ids = final_ids(taken, spool)
        write_shards(ids, taken, spool, records, origins)
        spool.unlink()
        shards.write(origins / "source.json", [encode(counted(taken, ids, len(files)))])
        drops = numbered(taken.drops)
        shards.write(origins / "dropped.jsonl", (encode({"id": drop.id, "origin": origin}) for drop, origin in drops))
        shards.put_rows(paths.dropped("collect", name), sorted((drop for drop, _ in drops), key=lambda drop: drop.id))


def files_of(name: str, source: Source) -> list[Path]:
    """The files of a source; a stop if there is none."""
    files = rows_of.files(params.path_of(name), source.match)
    if not files:
        raise stop(
            f"params.yaml: sources.{name}.match: no file in {source.path} matches {source.match!r}; "
            "mend match or path (of a folder, .jsonl, .json and .csv are read)"
        )
    return files


def read_all(
    stage: ModuleType, name: str, source: Source, files: list[Path], given: Any, taken: Taken
) -> Iterator[Read]:
    """Every row of every file after `read`, in order; blocks of rows are read in parallel."""
    stage.check(name, source, given)
    limits = rows_of.Limits(given.longest_row, given.largest_file)
    work = partial(read_block, stage=stage.__name__, name=name, source=source, params=given)
    for file in files:
        found = counting(rows_of.rows(file, origin_of(file), limits, taken.repairs), taken)
        for block in engine.map(work, rows_of.blocks(found)):
            yield from block


def size_of(files: list[Path]) -> float | None:
    """How many megabytes there are to read; unknown if some are compressed."""
    return None if any(file.suffix == ".gz" for file in files) else progress.megabytes(files)


def origin_of(file: Path) -> str:
    """How a file is named in origins: by its path in the repository, bytes that are no text replaced."""
    inside = file.relative_to(paths.ROOT).as_posix() if file.is_relative_to(paths.ROOT) else file.name
    return inside.encode("utf-8", "replace").decode()


def counting(rows: Iterable[Row], taken: Taken) -> Iterator[Row]:
    """The rows, counted as they come in, and the field names of the first that has any, for the messages."""
    for row in rows:
        taken.rows += 1
        if not taken.fields and not row.fault and taken.rows <= LOOKED_AT:
            taken.fields = fields_of(row)
        yield row


def fields_of(row: Row) -> list[str]:
    """The names of a row's fields; what cannot be a name, as in a file without a header, is left out."""
    try:
        value = value_of(row)
    except Fault:
        return []
    return [field for field in value if FIELD_NAME.fullmatch(field)] if isinstance(value, dict) else []


def read_block(rows: list[Row], stage: str, **context: Any) -> list[Read]:
    """What one worker does: each row to a record or a drop."""
    read = import_module(stage).read
    found = [read_row(row, read, stage.rpartition(".")[2], **context) for row in rows]
    for row, each in zip(rows, found, strict=True):
        each.bytes = rows_of.bytes_in(row)
    return found


def read_row(row: Row, read: Callable[..., Record], stage: str, name: str, **context: Any) -> Read:
    """One row to its record, checked against the contract, or to the drop that says what is wrong with it."""
    try:
        record = read(row, name, **context)
        content = content_id(record)
        declared, record.id = record.id, record.id or content
        line = encode(record)
        decode_record(line)
    except Fault as fault:
        return Read(row.origin, drop=Drop(row_id(name, row), name, stage, fault.reason, fault.evidence))
    known = tuple(field for field in DECLARED if getattr(record.meta, field))
    known = (*known, *(["url"] if "domain" in record.meta.extra else []))
    return Read(row.origin, line, declared, content, redacted=record.meta.redacted, known=known)


def row_id(name: str, row: Row) -> str:
    """The id of a row that never became a record: keyed, so that the row cannot be guessed back."""
    content = row.content if isinstance(row.content, bytes) else encode(row.content)
    return digest(name, "row", content.hex() or row.origin, key=project_key())


def keep(read: Read, taken: Taken, write: Callable[[bytes], Any]) -> None:
    """Note one row and spool its record."""
    if read.drop:
        taken.drops.append((read.drop, read.origin))
        return
    taken.offsets.append((taken.offsets[-1] if taken.offsets else 0) + write(read.line + b"\n"))
    taken.declared.append(read.declared)
    taken.content.append(read.content)
    taken.origins.append(read.origin)
    if read.redacted:
        taken.redacted[len(taken.origins) - 1] = read.redacted
    taken.known.update(read.known)


def final_ids(taken: Taken, spool: Path) -> list[str]:
    """The id of each record: its declared key's or its content's, further copies numbered in the order of their meta."""
    conflicts = conflicting(taken)
    ids = [declared if declared and declared not in conflicts else content for declared, content in pairs(taken)]
    repeated = {identifier for identifier, count in Counter(ids).items() if count > 1}
    places = defaultdict(list)
    for place, identifier in enumerate(ids):
        if identifier in repeated:
            places[identifier].append(place)
    with spool.open("rb") as file:
        for identifier, copies in places.items():
            for number, place in enumerate(sorted(copies, key=lambda place: meta_at(file, taken.offsets, place))):
                ids[place] = copy_id(identifier, number)
    return ids


def pairs(taken: Taken) -> Iterator[tuple[str, str]]:
    """The declared and the content id of each record."""
    return zip(taken.declared, taken.content, strict=True)


def conflicting(taken: Taken) -> set[str]:
    """Declared keys that stand for different contents: none of their rows can be told by its key."""
    contents: dict[str, str] = {}
    return {
        declared for declared, content in pairs(taken) if declared and contents.setdefault(declared, content) != content
    }


def copy_id(identifier: str, number: int) -> str:
    """The id of the n-th copy; the first keeps its own."""
    return digest(identifier, number) if number else identifier


def meta_at(file: Any, offsets: "array[int]", place: int) -> bytes:
    """The canonical meta of the record at a place of the spool."""
    file.seek(offsets[place - 1] if place else 0)
    return encode(decode_record(file.readline()).meta)


def write_shards(ids: list[str], taken: Taken, spool: Path, records: Path, origins: Path) -> None:
    """Cut the spooled records into shards, with their final ids and their origins beside them."""
    with spool.open("rb") as file:
        for number, (start, end) in enumerate(cuts(ids, taken.origins)):
            lines = (
                line[:7] + identifier.encode() + line[39:-1]
                for identifier, line in zip(ids[start:end], file, strict=False)
            )
            shards.write(records / shards.name(number), lines)
            shards.write(origins / shards.name(number), (traced(place, ids, taken) for place in range(start, end)))


def traced(place: int, ids: list[str], taken: Taken) -> bytes:
    """Where a record came from, and the ledger of what was replaced in it."""
    row = {"id": ids[place], "origin": taken.origins[place]}
    return encode(row | ({"redacted": taken.redacted[place]} if place in taken.redacted else {}))


def cuts(ids: list[str], origins: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where each shard starts and ends: where an id says so, and where a file ends, so that a new file is a new shard."""
    start = 0
    for end, identifier in enumerate(ids, 1):
        whole = end == len(ids) or (
            end - start >= shards.WORTHWHILE and file_of(origins[end - 1]) != file_of(origins[end])
        )
        if whole or shards.ends_shard(identifier, end - start):
            yield start, end
            start = end


def file_of(origin: str) -> str:
    """The file of an origin, which ends with the place in it."""
    return origin.rpartition(":")[0]


def numbered(drops: list[tuple[Drop, str]]) -> list[tuple[Drop, str]]:
    """Drops of equal rows told apart by number."""
    seen: Counter[str] = Counter()
    for drop, _ in drops:
        identifier = drop.id
        drop.id = copy_id(identifier, seen[identifier])
        seen[identifier] += 1
    return drops


def counted(taken: Taken, ids: list[str], files: int) -> dict[str, Any]:
    """What the report says of the source as it came in."""
    return {
        "rows": taken.rows,
        "files": files,
        "records": len(ids),
        "copies": len(taken.content) - len(set(zip(taken.declared, taken.content, strict=True))),
        "key_conflicts": len(conflicting(taken)),
        "repairs": {kind: count for kind, count in sorted(taken.repairs.items()) if count},
    }


def check_fields(name: str, source: Source, taken: Taken) -> None:
    """Stop at a declared field that no row has, not even empty: it is misspelt, and what depends on it would silently not
    happen.
    """
    found = taken.known | Counter({"id": sum(map(bool, taken.declared))})
    for field in ("id", *DECLARED, *(["url"] if source.kind == "web" else [])):
        theirs = getattr(source, f"{field}_field")
        if theirs and not found[field] and theirs not in taken.fields:
            have = f"the first row has {', '.join(taken.fields)}; " if taken.fields else ""
            raise stop(
                f"params.yaml: sources.{name}.{field}_field: no row has {theirs!r}; {have}mend the name or take it out"
            )


def no_record(name: str, taken: Taken) -> str:
    """The message of a source from which nothing can be read."""
    reasons = Counter(drop.reason for drop, _ in taken.drops).most_common(3)
    found = ", ".join(f"{count} {reason}" for reason, count in reasons) or "no row"
    first = f" (first: {taken.drops[0][1]})" if taken.drops else ""
    fields = f"; its fields are {', '.join(taken.fields)}" if taken.fields else ""
    problem = f"none of its rows became a record: {found}{first}{fields}"
    return f"params.yaml: sources.{name}: {problem}; {mending(drop for drop, _ in taken.drops)}"


def mending(drops: Iterable[Drop]) -> str:
    """What to do about a file of which no row can be read."""
    drops = list(drops)
    commonest = Counter(drop.reason for drop in drops).most_common(1)
    if any(drop.reason == "not_utf8" and "found" in drop.evidence for drop in drops):
        return "convert it to .jsonl, .json, .csv or .tsv in UTF-8"
    if commonest and commonest[0][0] == "not_utf8":
        return "save it as UTF-8, as with `iconv -f LATIN1 -t UTF-8`"
    if commonest and commonest[0][0] == "empty_file":
        return "put rows into it, or take the source out"
    return "set shape and fields, or mend the file"
