"""Pages of a source of `kind: web`: text unlike what you trust, domains that you do not want, and what stands on every page.

Measured are the perplexity of the text under a small model of letters, if `dataset fit web` has made one of trusted
sources; the domain of the page's address; and a number for each of its lines. The model is one small file, kept as
the evaluation sets are: written by a command, in git, pinned in params.yaml. As a stage of its own it would stand
between the trusted sources and the measuring of all others, and every new row of a log would measure the web again.
Records of other sources are not looked at.
"""

import zlib
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract import pinned
from stages.contract.params import stop
from stages.contract.pinned import Pin
from stages.contract.record import Record, conversation
from stages.text import perplexity

if TYPE_CHECKING:
    from stages.text.perplexity import Counts

REASONS = {
    "unlike_trusted_text": "the page's perplexity under the model of trusted sources is above max_perplexity",
    "blocked_domain": "the page, or a domain above its own, is in the list of blocked domains",
    "page_boilerplate": "more of the page than max_boilerplate is lines that many pages of the source have",
}
FEWEST = 3  # words of a line that can be boilerplate
LINES = 500  # of a page


class Measure(Struct, forbid_unknown_fields=True, frozen=True):
    """The model of trusted text, which `dataset fit web` writes and pins."""

    model: Annotated[Pin | None, Limits(description="null measures no perplexity")] = None


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """From where on a page is dropped."""

    max_perplexity: Annotated[
        Annotated[float, Limits(ge=1)] | None,
        Limits(description="a character, as `dataset fit web` tells; null takes any"),
    ] = None
    blocked: Annotated[
        Pin | None, Limits(description="a file with a domain a line; those below it are blocked too")
    ] = None
    max_boilerplate: Annotated[
        Annotated[float, Limits(ge=0, le=1)] | None, Limits(description="share of a page's characters; null takes any")
    ] = 0.5
    boilerplate_pages: Annotated[
        int, Limits(ge=2, description="pages of the source that have a line of boilerplate")
    ] = 10


class Page(Struct):
    """The perplexity of a page, its domain, and its different lines as numbers with their lengths in characters."""

    perplexity: float | None
    domain: str | None
    lines: list[tuple[int, int]]
    characters: int


@cache
def model(pin: Pin) -> "Counts":
    """The model that params.yaml pins."""
    try:
        return perplexity.unpacked(pinned.content(pin))
    except ValueError as error:
        raise stop(f"{pin.path}: {error}; make it again with `dataset fit web`") from None


@cache
def domains(pin: Pin) -> frozenset[str]:
    """The domains of a list: the last word of each line, as hosts files have it; what follows # is a comment."""
    lines = (line.partition("#")[0].split() for line in pinned.content(pin).decode("utf-8", "replace").splitlines())
    return frozenset(words[-1].lower().removeprefix("www.").strip(".") for words in lines if words)


def measure(record: Record, params: Measure) -> Page | None:
    """What is known of a page; None of a record that is none."""
    if record.meta.extra.get("kind") != "web":
        return None
    text = conversation(record)
    lines = [line for line in map(str.strip, text.splitlines()) if line.count(" ") >= FEWEST - 1]
    counted = {zlib.crc32(" ".join(line.lower().split()).encode()): len(line) for line in lines[:LINES]}
    surprise = perplexity.perplexity(text, model(params.model)) if params.model else None
    return Page(surprise, record.meta.extra.get("domain"), sorted(counted.items()), len(text))


def summary(values: Iterable[dict[str, Any] | None], params: Params) -> frozenset[int]:
    """The lines that many pages of the source have. All records of a source are pages or none is: the first tells."""
    counts: Counter[int] = Counter()
    for value in values:
        if value is None:
            break
        counts.update(line for line, _ in value["lines"])
    return frozenset(line for line, count in counts.items() if count >= params.boilerplate_pages)


def decide(value: dict[str, Any] | None, params: Params, frequent: frozenset[int] = frozenset()) -> str | None:
    """The first limit that is broken."""
    if not value:
        return None
    if params.blocked and value["domain"] and is_blocked(value["domain"], domains(params.blocked)):
        return "blocked_domain"
    surprise, limit = value["perplexity"], params.max_perplexity
    if limit is not None and surprise is not None and surprise > limit:
        return "unlike_trusted_text"
    share = sum(length for line, length in value["lines"] if line in frequent) / max(1, value["characters"])
    return (
        "page_boilerplate" if params.max_boilerplate is not None and round(share, 3) > params.max_boilerplate else None
    )


def is_blocked(domain: str, blocked: frozenset[str]) -> bool:
    """Whether a domain, or one above it, is in the list."""
    parts = domain.split(".")
    return any(".".join(parts[start:]) in blocked for start in range(len(parts)))
