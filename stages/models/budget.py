"""What requests cost, at worst and in fact, and how much may be spent. Money is whole micro-dollars (USD / 1,000,000),
rounded up for every request, so that a price of USD for a million tokens is micro-dollars for a token.
"""

import os
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Annotated, Any

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract import params, paths
from stages.contract.params import stop
from stages.contract.record import encode
from stages.models.request import Request, Usage
from stages.models.settings import Params

FILE = "data/models.yaml"
BUDGET = "DATASET_MAX_USD"
OLD = timedelta(days=90)
SOON = timedelta(days=90)
FACTOR = Decimal("1.35")  # tokens of another maker's tokenizer for one of o200k_base, at most
OVERHEAD = 600  # tokens that a provider adds: the form of the conversation, and how to write the schema's JSON
SHORTEST_REPLY = 0.1  # of max_tokens, for the lower end of a plan's price; what replies cost is not known before
MICRO = 1_000_000
Price = Annotated[float, Limits(ge=0)]


class Tier(Struct, forbid_unknown_fields=True, frozen=True):
    """Prices of prompts over so many tokens."""

    tokens: int
    input: Price
    output: Price
    cache_read: Price | None = None
    cache_write: Price | None = None


class Model(Struct, forbid_unknown_fields=True, frozen=True):
    """An entry of data/models.yaml: USD for a million tokens."""

    as_of: str
    input: Price
    output: Price
    maker: str | None = None
    cache_read: Price | None = None
    cache_write: Price | None = None
    batch: Annotated[float, Limits(gt=0, le=1)] = 1
    context: int | None = None
    above: Tier | None = None
    end_of_life: str | None = None


def model(name: str) -> Model:
    """The entry of a model; an unknown price is refused."""
    path = paths.ROOT / FILE
    known: dict[str, Any] = params.read_yaml(path) if path.is_file() else {}
    if name not in known:
        raise stop(
            f'{FILE}: has no price of {name!r}; add `{name}: {{as_of: "{today()}", input: …, output: …}}`, in USD for a '
            "million tokens"
        )
    return params.typed(known[name], Model, name, FILE)


def today() -> date:
    """The day in UTC, by which spending is counted; it goes into no output."""
    return datetime.now(UTC).date()


def day(text: str, where: str) -> date:
    """A day written as 2026-10-21."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise stop(f"{FILE}: {where}: {text!r} is not a day such as 2026-10-21; mend it") from None


def warnings(name: str) -> list[str]:
    """What should be known of a model before money is spent; a stop if it is gone."""
    found, said = model(name), []
    if today() - day(found.as_of, f"{name}.as_of") > OLD:
        said.append(f"{FILE}: the price of {name} is of {found.as_of}, over 90 days ago; check it and move as_of")
    if found.end_of_life and (end := day(found.end_of_life, f"{name}.end_of_life")) - today() < SOON:
        if end < today():
            raise stop(f"{FILE}: {name} is gone since {end}; name another in models.model")
        said.append(
            f"{FILE}: {name} is there until {end} only; answers that are kept stay good, new ones will not come"
        )
    return said


def counted(requests: Iterable[Request]) -> list[int]:
    """The most input tokens that each request can have."""
    from stages.text.tokens import count_all, count_repeated

    asked = list(requests)
    prompts = count_all([each.prompt for each in asked])
    return [
        int(FACTOR * (count + count_repeated(each.system) + count_repeated(form(each)))) + OVERHEAD
        for count, each in zip(prompts, asked, strict=True)
    ]


def form(asked: Request) -> str:
    """The schema as text."""
    return encode(asked.schema).decode() if asked.schema else ""


def worst(found: Model, tokens: int, max_tokens: int, batch: bool = False) -> int:
    """Micro-dollars that a request can cost at most: everything written to the cache, and a reply of full length."""
    tier = found.above if found.above and tokens > found.above.tokens else found
    dearest = max(tier.input, tier.cache_write or 0, tier.cache_read or 0)
    return rounded(share(found, batch) * (tokens * exact(dearest) + max_tokens * exact(tier.output)))


def charged(found: Model, usage: Usage, batch: bool = False) -> int:
    """Micro-dollars that a request did cost."""
    whole = usage.input + usage.cache_read + usage.cache_write
    tier = found.above if found.above and whole > found.above.tokens else found
    read = tier.input if tier.cache_read is None else tier.cache_read
    write = tier.input if tier.cache_write is None else tier.cache_write
    parts = (
        (usage.input, tier.input),
        (usage.output, tier.output),
        (usage.cache_read, read),
        (usage.cache_write, write),
    )
    return rounded(share(found, batch) * sum((count * exact(price) for count, price in parts), Decimal()))


def share(found: Model, batch: bool) -> Decimal:
    """What part of the prices is to be paid."""
    return exact(found.batch if batch else 1)


def exact(price: float) -> Decimal:
    """The number that was written, not the nearest binary one."""
    return Decimal(str(price))


def rounded(amount: Decimal) -> int:
    """Whole micro-dollars, never too few."""
    return int(amount.to_integral_value(ROUND_CEILING))


def allowed() -> int:
    """Micro-dollars that DATASET_MAX_USD allows for a run; nothing if it is not set."""
    text = os.environ.get(BUDGET, "").strip() or "0"
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise stop(f"{BUDGET}: {text!r} is no amount; set it to USD such as 2.50")
    return int(amount * MICRO)


def limits(given: Params) -> dict[str, int]:
    """The micro-dollars that may be spent in all: on a run, on its stage and on a day."""
    caps = {"stage": given.max_usd_per_stage, "day": given.max_usd_per_day}
    return {"run": allowed()} | {scope: int(exact(cap) * MICRO) for scope, cap in caps.items() if cap is not None}


def usd(micro: int) -> str:
    """An amount for people."""
    return f"{Decimal(micro) / MICRO:.4f} USD" if micro < MICRO else f"{Decimal(micro) / MICRO:,.2f} USD"
