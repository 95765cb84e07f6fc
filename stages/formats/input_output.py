"""Input and output: `{"input", "output", "system"?}`. Declare `fields` to read any two columns as these."""

from typing import Any

from stages.contract.record import Example, Message
from stages.formats import text, texts


def matches(row: Any) -> bool:
    """Whether the row has an input and an output and no instruction."""
    return texts(row, "input", "output") and "instruction" not in row


def read(row: Any) -> Example:
    """One exchange."""
    system = [Message("system", text(row["system"], "system"))] if row.get("system") else []
    return Example(
        [
            *system,
            Message("user", text(row.get("input"), "input")),
            Message("assistant", text(row.get("output"), "output")),
        ]
    )
