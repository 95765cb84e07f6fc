"""What a drop says, in words: the meaning of its reason, from the stage that owns it, and its evidence as a phrase."""

from collections.abc import Callable
from typing import Any

from stages import balance, collect, decontaminate, dedup, export, filter, judge, split
from stages.contract.paths import EVAL
from stages.contract.record import Drop

MEANINGS: dict[str, dict[str, str]] = {
    "collect": collect.REASONS,
    "filter": filter.REASONS,
    "dedup": dedup.REASONS,
    "decontaminate": decontaminate.REASONS,
    "judge": judge.REASONS,
    "balance": balance.REASONS,
    "split": split.REASONS,
    "export": export.REASONS,
}


def meaning(stage: str, reason: str) -> str:
    """What the reason means, in the words of its stage."""
    return MEANINGS.get(stage, {}).get(reason, "")


def evidence(drop: Drop) -> str:
    """The evidence of a drop in words."""
    return PHRASES.get(drop.stage, plain)(drop.evidence) or "nothing more to say"


def other(drop: Drop) -> str | None:
    """The id of the record that it was dropped for, if there is one."""
    return (
        drop.evidence.get("survivor") or drop.evidence.get("other") or next(iter(drop.evidence.get("others", ())), None)
    )


def plain(facts: Any) -> str:
    """A JSON value as words: names with their values, one after the other."""
    if isinstance(facts, dict):
        return ", ".join(f"{name.replace('_', ' ')} {plain(value)}" for name, value in facts.items())
    if isinstance(facts, list):
        return " ".join(map(plain, facts))
    return "not told" if facts is None else str(facts)


def of_filter(facts: dict[str, Any]) -> str:
    """What was measured, which ending it was, and which other rules broke."""
    measured = {name: at for name, at in facts.items() if name not in ("also", "ending")}
    said = [f"{name.replace('_', ' ')}: {plain(at).replace('_', ' ')}" for name, at in measured.items()]
    said += ["in the losing ending"] if "ending" in facts else []
    said += [f"also {', '.join(facts['also'])}"] if "also" in facts else []
    return "; ".join(said)


def of_dedup(facts: dict[str, Any]) -> str:
    """How alike the two are, or which pairs it contradicts."""
    if "others" in facts:
        return f"it cannot be right together with {' and '.join(facts['others'])}"
    return f"similarity {facts['similarity']} to the record that was kept for it"


def of_decontaminate(facts: dict[str, Any]) -> str:
    """How it was found, how much of the evaluation row it is, and the words."""
    row = f"{facts['eval']} of {EVAL}" + (f" ({facts['key']})" if "key" in facts else "")
    found = METHODS[facts["method"]].format(row=row, share=round(100 * facts["score"]))
    return f"{found}: “{facts['words']}”"


METHODS = {
    "equal": "asks what {row} asks",
    "run": "one run has {share} % of {row}",
    "contained": "has {share} % of the runs of words of {row}",
    "near": "has {share} % of the pieces of {row}",
    "verdict": "a person confirmed it as a leak of {row}",
}
"""How each method of `decontaminate` puts what it found."""


def of_judge(facts: dict[str, Any]) -> str:
    """The score and what it is made of, the verdict, or why there is none."""
    if "answer" in facts:
        return f"the model's answer is {facts['answer']}"
    if "verdict" in facts:
        return f"of the two endings, the model prefers the {facts['verdict']} one in both orders"
    of = (
        f"by dimension: {plain(facts['dimensions'])}"
        if "dimensions" in facts
        else f"taken off: {plain(facts['penalties'])}"
    )
    return f"score {facts['score']} of 5; {of}"


def of_balance(facts: dict[str, Any]) -> str:
    """The crowd and its cap."""
    return f"{facts['group']} has {facts['members']:,} records, its cap is {facts['cap']:,}"


def of_split(facts: dict[str, Any]) -> str:
    """How alike the two are and where they stood, or what ties it to several splits."""
    if "ties" in facts:
        return "; ".join(f"tied to {split} by its {tie}" for split, tie in facts["ties"].items())
    return f"in {facts['split']}, similarity {facts['similarity']} to a record of {facts['other_split']}, which is kept"


PHRASES: dict[str, Callable[[Any], str]] = {
    "filter": of_filter,
    "dedup": of_dedup,
    "decontaminate": of_decontaminate,
    "judge": of_judge,
    "balance": of_balance,
    "split": of_split,
}
