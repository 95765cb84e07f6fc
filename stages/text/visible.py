"""Text as it may be shown: what would steer a terminal, turn the reading direction round or hide is written as an escape.

A backslash that stands in the text stays as it is, so this is for eyes and not to be read back.
"""

import re
import unicodedata

NOT_PLAIN = re.compile(r"[^\n\t\x20-\x7e]")
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories: control, format, half of a surrogate pair, private use, no character, line and paragraph separator."""
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters and marks that show nothing."""
JOINER = "\u200d"
SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
PICTURE = ("So", "Sk")  # categories of emoji and of their skin tones


def visible(text: str) -> str:
    """The text with every character that is not seen as an escape such as `\\x1b`; line ends, tabs and emoji stay."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return NOT_PLAIN.sub(shown, text)


def shown(match: re.Match[str]) -> str:
    """The character itself if it is seen, or part of an emoji, else its escape."""
    letter, text, place = match[0], match.string, match.start()
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if letter == JOINER:
        hidden = not (is_picture(before) or SELECTORS.match(before)) or not is_picture(after)
    elif SELECTORS.match(letter):
        hidden = not selects(before, letter)  # one that selects nothing can carry hidden bytes
    else:
        hidden = unicodedata.category(letter) in HIDDEN or letter in BLANK
    return escape(letter) if hidden else letter


def selects(before: str, selector: str) -> bool:
    """Whether a variation selector has something to choose: an ideograph; of the first 16 also a symbol or digit."""
    if not before or SELECTORS.match(before):
        return False
    ideograph = unicodedata.name(before, "").startswith("CJK")
    return ideograph or (selector < "\U000e0100" and (unicodedata.category(before)[0] in "SPN"))


def is_picture(letter: str) -> bool:
    """Whether the letter is an emoji or one of its skin tones."""
    return bool(letter) and unicodedata.category(letter) in PICTURE


def escape(letter: str) -> str:
    """The character by its number, as Python writes it."""
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
