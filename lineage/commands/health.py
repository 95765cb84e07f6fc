"""`dataset health`: hold the rules of thumb against the metrics: value, good and warning ranges, and what to do."""

import sys

import click

from lineage import metrics
from stages.contract.record import encode
from stages.reporting import health as rules


def check() -> list[rules.Result]:
    """Every rule's result, from the metrics as they are and the ranges as they stand now."""
    return rules.results(rules.in_force(), metrics.read())


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def health(as_json: bool) -> None:
    """Hold the rules of thumb against the metrics; exit 1 if a value lies where it is a warning. They stop nothing."""
    results = check()
    if as_json:
        click.echo(encode([rules.as_json(result) for result in results]))
    else:
        for result in results:
            click.echo(line(result))
    sys.exit(any(result.state == "warn" for result in results))


def line(result: rules.Result) -> str:
    """One rule for people: state, name, value and ranges, and what to do if the value is not good."""
    rule = result.rule
    value = "not measured" if result.value is None else rules.shown(result.value, rule.unit)
    ranges = f"good is {rules.good(rule)}; a warning {rule.warn}"
    head = f"{result.state:<6}{rule.name}: {rule.metric} is {value}; {ranges}"
    action = rule.action.replace("below", "in reports/report.html")
    return head if result.state == "ok" else f"{head}\n      {rule.symptom}\n      To do: {action}"
