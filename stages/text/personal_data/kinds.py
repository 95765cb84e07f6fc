"""The kinds of personal data, what can be done with each, and what params.yaml says of it."""

from functools import cache
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta as Limits
from msgspec import Struct, structs

Kind = Literal[
    "name",
    "address",
    "url",
    "secret",
    "email",
    "iban",
    "card",
    "ssn",
    "national_id",
    "ipv6",
    "ipv4",
    "phone",
    "birth_date",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""All kinds, each a file here. Where two finds overlap, the kind that stands later gives way, except those of `MODEL`."""
MODEL: tuple[Kind, ...] = ("name", "address")
"""Found by a model of the extra `presidio`; they give way to everything that is checked."""
OFF: tuple[Kind, ...] = (*MODEL, "url")
"""Kept unless params.yaml says otherwise: most addresses of the web are nobody's."""
PRIORITY: tuple[Kind, ...] = tuple(sorted(KINDS, key=lambda kind: kind in MODEL))
Mode = Literal["placeholder", "surrogate", "drop", "keep"]
COUNTRIES = (
    "au",
    "be",
    "br",
    "ca",
    "ch",
    "de",
    "dk",
    "es",
    "fi",
    "fr",
    "gb",
    "ie",
    "in",
    "it",
    "nl",
    "no",
    "pl",
    "pt",
    "se",
    "us",
)


class Redaction(Struct, frozen=True):
    """What becomes of personal data. `redact` may also be a list of kinds: those are replaced by their names."""

    redact: Annotated[
        dict[Kind, Mode] | tuple[Kind, ...],
        Limits(description="by kind: placeholder, surrogate, drop (the record) or keep; what is left out is kept"),
    ] = tuple(kind for kind in KINDS if kind not in OFF)
    allow: Annotated[
        tuple[str, ...],
        Limits(description="what stays: exact values, and patterns between slashes, as /.*@ourfirm\\.com/"),
    ] = ()
    phone_regions: Annotated[
        tuple[Annotated[str, Limits(pattern="^[A-Z]{2}$")], ...],
        Limits(description="countries of phone numbers written without +"),
    ] = ("US",)
    national_ids: Annotated[
        tuple[str, ...], Limits(description="countries, in small letters, whose national ids are looked for")
    ] = COUNTRIES
    presidio_model: Annotated[str, Limits(description="spaCy model, or its folder, that finds names and addresses")] = (
        "en_core_web_lg"
    )


class Rules(Struct, frozen=True):
    """The same as it is worked with: the kinds to look for in the order of their priority, each with its mode."""

    kinds: tuple[Kind, ...]
    modes: tuple[Mode, ...]
    allow: tuple[str, ...] = ()
    phone_regions: tuple[str, ...] = ("US",)
    national_ids: tuple[str, ...] = COUNTRIES
    presidio_model: str = "en_core_web_lg"


def rules(given: Redaction) -> Rules:
    """The rules that params.yaml gives."""
    modes = tuple(modes_of(given.redact).items())
    return rules_of(modes, given.allow, given.phone_regions, given.national_ids, given.presidio_model)


@cache
def rules_of(given: tuple[tuple[Kind, Mode], ...], *settings: Any) -> Rules:
    """The same from what can be hashed: it is asked for with every row."""
    modes = dict(given)
    kinds = tuple(kind for kind in PRIORITY if modes.get(kind, "keep") != "keep")
    return Rules(kinds, tuple(modes[kind] for kind in kinds), *settings)


def modes_of(redact: dict[Kind, Mode] | tuple[Kind, ...]) -> dict[Kind, Mode]:
    """The mode of each kind that is named."""
    return redact if isinstance(redact, dict) else dict.fromkeys(redact, "placeholder")


def placeholders(given: Rules) -> Rules:
    """The same rules with the name of the kind in place of every find: what needs no key."""
    return structs.replace(given, modes=("placeholder",) * len(given.kinds))


def surrogates(given: Rules) -> Rules:
    """The same rules with another value in place of every find, where there is one that is nobody's."""
    modes = tuple("placeholder" if kind in MODEL else "surrogate" for kind in given.kinds)
    return structs.replace(given, modes=modes)
