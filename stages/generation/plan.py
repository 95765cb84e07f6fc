"""What a model is to write: for every row a cell, which is one value of each axis, and for every few cells one request.

The cells of a topic go through all combinations of the axes before one comes again, and each axis through all its values as
evenly as that allows: in an order of the seed's, so that a larger count keeps the cells of a smaller one.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from math import lcm
from typing import Annotated, Any, TypeVar

from msgspec import Meta as Limits
from msgspec import Struct, field

from stages.contract.params import stop
from stages.contract.paths import FAILURES
from stages.contract.record import Message, Record, draw, encode
from stages.formats import openai
from stages.generation.pack import STYLE, Pack, shares
from stages.models import prompts
from stages.models.request import Request, request
from stages.models.rubric import Rubric
from stages.models.settings import Params as Models

T = TypeVar("T")
SHOWN = 8  # seeds in one request, as many as Self-Instruct shows
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
VARIED = ("evolve", "self_instruct")
"""Methods whose rows are made of one seed each, which is their parent."""
CALLING = ("conversations", "evolve", "few_shot", "self_instruct", TARGETS, "tool_calls")
"""Methods whose rows call the tool of their topic, if it has one."""
SPEAKING = ("pairs", "questions", "refusals")
"""Methods whose rows call no tool."""
MUST_CALL = "In each example the assistant calls the tool {tool} and says afterwards what came of it."
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


BETWEEN = re.compile(r",\s*(?=[a-z_]+=)")  # two parts of a target; a value may hold a comma


GAP = re.compile(r"\n{3,}")  # what a field without text leaves


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


class Cell(Struct, frozen=True):
    """What one row is to be, and the seed or the failure that it is made of."""

    method: str
    topic: str
    axes: dict[str, str]
    seed: Record | None = None
    failure: Failure | None = None


class Call(Struct, frozen=True):
    """One request, and the cells that it asks for: the first is number 1."""

    cells: list[Cell]
    request: Request
    tools: list[dict[str, Any]]
    system: list[dict[str, Any]]


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


def calls(of: Material) -> list[Call]:
    """Every request of the first round."""
    check(of)
    found = []
    for method in sorted(name for name, count in of.asked.methods.items() if count):
        found += calls_of(of, method, allotted(of, method))
    return found + calls_of(of, TARGETS, targeted(of))


def check(of: Material) -> None:
    """Stop at a method that there is not, or that lacks what it is made of."""
    check_names(of.asked, of.pack)
    for name, count in of.asked.methods.items():
        if count and (problem := lacking(of, name)):
            raise stop(f"params.yaml: generate.methods.{name}: {problem}")


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


def lacking(of: Material, method: str) -> str:
    """What a method cannot do without and does not have."""
    if method in VARIED and not fitting(of):
        return "it varies seeds, and no record of generate.seeds is on a topic of the pack; add some, or take it out"
    if method == "failures" and not of.failures:
        return f"{FAILURES} names none; add some, or take the method out"
    if method == "tool_calls" and not any(topic.tool for topic in of.pack.topics.values()):
        return "no topic of the pack has a tool; take the method out"
    return ""


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


def calls_of(of: Material, method: str, cells: Iterable[Cell]) -> list[Call]:
    """Requests of at most `items_per_call` cells, each of one topic."""
    by_topic: dict[str, list[Cell]] = {}
    for cell in cells:
        by_topic.setdefault(cell.topic, []).append(cell)
    size = of.asked.items_per_call
    groups = [own[at : at + size] for _, own in sorted(by_topic.items()) for at in range(0, len(own), size)]
    return [call(of, method, group, number) for number, group in enumerate(groups)]


def call(of: Material, method: str, cells: list[Cell], number: int) -> Call:
    """The request for these cells. Seeds, failures and tools are data and stand in it as such."""
    topic = cells[0].topic
    form = next((seed for seed in of.seeds if seed.meta.topic == topic), cells[0].seed)
    tools = form.tools if form and method not in SPEAKING else []
    tool = of.pack.topics[topic].tool if topic in of.pack.topics else None
    system = instructions(of.pack, form)
    prompt = prompts.written(
        "few_shot" if method == TARGETS else method,
        count=len(cells),
        topic=named_topic(of.pack, topic),
        tool=tool or "",
        tools=prompts.quoted(tools),
        system=prompts.quoted([message["content"] for message in system]),
        examples=prompts.quoted([shown(seed) for seed in chosen(of, topic, method, number)]),
        calling=MUST_CALL.format(tool=tool) if tool and tools and method in CALLING else "",
        cells="\n".join(line(place, cell) for place, cell in enumerate(cells, 1)),
        turns=of.asked.turns,
        shortest=of.asked.questions.shortest,
        longest=of.asked.questions.longest,
    )
    rules = prompts.written("generation", about=of.pack.about)
    asked = request(of.given, GAP.sub("\n\n", prompt), rules, schema(method, bool(tools)))
    return Call(cells, asked, tools, system)


def named_topic(pack: Pack, topic: str) -> str:
    """A topic with what it is about."""
    about = pack.topics[topic].about if topic in pack.topics else ""
    return f"{topic} ({about})" if about else topic or "any"


def instructions(pack: Pack, form: Record | None) -> list[dict[str, Any]]:
    """The system turn of the rows: the pack's, or that of the topic's first seed."""
    if pack.system is not None:
        return [{"role": "system", "content": pack.system}]
    return [openai.written(message) for message in (form.messages if form else []) if message.role == "system"]


def chosen(of: Material, topic: str, method: str, number: int) -> list[Record]:
    """The seeds that a request shows: half of them of its topic, and with the requests of a method all seeds in turn."""
    own = [seed for seed in fitting(of) if seed.meta.topic == topic]
    first = window(shuffled(own, of.seed, method, topic), SHOWN // 2, number)
    rest = shuffled(fitting(of), of.seed, method)
    second = window(rest, SHOWN - len(first), number)
    return [*first, *(seed for seed in second if seed not in first)]


def fitting(of: Material) -> list[Record]:
    """The seeds that show what rows are to be like: all, or, if the pack stands alone, those on its topics."""
    return [seed for seed in of.seeds if of.pack.seeds or seed.meta.topic in of.pack.topics]


def window(values: list[T], size: int, number: int) -> list[T]:
    """So many of the values, going on where the window with the number before ended."""
    return [values[(number * size + place) % len(values)] for place in range(min(size, len(values)))]


def shown(seed: Record) -> dict[str, Any]:
    """A seed in the form that is asked for: without its tools and its system turn, which stand apart."""
    messages = [message_shown(message) for message in seed.messages if message.role != "system"]
    return {"topic": seed.meta.topic, "messages": messages}


def message_shown(message: Message) -> dict[str, Any]:
    """One message of a seed."""
    calls = [{"name": call.name, "arguments": encode(call.arguments).decode()} for call in message.tool_calls]
    return {"role": message.role, "content": message.content} | ({"calls": calls} if calls else {})


def line(place: int, cell: Cell) -> str:
    """A cell as the model reads it."""
    told = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in cell.axes.items())
    data = (
        shown(cell.seed)
        if cell.seed
        else cell.failure
        and {name: value for name in ("prompt", "wrong", "note") if (value := getattr(cell.failure, name))}
    )
    return f"{place}. {told or 'any'}" + (f"\n{prompts.quoted(data)}" if data else "")


def schema(method: str, calling: bool) -> dict[str, Any]:
    """What a reply must be: one list, of which whole items can be kept where others are broken."""
    text = {"type": "string", "minLength": 1}
    own = (
        {"prompt": text}
        if method == "pairs"
        else {"messages": {"type": "array", "items": turn(calling), "minItems": 1}}
    )
    return {
        "type": "object",
        "properties": {"items": listed({"cell": {"type": "integer"}} | own)},
        "required": ["items"],
    }


def turn(calling: bool) -> dict[str, Any]:
    """The schema of one message."""
    called = {"name": {"type": "string"}, "arguments": {"type": "string"}}
    roles = ["user", "assistant", *(["tool"] if calling else [])]
    own = {"role": {"enum": roles}, "content": {"type": "string"}} | ({"calls": listed(called)} if calling else {})
    return {"type": "object", "properties": own, "required": list(own)}


def listed(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of a list of objects that have all these properties."""
    return {"type": "array", "items": {"type": "object", "properties": properties, "required": list(properties)}}
