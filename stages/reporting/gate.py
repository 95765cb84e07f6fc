"""The gate: rules over the metrics, each with a limit, a severity and what to do when it fails.

A waiver lets a rule fail until a day. The day is looked at by who asks (`dataset gate`), never by the report stage, whose
output must not depend on a clock.
"""

import difflib
from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.params import stop, typed, whole


class Rule(Struct, forbid_unknown_fields=True, frozen=True):
    """One rule: the metric by its dotted path, and the limits it must keep."""

    name: str
    metric: Annotated[str, Limits(description="dotted path in reports/metrics.json")]
    remedy: Annotated[str, Limits(description="what to do when it fails")]
    min: float | None = None
    max: float | None = None
    severity: Annotated[Literal["error", "warning", "off"], Limits(description="off: not looked at")] = "error"


class Waiver(Struct, forbid_unknown_fields=True, frozen=True):
    """A rule that may fail for a while: why, who decided it, and the last day."""

    rule: Annotated[str, Limits(description="name of the rule")]
    reason: Annotated[str, Limits(min_length=1)]
    who: Annotated[str, Limits(min_length=1)]
    until: Annotated[date, Limits(description="last day, as in 2027-03-31")]


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """All rules, and what is waived."""

    rules: list[Rule]
    waivers: list[Waiver] = []


class Result(Struct, omit_defaults=True):
    """A rule held against the metrics. A metric that is not there fails its rule."""

    name: str
    metric: str
    value: float | None
    limit: str
    severity: str
    passed: bool
    remedy: str
    waiver: Waiver | None = None


def in_force() -> Params:
    """The rules and waivers in force; what is wrong with a rule is said under its name."""
    given = whole().get("gate")
    for rule in given["rules"] if isinstance(given, dict) and isinstance(given.get("rules"), list) else ():
        typed(rule, Rule, f"gate.rules[{rule.get('name', '?') if isinstance(rule, dict) else '?'}]")
    return typed(given, Params, "gate")


def found(metrics: dict[str, Any], path: str) -> float | None:
    """The number at a dotted path, or None."""
    value: Any = metrics
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, int | float) else None


def limit(rule: Rule) -> str:
    """The rule's limits in words."""
    parts = ([f"at least {rule.min:g}"] if rule.min is not None else []) + (
        [f"at most {rule.max:g}"] if rule.max is not None else []
    )
    return " and ".join(parts) or "is there"


def held(rule: Rule, metrics: dict[str, Any], waiver: Waiver | None = None) -> Result:
    """One rule against the metrics."""
    value = found(metrics, rule.metric)
    passed = value is not None and (rule.min is None or value >= rule.min) and (rule.max is None or value <= rule.max)
    return Result(rule.name, rule.metric, value, limit(rule), rule.severity, passed, rule.remedy, waiver)


def results(params: Params, metrics: dict[str, Any]) -> list[Result]:
    """Every rule that is not off against the metrics, in their order; a stop at a waiver of no rule."""
    names = {rule.name for rule in params.rules}
    waivers = {waiver.rule: waiver for waiver in sorted(params.waivers, key=lambda waiver: waiver.until)}
    if unknown := sorted(waivers.keys() - names):
        near = difflib.get_close_matches(unknown[0], names, 1)
        raise stop(
            f"params.yaml: gate.waivers: there is no rule {unknown[0]!r}; "
            f"{f'did you mean {near[0]!r}?' if near else 'name a rule of gate.rules'}"
        )
    return [held(rule, metrics, waivers.get(rule.name)) for rule in params.rules if rule.severity != "off"]


def waived(result: Result, today: date) -> bool:
    """Whether a failing rule is let through on this day."""
    return not result.passed and result.waiver is not None and today <= result.waiver.until


def passes(held_rules: list[Result], today: date | None = None) -> bool:
    """Whether no rule of severity error fails; waivers count only on a given day."""
    failing = [result for result in held_rules if result.severity == "error" and not result.passed]
    return all(today is not None and waived(result, today) for result in failing)
