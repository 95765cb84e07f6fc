"""CPU and memory of `decontaminate` against 10,000 evaluation rows, and what it finds of public rewordings.

The records are recombined from public ones; one in a hundred has a question of GSM8K's test split or a made-up one, whole or
with every seventh word changed. The sets are those, HumanEval, MT-bench and Chinese conversations, 10,000 rows together.
Rewordings have few words in a row in common with the original: without a model they are hardly found.
"""

import csv
import gzip
import hashlib
import io
import json
import os
import random
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from stages import decontaminate
from stages.contract import params, shards
from stages.contract.gold import Evaluation
from stages.contract.record import Example, Message, Meta, Record, digest, encode
from tests.benchmarks import Row, corpus, usage
from tests.conftest import REPOSITORY, SAMPLE, json_lines, stage

SHARED = REPOSITORY.parent / "shared"
PUBLIC = SHARED / "data/public"
SETS = {
    "gsm8k": "B_truth/gsm8k/test.jsonl.gz",
    "humaneval": "B_truth/humaneval/HumanEval.jsonl.gz",
    "mt_bench": "A_instruct/fastchat/mt_bench__question.jsonl.gz",
    "medical_zh": "A_instruct/medicalgpt_zh/sharegpt_zh_1K_format.jsonl.gz",
}
METHODS = ("equal", "run", "contained", "near")
ITEMS = 10_000
PLANTED = 100  # one record in so many
PER_SHARD = 4_000


def sets(folder: Path, words: list[str]) -> list[str]:
    """Write the evaluation sets, and return the questions of which leaks are made."""
    folder.mkdir(parents=True)
    draw, count, questions = random.Random(7), 0, []
    for name, path in SETS.items():
        rows = gzip.decompress((PUBLIC / path).read_bytes()).decode().splitlines(keepends=True)
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


def rows(folder: Path) -> Iterator[Row]:
    """What a large run takes and finds, then recall by method on the truth sets."""
    if not (PUBLIC / "B_truth/gsm8k").is_dir():
        raise corpus.Missing("it reads ../shared/data/public beside the project, which is not there")
    yield from at_scale(folder, int(os.environ.get("BENCH_LARGEST", "200000")))
    for name, count, found in recall():
        methods = ", ".join(f"{method} {found[method]}" for method in METHODS)
        yield f"{name}: found of {count:,} ({methods})", f"{found['any']:,}", ""


def at_scale(folder: Path, count: int) -> Iterator[Row]:
    """Records against 10,000 evaluation rows."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        project(Path(name) / "project", corpus.grown(folder, count)[0])
        used = usage.of(lambda: stage(Path(name) / "project", "decontaminate"))
        dropped = json_lines(Path(name) / "project/data/dropped/decontaminate.jsonl")
    planted = {digest("big", number) for number in range(0, count, PLANTED)}
    found = len(planted & {drop["id"] for drop in dropped})
    yield (
        f"{count:,} records against {ITEMS:,} evaluation rows: CPU seconds",
        f"{used.cpu:.1f}",
        f"{60 * count / 1e6:.0f}",
    )
    yield "the same: peak memory of the tree, MB", f"{used.memory:.0f}", "1000"
    yield "the same: planted leaks found", f"{found:,} of {len(planted):,}", "all"
    yield "the same: dropped besides", f"{len(dropped) - found:,}", ""


def lines(path: str) -> list[Any]:
    """The rows of a public file, or of one inside the archive of llm_decontaminator."""
    if not path.startswith("llm_decontaminator_dev/"):
        return [json.loads(line) for line in gzip.decompress((PUBLIC / path).read_bytes()).splitlines()]
    with tarfile.open(PUBLIC / "B_truth/llm_decontaminator_dev/llm_decontaminator_dev.tar.gz") as archive:
        content = (archive.extractfile(path) or io.BytesIO()).read().decode()
    rows = csv.reader(io.StringIO(content)) if path.endswith(".csv") else map(json.loads, content.splitlines())
    return list(rows)


def truth() -> Iterator[tuple[str, list[str], list[tuple[str, int]]]]:
    """Name, questions of an evaluation set, and texts with the number of the question each is made from, or -1."""
    folder = "llm_decontaminator_dev"
    gsm, human = lines("B_truth/gsm8k/test.jsonl.gz"), lines("B_truth/humaneval/HumanEval.jsonl.gz")
    asked = [row["question"] for row in gsm]
    bench = [row["turns"][0] for row in lines("A_instruct/fastchat/mt_bench__question.jsonl.gz")]
    copies = lines("A_instruct/xtuner_fixtures/gsm8k_val_example_data.jsonl.gz")
    yield (
        "100 rows of xtuner that are GSM8K test items",
        asked,
        [(row["prompt"][0]["content"], row["extra_info"]["index"]) for row in copies],
    )
    yield (
        "MT-bench's first turns, in a longer prompt",
        bench,
        [(f"Please help. {q} Thanks!", n) for n, q in enumerate(bench)],
    )
    yield (
        "HumanEval's prompts, with another ending",
        [row["prompt"] for row in human],
        [(f"Complete this code:\n{row['prompt']}    pass", n) for n, row in enumerate(human)],
    )
    yield (
        "GSM8K test, reworded by a model",
        asked,
        [(row["text"], n) for n, row in enumerate(lines(f"{folder}/rephrase/rephrase_gsm8k.jsonl"))],
    )
    whole = [row["text"] for row in lines(f"{folder}/test/HumanEval.jsonl")]
    for language in ("python", "js"):
        yield (
            f"HumanEval, reworded in {language} by a model",
            whole,
            [
                (row["text"], n)
                for n, row in enumerate(lines(f"{folder}/rephrase/humaneval_{language}.jsonl"))
                if row["text"]
            ],
        )
    algebra = [row[0] for row in lines(f"{folder}/rephrase/abstract_algebra_test.csv")]
    reworded = lines(f"{folder}/rephrase/abstract_algebra_test_rephrase_english_filtered_question.jsonl")
    yield (
        "MMLU abstract algebra, reworded by a model",
        algebra,
        [(row["text"], n) for n, row in enumerate(reworded[: len(algebra)]) if row["text"]],
    )
    chinese = [row["text"] for row in lines(f"{folder}/rephrase/abstract_algebra_test_chinese.jsonl")]
    other = lines(f"{folder}/rephrase/abstract_algebra_test_chinese_filtered_question.jsonl")
    yield (
        "the same in Chinese, against another translation",
        chinese,
        [(row["text"], n) for n, row in enumerate(other) if row["text"]],
    )
    pairs = lines(f"{folder}/database/CodeAlpacaDB.jsonl")
    for leaks in (True, False):
        yield (
            f"CodeAlpaca rows that a model calls {'' if leaks else 'no '}leaks of HumanEval",
            [r["test"] for r in pairs],
            [("\n".join(row["train"]), n) for n, row in enumerate(pairs) if any(row["results"]) is leaks],
        )
    yield (
        "GSM8K train, which is not in its test split",
        asked,
        [(f"{row['question']}\n{row['answer']}", -1) for row in lines("B_truth/gsm8k/train.jsonl.gz")],
    )


def recall() -> Iterator[tuple[str, int, dict[str, int]]]:
    """Of each truth set: how many texts, and how many each method finds; `right` counts those found for their own row."""
    given = decontaminate.Params()
    for name, questions, texts in truth():
        rows = [Evaluation(f"truth:{n}", "", Example([Message("user", text)])) for n, text in enumerate(questions, 1)]
        index = decontaminate.index(rows, given)
        found = [Record(digest(n), "truth", [Message("user", text)], Meta("MIT")) for n, (text, _) in enumerate(texts)]
        facts = dict(zip([r.id for r in found], decontaminate.measure_many(found, given, index), strict=True))
        own = {record.id: f"truth:{n + 1}" for record, (_, n) in zip(found, texts, strict=True)}
        listed = [row for row in decontaminate.decide(facts, given, index).rows if row["leak"]]
        methods = {method: len({r["record"] for r in listed if method in r["methods"]}) for method in METHODS}
        right = len({row["record"] for row in listed if row["eval"] == own[row["record"]]})
        yield name, len(texts), {"any": len({row["record"] for row in listed}), "right": right, **methods}
