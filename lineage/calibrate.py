"""How far the judge in force agrees with the people who rated `data/ratings`, and what follows from it."""

from functools import partial

import msgspec
import numpy as np
from msgspec import Struct, convert
from msgspec.structs import replace

from lineage import agreement, ratings
from lineage.agreement import Array, Cut, Estimate, estimate
from lineage.ratings import OVERALL, Ratings
from stages import judge
from stages.contract import params, paths, shards
from stages.contract.params import stop
from stages.contract.record import Record, joined, prompt, reply
from stages.models import judging, pairwise
from stages.models.ask import ask
from stages.models.pairwise import Verdict
from stages.models.request import Request
from stages.reporting import calibration, gate
from stages.reporting.calibration import Earlier, Judge
from stages.text import local_score, tokens

NAME = "calibrate"
"""Its answers are kept as those of a stage, data/answers/calibrate.jsonl, and belong to no output of the pipeline."""
STAGE = "judge"
GOOD = 3.5  # people's overall score from which a reply is good: a mean below it does harm


class Said(Struct):
    """What the judge says of a reply: its scores by dimension, and the one that a threshold is held against."""

    scores: dict[str, float]
    effective: float


class Judged(Struct):
    """What the judge says of the gold; None where it gave no judgement."""

    replies: list[Said | None]
    verdicts: list[Verdict]


class PassRate(Struct):
    """The share of the dataset's examples that the judge passes, and the share that is good, corrected for its errors."""

    examples: int
    passed: float | None
    specificity: float | None
    sensitivity: float | None
    corrected: Estimate
    why: str = ""


class Calibration(Struct):
    """All numbers; no text of a row."""

    judge: Judge
    ratings: str
    examples: int
    pairs: int
    raters: int
    unjudged: int
    not_compared: list[str]
    kappa: Estimate
    people: Estimate
    alpha: Estimate
    ac1: Estimate
    bias: dict[str, Estimate]
    verbosity: Estimate
    accuracy: Estimate
    decided: Estimate
    consistency: Estimate
    threshold: Cut
    suggested: Cut | None
    pass_rate: PassRate
    previous: Earlier | None = None


def calibrate(*, accept: bool = False) -> Calibration:
    """Judge the gold, compute every number and write reports/calibration.json; `accept` forgets the earlier ones."""
    found = gold()
    who, before = calibration.in_force(), calibration.last()
    made = numbers(found, judged(found), who)
    if before and not accept:
        made.previous = compared_with(before, who)
    content = msgspec.json.format(msgspec.json.encode(made), indent=2)
    shards.put(paths.ROOT / paths.CALIBRATION, [content])
    return made


def gold() -> Ratings:
    """The ratings; a stop if nobody scored a reply."""
    found = ratings.read()
    if not any(example.mean(OVERALL) is not None for example in found.examples):
        raise stop(
            f"{paths.RATINGS}: has no reply with an `{OVERALL}` score; "
            "put rows of `messages` and `ratings` there, as docs/models.md shows"
        )
    return found


def compared_with(before: calibration.Head, who: Judge) -> Earlier | None:
    """What a calibration is held against: the best of those before, so that agreement cannot fall in small steps unseen."""
    kept = before.previous
    if before.judge == who or before.kappa.value is None:
        return kept
    latest = Earlier(before.judge, before.ratings, before.kappa.value)
    return latest if kept is None or kept.kappa <= latest.kappa else kept


# the judge


def judged(found: Ratings) -> Judged:
    """Judge every reply as the stage does, and compare every pair; what a model has not answered yet is paid for."""
    chosen, of = params.of_stage(STAGE, judge.Params), by_model()
    if of:
        of.answers = ask(NAME, requests(found), of.given)
    compare = partial(model_prefers, of=of) if of else scorer_prefers
    return Judged(
        [said_of(each.record, chosen, of) for each in found.examples], [compare(p.record) for p in found.pairs]
    )


def by_model() -> judging.Judge | None:
    """The model that judges, with its rubric; None is the local scorer."""
    chosen = params.of_stage(STAGE, judge.Params)
    return judging.judge(chosen.rubric, chosen.weights, chosen.max_characters)


def requests(found: Ratings | None = None) -> list[Request]:
    """What a model is asked: of each reply as the stage asks, and of each pair in both orders."""
    found, of = found or ratings.read(), by_model()
    records = [*(each.record for each in found.examples), *(pair.record for pair in found.pairs)]
    return [asked for record in records for asked in judging.questions(record, of).values()] if of else []


def said_of(record: Record, chosen: judge.Params, of: judging.Judge | None) -> Said | None:
    """What the stage finds of a reply; None if it has no score."""
    fact = judge.measure(record, chosen, of)
    fact = judge.weighed(fact, of) if fact else None
    if fact is None or fact.score is None:
        return None
    return Said({OVERALL: fact.score, **(fact.dimensions or {})}, effective(fact, chosen))


def effective(fact: judge.Judged, chosen: judge.Params) -> float:
    """The score that a threshold is held against: 0 for what falls at any, by a single dimension."""
    return 0.0 if fact.score is None or judge.fault_of(fact, replace(chosen, threshold=1.0)) else fact.score


def scorer_prefers(record: Record) -> Verdict:
    """Which of two replies the local scorer scores higher; it knows no order."""
    return preferred(prompt(record), reply(record), joined(record.rejected))


def preferred(asked: str, first: str, second: str) -> Verdict:
    """The same of texts."""
    one, other = (local_score.score(local_score.penalties(asked, said)) for said in (first, second))
    return "tie" if one == other else "first" if one > other else "second"


def model_prefers(record: Record, of: judging.Judge) -> Verdict:
    """What a model says of a pair in both orders."""
    found = judging.answered(record, of)
    return pairwise.verdict(found["forward"], found["backward"])


# the numbers


def numbers(found: Ratings, said: Judged, who: Judge) -> Calibration:
    """Every number from what people and the judge said; rows that one of them left out are left out of the comparison."""
    seed, threshold = params.seed(), params.value(f"{STAGE}.threshold", float)
    places, scored, people = matched(found, said, OVERALL)
    held = np.array([each.effective for place in places if (each := said.replies[place])], float)
    lengths = np.array(tokens.count_all([reply(found.examples[place].record) for place in places]), float)
    accuracy, decided, consistency = of_pairs(found, said, seed)
    passes, good = (held >= threshold).astype(float), (people >= GOOD).astype(float)
    return Calibration(
        who,
        calibration.ratings_digest(),
        len(found.examples),
        len(found.pairs),
        len(found.raters),
        said.replies.count(None) + said.verdicts.count("unjudged"),
        [name for name in found.dimensions if not len(matched(found, said, name)[0])],
        kappa=estimate(agreement.weighted_kappa, scored, people, seed=seed),
        people=estimate(agreement.ordinal_alpha, table(found), seed=seed),
        alpha=estimate(agreement.ordinal_alpha, np.hstack([table(found), column(said)]), seed=seed),
        ac1=estimate(agreement.first_coefficient, passes, good, seed=seed),
        bias={
            name: estimate(agreement.bias, *matched(found, said, name)[1:], seed=seed)
            for name in found.dimensions
            if len(matched(found, said, name)[0])
        },
        verbosity=estimate(agreement.slope, scored, people, lengths, seed=seed),
        accuracy=accuracy,
        decided=decided,
        consistency=consistency,
        threshold=agreement.cut(held, good, threshold),
        suggested=agreement.best_cut(held, good, threshold),
        pass_rate=pass_rate(passes, good, threshold, seed),
    )


def matched(found: Ratings, said: Judged, dimension: str) -> tuple[list[int], Array, Array]:
    """The examples that both scored, by number, the judge's scores, and the mean of the people's."""
    both = [
        (place, each.scores[dimension], mean)
        for place, (example, each) in enumerate(zip(found.examples, said.replies, strict=True))
        if each and dimension in each.scores and (mean := example.mean(dimension)) is not None
    ]
    places, judges, people = zip(*both, strict=True) if both else ((), (), ())
    return list(places), np.array(judges, float), np.array(people, float)


def table(found: Ratings) -> Array:
    """The overall scores: a row per example, a column per rater, NaN where one is missing."""
    return np.array(
        [[each.ratings.get(rater, {}).get(OVERALL, np.nan) for rater in found.raters] for each in found.examples]
    )


def column(said: Judged) -> Array:
    """The judge's overall scores as one more rater gives them, in whole numbers."""
    return np.array([[np.floor(each.scores[OVERALL] + 0.5) if each else np.nan] for each in said.replies])


def of_pairs(found: Ratings, said: Judged, seed: int) -> list[Estimate]:
    """How often a verdict is the people's, also of those with a winner for both, and the same in both orders."""
    seen = [
        (pair.wanted, verdict)
        for pair, verdict in zip(found.pairs, said.verdicts, strict=True)
        if verdict != "unjudged"
    ]
    right = [float(wanted == verdict) for wanted, verdict in seen if wanted]
    winners = ("first", "second")
    clear = [float(wanted == verdict) for wanted, verdict in seen if wanted in winners and verdict in winners]
    steady = [float(verdict != "inconsistent") for _, verdict in seen]
    return [estimate(agreement.share, np.array(hits, float), seed=seed) for hits in (right, clear, steady)]


def pass_rate(passes: Array, good: Array, threshold: float, seed: int) -> PassRate:
    """What the judge passes of the dataset, and how much of the dataset is good after what the gold says of its errors."""
    passing = [score >= threshold for score in dataset_scores()]
    passed = agreement.rounded(sum(passing) / len(passing)) if passing else None
    specificity, sensitivity = (mean_of(1 - passes[good == 0]), mean_of(passes[good == 1]))
    found = PassRate(len(passing), passed, specificity, sensitivity, Estimate(None, None, None, len(good)))
    if passed is None:
        found.why = f"{paths.OUTPUT[STAGE]} is not there or empty; run `dvc repro judge`"
    elif specificity is None or sensitivity is None:
        found.why = "the gold needs both good and bad replies"
    else:
        try:
            agreement.corrected(passed, specificity, sensitivity)
        except ValueError as chance:
            found.why = str(chance)
        else:
            found.corrected = estimate(partial(agreement.corrected_by, passed=passed), passes, good, seed=seed)
    return found


def dataset_scores() -> list[float]:
    """The scores of the dataset's own examples, as a threshold is held against them; none if it was not judged here."""
    path, chosen = paths.ROOT / paths.OUTPUT[STAGE], params.of_stage(STAGE, judge.Params)
    facts = [convert(row, judge.Judged, strict=False) for row in shards.rows(path)] if path.is_file() else []
    return [effective(fact, chosen) for fact in facts if fact.score is not None]


def mean_of(hits: Array) -> float | None:
    """A share of ones; None of nothing."""
    return agreement.rounded(float(np.mean(hits))) if len(hits) else None


# whether it holds


def check() -> list[str]:
    """What the gate's rules say of reports/calibration.json and what is in force, also those that are off."""
    metrics = {"judge": calibration.metrics()}
    rules = [rule for rule in gate.in_force().rules if rule.metric.startswith("judge.")]
    return [
        f"{result.name}: {result.metric} is {result.value:g}, {result.limit}\n    {result.remedy}"
        for result in (gate.held(rule, metrics) for rule in rules)
        if not result.passed and result.value is not None
    ]
