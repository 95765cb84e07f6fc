"""Alpaca: `{"instruction", "input"?, "output"}` (`response` for `output` is read too), `system`? and `history`?."""

from typing import Any

from stages.contract.record import Example, Fault, Message, Record, spoken
from stages.formats import Loss, text, texts


def matches(row: Any) -> bool:
    """Whether the row has an instruction and an answer, and no losing answer."""
    return texts(row, "instruction") and ("output" in row or "response" in row) and "rejected" not in row


def read(row: Any) -> Example:
    """One exchange, after those of its history."""
    return Example([*asked(row), Message("assistant", text(row.get("output", row.get("response")), "output"))])


def asked(row: dict[str, Any]) -> list[Message]:
    """What stands before the answer."""
    given = "\n".join(
        filter(None, (text(row.get("instruction"), "instruction"), text(row.get("input") or "", "input")))
    )
    return [*opening(row), Message("user", given)]


def opening(row: dict[str, Any]) -> list[Message]:
    """The system message and the earlier exchanges, if the row has them."""
    system = [Message("system", text(row["system"], "system"))] if row.get("system") else []
    history = row.get("history") or []
    if not isinstance(history, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in history):
        raise Fault("wrong_type", {"field": "history", "expected": "list of pairs", "found": type(history).__name__})
    for asked, answered in history:
        system += [Message("user", text(asked, "history")), Message("assistant", text(answered, "history"))]
    return system


def write(record: Record) -> dict[str, Any]:
    """One exchange; what has more turns, tools or a weight does not fit."""
    turns = [message for message in record.messages if message.role != "system"]
    if record.tools or any(message.tool_calls or message.role == "tool" for message in turns):
        raise Loss("tools")
    if [message.role for message in turns] != ["user", "assistant"]:
        raise Loss("turns")
    if len(turns) != len(record.messages):
        raise Loss("system")
    if turns[1].weight == 0:
        raise Loss("weight")
    return {"instruction": spoken(turns[0]), "input": "", "output": spoken(turns[1])}
