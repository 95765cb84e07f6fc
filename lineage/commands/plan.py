"""`dataset plan`: what a stage would ask of a language model: requests, tokens, price, and what is answered already."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click

from stages.contract import params, run
from stages.models import budget
from stages.models.ask import Plan
from stages.models.ask import plan as planned
from stages.models.request import Request
from stages.models.settings import settings

ASKING = ("generate", "judge")


@click.command()
@click.argument("stage", type=click.Choice(ASKING))
def plan(stage: str) -> None:
    """Tell what STAGE would ask and what that costs, from the records as they are built. Nothing is sent, no key is needed."""
    params.check_keys()
    given = settings()
    module: Any = import_module(f"stages.{stage}")
    if given.provider == "none":
        click.echo(f"{stage}: asks nothing and costs nothing, models.provider is none.")
    elif not hasattr(module, "requests"):
        click.echo(f"{stage}: asks nothing and costs nothing, stages/{stage}.py has no function `requests`.")
    else:
        for line in lines(planned(stage, asked(stage, module), given), given.model or ""):
            click.echo(line)


def asked(stage: str, module: Any) -> list[Request]:
    """The stage's questions about the records that reach it."""
    of = params.of_stage(stage, module.Params)
    sources = [of.seeds] if stage == "generate" else list(params.sources())
    records = [record for shard in run.survivors(stage, sources) for record in run.records_of(shard)]
    found: list[Request] = module.requests(records, of)
    return found


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
    yield f"Price: {budget.usd(found.low)} if replies are short, at most {budget.usd(found.high)}; a follow-up costs as much again."
    yield f"Spent on this run so far: {budget.usd(found.spent)}. {budget.BUDGET} allows {budget.usd(budget.allowed())}."
