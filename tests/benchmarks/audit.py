"""`dataset audit` from an example to what holds it: 200 commits, each with a curated set of its own of 1,000,000 rows.

`dvc.lock`, `dvc.yaml`, `params.yaml` and the metrics are this project's with other digests; indexes and lookups are in the
cache. Four of each have bytes of their own, 1 % of the rows apart, and the others are links to them: 200 would take 55 GB.
Nothing is checked out and no record is there to be read. The start of Python and git is included.
"""

import os
import re
import shutil
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

from lineage import digests
from stages.contract.record import encode, key_of_text
from tests.benchmarks import Row, usage
from tests.conftest import REPOSITORY, git
from tests.repositories import an_object

ROUNDS = usage.ROUNDS
VERSIONS, ROWS, OWN = 200, 1_000_000, 4
SPLITS = ("train",) * 8 + ("validation", "test")
COPIED = ("dvc.yaml", "params.yaml", "reports/metrics.json")


def rows(folder: Path) -> Iterator[Row]:
    """CPU seconds, wall seconds and memory of each question."""
    with TemporaryDirectory(dir=folder) as name:
        root = Path(name) / "project"
        held, dropped = repository(root)
        asked = {
            "--example, in all": ("--example", held, VERSIONS),
            "--example, by 8 letters": ("--example", held[:8], VERSIONS),
            "--example, in three quarters": ("--example", dropped, VERSIONS * 3 // 4),
            "--text": ("--text", text_of(int(held, 16)), VERSIONS),
            "--source": ("--source", "support", VERSIONS),
        }
        for what, (option, value, expected) in asked.items():
            yield median(what, root, (option, value), f"{expected} of {VERSIONS} commits", Path(name) / "log")


def median(what: str, root: Path, words: tuple[str, ...], expected: str, log: Path) -> Row:
    """One question, asked several times; an error if the answer is not the expected one."""
    code = "import os, sys; os.chdir(sys.argv.pop(1)); from lineage.commands import main; main()"
    command = [shutil.which("python") or "python", "-c", code, str(root), "audit", *words]
    used = [usage.of_command(command, log, PYTHONPATH=str(REPOSITORY)) for _ in range(ROUNDS)]
    wall, cpu, memory = sorted(used, key=lambda each: each.cpu)[len(used) // 2]
    if expected not in log.read_text():
        raise RuntimeError(f"{what}: {log.read_text()}")
    return what, f"{cpu:.2f} s CPU, {wall:.2f} s, {memory:.0f} MB", "at most 2 s CPU"


def repository(root: Path) -> tuple[str, str]:
    """The repository, with the id of a record that is in all versions and of one that is in three quarters of them."""
    (root / ".dvc").mkdir(parents=True)
    for file in COPIED:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / file, root / file)
    git(root, "init", "-q", "-b", "main")
    (root / ".gitignore").write_text("/.dvc/\n")
    (root / ".dvc/config").write_text("")
    numbers = sorted(int.from_bytes(blake2b(str(n).encode(), digest_size=16).digest()) for n in range(ROWS))
    originals = [made(root, version, numbers) for version in range(OWN)]
    lock = (REPOSITORY / "dvc.lock").read_text()
    for version in range(VERSIONS):
        (root / "dvc.lock").write_text(locked(lock, *linked(root, version, originals[version % OWN])))
        git(root, "add", "-A")
        git(root, "commit", "-qm", f"Version {version}")
    return f"{numbers[ROWS // 2 + 1]:032x}", f"{numbers[ROWS // 200 * 100]:032x}"


def made(root: Path, version: int, numbers: list[int]) -> tuple[Path, Path]:
    """An index and a lookup: all rows but one in a hundred, others in each version."""
    index, lookup = (root / f".dvc/{name}{version}" for name in ("index", "lookup"))
    pairs = []
    with index.open("wb") as file:
        for place, number in enumerate(numbers):
            if place % 100 == 2 * version:
                continue
            file.write(encode(line(number)) + b"\n")
            pairs.append((key_of_text(text_of(number)), f"{number:032x}"))
    with lookup.open("wb") as file:
        file.writelines(encode({"id": identifier, "key": key}) + b"\n" for key, identifier in sorted(pairs))
    return index, lookup


def line(number: int) -> dict[str, str]:
    """A line of an index."""
    own = f"{number:032x}"
    return {"digest": own[::-1], "id": own, "kind": "example", "source": "support", "split": SPLITS[number % 10]}


def text_of(number: int) -> str:
    """What a record's turn says."""
    return f"What comes after {number}?"


def linked(root: Path, version: int, originals: tuple[Path, Path]) -> tuple[str, str]:
    """The MD5 of a version's curated folder and of its lookup, under names of their own in the cache."""
    index, lookup = (digests.md5_of_bytes(f"{version} {kind}".encode()) for kind in ("index", "lookup"))
    for md5, original in zip((index, lookup), originals, strict=True):
        place = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(original, place)
    curated = digests.md5_of_folder({"index.jsonl": index})
    an_object(root, encode([{"md5": index, "relpath": "index.jsonl"}]), curated)
    return curated, lookup


def locked(lock: str, curated: str, lookup: str) -> str:
    """The lock with these digests."""
    lock = re.sub(r"(- path: data/curated\n +hash: md5\n +md5: ).+", rf"\g<1>{curated}", lock)
    if "- path: data/lookup.jsonl\n" in lock:
        return re.sub(r"(- path: data/lookup.jsonl\n +hash: md5\n +md5: ).+", rf"\g<1>{lookup}", lock)
    entry = f"    - path: data/lookup.jsonl\n      hash: md5\n      md5: {lookup}\n"
    return re.sub(r"(\n    outs:\n)(    - path: data/curated\n)", rf"\g<1>{entry}\g<2>", lock)
