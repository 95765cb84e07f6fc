"""`dataset profile`: which values are in force and where each is from; with a name, what another profile would change."""

from typing import Any

import click
from msgspec import UNSET

from stages.contract import params, profiles
from stages.contract.profiles import Setting, plain
from stages.contract.record import encode

UNSAID = "-"


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the values as JSON.")
def profile(name: str | None, as_json: bool) -> None:
    """List every value that a profile governs and where it is from; with NAME, what would change under that profile."""
    found = changes(name) if name else profiles.settings(params.whole())
    if as_json:
        click.echo(encode([listed(each) for each in found]))
        return
    click.echo(f"{said(name, found)}\n")
    width = max((len(each.path) for each in found), default=0)
    for each in found:
        click.echo(f"{each.path:<{width}}  {between(each) if name else told(each)}")


def changes(name: str) -> list[Setting]:
    """What would change under another profile: each value as it would be, and as it is."""
    others = params.settled(params.given() | {"profile": name})
    now, then = (dict(profiles.flat(each)) for each in (params.whole(), others))
    paths = [path for path in {**now, **then} if now.get(path) != then.get(path)]
    return [Setting(path, then.get(path, UNSAID), now.get(path, UNSAID), True) for path in paths]


def said(name: str | None, found: list[Setting]) -> str:
    """What the list is of."""
    own = sum(each.own for each in found)
    if name:
        kept = "what params.yaml says of its own stays"
        return f"{name} instead of {params.whole()['profile']} would change {len(found)} values; {kept}."
    return f"Profile {params.whole()['profile']}: {len(found) - own} values are its own, {own} are from params.yaml."


def told(each: Setting) -> str:
    """A value in force, and what the profile says if that is something else."""
    return plain(each.value) + (f"  (params.yaml; the profile says {plain(each.usual)})" if each.own else "")


def between(each: Setting) -> str:
    """A value as it is and as it would be."""
    return f"{plain(each.usual)} -> {plain(each.value)}"


def listed(each: Setting) -> dict[str, Any]:
    """A value for machines; of a change `usual` is the value now."""
    usual: Any = plain(each.usual) if each.usual is UNSET else each.usual
    return {"setting": each.path, "value": each.value, "usual": usual, "from": "params.yaml" if each.own else "profile"}
