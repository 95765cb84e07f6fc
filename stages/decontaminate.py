"""Drop what overlaps the frozen evaluation sets: a long run of words, most of a question, a near copy, or a short question.

The evidence names the evaluation row, the words and how much of the row they are, so that a false alarm can be told from a
leak; every match that is close to a limit is listed, and a verdict of a person stands above the methods. The training
record goes; the evaluation sets are never changed.
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import numpy as np
from msgspec import Meta as Limits
from msgspec import Struct, structs

from stages.contract import gold
from stages.contract.gold import Evaluation
from stages.contract.params import of_stage, stop, value
from stages.contract.record import Drop, Example, Record, conversation, digest, ending, prompt, spoken
from stages.contract.run import Decision, run_on_all
from stages.text.normalise import normalise
from stages.text.overlap import Frozen, Lengths, Match, Row, common_words, freeze, search, text_of, weighed
from stages.text.personal_data import Redaction, Rules, placeholders, redact, rules
from stages.text.runs import Numbers, Words, cut
from stages.text.shingles import fold

REASONS = {"in_evaluation_set": "holds a row of an evaluation set, its question, or a long run of its words"}
POINTS = re.compile(r"""[.,;:!?'"“”‘’„…、。，！？；：「」『』¿¡]""")
SHOWN = 200  # characters of the words in the evidence


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What counts as an overlap."""

    words: Annotated[int, Limits(ge=3, description="words in a row that make a run")] = 8
    characters: Annotated[int, Limits(ge=3, description="the same where words are not spaced: Chinese, Thai …")] = 16
    long: Annotated[int, Limits(ge=3, description="words: a run from here on is a leak, however long the row is")] = 13
    share: Annotated[float, Limits(gt=0, le=1, description="of a row or its question, in one run: a leak")] = 0.5
    contained: Annotated[float, Limits(gt=0, le=1, description="of the runs of a row or its question: a leak")] = 0.7
    near: Annotated[float, Limits(gt=0, le=1, description="of its runs of three words, together: a leak")] = 0.5
    common_rows: Annotated[int, Limits(ge=1, description="rows; what more of them share tells none of them")] = 5
    common_records: Annotated[
        int, Limits(ge=1, description="records; what more of them share of a row, and no more")
    ] = 20
    listed: Annotated[float, Limits(gt=0, le=1, description="of a limit: matches from here on are listed")] = 0.6


class Index(Struct):
    """The evaluation sets as they are searched: the rows of `frozen` are theirs, raw and as `collect` cleans them."""

    origin: Any
    rows: list[Evaluation]
    number: list[int]
    frozen: Frozen
    asked: dict[str, int]
    starts: Numbers
    verdicts: dict[str, dict[int, str]] = {}

    def __reduce__(self) -> Any:
        """Workers find what the process they were forked from has built, instead of having it sent with every shard."""
        return built, self.origin


class Fact(Struct):
    """What a record shares with the evaluation sets; `equal` is the evaluation row whose question it asks, from 0, or -1."""

    source: str
    matches: list[Match]
    equal: int = -1


class Finding(Struct):
    """An evaluation row that a record matches: the methods by which it is a leak, or else the one that is the closest.

    `score` is the method's: the share of the row or its question that the longest run covers, or that is contained or near.
    `close` is 1 at a method's limit. `verdict` is a person's and stands above the methods.
    """

    row: int
    verdict: str = ""
    methods: list[str] = []
    method: str = "verdict"
    score: float = 0.0
    close: float = 0.0
    match: Match | None = None

    @property
    def leak(self) -> bool:
        """Whether the record goes."""
        return self.verdict == "leak" or bool(self.methods and self.verdict != "false_alarm")


def prepare(given: Params) -> Index:
    """The index of the pinned evaluation sets, and what people said of earlier findings."""
    if wrong := gold.problem():
        raise stop(wrong)
    cleaned = placeholders(rules(of_stage("collect", Redaction)))  # surrogates would need the key, and match no better
    straight = value("collect.quotes", str) == "straight"
    return built(given, tuple(gold.pins().items()), gold.verdicts_digest(), cleaned, straight)


@cache
def built(given: Params, pins: Any, verdicts: str, cleaned: Rules, straight: bool) -> Index:
    """The index of the sets and verdicts with these digests."""
    rows = gold.frozen()
    made = index(rows, given, lambda text: redact(normalise(text, straight), cleaned)[0])
    made.origin, made.verdicts = (given, pins, verdicts, cleaned, straight), gold.verdicts(rows)
    return made


def as_is(text: str) -> str:
    """The text."""
    return text


def index(rows: list[Evaluation], given: Params, clean: Callable[[str], str] = as_is) -> Index:
    """The rows as they are searched."""
    texts: list[Row] = []
    number: list[int] = []
    asked: dict[str, int] = {}
    for place, row in enumerate(rows):
        group = text_group(row.example)
        for version in (clean, as_is):
            said, question = turns(row.example, version)
            if number[-1:] != [place] or "\n".join(said) != texts[-1].text:
                ends = [len("\n".join(said[:count]).lower()) for count in (1, question, len(said))]
                texts.append(Row("\n".join(said), ends if question else ends[2:], group))
                number.append(place)
            if any(map(str.isalpha, key := plain("\n".join(said[:question])))):
                asked.setdefault(key, place)
    lengths = Lengths(given.words, given.characters)
    heads = start_keys(cut(list(asked)), [len(key) for key in asked])
    return Index(None, rows, number, freeze(texts, lengths, given.common_rows), asked, np.unique(heads))


def text_group(example: Example) -> int:
    """A number for what a row says: rows that say the same count as one where it is told how many share a run."""
    return int(digest(example.messages)[:15], 16)


def turns(example: Example, version: Callable[[str], str]) -> tuple[list[str], int]:
    """The texts of the turns, without the system's, and how many of them are the question."""
    told = [message for message in example.messages if message.role != "system"]
    return [version(spoken(message)) for message in told], ending(told)


def plain(text: str) -> str:
    """A question as it is compared for equality: folded, with the signs of arithmetic but without punctuation."""
    return fold(POINTS.sub(" ", text))


def start_keys(words: Words, lengths: list[int]) -> Numbers:
    """A number for each text, of its first word and how many start in its first characters: equal questions share it."""
    counts = np.diff(words.begins)
    inside = np.concatenate(([0], np.cumsum(words.starts < np.repeat(np.array(lengths, np.int64), counts))))
    asked = (inside[words.begins[1:]] - inside[words.begins[:-1]]).astype(np.uint64)
    first = np.append(words.numbers, np.uint64(0))[words.begins[:-1]]
    return np.asarray(np.where(counts > 0, first, 0) * np.uint64(3) + asked)


def measure_many(records: list[Record], given: Params, index: Index) -> list[Fact | None]:
    """What each record of a shard shares with the evaluation sets; None if it is nothing."""
    words = cut(list(map(conversation, records)))
    found = search(index.frozen, words, round(given.near * given.listed, 3))
    questions = [prompt(record) for record in records]
    likely = np.isin(start_keys(words, [len(question.lower()) for question in questions]), index.starts).tolist()
    equal = [index.asked.get(plain(each), -1) if may else -1 for each, may in zip(questions, likely, strict=True)]
    return [
        Fact(record.source, matches, row) if matches or row >= 0 or record.id in index.verdicts else None
        for record, matches, row in zip(records, found, equal, strict=True)
    ]


def measure(record: Record, given: Params, index: Index) -> Fact | None:
    """The same of one record."""
    return measure_many([record], given, index)[0]


def decide(facts: dict[str, Fact | None], given: Params, index: Index) -> Decision:
    """A drop for every record that is a leak, and all findings that are leaks or close to one."""
    decision, known = Decision([]), without_boilerplate(index, facts, given.common_records)
    for identifier, fact in sorted(known.items()):
        found = findings(identifier, fact, given, index)
        told = [evidence(each, index) for each in found]
        decision.rows += [as_row(identifier, *pair) for pair in zip(found, told, strict=True)]
        if found and found[0].leak:
            decision.drops.append(Drop(identifier, fact.source, "decontaminate", "in_evaluation_set", told[0]))
    return decision


def as_row(identifier: str, found: Finding, told: dict[str, Any]) -> dict[str, Any]:
    """A finding as it is listed; `doubtful` if it is kept though close, or found by one method only."""
    longest = found.match.longest if found.match else 0.0
    return {
        "record": identifier,
        **told,
        "methods": found.methods,
        "longest": longest,
        "leak": found.leak,
        "verdict": found.verdict,
        "doubtful": not found.verdict and len(found.methods) < 2,
    }


def without_boilerplate(index: Index, facts: dict[str, Fact | None], most: int) -> dict[str, Fact]:
    """The facts, weighed again where words of a row are boilerplate."""
    found = {identifier: fact for identifier, fact in facts.items() if fact}
    common = common_words(index.frozen, (match for fact in found.values() for match in fact.matches), most)
    touched = set(index.frozen.row_of[common].tolist())
    for identifier, fact in found.items():
        if any(match.row in touched for match in fact.matches):
            matches = [weighed(index.frozen, each, common) if each.row in touched else each for each in fact.matches]
            found[identifier] = structs.replace(fact, matches=matches)
    return found


def findings(identifier: str, fact: Fact, given: Params, index: Index) -> list[Finding]:
    """The evaluation rows that a record is a leak of, by a method or a verdict, or close to; leaks first, then by score."""
    said = index.verdicts.get("*", {}) | index.verdicts.get(identifier, {})
    best = {row: Finding(row, word) for row, word in said.items() if word == "leak"}
    for match in fact.matches:
        row = index.number[match.row]
        found = judged(row, match, row == fact.equal, given)
        if found.close >= given.listed and (row not in best or found.close > best[row].close):
            best[row] = structs.replace(found, verdict=said.get(row, ""))
    if fact.equal >= 0 and fact.equal not in best:
        best[fact.equal] = Finding(fact.equal, said.get(fact.equal, ""), ["equal"], "equal", 1.0, 1.0)
    return sorted(best.values(), key=lambda each: (not each.leak, -each.score, each.row))


def judged(row: int, match: Match, equal: bool, given: Params) -> Finding:
    """By which methods a match is a leak, and by which it is the closest to one."""
    close = {
        "equal": float(equal),
        "run": max(match.share / given.share, float(match.longest >= given.long)),
        "contained": match.contained / given.contained,
        "near": match.near / given.near,
    }
    methods = [method for method, at in close.items() if at >= 1]
    method = methods[0] if methods else max(close, key=lambda each: close[each])
    score = {"equal": 1.0, "run": match.share, "contained": match.contained, "near": match.near}[method]
    return Finding(row, "", methods, method, score, max(close.values()), match)


def evidence(found: Finding, index: Index) -> dict[str, Any]:
    """Where the evaluation row stands, how it was found, and the words that it shares with the record."""
    row = index.rows[found.row]
    spans = found.match.spans if found.match else []
    cleaned = bisect_left(index.number, found.row)  # only words that stand in the record are told of the raw version
    text = text_of(index.frozen, found.match.row if found.match and spans else cleaned, spans)
    return {
        "eval": row.name,
        **({"key": row.key} if row.key else {}),
        "method": found.method,
        "score": found.score,
        "words": text if len(text) <= SHOWN else f"{text[:SHOWN]} …",
    }


if __name__ == "__main__":
    run_on_all(measure, decide)
