"""What came in and what became of it: rows, records and drops by source, stage and reason, and whether the sums agree."""

from collections import Counter
from typing import Any

import pandas as pd

from stages.contract import paths
from stages.contract.record import Drop
from stages.reporting.distribution import share, tally, totals
from stages.reporting.evidence import Evidence

TOP = 10  # reasons listed
AT_ODDS = ("contradictory_pairs", "preference_cycle")
"""What dedup calls preference pairs that cannot all be right. One that is left alone contradicts nothing."""


def intake(evidence: Evidence) -> dict[str, Any]:
    """What came in: rows, rows that could not be read, and duplicates, all counted in the input."""
    rows = sum(source["rows"] for source in evidence.intake.values())
    records = len(evidence.table)
    errors = sum(drop.stage == "collect" for drop in evidence.drops)
    duplicates = Counter(drop.reason for drop in evidence.drops if drop.stage == "dedup")
    return {
        "rows": rows,
        "records": records,
        "format_errors": errors,
        "format_error_share": share(errors, rows),
        "exact_duplicates": duplicates["exact_duplicate"],
        "folded_duplicates": duplicates["folded_duplicate"],
        "near_duplicates": duplicates["near_duplicate"],
        "semantic_duplicates": duplicates["semantic_duplicate"],
        "alike_prompts": duplicates["alike_prompt"],
        "duplicate_share": share(duplicates.total(), records),
        "repairs": totals(source["repairs"] for source in evidence.intake.values()),
        "key_conflicts": sum(source["key_conflicts"] for source in evidence.intake.values()),
    }


def answers(unresolved: list[dict[str, Any]], gone: set[str]) -> dict[str, int]:
    """Prompts with several answers, those whose answers choose differently, and records that were not compared with all or
    were not trusted to be the same as another; and preference pairs that cannot all be right, found and still there.
    """
    kinds = Counter(row["kind"] for row in unresolved)
    return {
        "conflicting": kinds["conflicting_tools"] + kinds["conflicting_answer"],
        "several": kinds["several_answers"],
        "uncompared": sum(len(row["ids"]) for row in unresolved if row["kind"] == "uncompared"),
        "refused_matches": kinds["refused_match"],
        "contradictory_pairs": kinds["contradictory_pairs"],
        "preference_cycles": kinds["preference_cycle"],
        "contradictions_left": sum(row["kind"] in AT_ODDS and len(set(row["ids"]) - gone) > 1 for row in unresolved),
    }


def by_source(evidence: Evidence, curated: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows, records and what became of them, per source."""
    kept, dropped = curated["source"].value_counts(), Counter(drop.source for drop in evidence.drops)
    return {
        name: {
            "rows": at["rows"],
            "records": at["records"],
            "curated": int(kept.get(name, 0)),
            "dropped": dropped[name],
        }
        for name, at in evidence.intake.items()
    }


def by_stage(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """What each stage was given, what it dropped and why, in the order they run."""
    left = sum(source["rows"] for source in evidence.intake.values())
    stages = {}
    for stage in paths.DROPPING:
        reasons = tally(drop.reason for drop in evidence.drops if drop.stage == stage)
        dropped = sum(reasons.values())
        stages[stage] = {"in": left, "dropped": dropped, "out": left - dropped, "reasons": reasons}
        left -= dropped
    return stages


def top_reasons(drops: list[Drop]) -> dict[str, int]:
    """The most frequent reasons; those of one count are in order."""
    found = Counter(f"{drop.stage}.{drop.reason}" for drop in sorted(drops, key=named))
    return dict(found.most_common(TOP))


def named(drop: Drop) -> tuple[str, str]:
    """Stage and reason: ties between counts are listed in this order."""
    return drop.stage, drop.reason


def losses(evidence: Evidence) -> dict[str, Counter[tuple[str, str]]]:
    """How many rows each source lost, by stage and reason."""
    found: dict[str, Counter[tuple[str, str]]] = {source: Counter() for source in evidence.intake}
    for drop in evidence.drops:
        found[drop.source][named(drop)] += 1
    return found


def personal_data(evidence: Evidence) -> dict[str, dict[str, int]]:
    """What was replaced in each source, by kind, and in how many records; sources without are left out."""
    touched = evidence.table[evidence.table["redacted"].map(bool)]
    return {
        str(source): totals(found) | {"records": len(found)} for source, found in touched.groupby("source")["redacted"]
    }


def problems(evidence: Evidence, curated: pd.DataFrame) -> dict[str, int]:
    """What is missing or twice, by distinct id: all zero, or something was lost."""
    early = {drop.id for drop in evidence.drops if drop.stage == "collect"}
    late = {drop.id for drop in evidence.drops if drop.stage != "collect"}
    records, kept = set(evidence.table.index), set(curated.index)
    rows = sum(source["rows"] for source in evidence.intake.values())
    found = {
        "rows_unaccounted": rows - len(records) - len(early),
        "records_unaccounted": len(records - kept - late),
        "records_both_kept_and_dropped": len(kept & late),
        "drops_of_unknown_records": len(late - records),
        "curated_unknown_records": len(evidence.index.keys() - records),
        "records_twice": len(evidence.table) - len(records),
    }
    return {"problems": sum(map(abs, found.values()))} | found
