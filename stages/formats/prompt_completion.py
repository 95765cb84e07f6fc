"""Prompt and completion: `{"prompt", "completion"}` (`response` is read too), each a text or a list of messages."""

from typing import Any

from stages.contract.record import Example, Message, Record, ending
from stages.formats import openai


def matches(row: Any) -> bool:
    """Whether the row has a prompt and a completion."""
    return (
        isinstance(row, dict)
        and "prompt" in row
        and ("completion" in row or "response" in row)
        and "rejected" not in row
    )


def read(row: Any) -> Example:
    """The prompt's messages and the completion's; `label` makes it a labelled answer."""
    said = [
        *turns(row["prompt"], "user", "prompt"),
        *turns(row.get("completion", row.get("response")), "assistant", "completion"),
    ]
    return openai.read({"messages": said, "label": row.get("label"), "tools": row.get("tools")})


def turns(given: Any, role: str, field: str) -> list[Any]:
    """A list of messages as it is, a text as one message."""
    return given if isinstance(given, list) else [{"role": role, "content": openai.content(given, field)}]


def write(record: Record) -> dict[str, Any]:
    """Prompt and completion as messages, the form that trainers take for labelled answers."""
    start = ending(record.messages)
    row = {"prompt": parts(record.messages[:start]), "completion": parts(record.messages[start:])}
    return (
        row
        | ({} if record.label is None else {"label": record.label})
        | ({"tools": record.tools} if record.tools else {})
    )


def parts(messages: list[Message]) -> list[dict[str, Any]]:
    """The messages as the format spells them."""
    return [openai.written(message) for message in messages]
