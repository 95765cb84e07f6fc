"""`dataset try`: what a stage would do with other settings, on a sample or on all; nothing is written."""

import click

from lineage import display, settings, trial


@click.command("try")
@click.argument("stage", type=click.Choice(trial.STAGES))
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="A setting, as in threshold=0.7; repeatable.")
@click.option("--limit", type=click.IntRange(1), help="Records to look at: 500, or all for dedup, balance and split.")
@click.option("--rows", default=3, show_default=True, type=click.IntRange(0), help="Records shown of each kind.")
@click.option("--json", "as_json", is_flag=True, help="Print what would change as JSON.")
def try_(stage: str, given: tuple[str, ...], limit: int | None, rows: int, as_json: bool) -> None:
    """Run STAGE in memory with other settings and show what would change."""
    changed = settings.of_params(given, stage)
    found = trial.attempt(stage, changed, limit)
    display.tell(found, changed, rows, as_json)
