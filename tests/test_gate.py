"""Waivers: a rule may fail for a while if somebody says so, and never by the clock of a run."""

import shutil
from datetime import date

import pytest

from lineage.commands.gate import summary
from stages.contract.params import Stop
from stages.reporting import gate
from tests.conftest import choose, run, stage

RULE = gate.Rule("few things", "things", "remove some", max=3)
WAIVER = gate.Waiver("few things", "the old log goes in March", "Ada", date(2027, 3, 31))


def held(things, *waivers):
    return gate.results(gate.Params([RULE], list(waivers)), {"things": things})


@pytest.mark.parametrize(("today", "passes"), [((2027, 3, 30), True), ((2027, 3, 31), True), ((2027, 4, 1), False)])
def test_a_waiver_holds_through_its_last_day(today, passes):
    assert gate.passes(held(4, WAIVER), date(*today)) == passes


def test_without_a_day_no_waiver_counts():
    assert not gate.passes(held(4, WAIVER))


def test_a_waiver_of_another_rule_changes_nothing():
    other = gate.Rule("other things", "others", "mend them", max=0)
    results = gate.results(gate.Params([RULE, other], [WAIVER]), {"things": 4, "others": 1})
    assert not gate.passes(results, date(2027, 1, 1))


def test_of_two_waivers_the_longer_holds():
    older = gate.Waiver("few things", "the pilot", "Bob", date(2026, 1, 1))
    for waivers in ((older, WAIVER), (WAIVER, older)):
        assert gate.passes(held(4, *waivers), date(2027, 1, 1))


def test_a_waiver_of_no_rule_is_refused_with_the_nearest():
    with pytest.raises(Stop, match="did you mean 'few things'"):
        gate.results(gate.Params([RULE], [gate.Waiver("few thing", "x", "y", date(2027, 1, 1))]), {})


def with_waiver(built, tmp_path, until, least=2000):
    """The built sample with a rule that fails, and a waiver for it."""
    root = tmp_path / "waived"
    shutil.copytree(built, root)
    waiver = {"rule": "enough examples", "reason": "a pilot", "who": "Ada", "until": until}
    choose(root, {"gate": {"rules": [{"name": "enough examples", "min": least}], "waivers": [waiver]}})
    return root


def test_a_date_without_quotes_is_refused_before_dvc_chokes_on_it(built, tmp_path):
    root = with_waiver(built, tmp_path, date(2999, 12, 31))
    assert 'gate.waivers.0.until: DVC takes no dates; put it in quotes: "2999-12-31"' in (
        run("dataset", "check", cwd=root, code=2).stderr
    )


def test_a_waived_failure_passes_and_is_named(built, tmp_path):
    root = with_waiver(built, tmp_path, "2999-12-31")
    text = run("dataset", "gate", cwd=root).stdout
    assert "waived enough examples" in text
    assert "waived by Ada until 2999-12-31: a pilot" in text
    assert "The gate passes." in text


def test_an_expired_waiver_fails(built, tmp_path):
    text = run("dataset", "gate", cwd=with_waiver(built, tmp_path, "2020-01-01"), code=1).stdout
    assert "FAIL   enough examples" in text
    assert "waived by Ada EXPIRED on 2020-01-01" in text


def test_a_waiver_that_nothing_needs_is_named(built, tmp_path):
    text = run("dataset", "gate", cwd=with_waiver(built, tmp_path, "2999-12-31", 200), code=0).stdout
    assert "has a waiver of Ada that nothing needs" in text


def test_a_waiver_with_half_a_name_is_refused(built, tmp_path):
    root = with_waiver(built, tmp_path, "soon")
    assert "gate.waivers[0].until" in run("dataset", "gate", cwd=root, code=2).stderr


def test_the_committed_verdict_does_not_depend_on_the_day(built, tmp_path):
    root = with_waiver(built, tmp_path, "2999-12-31")
    stage(root, "report")
    assert '"passed": false' in (root / "reports/gate.json").read_text()


def test_the_report_and_the_card_name_the_waiver(built, tmp_path):
    root = with_waiver(built, tmp_path, "2999-12-31")
    stage(root, "report")
    page, card = ((root / path).read_text() for path in ("reports/report.html", "reports/DATASET_CARD.md"))
    assert "Ada lets it fail until 2999-12-31: a pilot." in page
    assert "fails, waived by Ada until 2999-12-31: a pilot |" in card


def test_the_verdict_in_a_few_words_names_what_does_not_pass():
    rules = [
        RULE,
        gate.Rule("others", "others", "mend", max=0),
        gate.Rule("odd", "odd", "look", max=0, severity="warning"),
    ]
    results = gate.results(gate.Params(rules, [WAIVER]), {"things": 4, "others": 1, "odd": 1})
    assert summary(results, date(2027, 1, 1)) == "FAILS: others; warns: odd; waived: few things"
    assert summary(held(3), date(2027, 1, 1)) == "passes"
