"""Where every output lies. The owner of path rules: a test compares this file with dvc.yaml."""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(os.environ.get("DATASET_ROOT", "."))

PER_SOURCE = ("collect", "filter")
"""Stages that write one file of drops per source; their order is the order they run in."""
GLOBAL = ("dedup", "decontaminate", "judge", "balance", "split")
"""Stages that see all sources at once and write one file of drops each, in the order they run in."""
DROPPING = (*PER_SOURCE, *GLOBAL, "export")
"""Stages that drop, in the order they run."""
STAGES = ("resolve", "generate", "collect", "measure", "filter", *GLOBAL, "export", "report")

OUTPUT = {
    "generate": "data/sources/generated/examples.jsonl",
    "dedup": "data/near.jsonl",
    "decontaminate": "data/overlaps.jsonl",
    "judge": "data/judged.jsonl",
    "balance": "data/weights.jsonl",
    "split": "data/splits.jsonl",
}
"""What a stage writes beside its drops."""

UNRESOLVED = "data/unresolved.jsonl"
"""What dedup found and leaves to a person: answers that contradict each other, and what it did not compare."""

SPLITS = ("train", "validation", "test")
CURATED = "data/curated"
PLACES = {"example": CURATED, "preference": f"{CURATED}/preferences", "labelled": f"{CURATED}/labelled"}
"""Where the curated records of each kind lie, a file for each split."""
INDEX = f"{CURATED}/index.jsonl"
"""The kind, split and digest of every curated record."""
DROPPED = f"{CURATED}/dropped.jsonl"
"""Every drop of every stage."""
EXPORTS = "data/exports"
FACT_CHECK = "data/fact_check.jsonl"
"""Answers whose facts somebody is to check."""
FACTS = "data/facts.jsonl"
"""What people found of them."""
LOOKUP = "data/lookup.jsonl"
"""Which curated records a text or a person stands in: sorted digests, so that a lookup reads none of the texts."""
EVAL = "data/eval"
GOLD = "data/eval/gold.jsonl"
VERDICTS = "data/eval/verdicts.jsonl"
RATINGS = "data/ratings"
CALIBRATION = "reports/calibration.json"
"""How far the judge agrees with the people's ratings; written by `dataset calibrate`, read by the report."""
FAILURES = "data/failures.jsonl"
SETTINGS = "reports/params.json"
PINS = "data/pins/splits.txt"
METRICS = "reports/metrics.json"
GATE = "reports/gate.json"
CARD = "reports/DATASET_CARD.md"
REPORT = "reports/report.html"
MANIFEST = "reports/manifest.json"
PLOTS = "reports/plots"
LOCK = "data/.lock"


def within(path: str, folder: str) -> bool:
    """Whether a path is another, or below it."""
    return path == folder or path.startswith(f"{folder}/")


def curated(kind: str, split: str) -> str:
    """The file of the curated records of a kind and a split."""
    return f"{PLACES[kind]}/{split}.jsonl"


def records(source: str) -> Path:
    """Folder of the source's shards of records."""
    return ROOT / "data/records" / source


def origins(source: str) -> Path:
    """Folder that says which file and row each record or dropped row came from."""
    return ROOT / "data/origins" / source


def scores(source: str) -> Path:
    """Folder of what the checks measured, shard by shard."""
    return ROOT / "data/scores" / source


def signatures(source: str) -> Path:
    """Folder of the digests and MinHash signatures, shard by shard."""
    return ROOT / "data/signatures" / source


def dropped(stage: str, source: str = "") -> Path:
    """The drops of a stage; `source` for the stages that run per source. Those of `export` stand among all others."""
    if stage == "export":
        return ROOT / DROPPED
    return ROOT / "data/dropped" / (f"{stage}/{source}.jsonl" if stage in PER_SOURCE else f"{stage}.jsonl")


def earlier_drops(stage: str, sources: list[str]) -> Iterator[Path]:
    """Files of drops written before `stage` runs; those of `collect` name rows that never became records."""
    yield from (dropped("filter", source) for source in sources)
    before = GLOBAL[: GLOBAL.index(stage)] if stage in GLOBAL else GLOBAL
    yield from (dropped(other) for other in before)


def all_drops(sources: list[str]) -> Iterator[Path]:
    """Every file of drops."""
    yield from (dropped("collect", source) for source in sources)
    yield from earlier_drops("export", sources)


def per_source_entries(known: list[str]) -> Iterator[Path]:
    """Built files and folders of sources that are no longer named: what a removed or renamed source leaves behind."""
    folders = (
        "data/records",
        "data/origins",
        "data/scores",
        "data/signatures",
        *(f"data/dropped/{s}" for s in PER_SOURCE),
    )
    for folder in folders:
        for entry in sorted((ROOT / folder).glob("[!.]*")):
            if entry.name.removesuffix(".jsonl") not in known:
                yield entry
