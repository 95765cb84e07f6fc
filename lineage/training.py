"""Making the record of a training run: around a training loop, or for a run that is over.

Both refuse a working tree that its commit does not describe and data that the commit does not name, unless told otherwise;
then the record says so. The data are hashed before anything is trained.
"""

import re
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

from lineage import digests, repository, runs, version
from lineage.digests import Digest
from lineage.runs import Dataset, Environment, Model, Run
from stages.contract import paths
from stages.contract.params import Stop, stop
from stages.text.visible import visible

BESIDE = (paths.INDEX, paths.DROPPED)
"""What lies in data/curated and is no training data."""
INDEXED = re.compile(rb'"kind":"(\w+","source":"\w+","split":"\w+)"')
"""The end of a line of the index: keys are sorted, and none of these values is ever escaped."""
BLOCK = 1 << 23  # bytes of the index at once
ADDRESS = re.compile(r"^(\w[\w+.-]*://)[^/@]*@")
"""The part of an address that may hold a password, and what stands before it."""
SECRET = re.compile(r"(?:^|_)(?:api_?key|secret|password|passwd|credentials?|(?:hub|access|auth)_token)(?:$|_)", re.I)

Known = dict[str, Digest]
"""Files of the dataset by their paths."""
Look = Callable[[str, str | None], tuple[Known, list[str]]]
"""From an output and a commit to its files, and what is not as it should be about them."""


class Refused(RuntimeError):
    """A run is not begun, or a file not given out, because the record could not say what it was."""


# around a training loop


@contextmanager
def training_run(
    model: str,
    params: Mapping[str, Any] | None = None,
    run: str | None = None,
    base: str | None = None,
    project: str | Path | None = None,
    force: bool = False,
) -> Iterator["Training"]:
    """Record a training run: `with lineage.training_run(model="tasks-7b", params={…}) as run: path = run.data("train")`.

    `base` is the model that is tuned, `project` the dataset's folder, by default the one this is called in or below. `force`
    lets uncommitted changes and unknown data through, and the record says so. Raises `Refused` before anything is written.
    """
    with refusing(), at(project_folder(project)):
        record = Run(run or fresh(model), Model(model, base), Dataset(None), now(), params=plain(params or {}))
        training = begun(record, force)
        runs.claim(record)
    try:
        yield training
    except BaseException as error:
        training.end("failed", f"the run ended with {type(error).__name__}")
        raise
    training.end("finished")


class Training:
    """A run that is under way. Its methods raise `Refused`."""

    def __init__(self, record: Run, look: Look, force: bool) -> None:
        self.record = record
        self.look = look
        self.force = force
        self.folder = paths.ROOT.resolve()
        self.known: Known = {}
        self.stamps: dict[str, tuple[int, ...]] = {}

    def data(self, name: str = paths.CURATED) -> Path:
        """The path of what is trained on, which is recorded: `train`, `preferences/train`, `alpaca/train`, or a path.

        If this is never called, the record names all of data/curated.
        """
        with refusing(), at(self.folder):
            place = place_of(name)
            self.note(place)
            self.stamps |= {each: stamp(each) for each in self.record.dataset.files}
        return self.folder / place

    def open(self, name: str) -> IO[str]:
        """The same file, opened to read text."""
        return self.data(name).open(encoding="utf-8")

    def log(self, **metrics: Any) -> None:
        """Record metrics; of several values of one, the last."""
        with refusing():
            self.record.metrics |= metrics_of(metrics)

    def artefact(self, place: str | Path) -> None:
        """Record where the model is: a file or folder, which is hashed, or an address."""
        with refusing(), at(self.folder):
            self.record.model = located(self.record.model, place)

    def link(self, name: str, **values: str) -> None:
        """Record what this run is called elsewhere."""
        self.record.links[name] = values

    def note(self, place: str) -> None:
        """Record that a file, or every file of a folder, is read."""
        commit = self.record.dataset.commit
        if not any(paths.within(known, place) for known in self.known):
            known, doubts = self.look(output_of(place, commit), commit)
            self.known |= known
            self.doubt(doubts)
        read = {each: digest for each, digest in self.known.items() if paths.within(each, place) and each not in BESIDE}
        if not read:
            self.doubt([f"{place}: is no file that {at_commit(commit)} names; commit it, or read one of data/curated"])
            read = hashed(place)
        self.record.dataset.files |= read

    def doubt(self, doubts: Iterable[str]) -> None:
        """Stop at what is not as it should be, or note it."""
        for each in doubts:
            if not self.force:
                raise stop(f"{each}, or have it recorded so with force")
            self.record.doubts.append(each)

    def end(self, status: Literal["finished", "failed"], *doubts: str) -> None:
        """Write the record."""
        with refusing(), at(self.folder):
            record = self.record
            if not record.dataset.files:
                self.note(paths.CURATED)
            changed = sorted(place for place, then in self.stamps.items() if stamp(place) != then)
            record.doubts += [*(f"{place}: was written to during the run" for place in changed), *doubts]
            record.dataset.rows = rows_in(record.dataset.files, paths.ROOT / paths.INDEX)
            record.status, record.ended, record.environment = status, now(), environment()
            runs.keep(record)


def begun(record: Run, force: bool, look: Look | None = None, aside: str = "") -> Training:
    """A run with a free id whose dataset is found to be what the commit names."""
    runs.check_free(record.run)
    training = Training(record, look or here, force)
    commit = record.dataset.commit = record.dataset.commit or repository.commit("HEAD") or None
    if look is None:
        training.doubt(dirt(aside))
    training.known, doubts = training.look(paths.CURATED, commit)
    training.doubt(doubts)
    record.dataset.md5 = md5_of(paths.CURATED, commit)
    record.dataset.release = release_of(commit)
    return training


# for a run that is over


def link(
    record: Run, artefact: str = "", data: Iterable[str] = (), revision: str | None = None, force: bool = False
) -> Run:
    """Write the record of a run that is over, from its id, model, params, metrics and links.

    Without a revision the files here are hashed and must be those of HEAD; with one, what its dvc.lock names is believed.
    """
    if revision is not None:
        record.dataset.commit = version.commit_of(revision)
    training = begun(record, force, None if revision is None else locked, inside(artefact) if artefact else "")
    for name in data or [paths.CURATED]:
        training.note(place_of(name, None if revision is None else partial(is_named, revision=record.dataset.commit)))
    record.model = located(record.model, artefact) if artefact else record.model
    index = training.known.get(paths.INDEX)
    if revision is None:
        record.dataset.rows = rows_in(record.dataset.files, paths.ROOT / paths.INDEX)
    elif index:
        objects = {place: version.object_of(digest.md5) for place, digest in record.dataset.files.items()}
        record.dataset.rows = rows_in(objects, version.object_of(index.md5))
    record.status = "linked"
    runs.claim(record)
    return record


# what is read


def here(output: str, commit: str | None) -> tuple[Known, list[str]]:
    """The files of an output as they lie here; a doubt for each that is not what the commit's lock names."""
    found = hashed(output)
    if not found:
        return {}, [f"{output}: is not here; `dvc pull {output}` brings it"]
    expected = listing(output, commit, {place: digest.md5 for place, digest in found.items()})
    if expected is None:
        return found, [
            f"{output}: is not what {at_commit(commit)} names; run `dvc repro` and commit, or `dvc checkout`"
        ]
    changed = [place for place, digest in found.items() if expected.get(place, digest.md5) != digest.md5]
    other = "is not what {} names; `dvc checkout {}` brings that back, or run `dvc repro` and commit"
    doubts = [f"{place}: {other.format(at_commit(commit), output)}" for place in changed]
    return {place: digest for place, digest in found.items() if place in expected}, doubts


def locked(output: str, commit: str | None) -> tuple[Known, list[str]]:
    """The files of an output as the commit's lock names them."""
    expected = listing(output, commit, {})
    if expected is None:
        return {}, [
            f"{output}: {at_commit(commit)} names none, or its list is not in the cache; `dvc fetch --all-commits`"
        ]
    return {place: Digest(md5) for place, md5 in expected.items()}, []


def listing(output: str, commit: str | None, found: dict[str, str]) -> dict[str, str] | None:
    """The MD5 of each file of an output by its path; None if the commit has no such output.

    The list of a folder is in the cache; if it is not, the files that were found are that folder if their MD5 is.
    """
    if not (named := md5_of(output, commit)):
        return None
    if not named.endswith(".dir"):
        return {output: named}
    names = version.within(version.Stored(named))
    if names is not None:
        return {f"{output}/{name}": md5 for name, md5 in names.items()}
    inside_it = {place.removeprefix(f"{output}/"): md5 for place, md5 in found.items()}
    return found if digests.md5_of_folder(inside_it) == named else None


def md5_of(output: str, commit: str | None) -> str | None:
    """What the commit names an output, or a file in git; None if it has neither."""
    if commit is None:
        return None
    try:
        known = version.outputs(commit)
    except Stop:
        known = {}
    if output in known:
        return known[output].md5
    content = version.in_git(output, commit)
    return None if content is None else digests.md5_of_bytes(content)


def output_of(place: str, commit: str | None) -> str:
    """The output that a file is part of; itself if it is part of none."""
    known = version.outputs(commit) if commit else {}
    return next((output for output in known if paths.within(place, output)), place)


def hashed(place: str) -> Known:
    """A file, or every file of a folder but hidden ones, by its path."""
    top = paths.ROOT / place
    files = [top] if top.is_file() else sorted(file for file in top.rglob("[!.]*") if file.is_file())
    return {file.relative_to(paths.ROOT).as_posix(): digests.of_file(file) for file in files}


def place_of(name: str, is_there: Callable[[str], bool] | None = None) -> str:
    """The path of a file or folder that is asked for: a path, or a short name in data/curated or data/exports."""
    there = is_there or (lambda place: (paths.ROOT / place).exists())
    as_path = inside(name)
    short = [f"{folder}/{name}{ending}" for folder in (paths.CURATED, paths.EXPORTS) for ending in (".jsonl", "")]
    if found := next((place for place in (as_path, *short) if place and there(place)), None):
        return found
    if as_path in (paths.CURATED, paths.EXPORTS):
        return as_path
    raise stop(f"{visible(name)}: is no file of the dataset; name one such as train, preferences/train or alpaca/train")


def is_named(place: str, revision: str | None) -> bool:
    """Whether a version's lock names a file or folder."""
    return place in version.outputs(revision) or version.md5_of(paths.ROOT / place, revision) is not None


def inside(name: str | Path) -> str:
    """A path as it is named below the project's folder; nothing if it is outside."""
    path, root = (paths.ROOT / name).resolve(), paths.ROOT.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else ""


def stamp(place: str) -> tuple[int, ...]:
    """What tells a file from its former self without reading it."""
    path = paths.ROOT / place
    found = path.stat() if path.exists() else None
    return (found.st_size, found.st_mtime_ns) if found else ()


def dirt(aside: str) -> list[str]:
    """What is not committed in the project's folder, but for the records of runs and the model itself."""
    done = repository.run("git", "status", "--porcelain", "--no-renames", "-z", "--untracked-files=all", "--", ".")
    if done.returncode:
        return [f"git: {repository.said(done)}; run this in the dataset's repository"]
    prefix = repository.git("rev-parse", "--show-prefix").decode().strip()
    changed = [entry[3:].decode("utf-8", "replace").removeprefix(prefix) for entry in done.stdout.split(b"\0") if entry]
    passed = (runs.FOLDER, *filter(None, [aside]))
    left = sorted(place for place in changed if not any(paths.within(place, folder) for folder in passed))
    if not left:
        return [] if repository.commit("HEAD") else ["git: there is no commit that could name the data; commit it"]
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    return [f"git: not committed: {visible(', '.join(left[:3]))}{more}; commit it, or name it in .gitignore"]


def at_commit(commit: str | None) -> str:
    """A commit as messages name its lock."""
    return f"the dvc.lock of {commit[:7]}" if commit else "any dvc.lock"


def release_of(commit: str | None) -> str | None:
    """The release that a commit is, if it is one."""
    found = repository.run("git", "tag", "--points-at", commit, "--list", f"{version.RELEASE}*") if commit else None
    return next(iter(found.stdout.decode().split()), None) if found else None


def rows_in(files: Mapping[str, Digest | Path], index: Path) -> dict[str, dict[str, int]]:
    """The records in each file of data/curated or data/exports by source, as the index tells; of an object, by its path."""
    counted = indexed(index) if index.is_file() else Counter()
    at = {place: found if isinstance(found, Path) else paths.ROOT / place for place, found in files.items()}
    found = {place: by_source(counted, place, path) for place, path in at.items()}
    return {place: dict(sorted(sources.items())) for place, sources in found.items() if sources}


def by_source(counted: Counter[tuple[str, str, str]], place: str, path: Path) -> dict[str, int]:
    """The records of one file by source; of an export that left some out, only how many there are."""
    folder, _, name = place.rpartition("/")
    kind = next((kind for kind, at in paths.PLACES.items() if at == folder), "example")
    if folder not in paths.PLACES.values() and not paths.within(folder, paths.EXPORTS):
        return {}
    split = name.removesuffix(".jsonl")
    found = {
        source: rows for (of_kind, source, of_split), rows in counted.items() if (of_kind, of_split) == (kind, split)
    }
    if paths.within(folder, paths.EXPORTS) and path.is_file():
        held = lines_in(path)
        return found if held == sum(found.values()) else {"unknown": held}
    return found


def lines_in(path: Path) -> int:
    """How many lines a file has."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(partial(file.read, BLOCK), b""))


def indexed(index: Path) -> Counter[tuple[str, str, str]]:
    """How many records of each kind, source and split there are; a million lines take half a second."""
    found: Counter[bytes] = Counter()
    rest = b""
    with index.open("rb") as file:
        while block := file.read(BLOCK):
            whole, _, rest = (rest + block).rpartition(b"\n")
            found.update(INDEXED.findall(whole))
    found.update(INDEXED.findall(rest))
    return Counter({tuple(key.decode().split('"')[::4]): rows for key, rows in found.items()})  # type: ignore[misc]


# what is said of it


def fresh(model: str) -> str:
    """An id for a run: the model's name, the day and a few letters."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-._")[:60]
    return f"{name or 'run'}-{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(3)}"


def now() -> str:
    """The time, in UTC."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def located(model: Model, place: str | Path) -> Model:
    """The model with the place of its files: an address as it is, without a password or a query; a file or folder hashed."""
    if "://" in str(place):
        model.uri = ADDRESS.sub(r"\1", str(place)).partition("?")[0]
        return model
    path = paths.ROOT / place
    if not path.exists():
        raise stop(f"{visible(str(place))}: is not there; give the model's file, folder or address")
    model.sha256, model.files, model.bytes = digests.of_artefact(path)
    model.path = inside(place) or path.name
    if not model.files:
        raise stop(f"{visible(str(place))}: holds no files; give the model's file, folder or address")
    return model


def plain(value: Any, key: str = "") -> Any:
    """A value as JSON holds it; a secret, told by its key, is left out."""
    if isinstance(value, Mapping):
        return {str(name): plain(each, str(name)) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each, key) for each in value]
    if isinstance(value, str) and value and SECRET.search(key):
        return "<left out>"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return plain(value.item(), key) if callable(getattr(value, "item", None)) else str(value)


def metrics_of(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Metrics as numbers; a stop at one that is none."""
    try:
        return {str(name): None if value is None else float(value) for name, value in metrics.items()}
    except (TypeError, ValueError) as error:
        raise stop(f"metrics: {error}; give numbers") from None


def environment() -> Environment:
    """Python, the platform, the packages that are loaded and, if torch is, the accelerators it sees."""
    import platform
    from importlib.metadata import packages_distributions
    from importlib.metadata import version as version_of

    loaded = {name.partition(".")[0] for name in sys.modules}
    names = {each for top, several in packages_distributions().items() if top in loaded for each in several}
    torch = sys.modules.get("torch")
    cuda: Any = torch.cuda if torch and torch.cuda.is_available() else None
    return Environment(
        platform.python_version(),
        platform.platform(),
        {name: version_of(name) for name in sorted(names)},
        [str(cuda.get_device_name(number)) for number in range(cuda.device_count())] if cuda else [],
    )


# where it is called from


@contextmanager
def refusing() -> Iterator[None]:
    """Raise what would end the `dataset` command as an error: a training script must not end without a word."""
    try:
        yield
    except Stop as mistake:
        raise Refused(str(mistake)) from None


@contextmanager
def at(folder: Path) -> Iterator[None]:
    """Work in a project's folder, wherever the process is."""
    before = paths.ROOT
    paths.ROOT = folder
    try:
        yield
    finally:
        paths.ROOT = before


def project_folder(given: str | Path | None) -> Path:
    """The folder of a dataset: the given one, or that which this is called in or below."""
    start = Path(given).resolve() if given is not None else paths.ROOT.resolve()
    above = [start] if given is not None else [start, *start.parents]
    if found := next((folder for folder in above if (folder / "dvc.yaml").is_file()), None):
        return found
    raise stop(f"{start}: is no dataset, nor below one; pass project, the folder with dvc.yaml")
