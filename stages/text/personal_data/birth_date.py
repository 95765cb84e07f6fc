"""Dates of birth: dates with a year that a form, a field's name or the person says are one."""

import re
from collections.abc import Iterator

from stages.text.patterns import Span, spans
from stages.text.personal_data.chance import Chance
from stages.text.personal_data.kinds import Rules

LABEL = (
    r"(?i:date[ _\-]?of[ _\-]?birth|birth[ _\-]?dates?|birthdays?|\bdobs?\b|[_\-]dob\b|\bd\.o\.b\.?|born[ _\-]on"
    r"|\b(?:i|you) (?:was|were) born|i(?:'m| am) born|geburtsdatum|geburtstag|geboren am|geb\."
    r"|date de naissance|\bn[ée]e? le"
    r"|fecha de nacimiento|naci[óo] el|nac[íi] el|data di nascita|nat[oa] il|data de nascimento"
    r"|nascid[oa] em|geboortedatum"
    r"|geboren op|f[öo]delsedatum|f[øo]dselsdato|syntym[äa]aika|data urodzenia|дата рождения)"
)
GATE = LABEL
MONTH = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ene|abr|ago|dic|mai|f[ée]v|avr|juin|juil|ao[uû]t|d[ée]c|m[äa]r"
    r"|okt|dez|gen|mag|giu|lug|set|ott|fev|out|maj|mei|mrt)[^\W\d]{0,8}\.?"
)
YEAR = r"(?:19\d\d|20[0-3]\d)"
DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|\.|º|°)?"
DATE = re.compile(
    rf"{YEAR}[\-/. ](?:0?[1-9]|1[0-2])[\-/. ](?:0?[1-9]|[12]\d|3[01])(?!\d)"
    rf"|(?:0?[1-9]|[12]\d|3[01])[\-/. ]{{1,2}}(?:0?[1-9]|[12]\d|3[01])[\-/. ]{{1,2}}(?:{YEAR}|\d\d)(?!\d)"
    rf"|{DAY}(?: of| de)? {MONTH},?(?: de| of)? {YEAR}(?!\d)|(?:\d{{1,2}}-){MONTH}-{YEAR}(?!\d)"
    rf"|{MONTH} {DAY}(?:,| of)? {YEAR}(?!\d)",
    re.IGNORECASE,
)
DIGIT = re.compile(r"\d")
REACH = 36  # characters from what announces a date to the date
PUBLIC = re.compile(r"born[ _\-]on$", re.IGNORECASE)
ABOUT = re.compile(
    r"\b(?:patient|customer|client|applicant|employee|member|user|holder|child|insured|tenant|i)\b[^.\n]{0,40}$",
    re.IGNORECASE,
)


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where dates stand. What an encyclopaedia says of people, `X was born on 14 March 1879`, is not taken for personal."""
    last = 0
    for start, end in spans(LABEL, text):
        match = DATE.search(text, end, end + REACH + 24) if DIGIT.search(text, end, end + REACH) else None
        if not match or match.start() < last or not announced(text, start, end, match):
            continue
        last = match.end()
        yield match.span()


def announced(text: str, start: int, end: int, date: "re.Match[str]") -> bool:
    """Whether nothing but words is between the label and the date, and the label speaks of a private person."""
    between = text[end : date.start()]
    if len(between) > REACH or re.search(r"\d|death|died", between) or re.match(r"\w", text[date.start() - 1]):
        return False
    public = PUBLIC.search(text, start, end) and not re.fullmatch(r"[\d\-/. ]+", date[0])
    return not public or bool(ABOUT.search(text[max(0, start - 60) : start]))


def reserved(found: str) -> bool:
    """The first of a month, and of January where the month is a number."""
    return {int(number) for number in re.findall(r"\d+", found) if number != year_of(found)} == {1}


def year_of(found: str) -> str:
    """The digits of the year: four, or the last two."""
    numbers: list[str] = re.findall(r"\d+", found)
    return next((number for number in numbers if len(number) == 4), numbers[-1])


def surrogate(found: str, chance: Chance) -> str:
    """The first of January, or of the month that is named, in a year near by."""
    year = year_of(found)
    near = f"{(int(year) + 1 + next(chance) % 3) % 10 ** len(year):0{len(year)}d}"
    return re.sub(r"\d+", lambda match: near if match[0] == year else "1".zfill(len(match[0])), found)
