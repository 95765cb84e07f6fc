"""Boilerplate: a short reply of sentences that many records of its source have too, such as "I'll escalate this."

The measure is a number for each sentence of a short reply; how many records have it is counted over the source. Labels of a
classification are as frequent and are no boilerplate, so sentences of fewer than three words do not count, and nothing is
dropped unless `action` says so.
"""

import zlib
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, answer

REASONS = {"boilerplate": "every sentence of the reply stands in many other replies of the source"}
LONGEST = 200  # characters: a longer reply is not made of boilerplate alone
WORDS = 3  # that a sentence must have


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How frequent a sentence must be, and what becomes of a reply that has no other."""

    min_records: Annotated[int, Limits(ge=2, description="records of the source that have the sentence")] = 10
    min_share: Annotated[float, Limits(ge=0, le=1, description="of the records of the source that have it")] = 0.01
    action: Annotated[Literal["keep", "count", "drop"], Limits(description="what becomes of such a reply")] = "count"


def measure(record: Record, params: None = None) -> list[int]:
    """A number for each sentence of the assistant's last turn that has WORDS words; none if the turn is long."""
    text = answer(record)
    if len(text) > LONGEST or text.count(" ") < WORDS - 1:
        return []
    sentences = text.lower().replace("!", ".").replace("?", ".").replace("\n", ".").split(".")
    return [zlib.crc32(" ".join(words).encode()) for words in map(str.split, sentences) if len(words) >= WORDS]


def summary(values: Iterable[list[int]], params: Params) -> frozenset[int]:
    """The sentences that are frequent in the source."""
    counted: Counter[int] = Counter()
    records = 0
    for sentences in values:
        records += 1
        counted.update(set(sentences))
    least = max(params.min_records, params.min_share * records)
    return frozenset(sentence for sentence, count in counted.items() if count >= least)


def decide(value: list[int], params: Params, frequent: frozenset[int] = frozenset()) -> str | None:
    """Nothing but frequent sentences."""
    return "boilerplate" if value and frequent.issuperset(value) else None
