"""Payment cards: a network's number with a valid check digit (Luhn), spaced or not, that is not part of a computation."""

import re
from collections.abc import Iterator

from stages.text.patterns import Span, after, before, spans
from stages.text.personal_data.chance import Chance, digit, filled
from stages.text.personal_data.kinds import Rules
from stages.text.personal_data.spelling import digits

PATTERN = r"\d(?:[ \-.]{0,2}\d){11,}"
GATE = r"\d(?:[ \-.]{0,2}\d){11}"
GROUPS = re.compile(
    r"(?<!\d)(?:\d{4}(?P<mark> {1,2}|-|\.)\d{4}(?P=mark)\d{4}(?P=mark)\d{1,7}"
    r"|\d{4}[ \-.]\d{6}[ \-.]\d{4,5}|\d{8}[ \-]\d{8}"
    r"|\d{13,19})(?!\d)"
)
LOOSE = re.compile(r"(?<!\d)\d(?:[ \-.]{0,2}\d){11,18}(?!\d)")
NETWORKS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})$"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}$"  # Mastercard
    r"|3[47]\d{13}$"  # American Express
    r"|3(?:0[0-59]|[689]\d)\d{11,16}$"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12,15}$"  # Discover
    r"|(?:2131|1800)\d{11}$|35\d{14,17}$"  # JCB
    r"|62\d{14,17}$|81\d{14,17}$"  # UnionPay
    r"|(?:5[0678]|6\d)\d{10,17}$|0604\d{8,15}$"  # Maestro, RuPay
    r"|220[0-4]\d{12,15}$|9792\d{12}$"  # Mir, Troy
)
NAMED = re.compile(
    r"\b(?:cards?|cc|visa|master ?card|amex|american express|diners|discover|maestro|jcb|union ?pay"
    r"|credit|debit|cvv2?|cvc|pan"
    r"|exp(?:iry|ires|iration)?|carte|karte\w*|tarjeta|carta|cart[ãa]o|kort)\b|card[ _]?(?:no|num|number|#)?\W{0,3}$",
    re.IGNORECASE,
)
OTHER = re.compile(
    r"(?:\b(?:orders?|tracking|invoice|isbn|ean|gtin|upc|imei|iccid|serial|ticket|shipment|parcel|epoch"
    r"|timestamp|time|ts|nonce"
    r"|hash|checksum|seed|snowflake|tweet|message[ _]?id|trace|span|request|session|commit|build|reference|ref|case)\b"
    r"[ _\-]?(?:ids?|no\.?|numbers?|num|code|nr\.?)?[\s:=#\"'(]{0,4}(?:is|was|of)?\s?)$"
    r"|\b(?:uu)?id[\s:=#\"'(]{1,4}$",
    re.IGNORECASE,
)
COMPUTED_BEFORE = re.compile(
    r"(?:[\d)\]a-z_]\s?(?:\*{1,2}|[×÷^%])|[\d)\]]\s(?:[+/=]|-)|[\d)\]]\s?=|\d\+)\s?\(?$|[a-z_]\($"
    r"|\b(?:multipl\w+|divid\w+|add(?:ed|ing)?|subtract\w*|sum|product|factors?|factori[sz]e|prime|sqrt"
    r"|square root|root|digits"
    r"|modulo|mod|remainder|plus|minus|times|divided by|pow|log|range|randint|int|bigint|float|calculate"
    r"|compute|evaluate)\b"
    r"[\s(]{0,3}(?:of|by|from|for|is)?\s?$",
    re.IGNORECASE,
)
COMPUTED_AFTER = re.compile(
    r"\s?\)?\s?(?:\*{1,2}|[×÷^%]|<<|>>)\s?[\d(a-z]|\s?\)?\s(?:[+/]|-)\s[\d(]|\s?={1,3}\s?[\d?]"
    r"|\s(?:plus|minus|times|multiplied|divided|mod|modulo|(?:is )?(?:a |not )?(?:prime|even|odd"
    r"|divisible|composite))\b",
    re.IGNORECASE,
)
WHOLE = re.compile(r"[A-Za-z0-9_]{0,24}$"), re.compile(r"[A-Za-z0-9_]{0,24}")
TESTS = {
    "4": "40000000",
    "5": "55555500",
    "2": "22230000",
    "34": "37828200",
    "37": "37828200",
    "35": "35301100",
    "30": "30569309",
    "36": "30569309",
    "38": "30569309",
    "6": "60111100",
}
"""By the start of a number, the start of surrogates: the six digits that the network's numbers for tests have."""


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where numbers stand. Unusual groups and lengths, and numbers with another name, only where the text says card."""
    for first, last in spans(PATTERN, text):
        for start, end in [match.span() for match in GROUPS.finditer(text, first, last)] or loose(text, first, last):
            if is_card(text, start, end):
                yield start, end


def loose(text: str, first: int, last: int) -> list[Span]:
    """Numbers in unusual groups, or of twelve digits."""
    return [match.span() for match in LOOSE.finditer(text, first, last) if said(text, *match.span())]


def is_card(text: str, start: int, end: int) -> bool:
    """Whether the number there is a card's by its digits and by what stands around it."""
    number = digits(text[start:end])
    if not NETWORKS.match(number) or not luhn(number) or not stands_alone(text, start, end):
        return False
    named = said(text, start, end)
    if len(number) < 14 and not named:
        return False
    near = before(text, start, 40)
    if OTHER.search(near):
        return False
    return named or not (COMPUTED_BEFORE.search(near) or COMPUTED_AFTER.match(text, end))


def said(text: str, start: int, end: int) -> bool:
    """Whether the text around speaks of cards."""
    return bool(NAMED.search(before(text, start, 80)) or NAMED.search(after(text, end)))


def luhn(number: str) -> bool:
    """Whether the check digit is right, and not all digits are the same."""
    from stdnum import luhn

    return len(set(number)) > 1 and bool(luhn.is_valid(number))


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether it is no part of a decimal number, a hash, a key or another row of digits."""
    if re.match(r"\d[.\-]", text[max(0, start - 2) : start]) or re.match(r"-?\d|\.\d", text[end : end + 2]):
        return False
    left = (WHOLE[0].search(before(text, start, 24)) or [""])[0]
    right = (WHOLE[1].match(after(text, end, 24)) or [""])[0]
    glued = left + right
    return len(glued) < 16 and not any(map(str.isdigit, glued)) and not (left and right)


def reserved(found: str) -> bool:
    """Of the ranges that are for tests."""
    return digits(found).startswith(tuple(TESTS.values()))


def surrogate(found: str, chance: Chance) -> str:
    """A number for tests of the same network and form, with a valid check digit."""
    from stdnum import luhn

    given = digits(found)
    start = TESTS.get(given[:2]) or TESTS.get(given[:1]) or TESTS["6"]
    body = start + "".join(digit(chance) for _ in range(len(given) - len(start) - 1))
    return filled(body + luhn.calc_check_digit(body), found)
