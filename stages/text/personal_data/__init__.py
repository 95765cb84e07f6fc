"""Personal data and secrets in texts: found by forms that are each checked, and replaced as params.yaml says by kind.

A kind is a file here. It offers `GATE`, a pattern that is in every text with a find of it; `find(text, rules)`, the spans
of the finds, each checked (Luhn, mod 97, number plans, the words around it); and, if it can be replaced by a value that is
nobody's, `surrogate(found, chance)` and `reserved(found)`, which says that a value is such a one already. One pass of all
gates as one automaton says which kinds can occur at all, so a clean text costs one scan. Offsets are characters.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from msgspec import Struct

from stages.contract.params import stop
from stages.text.patterns import MEMORY, compiled
from stages.text.personal_data import presidio
from stages.text.personal_data.chance import numbers
from stages.text.personal_data.kinds import (
    KINDS,
    MODEL,
    Kind,
    Mode,
    Redaction,
    Rules,
    modes_of,
    placeholders,
    rules,
    surrogates,
)
from stages.text.personal_data.national_id import KNOWN
from stages.text.personal_data.spelling import plain, squeezed

PASSES = 20  # over a text with finds; only a row of that many glued together needs more
NOTHING: Counter[str] = Counter()  # of nearly every text; never changed
TRIES = 20  # at a surrogate that no other value of the record has
__all__ = [
    "KINDS",
    "Kind",
    "Mode",
    "Redaction",
    "Rules",
    "Scope",
    "check",
    "modes_of",
    "placeholders",
    "redact",
    "redact_number",
    "rules",
    "surrogates",
]


class Find(NamedTuple):
    """A kind and where it stands."""

    start: int
    end: int
    kind: Kind
    mode: Mode


class Scope(Struct):
    """Where a surrogate stands for the same value: the project's key and whose record it is, and what was given out.

    `whose` is asked only when a surrogate is needed: most records need none.
    """

    whose: Callable[[], tuple[bytes, str]] = lambda: (b"", "")
    given: dict[tuple[str, str], tuple[int, str]] = {}


@cache
def module(kind: Kind) -> ModuleType:
    """The file of a kind."""
    return import_module(f"stages.text.personal_data.{kind}")


@cache
def gate(kinds: tuple[Kind, ...]) -> Any:
    """The gates of these kinds as one automaton."""
    import re2

    options = re2.Options()
    options.max_mem = 4 * MEMORY
    patterns = re2.Set.SearchSet(options)
    for kind in kinds:
        patterns.Add(module(kind).GATE)
    patterns.Compile()
    return patterns


def possible(text: str, kinds: tuple[Kind, ...]) -> list[Kind]:
    """The kinds that a text in plain spelling can hold, in the order of their priority."""
    matched = gate(kinds).Match(text) if kinds else None
    return [kinds[place] for place in sorted(matched)] if matched else []


def check(given: Rules) -> None:
    """Stop at a setting that cannot be worked with."""
    import re2

    for kind, mode in zip(given.kinds, given.modes, strict=True):
        if mode == "surrogate" and not hasattr(module(kind), "surrogate"):
            raise stop(
                f"params.yaml: collect.redact.{kind}: no {kind} is surely nobody's; use placeholder, drop or keep"
            )
    for country in given.national_ids:
        if country not in KNOWN:
            raise stop(f"params.yaml: collect.national_ids: {country!r} is unknown; known are {', '.join(KNOWN)}")
    for entry in given.allow:
        try:
            allowed("", (entry,))
        except re2.error:
            raise stop(f"params.yaml: collect.allow: {entry} is no pattern that re2 knows; mend it") from None
    if set(given.kinds) & set(MODEL):
        presidio.analyzer(given.presidio_model)


def redact(text: str, given: Rules, before: str = "", scope: Scope | None = None) -> tuple[str, Counter[str]]:
    """The text with each find replaced, and how many of each kind there were; `before` is what stands in front of it.

    A find can uncover another that is glued to it, so a text with finds is looked at again: redacting twice changes nothing.
    """
    found = finds(text, given, before)
    if not found:
        return text, NOTHING
    counts: Counter[str] = Counter()
    scope = scope or Scope()
    for _ in range(PASSES):
        counts.update(find.kind for find in found)
        text = replaced(text, found, scope)
        if not (found := finds(text, given, before)):
            break
    return text, counts


def redact_number(value: int, given: Rules, before: str, scope: Scope) -> tuple[int, Counter[str]]:
    """The same of a number in JSON, which stays a number: what it is replaced by is nobody's, whatever the mode."""
    text = str(value)
    found = [find for find in finds(text, given, before) if find.end - find.start == len(text.lstrip("-"))]
    if not found or not hasattr(module(kind := found[0].kind), "surrogate") or module(kind).reserved(text):
        return value, Counter()
    number = "".join(filter(str.isdigit, surrogate(kind, text, scope)))
    return int(number), Counter({kind: 1})


def finds(text: str, given: Rules, before: str = "") -> list[Find]:
    """What is to be replaced in the text, from left to right, none overlapping another."""
    searched = plain(before + text)
    likely = possible(searched, given.kinds)
    if not likely:
        return []
    skipped, taken = len(before), bytearray(len(searched))
    modes, found = dict(zip(given.kinds, given.modes, strict=True)), []
    for kind in likely:
        for start, end in module(kind).find(searched, given):
            if start < skipped or taken.find(1, start, end) >= 0:
                continue
            taken[start:end] = b"\1" * (end - start)
            value = text[start - skipped : end - skipped]
            if not stays(kind, value, modes[kind], given):
                found.append(Find(start - skipped, end - skipped, kind, modes[kind]))
    return sorted(found)


def stays(kind: Kind, value: str, mode: Mode, given: Rules) -> bool:
    """Whether a find is allowed, or a surrogate already where surrogates are: one must not be replaced by another."""
    return bool(given.allow and allowed(value, given.allow)) or (
        mode == "surrogate" and module(kind).reserved(plain(value))
    )


def allowed(value: str, entries: tuple[str, ...]) -> bool:
    """Whether an entry of the allow-list is the value, in any case and grouping, or a pattern that takes all of it."""
    for entry in entries:
        if len(entry) > 1 and entry[0] == entry[-1] == "/":
            if compiled(f"(?i){entry[1:-1]}").fullmatch(value):
                return True
        elif entry.casefold() == value.casefold() or (squeezed(entry).isdigit() and squeezed(entry) == squeezed(value)):
            return True
    return False


def replaced(text: str, found: list[Find], scope: Scope) -> str:
    """The text with another value, or the name of the kind, for each find."""
    return "".join(pieces(text, found, scope))


def pieces(text: str, found: list[Find], scope: Scope) -> Iterator[str]:
    """What is kept and what takes the place of the finds, in turn."""
    place = 0
    for find in found:
        yield text[place : find.start]
        yield (
            surrogate(find.kind, text[find.start : find.end], scope)
            if find.mode == "surrogate"
            else f"[{find.kind.upper()}]"
        )
        place = find.end
    yield text[place:]


def surrogate(kind: Kind, value: str, scope: Scope) -> str:
    """What stands for the value in this scope: the same whenever it occurs, and for no other value of the record."""
    known = (kind, squeezed(value))
    number, made = scope.given.get(known, (0, ""))
    others = set() if made else {other for _, other in scope.given.values()}
    key, whose = scope.whose()
    for number in range(number, TRIES):  # noqa: B020 - from the one that was chosen
        found = str(module(kind).surrogate(plain(value), numbers(key, *known, whose, number)))
        if squeezed(found) not in others:
            break
    scope.given[known] = (number, squeezed(found))
    return found
