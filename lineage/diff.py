"""Two versions of the dataset side by side: what went into them, rows and why they differ, distributions, metrics, gate."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct, structs

from lineage import version
from lineage.difference import causes, inputs, pairs, retrial, rows
from lineage.difference.causes import Both, Cause, Pair, Row
from lineage.difference.distributions import Distribution, distributions, members
from lineage.difference.inputs import Change, SourceChange
from lineage.difference.pairs import Side
from lineage.difference.rows import NOWHERE, Names, Read, Table
from stages.contract import paths
from stages.contract.params import stop
from stages.contract.record import Drop, decode

KINDS = causes.KINDS
LIMIT = re.compile(r"(?:(train|validation|test)\.)?([a-z_]+)\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)\s*(%?)")


class Counts(Struct):
    """Rows of a split, or of all: how many each version has, and what became of them.

    `moved` rows are in another split, and may have another text too; those that `arrived` and those that `departed` are told
    apart in one split. `changed` rows stay in theirs.
    """

    before: int = 0
    after: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    moved: int = 0
    arrived: int = 0
    departed: int = 0
    unchanged: int = 0


class Group(Struct):
    """Rows that differ for one cause, and how many."""

    how: str
    rows: int
    cause: Cause


class Diff(Struct):
    """All that differs between two versions."""

    before: str
    after: str
    commits: tuple[str, str]
    notes: list[str]
    settings: list[Change]
    sources: list[SourceChange]
    code: dict[str, list[str]]
    counts: Counts
    splits: dict[str, Counts]
    causes: list[Group]
    distributions: list[Distribution]
    metrics: list[Change]
    gate: list[Change]
    rows: list[Row]


def diff(
    before: str, after: str | None = None, split: str | None = None, stage: str | None = None, sample: int = 0
) -> Diff:
    """What differs from one revision to another, or to the working tree; only rows of a split, or that a stage decided on.

    The first `sample` rows of each kind are given with their texts.
    """
    ends = (version.commit_of(before), None if after is None else version.commit_of(after))
    names, read = Names(), Read()
    tables = tuple(rows.table(each, names, read) for each in ends)
    assert len(tables) == 2
    both, found = compared(tables)
    shown = [row for row in found if wanted(row, split, stage)]
    for how in KINDS:
        with_texts(both, [row for row in shown if row.how == how][:sample])
    return Diff(
        before,
        "the working tree" if after is None else after,
        (ends[0], ends[1] or ""),
        list(notes(*ends)),
        inputs.settings(*ends),
        inputs.sources(*ends),
        inputs.code(*ends),
        counted(tables, found, None),
        {name: counted(tables, found, name) for name in paths.SPLITS if split in (None, name)},
        grouped(shown),
        distributions(tables, names, both.renamed, split),
        list(numbers(paths.METRICS, *ends)),
        list(verdicts(*ends)),
        shown,
    )


def notes(before: str, after: str | None) -> Iterator[str]:
    """What to know before the rest: settings that were changed and not built."""
    for each in (before, after):
        if keys := inputs.unbuilt(each):
            listed = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
            yield f"{version.named(each)}: was not built with its {listed}; run `dvc repro`"


def wanted(row: Row, split: str | None, stage: str | None) -> bool:
    """Whether a row is of this split in either version, and was decided on by this stage."""
    return (split is None or split in (row.split, row.former_split)) and stage in (None, row.cause.stage)


def grouped(found: list[Row]) -> list[Group]:
    """The causes with how many rows each explains, those of one kind together, the commonest first."""
    counts: Counter[bytes] = Counter()
    examples: dict[bytes, tuple[str, Cause]] = {}
    for row in found:
        because = ["another record"] * any("record " in each for each in row.cause.because)
        because += [each for each in row.cause.because if not each.startswith("record ")]
        cause = structs.replace(row.cause, record="", because=because)
        key = msgspec.json.encode((row.how, cause))
        counts[key] += 1
        examples[key] = (row.how, cause)
    groups = [Group(*(examples[key][0], count, examples[key][1])) for key, count in counts.items()]
    return sorted(groups, key=lambda each: (KINDS.index(each.how), -each.rows, repr(each.cause)))


# rows


def compared(tables: tuple[Table, Table]) -> tuple[Both, list[Row]]:
    """Every row that differs, with its cause."""
    old, new = tables
    there = rows.places(old.columns, new.columns.high, new.columns.low)  # of each new record, where it was
    here = rows.places(new.columns, old.columns.high, old.columns.low)
    renamed = inputs.renames(old.revision, new.revision)
    twins = edited(tables, np.flatnonzero(here < 0), np.flatnonzero(there < 0), renamed)
    match = there.copy()
    for one, other in twins:
        match[other], here[one] = one, other
    changed = list(changes(tables, match, np.flatnonzero(here < 0)))
    ids = ({old.id(a): new.id(b) for a, b in twins}, {new.id(b): old.id(a) for a, b in twins})
    both = Both(tables, lost(tables, changed), ids, renamed)
    return both, list(explained(both, changed))


def changes(tables: tuple[Table, Table], match: Any, gone: Any) -> Iterator[tuple[str, Pair]]:
    """How every row that differs does so, with its places."""
    old, new = tables
    known = match >= 0
    at = np.where(known, match, 0)
    before = np.where(known, old.split[at], NOWHERE) if len(old) else np.full(len(new), NOWHERE)
    same = known & (old.columns.content[at] == new.columns.content) if len(old) else known
    stays = (before >= 0) & (new.split >= 0)
    kinds = {
        "added": (before < 0) & (new.split >= 0),
        "removed": (before >= 0) & (new.split < 0),
        "changed": stays & (before == new.split) & ~same,
        "moved": stays & (before != new.split),
    }
    for how, which in kinds.items():
        for place in np.flatnonzero(which).tolist():
            yield how, Pair(int(match[place]), place)
    for place in gone[old.split[gone] >= 0].tolist():
        yield "removed", Pair(place, NOWHERE)


def edited(tables: tuple[Table, Table], gone: Any, came: Any, renamed: dict[str, str]) -> list[tuple[int, int]]:
    """Records of one version only that are former and new selves, source by source, as places."""
    found: list[tuple[int, int]] = []
    old, new = tables
    for table, at in zip(tables, (gone, came), strict=True):
        rows.origins_at(table, at)  # of all together, which is one look at each file
    for source in sorted({new.shards[number][0] for number in np.unique(new.columns.shard[came]).tolist()}):
        ours = of_source(old, gone, renamed.get(source, source))
        theirs = of_source(new, came, source)
        if len(ours) and len(theirs):
            sides = [sides_of(table, at) for table, at in zip(tables, (ours, theirs), strict=True)]
            found += [(int(ours[one]), int(theirs[other])) for one, other in pairs.paired(*sides)]
    return found


def of_source(table: Table, at: Any, source: str) -> Any:
    """Those of these places that are of a source."""
    own = [number for number, (name, _) in enumerate(table.shards) if name == source]
    return at[np.isin(table.columns.shard[at], own)]


def sides_of(table: Table, at: Any) -> list[Side]:
    """The records in these places with their origins."""
    records = rows.records_at(table, at)
    origins = rows.origins_at(table, at)
    return [Side(table.id(place), origins[place], records[place]) for place in at.tolist()]


def lost(tables: tuple[Table, Table], changed: list[tuple[str, Pair]]) -> tuple[dict[str, Drop], dict[str, Drop]]:
    """The drops of the rows that are in one version only, and of the records that they were dropped for."""
    old, new = tables
    asked = (
        {old.id(pair.before) for how, pair in changed if how == "added" and pair.before >= 0},
        {new.id(pair.after) for how, pair in changed if how == "removed" and pair.after >= 0},
    )
    found = [rows.drops(ids, table.revision) for ids, table in zip(asked, tables, strict=True)]
    partners = [{retrial.partner_of(drop) for drop in each.values()} - {""} for each in found]
    for side in (0, 1):
        found[side] |= rows.drops(partners[1 - side] - found[side].keys(), tables[side].revision)
    return found[0], found[1]


def explained(both: Both, changed: list[tuple[str, Pair]]) -> Iterator[Row]:
    """The rows that differ, each with its cause."""
    old, new = both.tables
    edits = fields_of(both, changed)
    moving = [(old.id(pair.before), new.id(pair.after)) for how, pair in changed if how == "moved"]
    groups = causes.groups(both, moving) if moving else causes.Groups(({}, {}), ({}, {}))
    both.kept = retrial.kept(
        both, [(drop, (pair.before, pair.after)) for how, pair in changed if (drop := drop_of(both, how, pair))]
    )
    for number, (how, pair) in enumerate(changed):
        row = placed(both, how, pair)
        row.fields = edits.get(number, [])
        edit = causes.of_source(both, row.source, "edited source row", row.fields) if row.fields or row.former else None
        row.cause = why(both, row, pair, edit, groups)
        yield row


def placed(both: Both, how: str, pair: Pair) -> Row:
    """A row that differs, with where it stands, and no cause yet."""
    old, new = both.tables
    table, place = (new, pair.after) if pair.after >= 0 else (old, pair.before)
    identifier = table.id(place)
    former = old.id(pair.before) if pair.before >= 0 else ""
    source = table.shards[table.columns.shard[place]][0]
    found = Row(how, identifier, source, Cause(""), former if former != identifier else "")
    found.split, found.former_split = new.split_of(pair.after), old.split_of(pair.before)
    return found


def fields_of(both: Both, changed: list[tuple[str, Pair]]) -> dict[int, list[str]]:
    """What differs in the rows that are in both versions with another content, by their number."""
    old, new = both.tables
    touched = {
        number: pair
        for number, (_, pair) in enumerate(changed)
        if min(pair.before, pair.after) >= 0 and old.columns.content[pair.before] != new.columns.content[pair.after]
    }
    before = rows.records_at(old, np.array([pair.before for pair in touched.values()], np.int64))
    after = rows.records_at(new, np.array([pair.after for pair in touched.values()], np.int64))
    return {number: pairs.fields(before[pair.before], after[pair.after]) for number, pair in touched.items()}


def why(both: Both, row: Row, pair: Pair, edit: Cause | None, groups: causes.Groups) -> Cause:
    """The cause of a row."""
    if row.how == "moved":
        return causes.of_move(both, (row.former or row.id, row.id), row.source, groups, edit)
    if row.how == "changed":
        assert edit
        return edit
    side = int(row.how == "removed")
    if drop := drop_of(both, row.how, pair):
        return causes.of_drop(both, drop, side, pair, edit)
    found = causes.of_source(both, row.source, "removed source row" if side else "new source row")
    if refused := causes.refused(both, row.source, pair.before if side else pair.after, side):
        found.what, found.stage, found.reason = "dropped" if side else "released", "collect", refused.reason
    return found


def drop_of(both: Both, how: str, pair: Pair) -> Drop | None:
    """The drop of a row that is in one version only, in the other one."""
    side = int(how == "removed")
    place = pair.after if side else pair.before
    return both.drops[side].get(both.tables[side].id(place)) if place >= 0 and how in ("added", "removed") else None


def counted(tables: tuple[Table, Table], found: list[Row], split: str | None) -> Counts:
    """How many rows each version has in a split, or in all, and what became of them."""
    before, after = (len(members(table, split)) for table in tables)
    kinds = Counter(
        row.how for row in found if split in (None, row.former_split if row.how == "removed" else row.split)
    )
    counts = Counts(before, after, **{how: kinds[how] for how in KINDS})
    if split:
        counts.arrived = kinds["moved"]
        counts.departed = sum(row.how == "moved" and row.former_split == split for row in found)
        counts.moved = counts.arrived + counts.departed
    counts.unchanged = after - counts.added - counts.changed - kinds["moved"]
    return counts


def with_texts(both: Both, chosen: list[Row]) -> None:
    """Put the lines of text that differ into some rows, and where they came from."""
    for row in chosen:
        ids = (row.former or row.id, row.id)
        at = [table.place(each) for table, each in zip(both.tables, ids, strict=True)]
        versions = [
            rows.records_at(table, np.array([place])).get(place) if place >= 0 else None
            for table, place in zip(both.tables, at, strict=True)
        ]
        table, place = (both.tables[1], at[1]) if at[1] >= 0 else (both.tables[0], at[0])
        row.origin = rows.origins_at(table, np.array([place]))[place]
        row.text = list(
            pairs.lines(versions[0] if row.how != "added" else None, versions[1] if row.how != "removed" else None)
        )


# metrics


def numbers(path: str, before: str | None, after: str | None) -> Iterator[Change]:
    """The values of a JSON file that differ, by their dotted paths."""
    for leaf in inputs.leaves(json_of(path, before), json_of(path, after)):
        yield inputs.change_of(leaf)


def verdicts(before: str | None, after: str | None) -> Iterator[Change]:
    """The rules of the gate that one version passes and the other does not, or has not."""
    held = [
        {rule["name"]: passing(rule) for rule in json_of(paths.GATE, each).get("rules", [])} for each in (before, after)
    ]
    for name in {**held[0], **held[1]}:
        old, new = (each.get(name, "no such rule") for each in held)
        if old != new:
            yield Change(name, old, new)


def passing(rule: dict[str, Any]) -> str:
    """A verdict in one word."""
    return "passes" if rule["passed"] else "fails" if rule.get("severity") == "error" else "warns"


def json_of(path: str, revision: str | None) -> dict[str, Any]:
    """A JSON file of a version; empty if it is not there."""
    content = version.in_git(path, revision)
    try:
        return dict(decode(content)) if content else {}
    except (msgspec.DecodeError, TypeError, ValueError):
        raise stop(f"{version.named(revision)}:{path}: is not what a run writes; run `dvc repro`") from None


# limits


class Limit(Struct, frozen=True):
    """A limit such as `train.removed>5%`; a share is of the rows before."""

    text: str
    split: str | None
    name: str
    sign: str
    value: float
    share: bool


def limit(text: str) -> Limit:
    """A limit as it is written."""
    match = LIMIT.fullmatch(text.strip())
    known = (*Counts.__struct_fields__, "divergence")
    if not match or match[2] not in (*known, *DIVERGENCES):
        raise stop(
            f"--fail-on {text}: is no limit; write NAME>NUMBER or NAME>NUMBER% with one of {', '.join(KINDS)}, after a "
            f"split and a dot if need be, or NAME>NUMBER with one of {', '.join(DIVERGENCES)}"
        )
    split, name, sign, value, percent = match.groups()
    return Limit(text.strip(), split, name, sign, float(value), bool(percent))


DIVERGENCES = ("length", "tokens", "topic", "source", "language", "score")


def over(found: Diff, limits: list[Limit]) -> list[str]:
    """The limits that are met, each with what was found."""
    return [
        f"{each.text}: it is {value:g}{'%' * each.share}"
        for each in limits
        if met(value := value_of(found, each), each)
    ]


def value_of(found: Diff, limit: Limit) -> float:
    """What a limit is held against."""
    if limit.name in DIVERGENCES:
        return next(each.divergence for each in found.distributions if each.name == limit.name)
    counts = found.counts if limit.split is None else found.splits.get(limit.split, Counts())
    value = float(getattr(counts, limit.name))
    return round(100 * value / max(1, counts.before), 3) if limit.share else value


def met(value: float, limit: Limit) -> bool:
    """Whether a value meets a limit."""
    return {">": value > limit.value, "<": value < limit.value, ">=": value >= limit.value, "<=": value <= limit.value}[
        limit.sign
    ]
