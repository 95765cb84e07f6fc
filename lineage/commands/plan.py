"""`dataset plan`: what a stage would ask of a language model: requests, tokens, price, and what is answered already."""

from collections.abc import Iterator

import click

from lineage import calibrate
from lineage.answers import asked
from stages.contract import params
from stages.models import budget
from stages.models.ask import Plan
from stages.models.ask import plan as planned
from stages.models.settings import ASKING, settings


@click.command()
@click.argument("stage", type=click.Choice((*ASKING, calibrate.NAME)))
def plan(stage: str) -> None:
    """Tell what STAGE would ask of a model about the records as they are built, and what that costs. Nothing is sent."""
    params.check_keys()
    given = settings("judge" if stage == calibrate.NAME else stage)
    if given.provider == "none":
        click.echo(f"{stage}: asks nothing and costs nothing, models.provider is none.")
    elif (found := asked(stage)) is None:
        click.echo(f"{stage}: asks nothing and costs nothing, stages/{stage}.py has no function `requests`.")
    else:
        requests, warnings = found
        known = planned(stage, requests, given)
        known.warnings = [*warnings, *known.warnings]
        for line in lines(known, given.model or ""):
            click.echo(line)


def lines(found: Plan, model: str) -> Iterator[str]:
    """The plan for people."""
    known = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds.items()) or "none"
    yield f"{found.stage}: {found.requests:,} requests; answers here: {known}."
    yield from (f"warning: {warning}" for warning in found.warnings)
    if not found.missing:
        yield "Nothing is left to ask; the stage costs nothing."
        return
    way = "as batches" if found.batch else "one by one"
    yield f"To ask: {found.missing:,} of {model}, {way}, with at most {found.tokens:,} tokens of input."
    yield f"Price: {budget.usd(found.low)} if replies are short, at most {budget.usd(found.high)}, without follow-ups."
    yield f"Spent on this run so far: {budget.usd(found.spent)}. {budget.BUDGET} allows {budget.usd(budget.allowed())}."
