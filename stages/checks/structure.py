"""Roles, turn order and tool calls: what a chat template or a trainer would refuse, or train on wrongly."""

from typing import Any

from msgspec import Struct

from stages.contract.record import Message, Record

ENDINGS = True
REASONS = {
    "no_user_turn": "nobody asks anything",
    "late_system_turn": "a system turn stands after another turn",
    "last_turn_not_assistant": "the conversation does not end with the assistant",
    "unknown_tool": "a call names a tool that the record does not define",
    "missing_argument": "a call lacks an argument that its tool requires",
    "unknown_argument": "a call has an argument that its tool does not define",
    "unanswered_call": "a call in the middle of the conversation has no result",
    "result_without_call": "a tool's result answers no call",
}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Nothing to set: a broken structure is never trained on."""


def measure(record: Record, params: None = None) -> str | None:
    """The first thing that is wrong, or None."""
    return turn_fault(record.messages) or call_fault(record)


def turn_fault(messages: list[Message]) -> str | None:
    """What is wrong with the order of the roles."""
    roles = [message.role for message in messages]
    if "user" not in roles:
        return "no_user_turn"
    if "system" in roles[roles.count("system") :]:
        return "late_system_turn"
    return None if roles[-1] == "assistant" else "last_turn_not_assistant"


def call_fault(record: Record) -> str | None:
    """What is wrong with the tool calls and their results."""
    schemas = {
        tool["function"].get("name"): tool["function"].get("parameters")
        for tool in record.tools
        if isinstance(tool.get("function"), dict) and isinstance(tool["function"].get("name"), str)
    }
    waiting: set[str] = set()
    for message in record.messages:
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                return "result_without_call"
            waiting.remove(message.tool_call_id)
            continue
        if waiting:
            return "unanswered_call"
        for call in message.tool_calls:
            fault = argument_fault(call.arguments, schemas[call.name]) if call.name in schemas else "unknown_tool"
            if fault and record.tools:
                return fault
            waiting.add(call.id)
    return None


def argument_fault(arguments: dict[str, Any], schema: Any) -> str | None:
    """Whether the names of the arguments are those that the tool's schema requires and defines."""
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        return None
    required = schema.get("required") or []
    if isinstance(required, list) and any(str(name) not in arguments for name in required):
        return "missing_argument"
    closed = schema.get("additionalProperties") is not True
    return "unknown_argument" if closed and any(name not in schema["properties"] for name in arguments) else None


def decide(value: str | None, params: Params) -> str | None:
    """The fault is the reason."""
    return value
