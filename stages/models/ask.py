"""What a stage calls: all its questions at once, and every answer paid for once.

First what is kept: the stage's file, the journal, and what dvc.lock names in the cache. Only then a key, a price and a
budget are needed. Whatever stops a run, what was paid stays in the journal, and the next run asks for the rest alone.
"""

import sys
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from importlib import import_module

from msgspec import Struct
from msgspec.structs import replace

from stages.contract import progress
from stages.contract.params import FILE, stop
from stages.contract.record import digest
from stages.models import answers, batches, budget, dispatch, journal
from stages.models.journal import Journal
from stages.models.purchase import Outcome, Purchase
from stages.models.request import LASTING, Answer, Request, Trouble, follow_up, key
from stages.models.settings import Params, key_at_hand, needed_key

ROUNDS = 4  # the requests, what expired or was no good, and the same of those


class Plan(Struct):
    """What a stage would ask. Money is in micro-dollars: `high` is what it can cost at most, `low` what it costs if replies
    are short.
    """

    stage: str
    requests: int
    kinds: dict[str, int]
    missing: int
    tokens: int = 0
    low: int = 0
    high: int = 0
    batch: bool = False
    spent: int = 0
    warnings: list[str] = []


def ask(stage: str, requests: Iterable[Request], given: Params, run: str = "") -> dict[str, Answer]:
    """The answers by the key of their request, written to data/answers; a stop leaves everything resumable.

    `run` names what the budget is for; without it, it is this stage with these requests, however often it is resumed.
    """
    todo = {key(each): each for each in requests}
    found = answered(stage, todo, answers.kept(stage), given, run or run_of(stage, todo))
    answers.keep(stage, found)
    return found


def answered(
    stage: str, todo: dict[str, Request], kept: dict[str, Answer], given: Params, run: str
) -> dict[str, Answer]:
    """The answers to these requests: what is kept, and what is asked for because it is not."""
    found = {each: answer for each, answer in kept.items() if each in todo}
    if lacking(todo, found, given) and (len(found) < len(todo) or can_pay(given)):
        complete(stage, todo, found, given, run)
    return found


def kept(stage: str, requests: Iterable[Request]) -> dict[str, Answer]:
    """The answers to these requests that are here; nothing is asked and nothing is written."""
    todo = {key(each) for each in requests}
    found = known(stage, todo)[0]
    if len(found) < len(todo):
        say(
            f"{stage}: {len(todo) - len(found)} of {len(todo)} answers are not here and nobody is asked in a trial; "
            f"`dataset plan {stage}` tells what they cost"
        )
    return found


def known(stage: str, todo: Collection[str]) -> tuple[dict[str, Answer], Journal | None]:
    """The answers with these keys in the stage's file and in the journal, and the journal, closed, if there is one."""
    found = {each: answer for each, answer in answers.kept(stage).items() if each in todo}
    if not journal.there():
        return found, None
    book = Journal(todo)
    book.close()
    answers.union(found, book.answers.values())
    return found, book


def run_of(stage: str, todo: Iterable[str]) -> str:
    """The name of a run: the same for the same questions."""
    return digest("run", stage, sorted(todo))


def lacking(todo: dict[str, Request], found: dict[str, Answer], given: Params) -> dict[str, Request]:
    """The requests without an answer that lasts, but for those that were asked often enough."""
    return {each: asked for each, asked in todo.items() if each not in found or is_open(found[each], given)}


def is_open(answer: Answer, given: Params) -> bool:
    """Whether asking again is worth it: what failed cost nothing, what stays cut off or invalid is paid for each time."""
    return answer.kind not in LASTING and (answer.kind == "failed" or answer.runs < given.runs)


def can_pay(given: Params) -> bool:
    """Whether there is a key, and either a budget or a price of nothing."""
    own = given.provider == "openai" and given.address is not None
    if given.provider == "none" or not (key_at_hand(given) or own):
        return False
    return budget.allowed() > 0 or free(given)


def free(given: Params) -> bool:
    """Whether the model costs nothing."""
    found = budget.model(given.model or "")
    return not (found.input or found.output or found.cache_write or found.cache_read or found.above)


def complete(stage: str, todo: dict[str, Request], found: dict[str, Answer], given: Params, run: str) -> None:
    """Take what the journal and the cache have into `found`, and ask for the rest."""
    book = Journal(todo)
    try:
        answers.union(found, book.answers.values())
        if any(each not in found for each in todo):
            answers.union(found, (each for each in answers.locked(stage).values() if each.key in todo))
        left = lacking(todo, found, given)
        if any(each not in found for each in left):
            check(stage, left, given)
        if left and can_pay(given):
            buy(stage, left, found, given, book, run)
    finally:
        book.close()


def check(stage: str, left: dict[str, Request], given: Params) -> None:
    """Stop before anything is sent if there is no provider, no key, no price or no money."""
    if given.provider == "none":
        raise stop(
            f"{FILE}: models.provider is none, and {stage} lacks {len(left)} answers; run `dvc pull`, or name one"
        )
    found = budget.model(given.model or "")
    needed_key(given)
    if not can_pay(given):
        low, high = price_range(found, left, batch_wise(given, len(left)))
        raise stop(
            f"{budget.BUDGET}: is 0, and {stage} lacks {len(left)} answers of {given.model}, for {budget.usd(low)} to "
            f"{budget.usd(high)}; set it to {budget.usd(high).replace(',', '')} or what you want to spend at most"
        )


def batch_wise(given: Params, count: int) -> bool:
    """Whether so many requests go as a batch."""
    return given.provider == "anthropic" and given.batch_from is not None and count >= given.batch_from


def price_range(found: budget.Model, left: dict[str, Request], batch: bool) -> tuple[int, int]:
    """Micro-dollars that the requests cost at least, roughly, and at most."""
    tokens = budget.counted(left.values())
    high = sum(
        budget.worst(found, count, each.max_tokens, batch) for count, each in zip(tokens, left.values(), strict=True)
    )
    low = sum(
        budget.worst(found, int(count / 2), int(each.max_tokens * budget.SHORTEST_REPLY), batch)
        for count, each in zip(tokens, left.values(), strict=True)
    )
    return low, high


def buy(stage: str, left: dict[str, Request], found: dict[str, Answer], given: Params, book: Journal, run: str) -> None:
    """Ask for these, with the cost so far on the terminal."""
    provider = import_module(f"stages.models.providers.{given.provider}")
    for warning in budget.warnings(given.model or ""):
        say(f"warning: {warning}")
    price = budget.model(given.model or "")
    with provider.client(given) as client:
        of = Purchase(stage, run, given, price, budget.limits(given), book, provider, client)
        try:
            for _, answer, _ in progress.over(
                rounds(of, left), stage, len(left), unit="requests", note=partial(cost_so_far, of)
            ):
                runs = 1 + (found[answer.key].runs if answer.key in found else 0)
                answers.union(found, [answer if answer.kind in LASTING else replace(answer, runs=runs)])
        except Trouble as trouble:  # where a batch is looked for, not of one request
            raise stop(f"models: the provider says: {trouble.message}; run again, what is paid is kept") from None
    nowhere = sum(each not in found for each in left)
    say(f"{stage}: {len(left) - nowhere} answers, {budget.usd(book.spent['run', run])} spent on this run")
    if nowhere:
        raise stop(
            f"models: {nowhere} of {len(left)} requests found no answer in {given.attempts} attempts; run again: what is "
            "paid is kept, and only these are asked"
        )


def cost_so_far(of: Purchase) -> str:
    """What this run has cost, with what is under way at its dearest."""
    return budget.usd(of.journal.spent["run", of.run])


def say(text: str) -> None:
    """A line for people, which is no output."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def rounds(of: Purchase, left: dict[str, Request]) -> Iterator[Outcome]:
    """What earlier runs have under way, then the rest; once more what expired, and one follow-up of what was no good."""
    followed: set[str] = set()
    again = dict(left)
    resuming = batches.resumed(of, left) if hasattr(of.provider, "submit") else iter(())
    for number in range(ROUNDS + 1):
        batch = batch_wise(of.given, len(again))
        outcomes = resuming if number == 0 else (batches.batch if batch else dispatch.concurrent)(of, again)
        seen, more = set(), {}
        for outcome in outcomes:
            each, answer, text = outcome
            seen.add(each)
            further = follow_up(left[each], answer.kind, text) if each not in followed else None
            if further:
                followed.add(each)
                more[each] = further
            else:
                yield outcome
        passing = {each: asked for each, asked in again.items() if each not in seen} if number == 0 or batch else {}
        again = more | passing
        if not again:
            return


def plan(stage: str, requests: Iterable[Request], given: Params, run: str = "") -> Plan:
    """What the stage would ask, and what of it is answered already. Nothing is sent, and no key is needed."""
    todo = {key(each): each for each in requests}
    found, book = known(stage, todo)
    spent = book.spent["run", run or run_of(stage, todo)] if book else 0
    left = lacking(todo, found, given)
    kinds: dict[str, int] = {}
    for answer in found.values():
        kinds[answer.kind] = kinds.get(answer.kind, 0) + 1
    result = Plan(stage, len(todo), dict(sorted(kinds.items())), len(left), spent=spent)
    if left and given.provider != "none":
        result.warnings = budget.warnings(given.model or "")
        result.tokens = sum(budget.counted(left.values()))
        result.batch = batch_wise(given, len(left))
        result.low, result.high = price_range(budget.model(given.model or ""), left, result.batch)
    return result
