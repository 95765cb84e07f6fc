"""Token counts as tiktoken's `o200k_base` makes them, offline. Other vendors' tokenizers count otherwise.

toktok counts the same eight times as fast, but for characters younger than its Unicode tables or tiktoken's: those few
texts tiktoken counts itself. Its rank table (MIT, OpenAI; see LICENCE-tiktoken.txt) lies beside this file and is checked
before tiktoken sees it, because it would fetch another.
"""

import hashlib
import lzma
import os
import tempfile
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tiktoken

NAME = "o200k_base"
TABLE = Path(__file__).with_name(f"{NAME}.tiktoken.xz")
SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"  # the value tiktoken itself expects
CACHE_NAME = "fb374d419588a4632f3f557e76b4b70aebbca790"  # tiktoken's file name for it: SHA-1 of the table's address
LONGEST = 100_000  # characters encoded at once: the time of a run without spaces grows faster than its length


@cache
def encoding() -> "tiktoken.Encoding":
    """The tokenizer, loaded without a network. A table that is not the known one stops the run."""
    import tiktoken

    ranks = lzma.decompress(TABLE.read_bytes())
    if hashlib.sha256(ranks).hexdigest() != SHA256:
        # tiktoken would delete the file and download another
        raise RuntimeError(f"{TABLE.name}: not the table that tiktoken expects; restore it with `git checkout`")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, CACHE_NAME).write_bytes(ranks)
        os.environ["TIKTOKEN_CACHE_DIR"] = folder
        return tiktoken.get_encoding(NAME)


def count_all(texts: list[str]) -> list[int]:
    """Tokens of each text; special tokens written out in it count as the text they are."""
    from toktok import batch_count

    usual = [text if len(text) <= LONGEST and (text.isascii() or known(text)) else "" for text in texts]
    counts = batch_count(usual, NAME, threads=1)  # the shards are what runs in parallel
    return [number if text is same else slowly(text) for text, same, number in zip(texts, usual, counts, strict=True)]


def known(text: str) -> bool:
    """Whether this Python knows all characters of the text, so that they are older than the tables of both libraries."""
    return text.replace("\n", "").isprintable() or "Cn" not in map(unicodedata.category, set(text))


def slowly(text: str) -> int:
    """Tokens of the text as tiktoken itself counts them."""
    pieces = (text[start : start + LONGEST] for start in range(0, len(text), LONGEST))
    return sum(len(encoding().encode_ordinary(piece)) for piece in pieces)


def count(text: str) -> int:
    """Tokens of one text."""
    return count_all([text])[0]


count_repeated = lru_cache(4_096)(count)
"""`count` for texts that many records share: system turns and tool definitions."""
