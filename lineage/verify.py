"""Whether bytes are those that a version's dvc.lock names: every object is read and hashed again, wherever it lies."""

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from lineage.copies import Copy, digest_of, entries, is_folder, join, known_listing, laid, read_all
from lineage.damage import Damage, damaged, how
from lineage.places import Place, Unreadable, blocks, stores, tree, where
from lineage.project import Output, deps, index, inputs, outputs, overlap
from stages.contract import paths

SETTINGS = "settings"
"""The place of a check that compares dvc.lock with itself and with the settings beside it."""
SIGNATURE = "signature"
"""The place of a check of the tag of a release."""

Verdict = Literal["verified", "failed", "not checkable"]
Sums = dict[str, str | None]
"""The SHA-256 of files by their paths; None of a file that was not at hand when a release was made."""


class Check(Struct):
    """What came of hashing one output again at one place."""

    path: str
    place: str
    verdict: Verdict
    reason: str = ""
    damage: list[Damage] = []


# a whole version


def verify(commit: str | None = None, remote_name: str | None = None) -> list[Check]:
    """Every output of a commit, or of the working tree, hashed again in the cache, a remote and the files themselves."""
    kept, files = stores(remote_name), tree(commit)
    places = [*kept, files]
    found = []
    for output in outputs(commit):
        looked_at = (kept if output.cached else []) + ([files] if not (commit and output.cached) else [])
        found += [check(output, place, places) for place in looked_at]
    found += [check(given, files, places) for given in inputs(commit)]
    return found + list(lock_checks(commit, places))


def nowhere(checks: list[Check]) -> list[str]:
    """What was found intact in no place at all."""
    intact = {check.path for check in checks if check.verdict == "verified"}
    return sorted({check.path for check in checks if check.place not in (SETTINGS, SIGNATURE)} - intact)


def finding(checks: list[Check], remote_name: str | None = None) -> bool:
    """Whether something is damaged, intact nowhere, or not in the remote that was asked for by name."""
    asked = f"remote {remote_name}"
    absent = any(check.place == asked and check.verdict != "verified" for check in checks)
    return absent or bool(nowhere(checks)) or any(check.verdict == "failed" for check in checks)


# hashing again


def check(output: Output, place: Place, others: Iterable[Place] = (), sums: Sums | None = None) -> Check:
    """Hash one output again at one place; `others` are asked for intact copies, to tell what a damaged one lost.

    `sums` are the SHA-256 of a release's files by their paths; they are held against the same bytes.
    """
    result = Check(output.path, place.name, "not checkable")
    if not output.digest:
        result.reason = "dvc.lock names no bytes of it; run `dvc repro`"
        return result
    others = [other for other in others if other is not place]
    try:
        result.damage, missing = (in_store if place.is_store else in_tree)(output, place, others, sums or {})
    except Unreadable as problem:
        result.reason = str(problem)
        return result
    if result.damage:
        result.verdict = "failed"
    elif not missing:
        result.verdict = "verified"
    result.reason = missing
    return result


def in_store(output: Output, place: Place, others: list[Place], sums: Sums) -> tuple[list[Damage], str]:
    """What is damaged of an output whose bytes lie under their own MD5, and what is not there."""
    listing, damage = {"": output.digest}, []
    if is_folder(output):
        content = b"".join(blocks(place, output.digest))
        intact = entries(content, output.digest)
        if intact is None:
            damage.append(Damage(output.path, f"its listing {how(len(content), None)}", where(place, output.digest)))
        listing = intact or known_listing(output, others) or {}
    copies = dict(zip(listing, read_all(place, listing.values()), strict=True))
    missing = {name: copy.problem for name, copy in copies.items() if copy.problem}
    for name, expected in listing.items():
        if name not in missing and copies[name].digest != expected:
            damage.append(damaged(output, name, listing, copies[name], place, others))
    if not damage and not missing:
        damage = wrong_size(output, copies) + wrong_sums(output, copies, sums)
    return damage, some_absent(missing, len(listing))


def in_tree(output: Output, place: Place, others: list[Place], sums: Sums) -> tuple[list[Damage], str]:
    """What is damaged of an output whose files lie under their own names."""
    copies = laid(output, place)
    if unread := {name: copy.problem for name, copy in copies.items() if copy.problem}:
        return [], some_absent(unread, len(copies))
    found = {name: copy.digest for name, copy in copies.items()}
    if digest_of(found) == output.digest:
        return wrong_size(output, copies) + wrong_sums(output, copies, sums), ""
    listing = known_listing(output, others)
    if not listing or ("" in listing) != ("" in found):
        return [Damage(output.path, "has other bytes; no intact listing tells which of its files")], ""
    damage = [Damage(join(output.path, name), "is not there") for name in sorted({*listing} - {*found})]
    damage += [Damage(join(output.path, name), "is none of its files") for name in sorted({*found} - {*listing})]
    for name in sorted({*listing} & {*found}):
        if found[name] != listing[name]:
            damage.append(damaged(output, name, listing, copies[name], place, others))
    return damage, ""


def some_absent(problems: dict[str, str], of: int) -> str:
    """What could not be read, in words."""
    name, problem = next(iter(problems.items()), ("", ""))
    return f"{len(problems)} of {of} files, such as {name}: {problem}" if name else problem


def wrong_size(output: Output, copies: dict[str, Copy]) -> list[Damage]:
    """A size in dvc.lock that is not that of the bytes it names: only an editor writes that."""
    held = sum(copy.size for copy in copies.values())
    wrong = output.size not in (None, held)
    return [Damage(output.path, f"dvc.lock is edited: it says {output.size} bytes, these are {held}")] if wrong else []


def wrong_sums(output: Output, copies: dict[str, Copy], sums: Sums) -> list[Damage]:
    """Files that have the MD5 that dvc.lock names and not the SHA-256 that a release names."""
    found = {join(output.path, name): copy.sha256 for name, copy in copies.items()}
    reason = "has not the SHA-256 of the release"
    return [Damage(path, reason) for path, digest in found.items() if sums.get(path) not in (None, digest)]


# dvc.lock itself


def lock_checks(commit: str | None, places: list[Place]) -> Iterator[Check]:
    """Whether dvc.lock contradicts itself or the settings beside it, as one that is edited by hand does."""
    written = outputs(commit)
    for dep in deps(commit):
        told = composed(dep, [out for out in written if overlap(out.path, dep.path)], places) if dep.digest else None
        if told and told != dep.digest:
            reason = f"is edited: {dep.stage} read other bytes of {dep.path} than were written"
            yield Check("dvc.lock", SETTINGS, "failed", reason)
    for stage in index(commit).stages:
        changed = [key for dep in stage.deps if hasattr(dep, "params") for key in dict(dep.status()).get(str(dep), {})]
        if changed or getattr(stage, "cmd_changed", False):
            what = ", ".join(changed) or "the command"
            reason = f"{stage.name} ran with other settings than are here: {what}; `dvc repro`, or it is edited"
            yield Check("dvc.lock", SETTINGS, "failed", reason)


def composed(dep: Output, written: list[Output], places: list[Place]) -> str | None:
    """The MD5 of what a stage read, told from the outputs it is made of; None if that cannot be told."""
    if not written:
        return None
    if same := next((out for out in written if out.path == dep.path), None):
        return same.digest
    if not all(paths.within(out.path, dep.path) for out in written):
        return None
    files: dict[str, str] = {}
    for out in written:
        listing = known_listing(out, places)
        if not listing:
            return None
        below = out.path.removeprefix(f"{dep.path}/")
        files |= {join(below, name): digest for name, digest in listing.items()}
    return digest_of(files)
