"""Refusals: a reply that opens by declining, "I'm sorry, but I can't help with that" or "As an AI model, I …".

Whether they belong in the data is a decision: a model that never refuses was shown none, one that was shown many refuses too
much. So they are counted unless `action` says otherwise. Found are English ones and the usual forms of German, French,
Spanish, Portuguese, Italian, Chinese and Japanese, which no labelled set measures; none in other languages, and none after
the first sentences.
"""

from typing import Annotated, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, answer
from stages.text.patterns import compiled

REASONS = {"refusal": "the reply declines to answer"}
LOOKED_AT = 240  # characters
HELP = (
    r"(?:help|assist|provide|fulfil|fulfill|comply|answer|do that|support|generate|create|write|give|offer|engage|discuss|"
    r"share|recommend|complete|continue|respond|participate|produce|condone|browse|access|perform|have personal)"
)
DECLINES = (
    r"(?:^|[.!?]\s+|\n)(?:(?:i'?m|i am|we are|we're)\s+(?:very |so |really |truly |afraid |)*sorry\b[^.!?\n]{0,60}?\b|"
    r"(?:i |we )?(?:sincerely )?apologi[sz]e\b[^.!?\n]{0,60}?\b|sorry,? |unfortunately,? |as an ai\b[^.!?\n]{0,60}?\b|)"
    rf"(?:i|we)(?:'m| am|'re| are)? ?(?:just |simply |really |afraid |that |i |)*"
    rf"(?:cannot|can't|can not|won't|will not|am unable to|unable to|not able to|not comfortable|must decline|"
    rf"do not|don't)\b[ ,]*(?:be able to |to |in good conscience |actually |directly |)*{HELP}\b"
    r"|(?:^|[.!?]\s+)as an? (?:ai|artificial intelligence|large language model|language model)\b[^.!?\n]{0,80}?"
    r"\bi (?:cannot|can't|do not|don't|am not|am unable|'m not|'m unable|must)\b"
)


OPENINGS = {
    "de": (
        "es tut mir leid",
        "tut mir leid",
        "entschuldigung",
        "leider",
        "ich kann",
        "ich darf",
        "als ki",
        "als künstliche",
    ),
    "fr": (
        "je suis désolé",
        "désolé",
        "je regrette",
        "malheureusement",
        "je ne peux",
        "je ne suis pas en",
        "en tant qu",
    ),
    "es": (
        "lo siento",
        "lamento",
        "lamentablemente",
        "disculp",
        "perdón",
        "no puedo",
        "como modelo",
        "como una ia",
        "como ia",
    ),
    "pt": (
        "desculp",
        "sinto muito",
        "lamento",
        "infelizmente",
        "não posso",
        "como um modelo",
        "como uma ia",
        "como ia",
    ),
    "it": ("mi dispiace", "mi spiace", "purtroppo", "non posso", "come modello", "come ia", "in quanto"),
    "zh": ("抱歉", "很抱歉", "非常抱歉", "对不起", "不好意思", "我无法", "我不能", "作为"),
    "ja": ("申し訳", "すみません", "ごめんなさい", "残念ながら", "ai", "私はai"),
}
"""How a refusal begins in other languages; what begins otherwise is looked at no further."""
ANY_OPENING = tuple(opening for openings in OPENINGS.values() for opening in openings)
ELSEWHERE = (
    r"^[^.!?\n]{0,80}\b(?:kann|darf|können|dürfen) [^.!?\n]{0,60}?(?:nicht|keine?n?)\b[^.!?\n]{0,60}? "
    r"(?:helfen|weiterhelfen|beantworten|unterstützen|bereitstellen|geben|äußern|erstellen|schreiben|nachkommen|"
    r"anbieten|teilen)\b"
    r"|^[^.!?\n]{0,80}\b(?:je|nous) ne (?:peux|pouvons|suis|sommes) pas (?:en mesure (?:de|d')|capable (?:de|d'))? ?"
    r"(?:vous |t'|te |y |m')?"
    r"(?:aider|répondre|fournir|donner|créer|écrire|accéder|satisfaire|discuter|assister|exprimer|avoir)\b"
    r"|^[^.!?\n]{0,80}\bno (?:puedo|podemos|me es posible) "
    r"(?:ayudar|asistir|proporcionar|ofrecer|responder|cumplir|crear|escribir|dar|generar|acceder|tener|expresar)\w*"
    r"|^[^.!?\n]{0,80}\bnão (?:posso|podemos|consigo) (?:te |lhe |o )?"
    r"(?:ajudar|fornecer|oferecer|responder|atender|criar|escrever|dar|gerar|acessar|ter|expressar)\w*"
    r"|^[^.!?\n]{0,80}\bnon (?:posso|possiamo|sono in grado di) "
    r"(?:aiutar|fornir|offrir|risponder|soddisfar|crear|scriver|dar|generar|acceder|aver|esprimer)\w*"
    r"|^[^。！？\n]{0,40}(?:无法|不能|没办法)(?:为您|为你|向您|向你|给您|给你)?"
    r"(?:提供|回答|帮助|协助|满足|完成|给出|生成|创建|讨论|参与|支持|分享)"
    r"|^[^。！？\n]{0,60}(?:お手伝い|お応え|お答え|回答|提供|対応|協力|支援|作成|生成)(?:することは|することが|は|が)?"
    r"(?:でき(?:ません|かねます|ない)|いたしかねます)"
)


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What becomes of a refusal."""

    action: Annotated[Literal["keep", "count", "drop"], Limits(description="what becomes of a refusal")] = "count"


def measure(record: Record, params: None = None) -> bool:
    """Whether the assistant's last turn opens with a refusal."""
    head = answer(record)[:LOOKED_AT].lower().replace("’", "'")
    if "sorry" in head or "cannot" in head or "n't" in head or " not " in head or "unable" in head or " ai" in head:
        return bool(compiled(DECLINES).search(head.strip()) or foreign(head.lstrip()))
    return foreign(head.lstrip())


def foreign(head: str) -> bool:
    """Whether a text opens with a refusal in another language."""
    return head.startswith(ANY_OPENING) and bool(compiled(ELSEWHERE).search(head))


def decide(value: bool, params: Params) -> str | None:
    """Any refusal."""
    return "refusal" if value else None
