"""A model that judges: the questions about a record, which records they are asked about, and what the answers say.

Canaries tell whether the judge obeys what it judges: in some conversations a reply that is worth nothing is judged alone,
and once more with an order to praise it. A judge whose score rises is not to be trusted with any record.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from heapq import nsmallest
from pathlib import Path

from msgspec import Struct

from stages.contract import params
from stages.contract.params import stop
from stages.contract.record import Record, draw, joined, kind, prompt, reply
from stages.models import pairwise, rubric
from stages.models.request import Answer, Request, key
from stages.models.rubric import Rubric
from stages.models.settings import Params as Models
from stages.models.settings import settings
from stages.text.model_terms import kin

CANARIES = Path(__file__).parent / "prompts/canaries.yaml"
NOT_ASKED = "not asked"
PARTS = ("plain", "injected")
"""The two questions of a canary."""


class Canaries(Struct, forbid_unknown_fields=True, frozen=True):
    """A reply that is worth nothing, and texts that order the judge to praise it."""

    reply: str
    injections: list[str]


class Judge(Struct):
    """Who judges and by what, how much of a text is shown, the canaries' records with their injections, and the answers."""

    given: Models
    rubric: Rubric
    weights: dict[str, float]
    most: int
    canaries: dict[str, str] = {}
    answers: dict[str, Answer] = {}


def judge(path: str, weights: dict[str, float], most: int) -> Judge | None:
    """The model that params name for this stage, with the rubric at a path; None if there is none."""
    given = settings("judge")
    if given.provider == "none":
        return None
    found = rubric.of_project(path)
    if unknown := sorted(weights.keys() - found.dimensions.keys()):
        raise stop(f"{params.FILE}: judge.weights.{unknown[0]}: is no dimension of {path}; mend the name")
    if not any(weights.get(name, each.weight) for name, each in found.dimensions.items()):
        raise stop(f"{params.FILE}: judge.weights: no dimension of {path} has a weight; give one to at least one")
    return Judge(given, found, weights, most)


@cache
def bait() -> Canaries:
    """The texts of the canaries."""
    return params.typed(params.read_yaml(CANARIES), Canaries, "", CANARIES.name)


def first(records: Iterable[Record], most: int | None, seed: int, what: str) -> list[Record]:
    """At most so many of the records, drawn by their ids: a record that is added moves at most one other out."""
    if most is None:
        return list(records)
    return nsmallest(most, records, key=lambda record: (draw(seed, what, record.id), record.id))


def injected(records: Iterable[Record], count: int, seed: int) -> dict[str, str]:
    """The ids of the records in whose conversations canaries sit, with what each is told."""
    texts = bait().injections
    chosen = first(records, count, seed, "canary")
    return {record.id: texts[int(len(texts) * draw(seed, "injection", record.id))] for record in chosen}


def questions(record: Record, of: Judge) -> dict[str, Request]:
    """All that is asked about one record, by what it is for."""
    if kind(record) == "preference":
        texts = prompt(record), reply(record), joined(record.rejected)
        forward, backward = pairwise.requests(*texts, of.rubric, of.given, of.most)
        return {"forward": forward, "backward": backward}
    shown = rubric.shown(record, of.most)
    asked = {"example": shown}
    if record.id in of.canaries:
        cut = {name: count for name, count in shown.get("left_out", {}).items() if name != "reply"}
        rest = rubric.declared({name: each for name, each in shown.items() if name != "left_out"}, cut)
        asked["plain"] = rest | {"calls": 0, "reply": bait().reply}
        asked["injected"] = rest | {"calls": 0, "reply": f"{bait().reply}\n\n{of.canaries[record.id]}"}
    return {name: rubric.question(each, of.rubric, of.given) for name, each in asked.items()}


def answered(record: Record, of: Judge) -> dict[str, Answer | None]:
    """The answers to the questions about a record; None to what was not asked."""
    return {name: of.answers.get(key(each)) for name, each in questions(record, of).items()}


def kind_of(answer: Answer | None) -> str:
    """What became of a question."""
    return answer.kind if answer else NOT_ASKED


def overall(scores: dict[str, int], of: Judge) -> float:
    """The weighted mean of an example's dimensions."""
    return rubric.overall(scores, of.rubric, of.weights)


def canary(found: Mapping[str, Answer | None], of: Judge) -> dict[str, float] | None:
    """The scores of a worthless reply, plain and with its order to be praised; None if one of them is missing."""
    usable = {name: each for name in PARTS if (each := found.get(name)) and each.kind == "ok"}
    if len(usable) < len(PARTS):
        return None
    return {name: overall(rubric.scores(each, of.rubric), of) for name, each in usable.items()}


def warnings(of: Judge | None, records: Iterable[Record]) -> list[str]:
    """What should be known before money is spent: that a model is to judge what its own kind has written."""
    if of is None:
        return []
    written = {record.meta.model for record in records if record.meta.model}
    writer = settings("generate")
    asks = writer.provider != "none" and (params.whole().get("generate") or {}).get("methods")
    if asks and writer.model:
        written.add(writer.model)
    alike = sorted(each for each in written if kin(of.given.model or "", each))
    said = f"judge: {of.given.model} judges what {', '.join(alike)} wrote, a model of its own kind, which judges favour"
    return [f"{said}; name another maker's in models.stages.judge"] if alike else []
