"""`dataset fact-check`: list the answers whose facts somebody is to check, and note what was found of one."""

from collections.abc import Iterator
from typing import Any, get_args

import click

from lineage import repository
from stages.contract import facts, paths, shards
from stages.contract.params import stop
from stages.contract.record import encode
from stages.text.visible import visible


@click.command()
@click.argument("identifier", required=False)
@click.argument("verdict", type=click.Choice(get_args(facts.Found)), required=False)
@click.option("--note", default="", help="Where it was looked up, or what is wrong; kept in git.")
@click.option("--who", default="", help="Who found it; git's user.name without it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def fact_check(identifier: str | None, verdict: facts.Found | None, note: str, who: str, as_json: bool) -> None:
    """List what is to be checked, or note that the record with this ID, or one that starts so, is right, unsure or wrong.

    Exit 1 if something is still to be checked.
    """
    if identifier is None:
        left = list(unchecked())
        for each in left:
            click.echo(encode(each) if as_json else shown(each))
        raise SystemExit(1 if left else 0)
    if verdict is None:
        raise stop(f"dataset fact-check {identifier}: no verdict; say right, unsure or wrong")
    found = facts.Verdict(known(identifier), verdict, who or user(), note)
    append(found)
    click.echo(f"{found.id} is {verdict}, says {found.who}. Run `dvc repro report`, and commit {paths.FACTS}.")


def unchecked() -> Iterator[dict[str, Any]]:
    """The listed rows that nobody has found right or wrong."""
    found = facts.verdicts()
    for row in shards.rows(listing()):
        if (said := found.get(row["id"], "unchecked")) in ("unchecked", "unsure"):
            yield row | {"state": said}


def listing() -> Any:
    """The list that `export` wrote."""
    path = paths.ROOT / paths.FACT_CHECK
    if not path.is_file():
        raise stop(f"{paths.FACT_CHECK}: is not there; run `dvc repro export`, or `dvc pull`")
    return path


def shown(row: dict[str, Any]) -> str:
    """One row for people."""
    head = click.style(f"{row['id'][:12]}  {visible(row['topic'] or '')}  {row['state']}", bold=True)
    return f"{head}\n  {visible(row['question'])}\n  → {visible(row['answer'])}\n"


def known(start: str) -> str:
    """The id of the one curated record whose id starts so."""
    ids: set[str] = {row["id"] for path in (paths.FACT_CHECK, paths.INDEX) for row in existing(path)}
    found = sorted(each for each in ids if each.startswith(start))
    if len(found) != 1:
        problem = "no curated record has an id that starts so" if not found else f"{len(found)} ids start so"
        raise stop(f"dataset fact-check {start}: {problem}; copy one from `dataset fact-check`")
    return found[0]


def existing(path: str) -> Iterator[Any]:
    """The rows of a file that may not be built."""
    place = paths.ROOT / path
    return shards.rows(place) if place.is_file() else iter(())


def user() -> str:
    """How git calls who works here."""
    name = repository.run("git", "config", "user.name").stdout.decode("utf-8", "replace").strip()
    if not name:
        raise stop("dataset fact-check: git knows no user.name; say --who")
    return name


def append(found: facts.Verdict) -> None:
    """Write the verdict at the end of the file: an earlier one stays, and the last of a person counts."""
    facts.verdicts()
    path = paths.ROOT / paths.FACTS
    before = path.read_bytes() if path.is_file() else b""
    whole = before if not before or before.endswith(b"\n") else before + b"\n"
    shards.put_bytes(path, whole + encode(found) + b"\n")
