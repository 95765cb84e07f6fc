"""What is asked of a model, in params.yaml and in data/failures.jsonl: methods and targets, and which of them there are."""

import difflib
import re
from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct, field

from stages.contract.params import stop
from stages.generation.pack import Pack

TARGETS = "targets"
METHODS = (
    "conversations",
    "errors",
    "evolve",
    "failures",
    "few_shot",
    "pairs",
    "questions",
    "refusals",
    "self_instruct",
    "tool_calls",
)
"""What rows are asked for by: each a prompt of stages/models/prompts."""
BETWEEN = re.compile(r",\s*(?=[a-z_]+=)")  # two parts of a target; a value may hold a comma


class Questions(Struct, forbid_unknown_fields=True, frozen=True):
    """What the method `questions` asks for. The axes `question` and `difficulty` of a pack go before these."""

    kinds: Annotated[list[str], Limits(min_length=1, description="the axis `question`")] = field(
        default_factory=lambda: ["what", "how", "why", "compare", "analyse"]
    )
    difficulty: Annotated[list[str], Limits(min_length=1)] = field(default_factory=lambda: ["easy", "medium", "hard"])
    shortest: Annotated[int, Limits(ge=1, description="words of an answer")] = 100
    longest: Annotated[int, Limits(ge=1, description="words of an answer")] = 300


class Pairs(Struct, forbid_unknown_fields=True, frozen=True):
    """What the method `pairs` asks for."""

    words: Annotated[int, Limits(ge=1, description="both answers are asked to be about so long")] = 80
    max_length_ratio: Annotated[
        float, Limits(ge=1, description="characters of the longer answer over those of the shorter")
    ] = 2.0


class Asked(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is asked of a model; with models.provider none, nothing is."""

    methods: Annotated[dict[str, Annotated[int, Limits(ge=0)]], Limits(description="rows to ask for, by method")] = {}
    targets: Annotated[
        dict[str, Annotated[int, Limits(ge=0)]],
        Limits(description="more rows of a topic, or of a cell such as style=formal or topic=add,style=short"),
    ] = {}
    items_per_call: Annotated[int, Limits(ge=1, le=10, description="rows asked for in one request")] = 10
    turns: Annotated[int, Limits(ge=2, le=40, multiple_of=2, description="of user and assistant in a conversation")] = 4
    questions: Questions = Questions()
    novelty: Annotated[
        float, Limits(gt=0, le=1, description="ROUGE-L of a prompt with any other from which on it is not new")
    ] = 0.7
    check: Annotated[
        bool, Limits(description="have the judge's model look at every row; what is not good is left out")
    ] = False
    pairs: Pairs = Pairs()


class Failure(Struct, forbid_unknown_fields=True, frozen=True):
    """A line of data/failures.jsonl: what a trained model got wrong."""

    prompt: Annotated[str, Limits(min_length=1)]
    wrong: Annotated[str | None, Limits(description="what it said")] = None
    note: Annotated[str | None, Limits(description="what it should have known or done")] = None
    topic: str | None = None


def check_names(asked: Asked, pack: Pack) -> None:
    """Stop at a method or a target that there is not."""
    for name in asked.methods:
        if problem := unknown(name):
            raise stop(f"params.yaml: generate.methods.{name}: {problem}")
    for target in asked.targets:
        named(target, every_axis(pack))
    if asked.questions.shortest > asked.questions.longest:
        raise stop("params.yaml: generate.questions: shortest is more than longest; mend one")


def unknown(method: str) -> str:
    """What to say of a name that is no method's."""
    if method in METHODS:
        return ""
    near = difflib.get_close_matches(method, METHODS, 1)
    return f"there is no such method; {f'did you mean {near[0]}?' if near else 'known are ' + ', '.join(METHODS)}"


def every_axis(pack: Pack) -> dict[str, list[str]]:
    """What a target can name: topics, and the axes of the pack."""
    return {"topic": sorted(pack.topics)} | pack.axes


def named(target: str, every: dict[str, list[str]]) -> dict[str, str]:
    """The values that a target names: `add`, `style=formal`, or several after commas."""
    found = {}
    for part in BETWEEN.split(target):
        name, is_cell, value = (each.strip() for each in part.partition("="))
        axis, value = (name, value) if is_cell else ("topic", name)
        if value not in every.get(axis, []):
            known = f"known are {', '.join(every[axis])}" if axis in every else f"axes are {', '.join(every)}"
            raise stop(f"params.yaml: generate.targets: {target!r} is not in the pack; {known}")
        found[axis] = value
    return found
