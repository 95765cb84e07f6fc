"""Label leakage: the prompt already holds the reply behind a cue, as in "Summarise this: … SUMMARY: <the reply>".

That the longest common part of prompt and reply is above 40 % of the reply is a sign, but taken alone it drops every
extraction, correction and multiple-choice question. So the part must also be the reply's beginning and follow a cue such as
"Summary:" or "Answer:", and either end the prompt or be long. What is copied without a cue is for `copied`. The cues are
English; behind others nothing is found.
"""

import re
from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, answer, prompt
from stages.text.prose import begin_alike

REASONS = {"label_leakage": "the prompt holds the reply behind a cue such as `Summary:`"}
CUE = re.compile(
    r"(?:^|[^a-z])(?:summary|summarization|tl;?dr|answer|output|response|reply|label|target|completion|solution|translation|"
    r"result|conclusion|a|assistant|ai|gold|reference|ground truth)[ \t]*[*_`\"'#]{0,3}[ \t]*(?::|=|=>|->)[*_`\"'#\s]{0,6}$"
)
BEFORE = 40  # characters in which a cue stands
HEAD = 24  # characters of the reply that are looked for
LONG = 40  # characters: a shorter part must end the prompt, because examples and options are short too


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How much of a reply may stand in its prompt behind a cue."""

    max_leaked: Annotated[float, Limits(ge=0, le=1, description="share of the reply's characters")] = 0.4


def measure(record: Record, params: None = None) -> float:
    """Share of the reply that the prompt holds behind a cue, from 0 to 1."""
    said = answer(record).strip()
    return behind_a_cue(said, prompt(record).rstrip()) if said else 0.0


def behind_a_cue(said: str, asked: str) -> float:
    """The share, of the last place in the prompt where the reply's beginning stands."""
    place = asked.rfind(said[:HEAD])
    if place <= 0 or not CUE.search(asked[max(0, place - BEFORE) : place].lower()):
        return 0.0
    part = begin_alike(said, asked[place:])
    return round(part / len(said), 3) if part >= LONG or place + part >= len(asked) - 1 else 0.0


def decide(value: float, params: Params) -> str | None:
    """More than the limit."""
    return "label_leakage" if value > params.max_leaked else None
