"""The health of the dataset: rules of thumb over the metrics, with what a value tells and what to do about it.

A gate rule is a limit that a team sets for itself; a health rule is experience and stops nothing. What a rule says stands
here, its ranges are the profile's: as many examples as one profile waits for are too few for another.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct, defstruct
from msgspec.structs import replace

from stages.contract.params import typed, whole
from stages.reporting.gate import found

Unit = Literal["times", "tokens", "share", "examples", "records"]
State = Literal["ok", "look", "warn"]


class Range(Struct, frozen=True):
    """Values from `low` to `high`; a bound that is None does not bind."""

    low: float | None = None
    high: float | None = None

    def holds(self, value: float) -> bool:
        """Whether the value lies in the range, its bounds included."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class Rule(Struct, frozen=True):
    """One rule: values in `good` are ok, values out of `tolerated` are a warning, those between are worth a look."""

    key: str  # under `health` in params.yaml
    name: str
    metric: str
    unit: Unit
    symptom: str
    action: str
    below: str = ""  # why less than good is fine too, if it is
    good: Range = Range()
    tolerated: Range = Range()

    @property
    def warn(self) -> str:
        """The values that are a warning, in words."""
        low, high = self.tolerated.low, self.tolerated.high
        if low is None and high is None:
            return "never"
        if low is None or high is None:
            return (
                f"more than {shown(high, self.unit)}" if high is not None else f"less than {shown(low or 0, self.unit)}"
            )
        return f"less than {bare(low, self.unit)} or more than {shown(high, self.unit)}"


class Result(Struct, frozen=True):
    """A rule held against the metrics."""

    rule: Rule
    value: float | None
    state: State


RULES = (
    Rule(
        "prompt_spread",
        "prompts of a similar length",
        "prompt_tokens.p90_over_p10",
        "times",
        "Some prompts are many times as long as others: batches are mostly padding, and the long ones set the cost.",
        "lower filter.length.max_prompt_tokens in params.yaml, or make the longest prompts a dataset of their own",
    ),
    Rule(
        "reply_median",
        "replies of a useful length",
        "reply_tokens.median",
        "tokens",
        "Half of the replies are shorter (or longer) than this, and the model will answer likewise.",
        "read the sample below by source; then set filter.length.min_reply_tokens or max_reply_tokens in params.yaml",
    ),
    Rule(
        "topic_imbalance",
        "topics of a similar size",
        "topic_imbalance",
        "times",
        "The largest topic has so many times the examples of the smallest: the model learns the one and forgets the other.",
        "set balance.max_per_topic in params.yaml, or collect more of the rare topics",
    ),
    Rule(
        "low_scores",
        "few poor scores",
        "scores.below_3_share",
        "share",
        "The judge scores this share of what reached it below 3: the source holds replies that teach nothing.",
        "read the drops of judge in data/curated/dropped.jsonl; a source with many needs another filter or should go",
    ),
    Rule(
        "duplicates",
        "a usual share of duplicates",
        "input.duplicate_share",
        "share",
        "This share of the records was dropped as a copy of another; a source may be fed twice, or be one template.",
        "look at the largest groups of duplicates below; take the repeated source out of params.yaml",
        below="less is fine for input that was curated before",
    ),
    Rule(
        "examples",
        "enough examples",
        "dataset.examples",
        "examples",
        "Too few examples teach a form and little else.",
        "add a source, or raise the count of generate; or set a profile for fewer, if this is a first try",
    ),
    Rule(
        "records",
        "not more records than anybody looks at",
        "input.records",
        "records",
        "So many records are rarely read before they are trained on, and cost more than they give.",
        "raise judge.threshold or set balance.max_per_source in params.yaml, and read a sample of every source",
    ),
)
"""Every rule, still without its ranges."""
Bound = Annotated[float | None, Limits(description="null does not bind")]


class Ranges(Struct, forbid_unknown_fields=True, frozen=True):
    """The ranges of one rule: from and to, both included."""

    good: tuple[Bound, Bound]
    tolerated: tuple[Bound, Bound]


Params = defstruct(
    "Health", [(rule.key, Ranges) for rule in RULES], forbid_unknown_fields=True, frozen=True, module=__name__
)
"""The ranges of every rule."""


def in_force() -> list[Rule]:
    """Every rule with its ranges as the profile and params.yaml have them."""
    return rules(typed(whole().get("health"), Params, "health"))


def rules(params: Any) -> list[Rule]:
    """Every rule with its ranges."""
    found = ((rule, getattr(params, rule.key)) for rule in RULES)
    return [replace(rule, good=Range(*ranges.good), tolerated=Range(*ranges.tolerated)) for rule, ranges in found]


def shown(value: float, unit: Unit) -> str:
    """A value with its unit."""
    if unit == "share":
        return f"{100 * value:.1f}".removesuffix(".0") + "\u00a0%"
    number = f"{value:,.1f}".removesuffix(".0")
    return f"{number}×" if unit == "times" else f"{number} {unit}"


def bare(value: float, unit: Unit) -> str:
    """A value without its unit, which follows later in the sentence."""
    return shown(value, unit).split("\u00a0")[0].split(" ")[0]


def good(rule: Rule) -> str:
    """The good values, in words."""
    low, high = rule.good.low, rule.good.high
    if low is None and high is None:
        return "anything"
    if low is None or high is None:
        return f"at most {shown(high, rule.unit)}" if high is not None else f"at least {shown(low or 0, rule.unit)}"
    return f"{bare(low, rule.unit)} to {shown(high, rule.unit)}" + (f"; {rule.below}" if rule.below else "")


def state(rule: Rule, value: float | None) -> State:
    """How well the value keeps the rule; one that was not measured is worth a look."""
    if value is None:
        return "look"
    if not rule.tolerated.holds(value):
        return "warn"
    fine_below = bool(rule.below) and rule.good.low is not None and value < rule.good.low
    return "ok" if fine_below or rule.good.holds(value) else "look"


def results(rules: list[Rule], metrics: dict[str, Any]) -> list[Result]:
    """Every rule held against the metrics."""
    values = [(rule, found(metrics, rule.metric)) for rule in rules]
    return [Result(rule, value, state(rule, value)) for rule, value in values]


def as_json(result: Result) -> dict[str, Any]:
    """A result for machines."""
    rule = result.rule
    told = {"name": rule.name, "metric": rule.metric, "value": result.value, "state": result.state}
    return told | {"good": good(rule), "warning": rule.warn, "action": rule.action}
