"""What a merge came to, for people and machines."""

from typing import Any

import msgspec
from msgspec import Struct


class Conflict(Struct):
    """What is left for people: a file, the key in it if it is params.yaml, what each side says, and what to do."""

    path: str
    do: str
    key: str = ""
    ours: str = ""
    theirs: str = ""


class Outcome(Struct):
    """What a merge came to. `state` is merged, open (something is left to do), nothing (it was merged before) or aborted.

    `gate` is whether the result passes the gate, and `verdict` says so in words, with the rules; neither if it was not held.
    """

    state: str
    branch: str
    commit: str = ""
    taken: dict[str, str] = {}
    conflicts: list[Conflict] = []
    ours: dict[str, int] | None = None
    theirs: dict[str, int] | None = None
    merged: dict[str, int] | None = None
    gate: bool | None = None
    verdict: str = ""


def counts(metrics: bytes | None) -> dict[str, int] | None:
    """Rows in and examples out, as a version's metrics have them."""
    try:
        found: dict[str, Any] = msgspec.json.decode(metrics or b"")
        return {"rows": found["input"]["rows"], "examples": found["dataset"]["examples"]}
    except (msgspec.DecodeError, KeyError, TypeError):
        return None


def flow(outcome: Outcome) -> list[str]:
    """The counts of both sides and of the result, line by line."""
    every = {"ours": outcome.ours, outcome.branch: outcome.theirs, "merged": outcome.merged}
    return [
        f"{name}: {found['rows']} rows in, {found['examples']} examples out" for name, found in every.items() if found
    ]


def listed(files: list[str], most: int = 10) -> str:
    """Some of the files by name."""
    return ", ".join(files[:most]) + (f" and {len(files) - most} more" if len(files) > most else "")
