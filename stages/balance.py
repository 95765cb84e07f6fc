"""Cap topics and sources, and weigh the sources.

Weights are written beside the data and never repeat a record. Which records of a crowded topic stay is drawn by a keyed hash
of the id, so a new record displaces at most one.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Annotated, Any

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.params import seed, source
from stages.contract.record import Drop, Record, draw
from stages.contract.run import Decision, run_on_all

REASONS = {
    "topic_over_cap": "the topic has more records than balance.max_per_topic",
    "source_over_cap": "the source has more records than balance.max_per_source",
}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Caps, none by default, and weights by source, 1 by default."""

    max_per_topic: Annotated[int, Limits(ge=1)] | None = None
    max_per_source: Annotated[int, Limits(ge=1)] | None = None
    weights: Annotated[dict[str, Annotated[float, Limits(ge=0)]], Limits(description="source: weight in training")] = {}


Fact = tuple[str, str | None]


def prepare(params: Params) -> None:
    """Stop at a weight of a source that is not there."""
    for name in params.weights:
        source(name)


def needed(params: Params) -> bool:
    """Whether there is anything to balance; if not, no record is read."""
    return params != Params()


def measure(record: Record, params: Params, prepared: None) -> Fact:
    """The record's source and topic."""
    return record.source, record.meta.topic


def decide(facts: dict[str, Fact], params: Params, prepared: None) -> Decision:
    """Drops beyond the caps, topics first; and the weight of every record that has another than 1."""
    by_topic = over(facts, lambda fact: fact[1], params.max_per_topic)
    rest = {identifier: fact for identifier, fact in facts.items() if identifier not in by_topic}
    by_source = over(rest, lambda fact: fact[0], params.max_per_source)
    drops = [Drop(i, facts[i][0], "balance", "topic_over_cap", at) for i, at in by_topic.items()]
    drops += [Drop(i, facts[i][0], "balance", "source_over_cap", at) for i, at in by_source.items()]
    kept = {i: fact for i, fact in rest.items() if i not in by_source and params.weights.get(fact[0], 1.0) != 1.0}
    return Decision(drops, [{"id": i, "weight": round(params.weights[at], 3)} for i, (at, _) in kept.items()])


def over(facts: dict[str, Fact], group: Callable[[Fact], str | None], cap: int | None) -> dict[str, dict[str, Any]]:
    """The records drawn beyond the cap of their group, with the group's name and size."""
    members = defaultdict(list)
    for identifier, fact in facts.items():
        if cap and group(fact) is not None:
            members[group(fact)].append(identifier)
    drawn = {name: sorted(ids, key=lambda i: draw(seed(), "balance", i))[cap:] for name, ids in members.items()}
    return {i: {"group": name, "members": len(members[name]), "cap": cap} for name, ids in drawn.items() for i in ids}


if __name__ == "__main__":
    run_on_all(measure, decide)
