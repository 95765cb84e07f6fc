"""Read one source, map every shape to one record, normalise and redact it.

Nothing unredacted is ever written: what leaves this stage is clean, and a row that cannot become a record leaves only the
kind of its fault and the place inside the row. Redaction walks tool arguments and tool definitions as well as texts.
"""

from collections import Counter
from collections.abc import Callable
from functools import cache
from math import isfinite
from sys import intern
from types import ModuleType
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta as Limits
from msgspec import Struct

from stages import formats
from stages.contract.params import Source, project_key, stop
from stages.contract.record import Example, Fault, Message, Meta, Record, ToolCall, digest
from stages.contract.run import run_source
from stages.contract.source import Row, value_of
from stages.text.model_terms import terms_of
from stages.text.normalise import normalise
from stages.text.personal_data import KINDS, Kind, redact

REASONS = {
    "broken_json": "the row is not JSON",
    "broken_csv": "the row is not CSV",
    "not_utf8": "the row is not UTF-8 text",
    "duplicate_key": "an object has one key twice, and readers differ in which value they keep",
    "number_too_large": "a number does not fit 64 bits and would change silently",
    "too_long": "the row is longer than collect.longest_row",
    "too_deep": "the row is nested deeper than every reader can follow",
    "wrong_columns": "the CSV row has more or fewer columns than the header",
    "wrong_type": "a field is not of the type its shape says",
    "unknown_shape": "the row has not the shape of its file",
    "unknown_role": "a message's role is none of system, user, assistant and tool",
    "bad_arguments": "a tool call's arguments are not a JSON object",
    "not_text": "a message has parts that are not text",
    "missing_ending": "a preference pair lacks one of its endings",
    "endings_with_questions": "the two endings of a preference pair are conversations of their own",
    "same_endings": "the two endings of a preference pair are the same",
    "empty_file": "the file has no row",
}


MEDIA = ("images", "image", "videos", "video", "audios", "audio")
MADE = ("model", "augmented")
"""Methods by which a model may have written a row: its maker's terms are unknown where the model is."""
NO_LICENCE = "NOASSERTION"  # SPDX's word for nothing being said
PARALLEL = "parallel_tool_calls"
LONG_NUMBER = 10**12  # a card number written as a number has 13 digits or more


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What is cleaned, and how much is read."""

    redact: Annotated[tuple[Kind, ...], Limits(description="kinds of personal data to replace")] = KINDS
    quotes: Annotated[Literal["straight", "keep"], Limits(description="curly quotes outside code and JSON")] = (
        "straight"
    )
    phone_region: Annotated[
        str, Limits(description="country of phone numbers written without +", pattern="^[A-Z]{2}$")
    ] = "US"
    longest_row: Annotated[int, Limits(description="bytes", ge=1_000)] = 4_000_000
    largest_file: Annotated[int, Limits(description="bytes, unpacked", ge=1_000)] = 4_000_000_000


def check(name: str, source: Source) -> None:
    """Stop at a declared shape that there is no file for."""
    if source.shape and source.shape not in formats.names():
        known = ", ".join(formats.names())
        raise stop(f"params.yaml: sources.{name}.shape: {source.shape!r} is unknown; known are {known}")


def shape_of(given: Any, source: Source) -> ModuleType:
    """The shape of a row: the declared one, or the one it has; row by row, so that the order of rows changes nothing."""
    for shape in shapes(source.shape):
        if shape.matches(given):
            return shape
    raise Fault("unknown_shape", {"expected": source.shape or "any of " + ", ".join(formats.names())})


@cache
def shapes(declared: str | None) -> list[ModuleType]:
    """The shapes that a row can have."""
    return [formats.shape(name) for name in ([declared] if declared else formats.names())]


def read(row: Row, name: str, source: Source, params: Params) -> Record:
    """The clean record of one row, or a Fault. Its id is set only if the source `name` declares a key."""
    original = value_of(row)
    given = formats.renamed(original, source.fields)
    refuse_media(given)
    counts: Counter[str] = Counter()
    example = clean(shape_of(given, source).read(given), cleaner(params, counts))
    fields = {**original, **given} if isinstance(given, dict) else {}
    meta = described(fields, source, cleaner(params, counts))
    meta.redacted = dict(sorted(counts.items()))
    key = fields.get(source.id_field) if source.id_field else None
    identifier = "" if key in (None, "") else digest(name, str(key), key=project_key())
    return Record(identifier, name, example.messages, meta, example.tools, example.rejected, example.label)


def refuse_media(row: Any) -> None:
    """A Fault if the row has pictures, sound or films beside its text: the text alone would speak of what is not there."""
    for field in MEDIA:
        if isinstance(row, dict) and row.get(field):
            raise Fault("not_text", {"field": field})


def cleaner(params: Params, counts: Counter[str]) -> Callable[[str], str]:
    """The function that cleans one text and counts what it replaced."""
    kinds, straight = params.redact, params.quotes == "straight"

    def cleaned(text: str) -> str:
        text, found = redact(normalise(text, straight), kinds, params.phone_region)
        if found:
            counts.update(found)
        return text

    return cleaned


def clean(example: Example, cleaned: Callable[[str], str]) -> Example:
    """The example with every text cleaned."""
    return Example(
        [clean_message(message, cleaned) for message in example.messages],
        walked(example.tools, cleaned),
        [clean_message(message, cleaned) for message in example.rejected],
        example.label,
    )


def clean_message(message: Message, cleaned: Callable[[str], str]) -> Message:
    """One message with its text, its name and its calls' arguments cleaned."""
    message.content = cleaned(message.content)
    message.name = cleaned(message.name) if message.name else message.name
    message.tool_calls = [
        ToolCall(call.id, cleaned(call.name), walked(call.arguments, cleaned)) for call in message.tool_calls
    ]
    return message


def walked(value: Any, cleaned: Callable[[str], str]) -> Any:
    """A JSON value with every string and every long number in it cleaned, keys included."""
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LONG_NUMBER:
        return value if (text := cleaned(str(value))) == str(value) else text
    if isinstance(value, list):
        return [walked(each, cleaned) for each in value]
    if isinstance(value, dict):
        return walked_object(value, cleaned)
    return value


def walked_object(value: dict[str, Any], cleaned: Callable[[str], str]) -> dict[str, Any]:
    """A JSON object, cleaned; keys that become the same, as two addresses do, are numbered so that no value is lost."""
    result: dict[str, Any] = {}
    for key, each in value.items():
        base = cleaned(key)
        name = next(name for name in (base, *(f"{base}_{n}" for n in range(2, len(value) + 2))) if name not in result)
        result[name] = walked(each, cleaned)
    return result


def described(row: dict[str, Any], source: Source, cleaned: Callable[[str], str]) -> Meta:
    """What the row's declared fields say of it. A person becomes a keyed hash."""
    topic, created, subject, model = (
        row.get(field) if field else None
        for field in (source.topic_field, source.created_field, source.subject_field, source.model_field)
    )
    model = source.model if model in (None, "") else cleaned(str(model))
    return Meta(
        licence=licence(row, source, cleaned) if source.licence_field else source.licence,
        method=intern(source.method),  # type: ignore[arg-type]  # a default is left out only if it is the same object
        topic=None if topic in (None, "") else cleaned(str(topic)),
        created=None if created in (None, "") else cleaned(str(created)),
        subject=None if subject in (None, "") else digest("subject", str(subject), key=project_key()),
        rating=rating(row.get(source.rating_field)) if source.rating_field else None,
        model=model,
        terms=terms_of(model) if model or source.method in MADE else None,
        extra=extra(row, source),
    )


def licence(row: dict[str, Any], source: Source, cleaned: Callable[[str], str]) -> str:
    """A row's own licence; one that is missing is not taken for the source's, which may allow more."""
    found = row.get(source.licence_field or "")
    return cleaned(found.strip()) if isinstance(found, str) and found.strip() else NO_LICENCE


def extra(row: dict[str, Any], source: Source) -> dict[str, Any]:
    """What only some rows have and checks look at: what a row says of parallel calls, and where a page was found."""
    found: dict[str, Any] = {}
    if isinstance(row.get(PARALLEL), bool):
        found[PARALLEL] = row[PARALLEL]
    if source.kind == "web":
        found["kind"] = "web"
        if source.url_field and (place := domain(row.get(source.url_field))):
            found["domain"] = place
    return found


def domain(url: Any) -> str | None:
    """The host of an address, in lower case and without www; nothing else of it, for an address can name a person."""
    try:
        host = urlsplit(url if "//" in url else f"//{url}").hostname if isinstance(url, str) else None
    except ValueError:
        return None
    return host.removeprefix("www.").rstrip(".") if host else None


def rating(value: Any) -> float | None:
    """A rating as a number; a Fault if it is there and is none."""
    if value in (None, ""):
        return None
    try:
        found = round(float(value), 3)
        if not isfinite(found):
            raise ValueError
        return found
    except (TypeError, ValueError):
        raise Fault("wrong_type", {"field": "rating", "expected": "number", "found": type(value).__name__}) from None


if __name__ == "__main__":
    run_source(read)
