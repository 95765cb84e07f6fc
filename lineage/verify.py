"""Whether bytes are those that a version's dvc.lock names: every object is read and hashed again, wherever it lies.

DVC remembers what it once hashed by time, size and inode, and believes a remote; nothing of that is believed here.
A `Place` is where copies lie: the cache, a remote, the workspace or the commit itself.
"""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache as remembered
from functools import partial
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from lineage import digests
from stages.contract import paths
from stages.contract.params import stop
from stages.contract.record import decode

SETTINGS = "settings"
"""The place of a check that compares dvc.lock with itself and with the settings beside it."""
SIGNATURE = "signature"
"""The place of a check of the tag of a release."""
PUSH = "dvc push; where that says it did, dataset verify --mend"
"""DVC does not push again what it remembers to have pushed, also if it is gone."""
READERS = 8  # objects read at once: a remote answers slowly, and hashing lets go of the interpreter
BLOCK = 1 << 20  # bytes

Verdict = Literal["verified", "failed", "not checkable"]


class Output(Struct, frozen=True):
    """A file or folder that dvc.lock or a `.dvc` file names: an output, or an `input` that no stage writes."""

    path: str
    digest: str
    """MD5 of its bytes; of a folder, of its listing, and then it ends in `.dir`. Nothing if it was never run."""
    size: int | None = None
    stage: str = ""
    cached: bool = True


class Damage(Struct):
    """A file that is not what it should be, and the rows that differ where they can be known: ids or line numbers."""

    path: str
    reason: str
    object: str = ""
    """Where the damaged bytes lie in a cache or a remote."""
    rows: list[str] = []
    row_count: int | None = None
    """How many rows differ; None if that cannot be known."""


class Check(Struct):
    """What came of hashing one output again at one place."""

    path: str
    place: str
    verdict: Verdict
    reason: str = ""
    damage: list[Damage] = []


class Copy(Struct):
    """What was read of one file at one place."""

    digest: str = ""
    size: int = 0
    problem: str = ""
    sha256: str = ""


class Unreadable(Exception):
    """An object cannot be read: it is not there, or its place does not answer."""


Sums = dict[str, str | None]
"""The SHA-256 of files by their paths; None of a file that was not at hand when a release was made."""


class Place(Struct):
    """Where copies of outputs lie: a store of objects, named by their MD5, or a tree of files, named by their paths."""

    name: str
    fs: Any
    root: Any
    """Of a store: DVC's object that knows where an MD5 lies; of a tree: DVC's repository."""
    is_store: bool
    down: str = ""
    """Why this place does not answer, once it did not: the rest is not tried."""


# places


@remembered
def opened(root: Path, commit: str | None, _: tuple[int, ...]) -> Any:
    """DVC's repository; that of the working tree is opened again when a file that it has read is written."""
    from dvc.repo import Repo  # takes 0.3 s

    if commit is None:
        return Repo(str(root))
    # credentials in config.local are those of remotes that an old commit may not name: today's remotes are meant anyway
    remotes = opened(root, None, written_at()).config["remote"]
    return Repo(str(root), rev=commit, config={"remote": dict(remotes)})


def repo(commit: str | None = None) -> Any:
    """DVC's own view of the project, as it lies here or as a commit has it."""
    from dvc.exceptions import DvcException, NotDvcRepoError

    try:
        return opened(paths.ROOT.resolve(), commit, () if commit else written_at())
    except NotDvcRepoError:
        raise stop(f"{commit or 'dvc'}: has no DVC project; name a commit after the pipeline was set up") from None
    except DvcException as error:
        raise stop(f"dvc: {one_line(error)}; mend that first") from None


def written_at() -> tuple[int, ...]:
    """When the files were written that DVC reads once, in nanoseconds; 0 for what is not there."""
    files = ("dvc.yaml", "dvc.lock", "params.yaml", ".dvc/config", ".dvc/config.local")
    places = [paths.ROOT / name for name in files]
    return tuple(place.stat().st_mtime_ns if place.is_file() else 0 for place in places)


def cache() -> Place:
    """The cache of this clone."""
    found = repo().cache.local
    return Place("cache", found.fs, found, is_store=True)


def remote(name: str | None = None) -> Place:
    """A remote: the default one, or the one of this name."""
    from dvc.exceptions import DvcException

    try:
        found = repo().cloud.get_remote_odb(name=name)
    except DvcException as error:
        raise stop(f"remote: {one_line(error)}; `dvc remote list` shows those there are") from None
    return Place(f"remote {name or repo().config['core']['remote']}", found.fs, found, is_store=True)


def workspace() -> Place:
    """The files as they lie here."""
    return Place("workspace", repo().fs, repo(), is_store=False)


def committed(commit: str) -> Place:
    """The files that a commit has, for what is in git."""
    return Place("git", repo(commit).fs, repo(commit), is_store=False)


def where(place: Place, name: str) -> str:
    """Where an object of a store, or a file of a tree, lies."""
    if place.is_store:
        return str(place.root.oid_to_path(name))
    return str(place.fs.join(place.root.root_dir, *Path(name).parts))


def blocks(place: Place, name: str) -> Iterator[bytes]:
    """The bytes of an object or a file, read past all that DVC remembers of it."""
    if place.down:
        raise Unreadable(place.down)
    try:
        with place.fs.open(where(place, name), "rb") as file:
            yield from iter(partial(file.read, BLOCK), b"")
    except FileNotFoundError:
        raise Unreadable(f"is not in the {place.name}") from None
    except refusals() as error:
        reason = f"cannot be read: {one_line(error)}"
        place.down = reason if place.fs.protocol != "local" else ""
        raise Unreadable(reason) from None


def absent(place: Place, digests: Iterable[str]) -> set[str]:
    """Those of the objects that a store does not have, by asking it; DVC itself trusts what it remembers of a remote."""
    wanted = set(digests)
    try:
        return wanted - set(place.root.oids_exist(sorted(wanted)))
    except refusals() as error:
        raise Unreadable(f"cannot be read: {one_line(error)}") from None


def refusals() -> tuple[type[Exception], ...]:
    """What the libraries of the remotes in use raise when a server does not answer or refuses."""
    from dvc.exceptions import DvcException
    from dvc_objects.errors import ObjectDBError

    kinds = (("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError"), ("asyncssh", "Error"))
    used = [getattr(sys.modules[module], kind) for module, kind in kinds if module in sys.modules]
    return (
        OSError,
        EOFError,
        DvcException,
        ObjectDBError,
        *used,
    )  # EOFError: a password is asked for, and nobody is there


def one_line(error: BaseException) -> str:
    """An error's own words, on one line."""
    unanswered = "it asks for a password" if isinstance(error, EOFError) else type(error).__name__
    return " ".join(str(error).split()) or unanswered


# what a version names


def outputs(commit: str | None = None) -> list[Output]:
    """What a version's stages and `.dvc` files write; entries of dvc.lock that no stage owns any more are left out."""
    return sorted((named(out) for out in index(commit).outs), key=lambda out: out.path)


def inputs(commit: str | None = None) -> list[Output]:
    """What a version's stages read and neither a stage nor a `.dvc` file writes: sources in git, and code."""
    written = [out.path for out in outputs(commit)]
    found = {dep.path: dep for dep in deps(commit)}
    return [found[path] for path in sorted(found) if not any(overlap(path, other) for other in written)]


def deps(commit: str | None) -> list[Output]:
    """All files and folders that stages read, each once for every stage."""
    found = [named(dep) for dep in index(commit).deps if not hasattr(dep, "params")]
    return sorted((dep for dep in found if dep.path), key=lambda dep: (dep.path, dep.stage))


def overlap(path: str, other: str) -> bool:
    """Whether one path is the other or lies in it."""
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")


def index(commit: str | None) -> Any:
    """DVC's reading of dvc.yaml, params.yaml and dvc.lock."""
    from dvc.exceptions import DvcException

    try:
        return repo(commit).index
    except DvcException as error:
        raise stop(f"{commit or 'dvc.yaml'}: {one_line(error)}; `dataset check` says more") from None


def named(out: Any) -> Output:
    """DVC's output or dependency as one of ours; what DVC 2 hashed in its own way counts as never hashed."""
    digest = out.hash_info.value if out.hash_info and out.hash_info.name == "md5" else ""
    path = Path(out.fs_path).relative_to(out.repo.root_dir).as_posix() if out.is_in_repo else ""
    return Output(path, digest or "", out.meta.size, getattr(out.stage, "name", None) or "", out.use_cache)


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


def is_folder(output: Output) -> bool:
    """Whether an output is a folder, whose MD5 is that of its listing."""
    return output.digest.endswith(".dir")


def entries(content: bytes, digest: str) -> dict[str, str] | None:
    """The MD5 of each file in a folder by its name, from the folder's listing; None if that is not intact."""
    if digests.md5_of_bytes(content) != digest.removesuffix(".dir"):
        return None
    try:
        return {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(content)}
    except (ValueError, TypeError, KeyError):
        return None  # dvc.lock names as a folder what is none


def digest_of(found: dict[str, str]) -> str:
    """What dvc.lock would name these files, given the MD5 of each."""
    return found[""] if "" in found else digests.md5_of_folder(found)


def known_listing(output: Output, places: list[Place]) -> dict[str, str] | None:
    """The listing of an output from the first place that has it intact; that of a single file is known."""
    if not is_folder(output):
        return {"": output.digest}
    for place in places:
        try:
            if not place.is_store:
                listing = {name: copy.digest for name, copy in laid(output, place).items()}
                if digest_of(listing) == output.digest:
                    return listing
            elif intact := entries(b"".join(blocks(place, output.digest)), output.digest):
                return intact
        except Unreadable:
            continue
    return None


def laid(output: Output, place: Place) -> dict[str, Copy]:
    """What lies in a tree at the output's path, hashed; a single file has no name below its path."""
    at = where(place, output.path)
    if not place.fs.exists(at):
        raise Unreadable(f"is not in {'git' if place.name == 'git' else 'the workspace'}")
    if not place.fs.isdir(at):
        return {"": read_all(place, [output.path])[0]}
    found = sorted(place.fs.relpath(each, at).replace("\\", "/") for each in place.root.dvcignore.find(place.fs, at))
    return dict(zip(found, read_all(place, [join(output.path, name) for name in found]), strict=True))


def join(folder: str, name: str) -> str:
    """A path in a folder; the folder itself if the name is empty."""
    return f"{folder}/{name}" if name else folder


def read_all(place: Place, names: Iterable[str]) -> list[Copy]:
    """What these objects or files hold, several read at once."""
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(partial(copy_of, place), names))


def copy_of(place: Place, name: str) -> Copy:
    """What one object or file holds; DVC names bytes by their MD5, a manifest of ours by their SHA-256."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    try:
        for block in blocks(place, name):
            md5.update(block)
            sha256.update(block)
            size += len(block)
    except Unreadable as problem:
        return Copy(problem=str(problem))
    return Copy(md5.hexdigest(), size, sha256=sha256.hexdigest())


def md5_of(file: Path) -> str:
    """The MD5 of a file of this machine."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


# what a damaged file lost


def damaged(
    output: Output, name: str, listing: dict[str, str], found: Copy, place: Place, others: list[Place]
) -> Damage:
    """What is wrong with one file that has other bytes than it should."""
    here = listing[name] if place.is_store else join(output.path, name)
    result = Damage(join(output.path, name), "", where(place, here) if place.is_store else "")
    intact = intact_copy(output, name, listing[name], others)
    result.reason = how(found.size, intact and size_of(*intact))
    if other := next((each for each, digest in listing.items() if digest == found.digest), None):
        result.reason = f"holds the bytes of {other}"
    if name.endswith(".jsonl") or output.path.endswith(".jsonl"):
        held = Counter(map(of_line, lines(blocks(place, here))))
        expected = of_index(output, name, listing, [place, *others])
        if expected is None and intact:
            expected = ((named_row(line, number), of_line(line)) for number, line in numbered(blocks(*intact)))
        if expected is not None:
            differ(result, held, list(expected))
    return result


def how(found: int, intact: int | None) -> str:
    """How a file is damaged, from the bytes it has and should have."""
    if intact is not None and found < intact:
        return f"is cut short, or other bytes: {found} of {intact}"
    return "has other bytes" if found else "is empty"


def differ(result: Damage, held: Counter[bytes], expected: list[tuple[str, bytes]]) -> None:
    """Name the rows that a damaged file lost or changed; those it gained are counted."""
    lost = []
    for name, digest in expected:
        if held[digest]:
            held[digest] -= 1
        else:
            lost.append(name)
    gained = held.total()
    result.row_count = max(len(lost), gained)
    result.rows = lost
    if gained > len(lost):
        more = gained - len(lost)
        result.reason += f", {more} row{'s' * (more != 1)} more than it should have"


def of_index(
    output: Output, name: str, listing: dict[str, str], places: list[Place]
) -> Iterator[tuple[str, bytes]] | None:
    """The ids and digests of a curated file's rows, as the index beside it has them; None if it is not intact."""
    *above, split = name.removesuffix(".jsonl").split("/")
    kinds = {(): "example", ("preferences",): "preference", ("labelled",): "labelled"}
    kind = kinds.get(tuple(above))
    if output.path != paths.CURATED or split not in paths.SPLITS or not kind or "index.jsonl" not in listing:
        return None
    intact = intact_copy(output, "index.jsonl", listing["index.jsonl"], places)
    rows = (decode(line) for line in lines(blocks(*intact))) if intact else None
    return rows and (
        (row["id"], bytes.fromhex(row["digest"])) for row in rows if (row["kind"], row["split"]) == (kind, split)
    )


def intact_copy(output: Output, name: str, digest: str, places: list[Place]) -> tuple[Place, str] | None:
    """The first place that has a file as it should be, and its name there."""
    for place in places:
        here = digest if place.is_store else join(output.path, name)
        if copy_of(place, here).digest == digest.removesuffix(".dir"):
            return place, here
    return None


def size_of(place: Place, name: str) -> int:
    """How many bytes an object or a file has."""
    return copy_of(place, name).size


def lines(read: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of what is read block by block, without their ends."""
    rest = b""
    for block in read:
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest


def numbered(read: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers, from 1."""
    return enumerate(lines(read), 1)


def of_line(line: bytes) -> bytes:
    """The digest of a row, as the index of data/curated has it."""
    return hashlib.blake2b(line, digest_size=16).digest()


def named_row(line: bytes, number: int) -> str:
    """The id that a row has, or else its number."""
    row = decode(line)
    return str(row["id"]) if isinstance(row, dict) and "id" in row else f"line {number}"


# a whole version


def verify(commit: str | None = None, remote_name: str | None = None) -> list[Check]:
    """Every output of a commit, or of the working tree, hashed again in the cache, a remote and the files themselves."""
    stores, tree = places_of(commit, remote_name)
    places = [*stores, tree]
    found = []
    for output in outputs(commit):
        looked_at = (stores if output.cached else []) + ([tree] if not (commit and output.cached) else [])
        found += [check(output, place, places) for place in looked_at]
    found += [check(given, tree, places) for given in inputs(commit)]
    return found + list(lock_checks(commit, places))


def places_of(commit: str | None, remote_name: str | None) -> tuple[list[Place], Place]:
    """The stores that there are, and the files of a commit or of the working tree."""
    stores = [cache(), *([remote(remote_name)] if has_remote(remote_name) else [])]
    return stores, committed(commit) if commit else workspace()


def has_remote(name: str | None) -> bool:
    """Whether a remote is named, or there is a default one."""
    return bool(name or repo().config["core"].get("remote"))


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
    if not all(out.path.startswith(f"{dep.path}/") for out in written):
        return None
    files: dict[str, str] = {}
    for out in written:
        listing = known_listing(out, places)
        if not listing:
            return None
        below = out.path.removeprefix(f"{dep.path}/")
        files |= {join(below, name): digest for name, digest in listing.items()}
    return digest_of(files)


# what to make of it


def nowhere(checks: list[Check]) -> list[str]:
    """What was found intact in no place at all."""
    intact = {check.path for check in checks if check.verdict == "verified"}
    return sorted({check.path for check in checks if check.place not in (SETTINGS, SIGNATURE)} - intact)


def finding(checks: list[Check], remote_name: str | None = None) -> bool:
    """Whether something is damaged, intact nowhere, or not in the remote that was asked for by name."""
    asked = f"remote {remote_name}"
    absent = any(check.place == asked and check.verdict != "verified" for check in checks)
    return absent or bool(nowhere(checks)) or any(check.verdict == "failed" for check in checks)


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
