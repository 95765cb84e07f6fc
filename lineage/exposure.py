"""Which versions hold an example, a text, a person, a source or a licence, which training runs read it, and which models.

Told from git and from sorted indexes in the cache: nothing is checked out and no text of a record is read. What an index
that is not here would say stays open, and is said to be.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal

import msgspec
from msgspec import Struct

from lineage import digests, history, lookup, places, repository, runs, version
from lineage.history import Commit
from lineage.runs import Run
from lineage.version import Stored
from stages.contract import params, paths, shards
from stages.contract.params import stop
from stages.contract.record import decode, digest, key_of_subject, key_of_text
from stages.text.visible import visible

SHORTEST = 6  # characters of an id
INDEX = paths.INDEX.removeprefix(f"{paths.CURATED}/")
Kind = Literal["example", "text", "subject", "source", "licence"]


class Row(Struct, frozen=True):
    """A line of data/curated/index.jsonl."""

    id: str
    source: str
    split: str
    kind: str


class Version(Struct, omit_defaults=True):
    """One state of data/curated: the commits that name it, newest first, and what is in it: rows, or how many."""

    md5: str
    commits: list[str]
    tags: list[str]
    first: int
    last: int
    """When the oldest and the newest of the commits were made, in seconds."""
    rows: list[Row] = []
    count: int = 0


class Saw(Struct, omit_defaults=True):
    """What one training run read of it: how many records, in which files; None if that cannot be told."""

    run: str
    model: str
    version: str
    """The release or commit of its record."""
    records: int | None
    files: list[str] = []
    through: str = ""
    """The model it was made from, if that is what read it."""


class Exposure(Struct, omit_defaults=True):
    """The answer. `unread` says of which versions and runs it could not be told, and why."""

    kind: Kind
    asked: str
    ids: list[str]
    versions: list[Version]
    runs: list[Saw]
    models: list[str]
    looked_at: int
    """How many commits."""
    unread: list[str] = []


row_of = msgspec.json.Decoder(Row).decode


# what can be asked


def of_example(identifier: str, fetch: bool = False) -> Exposure:
    """Of the record with this id, or the only one that begins so."""
    start = identifier.lower()
    if not re.fullmatch(f"[0-9a-f]{{{SHORTEST},32}}", start):
        raise stop(
            f"--example {visible(identifier)}: is no id; give {SHORTEST} of its 32 letters a-f and digits, or more"
        )
    answer = of_rows("example", identifier, lambda version, commit: rows_of(version.md5, [start]), fetch)
    if len(answer.ids) > 1:
        several = ", ".join(answer.ids[:4]) + (", …" if len(answer.ids) > 4 else "")
        raise stop(f"--example {identifier}: {len(answer.ids)} records begin so: {several}; give more of the id")
    return answer


def of_text(text: str, fetch: bool = False) -> Exposure:
    """Of the records in which a turn says this, whatever its case and space, or this with its personal data replaced."""
    from stages import collect
    from stages.text.personal_data import Scope

    how = collect.cleaning(params.of_stage("collect", collect.Params), Scope())
    cleaned = collect.cleaned(text, how)  # surrogates depend on the record, and cannot be told from the text alone
    keys = sorted({key_of_text(text), key_of_text(cleaned)})
    return of_rows("text", text, partial(rows_of_keys, keys=keys), fetch)


def of_subject(subject: str, fetch: bool = False) -> Exposure:
    """Of the records about a person: the name as in the source, which needs the project key, or the hash in the records."""
    is_hash = re.fullmatch("[0-9a-f]{32}", subject) is not None
    hashed = subject if is_hash else digest("subject", subject, key=params.project_key())  # as collect has it
    return of_rows("subject", hashed, partial(rows_of_keys, keys=[key_of_subject(hashed)]), fetch)


def of_source(name: str) -> Exposure:
    """Of a source."""
    return of_counts("source", name, lambda metrics: {key: at["curated"] for key, at in metrics["sources"].items()})


def of_licence(licence: str) -> Exposure:
    """Of the sources under a licence."""
    return of_counts("licence", licence, lambda metrics: metrics["licences"])


# from sorted indexes


class Missing(Exception):
    """An index is not in the cache: `args` are its MD5 and what it is."""

    def __str__(self) -> str:
        return f"{self.args[1]} is not in the cache" if self.args[0] else str(self.args[1])


def of_rows(kind: Kind, asked: str, rows: Callable[[Version, Commit | None], list[Row]], fetch: bool) -> Exposure:
    """The versions in which `rows` finds something, and the runs that read the files it stands in."""
    found, known = [], runs.every()
    unread: list[str] = []
    commits = history.commits(unread)
    for each, commit in states(commits, known):
        try:
            each.rows = fetching(partial(rows, each, commit)) if fetch else rows(each, commit)
        except Missing as problem:
            unread.append(f"{named(each)}: {problem}")
            continue
        each.count = len(each.rows)
        found += [each] if each.rows else []
    by_md5 = {each.md5: each for each in found}
    saw = [saw_rows(run, by_md5[run.dataset.md5]) for run in known if run.dataset.md5 in by_md5]
    ids = sorted({row.id for each in found for row in each.rows})
    return answer(kind, asked, ids, found, saw, known, len(commits), unread)


def states(commits: list[Commit], known: list[Run]) -> Iterator[tuple[Version, Commit | None]]:
    """Each state of data/curated once, newest first, with a commit; then those that only a run's record still names."""
    grouped: dict[str, list[Commit]] = defaultdict(list)
    for commit in commits:
        grouped[commit.outputs[paths.CURATED]].append(commit)
    for md5, group in grouped.items():
        tags = [tag for commit in group for tag in commit.tags]
        dates = [commit.time for commit in group]
        # the lookup came with a later template: not every commit with the same records has one
        chosen = next((commit for commit in group if paths.LOOKUP in commit.outputs), group[0])
        yield Version(md5, [commit.id for commit in group], tags, min(dates), max(dates)), chosen
    for md5 in sorted({run.dataset.md5 for run in known if run.dataset.md5} - {*grouped}):
        yield Version(md5, [], [], 0, 0), None


def rows_of(md5: str, starts: Iterable[str]) -> list[Row]:
    """The rows of a version's index whose ids begin so."""
    listed = version.within(Stored(md5))
    if listed is None:
        raise Missing(md5, "the list of its files, or an intact one,")
    if INDEX not in listed:
        return []
    with lookup.opened(here(listed[INDEX], "its index")) as content:
        lines = [line for start in starts for line in lookup.lines_with(content, "id", start)]
    try:
        return [row_of(line) for line in lines]
    except msgspec.MsgspecError:
        raise Missing(listed[INDEX], "its index is damaged, and an intact one") from None


def rows_of_keys(state: Version, commit: Commit | None, keys: list[str]) -> list[Row]:
    """The rows of the records that have one of these keys."""
    if commit is None or paths.LOOKUP not in commit.outputs:
        raise Missing("", "it was built without a lookup of texts and people")
    with lookup.opened(here(commit.outputs[paths.LOOKUP], "its lookup")) as content:
        lines = [line for key in keys for line in lookup.lines_with(content, "key", key)]
    return rows_of(state.md5, sorted({decode(line)["id"] for line in lines})) if lines else []


def here(md5: str, what: str) -> Any:
    """The path of an object in the cache."""
    if (place := version.object_of(md5)).is_file():
        return place
    raise Missing(md5, what)


def fetching(rows: Callable[[], list[Row]]) -> list[Row]:
    """The same, with what is not in the cache brought from the remote: three objects at most."""
    try:
        return rows()
    except Missing as problem:
        bring(*problem.args)
        return fetching(rows)


def bring(md5: str, what: str) -> None:
    """Copy an object from the default remote into the cache, if it is what it should be."""
    if not md5:
        raise Missing(md5, what)
    try:
        content = b"".join(places.blocks(places.remote(), md5))
    except places.Unreadable as problem:
        raise Missing(md5, f"{what} {problem} and") from None
    if digests.md5_of_bytes(content) != md5.removesuffix(".dir"):
        raise Missing(md5, f"{what} is damaged in the remote and")
    place = version.object_of(md5)
    place.parent.mkdir(parents=True, exist_ok=True)
    shards.put_bytes(place, content)
    place.chmod(0o444)  # as DVC keeps what it shares by links
    version.listing.cache_clear()


def saw_rows(run: Run, state: Version) -> Saw:
    """The rows in the files that a run read."""
    read = [(file, row) for row in state.rows for file in run.dataset.files if holds(file, row)]
    return Saw(
        run.run, run.model.name, label(run), len({row.id for _, row in read}), sorted({file for file, _ in read})
    )


def holds(file: str, row: Row) -> bool:
    """Whether a row stands in a file of data/curated, or may in one of data/exports."""
    if file == paths.curated(row.kind, row.split):
        return True
    return row.kind == "example" and file.startswith(f"{paths.EXPORTS}/") and file.endswith(f"/{row.split}.jsonl")


# from the figures in git


def of_counts(kind: Kind, asked: str, counted: Callable[[dict[str, Any]], dict[str, int]]) -> Exposure:
    """The versions in whose metrics something is counted, and the runs that read records of it."""
    unread: list[str] = []
    commits, known = history.commits(unread), runs.every()
    blobs = history.blobs_of([commit.id for commit in commits], [paths.METRICS])
    text = history.contents({found[paths.METRICS] for found in blobs.values()})
    counts = {commit: counts_in(text[found[paths.METRICS]], counted) for commit, found in blobs.items()}
    names = sorted({name for each in counts.values() for name in each or {}})
    if asked not in names:
        near = difflib.get_close_matches(asked, names, 1)
        advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(names) or 'none'}"
        raise stop(f"--{kind} {visible(asked)}: no version has it; {advice}")
    found = []
    for each, commit in states(commits, known):
        number = (counts.get(commit.id) or {}).get(asked, 0) if commit else 0
        each.count = number
        found += [each] if number else []
        if commit and counts.get(commit.id) is None:
            unread.append(f"{named(each)}: has no {paths.METRICS} that can be read")
    saw = [read for run in known if (read := saw_counted(run, kind, asked)).records != 0]
    return answer(kind, asked, [], found, saw, known, len(commits), unread)


def counts_in(metrics: bytes, counted: Callable[[dict[str, Any]], dict[str, int]]) -> dict[str, int] | None:
    """The counts in a version's metrics; None if they are of another make."""
    try:
        return {str(name): int(number) for name, number in counted(decode(metrics)).items()}
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None


def saw_counted(run: Run, kind: Kind, asked: str) -> Saw:
    """How many records of a source, or of the sources under a licence, a run read by its own record."""
    names = {asked} if kind == "source" else licensed(run, asked)
    rows, files = run.dataset.rows, run.dataset.files
    read = {file: sum(rows[file].get(name, 0) for name in names or ()) for file in rows}
    told = names is not None and all(file in rows and "unknown" not in rows[file] for file in files)
    records = sum(read.values())
    return Saw(
        run.run, run.model.name, label(run), records if told or records else None, [f for f in files if read.get(f)]
    )


def licensed(run: Run, licence: str) -> set[str] | None:
    """The sources under a licence in the version that a run read; None if it is not here any more."""
    commit = run.dataset.commit
    if not commit or not repository.commit(commit):
        return None
    sources = version.settings(commit).get("sources") or {}
    return {str(name) for name, source in sources.items() if source.get("licence") == licence}


# the answer


def answer(
    kind: Kind,
    asked: str,
    ids: list[str],
    found: list[Version],
    saw: list[Saw],
    known: list[Run],
    looked_at: int,
    unread: list[str],
) -> Exposure:
    """The answer, with what it could not look at."""
    unread += [f"the run {run.run}: its record names no data" for run in known if not run.dataset.md5]
    if history.is_shallow():
        unread.append("older commits: this clone is shallow; `git fetch --unshallow --tags` brings them")
    through = derived(saw, known)
    saw = [each for each in saw if each.run not in {other.run for other in through}] + through
    models = sorted({each.model for each in saw if each.records != 0})
    return Exposure(kind, asked, ids, found, saw, models, looked_at, unread)


def derived(saw: list[Saw], known: list[Run]) -> list[Saw]:
    """The runs that began from a model that read it, or from a model made of such a one: tuning forgets nothing."""
    told = {each.run for each in saw if each.records != 0}
    rest = [run for run in known if run.run not in told and run.model.base]
    found: list[Saw] = []
    for parent in known:
        if parent.run in told:
            children = [run for run in rest if run.run not in told and runs.is_of(parent.model, str(run.model.base))]
            found += [Saw(run.run, run.model.name, label(run), None, through=parent.model.name) for run in children]
    return found + derived([*saw, *found], known) if found else []


def label(run: Run) -> str:
    """The version that a run's record names."""
    return run.dataset.release or (run.dataset.commit or "no commit")[:7]


def named(state: Version) -> str:
    """A version in a few letters."""
    return next(iter(state.tags), "") or (
        state.commits[0][:7] if state.commits else f"data {state.md5[:7]}, of no commit"
    )
