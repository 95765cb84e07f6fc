"""The report in plain sentences: what a reader wants to know first, each with the place that says more."""

from collections import Counter
from typing import Any, Literal

from msgspec import Struct

from stages.contract.profiles import Setting, plain
from stages.reporting import health
from stages.reporting.choice import Group, Sampled
from stages.reporting.excerpt import named
from stages.reporting.gate import Result
from stages.reporting.reasons import meaning

LOCAL = "The local scorer judged, which is rules: they find useless replies and cannot tell a wrong one."
OWN = 3  # settings told
State = Literal["ok", "look", "warn", "plain"]


class Sentence(Struct, frozen=True):
    """An answer: the question's name, the words, how good it is, and the section that says more."""

    about: str
    text: str
    section: str
    state: State = "plain"


class Loss(Struct, frozen=True):
    """What became of the rows of one source."""

    source: str
    rows: int
    curated: int
    by_stage: dict[str, int]
    reasons: tuple[tuple[str, str, int], ...]

    @property
    def dropped(self) -> int:
        """All its drops."""
        return sum(self.by_stage.values())

    @property
    def share(self) -> float:
        """Share of its rows that was dropped."""
        return self.dropped / self.rows if self.rows else 0.0


def count(number: float, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.1f}\u00a0%"


def value(number: float | None) -> str:
    """A metric's value for people: whole numbers with separators, others with at most three decimals."""
    if number is None:
        return "missing"
    return f"{number:,.3f}".rstrip("0").rstrip(".") if number % 1 else f"{number:,.0f}"


def ranked(metrics: dict[str, Any], losses: dict[str, Counter[tuple[str, str]]]) -> list[Loss]:
    """The sources, the one that lost the largest share first."""
    found = []
    for name, at in metrics["sources"].items():
        by_stage: Counter[str] = Counter()
        for (stage, _), number in losses[name].items():
            by_stage[stage] += number
        common = sorted(losses[name].items(), key=lambda item: (-item[1], item[0]))
        reasons = tuple((stage, reason, number) for (stage, reason), number in common)
        found.append(Loss(name, at["rows"], at["curated"], dict(by_stage), reasons))
    return sorted(found, key=lambda loss: (-loss.share, loss.source))


def judge(found: dict[str, Any]) -> Sentence:
    """Who judged by what, what got no judgement, and whether the judge can be trusted."""
    if not found["rubric"]:
        return Sentence("Judge", LOCAL, "content")
    missing, own = found["unjudged"], found["of_its_own_kind"]
    said = [
        f"{found['by']} judged {count(found['judged'], 'example')} by the rubric {found['rubric']}",
        f"{sum(missing.values()):,} are unjudged ({listed(missing)})" if missing else "none is unjudged",
        f"{found['canaries_raised']} of {count(found['canaries'], 'canary', 'canaries')} raised a score",
        *([f"which ending of a pair is better: {listed(found['pairs'])}"] if found["pairs"] else []),
        *([f"{own:,} were written by a model of its own kind, which judges favour"] if own else []),
    ]
    failed = any(kind != "not asked" for kind in missing)
    state: State = "warn" if found["canaries_raised"] else "look" if own or failed else "plain"
    return Sentence("Judge", "; ".join(said) + ".", "content", state)


def listed(counts: dict[str, int]) -> str:
    """Names with their counts."""
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())


def gate(held: list[Result]) -> list[Sentence]:
    """The verdict, then each rule that does not pass with its remedy."""
    failing = [result for result in held if not result.passed]
    errors = sum(result.severity == "error" for result in failing)
    warnings = len(failing) - errors
    verdict = f"passes: {count(len(held) - len(failing), 'rule')} of {len(held)} hold"
    if errors:
        verdict = f"fails: {count(errors, 'rule')} of {len(held)} broken"
    verdict += f", {count(warnings, 'warning')}." if warnings else "."
    found = [Sentence("Gate", f"The gate {verdict}", "gate", "warn" if errors else "look" if warnings else "ok")]
    for result in sorted(failing, key=lambda result: result.severity):
        word = "fails" if result.severity == "error" else "warns"
        text = f"“{result.name}” {word}: {result.metric} is {value(result.value)}, wanted is {result.limit}."
        found.append(
            Sentence("To do", f"{text} {remedy(result)}", "gate", "warn" if result.severity == "error" else "look")
        )
    return found


def remedy(result: Result) -> str:
    """What to do, as a sentence."""
    text = result.remedy if result.value is not None else "the metrics have no such number: mend the rule's metric"
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".") + waiving(result)


def waiving(result: Result) -> str:
    """Who lets the rule fail and until when; whether that day is over, a page that does not know the day cannot say."""
    if not result.waiver:
        return ""
    who, until, reason = result.waiver.who, result.waiver.until, result.waiver.reason
    return f" {who} lets it fail until {until}: {reason}. Up to that day `dataset gate` counts it as waived."


def funnel(metrics: dict[str, Any]) -> Sentence:
    """How many rows came in, how many went out, and where most fell."""
    rows, made = metrics["input"]["rows"], metrics["dataset"]
    kinds = [count(made["examples"], "example")]
    kinds += [count(made["preferences"], "preference pair")] if made["preferences"] else []
    kinds += [count(made["labelled"], "labelled answer")] if made["labelled"] else []
    dropped = sum(stage["dropped"] for stage in metrics["stages"].values())
    text = f"{count(rows, 'row')} came in; {', '.join(kinds)} went out; {dropped:,} fell ({percent(dropped / (rows or 1))})."
    worst = max(metrics["stages"], key=lambda name: metrics["stages"][name]["dropped"])
    if dropped:
        reasons = sorted(metrics["stages"][worst]["reasons"].items(), key=lambda item: (-item[1], item[0]))
        told = "; ".join(f"{number:,} {reason} ({meaning(worst, reason)})" for reason, number in reasons[:2])
        text += f" Most fell in {worst}, {metrics['stages'][worst]['dropped']:,}: {told}."
    return Sentence("Losses", text, "funnel")


def worst_source(found: list[Loss]) -> Sentence:
    """The source that lost the largest share of its rows, and why."""
    if not any(loss.dropped for loss in found):
        return Sentence("Worst source", "No source lost a row.", "sources", "ok")
    worst = found[0]
    stage, reason, number = worst.reasons[0]
    text = f"{worst.source} lost the largest share: {worst.dropped:,} of {count(worst.rows, 'row')} ({percent(worst.share)})"
    text += f", most often in {stage} for {reason} ({number:,}: {meaning(stage, reason)})."
    most = max(found, key=lambda loss: loss.dropped)
    text += f" {most.source} lost the most rows, {most.dropped:,}." if most.dropped > worst.dropped else ""
    return Sentence("Worst source", text, "sources")


def duplicates(metrics: dict[str, Any], groups: list[Group]) -> Sentence:
    """The largest group of duplicates."""
    at = metrics["input"]
    if not groups:
        return Sentence("Duplicates", "No record was dropped as a duplicate of another.", "duplicates", "ok")
    largest = groups[0]
    equal = at["exact_duplicates"] + at["folded_duplicates"]
    further = at["semantic_duplicates"] + at["alike_prompts"]
    text = f"{equal:,} equal and {count(at['near_duplicates'], 'near-duplicate')} fell"
    text += f", and {further:,} by vectors or prompts" if further else ""
    text += ". The largest "
    text += f"group has {count(largest.members, 'record')}: {largest.members - 1:,} dropped for one that was kept"
    peek = largest.text.peek if largest.text else ""
    text += f", which starts “{peek}”." if peek else "."
    if conflicts := metrics["answers"]["conflicting"]:
        text += f" {count(conflicts, 'prompt')} got answers that contradict each other: data/unresolved.jsonl."
    return Sentence("Duplicates", text, "duplicates")


def not_looked_for(kept: list[str]) -> str:
    """What stays in the records because only a model could find it, given the kinds that are not looked for."""
    found = [many for kind, many in (("name", "names"), ("address", "addresses")) if kind in kept]
    return f" {' and '.join(found).capitalize()} are not looked for." if found else ""


def personal(by_source: dict[str, dict[str, int]], kinds: dict[str, int], kept: list[str]) -> Sentence:
    """Which personal data was replaced, where most of it was, and what is not looked for."""
    if not kinds:
        return Sentence("Personal data", f"No personal data was found.{not_looked_for(kept)}", "personal")
    told = ", ".join(
        f"{kind} {number:,}" for kind, number in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    )
    finds = {source: sum(found.values()) - found["records"] for source, found in by_source.items()}
    most = max(sorted(finds), key=lambda source: finds[source])
    text = f"{count(sum(kinds.values()), 'find was', 'finds were')} replaced: {told}; most in {most} ({finds[most]:,})."
    return Sentence("Personal data", text + not_looked_for(kept), "personal")


def noticed(reasons: dict[str, int]) -> list[Sentence]:
    """What rules of `filter` that only count have found in the dataset; nothing if they found nothing."""
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    told = "; ".join(f"{number:,} {reason} ({meaning('filter', reason)})" for reason, number in ranked)
    return [Sentence("Noticed", f"Counted and kept: {told}.", "sample", "look")] if ranked else []


def records(metrics: dict[str, Any], sample: list[Sampled]) -> Sentence:
    """What a usual record is like, and how one of them starts."""
    at, total = metrics, metrics["dataset"]["examples"]
    if not total:
        return Sentence("Records", "The dataset has no example.", "sample", "warn")
    topics = sorted(at["topics"].items(), key=lambda item: (-item[1], item[0]))
    languages = sorted(at["languages"].items(), key=lambda item: (item[0] == "not told", -item[1], item[0]))
    text = f"The median example asks in {value(at['prompt_tokens']['median'])} and answers in "
    text += f"{value(at['reply_tokens']['median'])} tokens; {percent(languages[0][1] / total)} answer in {languages[0][0]}; "
    text += f"the largest of {count(len(topics), 'topic')} is {named(topics[0][0])} ({percent(topics[0][1] / total)})."
    if one := next((each for each in sample if each.text.kind == "example"), None):
        text += f" One from {one.source} starts “{one.text.peek}”."
    return Sentence("Records", text, "sample")


def settings(profile: str, found: list[Setting]) -> Sentence:
    """Which profile sets the thresholds, and what params.yaml says otherwise."""
    own = [f"{each.path} is {plain(each.value)} (profile: {plain(each.usual)})" for each in found if each.own]
    text = f"The profile {profile} sets {count(len(found) - len(own), 'value')}, params.yaml {len(own) or 'none'}"
    text += ": " + "; ".join(own[:OWN]) if own else ""
    text += f"; and {len(own) - OWN} more" if len(own) > OWN else ""
    return Sentence("Settings", text + ".", "settings")


def healths(found: list[health.Result]) -> Sentence:
    """Which health rules want a look."""
    bad = [result for result in found if result.state != "ok"]
    if not bad:
        return Sentence("Health", f"All {len(found)} values lie where they should.", "health", "ok")
    told = "; ".join(
        f"{result.state}: {result.rule.name} ("
        f"{health.shown(result.value, result.rule.unit) if result.value is not None else 'not measured'})"
        for result in bad
    )
    state: State = "warn" if any(result.state == "warn" for result in bad) else "look"
    return Sentence(
        "Health", f"{len(found) - len(bad)} of {len(found)} values lie where they should; {told}.", "health", state
    )
