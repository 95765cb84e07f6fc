"""E-mail addresses, also with letters beyond ASCII in the name or the domain."""

import re
from collections.abc import Iterator

from stages.text.patterns import Span, before, spans
from stages.text.personal_data.chance import Chance, digit, one_of
from stages.text.personal_data.kinds import Rules

SPACED = r"\p{Latin}\p{Cyrillic}\p{Greek}\p{Armenian}\p{Georgian}\p{Hebrew}\p{Arabic}\p{Devanagari}\p{M}0-9"
NAME = rf"[{SPACED}_%+.\-]+(?:'[{SPACED}_%+.\-]+)*"
END = r"(?:xn--[A-Za-z0-9\-]+|[\p{Latin}]+|[\p{Cyrillic}]+|[\p{Greek}]+|[\p{Arabic}\p{M}]+|[\p{Devanagari}\p{M}]+|\p{Han}+)"
HAN = (
    r"[\p{Han}0-9]{1,12}@(?:[\p{Han}A-Za-z0-9\-]+\.)+\p{Han}{2,6}"  # not spaced: a name is taken back to the last mark
)
PATTERN = rf"{NAME}@(?:[{SPACED}\-]+\.)+{END}|{HAN}"
GATE = r"[^\s@]@[^\s@]+\.[^\s@]"
LONGEST = 254  # characters, RFC 5321
NO_DOMAIN = re.compile(r"@\dx\.|@.*\.(?:service|socket|timer|mount|target|png|jpe?g|gif|svg|webp)$", re.IGNORECASE)
"""Pictures for fine screens and systemd's units are written like addresses."""
PASSWORD = re.compile(r"://[^\s/@]*:[^\s/@]*$")
"""What is in front of the password of an address, which is a secret's."""
NAMES = (
    "ada",
    "ben",
    "cleo",
    "dario",
    "edith",
    "felix",
    "greta",
    "hugo",
    "ines",
    "jonas",
    "kira",
    "leon",
    "mila",
    "nils",
)
OURS = re.compile(rf"(?:{'|'.join(NAMES)})\.\d{{4}}@example\.(?:com|net|org)")
"""Surrogates: in domains that nobody can have, RFC 2606."""


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where addresses stand; `git@host:path` and the like are places of code, not of people."""
    for start, end in spans(PATTERN, text):
        while start < end and text[start] in ".-'+%":
            start += 1
        found = text[start:end]
        name, _, domain = found.rpartition("@")
        after = text[end : end + 2]
        glued = after[:1].isdigit() or after[:1] == "_"
        code = name == "git" and after[:1] in (":", "/")
        last = domain.rpartition(".")[2]
        password = PASSWORD.search(before(text, start, 100))
        if (
            name
            and len(last) >= 2
            and end - start <= LONGEST
            and not (glued or code or password or NO_DOMAIN.search(found))
        ):
            yield start, end


def reserved(found: str) -> bool:
    """What a surrogate is like."""
    return bool(OURS.fullmatch(found))


def surrogate(found: str, chance: Chance) -> str:
    """An address in such a domain."""
    number = "".join(digit(chance) for _ in range(4))
    return f"{one_of(chance, NAMES)}.{number}@example.{one_of(chance, ('com', 'net', 'org'))}"
