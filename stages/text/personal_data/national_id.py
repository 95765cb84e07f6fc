"""National ids and tax numbers of persons, by country: forms that python-stdnum checks.

Where the check is weak (one digit or letter) or there is none, the number counts only where the text says what it is.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module

from msgspec import Struct

from stages.text.patterns import Span, spans
from stages.text.personal_data.chance import Chance, like
from stages.text.personal_data.kinds import Rules


class Number(Struct, frozen=True):
    """A kind of number: its country, the module that checks it, its form, and the words that say so if they are needed."""

    country: str
    module: str
    form: str
    words: str = ""


NUMBERS = (
    Number("ar", "ar.cuit", r"\d{2}-?\d{8}-?\d", r"(?i:\bcui[tl]\b)"),
    Number("at", "at.vnr", r"\d{4} ?\d{6}", r"(?i:sozialversicherungsnummer|versicherungsnummer|\bsvnr\b)"),
    Number("au", "au.tfn", r"\d{3} ?\d{3} ?\d{2,3}", r"(?i:tax file|\btfn\b)"),
    Number("be", "be.nn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}"),
    Number("be", "be.nn", r"\d{11}", r"(?i:rijksregister|registre national|national register|\bnrn\b)"),
    Number("bg", "bg.egn", r"\d{10}", r"(?i:\begn\b|\bегн\b)"),
    Number("br", "br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
    Number("br", "br.cpf", r"\d{11}", r"(?i:\bcpf\b)"),
    Number("ca", "ca.sin", r"\d{3}[ \-]?\d{3}[ \-]?\d{3}", r"\bSINs?\b|\bsin\b[\"']?:|(?i:social insurance)"),
    Number("ch", "ch.ssn", r"756\.\d{4}\.\d{4}\.\d{2}|756\d{10}"),
    Number("cl", "cl.rut", r"\d{1,2}\.?\d{3}\.?\d{3}-[\dKk]", r"\bRU[TN]\b|\bru[tn]\b[\"']?:"),
    Number("cn", "cn.ric", r"[1-9]\d{5}(?:19|20)\d{9}[\dXx]"),
    Number("cz", "cz.rc", r"\d{6}/?\d{3,4}", r"(?i:rodn[ée] [čc][íi]slo|\br\.?č\.|birth number)"),
    Number("de", "de.idnr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", r"(?i:steuer-?id|identifikationsnummer|\bidnr\b|tax id)"),
    Number("dk", "dk.cpr", r"\d{6}-?\d{4}", r"(?i:\bcpr\b|personnummer)"),
    Number("es", "es.nif", r"[XYZxyz]?-?\d{7,8}-?[A-Za-z]", r"(?i:\bdni\b|\bnie\b|\bnif\b|documento|identidad)"),
    Number("fi", "fi.hetu", r"[0-3]\d[01]\d{3}[\-+ABCDEFYXWVU]\d{3}[0-9A-FHJ-NPR-Y]"),
    Number("fr", "fr.nir", r"[12] ?\d{2} ?[01]\d ?[0-9][0-9AB] ?\d{3} ?\d{3} ?\d{2}"),
    Number("gb", "gb.nhs", r"\d{3}[ \-]?\d{3}[ \-]?\d{4}", r"(?i:\bnhs\b)"),
    Number(
        "gb",
        "",
        r"[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z] ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]",
        r"(?i:national insurance|\bnino?\b|\bni (?:no|number))",
    ),
    Number("gr", "gr.amka", r"\d{11}", r"(?i:\bamka\b|αμκα)"),
    Number("hr", "hr.oib", r"\d{11}", r"(?i:\boib\b)"),
    Number("ie", "ie.pps", r"\d{7}[A-Wa-w][A-IWTXa-iwtx]?", r"(?i:\bppsn?\b|personal public service)"),
    Number("il", "il.idnr", r"\d{8}-?\d", r"(?i:teudat|israeli id|mispar)|תעודת זהות"),
    Number("in", "in_.aadhaar", r"[2-9]\d{3}[ \-]?\d{4}[ \-]?\d{4}", r"(?i:aadha+r|uidai)"),
    Number(
        "in",
        "in_.pan",
        r"[A-Za-z]{3}[ABCFGHJLPTabcfghjlpt][A-Za-z]\d{4}[A-Za-z]",
        r"\bPAN\b|(?i:permanent account|\bpan (?:card|no|number))",
    ),
    Number("it", "it.codicefiscale", r"[A-Za-z]{6}\d{2}[A-EHLMPR-Ta-ehlmpr-t]\d{2}[A-Za-z]\d{3}[A-Za-z]"),
    Number("kr", "kr.rrn", r"\d{6}-[1-8]\d{6}"),
    Number("lt", "lt.asmens", r"[3-6]\d{10}", r"(?i:asmens kodas)"),
    Number("mx", "mx.curp", r"[A-Za-z]{4}\d{6}[HMhm][A-Za-z]{5}[A-Za-z\d]\d"),
    Number("my", "my.nric", r"\d{6}-\d{2}-\d{4}", r"(?i:\bnric\b|mykad|kad pengenalan)"),
    Number("nl", "nl.bsn", r"\d{4}\.?\d{2}\.?\d{3}", r"(?i:\bbsn\b|burgerservice|sofi-?nummer)"),
    Number("no", "no.fodselsnummer", r"\d{6} ?\d{5}", r"(?i:f[øo]dselsnummer|personnummer|national id)"),
    Number("nz", "nz.ird", r"\d{2,3}-?\d{3}-?\d{3}", r"\bIRD\b|(?i:inland revenue)"),
    Number("pl", "pl.pesel", r"\d{11}", r"(?i:pesel)"),
    Number("pt", "pt.nif", r"\d{3} ?\d{3} ?\d{3}", r"(?i:\bnif\b|contribuinte)"),
    Number("ro", "ro.cnp", r"[1-9]\d{12}", r"(?i:\bcnp\b|cod numeric personal)"),
    Number(
        "se",
        "se.personnummer",
        r"(?:\d{2})?\d{6}[\-+ ]?\d{4}",
        r"(?i:person(?:al)? ?(?:identity )?(?:nummer|nr|number)|samordningsnummer)",
    ),
    Number("th", "th.pin", r"\d-?\d{4}-?\d{5}-?\d{2}-?\d", r"(?i:thai (?:id|national))|เลขประจำตัวประชาชน"),
    Number("tr", "tr.tckimlik", r"[1-9]\d{10}", r"(?i:kimlik|\btckn\b|tc no)"),
    Number(
        "us",
        "us.itin",
        r"9\d{2}[ \-]?\d{2}[ \-]?\d{4}",
        r"\bITIN\b|(?i:individual taxpayer|\bitin\b|tax(?:payer)? id|\bssn\b|social security)",
    ),
    Number("za", "za.idnr", r"\d{13}", r"(?i:\bsa id\b|south african id|identity number|id number)"),
)
KNOWN = tuple(sorted({number.country for number in NUMBERS}))
STRONG = tuple(number for number in NUMBERS if not number.words)
ALL_WORDS = "|".join(number.words for number in NUMBERS if number.words)
DIGITS = (
    r"\d\.\d{2}-\d{3}\.\d|\d\.\d{3}-\d{2}|756\.?\d{4}|(?:19|20)\d{9}[\dXx]|\d[01]\d{3}[\-+A-Y]\d{3}"
    r"|[12] ?\d{2} ?[01]\d ?\d[0-9AB] ?\d{3} ?\d{3}|[A-Za-z]\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}"
    r"|\d{6}-[1-8]\d{6}|\d{6}[HMhm][A-Za-z]{5}"
)
"""The middle of every form that needs no words."""
GATE = f"{ALL_WORDS}|{DIGITS}"
REACH = 40  # characters from the words to the number


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where numbers of these countries stand."""
    for number in STRONG:
        if number.country in rules.national_ids:
            for start, end in spans(number.form, text):
                if is_number(text, start, end, number):
                    yield start, end
    for start, end in spans(ALL_WORDS, text):
        for number in named(text[start:end], rules.national_ids):
            yield from behind(text, end, number)


@cache
def named(words: str, countries: tuple[str, ...]) -> list[Number]:
    """The numbers that go by these words."""
    return [each for each in NUMBERS if each.words and each.country in countries and matches(each.words, words)]


def matches(pattern: str, words: str) -> bool:
    """Whether the pattern takes the words; a mark that must follow them was taken with them."""
    return next(spans(pattern, words), None) is not None


def behind(text: str, place: int, number: Number) -> Iterator[Span]:
    """The first number of this kind behind its words."""
    for match in re.compile(number.form).finditer(text, place, place + REACH + 20):
        if match.start() - place <= REACH and is_number(text, *match.span(), number):
            yield match.span()
            return


def is_number(text: str, start: int, end: int, number: Number) -> bool:
    """Whether it is no piece of something longer, and its check holds."""
    part = re.match(r"[\w.\-]\w?", text[start - 1 : start]) or re.match(r"\w|[.\-]\d", text[end : end + 2])
    return not part and is_valid(number.module, text[start:end])


def is_valid(module: str, found: str) -> bool:
    """Whether the check of this module holds; a form without a module has none."""
    return not module or bool(import_module(f"stdnum.{module}").is_valid(found))


def reserved(found: str) -> bool:
    """No kind of number: what a surrogate is."""
    return not any(re.fullmatch(number.form, found) and is_valid(number.module, found) for number in NUMBERS)


def surrogate(found: str, chance: Chance) -> str:
    """A value of the same form for which no check holds; one without a check starts with QQ, which is never given out."""
    if re.fullmatch(NUMBERS[[n.module for n in NUMBERS].index("")].form, found):
        return "QQ" + like(found[2:], chance)
    made = like(found, chance)
    while not reserved(made):
        made = like(found, chance)
    return made
