"""Preference pairs: two answers of one model to one prompt, one asked for with care and one in passing.

Both are asked to be equally long, and pairs that differ much in length are left out before they are judged: else length is
what is learnt. A pair is kept only if one answer wins wherever it stands; which one that is, the judge says, not the prompt.
"""

from typing import Any

from stages.generation.cells import Material
from stages.generation.items import Item
from stages.models import pairwise, prompts
from stages.models.request import Answer, Request, key, request
from stages.models.rounds import Ask
from stages.models.rubric import Rubric

WAYS = ("careful", "brief")


def answered(of: Material, rubric: Rubric, found: list[Item], ask: Ask) -> None:
    """Give the items of pairs their two answers, and mark those that have no winner."""
    waiting = [each for each in found if each.row and each.cell.method == "pairs"]
    asked = [[question(of, each.row or {}, way) for way in WAYS] for each in waiting]
    came = ask([each for both in asked for each in both], of.given)
    for each, both in zip(waiting, asked, strict=True):
        take(of, each, [said(came.get(key(one))) for one in both])
    contests = [(each, pairwise.requests(*texts(each.row), rubric, of.judge)) for each in waiting if each.row]
    came = ask([one for _, both in contests for one in both], of.judge)
    for each, (forward, backward) in contests:
        decide(each, pairwise.verdict(came.get(key(forward)), came.get(key(backward))))


def question(of: Material, row: dict[str, Any], way: str) -> Request:
    """The request for one of the two answers."""
    *system, asked = [message["content"] for message in row["messages"]]
    told = {"about": of.pack.about, "system": prompts.quoted(system), "words": of.asked.pairs.words}
    return request(of.given, prompts.written(f"pairs_{way}", prompt=prompts.quoted(asked), **told))


def said(came: Answer | None) -> str:
    """The text of an answer; nothing if there is none."""
    return str(came.content).strip() if came and came.kind == "ok" and came.content else ""


def take(of: Material, found: Item, answers: list[str]) -> None:
    """Put both answers into the row, or say why there is no pair."""
    row = found.row or {}
    short, long = sorted(map(len, answers))
    if not short or answers[0] == answers[1]:
        found.row, found.lost = None, "no_answer"
    elif long / short > of.asked.pairs.max_length_ratio:
        found.row, found.lost = None, "length_gap"
    else:
        found.row = {**row, "answers": answers}


def texts(row: dict[str, Any] | None) -> tuple[str, str, str]:
    """The prompt and the two answers."""
    row = row or {}
    return row["messages"][-1]["content"], row["answers"][0], row["answers"][1]


def decide(found: Item, verdict: pairwise.Verdict) -> None:
    """Make the row a pair with the winner as chosen, or mark that nobody won."""
    if verdict not in ("first", "second"):
        found.row, found.lost = None, "no_winner"
        return
    row = found.row or {}
    won = ("first", "second").index(verdict)
    kept = {name: each for name, each in row.items() if name not in ("messages", "answers")}
    found.row = {
        **kept,
        "prompt": row["messages"],
        "chosen": row["answers"][won],
        "rejected": row["answers"][1 - won],
        "extra": row["extra"] | {"won": WAYS[won]},
    }
