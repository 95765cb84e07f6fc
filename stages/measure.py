"""Run every check's measure once per record and keep the scores.

Moving a threshold therefore measures nothing again. What dedup needs of a record, its digest and its MinHash signature, is
measured here as well, because it is per record, slow and never changes.
"""

from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from stages import checks
from stages.contract.params import stop, value
from stages.contract.record import Compare, Record, ending, kind
from stages.contract.run import run_measure
from stages.contract.signatures import COLUMNS, FAMILIES, METHODS, numbers
from stages.text.shingles import Shingles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEASURES = [
    (name, checks.check(name).Measure, checks.check(name).Measure())
    for name in checks.names()
    if hasattr(checks.check(name), "Measure")
]
Params = msgspec.defstruct(
    "Params", [("skip", tuple[str, ...], ()), *MEASURES], forbid_unknown_fields=True, frozen=True, module=__name__
)
"""`skip` names checks that are not measured, and then not decided; the rest is what the checks measure with."""


@cache
def prepare(records: int) -> None:
    """Load what measuring about so many records needs, once in a process."""
    from stages.text import language, linear, minhash, tokens

    minhash.warm_up(records)
    tokens.count("a")
    language.model()
    linear.read("injection")


def measure(record: Record, params: Any) -> dict[str, Any]:
    """The value of every check for one record."""
    return measure_many([record], params)[0]


def measure_many(records: list[Record], params: Any) -> list[dict[str, Any]]:
    """The value of every check for each record; of a preference pair also those of its losing ending, under `rejected`."""
    rows = values(records, measured(params))
    pairs = [place for place, record in enumerate(records) if record.rejected]
    both = [each for each in measured(params) if getattr(each[1], "ENDINGS", False)]
    for place, losing in zip(pairs, values([with_losing_ending(records[p]) for p in pairs], both), strict=True):
        rows[place]["rejected"] = losing
    return rows


def values(records: list[Record], chosen: list[tuple[str, ModuleType, Any]]) -> list[dict[str, Any]]:
    """What these checks measure of each record."""
    rows: list[dict[str, Any]] = [{} for _ in records]
    for name, check, limits in chosen if records else ():
        many = getattr(check, "measure_many", None)
        found = many(records, limits) if many else [check.measure(record, limits) for record in records]
        for row, each in zip(rows, found, strict=True):
            row[name] = each
    return rows


def with_losing_ending(record: Record) -> Record:
    """A preference pair as if its losing ending were its reply."""
    return msgspec.structs.replace(
        record, messages=record.messages[: ending(record.messages)] + record.rejected, rejected=[]
    )


@cache
def measured(params: Any) -> list[tuple[str, ModuleType, Any]]:
    """The checks that are not skipped, each with what it measures with."""
    for name in params.skip:
        if name not in checks.names():
            raise stop(f"params.yaml: measure.skip: there is no check {name}; known are {', '.join(checks.names())}")
    return [
        (name, checks.check(name), getattr(params, name, None)) for name in checks.names() if name not in params.skip
    ]


def sign(records: list[Record], scores: list[dict[str, Any]]) -> "NDArray[np.void]":
    """The row that dedup knows each record by, shape (records,): the fields of signatures.COLUMNS."""
    import numpy as np

    from stages.text.minhash import signatures
    from stages.text.same import digests_of, parts, with_code

    table = np.zeros(len(records), COLUMNS)
    what, shingles = comparison()
    coded = with_code(records)
    read = [parts(record, what, coded) for record in records]
    texts = [f"{asked}\n{said}" for asked, said, _ in read]
    table["id"] = numbers([record.id for record in records])
    table["minhash"] = signatures(texts, [cased for *_, cased in read], shingles)
    digests = np.frombuffer(b"".join(digests_of(records, coded)), COLUMNS[1:8])
    for name in digests.dtype.names or ():
        table[name] = digests[name]
    table["family"] = [FAMILIES.index((kind(record), record.label)) for record in records]
    table["method"] = [METHODS.index(record.meta.method) for record in records]
    table["rating"] = [record.meta.rating or 0 for record in records]
    table["style"] = [row["style"][1] if "style" in row else 0 for row in scores]
    table["length"] = [sum(len(message.content) for message in record.messages) for record in records]
    return table


def comparison() -> tuple[Compare, Shingles]:
    """What dedup compares of a record, and by which shingles."""
    compare: Any = Compare
    shingles: Any = Shingles
    return value("dedup.compare", compare), value("dedup.shingles", shingles)


if __name__ == "__main__":
    run_measure(measure)
