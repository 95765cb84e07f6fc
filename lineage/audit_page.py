"""An audit as people read it: on a terminal, or as one HTML file that asks nothing of the network."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from lineage.audit import Audit, Line, results
from lineage.commands import gate
from stages.text.visible import visible

WIDTH = 14  # characters of a verdict
LEFT_OUT = ("sources", "gate", "report", "eval")
"""Settings that have lines of their own, or say nothing of the data."""
Fact = tuple[str, str]


def text(found: Audit) -> Iterator[str]:
    """The audit, line by line."""
    for label, said in facts(found):
        yield f"{label:<{WIDTH}}{said}"
    yield ""
    for line in found.lines:
        yield f"{line.verdict:<{WIDTH}}{line.kind:<12}{line.name}  ({line.reason})"
    for heading, several in (("findings", found.findings), ("open", found.notes)):
        yield from ("", f"{heading}:") if several else ()
        yield from (f"  {each}" for each in several)
    yield from ("", summary(found))


def summary(found: Audit) -> str:
    """The audit in one line."""
    verdicts = [line.verdict for line in found.lines]
    counted = ", ".join(f"{verdicts.count(each)} {each}" for each in ("verified", "failed", "not checkable"))
    return f"{found.run.run}: {counted}; {len(found.findings)} findings"


def facts(found: Audit) -> Iterator[Fact]:
    """What is said of the run and its data, each with a label."""
    run, data = found.run, found.run.dataset
    yield "run", f"{run.run}: {run.status}, {run.started}" + (f" to {run.ended}" if run.ended else "")
    yield "model", run.model.name + (f", from {run.model.base}" if run.model.base else "")
    yield "trained with", plain(run.params) or "nothing was recorded"
    yield "metrics", plain(run.metrics) or "none were recorded"
    yield "environment", environment(found) or "none was recorded"
    yield from (("in " + name, plain(values)) for name, values in run.links.items())
    released = [f"released as {found.releases[0]}"] if found.releases else []
    yield "version", ", ".join([f"commit {found.commit[:7]}", *found.tags, f"data {str(data.md5)[:7]}", *released])
    for file in data.files:
        rows = found.read.get(file)
        yield "read", file + (f": {sum(rows.values()):,} records: {counts(rows)}" if rows else "")
    yield "read by terms", counts(found.read_licences) or "not told"
    made = found.dataset
    yield "dataset", counts({name: made[name] for name in made if name != "examples"}) or "its commit has no metrics"
    for name, source in found.sources.items():
        yield "source", f"{name}: {source['curated']} of {source['rows']} rows, {source['licence']}, {source['method']}"
    yield "licences", counts(found.licences)
    yield "gate", gate.summary(results(found.gate), date.today()) if found.gate else "was not held"
    yield "frozen set", contamination(found.evaluation)
    yield "personal data", (counts(found.personal_data) or "nothing") + " replaced"
    for name, values in found.settings.items():
        if name not in LEFT_OUT:
            yield "setting", f"{name}: {plain(values) if isinstance(values, dict) else values}"


def plain(values: dict[str, Any]) -> str:
    """Values by name on one line."""
    return ", ".join(f"{name} {each if isinstance(each, str) else json.dumps(each)}" for name, each in values.items())


def counts(values: dict[str, int]) -> str:
    """Counts by name on one line, without what there is none of."""
    return ", ".join(f"{name} {count:,}" for name, count in values.items() if count)


def environment(found: Audit) -> str:
    """Python, the platform and how many packages."""
    given = found.run.environment
    if not given:
        return ""
    return f"Python {given.python}, {given.platform}, {len(given.packages)} packages" + "".join(
        f", {each}" for each in given.accelerators
    )


def contamination(evaluation: dict[str, Any]) -> str:
    """What was found of the frozen set."""
    if not evaluation:
        return "its commit has no metrics of it"
    return (
        f"{evaluation.get('rows', 0):,} rows; {evaluation.get('leaks', 0)} records with parts of it dropped, "
        f"{evaluation.get('doubtful', 0)} doubtful, {evaluation.get('confirmed_leaks', 0)} confirmed and still in"
    )


def html(found: Audit) -> str:
    """The same as a page. Whatever names a run or source is hostile: all of it is escaped, and nothing may be loaded."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # takes 0.1 s

    folder = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    style = (folder / "audit.css").read_text("utf-8")
    shown = [(label, visible(said)) for label, said in facts(found)]
    lines = [Line(each.kind, visible(each.name), each.verdict, visible(each.reason)) for each in found.lines]
    return environment.get_template("audit.html.j2").render(
        title=visible(found.run.run),
        summary=visible(summary(found)),
        facts=shown,
        lines=lines,
        findings=[visible(each) for each in found.findings],
        notes=[visible(each) for each in found.notes],
        style=style,
        digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
