"""`python -m tests.benchmarks.decontaminate [records]`: CPU and memory of `decontaminate` against 10,000 evaluation rows.

Reads `../shared/bench/make_big.py`, `../shared/data/mix52k.jsonl.gz` and the public benchmarks beside it, and says so and
skips where they are not there. The records are recombined from public ones; one in a hundred has a row of the evaluation sets
as its question, whole or with every seventh word changed. The sets are GSM8K's test split, HumanEval, MT-bench, harmless
questions, Chinese questions, and made-up ones up to 10,000.
"""

import gzip
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


import yaml

from stages.contract import params, shards
from stages.contract.record import Message, Meta, Record, digest, encode
from tests.conftest import REPOSITORY, SAMPLE, json_lines, stage

SHARED = REPOSITORY.parent / "shared"
PUBLIC = SHARED / "data/public"
SETS = {
    "gsm8k": "B_truth/gsm8k/test.jsonl.gz",
    "humaneval": "B_truth/humaneval/HumanEval.jsonl.gz",
    "mt_bench": "A_instruct/fastchat/mt_bench__question.jsonl.gz",
    "medical_zh": "A_instruct/medicalgpt_zh/sharegpt_zh_1K_format.jsonl.gz",
}
ITEMS = 10_000
PLANTED = 100  # one record in so many
PER_SHARD = 4_000


def sets(folder: Path, words: list[str]) -> list[str]:
    """Write the evaluation sets, and return the questions of which leaks are made."""
    folder.mkdir(parents=True)
    draw, count, questions = random.Random(7), 0, []
    for name, path in SETS.items():
        rows = [line for line in gzip.open(PUBLIC / path, "rt", encoding="utf-8") if line.strip()]
        (folder / f"{name}.jsonl").write_text("".join(rows), "utf-8")
        count += len(rows)
        questions += [json.loads(row)["question"] for row in rows] if name == "gsm8k" else []
    made = [
        {"question": " ".join(draw.choices(words, k=45)), "answer": " ".join(draw.choices(words, k=60))}
        for _ in range(ITEMS - count)
    ]
    (folder / "made.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made), "utf-8")
    return questions + [row["question"] for row in made]


def records(path: Path, questions: list[str]) -> Iterator[Record]:
    """The made-up records, with leaks among them."""
    draw = random.Random(11)
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            asked, said = (turn["content"] for turn in json.loads(line)["messages"])
            if number % PLANTED == 0:
                words = draw.choice(questions).split()
                if number % (2 * PLANTED):
                    words[3::7] = ["changed"] * len(words[3::7])
                asked = " ".join(words)
            turns = [Message("user", asked), Message("assistant", said)]
            yield Record(
                digest("big", number), "big", turns, Meta("Apache-2.0", extra={"planted": number % PLANTED == 0})
            )


def project(root: Path, big: Path) -> None:
    """A project whose records and drops are there as `dedup` leaves them."""
    words = sorted(
        {word for line in list(big.open(encoding="utf-8"))[:3000] for word in json.loads(line)["text"].split()}
    )
    questions = sets(root / "data/eval", words)
    chosen = params.read_yaml(SAMPLE / "params.yaml")
    chosen["sources"] = {"big": {"path": "data/sources/big.jsonl", "licence": "Apache-2.0"}}
    chosen["eval"] = {
        file.stem: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()} for file in (root / "data/eval").iterdir()
    }
    (root / "params.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False))
    (root / "dvc.yaml").write_bytes((REPOSITORY / "dvc.yaml").read_bytes())
    for drops in ("filter/big", "dedup"):
        shards.put(root / f"data/dropped/{drops}.jsonl", [])
    lines: list[bytes] = []
    number = 0
    for record in records(big, questions):
        lines.append(encode(record))
        if len(lines) == PER_SHARD:
            shards.write(root / "data/records/big" / shards.name(number), lines)
            lines, number = [], number + 1
    shards.write(root / "data/records/big" / shards.name(number), lines)


def measured(count: int = 1_000_000) -> list[tuple[str, str, str]]:
    """Rows for the page: what, measured, goal. Nothing if what it reads is not there."""
    from tests.benchmarks.__main__ import cpu_and_memory

    if not (SHARED / "bench/make_big.py").is_file() or not (PUBLIC / "B_truth/gsm8k").is_dir():
        print("skipped: the benchmark reads ../shared, which is not there")
        return []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        (folder / "data/mix52k.jsonl").write_bytes(gzip.decompress((SHARED / "data/mix52k.jsonl.gz").read_bytes()))
        command = [sys.executable, SHARED / "bench/make_big.py", str(count), "big"]
        subprocess.run(command, check=True, env=os.environ | {"BENCH": str(folder)})
        project(folder / "project", folder / "data/big.jsonl")
        (folder / "data/big.jsonl").unlink()
        seconds, memory = cpu_and_memory(lambda: stage(folder / "project", "decontaminate"))
        dropped = json_lines(folder / "project/data/dropped/decontaminate.jsonl")
    planted = {digest("big", number) for number in range(0, count, PLANTED)}
    found = len(planted & {drop["id"] for drop in dropped})
    what = f"decontaminate {count:,} records against {ITEMS:,} evaluation rows"
    return [
        (f"{what}: CPU seconds", f"{seconds:.1f}", f"{60 * count / 1e6:.0f}"),
        ("the same: peak memory of the tree, MB", f"{memory:.0f}", "1000"),
        ("the same: planted leaks found", f"{found:,} of {len(planted):,}", "all"),
        ("the same: dropped besides", f"{len(dropped) - found:,}", ""),
    ]


def main() -> None:
    """Measure and print the rows."""
    for row in measured(*map(int, sys.argv[1:2])):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
