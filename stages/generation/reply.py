"""What a model's reply must be: one list, of which whole items can be kept where others are broken."""

from typing import Any


def schema(method: str, calling: bool) -> dict[str, Any]:
    """The schema of a reply with the rows of a method: prompts alone for pairs, else conversations."""
    if method == "pairs":
        return items({"prompt": {"type": "string", "minLength": 1}})
    return items({"messages": {"type": "array", "items": turn(calling), "minItems": 1}})


def items(own: dict[str, Any]) -> dict[str, Any]:
    """The schema of a list of items that name their cells and have these properties."""
    return whole({"items": listed({"cell": {"type": "integer"}} | own)})


def turn(calling: bool) -> dict[str, Any]:
    """The schema of one message."""
    called = {"name": {"type": "string"}, "arguments": {"type": "string"}}
    roles = ["user", "assistant", *(["tool"] if calling else [])]
    own = {"role": {"enum": roles}, "content": {"type": "string"}}
    return whole(own | ({"calls": listed(called)} if calling else {}))


def listed(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of a list of objects that have all these properties."""
    return {"type": "array", "items": whole(properties)}


def whole(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object that has all these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}
