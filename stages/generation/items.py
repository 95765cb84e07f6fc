"""What a model wrote, held against what it was asked: a row for each cell, or what is wrong with it."""

from typing import Any

from msgspec import Struct

from stages.checks.structure import measure
from stages.contract.record import Fault, Message, Meta, Record, answer, joined, prompt
from stages.formats import openai
from stages.generation.calls import CALLING, Call
from stages.generation.cells import Cell, Material
from stages.generation.grammar import novel
from stages.models import prompts
from stages.models.request import Answer, Request
from stages.text.shingles import words

LOSSES = {
    "refused": "the model refused the request",
    "no_answer": "the request found no answer, or the reply left the item out",
    "invalid": "not of the asked form, also when it was asked for once more",
    "not_new": "too like a seed, a failure or a row before it",
    "not_good": "the second model found it wanting, or said nothing of it",
    "length_gap": "the two answers differ too much in length",
    "no_winner": "neither answer wins in both orders",
}
"""What may become of a cell, if not a row."""
FAULTS = {
    "no_user_turn": "nobody asks anything",
    "last_turn_not_assistant": "it does not end with the assistant",
    "unknown_tool": "there is no tool {tool}",
    "missing_argument": "a call of {tool} lacks the argument {at}",
    "unknown_argument": "{tool} knows no argument {at}",
    "wrong_argument": "{at} of a call of {tool} is not what its schema allows",
    "unusable_schema": "the schema of {tool} cannot be used",
    "unanswered_call": "a call of {tool} has no result",
    "result_without_call": "a message of the role tool answers no call",
    "calls_without_tools": "tools are called, and there are none",
    "turns_do_not_alternate": "user and assistant do not take turns, the user first",
}
"""What the model is told of a fault that the check `structure` finds."""
ANOTHERS = ("given prompt", "rewritten prompt", "given example", "evolved", "the original request")
"""What a request says that was rewritten badly: it speaks of its own making."""


class Item(Struct):
    """What came of a cell: a row, or what is wrong (`fault`), and what it is lost to if nothing more is done."""

    cell: Cell
    row: dict[str, Any] | None = None
    lost: str = ""
    fault: str = ""


class Unfit(ValueError):
    """What is wrong with an item, as the model is told."""


def items(of: Material, call: Call, came: Answer | None) -> list[Item]:
    """What came of each cell of a request."""
    if came is None or came.kind in ("refused", "failed"):
        return [Item(cell, lost="refused" if came and came.kind == "refused" else "no_answer") for cell in call.cells]
    replies: dict[int, Any] = {}
    for reply in (came.content or {}).get("items", []):
        replies.setdefault(reply["cell"], reply)
    return [item(of, call, place, replies.get(place)) for place in range(1, len(call.cells) + 1)]


def item(of: Material, call: Call, place: int, reply: Any) -> Item:
    """What came of the cell in this place."""
    cell = call.cells[place - 1]
    if reply is None:
        return Item(cell, lost="no_answer", fault="it is missing")
    try:
        return Item(cell, question(of, call, cell, reply) if cell.method == "pairs" else row(of, call, cell, reply))
    except Unfit as wrong:
        return Item(cell, lost="invalid", fault=str(wrong))


def question(of: Material, call: Call, cell: Cell, reply: Any) -> dict[str, Any]:
    """The conversation of a pair before its answers, which are asked for later."""
    if not reply["prompt"].strip():
        raise Unfit("the prompt is empty")
    asked = {"role": "user", "content": reply["prompt"].strip()}
    return {"messages": [*call.system, asked], **told(of, call, cell)}


def row(of: Material, call: Call, cell: Cell, reply: Any) -> dict[str, Any]:
    """The row, or what is wrong with it."""
    try:
        written = openai.messages([*call.system, *map(turn, reply["messages"])])
    except Fault as fault:
        raise Unfit(f"{fault.evidence.get('field', 'it')}: {fault.reason.replace('_', ' ')}") from None
    record = Record("0" * 32, "generated", written, Meta("none"), call.tools)
    if problem := structure(record) or emptiness(written) or unlike_cell(of, call, cell, record):
        raise Unfit(problem)
    tools = {"tools": call.tools} if call.tools else {}
    return {"messages": [openai.written(message) for message in written], **tools, **told(of, call, cell)}


def turn(said: dict[str, Any]) -> dict[str, Any]:
    """A message of the reply in OpenAI's form."""
    calls = [{"function": each} for each in said.get("calls", [])]
    return {"role": said["role"], "content": said["content"], **({"tool_calls": calls} if calls else {})}


def told(of: Material, call: Call, cell: Cell) -> dict[str, Any]:
    """What a row says of itself: its topic, its cell, the model, and the seed that it is a variation of."""
    topic = of.pack.topics.get(cell.topic)
    fixed = {name: text for name, text in (of.pack.extra | (topic.extra if topic else {})).items() if "{" not in text}
    extra = fixed | cell.axes | {"method": cell.method} | ({"facts": True} if of.pack.facts else {})
    parents = {"parents": [cell.seed.id]} if cell.seed else {}
    return {"topic": cell.topic, "model": call.request.model, "extra": extra, **parents}


def structure(record: Record) -> str:
    """The first fault of roles, turns and calls, as the check of the same name finds it."""
    for found in measure(record) or []:
        return FAULTS.get(found.fault, found.fault.replace("_", " ")).format(tool=found.tool or "a tool", at=found.at)
    return ""


def emptiness(written: list[Message]) -> str:
    """Whether a turn says nothing."""
    empty = (message for message in written if not message.content.strip() and not message.tool_calls)
    return next((f"a message of the {message.role} is empty" for message in empty), "")


def unlike_cell(of: Material, call: Call, cell: Cell, record: Record) -> str:
    """What of the cell the row does not keep to, as far as code can tell."""
    spoken = [
        message for message in record.messages if message.role in ("user", "assistant") and not message.tool_calls
    ]
    if tool := uncalled(of, call, cell, record):
        return f"the tool {tool} is not called"
    if cell.method == "conversations" and len(spoken) != of.asked.turns:
        return f"it has {len(spoken)} turns, not {of.asked.turns}"
    if cell.method == "questions":
        return wrong_length(of, len(words(answer(record))))
    if cell.method == "evolve" and cell.seed:
        return failed_evolution(prompt(record), prompt(cell.seed))
    return ""


def uncalled(of: Material, call: Call, cell: Cell, record: Record) -> str:
    """The tool that should be called and is not."""
    tool = of.pack.topics[cell.topic].tool if cell.topic in of.pack.topics else None
    called = {each.name for message in record.messages for each in message.tool_calls}
    by_seed = not cell.seed or any(message.tool_calls for message in cell.seed.messages)
    return tool if tool and call.tools and by_seed and cell.method in CALLING and tool not in called else ""


def wrong_length(of: Material, length: int) -> str:
    """Whether an answer has too few or too many words."""
    asked = of.asked.questions
    good = asked.shortest <= length <= asked.longest
    return "" if good else f"the answer has {length} words, not {asked.shortest} to {asked.longest}"


def failed_evolution(new: str, old: str) -> str:
    """Whether a request was not rewritten, or speaks of having been."""
    if words(new) == words(old):
        return "the request is the given one"
    return next((f"the request speaks of {each!r}" for each in ANOTHERS if each in new.lower()), "")


def repair(call: Call, found: list[Item]) -> Request | None:
    """The request for the items that were missing or wrong, with what was wrong of each."""
    from msgspec.structs import replace

    wrong = [f"{place}. {each.fault}" for place, each in enumerate(found, 1) if each.fault]
    if not wrong:
        return None
    return replace(
        call.request, prompt=f"{call.request.prompt}\n\n{prompts.written('repair', faults=chr(10).join(wrong))}"
    )


def repaired(found: list[Item], second: list[Item]) -> list[Item]:
    """The items with those of the second reply in the place of those that were wrong."""
    return [late if early.fault else early for early, late in zip(found, second, strict=True)]


def only_new(of: Material, found: list[Item], rows: list[dict[str, Any]]) -> None:
    """Mark the items that are too like a seed, a row of the templates, a failure or an item before them."""
    seen = [joined(seed.messages) for seed in of.seeds] + [failure.prompt for failure in of.failures]
    written = [each for each in found if each.row]
    if not written:
        return
    new = {id(row) for row in novel([*rows, *(each.row for each in written if each.row)], seen)}
    accepted = [prompt_of(row) for row in rows]
    seeds = [words(prompt(seed)) for seed in of.seeds]
    failures = [words(failure.prompt) for failure in of.failures]
    for each in written:
        asked = prompt_of(each.row or {})
        others = {"self_instruct": [*seeds, *failures, *accepted]}.get(each.cell.method, failures)
        if id(each.row) not in new or any(rouge(asked, other) >= of.asked.novelty for other in others):
            each.row, each.lost = None, "not_new"
        else:
            accepted.append(asked)


def prompt_of(row: dict[str, Any]) -> list[str]:
    """The words that the user says in a row."""
    return words(" ".join(message["content"] for message in row["messages"] if message["role"] == "user"))


def rouge(one: list[str], other: list[str]) -> float:
    """ROUGE-L of two texts, the F1 of their longest common subsequence of words, from 0 to 1."""
    shared = longest_common(one, other)
    return round(2 * shared / max(1, len(one) + len(other)), 3)


def longest_common(one: list[str], other: list[str]) -> int:
    """The length of the longest common subsequence, a bit for each word of the first (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    whole = left = (1 << len(one)) - 1
    for word in other:
        hit = left & places.get(word, 0)
        left = (left + hit | left - hit) & whole
    return len(one) - left.bit_count()
