"""reports/report.html: one file that opens anywhere and asks nothing of the network.

What comes from records is hostile: every value goes through `visible` and is escaped, no address in it becomes a link,
and a policy in the page lets nothing run or load but its own style and script, which it names by their digests.
"""

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from stages.contract import params, paths, profiles
from stages.contract.params import Source
from stages.reporting import accounting, chart, choice, coverage, gate, glance, health, likeness
from stages.reporting.evidence import Evidence
from stages.reporting.excerpt import named
from stages.reporting.reasons import meaning
from stages.text.visible import visible

FOLDER = Path(__file__).parent
OVERLAPS = 10  # doubtful matches shown, of those that were dropped and of those that were kept
NAMES = 15  # topics or languages listed; the rest are counted together


def page(
    about: Any,
    sources: dict[str, Source],
    evidence: Evidence,
    metrics: dict[str, Any],
    held: list[gate.Result],
    healths: list[health.Result],
    in_force: tuple[str, list[profiles.Setting]],
    kept: list[str],
) -> str:
    """The whole page.

    `about` has its title, intended use and known faults, `in_force` the profile and every setting, `kept` the kinds of
    personal data that are not looked for.
    """
    losses = glance.ranked(metrics, accounting.losses(evidence))
    by_survivor = choice.groups(evidence.drops)
    groups = choice.largest_groups(by_survivor, evidence.drops, evidence.table)
    drops, sample = choice.shown_drops(evidence.drops), choice.sample(evidence.table)
    personal = accounting.personal_data(evidence)
    examples = evidence.table[evidence.table["kind"] == "example"]
    curated = evidence.table[evidence.table["split"].notna()]
    return render(
        about=about,
        sources=sources,
        metrics=metrics,
        held=held,
        passed=gate.passes(held),
        health=healths,
        glance=[
            *glance.gate(held),
            glance.healths(healths),
            glance.funnel(metrics),
            glance.worst_source(losses),
            glance.duplicates(metrics, groups),
            glance.personal(personal, metrics["personal_data"], kept),
            *glance.noticed(metrics["noticed"]),
            glance.judge(metrics["judge"]),
            glance.records(metrics, sample),
            glance.settings(*in_force),
        ],
        profile=in_force[0],
        profile_for=profiles.table().profiles.get(in_force[0], ""),
        settings=in_force[1],
        losses=losses,
        splits=split_table(curated),
        personal=personal,
        not_looked_for=glance.not_looked_for(kept),
        histograms=histograms(evidence.table, examples),
        bars=[
            ("Topics", "topic", bars(evidence.table["topic"].fillna("none"), examples["topic"].fillna("none"))),
            (
                "Languages of the replies",
                "language",
                bars(*(each["language"].fillna("not told") for each in (evidence.table, examples))),
            ),
        ],
        coverage=coverage.coverage(
            coverage.generated(evidence.table, sources), coverage.asked(params.whole().get("generate") or {})
        ),
        likeness=[
            ("topic", likeness.likeness(curated["topic"].fillna("none"), curated["split"])),
            ("source", likeness.likeness(curated["source"], curated["split"])),
        ],
        shares=[
            ("topic", shares(curated["topic"].fillna("none"), curated["split"])),
            ("source", shares(curated["source"], curated["split"])),
        ],
        groups=groups,
        group_count=len(by_survivor),
        overlaps=doubtful(evidence.overlaps),
        drops=drops,
        drop_count=len(evidence.drops),
        sample=sample,
        curated_count=len(curated),
        paths=paths,
    )


def doubtful(overlaps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The doubtful matches with evaluation rows, as many kept as dropped, those that say the most of a row first."""
    found = sorted((row for row in overlaps if row["doubtful"]), key=lambda row: (-row["score"], row["record"]))
    return [row for leak in (True, False) for row in [each for each in found if each["leak"] == leak][:OVERLAPS]]


def render(**context: Any) -> str:
    """The template with its style and its script, and the policy that allows just these."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=seen,
    )
    environment.filters |= {
        "percent": glance.percent,
        "value": glance.value,
        "named": named,
        "shown": health.shown,
        "good": health.good,
        "remedy": glance.remedy,
        "setting": profiles.plain,
    }
    environment.globals |= {
        "link": link,
        "meaning": meaning,
        "split_names": paths.SPLITS,
        "stage_names": choice.ORDER,
        "chart": chart,
    }
    style, script = ((FOLDER / f"report.{kind}").read_text("utf-8") for kind in ("css", "js"))
    policy = (
        f"default-src 'none'; style-src '{digest(style)}'; script-src '{digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    from markupsafe import Markup

    own = {"style": Markup(style), "script": Markup(script), "policy": Markup(policy)}  # noqa: S704 - files of this folder
    return environment.get_template("report.html.j2").render(**context, **own)


def seen(value: Any) -> Any:
    """What the template writes: text with what it hides made visible, and then escaped like everything."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def link(**values: str) -> str:
    """The fragment that sets the filter of the drops or of the sample."""
    return "#" + urlencode(values)


def digest(content: str) -> str:
    """How a content security policy names a style or a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def split_table(curated: pd.DataFrame) -> list[dict[str, Any]]:
    """Records of each kind in each split."""
    return [
        {"name": name, "records": len(part), "share": len(part) / max(1, len(curated))}
        | {kind: int((part["kind"] == kind).sum()) for kind in ("example", "preference", "labelled")}
        for name in paths.SPLITS
        for part in [curated[curated["split"] == name]]
    ]


def histograms(table: pd.DataFrame, examples: pd.DataFrame) -> list[dict[str, Any]]:
    """The distributions of all records that were collected, and of the examples among them that were kept."""
    found = []
    for column, title, unit, low in (
        ("words", "Words of the reply", "words", 0),
        ("tokens", "Tokens of the record", "tokens", 0),
        ("score", "Score of the judge", "score", 1),
    ):
        before, after = (each[column].dropna() for each in (table, examples))
        found.append(
            {
                "title": title,
                "unit": unit,
                "bars": chart.histogram(before.tolist(), after.tolist(), low),
                "before": len(before),
                "after": len(after),
                "medians": tuple(float(each.median()) if len(each) else None for each in (before, after)),
            }
        )
    return found


def bars(before: pd.Series, after: pd.Series) -> list[dict[str, Any]]:
    """Counts by name before and after, the commonest first, rare names counted together."""
    was, is_now = before.value_counts(), after.value_counts()
    order = sorted(was.index, key=lambda name: (-is_now.get(name, 0), -was[name], name))
    rows = [(named(name), int(was[name]), int(is_now.get(name, 0))) for name in order[:NAMES]]
    largest, total = max((row[1] for row in rows), default=1), max(1, int(is_now.sum()))
    drawn = [100 / largest] * len(rows)
    if rest := order[NAMES:]:
        rows.append((f"{len(rest):,} others", sum(int(was[n]) for n in rest), sum(int(is_now.get(n, 0)) for n in rest)))
        drawn.append(0.0)  # together they can be many times the largest
    return [
        {"name": name, "before": b, "after": a, "share": a / total, "x": b * unit, "y": a * unit}
        for (name, b, a), unit in zip(rows, drawn, strict=True)
    ]


def shares(names: pd.Series, splits: pd.Series) -> list[dict[str, Any]]:
    """The share of each name in each split and in the whole, the commonest first."""
    whole = names.value_counts()
    order = sorted(whole.index, key=lambda name: (-whole[name], name))
    parts = {split: names[splits == split].value_counts() for split in paths.SPLITS}

    def row(label: str, members: Iterable[str]) -> dict[str, Any]:
        wanted = list(members)
        return {
            "name": label,
            "whole": int(whole[wanted].sum()) / len(names),
            **{
                split: int(part.reindex(wanted, fill_value=0).sum()) / max(1, int(part.sum()))
                for split, part in parts.items()
            },
        }

    rows = [row(named(name), [name]) for name in order[:NAMES]]
    return rows + ([row(f"{len(order) - NAMES:,} others", order[NAMES:])] if len(order) > NAMES else [])
