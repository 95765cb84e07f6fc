"""Roles, turn order and tool calls: what a chat template or a trainer would refuse, or train on wrongly.

The arguments of a call are held against its tool's own JSON Schema, as `stages/text/tool_schema.py` reads it. What is kept
is the first fault with the turn it stands in (from 0), and what only some trainers mind, on which the limits decide.
"""

from typing import Annotated, Any

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Message, Record, ToolCall
from stages.text.tool_schema import Wrong, wrong

ENDINGS = True
REASONS = {
    "no_user_turn": "nobody asks anything",
    "late_system_turn": "a system turn stands after another turn",
    "last_turn_not_assistant": "the conversation does not end with the assistant",
    "unknown_tool": "a call names a tool that the record does not define",
    "missing_argument": "a call lacks an argument that its tool requires",
    "unknown_argument": "a call has an argument that its tool does not define",
    "wrong_argument": "an argument of a call is not what its tool's schema allows",
    "unusable_schema": "a tool that is called has a schema that cannot be used: too large, too deep, or elsewhere",
    "repeated_call_id": "two calls of a turn have one id",
    "unanswered_call": "a call in the middle of the conversation has no result",
    "result_without_call": "a tool's result answers no call",
    "calls_without_tools": "tools are called, and the record defines none",
    "turns_do_not_alternate": "user and assistant do not take turns, the user first",
}
LONGEST = 80  # characters of a tool's name in the evidence


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What only some trainers mind; a broken structure is never trained on."""

    require_tools: Annotated[bool, Limits(description="drop calls of tools that the record does not define")] = False
    alternate: Annotated[
        bool,
        Limits(description="drop two turns of one side in a row, as the templates of Gemma, Llama 2 and Mistral do"),
    ] = False


class Finding(Struct, omit_defaults=True):
    """A fault: its turn, the tool that is called, the place in the arguments, and the broken keyword of its schema."""

    fault: str
    turn: int | None = None
    tool: str = ""
    at: str = ""
    rule: str = ""


def measure(record: Record, params: None = None) -> list[Finding] | None:
    """What is wrong: the first fault, then those that are a matter of taste; None of a whole record."""
    roles = [message.role for message in record.messages if not message.tool_calls]
    if roles == ["user", "assistant"] and len(record.messages) == 2:
        return None  # most records are one exchange
    order = turn_fault(record.messages)
    fault = Finding(order) if order else call_fault(record)
    return [each for each in (fault, undefined(record), crowding(record.messages)) if each] or None


def turn_fault(messages: list[Message]) -> str | None:
    """What is wrong with the order of the roles."""
    roles = [message.role for message in messages]
    if "user" not in roles:
        return "no_user_turn"
    if "system" in roles[roles.count("system") :]:
        return "late_system_turn"
    return None if roles[-1] == "assistant" else "last_turn_not_assistant"


def call_fault(record: Record) -> Finding | None:
    """What is wrong with the tool calls and their results."""
    waiting: set[str] = set()
    for turn, message in enumerate(record.messages):
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                return Finding("result_without_call", turn)
            waiting.remove(message.tool_call_id)
            continue
        if waiting:
            return Finding("unanswered_call", turn)
        for call in message.tool_calls:
            if fault := wrong_call(call, record.tools):
                return Finding(fault.fault, turn, call.name[:LONGEST], fault.at, fault.rule)
            if call.id in waiting:
                return Finding("repeated_call_id", turn, call.name[:LONGEST])
            waiting.add(call.id)
    return None


def wrong_call(call: ToolCall, tools: list[dict[str, Any]]) -> Wrong | None:
    """What is wrong with a call by the definition of its tool; the last of several with one name counts."""
    if not tools:
        return None
    functions = [tool.get("function") for tool in tools]
    named = [each for each in functions if isinstance(each, dict) and each.get("name") == call.name]
    return wrong(call.arguments, named[-1].get("parameters")) if named else Wrong("unknown_tool")


def undefined(record: Record) -> Finding | None:
    """The first call in a record that defines no tools."""
    called = (turn for turn, message in enumerate(record.messages) if message.tool_calls)
    return None if record.tools or (turn := next(called, None)) is None else Finding("calls_without_tools", turn)


def crowding(messages: list[Message]) -> Finding | None:
    """The first turn that is not its side's. A tool's result hands the turn back to the assistant."""
    expected = "user"
    for turn, message in enumerate(messages):
        if message.role not in ("system", "tool"):
            if message.role != expected:
                return Finding("turns_do_not_alternate", turn)
            expected = "assistant" if message.role == "user" or message.tool_calls else "user"
    return None


def decide(value: list[dict[str, Any]] | None, params: Params) -> str | None:
    """The first fault that is not allowed."""
    if not value:
        return None
    allowed = {"calls_without_tools": not params.require_tools, "turns_do_not_alternate": not params.alternate}
    return next((str(each["fault"]) for each in value if not allowed.get(each["fault"])), None)
