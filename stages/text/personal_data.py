"""Personal data and secrets in texts: found by patterns that are each checked (Luhn, mod 97, number plans), and replaced.

One pass of a compiled set of patterns says which kinds can occur at all, so a clean text costs one scan.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal, get_args

Found = Callable[["re.Match[str]", str], bool]

DATE = r"(?:19|20)\d\d[ .\-](?:0?[1-9]|1[0-2])[ .\-](?:[0-2]?\d|3[01])\b"
GREEDY_EMAIL = r"[A-Za-z0-9._%+\-]{1,64}@(?:[A-Za-z0-9\-]{1,63}\.)+[A-Za-z]{2,24}"
PATTERNS: dict[str, str] = {
    "email": rf"(?<![A-Za-z0-9._%+\-]){GREEDY_EMAIL}(?![A-Za-z0-9])",
    "secret": "|".join(
        (
            r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_\-]{20,}",
            r"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{22,}",
            r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
            r"\bAIza[A-Za-z0-9_\-]{35}",
            r"\bxox[abprs]-[A-Za-z0-9\-]{10,}",
            r"\b(?:hf|npm)_[A-Za-z0-9]{30,}|\bglpat-[A-Za-z0-9_\-]{20,}|\bpypi-[A-Za-z0-9_\-]{50,}",
            r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}",
            r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[\s\S]*?(?:-----END (?:[A-Z]+ )?PRIVATE KEY-----|\Z)",
        )
    ),
    "iban": r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b",
    "card": r"(?<![\d.,\-])(?:\d{4}[ \-]\d{4}[ \-]\d{4}[ \-]\d{1,7}|\d{4}[ \-]\d{6}[ \-]\d{4,5}|\d{13,19})(?![\d\-]|[.,]\d)",
    "ssn": r"(?<![\d\-])\d{3}-\d{2}-\d{4}(?![\d\-])",
    "ipv6": r"(?<![A-Za-z0-9:.])(?:[0-9A-Fa-f]{1,4}:|:){2,7}[0-9A-Fa-f]{1,4}(?![A-Za-z0-9:.]*[A-Za-z0-9:])",
    "ipv4": r"(?<![\w.\-])(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)",
    "phone": r"(?<![\w.,/\-:#=])(?:"
    r"(?:\+?1[ .\-]?)?(?:\([2-9]\d\d\) ?[2-9]\d\d[ .\-]?|[2-9]\d\d[.\-][2-9]\d\d[.\-])\d{4}"  # takes no number beside it in
    rf"|(?!{DATE}[ .\-])(?:\+\d{{1,3}}[ .\-]?)?(?:\(\d{{1,5}}\)[ .\-]?)?\d{{1,5}}(?:[ .\-]\d{{2,5}}|[ \-]\d{{6,8}}){{1,5}}"
    r"|\+\d{1,3}[ .\-]?\d{7,14}"
    r")(?![\w\-]|[.,:/]\d)",
}
GATE: dict[str, str] = {
    "email": GREEDY_EMAIL,
    "secret": r"sk-|gh[pousr]_|github_pat_|AKIA|ASIA|AIza|xox[abprs]-|hf_|npm_|glpat-|pypi-|eyJ|PRIVATE KEY",
    "iban": r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2}",
    "card": r"\d(?:[ \-]?\d){12}",
    "ssn": r"\d{3}-\d{2}-\d{4}",
    "ipv6": r":[0-9A-Fa-f]{0,4}:",
    "ipv4": r"\d\.\d{1,3}\.\d{1,3}\.\d",
    "phone": r"\d(?:[ .\-()]{0,3}\d){6}",
}
"""What the gate looks for: wider than the pattern of the same kind, and without look-around, which it does not have."""
Kind = Literal["email", "secret", "iban", "card", "ssn", "ipv6", "ipv4", "phone"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order they are replaced: what a later pattern could mistake is gone by then."""
PASSES = 20  # over a text with finds; only a row of that many glued together needs more
NETWORKS = re.compile(r"4|5[1-5]|2[2-7]|3[04-9]|6")
VERSION = re.compile(r"(?:\bv|\b(?:versions?|releases?|firmware|builds?|section)\b[^.\n]{0,16}|§)\s*$", re.IGNORECASE)
SHAPES = re.compile(r"\+|\(|0|1[ .\-]|[2-9]\d\d[ .\-][2-9]\d\d[ .\-]\d{4}$")
"""How a phone number starts when it is written to be dialled: a plus, a bracket, a trunk 0, or North America's 3-3-4."""


@cache
def gate() -> Any:
    """All gate patterns as one automaton."""
    import re2

    patterns = re2.Set.SearchSet()
    for kind in KINDS:
        patterns.Add(GATE[kind])
    patterns.Compile()
    return patterns


@cache
def compiled(kind: str) -> "re.Pattern[str]":
    """The pattern of one kind."""
    return re.compile(PATTERNS[kind], re.ASCII)  # the gate's digits are ASCII too


def digits(text: str) -> str:
    """The digits of a text."""
    return "".join(filter(str.isdigit, text))


def is_card(match: "re.Match[str]", region: str) -> bool:
    """A number that a card network gives out, with a valid check digit."""
    from stdnum import luhn

    number = digits(match[0])
    return bool(NETWORKS.match(number) and luhn.is_valid(number))


def is_iban(match: "re.Match[str]", region: str) -> bool:
    """A number whose country, length and mod-97 check are right."""
    from stdnum import iban

    return bool(iban.is_valid(match[0], check_country=False))


def is_ssn(match: "re.Match[str]", region: str) -> bool:
    """A number that the Social Security Administration could have given out."""
    from stdnum.us import ssn

    return bool(ssn.is_valid(match[0]))


def is_address(match: "re.Match[str]", region: str) -> bool:
    """An IP address that can be somebody's: not a version number, a mask, this machine or nobody."""
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return False
    if address.version == 4 and (
        VERSION.search(match.string[max(0, match.start() - 28) : match.start()]) or match[0].startswith("255.")
    ):
        return False
    return not (address.is_loopback or address.is_unspecified or len(match[0]) < 7)


def is_phone(match: "re.Match[str]", region: str) -> bool:
    """A number written as phone numbers are, which the number plan of its country has."""
    import phonenumbers

    if not 7 <= len(digits(match[0])) <= 15 or not SHAPES.match(match[0]) or re.match(DATE, match[0]):
        return False
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(match[0], region)))
    except phonenumbers.NumberParseException:
        return False


CHECKS: dict[str, Found] = {
    "card": is_card,
    "iban": is_iban,
    "ssn": is_ssn,
    "ipv4": is_address,
    "ipv6": is_address,
    "phone": is_phone,
}


def possible(text: str, kinds: tuple[Kind, ...]) -> Iterator[str]:
    """The kinds that the text can hold, in the order they are replaced."""
    return (KINDS[place] for place in sorted(gate().Match(text) or ()) if KINDS[place] in kinds)


def redact(text: str, kinds: tuple[Kind, ...], region: str) -> tuple[str, Counter[str]]:
    """The text with each find replaced by `[KIND]`, and how many of each kind there were.

    A find can uncover another that is glued to it, so a text with finds is looked at again: redacting twice changes nothing.
    """
    counts: Counter[str] = Counter()
    if not gate().Match(text):
        return text, counts
    for _ in range(PASSES):
        text, found = replaced(text, kinds, region)
        if not found:
            break
        counts += found
    return text, counts


def replaced(text: str, kinds: tuple[Kind, ...], region: str) -> tuple[str, Counter[str]]:
    """The text after one pass over all kinds, and what it found."""
    counts: Counter[str] = Counter()
    for kind in possible(text, kinds):
        check = CHECKS.get(kind)

        def replacement(match: "re.Match[str]", kind: str = kind, check: Found | None = check) -> str:
            if check and not check(match, region):
                return match[0]
            counts[kind] += 1
            return f"[{kind.upper()}]"

        text = compiled(kind).sub(replacement, text)
    return text, counts
