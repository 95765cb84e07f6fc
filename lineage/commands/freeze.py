"""`dataset freeze`: move the pin of the evaluation set in params.yaml to the file as it is."""

import click

from lineage.edit import edit, with_value
from stages.checks.structure import REASONS, turn_fault
from stages.contract import gold, params, paths
from stages.contract.params import stop
from stages.formats import openai

ENOUGH = 200  # rows; fewer cannot tell two models apart


@click.command()
def freeze() -> None:
    """Pin the evaluation set as it is now."""
    old, new = gold.pinned(), gold.digest_of_file()
    rows = gold.read_with(openai.read, gold.values())
    for number, row in enumerate(rows, 1):
        if fault := turn_fault(row.messages):
            raise stop(f"{paths.GOLD}: row {number}: {REASONS[fault]}; mend it, an answer is what is measured against")
    if not rows:
        raise stop(f"{paths.GOLD}: has no row, and measures nothing; put at least {ENOUGH} there")
    if len(rows) < ENOUGH:
        click.echo(f"{paths.GOLD}: {len(rows)} rows tell little; {ENOUGH} or more are advised.", err=True)
    if old == new:
        click.echo(f"{paths.GOLD}: {len(rows)} rows, pinned already ({new[:12]}…).")
        return
    edit(params.FILE, with_value("eval.gold.sha256", new))
    click.echo(
        f"{paths.GOLD}: {len(rows)} rows, pin moved from {old[:12] or 'nothing'}… to {new[:12]}…. Run `dvc repro`."
    )
