"""`dataset verify`: are the bytes in cache, remote and workspace those that dvc.lock names? All are hashed again."""

import sys
from collections import Counter
from collections.abc import Iterator

import click

from lineage import mend as mending
from lineage import release, released, version
from lineage import verify as verifying
from lineage.damage import Damage
from lineage.verify import SETTINGS, Check
from stages.contract.record import encode
from stages.text.visible import visible

NAMED = 5  # rows of a damaged file that are named; --json lists all


@click.command()
@click.argument("revision", required=False)
@click.option(
    "--release", "of_release", is_flag=True, help="Hold a release, by default the last, against its manifest."
)
@click.option("--remote", help="Look into this remote instead of the default one.")
@click.option(
    "--mend", is_flag=True, help="Replace damaged objects by intact copies; put into the remote what it lacks."
)
@click.option("--json", "as_json", is_flag=True, help="Print every check as JSON, one a line.")
def verify(revision: str | None, of_release: bool, remote: str | None, mend: bool, as_json: bool) -> None:
    """Hash again what REVISION, or the working tree, names; exit 1 if bytes are damaged, or intact nowhere.

    With --release it does not ask DVC: every file of the release is held against the SHA-256 of its manifest, and the tag's
    signature against the keys that you trust.
    """
    of = release.resolved(revision) if of_release else None
    commit = of.commit if of else version.commit_of(revision) if revision is not None else None
    for at in mending.mend(commit, remote) if mend else ():
        click.echo(visible(f"mended  {at}"), err=True)
    checks = released.verify_release(of, remote) if of else verifying.verify(commit, remote)
    for line in map(encode, checks) if as_json else lines(checks):
        click.echo(line if as_json else visible(str(line)))
    sys.exit(1 if verifying.finding(checks, remote) else 0)


def lines(checks: list[Check]) -> Iterator[str]:
    """The checks for people: a line for each place, then what is wrong and what to do."""
    for place in dict.fromkeys(check.place for check in checks):
        counted = Counter(check.verdict for check in checks if check.place == place)
        yield f"{place:<16}" + ", ".join(f"{count} {verdict}" for verdict, count in counted.items())
    for check in checks:
        if check.verdict == "failed":
            yield from ("", f"FAILED  {check.path}, {check.place}{': ' if check.reason else ''}{check.reason}")
            yield from (f"        {line}" for damage in check.damage for line in told(damage))
            yield f"        {remedy(check, checks)}"
    unread = Counter((check.place, check.reason) for check in checks if check.verdict == "not checkable")
    for (place, reason), count in unread.items():
        yield from ("", f"not checkable, {place}: {count} ({reason})")
    for path in verifying.nowhere(checks):
        yield f"NOWHERE {path}: no intact copy was found; `dvc pull`, or build it again with `dvc repro`"


def remedy(check: Check, checks: list[Check]) -> str:
    """What to do about a check that failed."""
    elsewhere = [other.place for other in checks if (other.path, other.verdict) == (check.path, "verified")]
    if check.place == SETTINGS:
        return "take dvc.lock back with `git checkout dvc.lock`, or run `dvc repro`"
    if check.place in ("workspace", "git"):
        put_back = f"delete {check.path}, then `dvc checkout {check.path}`"  # DVC trusts the file's time
        return put_back if elsewhere else f"`git checkout -- {check.path}`, or `dvc repro`"
    if not elsewhere:
        return "no intact copy is known; look in another remote or clone, or build it again with `dvc repro`"
    return f"`dataset verify --mend` replaces it by the copy in the {elsewhere[0]}"


def told(damage: Damage) -> Iterator[str]:
    """A damaged file and the rows in it that differ."""
    yield f"{damage.path}: {damage.reason}" + (f" ({damage.object})" if damage.object else "")
    if damage.row_count is not None:
        more = f" and {damage.row_count - NAMED} more" if damage.row_count > NAMED else ""
        rows = f"{damage.row_count} row{'s differ' if damage.row_count != 1 else ' differs'}"
        yield f"  {rows}: {', '.join(damage.rows[:NAMED])}{more}" if damage.rows else f"  {rows}, and none is lost"
