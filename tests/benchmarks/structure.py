"""Valid conversations of public sets, none of which may fall, and faults planted in each of them, all of which must.

The rows of BFCL are its questions with the first right answer as calls, and those in which no tool fits. Left out are rows
that break their own tools' schemas or have no user turn; `tests/test_structure.py` names them, and plants thirteen
faults: calls of unknown tools, missing, undefined and mistyped arguments, values outside of an enumeration, results without
a call and calls without one, wrong orders of turns, ids used twice. Pages: how often a bad page of 281 that people
judged (dclm) has a higher perplexity than a good one, under a model of 999 Alpaca rows. CPU is that of measuring, of the
52,002 records of the mix, which have neither tools nor pairs.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages import checks
from stages.contract.record import Message, Meta, Record, encode
from stages.text import perplexity
from tests import test_structure
from tests.benchmarks import Row, corpus
from tests.test_structure import PLANTS, REALLY_BROKEN, SETS, found
from tests.test_truth import PUBLIC, unpacked

MEASURED = ("structure", "pairs", "tools", "licence", "web")


def rows(folder: Path) -> Iterator[Row]:
    """The conversations, the pages, the cost."""
    if not PUBLIC.is_dir():
        raise corpus.Missing("it reads the public sets beside the project, which are not there")
    for name in SETS:
        yield from of_set(name)
    yield "bad web pages above good ones by perplexity: ROC AUC", str(above()), ""
    for name, seconds in cost(corpus.mix(folder)).items():
        yield f"measuring `{name}` of 52,002 records: CPU seconds", f"{seconds:.3f}", ""


def of_set(name: str) -> Iterator[Row]:
    """How many of a set's whole conversations stay, and how many planted faults are found."""
    whole = [test_structure.read(row) for key, row in SETS[name]() if key not in REALLY_BROKEN[name]]
    planted = [(plant, broken) for plant in PLANTS for each in whole if (broken := plant(each))]
    kept = sum(found(each) is None for each in whole)
    caught = sum(found(broken) in PLANTS[plant] for plant, broken in planted)
    yield f"{name}: valid conversations that stay", f"{kept:,} of {len(whole):,}", "all"
    yield f"{name}: planted faults that are found for their own reason", f"{caught:,} of {len(planted):,}", "all"


def above() -> float:
    """How often a bad page has the higher perplexity, ties counted half."""
    alpaca = json.loads(unpacked("A_instruct/llamafactory_demo/alpaca_en_demo.json"))
    model = perplexity.counted(f"{row['instruction']}\n{row['output']}" for row in alpaca)
    pages = map(json.loads, unpacked("B_truth/dclm_quality_dev/agreement_data.jsonl").splitlines())
    scored = [(perplexity.perplexity(page["text"], model) or 0.0, page["label"]) for page in pages]
    bad, good = (np.array([value for value, label in scored if label == wanted]) for wanted in (0, 1))
    higher = (bad[:, None] > good).mean() + (bad[:, None] == good).mean() / 2
    return round(float(higher), 3)


def cost(path: Path) -> dict[str, float]:
    """CPU seconds of measuring each check, and of writing what it measured down."""
    records = []
    for number, line in enumerate(path.read_bytes().splitlines()):
        turns = [Message(turn["role"], turn["content"]) for turn in json.loads(line)["messages"]]
        records.append(Record(f"{number:032x}", "mix", turns, Meta("CC0-1.0")))
    seconds = {}
    for name in MEASURED:
        check = checks.check(name)
        given = check.Measure() if hasattr(check, "Measure") else None
        start = time.process_time()
        encode([check.measure(record, given) for record in records])
        seconds[name] = time.process_time() - start
    return seconds
