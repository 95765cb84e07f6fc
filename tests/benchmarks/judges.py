"""How often a judge prefers what people prefer: LLMBar's pairs, of which one is right, and PandaLM's, each with three votes.

The local scorer scores each reply alone and calls equal scores a tie. With `models` in params.yaml, a key and
`DATASET_MAX_USD`, the model in force is measured beside it, in both orders; a verdict that turns with the order is wrong. Of
LLMBar's pairs all but `Natural` were made so that the worse reply looks better. Of PandaLM's votes the majority counts;
kappa has quadratic weights, a tie in the middle. 25 of GPT-3.5's verdicts are none, and wrong. Nothing was chosen here.
"""

import gzip
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lineage import agreement
from lineage.agreement import Estimate, estimate
from lineage.calibrate import preferred
from stages import judge
from stages.contract import params
from stages.models import budget, pairwise, rubric
from stages.models.ask import ask
from stages.models.pairwise import Verdict
from stages.models.request import key
from stages.models.settings import key_at_hand, settings
from tests.benchmarks import Row, corpus

PUBLIC = corpus.SHARED / "data/public/B_truth"
SUBSETS = ("Natural", "Adversarial/Neighbor", "Adversarial/GPTInst", "Adversarial/GPTOut", "Adversarial/Manual")
SEED = 42
SIGN: dict[Verdict, float] = {"first": 1, "tie": 0, "second": -1, "inconsistent": 0, "unjudged": 0}
VOTES: tuple[Verdict, ...] = ("tie", "first", "second")
"""What PandaLM's 0, 1 and 2 stand for."""
SAID: dict[str, Verdict] = {"1": "first", "2": "second", "Tie": "tie"}
"""What GPT-3.5's verdicts are called there; 25 are none, and wrong."""


class Pair(NamedTuple):
    """A question with two replies, and what people prefer."""

    asked: str
    first: str
    second: str
    wanted: Verdict


Judge = Callable[[list[Pair]], list[Verdict]]


def rows(folder: Path) -> Iterator[Row]:
    """Both sets, by every judge that is at hand."""
    if not PUBLIC.is_dir():
        raise corpus.Missing("it reads shared/data/public beside the project, which is not there")
    for name, judged in judges().items():
        for subset in SUBSETS:
            pairs = llmbar(subset)
            yield f"LLMBar {subset}, {len(pairs)} pairs: {name}", counted(pairs, judged(pairs)), ""
    pairs, votes, peer = pandalm()
    for name, judged in judges().items():
        yield from of_pandalm(name, pairs, judged(pairs))
    yield from of_pandalm("GPT-3.5, as published with the set", pairs, peer)
    among = estimate(agreement.ordinal_alpha, votes, seed=SEED)
    yield "PandaLM: alpha of the three people among themselves", shown(among), ""


def judges() -> dict[str, Judge]:
    """The local scorer, and the model in force if it may be paid."""
    found: dict[str, Judge] = {"local scorer": by_scorer}
    given = settings("judge")
    if given.provider != "none" and key_at_hand(given) and budget.allowed() and not os.environ.get("CI"):
        found[f"{given.model} of {given.provider}"] = by_model
    return found


def by_scorer(pairs: list[Pair]) -> list[Verdict]:
    """The reply with the higher score."""
    return [preferred(each.asked, each.first, each.second) for each in pairs]


def by_model(pairs: list[Pair]) -> list[Verdict]:
    """What the model says in both orders; its answers are kept in the journal beside the cache."""
    given = settings("judge")
    told = rubric.of_project(params.of_stage("judge", judge.Params).rubric)
    both = [pairwise.requests(each.asked, each.first, each.second, told, given) for each in pairs]
    answers = ask("judges", [each for two in both for each in two], given)
    return [pairwise.verdict(*(answers.get(key(each)) for each in two)) for two in both]


def llmbar(subset: str) -> list[Pair]:
    """One subset: label 1 or 2 says which output follows the instruction (MIT)."""
    found = json.loads(gzip.decompress((PUBLIC / f"llmbar/{subset}/dataset.json.gz").read_bytes()))
    return [Pair(row["input"], row["output_1"], row["output_2"], VOTES[row["label"]]) for row in found]


def pandalm() -> tuple[list[Pair], agreement.Array, list[Verdict]]:
    """Rows that two of three people agree on (all), their votes, and what GPT-3.5 said of them (Apache-2.0)."""
    found, said = (
        json.loads(gzip.decompress((PUBLIC / f"pandalm_test/{name}testset-v1.json.gz").read_bytes()))
        for name in ("", "gpt-3.5-turbo-")
    )
    by_number = {row["idx"]: SAID.get(row["gpt_result"], "unjudged") for row in said}
    pairs, votes, peer = [], [], []
    for row in found:
        given = [int(row[f"annotator{number}"]) for number in (1, 2, 3)]
        (most, count), *_ = Counter(given).most_common()
        if count > 1:
            asked = f"{row['instruction']}\n\n{row['input']}".strip()
            pairs.append(Pair(asked, str(row["response1"]), str(row["response2"]), VOTES[most]))
            votes.append([SIGN[VOTES[vote]] for vote in given])
            peer.append(by_number[row["idx"]])
    return pairs, np.array(votes, float), peer


def counted(pairs: list[Pair], verdicts: list[Verdict]) -> str:
    """Shares of right, tied and wrong verdicts."""
    right = sum(each.wanted == verdict for each, verdict in zip(pairs, verdicts, strict=True))
    tied = verdicts.count("tie")
    whole = len(pairs)
    return f"{right / whole:.0%} right, {tied / whole:.0%} tied; {(right + tied / 2) / whole:.3f} with ties as half"


def of_pandalm(name: str, pairs: list[Pair], verdicts: list[Verdict]) -> Iterator[Row]:
    """Accuracy over the three classes, and kappa."""
    hits = np.array([each.wanted == verdict for each, verdict in zip(pairs, verdicts, strict=True)], float)
    yield f"PandaLM, {len(pairs)} pairs: {name}: accuracy", shown(estimate(agreement.share, hits, seed=SEED)), ""
    ours = np.array([SIGN[verdict] for verdict in verdicts], float)
    theirs = np.array([SIGN[each.wanted] for each in pairs], float)
    kappa = estimate(agreement.weighted_kappa, ours, theirs, seed=SEED)
    yield f"PandaLM: {name}: weighted kappa with the majority", shown(kappa), ""


def shown(found: Estimate) -> str:
    """A number with its interval of 95 %."""
    return f"{found.value} [{found.low}, {found.high}]"
