"""A drill: known faults planted in a copy of the project's own data, and whether each is caught, counted and explained.

The copy is built by the stages as they are, with the project's own params. Nothing outside its folder is written.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from lineage import edit, inspection
from lineage.faults import FEWEST, Fault, faults
from stages import collect
from stages.contract import gold, params, paths, shards
from stages.contract import source as rows_of
from stages.contract.params import Source, stop
from stages.contract.record import Drop, Record, conversation, decode, decode_record, encode
from stages.reporting.reasons import meaning

NAME = "drill"
FILE = f"data/sources/{NAME}.jsonl"
ROWS = 300  # of every file that are copied
LONG = 60  # characters of a conversation that is still near itself with a word more


class Outcome(Struct):
    """What became of a fault: `caught`, `missed`, or `off` if the project's params do not look for it."""

    fault: str
    verdict: str
    how: str


def drill(root: Path, rows: int = ROWS) -> list[Outcome]:
    """Build a copy of the project with planted faults in an empty folder, and say what became of each."""
    if NAME in params.sources():
        raise stop(f"params.yaml: sources.{NAME}: the drill needs this name; rename the source")
    copied = copy(root, rows)
    run_stages(root, copied)
    planted = list(faults(survivors(root, copied), [row.example for row in gold.rows()]))
    rows_planted = [each for fault in planted for each in fault.rows]
    shards.put(root / FILE, (each if isinstance(each, bytes) else encode(each) for each in rows_planted))
    run_stages(root, [NAME], (*paths.GLOBAL, "export", "report"))
    return list(outcomes(root, planted))


def copy(root: Path, rows: int) -> list[str]:
    """The project's params, evaluation set and the first rows of its files as a project of its own; returns the sources."""
    entries = {}
    for name, source in params.sources().items():
        if found := list(first_rows(source, name, rows)):
            shards.put_rows(root / f"data/sources/{name}.jsonl", found)
            entries[name] = declared(name, found)
    chosen = {key: value for key, value in params.given().items() if key != "generate"}
    chosen["sources"] = entries | {NAME: {"path": FILE, "licence": "CC0-1.0", "method": "model"}}
    (root / params.FILE).write_text(yaml.safe_dump(chosen, sort_keys=False, allow_unicode=True), "utf-8")
    (root / "dvc.yaml").write_bytes(edit.edited("dvc.yaml", edit.without("stages.generate")))
    shutil.copytree(paths.ROOT / paths.EVAL, root / paths.EVAL)
    return list(entries)


def first_rows(source: Source, name: str, rows: int) -> Iterator[Any]:
    """What the first rows of every file hold, without those that cannot be read."""
    if (paths.ROOT / source.path).exists():
        limits = params.of_stage("collect", collect.Params)
        for file in rows_of.files(params.path_of(name), source.match):
            found = inspection.rows_in([file], limits, Counter())
            yield from inspection.readable(islice(found, rows))


def declared(name: str, found: list[Any]) -> dict[str, Any]:
    """The source's entry for its copy, without the fields that no copied row has."""
    have = {field for value in found if isinstance(value, dict) for field in value}
    entry = {key: value for key, value in params.whole()["sources"][name].items() if key not in ("match", "external")}
    kept = {key: value for key, value in entry.items() if not key.endswith("_field") or value in have}
    return kept | {"path": f"data/sources/{name}.jsonl"}


def run_stages(root: Path, sources: list[str], after: tuple[str, ...] = ()) -> None:
    """Run the stages of some sources, then those that see all, as DVC would; stop if one fails.

    They are handed the project key in their environment: the copy may be kept and passed on, so no secret goes into it.
    """
    each = [[stage, "--source", name] for name in sources for stage in ("collect", "measure", "filter")]
    here = {key: value for key, value in os.environ.items() if key != "DATASET_ROOT"}
    here["PYTHONPATH"] = str(Path(__file__).parents[1])
    here["DATASET_KEY"] = params.key_text()
    for stage, *arguments in [*each, *([name] for name in after)]:
        command = [sys.executable, "-m", f"stages.{stage}", *arguments]
        done = subprocess.run(command, cwd=root, env=here, capture_output=True, text=True, check=False)
        if done.returncode:
            raise stop(f"drill: {' '.join([stage, *arguments])}: {(done.stderr.strip() or 'fails').splitlines()[-1]}")


def survivors(root: Path, sources: list[str]) -> list[Record]:
    """Records of the copy that pass the filter and say enough for a fault to be planted in them."""
    dropped = {drop.id for name in sources for drop in shards.drops([root / f"data/dropped/filter/{name}.jsonl"])}
    found = [
        record
        for record in records_in(root, sources)
        if record.id not in dropped and len(conversation(record)) >= LONG and record.messages[-1].content
    ]
    if len(found) < FEWEST:
        raise stop(f"drill: {len(found)} records are long enough to plant faults in, {FEWEST} are needed; add data")
    return found


def records_in(root: Path, sources: list[str]) -> Iterator[Record]:
    """All records of the copy."""
    for name in sources:
        for path in shards.of(root / "data/records" / name):
            yield from map(decode_record, shards.lines(path))


def outcomes(root: Path, planted: list[Fault]) -> Iterator[Outcome]:
    """What became of every fault, in the order they were planted."""
    origins = (row for path in (root / "data/origins" / NAME).glob("*.jsonl") for row in shards.rows(path))
    ids = {row["origin"]: row["id"] for row in origins}
    drops = {drop.id: drop for drop in shards.drops([root / paths.CURATED / "dropped.jsonl"])}
    records = {record.id: record for record in records_in(root, [NAME])}
    reasons = {stage: at["reasons"] for stage, at in decode((root / paths.METRICS).read_bytes())["stages"].items()}
    line = 0
    for fault in planted:
        found = [ids[f"{FILE}:{line + number}"] for number in range(1, len(fault.rows) + 1)]
        line += len(fault.rows)
        if fault.off:
            yield Outcome(fault.name, "off", fault.off)
        elif fault.hidden:
            yield hidden(root, fault, records[found[0]])
        else:
            yield dropped(fault, [drops.get(identifier) for identifier in found], reasons)


def hidden(root: Path, fault: Fault, record: Record) -> Outcome:
    """Whether what must not be seen is seen in no report, and personal data in no built file at all, and was counted."""
    built = [root / "data" / name for name in os.listdir(root / "data") if name not in ("sources", "eval")]
    places = built if fault.kind else []
    files = [
        file for place in (*places, root / "reports") for file in (place.rglob("*") if place.is_dir() else [place])
    ]
    seen = [file for file in files if file.is_file() and fault.hidden.encode() in file.read_bytes()]
    if seen:
        return Outcome(fault.name, "missed", f"stands in {seen[0].relative_to(root)}")
    if not fault.kind:
        return Outcome(fault.name, "caught", "kept as data, and escaped in the reports")
    count = record.meta.redacted.get(fault.kind, 0)
    return Outcome(
        fault.name, "caught" if count else "missed", f"replaced, counted as {fault.kind} {count}, found nowhere"
    )


def dropped(fault: Fault, drops: list[Drop | None], reasons: dict[str, dict[str, int]]) -> Outcome:
    """Whether every row was dropped for the right reason, with evidence, and stands in the counts of the report."""
    for drop in drops:
        if drop is None:
            return Outcome(fault.name, "missed", "is in the dataset")
        named = {drop.reason, *drop.evidence.get("also", [])}
        if drop.stage != fault.stage or not named & set(fault.reasons):
            return Outcome(fault.name, "missed", f"was dropped by {drop.stage} for another reason: {drop.reason}")
        if not drop.evidence or not meaning(drop.stage, drop.reason):
            return Outcome(fault.name, "missed", f"was dropped by {drop.stage} without saying why")
        if reasons[drop.stage].get(drop.reason, 0) < len(drops):
            return Outcome(fault.name, "missed", f"was dropped by {drop.stage} and not counted")
    first = drops[0]
    evidence = ", ".join(f"{key} {value}" for key, value in first.evidence.items()) if first else ""
    return Outcome(fault.name, "caught", f"{fault.stage}: {first.reason if first else ''} ({evidence})")
