"""`dataset release`: name what is here as a version: manifest, pins of the splits, and a tag."""

import sys

import click

from lineage import release as releasing
from stages.contract.record import encode
from stages.text.visible import visible


@click.command()
@click.argument("version")
@click.option(
    "--sign", is_flag=True, help="Sign the tag with your key of git, also where git does not do it by itself."
)
@click.option("--json", "as_json", is_flag=True, help="Print the release, or why there is none, as JSON.")
def release(version: str, sign: bool, as_json: bool) -> None:
    """Release what is checked out as VERSION, such as 1.2.0; exit 1 and change nothing if something stands against it.

    Clean, built, within the gate and pushed it must be. The tag is dataset@vVERSION; push it with `git push --follow-tags`.
    """
    try:
        made = releasing.release(version, sign)
    except releasing.Refused as refused:
        for each in refused.refusals:
            click.echo(encode(each) if as_json else visible(f"refused  {each.what}\n         {each.do}"))
        sys.exit(1)
    click.echo(encode(made) if as_json else visible(f"{made.message}\n\n{made.tag} is {made.commit[:7]}{signed(made)}"))
    click.echo("next     git push --follow-tags", err=True)


def signed(made: releasing.Release) -> str:
    """What the tag proves."""
    return ", signed" if made.signed else ", not signed: its manifest protects against accident only (--sign)"
