"""What is shown is what is there: nothing steers the terminal, turns the reading direction round, or hides."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.visible import visible


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Plain words, with a tab\tand\nlines.\n",
        "Straße, naïve, 漢字, עברית, العربية, हिन्दी",
        "👍🏽 👩‍💻 👩🏽‍💻 🏳️‍🌈 ❤️‍🔥 👨‍👩‍👧 ☺️",
        "葛\U000e0100城",
        r"C:\temp\new and \x1b as letters",
    ],
)
def test_what_is_seen_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x00\x07\x7f\x9b", r"\x00\x07\x7f\x9b"),
        ("over\rwritten", r"over\x0dwritten"),
        ("user\u202egnp.exe", r"user\u202egnp.exe"),
        ("\u2066a\u2069\u200e\u061c", r"\u2066a\u2069\u200e\u061c"),
        ("zero\u200bwidth\u2060\ufeff", r"zero\u200bwidth\u2060\ufeff"),
        ("soft\u00adhyphen", r"soft\xadhyphen"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\ud800", r"\ud800"),
        ("\ue000\U000f0000", r"\ue000\U000f0000"),
        ("x\U000e0041", r"x\U000e0041"),
    ],
)
def test_what_is_not_seen_is_written_by_its_number(text: str, seen: str) -> None:
    assert visible(text) == seen


@pytest.mark.parametrize("text", ["a\u200db", "\u200d", "👩\u200d", "\u200d👩", "👩\u200d\u200d💻"])
def test_a_joiner_that_joins_no_two_emoji_is_written_out(text: str) -> None:
    assert visible(text) == text.replace("\u200d", r"\u200d")


def test_selectors_that_carry_hidden_bytes_are_written_out() -> None:
    assert visible("1\ufe00\ufe01\U000e0120") == "1\ufe00" + r"\ufe01\U000e0120"
    assert visible("a\U000e0110b\ufe0fc") == r"a\U000e0110b\ufe0fc"
    assert visible("葛\U000e0100☺\ufe0f") == "葛\U000e0100☺\ufe0f"


@pytest.mark.parametrize("letter", ["\u3164", "\u115f", "\uffa0", "\u034f", "\u180b", "\u2800", "\u2065", "\uffff"])
def test_a_letter_that_shows_nothing_is_written_out(letter: str) -> None:
    assert visible(f"a{letter}b") == f"a{letter.encode('unicode_escape').decode()}b"
    assert visible("\ufe0f") == r"\ufe0f"


def test_every_character_alone_is_seen_or_written_out() -> None:
    for number in range(sys.maxunicode + 1):
        letter = chr(number)
        hidden = unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and letter not in "\n\t"
        hidden = hidden or letter in "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
        hidden = hidden or "VARIATION SELECTOR-" in unicodedata.name(letter, "")
        assert (visible(letter) != letter) == hidden, hex(number)


@given(st.text())
@settings(derandomize=True, max_examples=200)
def test_what_was_shown_once_is_shown_the_same_again(text: str) -> None:
    once = visible(text)
    assert visible(once) == once
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", once)
