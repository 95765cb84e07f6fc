"""Write new examples from a domain pack: from its templates, offline, each unlike the others.

The pack names, for each topic, ways to ask by style and what is answered; where it says so, a seed of the topic gives the
system turn and the tools, so that what is generated looks like production. Two rows as alike as dedup.floor are never both
written.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.params import stop
from stages.contract.record import Record
from stages.contract.run import run_rows
from stages.generation.grammar import template_rows
from stages.generation.pack import Pack, pack_of

REASONS: dict[str, str] = {}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How much, and from what."""

    seeds: Annotated[str, Limits(description="the source whose records show the form, and which rows are to be unlike")]
    pack: Annotated[str, Limits(description="file of topics, templates and words: docs/packs.md")]
    count: Annotated[int, Limits(ge=0, description="rows to write from templates")] = 200


def make(records: Iterable[Record], params: Params, seed: int, given: dict[str, Any]) -> list[dict[str, Any]]:
    """`count` rows of the pack's templates, shared among its topics by their counts."""
    seeds, pack = list(records), pack_of(given, params.pack)
    check_seeds(seeds, pack, params)
    return template_rows(seeds, pack, params.count, seed, params.pack)


def check_seeds(seeds: list[Record], pack: Pack, params: Params) -> None:
    """Stop at a topic that no seed shows the form of, if the pack wants one."""
    known = {record.meta.topic: record for record in seeds}
    for name in pack.topics if pack.seeds else ():
        if name not in known:
            raise stop(
                f"{params.pack}: topics.{name}: no record of generate.seeds, which is {params.seeds}, has this topic; "
                "add one, take the topic out, or say seeds: false"
            )


if __name__ == "__main__":
    run_rows(make)
