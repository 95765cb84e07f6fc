"""What belongs together shares a split, splits stay when the data grows, and nothing alike stands in two of them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import split
from stages.contract import params
from stages.contract.params import Stop
from stages.contract.record import Record, digest, encode
from stages.split import Fact, Params, decide, joined, leaks, measure
from tests.conftest import json_lines, record, stage

SPLITS = ["train", "validation", "test"]
SHARED = {"seed": 42, "dedup": {"floor": 0.7}}


@pytest.fixture(autouse=True, scope="module")
def seeded() -> Iterator[None]:
    """A seed and a floor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(params, "whole", lambda: SHARED)
        yield


def facts(*records: Record, **given_params: Any) -> dict[str, Fact]:
    """The facts of these records by their ids."""
    return {each.id: measure(each, Params(**given_params), {}) for each in records}


def assigned(given_facts: dict[str, Fact], pairs: Any = None, **given_params: Any) -> dict[str, str]:
    """The split of every record that stays."""
    return {row["id"]: row["split"] for row in decide(given_facts, Params(**given_params), pairs or {}).rows}


def groups(*records: Record) -> list[str]:
    """The group of each record."""
    found = {row["id"]: row["group"] for row in decide(facts(*records), Params(), {}).rows}
    return [found[each.id] for each in records]


def many(count: int) -> dict[str, Fact]:
    """Records that share nothing."""
    return {digest("record", n): Fact("sample", (("3 prompt", digest("prompt", n)),), None) for n in range(count)}


def ties(each: Record) -> set[tuple[str, str]]:
    """What ties a record to others, said again without the stage's words."""
    named = {("group", each.meta.group), ("subject", each.meta.subject), ("prompt", each.messages[0].content.lower())}
    return {key for key in named if key[1]} | {("record", name) for name in (each.id, *each.meta.parents)}


def tied(records: list[Record]) -> list[set[str]]:
    """The ids of the records that are tied together, by merging until nothing merges."""
    found: list[tuple[set[str], set[tuple[str, str]]]] = []
    for each in records:
        ids, keys = {each.id}, ties(each)
        for other in [other for other in found if other[1] & keys]:
            found.remove(other)
            ids, keys = ids | other[0], keys | other[1]
        found.append((ids, keys))
    return [ids for ids, _ in found]


NAMES = st.none() | st.sampled_from(["a", "b", "c", "d"])
DESCRIBED = st.lists(
    st.tuples(st.sampled_from("pqrstuvw"), NAMES, NAMES, st.lists(st.integers(0, 14), max_size=1)), max_size=14
)


def described(found: list[Any]) -> list[Record]:
    """Records with a prompt, a subject, a group and the places of their parents."""
    return [
        record(
            asked,
            f"Answer {place}.",
            id=digest("record", place),
            meta={"subject": subject, "group": group, "parents": [digest("record", parent) for parent in parents]},
        )
        for place, (asked, subject, group, parents) in enumerate(found)
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"asked": "Can lists be nested?"}, {"asked": "can lists  be NESTED?"}),
        ({"asked": "x", "meta": {"subject": "ann"}}, {"asked": "y", "meta": {"subject": "ann"}}),
        ({"asked": "x", "meta": {"group": "thread 1"}}, {"asked": "y", "meta": {"group": "thread 1"}}),
        ({"asked": "x", "id": "1" * 32}, {"asked": "y", "meta": {"parents": ["1" * 32]}}),
        ({"asked": "x", "meta": {"parents": ["1" * 32]}}, {"asked": "y", "meta": {"parents": ["2" * 32, "1" * 32]}}),
        ({"asked": "x"}, {"asked": "x", "rejected": [{"role": "assistant", "content": "No."}]}),
        ({"asked": "x"}, {"asked": "x", "label": False}),
    ],
    ids=["prompt", "subject", "group", "parent", "parents", "pair", "labelled"],
)
def test_what_belongs_together_shares_a_group(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = groups(record(said="One.", **one), record(said="Two.", **other))
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"asked": "Can lists be nested?"}, {"asked": "Can tags be nested?"}),
        ({"asked": "x", "meta": {"subject": "ann"}}, {"asked": "y", "meta": {"subject": "anne"}}),
        ({"asked": "x", "meta": {"subject": "ann"}}, {"asked": "y", "meta": {"group": "ann"}}),
        ({"asked": "x", "meta": {"topic": "sync"}}, {"asked": "y", "meta": {"topic": "sync"}}),
        ({"asked": ""}, {"asked": ""}),
    ],
    ids=["prompt", "subject", "kind of name", "topic", "nothing asked"],
)
def test_what_only_looks_alike_does_not(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = groups(record(said="One.", **one), record(said="Two.", **other))
    assert first != second


def test_the_system_turn_does_not_tie_records() -> None:
    def told(asked: str) -> Record:
        said = [("system", "You are helpful."), ("user", asked), ("assistant", "Yes.")]
        return record(messages=[{"role": role, "content": content} for role, content in said])

    first, second, third = groups(told("x"), told("y"), record("x", "Yes."))
    assert first == third != second


@given(DESCRIBED)
@settings(derandomize=True, max_examples=100)
def test_records_share_a_group_exactly_when_a_chain_of_ties_joins_them(found: list[Any]) -> None:
    records = described(found)
    rows = decide(facts(*records), Params(), {}).rows
    assert sorted(row["id"] for row in rows) == sorted(each.id for each in records)
    by_group: dict[str, set[str]] = {}
    for row in rows:
        by_group.setdefault(row["group"], set()).add(row["id"])
    assert sorted(map(sorted, by_group.values())) == sorted(map(sorted, tied(records)))
    assert all(len({row["split"] for row in rows if row["id"] in ids}) == 1 for ids in by_group.values())


@given(DESCRIBED, st.sampled_from([None, "topic", "source"]))
@settings(derandomize=True, max_examples=60)
def test_a_growing_version_moves_only_the_groups_that_the_new_record_joins(found: list[Any], stratify: Any) -> None:
    records = described(found)
    before: dict[str, str] = {}
    for size in range(1, len(records) + 1):
        after = assigned(facts(*records[:size], stratify=stratify), stratify=stratify)
        [joins] = [ids for ids in tied(records[:size]) if records[size - 1].id in ids]
        assert {i: at for i, at in before.items() if i not in joins} == {
            i: at for i, at in after.items() if i not in joins
        }
        before = after


@given(DESCRIBED, st.randoms(use_true_random=False))
@settings(derandomize=True, max_examples=40)
def test_the_splits_do_not_depend_on_the_order(found: list[Any], chance: Any) -> None:
    known = facts(*described(found))
    shuffled = list(known.items())
    chance.shuffle(shuffled)
    assert assigned(known) == assigned(dict(shuffled))
    assert joined({i: fact.keys for i, fact in known.items()}) == joined({i: fact.keys for i, fact in shuffled})


def test_another_prompt_of_a_known_subject_goes_where_the_subject_is() -> None:
    for n in range(20):
        first, second = (record(f"{asked} {n}", "Yes.", meta={"subject": f"s{n}"}) for asked in ("zebra", "aardvark"))
        assert assigned(facts(first))[first.id] == assigned(facts(first, second))[second.id]


@pytest.mark.parametrize(
    "shares", [{"train": 0.8, "validation": 0.1, "test": 0.1}, {"train": 0.5, "validation": 0.2, "test": 0.3}]
)
@pytest.mark.parametrize("stratum", [None, "sync"])
def test_the_shares_of_many_records_are_near_the_declared(shares: dict[str, float], stratum: str | None) -> None:
    known = {i: msgspec.structs.replace(fact, stratum=stratum) for i, fact in many(5_000).items()}
    found = Counter(assigned(known, **shares).values())
    assert found.total() == 5_000
    for name, share in shares.items():
        assert found[name] / 5_000 == pytest.approx(share, abs=0.02)


def test_a_split_without_a_share_stays_empty() -> None:
    assert set(assigned(many(300), train=0.9, validation=0.0, test=0.1).values()) == {"train", "test"}
    assert set(assigned(many(300), train=1.0, validation=0.0, test=0.0).values()) == {"train"}


def test_a_larger_share_takes_records_in_and_gives_none_away() -> None:
    small, large = (
        {i for i, at in assigned(many(500), train=share, validation=0.0, test=1 - share).items() if at == "train"}
        for share in (0.5, 0.6)
    )
    assert small < large


def test_another_seed_draws_other_splits(use_params: Any) -> None:
    first = assigned(many(100))
    use_params(SHARED | {"seed": 43})
    assert assigned(many(100)) != first


@pytest.mark.parametrize("stratify", ["topic", "source"])
def test_a_group_over_several_strata_stays_together(stratify: str) -> None:
    for n in range(30):
        one, other = (
            record(f"{name} {n}", "Yes.", source=name, meta={"topic": name, "group": f"thread {n}"}) for name in "ab"
        )
        found = assigned(facts(one, other, stratify=stratify), stratify=stratify)
        assert len(set(found.values())) == 1
        assert assigned(facts(other, one, stratify=stratify), stratify=stratify) == found


def test_each_stratum_has_draws_of_its_own() -> None:
    def with_topic(topic: str | None) -> list[str]:
        records = [record(f"prompt {n}", meta={"topic": topic}) for n in range(80)]
        found = assigned(facts(*records, stratify="topic"), stratify="topic")
        return [found[each.id] for each in records]

    assert with_topic("sync") != with_topic("export")
    assert with_topic("sync") == with_topic("sync")
    assert {"train", "validation", "test"} == set(with_topic("sync"))


def test_a_record_without_a_topic_is_drawn_with_its_source() -> None:
    assert measure(record(), Params(stratify="topic"), {}).stratum == "sample"
    assert measure(record(meta={"topic": "sync"}), Params(stratify="topic"), {}).stratum == "sync"
    assert measure(record(meta={"topic": "sync"}), Params(stratify="source"), {}).stratum == "sample"
    assert measure(record(meta={"topic": "sync"}), Params(), {}).stratum is None


@pytest.mark.parametrize(
    ("a", "b", "dropped"),
    [
        ("train", "test", "a"),
        ("test", "train", "b"),
        ("train", "validation", "a"),
        ("validation", "test", "a"),
        ("train", "train", None),
        ("test", "test", None),
    ],
)
def test_of_a_pair_across_splits_the_side_nearer_to_training_is_dropped(a: str, b: str, dropped: str | None) -> None:
    found = leaks({"a": a, "b": b}, {i: Fact("sample", (), None) for i in "ab"}, {("a", "b"): 0.75})
    assert [drop.id for drop in found] == ([dropped] if dropped else [])
    if dropped:
        [other] = {"a", "b"} - {dropped}
        splits = {"a": a, "b": b}
        assert found[0].evidence == {
            "other": other,
            "similarity": 0.75,
            "split": splits[dropped],
            "other_split": splits[other],
        }
        assert found[0].reason in split.REASONS


def test_a_record_is_not_dropped_for_one_that_is_itself_dropped() -> None:
    places = {"a": "train", "b": "validation", "c": "test"}
    found = leaks(places, {i: Fact("sample", (), None) for i in "abc"}, {("a", "b"): 0.9, ("b", "c"): 0.75})
    assert [(drop.id, drop.evidence["other"]) for drop in found] == [("b", "c")]


def test_the_evidence_names_the_most_similar_record_that_stays() -> None:
    places = {"a": "train", "b": "test", "c": "test"}
    found = leaks(places, {i: Fact("sample", (), None) for i in "abc"}, {("a", "b"): 0.72, ("a", "c"): 0.78})
    assert [(drop.id, drop.evidence["other"]) for drop in found] == [("a", "c")]


def test_a_pair_whose_other_half_was_dropped_before_is_no_leak() -> None:
    assert leaks({"a": "train"}, {"a": Fact("sample", (), None)}, {("a", "b"): 0.9}) == []


@given(
    st.lists(st.sampled_from(SPLITS), min_size=2, max_size=10),
    st.dictionaries(st.tuples(st.integers(0, 9), st.integers(0, 9)), st.sampled_from([0.7, 0.75, 0.79]), max_size=20),
)
@settings(derandomize=True, max_examples=150)
def test_no_pair_across_splits_is_left_and_nothing_is_dropped_without_one(
    at: list[str], found: dict[tuple[int, int], float]
) -> None:
    places = {f"{n}": name for n, name in enumerate(at)}
    pairs = {(f"{a}", f"{b}"): near for (a, b), near in found.items() if a < b < len(at)}
    drops = {drop.id: drop for drop in leaks(places, {i: Fact("sample", (), None) for i in places}, pairs)}
    for a, b in pairs:
        assert places[a] == places[b] or a in drops or b in drops
    for loser, drop in drops.items():
        other = drop.evidence["other"]
        assert other not in drops
        assert SPLITS.index(places[loser]) < SPLITS.index(places[other])
        assert drop.evidence["similarity"] == pairs.get((loser, other), pairs.get((other, loser)))
    assert "test" not in {places[i] for i in drops}


@pytest.mark.parametrize(("near", "dropped"), [(0.7, 1), (0.75, 1), (0.76, 0)])
def test_pairs_count_from_the_given_similarity_on(near: float, dropped: int) -> None:
    known = many(60)
    places = assigned(known)
    a, b = (next(i for i in places if places[i] == name) for name in ("train", "test"))
    decision = decide(known, Params(near=near), {(a, b): 0.75})
    assert [drop.id for drop in decision.drops] == [a] * dropped
    assert len(decision.rows) + len(decision.drops) == 60
    assert {row["id"]: row["split"] for row in decision.rows}.items() <= places.items()


@pytest.mark.parametrize(
    ("given_params", "named"),
    [
        ({"near": 0.69}, "dedup.floor"),
        ({"train": 0.8, "validation": 0.1, "test": 0.2}, "add up to 1"),
        ({"train": 0.8, "validation": 0.1, "test": 0.0}, "add up to 1"),
    ],
)
def test_params_that_cannot_be_kept_stop_the_run(given_params: dict[str, float], named: str) -> None:
    with pytest.raises(Stop) as stopped:
        split.prepare(msgspec.convert(given_params, Params))
    assert stopped.value.message.startswith("params.yaml: split")
    assert named in stopped.value.message
    assert stopped.value.code == 2


def built(root: Path, records: list[Record], pairs: list[dict[str, Any]], **given_params: Any) -> Path:
    """A project of the sample with these records, nothing dropped so far, and these pairs."""
    content = yaml.safe_load((root / "params.yaml").read_text())
    content["split"] = given_params
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    dropped = [f"filter/{name}" for name in content["sources"]] + ["dedup", "decontaminate", "judge", "balance"]
    for place in (*(f"data/dropped/{name}.jsonl" for name in dropped), "data/records/faq/00000.jsonl"):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(b"")
    (root / "data/records/faq/00000.jsonl").write_bytes(b"".join(encode(each) + b"\n" for each in records))
    (root / "data/near.jsonl").write_bytes(b"".join(encode(pair) + b"\n" for pair in pairs))
    return root


def test_the_stage_writes_splits_and_drops_what_leaks(project: Path) -> None:
    records = [record(f"prompt {n}", source="faq") for n in range(40)]
    places = assigned(facts(*records))
    a, b = (next(i for i in places if places[i] == name) for name in ("train", "test"))
    stage(built(project, records, [{"a": a, "b": b, "similarity": 0.75}]), "split")
    assert [drop["id"] for drop in json_lines(project / "data/dropped/split.jsonl")] == [a]
    rows = json_lines(project / "data/splits.jsonl")
    assert {row["id"]: row["split"] for row in rows} == {i: at for i, at in places.items() if i != a}


@pytest.mark.parametrize("wrong", [{"near": 0.5}, {"test": 0.3}])
def test_the_stage_stops_without_a_trace_at_params_that_cannot_be_kept(project: Path, wrong: dict[str, float]) -> None:
    done = stage(built(project, [], [], **wrong), "split", code=2)
    assert done.stderr.startswith("params.yaml: split")
    assert "Traceback" not in done.stderr
    assert not (project / "data/splits.jsonl").exists()
