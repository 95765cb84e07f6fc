"""A record as people read it: its turns with their roles, tool calls with their arguments, all within a length."""

import json
import re
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from html import escape
from itertools import chain, repeat
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from stages.contract.record import Message, Record, ending, kind
from stages.text.visible import visible

T = TypeVar("T")

TURNS = 12  # shown of a conversation
SHORT = 160  # characters of a name
TURN_BYTES, MARK_BYTES = 160, 13  # of markup around a turn, and around words that are new
WORDS = re.compile(r"\S+\s*|\s+")  # words with the white space after them: alone it would match everywhere, and slowly


class Piece(Struct, frozen=True):
    """The start of a text, and how many characters are left out; compared, its runs of words, each new or not."""

    text: str
    more: int = 0
    runs: tuple[tuple[str, bool], ...] = ()


class Call(Struct, frozen=True):
    """A tool call: the tool's name and the arguments as indented JSON."""

    name: str
    arguments: Piece


class Turn(Struct, frozen=True):
    """One turn."""

    role: str
    said: Piece
    calls: tuple[Call, ...] = ()


class Excerpt(Struct, frozen=True):
    """A record: the turns that all endings share, then its endings, each with a heading."""

    id: str
    kind: str
    topic: str | None
    turns: tuple[Turn, ...]
    endings: tuple[tuple[str, tuple[Turn, ...]], ...] = ()
    tools: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def peek(self) -> str:
        """The first words of what is asked, in one line."""
        asked = next((turn for turn in self.turns if turn.role == "user"), None) or next(iter(self.turns), None)
        words = " ".join(asked.said.text.split()) if asked else ""
        return named(words)


class Room:
    """The characters that are left for one record."""

    def __init__(self, characters: int) -> None:
        self.left = characters

    def cut(self, text: str, most: int | None = None) -> Piece:
        """As much of the text as there is room for."""
        taken = text[: max(0, min(self.left, most or self.left))]
        self.left -= len(taken)
        return Piece(taken, len(text) - len(taken))


def named(name: str) -> str:
    """A name that may be long, cut."""
    return name if len(name) <= SHORT else name[:SHORT] + "…"


def excerpt(record: Record, characters: int) -> Excerpt:
    """The start of a record; all its texts together have at most so many characters."""
    room, shared = Room(characters), record.messages
    endings: list[tuple[str, list[Message]]] = []
    if record.rejected:
        place = ending(record.messages)
        shared, endings = record.messages[:place], [("chosen", record.messages[place:]), ("rejected", record.rejected)]
    if record.label is not None:
        endings = [("labelled as a good answer" if record.label else "labelled as a bad answer", [])]
    return Excerpt(
        record.id,
        kind(record),
        record.meta.topic and named(record.meta.topic),
        turns(shared, room),
        tuple((heading, turns(messages, room)) for heading, messages in endings),
        tuple(named(name) for name in tool_names(record)[:TURNS]),
        sum(max(0, len(each) - TURNS) for each in (shared, *(messages for _, messages in endings))),
    )


def turns(messages: list[Message], room: Room) -> tuple[Turn, ...]:
    """The first turns."""
    return tuple(
        Turn(
            f"{message.role} {named(message.name)}" if message.name else message.role,
            room.cut(message.content),
            tuple(Call(named(call.name), room.cut(indented(call.arguments))) for call in message.tool_calls[:TURNS]),
        )
        for message in messages[:TURNS]
    )


def compared(shown: Excerpt, other: Excerpt) -> Excerpt:
    """The excerpt with the words that the other one has not in the same turn told apart."""
    endings = zip(shown.endings, other.endings, strict=False)
    return replace(
        shown,
        turns=compared_turns(shown.turns, other.turns),
        endings=tuple((heading, compared_turns(own, others)) for (heading, own), (_, others) in endings),
    )


def compared_turns(own: tuple[Turn, ...], others: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Each turn against the one in the same place; one too many is all new."""
    texts = chain((turn.said.text for turn in others), repeat(""))
    return tuple(
        replace(turn, said=replace(turn.said, runs=runs(turn.said.text, text)))
        for turn, text in zip(own, texts, strict=False)
    )


def runs(text: str, other: str) -> tuple[tuple[str, bool], ...]:
    """The text cut where words begin or end that the other one has not."""
    words = WORDS.findall(text)
    bare, others = ([word.strip() for word in each] for each in (words, WORDS.findall(other)))
    steps = SequenceMatcher(None, others, bare, autojunk=False).get_opcodes()
    return tuple(("".join(words[start:end]), step != "equal") for step, _, _, start, end in steps if start < end)


def indented(value: object) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def tool_names(record: Record) -> list[str]:
    """The names of the tools that the record offers."""
    functions = (tool.get("function") for tool in record.tools)
    return [str(function.get("name", "")) for function in functions if isinstance(function, dict)]


def size(shown: Excerpt | None) -> int:
    """Bytes that the excerpt takes in the page, markup included."""
    if shown is None:
        return 0
    every = [*shown.turns, *(turn for _, turns in shown.endings for turn in turns)]
    texts = [shown.topic or "", shown.peek, *shown.tools]
    texts += [text for turn in every for text in (turn.role, turn.said.text)]
    texts += [text for turn in every for call in turn.calls for text in (call.name, call.arguments.text)]
    marks = MARK_BYTES * sum(len(turn.said.runs) for turn in every)
    return marks + sum(map(written, texts)) + TURN_BYTES * (len(every) + sum(len(turn.calls) for turn in every))


def written(text: str) -> int:
    """Bytes of a text once it is escaped."""
    return len(escape(visible(text)).encode())


def within(budget: int, entries: Iterable[T], cost: Callable[[T], int]) -> list[T]:
    """The first entries, as many as the budget of bytes holds."""
    taken = []
    for entry in entries:
        budget -= cost(entry)
        if budget < 0:
            break
        taken.append(entry)
    return taken
