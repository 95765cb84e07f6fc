"""Questions in several rounds, where what is asked next depends on what was answered: one run, one budget, one file.

An answer of an earlier round is not asked for again in a later one, even if it was of no use: what was asked because of it
would no longer fit. The next run asks for it, as for all that found no good answer.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from stages.models import answers
from stages.models.ask import answered, known, run_of
from stages.models.request import Answer, Request, key
from stages.models.settings import Params

Ask = Callable[[Iterable[Request], Params], dict[str, Answer]]
"""Asks these, under these settings, and gives the answers of all rounds so far by the key of their request."""


@contextmanager
def paid(stage: str) -> Iterator[Ask]:
    """Ask for what is not answered. If the block ends well, the stage's file holds the answers of all rounds, no others."""
    here, found, runs = answers.kept(stage), dict[str, Answer](), list[str]()

    def ask(requests: Iterable[Request], given: Params) -> dict[str, Answer]:
        todo = {key(each): each for each in requests}
        if todo and not runs:
            runs.append(run_of(stage, todo))  # the run is known by its first questions, which alone are known before
        fresh = {each: asked for each, asked in todo.items() if each not in found}
        found.update(answered(stage, fresh, here, given, *runs) if fresh else {})
        return found

    yield ask
    answers.keep(stage, found)


def foreseen(stage: str) -> tuple[Ask, list[Request]]:
    """Ask nobody: the answers are those that are here, and the list fills with all that would have been asked."""
    asked: list[Request] = []

    def ask(requests: Iterable[Request], given: Params) -> dict[str, Answer]:
        asked.extend(requests)
        return known(stage, set(map(key, asked)))[0]

    return ask, asked
