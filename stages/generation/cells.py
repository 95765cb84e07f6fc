"""What each row is to be: a cell, which is one value of each axis, and the seed or the failure that it is made of.

The cells of a topic go through all combinations of the axes before one comes again, and each axis through all its values as
evenly as that allows: in an order of the seed's, so that a larger count keeps the cells of a smaller one.
"""

from collections.abc import Iterable, Iterator
from math import lcm
from typing import TypeVar

from msgspec import Struct

from stages.contract.params import stop
from stages.contract.paths import FAILURES
from stages.contract.record import Record, draw
from stages.generation.asked import TARGETS, Asked, Failure, check_names, every_axis, named
from stages.generation.pack import STYLE, Pack, shares
from stages.models.rubric import Rubric
from stages.models.settings import Params as Models

T = TypeVar("T")
VARIED = ("evolve", "self_instruct")
"""Methods whose rows are made of one seed each, which is their parent."""
OWN: dict[str, dict[str, list[str]]] = {
    "evolve": {"evolution": ["add a constraint", "deepen", "concretise", "more reasoning", "simpler"]},
    "errors": {
        "error": [
            "the tool or the service fails",
            "the user left out what is needed",
            "what is asked for is not found",
            "what the user says contradicts itself",
            "only a part of it can be done",
        ]
    },
    "refusals": {
        "reason": [
            "it is outside of what the assistant is for",
            "nobody can know it",
            "the assistant lacks the information",
            "it would harm somebody",
            "it concerns another person's data",
        ]
    },
    "self_instruct": {"variation": ["other wording", "simpler", "more complex", "another case", "another speaker"]},
}
"""Axes that a method has beside those of the pack."""


class Material(Struct, frozen=True):
    """What requests are made of."""

    seeds: list[Record]
    pack: Pack
    asked: Asked
    seed: int
    given: Models
    judge: Models = Models()
    rubric: Rubric | None = None
    failures: list[Failure] = []


class Cell(Struct, frozen=True):
    """What one row is to be, and the seed or the failure that it is made of."""

    method: str
    topic: str
    axes: dict[str, str]
    seed: Record | None = None
    failure: Failure | None = None


def check(of: Material) -> None:
    """Stop at a method that there is not, or that lacks what it is made of."""
    check_names(of.asked, of.pack)
    for name, count in of.asked.methods.items():
        if count and (problem := lacking(of, name)):
            raise stop(f"params.yaml: generate.methods.{name}: {problem}")


def lacking(of: Material, method: str) -> str:
    """What a method cannot do without and does not have."""
    if method in VARIED and not fitting(of):
        return "it varies seeds, and no record of generate.seeds is on a topic of the pack; add some, or take it out"
    if method == "failures" and not of.failures:
        return f"{FAILURES} names none; add some, or take the method out"
    if method == "tool_calls" and not any(topic.tool for topic in of.pack.topics.values()):
        return "no topic of the pack has a tool; take the method out"
    return ""


def fitting(of: Material) -> list[Record]:
    """The seeds that show what rows are to be like: all, or, if the pack stands alone, those on its topics."""
    return [seed for seed in of.seeds if of.pack.seeds or seed.meta.topic in of.pack.topics]


def allotted(of: Material, method: str) -> Iterator[Cell]:
    """The cells of a method: its count shared among the topics as the pack's counts are."""
    count, counts = of.asked.methods[method], of.pack.counts
    if method == "failures":
        yield from taught(of, count)
        return
    if method == "tool_calls":
        counts = {name: weight for name, weight in counts.items() if of.pack.topics[name].tool}
    if method in VARIED:
        yield from varied(of, method, count)
        return
    starts = {topic: place for place, topic in enumerate(of.pack.topics)}  # so that few rows of many topics differ too
    for topic, share in shares(count, counts).items():
        for number in range(share):
            yield Cell(method, topic, drawn(axes(of, method), starts[topic] + number, of.seed, method))


def varied(of: Material, method: str, count: int) -> Iterator[Cell]:
    """Cells that take all seeds in turn, in an order of the seed's."""
    order = shuffled(fitting(of), of.seed, method)
    for number in range(count):
        seed = order[number % len(order)]
        own = drawn(axes(of, method), number, of.seed, method)
        yield Cell(method, seed.meta.topic or "", own, seed)


def taught(of: Material, count: int) -> Iterator[Cell]:
    """Cells that take all failures in turn; one that names no topic goes through the pack's."""
    for number in range(count):
        failure = of.failures[number % len(of.failures)]
        topic = failure.topic or drawn({"topic": sorted(of.pack.topics)}, number, of.seed, "failures")["topic"]
        own = drawn(axes(of, "failures"), number // len(of.failures), of.seed, "failures", failure.prompt)
        yield Cell("failures", topic, own, failure=failure)


def targeted(of: Material) -> Iterator[Cell]:
    """The cells of generate.targets: what a target names is fixed, the rest goes on through all combinations."""
    every = every_axis(of.pack)
    for target, count in sorted(of.asked.targets.items()):
        fixed = named(target, every)
        free = {name: values for name, values in every.items() if name not in fixed}
        for number in range(count):
            own = drawn(free, number, of.seed, TARGETS, target) | fixed
            yield Cell(TARGETS, own.pop("topic"), dict(sorted(own.items())))


def axes(of: Material, method: str) -> dict[str, list[str]]:
    """What is varied: the axes of the pack and those of the method; an evolution changes one thing, and its style."""
    own = OWN.get(method, {})
    if method == "evolve":
        return {STYLE: of.pack.axes[STYLE], **own}
    if method == "questions":
        asked = of.asked.questions
        own = {"question": asked.kinds, "difficulty": asked.difficulty}
    return {**own, **of.pack.axes}


def drawn(axes: dict[str, list[str]], number: int, seed: int, *what: str) -> dict[str, str]:
    """The cell with this number, one value of each axis.

    Of two axes the second moves on by one whenever the first and the second have come round together, so that all pairs
    come before one comes again; the same holds of the pair and the next axis.
    """
    found, period = {}, 1
    for name, values in sorted(axes.items()):
        order = shuffled(values, seed, *what, name)
        together, period = lcm(period, len(order)), period * len(order)
        place = number % period
        found[name] = order[(place + place // together) % len(order)]
    return found


def shuffled(values: Iterable[T], seed: int, *what: str) -> list[T]:
    """The values in an order that depends on nothing but the seed and what they are drawn for."""
    numbered = sorted(enumerate(values), key=lambda each: draw(seed, "generate", "order", *what, each[0]))
    return [value for _, value in numbered]
