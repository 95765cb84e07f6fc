"""The report counts again what the stages wrote, and the gate holds its rules against the counts."""

import copy
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import report
from stages.contract.params import Source
from stages.contract.record import Drop, digest, encode
from stages.reporting import coverage, figures, gate
from stages.reporting.evidence import Evidence
from stages.reporting.evidence import told as told_language
from tests.conftest import SAMPLE, json_lines, record, settings_of, stage

RULES = msgspec.convert(settings_of(SAMPLE)["gate"], gate.Params).rules
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
KEPT = {
    "source": "faq",
    "topic": "sync",
    "method": "human",
    "licence": "CC0-1.0",
    "terms": None,
    "facts": False,
    "redacted": {},
    "tools_defined": None,
    "tools_unused": None,
    "tools_wrong_flag": None,
    "prompt_tokens": 10.0,
    "reply_tokens": 20.0,
    "tokens": 30.0,
    "words": 15.0,
    "language": "en",
    "score": 5.0,
    "split": "train",
    "kind": "example",
    "extra": {},
    "longer": None,
}
GONE = {"split": None, "kind": None, "score": None}


def name(number: int) -> str:
    """The id of the n-th record."""
    return digest("record", number)


def drop(number: int, at: str = "dedup", reason: str = "near_duplicate") -> Drop:
    """The drop of the n-th record."""
    return Drop(name(number), "faq", at, reason, {})


def evidence(*rows: dict[str, Any], drops: tuple[Drop, ...] = (), read: int | None = None, **intake: Any) -> Evidence:
    """What the stages wrote about these records, numbered in this order, and these drops."""
    table = pd.DataFrame([KEPT | row for row in rows], index=[name(n) for n in range(len(rows))], columns=list(KEPT))
    early = sum(each.stage == "collect" for each in drops)
    given_intake = {"rows": len(rows) + early if read is None else read, "records": len(rows)}
    return Evidence({"faq": {"repairs": {}, "key_conflicts": 0} | given_intake | intake}, list(drops), table, {}, {})


def counted(found: Evidence) -> dict[str, Any]:
    """All figures."""
    return figures.metrics(found, SHARES)


def test_unused_tools_wrong_flags_and_makers_terms_are_counted() -> None:
    using = {"tools_defined": 3.0, "tools_unused": 2.0, "tools_wrong_flag": 1.0, "terms": "free"}
    found = counted(evidence({}, using, using | {"tools_wrong_flag": 0.0}, using | GONE))
    assert found["tools"] == {"records": 2, "unused_share": 0.667, "wrong_parallel_flags": 1}
    assert found["terms"] == {"free": 2}


def with_value(metrics: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The metrics with another value at a dotted path, or without the path if the value is None."""
    changed = copy.deepcopy(metrics)
    *folders, last = path.split(".")
    at = changed
    for folder in folders:
        at = at[folder]
    assert last in at
    if value is None:
        del at[last]
    else:
        at[last] = value
    return changed


def on_the_limit() -> dict[str, Any]:
    """Metrics that keep every rule of the sample, most of them just so."""
    metrics = counted(evidence({}))
    for rule in RULES:
        metrics = with_value(metrics, rule.metric, rule.max if rule.max is not None else rule.min)
    return metrics


def failing(metrics: dict[str, Any]) -> list[str]:
    """The names of the rules of the sample that these metrics break."""
    return [result.name for result in gate.results(gate.Params(RULES), metrics) if not result.passed]


BREACHES = [
    *((rule, rule.max + 0.001) for rule in RULES if rule.max is not None),
    *((rule, rule.min - 0.001) for rule in RULES if rule.min is not None),
]


def test_every_rule_of_the_sample_has_a_limit_a_remedy_and_a_name_of_its_own() -> None:
    assert {rule.name for rule, _ in BREACHES} == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.remedy for rule in RULES)


def test_metrics_on_the_limits_break_no_rule() -> None:
    assert failing(on_the_limit()) == []


@pytest.mark.parametrize(("rule", "value"), BREACHES, ids=lambda each: getattr(each, "name", None))
def test_a_metric_beyond_its_limit_breaks_just_its_rule(rule: gate.Rule, value: float) -> None:
    metrics = with_value(on_the_limit(), rule.metric, value)
    assert failing(metrics) == [rule.name]
    held = gate.results(gate.Params(RULES), metrics)
    [broken] = [result for result in held if not result.passed]
    assert (broken.metric, broken.value, broken.remedy) == (rule.metric, value, rule.remedy)
    assert gate.passes(held) == (rule.severity == "warning")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_missing_metric_breaks_just_its_rule(rule: gate.Rule) -> None:
    metrics = with_value(on_the_limit(), rule.metric, None)
    assert failing(metrics) == [rule.name]
    assert gate.held(rule, metrics).value is None


@pytest.mark.parametrize("value", ["7", None, [7], {"mean": 7}, math.nan])
def test_a_metric_that_is_no_number_breaks_its_rule(value: Any) -> None:
    assert not gate.held(gate.Rule("r", "a.b", "mend it", max=9), {"a": {"b": value}}).passed
    assert gate.held(gate.Rule("r", "a.b", "mend it", max=9), {"a": {"b": 7}}).passed


@pytest.mark.parametrize("path", ["a", "a.b.c", "b", "", "a.", "."])
def test_a_path_that_leads_nowhere_finds_nothing(path: str) -> None:
    assert gate.found({"a": {"b": 7}}, path) is None


def test_warnings_alone_do_not_fail_the_gate_and_one_error_does() -> None:
    warning, error = (gate.Rule(each, "a", "mend it", max=1, severity=each) for each in ("warning", "error"))
    assert gate.passes(gate.results(gate.Params([warning, warning]), {"a": 2}))
    assert not gate.passes(gate.results(gate.Params([warning, error]), {"a": 2}))
    assert gate.passes(gate.results(gate.Params([warning, error]), {"a": 1}))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"min": 200}, "at least 200"),
        ({"max": 0.05}, "at most 0.05"),
        ({"min": 0, "max": 0}, "at least 0 and at most 0"),
    ],
)
def test_a_result_says_its_limits_in_words(limits: dict[str, float], said: str) -> None:
    assert gate.held(gate.Rule("r", "a", "mend it", **limits), {"a": 0}).limit == said


@given(
    st.none() | st.integers(-9, 9),
    st.none() | st.integers(-9, 9),
    st.integers(-9, 9),
    st.sampled_from(["error", "warning"]),
)
@settings(derandomize=True, max_examples=100)
def test_a_rule_passes_exactly_between_its_limits(least: Any, most: Any, value: int, severity: Any) -> None:
    rule = gate.Rule("r", "a", "mend it", least, most, severity)
    inside = value in range(-9 if least is None else least, 10 if most is None else most + 1)
    assert gate.held(rule, {"a": value}).passed == inside


def test_duplicates_and_unreadable_rows_are_shares_of_the_input() -> None:
    drops = (
        drop(0),
        drop(1, reason="exact_duplicate"),
        drop(2, "judge", "low_score"),
        *(drop(n, "collect", "broken_json") for n in (8, 9)),
    )
    found = counted(evidence(GONE, GONE, GONE, *[{}] * 5, drops=drops))["input"]
    assert (found["rows"], found["records"]) == (10, 8)
    assert (found["exact_duplicates"], found["near_duplicates"], found["duplicate_share"]) == (1, 1, 0.25)
    assert (found["format_errors"], found["format_error_share"]) == (2, 0.2)


def test_other_drops_are_neither_duplicates_nor_unreadable_rows() -> None:
    drops = (drop(0, "split", "near_duplicate_across_splits"), drop(1, "filter", "empty_reply"))
    found = counted(evidence(GONE, GONE, {}, drops=drops))["input"]
    assert (found["duplicate_share"], found["format_errors"], found["format_error_share"]) == (0, 0, 0)


def test_repairs_and_key_conflicts_of_all_sources_are_added() -> None:
    found = evidence({}, repairs={"crlf": 2}, key_conflicts=1)
    found.intake["log"] = {"rows": 0, "records": 0, "repairs": {"crlf": 3, "nul_bytes": 1}, "key_conflicts": 4}
    assert counted(found)["input"]["repairs"] == {"crlf": 5, "nul_bytes": 1}
    assert counted(found)["input"]["key_conflicts"] == 5


def test_scores_are_those_of_all_scored_records_the_dropped_included() -> None:
    low = GONE | {"score": 1.0}
    pair = {"kind": "preference", "score": None}
    kept = [{"score": score} for score in (3.0, 4.0, 5.0)]
    drops = (drop(0, "judge", "low_score"), drop(1))
    found = counted(evidence(low, GONE, pair, *kept, drops=drops))["scores"]
    assert found == {"scored": 4, "mean": 3.25, "median": 3.5, "p25": 2.5, "p75": 4.25, "below_3_share": 0.25}


def test_a_score_of_three_is_not_below_three() -> None:
    assert counted(evidence({"score": 3.0}))["scores"]["below_3_share"] == 0
    assert counted(evidence({"score": 2.999}))["scores"]["below_3_share"] == 1


def test_examples_are_counted_by_split_and_other_kinds_apart() -> None:
    rows = [{}, {}, {"split": "test"}, {"kind": "preference"}, {"kind": "labelled", "split": "validation"}, GONE]
    found = counted(evidence(*rows, drops=(drop(5),)))
    assert found["dataset"] == {"examples": 3, "train": 2, "validation": 0, "test": 1, "preferences": 1, "labelled": 1}
    assert {split: at["records"] for split, at in found["splits"].items()} == {"train": 3, "validation": 1, "test": 1}
    assert found["splits"]["train"] == {"records": 3, "share": 0.6, "deviation": -0.2}


def test_tokens_topics_and_languages_are_those_of_kept_examples_only() -> None:
    others = [GONE | {"tokens": 9_999.0, "topic": "rare"}, {"kind": "preference", "tokens": 8_888.0, "topic": "rare"}]
    rows = [{"tokens": 10.0}, {"tokens": 20.0, "topic": "export"}, {"tokens": 60.0, "topic": None, "language": "de"}]
    found = counted(evidence(*rows, {}, *others, drops=(drop(4),)))
    assert (found["tokens"]["mean"], found["tokens"]["max"], found["tokens"]["total"]) == (30, 60, 120)
    assert found["topics"] == {"export": 1, "none": 1, "sync": 2}
    assert found["topic_imbalance"] == 2
    assert found["languages"] == {"de": 1, "en": 3}


def test_personal_data_is_counted_over_all_records() -> None:
    drops = (drop(1),)
    found = counted(evidence({"redacted": {"email": 2}}, GONE | {"redacted": {"email": 1, "phone": 1}}, drops=drops))
    assert found["personal_data"] == {"email": 3, "phone": 1}


def test_each_stage_gets_what_the_one_before_left() -> None:
    drops = (drop(9, "collect", "broken_json"), drop(0), drop(1, "dedup", "exact_duplicate"), drop(2, "split", "leak"))
    found = counted(evidence(GONE, GONE, GONE, {}, drops=drops))
    stages = list(found["stages"].values())
    assert [at["in"] for at in stages[1:]] == [at["out"] for at in stages[:-1]]
    assert (stages[0]["in"], stages[-1]["out"]) == (5, 1)
    assert found["stages"]["dedup"]["reasons"] == {"exact_duplicate": 1, "near_duplicate": 1}
    assert found["sources"] == {"faq": {"rows": 5, "records": 4, "curated": 1, "dropped": 4}}


def test_the_reasons_are_listed_by_count_and_then_by_name() -> None:
    drops = (drop(0, "judge", "low_score"), drop(1, "filter", "cut_off"), drop(2), drop(3, "judge", "low_score"))
    found = counted(evidence(*[GONE] * 4, drops=drops))["top_reasons"]
    assert list(found.items()) == [("judge.low_score", 2), ("dedup.near_duplicate", 1), ("filter.cut_off", 1)]


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (evidence({}, GONE, drops=(drop(1),)), {}),
        (evidence({}, GONE, drops=(drop(1), drop(7, "collect", "broken_json"))), {}),
        (evidence({}, GONE), {"records_unaccounted": 1}),
        (evidence({}, {}, read=3), {"rows_unaccounted": 1}),
        (evidence({}, {}, read=1), {"rows_unaccounted": -1}),
        (evidence({}, {}, drops=(drop(1),)), {"records_both_kept_and_dropped": 1}),
        (evidence({}, {}, drops=(drop(7),)), {"drops_of_unknown_records": 1}),
        (evidence({}, drops=(drop(7, "collect", "broken_json"),), read=1), {"rows_unaccounted": -1}),
    ],
    ids=["whole", "unreadable row", "lost", "lost row", "row too many", "kept and dropped", "unknown", "uncounted row"],
)
def test_accounting_finds_what_is_missing_or_twice(found: Evidence, wrong: dict[str, int]) -> None:
    told = counted(found)["accounting"]
    assert told.pop("problems") == sum(map(abs, wrong.values()))
    assert {key: value for key, value in told.items() if value} == wrong


def test_accounting_finds_a_record_that_stands_twice() -> None:
    found = evidence({}, {})
    found.table = pd.concat([found.table, found.table.iloc[:1]])
    told = counted(found)["accounting"]
    assert told["records_twice"] == 1


PLACES = st.sampled_from(["train", "validation", "test", "filter", "dedup", "judge", "split", "collect"])


@given(st.lists(PLACES, max_size=12), st.randoms(use_true_random=False))
@settings(derandomize=True, max_examples=30)
def test_a_run_that_loses_nothing_is_accounted_for_in_any_order(places: list[str], chance: Any) -> None:
    records = [place for place in places if place != "collect"]
    rows = [{"split": place, "score": 4.0} if place in SHARES else GONE for place in records]
    drops = [drop(n, place, "r") for n, place in enumerate(records) if place not in SHARES]
    drops += [drop(100 + n, "collect", "broken_json") for n in range(len(places) - len(records))]
    found = evidence(*rows, drops=tuple(drops), read=len(places))
    told = counted(found)
    assert not any(told["accounting"].values())
    assert told["stages"]["split"]["out"] == told["dataset"]["examples"]
    order = list(range(len(records)))
    chance.shuffle(order)
    found.table = found.table.iloc[order]
    found.drops = chance.sample(found.drops, len(found.drops))
    assert encode(counted(found)) == encode(told)


def test_nothing_at_all_gives_noughts() -> None:
    told = counted(evidence())
    assert (
        told["dataset"]["examples"] == told["tokens"]["mean"] == told["scores"]["mean"] == told["topic_imbalance"] == 0
    )
    assert not any(told["accounting"].values())
    assert report.plots(evidence(), told)["tokens"] == []


def test_a_check_that_was_skipped_leaves_noughts_and_valid_json() -> None:
    unmeasured = {"tokens": math.nan, "prompt_tokens": math.nan, "reply_tokens": math.nan, "words": math.nan}
    found = evidence(unmeasured | {"language": None}, unmeasured)
    told = counted(found)
    assert (told["tokens"]["mean"], told["tokens"]["max"], told["tokens"]["total"]) == (0, 0, 0)
    assert told["languages"] == {"en": 1, "not told": 1}
    assert report.plots(found, told)["tokens"] == []
    json.dumps(told, allow_nan=False)


@given(st.lists(st.floats(0, 1e4), max_size=40))
@settings(derandomize=True, max_examples=60)
def test_a_histogram_counts_every_value(values: list[float]) -> None:
    assert sum(bar["records"] for bar in report.histogram(values)) == len(values)


def test_the_last_bar_takes_in_the_outliers() -> None:
    bars = report.histogram([*map(float, range(1, 200)), 1e9])
    assert sum(bar["records"] for bar in bars) == 200
    assert bars[-1]["from"] < 200


def written(root: Path, drops: tuple[Drop, ...] = (drop(7, "collect", "broken_json"),)) -> Path:
    """A project with one source, whose stages wrote one kept record and these drops."""
    content = yaml.safe_load((root / "params.yaml").read_text())
    content["sources"] = {"faq": content["sources"]["faq"]}
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    kept = record(source="faq", meta={"topic": "sync"})
    scores = {
        "length": {"prompt_tokens": 7, "reply_tokens": 8, "tokens": 15, "words": 6},
        "language": {"reply": ["en", 0.9]},
    }
    for place, rows in {
        "data/records/faq/00000.jsonl": [kept],
        "data/origins/faq/source.json": [{"rows": 2, "records": 1, "repairs": {}, "key_conflicts": 0}],
        "data/scores/faq/00000.jsonl": [{"measured_from": "0"}, {"id": kept.id} | scores],
        "data/unresolved.jsonl": [],
        "data/overlaps.jsonl": [],
        "data/fact_check.jsonl": [],
        "data/splits.jsonl": [],
        "data/judged.jsonl": [{"id": kept.id, "score": 4.5, "penalties": {}}],
        "data/curated/index.jsonl": [
            {"id": kept.id, "source": "faq", "split": "train", "kind": "example", "digest": "0"}
        ],
        "data/curated/dropped.jsonl": drops,
        "data/exports/losses.json": [
            {"alpaca": {"rows": 1, "left_out": {}}, "sharegpt": {"rows": 0, "left_out": {"x": 1}}}
        ],
    }.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(b"".join(encode(row) + b"\n" for row in rows))
    return root


def test_the_stage_counts_what_was_written_and_holds_the_gate_against_it(project: Path) -> None:
    stage(written(project), "report")
    metrics, held = (json.loads((project / f"reports/{each}.json").read_bytes()) for each in ("metrics", "gate"))
    assert metrics["dataset"]["examples"] == metrics["dataset"]["train"] == 1
    assert (metrics["tokens"]["mean"], metrics["scores"]["mean"], metrics["languages"]) == (15, 4.5, {"en": 1})
    assert metrics["input"]["format_error_share"] == 0.5
    assert not any(metrics["accounting"].values())
    assert [rule["name"] for rule in held["rules"]] == [rule.name for rule in RULES]
    broken = {rule["name"] for rule in held["rules"] if not rule["passed"]}
    assert broken == {"enough examples", "few unreadable rows in the input", "no unreadable rows in the input"}
    assert held["passed"] is False


def test_what_is_published_in_two_splits_and_alike_is_counted_and_warned_of(project: Path) -> None:
    [kept] = json_lines(written(project) / "data/curated/index.jsonl")
    leak = {"other": "0" * 32, "other_split": "test", "similarity": 0.75}
    rows = [{"id": kept["id"], "split": "train", "leak": leak}, {"id": "0" * 32, "split": "test"}]
    (project / "data/splits.jsonl").write_bytes(b"".join(encode(row) + b"\n" for row in rows))
    stage(project, "report")
    assert json.loads((project / "reports/metrics.json").read_bytes())["published"] == {"alike_across_splits": 1}
    [rule] = [r for r in json.loads((project / "reports/gate.json").read_bytes())["rules"] if "published" in r["name"]]
    assert (rule["passed"], rule["severity"]) == (False, "warning")


def test_the_card_names_sources_licences_and_size(project: Path) -> None:
    stage(written(project), "report")
    card = (project / "reports/DATASET_CARD.md").read_text("utf-8")
    assert "CC0-1.0" in card
    assert "faq" in card
    assert "{{" not in card


def test_reporting_again_writes_the_same(project: Path) -> None:
    def content() -> dict[str, bytes]:
        return {str(file): file.read_bytes() for file in (project / "reports").rglob("*.*")}

    stage(written(project), "report")
    before = content()
    stage(project, "report")
    assert content() == before
    assert {Path(file).name for file in before} >= {"metrics.json", "gate.json", "DATASET_CARD.md", "funnel.json"}


def test_a_misspelt_rule_stops_the_run(project: Path) -> None:
    written(project)
    content = yaml.safe_load((project / "params.yaml").read_text())
    content["gate"] = {"rules": [{"name": "enough examples", "mni": 3}]}
    (project / "params.yaml").write_text(yaml.safe_dump(content))
    done = stage(project, "report", code=2)
    assert done.stderr.startswith("params.yaml: gate.rules[enough examples]")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("confidence", "language"), [(0.053, None), (0.499, None), (0.5, "zh"), (1.0, "zh")])
def test_a_language_is_counted_only_if_it_is_likelier_than_all_others(confidence: float, language: str | None) -> None:
    assert told_language("zh", confidence) == language


# what was generated

MADE = {"source": "made", "extra": {"method": "few_shot", "style": "short", "persona": "a nurse"}}


def covered(*rows: dict[str, Any], **asked: int) -> coverage.Coverage | None:
    """The coverage of these rows."""
    sources = {"made": Source("data/sources/generated", "MIT"), "faq": Source("data/faq.csv", "MIT")}
    return coverage.coverage(coverage.generated(evidence(*rows).table, sources), asked)


def test_generated_rows_are_counted_by_method_and_beside_what_was_asked() -> None:
    found = covered({}, MADE, MADE | GONE, few_shot=5, pairs=2)
    assert found
    assert [(each.name, each.asked, each.written, each.kept) for each in found.methods] == [
        ("few_shot", 5, 2, 1),
        ("pairs", 2, 0, 0),
    ]


def test_a_cell_without_a_kept_row_is_named_as_a_target() -> None:
    other = MADE | GONE | {"topic": "lists", "extra": {"method": "few_shot", "style": "long", "persona": "a nurse"}}
    found = covered(MADE, other)
    assert found
    assert found.empty == [
        "topic=lists,style=long",
        "topic=lists,style=short",
        "topic=sync,style=long",
        "style=long",
    ]
    assert [(each.name, each.written, each.kept) for each in found.axes["persona"]] == [("a nurse", 2, 1)]
    assert [(each.written, each.kept) for each in found.topics["sync"]] == [(0, 0), (1, 1)]


def test_what_a_row_says_in_its_own_words_is_no_axis() -> None:
    rows = [MADE | {"extra": MADE["extra"] | {"note": f"text {n}", "facts": True, "won": "brief"}} for n in range(99)]  # type: ignore[operator]
    found = covered(*rows)
    assert found
    assert set(found.axes) == {"style", "persona"}


def test_where_nothing_is_generated_nothing_is_said_of_it() -> None:
    assert covered({}) is None
    assert coverage.asked({}) == {}
    assert coverage.asked({"count": 3, "methods": {"pairs": 2, "errors": 0}, "targets": {"add": 1, "get": 4}}) == {
        "template": 3,
        "pairs": 2,
        "targets": 5,
    }


def test_the_share_of_pairs_whose_chosen_ending_is_longer_is_reported() -> None:
    pair = {"kind": "preference"}
    found = counted(
        evidence(pair | {"longer": "chosen"}, pair | {"longer": "rejected"}, pair | GONE | {"longer": "chosen"}, {})
    )
    assert found["preferences"] == {"pairs": 2, "chosen_longer_share": 0.5}
