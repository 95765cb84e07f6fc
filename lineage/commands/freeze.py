"""`dataset freeze`: move the pin of the evaluation set in params.yaml to the file as it is."""

import re

import click

from stages.contract import gold, params, paths, shards
from stages.contract.params import stop
from stages.formats import openai

ENOUGH = 200  # rows; fewer cannot tell two models apart
PIN = re.compile(r"(^eval:\s*(?:#.*)?\n(?:[ \t#].*\n|\n)*?[ \t]+sha256:[ \t]*)[^\s#]*", re.MULTILINE)


def pin(new: str) -> None:
    """Write the digest into params.yaml, and nothing else."""
    path = paths.ROOT / params.FILE
    text, count = PIN.subn(lambda match: match[1] + new, path.read_text("utf-8"), count=1)
    if not count:
        raise stop(f"{params.FILE}: eval.gold.sha256 is missing; add it with any value")
    shards.put(path, [text.removesuffix("\n").encode()])


@click.command()
def freeze() -> None:
    """Pin the evaluation set as it is now."""
    old, new = gold.pinned(), gold.digest_of_file()
    rows = gold.read_with(openai.read, gold.values())
    if not rows:
        raise stop(f"{paths.GOLD}: has no row, and measures nothing; put at least {ENOUGH} there")
    if len(rows) < ENOUGH:
        click.echo(f"{paths.GOLD}: {len(rows)} rows tell little; {ENOUGH} or more are advised.", err=True)
    if old == new:
        click.echo(f"{paths.GOLD}: {len(rows)} rows, pinned already ({new[:12]}…).")
        return
    pin(new)
    click.echo(
        f"{paths.GOLD}: {len(rows)} rows, pin moved from {old[:12] or 'nothing'}… to {new[:12]}…. Run `dvc repro`."
    )
