"""The checks: one file per rule that one record alone can break. The files of this folder are the list of checks.

A check has REASONS, `measure(record, params) -> value` and `decide(value, params) -> reason or None`. `Params` are its
limits, under `filter.<name>` in params.yaml; `Measure`, if it has one, what it measures with, under `measure.<name>`. A
check that is faster on many records at once has `measure_many(records, params) -> values` too. A check with
`ENDINGS = True` also looks at the losing ending of a preference pair. One that must know its whole source (a median, how
frequent a sentence is) offers `summary(values, params)` over all its values of the source, which it reads once and does not
keep; `decide` then gets the result as a third argument. A field `action` in Params (keep, count or drop) says what becomes
of a record that breaks the rule: what is counted is in the report and stays. A check in which that depends on the reason has
`action(reason, params)` too.
"""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

FIRST = ("structure", "empty")


@cache
def names() -> list[str]:
    """All checks, those first whose reason says most of a record that breaks several rules."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(found, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


@cache
def check(name: str) -> ModuleType:
    """The module of one check."""
    return import_module(f"stages.checks.{name}")
