"""Which of two replies is better: asked in both orders, because judges favour a place."""

from typing import Any, Literal

from stages.models import prompts
from stages.models.request import Answer, Request, request
from stages.models.rubric import REASONING, Rubric, closed, declared, system, text
from stages.models.settings import Params

Verdict = Literal["first", "second", "tie", "inconsistent", "unjudged"]
MOST = 24_000  # characters of each text
SCHEMA = closed({REASONING: {"type": "string"}, "better": {"type": "string", "enum": ["A", "B", "tie"]}})


def requests(
    prompt_text: str, first: str, second: str, rubric: Rubric, given: Params, most: int = MOST
) -> tuple[Request, Request]:
    """The two questions: with `first` as A, and with `first` as B; of each text at most `most` characters are shown."""
    return question(prompt_text, first, second, rubric, given, most), question(
        prompt_text, second, first, rubric, given, most
    )


def question(asked: str, a: str, b: str, rubric: Rubric, given: Params, most: int) -> Request:
    """One of them."""
    texts = {"prompt": asked, "A": a, "B": b}
    shown: dict[str, Any] = {name: each[:most] for name, each in texts.items()}
    told = system("judge_pair", rubric.about, text(rubric))
    data = declared(shown, {name: len(each) - most for name, each in texts.items()})
    return request(given, prompts.quoted(data, told, given.model), told, SCHEMA)


def verdict(forward: Answer | None, backward: Answer | None) -> Verdict:
    """What both answers say together: a reply is better only if it wins in both places."""
    if not (forward and backward and forward.kind == backward.kind == "ok"):
        return "unjudged"
    said = forward.content["better"], backward.content["better"]
    found: dict[tuple[str, str], Verdict] = {("A", "B"): "first", ("B", "A"): "second", ("tie", "tie"): "tie"}
    return found.get(said, "inconsistent")
