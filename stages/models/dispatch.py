"""Requests one by one, many at once: as many as the provider bears, each reserved before it is sent."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Condition, Event
from time import monotonic

from stages.contract.params import Stop
from stages.models import budget, purchase
from stages.models.journal import Entry
from stages.models.purchase import Outcome, Purchase
from stages.models.request import Reply, Request, Trouble

FIRST_WAIT = 0.5  # seconds after a request that brought nothing, doubled each time
VAIN = 5  # requests that the provider calls wrong, and none right: the others will be no better


class Traffic:
    """How many requests may be under way: fewer when the provider complains, slowly more when it does not."""

    def __init__(self, of: Purchase, left: int) -> None:
        self.of, self.left = of, left
        self.limit = float(of.given.concurrency)
        self.flying = self.wrong = self.right = 0
        self.not_before = 0.0
        self.changed, self.stopped = Condition(), Event()
        self.reason = ""

    def halt(self, reason: str) -> None:
        """Send nothing more; what is under way still comes in."""
        with self.changed:
            self.reason = self.reason or reason
            self.stopped.set()
            self.changed.notify_all()

    def depart(self, intent: Entry) -> bool:
        """Wait for a place and for the money; False if nothing more is sent."""
        with self.changed:
            while not self.stopped.is_set():
                pause = self.not_before - monotonic()
                if pause > 0 or self.flying >= max(1, int(self.limit)):
                    self.changed.wait(pause if pause > 0 else None)
                elif not (scope := self.of.journal.reserve(intent, self.of.limits)):
                    self.flying += 1
                    return True
                elif self.flying:
                    self.changed.wait()  # what comes in may cost less than was reserved
                else:
                    self.halt(purchase.over_budget(self.of, scope, sum(intent.costs), self.left))
        return False

    def land(self, came: Reply | Trouble | None) -> None:
        """One request is over; learn from it how many may be under way."""
        with self.changed:
            self.flying -= 1
            if isinstance(came, Trouble):
                self.slow_down(came)
            elif came:
                self.right += 1
                self.left -= 1
                most = self.of.given.concurrency if came.remaining is None else max(1, came.remaining)
                self.limit = min(self.of.given.concurrency, most, self.limit + 1 / self.limit)
            self.changed.notify_all()

    def slow_down(self, trouble: Trouble) -> None:
        """Halve the number under way, once in a pause; stop if no request can succeed."""
        if trouble.again:
            if monotonic() >= self.not_before:
                self.limit = max(1.0, self.limit / 2)
            pause = min(trouble.after or 0.0, self.of.given.longest_wait)
            self.not_before = max(self.not_before, monotonic() + pause)
        self.wrong += not trouble.again
        if trouble.fatal or (self.wrong >= VAIN and not self.right):
            self.halt(f"models: the provider says: {trouble.message}; mend settings or key, nothing was charged for it")


def concurrent(of: Purchase, todo: dict[str, Request]) -> Iterator[Outcome]:
    """The outcomes as they come in. What found no answer in all its attempts is left out; a stop leaves all else kept."""
    tokens = dict(zip(todo, budget.counted(todo.values()), strict=True))
    traffic, reason = Traffic(of, len(todo)), ""
    with ThreadPoolExecutor(min(of.given.concurrency, len(todo))) as pool:
        try:
            tasks = [pool.submit(pursued, of, traffic, key, asked, tokens) for key, asked in todo.items()]
            for task in as_completed(tasks):
                if outcome := task.result():
                    yield outcome
            reason = traffic.reason
        finally:
            traffic.halt("models: interrupted; run again, what is paid is kept")
            pool.shutdown(cancel_futures=True)
            of.journal.sync()
    if reason:
        raise Stop(reason)


def pursued(of: Purchase, traffic: Traffic, key: str, asked: Request, tokens: dict[str, int]) -> Outcome | None:
    """One request, attempted until it has an outcome, or too often, or nothing more is sent."""
    for attempt in range(of.given.attempts):
        intent = purchase.intent(of, {key: asked}, tokens)
        if not traffic.depart(intent):
            return None
        came, outcome = attempted(of, traffic, intent, key, asked)
        if outcome:
            return outcome
        if isinstance(came, Trouble) and came.after is None:
            traffic.stopped.wait(min(of.given.longest_wait, FIRST_WAIT * 2**attempt))
    return None


def attempted(
    of: Purchase, traffic: Traffic, intent: Entry, key: str, asked: Request
) -> tuple[Reply | Trouble, Outcome | None]:
    """One attempt: the intent is on the disk before it, the answer after it."""
    came: Reply | Trouble | None = None
    try:
        of.journal.sync()
        reply: Reply = of.provider.call(of.client, asked)
        came, outcome = reply, purchase.keep(of, intent, key, asked, reply)
        of.journal.sync()
        return came, outcome
    except Trouble as trouble:
        came = trouble
        return came, purchase.failed(of, intent, key, trouble)
    finally:
        traffic.land(came)
