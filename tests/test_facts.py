"""Answers that state facts: which are listed for a person to check, and what the gate makes of what was found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.contract import facts, params, paths
from stages.contract.params import Stop, settled
from stages.reporting import figures, gate
from stages.reporting.evidence import Evidence, gather
from tests.conftest import (
    REPOSITORY,
    SAMPLE,
    build,
    choose,
    git,
    json_lines,
    record,
    run,
    sample_project,
    stage,
    without_generation,
)

IDS = [f"{number:032x}" for number in range(30)]
ROWS = [
    ("What is the boiling point of water at sea level?", "It is 100 degrees Celsius."),
    ("Which planet of the solar system is the largest?", "Jupiter is the largest of them."),
    ("How many legs does a spider have, and an insect?", "A spider has eight and an insect six."),
    ("What gas do plants take up for photosynthesis?", "They take up carbon dioxide from the air."),
]
SIZE = 3


def said(place: Path, *verdicts: tuple[str, str, str]) -> None:
    rows = [{"id": identifier, "verdict": verdict, "who": who} for identifier, verdict, who in verdicts]
    (place / paths.FACTS).write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built project in which four rows of one source state facts and the rows of another state none."""
    root = without_generation(sample_project(tmp_path_factory.mktemp("facts")))
    rows = [{"input": asked, "output": answer, "topic": "science", "extra": {"facts": True}} for asked, answer in ROWS]
    (root / "data/sources/science.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    known = params.read_yaml(root / "params.yaml")["sources"]
    science = {
        "path": "data/sources/science.jsonl",
        "licence": "CC0-1.0",
        "topic_field": "topic",
        "extra_field": "extra",
    }
    choose(root, {"sources": {"faq": known["faq"], "science": science}, "export.fact_check": SIZE})
    git(root, "init", "-q")
    git(root, "config", "user.name", "Ada")
    return build(root)


@pytest.fixture(scope="module")
def evidence(states: Path) -> Evidence:
    """What the report sees of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", states)
        params.whole.cache_clear()
        found = gather(list(params.sources()))
    params.whole.cache_clear()
    return found


@pytest.fixture
def checked(states: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, int]]:
    """What the report says of facts after somebody has said this."""
    monkeypatch.setattr(paths, "ROOT", states)

    def counted(*verdicts: tuple[str, str, str]) -> dict[str, int]:
        said(states, *verdicts)
        return figures.checked_facts(evidence, evidence.table[evidence.table["split"].notna()])

    return counted


def listed(root: Path) -> list[dict[str, Any]]:
    return json_lines(root / paths.FACT_CHECK)


def other(root: Path) -> str:
    """The id of the record that states facts and is not listed."""
    ids = {row["id"] for row in listed(root)}
    return next(row["id"] for row in json_lines(root / "data/records/science/00000.jsonl") if row["id"] not in ids)


def test_so_many_of_the_rows_that_state_facts_are_listed_with_question_and_answer(states: Path) -> None:
    found = listed(states)
    assert len(found) == SIZE
    assert {(row["question"], row["answer"]) for row in found} < set(ROWS)
    assert {row["topic"] for row in found} == {"science"}


def test_rows_that_do_not_say_so_are_neither_listed_nor_counted(states: Path, checked: Any) -> None:
    assert len(json_lines(states / "data/records/faq/00000.jsonl")) > SIZE
    assert checked()["records"] == len(ROWS)


@given(st.lists(st.sampled_from(IDS), unique=True, min_size=1), st.integers(1, 9), st.integers(0, 99))
@settings(derandomize=True, max_examples=60)
def test_a_row_that_is_added_takes_the_place_of_at_most_one(ids: list[str], size: int, seed: int) -> None:
    before, after = facts.drawn(ids[1:], size, seed), facts.drawn(ids, size, seed)
    assert set(after) - set(before) <= {ids[0]}
    assert len(set(before) - set(after)) <= 1
    assert facts.drawn(ids, size + 1, seed)[:size] == after == facts.drawn(ids[::-1], size, seed)


def test_what_nobody_has_looked_at_or_is_unsure_of_is_unchecked(states: Path, checked: Any) -> None:
    first, second, _ = (row["id"] for row in listed(states))
    assert checked() == {"records": 4, "listed": 3, "right": 0, "unsure": 0, "unchecked": 3, "wrong": 0}
    assert checked((first, "right", "Ada"), (second, "unsure", "Ada")) == {
        "records": 4, "listed": 3, "right": 1, "unsure": 1, "unchecked": 2, "wrong": 0,
    }  # fmt: skip


def test_a_row_found_wrong_counts_while_it_is_in_the_dataset_listed_or_not(states: Path, checked: Any) -> None:
    gone, first = "f" * 32, listed(states)[0]["id"]
    found = checked((other(states), "wrong", "Ada"), (first, "wrong", "Ada"), (gone, "wrong", "Ada"))
    assert (found["wrong"], found["unchecked"]) == (2, 2)


def test_of_one_persons_verdicts_the_last_counts_and_of_several_persons_the_worst(states: Path, checked: Any) -> None:
    first, second, _ = (row["id"] for row in listed(states))
    found = checked((first, "wrong", "Ada"), (first, "right", "Ada"), (second, "wrong", "Ada"), (second, "right", "Bo"))
    assert (found["right"], found["wrong"]) == (1, 1)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "broken_json"),
        ("[]", "expected `object`"),
        ('{"id": "x", "verdict": "right", "who": "Ada"}', "id: expected `str` matching regex"),
        (f'{{"id": "{IDS[0]}", "verdict": "fine", "who": "Ada"}}', "verdict: invalid enum value 'fine'"),
        (f'{{"id": "{IDS[0]}", "verdict": "right", "who": ""}}', "who: expected `str` of length >= 1"),
        (f'{{"id": "{IDS[0]}", "verdict": "right", "who": "A", "why": "x"}}', "unknown field `why`"),
    ],
)
def test_a_verdict_that_cannot_be_read_stops_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, problem: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / paths.FACTS).write_text(f"\n{line}\n")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    with pytest.raises(Stop) as stopped:
        facts.verdicts()
    assert stopped.value.message.startswith(f"{paths.FACTS}:2: ")
    assert problem in stopped.value.message


@pytest.mark.parametrize(
    ("profile", "unchecked"), [("lesson-200", "warning"), ("prod-1k", "error"), ("commercial", "error")]
)
def test_a_wrong_fact_fails_every_gate_and_an_unchecked_one_that_of_a_product(profile: str, unchecked: str) -> None:
    with params.using({"profile": profile}):
        rules = gate.Params([rule for rule in gate.in_force().rules if rule.metric.startswith("facts.")])
    for metrics, failing in (
        ({"unchecked": 0, "wrong": 0}, []),
        ({"unchecked": 1, "wrong": 0}, [unchecked]),
        ({"unchecked": 0, "wrong": 1}, ["error"]),
    ):
        held = gate.results(rules, {"facts": metrics})
        assert [each.severity for each in held if not each.passed] == failing


def test_the_report_and_the_card_say_what_was_checked(states: Path, checked: Any) -> None:
    counted = checked((listed(states)[0]["id"], "right", "Ada"))
    stage(states, "report")
    assert json.loads((states / paths.METRICS).read_text())["facts"] == counted
    assert "Facts: 4 records state facts. 3 of them were drawn" in (states / paths.CARD).read_text()


# the command


def test_the_command_lists_what_is_open_and_notes_what_was_found_without_text(states: Path) -> None:
    said(states)
    first = listed(states)[0]
    shown = run("dataset", "fact-check", cwd=states, code=1).stdout
    assert all(row["answer"] in shown for row in listed(states))
    done = run("dataset", "fact-check", first["id"][:8], "right", "--note", "an encyclopedia", cwd=states)
    assert f"{first['id']} is right, says Ada" in done.stdout
    assert json_lines(states / paths.FACTS) == [
        {"id": first["id"], "verdict": "right", "who": "Ada", "note": "an encyclopedia"}
    ]
    assert first["answer"] not in run("dataset", "fact-check", cwd=states, code=1).stdout
    for row in listed(states)[1:]:
        run("dataset", "fact-check", row["id"], "wrong", "--who", "Bo", cwd=states)
    assert run("dataset", "fact-check", cwd=states).stdout == ""


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("deadbeef", "right"), "dataset fact-check deadbeef: no curated record has an id that starts so"),
        (("", "right"), "ids start so"),
        (("deadbeef",), "no verdict; say right, unsure or wrong"),
    ],
)
def test_an_id_that_names_no_record_or_a_missing_verdict_stops(
    states: Path, words: tuple[str, ...], problem: str
) -> None:
    assert problem in run("dataset", "fact-check", *words, cwd=states, code=2).stderr


def test_the_sample_ships_without_verdicts() -> None:
    assert (SAMPLE / paths.FACTS).read_bytes() == b""
    assert (REPOSITORY / paths.FACTS).is_file()
    assert settled(params.read_yaml(SAMPLE / "params.yaml"))["export"]["fact_check"] > 0


def test_facts_stay_marked_in_the_record_that_collect_writes() -> None:
    assert facts.states_facts(record(meta={"extra": {"facts": True}}))
    assert not facts.states_facts(record(meta={"extra": {"facts": "yes"}}))
