"""What overlaps the evaluation sets leaves the dataset; the evaluation sets never change."""

import copy
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import decontaminate
from stages.contract import gold
from stages.contract.gold import Evaluation
from stages.contract.params import Stop
from stages.contract.record import Example, Message, Record, digest, encode
from stages.decontaminate import Params, decide, index, measure, measure_many
from tests.benchmarks.decontaminate import PUBLIC, recall
from tests.conftest import GIT, git, json_lines, record, run, stage

ASKED = "Which of my seven hives should I inspect before the frost comes?"
SAID = "Begin with the weakest colony, because it has the least food left to get through a cold spell."
QUESTION = "which of my seven hives should i inspect before the frost comes"
GOLD = "data/eval/gold.jsonl"


def row(asked: str = ASKED, said: str = SAID, number: int = 1) -> Evaluation:
    """A row of the evaluation set."""
    return Evaluation(f"gold:{number}", "", Example([Message("user", asked), Message("assistant", said)]))


def decided(records: list[Record], *rows: Evaluation, verdicts: Any = None, **values: Any) -> Any:
    """What is decided of these records and rows."""
    settings_ = Params(**values)
    made = index(list(rows or [row()]), settings_)
    made.verdicts = verdicts or {}
    facts = dict(zip([each.id for each in records], measure_many(records, settings_, made), strict=True))
    before = copy.deepcopy(facts)
    decision = decide(facts, settings_, made)
    assert decide(facts, settings_, made) == decision
    assert facts == before
    return decision


def found(given_record: Record, *rows: Evaluation, **values: Any) -> dict[str, Any]:
    """The evidence of the record's drop; nothing if it is kept."""
    drops = decided([given_record], *rows, **values).drops
    return drops[0].evidence if drops else {}


def listed(given_record: Record, *rows: Evaluation, **values: Any) -> list[dict[str, Any]]:
    """The rows of data/overlaps.jsonl that tell of the record."""
    return list(decided([given_record], *rows, **values).rows)


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


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


# one record against one row


@pytest.mark.parametrize(
    ("said", "method", "score"),
    [
        (ASKED, "run", 1.0),
        (f"They say: {ASKED.upper()} I do not know.", "run", 1.0),
        ("Which of my -- seven hives; should I 'inspect' before\nthe   frost comes", "run", 1.0),
        ("which of my seven hives should I inspect", "run", 0.667),
        (SAID, "run", 0.6),
    ],
)
def test_most_of_a_question_is_a_leak_wherever_it_stands(said: str, method: str, score: float) -> None:
    evidence = found(record("Tell me.", said))
    assert (evidence["eval"], evidence["method"], evidence["score"]) == ("gold:1", method, score)


def test_a_question_asked_again_is_equal() -> None:
    assert found(record(ASKED.lower(), "No.")) == {
        "eval": "gold:1",
        "method": "equal",
        "score": 1.0,
        "words": QUESTION,
    }


LONG = " ".join(f"word{n} tells{n}" for n in range(100))


@pytest.mark.parametrize(("words", "leaks"), [(13, True), (12, False)])
def test_a_long_run_is_a_leak_however_long_the_row_is(words: int, leaks: bool) -> None:
    said = " ".join(LONG.split()[40 : 40 + words])
    assert bool(found(record("Tell me.", said), row(LONG, "No."))) == leaks


def test_a_run_that_is_too_short_or_in_another_order_is_kept() -> None:
    assert not found(record("Tell me.", "the least food left to get through an icy spell"))
    assert not found(record("Tell me.", " ".join(reversed(SAID.split()))))


def test_the_length_of_a_run_is_the_one_given() -> None:
    said = "of my seven hives should"
    assert not found(record("Tell me.", said), share=0.4)
    assert found(record("Tell me.", said), share=0.4, words=5)


def test_a_copy_with_a_word_changed_in_the_middle_is_near() -> None:
    words = LONG.split()
    words[5::6] = ["changed"] * len(words[5::6])
    evidence = found(record(" ".join(words), "No."), row(LONG, "Yes."))
    assert (evidence["method"], evidence["score"] >= 0.5) == ("near", True)


def test_pieces_of_a_row_all_over_a_long_text_are_no_near_copy() -> None:
    words = LONG.split()
    apart = (" ".join([*words[n : n + 3], *(f"other{n}x{m}" for m in range(40))]) for n in range(0, len(words), 3))
    assert listed(record("Tell me.", " ".join(apart)), row(LONG, "Yes.")) == []


@pytest.mark.parametrize(
    "hidden",
    [
        record(f"Is it true? {ASKED}", "Yes, it is."),
        record(rejected=[{"role": "assistant", "content": f"Now {ASKED}"}]),
        record(said=f"Now {ASKED}", label=False),
    ],
    ids=["prompt", "losing ending", "labelled"],
)
def test_a_leak_is_found_in_every_part_of_a_record(hidden: Record) -> None:
    assert found(hidden)["words"] == QUESTION


def test_words_of_the_system_turn_are_not_a_leak() -> None:
    turns = [
        {"role": "system", "content": ASKED},
        {"role": "user", "content": "What now?"},
        {"role": "assistant", "content": "Nothing at all."},
    ]
    assert not found(record(messages=turns))


def test_the_first_turn_of_an_evaluation_of_several_is_a_question_of_its_own() -> None:
    turns = [Message("user", ASKED), Message("user", LONG)]
    assert found(record(ASKED, "No."), Evaluation("bench:3", "q3", Example(turns)))["key"] == "q3"


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
    evidence = found(record(asked, "One level deep."), row("Can lists be nested?", "No."))
    assert evidence.get("words") == ("can lists be nested" if leaks else None)


def test_a_short_question_said_in_a_reply_is_no_leak() -> None:
    assert not found(record("What do people ask?", "Can lists be nested?"), row("Can lists be nested?", "No."))


def test_another_sign_makes_another_sum() -> None:
    assert found(record("What is 12 * 7?", "84"), row("What is 12 * 7 ?", "84"))
    assert not found(record("What is 12 + 7?", "19"), row("What is 12 * 7?", "84"))


@pytest.mark.parametrize("text", ["???", "🎉🎉🎉 🎉", "", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18", "0 1 " * 40])
def test_a_text_that_says_nothing_matches_nothing(text: str) -> None:
    assert listed(record(f"{text} ", "What?"), row(text, "No.")) == []


@pytest.mark.parametrize(
    ("asked", "longer"),
    [
        ("小明有三个苹果和五个梨，他又买了两个苹果，请问他现在一共有多少个水果？", "请回答：{}谢谢"),
        ("ถ้าฉันมีแอปเปิลสามผลและซื้อเพิ่มอีกสองผลฉันจะมีแอปเปิลกี่ผล", "ช่วยตอบหน่อย {} ขอบคุณ"),
        ("りんごを三つとみかんを五つ買いました。全部でいくつの果物がありますか。", "答えて：{}"),
        ("खेत में तीन गायें और पाँच बकरियाँ हैं तो कुल कितने पशु खेत में हैं", "बताइए: {} धन्यवाद"),
    ],
)
def test_a_question_in_a_script_without_spaces_or_with_marks_is_found_in_a_longer_one(asked: str, longer: str) -> None:
    assert found(record(longer.format(asked), "?"), row(asked, "?"))["score"] == 1.0
    assert listed(record(longer.format(""), "?"), row(asked, "?")) == []


def test_one_sentence_in_chinese_is_no_single_word() -> None:
    asked = "小明有三个苹果和五个梨，他又买了两个苹果，请问他现在一共有多少个水果？"
    assert not found(record("小明有三个苹果，他吃了一个。", "?"), row(asked, "?"))


# what many have in common


PREFIX = "Answer the following question with one word and do not explain your answer to me"


def test_what_many_evaluation_rows_share_tells_none_of_them() -> None:
    rows = [row(f"{PREFIX}: what is made of {n} stones?", "Yes.", n) for n in map(digest, range(9))]
    assert not found(record(f"{PREFIX}: where is the moon tonight?", "Up."), *rows)
    assert found(record(rows[3].example.messages[0].content, "Up."), *rows)["eval"] == rows[3].name


def prompts(count: int) -> list[Record]:
    """Records that share an instruction and nothing else."""
    return [record(f"{PREFIX}: who was {digest(n)} {digest(-n)} of {digest(n, n)}?", f"{n}.") for n in range(count)]


FULL = row(f"{PREFIX}: which of my seven hives should I inspect before the frost comes this year?", "The last.")


@pytest.mark.parametrize(("count", "dropped"), [(20, 20), (21, 0)])
def test_what_many_records_share_of_a_row_is_boilerplate(count: int, dropped: int) -> None:
    assert len(decided(prompts(count), FULL).drops) == dropped


def test_a_question_leaked_a_thousand_times_is_no_boilerplate() -> None:
    asked = FULL.example.messages[0].content
    leaks = [record(asked, f"Answer {n}.") for n in range(500)]
    leaks += [record(asked.replace("this year", "or not"), f"Answer {n}.") for n in range(500)]
    decision = decided([*prompts(100), *leaks], FULL)
    assert {drop.id for drop in decision.drops} == {leak.id for leak in leaks}


def test_a_licence_notice_is_no_leak() -> None:
    notice = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software"
    assert not found(record("Add a licence.", notice), row("Which licence is it?", notice))


# what is said of it


def test_a_drop_holds_the_row_the_method_the_score_and_the_words() -> None:
    leaked = record("Tell me.", ASKED)
    [drop] = decided([leaked, record()]).drops
    assert (drop.id, drop.source, drop.stage) == (leaked.id, "sample", "decontaminate")
    assert drop.reason in decontaminate.REASONS
    assert drop.evidence == {"eval": "gold:1", "method": "run", "score": 1.0, "words": QUESTION}


def test_long_words_are_cut_in_the_evidence() -> None:
    assert len(found(record(LONG, "No."), row(LONG, "Yes."))["words"]) < 210


def test_the_row_that_is_matched_best_is_named() -> None:
    assert (
        found(record("Tell me.", ASKED), row("Is it cold?", "No."), row(number=2), row(LONG, "?", 3))["eval"]
        == "gold:2"
    )


def test_a_match_is_doubtful_if_one_method_found_it_or_if_it_is_kept_though_close() -> None:
    [whole] = listed(record(ASKED, "No."))
    assert (whole["methods"], whole["doubtful"], whole["leak"]) == (["equal", "run", "contained", "near"], False, True)
    [answer] = listed(record("Tell me.", " ".join(LONG.split()[:13])), row(LONG, "No."))
    assert (answer["methods"], answer["doubtful"], answer["leak"]) == (["run"], True, True)
    [close] = listed(record("Which of my eight hives should I inspect before the winter comes?", "No."), near=0.6)
    assert (close["methods"], close["doubtful"], close["leak"]) == ([], True, False)


def test_a_false_alarm_stays_and_a_confirmed_leak_goes() -> None:
    leaked, kept = record(ASKED, "No."), record("Tell me of bees.", "They fly.")
    assert not decided([leaked], verdicts={leaked.id: {0: "false_alarm"}}).drops
    assert not decided([leaked], verdicts={"*": {0: "false_alarm"}}).drops
    [drop] = decided([leaked, kept], verdicts={"*": {0: "false_alarm"}, kept.id: {0: "leak"}}).drops
    assert (drop.id, drop.evidence["method"], drop.evidence["words"]) == (kept.id, "verdict", QUESTION)


def test_what_collect_would_have_replaced_in_the_set_is_found_in_a_record_and_told_to_nobody() -> None:
    asked = "Please write to marta@posteo.example about the invoice that failed again"
    made = index([row(asked, "It was sent.")], Params(), lambda text: text.replace("marta@posteo.example", "[EMAIL]"))
    cleaned = record(asked=asked.replace("marta@posteo.example", "[EMAIL]"))
    near = record(asked="Do write to [EMAIL] about the invoice that has failed again")
    facts = {each.id: measure(each, Params(), made) for each in (cleaned, near)}
    rows = decide(facts, Params(near=0.3), made).rows
    assert {each["record"] for each in rows} == {cleaned.id, near.id}
    assert "marta" not in str(rows)


WORDS = st.lists(st.sampled_from(["one", "two", "Three", "four.", "fünf", "六"]), max_size=14).map(" ".join)


@given(st.lists(WORDS, min_size=1, max_size=4), WORDS)
@settings(derandomize=True, max_examples=150)
def test_a_row_is_found_exactly_when_its_longest_run_is_long_enough(golds: list[str], text: str) -> None:
    def plain(words: str) -> list[str]:
        return words.lower().replace(".", "").split()

    def longest(gold: list[str], said: list[str]) -> int:
        spans = ((a, b) for a in range(len(gold)) for b in range(a + 3, len(gold) + 1))
        telling = (b - a for a, b in spans if any(gold[a:b] == said[n : n + b - a] for n in range(len(said))))
        return max(telling, default=0)

    limits = {"words": 3, "characters": 3, "common_rows": 9, "share": 1, "contained": 1, "near": 1, "long": 4}
    told = listed(record("?", text), *(row(gold, "", n) for n, gold in enumerate(golds)), listed=0.01, **limits)
    for each in told:
        number = int(each["eval"].partition(":")[2])
        assert each["longest"] <= longest(plain(golds[number]), plain(text))
    for number, words in enumerate(map(plain, golds)):
        if len(set(words)) == len(words) >= 3 and longest(words, plain(text)) == len(words):
            assert [each for each in told if each["eval"] == f"gold:{number}" and each["leak"]]


# the files


def test_the_stage_drops_a_copy_of_a_row_and_leaves_the_evaluation_set_untouched(project: Path) -> None:
    first = json_lines(project / GOLD)[0]["messages"]
    leaked, clean = record(messages=first, source="faq"), record(source="faq")
    before = sha256(project / GOLD)
    stage(given_project(project, leaked, clean), "decontaminate")
    [drop] = json_lines(project / "data/dropped/decontaminate.jsonl")
    assert (drop["id"], drop["evidence"]["eval"]) == (leaked.id, "gold:1")
    assert [each["record"] for each in json_lines(project / "data/overlaps.jsonl")] == [leaked.id]
    assert sha256(project / GOLD) == before


@pytest.mark.parametrize("change", [b"", b"\n", b'{"messages": []}\n'])
def test_a_changed_evaluation_set_stops_the_run_and_writes_nothing(project: Path, change: bytes) -> None:
    given_project(project, record(source="faq"))
    path = project / GOLD
    path.write_bytes(path.read_bytes() + change if change else path.read_bytes()[:-1])
    done = stage(project, "decontaminate", code=2)
    assert done.stderr.startswith(f"{GOLD}: has changed")
    assert "Traceback" not in done.stderr
    assert not (project / "data/dropped/decontaminate.jsonl").exists()


BENCHMARKS = {
    "gsm8k": {"question": ASKED, "answer": "#### 7"},
    "humaneval": {"task_id": "HumanEval/0", "prompt": f"def f():\n    # {ASKED}", "canonical_solution": "    pass"},
    "mt_bench": {"question_id": 81, "turns": [ASKED, "And then?"]},
    "rl": {"prompt": [{"role": "user", "content": ASKED}], "reward_model": {"ground_truth": "7"}},
    "mmlu": {"question": ASKED, "choices": ["the first", "the last"], "answer": 1},
    "alpaca": {"instruction": ASKED, "output": "The last."},
    "plain": {"text": ASKED},
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_is_frozen_and_searched_in_its_own_shape(project: Path, name: str) -> None:
    (project / f"data/eval/{name}.jsonl").write_text(json.dumps(BENCHMARKS[name]) + "\n")
    leaked = record(f"Tell me: {ASKED} Thanks.", "No.", source="faq")
    given_project(project, leaked)
    assert "is not pinned; run `dataset freeze`" in stage(project, "decontaminate", code=2).stderr
    assert f"{name}.jsonl: 1 rows, pinned now" in run("dataset", "freeze", cwd=project).stdout
    stage(project, "decontaminate")
    [drop] = json_lines(project / "data/dropped/decontaminate.jsonl")
    assert drop["evidence"]["eval"] == f"{name}:1"
    (project / f"data/eval/{name}.jsonl").unlink()
    assert stage(project, "decontaminate", code=2).stderr.startswith(f"data/eval/{name}.jsonl: is not there")
    assert f"{name}.jsonl: is gone" in run("dataset", "freeze", cwd=project).stdout
    stage(project, "decontaminate")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("new.jsonl", b"", "data/eval/new.jsonl: has no row"),
        ("new.jsonl", b'{"question": "a"}\n{"title": "b"}\n', "data/eval/new.jsonl:2: unknown_shape"),
        ("new.jsonl", b'{"question": 7}\n', "data/eval/new.jsonl:1: wrong_type"),
        ("new.jsonl", b'{"question": "\xe4"}\n', "data/eval/new.jsonl:1: not_utf8"),
        ("new.jsonl", '{"question": "a"}\n'.encode("utf-16"), "data/eval/new.jsonl: is UTF-16"),
        ("new.jsonl", b'{"question"\n', "data/eval/new.jsonl:1: broken_json"),
        ("New set.jsonl", b'{"question": "a"}\n', "data/eval/New set.jsonl: the name is not"),
        ("new.csv", b"question\n", "data/eval/new.csv: only .jsonl files are read here"),
    ],
)
def test_an_evaluation_file_that_cannot_be_read_stops_with_its_row(
    project: Path, name: str, content: bytes, said: str
) -> None:
    (project / "data/eval" / name).write_bytes(content)
    done = run("dataset", "freeze", cwd=project, code=2)
    assert done.stderr.strip().splitlines()[-1].startswith(said)


def test_freezing_says_what_changed(project: Path) -> None:
    git(project, "init", "-q")
    git(project, "add", "-f", GOLD)
    git(project, "commit", "-qm", "The set")
    lines = (project / GOLD).read_text().splitlines(keepends=True)
    new = json.dumps({"messages": [{"role": "user", "content": "New?"}, {"role": "assistant", "content": "Yes."}]})
    changed = lines[1].replace('"assistant", "content": "', '"assistant", "content": "Well: ')
    (project / GOLD).write_text("".join([changed, *lines[3:], new + "\n", new + "\n"]))
    assert "2 added, 2 removed, 1 changed; pin moved" in run("dataset", "freeze", cwd=project, **GIT).stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "broken_json"),
        ("{}", "missing required field `eval`"),
        (
            '{"eval": "gold:999", "record": "*", "verdict": "false_alarm", "who": "a", "why": "b"}',
            "there is no row 'gold:999'",
        ),
        ('{"eval": "gold:1", "record": "*", "verdict": "leak", "who": "a", "why": "b"}', "record by record"),
        ('{"eval": "gold:1", "record": "x", "verdict": "leak", "who": "a", "why": "b"}', "matching regex"),
        ('{"eval": "gold:1", "record": "*", "verdict": "maybe", "who": "a", "why": "b"}', "maybe"),
    ],
)
def test_a_verdict_that_cannot_be_read_stops_with_its_line(project: Path, line: str, said: str) -> None:
    (project / "data/eval/verdicts.jsonl").write_text(f"\n{line}\n")
    done = stage(given_project(project, record(source="faq")), "decontaminate", code=2)
    assert done.stderr.startswith("data/eval/verdicts.jsonl:2: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_two_verdicts_on_one_match_stop(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gold.paths, "ROOT", project)
    said = {"eval": "gold:1", "record": "0" * 32, "verdict": "leak", "who": "a", "why": "b"}
    rows = [said, said | {"eval": "gold:1", "verdict": "false_alarm"}]
    (project / "data/eval/verdicts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    with pytest.raises(Stop, match=r"verdicts.jsonl:2: says false_alarm where an earlier line says leak"):
        gold.verdicts(gold.rows())


def test_a_confirmed_leak_that_is_still_in_the_dataset_fails_the_gate(built: Path, tmp_path: Path) -> None:
    root = tmp_path / "confirmed"
    shutil.copytree(built, root)
    kept = json_lines(root / "data/curated/index.jsonl")[0]["id"]
    said = {"eval": "gold:1", "record": kept, "verdict": "leak", "who": "Ada", "why": "reworded"}
    (root / "data/eval/verdicts.jsonl").write_text(json.dumps(said) + "\n")
    stage(root, "report")
    assert "confirmed leak" in run("dataset", "gate", cwd=root, code=1).stdout
    stage(root, "decontaminate")
    assert kept in {drop["id"] for drop in json_lines(root / "data/dropped/decontaminate.jsonl")}


def test_a_text_of_20_megabytes_is_searched() -> None:
    text = "the quick brown fox jumps over lazy dogs and so on " * 400_000
    assert found(record(f"{text} {ASKED}", "No."))["score"] == 1.0


@pytest.mark.skipif(
    not (PUBLIC / "B_truth/llm_decontaminator_dev").is_dir(), reason="reads ../shared, which is not there"
)
def test_public_copies_are_found_and_public_training_data_is_left() -> None:
    found_of = {name: (count, methods) for name, count, methods in recall()}
    for name, (count, methods) in found_of.items():
        if name.startswith(("100 rows", "MT-bench", "HumanEval's")):
            assert (methods["any"], methods["right"]) == (count, count), name
    assert found_of["GSM8K train, which is not in its test split"][1]["any"] < 0.001 * 7473 + 1
