"""The sample that the project ships, and its project key, which everybody knows."""

from typing import Any

from lineage import version
from stages.contract import params, paths

DIGESTS = {
    "faq": "3d64968a9b7d9cdeb8caf4f60695e1df",
    "preferences": "265ede9a2691b6227140822bc6cbe5f0",
    "seeds": "6be981a442060ba2c7550effd8afd9c6.dir",
    "support": "1d8d3e36fe6e191d770e45ec169ec342.dir",
}
"""The MD5 of each of the sample's sources, as dvc.lock names it."""
NEW_KEY = (
    "put a key of your own into .dataset-key, what `dataset key` prints into project_key of params.yaml, then dvc repro"
)


def with_public_key() -> list[str]:
    """The sources that are not the sample's and are protected by its public key; none if the project has its own."""
    if params.whole().get("project_key") != params.fingerprint(params.SAMPLE_KEY):
        return []
    locked = version.lock()
    return [name for name, source in params.sources().items() if not shipped(name, source.path, locked)]


def shipped(name: str, path: str, locked: dict[str, dict[str, Any]]) -> bool:
    """Whether a source was collected from the sample's own rows, or from what the stage `generate` makes of them."""
    read = {dep["path"]: dep.get("md5") for dep in locked.get(f"collect@{name}", {}).get("deps") or []}
    made = path == paths.OUTPUT["generate"].rpartition("/")[0] and "generate" in locked
    return made or (name in DIGESTS and read.get(path) == DIGESTS[name])
