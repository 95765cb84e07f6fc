"""The requests that rows are asked for with, one for every few cells of a method and a topic, and the seeds in each."""

import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from stages.contract.record import Message, Record, encode
from stages.formats import openai
from stages.generation.asked import TARGETS
from stages.generation.cells import Cell, Material, allotted, check, fitting, shuffled, targeted
from stages.generation.pack import Pack
from stages.generation.reply import schema
from stages.models import prompts
from stages.models.request import Request, request

SHOWN = 8  # seeds in one request, as many as Self-Instruct shows
CALLING = ("conversations", "evolve", "few_shot", "self_instruct", TARGETS, "tool_calls")
"""Methods whose rows call the tool of their topic, if it has one."""
SPEAKING = ("pairs", "questions", "refusals")
"""Methods whose rows call no tool."""
MUST_CALL = "In each example the assistant calls the tool {tool} and says afterwards what came of it."
GAP = re.compile(r"\n{3,}")  # what a field without text leaves


class Call(Struct, frozen=True):
    """One request, and the cells that it asks for: the first is number 1."""

    cells: list[Cell]
    request: Request
    tools: list[dict[str, Any]]
    system: list[dict[str, Any]]


def calls(of: Material) -> list[Call]:
    """Every request of the first round."""
    check(of)
    found = []
    for method in sorted(name for name, count in of.asked.methods.items() if count):
        found += calls_of(of, method, allotted(of, method))
    return found + calls_of(of, TARGETS, targeted(of))


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


def window(values: list[Record], size: int, number: int) -> list[Record]:
    """So many of the seeds, going on where the window with the number before ended."""
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
