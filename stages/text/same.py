"""What makes two records the same but for their system turn, and what of a reply can contradict another's."""

import re
from collections.abc import Callable, Container, Iterable
from functools import cache
from hashlib import blake2b
from itertools import pairwise
from typing import Any

from stages.contract.record import Compare, Message, Record, compared, encode, ending, joined, prompt, spoken
from stages.text.minhash import kernel, packed
from stages.text.prose import unfenced
from stages.text.shingles import CODE, LOWER, fold, single_spaced

MARKS = (
    ".,;:!?\"'()[]…–—“”‘’«»。，、；：？！（）【】「」『』《》·¿¡"  # what a sentence is punctuated with; + - # / are not
)
BARE = bytes(32 if byte < 128 and chr(byte) in MARKS else LOWER[byte] for byte in range(256))
POINTED = bytes(byte if chr(byte) in ".,:" else BARE[byte] for byte in range(256))
OTHER_MARKS = [mark.encode() for mark in MARKS if not mark.isascii()]  # one by one: far faster than a pattern
SHAPE = bytes(48 if 48 <= byte <= 57 else 46 if byte in b".,:" else 32 for byte in range(256))
NOT_BETWEEN_DIGITS = re.compile(rb"(?<![0-9])[.,:]|[.,:](?![0-9])")
CLOSED = ("yes", "no", "true", "false")
SHORT = 3  # words of an answer that is a choice, not a text
FIRST_WORDS = re.compile(r"\W*+(\w++)" + SHORT * r"(?:\W++(\w++))?")


def parts(record: Record, what: Compare, coded: Container[str] | None = None) -> tuple[str, str, bool]:
    """The prompt and the reply as dedup compares them, and whether what may be lowered in them is in lower case already.

    In code and tool calls another case is another name: `password` is not `Password`. `coded` are the texts that hold code,
    if that is known.
    """
    coded = with_code([record]) if coded is None else coded
    if any(message.tool_calls or message.content in coded for message in (*record.messages, *record.rejected)):
        return *compared(record, what, lambda message: spoken(message, outside_code(message.content, str.lower))), True
    return *compared(record, what), False


def with_code(records: Iterable[Record]) -> set[str]:
    """The texts of all turns that hold code, fenced or not."""
    texts = {message.content for record in records for message in (*record.messages, *record.rejected)}
    return {text for text in texts if "`" in text} | unfenced(list(texts))


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text with its prose changed; where code is not fenced nothing is."""
    if unfenced([text]):
        return text
    if "`" not in text:
        return change(text)
    pieces, at = [], 0
    for code in CODE.finditer(text):
        pieces += [change(text[at : code.start()]), code[0]]
        at = code.end()
    return "".join((*pieces, change(text[at:])))


def bare(text: str) -> str:
    """The text in lower case, without its punctuation and with single spaces; itself if nothing else is in it.

    A point, comma or colon between digits stays: 1.5 is not 15.
    """
    content = (text if text.isascii() else text.lower()).encode()
    if b"0.0" in content.translate(SHAPE):
        content = NOT_BETWEEN_DIGITS.sub(b" ", content).translate(POINTED)
    else:
        content = content.translate(BARE)
    if text.isascii():
        return single_spaced(content).decode() or text
    for mark in OTHER_MARKS:
        content = content.replace(mark, b" ")
    return " ".join(content.decode().split()) or text


def bare_all(texts: list[str]) -> list[str]:
    """The same of many texts, in a compiled loop where there are enough."""
    return [without or text for text, without in zip(texts, squeezed(texts, MARKS, bare), strict=True)]


def fold_all(texts: list[str]) -> list[str]:
    """The folded texts, as `fold` makes each."""
    return squeezed(texts, "", fold)


def squeezed(texts: list[str], marks: str, plain: Callable[[str], str]) -> list[str]:
    """The texts in lower case, with one space for each run of spaces and of these marks, but between digits."""
    fast = kernel(len(texts))
    if not fast:
        return list(map(plain, texts))
    out, ends = fast.squeezed(*packed(texts, ()), gaps(marks))
    content, stops = out.tobytes(), ends.tolist()
    return [content[start:stop].decode() for start, stop in pairwise([0, *stops])]


@cache
def gaps(marks: str) -> Any:
    """Whether each character of the basic plane is a space or one of these marks, shape (65536,)."""
    import numpy as np

    return np.array([chr(code).isspace() or chr(code) in marks for code in range(1 << 16)])


def turns(messages: Iterable[Message], change: Callable[[str], str]) -> list[Any]:
    """All turns but the system's, what they say changed; tool calls as they are."""
    return [
        (m.role, change(m.content), [(call.name, call.arguments) for call in m.tool_calls] if m.tool_calls else ())
        for m in messages
        if m.role != "system"
    ]


def digests_of(records: list[Record], coded: Container[str]) -> list[bytes]:
    """The fields exact, folded, prompt, tools, answer, chosen and rejected of signatures.COLUMNS, 64 bytes a record."""
    said = {m.content for record in records for m in (*record.messages, *record.rejected) if m.role != "system"}
    plain = [text for text in said if text not in coded]
    prose = dict(zip(plain, bare_all(plain), strict=True))
    prose |= {text: outside_code(text, bare) for text in said if text in coded}
    asked = [short(text) if text else bytes(8) for text in fold_all([prompt(record) for record in records])]
    return [
        whole(record, str, 16) + whole(record, prose.__getitem__, 8) + question + choices(record) + endings(record)
        for record, question in zip(records, asked, strict=True)
    ]


def whole(record: Record, change: Callable[[str], str], length: int) -> bytes:
    """The digest of all turns of a record, what they say changed."""
    return short(turns(record.messages, change), turns(record.rejected, change), record.label, length=length)


def choices(record: Record) -> bytes:
    """Which tools the reply calls, and what it answers in a word or two or calls them with: 16 bytes, 0 where neither."""
    replies = record.messages[ending(record.messages) :]
    calls = [call for message in replies for call in message.tool_calls]
    tools = short([call.name for call in calls]) if calls or record.tools else bytes(8)
    if calls:
        return tools + short([call.arguments for call in calls])
    found = FIRST_WORDS.match(joined(replies[:1]))
    if not found:
        return tools + bytes(8)
    if found[1].lower() in CLOSED:
        return tools + short([found[1].lower()])
    return tools + (bytes(8) if found[SHORT + 1] else short([word.lower() for word in found.groups() if word]))


def endings(record: Record) -> bytes:
    """The winning and the losing ending of a pair but for case and space: 16 bytes, 0 where there is none."""
    if not record.rejected:
        return bytes(16)
    return short(fold(joined(record.messages[ending(record.messages) :]))) + short(fold(joined(record.rejected)))


def short(*parts: Any, length: int = 8) -> bytes:
    """The first bytes of a BLAKE2b over the canonical JSON of the parts."""
    return blake2b(encode(parts), digest_size=length).digest()
