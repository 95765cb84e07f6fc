"""What the stages wrote, as far as the report needs it: a table of all records, the drops, and what lies beside them."""

from collections.abc import Container, Iterator
from functools import partial
from typing import Any, Literal

import pandas as pd
from msgspec import Raw, Struct, json

from stages import filter
from stages.contract import paths, shards
from stages.contract.params import value
from stages.contract.record import Drop, Meta, decode
from stages.contract.scores import lines_of, scores_of
from stages.reporting.distribution import totals

TOLD = 0.5  # confidence from which a language is counted as told


class Head(Struct):
    """The part of a record that figures need; the texts are skipped, not decoded."""

    id: str
    source: str
    meta: Meta
    tools: Raw = Raw()


class Length(Struct):
    """What the check `length` measured."""

    prompt_tokens: int
    reply_tokens: int
    tokens: int
    words: int


class Language(Struct):
    """What the check `language` measured of the reply."""

    reply: tuple[str | None, float]


class Tools(Struct):
    """What the check `tools` measured."""

    defined: int
    unused: int
    wrong_flag: bool


class Pair(Struct):
    """What the check `pairs` measured."""

    longer: str


class Measured(Struct):
    """The part of a row of scores that figures need; a check that was skipped is missing."""

    id: str
    tools: Tools | None = None
    length: Length | None = None
    language: Language | None = None
    pairs: Pair | None = None


class Evidence(Struct):
    """Everything the stages wrote, as far as figures need it."""

    intake: dict[str, dict[str, Any]]
    drops: list[Drop]
    table: pd.DataFrame
    index: dict[str, Any]
    exports: dict[str, Any]
    unresolved: list[dict[str, Any]] = []
    overlaps: list[dict[str, Any]] = []
    noticed: dict[str, int] = {}
    judged: list[dict[str, Any]] = []
    fact_check: list[str] = []
    published_alike: int = 0


head = json.Decoder(Head).decode
measured = json.Decoder(Measured).decode


def gather(sources: list[str]) -> Evidence:
    """Read the outputs of all stages; the table has one row per record, indexed by id."""
    judged = {row["id"]: row for row in shards.rows(paths.ROOT / paths.OUTPUT["judge"])}
    index = {row["id"]: row for row in shards.rows(paths.ROOT / paths.INDEX)}
    table = records(sources)
    for name, dtype, known in columns(sources, judged, index):
        table[name] = pd.Series(known, dtype=dtype)
    return Evidence(
        {source: decode((paths.origins(source) / "source.json").read_bytes()) for source in sources},
        list(shards.drops([paths.ROOT / paths.DROPPED])),
        table,
        index,
        decode((paths.ROOT / f"{paths.EXPORTS}/losses.json").read_bytes()),
        list(shards.rows(paths.ROOT / paths.UNRESOLVED)),
        list(shards.rows(paths.ROOT / paths.OUTPUT["decontaminate"])),
        noticed(sources, index),
        list(judged.values()),
        [row["id"] for row in shards.rows(paths.ROOT / paths.FACT_CHECK)],
        sum("leak" in row and row["id"] in index for row in shards.rows(paths.ROOT / paths.OUTPUT["split"])),
    )


def records(sources: list[str]) -> pd.DataFrame:
    """What each record says of itself, and what was replaced in it."""
    heads = (
        head(line) for source in sources for path in shards.of(paths.records(source)) for line in shards.lines(path)
    )
    table = pd.DataFrame.from_records(
        [(*told_of(h.meta), h.id, h.source, bool(h.tools)) for h in heads],
        columns=["topic", "method", "model", "licence", "terms", "facts", "extra", "id", "source", "tools"],
        index="id",
    )
    ledger = {row["id"]: row["redacted"] for row in replaced(sources)}
    table["redacted"] = [ledger.get(identifier, {}) for identifier in table.index]
    return table


def columns(
    sources: list[str], judged: dict[str, dict[str, Any]], index: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, Literal["float64", "object"], dict[str, Any]]]:
    """What was measured of some of the records, their scores and where they went: name, type and values by id."""
    scored = {row.id: row for source in sources for row in map(measured, lines_of(source))}
    for name in Length.__struct_fields__:
        yield name, "float64", {i: getattr(row.length, name) for i, row in scored.items() if row.length}
    for name in Tools.__struct_fields__:
        yield f"tools_{name}", "float64", {i: getattr(row.tools, name) for i, row in scored.items() if row.tools}
    yield "language", "object", {i: told(*row.language.reply) for i, row in scored.items() if row.language}
    yield "longer", "object", {i: row.pairs.longer for i, row in scored.items() if row.pairs}
    yield "score", "float64", {i: row["score"] for i, row in judged.items() if "score" in row}
    for name in ("split", "kind"):
        yield name, "object", {i: row[name] for i, row in index.items()}


def told_of(meta: Meta) -> tuple[Any, ...]:
    """What figures need of what is known of a record."""
    stated = meta.extra.get("facts") is True
    return meta.topic, meta.method, meta.model, meta.licence, meta.terms, stated, meta.extra


def replaced(sources: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of the ledger: the origins of records in which something was replaced, with how much of each kind."""
    for source in sources:
        for path in shards.of(paths.origins(source)):
            yield from (decode(line) for line in shards.lines(path) if b'"redacted":' in line)


def noticed(sources: list[str], curated: Container[str]) -> dict[str, int]:
    """How many curated records give a reason to each rule of `filter` that only counts."""
    rules = filter.prepare(value("filter", filter.Params))
    return totals(filter.counted(rules, partial(scores_of, source), curated) for source in sources)


def told(language: str | None, confidence: float) -> str | None:
    """The language, if it is likelier than all others together: of a few words the model can only guess."""
    return language if confidence >= TOLD else None
