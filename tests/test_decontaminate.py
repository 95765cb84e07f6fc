"""What overlaps the evaluation set leaves the dataset; the evaluation set never changes."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import decontaminate
from stages.contract.record import Example, Message, Record, encode
from stages.decontaminate import Index, Params, decide, index, measure
from tests.conftest import json_lines, record, stage

ASKED = "Which of my seven hives should I inspect before the frost comes?"
SAID = "Begin with the weakest colony, because it has the least food left to get through a cold spell."
EIGHT = "the least food left to get through a"
GOLD = "data/eval/gold.jsonl"


def example(asked: str = ASKED, said: str = SAID) -> Example:
    """A row of the evaluation set."""
    return Example([Message("user", asked), Message("assistant", said)])


def found(given_record: Record, *examples: Example, words: int = 8) -> Any:
    """What is found of the record in these rows."""
    return measure(given_record, Params(words), index(list(examples or [example()]), words))


def given_project(root: Path, *records: Record) -> Path:
    """A project of the sample whose only records are these, with no drops so far."""
    settings_ = yaml.safe_load((root / "params.yaml").read_text())
    for name in settings_["sources"]:
        (root / f"data/dropped/filter/{name}.jsonl").parent.mkdir(parents=True, exist_ok=True)
        (root / f"data/dropped/filter/{name}.jsonl").write_bytes(b"")
    (root / "data/dropped/dedup.jsonl").write_bytes(b"")
    (root / "data/records/faq").mkdir(parents=True)
    (root / "data/records/faq/00000.jsonl").write_bytes(b"".join(encode(each) + b"\n" for each in records))
    return root


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "said",
    [
        EIGHT,
        f"They say that {EIGHT} winter.",
        EIGHT.upper(),
        "The least -- food, left: to 'get' through... A",
        "the\nleast   food left\tto get\n\nthrough a",
    ],
)
def test_eight_words_in_a_row_are_found_whatever_their_case_and_punctuation(said: str) -> None:
    fact = found(record("Tell me.", said))
    assert fact == {"source": "sample", "row": 1, "words": EIGHT}


@pytest.mark.parametrize(
    "said",
    [
        "the least food left to get through",
        "the least food left to get through an icy spell",
        "the least food left and to get through a cold",
        "a through get to left food least the",
        "least food left to get through, the a",
    ],
)
def test_seven_words_in_a_row_or_eight_in_another_order_are_kept(said: str) -> None:
    assert found(record("Tell me.", said)) is None


@pytest.mark.parametrize("length", [3, 5, 12])
def test_the_number_of_words_is_the_one_given(length: int) -> None:
    words = SAID.lower().replace(",", "").rstrip(".").split()
    assert found(record("Tell me.", " ".join(words[:length])), words=length)
    assert not found(record("Tell me.", " ".join(words[: length - 1])), words=length)


@pytest.mark.parametrize(
    "hidden",
    [
        record(f"Is it true that {EIGHT} storm?", "Yes, it is."),
        record(rejected=[{"role": "assistant", "content": f"Now {EIGHT} storm."}]),
        record(said=f"Now {EIGHT} storm.", label=False),
    ],
    ids=["prompt", "losing ending", "labelled"],
)
def test_a_leak_is_found_in_every_part_of_a_record(hidden: Record) -> None:
    assert found(hidden)["words"] == EIGHT


def test_words_of_the_system_turn_are_not_a_leak() -> None:
    turns = [
        {"role": "system", "content": SAID},
        {"role": "user", "content": "What now?"},
        {"role": "assistant", "content": "Nothing at all."},
    ]
    assert found(record(messages=turns)) is None


@pytest.mark.parametrize(
    ("asked", "leaks"),
    [
        ("Can lists be nested?", True),
        ("can lists be NESTED", True),
        ("Can lists be nested, please?", False),
        ("So: can lists be nested?", False),
        ("Can lists be?", False),
    ],
)
def test_a_question_shorter_than_a_run_is_found_only_whole(asked: str, leaks: bool) -> None:
    fact = found(record(asked, "One level deep."), example("Can lists be nested?", "No."))
    assert fact == ({"source": "sample", "row": 1, "words": "can lists be nested"} if leaks else None)


def test_a_short_question_said_in_a_reply_is_no_leak() -> None:
    short = example("Can lists be nested?", "No.")
    assert found(record("What do people ask?", "Can lists be nested?"), short) is None


@pytest.mark.parametrize("asked", ["???", "🎉", ""])
def test_a_question_without_words_matches_nothing(asked: str) -> None:
    wordless = Example([Message("user", "!!!"), Message("assistant", "No.")])
    assert found(record(asked, "One level deep."), wordless) is None


def test_the_evidence_names_the_first_row_that_has_the_words() -> None:
    rows = [example("Is it cold?", "No."), example(), example()]
    assert found(record("Tell me.", EIGHT), *rows)["row"] == 2
    assert found(record("is it cold", "Indeed."), *rows)["row"] == 1


def test_a_drop_holds_row_and_words() -> None:
    leaked = record("Tell me.", EIGHT)
    [drop] = decide({leaked.id: found(leaked), "0" * 32: None}, Params(), Index({}, {})).drops
    assert (drop.id, drop.source, drop.stage, drop.reason) == (
        leaked.id,
        "sample",
        "decontaminate",
        "in_evaluation_set",
    )
    assert drop.evidence == {"row": 1, "words": EIGHT}
    assert drop.reason in decontaminate.REASONS


WORDS = st.lists(st.sampled_from(["one", "two", "Three", "four."]), max_size=12).map(" ".join)


@given(st.lists(WORDS, max_size=5), WORDS)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_a_record_is_dropped_exactly_when_it_shares_four_words_or_a_short_question(golds: list[str], text: str) -> None:
    def plain(words: str) -> list[str]:
        return words.lower().replace(".", "").split()

    def runs(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[n : n + 4]) for n in range(len(words) - 3)}

    asked = plain(text)
    shared = any(runs(plain(gold)) & runs(asked) or (0 < len(asked) < 4 and plain(gold) == asked) for gold in golds)
    fact = found(record(text, ""), *(example(gold, "") for gold in golds or [""]), words=4)
    assert bool(fact) == shared
    if fact:
        gold, told = plain(golds[fact["row"] - 1]), fact["words"].split()
        assert told == gold or tuple(told) in runs(gold)


def test_deciding_twice_gives_the_same_and_leaves_the_facts_alone() -> None:
    leaked = record("Tell me.", EIGHT)
    facts = {leaked.id: found(leaked)}
    before = copy.deepcopy(facts)
    assert decide(facts, Params(), Index({}, {})) == decide(facts, Params(), Index({}, {}))
    assert facts == before


def test_the_stage_drops_a_copy_of_a_row_and_leaves_the_evaluation_set_untouched(project: Path) -> None:
    first = json_lines(project / GOLD)[0]["messages"]
    leaked, clean = record(messages=first, source="faq"), record(source="faq")
    before = digest(project / GOLD)
    stage(given_project(project, leaked, clean), "decontaminate")
    [drop] = json_lines(project / "data/dropped/decontaminate.jsonl")
    assert drop["id"] == leaked.id
    assert drop["evidence"]["row"] == 1
    assert len(drop["evidence"]["words"].split()) == 8
    assert digest(project / GOLD) == before


@pytest.mark.parametrize("change", [b"", b"\n", b'{"messages": []}\n'])
def test_a_changed_evaluation_set_stops_the_run_and_writes_nothing(project: Path, change: bytes) -> None:
    given_project(project, record(source="faq"))
    gold = project / GOLD
    gold.write_bytes(gold.read_bytes() + change if change else gold.read_bytes()[:-1])
    done = stage(project, "decontaminate", code=2)
    assert done.stderr.startswith(f"{GOLD}: has changed")
    assert "Traceback" not in done.stderr
    assert not (project / "data/dropped/decontaminate.jsonl").exists()


def test_a_changed_evaluation_set_with_a_moved_pin_is_read(project: Path) -> None:
    leaked = record("Tell me.", EIGHT, source="faq")
    gold = project / GOLD
    row = {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID}]}
    gold.write_text(json.dumps(row) + "\n")
    pinned = yaml.safe_load((project / "params.yaml").read_text())
    pinned["eval"]["gold"]["sha256"] = digest(gold)
    (project / "params.yaml").write_text(yaml.safe_dump(pinned))
    stage(given_project(project, leaked), "decontaminate")
    [drop] = json_lines(project / "data/dropped/decontaminate.jsonl")
    assert drop["evidence"] == {"row": 1, "words": EIGHT}


def test_what_collect_would_have_replaced_in_the_set_is_found_in_a_record() -> None:
    asked = "Please write to marta@posteo.example about the invoice that failed again"
    gold_row = Example([Message("user", asked), Message("assistant", "It was sent.")])
    index = decontaminate.index([gold_row], 8, lambda text: text.replace("marta@posteo.example", "[EMAIL]"))
    cleaned = record(asked=asked.replace("marta@posteo.example", "[EMAIL]"))
    assert decontaminate.measure(cleaned, decontaminate.Params(), index)
    assert decontaminate.measure(record(asked=asked), decontaminate.Params(), index)
