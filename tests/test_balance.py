"""Caps drop what is drawn, weights stand beside the data, and one record more changes little."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import balance
from stages.balance import Fact, Params, decide, measure
from stages.contract import params
from stages.contract.params import Stop
from stages.contract.record import digest
from tests.conftest import record

SOURCE = {"path": "x", "licence": "CC0-1.0"}


@pytest.fixture(autouse=True, scope="module")
def seeded() -> Iterator[None]:
    """A seed and two sources."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(params, "whole", lambda: {"seed": 42, "sources": {"faq": SOURCE, "log": SOURCE}})
        yield


def facts(*found: Fact) -> dict[str, Fact]:
    """These facts by the ids of records that were numbered in this order."""
    return {digest("record", number): fact for number, fact in enumerate(found)}


def kept(given_facts: dict[str, Fact], **limits: Any) -> set[str]:
    """The ids that stay."""
    return given_facts.keys() - {drop.id for drop in decide(given_facts, Params(**limits), None).drops}


FACTS = st.lists(st.tuples(st.sampled_from(["faq", "log"]), st.sampled_from([None, "sync", "export"])), max_size=24)
CAP = st.none() | st.integers(1, 6)


def test_a_record_is_known_by_its_source_and_topic() -> None:
    assert measure(record(meta={"topic": "sync"}), Params(), None) == ("sample", "sync")
    assert measure(record(), Params(), None) == ("sample", None)


@given(FACTS)
@settings(derandomize=True, max_examples=30)
def test_without_caps_nothing_is_dropped_and_without_weights_nothing_is_written(found: list[Fact]) -> None:
    decision = decide(facts(*found), Params(), None)
    assert (decision.drops, decision.rows) == ([], [])


@given(FACTS, CAP, CAP)
@settings(derandomize=True, max_examples=80)
def test_no_group_is_over_its_cap_and_none_below_it_loses_a_record(
    found: list[Fact], per_topic: int | None, per_source: int | None
) -> None:
    given_facts = facts(*found)
    decision = decide(given_facts, Params(per_topic, per_source), None)
    reasons = {drop.id: drop.reason for drop in decision.drops}
    assert len(reasons) == len(decision.drops)
    after_topics = {i: fact for i, fact in given_facts.items() if reasons.get(i) != "topic_over_cap"}
    left = {i: fact for i, fact in given_facts.items() if i not in reasons}
    before, after = (Counter(topic for _, topic in each.values()) for each in (given_facts, after_topics))
    for topic, count in before.items():
        assert after[topic] == (count if topic is None or per_topic is None else min(count, per_topic))
    before, after = (Counter(source for source, _ in each.values()) for each in (after_topics, left))
    for source, count in before.items():
        assert after[source] == (count if per_source is None else min(count, per_source))


def test_a_drop_names_the_group_its_size_and_the_cap() -> None:
    drops = decide(facts(*[("faq", "sync")] * 5), Params(max_per_topic=3), None).drops
    assert {(drop.source, drop.stage, drop.reason) for drop in drops} == {("faq", "balance", "topic_over_cap")}
    assert [drop.evidence for drop in drops] == [{"group": "sync", "members": 5, "cap": 3}] * 2
    [drop] = decide(facts(*[("faq", None)] * 2), Params(max_per_source=1), None).drops
    assert (drop.reason, drop.evidence) == ("source_over_cap", {"group": "faq", "members": 2, "cap": 1})
    assert {"topic_over_cap", "source_over_cap"} == set(balance.REASONS)


def test_a_record_over_both_caps_is_dropped_once_and_does_not_count_for_its_source() -> None:
    drops = decide(facts(*[("faq", "sync")] * 6), Params(max_per_topic=4, max_per_source=3), None).drops
    assert sorted(drop.reason for drop in drops) == ["source_over_cap", "topic_over_cap", "topic_over_cap"]
    assert len({drop.id for drop in drops}) == 3
    assert {drop.evidence["members"] for drop in drops if drop.reason == "source_over_cap"} == {4}


def test_records_without_a_topic_are_not_a_crowded_topic() -> None:
    assert len(kept(facts(*[("faq", None)] * 5), max_per_topic=1)) == 5


def test_a_topic_exactly_at_its_cap_loses_nothing() -> None:
    assert len(kept(facts(*[("faq", "sync")] * 3), max_per_topic=3)) == 3


@given(FACTS, CAP, CAP, st.randoms(use_true_random=False))
@settings(derandomize=True, max_examples=40)
def test_the_drawn_set_does_not_depend_on_the_order(
    found: list[Fact], per_topic: int | None, per_source: int | None, chance: Any
) -> None:
    given_facts = facts(*found)
    shuffled = list(given_facts.items())
    chance.shuffle(shuffled)
    limits = {"max_per_topic": per_topic, "max_per_source": per_source}
    assert kept(given_facts, **limits) == kept(dict(shuffled), **limits)


@given(FACTS, st.integers(1, 6), st.sampled_from(["max_per_topic", "max_per_source"]), st.integers(0, 23))
@settings(derandomize=True, max_examples=120)
def test_one_record_more_displaces_at_most_one(found: list[Fact], cap: int, which: str, place: int) -> None:
    grown = facts(*found, ("faq", "sync"))
    more = list(grown)[-1]
    before = kept({i: fact for i, fact in grown.items() if i != more}, **{which: cap})
    after = kept(grown, **{which: cap})
    assert len(before - after) <= 1
    assert after - before <= {more}
    assert not before - after or more in after


@given(FACTS, CAP, CAP)
@settings(derandomize=True, max_examples=40)
def test_balancing_what_is_left_drops_nothing_more(
    found: list[Fact], per_topic: int | None, per_source: int | None
) -> None:
    given_facts = facts(*found)
    left = kept(given_facts, max_per_topic=per_topic, max_per_source=per_source)
    again = {i: fact for i, fact in given_facts.items() if i in left}
    assert kept(again, max_per_topic=per_topic, max_per_source=per_source) == left


def test_another_seed_draws_other_records(use_params: Any) -> None:
    many = facts(*[("faq", "sync")] * 40)
    first = kept(many, max_per_topic=20)
    use_params({"seed": 43})
    assert kept(many, max_per_topic=20) != first


@given(FACTS, CAP, st.sampled_from([0.0, 0.5, 2.0, 7.0]))
@settings(derandomize=True, max_examples=40)
def test_weights_name_each_kept_record_of_the_source_once_and_repeat_none(
    found: list[Fact], cap: int | None, weight: float
) -> None:
    given_facts = facts(*found)
    decision = decide(given_facts, Params(max_per_source=cap, weights={"log": weight, "faq": 1.0}), None)
    left = kept(given_facts, max_per_source=cap)
    weighed = [row["id"] for row in decision.rows]
    assert len(weighed) == len(set(weighed))
    assert set(weighed) == {i for i in left if given_facts[i][0] == "log"}
    assert {row["weight"] for row in decision.rows} <= {weight}
    assert decision.drops == decide(given_facts, Params(max_per_source=cap), None).drops


def test_a_weight_of_a_source_that_is_not_there_stops_the_run() -> None:
    with pytest.raises(Stop) as stopped:
        balance.prepare(Params(weights={"fag": 2.0}))
    assert "'fag'" in stopped.value.message
    assert "faq" in stopped.value.message


def test_a_weight_of_a_source_that_is_there_does_not_stop_the_run() -> None:
    balance.prepare(Params(weights={"faq": 2.0, "log": 0.0}))
