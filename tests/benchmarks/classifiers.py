"""How well the checks `toxicity` and `injection` tell what they look for, beside alt-profanity-check.

Toxicity: the area under the ROC curve of the score, on two sets that nothing was fitted on, and what `max_reply` then takes.
HateCheck asks for hatred alone, the check for insults and obscenity too: most of what it takes of the cases without hatred
is obscene or insulting. A higher cut does not help: on half 0, 0.99 takes 10 % of them instead of 13 %, and of the hateful
ones 15 % instead of 26 %. Texts of one piece have nothing to average.
Injection: the share of texts whose score reaches `threshold`, on half 1 of each set; the weights were fitted on half 0, with
near-copies on one side. BIPIA's are everyday requests that stand in a document: no word of them tells. The cuts were chosen
on the mix, nothing of which was fitted on once GPTeacher's rows are left out. `WEIGHTS.md` in stages/text says what was.
"""

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from stages.checks import injection, toxicity
from stages.contract.record import Message, Meta, Record, conversation
from tests.benchmarks import Row, corpus, environments, labelled, usage

PUBLIC = corpus.SHARED / "data/public"
FITTED = "GPTeacher"  # in the name of the mix's sources that the weights were fitted on
SHARD = 4_000  # records that `measure` hands to a check at once, about
PEER = """
import json, sys
from profanity_check import predict_prob
print(json.dumps(predict_prob(json.load(open(sys.argv[1]))).tolist()))
"""


def rows(folder: Path) -> Iterator[Row]:
    """Toxicity, injection, and what both cost."""
    if not PUBLIC.is_dir():
        raise corpus.Missing("it reads shared/data/public beside the project, which is not there")
    peer = environments.python(folder, "alt-profanity-check")
    yield from of_toxicity(folder, peer)
    mix = [each for each in of_the_mix(corpus.mix(folder)) if FITTED not in each.meta.extra["source"]]
    yield from of_injection(mix)
    yield from of_cost(folder, peer, mix)


def of_toxicity(folder: Path, peer: Path) -> Iterator[Row]:
    """Both sets, ours and the peer's."""
    cut = toxicity.Params().max_reply
    for name, known in (("surge_toxicity", labelled.surge(PUBLIC)), ("hatecheck", labelled.hatecheck(PUBLIC))):
        labels = np.array([text.label for text in known], bool)
        ours = np.array(worst([text.text for text in known]))
        theirs = np.array(of_peer(folder, peer, [text.text for text in known]))
        own, other = auc(labels, ours), auc(labels, theirs)
        yield f"toxicity, {name}, {len(known):,} texts: ROC AUC", f"{own:.3f}", f"at least {other + 0.03:.3f}"
        yield f"toxicity, {name}: ROC AUC of alt-profanity-check 1.9.1", f"{other:.3f}", ""
        found = f"{(ours[labels] > cut).mean():.1%} of toxic, {(ours[~labels] > cut).mean():.1%} of other"
        yield f"toxicity, {name}: taken above {cut}", found, ""
        for what, tested in NOT_HATEFUL.items() if name == "hatecheck" else ():
            chosen = np.array([text.origin.split()[-1] in tested for text in known])
            taken = f"{(ours[chosen] > cut).mean():.1%}"
            yield f"toxicity, hatecheck, not hateful: {what}, {chosen.sum()}: taken above {cut}", taken, ""


NOT_HATEFUL = {
    "obscene, or insulting to one person or a group that needs no protection": (
        "profanity_nh",
        "target_indiv_nh",
        "target_group_nh",
        "slur_reclaimed_nh",
    ),
    "speech against hatred that quotes it": ("counter_quote_nh", "counter_ref_nh"),
    "harmless": ("ident_neutral_nh", "ident_pos_nh", "negate_neg_nh", "target_obj_nh", "slur_homonym_nh"),
}
"""What HateCheck's cases without hatred are. The first kind is what the check looks for as well."""


def of_injection(mix: list[Record]) -> Iterator[Row]:
    """Recall and false alarms by set."""
    cut = injection.Params().threshold
    reached: dict[str, list[bool]] = defaultdict(list)
    for text in [*labelled.injections(PUBLIC), *labelled.transcripts(PUBLIC)]:
        if text.half == 1:
            (found,) = injection.measure_many([spoken(text.text)])
            reached[name_of(text)].append(found.score >= cut)
    orders = [each for name, found in reached.items() if name.endswith("orders") for each in found]
    yield f"injection, half 1, {len(orders)} orders and jailbreaks together: found", share(orders), "at least 80%"
    for name, found in sorted(reached.items(), reverse=True):
        verb = "found" if name.endswith("orders") else "flagged"
        yield f"injection, half 1, {name}, {len(found)} texts: {verb}", share(found), GOALS.get(name, "")
    found_in_mix = [each.score >= cut for each in injection.measure_many(mix)]
    yield f"injection, {len(mix):,} records of the mix: flagged", share(found_in_mix), "at most 0.5%"


GOALS = {"NotInject": "at most 3%"}


def name_of(text: labelled.Text) -> str:
    """The set of a text for the table."""
    what = "orders" if text.label else "harmless"
    if text.origin in ("NotInject", "hh_rlhf"):
        return text.origin
    return f"{'BIPIA' if 'BIPIA' in text.origin else text.origin.split()[0]} {what}"


def of_cost(folder: Path, peer: Path, mix: list[Record]) -> Iterator[Row]:
    """CPU seconds of each over the same records."""
    for check in (injection, toxicity):
        started = time.process_time()
        for start in range(0, len(mix), SHARD):
            check.measure_many(mix[start : start + SHARD])
        taken = time.process_time() - started
        yield f"{check.__name__.rpartition('.')[2]}, {len(mix):,} records: CPU seconds", f"{taken:.1f}", ""
    texts = folder / "texts.json"
    texts.write_text(json.dumps([conversation(record) for record in mix]))
    used = usage.of_command([peer, "-c", PEER, texts], folder / "log")
    yield f"alt-profanity-check, {len(mix):,} records: CPU seconds, with its start", f"{used.cpu:.1f}", ""


def worst(texts: Iterable[str]) -> list[float]:
    """The toxicity of each text."""
    return [found.reply for found in toxicity.measure_many([spoken(text) for text in texts])]


def of_peer(folder: Path, peer: Path, texts: Sequence[str]) -> list[float]:
    """What alt-profanity-check gives each text."""
    path = folder / "texts.json"
    path.write_text(json.dumps(texts))
    output = subprocess.run([peer, "-c", PEER, path], check=True, capture_output=True).stdout
    return list(json.loads(output))


def spoken(text: str) -> Record:
    """A record whose reply is the text."""
    return Record("0" * 32, "labelled", [Message("user", ""), Message("assistant", text)], Meta("MIT"))


def of_the_mix(path: Path) -> Iterator[Record]:
    """The 52,002 instruction records."""
    for line in path.read_bytes().splitlines():
        row = json.loads(line)
        extra = {"source": row["source"]}
        yield Record("0" * 32, "mix", msgspec.convert(row["messages"], list[Message]), Meta("mixed", extra=extra))


def auc(labels: "np.typing.NDArray[np.bool_]", scores: "np.typing.NDArray[np.float64]") -> float:
    """Share of pairs of a text to be found and another in which the first scores higher; half of those that tie."""
    ordered = np.sort(scores[~labels])
    below = np.searchsorted(ordered, scores[labels], "left") + np.searchsorted(ordered, scores[labels], "right")
    return float(below.mean() / 2 / len(ordered))


def share(found: list[bool]) -> str:
    """How many are true."""
    return f"{np.mean(found):.1%}" if np.mean(found) >= 0.01 else f"{np.mean(found):.2%}"
