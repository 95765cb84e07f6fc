"""The local score of a reply: from 5, what makes it useless to learn from is taken off.

It knows rules, not meaning: it finds deflections, empty talk, replies that share nothing with the question, and shouting; it
cannot tell a wrong answer.
"""

import re
from string import ascii_uppercase

from stages.text.shingles import words

DEFLECTION = re.compile(
    r"\b(?:i (?:do not|don't|dont) know(?! yet,? but)|(?<!you are )(?<!you're )not sure|no idea|"
    r"cannot answer|can't answer|can't help with that|ask someone else|google it|look it up|figure it out|"
    r"whatever(?=[.!?]|$)|just try again|who knows(?=[.!?]|$)|not my problem)(?!\w)"
)
FILLER = re.compile(
    r"\b(?:thank you for (?:reaching out|contacting|your (?:message|patience|understanding))|"
    r"we (?:apologi[sz]e|are sorry) for (?:the|any) inconvenience|"
    r"valued customer|we appreciate your (?:business|patience|understanding)|"
    r"feel free to (?:contact|reach out)|have a (?:great|nice|wonderful) day|"
    r"your (?:message|request|feedback) is important to us|we (?:value|take) your)\b"
)
STEM = 5  # letters: enough to know a word in its other forms
HEARD = 200  # characters in which a reply shows whether it shouts
LOUD, FEWEST = 0.6, 40  # share of capitals, and letters of which it is taken
CAPITALS = ascii_uppercase.encode()
SHORT = 25  # words: a reply up to here that deflects says nothing else
STOP_WORDS = frozenset(
    [
        "a",
        "about",
        "after",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "do",
        "does",
        "for",
        "from",
        "get",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "me",
        "my",
        "no",
        "not",
        "of",
        "on",
        "one",
        "or",
        "our",
        "out",
        "please",
        "she",
        "so",
        "some",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "to",
        "too",
        "up",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


def score(penalties: dict[str, float]) -> float:
    """What is left of five points."""
    return round(max(1.0, 5.0 - sum(penalties.values())), 3)


def penalties(asked: str, said: str) -> dict[str, float]:
    """What is taken off a reply, by defect."""
    return {name: taken for name, taken in defects(asked, said).items() if taken}


def defects(asked: str, said: str) -> dict[str, float]:
    """Every defect, with what it costs this reply."""
    lower = said.lower().replace("’", "'")
    total = len(said.split())
    content = telling(said) if total >= SHORT else []
    return {
        "deflects": 2.0 if total <= SHORT and DEFLECTION.search(lower) else 0.0,
        "filler": round(min(2.0, 3.0 * filler_share(lower, total)), 3),
        "off_topic": 1.0 if content and off_topic(asked, content) else 0.0,
        "shouts": 1.0 if shouts(said[:HEARD]) else 0.0,
        "monotone": 1.0 if len(content) >= 40 and len(set(content)) < 0.3 * len(content) else 0.0,
    }


def shouts(head: str) -> bool:
    """Whether most letters are capitals."""
    if head.isascii() and len(head) - len(head.encode().translate(None, CAPITALS)) <= LOUD * FEWEST:
        return False  # too few capitals, told without a look at each letter: that is a fifth of the whole score's time
    letters = list(filter(str.isalpha, head))
    return len(letters) >= FEWEST and sum(map(str.isupper, letters)) > LOUD * len(letters)


def telling(text: str) -> list[str]:
    """The words that carry meaning."""
    return [word for word in words(text) if word not in STOP_WORDS]


def off_topic(asked: str, content: list[str]) -> bool:
    """Whether a reply shares no word's beginning with the question."""
    question = {word[:STEM] for word in telling(asked)}
    return bool(question) and question.isdisjoint(word[:STEM] for word in content)


def filler_share(lower: str, total: int) -> float:
    """Share of the reply's words that stand in sentences of courtesy."""
    if not FILLER.search(lower):
        return 0.0
    sentences = re.split(r"(?<=[.!?])\s+", lower)
    return sum(len(sentence.split()) for sentence in sentences if FILLER.search(sentence)) / max(1, total)
