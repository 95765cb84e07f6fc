"""The record every stage reads, the drop a stage says of a record it leaves out, and the text that stages look at.

A record is written once, by `collect`, in canonical form: UTF-8, sorted keys, defaults left out. Its JSON Schema,
`schemas/record.schema.json`, is generated from the types here.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta as Limits
from msgspec import Struct

Id = Annotated[str, Limits(pattern="^[0-9a-f]{32}$")]
Compare = Literal["conversation", "prompt", "reply"]
"""The part of a record that dedup compares."""


class ToolCall(Struct, forbid_unknown_fields=True):
    """One call of a tool; `id` is 9 letters or digits, which every trainer accepts (Mistral takes nothing else)."""

    id: Annotated[str, Limits(pattern="^[A-Za-z0-9]{9}$")]
    name: str
    arguments: dict[str, Any]


class Message(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One turn. `weight` 0 or 1 says whether an assistant turn is trained on."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: list[ToolCall] = []
    tool_call_id: str | None = None
    name: str | None = None
    weight: Literal[0, 1] | None = None


class Meta(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What is known of a record besides its text. `redacted` counts what was removed, by kind; never the data. `terms` are
    those of the maker of the model that wrote it.
    """

    licence: str
    method: Literal["unknown", "human", "log", "template", "model", "augmented"] = "unknown"
    topic: str | None = None
    subject: str | None = None
    created: str | None = None
    rating: float | None = None
    group: str | None = None
    parents: list[str] = []
    model: str | None = None
    terms: str | None = None
    redacted: dict[str, int] = {}
    extra: dict[str, Any] = {}


class Record(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One training example: a conversation, a preference pair (`rejected`) or a labelled answer (`label`)."""

    id: Id
    source: Annotated[str, Limits(pattern="^[a-z][a-z0-9_]{0,39}$")]
    messages: list[Message]
    meta: Meta
    tools: list[dict[str, Any]] = []
    rejected: list[Message] = []
    label: bool | None = None


class Example(Struct):
    """What a shape reads from a row: a record without what its source knows."""

    messages: list[Message]
    tools: list[dict[str, Any]] = []
    rejected: list[Message] = []
    label: bool | None = None


class Drop(Struct, forbid_unknown_fields=True):
    """Why a record, or a row that never became one, is not in the dataset. Evidence holds no unredacted text."""

    id: Id
    source: str
    stage: str
    reason: str
    evidence: dict[str, Any]


class Fault(ValueError):
    """A row that cannot become a record: `args` are the reason and its evidence."""

    @property
    def reason(self) -> str:
        """One of the REASONS of `collect`."""
        return str(self.args[0])

    @property
    def evidence(self) -> dict[str, Any]:
        """What was found, without any text of the row."""
        return dict(self.args[1])


encode = msgspec.json.Encoder(order="sorted").encode
decode_record = msgspec.json.Decoder(Record).decode
decode_drop = msgspec.json.Decoder(Drop).decode
decode = msgspec.json.Decoder().decode


def digest(*parts: Any, key: bytes = b"") -> str:
    """32 hex characters of a keyed BLAKE2b over the canonical JSON of `parts`."""
    return hashlib.blake2b(encode(parts), digest_size=16, key=key).hexdigest()


def digest_of_line(line: bytes) -> str:
    """32 hex characters that tell a curated line from any other: its `digest` in the index."""
    return hashlib.blake2b(line, digest_size=16).hexdigest()


SPACES = b" \t\n\r\v\f"
"""What a text is looked up without: taking out bytes is several times as fast as splitting."""


def key_of_text(text: str) -> str:
    """16 hex characters that a text is looked up by, whatever its case and space."""
    folded = text.casefold().encode("utf-8", "surrogatepass").translate(None, SPACES)
    return hashlib.blake2b(folded, digest_size=8, person=b"text").hexdigest()


def key_of_subject(subject: str) -> str:
    """The same of a person, from the keyed hash that stands in the record."""
    return subject[:16]


def keys(record: Record) -> set[str]:
    """What a record can be looked up by: the text of each turn of a user or assistant, and the person it is about."""
    turns = (message for message in (*record.messages, *record.rejected) if message.role in ("user", "assistant"))
    found = {key_of_text(turn.content) for turn in turns if turn.content}
    return found | {key_of_subject(record.meta.subject)} if record.meta.subject else found


def draw(seed: int, *parts: Any) -> float:
    """A number in [0, 1) that depends on nothing but the seed and `parts`: chance without a generator or a position."""
    return int(digest(seed, parts)[:13], 16) / 16**13


def content_id(record: Record) -> str:
    """The id of a record that has no key of its own."""
    return digest(record.source, record.messages, record.tools, record.rejected, record.label)


def kind(record: Record) -> Literal["example", "preference", "labelled"]:
    """Which of the three kinds of training data this record is: they never mix in an output."""
    if record.rejected:
        return "preference"
    return "example" if record.label is None else "labelled"


def ending(messages: list[Message]) -> int:
    """Index of the first message after the last user turn: where the prompt stops and the reply starts."""
    for place in range(len(messages), 0, -1):
        if messages[place - 1].role == "user":
            return place
    return 0


def spoken(message: Message, content: str | None = None) -> str:
    """The text of one turn, or `content` in place of what it says; a tool call counts with its name and arguments."""
    content = message.content if content is None else content
    if not message.tool_calls:
        return content
    calls = (f"{call.name} {encode(call.arguments).decode()}" for call in message.tool_calls)
    return "\n".join(filter(None, (content, *calls)))


def joined(messages: Iterable[Message], said: Callable[[Message], str] = spoken) -> str:
    """The text of several turns, without the system's, which thousands of records may share."""
    return "\n".join([said(message) for message in messages if message.role != "system"])


def conversation(record: Record) -> str:
    """All text of the record that is its own: prompt, reply and, of a pair, the losing ending."""
    turns = record.messages
    if one_exchange(turns) and not record.rejected:
        return f"{spoken(turns[0])}\n{spoken(turns[1])}"
    return joined((*turns, *record.rejected))


def compared(record: Record, what: Compare, said: Callable[[Message], str] = spoken) -> tuple[str, str]:
    """The prompt and the reply as dedup compares them; of `prompt` or `reply` alone the other is left empty.

    A record that has nothing of what is asked for is compared whole: two without a prompt do not ask the same.
    """
    if said is spoken and not record.rejected:
        asked, answered = prompt(record), reply(record)
    else:
        place = ending(record.messages)
        asked = joined(record.messages[:place], said)
        answered = joined((*record.messages[place:], *record.rejected), said)
    if what == "prompt" and asked:
        return asked, ""
    if what == "reply" and answered:
        return "", answered
    return asked, answered


def prompt(record: Record) -> str:
    """What the model is given, without the system's turn."""
    turns = record.messages
    return spoken(turns[0]) if one_exchange(turns) else joined(turns[: ending(turns)])


def reply(record: Record) -> str:
    """What the model is to say."""
    turns = record.messages
    return spoken(turns[1]) if one_exchange(turns) else joined(turns[ending(turns) :])


def one_exchange(turns: list[Message]) -> bool:
    """Whether a question and its answer are all there is, as in most records: their text is had five times as fast."""
    return len(turns) == 2 and turns[1].role == "assistant" and turns[0].role == "user"


def answer(record: Record) -> str:
    """What the assistant says last, without its calls; nothing if the last turn is another's."""
    last = record.messages[-1] if record.messages else None
    return last.content if last and last.role == "assistant" else ""
