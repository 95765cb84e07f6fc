"""Requests as the provider's batches: half the price, done within a day. A batch that was handed in is never paid twice:
its custom ids carry the plan's, so that one whose name was lost in a crash is looked up before anything is sent again.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from time import sleep

from stages.contract.params import stop
from stages.models import budget, purchase
from stages.models.journal import Entry, now
from stages.models.purchase import Outcome, Purchase
from stages.models.request import Request, Trouble

LONGEST = 600.0  # seconds between two looks
SKEW = timedelta(hours=1)  # between this clock and the provider's
LARGEST = 200_000_000  # bytes of a batch; 256 MB are taken
TRIES = 5  # of reading results that break off


def batch(of: Purchase, todo: dict[str, Request]) -> Iterator[Outcome]:
    """Hand in everything, then wait for it. What expired or failed in passing is left out."""
    tokens = dict(zip(todo, budget.counted(todo.values()), strict=True))
    left, handed_in, short = dict(todo), [], ""
    while left and not short:
        part = first_of(left, of.provider.MOST)
        intent, short = reserved(of, part, tokens)
        if intent:
            handed_in.append((intent, handed(of, intent, {key: todo[key] for key in intent.keys})))
            left = {key: each for key, each in left.items() if key not in intent.keys}
    for intent, name in handed_in:
        yield from collected(of, intent, name, todo)
    if short:
        raise stop(short)


def first_of(left: dict[str, Request], most: int) -> dict[str, Request]:
    """As many of the requests as one batch takes."""
    part: dict[str, Request] = {}
    size = 0
    for key, asked in islice(left.items(), most):
        size += 2 * (len(asked.prompt) + len(asked.system) + len(str(asked.schema)))  # UTF-8 and escapes, as a rule
        if part and size > LARGEST:
            break
        part[key] = asked
    return part


def reserved(of: Purchase, part: dict[str, Request], tokens: dict[str, int]) -> tuple[Entry | None, str]:
    """The intent of as many of these requests as the budget allows, on the disk; or why there is none."""
    while True:
        intent = purchase.intent(of, part, tokens, batch=True)
        scope = of.journal.reserve(intent, of.limits)
        if not scope:
            of.journal.sync()
            return intent, ""
        if len(part) == 1:
            return None, purchase.over_budget(of, scope, sum(intent.costs), len(tokens))
        part = dict(islice(part.items(), len(part) // 2))


def handed(of: Purchase, intent: Entry, part: dict[str, Request]) -> str:
    """Hand in a batch; its name at the provider, which is written down at once."""
    named = {f"{key}-{intent.id}": asked for key, asked in part.items()}
    for attempt in range(of.given.attempts):
        try:
            name: str = of.provider.submit(of.client, named)
            return noted(of, intent, name)
        except Trouble as trouble:
            if trouble.charged and (name := found(of, intent)):
                return noted(of, intent, name)
            if not trouble.again:
                close(of, intent)
                raise stop(
                    f"models: the provider says: {trouble.message}; mend settings or key, nothing was sent"
                ) from None
            pause(of, attempt, trouble)
    close(of, intent)
    raise stop("models: the provider takes no batch now; run again later, what is paid is kept")


def noted(of: Purchase, intent: Entry, name: str) -> str:
    """Write down the name of a batch."""
    of.journal.append(Entry("sent", intent.id, now(), batch=name))
    of.journal.sync()
    return name


def pause(of: Purchase, attempt: int, trouble: Trouble) -> None:
    """Wait before the next attempt."""
    wait = of.given.poll * 2**attempt if trouble.after is None else trouble.after
    sleep(min(wait, of.given.longest_wait))


def close(of: Purchase, intent: Entry, why: str = "") -> None:
    """Nothing more comes of this batch. With a reason, what is left of it may have been charged, and stays reserved."""
    of.journal.append(Entry("closed", intent.id, now(), why=why))
    of.journal.sync()


def resumed(of: Purchase, todo: dict[str, Request]) -> Iterator[Outcome]:
    """What comes of the batches that earlier runs have handed in."""
    for intent in list(of.journal.batches.values()):
        if not any(key in todo for key in intent.keys):
            continue
        if name := of.journal.names.get(intent.id) or found(of, intent):
            if intent.id not in of.journal.names:
                noted(of, intent, name)
            yield from collected(of, intent, name, todo)
        else:
            close(of, intent)  # it never arrived


def found(of: Purchase, intent: Entry) -> str:
    """The name of a batch that was handed in by a run that did not live to write it down; or nothing."""
    since = (datetime.fromisoformat(intent.at) - SKEW).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name, total in of.provider.recent(of.client, since):
        if total == len(intent.keys) and name not in of.journal.names.values():
            wait(of, name)
            first = next(of.provider.results(of.client, name), ("", None))[0]
            if first.endswith(f"-{intent.id}"):
                return str(name)
    return ""


def wait(of: Purchase, name: str) -> None:
    """Look now and then until a batch has ended. Passing trouble only makes the wait longer."""
    delay = of.given.poll
    while True:
        try:
            if of.provider.ended(of.client, name):
                return
        except Trouble as trouble:
            if not trouble.again:
                raise stop(f"models: batch {name}: {trouble.message}; run again when that is mended") from None
        sleep(delay)
        delay = min(LONGEST, 2 * delay)


def collected(of: Purchase, intent: Entry, name: str, todo: dict[str, Request]) -> Iterator[Outcome]:
    """The outcomes of a batch: unordered, some twice, some missing. Those of requests that are no more stay there."""
    wait(of, name)
    seen: set[str] = set()
    whole = False
    for attempt in range(TRIES):
        try:
            for custom, came in of.provider.results(of.client, name):
                key, _, plan = custom.partition("-")
                if plan != intent.id or key in seen or key not in todo or key not in intent.keys:
                    continue
                seen.add(key)
                if outcome := settled(of, intent, key, came, todo):
                    yield outcome
            whole = True
            break
        except Trouble as trouble:
            pause(of, attempt, trouble)
    of.journal.sync()
    if all(key in todo for key in intent.keys):
        close(of, intent, "" if whole else "results that cannot be read")


def settled(of: Purchase, intent: Entry, key: str, came: object, todo: dict[str, Request]) -> Outcome | None:
    """Write one result into the journal."""
    if isinstance(came, Trouble):
        return purchase.failed(of, intent, key, came)
    return purchase.keep(of, intent, key, todo[key], came)  # type: ignore[arg-type]
