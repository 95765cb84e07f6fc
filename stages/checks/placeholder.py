"""Unfilled placeholders: "[Your Name]", "[DATE]", "{{customer}}", "<insert link>" that somebody forgot to fill.

In a letter template they are the point, so they are counted unless `action` says otherwise. Code blocks and code spans may
hold any, and what `collect` puts in the place of personal data, such as [EMAIL], is none. Found are English ones, those in
signs ("{{name}}"), and the usual forms of German, French, Spanish, Portuguese, Italian, Chinese and Japanese, which no
labelled set measures.
"""

from typing import Annotated, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.record import Record, answer, prompt
from stages.text.patterns import compiled
from stages.text.prose import prose

REASONS = {"placeholder": "a placeholder in the prompt or the reply was never filled"}
SLOT = (
    r"(?:first |last |full |user |customer |client |company |business |product |brand |event |job |recipient(?:'s)? |"
    r"sender(?:'s)? |hiring manager(?:'s)? |start |end |due |order |phone |street |e?mail |contact |project |team )?"
    r"(?:name|surname|date|time|day|month|year|address|city|state|country|company|position|title|role|department|topic|subject|"
    r"product|amount|price|number|link|url|location|place|organi[sz]ation|signature|insert|placeholder|details|description)"
)
ELSEWHERE = (
    r"(?:(?:ihre?|deine?|votre|vos|ton|ta|sus?|tus?|seu|sua|il tuo|la tua|il suo|la sua) )?"
    r"(?:vorname|nachname|datum|uhrzeit|ort|adresse|firma|firmenname|unternehmen|telefonnummer|betrag|nom|prénom|adresse|entreprise|"
    r"nombre|apellidos?|fecha|dirección|empresa|nome|sobrenome|data|endereço|cognome|indirizzo|azienda|"
    r"(?:ihr|dein|votre|il tuo|il suo) (?:name|nome)|(?:您|你)的?(?:姓名|名字|地址|电话|公司|邮箱)|姓名|日期|公司名称|"
    r"(?:あなた|貴社|お客様)の(?:名前|お名前|住所|会社名)|お名前|氏名|日付|会社名)"
)
FORMS = (
    rf"\[(?i:(?:your|insert|enter|add|fill in|recipient(?:'s)?|sender(?:'s)?)[ _][a-z][a-z0-9 _'/\-]{{1,40}}|"
    rf"{SLOT}|{ELSEWHERE})\](?:[^(\[:]|$)"
    r"|\{\{ ?[A-Za-z_][A-Za-z0-9_. ]{0,40} ?\}\}"
    r"|<(?i:(?:your|insert|enter)[ _\-][a-z][a-z0-9 _\-]{1,30})>"
    r"|\[(?:NAME|FIRST_?NAME|LAST_?NAME|DATE|TIME|CITY|COUNTRY|COMPANY|ORG|LOCATION|PLACE|TITLE|TOPIC|PRODUCT|AMOUNT|URL|LINK|"
    r"INSERT[A-Z _]{0,30}|YOUR[A-Z _]{1,30}|X{3,})\](?:[^(\[:]|$)"
)
LONGEST = 40  # characters kept of one


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What becomes of a record with one."""

    action: Annotated[Literal["keep", "count", "drop"], Limits(description="what becomes of such a record")] = "count"


def measure(record: Record, params: None = None) -> str | None:
    """The first placeholder of the reply, or else of the prompt."""
    return first(answer(record)) or first(prompt(record))


def first(text: str) -> str | None:
    """The first placeholder of a text's prose."""
    if not ("[" in text or "{{" in text or "<" in text) or not compiled(FORMS).search(text):
        return None
    found = compiled(FORMS).search(prose(text)) if "`" in text else compiled(FORMS).search(text)
    return found[0].rstrip(" .,;!?，。；！？、\n")[:LONGEST] if found else None


def decide(value: str | None, params: Params) -> str | None:
    """Any placeholder."""
    return "placeholder" if value else None
