"""Score the surviving examples from 1 to 5 and drop those below the threshold.

Without a model the local scorer does it, which knows rules, not meaning. With one, each example is judged by a rubric; what
got no usable judgement is `unjudged` and never given a score. Labelled answers are not scored, and preference pairs are
only compared, by a model and if `pairs` says so: in both a bad answer is the point.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct, to_builtins
from msgspec.structs import replace

from stages.contract.params import seed
from stages.contract.record import Drop, Record, kind, prompt, reply
from stages.contract.run import Decision, run_on_all
from stages.models import judging, pairwise, rubric
from stages.models.judging import NOT_ASKED, Judge
from stages.models.request import Answer, Request
from stages.text import local_score

REASONS = {
    "low_score": "the judge's score is below judge.threshold",
    "low_dimension": "a model gave the reply less than judge.min_dimension in one of the rubric's dimensions",
    "not_preferred": "a model finds the rejected ending better than the chosen one, whichever is shown first",
    "unjudged": "the model gave no usable judgement, and judge.unjudged is drop",
}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Where the line is drawn; all but the threshold is for a judge that is a model."""

    threshold: Annotated[float, Limits(ge=1, le=5, description="examples that score less are dropped")] = 3.5
    min_dimension: Annotated[int, Limits(ge=1, le=5, description="a dimension that scores less drops; 1: none")] = 2
    rubric: Annotated[str, Limits(description="what a model is told of a good answer")] = "data/rubrics/general.yaml"
    weights: Annotated[
        dict[str, Annotated[float, Limits(ge=0)]], Limits(description="of dimensions, over the rubric's own")
    ] = {}
    max_characters: Annotated[int, Limits(ge=200, description="of a conversation and of a reply that are shown")] = (
        24_000
    )
    max_examples: Annotated[
        Annotated[int, Limits(ge=0)] | None, Limits(description="how many are asked about; the rest stays, unjudged")
    ] = None
    unjudged: Annotated[Literal["keep", "drop"], Limits(description="of refused, broken and cut-off judgements")] = (
        "keep"
    )
    pairs: Annotated[Literal["off", "measure", "drop"], Limits(description="whether preference pairs are compared")] = (
        "off"
    )
    canaries: Annotated[int, Limits(ge=0, description="conversations in which a worthless reply orders a 5")] = 12


class Judged(Struct, omit_defaults=True):
    """What was found of one record: a score and what it is made of, the verdict on a pair, or why there is neither."""

    source: str
    score: float | None = None
    penalties: dict[str, float] | None = None
    dimensions: dict[str, int] | None = None
    reasoning: str | None = None
    verdict: str | None = None
    unjudged: str | None = None
    canary: dict[str, float] | None = None


def asked(records: Iterable[Record], params: Params) -> list[Record]:
    """The records that a model is asked about: a sample of the examples, and one of the pairs."""
    kinds = ("example",) if params.pairs == "off" else ("example", "preference")
    every = [record for record in records if kind(record) in kinds]
    return [
        record
        for each in kinds
        for record in judging.first((r for r in every if kind(r) == each), params.max_examples, seed(), "judge")
    ]


def requests(records: Iterable[Record], params: Params) -> list[Request]:
    """All that a model is asked about these records; nothing without one."""
    chosen = list(records)
    judge = prepare(params, chosen, {})
    if judge is None:
        return []
    return [each for record in asked(chosen, params) for each in judging.questions(record, judge).values()]


def prepare(params: Params, records: Iterable[Record], answers: dict[str, Answer]) -> Judge | None:
    """The model that judges these records, with its answers; None is the local scorer."""
    judge = judging.judge(params.rubric, params.weights, params.max_characters)
    if judge:
        examples = (record for record in asked(records, params) if kind(record) == "example")
        judge.canaries = judging.injected(examples, params.canaries, seed())
        judge.answers = answers
    return judge


def warnings(records: Iterable[Record], params: Params) -> list[str]:
    """What should be known before a model is asked."""
    return judging.warnings(judging.judge(params.rubric, params.weights, params.max_characters), records)


def measure(record: Record, params: Params, prepared: Judge | None) -> Judged | None:
    """What is found of a record; None of labelled answers, and of pairs that are not compared."""
    what = kind(record)
    if what == "labelled" or (what == "preference" and (prepared is None or params.pairs == "off")):
        return None
    if prepared is None:
        penalties = local_score.penalties(prompt(record), reply(record))
        return Judged(record.source, local_score.score(penalties), penalties)
    found = judging.answered(record, prepared)
    return compared(record.source, found) if what == "preference" else judged(record.source, found, prepared)


def compared(source: str, found: dict[str, Answer | None]) -> Judged:
    """The verdict on a pair whose chosen ending was shown first, and then second."""
    verdict = pairwise.verdict(found["forward"], found["backward"])
    names = {"first": "chosen", "second": "rejected"}
    missing = next((what for each in found.values() if (what := judging.kind_of(each)) != "ok"), None)
    return Judged(source, verdict=names.get(verdict, verdict), unjudged=missing)


def judged(source: str, found: dict[str, Answer | None], judge: Judge) -> Judged:
    """The scores of an example, or the kind of the answer that has none."""
    answer, canary = found["example"], judging.canary(found, judge)
    if answer is None or answer.kind != "ok":
        return Judged(source, unjudged=judging.kind_of(answer), canary=canary)
    scores = rubric.scores(answer, judge.rubric)
    return Judged(source, dimensions=scores, reasoning=answer.content[rubric.REASONING], canary=canary)


def decide(facts: dict[str, Judged | None], params: Params, prepared: Judge | None) -> Decision:
    """A drop for every record that falls, and all that was found."""
    found = {identifier: weighed(fact, prepared) for identifier, fact in facts.items() if fact}
    rows: list[dict[str, Any]] = [{"id": i} | to_builtins(fact) for i, fact in found.items()]
    fallen = {
        identifier: (fact.source, fault) for identifier, fact in found.items() if (fault := fault_of(fact, params))
    }
    return Decision([Drop(i, source, "judge", *fault) for i, (source, fault) in fallen.items()], rows)


def weighed(fact: Judged, judge: Judge | None) -> Judged:
    """The fact with its overall score, which is computed here and never asked for."""
    return replace(fact, score=judging.overall(fact.dimensions, judge)) if judge and fact.dimensions else fact


def fault_of(fact: Judged, params: Params) -> tuple[str, dict[str, Any]] | None:
    """Why a record falls, with the evidence."""
    if fact.verdict:
        falls = params.pairs == "drop" and fact.verdict == "rejected"
        return ("not_preferred", {"verdict": fact.verdict}) if falls else None
    if fact.score is None:
        falls = params.unjudged == "drop" and fact.unjudged != NOT_ASKED
        return ("unjudged", {"answer": fact.unjudged}) if falls else None
    named = {"penalties": fact.penalties} if fact.dimensions is None else {"dimensions": fact.dimensions}
    evidence = {"score": fact.score, **named}
    if fact.score < params.threshold:
        return "low_score", evidence
    lowest = min((fact.dimensions or {}).values(), default=params.min_dimension)
    return ("low_dimension", evidence) if lowest < params.min_dimension else None


if __name__ == "__main__":
    run_on_all(measure, decide)
