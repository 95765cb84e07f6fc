"""`make bench`: run the parts that are named, or all; write results.json and README.md beside this file.

Parts that are not run keep their rows. Most read `../shared`, and say so and are skipped where it is not there.
"""

import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stages.contract.params import stop
from tests.benchmarks import corpus, usage

PARTS = (
    "sample",
    "pipeline",
    "near",
    "scale",
    "truth",
    "decontaminate",
    "checks",
    "append",
    "redaction",
    "classifiers",
    "structure",
    "diff",
    "audit",
    "dask",
    "models",
    "judges",
)
HERE = Path(__file__).parent
PAGE = """# Benchmarks

Written by `make bench` from `results.json`. `make bench PARTS="sample near"` runs these parts and keeps the rows of the
others. CPU is user and system time, memory the largest sum of proportional set sizes, sampled every {interval} s, both of
the whole process tree. What is compared is run in turn, round by round, because machines are shared and noisy.

| variable | |
|---|---|
| `BENCH_ROUNDS` | how many rounds; 3 by default |
| `BENCH_LARGEST` | the largest number of rows that `scale` and `truth` go to |
| `BENCH_ENVS` | a folder that keeps the environments of other tools, made rows and exact pairs; a temporary one by default |
{parts}"""
PART = """
## {name}

{about}

*{rounds}, on {cores} cores.*

| what | measured | goal |
|---|--:|--:|
{table}
"""


def main(chosen: list[str]) -> None:
    """Run parts and write their rows as soon as each is done."""
    there = [part for part in PARTS if find_spec(f"tests.benchmarks.{part}")]
    for part in chosen:
        if part not in there:
            raise stop(f"make bench: PARTS: there is no part {part}; there are {', '.join(there)}")
    results = json.loads((HERE / "results.json").read_text())
    with place() as folder:
        for part in chosen or there:
            print(f"## {part}", flush=True)
            try:
                results[part] = measured(part, Path(folder).resolve())
            except corpus.Missing as why:
                print(f"skipped: {why}")
            write({part: results[part] for part in there if part in results})


def place() -> AbstractContextManager[Any]:
    """The folder that parts work in."""
    kept = os.environ.get("BENCH_ENVS")
    if not kept:
        return TemporaryDirectory()
    Path(kept).mkdir(parents=True, exist_ok=True)
    return nullcontext(kept)


def measured(part: str, folder: Path) -> dict[str, Any]:
    """A part's rows, and how they were measured."""
    module, rows = import_module(f"tests.benchmarks.{part}"), []
    for row in module.rows(folder):
        print(" | ".join(row), flush=True)
        rows.append(row)
    return {"rounds": getattr(module, "ROUNDS", 1), "cores": os.cpu_count(), "rows": rows}


def write(results: dict[str, Any]) -> None:
    """The rows, and the page with them."""
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "README.md").write_text(page(results))


def page(results: dict[str, Any]) -> str:
    """What stands in README.md."""
    parts = "".join(section(part, result) for part, result in results.items())
    return PAGE.format(interval=usage.INTERVAL, parts=parts)


def section(part: str, result: dict[str, Any]) -> str:
    """The part of the page that a part has."""
    table = "\n".join(f"| {' | '.join(row)} |" for row in result["rows"])
    rounds = "Measured once" if result["rounds"] == 1 else f"Medians of {result['rounds']} rounds"
    about = (import_module(f"tests.benchmarks.{part}").__doc__ or "").strip()
    return PART.format(name=part, about=about, rounds=rounds, cores=result["cores"], table=table)


if __name__ == "__main__":
    main(sys.argv[1:])
