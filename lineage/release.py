"""Releases: a commit with a manifest of every byte, the pins of its splits, and an annotated tag that GTO reads."""

import re
from collections.abc import Iterator
from datetime import date

import click
from msgspec import Struct

from lineage import copies, manifest, merge, places, project, repository, sample, status, version
from lineage.commands import gate
from lineage.diff import Diff, diff
from lineage.difference import terminal
from lineage.manifest import Manifest
from lineage.version import LOCK, RELEASE
from stages import split
from stages.contract import params, paths, pins, shards
from stages.contract.params import Stop, stop
from stages.contract.run import decided
from stages.reporting.gate import passes

NUMBER = re.compile(r"v?((0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?)")

LONGEST = 200  # lines of the message of a tag


class Refusal(Struct):
    """Why no release can be made now, and the command that mends it."""

    what: str
    do: str


class Refused(Exception):
    """No release can be made now; carries why."""

    def __init__(self, refusals: list[Refusal]) -> None:
        self.refusals = refusals
        super().__init__("; ".join(each.what for each in refusals))


class Release(Struct):
    """A release that was made. `signed` says whether its tag carries a signature, not whether that is good."""

    version: str
    tag: str
    commit: str
    date: str
    signed: bool
    message: str
    counts: dict[str, int] = {}


# which there are


def releases(reached_from: str = "") -> list[Release]:
    """All releases, the highest version first; or those that a commit descends from."""
    reached = [f"--merged={reached_from}"] if reached_from else []
    form = "%(refname:strip=2)%00%(objecttype)%00%(*objectname)%00%(objectname)%00%(creatordate:short)%00%(contents)%01"
    listing = repository.git("for-each-ref", f"--format={form}", *reached, f"refs/tags/{RELEASE}*").decode(
        "utf-8", "replace"
    )
    rows = [row.lstrip("\n").split("\0") for row in listing.split("\x01") if row.strip()]
    found = [told(*row) for row in rows if NUMBER.fullmatch(row[0].removeprefix(RELEASE))]
    return sorted(found, key=lambda each: rank(each.version), reverse=True)


def told(tag: str, kind: str, commit: str, own: str, day: str, content: str) -> Release:
    """A release from what git says of its tag; an annotated tag names its commit, a plain one is the commit."""
    message, mark, _ = content.partition("-----BEGIN ")
    at = commit if kind == "tag" else own
    return Release(tag.removeprefix(RELEASE), tag, at, day, bool(mark), message.strip(), counts(at))


def counts(commit: str) -> dict[str, int]:
    """The counts in a commit's manifest; none if it has no manifest that can be read."""
    try:
        return manifest.read(commit).counts
    except Stop:
        return {}


def rank(number: str) -> tuple[int, int, int, bool, list[tuple[bool, int, str]]]:
    """The place of a version among others, as semver.org orders them: 1.0.0-rc.1 before 1.0.0."""
    if not (found := NUMBER.fullmatch(number)):
        raise stop(f"{version.named(number)}: is no version; write it as MAJOR.MINOR.PATCH, such as 1.2.0")
    before = (found[5] or "").split(".") if found[5] else []
    parts = [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in before]
    return int(found[2]), int(found[3]), int(found[4]), not before, parts


def resolved(revision: str | None) -> Release:
    """The release that a version number or a tag names, or the last one."""
    known = releases()
    if not known:
        raise stop("git: there is no release yet; `dataset release 1.0.0` makes one, `git fetch --tags` brings others'")
    if revision is None:
        return known[0]
    number = revision.removeprefix("refs/tags/").removeprefix("dataset@").removeprefix("v")
    if not (found := next((each for each in known if each.version == number), None)):
        raise stop(f"{version.named(revision)}: is no release; `dataset versions` lists them")
    return found


# making one


def release(number: str, sign: bool = False) -> Release:
    """Pin, describe, commit and tag what is here; nothing is left behind if a step fails."""
    number, previous = checked(number)
    if found := list(refusals()):
        raise Refused(found)
    head = repository.git("rev-parse", "HEAD").decode().strip()
    try:
        pin_splits()
        made = manifest.build(number, previous.tag if previous else None, verdicts())
        shards.put_bytes(paths.ROOT / paths.MANIFEST, manifest.text(made))
        commit(number)
        tag(number, "\n".join([f"dataset {number}", "", *since(previous, made)]), sign)
    except BaseException:
        take_back(head, RELEASE + number)
        raise
    return resolved(number)


def checked(number: str) -> tuple[str, Release | None]:
    """The number without its v, and the release before it; a stop if it is none, or not above that."""
    rank(number)
    number = number.removeprefix("v")
    merge.check_place()
    known = {each.version: each for each in releases()}
    if number in known:
        raise stop(f"{number}: is released already, on {known[number].date}; choose a higher version")
    before = next(iter(releases("HEAD")), None)
    if before and rank(before.version) > rank(number):
        raise stop(f"{number}: is below {before.version}, which this branch has released; choose a higher version")
    return number, before


def refusals() -> Iterator[Refusal]:
    """Everything that stands against a release now, each with what mends it."""
    if not status.output("symbolic-ref", "--quiet", "HEAD"):
        yield Refusal("no branch is checked out, so that the commit would be lost", "git switch -c NAME")
    if changed := status.output("status", "--porcelain", "--untracked-files=normal"):
        yield Refusal(
            f"{len(changed)} files are not committed: {status.short([line[3:] for line in changed])}", "git commit"
        )
    if found := sample.with_public_key():
        yield Refusal(
            f"the sample's public key protects {status.short(found)}, so that names can be guessed back", sample.NEW_KEY
        )
    if found := stale():
        yield Refusal(f"{len(found)} stages are stale: {status.short(found)}", "dvc repro, and commit")
    else:
        yield from unready()


def unready() -> Iterator[Refusal]:
    """What stands against releasing a pipeline that is up to date."""
    held = gate.check()
    if not passes(held, date.today()):
        yield Refusal(f"the gate {gate.summary(held, date.today())}", "dataset gate")
    if found := merge.unsaved():
        yield Refusal(f"changed since DVC saved it: {status.short(found)}", "dvc checkout, or dvc repro")
    if not places.has_remote():
        yield Refusal("there is no remote to have pushed the data to", "dvc remote add -d NAME URL, and dvc push")
    else:
        yield from behind()


def stale() -> list[str]:
    """The stages that would run; sources that are not here do not count, a colleague may not have them."""
    return [stage for stage, reasons in status.changes().items() if not all(map(only_absent, reasons))]


def only_absent(reason: object) -> bool:
    """Whether all that `dvc status` says of a stage is that something it reads is not here."""
    changed = reason.get("changed deps") if isinstance(reason, dict) and len(reason) == 1 else None
    return bool(changed) and all(how == "deleted" for how in (changed or {}).values())


def behind() -> Iterator[Refusal]:
    """What the remote lacks."""
    remote = places.remote()
    try:
        if found := copies.lacking(remote, project.outputs()):
            yield Refusal(f"not in the {remote.name}: {status.short(found)}", copies.PUSH)
    except places.Unreadable as problem:
        yield Refusal(f"the {remote.name} {problem}", "dvc push, once it answers")


def verdicts() -> dict[str, str]:
    """The verdict on each rule of the gate."""
    return {result.name: gate.verdict(result, date.today()) for result in gate.check()}


def pin_splits() -> None:
    """Add what is in the dataset to the pins, and have dvc.lock know it; a stop if that changed an output."""
    place = paths.ROOT / paths.PINS
    known = pins.read(shards.lines(place)) if place.is_file() else {}
    decision, facts = decided(split, params.of_stage("split", split.Params))
    assigned = {row["id"]: row["split"] for row in decision.rows}
    more = pins.of(split.keys_of(facts), assigned)
    if more.keys() <= known.keys():
        return
    before = version.outputs()
    shards.put(place, pins.written(known | more))
    done = repository.dvc("repro", "--single-item", "split")
    if done.returncode:
        raise stop(f"dvc repro split: {repository.said(done)}; mend that, and release again")
    if version.outputs() != before:
        raise stop(
            f"{paths.PINS}: the pins of this release change its own splits; run `dataset verify`, then `dvc repro`"
        )


def commit(number: str) -> None:
    """Commit what a release adds to git; git signs as its user has set it."""
    files = [name for name in (paths.PINS, paths.MANIFEST, LOCK) if (paths.ROOT / name).is_file()]
    repository.git("add", "--force", "--", *files)
    repository.git("commit", "--quiet", "--file=-", "--", *files, given=f"Release dataset {number}\n".encode())


def since(previous: Release | None, made: Manifest) -> Iterator[str]:
    """What changed since the release before, row by row if its bytes can still be read, else from the manifests."""
    try:
        found = list(terminal.lines(named(diff(previous.tag, "HEAD"), made))) if previous else []
    except Stop:
        found = []
    if found:
        yield from (click.unstyle(line) for line in found[:LONGEST])
        if len(found) > LONGEST:
            yield f"and {len(found) - LONGEST} lines more: dataset diff {previous.tag if previous else ''}"
    else:
        yield from manifest.differences(manifest.read(previous.commit) if previous and previous.counts else None, made)


def named(difference: Diff, made: Manifest) -> Diff:
    """The difference with the release's name instead of where it is committed."""
    difference.after = RELEASE + made.version
    return difference


def tag(number: str, message: str, sign: bool) -> None:
    """Make the annotated tag; signed if git's user has set `tag.gpgSign`, or if asked for."""
    how = ["--sign"] if sign else ["--annotate"]
    name = RELEASE + number
    done = repository.run("git", "tag", *how, "--cleanup=whitespace", "--file=-", name, given=message.encode())
    wanted = sign or "true" in status.output("config", "--type=bool", "tag.gpgSign")
    unsigned = wanted and not resolved(number).signed if not done.returncode else False  # git 2.39 only says so
    if done.returncode or unsigned:
        raise stop(f"git tag: {repository.said(done)}; mend that, and release again")


def take_back(head: str, tag: str) -> None:
    """Go back to the commit before, which had nothing uncommitted and not this tag."""
    repository.run("git", "update-ref", "-d", f"refs/tags/{tag}")
    repository.git("reset", "--quiet", "--mixed", head)
    for name in (paths.PINS, paths.MANIFEST, LOCK):
        if (content := repository.content(head, name)) is not None:
            shards.put_bytes(paths.ROOT / name, content)
        else:
            (paths.ROOT / name).unlink(missing_ok=True)
