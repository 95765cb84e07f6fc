"""`dataset add`: name a file or folder as a source in params.yaml, with the fields it seems to have."""

import re
from pathlib import Path
from typing import Any

import click
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from lineage import edit, inspection, settings
from stages.contract import params, paths
from stages.contract.params import stop
from stages.contract.record import encode

LARGE = 10 << 20  # bytes; git is slow with more


def add_source(
    name: str, place: Path, licence: str, given: dict[str, Any]
) -> tuple[dict[str, Any], inspection.Inspection]:
    """Write the source into params.yaml; its entry, and what was seen. Nothing is written if no row can be read."""
    if given.keys() & {"path", "licence"}:
        raise stop("--set: path and licence are given by PATH and --licence; leave them out of --set")
    sources = params.whole().get("sources") or {}
    if not re.fullmatch(params.SOURCE_NAME, name):
        raise stop(f"{name}: is no name for a source; use a-z, 0-9 and _, and begin with a letter")
    if name in sources:
        raise stop(f"params.yaml: sources.{name} is there already; choose another name, or edit it")
    if place.exists() and not place.resolve().is_relative_to(paths.ROOT.resolve()):
        raise stop(f"{place}: is outside the project; copy it in first: cp -r {place} data/sources/")
    licence = known_licence(licence)
    seen = inspection.inspect(place, given)
    if not seen.readable:
        raise stop(f"{place}: none of its first {seen.rows} rows became a record; `dataset inspect {place}` says why")
    for key, field in given.items():
        if key.endswith("_field") and field and field not in seen.fields:
            raise stop(f"--set {key}={field}: no row has it; the rows have {', '.join(seen.fields)}")
    entry = inspection.entry(seen, licence)
    params.typed(entry, params.Source, f"sources.{name}")
    edit.edit(params.FILE, edit.with_entry("sources", name, inspection.block(entry)))
    return entry, seen


def known_licence(licence: str) -> str:
    """The SPDX identifier as SPDX spells it; a licence of one's own is LicenseRef-name."""
    try:
        return str(canonicalize_license_expression(licence))
    except InvalidLicenseExpression:
        raise stop(
            f"--licence {licence}: is no SPDX identifier; use one of https://spdx.org/licenses, such as CC-BY-4.0, "
            "or LicenseRef-… for terms of your own"
        ) from None


@click.command()
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--licence", required=True, help="SPDX identifier, such as CC-BY-4.0, or LicenseRef-… for your own terms."
)
@click.option(
    "--set", "given", multiple=True, metavar="KEY=VALUE", help="A key of the entry, as in topic_field=intent."
)
@click.option("--json", "as_json", is_flag=True, help="Print the entry as JSON.")
def add(name: str, path: Path, licence: str, given: tuple[str, ...], as_json: bool) -> None:
    """Add PATH to params.yaml as the source NAME; what `dataset inspect` suggests is taken, a key set to null left out."""
    entry, seen = add_source(name, path, licence, settings.parsed(given))
    if as_json:
        click.echo(encode({name: entry}))
        return
    click.echo(f"params.yaml: sources.{name}")
    click.echo("\n".join(f"  {line}" for line in inspection.block(entry).splitlines()))
    if size(path) > LARGE:
        click.echo(f"{entry['path']} is {size(path) >> 20} MB: keep it out of git with `dvc add {entry['path']}`.")
    for warning in inspection.warnings(seen):
        click.secho(f"Look: {warning}", fg="yellow")
    click.echo("Next: make run")


def size(place: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file())
