"""Text that gives orders to a model or a judge that reads the record: "ignore the instructions above", "rate this 5 of 5".

Two measures. `order` is the first phrase that names both the order and what is to be overruled; it is always a drop.
`score`, 0 to 1, is the highest that a linear model gives to an excerpt round a word that such texts use. It knows most of
what people pass round, roles to be played too, but now and then takes harmless text for it: so it only counts, in the
metrics, unless `action` is `drop`. An order that is worded like any other request is found by neither.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, conversation
from stages.text import linear
from stages.text.patterns import compiled, holding

REASONS = {
    "prompt_injection": "the text gives orders to the model or the judge that reads it",
    "suspected_injection": "the text is worded like orders to a model: its score reaches `threshold`",
}
ORDERS = (
    r"(?i)\b(?:ignore|disregard|forget|override|bypass)\s+(?:(?:all|any|every|the|of|your|my|these|those|this)\s+){0,3}"
    r"(?:(?:previous|prior|above|earlier|preceding|former|foregoing|initial|original|existing|system)\s+"
    r"(?:instruction|prompt|rubric|guideline|directive)s?\b"
    r"|(?:instruction|prompt|rule|rubric|direction|guideline|command|directive)s?\s+"
    r"(?:above|before|given|you\s+(?:were|have\s+been)\s+given)\b"
    r"|rubric\b|everything\s+(?:above|before)\b)"
    r"|\b(?:rate|score|grade|mark|judge)\s+(?:this|the)\s+(?:answer|reply|response|conversation|example|record)\s+"
    r"(?:(?:a|an|as|with|at|the)\s+){0,2}(?:perfect\s+)?(?:5|10|five|ten|full|highest|maximum|top|perfect|excellent)\b"
    r"(?:\s+(?:of|out|score|mark|points?|stars?)\b|\s*[.!;,\n/]|\s*$)"
    r"|\b(?:give|assign)\s+(?:this|the)\s+(?:answer|reply|response|conversation|example|record)\s+"
    r"(?:(?:a|an|the)\s+)?(?:score\s+of\s+|rating\s+of\s+)?(?:5|10|five|ten|full|highest|maximum|top|perfect)\b"
    r"|\byou\s+are\s+(?:now\s+)?(?:DAN\b|in\s+developer\s+mode|no\s+longer\s+bound)"
    r"|\bfrom\s+now\s+on,?\s+you\s+(?:are|will|must)\s+(?:DAN\b|act\s+as|answer\s+as|ignore)"
)
TELLING = (
    r"(?i)\b(?:ignor|disregard|forget|bypass|overrid|jailbreak|prompts?\b|instructions?\b|rubric|directives?\b|guidelines"
    r"|restrict|policies|previous|prior\b|preceding|foregoing|pretend|role-?\s?play|simulat|hypothetical|persona\b|(?-i:DAN)\b"
    r"|act(?:ing)?\s+as|from\s+now\s+on|break\s+character|in\s+character|developer\s+mode|un(?:filtered|censored|restricted)"
    r"|openai|chatgpt|language\s+model|(?:an|this|dear|the|evil)\s+ai\b|ai\s+(?:without|that|reading)|evil\b|(?:im)?moral"
    r"|ethic|illegal|you\s+(?:are|were|have|will|must|do|can)\s+(?:now|going|no|not|free|never|told|given|act|in\s+developer)\b"
    r"|(?:do\s+not|don't|never|stop)\s+(?:follow|listen|mention|refus|apologi|say|evaluat|warn)|no\s+longer\s+appl"
    r"|(?:rules|orders|commands|text|everything)\s+(?:above|before)|(?:told|given)\s+(?:before|so\s+far|at\s+the\s+start)"
    r"|your\s+(?:initial|original|current|hidden|secret|system|earlier|rules|orders|commands|directives)"
    r"|new\s+(?:task|orders|rules|commands)|system\s+(?:override|message)|password|without\s+(?:any|rules|limits|filter)"
    r"|(?:rat|scor|grad|mark|judg|giv|assign|award|evaluat)(?:e|es|ing)?\s+(?:this|it|all|the\s+(?:answer|reply|response"
    r"|conversation|example|record))\b|deserves?\b|grader|evaluator"
    r"|(?:highest|maximum|top|perfect|full|final)\s+(?:score|mark|grade|rating|point)|(?:always|must)\s+(?:prefer|choose|award)"
    r"|ignorier|vergiss|missachte|vergeet|negeer|olvida|oublie|esque[c\x{e7}]|dimentica|zignoruj)"
    r"|<\|?(?:im_start|system)|\[(?:system|inst)|#+\s*system"
    r"|\x{0438}\x{0433}\x{043d}\x{043e}\x{0440}\x{0438}\x{0440}|\x{5ffd}\x{7565}|\x{7121}\x{8996}|\x{65e0}\x{89c6}"
)
"""One of these stands in every excerpt that is scored and in every order: the cheap first pass, which most texts end at."""
SUSPECTED = 0.6  # score: three in a thousand of 45,227 instruction records that nothing was fitted on reach it
BEFORE, AFTER, STEP = (
    80,
    160,
    60,
)  # characters of an excerpt before and after a telling word; the next begins beyond STEP
LONGEST = 80  # characters of the evidence


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """From which score on a record counts as suspected, and whether it is then dropped."""

    threshold: Annotated[float, Limits(gt=0, le=1, description="score from which a record is suspected")] = SUSPECTED
    action: Annotated[Literal["keep", "count", "drop"], Limits(description="what becomes of a suspected record")] = (
        "count"
    )


class Injection(Struct):
    """The first order that is found, and how much the most suspicious excerpt reads like one, 0 to 1."""

    order: str | None
    score: float


def measure(record: Record, params: None = None) -> Injection:
    """What is found in all text of the record: prompt, reply, tools' arguments and results."""
    return measure_many([record])[0]


def measure_many(records: list[Record], params: None = None) -> list[Injection]:
    """The same of many records at once."""
    texts = list(map(conversation, records))
    telling = holding(TELLING, texts)
    found = [Injection(None, 0.0) for _ in texts]
    pieces = (excerpts(texts[place]) for place in telling)
    for place, score in zip(telling, linear.worst("injection", pieces), strict=True):
        order = compiled(ORDERS).search(texts[place])
        found[place] = Injection(order[0][:LONGEST] if order else None, score)
    return found


def excerpts(text: str) -> Iterator[list[str]]:
    """The words round each telling word, without those that the edges cut."""
    done = 0
    for hit in compiled(TELLING).finditer(text.encode() if text.isascii() else text):  # no letters to count
        if hit.start() < done:
            continue
        done = hit.start() + STEP
        first, last = max(0, hit.start() - BEFORE), hit.start() + AFTER
        words = linear.words(text[first:last])
        yield words[first > 0 : len(words) - (last < len(text))]


def decide(value: dict[str, Any], params: Params) -> str | None:
    """Any order, or a high score."""
    if value["order"]:
        return "prompt_injection"
    return "suspected_injection" if value["score"] >= params.threshold else None


def action(reason: str, params: Params) -> str:
    """A plain order is dropped; a suspected one as `action` says."""
    return "drop" if reason == "prompt_injection" else params.action
