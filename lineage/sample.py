"""The sample that the project ships, and its project key, which everybody knows."""

import json
from pathlib import Path
from typing import Any

from lineage import version
from lineage.digests import md5_of, md5_of_folder
from stages.contract import params, paths

FILE = Path(__file__).with_suffix(".json")
"""The MD5 of each of the sample's sources, as dvc.lock names it; written by `make docs`."""
SAMPLE = Path(__file__).parents[1] / "tests/sample"
NEW_KEY = (
    "put a key of your own into .dataset-key, what `dataset key` prints into project_key of params.yaml, then dvc repro"
)


def with_public_key() -> list[str]:
    """The sources that are not the sample's and are protected by its public key; none if the project has its own."""
    if params.whole().get("project_key") != params.fingerprint(params.SAMPLE_KEY):
        return []
    locked, known = version.lock(), json.loads(FILE.read_bytes())
    return [name for name, source in params.sources().items() if not shipped(name, source.path, locked, known)]


def shipped(name: str, path: str, locked: dict[str, dict[str, Any]], known: dict[str, str]) -> bool:
    """Whether a source was collected from the sample's own rows, or from what the stage `generate` makes of them."""
    read = {dep["path"]: dep.get("md5") for dep in locked.get(f"collect@{name}", {}).get("deps") or []}
    made = path == paths.OUTPUT["generate"].rpartition("/")[0] and "generate" in locked
    return made or (name in known and read.get(path) == known[name])


def digests() -> dict[str, str]:
    """The MD5 of the sample's sources, from the copy that the tests own."""
    sources = params.read_yaml(SAMPLE / params.FILE)["sources"]
    return {
        name: digest(SAMPLE / source["path"]) for name, source in sources.items() if (SAMPLE / source["path"]).exists()
    }


def digest(place: Path) -> str:
    """What dvc.lock names a file or folder."""
    if place.is_file():
        return md5_of(place)
    files = {file.relative_to(place).as_posix(): md5_of(file) for file in place.rglob("*") if file.is_file()}
    return md5_of_folder(files)


def text() -> str:
    """The file."""
    return json.dumps(digests(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
