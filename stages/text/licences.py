"""Licences as SPDX names them, and which of them, with the terms of a model's maker, are allowed."""

import re
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.text.model_terms import Terms

REASONS = {
    "unknown_licence": "the licence is no SPDX identifier, or says nothing (NOASSERTION, LicenseRef-…)",
    "licence_not_allowed": "the licence is not among those allowed",
    "unknown_terms": "a model wrote it, and the terms of the model's maker are not known",
    "terms_not_allowed": "the terms of the model's maker are not among those allowed",
}
LONGEST = 200  # characters of a licence that are kept
TOKEN = re.compile(r"\(|\)|[^\s()]+")
OWN = "LicenseRef-"


class Allowed(Struct, forbid_unknown_fields=True, frozen=True):
    """What may be used: licences by SPDX identifier, and the terms of makers of models; null allows any."""

    allowed: Annotated[
        tuple[str, ...] | None, Limits(description="SPDX identifiers; of A OR B one must be allowed, of A AND B both")
    ] = None
    terms: Annotated[tuple[Terms, ...] | None, Limits(description="what makers of models may ask")] = None
    unknown: Annotated[Literal["keep", "drop"], Limits(description="licences and terms that are not known")] = "keep"


class Licence(Struct, omit_defaults=True):
    """A licence as SPDX spells it, whether SPDX knows it, and the terms of the maker of the model that wrote the record."""

    licence: str
    known: bool = True
    terms: str | None = None


@lru_cache(1024)
def licence(given: str, terms: str | None) -> Licence:
    """A record's licence; most records share one of a few."""
    found = spdx(given)
    return Licence((found or given)[:LONGEST], found is not None and OWN.lower() not in found.lower(), terms)


def spdx(given: str) -> str | None:
    """A licence expression as SPDX spells it; None if it is none."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(given)) if len(given) <= LONGEST else None
    except InvalidLicenseExpression:
        return None


def refusal(found: Licence, params: Allowed) -> str | None:
    """Why a licence, or the terms beside it, may not be used."""
    listed = params.allowed is not None and found.licence in params.allowed
    if params.unknown == "drop" and not found.known and not listed:
        return "unknown_licence"
    if params.allowed is not None and not listed and not permits(found.licence, params.allowed):
        return "licence_not_allowed"
    if found.terms is None or (params.terms is not None and found.terms in params.terms):
        return None
    if found.terms == "unknown" and params.unknown == "drop":
        return "unknown_terms"
    return None if params.terms is None else "terms_not_allowed"


@lru_cache(1024)
def permits(expression: str, allowed: tuple[str, ...]) -> bool:
    """Whether a licence expression is allowed: one of its alternatives, with all their parts; not what cannot be read."""
    known = {(spdx(each) or each).lower() for each in allowed}
    tokens = TOKEN.findall(expression) if spdx(expression) else []
    try:
        return bool(tokens) and either(tokens, known) and not tokens
    except IndexError:
        return False


def either(tokens: list[str], known: set[str]) -> bool:
    """One or more parts joined by OR, taken off the front of the tokens."""
    found = both(tokens, known)
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        found = both(tokens, known) or found
    return found


def both(tokens: list[str], known: set[str]) -> bool:
    """One or more licences joined by AND."""
    found = one(tokens, known)
    while tokens and tokens[0] == "AND":
        tokens.pop(0)
        found = one(tokens, known) and found
    return found


def one(tokens: list[str], known: set[str]) -> bool:
    """A licence, with or without an exception, which only permits more; or an expression in brackets."""
    name = tokens.pop(0)
    if name == "(":
        found = either(tokens, known)
        tokens.pop(0)
        return found
    if tokens[:1] == ["WITH"]:
        exception = tokens.pop(1)
        tokens.pop(0)
        return name.lower() in known or f"{name} WITH {exception}".lower() in known
    return name.lower() in known
