"""`dataset calibrate`: hold the judge against people's ratings: agreement, bias, verbosity, threshold, true pass rate."""

import sys
import textwrap
from collections.abc import Iterator

import click

from lineage.agreement import Cut, Estimate, youden
from lineage.calibrate import GOOD, Calibration, check
from lineage.calibrate import calibrate as computed
from lineage.ratings import OVERALL
from stages.contract import params, paths
from stages.text.visible import visible

RELIABLE, TENTATIVE = 0.8, 0.667  # Krippendorff's marks for alpha
WEAK = 0.2  # kappa below which Landis and Koch call agreement slight
DOMINATES = 0.8  # share of one class from which kappa says little
LITTLE = 0.1  # a difference in shares, and in points of bias or slope, that changes nothing
NARROW, WIDE = 22, 100  # columns of a name, and of a line


@click.command()
@click.option("--check", "only_check", is_flag=True, help="Ask and write nothing; exit 1 if it does not hold.")
@click.option("--accept", is_flag=True, help="Compare later calibrations with this one.")
def calibrate(only_check: bool, accept: bool) -> None:
    """Let the judge score what people rated in data/ratings, say how far they agree, and write reports/calibration.json.

    A model is asked only what it has not answered yet; `dataset plan calibrate` tells the price. Exit code 1: the judge is
    no better than chance, agrees less than before, or (with --check) rubric, model or ratings have changed since.
    """
    params.check_keys()
    made = None if only_check else computed(accept=accept)
    for line in lines(made) if made else ():
        click.echo(visible(line))
    failing = check()
    for line in failing:
        click.echo(visible(line))
    if only_check and not failing:
        click.echo(f"{paths.CALIBRATION}: is of the judge and the ratings in force, and agreement did not fall.")
    sys.exit(bool(failing) or (made is not None and by_chance(made.threshold)))


def lines(made: Calibration) -> Iterator[str]:
    """Every number with its interval and a sentence that says what it means and what to do."""
    who = made.judge.model if made.judge.provider == "none" else f"{made.judge.model} of {made.judge.provider}"
    yield f"The {who} scored {made.examples} replies that {made.raters} people scored, and compared {made.pairs} pairs."
    yield "In brackets: what 95 of 100 such sets of replies would show."
    if made.unjudged:
        yield f"It gave no judgement on {made.unjudged} of them; they are left out. Run the command again to ask once more."
    if made.not_compared:
        yield f"It gives no score for {', '.join(made.not_compared)}, so these are not compared."
    for name, number, said in rows(made):
        yield ""
        yield f"{name:<{NARROW}}  {number}"
        yield from textwrap.wrap(said, WIDE, initial_indent="    ", subsequent_indent="    ")
    yield ""
    yield f"Written to {paths.CALIBRATION}. Commit it; `dvc repro report` takes it into the gate."
    if by_chance(made.threshold):
        yield f"Found: at its threshold the {who} is no better than chance."


def rows(made: Calibration) -> Iterator[tuple[str, str, str]]:
    """Name, number and sentence."""
    yield "weighted kappa", shown(made.kappa), of_kappa(made)
    yield "alpha of the people", shown(made.people), of_people(made.people)
    yield "alpha with the judge", shown(made.alpha), of_alpha(made)
    yield "AC1 of keep or drop", shown(made.ac1), of_ac1(made)
    for name, found in made.bias.items():
        yield f"bias, {name}", shown(found, signed=True), of_bias(name, found)
    yield "verbosity slope", shown(made.verbosity, signed=True), of_slope(made.verbosity)
    if made.pairs:
        yield "pairs: accuracy", shown(made.accuracy), of_accuracy(made)
        yield "pairs: same order", shown(made.consistency), of_order(made)
    yield "threshold in force", f"{made.threshold.threshold:g}", of_cut(made.threshold)
    yield "suggested threshold", f"{made.suggested.threshold:g}" if made.suggested else "none", of_suggested(made)
    yield "true pass rate", shown(made.pass_rate.corrected), of_pass_rate(made)


def shown(found: Estimate, *, signed: bool = False) -> str:
    """A number with its interval."""
    if found.value is None:
        return "not known"
    form = "+.2f" if signed else ".2f"
    between = "" if found.low is None or found.high is None else f"  [{found.low:{form}}, {found.high:{form}}]"
    return f"{found.value:{form}}{between}"


def of_kappa(made: Calibration) -> str:
    """How far the scores agree with the people's mean."""
    found = made.kappa.value
    scale = "1 is full agreement with the people's mean score, 0 is chance."
    if found is None:
        return f"{scale} All scores are alike, so nothing can be told; rate worse and better replies too."
    if found < WEAK:
        return f"{scale} This is hardly better than chance: let nothing be dropped by it that nobody looks at."
    if found < TENTATIVE:
        return f"{scale} Good enough to find the worst; read what it drops near the threshold."
    if found < RELIABLE:
        return f"{scale} Good; sharpen the anchors of the dimension with the largest bias to gain more."
    return f"{scale} It agrees as people do who were trained together; nothing to do."


def of_people(found: Estimate) -> str:
    """Whether the people agree well enough to be a measure."""
    if found.value is None:
        return "Krippendorff's alpha of the people among themselves needs replies that two of them scored."
    if found.value >= RELIABLE:
        return "The people agree among themselves: their ratings are a sound measure, and as much as a judge can reach."
    if found.value >= TENTATIVE:
        return "The people agree roughly; talk the worst differences over before you blame the judge."
    return "The people do not agree among themselves, so no judge can agree with them: mend the rubric and rate again."


def of_alpha(made: Calibration) -> str:
    """What the judge does to the people's agreement."""
    if made.alpha.value is None or made.people.value is None:
        return "The same with the judge as one more rater, in whole numbers."
    fall = made.people.value - made.alpha.value
    if fall <= LITTLE:
        return "With the judge as one more rater agreement stays as it is: it could be one of them."
    return f"With the judge as one more rater agreement falls by {fall:.2f}: it does not judge as they do."


def of_ac1(made: Calibration) -> str:
    """Agreement on what to keep, and when to look at it rather than at kappa."""
    good, whole = made.threshold.good, made.threshold.good + made.threshold.bad
    most = max(good, whole - good) / whole if whole else 0
    trust = (
        f"{most:.0%} of the replies are of one class, so trust this more than kappa."
        if most >= DOMINATES
        else "Neither class dominates, so it should say what kappa says."
    )
    return f"Gwet's AC1 of the judge's keep or drop with the people's {GOOD} or more. {trust}"


def of_bias(name: str, found: Estimate) -> str:
    """Whether the judge is milder or stricter."""
    if found.value is None or found.low is None or found.high is None or found.low <= 0 <= found.high:
        return "The judge is neither milder nor stricter than the people, as far as these replies tell."
    how = "milder" if found.value > 0 else "stricter"
    do = "move judge.threshold rather than trust the number" if name == OVERALL else f"sharpen the anchors of {name}"
    small = " It is small enough to leave." if abs(found.value) < LITTLE else f" To do: {do}."
    return f"The judge is {how} than the people by {abs(found.value):.2f} points.{small}"


def of_slope(found: Estimate) -> str:
    """Whether length is rewarded."""
    if found.value is None or found.low is None or found.high is None or found.low <= 0 <= found.high:
        return "Points beyond the people's for every doubling of the length: none that these replies can tell from 0."
    if found.value > 0:
        return (
            f"It likes length: {found.value:.2f} points beyond the people's for every doubling. "
            "To do: give the rubric an example of a short, excellent reply."
        )
    return (
        f"It dislikes length: {-found.value:.2f} points below the people's for every doubling. "
        "To do: give the rubric an example of a long reply that is all needed."
    )


def of_accuracy(made: Calibration) -> str:
    """How often it prefers what the people prefer."""
    both, right = made.decided.n, made.decided.value
    also = f"In {both} both name a winner" + ("." if right is None else f", the same in {right:.2f} of those.")
    return f"Share of {made.accuracy.n} pairs in which it says what most people say; a coin reaches 0.5 or less. {also}"


def of_order(made: Calibration) -> str:
    """Whether the place of a reply matters to it."""
    if made.judge.provider == "none":
        return "The local scorer scores each reply alone, so the order cannot matter."
    return "Share of pairs with the same verdict in both orders. The others count as undecided: ask in both, as here."


def of_cut(found: Cut) -> str:
    """What the threshold in force keeps of good and bad."""
    kept = (
        f"It keeps {found.good_kept} of {found.good} replies that people call good, and {found.bad_kept} of {found.bad}"
    )
    return f"{kept} bad ones." + (" That is no better than chance." if by_chance(found) else "")


def of_suggested(made: Calibration) -> str:
    """The best cut, and whether it is worth while."""
    found = made.suggested
    if found is None:
        return "The gold needs both replies that people call good and others."
    kept = f"It would keep {found.good_kept} of {found.good} good ones and {found.bad_kept} of {found.bad} bad ones"
    if found.threshold == made.threshold.threshold:
        return "The threshold in force parts good from bad as well as any."
    if youden(found) < 2 * LITTLE:
        return f"{kept}: no threshold on these scores parts good from bad. Leave it, and change the judge."
    return f"{kept}. To see what it does to the dataset: `dataset whatif judge.threshold={found.threshold:g}`."


def of_pass_rate(made: Calibration) -> str:
    """How much of the dataset is good."""
    found = made.pass_rate
    if found.corrected.value is None:
        return f"It cannot be told: {found.why or 'too few resamples of the gold have one'}."
    return (
        f"The judge passes {found.passed:.0%} of the dataset's {found.examples} examples. With the errors it makes here "
        f"(it passes {found.sensitivity:.0%} of the good, drops {found.specificity:.0%} of the bad) so much of it is good."
    )


def by_chance(found: Cut) -> bool:
    """Whether a threshold keeps bad replies as readily as good ones."""
    return bool(found.good and found.bad) and youden(found) <= 0
