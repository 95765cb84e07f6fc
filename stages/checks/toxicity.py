"""Insults, threats, obscenity and hatred of groups of people, in English: how much the worst piece of a text reads like it.

A linear model of words and letters scores each piece of WORDS words, 0 to 1. It knows how people write such things, not
what they mean: it takes some quotations and reports of hatred for hatred, and misses what is polite. Above 0.95 it takes a
sixth of HateCheck's speech against hatred and 4 % of its harmless sentences; a higher cut loses more of the hatred than of
those. All groups of people are one word to it, so that none scores higher than another; words that are only insults are left
to it.
"""

import re
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, prompt, reply
from stages.text import linear

REASONS = {
    "toxic_prompt": "a piece of the prompt is as toxic as max_prompt does not allow",
    "toxic_reply": "a piece of the reply is as toxic as max_reply does not allow",
}
STRETCHED = re.compile(r"(\w)\1{2,}")
WORDS = 50  # of a piece: about what one comment has, which the model was fitted on
GROUPS = frozenset(
    re.findall(
        r"\w+",
        """
        women woman men girl girls boys muslim muslims islam islamic christian christians christianity jew
        jews jewish judaism hindu hindus buddhist buddhists sikh sikhs atheist atheists catholic catholics
        protestant protestants mormon mormons immigrant immigrants migrant migrants refugee refugees foreigner
        foreigners gay gays lesbian lesbians homosexual homosexuals bisexual bisexuals trans transgender
        transsexual queer african africans asian asians arab arabs mexican mexicans indian indians pakistani
        pakistanis chinese japanese korean koreans russian russians german germans french polish poles turk
        turks turkish latino latinos latina latinas hispanic hispanics american americans european europeans
        black blacks white whites disabled deaf blind elderly autistic
        """,
    )
)
"""What people are called by sex, faith, origin, love or body, without words that are themselves insults."""


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How toxic a piece may be, from 0 to 1; a prompt may be worse than a reply where refusing is to be learned."""

    max_prompt: Annotated[float, Limits(ge=0, le=1, description="score of the worst piece of the prompt")] = 0.95
    max_reply: Annotated[float, Limits(ge=0, le=1, description="score of the worst piece of the reply")] = 0.95


class Toxicity(Struct):
    """The score of the worst piece of the prompt and of the reply, 0 to 1."""

    prompt: float
    reply: float


def measure(record: Record, params: None = None) -> Toxicity:
    """The scores of both sides. A losing ending is not looked at: that it is toxic may be why it lost."""
    return measure_many([record])[0]


def measure_many(records: list[Record], params: None = None) -> list[Toxicity]:
    """The same of many records at once."""
    asked = linear.worst("toxicity", (pieces(prompt(record)) for record in records))
    said = linear.worst("toxicity", (pieces(reply(record)) for record in records))
    return list(map(Toxicity, asked, said))


def pieces(text: str) -> Iterator[list[str]]:
    """The words of a text, so many at a time; groups of people are one word, and a stretched letter stands twice."""
    words = ["<group>" if word in GROUPS else word for word in linear.words(STRETCHED.sub(r"\1\1", text))]
    for start in range(0, len(words), WORDS):
        yield words[start : start + WORDS]


def decide(value: dict[str, float], params: Params) -> str | None:
    """Whichever side is too toxic, the reply first."""
    if value["reply"] > params.max_reply:
        return "toxic_reply"
    return "toxic_prompt" if value["prompt"] > params.max_prompt else None
