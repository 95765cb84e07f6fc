"""Encoding damage: text that was decoded wrongly on its way here, and teaches a model to write it.

Mojibake is told by ftfy's patterns, which find 109 of its 112 damaged examples and flag 7 of its 49 clean ones. `collect`
takes control characters out, so that none is left unless a record was made otherwise.
"""

from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, prompt, reply
from stages.text.damage import damage

REASONS = {
    "mojibake": "the text was decoded wrongly, as in `donâ€™t`",
    "replacement_characters": "the text has characters (U+FFFD) that stand for what could not be decoded",
    "control_characters": "the text has control characters other than tabs and line ends",
}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How much damage a reply and a prompt may have; who asks about garbled text quotes some."""

    max_reply_mojibake: Annotated[int, Limits(ge=0, description="sequences of wrongly decoded characters")] = 0
    max_prompt_mojibake: Annotated[int, Limits(ge=0, description="the same in the prompt")] = 2
    max_reply_replacement: Annotated[int, Limits(ge=0, description="characters U+FFFD")] = 0
    max_prompt_replacement: Annotated[int, Limits(ge=0, description="the same in the prompt")] = 2
    max_control: Annotated[int, Limits(ge=0, description="control characters in prompt and reply")] = 0


def measure(record: Record, params: None = None) -> dict[str, dict[str, int]]:
    """How often each kind of damage stands in prompt and reply; what has none is left out."""
    asked, said = damage(prompt(record)), damage(reply(record))
    return ({"prompt": asked} if asked else {}) | ({"reply": said} if said else {}) if asked or said else {}


def decide(value: dict[str, dict[str, int]], params: Params) -> str | None:
    """The first kind above its limit."""
    if not value:
        return None
    asked, said = value.get("prompt", {}), value.get("reply", {})
    limits = {
        "mojibake": said.get("mojibake", 0) > params.max_reply_mojibake
        or asked.get("mojibake", 0) > params.max_prompt_mojibake,
        "replacement_characters": said.get("replacement", 0) > params.max_reply_replacement
        or asked.get("replacement", 0) > params.max_prompt_replacement,
        "control_characters": said.get("control", 0) + asked.get("control", 0) > params.max_control,
    }
    return next((reason for reason, broken in limits.items() if broken), None)
