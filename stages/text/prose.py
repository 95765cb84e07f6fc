"""Texts as people read them: words counted, and code, tables and markup told from prose."""

import re

from stages.text.patterns import holding

SPACELESS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")  # kana and Han: each counts as a word
SPACED = bytes(ord(" ") if chr(byte).isspace() else ord("x") for byte in range(256))
ROW = re.compile(r"^(?:[ \t]*+\|[^\n]*\||[^\n|]* \| [^\n|]* \| [^\n]*)[ \t]*$", re.MULTILINE)
CODE_LINE = re.compile(
    r"^[ \t]*+(?:</?[a-zA-Z!][^\n]*>|[^\n]*[;{}]|[)\]}][^\n]{0,3}|"
    r"(?:def|class|import|from|if|elif|else|for|while|try|except|with|return|print|function|var|let|const|public|private|"
    r"static|#include|SELECT|INSERT|FROM|WHERE)\b[^\n]*[:;){,]|"
    r"(?:return|import|from [\w.]+ import|SELECT\b[^\n]* FROM)\b[^\n]*|"
    r"[\w.\[\]]++[ ]*+[-+*/]?=[ ]?[^=\n]*|//[^\n]*|@\w+)[ \t]*$",
    re.MULTILINE,
)
"""A line of code or markup: a tag, a line that ends as statements do, an assignment, a comment."""
UNFENCED = (
    r"(?m)[;{}][ \t]*$|^[ \t]*(?:def|class|import|from|return|print|func|function|const|let|var|public|private|static|"
    r"void|int|SELECT|INSERT|UPDATE|CREATE|#include|#!/|<[a-zA-Z/!])\b"
)
"""Signs of code that nobody set off; some stand in prose as well."""
FENCED = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def count_words(text: str) -> int:
    """Words between spaces; a letter of Chinese or Japanese is a word of its own, as word processors count."""
    if text.isascii():
        return (b" " + text.encode().translate(SPACED)).count(b" x")  # half the time that it takes to split
    if not SPACELESS.search(text):
        return len(text.split())
    return len(SPACELESS.sub(" x ", text).split())


def begin_alike(one: str, other: str) -> int:
    """Length of the longest beginning that two texts share, found by halving: compared in C, not letter by letter."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def unfenced(texts: list[str]) -> set[str]:
    """Those of the texts that hold signs of code outside a fence."""
    return {texts[place] for place in holding(UNFENCED, texts)}


def prose(text: str) -> str:
    """The text without closed code blocks, code spans and rows of tables."""
    if "`" in text:
        text = FENCED.sub(" ", text)
    return ROW.sub("", text) if "| " in text or "|\n" in text else text


def without_code(text: str) -> str:
    """The prose of a text without lines that look like code or markup either, which nobody set off."""
    return CODE_LINE.sub("", prose(text))
