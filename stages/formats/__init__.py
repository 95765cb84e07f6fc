"""The outside shapes: one file per shape, read and written together. The files of this folder are the list of shapes.

A shape offers `matches(row)`, `read(row) -> Example` (or a Fault) and, if datasets are exported in it,
`write(record) -> row` (or a Loss).
"""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from stages.contract.record import Fault


class Loss(ValueError):
    """A record that a shape cannot hold; the argument says what would be lost."""


@cache
def names() -> list[str]:
    """All shapes by name."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


@cache
def shape(name: str) -> ModuleType:
    """The module of one shape."""
    return import_module(f"stages.formats.{name}")


def renamed(row: Any, fields: dict[str, str]) -> Any:
    """The row with its declared fields under our names."""
    if not fields or not isinstance(row, dict):
        return row
    ours = {name: row[theirs] for name, theirs in fields.items() if theirs in row}
    return {**{key: value for key, value in row.items() if key not in fields.values()}, **ours}


def text(value: Any, field: str) -> str:
    """A string that a row must have."""
    if not isinstance(value, str):
        raise Fault("wrong_type", {"field": field, "expected": "string", "found": type(value).__name__})
    return value


def texts(row: Any, *fields: str) -> bool:
    """Whether the row has all these fields as strings."""
    return isinstance(row, dict) and all(isinstance(row.get(field), str) for field in fields)
