"""The gate: rules over the metrics, each with a limit, a severity and what to do when it fails."""

from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct


class Rule(Struct, forbid_unknown_fields=True, frozen=True):
    """One rule: the metric by its dotted path, and the limits it must keep."""

    name: str
    metric: Annotated[str, Limits(description="dotted path in reports/metrics.json")]
    remedy: Annotated[str, Limits(description="what to do when it fails")]
    min: float | None = None
    max: float | None = None
    severity: Literal["error", "warning"] = "error"


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """All rules."""

    rules: list[Rule]


class Result(Struct):
    """A rule held against the metrics. A metric that is not there fails its rule."""

    name: str
    metric: str
    value: float | None
    limit: str
    severity: str
    passed: bool
    remedy: str


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


def held(rule: Rule, metrics: dict[str, Any]) -> Result:
    """One rule against the metrics."""
    value = found(metrics, rule.metric)
    passed = value is not None and (rule.min is None or value >= rule.min) and (rule.max is None or value <= rule.max)
    return Result(rule.name, rule.metric, value, limit(rule), rule.severity, passed, rule.remedy)


def results(params: Params, metrics: dict[str, Any]) -> list[Result]:
    """Every rule against the metrics, in the order of params.yaml."""
    return [held(rule, metrics) for rule in params.rules]


def passes(held_rules: list[Result]) -> bool:
    """Whether no rule of severity error fails."""
    return all(result.passed for result in held_rules if result.severity == "error")
