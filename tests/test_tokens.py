import lzma
import os
from functools import cache
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text import tokens
from tests.conftest import run

TABLE = Path(__file__).with_name("o200k_base.tiktoken.xz")
"""tiktoken's ranks (MIT, OpenAI; see LICENCE-tiktoken.txt): it fetches them when they are not there."""
CACHE_NAME = "fb374d419588a4632f3f557e76b4b70aebbca790"  # tiktoken's file name for them: SHA-1 of their address


@cache
def reference() -> tiktoken.Encoding:
    """tiktoken itself, which checks the digest of the ranks."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        Path(folder, CACHE_NAME).write_bytes(lzma.decompress(TABLE.read_bytes()))
        patch.setenv("TIKTOKEN_CACHE_DIR", folder)
        return tiktoken.get_encoding(tokens.NAME)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("hello", 1), ("hello world", 2), ("Hello, world!", 4), ("  ", 1), ("\n\n", 1), ("12345", 2)],
)
def test_known_texts_have_their_known_lengths(text: str, expected: int) -> None:
    assert tokens.count(text) == expected


@settings(deadline=None)
@given(st.text())
def test_the_count_is_the_length_of_tiktokens_own_encoding(text: str) -> None:
    assert tokens.count(text) == len(reference().encode_ordinary(text))


def test_every_letter_of_unicode_16_counts_as_tiktoken_counts_it() -> None:
    since_17 = {0x88F, 0xC5C, 0xCDC, *range(0x1ACF, 0x1AEC), *range(0xA7CE, 0xA7F2)}
    letters = [chr(code) for code in range(0x10000) if code not in since_17 and not 0xD800 <= code < 0xE000]
    texts = [f"a{letter}b {letter}{letter}'s" for letter in letters]
    assert tokens.count_all(texts) == [len(reference().encode_ordinary(text)) for text in texts]


@pytest.mark.parametrize("special", ["<|endoftext|>", "<|endofprompt|>"])
def test_a_special_token_written_out_counts_as_the_text_it_is(special: str) -> None:
    assert special in reference().special_tokens_set
    assert tokens.count(special) == len(reference().encode_ordinary(special)) > 1


@pytest.mark.parametrize("run_of", ["a", " ", "ab", "中", "!"])
def test_a_long_run_without_words_counts_as_tiktoken_counts_it(run_of: str) -> None:
    assert tokens.count(run_of * 20_000) == len(reference().encode_ordinary(run_of * 20_000))


@settings(deadline=None)
@given(st.text(max_size=50))
def test_the_count_that_remembers_says_the_same(text: str) -> None:
    assert tokens.count_repeated(text) == tokens.count(text) == tokens.count_repeated(text)


def test_it_counts_without_a_network_and_leaves_no_file(tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    count = "from stages.text import tokens; print(tokens.count('hello world'))"
    assert run("python", "-c", count, cwd=tmp_path, **nowhere).stdout == "2\n"
    assert os.listdir(tmp_path) == []
