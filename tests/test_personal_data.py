import re
import sys
import sysconfig
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import collect
from stages.contract.params import Stop
from stages.contract.record import Example, Fault, Message, ToolCall, encode
from stages.text import personal_data
from stages.text.patterns import compiled
from stages.text.personal_data import Redaction, Rules, Scope, finds, rules, secret
from stages.text.personal_data.kinds import KINDS, MODEL, surrogates
from tests import private
from tests.conftest import calls

PATTERNS = tuple(kind for kind in KINDS if kind not in MODEL)
DEFAULT = rules(Redaction())
SURROGATES = surrogates(DEFAULT)


def only(*kinds: Any, region: str = "US", **more: Any) -> Rules:
    """Rules that replace these kinds by their names."""
    return rules(Redaction(redact=kinds, phone_regions=(region,), **more))


def redact(text: str, given: Rules = DEFAULT, before: str = "") -> tuple[str, Counter[str]]:
    """The redacted text with surrogates of a key of the tests."""
    return personal_data.redact(text, given, before, Scope(lambda: (b"key", "record")))


FINDS: dict[str, list[str]] = {
    "email": [
        "alice@example.org",
        "Alice.Smith+tag@mail.example.co.uk",
        "a_b-c%d@x-y.io",
        "root@127-0-0-1.example.com",
        "o.brien@sub.example.museum",
        "o'brien@example.org",
        "josé.núñez@correo.example",
        "анна@почта.рф",
        "info@müller.example",
        "ａｌｉｃｅ＠example.org",
    ],
    "secret": [
        "sk-" + "aB3" * 8,
        "sk-ant-" + "x9_-" * 6,
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "A1" * 11,
        "AKIA" + "ABCD1234" * 2,
        "AIza" + "a-_1B" * 7,
        "xoxb-123456789012-abcDEF",
        "hf_" + "aBc" * 10,
        "npm_" + "a1" * 18,
        "glpat-" + "a1B2_" * 4,
        "pypi-" + "AgEI" * 13,
        "eyJhbGciOiJI.eyJzdWIiOiIx.abc-_DEF123",
        "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN " + "PRIVATE KEY-----\nMIIE\nabc=",
    ],
    "iban": [
        "DE89 3704 0044 0532 0130 00",
        "DE89370400440532013000",
        "GB29 NWBK 6016 1331 9268 19",
        "NO9386011117947",
        "de89 3704 0044 0532 0130 00",
        "gb29nwbk60161331926819",
        "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
        "FR14 2004 1010 0505 0001 3M02 606",
        "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
    ],
    "card": [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111111111111111",
        "3782 822463 10005",
        "378282246310005",
        "5555 5555 5555 4444",
        "6011 1111 1111 1117",
        "2223 0031 2200 3222",
        "3530 1113 3330 0000",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20111111\u20111111\u20111111",
        "4111.1111.1111.1111",
        "４１１１１１１１１１１１１１１１",
        "٤١١١١١١١١١١١١١١١",
        "6304 0000 0000 0000",
        "6200 0000 0000 0005",
    ],
    "ssn": ["078-05-1121", "219-09-9998", "536-90-4399", "536‑90‑4399"],
    "national_id": [
        "RSSMRA85T10A562S",
        "529.982.247-25",
        "85.07.30-033.28",
        "131052-308T",
        "295109912611193",
        "756.9217.0769.85",
    ],
    "ipv6": [
        "2001:db8::ff00:42:8329",
        "fe80::1ff:fe23:4567:890a",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "2001:db8:8000::",
    ],
    "ipv4": ["203.0.113.7", "8.8.8.8", "10.0.0.12", "192.168.1.254"],
    "phone": [
        "+1 212-555-2368",
        "+12125552368",
        "(212) 555-2368",
        "212-555-2368",
        "212.555.2368",
        "1 212 555 2368",
        "+44 20 7946 0958",
        "+49 30 901820",
        "+33 1 42 68 53 00",
        "+91 98765 43210",
        "+91 9876543210",
        "+1 2125552368",
        "+44 7911 123456",
        "(212) 5552368",
        "212‑555‑2368",
        "+1\u00a0212\u00a0555\u00a02368",
        "(898)666-3621x0135",
        "345-899-3560 ext. 4587",
        "001-518-640-0854",
        "+46 (0)8 928 571 38",
    ],
}
PLACES = ["{}", "Write to {}.", "({})", "is {}, thanks", "new\n{}\nline", "“{}”", "contact: {}", "é {} é", "<b>{}</b>"]
SAID = {
    "url": "https://example.org/path?x=1",
    "birth_date": "1984-03-12",
}
"""Kinds that have a find of their own form only where it is said, or not by default."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("kind", "find"), [(kind, find) for kind, finds in FINDS.items() for find in finds])
def test_each_kind_is_found_in_prose_and_only_it_is_replaced(kind: str, find: str, place: str) -> None:
    if find.endswith("abc="):
        place = "key:\n{}"
    assert redact(place.format(find)) == (place.format(f"[{kind.upper()}]"), Counter({kind: 1}))


def test_every_kind_has_a_find_here() -> None:
    assert {*FINDS, *SAID} == set(PATTERNS)


@pytest.mark.parametrize(
    "clean",
    [
        # addresses and mentions
        "@alice and alice@ and @example.org",
        "user@localhost",
        "a decorator: @app.route",
        "git@",
        "5 @ 3.50 each",
        # secrets
        "sk-learn and sk-SK",
        "the prefix ghp_ alone",
        "an AKIA of few letters: AKIA1234",
        "eyJhbGciOiJI alone",
        "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
        "hf_hub_download",
        # accounts
        "DE88 3704 0044 0532 0130 00",
        "DE89 3704 0044 0532 0130",
        "AB12 CDEF 3456 7890",
        "the part GB29 1234",
        # cards
        "4111 1111 1111 1112",
        "4111111111111112",
        "order 1234567890123456",
        "1700000000000",
        "0000 0000 0000 0000",
        "ISBN 9780306406157",
        "ISBN 978-0-306-40615-7",
        "978-3-16-148410-0",
        "3.14159265358979323846",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "1,234,567,890,123,452",
        # social security numbers
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "123-45-67890",
        "part 12-123-45-6789-0",
        # addresses of machines
        "version 1.2.3.4",
        "v10.0.1.2",
        "firmware 2.10.0.7",
        "release notes for 4.18.0.305",
        "section 3.2.1.4",
        "§ 3.2.1.4",
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.0",
        "256.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "::1",
        "std::vector<int>::iterator",
        "a::b::c::d",
        "std::cafe::dead",
        "Foo::Bar::baz()",
        "12:34:56",
        "2026-05-01T12:34:56",
        "00:1A:2B:3C:4D:5E",
        "dict[1:2:3]",
        "16:9 and 1:2:3",
        # numbers that are not dialled
        "2026-05-01",
        "2026 05 01",
        "01.05.2026",
        "order 2026-0415-77",
        "epoch 1714567890",
        "1714567890123",
        "1 000 000",
        "10 000 000 000",
        "$1 234 567",
        "from 1990 to 2020 or 2021",
        "pages 123-456",
        "1.5.2 10.2.33",
        "4 8 15 16 23 42",
        "12:30-13:45",
        "ticket #415-555-2671",
        "SKU-212-555-2368",
        "rgb(255, 99, 71)",
        "x = 3.5 * 10 - 42",
        "911",
        "555-2368",
        "5-7 10-12 100-200",
        "2024-2025-2026",
        "port 8080, pid 31337",
        "0.30901820",
        "1 100000 1000000",
        "2026-05-01 2026-05-02",
        "2026-05-01 12-34-56",
    ],
)
def test_what_only_looks_like_personal_data_stays(clean: str) -> None:
    for text in (clean, f"It is {clean} here", f"({clean})"):
        assert redact(text) == (text, Counter())


def test_three_hundred_hard_negatives_stay() -> None:
    texts = private.hard_negatives()
    assert len(set(texts)) >= 300
    assert {text: redact(text)[1] for text in texts if redact(text)[1]} == {}


def test_of_two_hundred_secrets_95_of_100_are_found() -> None:
    cases = private.secrets()
    assert len(cases) >= 200
    missed = [text for text, value in cases if value in redact(text)[0]]
    assert len(missed) <= 0.05 * len(cases), missed


def code() -> str:
    """Code of the standard library: modules at its top, which are no tests."""
    return "\n".join(
        path.read_text("utf-8", "replace") for path in sorted(Path(sysconfig.get_path("stdlib")).glob("[a-h]*.py"))
    )


def test_no_secret_or_number_is_found_in_ten_thousand_lines_of_code_and_logs() -> None:
    text = "\n".join([code(), *private.logs(2_000)])
    assert text.count("\n") > 10_000
    addresses = {"email", "ipv4", "ipv6"}  # of authors, and in examples of the network modules
    assert [text[find.start : find.end] for find in finds(text, DEFAULT) if find.kind not in addresses] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("paid with x,4539148803436467,12/27", "paid with x,[CARD],12/27"),
        ("cardno4539148803436467 is mine", "cardno[CARD] is mine"),
        ("card 4539148803436467/12/27", "card [CARD]/12/27"),
        ("my card: 4 539 148 803 436 467", "my card: [CARD]"),
        ("my debit card 676222165679 is lost", "my debit card [CARD] is lost"),
        ("IBAN DE89 3704 0044 0532 0130 00 PLEASE PAY", "IBAN [IBAN] PLEASE PAY"),
        ("my ssn is 536 90 4399", "my ssn is [SSN]"),
        ("SSN: 536904399", "SSN: [SSN]"),
        ("Order 77 was put on 536-90-4399", "Order 77 was put on [SSN]"),
        ("part of his file, SSN 536-90-4399", "part of his file, SSN [SSN]"),
        ("tax id: 536-90-4399", "tax id: [SSN]"),
        ("ITIN 912-70-3456", "ITIN [NATIONAL_ID]"),
        ("Phone: 467 3395", "Phone: [PHONE]"),
        ("call me at 0494 92 82 32 tonight", "call me at [PHONE] tonight"),
        ("(37) 788-063-Office, 07700 063 966-Fax", "[PHONE]-Office, [PHONE]-Fax"),
        ("Phones: 467 3395, 780 6326 and 451 5986", "Phones: [PHONE], [PHONE] and [PHONE]"),
        ("Tel.: 030/901820", "Tel.: [PHONE]"),
        ("DOB: 03/14/1984", "DOB: [BIRTH_DATE]"),
        ("I was born on March 14, 1984 in Rome", "I was born on [BIRTH_DATE] in Rome"),
        ("date of birth is 14 March 1984", "date of birth is [BIRTH_DATE]"),
        ("Geburtsdatum: 14.03.1984", "Geburtsdatum: [BIRTH_DATE]"),
        ("dni 12345678Z", "dni [NATIONAL_ID]"),
        ("NHS number 943 476 5919", "NHS number [NATIONAL_ID]"),
        ("his national insurance number AB 12 34 56 C", "his national insurance number [NATIONAL_ID]"),
        ("redis://default:k3yx81@cache:6379/0", "redis://[SECRET]@cache:6379/0"),
        ("https://x.example/a?token=a81kfj3Lq0sPz7Wm&page=2", "https://x.example/a?token=[SECRET]&page=2"),
        ("her password !PurpleSky77.", "her password [SECRET]."),
        ("see ::ffff:203.0.113.9 there", "see [IPV6] there"),
        ("请联系alice@example.org谢谢", "请联系[EMAIL]谢谢"),
        ("发到 用户@例子.公司 吧", "发到 [EMAIL] 吧"),
    ],
)
def test_what_the_text_around_says_counts(text: str, found: str) -> None:
    assert redact(text)[0] == found


@pytest.mark.parametrize(
    "text",
    [
        "order number 4539148803436467",
        "What is 4539578763621486 * 3?",
        "467 3395 people came",
        "order 467 3395 was sent",
        "ticket no. 212-555-2368",
        "order number 536-90-4399",
        "Part #: 536-90-4399 fits",
        "serial no. 536-90-4399",
        "676222165679 rows",
        "536904399 bytes",
        "12345678Z",
        "the password must be changed",
        "Einstein was born on 14 March 1879",
        "Turing was born on 23 June 1912",
        "call it on 2026-05-01",
        "F. Scott Fitzgerald (1896-1940)",
        'PEM = "-----BEGIN " "PRIVATE KEY-----"',
        "token = tokens[12345678901234567890]",
    ],
)
def test_the_same_numbers_stay_where_nothing_says_so(text: str) -> None:
    assert redact(text) == (text, Counter())


def test_several_finds_of_several_kinds_are_each_counted() -> None:
    text = "a@example.org, b@example.org, 10.0.0.12 and 4111 1111 1111 1111"
    assert redact(text) == ("[EMAIL], [EMAIL], [IPV4] and [CARD]", Counter(email=2, ipv4=1, card=1))


@pytest.mark.parametrize("kind", FINDS)
def test_a_kind_that_is_not_asked_for_stays(kind: Any) -> None:
    others = tuple(other for other in FINDS if other != kind)
    for find in FINDS[kind]:
        assert not redact(find, only(*others))[1][kind]
        assert redact(find, only(kind)) == (f"[{kind.upper()}]", Counter({kind: 1}))


def test_an_address_of_the_web_is_replaced_only_if_that_is_asked_for() -> None:
    text = f"see {SAID['url']}, please"
    assert redact(text) == (text, Counter())
    assert redact(text, only("url")) == ("see [URL], please", Counter(url=1))


def test_where_kinds_overlap_the_one_that_stands_first_is_taken() -> None:
    text = "https://ann:Xk39sLq8@mail.example.org/?to=a@example.org"
    assert redact(text, only(*PATTERNS))[1] == Counter(url=1)
    assert redact(text)[1] == Counter(secret=1, email=1)


@pytest.mark.parametrize(
    "text", ["2026-05-01 {} 24 hours", "{} {}", "{} 10 AM", "{}, {} or {}", "{}: 2 lines", "at {} 24/7"]
)
@pytest.mark.parametrize("phone", ["212-555-2368", "(212) 555-2368", "212.555.2368", "1-212-555-2368"])
def test_a_phone_number_is_found_beside_other_numbers(text: str, phone: str) -> None:
    assert redact(text.replace("{}", phone))[0] == text.replace("{}", "[PHONE]")


def test_a_number_without_a_country_code_is_of_a_declared_region() -> None:
    assert redact("020 7946 0958", only("phone", region="GB"))[0] == "[PHONE]"
    assert redact("020 7946 0958", only("phone"))[0] == "020 7946 0958"


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("Ring (05075) 29170.", "DE", "Ring [PHONE]."),
        ("(05075) 29170 mobil", "US", "[PHONE] mobil"),
        ("Office: (05075) 29170", "DE", "Office: [PHONE]"),
        ("(08887) 18033 office", "DE", "[PHONE] office"),
        ("I want no more messages to (029) 2018503.", "GB", "I want no more messages to [PHONE]."),
        ("Mobile: (0131)4960172", "GB", "Mobile: [PHONE]"),
        ("You can call 3806894227.", "US", "You can call [PHONE]."),
        ("Text 608 820 018 when you are there.", "PL", "Text [PHONE] when you are there."),
        ("The function call 3806894227 fails.", "US", "The function call 3806894227 fails."),
        ("See Smith (2019) 1234567.", "US", "See Smith (2019) 1234567."),
        (r"Main Street 1\n001-665-407-5291x703 fax\n", "US", r"Main Street 1\n[PHONE] fax\n"),
        (r"27974 Police\n882 808 414 office\n", "PL", r"27974 Police\n[PHONE] office\n"),
    ],
)
def test_a_phone_number_is_found_as_people_of_other_countries_write_it(text: str, region: str, expected: str) -> None:
    assert redact(text, only("phone", region=region))[0] == expected


@pytest.mark.parametrize("form", secret.FORMS)
def test_what_has_the_form_of_a_makers_key_is_found_unless_it_is_a_row_of_words(form: str) -> None:
    @given(st.from_regex(re.compile(form, re.ASCII), fullmatch=True))
    @settings(derandomize=True, max_examples=4)
    def holds(key: str) -> None:
        text = f"The key {key} is gone."
        assert compiled(secret.GATE).search(text)
        words = bool(secret.WORDS.fullmatch(key) or secret.SAMPLE.search(key))
        assert words or any(find.start <= 8 < find.end for find in finds(text, only("secret")))

    holds()


@pytest.mark.parametrize(
    "text",
    [
        "private_key: Ed25519PrivateKey",
        "    secret_key: PKCS7PrivateKeyTypes,",
        '<label class="sk-toggleable__label-arrow">',
        "sk-toggleable__content-fitted__wrapper",
    ],
)
def test_the_name_of_a_type_or_a_style_is_no_secret(text: str) -> None:
    assert redact(text, only("secret"))[0] == text


def test_a_number_of_twelve_digits_is_a_card_only_where_the_text_says_so() -> None:
    assert redact("Block my card 060459999961, please", only("card"))[0] == "Block my card [CARD], please"
    assert redact("Block 060459999961, please", only("card"))[0] == "Block 060459999961, please"


def test_a_national_id_is_of_a_declared_country() -> None:
    assert redact("cpf 529.982.247-25", only("national_id", national_ids=("br",)))[0] == "cpf [NATIONAL_ID]"
    assert redact("cpf 529.982.247-25", only("national_id", national_ids=("us",)))[0] == "cpf 529.982.247-25"


@pytest.mark.parametrize(
    ("allow", "text", "left"),
    [
        ("support@ourfirm.com", "Support@OurFirm.com or ann@ourfirm.com", "Support@OurFirm.com or [EMAIL]"),
        (r"/.*@ourfirm\.com/", "ann@ourfirm.com, ann@ourfirm.com.example", "ann@ourfirm.com, [EMAIL]"),
        ("18005550199", "+1 800-555-0199 or 212-555-2368", "+1 800-555-0199 or [PHONE]"),
    ],
)
def test_what_is_allowed_stays(allow: str, text: str, left: str) -> None:
    assert redact(text, rules(Redaction(allow=(allow,))))[0] == left


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (Redaction(allow=("/(/",)), "collect.allow: /[(]/ is no pattern"),
        (Redaction(national_ids=("xx",)), "collect.national_ids: 'xx' is unknown; known are ar, at"),
        (Redaction(redact={"name": "surrogate"}), "collect.redact.name: no name is surely nobody's"),
    ],
)
def test_a_setting_that_cannot_be_worked_with_stops(given: Redaction, problem: str) -> None:
    with pytest.raises(Stop) as stopped:
        personal_data.check(rules(given))
    assert re.search(problem, str(stopped.value))


def test_names_without_the_extra_stop_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    personal_data.presidio.analyzer.cache_clear()
    with pytest.raises(Stop) as stopped:
        personal_data.check(only("name"))
    assert "run `pip install -e '.[presidio]' && python -m spacy download en_core_web_lg`" in str(stopped.value)


def test_a_model_finds_names_and_places_and_gives_way_to_what_is_checked(tmp_path: Path) -> None:
    pytest.importorskip("presidio_analyzer", reason="the extra presidio is not installed")
    import spacy

    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Ada Kestrel"}, {"label": "GPE", "pattern": "Rome"}])
    nlp.to_disk(tmp_path / "model")
    given = only("name", "address", "email", presidio_model=str(tmp_path / "model"))
    personal_data.check(given)
    found = redact("Ada Kestrel of Rome, ada@example.org", given)
    assert found == ("[NAME] of [ADDRESS], [EMAIL]", Counter(name=1, address=1, email=1))


# Surrogates


VALUES = [
    (kind, find)
    for kind, finds in FINDS.items()
    for find in finds
    if not personal_data.module(kind).reserved(personal_data.plain(find))  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("kind", "find"), VALUES)
def test_a_surrogate_is_another_value_that_is_nobodys_and_stays(kind: Any, find: str) -> None:
    made, counts = redact(find, SURROGATES)
    assert made != find
    assert counts == Counter({kind: 1})
    assert personal_data.module(kind).reserved(made)
    assert redact(made, SURROGATES) == (made, Counter())


def test_a_surrogate_keeps_the_form_and_its_check() -> None:
    from stdnum import iban, luhn

    card = redact("4111 1111 1111 1112 and 5425-2334-3010-9903", SURROGATES)[0].rpartition(" ")[2]
    assert re.fullmatch(r"5555-5500-\d{4}-\d{4}", card)
    assert luhn.is_valid(card.replace("-", ""))
    account = redact("DE89 3704 0044 0532 0130 00", SURROGATES)[0]
    assert re.fullmatch(r"DE\d\d 0000 (?:\d{4} ){3}\d\d", account)
    assert iban.is_valid(account)
    assert re.fullmatch(r"\(\d{3}\) 555-01\d\d", redact("(212) 555-2368", SURROGATES)[0])
    assert re.fullmatch(r"01/01/198\d", redact("DOB 03/14/1984", SURROGATES)[0].removeprefix("DOB "))
    assert redact("AKIA" + "QYLPMN5HHHFPZAM2", SURROGATES)[0].startswith("AKIAEXAMPLE")


def test_a_surrogate_is_the_same_for_the_same_value_and_person_and_tells_nothing_without_the_key() -> None:
    def of(text: str, *whose: Any) -> str:
        return personal_data.redact(text, SURROGATES, scope=Scope(lambda: whose))[0]  # type: ignore[arg-type, return-value]

    text = "4539 1488 0343 6467, again 4539148803436467, not 4485 2757 4230 8327"
    first, second, third = re.findall(r"\d[\d ]+\d", of(text, b"k", "ann"))
    assert first.replace(" ", "") == second != third.replace(" ", "")
    assert of(text, b"k", "ann") == of(text, b"k", "ann")
    assert of(text, b"k", "ben") != of(text, b"k", "ann") != of(text, b"l", "ann")


# Records


def cleaned(example: Example, given: collect.Params | None = None) -> tuple[Example, Counter[str]]:
    """The example as collect cleans it, and what it counts."""
    how = collect.cleaning(given or collect.Params(), Scope(lambda: (b"key", "record")))
    return collect.clean(example, how), how.counts


def called(arguments: dict[str, Any], *, schema: Any = None, given: collect.Params | None = None) -> dict[str, Any]:
    """The arguments of a call as collect cleans them."""
    tools = [{"function": {"name": "send", "parameters": schema}}] if schema else []
    found, _ = cleaned(Example([Message("assistant", "", [ToolCall("a" * 9, "send", arguments)])], tools), given)
    return found.messages[0].tool_calls[0].arguments


@pytest.mark.parametrize(("kind", "find"), [(kind, finds[0]) for kind, finds in FINDS.items()])
def test_each_kind_is_found_in_tool_arguments_tools_names_and_losing_endings(kind: str, find: str) -> None:
    example = Example(
        [Message("assistant", f"is {find}", [ToolCall("a" * 9, "send", {"to": [{find: find, "n": 1.5}]})], name=find)],
        [{"function": {"description": find, "parameters": {"required": [find], "strict": True}}}],
        [Message("assistant", find)],
    )
    before = encode(example)
    mark, name = f"[{kind.upper()}]", kind.upper()
    assert cleaned(example) == (
        Example(
            [
                Message(
                    "assistant", f"is {mark}", [ToolCall("a" * 9, "send", {"to": [{mark: mark, "n": 1.5}]})], name=name
                )
            ],
            [{"function": {"description": mark, "parameters": {"required": [mark], "strict": True}}}],
            [Message("assistant", mark)],
        ),
        Counter({kind: 7}),
    )
    assert encode(example) == before


def test_a_field_s_name_says_what_a_value_is() -> None:
    given = {
        "phoneNumber": "467 3395",
        "count": "467 3395",
        "customer": {"ssn": "536904399", "date_of_birth": "1984-03-12"},
        "api_key": "k3Jx81LmQz0sPw7Ty2",
        "order": {"id": "536904399"},
    }
    assert called(given) == {
        "phoneNumber": "[PHONE]",
        "count": "467 3395",
        "customer": {"ssn": "[SSN]", "date_of_birth": "[BIRTH_DATE]"},
        "api_key": "[SECRET]",
        "order": {"id": "536904399"},
    }


def test_a_number_stays_a_number_that_is_nobodys() -> None:
    given = {
        "card": 4539148803436467,
        "phone": 2125552368,
        "tracking": 4539148803436468,
        "count": 3,
        "yes": True,
        "n": 2125552368,
    }
    found = called(given)
    assert {key: found[key] for key in ("tracking", "count", "yes", "n")} == {
        key: given[key] for key in ("tracking", "count", "yes", "n")
    }
    assert re.fullmatch(r"40000000\d{8}", str(found["card"]))
    assert re.fullmatch(r"\d{3}55501\d\d", str(found["phone"]))
    assert called(found) == found


SCHEMA = {
    "type": "object",
    "properties": {
        "mail": {"type": "string", "format": "email"},
        "card": {"type": "string", "pattern": r"^\d{16}$"},
        "who": {"type": "string", "maxLength": 12},
        "owner": {"enum": ["ann.smith@corp.example", "nobody"]},
    },
}


def test_arguments_still_satisfy_the_tools_schema_after_redaction() -> None:
    found = called({"mail": "ann@corp.org", "card": "4539148803436467"}, schema=SCHEMA)
    assert re.fullmatch(r"\w+\.\d+@example\.(com|net|org)", found["mail"])
    assert re.fullmatch(r"40000000\d{8}", found["card"])
    assert called({"who": "a@b.org"}, schema=SCHEMA) == {"who": "[EMAIL]"}
    assert called({"owner": "ann.smith@corp.example"}, schema=SCHEMA) == {"owner": "[EMAIL]"}


def test_a_record_whose_schema_takes_no_replacement_is_a_fault_without_the_data() -> None:
    schema = {"type": "object", "properties": {"to": {"type": "string", "pattern": r"@corp\.org$"}}}
    with pytest.raises(Fault) as fault:
        called({"to": "ann@corp.org"}, schema=schema)
    assert fault.value.args == ("unfit_redaction", {"email": 1})


@pytest.mark.parametrize("schema", [{"type": "dict"}, {"$ref": "https://schema.example/x"}, 7])
def test_a_schema_that_is_none_asks_nothing(schema: Any) -> None:
    assert called({"to": "ann@corp.org"}, schema=schema) == {"to": "[EMAIL]"}


def test_a_tools_result_that_is_json_stays_json() -> None:
    text = '{"phone": 2125552368, "mail": "ann@corp.org", "n": 1.50}'
    found, counts = cleaned(Example([Message("tool", text)]))
    assert re.fullmatch(r'\{"phone":\d{3}55501\d\d,"mail":"\[EMAIL\]","n":1.5\}', found.messages[0].content)
    assert counts == Counter(email=1, phone=1)


def test_two_keys_that_are_replaced_alike_keep_both_their_values() -> None:
    found = called({"a.b@example.org": 1, "c.d@example.org": 2})
    assert found == {"[EMAIL]": 1, "[EMAIL]_2": 2}


def test_keys_that_already_look_numbered_end_the_search_too() -> None:
    found = called({"[EMAIL]_2": 1, "[EMAIL]_3": 2, "a@example.org": 3, "c@example.org": 4})
    assert sorted(found.values()) == [1, 2, 3, 4]


@pytest.mark.parametrize("depth", [200, 600, 100_000])
def test_a_tools_result_that_is_nested_deeper_than_any_reader_follows_is_redacted_as_text(depth: int) -> None:
    text = "[" * depth + '{"phone": 2125552368}' + "]" * depth
    found, counts = cleaned(Example([Message("tool", text)]))
    assert '{"phone": [PHONE]}' in found.messages[0].content
    assert counts == Counter(phone=1)


# Properties


PIECES = st.sampled_from(
    [find for finds in FINDS.values() for find in finds]
    + [
        "+",
        "(",
        ")",
        "-",
        ".",
        " ",
        "@",
        ":",
        "/",
        "#",
        "\n",
        "1",
        "23",
        "415",
        "5552671",
        "v",
        "version ",
        "::",
        "a",
        "DE",
    ]
)


TEXTS = st.lists(PIECES | st.text("0123456789.-+ ():@abAB", max_size=6), max_size=8).map("".join)


@settings(max_examples=400)
@given(TEXTS)
def test_redacting_twice_changes_nothing(text: str) -> None:
    once, _ = redact(text)
    assert redact(once) == (once, Counter())


@settings(max_examples=200)
@given(st.lists(PIECES, max_size=6).map(" and ".join))
def test_surrogates_are_not_replaced_again(text: str) -> None:
    once, _ = redact(text, SURROGATES)
    assert redact(once, SURROGATES) == (once, Counter())


@given(st.lists(PIECES | st.just(" and "), max_size=6).map("".join))
def test_every_mark_is_counted(text: str) -> None:
    found, counts = redact(text)
    assert Counter(mark.lower() for mark in re.findall(r"\[([A-Z0-9_]+)\]", found)) <= counts


@given(st.text("abcdefghijk lmnop.,!?\n", max_size=200))
def test_words_alone_are_never_touched(text: str) -> None:
    assert redact(text) == (text, Counter())


@given(st.text(max_size=60))
def test_plain_spelling_keeps_every_place(text: str) -> None:
    assert len(personal_data.plain(text)) == len(text)


@pytest.mark.parametrize("kind", FINDS)
def test_the_gate_lets_through_whatever_is_found(kind: Any) -> None:
    cases = list(FINDS[kind]) + ([text for text, _ in private.secrets()] if kind == "secret" else [])
    for text in map(personal_data.plain, cases):
        if any(True for _ in personal_data.module(kind).find(text, DEFAULT)):
            assert personal_data.possible(text, (kind,)) == [kind], text


# Hostile texts


HOSTILE = {
    "digits": "1",
    "groups": "1 ",
    "phones": "+1 212 ",
    "dots": "1.",
    "cards": "4539-1488-0343-646",
    "letters": "a",
    "at": "a@",
    "domains": "a@b.",
    "colons": ":",
    "hex": "fe80:",
    "tokens": "eyJaaaaaaaa-",
    "dotted tokens": "eyJaaaaaaaa.",
    "armour": "-----BEGIN " + "PRIVATE KEY-----\n",
    "lines of a key": "-----BEGIN " + "PRIVATE KEY-----\nMIIE\n",
    "assignments": "password = '",
    "bearer": "Authorization: Bearer ",
    "addresses": "a://b:",
    "queries": "?token=",
    "labels": "date of birth ",
    "dates": "1.1.",
    "ids": "DE89 ",
    "brackets": "(((",
    "quotes": "\"'+",
    "prefixes": "sk-",
    "odd spaces": "\u00a01",
    "curl": " curl ",
    "names": "phone call tel ",
    "words": "ssn dni nif PAN ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_cost_of_hostile_text_grows_with_its_length_and_no_faster(name: str) -> None:
    redact(HOSTILE[name])
    short, long = (
        calls(partial(finds, given=DEFAULT), HOSTILE[name] * (size // len(HOSTILE[name]))) for size in (20_000, 40_000)
    )
    assert long <= 2.2 * short + 100


@pytest.mark.parametrize("name", HOSTILE)
def test_behind_a_megabyte_of_hostile_text_a_find_is_still_found(name: str) -> None:
    text = HOSTILE[name] * (1_000_000 // len(HOSTILE[name])) + "\n\nwrite to ann@example.org"
    assert any(text[find.start : find.end] == "ann@example.org" for find in finds(text, DEFAULT))


@pytest.mark.parametrize("glued", ["+12125552368", "a@b.orgA+", "8.8.8.8.", "(212) 555-2368"])
def test_a_long_row_of_finds_glued_together_ends(glued: str) -> None:
    found, counts = redact(glued * 2_000)
    assert found.count("[") == counts.total()
