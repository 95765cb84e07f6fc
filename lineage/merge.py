"""Merging another branch of the dataset: each kind of file in its own way, and then the pipeline built again."""

import os
import re
import sys
from collections.abc import Callable, Iterable
from datetime import date

import msgspec

from lineage.commands import gate
from lineage.merging import built
from lineage.merging.kinds import Sides, base_commit, by_kind, sides
from lineage.merging.outcome import Conflict, Outcome, counts, flow, listed
from lineage.repository import commit, content, dvc, git, names, private, run, said
from stages.contract import params, paths, shards
from stages.contract.params import stop
from stages.contract.run import prune
from stages.reporting.gate import passes

MARKER = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)
GO_ON = "then `dataset merge --continue`, or `dataset merge --abort`"


Say = Callable[[str], object]


def silent(_: str) -> None:
    """Say nothing."""


# the ways in


def merge(branch: str, say: Say = silent) -> Outcome:
    """Merge a branch into the one that is checked out and build the result; stop if that cannot be begun."""
    check_place()
    if commit("MERGE_HEAD"):
        raise stop("git: a merge is under way here; run `dataset merge --continue` or `dataset merge --abort`")
    if not (theirs := commit(branch)):
        raise stop(f"{branch}: git knows no such branch or commit; look at `git branch --all`, or `git fetch` first")
    if run("git", "merge-base", "--is-ancestor", theirs, "HEAD").returncode == 0:
        return Outcome("nothing", branch)
    check_clean(theirs)
    done = run("git", "merge", "--no-commit", "--no-ff", "--end-of-options", branch)
    if not commit("MERGE_HEAD"):
        raise stop(f"git merge: {said(done)}; mend that and try again")
    return settled_and_built(fresh=True, say=say)


def resume(say: Say = silent) -> Outcome:
    """Go on with a merge that is under way, whoever began it."""
    check_under_way()
    return settled_and_built(fresh=False, say=say)


def abort() -> Outcome:
    """Go back to the commit before the merge, and to its data."""
    check_under_way()
    outcome = Outcome("aborted", branch_name())
    merged_files = names("diff", "--name-only", "--no-renames", "-z", "HEAD", "MERGE_HEAD")
    if found := touched(merged_files):  # what a run wrote again; unstaged, git would keep it
        given = "\0".join(found).encode()
        git("--literal-pathspecs", "add", "--update", "--pathspec-from-file=-", "--pathspec-file-nul", given=given)
    git("merge", "--abort")
    if missing := checkout():
        outcome.conflicts.append(Conflict(built.LOCK, f"{missing}; run `dvc checkout` once that is settled"))
    params.whole.cache_clear()
    if params.whole().get("sources"):
        prune()  # DVC leaves what it does not know for its own, as in a copied project
    return outcome


def touched(candidates: list[str]) -> list[str]:
    """The files of a merge that git could still have to set back."""
    known = {*names("ls-files", "-z")}
    return sorted(known & {*candidates, *built_among(known)})


def check_under_way() -> None:
    """Stop if there is no merge to go on with."""
    check_place()
    if not commit("MERGE_HEAD"):
        raise stop("git: no merge is under way here; begin one with `dataset merge BRANCH`")


def check_place() -> None:
    """Stop outside the top folder of a repository, whose paths git and DVC name."""
    done = run("git", "rev-parse", "--show-prefix")
    if done.returncode or done.stdout.strip() or not (paths.ROOT / "dvc.yaml").is_file():
        raise stop("git: this is not the top folder of a project; run from where dvc.yaml and .git are")


def check_clean(theirs: str) -> None:
    """Stop if something is not committed, in git or in what DVC tracks."""
    status = git("status", "--porcelain", "--no-renames", "-z", "--untracked-files=all")
    changed = [os.fsdecode(entry[3:]) for entry in status.split(b"\0") if entry]
    if changed:
        raise stop(f"git: not committed: {listed(changed)}; commit it, or put it aside with `git stash -u`")
    if ours := overwritten(theirs):
        raise stop(f"git: {listed(ours)}: git ignores it here and has it there; move your file away first")
    changed = unsaved()
    if changed:
        raise stop(f"dvc: changed since it was saved: {listed(changed)}; run `dvc repro`, or `dvc add` it, and commit")


def overwritten(theirs: str) -> list[str]:
    """Files of ours that git does not know and the merge would write over."""
    new = names("diff", "--name-only", "--no-renames", "--diff-filter=A", "-z", f"HEAD...{theirs}")
    return sorted({*new} - {*names("ls-files", "-z")} - {path for path in new if not (paths.ROOT / path).exists()})


def unsaved() -> list[str]:
    """What DVC tracks and is not as dvc.lock or its `.dvc` file says; what is not pulled does not count."""
    done = dvc("data", "status", "--json")
    if done.returncode:
        raise stop(f"dvc data status: {said(done)}; mend that first")
    found = msgspec.json.decode(done.stdout)
    uncommitted = found.get("uncommitted", {})
    return sorted({*uncommitted.get("modified", []), *uncommitted.get("added", [])})


# file by file


def branch_name() -> str:
    """How the merge under way calls the other side."""
    message = private("MERGE_MSG")
    first = message.read_text("utf-8", "replace").partition("\n")[0] if message.is_file() else ""
    named = re.match(r"Merge (?:remote-tracking )?(?:branch|commit|tag) '([^']+)'", first)
    return named[1] if named else commit("MERGE_HEAD")[:7]


def built_among(candidates: Iterable[str]) -> list[str]:
    """Those of the files that a run on either side writes into git."""
    known = {pattern for side in ("HEAD", "MERGE_HEAD") for pattern in built.patterns(content(side, "dvc.yaml"))}
    return sorted(path for path in set(candidates) if built.is_built(path, known))


def settled_and_built(fresh: bool, say: Say) -> Outcome:
    """Settle every file that can be, and build the rest if nothing is left for people."""
    outcome = Outcome("open", branch_name(), ours=counts(content("HEAD", paths.METRICS)))
    outcome.theirs = counts(content("MERGE_HEAD", paths.METRICS))
    reset_built()
    for path in to_settle(fresh):
        settle(path, outcome, fresh)
    named = {conflict.path for conflict in outcome.conflicts}
    remedies = dict.fromkeys(loose(), "is changed, and not in the merge; `git add` it, or take the change back")
    remedies |= dict.fromkeys(marked(), "conflict markers are left in it; take them out and `git add` it")
    outcome.conflicts += [Conflict(path, do) for path, do in sorted(remedies.items()) if path not in named]
    for path, how in outcome.taken.items():
        say(f"{path}: {how}")
    if not outcome.conflicts:
        build(outcome, say)
    return outcome


def to_settle(fresh: bool) -> list[str]:
    """The files in conflict, and those that both sides changed and git must not have merged by its own lights."""
    found = unmerged()
    for path in (params.FILE, paths.GOLD) if fresh else ():
        version = sides(path)
        if path not in found and version.ours not in (version.base, version.theirs) and version.theirs != version.base:
            found.append(path)
    return sorted({*found} - {*built_among(found)})


def unmerged() -> list[str]:
    """The files that git holds in several versions."""
    return names("diff", "--name-only", "--diff-filter=U", "-z")


def loose() -> list[str]:
    """The files that a run would read and the commit would not have."""
    changed = names("diff", "--name-only", "-z") + names("ls-files", "--others", "--exclude-standard", "-z")
    return sorted({*changed} - {*unmerged()} - {*built_among(changed)})


def marked() -> list[str]:
    """The files that are or were in conflict, with git's markers in them."""
    changed = {*unmerged(), *by_hand()}
    files = [path for path in sorted(changed - {*built_among(changed)}) if (paths.ROOT / path).is_file()]
    return [path for path in files if MARKER.search((paths.ROOT / path).read_bytes())]


def settle(path: str, outcome: Outcome, fresh: bool) -> None:
    """Merge one file in the way of its kind, or leave it for people with our version in its place."""
    version = sides(path)
    if version.ours is None or version.theirs is None:
        outcome.conflicts.append(
            Conflict(path, "one side took it out, the other changed it; `git add` it or `git rm` it")
        )
        return
    merged, how, conflicts = by_kind(path, version, outcome.branch)
    if not fresh and edited(path, version, merged):
        outcome.conflicts.append(Conflict(path, "is edited, and not marked as settled; `git add` it"))
    elif not conflicts:
        shards.put_bytes(paths.ROOT / path, merged)
        git("add", "--", f":(literal){path}")
        outcome.taken[path] = how
        note(f"{path}: {how}")
    else:
        unmerge(path)
        outcome.conflicts += conflicts
        if path == params.FILE or path.startswith("data/") or path.endswith(".dvc"):
            shards.put_bytes(paths.ROOT / path, merged)


def edited(path: str, version: Sides, merged: bytes) -> bool:
    """Whether somebody has edited a file that is in conflict, so that writing it would lose their work."""
    place = paths.ROOT / path
    now = place.read_bytes() if place.is_file() else None
    return now not in (None, version.ours, merged) and not MARKER.search(now or b"")


def unmerge(path: str) -> None:
    """Have git hold a file in its three versions, as it does with a conflict of its own."""
    if path in unmerged():
        return
    listing = [f"0 {'0' * 40}\t{path}"]
    for stage, revision in enumerate((base_commit(), "HEAD", "MERGE_HEAD"), 1):
        if entry := git("ls-tree", revision, "--", f":(literal){path}").decode():
            mode, _, blob = entry.partition("\t")[0].split(" ")
            listing.append(f"{mode} {blob} {stage}\t{path}")
    git("update-index", "--index-info", given="".join(line + "\n" for line in listing).encode())


# what is built


def build(outcome: Outcome, say: Say) -> None:
    """Build the merged dataset and commit it; what fails is left for people and the merge stays open."""
    missing = checkout()
    problem = invalid() or failed(missing, say)
    if problem:
        outcome.conflicts.append(problem)
        return
    metrics = paths.ROOT / paths.METRICS
    outcome.merged = counts(metrics.read_bytes() if metrics.is_file() else None)
    if outcome.merged:
        held, today = gate.check(), date.today()
        outcome.gate, outcome.verdict = passes(held, today), gate.summary(held, today)
    git("add", "--update")
    if new := built_among(names("ls-files", "--others", "--exclude-standard", "-z")):
        git("add", "--", *[f":(literal){path}" for path in new])
    git("commit", "--quiet", "--cleanup=strip", "--file=-", given=message(outcome).encode())
    outcome.state, outcome.commit = "merged", commit("HEAD")


def reset_built() -> None:
    """Take what a run writes from one side, whole: the lock stage by stage, everything else from ours.

    A merge that goes on keeps the lock of the stages that have run already.
    """
    candidates = {*names("ls-files", "-z"), *names("ls-tree", "-r", "--name-only", "-z", "MERGE_HEAD")}
    for path in built_among(candidates):
        version = sides(path)
        if path == built.LOCK:
            start: bytes | None = built.lock(version.base, version.ours, version.theirs)
        else:
            start = version.theirs if version.ours is None else version.ours
        if start is not None and start != content("", path):
            shards.put_bytes(paths.ROOT / path, start)
            git("add", "--", f":(literal){path}")


def checkout() -> str:
    """Put the data that dvc.lock and the `.dvc` files name in place, fetched if need be; what stays missing, in words."""
    if dvc("checkout", "--quiet").returncode == 0:
        return ""
    fetched = dvc("fetch", "--quiet")
    again = dvc("checkout", "--quiet", "--allow-missing")
    if fetched.returncode:
        return f"not all data could be fetched ({said(fetched)})"
    return f"not all data could be put in place ({said(again)})" if again.returncode else ""


def invalid() -> Conflict | None:
    """What `dataset check` finds, in a process of its own, because the code may be merged too."""
    done = run(sys.executable, "-c", "from lineage.commands import main; main()", "check")
    if done.returncode == 2 or (done.returncode == 1 and not done.stderr):  # 1: an evaluation set is not what is pinned
        return Conflict(params.FILE, f"{said(done).removeprefix(f'{params.FILE}: ')}; then `git add {params.FILE}`")
    last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return Conflict("stages", f"`dataset check` breaks off ({last}); mend the code and `git add` it") if last else None


def failed(missing: str, say: Say) -> Conflict | None:
    """Run the pipeline and look whether DVC calls it up to date."""
    say("dvc repro")
    if dvc("repro", shown=True).returncode:
        because = f"; {missing}: run `dvc pull`" if missing else "; mend what it names"
        return Conflict(built.LOCK, f"`dvc repro` failed{because}")
    status = dvc("status", "--json")
    if status.returncode or msgspec.json.decode(status.stdout):
        return Conflict(built.LOCK, "`dvc status` still names changes after `dvc repro`; look at it")
    return None


def note(line: str) -> None:
    """Add a line to the message git keeps for the commit, so that a merge in several goes tells all of it."""
    file = private("MERGE_MSG")
    first, _, rest = file.read_text("utf-8", "replace").partition("\n") if file.is_file() else ("Merge", "", "")
    file.write_text("\n".join([first, "", rest.strip("\n"), line, ""]), "utf-8")


def message(outcome: Outcome) -> str:
    """The commit's message: git's first line, how each file was merged, and what came of it."""
    noted = private("MERGE_MSG").read_text("utf-8", "replace").splitlines()
    for path in by_hand():
        if not any(line.startswith(f"{path}: ") for line in noted):
            note(f"{path}: by hand")
    note(f"{built.LOCK} and reports: built again")
    return "\n".join([private("MERGE_MSG").read_text("utf-8", "replace"), *flow(outcome)])


def by_hand() -> list[str]:
    """The files that were in conflict and are settled now, built ones left out."""
    entries = git("ls-files", "--resolve-undo", "-z").split(b"\0")
    found = {os.fsdecode(entry.partition(b"\t")[2]) for entry in entries if entry}
    return sorted(found - {*built_among(found)})
