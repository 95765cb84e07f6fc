"""`dataset audit`: what a model was made from, hashed again; or which versions, runs and models hold an example."""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from lineage.exposure import Exposure, Saw, Version
from lineage.history import date_of
from stages.contract.params import stop
from stages.contract.record import encode
from stages.text.visible import visible

LISTED = 5  # ids and unread versions; --json lists all
KINDS = ("example", "text", "subject", "source", "licence")


@click.command()
@click.argument("model", required=False)
@click.option("--example", metavar="ID", help="Which versions, runs and models hold this record?")
@click.option("--text", metavar="TEXT", help="Or a turn that says this, whatever its case and space?")
@click.option("--subject", metavar="NAME", help="Or a record about this person, named as in the source?")
@click.option("--source", metavar="NAME", help="Or records of this source?")
@click.option("--licence", metavar="SPDX", help="Or records under this licence?")
@click.option("--fetch", is_flag=True, help="Bring the indexes that are not in the cache from the remote.")
@click.option("--rev", help="Audit MODEL at this commit, if the one it was trained on was rewritten.")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def audit(model: str | None, fetch: bool, rev: str | None, form: str, as_json: bool, **asked: str | None) -> None:
    """Hash again what MODEL was made from and report it; MODEL is a run's id, or a model's name, path, address or SHA-256.

    Exit 1 if something failed, cannot be checked or was not found.
    """
    given = {kind: value for kind, value in asked.items() if value is not None}
    form = "json" if as_json else form
    if len(given) + (model is not None) != 1:
        raise stop(f"dataset audit: takes MODEL or one of {', '.join('--' + kind for kind in KINDS)}; give it one")
    if model is not None:
        if fetch:
            raise stop("dataset audit: --fetch is for --example, --text and --subject; leave it out")
        of_model(model, rev, form)
    elif rev is not None or form == "html":
        raise stop("dataset audit: --rev and --format html are for MODEL; leave them out")
    else:
        of_data(*given.popitem(), fetch, form)


def of_model(model: str, rev: str | None, form: str) -> None:
    """From a model to its data."""
    from lineage import audit, audit_page  # which load DVC

    found = audit.audit(model, rev)
    if form == "text":
        click.echo("\n".join(visible(line) for line in audit_page.text(found)))
    else:
        click.echo(audit_page.html(found) if form == "html" else encode(found))
    sys.exit(1 if found.findings else 0)


def of_data(kind: str, value: str, fetch: bool, form: str) -> None:
    """From data to the models."""
    from lineage import exposure

    ask: Any = getattr(exposure, f"of_{kind}")
    found: Exposure = ask(value) if kind in ("source", "licence") else ask(value, fetch)
    if form == "json":
        click.echo(encode(found))
    else:
        click.echo("\n".join(visible(line) for line in lines(found)))
    sys.exit(0 if found.versions and not found.unread else 1)


def lines(found: Exposure) -> Iterator[str]:
    """The answer for people."""
    if found.ids:
        more = f" and {len(found.ids) - LISTED} more" if len(found.ids) > LISTED else ""
        yield f"records   {', '.join(found.ids[:LISTED])}{more}"
    yield f"versions  {versions(found)}"
    for saw in found.runs:
        yield f"run       {saw.run}: {read(saw)} ({saw.version})"
    yield f"models    {', '.join(found.models) or 'none'}"
    for each in found.unread[:LISTED]:
        yield f"unread    {each}"
    if len(found.unread) > LISTED:
        yield f"unread    and {len(found.unread) - LISTED} more; --fetch brings what was pushed"


def read(saw: Saw) -> str:
    """What a run read of it."""
    if saw.through:
        return f"was made from {saw.through}"
    if saw.records is None:
        return "may have read it: its record does not count its records by source"
    return f"read {saw.records:,} of its records in {', '.join(saw.files)}" if saw.files else "did not read its files"


def versions(found: Exposure) -> str:
    """In which versions it is, in one line."""
    commits = [commit for version in found.versions for commit in version.commits]
    if not found.versions:
        return f"none of {found.looked_at} commits holds it; `dataset trace` tells of what was dropped"
    tags = [tag for version in found.versions for tag in version.tags]
    dated = [version for version in found.versions if version.commits]
    span = [f"{date_of(min(v.first for v in dated))} to {date_of(max(v.last for v in dated))}"] if dated else []
    where = ", ".join([f"{len(commits)} of {found.looked_at} commits", *span, *tags])
    return f"{where}: {split(found.versions)}"


def split(versions: list[Version]) -> str:
    """Where the records stand, or how many there are, the newest version first."""
    counted = Counter(f"{row.split} of {row.source}" for row in versions[0].rows)
    return ", ".join(f"{rows:,} in {name}" for name, rows in counted.items()) or f"{versions[0].count:,} records"
