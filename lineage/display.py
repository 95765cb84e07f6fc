"""Records and drops as people read them on a terminal: roles, tool calls, evidence; nothing in them is obeyed by it."""

import json
import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import click

from lineage.browse import STAGES, Found, by_id
from lineage.settings import now
from lineage.trial import Trial
from lineage.trial import as_json as trial_as_json
from stages.contract.record import Drop, Message, Record, encode
from stages.reporting.reasons import meaning
from stages.text.visible import visible

EXCERPT = 20  # lines of a turn that a few records among other things are shown with
MARGIN = 11  # characters for the role in front of a turn
COLOURS = {"system": "magenta", "user": "cyan", "assistant": "green", "tool": "yellow", "losing": "red"}


def shown(found: Found) -> Iterator[str]:
    """One record or dropped row, line by line."""
    place = f" · {flat(found.origin)}" if found.origin else ""
    yield click.style(f"{found.id}  {found.source}{place}", bold=True)
    if about := [*known(found), *(described(found.record) if found.record else [])]:
        yield row("", " · ".join(about), dim=True)
    yield from (
        turns(found.record)
        if found.record
        else [row("", "(a row that never became a record; its text is only in the source)")]
    )
    if found.drop:
        yield from verdict(found.drop)
    yield ""


def excerpt(found: Found) -> Iterator[str]:
    """The same with the first lines of each turn: one reply of thousands of words would hide the rest of a screen."""
    for block in shown(found):
        lines = block.split("\n")
        left = len(lines) - EXCERPT
        yield "\n".join([*lines[:EXCERPT], f"{' ' * MARGIN}… and {left} more lines"]) if left > 1 else block


def known(found: Found) -> list[str]:
    """Where the record ended up."""
    return ([found.split] if found.split else []) + ([f"score {found.score:g}"] if found.score is not None else [])


def described(record: Record) -> list[str]:
    """What is known of the record besides its text."""
    meta = record.meta
    redacted = ", ".join(f"{kind} {count}" for kind, count in meta.redacted.items())
    facts = {
        "topic": meta.topic,
        "method": meta.method,
        "rating": meta.rating,
        "created": meta.created,
        "label": record.label,
        "redacted": redacted,
        "tools": ", ".join(name_of(tool) for tool in record.tools),
    }
    return [f"{name} {flat(str(value))}" for name, value in facts.items() if value not in (None, "")]


def flat(text: str) -> str:
    """A text on one line."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def name_of(tool: dict[str, Any]) -> str:
    """What a tool definition calls itself."""
    function = tool.get("function")
    return str(function.get("name")) if isinstance(function, dict) else "?"


def turns(record: Record) -> Iterator[str]:
    """The conversation; of a pair, the losing ending after the winning one."""
    for message in record.messages:
        yield from turn(message.role, message)
    for message in record.rejected:
        yield from turn("losing", message)


def turn(label: str, message: Message) -> Iterator[str]:
    """One turn: its text and its calls."""
    parts = [message.content] if message.content or not message.tool_calls else []
    parts += [f"→ {call.name}({json.dumps(call.arguments, ensure_ascii=False)})" for call in message.tool_calls]
    yield row(label, "\n".join(parts), COLOURS[label])


def row(label: str, text: str, colour: str | None = None, dim: bool = False) -> str:
    """A label and a text beside it, wrapped to the terminal."""
    lines = wrapped(visible(text), MARGIN)
    first = click.style(label.ljust(MARGIN), fg=colour)
    return "\n".join([first + click.style(lines[0], dim=dim), *((" " * MARGIN + line).rstrip() for line in lines[1:])])


def wrapped(text: str, margin: int) -> list[str]:
    """The lines of a text that stand beside a margin on the terminal."""
    width = max(40, min(shutil.get_terminal_size().columns, 120)) - margin
    return [piece for line in text.split("\n") for piece in textwrap.wrap(line, width) or [""]]


def verdict(drop: Drop) -> Iterator[str]:
    """Which stage dropped it, why, and what it found."""
    said = meaning(drop.stage, drop.reason) or "a reason of an earlier version"
    yield row("dropped", f"by {drop.stage}: {drop.reason}: {said}", "red")
    if drop.evidence:
        yield row("", "\n".join(f"{key}: {plain(value)}" for key, value in drop.evidence.items()))


def plain(value: Any) -> str:
    """A piece of evidence as one reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def tell(trial: Trial, settings: dict[str, Any], rows: int, as_json: bool) -> None:
    """Print what a trial found, for people or for machines."""
    click.echo(encode(trial_as_json(trial)) if as_json else "\n".join(outcome(trial, settings, rows)))


def outcome(trial: Trial, settings: dict[str, Any], rows: int) -> Iterator[str]:
    """What a trial found, with the first records of each kind."""
    changes = [f"{path}={plain(value)} (now {plain(now(path))})" for path, value in settings.items()]
    yield f"{trial.stage} with {', '.join(changes) or 'its settings as they are'}"
    if trial.made:
        yield f"would write {trial.looked_at} rows; nothing was written."
        yield from (line for found in trial.made[:rows] for line in ("", *excerpt(found)))
        return
    gained, lost = len(trial.dropped), len(trial.released)
    sample = f" (a sample of {trial.whole}; --limit takes more)" if trial.looked_at < trial.whole else ""
    yield (
        f"{trial.looked_at} looked at{sample}: {len(trial.before)} of them dropped by the last run, {len(trial.after)} with "
        f"these settings (+{gained} -{lost}). Nothing was written."
    )
    for label, drops in (("newly dropped", trial.dropped), ("kept again", trial.released)):
        if drops:
            yield f"  {label:<14}{commonest(drop.reason for drop in drops)}  (of {commonest(drop.source for drop in drops)})"
    if trial.moved:
        yield f"  {'changed':<14}{commonest(Counter(trial.moved).elements())}"
    if lost and trial.stage != STAGES[-1]:
        yield "  Later stages would still look at what is kept again."
    for label, drops in (("newly dropped", trial.dropped), ("kept again", trial.released)):
        yield from (line for found in of(drops[:rows]) for line in ("", f"-- {label}", *excerpt(found)))
        if len(drops) > rows:
            yield f"-- and {len(drops) - rows} more {label}: --rows N shows them, --json lists all"


def commonest(names: Iterable[str]) -> str:
    """Names with how often they occur, the commonest first."""
    counted = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{flat(name)} {count}" for name, count in counted)


def of(drops: list[Drop]) -> list[Found]:
    """The records of some drops, each with its drop."""
    return [found for drop in drops for found in with_drop(drop)]


def with_drop(drop: Drop) -> list[Found]:
    """The record of a drop, or the drop alone if there is none."""
    found = by_id(drop.id) or [Found(drop.id, drop.source)]
    found[0].drop, found[0].split = drop, None
    return found[:1]
