"""The records of a version as arrays of numbers: a million of them are matched without holding one of their texts."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from lineage import browse, version
from stages.contract import paths
from stages.contract.params import stop
from stages.contract.record import Drop, Record, decode, decode_drop, decode_record

LATER = 200_000  # rows of an index that are parsed at once
NOWHERE = -1  # the split of a record that is not in the dataset, and the place of one that is not there
UNKNOWN = -1  # tokens or words that were not measured


class Columns(Struct):
    """What is known of every record of a shard or a version, in one order; all have the shape (records,).

    `high` and `low` are the halves of the id, `content` a hash of the whole line, good in this process only.
    `source`, `topic` and `language` are places in `Names`; `shard`, `line` and `begin`, in bytes, say where a record lies.
    """

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    content: NDArray[np.int64]
    topic: NDArray[np.int32]
    language: NDArray[np.int32]
    tokens: NDArray[np.int32]
    words: NDArray[np.int32]
    source: NDArray[np.int32]
    shard: NDArray[np.int32]
    line: NDArray[np.int32]
    begin: NDArray[np.int64]


class Names(Struct):
    """The texts behind the numbers; both versions share them."""

    source: dict[str | None, int] = {}
    topic: dict[str | None, int] = {}
    language: dict[str | None, int] = {}


class Table(Struct):
    """The records of one version, by id. `split` is NOWHERE and `score` not a number where there is none.

    `read` and `origins` are the records and their places in the sources that were asked for, by place.
    """

    revision: str | None
    columns: Columns
    shards: list[tuple[str, str]]
    split: NDArray[np.int8]
    score: NDArray[np.float32]
    read: dict[int, Record] = {}
    origins: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.split)

    def id(self, place: int) -> str:
        """The id of the record in this place."""
        return f"{int(self.columns.high[place]):016x}{int(self.columns.low[place]):016x}"

    def place(self, identifier: str) -> int:
        """The place of the record with this id, or NOWHERE."""
        return int(places(self.columns, *halves(identifier))[0])

    def split_of(self, place: int) -> str | None:
        """The split of the record in this place; None if it is not in the dataset, or nowhere."""
        return None if place < 0 or self.split[place] < 0 else paths.SPLITS[self.split[place]]


class About(Struct, gc=False):
    """The part of a record's meta that is counted."""

    topic: str | None = None


class Known(Struct, gc=False):
    """The part of a record that is counted."""

    meta: About


class Length(Struct, gc=False):
    """What the check `length` measured."""

    tokens: int = UNKNOWN
    words: int = UNKNOWN


class Languages(Struct, gc=False):
    """What the check `language` measured: of the reply, the language and how sure it is."""

    reply: tuple[str | None, float] = (None, 0.0)


class Scores(Struct, gc=False):
    """The part of a record's scores that is counted."""

    id: str
    length: Length | None = None
    language: Languages | None = None


class Indexed(Struct, gc=False):
    """A row of the index."""

    id: str
    split: str


class Judged(Struct, gc=False):
    """A row of what the judge said; what is unjudged has no score."""

    id: str
    score: float = float("nan")


class Named(Struct, gc=False):
    """Any row with an id."""

    id: str


SURE = 0.5  # a language is told if it is likelier than all others together, as in the report
known_lines = msgspec.json.Decoder(Known).decode_lines
score_lines = msgspec.json.Decoder(Scores).decode_lines
Read = dict[tuple[str, str], Columns]
"""Shards that were read before, by the digests of their records and scores: what both versions share is read once."""


def table(revision: str | None, names: Names, read: Read) -> Table:
    """All records of a version; the parts that it shares with another one are taken from `read`."""
    parts: list[Columns] = []
    shards: list[tuple[str, str]] = []
    for source in browse.sources(revision):
        for shard in version.files(paths.records(source), revision):
            parts.append(placed(shard_of(source, shard, revision, names, read), len(shards)))
            shards.append((source, shard))
    columns = ordered(parts)
    rows = Table(revision, columns, shards, *in_dataset(columns, revision))
    return rows


def shard_of(source: str, shard: str, revision: str | None, names: Names, read: Read) -> Columns:
    """What is known of the records of a shard."""
    at = [folder(source) / shard for folder in (paths.records, paths.scores)]
    key = tuple(version.md5_of(path, revision) or "" for path in at) if revision else ("", "")
    if all(key) and (known := read.get((key[0], key[1]))):
        return known
    found = columns_of(version.content(at[0], revision), version.content(at[1], revision), source, names)
    if all(key):
        read[key[0], key[1]] = found
    return found


def columns_of(records: bytes, scores: bytes, source: str, names: Names) -> Columns:
    """The columns of a shard of records and the scores beside it."""
    lines = records.splitlines()
    try:
        ids = b"".join([line[7:39] for line in lines]).decode()
        high, low = halves(ids)
        known = known_lines(records)
        measured = score_lines(scores.partition(b"\n")[2])
    except (ValueError, msgspec.MsgspecError) as error:
        raise stop(
            f"data/records/{source}: is not what `collect` and `measure` write ({error}); run `dvc repro`"
        ) from None
    if "".join([row.id for row in measured]) != ids:
        raise stop(f"data/scores/{source}: belongs to other records; run `dvc repro`")
    own = names.source.setdefault(source, len(names.source))
    zeros = np.zeros(len(lines), np.int32)
    return Columns(
        high,
        low,
        np.array([hash(line) for line in lines], np.int64),
        numbered([row.meta.topic for row in known], names.topic),
        numbered([told(row.language) for row in measured], names.language),
        np.array([row.length.tokens if row.length else UNKNOWN for row in measured], np.int32),
        np.array([row.length.words if row.length else UNKNOWN for row in measured], np.int32),
        zeros + np.int32(own),
        zeros,
        np.arange(len(lines), dtype=np.int32),
        np.cumsum([0, *(len(line) + 1 for line in lines[:-1])], dtype=np.int64)[: len(lines)],
    )


def told(language: Languages | None) -> str | None:
    """The language of a reply, if it could be told."""
    return language.reply[0] if language and language.reply[1] >= SURE else None


def numbered(values: list[str | None], known: dict[str | None, int]) -> NDArray[np.int32]:
    """The numbers of texts; new ones get the next."""
    for value in dict.fromkeys(values):
        known.setdefault(value, len(known))
    return np.array([known[value] for value in values], np.int32)


def halves(ids: str) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The halves of ids, written one after the other, as numbers in the same order."""
    both = np.frombuffer(bytes.fromhex(ids), ">u8").reshape(-1, 2).astype(np.uint64)
    return both[:, 0], both[:, 1]


def placed(columns: Columns, shard: int) -> Columns:
    """The same under the number that a shard has in this version."""
    return msgspec.structs.replace(columns, shard=columns.shard + np.int32(shard))


def ordered(parts: list[Columns]) -> Columns:
    """The columns of all shards, by id."""
    fields = Columns.__struct_fields__
    whole = {name: np.concatenate([getattr(part, name) for part in parts] or [np.empty(0)]) for name in fields}
    order = np.lexsort((whole["low"], whole["high"]))
    return Columns(**{name: column[order] for name, column in whole.items()})


def places(columns: Columns, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where these ids stand, NOWHERE for those that do not."""
    found = np.searchsorted(columns.high, high)
    result = np.full(len(high), NOWHERE, np.int64)
    left = np.flatnonzero(found < len(columns.high))
    while len(left):  # again only where two ids begin with the same half
        left = left[columns.high[found[left]] == high[left]]
        equal = columns.low[found[left]] == low[left]
        result[left[equal]] = found[left[equal]]
        left = left[~equal]
        found[left] += 1
        left = left[found[left] < len(columns.high)]
    return result


def in_dataset(columns: Columns, revision: str | None) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The split and the judge's score of every record."""
    split = np.full(len(columns.high), NOWHERE, np.int8)
    score = np.full(len(columns.high), np.nan, np.float32)
    for rows in chunks(paths.INDEX, revision, Indexed):
        at = places(columns, *halves("".join([row.id for row in rows])))
        if (at < 0).any():
            where = version.named(revision)
            raise stop(f"{where}: {paths.INDEX} names records that are not in data/records; run `dvc repro`")
        split[at] = [paths.SPLITS.index(row.split) for row in rows]
    for judged in chunks(paths.OUTPUT["judge"], revision, Judged):
        at = places(columns, *halves("".join([row.id for row in judged])))
        score[at[at >= 0]] = np.array([row.score for row in judged], np.float32)[at >= 0]
    return split, score


def chunks(path: str, revision: str | None, kind: type[Any]) -> Iterator[list[Any]]:
    """The rows of a file, some at a time."""
    content, start, decode = version.content(paths.ROOT / path, revision), 0, msgspec.json.Decoder(kind).decode_lines
    while start < len(content):
        end = content.find(b"\n", start + LATER * 100) + 1 or len(content)
        yield decode(content[start:end])
        start = end


def drops(wanted: Collection[str], revision: str | None) -> dict[str, Drop]:
    """The drops of these records, by id."""
    if not wanted:
        return {}
    content, found = version.content(paths.ROOT / paths.DROPPED, revision), {}
    for line, row in zip(content.splitlines(), msgspec.json.Decoder(Named).decode_lines(content), strict=True):
        if row.id in wanted:
            found[row.id] = decode_drop(line)
    return found


def lines_at(rows: Table, at: NDArray[np.int64], folder: Callable[[str], Path]) -> dict[int, bytes]:
    """The lines of a folder of shards that belong to the records in these places, by place."""
    found: dict[int, bytes] = {}
    skipped = int(folder is paths.scores)  # whose first line tells what it was measured from
    for path, here in by_shard(rows, at, folder):
        lines = version.content(path, rows.revision).splitlines()
        found |= {
            place: lines[line + skipped]
            for place, line in zip(here.tolist(), rows.columns.line[here].tolist(), strict=True)
        }
    return found


def origins_at(rows: Table, at: NDArray[np.int64]) -> dict[int, str]:
    """Where the rows of the records in these places stand, by place; they are kept."""
    fresh = np.array([place for place in at.tolist() if place not in rows.origins], np.int64)
    rows.origins.update({place: decode(line)["origin"] for place, line in lines_at(rows, fresh, paths.origins).items()})
    return {place: rows.origins[place] for place in at.tolist()}


def by_shard(
    rows: Table, at: NDArray[np.int64], folder: Callable[[str], Path]
) -> Iterator[tuple[Path, NDArray[np.int64]]]:
    """The files that belong to the shards of these places, each with its places."""
    at = at[np.argsort(rows.columns.shard[at], kind="stable")]
    numbers, starts = np.unique(rows.columns.shard[at], return_index=True)
    for number, here in zip(numbers.tolist(), np.split(at, starts[1:]), strict=False):
        source, shard = rows.shards[number]
        yield folder(source) / shard, here


def records_at(rows: Table, at: NDArray[np.int64]) -> dict[int, Record]:
    """The records in these places, by place; they are kept."""
    fresh = np.array([place for place in at.tolist() if place not in rows.read], np.int64)
    for path, here in by_shard(rows, fresh, paths.records):
        content = version.content(path, rows.revision)
        for place, begin in zip(here.tolist(), rows.columns.begin[here].tolist(), strict=True):
            rows.read[place] = decode_record(content[begin : content.find(b"\n", begin)])
    return {place: rows.read[place] for place in at.tolist()}
