"""Write the curated files and every consumer's format.

`data/curated` holds OpenAI messages and nothing else, sorted by id, with an index and all drops beside them. What a
consumer's format cannot hold is left out of that export only, and counted by what would have been lost. What `licences` does
not allow is in none of them: it is a drop of this stage, so that one dataset can go out under several conditions.
`data/lookup.jsonl` tells which records a text or a person stands in, by digests; `data/fact_check.jsonl` lists answers that
state facts and that somebody is to check.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages import formats
from stages.contract import engine, facts, paths, progress
from stages.contract.params import seed, sources
from stages.contract.paths import CURATED, DROPPED, EXPORTS, FACT_CHECK, INDEX, LOOKUP, SPLITS, all_drops, curated
from stages.contract.record import Drop, Record, digest_of_line, encode, keys, kind, prompt, reply
from stages.contract.run import Shard, records_of, records_with, run_report, survivors
from stages.contract.shards import drops, rows
from stages.text import licences
from stages.text.licences import Allowed

REASONS = {f"export_{reason}": text for reason, text in licences.REASONS.items()}
FOLDERS = (CURATED, EXPORTS)
SHAPES = {"example": "openai", "preference": "preference", "labelled": "prompt_completion"}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Which formats are written beside data/curated, and under which licences and makers' terms anything goes out."""

    formats: Annotated[tuple[Literal["alpaca", "sharegpt"], ...], Limits(description="modules of stages/formats")] = (
        "alpaca",
        "sharegpt",
    )
    licences: Annotated[Allowed | None, Limits(description="null lets everything out that filter.licence took in")] = (
        None
    )
    fact_check: Annotated[
        int, Limits(ge=0, description="how many of the rows that state facts somebody is to check")
    ] = 20


class Written(Struct):
    """One record as it goes out: its curated line, and its line, or what would be lost, in every format; or why not."""

    id: str
    source: str
    kind: str
    line: bytes
    exports: dict[str, bytes | str]
    keys: set[str] = set()
    facts: bool = False
    drop: Drop | None = None


def build(params: Params) -> dict[str, Iterable[bytes]]:
    """The lines of every file."""
    split = {row["id"]: row["split"] for row in rows(paths.ROOT / paths.OUTPUT["split"])}
    work = partial(written, params=params)
    left = survivors("export", list(sources()))
    parts = progress.over_files(engine.map(work, left), "export", [shard.path for shard in left])
    read = sorted((each for part in parts for each in part), key=lambda each: each.id)
    found = [each for each in read if not each.drop]
    kinds = {"example", *(each.kind for each in found)}
    files: dict[str, list[bytes]] = {curated(kind, name): [] for kind in kinds for name in SPLITS}
    for each in found:
        files[curated(each.kind, split[each.id])].append(each.line)
    index = (encode(indexed(each, split[each.id])) for each in found)
    here = (each.drop for each in read if each.drop)
    dropped = map(encode, sorted((*drops(all_drops(list(sources()))), *here), key=lambda drop: drop.id))
    beside: dict[str, Iterable[bytes]] = {
        INDEX: index,
        DROPPED: dropped,
        LOOKUP: lookup(found),
    }
    beside[FACT_CHECK] = fact_check([each.id for each in found if each.facts], params.fact_check)
    return {**files, **exports(found, split, params), **beside}


def written(shard: Shard, params: Params) -> list[Written]:
    """What one worker does: the surviving records of a shard in all their outgoing forms."""
    return [left_out(record, params) or outgoing(record, params.formats) for record in records_of(shard)]


def outgoing(record: Record, shapes: tuple[str, ...]) -> Written:
    """A record in all its outgoing forms."""
    line = encode(formats.shape(SHAPES[kind(record)]).write(record))
    lines = exported(record, shapes)
    return Written(record.id, record.source, kind(record), line, lines, keys(record), facts.states_facts(record))


def left_out(record: Record, params: Params) -> Written | None:
    """A record that may not go out, with the licence or the terms it may not go out for."""
    found = licences.licence(record.meta.licence, record.meta.terms)
    reason = licences.refusal(found, params.licences) if params.licences else None
    if not reason:
        return None
    evidence = {"licence": found.licence} | ({"terms": found.terms, "model": record.meta.model} if found.terms else {})
    drop = Drop(record.id, record.source, "export", f"export_{reason}", evidence)
    return Written(record.id, record.source, kind(record), b"", {}, drop=drop)


def exported(record: Record, shapes: tuple[str, ...]) -> dict[str, bytes | str]:
    """The record's line in each format, or what the format would lose. Pairs and labelled answers stay in curated."""
    lines: dict[str, bytes | str] = {}
    for shape in shapes if kind(record) == "example" else ():
        try:
            lines[shape] = encode(formats.shape(shape).write(record))
        except formats.Loss as loss:
            lines[shape] = str(loss)
    return lines


def indexed(each: Written, split: str) -> dict[str, Any]:
    """The record's line of the index: where it went, and the digest of what was written."""
    return {
        "id": each.id,
        "source": each.source,
        "split": split,
        "kind": each.kind,
        "digest": digest_of_line(each.line),
    }


def lookup(found: list[Written]) -> Iterator[bytes]:
    """Each key with each record that has it, in the order of the keys."""
    pairs = sorted((key, each.id) for each in found for key in each.keys)
    return (encode({"id": identifier, "key": key}) for key, identifier in pairs)


def fact_check(stating: list[str], size: int) -> list[bytes]:
    """What a person needs to check some of the records that state facts."""
    drawn = facts.drawn(stating, size, seed())
    read = {record.id: record for record in records_with(drawn)} if drawn else {}
    asked = ((each, read[each]) for each in drawn)
    return [
        encode({"id": each, "topic": record.meta.topic, "question": prompt(record), "answer": reply(record)})
        for each, record in asked
    ]


def exports(found: list[Written], split: dict[str, str], params: Params) -> dict[str, list[bytes]]:
    """The files of the other formats, and the count of what was left out of each and why."""
    files: dict[str, list[bytes]] = {
        f"{EXPORTS}/{shape}/{name}.jsonl": [] for shape in params.formats for name in SPLITS
    }
    losses: dict[str, Counter[str]] = defaultdict(Counter)
    for each in found:
        for shape, line in each.exports.items():
            if isinstance(line, bytes):
                files[f"{EXPORTS}/{shape}/{split[each.id]}.jsonl"].append(line)
            else:
                losses[shape][line] += 1
    counted = {
        shape: {
            "rows": sum(shape in each.exports and isinstance(each.exports[shape], bytes) for each in found),
            "left_out": losses[shape],
        }
        for shape in params.formats
    }
    return files | {f"{EXPORTS}/losses.json": [encode(counted)]}


if __name__ == "__main__":
    run_report(build)
