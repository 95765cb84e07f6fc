"""`dataset drill`: plant known faults in a copy of your data and see whether each is caught, counted and explained."""

import tempfile
from pathlib import Path

import click

from lineage import drill as drills
from stages.contract.params import stop
from stages.contract.record import encode
from stages.text.visible import visible


@click.command()
@click.option(
    "--rows", default=drills.ROWS, show_default=True, type=click.IntRange(1), help="Rows copied of each file."
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Build the copy in this new folder and leave it there, without the project key.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
def drill(rows: int, keep: Path | None, as_json: bool) -> None:
    """Build a copy of this project with planted faults; exit 1 if one of them is not caught."""
    if keep:
        if keep.exists():
            raise stop(f"--keep {keep}: is there already; name a folder that is not")
        keep.mkdir(parents=True)
        found = drills.drill(keep, rows)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = drills.drill(Path(folder), rows)
    if as_json:
        click.echo(encode(found))
    else:
        for each in found:
            mark = each.verdict.upper() if each.verdict == "missed" else each.verdict
            click.echo(f"{mark:<8}{each.fault:<24}{visible(each.how)}")
    raise SystemExit(1 if any(each.verdict == "missed" for each in found) else 0)
