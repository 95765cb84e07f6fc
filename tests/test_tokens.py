import lzma
import os
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from stages.text import tokens
from tests.conftest import REPOSITORY, run


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("hello", 1), ("hello world", 2), ("Hello, world!", 4), ("  ", 1), ("\n\n", 1), ("12345", 2)],
)
def test_known_texts_have_their_known_lengths(text: str, expected: int) -> None:
    assert tokens.count(text) == expected


@given(st.text())
def test_the_count_is_the_length_of_tiktokens_own_encoding(text: str) -> None:
    assert tokens.count(text) == len(tokens.encoding().encode(text, disallowed_special=()))


def test_every_character_of_the_basic_plane_counts_as_tiktoken_counts_it() -> None:
    letters = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
    texts = [f"a{letter}b {letter}{letter}'s" for letter in letters]
    assert tokens.count_all(texts) == [len(tokens.encoding().encode_ordinary(text)) for text in texts]


def test_texts_counted_together_count_as_each_alone() -> None:
    texts = ["", "plain", "\ua7ce new in Unicode 17", "中文" * 9, "a" * (tokens.LONGEST + 1), "zero\u200dwidth"]
    assert tokens.count_all(texts) == list(map(tokens.count, texts))


@pytest.mark.parametrize("run_of", ["a", " ", "ab", "中", "!"])
def test_a_long_run_without_words_counts_as_tiktoken_counts_it(run_of: str) -> None:
    assert tokens.count(run_of * 20_000) == len(tokens.encoding().encode_ordinary(run_of * 20_000))


def test_the_table_is_tiktokens_o200k_base() -> None:
    encoding = tokens.encoding()
    assert isinstance(encoding, tiktoken.Encoding)
    assert (encoding.name, encoding.n_vocab) == ("o200k_base", 200_019)


@pytest.mark.parametrize("special", ["<|endoftext|>", "<|endofprompt|>"])
def test_a_special_token_written_out_counts_as_the_text_it_is(special: str) -> None:
    assert special in tokens.encoding().special_tokens_set
    assert tokens.count(special) == len(tokens.encoding().encode_ordinary(special)) > 1


def test_a_long_text_counts_as_the_sum_of_its_parts() -> None:
    part = "word " * (tokens.LONGEST // 5)
    assert len(part) == tokens.LONGEST
    assert tokens.count(part * 2 + "end") == 2 * tokens.count(part) + tokens.count("end")


def test_a_long_run_without_spaces_is_counted() -> None:
    assert tokens.count("a" * (tokens.LONGEST + 1)) > tokens.LONGEST / 20


@given(st.text(max_size=50))
def test_the_count_that_remembers_says_the_same(text: str) -> None:
    assert tokens.count_repeated(text) == tokens.count(text) == tokens.count_repeated(text)


LOAD = """
import sys
from pathlib import Path
from stages.text import tokens
tokens.TABLE = Path(sys.argv[1])
print(tokens.slowly("hello world"))
"""


@pytest.mark.parametrize(
    "harm",
    [
        lambda ranks: ranks[:-1],
        lambda ranks: ranks.replace(b" 5\n", b" 6\n", 1),
        lambda ranks: b"",
    ],
    ids=["cut", "changed", "empty"],
)
def test_a_table_that_is_not_the_known_one_stops(tmp_path: Path, harm: Any) -> None:
    table = tmp_path / "broken.tiktoken.xz"
    table.write_bytes(lzma.compress(harm(lzma.decompress(tokens.TABLE.read_bytes())), preset=0))
    done = run("python", "-c", LOAD, str(table), cwd=tmp_path, code=1)
    assert "broken.tiktoken.xz: not the table that tiktoken expects; restore it with `git checkout`" in done.stderr


def test_the_known_table_is_loaded_without_a_cache_or_a_network(tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    table = tmp_path / "copy.tiktoken.xz"
    table.write_bytes(tokens.TABLE.read_bytes())
    done = run("python", "-c", LOAD, str(table), cwd=tmp_path, TIKTOKEN_CACHE_DIR=str(tmp_path / "none"), **nowhere)
    assert done.stdout == "2\n"
    assert os.listdir(tmp_path) == ["copy.tiktoken.xz"]


def test_the_table_lies_beside_the_code_that_reads_it() -> None:
    assert tokens.TABLE.is_relative_to(REPOSITORY)
    assert tokens.TABLE.is_file()
