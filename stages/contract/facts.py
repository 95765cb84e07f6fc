"""Answers that state facts which somebody must check: which ones are looked at, and what people found.

A record says so by `facts: true` in its extra. Those to be checked are drawn by their ids, so that records that are added
replace few of them; `data/facts.jsonl` holds what people found, by id and without any text of a record.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract import gold, paths
from stages.contract.params import stop, typed
from stages.contract.record import Fault, Id, Record, draw
from stages.contract.source import value_of

Found = Literal["right", "unsure", "wrong"]


class Verdict(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a person found of one record."""

    id: Id
    verdict: Found
    who: Annotated[str, Limits(min_length=1)]
    note: Annotated[str, Limits(description="where it was looked up, or what is wrong")] = ""


def states_facts(record: Record) -> bool:
    """Whether somebody must check what the record states."""
    return record.meta.extra.get("facts") is True


def drawn(ids: Iterable[str], size: int, seed: int) -> list[str]:
    """Those of the records that are to be checked, in the order of their draws."""
    return sorted(ids, key=lambda identifier: (draw(seed, "fact_check", identifier), identifier))[:size]


def verdicts() -> dict[str, Found]:
    """What was found of each record: of one person's verdicts the last, of several persons' the worst."""
    path = paths.ROOT / paths.FACTS
    said: dict[str, dict[str, Found]] = {}
    for row in gold.lines_of(path, paths.FACTS) if path.is_file() else ():
        try:
            given = typed(value_of(row), Verdict, "", row.origin)
        except Fault as fault:
            raise stop(f"{row.origin}: {fault.reason}; mend the line") from None
        said.setdefault(given.id, {})[given.who] = given.verdict
    return {identifier: max(found.values(), key=Found.__args__.index) for identifier, found in said.items()}  # type: ignore[attr-defined]
