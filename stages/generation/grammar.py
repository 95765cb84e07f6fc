"""Rows from a pack's templates: offline, each topic with its share, and each row unlike the others.

Topics and styles take turns, and words are drawn for each turn by a keyed hash of its number. So a row depends on its
number and the pack alone, and a larger count keeps the rows of a smaller one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count, product
from typing import Any

from stages.contract.params import stop, value
from stages.contract.record import Message, Record, draw, encode, joined
from stages.formats import openai
from stages.generation.pack import STYLE, Pack, Topic, Way, shares
from stages.text.templates import filled

METHOD = "template"
RECALL = 0.999  # of pairs at the floor that are looked at
TRIED = 4  # candidates per row that is asked for


def template_rows(records: list[Record], pack: Pack, asked: int, seed: int, file: str) -> list[dict[str, Any]]:
    """The first candidates of each topic that are unlike the seeds and each other, `asked` in all."""
    share = shares(asked, pack.counts)
    unlike = novel(candidates(seeds_of(records), pack, share, seed, file), [joined(each.messages) for each in records])
    taken: Counter[str] = Counter()
    opened: set[bytes] = set()
    rows = []
    for row in unlike:
        start = opening(row)
        if taken[row["topic"]] < share[row["topic"]] and start not in opened:
            taken[row["topic"]] += 1
            opened.add(start)
            rows.append(row)
    short = [topic for topic in pack.topics if taken[topic] < share[topic]]
    if short:
        raise stop(
            f"{file}: topics.{short[0]}: its templates give only {taken[short[0]]} rows unlike each other and "
            f"generate.count asks for {share[short[0]]} of it; add words or ways to say it, or lower generate.count"
        )
    return rows


def seeds_of(records: Iterable[Record]) -> dict[str | None, Record]:
    """One seed for each topic: the last."""
    return {record.meta.topic: record for record in records}


def candidates(
    seeds: dict[str | None, Record], pack: Pack, share: dict[str, int], seed: int, file: str
) -> list[dict[str, Any]]:
    """Rows of every topic in turn, TRIED times as many as its share."""
    turns = list(product(sorted(pack.topics), sorted(pack.axes[STYLE])))
    left = {topic: TRIED * wanted for topic, wanted in share.items()}
    rows: list[dict[str, Any]] = []
    for number in count():
        if not any(left.values()):
            return rows
        topic, style = turns[number % len(turns)]
        if left[topic]:
            left[topic] -= 1
            rows.append(row(pack, topic, style, seeds.get(topic), seed, number, file))
    raise AssertionError


def pick(choices: list[Any], seed: int, *what: Any) -> Any:
    """One of the choices, by a keyed hash."""
    return choices[int(draw(seed, "generate", *what) * len(choices))]


def drawn(pack: Pack, seed: int, number: int) -> dict[str, str]:
    """A word for each field: of a slot of mappings one mapping, whole."""
    words: dict[str, str] = {}
    for slot, values in pack.words.items():
        found = pick(values, seed, slot, number)
        words |= found if isinstance(found, dict) else {slot: found}
    return words


def row(pack: Pack, name: str, style: str, example: Record | None, seed: int, number: int, file: str) -> dict[str, Any]:
    """One conversation: what is said, the call and its result if the topic has a tool, the answer, and what follows."""
    topic, words = pack.topics[name], drawn(pack, seed, number)
    way: Way = pick(topic.ways, seed, "way", number)
    said = filled(pick(way.say[style], seed, "say", number), words, file)
    answer = filled(pick(way.answer, seed, "answer", number), words, file)
    turns = [
        *system(pack, example),
        {"role": "user", "content": said[:1].upper() + said[1:]},
        *called(topic, words, file),
        {"role": "assistant", "content": answer},
        *following(way, answer, words, seed, number, file),
    ]
    extra = filled(pack.extra | topic.extra, words, file) | way.axes | {"method": METHOD, STYLE: style}
    kept = {"tools": example.tools} if example and example.tools else {}
    return {"messages": turns, **kept, "topic": name, "extra": extra | ({"facts": True} if pack.facts else {})}


def system(pack: Pack, example: Record | None) -> list[dict[str, Any]]:
    """The pack's system turn, or the seed's."""
    if pack.system is not None:
        return [{"role": "system", "content": pack.system}]
    return [openai.written(message) for message in (example.messages if example else []) if message.role == "system"]


def called(topic: Topic, words: dict[str, str], file: str) -> list[dict[str, Any]]:
    """The call of the topic's tool and what it gives back."""
    if topic.tool is None:
        return []
    arguments, result = filled(topic.call, words, file), filled(topic.result, words, file)
    function = {"name": topic.tool, "arguments": encode(arguments).decode()}
    return [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": function, "id": "call", "type": "function"}],
        },
        {"role": "tool", "tool_call_id": "call", "content": encode(result).decode()},
    ]


def following(way: Way, told: str, words: dict[str, str], seed: int, number: int, file: str) -> list[dict[str, Any]]:
    """One of the way's further questions with its answer, or, as often as each of them, none; nothing is told twice."""
    turn = pick([None, *way.then], seed, "then", number)
    if turn is None:
        return []
    said, answer = (
        pick(each, seed, "then", which, number) for which, each in (("say", turn.say), ("answer", turn.answer))
    )
    again = filled(answer, words, file)
    asked = {"role": "user", "content": filled(said, words, file)}
    return [] if again in told else [asked, {"role": "assistant", "content": again}]


def novel(rows: list[dict[str, Any]], seen: list[str]) -> Iterator[dict[str, Any]]:
    """The rows that are less alike than dedup.floor to the seen texts and to each row before."""
    from stages.text.near import Bounds, near_texts

    floor = value("dedup.floor", float)
    texts = [*seen, *map(text, rows)]
    alike = near_texts(texts, Bounds(floor, floor, RECALL, len(texts)))
    return (each for each, survivor in zip(rows, alike.survivor[len(seen) :], strict=True) if survivor < 0)


def opening(row: dict[str, Any]) -> bytes:
    """The first exchange of a row: one that only goes on where another ends is not new."""
    later = [place for place, turn in enumerate(row["messages"]) if turn["role"] == "user"][1:]
    return encode(row["messages"][: later[0]] if later else row["messages"])


def text(row: dict[str, Any]) -> str:
    """The row's text as dedup will compare it."""
    messages: list[Message] = openai.messages(row["messages"])
    return joined(messages)
