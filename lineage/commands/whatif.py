"""`dataset whatif`: which records a moved threshold would drop or keep, told from the kept scores alone."""

import click

from lineage import display, settings, trial


@click.command()
@click.argument("given", nargs=-1, required=True, metavar="KEY=VALUE…")
@click.option("--rows", default=3, show_default=True, type=click.IntRange(0), help="Records shown of each kind.")
@click.option("--json", "as_json", is_flag=True, help="Print what would change as JSON.")
def whatif(given: tuple[str, ...], rows: int, as_json: bool) -> None:
    """Say what would change with these settings, such as filter.length.max_reply_tokens=512 or judge.threshold=4."""
    changed = settings.of_params(given)
    found = trial.what_if(changed)
    display.tell(found, changed, rows, as_json)
