import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import collect
from stages.contract.record import Example, Message, ToolCall
from stages.text import personal_data
from stages.text.personal_data import KINDS, Redaction, rules
from stages.text.personal_data import redact as _r


def redact(t, k, region):
    return _r(t, rules(Redaction(redact=tuple(k), phone_regions=(region,))))


KINDS = tuple(k for k in KINDS if k not in ("name", "address"))

FINDS: dict[str, list[str]] = {
    "email": [
        "alice@example.org",
        "Alice.Smith+tag@mail.example.co.uk",
        "a_b-c%d@x-y.io",
        "root@127-0-0-1.example.com",
        "o.brien@sub.example.museum",
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
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIE\nnever closed",
    ],
    "iban": [
        "DE89 3704 0044 0532 0130 00",
        "DE89370400440532013000",
        "GB29 NWBK 6016 1331 9268 19",
        "NO9386011117947",
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
    ],
    "ssn": ["078-05-1121", "219-09-9998", "536-90-4399"],
    "ipv6": ["2001:db8::ff00:42:8329", "fe80::1ff:fe23:4567:890a", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"],
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
    ],
}
PLACES = ["{}", "Write to {}.", "({})", "is {}, thanks", "new\n{}\nline", "“{}”", "contact: {}", "é {} é", "<b>{}</b>"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("kind", "find"), [(kind, find) for kind, finds in FINDS.items() for find in finds])
def test_each_kind_is_found_in_prose_and_only_it_is_replaced(kind: str, find: str, place: str) -> None:
    if "never closed" in find and place != "{}":
        place = "key:\n{}"
    assert redact(place.format(find), KINDS, "US") == (place.format(f"[{kind.upper()}]"), Counter({kind: 1}))


def test_every_kind_has_a_find_here() -> None:
    assert set(FINDS) == set(KINDS)


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
        assert redact(text, KINDS, "US") == (text, Counter())


def test_several_finds_of_several_kinds_are_each_counted() -> None:
    text = "a@example.org, b@example.org, 10.0.0.12 and 4111 1111 1111 1111"
    assert redact(text, KINDS, "US") == ("[EMAIL], [EMAIL], [IPV4] and [CARD]", Counter(email=2, ipv4=1, card=1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_is_not_asked_for_stays(kind: Any) -> None:
    others = tuple(other for other in KINDS if other != kind)
    for find in FINDS[kind]:
        assert not redact(find, others, "US")[1][kind]
        assert redact(find, (kind,), "US") == (f"[{kind.upper()}]", Counter({kind: 1}))


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-01 {} 24 hours",
        "{} {}",
        "{} 10 AM",
        "{}, {} or {}",
        "{}: 2 lines",
        "at {} 24/7",
    ],
)
@pytest.mark.parametrize("phone", ["212-555-2368", "(212) 555-2368", "212.555.2368", "1-212-555-2368"])
def test_a_phone_number_is_found_beside_other_numbers(text: str, phone: str) -> None:
    assert redact(text.replace("{}", phone), KINDS, "US")[0] == text.replace("{}", "[PHONE]")


def test_a_number_without_a_country_code_is_of_the_declared_region() -> None:
    assert redact("020 7946 0958", KINDS, "GB")[0] == "[PHONE]"
    assert redact("020 7946 0958", KINDS, "US")[0] == "020 7946 0958"


@pytest.mark.parametrize(("kind", "find"), [(kind, finds[0]) for kind, finds in FINDS.items()])
def test_each_kind_is_found_in_tool_arguments_tools_names_and_losing_endings(kind: str, find: str) -> None:
    counts: Counter[str] = Counter()
    cleaned = collect.cleaner(collect.Params(), counts)
    example = Example(
        [Message("assistant", f"is {find}", [ToolCall("a" * 9, "send", {"to": [{find: find, "n": 1.5}]})], name=find)],
        [{"function": {"description": find, "parameters": {"required": [find], "strict": True}}}],
        [Message("assistant", find)],
    )
    mark = f"[{kind.upper()}]"
    assert collect.clean(example, cleaned) == Example(
        [Message("assistant", f"is {mark}", [ToolCall("a" * 9, "send", {"to": [{mark: mark, "n": 1.5}]})], name=mark)],
        [{"function": {"description": mark, "parameters": {"required": [mark], "strict": True}}}],
        [Message("assistant", mark)],
    )
    assert counts == {kind: 7}


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


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES | st.text("0123456789.-+ ():@abAB", max_size=6), max_size=8).map("".join))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once, _ = redact(text, KINDS, "US")
    assert redact(once, KINDS, "US") == (once, Counter())


@pytest.mark.parametrize("glued", ["+12125552368", "a@b.orgA+", "8.8.8.8.", "(212) 555-2368"])
def test_a_long_row_of_finds_glued_together_ends(glued: str) -> None:
    found, counts = redact(glued * 2_000, KINDS, "US")
    assert found.count("[") == counts.total()


@settings(deadline=None)
@given(st.lists(PIECES | st.just(" and "), max_size=6).map("".join))
def test_every_mark_is_counted(text: str) -> None:
    found, counts = redact(text, KINDS, "US")
    assert Counter(mark.lower() for mark in re.findall(r"\[([A-Z0-9]+)\]", found)) <= counts


@given(st.text("abcdefghijk lmnop.,!?\n", max_size=200))
def test_words_alone_are_never_touched(text: str) -> None:
    assert redact(text, KINDS, "US") == (text, Counter())


def test_two_keys_that_are_replaced_alike_keep_both_their_values() -> None:
    cleaned = collect.cleaner(collect.Params(), Counter())
    found = collect.walked({"a.b@example.org": 1, "c.d@example.org": 2}, cleaned)
    assert sorted(found.values()) == [1, 2]
    assert all("@" not in key for key in found)


def test_keys_that_already_look_numbered_end_the_search_too() -> None:
    cleaned = collect.cleaner(collect.Params(), Counter())
    found = collect.walked({"[EMAIL]_2": 1, "[EMAIL]_3": 2, "a@example.org": 3, "c@example.org": 4}, cleaned)
    assert sorted(found.values()) == [1, 2, 3, 4]


def test_a_card_written_as_a_number_is_replaced_and_another_number_is_not() -> None:
    cleaned = collect.cleaner(collect.Params(), Counter())
    given = {"card": 4539148803436467, "tracking": 4539148803436468, "count": 3, "yes": True}
    assert collect.walked(given, cleaned) == {**given, "card": "[CARD]"}


def test_many_tokens_glued_by_dashes_are_looked_at_once() -> None:
    text = "eyJaaaaaaaa-" * 50_000
    assert redact(text, KINDS, "US")[0] == text


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(deadline=None, derandomize=True, max_examples=150)
def test_the_gate_lets_through_whatever_the_pattern_and_its_check_take(kind: Any, data: Any) -> None:
    text = data.draw(st.from_regex(personal_data.compiled(kind), fullmatch=True))
    match = personal_data.compiled(kind).search(text)
    check = personal_data.CHECKS.get(kind)
    if match and (check is None or check(match, "DE")):
        assert kind in list(personal_data.possible(text, KINDS)), text
