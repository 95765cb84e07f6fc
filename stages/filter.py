"""Decide on the scores of one source: drop what breaks a rule that one record alone can break.

The first rule that a record breaks, in the order of `checks.names`, is its reason; the others are in the evidence. A rule
is applied if the profile has it on, or params.yaml names it with its limits or as on; `off` in params.yaml leaves it out.
One whose `action` is `count` drops nothing: the report counts it.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from types import ModuleType
from typing import Any, Literal, NamedTuple

from stages import checks
from stages.contract.params import stop, typed
from stages.contract.record import Drop
from stages.contract.run import run_decide

REASONS = {reason: text for name in checks.names() for reason, text in checks.check(name).REASONS.items()}
Params = dict[str, dict[str, Any] | Literal["off"] | None]
Scores = Callable[..., Iterable[tuple[str, dict[str, Any]]]]
"""Gives the id and the scores of every record of a source, as often as it is called; only of the checks it is given."""


class Rule(NamedTuple):
    """A check, its limits and, if it offers a `summary`, what that says of the source."""

    check: ModuleType
    limits: Any
    facts: tuple[Any, ...] = ()

    def action(self, reason: str) -> str:
        """What becomes of a record that breaks it: `drop`, unless the limits or, for this reason, the check say other."""
        own = getattr(self.check, "action", None)
        return str(own(reason, self.limits) if own else getattr(self.limits, "action", "drop"))


Rules = dict[str, Rule]


def broken(scores: dict[str, Any], rules: Rules, action: str) -> list[tuple[str, str]]:
    """The rules that these scores break, each with its reason, of those whose reason is one for this action."""
    return [
        (name, reason)
        for name, rule in rules.items()
        if name in scores
        and (reason := rule.check.decide(scores[name], rule.limits, *rule.facts))
        and rule.action(reason) == action
    ]


def prepare(params: Params) -> Rules:
    """The rule of each check by name; one that has no file stops the run."""
    for name in params:
        if name not in checks.names():
            near = difflib.get_close_matches(name, checks.names(), 1)
            meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(checks.names())}"
            raise stop(f"params.yaml: filter.{name}: stages/checks has no {name}.py; {meant}")
    return {
        name: Rule(checks.check(name), typed(params[name] or {}, checks.check(name).Params, f"filter.{name}"))
        for name in checks.names()
        if name in params and params[name] != "off"
    }


def informed(rules: Rules, scores: Scores, action: str = "drop") -> Rules:
    """The rules of an action with what their checks say of the whole source: a pass over it for each with a `summary`."""
    return {
        name: rule._replace(facts=(rule.check.summary(values(name, scores), rule.limits),))
        if hasattr(rule.check, "summary")
        else rule
        for name, rule in rules.items()
        if action in map(rule.action, rule.check.REASONS)
    }


def values(name: str, scores: Scores) -> Iterator[Any]:
    """What one check measured of each record that it was not skipped for; nothing is read before the first is asked for."""
    yield from (row[name] for _, row in scores(name) if name in row)


def decide(identifier: str, source: str, scores: dict[str, Any], rules: Rules) -> Drop | None:
    """The drop of a record that breaks a rule, with what was measured as its evidence."""
    found = [(reason, {name: scores[name]}) for name, reason in broken(scores, rules, "drop")]
    if losing := scores.get("rejected"):
        more = broken(losing, rules, "drop")
        found += [(reason, {name: losing[name], "ending": "rejected"}) for name, reason in more]
    if not found:
        return None
    (reason, evidence), *others = found
    return Drop(
        identifier, source, "filter", reason, evidence | ({"also": [other for other, _ in others]} if others else {})
    )


def counted(rules: Rules, scores: Scores, among: Container[str]) -> Counter[str]:
    """How many of these records give a reason to a rule that only counts."""
    counting = informed(rules, scores, "count")
    rows = (row for identifier, row in scores(*counting) if identifier in among) if counting else ()
    return Counter(reason for row in rows for _, reason in broken(row, counting, "count"))


if __name__ == "__main__":
    run_decide(decide)
