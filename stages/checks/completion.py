"""Completion: a reply much shorter than what is expected of its topic, or than the usual reply of its source.

Of a declared length 0.8 is a usual ratio; of a median that would drop a third of any source, so nothing is dropped unless
`min_ratio` is set. Lengths are in words; the median is that of the topic within its source where the topic has enough
records, and of the source otherwise.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, answer
from stages.text.prose import count_words

REASONS = {"incomplete": "the reply has less than min_ratio of the words that are expected of its topic or source"}
ENOUGH = 20  # records of a topic: fewer have no median of their own
Value = tuple[str | None, int]


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How short is too short."""

    min_ratio: Annotated[float, Limits(gt=0, le=1, description="words of the reply over those expected")] | None = None
    expected_words: Annotated[
        dict[str, Annotated[int, Limits(ge=1)]],
        Limits(description="by topic; a topic that is not named has its median"),
    ] = {}


def measure(record: Record, params: None = None) -> Value:
    """The topic, and the words of what the assistant says last."""
    return record.meta.topic, count_words(answer(record))


def summary(values: Iterable[Value], params: Params) -> dict[str | None, int]:
    """The median number of words by topic, and of the whole source under None; nothing if nothing asks for it."""
    if params.min_ratio is None:
        return {}
    sizes: dict[str | None, Counter[int]] = {None: Counter()}
    for topic, words in values:
        sizes[None][words] += 1
        if topic is not None:
            sizes.setdefault(topic, Counter())[words] += 1
    return {topic: median(sizes[topic]) for topic in sizes if topic is None or sizes[topic].total() >= ENOUGH}


def median(counted: Counter[int]) -> int:
    """The lower median of counted numbers; 0 of none."""
    left = (counted.total() + 1) // 2
    for number in sorted(counted):
        left -= counted[number]
        if left <= 0:
            return number
    return 0


def decide(value: Value, params: Params, usual: dict[str | None, int] | None = None) -> str | None:
    """Fewer words than the ratio of those expected."""
    if params.min_ratio is None:
        return None
    topic, words = value
    expected = params.expected_words.get(topic or "") or (usual or {}).get(topic) or (usual or {}).get(None, 0)
    return "incomplete" if words < params.min_ratio * expected else None
