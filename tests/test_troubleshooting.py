"""docs/troubleshooting.md is what its program writes; its numbers are in the metrics and its commands run."""

import json
import re

import pytest

from lineage import troubleshooting
from stages.reporting import gate, health
from tests.conftest import SAMPLE, run, settings_of

COMMANDS = {*troubleshooting.COMMANDS.values(), *(each.command for each in troubleshooting.PITFALLS)}
NAMES = {"NAME": "support", "PATH": "data/sources/faq.csv", "REASON": "cut_off"}


def test_the_page_is_up_to_date():
    assert troubleshooting.FILE.read_text() == troubleshooting.text(), "run `make docs`"


@pytest.mark.parametrize("command", sorted(COMMANDS - {"dvc status", "dataset drill", "dataset status"}))
def test_a_command_runs_as_it_stands(command, built):
    words = [NAMES.get(word, word) for word in command.split()]
    assert run(*words, cwd=built).stdout


@pytest.mark.parametrize("number", sorted({each.number for each in troubleshooting.PITFALLS}))
def test_a_number_is_in_the_metrics(number, built):
    value = json.loads((built / "reports/metrics.json").read_text())
    for key in number.split("."):
        value = value[key]


def test_every_health_rule_has_a_command_and_a_number(built):
    metrics = json.loads((built / "reports/metrics.json").read_text())
    assert {rule.metric for rule in health.RULES} == troubleshooting.COMMANDS.keys()
    assert all(gate.found(metrics, rule.metric) is not None for rule in health.RULES)


def test_a_setting_that_is_named_is_in_the_params():
    chosen = settings_of(SAMPLE)
    stages = "filter|balance|dedup|split|judge|collect|decontaminate|generate"
    named = re.findall(rf"`((?:{stages})\.[\w.]+)`", troubleshooting.text())
    assert named
    for name in named:
        value = chosen
        for key in name.split("."):
            value = value[key]
