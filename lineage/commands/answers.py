"""`dataset answers`: what language models answered and what it cost; check it, prune it, get it back."""

import sys

import click

from lineage import answers as kept
from stages.contract.record import encode
from stages.models import budget
from stages.models.answers import keep, relative
from stages.text.visible import visible


@click.group()
def answers() -> None:
    """Answers of language models: those in data/answers, and all that were paid for, in the journal beside the cache."""


@answers.command()
@click.argument("key", required=False)
def show(key: str | None) -> None:
    """Count the answers and the money; or print the answers whose key begins with KEY, also what came of no use."""
    if key:
        found = [*kept.named(key)]
        for each in found:
            click.echo(visible(encode(each).decode()))
        sys.exit(0 if found else 1)
    for stage, kinds in kept.counts().items():
        told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()) or "none"
        click.echo(f"{relative(stage)}: {told}")
    for line in kept.money():
        click.echo(line)


@answers.command()
def verify() -> None:
    """Hold each answer against its digest and the files against the journal; exit 1 if something is wrong."""
    faults = [*kept.faults()]
    for fault in faults:
        click.echo(visible(fault))
    click.echo(f"{sum(sum(kinds.values()) for kinds in kept.counts().values()):,} answers, {len(faults)} faults.")
    sys.exit(bool(faults))


@answers.command()
@click.option("--yes", is_flag=True, help="Do it; without, it is only told.")
def prune(yes: bool) -> None:
    """Take answers to no present request out of data/answers. The journal keeps what was paid."""
    done = "taken out" if yes else "would be taken out"
    for stage, stays, goes in kept.prunable():
        if yes and goes:
            keep(stage, stays)
        click.echo(f"{relative(stage)}: {len(goes)} {done}, {len(stays)} stay.")


@answers.command()
@click.argument("stages", nargs=-1)
def recover(stages: tuple[str, ...]) -> None:
    """Put together what was paid for: the good lines of data/answers, the journal, and what dvc.lock names.

    That is dvc.lock here, in HEAD and in the other side of a merge, as far as the cache has its objects. The stage then
    keeps the answers that it needs.
    """
    for stage, before, after in kept.recovered(stages):
        click.echo(f"{relative(stage)}: {before} good answers were there, {after} are now.")
    click.echo(f"Run the stage: it asks only for what is missing. {budget.BUDGET} is not touched.")
