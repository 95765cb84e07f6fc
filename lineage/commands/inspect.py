"""`dataset inspect`: the shape of a file, its first records, what would be dropped or repaired, and the entry it needs."""

from collections.abc import Iterator
from pathlib import Path

import click

from lineage import display, inspection, settings
from lineage.browse import Found
from stages import formats
from stages.contract import intake
from stages.contract.record import encode

PRIVATE = {"id_field": "the id, as a keyed hash", "subject_field": "meta.subject, as a keyed hash"}


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--set", "given", multiple=True, metavar="KEY=VALUE", help="A key of the entry, as in topic_field=intent."
)
@click.option("--limit", default=inspection.LOOKED_AT, show_default=True, type=click.IntRange(1), help="Rows to read.")
@click.option("--rows", default=2, show_default=True, type=click.IntRange(0), help="Records and drops shown.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def inspect(path: Path, given: tuple[str, ...], limit: int, rows: int, as_json: bool) -> None:
    """Look into PATH, a file or folder, as `collect` would; nothing is written. Exit 1 if no row can be read."""
    found = inspection.inspect(path, settings.parsed(given), limit)
    click.echo(encode(found) if as_json else "\n".join(lines(found, rows)))
    raise SystemExit(0 if found.readable else 1)


def lines(found: inspection.Inspection, rows: int) -> Iterator[str]:
    """What was seen, for people."""
    of = "" if found.whole else "the first "
    yield f"{found.path}: {of}{found.rows:,} row{'s' * (found.rows != 1)} of {found.files} file{'s' * (found.files != 1)}"
    yield ""
    fields = [name if share == 1 else f"{name} ({share:.0%})" for name, share in found.fields.items()]
    yield display.row("fields", ", ".join(fields) or "none: the rows are no objects")
    for name, count in found.shapes.items():
        yield display.row("shape", f"{count} {why(name)}")
    for theirs, ours in mapping(found):
        yield display.row("mapping", f"{theirs} becomes {ours}")
    drops = [each.drop for each in found.dropped if each.drop]
    yield display.row("records", f"{len(found.records)}, {found.copies} of them copies of a row before")
    yield display.row("dropped", display.commonest(f"{drop.stage}.{drop.reason}" for drop in drops) or "none")
    yield display.row("repaired", ", ".join(f"{kind} {count}" for kind, count in found.repairs.items()) or "nothing")
    yield display.row("replaced", ", ".join(f"{kind} {count}" for kind, count in found.redacted.items()) or "nothing")
    yield from (display.row("look", each, "yellow") for each in inspection.warnings(found))
    yield from sample("The first records", found.records[:rows])
    yield from sample("The first drops", found.dropped[:rows])
    if found.readable and not found.records:
        yield "Every row can be read, and the rules of `filter` would drop them all."
    if found.readable:
        yield from ("Its entry in params.yaml, which `dataset add` writes:", "")
        yield f"  {Path(found.path).stem.split('.')[0].lower().replace('-', '_')}:"
        yield from (f"    {line}" for line in inspection.block(inspection.entry(found, "SPDX-ID")).splitlines())
    elif found.fields and "none" in found.shapes:
        asked, answered = (
            inspection.likeliest(names, found.fields) for names in (inspection.ASKED, inspection.ANSWERED)
        )
        yield "No row became a record. If two columns are question and answer, name them:"
        yield f"  dataset inspect {found.path} --set 'fields={{input: {asked or 'COLUMN'}, output: {answered or 'COLUMN'}}}'"
        yield "Rows of another shape need a file in stages/formats/, with `matches` and `read`, as README.md says."
    else:
        yield f"No row became a record: {intake.mending(drops)}."


def why(shape: str) -> str:
    """What a shape looks like, in the words of its file."""
    if shape == "none":
        return f"of no known shape: {', '.join(formats.names())} are known"
    return f"{shape}: {(formats.shape(shape).__doc__ or '').splitlines()[0].rstrip('.')}"


def mapping(found: inspection.Inspection) -> Iterator[tuple[str, str]]:
    """Which of their fields becomes what."""
    for ours, theirs in found.suggested.get("fields", {}).items():
        yield theirs, {"input": "the user's turn", "output": "the assistant's turn"}[ours]
    for key, theirs in found.suggested.items():
        if key.endswith("_field"):
            yield theirs, PRIVATE.get(key) or f"meta.{key.removesuffix('_field')}"


def sample(title: str, found: list[Found]) -> Iterator[str]:
    """A few records under a title."""
    if found:
        yield from ("", title, "")
    for each in found:
        yield from display.excerpt(each)
