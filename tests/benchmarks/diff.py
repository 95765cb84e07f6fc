"""Two versions of a dataset in a git repository, with 1 % of the rows changed, told apart with `dataset diff`.

Of the rows, 0.4 % are edited, 0.2 % removed, 0.2 % new, and 0.2 % dropped because a limit of `filter` was lowered. Rows are
made up, about 700 bytes each, with ids made of their content. `dataset diff` gives every row's cause, and the distributions
of all rows. Oxen's diff, keyed by id, is given the curated rows of both versions as JSON Lines, and counts them only.
"""

import hashlib
import json
import os
import random
import sys
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from stages.contract import params
from stages.contract.record import digest, encode
from tests.benchmarks import Row, environments, usage
from tests.benchmarks.usage import ROUNDS
from tests.conftest import REPOSITORY, SAMPLE, git

SIZES = {100_000: ("under 2 s", "under 300 MB"), 1_000_000: ("under 20 s", "under 800 MB")}
LARGEST = int(os.environ.get("BENCH_LARGEST", "1000000"))
SHARD = 4_000  # rows
LIMITS = (4000, 100)  # filter.length.max_reply_tokens in the two versions
SYLLABLES = ("al", "be", "cor", "du", "em", "fa", "gri", "ho", "ist", "ju", "ka", "lo")
WORDS = ["".join(each) for each in product(SYLLABLES, repeat=3)]
OXEN = """
import sys, oxen
print(oxen.diff(sys.argv[1], sys.argv[2], keys=["id"]))
"""


def rows(folder: Path) -> Iterator[Row]:
    """CPU and memory of both, in turn."""
    python = environments.python(folder, "oxen")
    for size in (size for size in SIZES if size <= LARGEST):
        root = made(folder / f"versions{size}", size)
        commands = {
            "dataset diff": [sys.executable, "-c", "from lineage.commands import main; main()", "diff", "one", "two"],
            "Oxen, keyed": [python, "-c", OXEN, root / "one.jsonl", root / "two.jsonl"],
        }
        found: dict[str, list[usage.Usage]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                here = {"DATASET_ROOT": str(root), "PYTHONPATH": str(REPOSITORY)}
                found[name].append(usage.of_command(command, root / "log", **here))
        for name, goals in zip(commands, (SIZES[size], ("", "")), strict=True):
            middle = [sorted(values)[len(values) // 2] for values in zip(*found[name], strict=True)]
            yield f"{name}, {size:,} rows: CPU", f"{middle[1]:.1f} s", goals[0]
            yield f"{name}, {size:,} rows: memory", f"{middle[2]:.0f} MB", goals[1]


def made(root: Path, size: int) -> Path:
    """A repository with both versions as the tags `one` and `two`, their bytes in the cache; made once."""
    if (root / "ready").is_file():
        return root
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    (root / ".dvc").mkdir()
    (root / ".gitignore").write_text("/*.jsonl\n/.dvc/cache\n/log\n/ready\n")
    before = [
        row(random.Random(number), f"data/sources/mix.jsonl:{number}", number % 500 == 4) for number in range(size)
    ]
    after = list(changed(before))
    for name, version, limit in (("one", before, LIMITS[0]), ("two", after, LIMITS[1])):
        write(root, name, version, limit)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", name)
        git(root, "tag", name)
    (root / "ready").touch()
    return root


def row(draw: random.Random, origin: str, long: bool) -> dict[str, Any]:
    """A row with what is known of it; a long one is dropped where the limit is low."""
    asked, said = (" ".join(draw.choices(WORDS, k=count)) for count in (20, 80))
    return {"asked": asked, "said": said, "origin": origin, "long": long, "topic": f"topic {draw.randrange(20)}"}


def changed(before: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows of the second version."""
    for number, each in enumerate(before):
        if number % 250 == 0:
            yield each | {"said": each["said"] + " and one more thing"}
        elif number % 500 != 1:
            yield each
        if number % 500 == 2:
            yield row(random.Random(f"new {number}"), f"{each['origin']}0", False)


def write(root: Path, name: str, version: list[dict[str, Any]], limit: int) -> None:
    """A version: its objects in the cache, and dvc.lock, params.yaml and dvc.yaml in the folder."""
    source = {"path": "data/sources/mix.jsonl", "licence": "MIT"}
    given = {**params.read_yaml(SAMPLE / "params.yaml"), "sources": {"mix": source}}
    given.pop("generate", None)
    given["filter"]["length"]["max_reply_tokens"] = limit
    (root / "params.yaml").write_text(yaml.safe_dump(given))
    stanzas = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())
    stanzas["stages"].pop("generate", None)
    (root / "dvc.yaml").write_text(yaml.safe_dump(stanzas))
    for each in version:
        each["id"] = digest(each["asked"], each["said"])
    by_id = sorted(version, key=lambda each: each["id"])
    kept = [each for each in by_id if limit >= 4000 or not each["long"]]
    drops = [drop(each) for each in by_id if limit < 4000 and each["long"]]
    outs = {
        "collect@mix": {
            "data/records/mix": shards(version, record),
            "data/origins/mix": shards(version, origin) | {"dropped.jsonl": []},
            "data/dropped/collect/mix.jsonl": [],
        },
        "measure@mix": {"data/scores/mix": shards(version, scores, [b'{"measured_from":""}'])},
        "filter@mix": {"data/dropped/filter/mix.jsonl": drops},
        "judge": {
            "data/judged.jsonl": [encode({"id": i["id"], "penalties": {}, "score": 5.0, "source": "mix"}) for i in kept]
        },
        "split": {"data/splits.jsonl": [encode({"group": i["id"], "id": i["id"], "split": split(i)}) for i in kept]},
        "export": {"data/curated": {"index.jsonl": list(map(index, kept)), "dropped.jsonl": drops}},
    }
    lock = {stage: entry(root, stage, given, files) for stage, files in outs.items()}
    lock["collect@mix"]["deps"] = [{"path": source["path"], "md5": hashlib.md5(name.encode()).hexdigest()}]
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": lock}))
    with (root / f"{name}.jsonl").open("w") as file:
        file.writelines(
            json.dumps({"id": i["id"], "split": split(i), "prompt": i["asked"], "reply": i["said"]}) + "\n"
            for i in kept
        )


def entry(root: Path, stage: str, given: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
    """A stage's entry of dvc.lock, its outputs put into the cache."""
    name = stage.partition("@")[0]
    return {
        "cmd": name,
        "params": {"params.yaml": {name: given[name]}},
        "outs": [{"path": path, "hash": "md5", "md5": stored(root, content)} for path, content in files.items()],
    }


def stored(root: Path, content: Any) -> str:
    """Put the lines of a file, or the files of a folder, into the cache; their MD5."""
    if isinstance(content, dict):
        listed = [{"md5": stored(root, lines), "relpath": name} for name, lines in sorted(content.items())]
        return put(root, json.dumps(listed).encode(), ".dir")
    return put(root, b"".join(line + b"\n" for line in content))


def put(root: Path, content: bytes, ending: str = "") -> str:
    """Put bytes into the cache under their MD5."""
    md5 = hashlib.md5(content).hexdigest() + ending
    place = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return md5


def shards(version: list[dict[str, Any]], line: Any, first: Iterable[bytes] = ()) -> dict[str, list[bytes]]:
    """The files of a folder of shards."""
    starts = range(0, len(version), SHARD)
    return {f"{start // SHARD:05d}.jsonl": [*first, *map(line, version[start : start + SHARD])] for start in starts}


def record(each: dict[str, Any]) -> bytes:
    """A record's line."""
    turns = [{"content": each["asked"], "role": "user"}, {"content": each["said"], "role": "assistant"}]
    return encode(
        {"id": each["id"], "messages": turns, "meta": {"licence": "MIT", "topic": each["topic"]}, "source": "mix"}
    )


def origin(each: dict[str, Any]) -> bytes:
    """Where a record came from."""
    return encode({"id": each["id"], "origin": each["origin"]})


def scores(each: dict[str, Any]) -> bytes:
    """What the checks measured."""
    told = LIMITS[1] + 1 if each["long"] else 80
    length = {"prompt_tokens": 20, "reply_tokens": told, "tokens": 20 + told, "words": len(each["said"].split())}
    language = {"prompt": ["en", 0.9], "reply": ["en", 0.9]}
    none = dict.fromkeys(("cut_off", "empty", "injection", "structure"))
    return encode({**none, "id": each["id"], "language": language, "length": length, "repetition": 0.0})


def drop(each: dict[str, Any]) -> bytes:
    """The drop of a record with a long reply."""
    evidence = {"length": {"reply_tokens": LIMITS[1] + 1}}
    return encode(
        {"evidence": evidence, "id": each["id"], "reason": "reply_too_long", "source": "mix", "stage": "filter"}
    )


def index(each: dict[str, Any]) -> bytes:
    """A line of the index."""
    return encode({"digest": each["id"], "id": each["id"], "kind": "example", "source": "mix", "split": split(each)})


def split(each: dict[str, Any]) -> str:
    """A split by the id."""
    return {0: "validation", 1: "test"}.get(int(each["id"][:4], 16) % 10, "train")
