"""`dataset summary`: what the last run made of the sources, on one screen."""

from datetime import date
from typing import Any

import click

from lineage import metrics
from lineage.commands.gate import check
from lineage.commands.gate import summary as summary_of
from stages.contract import paths

WIDTH = 30  # characters of the longest bar


@click.command()
def summary() -> None:
    """Show the last run's numbers, and where to look further."""
    for text in lines(metrics.read()):
        click.echo(text)


def lines(found: dict[str, Any]) -> list[str]:
    """The screen, line by line."""
    made = found["dataset"]
    extra = "".join(
        f", {made[kind]} {name}"
        for kind, name in (("preferences", "preference pairs"), ("labelled", "labelled answers"))
        if made[kind]
    )
    splits = ", ".join(f"{made[name]} {name}" for name in paths.SPLITS)
    held = check()
    return [
        "",
        f"{found['input']['rows']} rows in, {made['examples']} examples out ({splits}){extra}.",
        "",
        *funnel(found),
        "",
        f"gate     {summary_of(held, date.today())}  (dataset gate)",
        f"data     {paths.CURATED}/, why something is not in it: {paths.DROPPED}",
        f"reports  {paths.REPORT}, {paths.CARD}, {paths.METRICS}, dvc plots show",
    ]


def funnel(found: dict[str, Any]) -> list[str]:
    """One bar per stage: what is left after it, what it dropped and the commonest reasons."""
    total = max(1, found["input"]["rows"])
    return [
        f"{name:<14}{bar(stage['out'], total)} {stage['out']:>7}  {reasons(stage)}".rstrip()
        for name, stage in found["stages"].items()
    ]


def bar(part: int, whole: int) -> str:
    """A bar for a part of the whole, padded to its full width."""
    return ("█" * round(WIDTH * part / whole)).ljust(WIDTH)


def reasons(stage: dict[str, Any]) -> str:
    """What a stage dropped, the three commonest reasons first."""
    common = sorted(stage["reasons"].items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{reason} {count}" for reason, count in common[:3]) + (", …" if len(common) > 3 else "")
    return f"-{stage['dropped']}  {named}" if stage["dropped"] else ""
