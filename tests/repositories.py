"""Small repositories with a history, made without DVC: commits whose dvc.lock names objects that lie in the cache.

A test in test_audit.py asks the real DVC whether it takes them for its own.
"""

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from lineage import digests
from stages.contract.record import Record, encode, keys
from stages.formats import openai
from tests.conftest import git, record

REPORTS: list[Any] = [{f"reports/{name}.json": {"cache": False}} for name in ("gate", "metrics")]
CACHED = ["data/curated", "data/lookup.jsonl"]
PARAMS = {"seed": 42, "project_key": "80a8a84fd815b71e", "collect": {"redact": ["email"]}}


def project(root: Path) -> Path:
    """An empty repository with DVC's folder."""
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (root / ".gitignore").write_text("/data/*\n!/data/runs/\n!/data/sources/\n")
    (root / ".dvc/.gitignore").write_text("/cache\n/tmp\n/config.local\n")
    git(root, "init", "-q", "-b", "main")
    return root


def commit(root: Path, pairs: list[tuple[Record, str]], message: str = "A version", **sources: str) -> str:
    """Commit a version whose curated records are these, each with its split; `sources` by licence. The commit's id."""
    files = curated(pairs)
    licences = sources or {each.source: each.meta.licence for each, _ in pairs}
    write(root / "data/curated", files)
    lookup = b"".join(sorted_lookup(pairs))
    (root / "data/lookup.jsonl").write_bytes(lookup)
    reports(root, pairs, licences)
    sources = {name: f"data/sources/{name}.jsonl" for name in sorted(licences)}
    write(root / "data/sources", {Path(path).name: encode({"of": name}) for name, path in sources.items()})
    outs = {
        "export": [("data/curated", folder_object(root, files)), ("data/lookup.jsonl", an_object(root, lookup))],
        "report": [(path, md5(path, root)) for path in ("reports/gate.json", "reports/metrics.json")],
    }
    deps = [(path, md5(path, root)) for path in sources.values()]
    (root / "dvc.lock").write_text(lock(outs, deps))
    (root / "dvc.yaml").write_text(yaml.safe_dump(pipeline(list(sources.values())), sort_keys=False))
    given = PARAMS | {"sources": {name: {"path": path, "licence": licences[name]} for name, path in sources.items()}}
    (root / "params.yaml").write_text(yaml.safe_dump(given, sort_keys=False))
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD").strip()


def example(number: int, source: str = "log", **meta: Any) -> Record:
    """A record that is unlike the others."""
    return record(
        f"What is {number}?", f"A number, the one after {number - 1}.", source=source, meta=meta, id=f"{number:08x}" * 4
    )


def said(number: int, text: str) -> Record:
    """A record that says this."""
    return record(f"Please say {number}.", text, source="log", id=f"{number:08x}" * 4)


def curated(pairs: list[tuple[Record, str]]) -> dict[str, bytes]:
    """The files of data/curated by their names."""
    lines: dict[str, list[bytes]] = defaultdict(
        list, {f"{split}.jsonl": [] for split in ("train", "validation", "test")}
    )
    lines["dropped.jsonl"] = []
    for each, split in sorted(pairs, key=lambda pair: pair[0].id):
        line = encode(openai.write(each))
        lines[f"{split}.jsonl"].append(line + b"\n")
        kept = hashlib.blake2b(line, digest_size=16).hexdigest()
        row = {"id": each.id, "source": each.source, "split": split, "kind": "example", "digest": kept}
        lines["index.jsonl"].append(encode(row) + b"\n")
    return {name: b"".join(each) for name, each in lines.items()}


def sorted_lookup(pairs: list[tuple[Record, str]]) -> list[bytes]:
    """The lines of data/lookup.jsonl."""
    found = sorted((key, each.id) for each, _ in pairs for key in keys(each))
    return [encode({"id": identifier, "key": key}) + b"\n" for key, identifier in found]


def reports(root: Path, pairs: list[tuple[Record, str]], licences: dict[str, str]) -> None:
    """The reports of a version, as far as they are asked for."""
    names = [each.source for each, _ in pairs]
    counts = {name: {"rows": names.count(name), "curated": names.count(name)} for name in licences}
    by_licence: dict[str, int] = defaultdict(int)
    for name in names:
        by_licence[licences[name]] += 1
    splits = {split: sum(at == split for _, at in pairs) for split in ("train", "validation", "test")}
    metrics = {"dataset": {"examples": len(pairs), **splits}, "sources": counts, "licences": by_licence}
    write(root / "reports", {"metrics.json": encode(metrics), "gate.json": encode({"passed": True, "rules": []})})


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def an_object(root: Path, content: bytes, name: str = "") -> str:
    """Keep bytes in the cache; their MD5."""
    name = name or digests.md5_of_bytes(content)
    place = root / ".dvc/cache/files/md5" / name[:2] / name[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return name


def folder_object(root: Path, files: dict[str, bytes]) -> str:
    """Keep the files of a folder and their list in the cache; its MD5."""
    named = {name: an_object(root, content) for name, content in files.items()}
    listed = encode([{"md5": named[name], "relpath": name} for name in sorted(named)])
    return an_object(
        root,
        listed.replace(b'":"', b'": "').replace(b'","', b'", "').replace(b"},{", b"}, {"),
        digests.md5_of_folder(named),
    )


def md5(path: str, root: Path) -> str:
    """MD5 of a file."""
    return digests.md5_of_bytes((root / path).read_bytes())


def pipeline(sources: list[str]) -> dict[str, Any]:
    """A dvc.yaml of two stages."""
    export = {"cmd": "true", "deps": sources, "outs": CACHED}
    return {"stages": {"export": export, "report": {"cmd": "true", "outs": REPORTS}}}


def lock(outs: dict[str, list[tuple[str, str]]], deps: list[tuple[str, str]]) -> str:
    """A dvc.lock as DVC lays it out; what the first stage reads are `deps`."""
    stages = []
    for stage, named in outs.items():
        stages.append(
            f"  {stage}:\n    cmd: 'true'\n" + (entries("deps", deps) if not stages else "") + entries("outs", named)
        )
    return f"schema: '2.0'\nstages:\n{''.join(stages)}"


def entries(kind: str, named: list[tuple[str, str]]) -> str:
    """One list of a lock's entry."""
    return f"    {kind}:\n" + "".join(f"    - path: {path}\n      hash: md5\n      md5: {md5}\n" for path, md5 in named)


def objects(root: Path) -> dict[str, Path]:
    """Every object of the cache by its MD5."""
    return {place.parent.name + place.name: place for place in sorted((root / ".dvc/cache/files/md5").glob("??/*"))}
