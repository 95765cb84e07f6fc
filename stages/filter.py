"""Decide on the scores of one source: drop what breaks a rule that one record alone can break.

The first rule that a record breaks, in the order of `checks.names`, is its reason; the others are in the evidence. A rule
is applied if the profile has it on, or params.yaml names it with its limits or as on; `off` in params.yaml leaves it out.
"""

from typing import Any, Literal

from stages import checks
from stages.contract.params import stop, typed
from stages.contract.record import Drop
from stages.contract.run import run_decide

REASONS = {reason: text for name in checks.names() for reason, text in checks.check(name).REASONS.items()}
Params = dict[str, dict[str, Any] | Literal["off"] | None]
Rules = dict[str, tuple[Any, Any]]


def prepare(params: Params) -> Rules:
    """The check and its typed params by name; a rule that has no file stops the run."""
    for name in params:
        if name not in checks.names():
            raise stop(
                f"params.yaml: filter.{name}: stages/checks has no {name}.py; known are {', '.join(checks.names())}"
            )
    return {
        name: (checks.check(name), typed(params[name] or {}, checks.check(name).Params, f"filter.{name}"))
        for name in checks.names()
        if name in params and params[name] != "off"
    }


def decide(identifier: str, source: str, scores: dict[str, Any], rules: Rules) -> Drop | None:
    """The drop of a record that breaks a rule, with what was measured as its evidence."""
    broken = [
        (reason, {name: side[name], **({"ending": "rejected"} if side is not scores else {})})
        for side in (scores, scores.get("rejected", {}))
        for name, (check, limits) in rules.items()
        if name in side and (reason := check.decide(side[name], limits))
    ]
    if not broken:
        return None
    (reason, evidence), *others = broken
    return Drop(
        identifier, source, "filter", reason, evidence | ({"also": [other for other, _ in others]} if others else {})
    )


if __name__ == "__main__":
    run_decide(decide)
