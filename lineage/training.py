"""Making the record of a training run: around a training loop, or for a run that is over.

Both refuse a working tree that its commit does not describe and data that the commit does not name, unless told otherwise;
then the record says so. The data are hashed before anything is trained.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from lineage import contents, repository, runs, version
from lineage.composition import rows_here, rows_in
from lineage.contents import Known, Look
from lineage.metadata import environment, fresh, located, metrics_of, now, plain
from lineage.runs import Dataset, Model, Run
from stages.contract import paths
from stages.contract.params import Stop, stop

BESIDE = (paths.INDEX, paths.DROPPED)
"""What lies in data/curated and is no training data."""


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
            place = contents.place_of(name)
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
            known, doubts = self.look(contents.output_of(place, commit), commit)
            self.known |= known
            self.doubt(doubts)
        read = {each: digest for each, digest in self.known.items() if paths.within(each, place) and each not in BESIDE}
        if not read:
            self.doubt(
                [f"{place}: is no file that {contents.at_commit(commit)} names; commit it, or read one of data/curated"]
            )
            read = contents.hashed(place)
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
            record.dataset.rows = rows_here(record.dataset.files)
            record.status, record.ended, record.environment = status, now(), environment()
            runs.keep(record)


def stamp(place: str) -> tuple[int, ...]:
    """What tells a file from its former self without reading it."""
    path = paths.ROOT / place
    found = path.stat() if path.exists() else None
    return (found.st_size, found.st_mtime_ns) if found else ()


def begun(record: Run, force: bool, commit: str | None = None, aside: str = "") -> Training:
    """A run with a free id and the dataset of a commit, as its dvc.lock names it, or of HEAD, as the files here are it."""
    runs.check_free(record.run)
    training = Training(record, contents.locked if commit else contents.here, force)
    if not commit:
        commit = repository.commit("HEAD") or None
        training.doubt(contents.dirt(aside))
    record.dataset.commit = commit
    training.known, doubts = training.look(paths.CURATED, commit)
    training.doubt(doubts)
    record.dataset.md5 = contents.md5_of(paths.CURATED, commit)
    record.dataset.release = contents.release_of(commit)
    return training


# for a run that is over


def link(
    record: Run, artefact: str = "", data: Iterable[str] = (), revision: str | None = None, force: bool = False
) -> Run:
    """Write the record of a run that is over, from its id, model, params, metrics and links.

    Without a revision the files here are hashed and must be those of HEAD; with one, what its dvc.lock names is believed.
    """
    commit = None if revision is None else version.commit_of(revision)
    training = begun(record, force, commit, contents.inside(artefact) if artefact else "")
    for name in data or [paths.CURATED]:
        training.note(contents.place_of(name, commit))
    record.model = located(record.model, artefact) if artefact else record.model
    if commit is None:
        record.dataset.rows = rows_here(record.dataset.files)
    elif index := training.known.get(paths.INDEX):
        objects = {place: version.object_of(digest.md5) for place, digest in record.dataset.files.items()}
        record.dataset.rows = rows_in(objects, version.object_of(index.md5))
    record.status = "linked"
    runs.claim(record)
    return record


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
