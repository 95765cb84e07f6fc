"""What a release has published never moves to another split, whatever comes later."""

import random
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import trace
from lineage.browse import Found
from stages.contract import params, paths, pins
from stages.contract.params import Stop
from stages.contract.pins import PUBLISHED, RECORD, Pins, pin
from stages.contract.record import Record, digest, encode
from stages.contract.run import Decision
from stages.split import Fact, Params, decide, keys_of, measure
from tests.conftest import json_lines, record, stage
from tests.test_split import DESCRIBED, described, facts


@pytest.fixture(autouse=True, scope="module")
def seeded() -> Iterator[None]:
    """A seed and a floor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(params, "whole", lambda: {"seed": 42, "dedup": {"floor": 0.7}})
        yield


def split(found: dict[str, Fact], known: Pins) -> dict[str, str]:
    """The split of every record that stays."""
    return {row["id"]: row["split"] for row in decide(found, Params(), {}, known).rows}


def why(found: dict[str, Fact], known: Pins) -> dict[str, Any]:
    """The evidence of every record that is dropped as a bridge."""
    drops = decide(found, Params(), {}, known).drops
    assert {drop.reason for drop in drops} <= {"bridges_splits"}
    return {drop.id: drop.evidence for drop in drops}


def pinned(**where: str) -> Pins:
    """Pins of the prompts that are the names, each in the split."""
    of_prompts = facts(*(record(asked, id=digest(asked)) for asked in where))
    return Pins(pins.of(keys_of(of_prompts), {digest(asked): at for asked, at in where.items()}))


def test_a_published_record_stays_though_its_group_would_be_drawn_elsewhere():
    one = record("one")
    for at in paths.SPLITS:
        assert split(facts(one), Pins(pins.of(keys_of(facts(one)), {one.id: at}))) == {one.id: at}


def test_a_new_record_joins_the_split_of_the_group_it_is_tied_to():
    for at in paths.SPLITS:
        new = record("one", "Another answer.")
        assert split(facts(new), pinned(one=at)) == {new.id: at}


def test_a_chain_of_new_records_follows_the_one_that_is_tied_to_what_is_published():
    chain = [record("one", "1", meta={"subject": "a"}), record("x", "2", meta={"subject": "a", "group": "g"})]
    chain.append(record("y", "3", meta={"group": "g"}))
    assert set(split(facts(*chain), pinned(one="test")).values()) == {"test"}


def test_a_record_that_would_join_two_splits_is_dropped_and_says_by_what():
    known = Pins(pinned(one="test").splits | {pin("2 subject", "ann"): "train"})
    bridge, other = record("one", "New.", meta={"subject": "ann"}), record("z", meta={"subject": "ann"})
    assert why(facts(bridge, other), known) == {bridge.id: {"ties": {"test": "prompt", "train": "subject"}}}
    assert split(facts(bridge, other), known) == {other.id: "train"}


def test_a_survivor_takes_the_split_of_the_published_record_it_replaces():
    new = record("Entirely new words.")
    for at in paths.SPLITS:
        known = Pins({pin(PUBLISHED, "1" * 32): at}, {new.id: ["1" * 32, "2" * 32]})
        assert split(facts(new), known) == {new.id: at}


def test_a_published_survivor_does_not_move_to_the_split_of_what_it_replaces():
    old = record("one")
    known = Pins({pin(PUBLISHED, old.id): "train", pin(PUBLISHED, "1" * 32): "test"}, {old.id: ["1" * 32]})
    assert split(facts(old), known) == {old.id: "train"}


def test_a_new_survivor_of_records_of_two_splits_is_dropped():
    new = record("Entirely new words.")
    known = Pins({pin(PUBLISHED, "1" * 32): "train", pin(PUBLISHED, "2" * 32): "test"}, {new.id: ["1" * 32, "2" * 32]})
    assert why(facts(new), known) == {
        new.id: {"ties": {"test": f"survivor of {'2' * 32}", "train": f"survivor of {'1' * 32}"}}
    }


def test_a_published_record_that_is_edited_into_a_test_prompt_leaves_training_and_not_the_test_split():
    train, test = record("new words", id="1" * 32), record("new words", id="2" * 32)
    known = Pins({pin(PUBLISHED, train.id): "train", pin(PUBLISHED, test.id): "test"})
    assert split(facts(train, test), known) == {test.id: "test"}


def test_a_child_of_a_published_record_goes_where_that_is():
    child = record("x", meta={"parents": ["1" * 32]})
    for at in paths.SPLITS:
        assert split(facts(child), Pins({pin(PUBLISHED, "1" * 32): at})) == {child.id: at}


ALIKE = {identifier: Fact("sample", (("3 prompt", identifier),), None) for identifier in ("one", "other")}


def alike(one: str, other: str, *released: str) -> Decision:
    """What split decides of two records that are alike and pinned to these splits, some of them released themselves."""
    places = {"one": one, "other": other}
    known = {pin("3 prompt", name): at for name, at in places.items()}
    known |= {pin(PUBLISHED, name): places[name] for name in released}
    return decide(ALIKE, Params(), {("one", "other"): 0.75}, Pins(known))


@pytest.mark.parametrize("one", paths.SPLITS)
@pytest.mark.parametrize("other", paths.SPLITS)
def test_of_two_that_are_alike_across_splits_the_published_one_stays(one: str, other: str) -> None:
    drops = alike(one, other, "one").drops
    assert [drop.id for drop in drops] == ["other"] * (one != other)
    for drop in drops:
        assert drop.reason == "near_duplicate_across_splits"
        assert drop.evidence == {"other": "one", "similarity": 0.75, "split": other, "other_split": one}


def test_two_published_records_that_are_alike_both_stay_and_each_names_the_other() -> None:
    made = alike("train", "test", "one", "other")
    assert made.drops == []
    assert {row["id"]: row["leak"] for row in made.rows} == {
        "one": {"other": "other", "similarity": 0.75, "other_split": "test"},
        "other": {"other": "one", "similarity": 0.75, "other_split": "train"},
    }
    assert not [row for row in alike("test", "test", "one", "other").rows if "leak" in row]


def test_of_several_that_are_alike_and_published_the_most_alike_is_named() -> None:
    places = {"a": "train", "b": "test", "c": "validation", "d": "train"}
    found = {i: Fact("sample", ((RECORD, i),), None) for i in places}
    known = Pins({pin(PUBLISHED, i): at for i, at in places.items()})
    near = {("a", "b"): 0.72, ("a", "c"): 0.78, ("a", "d"): 0.79}
    rows = {row["id"]: row.get("leak", {}).get("other") for row in decide(found, Params(), near, known).rows}
    assert rows == {"a": "c", "b": "a", "c": "a", "d": None}


WORLD = st.lists(st.tuples(st.sampled_from(paths.SPLITS), st.booleans()), min_size=2, max_size=6)
NEAR = st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 5)), st.sampled_from([0.7, 0.75, 0.79]), max_size=20)


@given(WORLD, NEAR)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_no_published_record_falls_for_one_that_is_alike_and_no_leak_is_left_unsaid(
    world: list[tuple[str, bool]], near: dict[tuple[int, int], float]
) -> None:
    places = {f"{n}": at for n, (at, _) in enumerate(world)}
    released = {f"{n}" for n, (_, known) in enumerate(world) if known}
    pairs = {(f"{a}", f"{b}"): similarity for (a, b), similarity in near.items() if a < b < len(world)}
    found = {i: Fact("sample", (("3 prompt", i),), None) for i in places}
    known = {pin("3 prompt", i): at for i, at in places.items()} | {pin(PUBLISHED, i): places[i] for i in released}
    made = decide(found, Params(), pairs, Pins(known))
    drops = {drop.id: drop for drop in made.drops}
    said = {row["id"]: row["leak"] for row in made.rows if "leak" in row}
    across = [pair for pair in pairs if places[pair[0]] != places[pair[1]]]
    assert not drops.keys() & released
    assert all(drop.evidence["other"] not in drops for drop in drops.values())
    assert all({a, b} & drops.keys() or {a, b} <= said.keys() for a, b in across)
    assert said.keys() == {i for pair in across if {*pair} <= released for i in pair}


@given(WORLD, NEAR)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_releasing_what_there_is_changes_nothing_of_it_where_records_are_alike(
    world: list[tuple[str, bool]], near: dict[tuple[int, int], float]
) -> None:
    places = {f"{n}": at for n, (at, _) in enumerate(world)}
    pairs = {(f"{a}", f"{b}"): similarity for (a, b), similarity in near.items() if a < b < len(world)}
    found = {i: Fact("sample", (("3 prompt", i),), None) for i in places}
    known = {pin("3 prompt", i): at for i, at in places.items()}
    known |= {pin(PUBLISHED, f"{n}"): at for n, (at, released) in enumerate(world) if released}
    made = decide(found, Params(), pairs, Pins(known))
    held = pins.of(keys_of(found), {row["id"]: row["split"] for row in made.rows})
    again = decide(found, Params(), pairs, Pins(known | held))
    assert (again.rows, sorted(again.drops, key=repr)) == (made.rows, sorted(made.drops, key=repr))


def test_without_pins_nothing_is_held():
    assert pins.fitted(keys_of(facts(record("one"))), Pins()) == ({}, {})


@given(DESCRIBED, st.integers(0, 14))
@settings(deadline=None, derandomize=True, max_examples=80)
def test_what_a_release_pins_gives_the_same_version_again(found: list[Any], dropped: int) -> None:
    records = facts(*described(found))
    first = decide(records, Params(), {}, Pins())
    known = pins.of(keys_of(records), {row["id"]: row["split"] for row in first.rows[dropped:]})
    again = decide(records, Params(), {}, Pins(known))
    assert (again.rows, again.drops) == (first.rows, first.drops)


@given(DESCRIBED, DESCRIBED, st.lists(st.sampled_from(paths.SPLITS), min_size=14, max_size=14))
@settings(deadline=None, derandomize=True, max_examples=80)
def test_whatever_comes_no_group_stands_in_two_splits_and_nothing_published_moves(
    old: list[Any], new: list[Any], places: list[str]
) -> None:
    before = facts(*described(old))
    assigned = {row["id"]: row["split"] for row in decide(before, Params(), {}, Pins()).rows}
    moved = dict(zip(dict.fromkeys(assigned.values()), places, strict=False))  # as if other shares had been drawn
    assigned = {identifier: moved[at] for identifier, at in assigned.items()}
    later = decide(facts(*described([*old, *new][-14:])), Params(), {}, Pins(pins.of(keys_of(before), assigned)))
    for row in later.rows:
        assert row["split"] == assigned.get(row["id"], row["split"])
    for group in {row["group"] for row in later.rows}:
        assert len({row["split"] for row in later.rows if row["group"] == group}) == 1


class World:
    """Versions that grow: prompts that come back, people who ask again, answers edited, records replaced by others."""

    def __init__(self) -> None:
        self.draw = random.Random(7)
        self.records: list[Record] = []
        self.replaced: dict[str, list[str]] = {}

    def grow(self, count: int) -> None:
        """Add records; one in ten old ones is replaced by a new one that says nearly the same."""
        for _ in range(count):
            number = len(self.records)
            meta: dict[str, Any] = {"subject": f"s{self.draw.randrange(number + 50)}"} if number % 3 == 0 else {}
            if self.records and number % 10 == 1:
                old = self.records.pop(self.draw.randrange(len(self.records)))
                new = record(f"{old.messages[0].content}, please", id=digest("new", number), meta=meta)
                self.replaced[new.id] = [old.id, *self.replaced.pop(old.id, [])]
                self.records.append(new)
            asked = f"prompt {self.draw.randrange(number * 3 + 50)}"
            self.records.append(record(asked, f"answer {number}", id=digest("record", number), meta=meta))


def texts(world: World, assigned: dict[str, str], *splits: str) -> set[str]:
    return {each.messages[0].content for each in world.records if assigned.get(each.id) in splits}


@pytest.mark.parametrize("with_pins", [True, False])
def test_over_twenty_growing_versions_nothing_moves_and_no_test_text_enters_training(with_pins: bool) -> None:
    world, known, ever, kept_out = World(), {}, {}, set()
    moved, entered, bridges = set(), set(), 0
    for _ in range(20):
        world.grow(150)
        found = {each.id: measure(each, Params(), {}) for each in world.records}
        made = decide(found, Params(), {}, Pins(known, world.replaced) if with_pins else Pins())
        assigned = {row["id"]: row["split"] for row in made.rows}
        moved |= {i for i, at in assigned.items() if ever.get(i, at) != at}
        entered |= texts(world, assigned, "train") & kept_out
        bridges += len(made.drops)
        ever |= assigned
        kept_out |= texts(world, assigned, "validation", "test")
        known |= pins.of(keys_of(found), assigned)
    if with_pins:
        assert (moved, entered) == (set(), set())
        assert len(ever) > 3000
        assert bridges > 0
        assert {0.75 < sum(at == "train" for at in ever.values()) / len(ever) < 0.85} == {True}
    else:  # the world is one in which they would
        assert moved
        assert entered


def test_the_file_is_read_as_it_is_written():
    known = pins.of(keys_of(facts(record("one", meta={"subject": "a"}))), {record("one").id: "test"})
    assert pins.read(pins.written(known)) == known
    assert len(known) == 3
    assert all(len(line) == len("0123456789abcdef test") for line in pins.written(known))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"nonsense", ":1: is no pin"),
        (b"0123456789abcdef train\n0123456789abcdef other", ":2: is no pin"),
        (b"<<<<<<< HEAD", ":1: is no pin"),
        (b"\xff\xfe train", ":1: is no pin"),
        (b"0123456789abcdef train\n0123456789abcdef test", "pins to test what is in train too"),
    ],
)
def test_a_file_that_is_no_file_of_pins_stops_with_its_line(content: bytes, says: str) -> None:
    with pytest.raises(Stop) as stopped:
        pins.read(content.splitlines())
    assert says in stopped.value.message


def test_the_stage_obeys_the_pins_of_the_projects_file(built, tmp_path):
    root = shutil.copytree(built, tmp_path / "project")
    row, *_ = json_lines(root / paths.OUTPUT["split"])
    other = "test" if row["split"] == "train" else "train"
    (root / paths.PINS).write_text(f"{pin(PUBLISHED, row['id'])} {other}\n")
    stage(root, "split")
    now = {each["id"]: each["split"] for each in json_lines(root / paths.OUTPUT["split"])}
    assert now[row["id"]] == other


def test_two_that_are_published_and_alike_are_said_where_the_stage_and_the_trace_write(built, tmp_path, monkeypatch):
    root = shutil.copytree(built, tmp_path / "project")
    rows = json_lines(root / paths.OUTPUT["split"])
    a, b = (next(row for row in rows if row["split"] == at) for at in ("train", "test"))
    (root / paths.PINS).write_text("".join(sorted(f"{pin(PUBLISHED, row['id'])} {row['split']}\n" for row in (a, b))))
    (root / paths.OUTPUT["dedup"]).write_bytes(encode({"a": a["id"], "b": b["id"], "similarity": 0.75}) + b"\n")
    stage(root, "split")
    now = {row["id"]: row for row in json_lines(root / paths.OUTPUT["split"])}
    assert now[a["id"]]["leak"] == {"other": b["id"], "similarity": 0.75, "other_split": "test"}
    monkeypatch.setattr(paths, "ROOT", root)
    said = trace.divided(Found(a["id"], "faq"), None).said
    assert said.endswith(f"; near-duplicate of {b['id']} in test, and both are published")
