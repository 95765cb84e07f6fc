"""`dataset freeze`: move the pins of the evaluation sets in params.yaml to the files as they are, and say what changed."""

import hashlib
from collections import Counter
from collections.abc import Iterator

import click

from lineage import repository
from lineage.edit import Change, edit, with_entry, with_value, without
from stages.checks.structure import REASONS, turn_fault
from stages.contract import gold, params, paths
from stages.contract.gold import Evaluation
from stages.contract.params import stop
from stages.contract.source import parse

ENOUGH = 200  # rows; fewer cannot tell two models apart


@click.command()
def freeze() -> None:
    """Pin the evaluation sets as they are now, and say what changed since they were pinned."""
    files, old = gold.files(), gold.pins()
    if not files:
        raise stop(f"{paths.GOLD}: is not there; restore it from git, or put {ENOUGH} rows there")
    rows = {name: checked(name, list(gold.rows_of(name, path))) for name, path in files.items()}
    new = {name: gold.digest_of(path) for name, path in files.items()}
    if sum(map(len, rows.values())) < ENOUGH:
        click.echo(
            f"{paths.EVAL}: {sum(map(len, rows.values()))} rows tell little; {ENOUGH} or more are advised.", err=True
        )
    for name in sorted({*old, *new}):
        click.echo(f"{gold.place(name)}: {said(name, rows.get(name, []), old.get(name, ''), new.get(name, ''))}")
    gold.verdicts([row for found in rows.values() for row in found])
    if old != new:
        edit(params.FILE, *changes(old, new))
        click.echo("The pins are moved. Run `dvc repro`.")


def checked(name: str, rows: list[Evaluation]) -> list[Evaluation]:
    """The rows of a set, if there are any and they are conversations; benchmarks may lack the answer."""
    if not rows:
        raise stop(f"{gold.place(name)}: has no row, and measures nothing; put at least {ENOUGH} there, or delete it")
    for row in rows:
        turns = row.example.messages
        if (fault := turn_fault(turns)) and (name == "gold" or turns[-1].role == "assistant"):
            raise stop(f"{where(row)}: {REASONS[fault]}; mend it, an answer is what is measured against")
    return rows


def where(row: Evaluation) -> str:
    """File and line of a row."""
    name, _, number = row.name.partition(":")
    return f"{gold.place(name)}:{number}"


def said(name: str, rows: list[Evaluation], old: str, new: str) -> str:
    """What became of one set, in words."""
    if not new:
        return f"is gone, its pin {old[:12]}… is taken out."
    if old == new:
        return f"{len(rows)} rows, pinned already ({new[:12]}…)."
    if not old:
        return f"{len(rows)} rows, pinned now ({new[:12]}…)."
    return f"{len(rows)} rows, {difference(name, old)}pin moved from {old[:12]}… to {new[:12]}…."


def difference(name: str, old: str) -> str:
    """How many rows were added, removed and changed since the pinned version, if git has it."""
    before = next((text for text in versions(gold.place(name)) if hashlib.sha256(text).hexdigest() == old), None)
    if before is None:
        return "what changed is not told, because the pinned version is not in git; "
    now = (paths.ROOT / gold.place(name)).read_bytes()
    gone, more = Counter(lines(before)), Counter(lines(now))
    gone, more = gone - more, more - gone
    changed = (Counter(map(asked, gone.elements())) & Counter(map(asked, more.elements()))).total()
    added, removed = more.total() - changed, gone.total() - changed
    return f"{added} added, {removed} removed, {changed} changed; "


def versions(path: str) -> Iterator[bytes]:
    """The file as the last commits that changed it have it, the newest first."""
    done = repository.run("git", "log", "--format=%H", "--max-count=50", "--", path)
    for revision in done.stdout.decode().split():
        if (found := repository.content(revision, path)) is not None:
            yield found


def lines(content: bytes) -> Iterator[bytes]:
    """The rows of a file."""
    return (line.strip() for line in content.splitlines() if line.strip())


def asked(line: bytes) -> str:
    """What two versions of one row have in common: what the row calls itself, or else its question."""
    row = parse(line)
    return gold.key_of(row) or "\n".join(turn.content for turn in gold.example(row).messages if turn.role == "user")


def changes(old: dict[str, str], new: dict[str, str]) -> Iterator[Change]:
    """The changes of params.yaml."""
    for name in sorted({*old, *new}):
        if name not in new:
            yield without(f"eval.{name}")
        elif name not in old:
            yield with_entry("eval", name, f"sha256: {new[name]}")
        elif old[name] != new[name]:
            yield with_value(f"eval.{name}.sha256", new[name])
