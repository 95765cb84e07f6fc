"""Tools that are defined and never called, and calls that the row itself forbids: counted, or dropped.

A model should see tools that it does not need, so unused ones are a score. `parallel_tool_calls: false` beside two
calls in one turn is a contradiction of the row, which trainers pass on to the template.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record

REASONS = {
    "unused_tools": "more of the tools than max_unused are never called",
    "wrong_parallel_flag": "the row says that calls are never parallel, and some are",
}
FLAG = "parallel_tool_calls"


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How many tools may go unused, and what becomes of a record with more, or with a wrong flag."""

    max_unused: Annotated[
        Annotated[int, Limits(ge=0)] | None, Limits(description="tools that are never called; null takes any number")
    ] = None
    action: Annotated[Literal["keep", "count", "drop"], Limits(description="what becomes of such a record")] = "count"


class Used(Struct):
    """Tools defined and not called; calls, and those of the turn with most; whether the row forbids parallel ones."""

    defined: int
    unused: int
    calls: int
    parallel: int
    wrong_flag: bool


def measure(record: Record, params: None = None) -> Used | None:
    """How a record uses its tools; None if it has none and calls none."""
    if not record.tools and not any(message.tool_calls for message in record.messages):
        return None
    calls = [call.name for message in record.messages for call in message.tool_calls]
    parallel = max((len(message.tool_calls) for message in record.messages), default=0)
    functions = (tool.get("function") for tool in record.tools)
    names = {str(function.get("name")) for function in functions if isinstance(function, dict)}
    forbidden = record.meta.extra.get(FLAG) is False
    return Used(len(names), len(names - set(calls)), len(calls), parallel, forbidden and parallel > 1)


def decide(value: dict[str, Any] | None, params: Params) -> str | None:
    """More unused tools than allowed, or a flag that is wrong."""
    if not value:
        return None
    if params.max_unused is not None and value["unused"] > params.max_unused:
        return "unused_tools"
    return "wrong_parallel_flag" if value["wrong_flag"] else None
