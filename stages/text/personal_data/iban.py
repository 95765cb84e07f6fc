"""International bank account numbers: country, length and mod-97 check, in groups or not, in capitals or not."""

import re
from collections.abc import Iterator
from functools import cache

from stages.text.patterns import Span, spans
from stages.text.personal_data.chance import Chance, like
from stages.text.personal_data.kinds import Rules
from stages.text.personal_data.spelling import squeezed

PATTERN = r"[A-Za-z]{2}\d{2}"
GATE = r"[A-Za-z]{2}\d{2}[ \-.]?[A-Za-z0-9]{4}[ \-.]?[A-Za-z0-9]{3}"
SHORTEST = 15  # letters and digits, of Norway
FREE = 4  # places of a bank's code that are 0 or X in a surrogate: no bank has it


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where numbers stand: as long as the country's are, so that nothing of a word behind them is taken."""
    for start, _ in spans(PATTERN, text):
        if start and text[start - 1].isalnum():
            continue
        length = length_of(text[start : start + 2].upper())
        end = place_after(text, start, length) if length else 0
        if end and not text[end : end + 1].isalnum() and is_valid(text[start:end]):
            yield start, end


@cache
def length_of(country: str) -> int:
    """How many letters and digits a country's numbers have; 0 if it has none."""
    from stdnum import numdb

    (_, known), *_ = numdb.get("iban").info(country)
    return 4 + sum(map(int, re.findall(r"(\d+)!", known["bban"]))) if known else 0


def place_after(text: str, start: int, count: int) -> int:
    """Where so many letters and digits end, with one space, dash or point between two at most; 0 if they do not."""
    place = start
    for _ in range(count):
        place += text[place : place + 1] in (" ", "-", ".") and place > start
        if not text[place : place + 1].isalnum():
            return 0
        place += 1
    return place


def is_valid(found: str) -> bool:
    """Whether country, length and check digits are right."""
    from stdnum import iban

    return bool(iban.is_valid(squeezed(found), check_country=False))


def reserved(found: str) -> bool:
    """Of a bank that there is not."""
    return set(squeezed(found)[4 : 4 + FREE]) <= {"0", "X"}


def surrogate(found: str, chance: Chance) -> str:
    """A valid number of the same country and form, of a bank that there is not."""
    from stdnum import iban

    given = squeezed(found)
    bank = "".join("0" if letter.isdigit() else "X" for letter in given[4 : 4 + FREE])
    account = bank + like(given[4 + FREE :], chance)
    new = iter(given[:2] + iban.calc_check_digits(f"{given[:2]}00{account}") + account)
    return "".join(next(new) if letter.isalnum() else letter for letter in found)
