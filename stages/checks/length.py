"""Length: too short to teach, longer than the context it will be trained in, or far longer than the rest of its source.

Tokens are real ones. Words are what spaces part, and each letter of Chinese or Japanese. A least length of 20 words, which
is often advised, drops most questions that people ask: limits in words and characters are off unless they are set.
"""

import math
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, encode, prompt, reply
from stages.text.prose import count_words
from stages.text.tokens import count_all, count_repeated

ENDINGS = True
REASONS = {
    "prompt_too_short": "the prompt has fewer tokens, words or characters than filter.length allows",
    "prompt_too_long": "the prompt has more tokens, words or characters than filter.length allows",
    "reply_too_short": "the reply has fewer tokens, words or characters than filter.length allows",
    "reply_too_long": "the reply has more tokens, words or characters than filter.length allows",
    "record_too_long": "the record has more tokens, with system and tools, or characters than filter.length allows",
    "length_outlier": "the record is many times as long as 99 of 100 records of its source",
}
LARGE = 100  # records: fewer have no 99th percentile
P99 = 0.99
MEASURED = {"reply_words": "words"}
Least = Annotated[int, Limits(ge=0)]
Most = Annotated[int, Limits(ge=1)]


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Limits in tokens of the tokenizer named in the report, in words and in characters; null is no limit."""

    min_prompt_tokens: Least = 2
    max_prompt_tokens: Most = 8_000
    min_reply_tokens: Least = 2
    max_reply_tokens: Most = 4_000
    max_tokens: Most = 8_192
    min_prompt_words: Least | None = None
    max_prompt_words: Most | None = None
    min_reply_words: Least | None = None
    max_reply_words: Most | None = None
    min_prompt_characters: Least | None = None
    max_prompt_characters: Most | None = None
    min_reply_characters: Least | None = None
    max_reply_characters: Most | None = None
    max_characters: Annotated[int, Limits(ge=1, description="of prompt and reply together")] | None = None
    max_times_p99: (
        Annotated[float, Limits(ge=1, description="tokens, as a multiple of the 99th percentile of the source")] | None
    ) = None


class Length(Struct):
    """Tokens of the prompt, the reply and everything (system and tools too); `words` are the reply's."""

    prompt_tokens: int
    reply_tokens: int
    tokens: int
    words: int
    prompt_words: int
    prompt_characters: int
    reply_characters: int


def measure(record: Record, params: None = None) -> Length:
    """The record's length; in a losing ending's record the reply is the losing one."""
    return measure_many([record])[0]


def measure_many(records: list[Record], params: None = None) -> list[Length]:
    """The length of each record."""
    prompts, replies = [prompt(record) for record in records], [reply(record) for record in records]
    tokens = zip(count_all(prompts), count_all(replies), strict=True)
    return [
        Length(
            before, after, before + after + around(record), count_words(said), count_words(asked), len(asked), len(said)
        )
        for record, asked, said, (before, after) in zip(records, prompts, replies, tokens, strict=True)
    ]


def around(record: Record) -> int:
    """Tokens of what stands around the conversation: system turns and tool definitions."""
    shared = sum(count_repeated(message.content) for message in record.messages if message.role == "system")
    return shared + (count_repeated(encode(record.tools).decode()) if record.tools else 0)


def summary(values: Iterable[dict[str, int]], params: Params) -> int | None:
    """The 99th percentile of the records' tokens (nearest rank); None if nothing asks for it or there are too few."""
    if params.max_times_p99 is None:
        return None
    counted = Counter(value["tokens"] for value in values)
    left = counted.total() - int(P99 * counted.total())
    if counted.total() < LARGE:
        return None
    for tokens in sorted(counted, reverse=True):
        left -= counted[tokens]
        if left <= 0:
            break
    return tokens


def decide(value: dict[str, int], params: Params, p99: int | None = None) -> str | None:
    """The first limit that is broken."""
    for reason, measured, lowest, highest in bounds(params):
        if not lowest <= value[measured] <= highest:
            return reason
    if params.max_characters and value["prompt_characters"] + value["reply_characters"] > params.max_characters:
        return "record_too_long"
    far = p99 is not None and params.max_times_p99 is not None and value["tokens"] > params.max_times_p99 * p99
    return "length_outlier" if far else None


@cache
def bounds(params: Params) -> list[tuple[str, str, float, float]]:
    """The reason, what it is measured by, the lowest and the highest value of every limit that is set."""
    found = [
        (f"{side}_too_{ending}", MEASURED.get(f"{side}_{unit}", f"{side}_{unit}"), f"{least}_{side}_{unit}")
        for ending, least in (("short", "min"), ("long", "max"))
        for unit in ("tokens", "words", "characters")
        for side in ("prompt", "reply")
    ]
    found.append(("record_too_long", "tokens", "max_tokens"))
    limits = ((reason, measured, name, getattr(params, name)) for reason, measured, name in found)
    return [
        (reason, measured, limit if name.startswith("min") else 0, limit if name.startswith("max") else math.inf)
        for reason, measured, name, limit in limits
        if limit is not None
    ]
