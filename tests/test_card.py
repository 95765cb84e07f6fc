"""Every number in the dataset card is counted here a second time, from the records, the drops and the curated files."""

import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stages import report
from stages.contract.params import read_yaml
from stages.contract.record import Record, decode_record, encode, kind, prompt, reply
from stages.text.personal_data import KINDS
from stages.text.tokens import NAME, count
from tests.conftest import build, json_lines, sample_project, settings_of

STAGES = ("collect", "filter", "dedup", "decontaminate", "judge", "balance", "split", "export")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    return build(sample_project(tmp_path_factory.mktemp("card")))


@pytest.fixture(scope="module")
def card(built: Path) -> str:
    return (built / "reports/DATASET_CARD.md").read_text("utf-8")


@pytest.fixture(scope="module")
def drops(built: Path) -> list[dict[str, Any]]:
    return json_lines(built / "data/curated/dropped.jsonl")


@pytest.fixture(scope="module")
def records(built: Path) -> dict[str, Record]:
    lines = (line for path in sorted(built.glob("data/records/*/*.jsonl")) for line in path.read_bytes().splitlines())
    return {record.id: record for record in map(decode_record, lines)}


@pytest.fixture(scope="module")
def kept(built: Path, records: dict[str, Record]) -> dict[str, Record]:
    """The records that are in the dataset; the index has as many lines as the files beside it."""
    index = [row["id"] for row in json_lines(built / "data/curated/index.jsonl")]
    assert len(index) == sum(lines(built, split) for split in ("train", "validation", "test"))
    return {identifier: records[identifier] for identifier in index}


def lines(built: Path, split: str) -> int:
    return sum(len(path.read_bytes().splitlines()) for path in built.glob(f"data/curated/**/{split}.jsonl"))


def table(card: str, first: str) -> list[list[str]]:
    """The rows of the table whose header starts with this column."""
    block = re.search(rf"^\| {first} \|.*\n\|[-:|]+\|\n((?:\|.*\n?)+)", card, re.MULTILINE)
    assert block, first
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in block[1].strip().splitlines()]


def quantile(values: list[float], share: float) -> float:
    """The value below which a share lies, on the straight line between its neighbours."""
    ordered, place = sorted(values), share * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 3)


def mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 3)


def examples(kept: dict[str, Record]) -> list[Record]:
    return [record for record in kept.values() if kind(record) == "example"]


def all_tokens(record: Record) -> int:
    """Tokens of prompt, reply, system turns and tools."""
    system = sum(count(message.content) for message in record.messages if message.role == "system")
    tools = count(encode(record.tools).decode()) if record.tools else 0
    return count(prompt(record)) + count(reply(record)) + system + tools


def scored(built: Path) -> list[float]:
    return [row["score"] for row in json_lines(built / "data/judged.jsonl")]


def origins(built: Path, source: str) -> int:
    """The rows of a source: each left an origin, whatever became of it."""
    return sum(len(path.read_bytes().splitlines()) for path in built.glob(f"data/origins/{source}/*.jsonl"))


def test_the_sizes_of_the_dataset_and_its_splits(card: str, built: Path, kept: dict[str, Record]) -> None:
    kinds = Counter(map(kind, kept.values()))
    assert f"\n{kinds['example']} examples, {kinds['preference']} preference pairs.\n" in card
    sizes = {split: lines(built, split) for split in ("train", "validation", "test")}
    total = sum(sizes.values())
    assert total == len(kept)
    assert table(card, "split") == [[name, str(n), f"{100 * n / total:.1f} %"] for name, n in sizes.items()]


def test_the_sources(card, built, drops, records, kept) -> None:
    declared = read_yaml(built / "params.yaml")["sources"]
    dropped = Counter(drop["source"] for drop in drops)
    read, curated = (Counter(record.source for record in part.values()) for part in (records, kept))
    assert table(card, "source") == [
        [
            name,
            declared[name]["licence"],
            declared[name].get("method", "human"),
            str(origins(built, name)),
            *(str(counter[name]) for counter in (read, curated, dropped)),
        ]
        for name in sorted(declared)
    ]


def test_the_stages(card, built, drops) -> None:
    left, rows = sum(origins(built, path.name) for path in built.glob("data/origins/*")), []
    for stage in STAGES:
        reasons = Counter(drop["reason"] for drop in drops if drop["stage"] == stage)
        told = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
        rows.append([stage, str(left), str(reasons.total()), str(left - reasons.total()), told])
        left -= reasons.total()
    assert table(card, "stage") == rows


def test_the_personal_data(card, built, records) -> None:
    found: Counter[str] = Counter()
    for record in records.values():
        found.update(record.meta.redacted)
    kinds = settings_of(built)["collect"]["redact"]
    assert table(card, "kind") == [
        [name, mode, str(found[name])] for name in KINDS if (mode := kinds.get(name, "keep")) != "keep"
    ]
    assert found.total() == sum(
        text.count(f"[{name.upper()}]") for text in map(texts, records.values()) for name in kinds
    )


def texts(record: Record) -> str:
    return encode(record.messages + record.rejected).decode()


def test_the_size(card, kept) -> None:
    whole = [float(all_tokens(record)) for record in examples(kept)]
    assert (
        f"Tokens are counted with {NAME}: {int(sum(whole))} in all, {mean(whole)} a record on average, "
        f"99 % of the records below {quantile(whole, 0.99)}, the longest {max(whole)}.\n"
    ) in card
    measures = {
        "prompt tokens": lambda record: count(prompt(record)),
        "reply tokens": lambda record: count(reply(record)),
        "reply words": lambda record: len(reply(record).split()),
    }
    shown = {row[0]: list(map(float, row[1:])) for row in table(card, "measure")}
    for name, measure in measures.items():
        values = [float(measure(record)) for record in examples(kept)]
        assert shown.pop(name) == [mean(values), *(quantile(values, at) for at in (0.1, 0.5, 0.9)), max(values)]
    assert shown == {}


def test_the_content(card, built, kept) -> None:
    topics = Counter(record.meta.topic for record in examples(kept))
    assert f"Topics: {', '.join(f'{name} {number}' for name, number in sorted(topics.items()))}.\n" in card
    scores = {row["id"]: row for path in built.glob("data/scores/*/*.jsonl") for row in json_lines(path)[1:]}
    languages = Counter(scores[record.id]["language"]["reply"][0] or "not told" for record in examples(kept))
    assert f"Languages: {', '.join(f'{name} {number}' for name, number in sorted(languages.items()))}.\n" in card
    values = scored(built)
    quartiles = ", ".join(str(quantile(values, share)) for share in (0.25, 0.5, 0.75))
    assert "\nThe local scorer judged, which is rules: they find useless replies and cannot tell a wrong one.\n" in card
    assert f"Judge: {len(values)} scored, mean {mean(values)}, quartiles {quartiles}.\n" in card


def test_the_gate(card, built, drops, records, kept) -> None:
    topics = Counter(record.meta.topic for record in examples(kept)).values()
    whole, values = [all_tokens(record) for record in examples(kept)], scored(built)
    early = sum(drop["stage"] == "collect" for drop in drops)
    late = {drop["id"] for drop in drops if drop["stage"] != "collect"}
    rows = sum(origins(built, path.name) for path in built.glob("data/origins/*"))
    lost = rows - len(records) - early + len(records.keys() - kept.keys() - late) + len(kept.keys() & late)
    unresolved = Counter(row["kind"] for row in json_lines(built / "data/unresolved.jsonl"))
    expected = [
        len(examples(kept)),
        len((built / "data/eval/gold.jsonl").read_text().splitlines()),
        0,  # confirmed leaks: the sample has no verdicts
        0,  # facts to be checked, and facts found wrong: its packs state none
        0,
        round(sum(drop["stage"] == "dedup" for drop in drops) / len(records), 3),
        unresolved["conflicting_tools"] + unresolved["conflicting_answer"],
        unresolved["contradictory_pairs"] + unresolved["preference_cycle"],  # none of the sample's is settled by a drop
        unresolved["uncompared"],
        0,  # near-duplicates published in two splits: nothing is published
        round(early / rows, 3),
        early,
        mean([float(n) for n in whole]),
        max(whole),
        0,  # canaries: there are none without a model
        round(sum(value < 3 for value in values) / len(values), 3),
        *(1, 0, 0, 0),  # the local scorer is calibrated, no model judges, and agreement did not fall
        round(max(topics) / min(topics), 3),
        lost,
    ]
    shown = table(card, "rule")
    assert [float(row[1]) for row in shown] == expected
    for row, rule, value in zip(shown, settings_of(built)["gate"]["rules"], expected, strict=True):
        sides = [("at least", rule.get("min")), ("at most", rule.get("max"))]
        assert row[2] == " and ".join(f"{side} {bound}" for side, bound in sides if bound is not None)
        holds = rule.get("min", -math.inf) <= value <= rule.get("max", math.inf)
        assert row[3] == ("passes" if holds else "warns" if rule.get("severity") == "warning" else "fails")


def test_no_other_number_stands_in_the_card(card: str) -> None:
    rest = re.sub(r"^\|.*\n", "", card, flags=re.MULTILINE)  # the tables, each compared whole above
    rest = re.sub(
        r"^(\d+ examples|Thresholds of the profile|Tokens are|Languages:|Topics:|Judge:).*\n",
        "",
        rest,
        flags=re.MULTILINE,
    )
    assert re.findall(r".*\d.*", rest) == []


def test_the_card_says_what_it_is_for_what_is_wrong_and_how_to_rebuild_it(card: str, built: Path) -> None:
    told = read_yaml(built / "params.yaml")["report"]
    assert card.startswith(f"# {told['title']}\n\n{told['intended_use']}\n")
    assert all(f"\n- {fault}\n" in card for fault in told["known_faults"])
    assert "Not found: name, address, url, and whatever" in card
    assert all(command in card for command in ("\nmake run ", "\ngit diff --exit-code dvc.lock ", "\ndvc pull "))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("import_export", "import_export"),
        ("a | b\n| c", r"a \| b \| c"),
        ("<script>x</script>", r"\<script\>x\</script\>"),
        ("[link](https://evil.example) `code` *a* _b_", r"\[link\](https://evil.example) \`code\` \*a\* \_b\_"),
        ("a\u202eb", r"a\\u202eb"),
    ],
)
def test_a_text_in_the_card_is_neither_markdown_nor_html(text: str, written: str) -> None:
    assert report.plain(text) == written
