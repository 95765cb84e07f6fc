"""`dataset gate`: hold the rules of params.yaml against reports/metrics.json."""

import sys

import click
import msgspec

from lineage import metrics
from stages.contract.params import typed, whole
from stages.reporting import gate as rules


def check() -> list[rules.Result]:
    """Every rule's result, from the metrics as they are and the rules as they stand now."""
    return rules.results(typed(whole().get("gate"), rules.Params, "gate"), metrics.read())


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def gate(as_json: bool) -> None:
    """Hold the gate's rules against the metrics; exit 1 if one of severity error fails."""
    results = check()
    passed = rules.passes(results)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"passed": passed, "rules": results})))
    else:
        for result in results:
            click.echo(line(result))
        click.echo("The gate passes." if passed else "The gate fails.")
    sys.exit(0 if passed else 1)


def line(result: rules.Result) -> str:
    """One rule for people: verdict, name, value, limit, and what to do if it does not pass."""
    verdict = "pass" if result.passed else "FAIL" if result.severity == "error" else "warn"
    value = "missing" if result.value is None else f"{result.value:g}"
    missing = "reports/metrics.json has no such number; mend the rule's metric"
    remedy = "" if result.passed else f"\n      {missing if result.value is None else result.remedy}"
    return f"{verdict}  {result.name}: {result.metric} is {value}, {result.limit}{remedy}"
