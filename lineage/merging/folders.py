"""Two versions of a `.dvc` file: DVC's own merge driver joins the files that both sides put into a folder."""

from lineage.repository import dvc, said
from stages.contract import paths, shards

SIDES = ("base", "ours", "theirs")


def merged(path: str, versions: tuple[bytes | None, bytes, bytes]) -> tuple[bytes | None, str]:
    """The `.dvc` file of the merged folder, or None and why not; what the cache lacks of the listings is fetched."""
    if versions[0] is None:
        return None, "both sides began to track it, and no common version is known"
    result, problem = driven(versions)
    if result is None and "No such file" in problem:
        fetch(path, versions)
        result, problem = driven(versions)
    if result is None and "No such file" in problem:
        problem = "the cache has not the list of files of every version; `dvc fetch` it, or ask for a `dvc push`"
    return result, problem


def driven(versions: tuple[bytes | None, bytes, bytes]) -> tuple[bytes | None, str]:
    """What DVC's merge driver makes of the three versions, or None and what it says."""
    files = {side: f".merge_file_{side}" for side in SIDES}  # not under .dvc/tmp, which DVC ignores
    try:
        for (_, name), content in zip(files.items(), versions, strict=True):
            (paths.ROOT / name).write_bytes(content or b"")
        words = ("--ancestor", files["base"], "--our", files["ours"], "--their", files["theirs"])
        done = dvc("git-hook", "merge-driver", *words)
        if done.returncode:
            return None, said(done).removeprefix("ERROR: ").partition(" Having any troubles?")[0]
        return (paths.ROOT / files["ours"]).read_bytes(), ""
    finally:
        for name in files.values():
            (paths.ROOT / name).unlink(missing_ok=True)


def fetch(path: str, versions: tuple[bytes | None, bytes, bytes]) -> None:
    """Fetch what each version names: each is put in its place for the time of a `dvc fetch`."""
    place = paths.ROOT / path
    before = place.read_bytes() if place.is_file() else None
    try:
        for content in versions:
            place.write_bytes(content or b"")
            dvc("fetch", path)
    finally:
        if before is None:
            shards.remove(place)
        else:
            place.write_bytes(before)
