"""The numbers of the report, from what the stages wrote. Nothing here depends on a clock, a host or an order of files."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from functools import partial
from typing import Any

import pandas as pd
from msgspec import Raw, Struct, json

from stages import filter
from stages.contract import facts, gold, paths, shards
from stages.contract.params import value
from stages.contract.record import Drop, Meta, decode
from stages.contract.scores import lines_of, scores_of
from stages.models import rubric
from stages.models.settings import settings
from stages.reporting import calibration
from stages.text.model_terms import kin
from stages.text.tokens import NAME as TOKENIZER

TOP = 10  # reasons listed
TOLD = 0.5  # confidence from which a language is counted as told


class Head(Struct):
    """The part of a record that figures need; the texts are skipped, not decoded."""

    id: str
    source: str
    meta: Meta
    tools: Raw = Raw()


class Length(Struct):
    """What the check `length` measured."""

    prompt_tokens: int
    reply_tokens: int
    tokens: int
    words: int


class Language(Struct):
    """What the check `language` measured of the reply."""

    reply: tuple[str | None, float]


class Tools(Struct):
    """What the check `tools` measured."""

    defined: int
    unused: int
    wrong_flag: bool


class Pair(Struct):
    """What the check `pairs` measured."""

    longer: str


class Measured(Struct):
    """The part of a row of scores that figures need; a check that was skipped is missing."""

    id: str
    tools: Tools | None = None
    length: Length | None = None
    language: Language | None = None
    pairs: Pair | None = None


AT_ODDS = ("contradictory_pairs", "preference_cycle")
"""What dedup calls preference pairs that cannot all be right. One that is left alone contradicts nothing."""


class Evidence(Struct):
    """Everything the stages wrote, as far as figures need it."""

    intake: dict[str, dict[str, Any]]
    drops: list[Drop]
    table: pd.DataFrame
    index: dict[str, Any]
    exports: dict[str, Any]
    unresolved: list[dict[str, Any]] = []
    overlaps: list[dict[str, Any]] = []
    noticed: dict[str, int] = {}
    judged: list[dict[str, Any]] = []
    fact_check: list[str] = []
    published_alike: int = 0


head = json.Decoder(Head).decode
measured = json.Decoder(Measured).decode


def gather(sources: list[str]) -> Evidence:
    """Read the outputs of all stages; the table has one row per record, indexed by id."""
    heads = (
        head(line) for source in sources for path in shards.of(paths.records(source)) for line in shards.lines(path)
    )
    table = pd.DataFrame.from_records(
        [(*told_of(h.meta), h.id, h.source, bool(h.tools)) for h in heads],
        columns=["topic", "method", "model", "licence", "terms", "facts", "extra", "id", "source", "tools"],
        index="id",
    )
    ledger = {row["id"]: row["redacted"] for row in replaced(sources)}
    table["redacted"] = [ledger.get(identifier, {}) for identifier in table.index]
    scored = {row.id: row for source in sources for row in map(measured, lines_of(source))}
    lengths = {i: row.length for i, row in scored.items() if row.length}
    for name in Length.__struct_fields__:
        table[name] = pd.Series({i: getattr(length, name) for i, length in lengths.items()}, dtype="float64")
    table["language"] = pd.Series(
        {i: told(*row.language.reply) for i, row in scored.items() if row.language}, dtype="object"
    )
    table["longer"] = pd.Series({i: row.pairs.longer for i, row in scored.items() if row.pairs}, dtype="object")
    used = {i: row.tools for i, row in scored.items() if row.tools}
    for name in Tools.__struct_fields__:
        table[f"tools_{name}"] = pd.Series({i: getattr(found, name) for i, found in used.items()}, dtype="float64")
    judged = {row["id"]: row for row in shards.rows(paths.ROOT / paths.OUTPUT["judge"])}
    table["score"] = pd.Series({i: row["score"] for i, row in judged.items() if "score" in row}, dtype="float64")
    index = {row["id"]: row for row in shards.rows(paths.ROOT / f"{paths.CURATED}/index.jsonl")}
    table["split"] = pd.Series({i: row["split"] for i, row in index.items()}, dtype="object")
    table["kind"] = pd.Series({i: row["kind"] for i, row in index.items()}, dtype="object")
    return Evidence(
        {source: decode((paths.origins(source) / "source.json").read_bytes()) for source in sources},
        list(shards.drops([paths.ROOT / f"{paths.CURATED}/dropped.jsonl"])),
        table,
        index,
        decode((paths.ROOT / f"{paths.EXPORTS}/losses.json").read_bytes()),
        list(shards.rows(paths.ROOT / paths.UNRESOLVED)),
        list(shards.rows(paths.ROOT / paths.OUTPUT["decontaminate"])),
        noticed(sources, index),
        list(judged.values()),
        [row["id"] for row in shards.rows(paths.ROOT / paths.FACT_CHECK)],
        sum("leak" in row and row["id"] in index for row in shards.rows(paths.ROOT / paths.OUTPUT["split"])),
    )


def told_of(meta: Meta) -> tuple[Any, ...]:
    """What figures need of what is known of a record."""
    stated = meta.extra.get("facts") is True
    return meta.topic, meta.method, meta.model, meta.licence, meta.terms, stated, meta.extra


def replaced(sources: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of the ledger: the origins of records in which something was replaced, with how much of each kind."""
    for source in sources:
        for path in shards.of(paths.origins(source)):
            yield from (decode(line) for line in shards.lines(path) if b'"redacted":' in line)


def noticed(sources: list[str], curated: Container[str]) -> dict[str, int]:
    """How many curated records give a reason to each rule of `filter` that only counts."""
    rules = filter.prepare(value("filter", filter.Params))
    found = (filter.counted(rules, partial(scores_of, source), curated) for source in sources)
    return dict(sorted(sum(found, Counter()).items()))


def told(language: str | None, confidence: float) -> str | None:
    """The language, if it is likelier than all others together: of a few words the model can only guess."""
    return language if confidence >= TOLD else None


def metrics(evidence: Evidence, shares: dict[str, float]) -> dict[str, Any]:
    """Every figure of reports/metrics.json."""
    curated = evidence.table[evidence.table["split"].notna()]
    examples = curated[curated["kind"] == "example"]
    return {
        "dataset": dataset(curated),
        "input": intake(evidence),
        "answers": answers(evidence.unresolved, {drop.id for drop in evidence.drops}),
        "sources": by_source(evidence, curated),
        "stages": by_stage(evidence),
        "top_reasons": dict(
            Counter(f"{drop.stage}.{drop.reason}" for drop in sorted(evidence.drops, key=named)).most_common(TOP)
        ),
        "tokens": {"tokenizer": TOKENIZER, **spread(examples["tokens"]), "total": int(examples["tokens"].sum())},
        "prompt_tokens": widths(spread(examples["prompt_tokens"])),
        "reply_tokens": spread(examples["reply_tokens"]),
        "reply_words": spread(examples["words"]),
        "scores": scores(evidence.table["score"].dropna()),
        "splits": splits(curated, shares),
        "published": {"alike_across_splits": evidence.published_alike},
        "topics": counts(examples["topic"].fillna("none")),
        "topic_imbalance": imbalance(examples["topic"].dropna()),
        "languages": counts(examples["language"].fillna("not told")),
        "licences": counts(curated["licence"]),
        "terms": counts(curated["terms"].dropna()),
        "tools": tools(curated),
        "preferences": preferences(curated),
        "evaluation": evaluation(evidence),
        "facts": checked_facts(evidence, curated),
        "personal_data": totals(evidence.table["redacted"]),
        "judge": judge(evidence) | calibration.metrics(),
        "noticed": evidence.noticed,
        "accounting": accounting(evidence, curated),
        "exports": evidence.exports,
    }


def evaluation(evidence: Evidence) -> dict[str, Any]:
    """Rows of each evaluation set, what was found of them in the records, and confirmed leaks that are still curated."""
    sets = Counter(row.name.partition(":")[0] for row in gold.rows())
    return {
        "rows": sets.total(),
        "sets": dict(sorted(sets.items())),
        "leaks": len({row["record"] for row in evidence.overlaps if row["leak"]}),
        "methods": dict(sorted(Counter(row["method"] for row in evidence.overlaps if row["leak"]).items())),
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


def named(drop: Drop) -> tuple[str, str]:
    """Stage and reason: ties between counts are listed in this order."""
    return drop.stage, drop.reason


def counts(values: pd.Series) -> dict[str, int]:
    """How often each value occurs, by name."""
    return {str(name): int(count) for name, count in sorted(values.value_counts().items())}


def totals(counted: Iterable[dict[str, int]]) -> dict[str, int]:
    """The sums of many counts by kind."""
    total: Counter[str] = Counter()
    for each in counted:
        total.update(each)
    return dict(sorted(total.items()))


def spread(values: pd.Series) -> dict[str, float]:
    """Mean and quantiles of what was measured; zeros if there is nothing."""
    values = values.dropna()
    if values.empty:
        return dict.fromkeys(("mean", "min", "p10", "median", "p90", "p99", "max"), 0.0)
    quantiles = values.quantile([0.1, 0.5, 0.9, 0.99])
    named_values = zip(("p10", "median", "p90", "p99"), quantiles, strict=True)
    return {"mean": rounded(values.mean()), "min": rounded(values.min()), "max": rounded(values.max())} | {
        n: rounded(v) for n, v in named_values
    }


def widths(found: dict[str, float]) -> dict[str, float]:
    """The quantiles with how many times the 90th is the 10th; below one token counts as one."""
    return found | {"p90_over_p10": rounded(found["p90"] / max(1.0, found["p10"]))}


def rounded(value: float) -> float:
    """Three decimals, as everything that is written."""
    return round(float(value), 3)


def share(part: float, whole: float) -> float:
    """Part of the whole, 0 of nothing."""
    return rounded(part / whole) if whole else 0.0


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


def by_stage(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """What each stage was given, what it dropped and why, in the order they run."""
    reasons = {
        stage: Counter(drop.reason for drop in evidence.drops if drop.stage == stage) for stage in paths.DROPPING
    }
    left = sum(source["rows"] for source in evidence.intake.values())
    stages = {}
    for stage, found in reasons.items():
        stages[stage] = {
            "in": left,
            "dropped": found.total(),
            "out": left - found.total(),
            "reasons": dict(sorted(found.items())),
        }
        left -= found.total()
    return stages


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


def tally(names: Iterable[str]) -> dict[str, int]:
    """How often each name occurs, by name."""
    return dict(sorted(Counter(names).items()))


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


def imbalance(topics: pd.Series) -> float:
    """The largest topic over the smallest."""
    sizes = topics.value_counts()
    return rounded(sizes.max() / sizes.min()) if len(sizes) else 0.0


def accounting(evidence: Evidence, curated: pd.DataFrame) -> dict[str, int]:
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
