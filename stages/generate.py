"""Write new examples from a domain pack: from its templates, offline, and by a language model if one is named.

The pack names, for each topic, ways to ask by style and what is answered; where it says so, a seed of the topic gives the
system turn and the tools, so that what is generated looks like production. Two rows as alike as dedup.floor are never both
written.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from msgspec import Meta as Limits
from msgspec.structs import replace

from stages.contract.params import of_stage, stop, typed, value
from stages.contract.params import seed as seed_of_project
from stages.contract.record import Record
from stages.contract.run import beside, run_rows
from stages.generation import teacher
from stages.generation.asked import Asked, Failure
from stages.generation.cells import Material
from stages.generation.grammar import template_rows
from stages.generation.pack import Pack, pack_of
from stages.models import rubric
from stages.models.ask import say
from stages.models.request import Request
from stages.models.rounds import Ask, foreseen, paid
from stages.models.settings import settings
from stages.text.model_terms import kin
from stages.text.personal_data import Redaction, Rules, placeholders, redact, rules

__all__ = ["REASONS", "Params", "foreseen", "make", "paid", "requests", "warnings"]
REASONS: dict[str, str] = {}
SAID = ("prompt", "wrong", "note")  # texts of a failure


class Params(Asked, forbid_unknown_fields=True, frozen=True):
    """How much, and from what."""

    seeds: Annotated[str, Limits(description="the source whose records show the form, and which rows are to be unlike")]
    pack: Annotated[str, Limits(description="file of topics, templates and words: docs/packs.md")]
    count: Annotated[int, Limits(ge=0, description="rows to write from templates")] = 200


def make(
    records: Iterable[Record],
    params: Params,
    seed: int,
    given: dict[str, Any],
    failures: Sequence[tuple[str, Any]] = (),
    ask: Ask | None = None,
) -> list[dict[str, Any]]:
    """`count` rows of the pack's templates, shared among its topics by their counts, and what a model writes beside them."""
    seeds, pack = list(records), pack_of(given, params.pack)
    check_seeds(seeds, pack, params)
    rows = [{**row, "model": None} for row in template_rows(seeds, pack, params.count, seed, params.pack)]
    if ask is None or not wanted(params):
        return rows
    if settings("generate").provider == "none":
        say("generate: models.provider is none, so generate.methods and generate.targets ask nobody")
        return rows
    for warning in warnings(seeds, params):
        say(f"warning: {warning}")
    return rows + teacher.model_rows(material(seeds, pack, params, seed, failures), rows, ask)


def requests(records: Iterable[Record], params: Params) -> list[Request]:
    """What the stage asks, as far as it is known: what comes after the first round depends on answers."""
    ask, asked = foreseen("generate")
    given, failures = beside(params)
    seeds, pack = list(records), pack_of(given, params.pack)
    if wanted(params):
        rows = template_rows(seeds, pack, params.count, seed_of_project(), params.pack)
        teacher.written(material(seeds, pack, params, seed_of_project(), failures), rows, ask)
    return asked


def warnings(records: Iterable[Record], params: Params) -> list[str]:
    """What should be known before a model is asked: that one is to judge what its own kind writes."""
    writer, judge = settings("generate").model, settings("judge").model
    if not (params.check or params.methods.get("pairs")) or not (writer and judge and kin(judge, writer)):
        return []
    return [
        f"generate: {judge} judges what {writer} writes, a model of its own kind, which judges favour; name another maker's "
        "in models.stages.judge"
    ]


def wanted(params: Params) -> bool:
    """Whether rows are asked of a model."""
    return any((*params.methods.values(), *params.targets.values()))


def material(
    seeds: list[Record], pack: Pack, params: Params, seed: int, failures: Sequence[tuple[str, Any]]
) -> Material:
    """What requests are made of."""
    how = placeholders(rules(of_stage("collect", Redaction)))
    known = [redacted(typed(row, Failure, "", origin), how) for origin, row in failures]
    pairs = params.methods.get("pairs", 0) > 0
    judge = settings("judge") if pairs or params.check else settings("generate")
    if judge.provider == "none":
        raise stop(
            "params.yaml: models.stages.judge.provider: is none, and pairs and generate.check need a judge; name one"
        )
    judged_by = rubric.of_project(value("judge.rubric", str)) if pairs else None
    return Material(seeds, pack, params, seed, settings("generate"), judge, judged_by, known)


def redacted(failure: Failure, how: Rules) -> Failure:
    """A failure as a model may see it: people wrote it, and `collect` never cleaned it."""
    texts = {name: redact(text, how)[0] for name in SAID if (text := getattr(failure, name))}
    return replace(failure, **texts)


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
