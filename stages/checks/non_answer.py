"""Non-answers: a whole reply that says it does not know ("I'm not sure."), or only courtesy ("Great question!").

Case and punctuation do not matter, and only a reply that is nothing else counts: a list that is matched letter by letter
misses "I don't know.", and a least length drops "Paris." with it. To say that one does not know may be what the data is to
teach, so non-answers are counted unless `action` says otherwise. Found are English ones, and in German, French, Spanish,
Portuguese, Italian, Chinese and Japanese those that are nothing but a phrase of ELSEWHERE, which no labelled set measures.
"""

import re
from typing import Annotated, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, answer

REASONS = {
    "non_answer": "the whole reply says that there is no answer",
    "generic_reply": "the whole reply is courtesy and would fit any question",
}
LONGEST = 120  # characters: a longer reply says something
LIKELY = re.compile(
    r"\W*(?:i|we|you|sorry|unfor|well|um|hmm|hon|oh|real|just|simp|do|am|are|not?|have|unk|can|could|unab|ask|look|goo|who|it|"
    r"may|per|todo|tbd|n\W?a|that|what|an?|great|good|exc|int|nice|thank|sure|of|cer|abs|happy|glad|hope|let|ple|how|is|ok|al|got)",
    re.IGNORECASE,
)
"""How every phrase below begins: most replies begin otherwise, and are looked at no further."""
NEITHER = re.compile(r"[^a-z' ]+")
OPENING = r"(?:(?:sorry|unfortunately|well|um|hmm|honestly|i'm afraid|i am afraid|oh)(?: but)? )*"
NON_ANSWER = re.compile(
    OPENING + r"(?:(?:i|we) )?(?:(?:really |just |simply |honestly )?(?:do not|don't|dont) (?:really |actually )?"
    r"(?:know|have an? answer|have any idea|have enough information|understand)|"
    r"(?:am|are|'m) (?:really )?(?:not sure|unsure|not certain)|"
    r"(?:i'm|we're) (?:really )?(?:not sure|unsure|not certain)|not sure|no idea|have no idea|no clue|unknown|"
    r"(?:cannot|can't|can not|could not|couldn't) (?:answer|tell|say|help)|unable to (?:answer|help)|no answer|no response|"
    r"no comment|ask (?:someone|somebody) else|look it up|google it|who knows|it depends|maybe|perhaps|todo|tbd|n a)"
    r"(?: (?:about|the|that|this|it|you|your|question|answer|for|with|to|at|all|yet|here|how|what|why|either|anything))*"
    r"(?: sorry)?"
)
GENERIC = re.compile(
    r"(?:(?:that's |that is |what )?(?:a |an )?(?:great|good|excellent|interesting|nice) (?:question|point|idea|job)|"
    r"thank(?:s| you)(?: (?:so|very) much)?(?: for (?:asking|reaching out|contacting us|"
    r"your (?:question|message|patience|understanding)))?|"
    r"you're welcome|you are welcome|sure(?: thing)?|of course|certainly|absolutely|no problem|happy to help|glad to help|"
    r"i hope (?:this|that|it) helps|hope (?:this|that|it) helps|let me know if you (?:have|need) (?:any|anything)?"
    r"(?: (?:other|more|further|else|questions?|help))*|please let me know|"
    r"(?:how (?:can|may) i (?:help|assist) you(?: today| further)?)|is there anything else(?: i can (?:help|do)"
    r"(?: you)?(?: with| for you)?)?|have a (?:great|nice|good|wonderful) (?:day|one)|"
    r"i(?:'ll| will) (?:look into (?:it|this|that)|get back to you(?: soon)?|be happy to help)|ok|okay|alright|got it|noted)"
)
"""One phrase of courtesy; a generic reply is nothing but such phrases, two words or more."""


ELSEWHERE = frozenset(
    phrase
    for phrases in (
        "ich weiß es nicht|ich weiß nicht|das weiß ich nicht|weiß ich nicht|weiß nicht|keine ahnung|ich habe keine ahnung",
        "das kann ich nicht beantworten|ich bin mir nicht sicher|je ne sais pas|je sais pas|aucune idée|je n'ai aucune idée",
        "je ne suis pas sûr|je ne suis pas sûre|no lo sé|no sé|no tengo idea|ni idea|no estoy seguro|no estoy segura",
        "não sei|eu não sei|não faço ideia|não tenho certeza|non lo so|non so|non ne ho idea|nessuna idea|non sono sicuro",
        "不知道|我不知道|不清楚|我不清楚|不确定|我不确定|不太清楚|わかりません|分かりません|わからない|分からない|知りません|存じません",
    )
    for phrase in phrases.split("|")
)
"""Whole replies in other languages, in small letters, without punctuation at their end."""
ENDS = " .!?…。！？\n"


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What becomes of a non-answer."""

    action: Annotated[Literal["keep", "count", "drop"], Limits(description="what becomes of a non-answer")] = "count"


def measure(record: Record, params: None = None) -> str | None:
    """What kind of nothing the whole of the assistant's last turn is, or None."""
    text = answer(record)
    if not text or len(text) > LONGEST or record.messages[-1].tool_calls:
        return None
    if text.strip(ENDS).lower().replace("’", "'") in ELSEWHERE:
        return "non_answer"
    if not LIKELY.match(text):
        return None
    plain = " ".join(NEITHER.sub(" ", text.lower().replace("’", "'")).split())
    if NON_ANSWER.fullmatch(plain) and not text[:1].isdigit():
        return "non_answer"
    return "generic_reply" if " " in plain and only_courtesy(plain) else None


def only_courtesy(plain: str) -> bool:
    """Whether phrases of courtesy leave no word over."""
    place = 0
    while place < len(plain):
        found = GENERIC.match(plain, place)
        if not found or (found.end() < len(plain) and plain[found.end()] != " "):
            return False
        place = found.end() + 1
    return True


def decide(value: str | None, params: Params) -> str | None:
    """The kind is the reason."""
    return value
