"""`dataset doctor`: libraries, locks, cache, remote, releases, secrets, licences: what is wrong, and what mends it."""

import sys

import click

from lineage.doctor import examine
from lineage.merge import check_place
from stages.contract.record import encode
from stages.text.visible import visible


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def doctor(as_json: bool) -> None:
    """Examine what surrounds the data; each finding comes with the command that mends it. Exit 1 if there is one."""
    check_place()
    found = examine()
    if as_json:
        click.echo(encode(found))
    else:
        for name, findings in found.items():
            click.echo(f"{name:<13}{'ok' if not findings else ''}".rstrip())
            for each in findings:
                click.echo(visible(f"  {each.what}\n    {each.do}"))
    sys.exit(1 if any(found.values()) else 0)
