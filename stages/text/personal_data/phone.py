"""Phone numbers: valid in a number plan, of an unmistakable form, or said to be one by what stands around them."""

import re
from collections.abc import Iterator

from stages.text.patterns import Span, before, compiled, spans
from stages.text.personal_data.chance import Chance, digit, filled, one_of
from stages.text.personal_data.kinds import Rules
from stages.text.personal_data.spelling import digits

RUN = r"[+(]{0,2}\d(?:[ .\-()/]{0,3}\d){6,}(?:\s?(?:x|ext\.?|extension|#)\s?\d{1,6})?"
GATE = r"\d(?:[ .\-()/]{0,3}\d){6}"
DATE = (
    r"(?:(?:19|20)\d\d[ .\-/](?:0?[1-9]|1[0-2])[ .\-/](?:[0-2]?\d|3[01])\b"
    r"|(?:[0-2]?\d|3[01])[.\-/](?:[0-2]?\d|3[01])[.\-/](?:19|20)\d\d\b)"
)
EXTENSION = r"(?:(?:\s?(?:x|ext\.?|extension|#)\s?)\d{1,6})?"
FORMS = re.compile(
    r"(?<!\w)(?<!\d[.,:/\-])(?<!\w-)(?:"
    r"(?P<american>(?:(?:\+|00)?1[ .\-]?)?(?:\([2-9]\d\d\) ?[2-9]\d\d[ .\-]?|[2-9]\d\d[.\-][2-9]\d\d[.\-])\d{4})"
    rf"|(?!{DATE})(?:\+\d{{1,3}}[ .\-]?)?(?:\(\d{{1,5}}\)[ .\-]?)?\d{{1,5}}(?:[ .\-/]\d{{2,5}}|[ \-/]\d{{6,8}}){{1,6}}"
    r"|\+\d{1,3}[ .\-]?(?:\(0\) ?)?\d{7,14}|\(\d{2,5}\)[ .\-]?\d{3,8}"
    r"|\d{7,15}"
    rf"){EXTENSION}(?!\w|[.,:/]\d|-\d)"
)
DIALLED = re.compile(r"\+|\(|0|1[ .\-]|[2-9]\d\d[ .\-][2-9]\d\d[ .\-]\d{4}")
"""How a number starts when it is written to be dialled: a plus, a bracket, a trunk 0, or North America's 3-3-4."""
MIXED = re.compile(r"\d\.\d+[ \-]\d|\d[ \-]\d+\.\d")
"""Points beside spaces or dashes: two numbers, or one of another kind."""
THOUSANDS = re.compile(r"[1-9]\d{0,2}(?: \d{3})+$|[1-9]\d{0,2}(?:\.\d{3})+$")
STRONG = (
    r"(?:mobile |cell |tele|smart)?phones?(?: ?(?:no\.?|numbers?|nr\.?|#))?|tel\b|mobiles?|cell(?:s"
    r"|phones?|ular)?|fax|whats ?app|sms"
    r"|landline|hotline|helpline|voice ?mail|dial|pager|handy(?:nummer)?|telefon\w*|t[ée]l[ée]phone"
    r"|t[ée]l\b|portable|m[óo]vil"
    r"|celular|tel[ée]fono|cellulare|telefoon\w*|rufnummer"
    r"|(?:call|ring|text|phone|reach|contact|buzz)(?:ed|ing|s)? (?:me|us|him|her|them|back|you)"
    r"|(?:me|us|him|her|them|back|call(?:ed|ing|s)?|reach(?:ed|able|ing)?|contact(?:ed)?|answer(?:ing|s"
    r"|ed)?|texts?) (?:at|on|under|via)"
    r"|(?:desk|office|home|work|direct|main|ph|mob|cell) ?[:.]"
    r"|(?:call|text|ring) ?$"
)
WEAK = r"call\w*|contact\w*|messag\w*|text(?:ing|ed)?|answer\w*|ring|dialed|num(?:ber|éro|ero)s?|nummer|número|reach\w*"
OTHER = (
    r"(?:orders?|invoices?|tickets?|cases?|acct|tracking|serial|models?|parts?|sku|isbn|issn|ean|version"
    r"|build|zip|postal|ref(?:erence)?"
    r"|passport|licen[cs]e|routing|patent|doi|id|identifier|ids|vin|iban|ssn|tax|vat|port|epoch|timestamp"
    r"|bytes|pages?|rows?|lines?"
    r"|offset|population|amount|total|price|batch|lot|seed|pid|uid|process|thread|job|request"
    r"|error)(?: ?(?:numbers?|no|nr|num|id|code|#))*"
    r"|(?:accounts?|polic[ey]|policy|customer|client|member(?:ship)?|employee|transaction|booking|flight"
    r"|item|product|code|function|system|card)"
    r" ?(?:numbers?|no|nr|num|ids?|code|calls?|#)|account|card"
)
SIGNS = rf"(?i)\b(?:(?P<other>{OTHER})|(?P<strong>{STRONG})|(?P<weak>{WEAK}))(?:\b|$)|(?P<digits>\d{{5,}})"
FOLLOWED = re.compile(
    r"\s?[\-–—,(/]?\s?(?:\(?(?:office|fax|mobile?|cell|home|work|desk|direct|telephone|phone|tel|landline|mob)\b)",
    re.IGNORECASE,
)
BETWEEN = re.compile(r"\s*(?:[,;/|&]|and|or|und|et|y)\s*", re.IGNORECASE)
LETTER = re.compile(r"(?<![^\s,;|(])[tmpf] ?: ?$", re.IGNORECASE)
"""The shortest label of a number: `T: …`."""
YEARS = re.compile(r"(?:1[5-9]|20)\d\d ?[\-/] ?(?:1[5-9]|20)\d\d$")
FAR = 32  # characters from a weak sign, or one of something else, to the number
AREAS = ("209", "318", "423", "518", "605", "712", "814", "906", "937", "971")
FICTION = re.compile(rf"(?:00)?1?(?:{'|'.join(AREAS)})?55501\d\d$")
"""Area codes of North America, and the numbers in each that are for films: 555-0100 to 555-0199."""


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where numbers stand; a row of them, as after `Phones:`, is told by its first."""
    last = -1
    for first, end in spans(RUN, text):
        for match in FORMS.finditer(text, first, end + 3):
            listed = last >= 0 and match.start() - last < 8 and bool(BETWEEN.fullmatch(text, last, match.start()))
            if is_phone(match, rules.phone_regions, listed):
                last = match.end()
                yield match.span()


def is_phone(match: "re.Match[str]", regions: tuple[str, ...], listed: bool) -> bool:
    """Whether the digits are a phone's by their form, their number plan, or the words around them."""
    found, main = match[0], without_extension(match[0])
    fits = 7 <= len(digits(main)) <= 15 and not MIXED.search(main)
    if not fits or re.fullmatch(DATE, found) or YEARS.match(found):
        return False
    said = "strong" if listed else context(match.string, match.start(), match.end())
    if said == "strong":
        return True
    before_it, bare = match.string[match.start() - 1 : match.start()], found.isdigit() and not found.startswith("00")
    if (said == "other" and not found.startswith("+")) or bare or before_it in ("#", "=", "/"):
        return False
    if match["american"]:
        return True
    if said == "weak" and not THOUSANDS.match(found):
        return True
    return bool(DIALLED.match(found)) and planned(found, regions)


def without_extension(found: str) -> str:
    """The number without the `ext. 12` behind it."""
    return re.split(r"\s?[xe#]", found, maxsplit=1)[0]


def context(text: str, start: int, end: int) -> str:
    """What the words around a number say it is: strong or weak signs of a phone, other if of something else."""
    if FOLLOWED.match(text, end):
        return "strong"
    near = before(text, start)
    if LETTER.search(near):
        return "strong"
    last, end = "", 0
    for match in compiled(SIGNS).finditer(near.replace("_", " ")):
        last, end = next(name for name, value in match.groupdict().items() if value), match.end()
    far = last in ("other", "weak") and len(near) - end > FAR
    return "" if far or last == "digits" else last


def planned(found: str, regions: tuple[str, ...]) -> bool:
    """Whether a number plan has the number: any country's if it starts with a plus, else one of the regions'."""
    import phonenumbers

    for region in (None,) if found.startswith("+") else regions:
        try:
            number = phonenumbers.parse(found, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number) or (region is None and phonenumbers.is_possible_number(number)):
            return True
    return False


def reserved(found: str) -> bool:
    """Kept free for films, or of a form that cannot be dialled: with two zeros where the number of a place starts."""
    number = digits(without_extension(found))
    return bool(FICTION.match(number)) or number[len(country(found)) :].startswith(
        "000" if not country(found) else "00"
    )


def country(found: str) -> str:
    """The digits of the country's code, if the number starts with one."""
    import phonenumbers

    if not found.startswith("+"):
        return ""
    try:
        return str(phonenumbers.parse(found, None).country_code)
    except phonenumbers.NumberParseException:
        return ""


def surrogate(found: str, chance: Chance) -> str:
    """A number of the same form that nobody has: one for films in North America, elsewhere one that cannot be dialled."""
    main = without_extension(found)
    number, code = digits(main), country(found)
    if code in ("", "1") and re.fullmatch(r"\d{7}|(?:00)?1?[2-9]\d{9}", number) and not number.startswith("0"):
        head = number[:-10] + (one_of(chance, AREAS) if len(number) >= 10 else "")
        new = f"{head}55501{digit(chance)}{digit(chance)}"
    else:
        new = code + ("00" if code else "000")
        new += "".join(digit(chance) for _ in range(len(number) - len(new)))
    return filled(new + "".join(digit(chance) for _ in digits(found[len(main) :])), found)
