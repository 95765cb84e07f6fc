"""Finding lines in files that are sorted, by halving: a million lines are neither parsed nor read for one."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Content = bytes | mmap.mmap


@contextmanager
def opened(path: Path) -> Iterator[Content]:
    """A file's bytes, of which only what is looked at is read."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def lines_with(content: Content, field: str, start: str) -> Iterator[bytes]:
    """The lines whose field, by which they are sorted, begins so. No earlier field of a line may hold the field's name."""
    mark, wanted = b'"' + field.encode() + b'":"', start.encode("utf-8", "surrogateescape")
    at = first(content, mark, wanted)
    while at < len(content):
        line = content[at : end_of(content, at)]
        if value_in(line, mark, len(wanted)) != wanted:
            return
        yield line
        at += len(line) + 1


def first(content: Content, mark: bytes, wanted: bytes) -> int:
    """Where the first line stands whose field is not before `wanted`."""
    low, high = 0, len(content)
    while low < high:
        middle = (low + high) // 2
        start = content.rfind(b"\n", low, middle) + 1 or low
        line = content[start : end_of(content, start)]
        if value_in(line, mark, len(wanted)) < wanted:
            low = start + len(line) + 1
        else:
            high = start
    return low


def end_of(content: Content, start: int) -> int:
    """Where a line ends."""
    end = content.find(b"\n", start)
    return len(content) if end < 0 else end


def value_in(line: bytes, mark: bytes, length: int) -> bytes:
    """The first bytes of a field of a line."""
    at = line.find(mark) + len(mark)
    return line[at : at + length]
