"""Encoding damage: text that was decoded wrongly on its way here, and teaches a model to write it.

Mojibake is told by ftfy's patterns, which find 108 of its 112 damaged examples and flag 6 of its 49 clean ones. `collect`
takes control characters out, so that none is left unless a record was made otherwise.
"""

from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, conversation
from stages.text.damage import damage

REASONS = {
    "mojibake": "the text was decoded wrongly, as in `donâ€™t`",
    "replacement_characters": "the text has characters (U+FFFD) that stand for what could not be decoded",
    "control_characters": "the text has control characters other than tabs and line ends",
}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How much damage a record may have."""

    max_mojibake: Annotated[int, Limits(ge=0, description="sequences of wrongly decoded characters")] = 0
    max_replacement: Annotated[int, Limits(ge=0, description="characters U+FFFD")] = 0
    max_control: Annotated[int, Limits(ge=0, description="control characters")] = 0


def measure(record: Record, params: None = None) -> dict[str, int]:
    """How often each kind of damage stands in the record; kinds that do not are left out."""
    return damage(conversation(record))


def decide(value: dict[str, int], params: Params) -> str | None:
    """The first kind above its limit."""
    limits = {
        "mojibake": value.get("mojibake", 0) > params.max_mojibake,
        "replacement_characters": value.get("replacement", 0) > params.max_replacement,
        "control_characters": value.get("control", 0) > params.max_control,
    }
    return next((reason for reason, broken in limits.items() if broken), None) if value else None
