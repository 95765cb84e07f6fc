"""Training runs: one small JSON file each in data/runs, which says what a model was made from.

`lineage/training.py` writes them. They are read from the working tree and, so that nobody's run is overlooked, from the ends
of all other branches. Nothing heavy is loaded: this runs where models are trained.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta as Limits
from msgspec import Struct

from lineage import digests, repository
from lineage.digests import Digest
from stages.contract import paths, shards
from stages.contract.params import stop
from stages.text.visible import visible

FOLDER = "data/runs"
NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,119}"
SHORTEST = 8  # characters of a SHA-256 that name a model


class Model(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What was trained: its name, and where it is, with the digest of its files if they were at hand."""

    name: Annotated[str, Limits(min_length=1)]
    base: Annotated[str | None, Limits(description="the model it was made from")] = None
    uri: str | None = None
    path: Annotated[str | None, Limits(description="where it lies, below the project's folder if it does")] = None
    sha256: Annotated[str | None, Limits(description="of a file; of a folder as lineage/digests.py says")] = None
    files: int | None = None
    bytes: int | None = None


class Dataset(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Which data: the commit, what its dvc.lock names data/curated, and the files that were read.

    `rows` counts the records in each file by source; those of a file that the index does not tell are `unknown`.
    """

    commit: str | None
    md5: Annotated[str | None, Limits(description="of data/curated, as dvc.lock names it")] = None
    release: str | None = None
    files: dict[str, Digest] = {}
    rows: dict[str, dict[str, int]] = {}


class Environment(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What the run ran with; `packages` are those that were loaded when it ended."""

    python: str
    platform: str
    packages: dict[str, str] = {}
    accelerators: list[str] = []


class Run(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One training run. `doubts` says what is not as it should be, such as what `force` let through."""

    run: Annotated[str, Limits(pattern=f"^{NAME}$")]
    model: Model
    dataset: Dataset
    started: str
    ended: str | None = None
    status: Literal["running", "finished", "failed", "linked"] = "running"
    params: dict[str, Any] = {}
    metrics: dict[str, float | None] = {}
    environment: Environment | None = None
    links: Annotated[dict[str, dict[str, str]], Limits(description="the same run elsewhere, such as in MLflow")] = {}
    doubts: list[str] = []


decode = msgspec.json.Decoder(Run).decode


# writing


def path_of(name: str) -> str:
    """The file of a run."""
    return f"{FOLDER}/{name}.json"


def check_free(name: str) -> None:
    """Stop at an id that cannot be one, or is taken: two runs under one id would be one lost."""
    if not re.fullmatch(NAME, name):
        raise stop(f"{visible(name)}: is no id of a run; use letters, digits, '.', '_' and '-'")
    if any(name == each.run for each in every()):
        raise stop(f"{path_of(name)}: there is a run with this id already; choose another")


def claim(run: Run) -> None:
    """Write the record of a new run; a stop if another took the id meanwhile."""
    place = paths.ROOT / path_of(run.run)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with place.open("xb") as file:
            file.write(encoded(run))
    except FileExistsError:
        raise stop(f"{path_of(run.run)}: there is a run with this id already; choose another") from None


def keep(run: Run) -> None:
    """Write the record again."""
    shards.put_bytes(paths.ROOT / path_of(run.run), encoded(run))


def encoded(run: Run) -> bytes:
    """A record as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(run, order="sorted"), indent=2) + b"\n"


# reading


def every() -> list[Run]:
    """All runs by id: those of the working tree, then those that only other branches have."""
    here = {run.run: run for run in of_files()}
    others = (run for run in of_branches() if run.run not in here)
    return [*here.values(), *sorted(others, key=lambda run: run.run)]


def of_files() -> Iterator[Run]:
    """The runs of the working tree."""
    for file in sorted((paths.ROOT / FOLDER).glob("[!.]*.json")):
        yield read(file.read_bytes(), f"{FOLDER}/{file.name}")


def of_branches() -> Iterator[Run]:
    """The runs at the ends of all branches, local and remote; the same file is read once."""
    refs = repository.run("git", "for-each-ref", "--format=%(objectname)", "refs/heads", "refs/remotes").stdout.split()
    asked = b"".join(each + f":./{FOLDER}\n".encode() for each in {*refs})
    found = repository.run("git", "cat-file", "--batch-check=%(objectname) %(objecttype)", given=asked)
    trees = {line.split()[0].decode() for line in found.stdout.splitlines() if line.endswith(b" tree")}
    files = {entry for tree in trees for entry in repository.names("ls-tree", "-z", tree) if entry.endswith(".json")}
    for entry in sorted(files):
        about, _, name = entry.partition("\t")
        yield read(repository.git("cat-file", "blob", about.split()[2]), f"{FOLDER}/{name}")


def read(content: bytes, where: str) -> Run:
    """A record, or a stop that names its file."""
    try:
        run = decode(content)
    except msgspec.MsgspecError as error:
        raise stop(f"{where}: {visible(str(error))}; mend it, or take it back with git") from None
    if path_of(run.run) != where:
        raise stop(f"{where}: says that it is the run {run.run}, so two files may have one id; rename one of them")
    return run


def named(name: str) -> Run:
    """The run with this id, or the only run of the model with this name, address, path or SHA-256."""
    known = every()
    same = [run for run in known if run.run == name]
    found = same or [run for run in known if is_of(run.model, name)] or of_bytes(known, name)
    if len({msgspec.json.encode(run) for run in found}) > 1:
        if same:
            raise stop(f"{name}: two branches have different runs with this id; rename one of them in {FOLDER}")
        raise stop(f"{visible(name)}: {len(found)} runs made it: {listed(found)}; name one of them")
    if not found:
        known_ones = f"known are {listed(known)}" if known else "there are none"
        raise stop(f"{visible(name)}: no run has this id or made this model; {known_ones}; `dataset link` records one")
    return found[0]


def is_of(model: Model, name: str) -> bool:
    """Whether a model is called so."""
    digest = name.removeprefix("sha256:")
    begins = len(digest) >= SHORTEST and (model.sha256 or "").startswith(digest)
    return begins or name.rstrip("/") in (model.name, model.uri, model.path)


def of_bytes(known: list[Run], name: str) -> list[Run]:
    """The runs that made the file or folder of this path, told by its bytes."""
    place = Path(name)
    if not place.exists() or not any(run.model.sha256 for run in known):
        return []
    sha256, *_ = digests.of_artefact(place)
    return [run for run in known if run.model.sha256 == sha256]


def listed(runs: list[Run], most: int = 5) -> str:
    """A few ids."""
    return ", ".join(run.run for run in runs[:most]) + (f" and {len(runs) - most} more" if len(runs) > most else "")
