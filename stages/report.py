"""Compute the metrics, hold them against the gate, and write the report, the dataset card and plots.

Everything is counted again from what the stages wrote, so that the numbers are a check of the run and not its diary.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract import profiles
from stages.contract.params import of_stage, sources, value, whole
from stages.contract.paths import CARD, GATE, METRICS, PLOTS, REPORT, SPLITS
from stages.contract.run import run_report
from stages.reporting import figures, gate, glance, health, page
from stages.reporting.evidence import Evidence, gather
from stages.text.personal_data import KINDS, Kind, Mode, Redaction, modes_of
from stages.text.visible import visible

FOLDERS = (PLOTS,)
CARD_TEMPLATE = Path(__file__).with_name("reporting") / "DATASET_CARD.md.j2"
BINS = 20  # bars of a histogram
MARKUP = re.compile(r"[\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w)")


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What the report and the card say that no file of data does; rules are under `gate`."""

    title: Annotated[str, Limits(description="name of the dataset", min_length=1)] = "Fine-tuning dataset"
    intended_use: Annotated[str, Limits(description="one or two sentences")] = ""
    known_faults: Annotated[tuple[str, ...], Limits(description="a sentence each")] = ()


def build(params: Params) -> dict[str, Iterable[bytes]]:
    """The lines of every report."""
    evidence = gather(list(sources()))
    metrics = figures.metrics(evidence, {name: value(f"split.{name}", float) for name in SPLITS})
    held = gate.results(gate.in_force(), metrics)
    state = health.results(health.in_force(), metrics)
    verdict = {
        "passed": gate.passes(held),
        "rules": msgspec.to_builtins(held),
        "health": list(map(health.as_json, state)),
    }
    in_force = (str(whole().get("profile")), profiles.settings(whole()))
    kinds, kept = replaced()
    return {
        METRICS: pretty(metrics),
        GATE: pretty(verdict),
        CARD: card(params, metrics, held, in_force, kinds, kept),
        REPORT: [page.page(params, sources(), evidence, metrics, held, state, in_force, kept).encode()],
        **{f"{PLOTS}/{name}.json": pretty(rows) for name, rows in plots(evidence, metrics).items()},
    }


def pretty(content: Any) -> Iterator[bytes]:
    """Indented JSON, which git shows line by line."""
    yield json.dumps(content, indent=2, ensure_ascii=False).encode()


def replaced() -> tuple[dict[Kind, Mode], list[str]]:
    """What becomes of each kind of personal data that is looked for, and the names of those that are not."""
    modes = modes_of(of_stage("collect", Redaction).redact)
    kinds = {kind: modes[kind] for kind in KINDS if modes.get(kind, "keep") != "keep"}
    return kinds, [kind.replace("_", " ") for kind in KINDS if kind not in kinds]


def card(
    about: Params,
    metrics: dict[str, Any],
    held: list[gate.Result],
    in_force: tuple[str, list[profiles.Setting]],
    kinds: dict[Kind, Mode],
    kept: list[str],
) -> Iterator[bytes]:
    """The dataset card."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=False, autoescape=False)  # noqa: S701 - Markdown, see plain
    environment.filters["plain"] = plain
    template = environment.from_string(CARD_TEMPLATE.read_text("utf-8"))
    told = {
        "about": about,
        "metrics": metrics,
        "gate": held,
        "judge": glance.judge(metrics["judge"]).text,
        "sources": sources(),
        "kinds": kinds,
        "kept": kept,
    }
    profile, settings = in_force
    own = [(each.path, profiles.plain(each.value), profiles.plain(each.usual)) for each in settings if each.own]
    yield template.render(**told, profile=profile, own=own).rstrip().encode()


def plain(text: str) -> str:
    """A text in one line in which nothing is Markdown or HTML."""
    return MARKUP.sub(r"\\\g<0>", " ".join(visible(text).split()))


def plots(evidence: Evidence, metrics: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The data of each plot."""
    examples = evidence.table[evidence.table["kind"] == "example"]
    return {
        "funnel": [
            {"stage": f"{number} {name}", "records": stage["out"]}  # numbered, because the plot sorts by name
            for number, (name, stage) in enumerate(metrics["stages"].items(), 1)
        ],
        "reasons": [{"reason": name, "records": count} for name, count in metrics["top_reasons"].items()],
        "topics": [{"topic": name, "records": count} for name, count in metrics["topics"].items()],
        "tokens": histogram(examples["tokens"].dropna().tolist()),
        "scores": histogram(evidence.table["score"].dropna().tolist()),
    }


def histogram(values: list[float]) -> list[dict[str, Any]]:
    """Counts of values in equal bins; the last bin holds everything above the 99th percentile."""
    import numpy as np

    if not values:
        return []
    top = float(np.quantile(values, 0.99)) or 1.0
    counts, edges = np.histogram(np.minimum(values, top), bins=BINS, range=(min(0.0, *values), top))
    return [{"from": round(float(edge), 3), "records": int(count)} for edge, count in zip(edges, counts, strict=False)]


if __name__ == "__main__":
    run_report(build)
