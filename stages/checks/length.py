"""Length in real tokens: too short to teach, or longer than the context it will be trained in."""

from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, encode, prompt, reply
from stages.text.tokens import count_all, count_repeated

ENDINGS = True
REASONS = {
    "prompt_too_short": "the prompt has fewer tokens than min_prompt_tokens",
    "prompt_too_long": "the prompt has more tokens than max_prompt_tokens",
    "reply_too_short": "the reply has fewer tokens than min_reply_tokens",
    "reply_too_long": "the reply has more tokens than max_reply_tokens",
    "record_too_long": "the record, with system and tools, has more tokens than max_tokens",
}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Limits in tokens of the tokenizer named in the report."""

    min_prompt_tokens: Annotated[int, Limits(ge=0)] = 2
    max_prompt_tokens: Annotated[int, Limits(ge=1)] = 8_000
    min_reply_tokens: Annotated[int, Limits(ge=0)] = 2
    max_reply_tokens: Annotated[int, Limits(ge=1)] = 4_000
    max_tokens: Annotated[int, Limits(ge=1)] = 8_192


class Length(Struct):
    """Tokens of the prompt, the reply and everything (system and tools too), and words of the reply."""

    prompt_tokens: int
    reply_tokens: int
    tokens: int
    words: int


def measure(record: Record, params: None = None) -> Length:
    """The record's length; in a losing ending's record the reply is the losing one."""
    return measure_many([record])[0]


def measure_many(records: list[Record], params: None = None) -> list[Length]:
    """The length of each record."""
    replies = [reply(record) for record in records]
    asked, said = count_all([prompt(record) for record in records]), count_all(replies)
    return [
        Length(before, after, before + after + around(record), len(text.split()))
        for record, text, before, after in zip(records, replies, asked, said, strict=True)
    ]


def around(record: Record) -> int:
    """Tokens of what stands around the conversation: system turns and tool definitions."""
    shared = sum(count_repeated(message.content) for message in record.messages if message.role == "system")
    return shared + (count_repeated(encode(record.tools).decode()) if record.tools else 0)


def decide(value: dict[str, int], params: Params) -> str | None:
    """The first limit that is broken."""
    limits = {
        "prompt_too_short": value["prompt_tokens"] < params.min_prompt_tokens,
        "reply_too_short": value["reply_tokens"] < params.min_reply_tokens,
        "prompt_too_long": value["prompt_tokens"] > params.max_prompt_tokens,
        "reply_too_long": value["reply_tokens"] > params.max_reply_tokens,
        "record_too_long": value["tokens"] > params.max_tokens,
    }
    return next((reason for reason, broken in limits.items() if broken), None)
