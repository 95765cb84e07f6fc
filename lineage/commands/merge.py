"""`dataset merge`: merge a colleague's branch, and build the dataset again."""

import sys

import click
import msgspec

from lineage import merge as merging
from lineage.merging.outcome import Conflict, Outcome, flow
from stages.contract.params import stop
from stages.text.visible import visible

FAILING = "The merge is committed, and its result fails the gate: `dataset gate` says what to do before it is released."


@click.command()
@click.argument("branch", required=False)
@click.option("--continue", "go_on", is_flag=True, help="Go on with the merge that is under way.")
@click.option("--abort", is_flag=True, help="Go back to before the merge, data too.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def merge(branch: str | None, go_on: bool, abort: bool, as_json: bool) -> None:
    """Merge BRANCH into the branch you are on, file by file in the way of its kind, run `dvc repro` and commit.

    Exit 1 if something is left for you: the merge is then open, and --continue or --abort ends it; or if it is committed and
    its result fails the gate.
    """
    if [bool(branch), go_on, abort].count(True) != 1:
        raise stop("dataset merge: takes one of BRANCH, --continue and --abort; give it one")
    say = merging.silent if as_json else lambda text: click.echo(visible(text))
    outcome = merging.merge(branch, say) if branch else merging.resume(say) if go_on else merging.abort()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(outcome)))
    else:
        for text in lines(outcome):
            click.echo(visible(text))
    sys.exit(1 if outcome.conflicts or outcome.gate is False else 0)


def lines(outcome: Outcome) -> list[str]:
    """The end of the merge for people."""
    if outcome.state == "nothing":
        return [f"{outcome.branch} is merged already; there is nothing to do."]
    if outcome.state == "aborted":
        done = ", but not all of the data" if outcome.conflicts else ", and so is the data"
        return [f"The merge of {outcome.branch} is taken back; git is as before{done}.", *map(left, outcome.conflicts)]
    if outcome.conflicts:
        return ["", *map(left, outcome.conflicts), "", f"The merge is open. Do the above, {merging.GO_ON}."]
    verdict = outcome.verdict or "has not been held"
    told = ["", *flow(outcome), f"gate: {verdict}  (dataset gate)", f"committed: {outcome.commit[:7]}"]
    return [*told, FAILING] if outcome.gate is False else told


def left(conflict: Conflict) -> str:
    """One thing that is left for people."""
    values = f" is {conflict.ours} in ours and {conflict.theirs} in theirs" if conflict.key else ""
    return f"{conflict.path}: {conflict.key}{values}{'; ' if conflict.key else ''}{conflict.do}"
