"""The arguments of a tool call held against the tool's own JSON Schema, which came with the data and may be hostile.

A schema is rebuilt from the keywords below before it is compiled, with what it refers to in place of its references: nothing
is fetched, no pattern backtracks, and neither size, depth nor the work of one call is without bound. Authors write types
that JSON Schema does not know ("dict", "float", "tuple", "str, optional") and values of the wrong kind: the first are read
as TYPES says, what is left unreadable constrains nothing, and an author's default may always be given. As a model must not
invent arguments, a call may only give those that the schema names, unless it says otherwise; JSON Schema would allow more.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct

from stages.contract.record import decode, encode

LARGEST = 200_000  # bytes of one tool's schema
DEEPEST = 40  # schemas inside each other
NODES = 10_000  # schemas and enumerated values, after references are replaced
UNROLLED = 3  # times a schema that refers to itself is put inside itself; what lies deeper is not checked
WORK = 10_000_000  # schemas times values of one call: about two seconds at worst
BYTES = 100  # of a call's text that count as one value
REGEX = 1 << 20  # bytes of a compiled pattern
LONGEST = 80  # characters of a place in the evidence
TYPES = {
    **dict.fromkeys(("object", "dict", "dictionary", "map", "hashmap", "struct"), "object"),
    **dict.fromkeys(("array", "list", "arraylist", "tuple", "set", "sequence"), "array"),
    **dict.fromkeys(("string", "str", "text", "char", "date", "datetime", "time"), "string"),
    **dict.fromkeys(("integer", "int", "long", "short", "byte"), "integer"),
    **dict.fromkeys(("number", "float", "double", "decimal"), "number"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("null", "none", "nonetype"), "null"),
}
"""JSON Schema's name of what a type is called. Any other name, such as "any", constrains nothing."""
TYPE = re.compile(r"([a-z]+)\s*(?:[\[<(,][^|]*)?")  # list[str], "str, optional"; not int | None
OPEN = ("$ref", "allOf", "anyOf", "oneOf", "patternProperties", "if")
"""Keywords beside which `properties` need not name every argument."""


class Unusable(ValueError):
    """Why nothing can be held against a schema: its size, its depth, what it refers to, or that it is none."""


class Wrong(Struct):
    """What is wrong with the arguments of a call, where, and which keyword they break or why the schema is of no use."""

    fault: str
    at: str = ""
    rule: str = ""


class Checker(Struct):
    """A schema that was compiled, or why it was not; the arguments it requires and, if it is closed, knows; its nodes."""

    required: list[str]
    known: frozenset[str] | None
    validator: Any = None
    nodes: int = 0
    unusable: str = ""


class Building(Struct):
    """The schema that is rebuilt, how many nodes it has so far, how many parts of it could not be read, and the references
    and the schemas that the present place is within.
    """

    root: dict[str, Any]
    nodes: int = 0
    unread: int = 0
    within: tuple[str, ...] = ()
    depth: int = 0


def wrong(arguments: dict[str, Any], schema: Any) -> Wrong | None:
    """The first fault of the arguments of a call, or None; a tool without a schema takes anything."""
    if not isinstance(schema, dict):
        return None
    definition = encode(schema)
    if len(definition) > LARGEST:
        return Wrong("unusable_schema", rule="size")
    found = checker(definition)
    if missing := [name for name in found.required if name not in arguments]:
        return Wrong("missing_argument", missing[0][:LONGEST])
    if found.known is not None and (more := sorted(arguments.keys() - found.known)):
        return Wrong("unknown_argument", more[0][:LONGEST])
    return Wrong("unusable_schema", rule=found.unusable) if found.unusable else broken(arguments, found)


def broken(arguments: dict[str, Any], found: Checker) -> Wrong | None:
    """The place and the keyword of the first value that the schema does not allow."""
    size = len(encode(arguments))
    if found.nodes * size > WORK and found.nodes * (values(arguments) + size // BYTES) > WORK:
        return Wrong("unusable_schema", rule="work")
    if found.validator.is_valid(arguments):
        return None
    error = next(found.validator.iter_errors(arguments))
    rule = next((part for part in reversed(error.schema_path) if part in KEYWORDS), "")
    return Wrong("wrong_argument", "/".join(map(str, error.instance_path))[:LONGEST], rule)


def values(value: Any) -> int:
    """How many values a JSON value holds, itself included."""
    count, layer = 0, [value]
    while layer:
        count += len(layer)
        layer = [inner for each in layer for inner in inside(each)]
    return count


def inside(value: Any) -> Iterator[Any]:
    """The values directly inside a value."""
    yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


@lru_cache(256)
def checker(definition: bytes) -> Checker:
    """What a schema, as canonical JSON, holds against arguments: made once for all records that have it."""
    schema = decode(definition)
    named = schema.get("properties")
    required = schema.get("required")
    found = Checker(
        [str(name) for name in required] if isinstance(required, list) else [],
        frozenset(named) if isinstance(named, dict) and is_closed(schema) else None,
    )
    building = Building(schema)
    try:
        found.validator = compiled(rebuilt(schema, building))
        found.nodes = building.nodes
    except Unusable as why:
        found.unusable = str(why)
    return found


def is_closed(schema: dict[str, Any]) -> bool:
    """Whether a schema takes no arguments but those that its `properties` name."""
    more = schema.get("additionalProperties")
    return more is not True and not isinstance(more, dict) and not any(keyword in schema for keyword in OPEN)


def compiled(schema: Any) -> Any:
    """The validator of a schema; its patterns run in linear time."""
    import jsonschema_rs as rs

    try:
        return rs.Draft202012Validator(schema, offline=True, pattern_options=rs.RegexOptions(size_limit=REGEX))
    except ValueError:
        raise Unusable("schema") from None


def is_pattern(given: Any) -> bool:
    """Whether a pattern can be matched without backtracking."""
    try:
        return isinstance(given, str) and bool(compiled({"pattern": given}))
    except Unusable:
        return False


def rebuilt(schema: Any, building: Building) -> Any:
    """A schema of the known keywords only, its references replaced; what is no schema takes anything."""
    if not isinstance(schema, dict):
        building.unread += not isinstance(schema, bool)
        return schema if isinstance(schema, bool) else True
    building.nodes, building.depth = building.nodes + 1, building.depth + 1
    if building.nodes > NODES or building.depth > DEEPEST:
        raise Unusable("nodes" if building.nodes > NODES else "depth")
    found = {name: read(schema[name], building) for name, read in KEYWORDS.items() if name in schema}
    result = {name: value for name, value in found.items() if value is not None}
    building.unread += len(found) - len(result) + sum(name in schema for name in UNREAD)
    if isinstance(schema.get("$ref"), str):
        result["allOf"] = [*result.get("allOf", []), referred(schema["$ref"], building)]
    building.depth -= 1
    return widened(satisfiable(result), schema)


def referred(reference: str, building: Building) -> Any:
    """The schema that a reference names, rebuilt; a reference to outside of the schema is of no use."""
    if building.within.count(reference) >= UNROLLED:
        building.unread += 1
        return True
    outer, building.within = building.within, (*building.within, reference)
    result = rebuilt(pointed(building.root, reference), building)
    building.within = outer
    return result


def pointed(root: dict[str, Any], reference: str) -> Any:
    """The value at a JSON pointer into the schema, such as `#/$defs/city`."""
    fragment, _, pointer = reference.partition("#")
    at: Any = root
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        at = at.get(name) if isinstance(at, dict) else None
    if fragment or at is None or "#" not in reference or (pointer and not pointer.startswith("/")):
        raise Unusable("reference")
    return at


def widened(result: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The rebuilt schema, or null where OpenAPI says so, or the default that its author gave: it may be said."""
    plain = {name: result[name] for name in ("type", "enum") if name in result}
    more = [None] * (schema.get("nullable") is True) + [schema[name] for name in ("default",) if name in schema]
    more = [value for value in more if plain and not compiled(plain).is_valid(value)]
    return {"anyOf": [result, {"enum": more}]} if more else result


def satisfiable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its type and its enumerated values at peace, of which none is of that type.

    Beside "array" they are those of the items, beside "integer" as texts, such as "1", they stand and the type goes.
    """
    if (
        "type" not in schema
        or "enum" not in schema
        or any(map(compiled({"type": schema["type"]}).is_valid, schema["enum"]))
    ):
        return schema
    if schema["type"] != ["array"]:
        return {name: value for name, value in schema.items() if name != "type"}
    items = schema.get("items", True)
    inner = satisfiable({**(items if isinstance(items, dict) else {}), "enum": schema["enum"]})
    return {name: value for name, value in schema.items() if name != "enum"} | {"items": inner}


def types(given: Any, building: Building) -> list[str] | None:
    """The types that JSON Schema knows; None if one of them is not known."""
    names = given if isinstance(given, list) else [given]
    found = [TYPE.fullmatch(name.strip().lower()) if isinstance(name, str) else None for name in names]
    known = {TYPES.get(match[1], "") if match else "" for match in found}
    return None if "" in known or not known else sorted(known)


def by_name(given: Any, building: Building) -> dict[str, Any] | None:
    """Schemas by name."""
    return {name: rebuilt(each, building) for name, each in given.items()} if isinstance(given, dict) else None


def by_pattern(given: Any, building: Building) -> dict[str, Any] | None:
    """Schemas by a pattern of names; None if one of the patterns is none."""
    return by_name(given, building) if isinstance(given, dict) and all(map(is_pattern, given)) else None


def several(given: Any, building: Building) -> list[Any] | None:
    """Schemas one after the other."""
    return [rebuilt(each, building) for each in given] if isinstance(given, list) and given else None


def exact(read: Callable[[Any, Building], Any]) -> Callable[[Any, Building], Any]:
    """A reader that leaves out what holds an unreadable part: where a schema must not match, less is stricter."""

    def read_whole(given: Any, building: Building) -> Any:
        before = building.unread
        found = read(given, building)
        return found if building.unread == before else None

    return read_whole


def names(given: Any, building: Building) -> list[str] | None:
    """Names of arguments."""
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else None


def of_items(given: Any, building: Building) -> Any:
    """What every item is; a list of schemas, as older drafts have it, says nothing of every one."""
    return rebuilt(given, building) if isinstance(given, dict | bool) else None


def enumerated(given: Any, building: Building) -> list[Any] | None:
    """The values that are allowed."""
    if not isinstance(given, list) or not given:
        return None
    building.nodes += len(given)
    return given


def only(kind: type | tuple[type, ...], least: float | None = None) -> Callable[[Any, Building], Any]:
    """A reader of a plain value: None if it is of another type or below the least."""

    def read(given: Any, building: Building) -> Any:
        right = type(given) in (kind if isinstance(kind, tuple) else (kind,))
        return given if right and (least is None or given >= least) else None

    return read


number, count = only((int, float)), only(int, 0)
KEYWORDS: dict[str, Callable[[Any, Building], Any]] = {
    "type": types,
    "enum": enumerated,
    "const": lambda given, building: given,
    "properties": by_name,
    "patternProperties": by_pattern,
    "additionalProperties": of_items,
    "propertyNames": rebuilt,
    "required": names,
    "items": of_items,
    "prefixItems": several,
    "contains": exact(rebuilt),
    "allOf": several,
    "anyOf": several,
    "oneOf": exact(several),
    "not": exact(rebuilt),
    "if": exact(rebuilt),
    "then": rebuilt,
    "else": rebuilt,
    "pattern": lambda given, building: given if is_pattern(given) else None,
    "uniqueItems": only(bool),
    "multipleOf": only((int, float), 1e-9),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), count),
}
"""How the value of each keyword is read; None leaves the keyword out."""
UNREAD = (
    "dependentRequired",
    "dependentSchemas",
    "minContains",
    "maxContains",
    "unevaluatedItems",
    "unevaluatedProperties",
)
"""Keywords that constrain and are not read."""
