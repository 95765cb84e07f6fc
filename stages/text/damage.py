"""Text that was decoded wrongly: mojibake such as "donâ€™t", replacement characters, control characters.

What is mojibake is told by the patterns of ftfy (Robyn Speer; `ftfy.badness`), which are rarely wrong and slow as they are:
compiled by re2 they find the same, fifty times as fast.
"""

import re
from functools import cache
from typing import Any

from stages.text.normalise import CONTROL
from stages.text.patterns import compiled

CONTROLS = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
REPLACEMENT = "\ufffd"


@cache
def mojibake() -> Any:
    """ftfy's patterns as one that never backtracks."""
    from ftfy.badness import BADNESS_RE

    return compiled(compact(BADNESS_RE.pattern).replace(r"\w", r"[\pL\pN_]"))


@cache
def gate() -> Any:
    """Any kind of damage, as one pattern."""
    return compiled(f"{CONTROLS}|{REPLACEMENT}|{mojibake().pattern}")


def compact(pattern: str) -> str:
    """A verbose pattern without its comments and white space, which re2 would take for text."""
    pieces = re.findall(r"\\.|\[(?:\\.|[^\]\\])*\]|.", re.sub(r"(?m)^\s*#.*$", "", pattern), re.DOTALL)
    return "".join(piece for piece in pieces if not piece.isspace())


def damage(text: str) -> dict[str, int]:
    """How often each kind of damage stands in a text; kinds that do not are left out."""
    if text.isascii():
        left = len(text) - len(text.encode().translate(None, CONTROL))
        return {"control": left} if left else {}
    if not gate().search(text):
        return {}
    bare = re.sub(f"{CONTROLS}|{REPLACEMENT}", " ", text)  # neither says what stood there, so neither is mojibake
    counted = {
        "mojibake": len(mojibake().findall(bare)),
        "replacement": text.count(REPLACEMENT),
        "control": len(re.findall(CONTROLS, text)),
    }
    return {kind: count for kind, count in counted.items() if count}
