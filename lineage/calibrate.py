"""How far the judge in force agrees with the people who rated `data/ratings`, and what follows from it."""

from functools import partial

import msgspec
import numpy as np
from msgspec import Struct

from lineage import agreement, ratings
from lineage.agreement import Array, Cut, Estimate, estimate
from lineage.ratings import OVERALL, Ratings
from stages import judge
from stages.contract import params, paths, shards
from stages.contract.params import stop
from stages.contract.record import joined, prompt, reply
from stages.models import pairwise, rubric
from stages.models.ask import ask
from stages.models.pairwise import Verdict
from stages.models.request import Answer, Request, key
from stages.models.settings import settings
from stages.reporting import calibration, gate
from stages.reporting.calibration import Earlier, Judge
from stages.text import tokens

NAME = "calibrate"
"""Its answers are kept as those of a stage, data/answers/calibrate.jsonl, and belong to no output of the pipeline."""
GOOD = 3.5  # people's overall score from which a reply is good: a mean below it does harm


class Judged(Struct):
    """What the judge says of the gold: the score of each example by dimension, None if it gave none, and of each pair."""

    scores: list[dict[str, float] | None]
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
    """Judge the gold, compute every number and write reports/calibration.json; `accept` forgets what it was compared with."""
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
    """Ask the judge in force."""
    return by_scorer(found) if settings("judge").provider == "none" else by_model(found)


def by_scorer(found: Ratings) -> Judged:
    """The local scorer gives one score; of two replies it prefers the one with the higher."""
    return Judged(
        [{OVERALL: local_score(prompt(each.record), reply(each.record))} for each in found.examples],
        [preferred(prompt(each.record), reply(each.record), joined(each.record.rejected)) for each in found.pairs],
    )


def local_score(asked: str, said: str) -> float:
    """The local scorer's score of a reply."""
    return round(max(1.0, 5.0 - sum(judge.penalties(asked, said).values())), 3)


def preferred(asked: str, first: str, second: str) -> Verdict:
    """Which of two replies the local scorer scores higher."""
    one, other = local_score(asked, first), local_score(asked, second)
    return "tie" if one == other else "first" if one > other else "second"


def requests(found: Ratings | None = None) -> list[Request]:
    """What a model is asked, of each example as the stage asks and of each pair in both orders."""
    found = found or gold()
    return [*map(example_request, found.examples), *(each for pair in found.pairs for each in pair_requests(pair))]


def by_model(found: Ratings) -> Judged:
    """Every question that is not answered yet is paid for."""
    answers = ask(NAME, requests(found), settings("judge"))
    return Judged(
        [scores(answers.get(key(example_request(each)))) for each in found.examples],
        [pairwise.verdict(*(answers.get(key(each)) for each in pair_requests(pair))) for pair in found.pairs],
    )


def example_request(example: ratings.Example) -> Request:
    """What the stage asks of this record."""
    raise NotImplementedError


def pair_requests(pair: ratings.Pair) -> tuple[Request, Request]:
    """Both orders of a pair."""
    chosen = params.of_stage("judge", judge.Params)
    return pairwise.requests(
        prompt(pair.record),
        reply(pair.record),
        joined(pair.record.rejected),
        rubric.of_project(chosen.rubric),
        settings("judge"),
    )


def scores(answer: Answer | None) -> dict[str, float] | None:
    """The scores in an answer, the overall one computed; None if it is no good."""
    if answer is None or answer.kind != "ok":
        return None
    chosen = params.of_stage("judge", judge.Params)
    told = rubric.of_project(chosen.rubric)
    found = rubric.scores(answer, told)
    return {OVERALL: rubric.overall(found, told, chosen.weights), **found}


# the numbers


def numbers(found: Ratings, said: Judged, who: Judge) -> Calibration:
    """Every number from what people and the judge said; rows that one of them left out are left out of the comparison."""
    seed, threshold = params.seed(), params.value("judge.threshold", float)
    places, scored, people = matched(found, said, OVERALL)
    lengths = np.array(tokens.count_all([reply(found.examples[place].record) for place in places]), float)
    passes, good = (scored >= threshold).astype(float), (people >= GOOD).astype(float)
    return Calibration(
        who,
        calibration.ratings_digest(),
        len(found.examples),
        len(found.pairs),
        len(found.raters),
        said.scores.count(None) + said.verdicts.count("unjudged"),
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
        **of_pairs(found, said, seed),
        threshold=agreement.cut(scored, good, threshold),
        suggested=agreement.best_cut(scored, good, threshold),
        pass_rate=pass_rate(passes, good, threshold, seed),
    )


def matched(found: Ratings, said: Judged, dimension: str) -> tuple[list[int], Array, Array]:
    """The examples that both scored, by number, the judge's scores, and the mean of the people's."""
    both = [
        (place, scores[dimension], mean)
        for place, (example, scores) in enumerate(zip(found.examples, said.scores, strict=True))
        if scores and dimension in scores and (mean := example.mean(dimension)) is not None
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
    return np.array([[np.floor(scores[OVERALL] + 0.5) if scores else np.nan] for scores in said.scores])


def of_pairs(found: Ratings, said: Judged, seed: int) -> dict[str, Estimate]:
    """How often a verdict is the people's, of all pairs and of those with a winner for both, and is the same in both orders."""
    seen = [
        (pair.wanted, verdict)
        for pair, verdict in zip(found.pairs, said.verdicts, strict=True)
        if verdict != "unjudged"
    ]
    right = [float(wanted == verdict) for wanted, verdict in seen if wanted]
    winners = ("first", "second")
    clear = [float(wanted == verdict) for wanted, verdict in seen if wanted in winners and verdict in winners]
    steady = [float(verdict != "inconsistent") for _, verdict in seen]
    named = {"accuracy": right, "decided": clear, "consistency": steady}
    return {name: estimate(agreement.share, np.array(hits, float), seed=seed) for name, hits in named.items()}


def pass_rate(passes: Array, good: Array, threshold: float, seed: int) -> PassRate:
    """What the judge passes of the dataset, and how much of the dataset is good after what the gold says of its errors."""
    scored = [row["score"] for row in shards.rows(paths.ROOT / paths.OUTPUT["judge"])] if built() else []
    passed = agreement.rounded(sum(score >= threshold for score in scored) / len(scored)) if scored else None
    specificity, sensitivity = (mean_of(1 - passes[good == 0]), mean_of(passes[good == 1]))
    found = PassRate(len(scored), passed, specificity, sensitivity, Estimate(None, None, None, len(good)))
    if passed is None:
        found.why = f"{paths.OUTPUT['judge']} is not there or empty; run `dvc repro judge`"
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


def built() -> bool:
    """Whether the dataset was judged here."""
    return (paths.ROOT / paths.OUTPUT["judge"]).is_file()


def mean_of(hits: Array) -> float | None:
    """A share of ones; None of nothing."""
    return agreement.rounded(np.mean(hits)) if len(hits) else None


# whether it holds


def check() -> list[str]:
    """What is wrong between reports/calibration.json and what is in force; nothing if it holds, whatever the gate lets pass."""
    metrics = {"judge": calibration.metrics()}
    rules = [rule for rule in gate.in_force().rules if rule.metric.startswith("judge.")]
    return [f"{result.name}: {result.metric} is {result.value:g}, {result.limit}\n    {result.remedy}"
            for result in (gate.held(rule, metrics) for rule in rules) if not result.passed and result.value is not None]
