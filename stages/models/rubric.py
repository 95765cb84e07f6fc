"""The rubric: what a judge is told about a good answer, in which form it answers, and what its scores come to.

A rubric is a data file of the user's. The judge gives one score from 1 to 5 for each dimension, after its reasons; the
overall score is computed here, never asked for.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract import params, paths
from stages.contract.params import stop
from stages.contract.record import Record, digest, encode, ending, reply, spoken
from stages.models import prompts
from stages.models.request import Answer, Request, request
from stages.models.settings import Params

SCALE = (1, 2, 3, 4, 5)
REASONING = "reasoning"
Score = Annotated[int, Limits(ge=1, le=5)]
Anchor = Literal[1, 3, 5]
ANCHORS: tuple[Anchor, ...] = get_args(Anchor)
Text = Annotated[str, Limits(min_length=1)]


class Dimension(Struct, forbid_unknown_fields=True, frozen=True):
    """What one score is about, with what deserves 1, 3 and 5; `weight` is its part in the overall score."""

    means: Text
    anchors: dict[Anchor, Text]
    weight: Annotated[float, Limits(ge=0)] = 1


class Example(Struct, forbid_unknown_fields=True, frozen=True):
    """A reply that is scored already."""

    prompt: Text
    reply: Text
    scores: dict[str, Score]
    why: Text


class Rubric(Struct, forbid_unknown_fields=True, frozen=True):
    """All that a judge is told of what is good."""

    about: Text
    dimensions: dict[str, Dimension]
    examples: list[Example] = []


def of_project(path: str) -> Rubric:
    """The rubric at a path of the project."""
    return read(paths.ROOT / path, path)


@cache
def read(file: Path, name: str) -> Rubric:
    """A rubric from its file; a stop names what is wrong with it."""
    found = params.typed(params.read_yaml(file), Rubric, "", name)
    if not found.dimensions or not any(each.weight for each in found.dimensions.values()):
        raise stop(f"{name}: dimensions: none has a weight; name at least one")
    for dimension, each in found.dimensions.items():
        if set(each.anchors) != set(ANCHORS) or dimension == REASONING:
            wrong = "is no name for a dimension" if dimension == REASONING else "needs an anchor for each of 1, 3 and 5"
            raise stop(f"{name}: dimensions.{dimension}: {wrong}; mend it")
    for number, example in enumerate(found.examples):
        if example.scores.keys() != found.dimensions.keys():
            raise stop(f"{name}: examples[{number}].scores: must name each dimension, and no others; mend it")
    return found


def digest_of(rubric: Rubric) -> str:
    """16 hex characters by which versions of a rubric are told apart."""
    weights = {name: each.weight for name, each in rubric.dimensions.items()}
    return digest("rubric", rubric.about, text(rubric), weights)[:16]


def text(rubric: Rubric) -> str:
    """The dimensions and the examples as a model reads them; weights are no concern of its."""
    parts = [
        "\n".join((f"## {name}", each.means, *(f"- {score}: {each.anchors[score]}" for score in ANCHORS)))
        for name, each in rubric.dimensions.items()
    ]
    shown = [
        encode({"prompt": each.prompt, "reply": each.reply}).decode()
        + f"\n{', '.join(f'{name} {each.scores[name]}' for name in rubric.dimensions)}: {each.why}"
        for each in rubric.examples
    ]
    return "\n\n".join([*parts, *(["## Examples"] if shown else []), *shown])


def schema(rubric: Rubric) -> dict[str, Any]:
    """The form of a judgement: the reasons first, then a score of each dimension."""
    scores: dict[str, Any] = {name: {"type": "integer", "enum": list(SCALE)} for name in rubric.dimensions}
    return closed({REASONING: {"type": "string"}} | scores)


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    """An object with these properties, all of them, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@cache
def system(name: str, about: str, told: str) -> str:
    """What every request of one kind begins with, word for word, so that the provider's cache keeps it."""
    return prompts.written(name, about=about, rubric=told)


def question(shown: dict[str, Any], rubric: Rubric, given: Params) -> Request:
    """What a judge is asked about one example."""
    told = system("judge_example", rubric.about, text(rubric))
    return request(given, prompts.quoted(shown, told, given.model), told, schema(rubric))


def shown(record: Record, most: int) -> dict[str, Any]:
    """What a judge sees of an example; of more than `most` characters the nearest to the reply's beginning, and says so."""
    turns, missing = latest([(turn.role, spoken(turn)) for turn in record.messages[: ending(record.messages)]], most)
    calls = sum(len(turn.tool_calls) for turn in record.messages[ending(record.messages) :])
    whole, tools = reply(record), encode(record.tools).decode()
    texts: dict[str, Any] = {"conversation": turns, "reply": whole[:most], "calls": calls}
    if record.tools:
        texts["tools"] = record.tools if len(tools) <= most else tools[:most]
    cut = {"conversation": missing, "reply": len(whole) - most, "tools": len(tools) - most}
    return declared(texts, cut)


def latest(turns: list[tuple[str, str]], most: int) -> tuple[list[dict[str, str]], int]:
    """The last `most` characters of a conversation, by turns, and how many characters stood before them."""
    kept: list[dict[str, str]] = []
    left = most
    for role, said in reversed(turns):
        if left > 0:
            kept.append({"role": role, "content": said[max(0, len(said) - left) :]})
        left -= len(said)
    return kept[::-1], max(0, -left)


def declared(texts: dict[str, Any], cut: dict[str, int]) -> dict[str, Any]:
    """The texts, with how much of each is missing."""
    missing = {name: count for name, count in cut.items() if count > 0}
    return texts | ({"left_out": missing} if missing else {})


def scores(answer: Answer, rubric: Rubric) -> dict[str, int]:
    """The score of each dimension in an answer that is ok."""
    return {name: int(answer.content[name]) for name in rubric.dimensions}


def overall(scores: dict[str, int], rubric: Rubric, weights: dict[str, float]) -> float:
    """The weighted mean of the dimensions' scores; `weights` stand above the rubric's own."""
    weighed = {name: weights.get(name, each.weight) for name, each in rubric.dimensions.items()}
    return round(sum(weighed[name] * scores[name] for name in weighed) / sum(weighed.values()), 3)
