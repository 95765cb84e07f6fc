"""ShareGPT: `{"conversations": [{"from", "value"}], "system"?, "tools"?}`.

A `function_call` value is the JSON text of one call or a list of calls; an `observation` answers the oldest open call.
"""

from typing import Any

from stages.contract.record import Example, Fault, Message, Record, encode
from stages.contract.source import parse
from stages.formats import Loss, openai, text

ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bing", "bard", "model"), "assistant"),
    **dict.fromkeys(("observation", "tool", "function_response", "function-response"), "tool"),
    **dict.fromkeys(("function_call", "function-call"), "call"),
    "system": "system",
}
TURNS = ("conversations", "conversation", "items")


def matches(row: Any) -> bool:
    """Whether the row holds turns with `from` and `value`, and no losing answer."""
    if not isinstance(row, dict) or "chosen" in row or "rejected" in row:
        return False
    found = next((row[key] for key in TURNS if key in row), None)
    return isinstance(found, list) and bool(found) and all(isinstance(turn, dict) and "from" in turn for turn in found)


def read(row: Any) -> Example:
    """The conversation of one row."""
    turns = next((row[key] for key in TURNS if key in row), None)
    if not isinstance(turns, list):
        raise Fault("wrong_type", {"field": "conversations", "expected": "list", "found": type(turns).__name__})
    return Example(
        openai.messages([*opening(row), *map(as_message, turns)], "conversations"), openai.tools(row.get("tools"))
    )


def opening(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The system message, if the row has one beside its turns."""
    return [{"role": "system", "content": row["system"]}] if row.get("system") else []


def as_message(turn: Any) -> dict[str, Any]:
    """One turn as an OpenAI message."""
    if not isinstance(turn, dict):
        raise Fault("wrong_type", {"field": "conversations", "expected": "object", "found": type(turn).__name__})
    role = ROLES.get(str(turn.get("from")).lower())
    value = turn.get("value")
    if role is None:
        raise Fault("unknown_role", {"field": "conversations.from"})
    if role != "call":
        return {"role": role, "content": value}
    try:
        called = parse(text(value, "conversations.value").encode("utf-8", "replace"))
    except Fault as fault:
        raise Fault("bad_arguments", {"field": "conversations.value", "found": fault.reason}) from None
    return {"role": "assistant", "tool_calls": called if isinstance(called, list) else [called]}


def write(record: Record) -> dict[str, Any]:
    """The record as LLaMA-Factory reads it: turns that alternate, the system and the tools beside them."""
    system = [message.content for message in record.messages if message.role == "system"]
    turns = [written(message) for message in record.messages if message.role != "system"]
    if len(system) > 1:
        raise Loss("several_system_turns")
    if not alternates(turns):
        raise Loss("turns_that_do_not_alternate")
    row: dict[str, Any] = {"conversations": turns}
    if record.tools:
        row["tools"] = encode([tool["function"] for tool in record.tools]).decode()
    return row | ({"system": system[0]} if system else {})


def written(message: Message) -> dict[str, str]:
    """One message as a turn."""
    if message.weight == 0:
        raise Loss("weight")
    if len(message.tool_calls) > 1:
        raise Loss("parallel_calls")
    if message.tool_calls and message.content:
        raise Loss("text_beside_a_call")
    if message.tool_calls:
        call = message.tool_calls[0]
        return {"from": "function_call", "value": encode({"name": call.name, "arguments": call.arguments}).decode()}
    return {
        "from": {"user": "human", "assistant": "gpt", "tool": "observation"}[message.role],
        "value": message.content,
    }


def alternates(turns: list[dict[str, str]]) -> bool:
    """Whether the input and the model take turns, the input first and the model last."""
    sides = [turn["from"] in ("human", "observation") for turn in turns]
    return len(sides) % 2 == 0 and sides == [place % 2 == 0 for place in range(len(sides))]
