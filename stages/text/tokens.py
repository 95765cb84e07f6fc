"""Token counts with tiktoken, offline: the rank table lies beside this file and is checked before tiktoken sees it.

The table is tiktoken's `o200k_base` (MIT, OpenAI; see LICENCE-tiktoken.txt). Other vendors' tokenizers count otherwise.
"""

import hashlib
import lzma
import os
import tempfile
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


def count(text: str) -> int:
    """Tokens of the text; special tokens written out in it count as the text they are."""
    encode = encoding().encode_ordinary
    if len(text) <= LONGEST:
        return len(encode(text))
    return sum(len(encode(text[start : start + LONGEST])) for start in range(0, len(text), LONGEST))


count_repeated = lru_cache(4_096)(count)
"""`count` for texts that many records share: system turns and tool definitions."""
