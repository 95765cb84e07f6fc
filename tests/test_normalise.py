import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text.normalise import normalise

PIECES = st.lists(
    st.sampled_from(
        ["“a”", "‘b’", "`", "```", "\n", "\r", "\r\n", "{", "[", " ", "e\u0301", "\u1fef", "\ufeff", "\0", "\ud800"]
    )
    | st.text(max_size=4),
    max_size=8,
).map("".join)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("one\r\ntwo\rthree\nfour", "one\ntwo\nthree\nfour"),
        ("cafe\u0301", "café"),
        ("\ufefftext\ufeff", "text"),
        ("a\x00b\x07c\x1bd\x7fe\x85f\x9fg", "abcdefg"),
        ("half \ud83d pair \ude00", "half  pair "),
        ("“Hi”, ‘you’ „low‟ ‚x‛", "\"Hi\", 'you' \"low\" 'x'"),
        ("it’s", "it's"),
        ("“said” `“code”` ”after”", '"said" `“code”` "after"'),
        ("“a”\n```\n“code”\n```\n“b”", '"a"\n```\n“code”\n```\n"b"'),
        ("“a”\n```py\n“never closed”", '"a"\n```py\n“never closed”'),
        ("a ` b “c” d", 'a ` b "c" d'),
    ],
)
def test_one_text_has_one_spelling(given_text: str, expected: str) -> None:
    assert normalise(given_text) == expected


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "a\tb\n\n  indented  \n",
        "| a | b |\n|---|---|\n",
        "café 漢字 \U0001f600 עברית",
        "zero\u200djoiner \u00a0 no-break",
        "ligature ﬁ, half ½, ² and full-width Ａ",
        "prime ′ and ″, guillemets « », backtick `x`",
        "en – em —",
        '{"say": "“quoted”"}',
        ' [“quoted”, "as JSON"]',
        "`“code”`",
    ],
)
def test_what_is_layout_meaning_or_code_stays(kept: str) -> None:
    assert normalise(kept) == kept


def test_curly_quotes_stay_if_they_are_asked_to() -> None:
    assert normalise("“Hi” e\u0301\r\n", straight_quotes=False) == "“Hi” é\n"


@given(PIECES, st.booleans())
def test_normalising_twice_changes_nothing(text: str, straight: bool) -> None:
    once = normalise(text, straight)
    assert normalise(once, straight) == once


@given(PIECES)
def test_what_comes_out_is_utf8_in_nfc_without_carriage_returns(text: str) -> None:
    found = normalise(text, straight_quotes=False)
    found.encode("utf-8")
    assert unicodedata.is_normalized("NFC", found)
    assert not set(found) & {"\r", "\0", "\ufeff"}


@given(PIECES)
def test_texts_that_differ_only_in_line_ends_and_composition_become_one(text: str) -> None:
    plain = normalise(text)
    assert normalise(unicodedata.normalize("NFD", plain), straight_quotes=False) == plain
    assert normalise(plain.replace("\n", "\r\n"), straight_quotes=False) == plain
