"""Why a row is in one version and not in the other, in another split, or another text.

A cause is `proven` if deciding again from what was kept, with only that setting changed, flips the row; `consistent` if
nothing else that its stage was given has changed; `several` if more has: then all of it is listed, and nothing chosen.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from msgspec import Struct

from lineage import browse, version
from lineage.difference import inputs, retrial
from lineage.difference.inputs import Inputs
from lineage.difference.rows import Table, chunks, origins_at
from stages.contract import paths
from stages.contract.record import Drop, decode, decode_drop

Certainty = Literal["proven", "consistent", "several"]
STAGES = browse.STAGES
KINDS = ("added", "removed", "changed", "moved")


class Cause(Struct, omit_defaults=True):
    """Why. `what` says it in words; `stage` and `reason` are those of a drop; `record` is the other one of a duplicate."""

    what: str
    certainty: Certainty = "consistent"
    because: list[str] = []
    stage: str = ""
    reason: str = ""
    record: str = ""


class Row(Struct, omit_defaults=True):
    """A row that differs: its id now, or the last it had, and the former one if that was another."""

    how: str
    id: str
    source: str
    cause: Cause
    former: str = ""
    split: str | None = None
    former_split: str | None = None
    origin: str = ""
    fields: list[str] = []
    text: list[str] = []


class Pair(Struct):
    """A row in both versions, as places in their tables: -1 where it is not among the records."""

    before: int
    after: int


class Both(Struct):
    """Two versions beside each other: their tables, the drops that matter by id, and who was who before the edit."""

    tables: tuple[Table, Table]
    drops: tuple[dict[str, Drop], dict[str, Drop]]
    twins: tuple[dict[str, str], dict[str, str]]
    renamed: dict[str, str]
    kept: dict[tuple[int, int, str], Any] = {}
    known: dict[Any, Any] = {}

    def inputs(self, stage: str, source: str) -> Inputs:
        """What of a stage's inputs differs; of a source by its name now, or the last it had."""
        key = ("inputs", stage, source)
        if key not in self.known:
            names = (self.renamed.get(source, source), source)
            self.known[key] = inputs.of_stage(stage, names, *(table.revision for table in self.tables))
        found: Inputs = self.known[key]
        return found


def certain(because: Sequence[str]) -> Certainty:
    """How sure a cause is that nothing was decided again for."""
    return "consistent" if len(because) == 1 else "several"


# rows that came, went or were edited


def of_source(both: Both, source: str, what: str, fields: list[str] | None = None) -> Cause:
    """The cause of a row that `collect` gives in one version only, or gives otherwise."""
    revisions = [table.revision for table in both.tables]
    names = (both.renamed.get(source, source), source)
    present = [
        name in (version.settings(each).get("sources") or {}) for name, each in zip(names, revisions, strict=True)
    ]
    if not all(present):
        return Cause("new source" if present[1] else "removed source", "proven", [f"sources.{source}"])
    digests = [inputs.rows_of(name, each) for name, each in zip(names, revisions, strict=True)]
    given = both.inputs("collect", source)
    if digests[0] == digests[1] and source in both.renamed and not given.told:
        return Cause("source renamed", "proven", renaming(both, source))
    if digests[0] == digests[1]:
        redacted = "meta.redacted" in (fields or [])
        what = "redaction changed" if redacted else "read otherwise" if fields is not None else what
        because = [*renaming(both, source), *given.told] or others(given)
        return Cause(what, certain(because), because, "collect")
    made = maker(source, revisions[1])
    because = (both.inputs(made, source).told if made else []) or [f"rows of {source}"]
    because = because + given.told
    return Cause(what, certain(because), because, made)


def refused(both: Both, source: str, place: int, side: int) -> Drop | None:
    """The new drop of `collect` that stands where the row of a record stands in the other version: its place must tell."""
    known = (both.renamed.get(source, source), source)
    if ("refused", source) not in both.known:
        both.known["refused", source] = tuple(
            refusals(name, table.revision) for name, table in zip(known, both.tables, strict=True)
        )
    found = both.known["refused", source]
    if not found[side]:
        return None
    table = both.tables[1 - side]
    drop: Drop | None = found[side].get(origins_at(table, np.array([place]))[place])
    return None if drop and drop.id in {each.id for each in found[1 - side].values()} else drop


def refusals(source: str, revision: str | None) -> dict[str, Drop]:
    """What `collect` dropped of a source, by where the rows stand; nothing of a source that is not there."""
    if source not in browse.sources(revision):
        return {}
    drops = {drop.id: drop for drop in map(decode_drop, version.lines([paths.dropped("collect", source)], revision))}
    rows = map(decode, version.lines([paths.origins(source) / "dropped.jsonl"], revision))
    return {row["origin"]: drops[row["id"]] for row in rows if row["id"] in drops}


def renaming(both: Both, source: str) -> list[str]:
    """The new name of a source as a reason: ids are made of it."""
    former = both.renamed.get(source)
    return [f"source {former} is now {source}"] if former else []


def maker(source: str, revision: str | None) -> str:
    """The stage that writes the rows of a source; nothing if people do."""
    path = str((version.settings(revision).get("sources") or {}).get(source, {}).get("path", "")).rstrip("/")
    for name, entry in version.lock(revision).items():
        if any(paths.within(out["path"], path) for out in entry.get("outs") or []):
            return name.partition("@")[0]
    return ""


# rows that a stage dropped in one version only


def of_drop(both: Both, drop: Drop, side: int, row: Pair, edit: Cause | None) -> Cause:
    """Why a stage dropped a row in one version (`side`: 0 before, 1 after) and not in the other."""
    what = "dropped" if side else "released"
    found = of_stage(both, drop, side, row, edit)
    found.stage, found.reason = drop.stage, drop.reason
    found.what = f"edited, then {what}" if edit and side else f"edited and {what}" if edit else what
    return found


def of_stage(both: Both, drop: Drop, side: int, row: Pair, edit: Cause | None) -> Cause:
    """The same without its name: by deciding again where that can be done, else by what the stage was given."""
    given = both.inputs(drop.stage, drop.source)
    if drop.stage == "collect":
        return of_source(both, drop.source, "")
    if drop.stage in retrial.BY_ROW and row.before >= 0 and row.after >= 0:
        return decided(both, drop, side, row, edit, given)
    partner = other(both, drop, side)
    changed = [] if edit is None else edit.because
    missing: list[str] = []
    if drop.stage in retrial.AS_WHOLE and given.settings:
        former = both.tables[0].id(row.before)
        outcomes = {leaf[0]: retrial.flips(both, drop.stage, leaf, former, side) for leaf in given.settings}
        flips = [inputs.told(leaf) for leaf in given.settings if outcomes[leaf[0]]]
        if flips:
            proven: Certainty = "proven" if len(flips) == 1 else "several"
            return Cause("", proven, flips, record=retrial.partner_of(drop))
        refuted = all(each is False for each in outcomes.values())
        if (partner or changed) and (certain_match(drop) or refuted):
            given = Inputs([], given.code, given.data)
        elif refuted and not given.code:
            missing = others(given)
    because = [*partner, *changed, *given.told, *missing] or others(given)
    return Cause("", certain(because), because, record=retrial.partner_of(drop))


def certain_match(drop: Drop) -> bool:
    """Whether no threshold has a say: the two are the same."""
    return drop.reason in ("exact_duplicate", "folded_duplicate")


def others(given: Inputs) -> list[str]:
    """What is left if no setting, no code and no single record explains a row: the records around it."""
    return ["other records"] if given.data else ["nothing that dvc.lock records"]


def decided(both: Both, drop: Drop, side: int, row: Pair, edit: Cause | None, given: Inputs) -> Cause:
    """The cause of a drop that is decided on what was kept of the row alone: each thing changed is tried by itself."""
    kept = [both.kept[number, at, drop.stage] for number, at in enumerate((row.before, row.after))]
    measured = [] if kept[0] == kept[1] else (edit.because if edit else of_measure(both, drop))
    alone = retrial.alone(both, drop, side, kept, given.settings)
    if alone is None:
        because = [*measured, *given.told] or others(given)
        return Cause("", certain(because), because)
    told = [because for each in alone for because in (measured if each is None else [inputs.told(each)])]
    if len(alone) == 1:
        by_setting = alone[0] is not None
        return Cause("", "proven" if by_setting else certain(told), told)
    return Cause("", "several", told or [*measured, *map(inputs.told, given.settings)])


def of_measure(both: Both, drop: Drop) -> list[str]:
    """Why the scores of a row are others though its text is not."""
    before = both.inputs("measure", drop.source) if drop.stage == "filter" else both.inputs(drop.stage, drop.source)
    return [each for each in before.told if drop.stage == "filter" or each.startswith("code")] or ["its scores"]


def other(both: Both, drop: Drop, side: int) -> list[str]:
    """The record that a row lost to, if that one is new to it: what became of it in the other version."""
    partner = retrial.partner_of(drop)
    if not partner:
        return []
    away = 1 - side
    if partner in both.twins[side]:
        return [f"record {partner}, which was edited"]
    place = both.tables[away].place(partner)
    if place < 0:
        return [f"record {partner}, which is {'new' if side else 'gone'}"]
    lost = both.drops[away].get(partner)
    if lost and STAGES.index(lost.stage) <= STAGES.index(drop.stage):
        return [f"record {partner}, which {lost.stage} {'dropped before' if side else 'drops now'}"]
    if drop.stage == "split" and drop.evidence.get("other_split") != both.tables[away].split_of(place):
        return [f"record {partner}, which moved"]
    return []


# rows that moved between splits


def of_move(both: Both, identifiers: tuple[str, str], source: str, groups: "Groups", edit: Cause | None) -> Cause:
    """Why a row is in another split: its group changed, perhaps because it was edited itself, or the draw did."""
    old, new = (known.get(each) for known, each in zip(groups.of, identifiers, strict=True))
    if edit and old != new:
        return Cause("edited, so its group changed", edit.certainty, edit.because, "split")
    given = both.inputs("split", source)
    if old == new:
        found = retrial.draws(both, old or "", identifiers, given.settings)
        if found is not None and len(found) == 1:
            return Cause("drawn otherwise", "proven", [inputs.told(found[0])], "split")
        because = given.told or others(given)
        return Cause("drawn otherwise", certain(because), because, "split")
    joined = sorted(
        groups.members[1].get(new or "", set()) - groups.members[0].get(old or "", set()) - {identifiers[1]}
    )
    left = sorted(groups.members[0].get(old or "", set()) - groups.members[1].get(new or "", set()) - {identifiers[0]})
    because = [f"record {each} joined its group" for each in joined[:3]] + [
        f"record {each} left its group" for each in left[:3]
    ]
    because += [each for each in given.told if each.startswith("code")]
    because = because or given.told or others(given)
    return Cause("its group changed", certain(because), because, "split")


class Groups(Struct):
    """The groups of split: of the records asked for, in both versions; and the members of those groups."""

    of: tuple[dict[str, str], dict[str, str]]
    members: tuple[dict[str, set[str]], dict[str, set[str]]]


class Grouped(Struct, gc=False):
    """A row of data/splits.jsonl."""

    id: str
    group: str = ""


def groups(both: Both, wanted: Iterable[tuple[str, str]]) -> Groups:
    """The groups of these records, by their ids before and after; and who is in those that are others now."""
    found = Groups(({}, {}), ({}, {}))
    contents = [version.content(paths.ROOT / paths.OUTPUT["split"], table.revision) for table in both.tables]
    names: tuple[set[str], set[str]] = (set(), set())
    for identifiers in wanted:
        own = [
            (browse.row_in(content, each) or {}).get("group", "")
            for content, each in zip(contents, identifiers, strict=True)
        ]
        for side in (0, 1):
            found.of[side][identifiers[side]] = own[side]
            if own[0] != own[1] and identifiers[0] == identifiers[1]:
                names[side].add(own[side])
    for side in (0, 1) if names[0] else ():
        found.members[side].update(members_of(names[side], both.tables[side].revision))
    return found


def members_of(names: set[str], revision: str | None) -> dict[str, set[str]]:
    """The records of groups."""
    members = defaultdict(set)
    for rows in chunks(paths.OUTPUT["split"], revision, Grouped):
        for row in rows:
            if row.group in names:
                members[row.group].add(row.id)
    return members
