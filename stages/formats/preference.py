"""Preference pairs: a prompt with a winning and a losing ending.

Read: `prompt` (or Alpaca's `instruction` and `input`) with `chosen` and `rejected` as texts or messages; chosen and rejected
as whole conversations, also as one text each, with "\\n\\nHuman: " and "\\n\\nAssistant: " in it; ShareGPT turns with
`chosen` and `rejected` turns; OpenAI's `input`/`preferred_output`/`non_preferred_output`, which is also what is written.
"""

import re
from typing import Any

from stages.contract.record import Example, Fault, Record, ending
from stages.formats import alpaca, openai, sharegpt

SPEAKERS = {"Human": "user", "Assistant": "assistant"}
SPEAKER = re.compile(r"\n\n(Human|Assistant):")


def matches(row: Any) -> bool:
    """Whether the row has two endings."""
    return isinstance(row, dict) and (
        ("chosen" in row and "rejected" in row) or ("preferred_output" in row and "non_preferred_output" in row)
    )


def read(row: Any) -> Example:
    """The conversation with the winning ending, and the losing ending beside it."""
    if "preferred_output" in row:
        given = row.get("input") if isinstance(row.get("input"), dict) else {}
        row = {
            **given,
            "prompt": given.get("messages"),
            "chosen": row["preferred_output"],
            "rejected": row["non_preferred_output"],
        }
    start = beginning(row)
    chosen, rejected = turns(row.get("chosen"), "chosen"), turns(row.get("rejected"), "rejected")
    same = shared(chosen, rejected)
    if same[0][: len(start)] == start:  # whole conversations, whether or not their prompt also stands beside them
        start, chosen, rejected = same
    whole = openai.messages([*start, *chosen], "chosen")
    cut = ending(
        whole[: len(start)]
    )  # where `write` cuts too: what stands after the last question belongs to both endings
    losing = openai.messages([*start, *rejected], "rejected")[cut:]
    if not rejected or len(whole) == len(start):
        raise Fault("missing_ending", {"chosen_turns": len(chosen), "rejected_turns": len(rejected)})
    if chosen == rejected:
        raise Fault("same_endings", {"turns": len(chosen)})
    if any(message.role == "user" for message in (*whole[cut:], *losing)):
        raise Fault("endings_with_questions", {"chosen_turns": len(chosen), "rejected_turns": len(rejected)})
    return Example(whole, openai.tools(row.get("tools")), losing)


def beginning(row: dict[str, Any]) -> list[Any]:
    """The messages before the two endings."""
    if "conversations" in row:
        return [*sharegpt.opening(row), *map(sharegpt.as_message, listed(row["conversations"], "conversations"))]
    if "instruction" in row:
        return [openai.written(message) for message in alpaca.asked(row)]
    given = row.get("prompt", row.get("messages", row.get("question")))
    if given is None:
        return []
    return [*sharegpt.opening(row), *(given if isinstance(given, list) else [{"role": "user", "content": given}])]


def turns(given: Any, field: str) -> list[Any]:
    """An ending as messages, whichever of the four ways it came in."""
    if isinstance(given, str):
        return transcript(given) if SPEAKER.match(given) else [{"role": "assistant", "content": given}]
    found = listed([given] if isinstance(given, dict) else given, field)
    return [sharegpt.as_message(turn) if isinstance(turn, dict) and "from" in turn else turn for turn in found]


def transcript(text: str) -> list[Any]:
    """A whole conversation written down in one text, as hh-rlhf has it."""
    _, *parts = SPEAKER.split(text)
    spoken = zip(parts[::2], parts[1::2], strict=True)
    return [{"role": SPEAKERS[name], "content": said.strip()} for name, said in spoken]


def listed(given: Any, field: str) -> list[Any]:
    """A value that must be a list."""
    if not isinstance(given, list):
        raise Fault("wrong_type", {"field": field, "expected": "list", "found": type(given).__name__})
    return given


def shared(chosen: list[Any], rejected: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Two whole conversations as their common beginning and their two endings."""
    same = next(
        (n for n, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b), min(len(chosen), len(rejected))
    )
    return chosen[:same], chosen[same:], rejected[same:]


def write(record: Record) -> dict[str, Any]:
    """The pair in OpenAI's form."""
    start = ending(record.messages)
    given: dict[str, Any] = {"messages": [openai.written(message) for message in record.messages[:start]]}
    return {
        "input": given | ({"tools": record.tools} if record.tools else {}),
        "preferred_output": [openai.written(message) for message in record.messages[start:]],
        "non_preferred_output": [openai.written(message) for message in record.rejected],
    }
