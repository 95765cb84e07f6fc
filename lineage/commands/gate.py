"""`dataset gate`: hold the gate's rules, of the profile and of params.yaml, against reports/metrics.json."""

import sys
from datetime import date

import click
import msgspec

from lineage import metrics
from stages.reporting import gate as rules


def check() -> list[rules.Result]:
    """Every rule's result, from the metrics as they are and the rules as they stand now."""
    return rules.results(rules.in_force(), metrics.read())


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def gate(as_json: bool) -> None:
    """Hold the gate's rules against the metrics; exit 1 if one of severity error fails and is not waived today."""
    results, today = check(), date.today()
    passed = rules.passes(results, today)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"passed": passed, "rules": results})))
    else:
        for result in results:
            click.echo(line(result, today))
        click.echo("The gate passes." if passed else "The gate fails.")
    sys.exit(0 if passed else 1)


def summary(results: list[rules.Result], today: date) -> str:
    """The verdict in a few words, with the rules that do not pass."""
    named: dict[str, list[str]] = {}
    for result in results:
        named.setdefault(verdict(result, today), []).append(result.name)
    head = f"FAILS: {', '.join(named['FAIL'])}" if "FAIL" in named else "passes"
    words = {"warn": "warns", "waived": "waived"}
    return "; ".join([head, *(f"{words[word]}: {', '.join(named[word])}" for word in words if word in named)])


def line(result: rules.Result, today: date) -> str:
    """One rule for people: verdict, name, value, limit, and what to do if it does not pass."""
    value = "missing" if result.value is None else f"{result.value:g}"
    head = f"{verdict(result, today):<7}{result.name}: {result.metric} is {value}, {result.limit}"
    missing = "reports/metrics.json has no such number; mend the rule's metric"
    notes = [waiving(result, result.waiver, today)] if result.waiver else []
    notes += [] if result.passed else [missing if result.value is None else result.remedy]
    return "\n       ".join([head, *notes])


def verdict(result: rules.Result, today: date) -> str:
    """One word for a result."""
    if result.passed:
        return "pass"
    return "waived" if rules.waived(result, today) else "FAIL" if result.severity == "error" else "warn"


def waiving(result: rules.Result, waiver: rules.Waiver, today: date) -> str:
    """What a waiver means on this day."""
    if result.passed:
        return f"has a waiver of {waiver.who} that nothing needs; take it out of gate.waivers"
    until = "until" if today <= waiver.until else "EXPIRED on"
    return f"waived by {waiver.who} {until} {waiver.until}: {waiver.reason}"
