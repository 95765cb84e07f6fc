"""Where the dataset stands: its sources, what is stale, the gate, the remote and the last release; and what to do next."""

import json
import os
from collections.abc import Iterator
from configparser import ConfigParser
from datetime import date
from typing import Any

from msgspec import Struct

from lineage import metrics, repository
from lineage.commands import gate
from stages.contract import gold, params, paths, profiles
from stages.contract.params import stop
from stages.contract.record import decode
from stages.reporting.gate import passes


class Status(Struct):
    """What there is to know before going on."""

    profile: str
    sources: dict[str, dict[str, Any]]
    examples: int | None
    stale: list[str]
    changed: list[str]
    gate: bool | None
    verdict: str
    remote: str | None
    release: str | None
    next: list[str] = []


def state() -> Status:
    """The state of the working tree, and what to do next."""
    if not repository.commit("HEAD") and not (paths.ROOT / ".git").exists():
        raise stop("git: this is no repository, and DVC needs one; run `git init`, `git add -A` and `git commit`")
    names = list(params.sources()) if params.whole().get("sources") else []
    built = (paths.ROOT / paths.METRICS).is_file()
    held = gate.check() if built else []
    found = Status(
        profile=profile(),
        sources={name: about(name) for name in names},
        examples=metrics.read()["dataset"]["examples"] if built else None,
        stale=stale() if names else [],
        changed=output("status", "--porcelain"),
        gate=passes(held, date.today()) if built else None,
        verdict=gate.summary(held, date.today()) if built else "not held yet",
        remote=remote(),
        release=next(iter(output("tag", "--list", "dataset@v*", "--sort=-v:refname")), None),
    )
    found.next = list(todo(found))
    return found


def todo(found: Status) -> Iterator[str]:
    """What to do next, the most needed first."""
    if not found.sources:
        yield "put a file under data/sources/, then `dataset inspect PATH` and `dataset add NAME PATH --licence SPDX`"
    if repository.commit("MERGE_HEAD"):
        yield "a merge is open: settle it, then `dataset merge --continue`, or go back with `dataset merge --abort`"
    if wrong := gold.problem():
        yield wrong
    elif not gold.rows():
        yield f"put 200 rows or more that are never trained on into {paths.GOLD}, as OpenAI messages, then `dataset freeze`"
    if found.stale:
        yield "build what is stale: make run"
    if found.gate is False:
        yield "the gate fails: `dataset gate` says why and what to do"
    if found.sources and found.changed:
        yield "commit what has changed: git add -A && git commit"
    if not found.remote:
        yield "name a place to share the data: dvc remote add -d NAME URL"


def lines(found: Status) -> Iterator[str]:
    """The screen, line by line."""
    for name, source in found.sources.items():
        counted = (
            "not built yet" if source["rows"] is None else f"{source['rows']:>8,} rows {source['records']:>8,} records"
        )
        yield f"source   {name:<14}{counted}   {source['licence']}   {source['path']}"
    if not found.sources:
        yield "source   none yet"
    yield f"profile  {found.profile}"
    yield "dataset  " + ("not built yet" if found.examples is None else f"{found.examples:,} examples")
    built = "up to date" if found.sources else "none to run before there is a source"
    yield "stages   " + (f"{len(found.stale)} stale: {short(found.stale)}" if found.stale else built)
    yield f"gate     {found.verdict}"
    entries = f"{len(found.changed)} file{'s' * (len(found.changed) != 1)} changed or new"
    yield "git      " + (entries if found.changed else "clean")
    yield f"remote   {found.remote or 'none'}"
    yield f"release  {found.release or 'none yet'}"
    for step in found.next:
        yield f"next     {step}"


def profile() -> str:
    """The profile, and how many of its values params.yaml changes."""
    own = sum(each.own for each in profiles.settings(params.whole()))
    return f"{params.whole()['profile']}" + (f", {own} of its values changed" if own else "")


def short(names: list[str]) -> str:
    """The first few names."""
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def about(name: str) -> dict[str, Any]:
    """Licence and path of a source, and its rows and records if it was collected."""
    source, place = params.source(name), paths.origins(name) / "source.json"
    counted = decode(place.read_bytes()) if place.is_file() else {}
    return {
        "path": source.path,
        "licence": source.licence,
        "rows": counted.get("rows"),
        "records": counted.get("records"),
    }


def stale() -> list[str]:
    """The stages that `dvc repro` would run."""
    return list(changes())


def changes() -> dict[str, list[Any]]:
    """What DVC finds changed of each stage that it would run."""
    done = repository.dvc("status", "--json")
    if done.returncode:
        raise stop(f"dvc status: {repository.said(done)}; run `dataset check`")
    return dict(json.loads(done.stdout or b"{}"))


def output(*words: str) -> list[str]:
    """The lines that git prints; none if this is no repository."""
    return repository.run("git", *words).stdout.decode().splitlines()


def remote() -> str | None:
    """Name and address of the default remote, without what may stand before an @ in it; a folder as seen from here."""
    config = ConfigParser(interpolation=None)
    config.read([paths.ROOT / ".dvc/config", paths.ROOT / ".dvc/config.local"])
    name = config.get("core", "remote", fallback=None)
    url = config.get(f"'remote \"{name}\"'", "url", fallback="has no url") if name else ""
    if url.startswith("."):  # DVC takes it from its own folder
        url = os.path.normpath(os.path.join(".dvc", url))
    return f"{name} ({url.rpartition('@')[2]})" if name else None
