"""What belongs to one run of a stage that asks: where it asks, what it may spend, and the journal of both."""

import secrets
from types import ModuleType
from typing import Any

from msgspec import Struct

from stages.models import budget
from stages.models.journal import Entry, Journal, now
from stages.models.request import Answer, Reply, Request, Trouble, answer
from stages.models.settings import Params

Outcome = tuple[str, Answer, str]
"""Key, answer, and the text of the reply."""


class Purchase(Struct, frozen=True):
    """`provider` is a module of stages/models/providers and `client` what its `client` made."""

    stage: str
    run: str
    given: Params
    price: budget.Model
    limits: dict[str, int]
    journal: Journal
    provider: ModuleType
    client: Any


def intent(of: Purchase, asked: dict[str, Request], tokens: dict[str, int], batch: bool = False) -> Entry:
    """What is about to be asked, and what it can cost at most."""
    costs = [budget.worst(of.price, tokens[key], each.max_tokens, batch) for key, each in asked.items()]
    name = secrets.token_hex(8)
    return Entry("intent", name, now(), of.stage, of.run, list(asked), costs, is_batch=batch)


def keep(of: Purchase, intent: Entry, key: str, asked: Request, reply: Reply) -> Outcome:
    """Write a reply that was paid for into the journal."""
    made = answer(key, reply, asked.schema)
    reserved = intent.costs[intent.keys.index(key)]
    cost = reserved if reply.usage is None else budget.charged(of.price, reply.usage, intent.is_batch)
    raw = "" if made.kind == "ok" else reply.text
    of.journal.append(Entry("answer", intent.id, now(), of.stage, of.run, [key], usd=cost, answer=made, raw=raw))
    return key, made, reply.text


def failed(of: Purchase, intent: Entry, key: str, trouble: Trouble) -> Outcome | None:
    """Write down that no reply came; what may have been charged stays reserved. An outcome if asking again is in vain."""
    made = None if trouble.again or trouble.fatal else Answer(key, "failed", stop=trouble.message[:200])
    if not trouble.charged:
        what: Any = "answer" if made else "settled"
        of.journal.append(
            Entry(what, intent.id, now(), of.stage, of.run, [key], answer=made, why=trouble.message[:500])
        )
    return (key, made, "") if made else None


def over_budget(of: Purchase, scope: str, cost: int, left: int) -> str:
    """Why nothing more is sent, and what to do."""
    name = {"run": budget.BUDGET, "stage": "models.max_usd_per_stage", "day": "models.max_usd_per_day"}[scope]
    at = {"run": of.run, "stage": of.stage, "day": now()[:10]}[scope]
    spent, limit = of.journal.spent[scope, at], of.limits[scope]
    return (
        f"{name}: {budget.usd(spent)} of {budget.usd(limit)} are spent or reserved, and what comes next can cost "
        f"{budget.usd(cost)}; {left} requests are left: raise it and run again, what is paid is kept"
    )
