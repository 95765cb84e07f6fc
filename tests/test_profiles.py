"""A profile sets every threshold, params.yaml stands above it, and what is said of a value is where it came from."""

import json
import re
import shutil
from importlib import import_module
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import profiles as page
from lineage import trial
from stages import checks
from stages.contract import params, profiles
from stages.contract.params import Stop
from stages.contract.paths import STAGES
from stages.reporting import gate, health
from tests.conftest import SAMPLE, choose, is_the_sample, run, settings_of, stage

NAMES = list(profiles.table().profiles)
SETTINGS = profiles.table().settings
GOVERNED = [name for name in STAGES if name not in ("resolve", "generate", "measure", "filter", "export", "report")]
"""The stages all of whose params are thresholds."""


def resolved(**own: Any) -> dict[str, Any]:
    return profiles.resolved(own)


# the table


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", checks.names())
def test_every_limit_of_every_check_has_a_value_in_every_profile(check, name):
    if not is_the_sample() and f"filter.{check}" not in SETTINGS:
        pytest.skip("a check of this project's own")
    fields = checks.check(check).Params.__struct_fields__
    missing = [
        path for path in (f"filter.{check}", *(f"filter.{check}.{each}" for each in fields)) if path not in SETTINGS
    ]
    assert missing == [], "name it in stages/profiles.yaml"
    msgspec.convert(profiles.values(name)["filter"][check], checks.check(check).Params)
    assert profiles.chosen(SETTINGS[f"filter.{check}"], name, check) in ("on", "off")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", GOVERNED)
def test_every_param_of_a_stage_that_decides_has_a_value_in_every_profile(part, name):
    kind = import_module(f"stages.{part}").Params
    values = profiles.values(name)[part]
    assert set(values) == set(kind.__struct_fields__)
    msgspec.convert(values, kind)


def test_what_a_type_says_is_what_the_usual_profile_says():
    values = profiles.values(profiles.DEFAULT)
    values["collect"]["redact"] = [kind for kind, mode in values["collect"]["redact"].items() if mode != "keep"]
    for part in GOVERNED:
        kind = import_module(f"stages.{part}").Params
        assert msgspec.convert(values[part], kind) == kind(), part
    for check in set(checks.names()) & set(values["filter"]):
        kind = checks.check(check).Params
        assert msgspec.convert(values["filter"][check], kind) == kind(), check


@pytest.mark.parametrize("name", NAMES)
def test_the_values_of_a_profile_fit_each_other(name):
    values = profiles.values(name)
    rules = {rule["name"]: rule for rule in values["gate"]["rules"]}
    assert rules["the longest example fits the context"]["max"] == values["filter"]["length"]["max_tokens"]
    assert rules["enough examples"]["min"] == values["health"]["examples"]["tolerated"][0]
    assert rules["no confirmed leak of the evaluation set is left"]["max"] == 0
    assert sum(values["split"][each] for each in ("train", "validation", "test")) == pytest.approx(1)
    assert values["split"]["near"] >= values["dedup"]["floor"] <= values["dedup"]["threshold"]
    for rule in health.rules(msgspec.convert(values["health"], health.Params)):
        assert all(health.state(rule, bound) == "ok" for bound in (rule.good.low, rule.good.high) if bound is not None)
    msgspec.convert(values["gate"], gate.Params)


def test_every_value_has_its_reason_and_names_only_profiles_that_are_there():
    for entry in [*SETTINGS.values(), *profiles.table().gate]:
        assert entry["why"]
    limits = [value for rule in profiles.table().gate for value in rule.values() if isinstance(value, dict)]
    assert all("all" in entry for entry in [*SETTINGS.values(), *limits])  # so that a team's profile names what differs
    assert {name for entry in [*SETTINGS.values(), *limits] for name in entry} <= {*NAMES, "all", "why"}


def test_the_page_is_up_to_date():
    assert page.FILE.read_text() == page.text(), "run `make docs`"


def test_the_page_has_every_setting_and_every_rule():
    rows = re.findall(r"^\| `?([^`|]+?)`? \|", page.text(), re.MULTILINE)
    assert {*rows} >= {*SETTINGS, *(rule["name"] for rule in profiles.table().gate)}


def test_the_params_name_the_profiles():
    line = next(line for line in (SAMPLE / "params.yaml").read_text().splitlines() if line.startswith("profile:"))
    assert all(name in line for name in NAMES)


# one's own values above it


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_alone_is_its_own_values(name):
    assert not any(each.own for each in profiles.settings(resolved(profile=name)))


LIMITS = [path for path in SETTINGS if not profiles.is_switch(path)]
OWN = st.dictionaries(st.sampled_from(LIMITS), st.sampled_from([0.8, 0.5, 7, None, [], ["de"], {"a": 1}]), max_size=5)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in flat.items():
        *sections, last = path.split(".")
        inner = found
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    return found


@given(OWN, st.sampled_from(NAMES))
def test_what_params_say_is_in_force_and_everything_else_is_the_profiles(own, name):
    found = profiles.settings(profiles.resolved(nested(own) | {"profile": name}))
    usual = dict(profiles.flat(resolved(profile=name)))
    named = rules_named(own, name)
    skipped = [check for check in usual["measure.skip"] if f"filter.{check}" not in named]
    expected = {**usual, "measure.skip": skipped, **named, **own}
    assert {each.path: each.value for each in found} == expected
    assert {each.path for each in found if each.own} == {
        path for path, value in expected.items() if path not in usual or value != usual[path]
    }


def rules_named(own: dict[str, Any], name: str) -> dict[str, Any]:
    """The rules of `filter` that are on because they are named, with the profile's limits."""
    checked = {path.split(".")[1] for path in own if path.startswith("filter.")}
    limits = {check: profiles.values(name)["filter"][check] for check in checked}
    return {f"filter.{check}": "on" for check in checked} | {
        f"filter.{check}.{key}": value for check in checked for key, value in limits[check].items()
    }


@given(OWN, st.sampled_from(NAMES))
def test_what_is_in_force_said_in_full_is_the_same_again(own, name):
    once = profiles.resolved(nested(own) | {"profile": name})
    assert profiles.resolved(once) == once


def test_one_limit_of_ones_own_leaves_the_others_to_the_profile():
    length = resolved(filter={"length": {"max_reply_tokens": 60}})["filter"]["length"]
    assert length == settings_of(SAMPLE)["filter"]["length"] | {"max_reply_tokens": 60}


@pytest.mark.parametrize("word", ["off", False])
def test_a_rule_is_switched_off_by_name(word):
    assert resolved(filter={"cut_off": word})["filter"]["cut_off"] == "off"
    assert resolved(filter={"cut_off": word})["filter"]["empty"] == {}


@pytest.mark.parametrize("word", ["on", True, {}])
def test_a_rule_that_the_profile_has_off_is_switched_on_with_its_limits(word):
    assert resolved(profile="permissive")["filter"]["language"] == "off"
    on = resolved(profile="permissive", filter={"language": word})["filter"]["language"]
    assert on == {"allowed": ["en"], "min_confidence": 0.8}


def test_a_rule_that_says_nothing_stops():
    with pytest.raises(Stop, match=r"filter\.cut_off: says nothing; write on, off or the rule's limits"):
        resolved(filter={"cut_off": None})


def test_what_is_switched_on_is_measured_unless_params_say_otherwise():
    assert resolved()["measure"]["skip"] == ["toxicity"]
    assert resolved(filter={"toxicity": "on"})["measure"]["skip"] == []
    assert resolved(filter={"toxicity": "on"}, measure={"skip": ["toxicity"]})["measure"]["skip"] == ["toxicity"]
    assert resolved(profile="commercial")["measure"]["skip"] == []


def test_a_section_that_says_nothing_is_the_profiles():
    assert resolved(dedup=None, filter=None, gate=None) == resolved()


def test_a_list_or_a_choice_of_ones_own_stands_in_the_place_of_the_profiles():
    found = resolved(
        collect={"redact": ["email"]}, dedup={"semantic": {"threshold": 0.9}}, balance={"weights": {"a": 2}}
    )
    assert found["collect"]["redact"] == ["email"]
    assert found["dedup"]["semantic"] == {"threshold": 0.9}
    assert resolved(dedup={"semantic": None})["dedup"]["semantic"] is None
    assert found["balance"]["weights"] == {"a": 2}


def test_a_rule_of_the_gate_is_changed_by_its_name_and_others_are_added():
    mine = {"name": "many topics", "metric": "topic_imbalance", "max": 3, "remedy": "collect more"}
    own = {"rules": [{"name": "enough examples", "min": 7}, {"name": "few poor scores", "severity": "off"}, mine]}
    found = msgspec.convert(resolved(gate=own)["gate"], gate.Params).rules
    usual = msgspec.convert(resolved()["gate"], gate.Params).rules
    assert [rule.name for rule in found] == [*(rule.name for rule in usual), "many topics"]
    assert [(rule.metric, rule.min, rule.severity) for rule in found if rule.name == "enough examples"] == [
        ("dataset.examples", 7, "error")
    ]
    assert "few poor scores" not in [each.name for each in gate.results(gate.Params(found), {})]


def test_a_misspelt_rule_of_the_gate_stops_with_the_right_one():
    with pytest.raises(Stop, match="no rule 'enough exmaples'; did you mean 'enough examples'"):
        resolved(gate={"rules": [{"name": "enough exmaples", "min": 3}]})


@pytest.mark.parametrize(
    ("name", "said"), [("prod", "did you mean prod-1k?"), ("mine", "known are starter-100, "), (["prod-1k"], "prod-1k")]
)
def test_an_unknown_profile_is_one_line_and_exit_2_for_stages_and_commands(project, name, said):
    choose(project, {"profile": name})
    for done in (stage(project, "resolve", code=2), run("dataset", "check", cwd=project, code=2)):
        assert done.stderr.startswith(f"params.yaml: profile: there is no profile {name!r}; ")
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("path", ["dedup", "filter", "gate", "health", "collect"])
@pytest.mark.parametrize("value", [5, "high", [1]])
def test_a_section_of_the_wrong_type_is_one_line_and_exit_2(project, path, value):
    choose(project, {path: value})
    error = run("dataset", "check", cwd=project, code=2).stderr
    assert error.startswith(f"params.yaml: {path}")
    assert len(error.splitlines()) == 1


# on the sample


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["filter", "dedup", "judge", "split"])
def test_every_profile_decides_on_the_sample(at_built, name, part):
    found = trial.attempt(part, {"profile": name}, limit=10_000)
    assert found.looked_at > 600
    assert name not in ("lesson-200",) or found.after.keys() == found.before.keys()


def test_the_permissive_profile_drops_only_what_is_broken(at_built):
    found = trial.attempt("filter", {"profile": "permissive"}, limit=10_000)
    assert not found.dropped
    assert {drop.reason for drop in found.released} >= {"wrong_language", "cut_off", "prompt_injection"}
    assert {drop.reason for drop in found.after.values()} >= {"empty_reply", "last_turn_not_assistant"}


def test_the_file_of_all_settings_says_what_is_in_force_and_what_the_profile_says(project):
    choose(project, {"filter.length.max_reply_tokens": 60, "judge.threshold": 3.5, "filter.cut_off": "off"})
    stage(project, "resolve")
    found = json.loads((project / "reports/params.json").read_text())
    assert found["overridden"] == {"filter.cut_off": "on", "filter.length.max_reply_tokens": "4000"}
    assert found["filter"]["length"]["max_reply_tokens"] == 60
    assert set(found) >= {*STAGES, "seed", "sources", "eval", "gate", "health", "profile"}


def test_a_comment_or_the_profiles_own_value_changes_nothing_but_a_moved_value_does(project):
    def written() -> bytes:
        stage(project, "resolve")
        return (project / "reports/params.json").read_bytes()

    before, text = written(), (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(f"# said\n{text}\ndedup: {{threshold: 0.8}}\n")
    assert written() == before
    (project / "params.yaml").write_text(f"{text}\ndedup: {{threshold: 0.81}}\n")
    assert written() != before


def test_the_report_and_the_card_say_which_value_came_from_where(built, tmp_path):
    root = tmp_path / "own"
    shutil.copytree(built, root)
    choose(root, {"judge.threshold": 3.0, "gate.rules": [{"name": "enough examples", "min": 300}]})
    stage(root, "report")
    page, card = ((root / f"reports/{name}").read_text() for name in ("report.html", "DATASET_CARD.md"))
    own = r"<code>judge.threshold</code></th><td>3.0</td><td>params.yaml</td><td>3.5</td>"
    assert own in page
    assert "<code>dedup.threshold</code></th><td>0.8</td><td>profile</td><td>0.8</td>" in page
    assert (
        "params.yaml 2: judge.threshold is 3.0 (profile: 3.5); gate.enough examples.min is 300 (profile: 200)." in page
    )
    assert "Thresholds of the profile `lesson-200`, except for these of `params.yaml`:" in card
    assert "| judge.threshold | 3.0 | 3.5 |" in card
    assert "`params.yaml` changes none." in (built / "reports/DATASET_CARD.md").read_text()


def test_health_is_held_with_its_ranges_and_what_to_do(built, tmp_path):
    text = run("dataset", "health", cwd=built).stdout
    assert "look  enough examples: dataset.examples is 628 examples; good is at least 1,000 examples" in text
    assert "To do: add a source" in text
    root = tmp_path / "strict"
    shutil.copytree(built, root)
    choose(root, {"profile": "prod-1k", "health.reply_median": {"good": [90, 100], "tolerated": [80, 110]}})
    listed = json.loads(run("dataset", "health", "--json", cwd=root, code=1).stdout)
    assert {each["metric"] for each in listed if each["state"] == "warn"} == {"dataset.examples", "reply_tokens.median"}
    assert all(each["action"] and each["good"] and each["warning"] for each in listed)
    held = json.loads((built / "reports/gate.json").read_text())["health"]
    assert [each["metric"] for each in held] == [each["metric"] for each in listed]


def test_the_command_lists_the_values_in_force_and_what_another_profile_would_change(project):
    choose(project, {"judge.threshold": 3.9})
    text = run("dataset", "profile", cwd=project).stdout
    assert text.startswith(
        f"Profile lesson-200: {len(profiles.settings(resolved())) - 1} values are its own, 1 are from"
    )
    assert re.search(r"^judge.threshold +3.9  \(params.yaml; the profile says 3.5\)$", text, re.MULTILINE)
    text = run("dataset", "profile", "prod-1k", cwd=project).stdout
    assert re.search(r"^gate.enough examples.min +200 -> 1000$", text, re.MULTILINE)
    assert "judge.threshold" not in text
    off = json.loads(run("dataset", "profile", "permissive", "--json", cwd=project).stdout)
    assert {"setting": "filter.cut_off", "value": "off", "usual": "on", "from": "params.yaml"} in off
    assert "did you mean prod-1k?" in run("dataset", "profile", "prod-1", cwd=project, code=2).stderr


def test_settings_that_are_tried_stand_above_the_profile_and_go_again(at_built):
    before = dict(params.whole())
    with params.using({"filter.cut_off": "off", "profile": "starter-100"}):
        assert params.whole()["filter"]["cut_off"] == "off"
        assert params.whole()["judge"]["threshold"] == 3.0
    assert params.whole() == before
