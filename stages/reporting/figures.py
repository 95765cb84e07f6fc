"""The numbers of the report, from what the stages wrote. Nothing here depends on a clock, a host or an order of files."""

from collections import Counter
from typing import Any

import pandas as pd

from stages.contract import facts, gold, paths
from stages.contract.params import value
from stages.models import rubric
from stages.models.settings import settings
from stages.reporting import accounting, calibration
from stages.reporting.distribution import imbalance, rounded, share, spread, tally, totals, widths
from stages.reporting.evidence import Evidence
from stages.text.model_terms import kin
from stages.text.tokens import NAME as TOKENIZER


def metrics(evidence: Evidence, shares: dict[str, float]) -> dict[str, Any]:
    """Every figure of reports/metrics.json."""
    curated = evidence.table[evidence.table["split"].notna()]
    examples = curated[curated["kind"] == "example"]
    return {
        "dataset": dataset(curated),
        "input": accounting.intake(evidence),
        "answers": accounting.answers(evidence.unresolved, {drop.id for drop in evidence.drops}),
        "sources": accounting.by_source(evidence, curated),
        "stages": accounting.by_stage(evidence),
        "top_reasons": accounting.top_reasons(evidence.drops),
        "tokens": {"tokenizer": TOKENIZER, **spread(examples["tokens"]), "total": int(examples["tokens"].sum())},
        "prompt_tokens": widths(spread(examples["prompt_tokens"])),
        "reply_tokens": spread(examples["reply_tokens"]),
        "reply_words": spread(examples["words"]),
        "scores": scores(evidence.table["score"].dropna()),
        "splits": splits(curated, shares),
        "published": {"alike_across_splits": evidence.published_alike},
        "topics": tally(examples["topic"].fillna("none")),
        "topic_imbalance": imbalance(examples["topic"].dropna()),
        "languages": tally(examples["language"].fillna("not told")),
        "licences": tally(curated["licence"].dropna()),
        "terms": tally(curated["terms"].dropna()),
        "tools": tools(curated),
        "preferences": preferences(curated),
        "evaluation": evaluation(evidence),
        "facts": checked_facts(evidence, curated),
        "personal_data": totals(evidence.table["redacted"]),
        "judge": judge(evidence) | calibration.metrics(),
        "noticed": evidence.noticed,
        "accounting": accounting.problems(evidence, curated),
        "exports": evidence.exports,
    }


def dataset(curated: pd.DataFrame) -> dict[str, int]:
    """How many records of each kind the dataset has, and where."""
    examples = curated[curated["kind"] == "example"]["split"].value_counts()
    kinds = curated["kind"].value_counts()
    by_split = {name: int(examples.get(name, 0)) for name in paths.SPLITS}
    return {
        "examples": sum(by_split.values()),
        **by_split,
        "preferences": int(kinds.get("preference", 0)),
        "labelled": int(kinds.get("labelled", 0)),
    }


def splits(curated: pd.DataFrame, shares: dict[str, float]) -> dict[str, Any]:
    """Size of each split over all kinds, and how far its share lies from the declared one."""
    found = {name: int((curated["split"] == name).sum()) for name in paths.SPLITS}
    return {
        name: {
            "records": count,
            "share": share(count, len(curated)),
            "deviation": rounded(share(count, len(curated)) - shares[name]),
        }
        for name, count in found.items()
    }


def tools(curated: pd.DataFrame) -> dict[str, float]:
    """Records with tools or calls, the share of their tools that they never call, and flags that forbid their own calls."""
    defined = curated["tools_defined"].dropna()
    return {
        "records": len(defined),
        "unused_share": share(curated["tools_unused"].sum(), defined.sum()),
        "wrong_parallel_flags": int(curated["tools_wrong_flag"].sum()),
    }


def preferences(curated: pd.DataFrame) -> dict[str, float]:
    """Pairs, and the share of them whose chosen ending is the longer one: near 1, length is what they teach."""
    longer = curated["longer"].dropna()
    return {"pairs": len(longer), "chosen_longer_share": share(int((longer == "chosen").sum()), len(longer))}


def evaluation(evidence: Evidence) -> dict[str, Any]:
    """Rows of each evaluation set, what was found of them in the records, and confirmed leaks that are still curated."""
    sets = tally(row.name.partition(":")[0] for row in gold.rows())
    leaks = [row for row in evidence.overlaps if row["leak"]]
    return {
        "rows": sum(sets.values()),
        "sets": sets,
        "leaks": len({row["record"] for row in leaks}),
        "methods": tally(row["method"] for row in leaks),
        "doubtful": sum(row["doubtful"] for row in evidence.overlaps),
        "false_alarms": sum(row["verdict"] == "false_alarm" for row in evidence.overlaps),
        "confirmed_leaks": len(gold.confirmed() & evidence.index.keys()),
    }


def checked_facts(evidence: Evidence, curated: pd.DataFrame) -> dict[str, int]:
    """Curated records that state facts, how many of them are to be checked and are not yet, and those found wrong."""
    found = facts.verdicts()
    listed = Counter(found.get(identifier, "unchecked") for identifier in evidence.fact_check)
    return {
        "records": int(curated["facts"].sum()),
        "listed": listed.total(),
        "right": listed["right"],
        "unsure": listed["unsure"],
        "unchecked": listed["unchecked"] + listed["unsure"],
        "wrong": sum(found[identifier] == "wrong" for identifier in found.keys() & evidence.index.keys()),
    }


def scores(scored: pd.Series) -> dict[str, float]:
    """The judge's scores over all scored records, those it dropped included."""
    if scored.empty:
        return {"scored": 0, "mean": 0.0, "median": 0.0, "p25": 0.0, "p75": 0.0, "below_3_share": 0.0}
    p25, median, p75 = scored.quantile([0.25, 0.5, 0.75])
    return {
        "scored": len(scored),
        "mean": rounded(scored.mean()),
        "median": rounded(median),
        "p25": rounded(p25),
        "p75": rounded(p75),
        "below_3_share": share(int((scored < 3).sum()), len(scored)),
    }


def judge(evidence: Evidence) -> dict[str, Any]:
    """Who judged and by which rubric, what it said or did not say, and the canaries that made it raise a score."""
    given, rows = settings("judge"), evidence.judged
    by_model = given.provider != "none"
    examples = [row for row in rows if "verdict" not in row]
    baited = [row["canary"] for row in rows if "canary" in row]
    scored = evidence.table.loc[[row["id"] for row in examples], "model"].dropna() if by_model else ()
    return {
        "by": given.model if by_model else calibration.LOCAL,
        "rubric": rubric.digest_of(rubric.of_project(value("judge.rubric", str))) if by_model else None,
        "judged": sum("score" in row for row in examples),
        "unjudged": tally(row["unjudged"] for row in examples if "unjudged" in row),
        "pairs": tally(row["verdict"] for row in rows if "verdict" in row),
        "canaries": len(baited),
        "canaries_raised": sum(each["injected"] > each["plain"] for each in baited),
        "of_its_own_kind": sum(kin(given.model or "", name) for name in scored),
    }
