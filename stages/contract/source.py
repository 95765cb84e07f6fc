"""The rows of a source, as its files hold them: JSON Lines, a JSON array or CSV, plain or gzipped, one file or a folder.

What can be repaired is repaired and counted (byte order marks, CRLF, NUL bytes); what cannot be a row is a fault of that
row with its origin. Nothing here depends on what the rows mean: that is what `stages/formats` knows.
"""

import csv
import gzip
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from stages.contract.params import stop
from stages.contract.record import Fault

PIECE = 1 << 20  # bytes read at once
RATIO = 200  # a gzip file that grows more than this is not text
FREE = 64 << 20  # bytes that any gzip file may grow to, whatever its ratio
DEPTH = 100  # levels of a row; Python's own limit is near 1,000
TOO_LONG = "\0too long\0"  # stands for a line that was not kept; NUL bytes never reach here from a file
SUFFIXES = re.compile(r"^[^.].*\.(?:jsonl|json|csv|tsv)(?:\.gz)?$")
"""Files of a folder that are read; what else lies there, a README or a .dvc file, is no data."""
NO_DATA = re.compile(r"^\.|\.(?:dvc|md)$|^(?:README|LICEN[CS]E|NOTICE)\b")  # what lies beside data, and is expected to
BORDER = re.compile(r"\}\s*,\s*(?=\{)")  # between two objects of an array: where reading goes on after a broken one
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
BINARY = {
    b"PAR1\x15": "Parquet",
    b"ARROW1\0": "Arrow",
    b"Obj\x01": "Avro",
    b"SQLite format 3\0": "SQLite",
    b"PK\x03\x04": "a zip archive, as .xlsx is",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"\x1f\x8b": "gzip without .gz in its name",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\xfd7zXZ\0": "xz",
    b"BZh91AY&SY": "bzip2",
}
"""How files begin that hold no text; their lines would be thousands of broken rows."""
BOM = b"\xef\xbb\xbf"
HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # an escaped half of a surrogate pair, which may stand alone


class Row(Struct):
    """One row: where it stood, its content before it is read, and what is wrong with it if that is already known.

    `content` is the bytes of a JSON value, or the columns of a CSV row. Of a row that is too long only a digest is kept.
    """

    origin: str
    content: bytes | dict[str, Any]
    fault: tuple[str, dict[str, Any]] | None = None


class Limits(Struct, frozen=True):
    """How much is read, in bytes: of one row, and of one file after decompression."""

    row: int
    file: int


def files(path: Path, match: str) -> list[Path]:
    """The file itself, or the data files of the folder and those below it whose names match, in the order of their paths."""
    if path.is_file():
        return [path]
    if match.startswith("/") or ".." in match:
        raise stop(f"params.yaml: match {match!r} leaves the source's folder; name files inside it")
    found = sorted(entry for entry in path.rglob(match) if entry.is_file() and SUFFIXES.search(entry.name.lower()))
    for entry in found:
        if not entry.resolve().is_relative_to(path.resolve()):
            raise stop(f"{entry}: is a link out of the source's folder; copy the file there instead")
    return found


def passed_over(path: Path, match: str) -> list[Path]:
    """Files of the folder that match and are not read, because their names do not end as those of data files do."""
    entries = sorted(path.rglob(match)) if path.is_dir() else []
    return [
        entry
        for entry in entries
        if entry.is_file() and not NO_DATA.search(entry.name) and not SUFFIXES.search(entry.name.lower())
    ]


def opened(path: Path) -> IO[bytes]:
    """The file's bytes, decompressed if it is gzipped."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def pieces(path: Path, limits: Limits) -> Iterator[bytes]:
    """The content in pieces; stops at the cap, so that a small file cannot fill the memory or the disk."""
    size, packed = 0, path.stat().st_size
    with opened(path) as file:
        while True:
            try:
                piece = file.read(PIECE)
            except (OSError, EOFError, zlib.error) as error:
                raise stop(f"{path}: is not whole gzip data ({error}); compress it again") from None
            if not piece:
                return
            size += len(piece)
            if size > limits.file:
                raise stop(f"{path}: is over {limits.file} bytes; split it, or raise collect.largest_file")
            if path.suffix == ".gz" and size > max(FREE, RATIO * packed):
                raise stop(f"{path}: grows more than {RATIO} times when unpacked; unpack it yourself if that is meant")
            yield piece


def lines(path: Path, limits: Limits, repairs: Counter[str]) -> Iterator[tuple[bytes, str]]:
    """Lines without their ends, and the digest of a line that was too long to keep (whose bytes are then left out)."""
    rest, hashed, first = b"", None, True
    for piece in pieces(path, limits):
        if first:
            piece, first = without_bom(piece, repairs), False
        *whole, last = piece.split(b"\n")
        for end in whole:
            yield finish(rest + end, hashed, limits, repairs)
            rest, hashed = b"", None
        rest += last
        if len(rest) > limits.row:
            hashed = hashed or hashlib.sha256()
            hashed.update(rest)
            rest = b""
    if rest or hashed:
        yield finish(rest, hashed, limits, repairs)


def without_bom(piece: bytes, repairs: Counter[str]) -> bytes:
    """The first piece of a file without its byte order mark."""
    repairs["byte_order_mark"] += piece.startswith(BOM)
    return piece.removeprefix(BOM)


def finish(line: bytes, hashed: Any, limits: Limits, repairs: Counter[str]) -> tuple[bytes, str]:
    """A line as it is used, or the digest of one that was too long."""
    if hashed or len(line) > limits.row:
        hashed = hashed or hashlib.sha256()
        hashed.update(line)
        return b"", hashed.hexdigest()
    if line.endswith(b"\r"):
        repairs["crlf"] += 1
        line = line[:-1]
    if b"\0" in line:
        repairs["nul_bytes"] += line.count(b"\0")
        line = line.replace(b"\0", b"")
    return line, ""


def rows(path: Path, name: str, limits: Limits, repairs: Counter[str]) -> Iterator[Row]:
    """The rows of one file, named `name` in their origins. A file without any is one faulty row."""
    if found_instead := no_text(next(pieces(path, limits), b"")):
        yield Row(name, b"", ("not_utf8", {"found": found_instead}))
        return
    plain = path.name.removesuffix(".gz").lower()
    if plain.endswith((".csv", ".tsv")):
        found = with_fields_of(
            limits.row, csv_rows(path, name, limits, repairs, "\t" if plain.endswith(".tsv") else ",")
        )
    elif is_document(path, limits):
        found = document_rows(path, name, limits, repairs)
    else:
        found = line_rows(path, name, limits, repairs)
    first = next(found, None)
    if first is None:
        yield Row(name, b"", ("empty_file", {}))
        return
    yield first
    yield from found


def no_text(head: bytes) -> str | None:
    """What a file is that begins so, if its lines cannot be rows: UTF-16, or a format that holds no text."""
    return next((kind for start, kind in BINARY.items() if head.startswith(start)), None) or (
        "UTF-16" if is_utf_16(head) else None
    )


def is_utf_16(head: bytes) -> bool:
    """Whether a file starts as UTF-16 does: with its mark, or with NUL as every second byte."""
    start = head[:200]
    return start.startswith(UTF_16) or (
        len(start) >= 20 and max(start[::2].count(0), start[1::2].count(0)) > 0.4 * len(start)
    )


def line_rows(path: Path, name: str, limits: Limits, repairs: Counter[str]) -> Iterator[Row]:
    """One row per line that is not blank."""
    for number, (line, digest) in enumerate(lines(path, limits, repairs), 1):
        if digest:
            yield Row(f"{name}:{number}", digest.encode(), ("too_long", {"limit_bytes": limits.row}))
        elif line.strip():
            yield Row(f"{name}:{number}", line)


def is_document(path: Path, limits: Limits) -> bool:
    """Whether the file is one JSON array or object over several lines, whatever its name says."""
    head = without_bom(next(pieces(path, limits), b""), Counter()).lstrip()
    first, _, rest = head.partition(b"\n")
    second = rest.lstrip().partition(b"\n")[0]
    by_line = path.name.lower().removesuffix(".gz").endswith(".jsonl")
    if head[:1] not in (b"[", b"{") or (by_line and (head[:1] == b"{" or (not second and is_conversation(first)))):
        return False
    if not second:
        return head[:1] == b"["
    return not parses(first) and not (second[:1] == head[:1] and parses(second))  # the first line alone may be broken


def is_conversation(line: bytes) -> bool:
    """Whether the line is a list of messages, and so one row and not several."""
    try:
        value = parse(line)
    except Fault:
        return False
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) and "role" in each for each in value)


def parses(line: bytes) -> bool:
    """Whether the line is a JSON value by itself."""
    try:
        parse(line)
    except Fault as fault:
        return fault.reason not in ("broken_json", "not_utf8")
    return True


def document_rows(path: Path, name: str, limits: Limits, repairs: Counter[str]) -> Iterator[Row]:
    """The elements of a JSON array, or the one object, as rows `name:1`, `name:2`, …; a broken rest is one faulty row."""
    data = without_bom(b"".join(pieces(path, limits)), repairs)
    repairs["crlf"] += data.count(b"\r\n")
    repairs["nul_bytes"] += data.count(b"\0")
    text = data.replace(b"\0", b"").decode("utf-8", "surrogateescape")
    for number, (piece, fault) in enumerate(elements(text), 1):
        content = piece.encode("utf-8", "surrogateescape")
        if len(content) > limits.row and not fault:
            fault = ("too_long", {"limit_bytes": limits.row})
        yield Row(f"{name}:{number}", content, fault)


def elements(text: str) -> Iterator[tuple[str, tuple[str, dict[str, Any]] | None]]:
    """The text of each element of the array, or of the object; then, if it breaks, the rest and what is wrong."""
    scan = json.JSONDecoder(parse_int=str, parse_float=str, strict=False).raw_decode  # numbers are looked at by `parse`
    place = len(text) - len(text.lstrip())
    if text[place : place + 1] == "{":
        yield text[place:], None
        return
    place = skip(text, place + 1)
    while text[place : place + 1] not in ("]", ""):
        try:
            _, stop_at = scan(text, place)
        except (ValueError, RecursionError):
            border = BORDER.search(text, place)
            end = border.start() + 1 if border else len(text)
            yield text[place:end], ("broken_json", {"offset": place, "characters": end - place})
            if not border:
                return
            place = border.end()
            continue
        yield text[place:stop_at], None
        place = skip(text, stop_at, ",")
    if text[place:].strip() != "]":
        yield text[place:], ("broken_json", {"offset": place})


def skip(text: str, place: int, also: str = "") -> int:
    """The next place that is neither white space nor, once, the given separator."""
    while text[place : place + 1] in (" ", "\t", "\r", "\n") or (also and text[place : place + 1] == also):
        also = "" if text[place] == also else also
        place += 1
    return place


def csv_rows(path: Path, name: str, limits: Limits, repairs: Counter[str], delimiter: str) -> Iterator[Row]:
    """One row per record of the CSV file, by the names in its first line; `name:1` is the first after it.

    A first line that cannot be read is one faulty row, because nothing after it has names.
    """
    found = lines(path, limits, repairs)
    first = next(found, (b"", ""))
    if delimiter == "," and b";" in first[0] and b"," not in first[0]:
        delimiter = ";"  # how spreadsheets write CSV where the comma is the decimal point
    found = chain([first], found) if first != (b"", "") else found
    texts = (
        f"{TOO_LONG}{digest}" if digest else line.decode("utf-8", "surrogateescape") + "\n" for line, digest in found
    )
    reader = csv.reader(
        texts, delimiter=delimiter, strict=True
    )  # an open quote at the end would swallow the rows before
    header: list[str] | None = None
    fault: tuple[str, dict[str, Any]] | None
    number = 0
    while True:
        try:
            columns = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            columns, fault = [], ("broken_csv", {"error": str(error)})
        else:
            fault = column_fault(header, columns)
        if header is None and fault:
            yield Row(name, as_bytes(columns), fault)
            return
        if header is None:
            header = columns or None
        elif columns or fault:
            number += 1
            content = as_bytes(columns) if fault else dict(zip(header, columns, strict=True))
            yield Row(f"{name}:{number}", content, fault)


def with_fields_of(length: int, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows, read with fields of this length allowed, which is a setting of the whole process, and then taken back."""
    usual = csv.field_size_limit(length)
    try:
        yield from rows
    finally:
        csv.field_size_limit(usual)


def as_bytes(columns: list[str]) -> bytes:
    """A faulty row's content, for its id."""
    return "\0".join(columns).encode("utf-8", "surrogateescape")


def column_fault(header: list[str] | None, columns: list[str]) -> tuple[str, dict[str, Any]] | None:
    """What is wrong with a CSV row before its meaning is looked at."""
    if any(TOO_LONG in column for column in columns):
        return "too_long", {}
    if any("\udc80" <= letter <= "\udcff" for column in columns if not column.isascii() for letter in column):
        return "not_utf8", {}
    named = list(filter(None, columns))
    if header is None and len(set(named)) != len(named):
        return "duplicate_key", {"keys": len(named), "distinct": len(set(named))}
    if header is not None and columns and len(columns) != len(header):
        return "wrong_columns", {"expected": len(header), "found": len(columns)}
    return None


def value_of(row: Row) -> Any:
    """What the row holds, or the Fault that keeps it from being read."""
    if row.fault:
        raise Fault(*row.fault)
    return parse(row.content) if isinstance(row.content, bytes) else row.content


def parse(content: bytes) -> Any:
    """The JSON value of a row, or a Fault: JSON that two readers could take differently is not taken at all."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Fault("not_utf8", {"offset": error.start}) from None
    try:
        value, end = DECODER.raw_decode(text, len(text) - len(text.lstrip()))
    except json.JSONDecodeError as error:
        raise Fault("broken_json", {"error": error.msg, "offset": error.pos}) from None
    except RecursionError:
        raise Fault("too_deep", {"limit_levels": DEPTH}) from None
    if text[end:].strip():
        raise Fault("broken_json", {"error": "Extra data", "offset": end})
    if content.count(b"{") + content.count(b"[") > DEPTH and too_deep(value):
        raise Fault("too_deep", {"limit_levels": DEPTH})
    return without_halves(value) if HALF.search(content) else value


def without_halves(value: Any) -> Any:
    """The value without halves of surrogate pairs, which JSON can escape and UTF-8 cannot hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "ignore").decode("utf-8")
    if isinstance(value, list):
        return [without_halves(each) for each in value]
    if isinstance(value, dict):
        return unique([(without_halves(key), without_halves(each)) for key, each in value.items()])
    return value


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members; a repeated key is a Fault, because readers differ in which one they keep."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Fault("duplicate_key", {"keys": len(pairs), "distinct": len(members)})
    return members


def whole_number(digits: str) -> int:
    """An integer of 64 bits; larger ones change silently in most readers."""
    if len(digits) > 20 or not -(2**63) <= (value := int(digits)) < 2**64:
        raise Fault("number_too_large", {"digits": len(digits.lstrip("-"))})
    return value


def real_number(digits: str) -> float:
    """A float that is not infinite."""
    if (value := float(digits)) in (float("inf"), float("-inf")):
        raise Fault("number_too_large", {"digits": len(digits)})
    return value


def no_constant(word: str) -> float:
    """NaN and Infinity are not JSON."""
    raise Fault("broken_json", {"error": f"{word} is not JSON"})


DECODER = json.JSONDecoder(
    object_pairs_hook=unique, parse_int=whole_number, parse_float=real_number, parse_constant=no_constant, strict=False
)


def too_deep(value: Any, levels: int = DEPTH) -> bool:
    """Whether a value is nested deeper than what every later reader can follow."""
    layer = [value]
    for _ in range(levels):
        layer = [child for each in layer for child in children(each)]
        if not layer:
            return False
    return True


def children(value: Any) -> Iterable[Any]:
    """The containers directly inside a container."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, dict | list)]


def bytes_in(row: Row) -> int:
    """How long the row is, about: the columns of a CSV row are counted in characters."""
    return len(row.content) if isinstance(row.content, bytes) else sum(map(len, row.content.values()))


def blocks(found: Iterable[Row], size: int = 4 << 20) -> Iterator[list[Row]]:
    """Consecutive rows of about `size` bytes together: what one worker takes at a time."""
    block: list[Row] = []
    weight = 0
    for row in found:
        block.append(row)
        weight += bytes_in(row)
        if weight >= size:
            yield block
            block, weight = [], 0
    if block:
        yield block
