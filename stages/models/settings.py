"""The params key `models`: which model is asked, where, and how. Keys come from the environment only."""

import os
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract import params
from stages.contract.params import stop

Stage = Literal["generate", "judge"]
ASKING = get_args(Stage)
"""The stages that can ask a model."""
Effort = Literal["low", "medium", "high", "xhigh", "max"]
KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
API = {"anthropic": "2026-10-21", "openai": "chat/completions"}
"""What is spoken with each provider: another version may answer otherwise, so it is part of every request's key."""
Dollars = Annotated[float, Limits(ge=0)]


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """With provider none, no model is asked and nothing here matters."""

    provider: Annotated[
        Literal["none", "anthropic", "openai"], Limits(description="openai: any address that speaks its interface")
    ] = "none"
    address: Annotated[str | None, Limits(description="null: the maker's own")] = None
    model: Annotated[str | None, Limits(description="its price stands in data/models.yaml")] = None
    effort: Effort | None = None
    max_tokens: Annotated[int, Limits(ge=1, le=128_000, description="of a reply")] = 2048
    concurrency: Annotated[int, Limits(ge=1, le=256, description="requests under way at once")] = 16
    batch_from: Annotated[
        Annotated[int, Limits(ge=1)] | None,
        Limits(description="so many requests go as a batch, at the batch's price; null: never"),
    ] = 50
    timeout: Annotated[float, Limits(gt=0, description="seconds for one request")] = 300
    attempts: Annotated[int, Limits(ge=1, le=20, description="for one request in one run")] = 6
    runs: Annotated[
        int, Limits(ge=1, description="that ask for a reply which stays cut off or invalid; it is paid for in each")
    ] = 2
    longest_wait: Annotated[
        float, Limits(ge=0, description="seconds; a provider that asks for a longer wait is tried after this one")
    ] = 120
    poll: Annotated[
        float, Limits(gt=0, description="seconds between two looks at a batch, doubled up to ten minutes")
    ] = 20
    max_usd_per_stage: Dollars | None = None
    max_usd_per_day: Dollars | None = None
    stages: Annotated[
        dict[Stage, dict[str, Any]], Limits(description="what is otherwise for one stage, such as another model")
    ] = {}


Own = msgspec.defstruct(
    "Own",
    [(each.name, each.type, None) for each in msgspec.structs.fields(Params) if each.name != "stages"],
    forbid_unknown_fields=True,
)
"""What may stand below a stage's name: anything of the above."""


def settings(stage: str) -> Params:
    """The params of `models` for one stage, its own over those of all; without the key no model is asked."""
    common = params.whole().get("models") or {}
    own = {str(of): each for of, each in params.typed(common, Params, "models").stages.items()}.get(stage, {})
    where = f"models.stages.{stage}" if own else "models"
    params.typed(own, Own, where)
    given = params.typed({**common, **own, "stages": {}}, Params, where)
    if given.provider != "none" and not given.model:
        raise stop(f"{params.FILE}: {where}.model is missing; name a model whose price is in data/models.yaml")
    return given


def key_at_hand(given: Params) -> str:
    """The provider's key, or nothing; an address of one's own may need none."""
    return os.environ.get(KEYS.get(given.provider, ""), "").strip()


def needed_key(given: Params) -> str:
    """The provider's key, or a stop."""
    key = key_at_hand(given)
    if not key and not (given.provider == "openai" and given.address):
        raise stop(f"{KEYS[given.provider]}: is not set, and models.provider is {given.provider}; export the key")
    return key
