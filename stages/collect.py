"""Read one source, map every shape to one record, normalise and redact it.

Nothing unredacted is ever written: what leaves this stage is clean, and a row that cannot become a record leaves only the
kind of its fault and the place inside the row. Redaction walks tool arguments and tool definitions as well as texts; what
becomes of each kind of personal data is said in `collect.redact`.
"""

import re
from collections import Counter
from functools import cache, partial
from math import isfinite
from sys import intern
from types import ModuleType
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import DecodeError, Struct, json, structs
from msgspec import Meta as Limits

from stages import formats
from stages.contract.params import Source, project_key, stop
from stages.contract.record import Example, Fault, Message, Meta, Record, ToolCall, digest
from stages.contract.run import run_source
from stages.contract.source import Row, too_deep, value_of
from stages.text import personal_data
from stages.text.model_terms import terms_of
from stages.text.normalise import normalise
from stages.text.personal_data import Redaction, Rules, Scope, redact, redact_number, rules

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
    "personal_data": "holds a kind of personal data whose mode in collect.redact is drop",
    "unfit_redaction": "a tool's schema takes an argument only with the personal data in it",
}


MEDIA = ("images", "image", "videos", "video", "audios", "audio")
MADE = ("model", "augmented")
"""Methods by which a model may have written a row: its maker's terms are unknown where the model is."""
NO_LICENCE = "NOASSERTION"  # SPDX's word for nothing being said
PARALLEL = "parallel_tool_calls"
WEB = ("kind", "domain")
LONG_NUMBER = 10**6  # a number of personal data has 7 digits or more
WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\-.]+")
ID = re.compile("[0-9a-f]{32}")
UNNAMED = re.compile(r"[^A-Za-z0-9_\-]+")


class Params(Redaction, forbid_unknown_fields=True, frozen=True):
    """What is cleaned, and how much is read."""

    quotes: Annotated[Literal["straight", "keep"], Limits(description="curly quotes outside code and JSON")] = (
        "straight"
    )
    longest_row: Annotated[int, Limits(description="bytes", ge=1_000)] = 4_000_000
    largest_file: Annotated[int, Limits(description="bytes, unpacked", ge=1_000)] = 4_000_000_000


class Cleaning(Struct):
    """How the texts of one record are cleaned, what was replaced in them, and where its surrogates come from."""

    rules: Rules
    straight: bool
    scope: Scope
    counts: Counter[str] = msgspec.field(default_factory=Counter)


def check(name: str, source: Source, given: Params) -> None:
    """Stop at a declared shape that there is no file for, and at what redaction cannot work with."""
    personal_data.check(rules(given))
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
    fields = {**original, **given} if isinstance(given, dict) else {}
    raw, subject = shape_of(given, source).read(given), subject_of(fields, source)
    how = cleaning(params, Scope(partial(whose, raw, subject)))
    example = clean(raw, how)
    meta = described(fields, source, subject, how)
    refuse_dropped(how)
    meta.redacted = dict(sorted(how.counts.items()))
    key = fields.get(source.id_field) if source.id_field else None
    identifier = "" if key in (None, "") else digest(name, str(key), key=project_key())
    return Record(identifier, name, example.messages, meta, example.tools, example.rejected, example.label)


def subject_of(row: dict[str, Any], source: Source) -> str | None:
    """The person that the row is about, as a keyed hash."""
    subject = row.get(source.subject_field) if source.subject_field else None
    return None if subject in (None, "") else digest("subject", str(subject), key=project_key())


def whose(raw: Example, subject: str | None) -> tuple[bytes, str]:
    """What surrogates depend on besides the value: the key and the person, or the record if nobody is known."""
    return project_key(), subject or digest(raw.messages, raw.tools, raw.rejected, key=project_key())


def refuse_media(row: Any) -> None:
    """A Fault if the row has pictures, sound or films beside its text: the text alone would speak of what is not there."""
    for field in MEDIA:
        if isinstance(row, dict) and row.get(field):
            raise Fault("not_text", {"field": field})


def refuse_dropped(how: Cleaning) -> None:
    """A Fault if a kind was found whose records are dropped; it counts what was found, and holds none of it."""
    modes: dict[str, str] = dict(zip(how.rules.kinds, how.rules.modes, strict=True))
    if any(modes[kind] == "drop" for kind in how.counts):
        raise Fault("personal_data", dict(sorted(how.counts.items())))


def cleaning(params: Params, scope: Scope) -> Cleaning:
    """How these params clean."""
    return Cleaning(rules(params), params.quotes == "straight", scope)


def cleaned(text: str, how: Cleaning, before: str = "") -> str:
    """A text normalised and redacted; `before` says what it is, as the name of a field does."""
    text, found = redact(normalise(text, how.straight), how.rules, before, how.scope)
    if found:
        how.counts.update(found)
    return text


def clean(example: Example, how: Cleaning) -> Example:
    """The example with every text cleaned; the one that was given stays as it is."""
    tools = [clean_tool(tool, how) for tool in example.tools]
    schemas = {
        name_of(tool): (old, new)
        for tool, old, new in zip(tools, map(schema_of, example.tools), map(schema_of, tools), strict=True)
    }
    return Example(
        [clean_message(message, how, schemas) for message in example.messages],
        tools,
        [clean_message(message, how, schemas) for message in example.rejected],
        example.label,
    )


Schemas = dict[str, tuple[Any, Any]]
"""By the name of a tool the schema of its arguments as it came and as it is after redaction."""


def clean_message(message: Message, how: Cleaning, schemas: Schemas) -> Message:
    """One message with its text, its name and its calls' arguments cleaned."""
    return structs.replace(
        message,
        content=clean_content(message.content, how),
        name=named(message.name, how) if message.name else message.name,
        tool_calls=[clean_call(call, how, schemas) for call in message.tool_calls],
    )


def clean_content(text: str, how: Cleaning) -> str:
    """A text cleaned; one that is JSON, as a tool's result may be, is walked if it would be JSON no longer."""
    counted = how.counts.copy()
    found = cleaned(text, how)
    if found != text and text.lstrip()[:1] in ("{", "[") and is_json(text) and not is_json(found):
        how.counts = counted
        return json.encode(walked(json.decode(text), how)).decode()
    return found


def is_json(text: str) -> bool:
    """Whether the text is a JSON value that can be walked: not nested deeper than a row may be."""
    try:
        return not too_deep(json.decode(text))
    except (DecodeError, RecursionError):
        return False


def clean_call(call: ToolCall, how: Cleaning, schemas: Schemas) -> ToolCall:
    """A call whose arguments are cleaned, and satisfy the tool's schema if they did before."""
    name, arguments = named(call.name, how), walked(call.arguments, how)
    if arguments != call.arguments and name in schemas:
        arguments = fitted(call.arguments, arguments, schemas[name], how)
    return ToolCall(call.id, name, arguments)


def fitted(given: dict[str, Any], arguments: dict[str, Any], schemas: tuple[Any, Any], how: Cleaning) -> dict[str, Any]:
    """The arguments, or with surrogates where the schema refuses placeholders; a Fault if it refuses both."""
    before, after = schemas
    if fits(arguments, after) or not fits(given, before):
        return arguments
    alike = Cleaning(personal_data.surrogates(how.rules), how.straight, how.scope)
    arguments = walked(given, alike)
    if not fits(arguments, after):
        raise Fault("unfit_redaction", dict(sorted(alike.counts.items())))
    return arguments


def fits(arguments: dict[str, Any], schema: Any) -> bool:
    """Whether the arguments satisfy the schema; a schema that is none asks nothing. No address is fetched."""
    from jsonschema import Draft202012Validator, FormatChecker, SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema, registry=Registry(), format_checker=FormatChecker())
        return bool(validator.is_valid(arguments))
    except (SchemaError, Unresolvable):
        return True


def clean_tool(tool: dict[str, Any], how: Cleaning) -> dict[str, Any]:
    """A tool's definition, whose name stays one that a call can have."""
    function = tool.get("function")
    new: dict[str, Any] = walked(tool, how, None)
    if isinstance(function, dict) and isinstance(function.get("name"), str) and isinstance(new.get("function"), dict):
        new["function"]["name"] = named(function["name"], how, counted=False)
    return new


def schema_of(tool: dict[str, Any]) -> Any:
    """The schema of a tool's arguments."""
    function = tool.get("function")
    return function.get("parameters", {}) if isinstance(function, dict) else {}


def name_of(tool: dict[str, Any]) -> str:
    """What a tool is called by."""
    function = tool.get("function")
    return str(function.get("name")) if isinstance(function, dict) else ""


def named(name: str, how: Cleaning, counted: bool = True) -> str:
    """A name of a speaker or a tool, cleaned; what takes the place of personal data has only letters that names have."""
    found, counts = redact(normalise(name, how.straight), how.rules, "", how.scope)
    if counted:
        how.counts.update(counts)
    return UNNAMED.sub("_", found.replace("[", "").replace("]", "")) if counts else found


def walked(value: Any, how: Cleaning, field: tuple[str, ...] | None = ()) -> Any:
    """A JSON value with every string and every long number in it cleaned, keys included; numbers stay numbers.

    `field` is what the value stands under; None where the names of fields say nothing of values, as in a schema.
    """
    if isinstance(value, str):
        return cleaned(value, how, said(field))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LONG_NUMBER:
        value, found = redact_number(value, how.rules, said(field), how.scope)
        how.counts.update(found)
        return value
    if isinstance(value, list):
        return [walked(each, how, field) for each in value]
    if isinstance(value, dict):
        return walked_object(value, how, field)
    return value


def said(field: tuple[str, ...] | None) -> str:
    """What the names of a field and of the one around it say of a value, as words."""
    return WORDS.sub(" ", " ".join(field[-2:])) + ": " if field else ""


def walked_object(value: dict[str, Any], how: Cleaning, field: tuple[str, ...] | None) -> dict[str, Any]:
    """A JSON object, cleaned; keys that become the same, as two addresses do, are numbered so that no value is lost."""
    result: dict[str, Any] = {}
    last: dict[str, int] = {}  # number that each name was given last: thousands of addresses become one name
    for key, each in value.items():
        name = base = cleaned(key, how)
        while name in result:
            last[base] = last.get(base, 1) + 1
            name = f"{base}_{last[base]}"
        result[name] = walked(each, how, None if field is None else (*field, key))
    return result


def described(row: dict[str, Any], source: Source, subject: str | None, how: Cleaning) -> Meta:
    """What the row's declared fields say of it."""
    topic, created, model = (
        row.get(field) if field else None for field in (source.topic_field, source.created_field, source.model_field)
    )
    model = source.model if model in (None, "") else cleaned(str(model), how)
    return Meta(
        licence=licence(row, source, how) if source.licence_field else source.licence,
        method=intern(made_by(source, model)),  # type: ignore[arg-type]  # a default is left out only if it is the same object
        topic=None if topic in (None, "") else cleaned(str(topic), how),
        created=None if created in (None, "") else cleaned(str(created), how),
        subject=subject,
        rating=rating(row.get(source.rating_field)) if source.rating_field else None,
        parents=parents(row.get(source.parents_field)) if source.parents_field else [],
        model=model,
        terms=terms_of(model) if model or source.method in MADE else None,
        extra=kept(row, source, how) | extra(row, source),
    )


def licence(row: dict[str, Any], source: Source, how: Cleaning) -> str:
    """A row's own licence; one that is missing is not taken for the source's, which may allow more."""
    found = row.get(source.licence_field or "")
    return cleaned(found.strip(), how) if isinstance(found, str) and found.strip() else NO_LICENCE


def made_by(source: Source, model: str | None) -> str:
    """How a row was made. A template has no maker: a row among its rows that names a model was written by that model."""
    return "model" if model and source.method == "template" else source.method


def parents(given: Any) -> list[str]:
    """Ids of records, or a Fault: what is no id ties a row to nothing, or to text that was not redacted."""
    if given in (None, "", []):
        return []
    if not isinstance(given, list) or not all(isinstance(each, str) and ID.fullmatch(each) for each in given):
        raise Fault("wrong_type", {"field": "parents", "expected": "list of ids", "found": type(given).__name__})
    return sorted(set(given))


def kept(row: dict[str, Any], source: Source, how: Cleaning) -> dict[str, Any]:
    """What the source wants kept of what a row says of itself, cleaned; names that this stage gives are its own."""
    found = row.get(source.extra_field) if source.extra_field else None
    if not isinstance(found, dict | None):
        raise Fault("wrong_type", {"field": "extra", "expected": "object", "found": type(found).__name__})
    return {name: each for name, each in walked(found or {}, how).items() if name not in (PARALLEL, *WEB)}


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
