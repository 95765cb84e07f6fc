"""Nothing to learn from: an empty prompt, reply or turn, or a reply that only repeats the prompt."""

from msgspec import Struct

from stages.contract.record import Message, Record, prompt, reply

REASONS = {
    "empty_prompt": "the prompt has no text",
    "empty_reply": "the reply has no text",
    "empty_turn": "a turn of the user or the assistant has no text and no call",
    "reply_repeats_prompt": "the reply is the prompt again",
}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Nothing to set."""


def measure(record: Record, params: None = None) -> str | None:
    """What is missing, or None. A tool call is text."""
    asked, said = prompt(record).strip(), reply(record).strip()
    if not asked or not said:
        return "empty_reply" if asked else "empty_prompt"
    if len(record.messages) > 2 and any(map(blank, record.messages)):
        return "empty_turn"
    return "reply_repeats_prompt" if len(asked) == len(said) and asked.lower() == said.lower() else None


def blank(message: Message) -> bool:
    """Whether a turn that should say something says nothing; a tool may well return nothing."""
    return message.role in ("user", "assistant") and not message.tool_calls and not message.content.strip()


def decide(value: str | None, params: Params) -> str | None:
    """What is missing is the reason."""
    return value
