"""Rows that a model writes: asked for in rounds, held against what was asked, and every cell accounted for.

First all cells, then once more what was missing or wrong; then the answers of pairs and their judgement, and the look of a
second model. What is not written is counted by what became of it.
"""

from collections import Counter
from typing import Any

from stages.generation import pairs, reply
from stages.generation.calls import Call, calls, line
from stages.generation.cells import Material
from stages.generation.items import Item, items, only_new, repair, repaired
from stages.models import prompts
from stages.models.ask import say
from stages.models.request import Answer, Request, key, request
from stages.models.rounds import Ask

REASONS = ["none", "wrong", "unhelpful", "not_as_asked", "unnatural", "unsafe"]
CHECKED = reply.items({"reason": {"enum": REASONS}, "good": {"enum": ["yes", "no"]}})


def model_rows(of: Material, rows: list[dict[str, Any]], ask: Ask) -> list[dict[str, Any]]:
    """The rows that a model writes beside those of the templates."""
    found = [each for part in written(of, rows, ask) for each in part]
    for sentence in told(found):
        say(sentence)
    return [each.row for each in found if each.row]


def written(of: Material, rows: list[dict[str, Any]], ask: Ask) -> list[list[Item]]:
    """What came of every cell, request by request."""
    todo = calls(of)
    came = ask([each.request for each in todo], of.given)
    found = [items(of, each, came.get(key(each.request))) for each in todo]
    found = mended(of, todo, found, ask)
    every = [each for part in found for each in part]
    only_new(of, every, rows)
    if of.rubric:
        pairs.answered(of, of.rubric, every, ask)
    if of.asked.check:
        checked(of, todo, found, ask)
    return found


def mended(of: Material, todo: list[Call], found: list[list[Item]], ask: Ask) -> list[list[Item]]:
    """The items after what was missing or wrong was asked for once more."""
    again = {place: more for place, part in enumerate(found) if (more := repair(todo[place], part))}
    came = ask(again.values(), of.given)
    return [
        repaired(part, items(of, todo[place], came.get(key(again[place])))) if place in again else part
        for place, part in enumerate(found)
    ]


def checked(of: Material, todo: list[Call], found: list[list[Item]], ask: Ask) -> None:
    """Mark the items that a second model does not call good."""
    looks = [(part, look) for each, part in zip(todo, found, strict=True) if (look := look_at(of, each, part))]
    came = ask([look for _, look in looks], of.judge)
    for part, look in looks:
        good = approved(came.get(key(look)))
        for place, each in enumerate(part, 1):
            if each.row and each.cell.method != "pairs" and place not in good:
                each.row, each.lost = None, "not_good"


def look_at(of: Material, call: Call, part: list[Item]) -> Request | None:
    """The request that has the items of one call checked; pairs are judged already."""
    shown = {place: each for place, each in enumerate(part, 1) if each.row and each.cell.method != "pairs"}
    if not shown:
        return None
    examples = [
        f"{line(place, each.cell)}\n{prompts.quoted((each.row or {})['messages'])}" for place, each in shown.items()
    ]
    prompt = prompts.written("check_items", count=len(shown), examples="\n\n".join(examples))
    return request(of.judge, prompt, prompts.written("check", about=of.pack.about), CHECKED)


def approved(came: Answer | None) -> set[int]:
    """The places of the items that were called good; of an item that is named twice, both must say so."""
    verdicts = (came.content or {}).get("items", []) if came else []
    good = {each["cell"] for each in verdicts if each["good"] == "yes"}
    return good - {each["cell"] for each in verdicts if each["good"] == "no"}


def told(found: list[Item]) -> list[str]:
    """A sentence for each method: asked, written, and what became of the rest."""
    sentences = []
    for method in sorted({each.cell.method for each in found}):
        own = [each for each in found if each.cell.method == method]
        lost = Counter(each.lost for each in own if not each.row)
        why = ", ".join(f"{count} {name}" for name, count in sorted(lost.items()))
        kept = len(own) - lost.total()
        sentences.append(f"generate: {method}: asked {len(own)}, written {kept}" + (f", lost {why}" if why else ""))
    return sentences
