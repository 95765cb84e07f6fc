"""A question to a language model, what it is known by, and the answer."""

from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from stages.contract.record import digest, encode
from stages.models.settings import API, Effort, Params

Kind = Literal["ok", "refused", "cut_off", "invalid", "failed"]
LASTING = ("ok", "refused")
"""What the same question brings again. The other kinds are asked again where a key and a budget allow it, but for a reply
that was paid for and no good only in as many runs as the settings say.
"""
QUOTED = 4_000  # characters of an invalid reply that the model is shown again


class Request(Struct, frozen=True):
    """One question. `schema`, a JSON Schema of an object, is what the reply must be; without it the reply is text."""

    model: str
    prompt: str
    system: str = ""
    schema: dict[str, Any] | None = None
    max_tokens: int = 2048
    effort: Effort | None = None
    api: str = API["anthropic"]


class Usage(Struct, omit_defaults=True, frozen=True):
    """Tokens that are charged: `input` without those read from or written to the provider's prompt cache."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


class Answer(Struct, omit_defaults=True, frozen=True):
    """What became of a request. `content` is valid against the schema; of a reply that was cut off or partly invalid it
    holds the valid items, if the schema is of one list. `runs` have asked for it: a good one needs no second.
    """

    key: str
    kind: Kind
    content: Any = None
    model: str = ""
    stop: str = ""
    usage: Usage = Usage()
    runs: int = 1


class Reply(Struct, frozen=True):
    """What a provider sent back, not looked at yet. `remaining` requests are allowed for now; a server that tells no usage
    is taken to charge what was reserved.
    """

    text: str
    stop: Literal["end", "refusal", "max_tokens"]
    model: str
    usage: Usage | None
    reason: str = ""
    remaining: int | None = None


class Trouble(Exception):
    """No reply. `again`: the same request may succeed; `charged`: it may have been; `fatal`: every request would fail so."""

    def __init__(
        self, message: str, *, again: bool, charged: bool, fatal: bool = False, after: float | None = None
    ) -> None:
        self.message, self.again, self.charged, self.fatal, self.after = message, again, charged, fatal, after
        super().__init__(message)


def request(given: Params, prompt: str, system: str = "", schema: dict[str, Any] | None = None) -> Request:
    """A question under the project's settings."""
    return Request(given.model or "", prompt, system, schema, given.max_tokens, given.effort, API[given.provider])


def key(asked: Request) -> str:
    """32 hex characters of the whole canonical request."""
    return digest("request", asked)


def answer(identifier: str, reply: Reply, schema: dict[str, Any] | None) -> Answer:
    """The reply as an answer to the request with this key."""
    kind, content = read(reply, schema)
    return Answer(identifier, kind, content, reply.model, reply.reason or reply.stop, reply.usage or Usage())


def read(reply: Reply, schema: dict[str, Any] | None) -> tuple[Kind, Any]:
    """Kind and content of a reply."""
    if reply.stop == "refusal":
        return "refused", None
    cut = reply.stop == "max_tokens"
    if schema is None:
        return ("cut_off", None) if cut else ("ok", reply.text)
    try:
        content = msgspec.json.decode(unfenced(reply.text))
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return ("cut_off" if cut else "invalid"), salvaged(reply.text, schema)
    if cut:
        return "cut_off", salvaged(reply.text, schema)
    return ("ok", content) if valid(content, schema) else ("invalid", salvaged(reply.text, schema))


def unfenced(text: str) -> str:
    """The text without the code fence that some models put around JSON."""
    bare = text.strip()
    return bare.removeprefix("```json").removeprefix("```").removesuffix("```") if bare.startswith("```") else bare


@cache
def validator(schema: bytes) -> Any:
    """The compiled schema; references are never fetched."""
    import jsonschema_rs

    return jsonschema_rs.validator_for(schema.decode())


def valid(content: Any, schema: dict[str, Any]) -> bool:
    """Whether a value is what the schema asks for."""
    return bool(validator(encode(schema)).is_valid(content))


def salvaged(text: str, schema: dict[str, Any]) -> dict[str, Any] | None:
    """The valid items of a reply whose schema has one property, a list; None if there are none or it is not of that form."""
    properties = schema.get("properties", {})
    name = next(iter(properties), "")
    if len(properties) != 1 or properties[name].get("type") != "array":
        return None
    start = text.find("[", text.find(f'"{name}"') + 1)
    inner = properties[name].get("items", {}) | ({"$defs": schema["$defs"]} if "$defs" in schema else {})
    items = [item for item in values(text, start + 1) if valid(item, inner)] if start >= 0 else []
    return {name: items} if items else None


def values(text: str, at: int) -> list[Any]:
    """The whole JSON values of a list that is open before position `at`, up to the first that is broken."""
    import json

    found: list[Any] = []
    decoder = json.JSONDecoder()
    while True:
        while text[at : at + 1] and text[at] in " \t\r\n,":
            at += 1
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return found
        found.append(item)


def follow_up(asked: Request, kind: Kind, text: str) -> Request | None:
    """What is asked once more after a reply that was no good: with twice the length, or with the fault named."""
    if kind == "cut_off":
        return replace(asked, max_tokens=2 * asked.max_tokens)
    if kind == "invalid":
        return replace(asked, prompt=asked.prompt + REPAIR.format(said=encode(text[:QUOTED]).decode()))
    return None


REPAIR = """

An earlier reply, here as a JSON string, was not JSON of the asked form:
{said}
Reply again, in that form only."""


def sendable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as providers take it: closed objects, and without limits that they refuse; those are checked here."""
    kept = {name: each for name, each in schema.items() if name not in REFUSED}
    for name, each in kept.items():
        if name in ("properties", "$defs"):
            kept[name] = {inner: sendable(of) for inner, of in each.items()}
        elif isinstance(each, dict):
            kept[name] = sendable(each)
        elif name in ("anyOf", "allOf"):
            kept[name] = [sendable(of) for of in each]
    if kept.get("minItems", 0) > 1:
        del kept["minItems"]
    return kept | ({"additionalProperties": False} if kept.get("type") == "object" else {})


SIZES = ("minLength", "maxLength", "maxItems", "minProperties", "maxProperties", "uniqueItems", "pattern")
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
REFUSED = frozenset((*SIZES, *BOUNDS, "$schema", "$id"))
"""Keywords that structured output does not take."""
