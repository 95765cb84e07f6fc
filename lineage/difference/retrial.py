"""Deciding again from what was kept, with one thing changed: what shows that it is this thing that flips a row."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec import structs

from lineage import browse, version
from lineage.difference import inputs
from lineage.difference.inputs import Inputs, Leaf
from lineage.difference.rows import lines_at
from lineage.merging.keys import ABSENT
from stages.contract import params, paths
from stages.contract.params import Stop
from stages.contract.record import Drop, decode, encode

if TYPE_CHECKING:
    from lineage.difference.causes import Both

BY_ROW = ("filter", "judge")
"""Stages that decide on what was kept of a row alone."""
AS_WHOLE = ("dedup", "balance")
"""Stages whose decision on a row depends on the others, and which ask nobody."""
MOST = 100_000  # records of which these are decided again: beyond, it takes minutes
UNFIT = (Stop, LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What a stage of today raises on what one of another day has kept."""


def partner_of(drop: Drop) -> str:
    """The record that a row lost to."""
    return str(drop.evidence.get("survivor") or drop.evidence.get("other") or "")


def kept(both: "Both", drops: Iterable[tuple[Drop, tuple[int, int]]]) -> dict[tuple[int, int, str], Any]:
    """What was kept of rows for their stages to decide on, by version, place and stage."""
    found: dict[tuple[int, int, str], Any] = {}
    asked: dict[int, list[int]] = {0: [], 1: []}
    rubric = cache(rubric_of)
    for drop, places in drops:
        for side, place in enumerate(places):
            if place >= 0 and drop.stage == "filter":
                asked[side].append(place)
            elif place >= 0 and drop.stage == "judge":
                table = both.tables[side]
                said = judged(table.revision, table.id(place))
                found[side, place, "judge"] = unweighed(said, rubric(table.revision)) if "dimensions" in said else said
    for side, wanted in asked.items():
        lines = lines_at(both.tables[side], np.array(wanted, np.int64), paths.scores)
        found |= {(side, place, "filter"): without_id(decode(line)) for place, line in lines.items()}
    return found


def without_id(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says of its record."""
    return {name: value for name, value in row.items() if name != "id"}


def judged(revision: str | None, identifier: str) -> Any:
    """What the judge said of a record."""
    return without_id(browse.row_in(version.content(paths.ROOT / paths.OUTPUT["judge"], revision), identifier) or {})


def unweighed(said: dict[str, Any], rubric: Any) -> dict[str, Any]:
    """What a model said, without what follows from weights, and with the rubric that has them: it is weighed again."""
    if rubric is None:
        return said
    return {name: value for name, value in said.items() if name not in ("score", "canary")} | {"rubric": rubric}


def rubric_of(revision: str | None) -> Any:
    """The rubric that a version judged by; None if it cannot be told."""
    from stages.models.rubric import Rubric

    path = settings_of("judge", "", revision)["judge"].get("rubric")
    content = version.in_git(path, revision) if path else None
    try:
        return params.typed(params.mapping(content, path), Rubric, "", path) if content else None
    except UNFIT:
        return None


def alone(
    both: "Both", drop: Drop, side: int, kept: Sequence[Any], settings: Sequence[Leaf]
) -> list[Leaf | None] | None:
    """Which of the settings, or what was kept (None), flips the row if nothing else changes.

    Nothing at all if the stage of today does not decide on both versions as they were decided.
    """
    names = (both.renamed.get(drop.source, drop.source), drop.source)
    given = settings_of(drop.stage, names[0], both.tables[0].revision)
    changed: list[Leaf | None] = [*settings, *([None] if kept[0] != kept[1] else [])]

    def dropped(taken: Sequence[Leaf | None]) -> bool:
        own = [leaf for leaf in taken if leaf is not None]
        return decides(drop.stage, with_settings(given, own), kept[None in taken], drop)

    try:
        if dropped([]) == bool(side) or dropped(changed) != bool(side):
            return None
        return [each for each in changed if dropped([each]) == bool(side)]
    except UNFIT:
        return None


def settings_of(stage: str, source: str, revision: str | None) -> dict[str, Any]:
    """The params of a stage as its last run had them, under its name."""
    entry = version.lock(revision).get(inputs.instance(stage, source), {})
    return {stage: version.recorded(entry).get(stage) or {}}


def with_settings(given: dict[str, Any], changed: Sequence[Leaf]) -> dict[str, Any]:
    """Params with the later values of some."""
    given = deepcopy(given)
    for key, _, value in changed:
        *above, last = key.split(".")
        inner = given
        for name in above:
            if not isinstance(inner.get(name), dict):
                inner[name] = {}
            inner = inner[name]
        if value is ABSENT:
            inner.pop(last, None)
        else:
            inner[last] = value
    return given


def decides(stage: str, given: dict[str, Any], kept: Any, drop: Drop) -> bool:
    """Whether a stage drops a row of which this was kept."""
    module = import_module(f"stages.{stage}")
    if stage == "filter":
        return module.decide(drop.id, drop.source, kept, module.prepare(given[stage])) is not None
    chosen = params.typed(given[stage], module.Params, stage)
    fact = msgspec.convert({name: value for name, value in kept.items() if name != "rubric"}, module.Judged)
    if rubric := kept.get("rubric"):
        overall = import_module("stages.models.rubric").overall
        fact = structs.replace(fact, score=overall(fact.dimensions, rubric, chosen.weights))
    return bool(module.decide({drop.id: fact}, chosen, None).drops)


# dedup and balance, which look at all records


def could(both: "Both", stage: str, given: Inputs) -> bool:
    """Whether a stage can be decided again as it was: with today's code, from what is here, in a few seconds."""
    before = both.tables[0].revision
    if not given.settings or before is None or len(both.tables[0]) > MOST:
        return False
    return not inputs.of_stage(stage, ("", ""), before, None).code


def flips(both: "Both", stage: str, leaf: Leaf, identifier: str, side: int) -> bool | None:
    """Whether a stage drops (`side` 1) or keeps (0) a record of the former version if only this setting changes.

    None if that cannot be tried.
    """
    before = both.tables[0].revision
    if before is None or not could(both, stage, both.inputs(stage, "")):
        return None
    found = tried(before, stage, leaf[0], json.dumps(plain(leaf[2])))
    return None if found is None else identifier in found[1 - side]


def plain(value: Any) -> Any:
    """A value that was taken out is the default, which `null` stands for."""
    return None if value is ABSENT else value


@lru_cache(64)
def tried(revision: str, stage: str, key: str, value: str) -> tuple[set[str], set[str]] | None:
    """The records that `dataset try` drops and releases in a version with one setting changed; None if it cannot tell."""
    with TemporaryDirectory() as name:
        if not laid_out(revision, Path(name)):
            return None
        program = "from lineage.commands import main; main()"
        own = {"DATASET_ROOT": name, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-c", program, "try", stage, "--set", f"{key}={value}", "--json"]
        done = run(command, env=os.environ | own, capture_output=True, check=False)
    if done.returncode:
        return None
    found = decode(done.stdout)
    return {row["id"] for row in found["dropped"]}, {row["id"] for row in found["released"]}


def laid_out(revision: str, root: Path) -> bool:
    """Put the files of a version into a folder, as links to the cache; whether all of them are here."""
    for path, out in version.outputs(revision).items():
        if not path.startswith("data/") or path.startswith((paths.CURATED, paths.EXPORTS)):
            continue
        files = {"": out.md5} if not out.md5.endswith(".dir") else version.within(out)
        for inside, md5 in (files or {}).items():
            place = root / path / inside if inside else root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(version.object_of(md5))
        if files is None or not all(version.object_of(md5).is_file() for md5 in files.values()):
            return False
    (root / params.FILE).write_bytes(encode(version.in_force(revision)))  # its profile may say something else today
    (root / version.PIPELINE).write_bytes(version.in_git(version.PIPELINE, revision) or b"")
    return True


# the draw of a group


def draws(both: "Both", group: str, identifiers: tuple[str, str], settings: Sequence[Leaf]) -> list[Leaf] | None:
    """Which of the settings moves a group by itself; nothing if it is not drawn by these alone."""
    from stages import split

    found = version.recorded(version.lock(both.tables[0].revision).get("split", {}))
    given: dict[str, Any] = {"seed": found.get("seed"), "split": found.get("split") or {}}
    ends = [table.split_of(table.place(each)) for table, each in zip(both.tables, identifiers, strict=True)]

    def drawn(changed: Sequence[Leaf]) -> str:
        chosen = with_settings(given, changed)
        with params.using({"seed": chosen["seed"]}):
            return split.drawn(group, None, params.typed(chosen["split"], split.Params, "split"))

    try:
        if given["split"].get("stratify") or [drawn([]), drawn(settings)] != ends:
            return None
        return [leaf for leaf in settings if drawn([leaf]) == ends[1]]
    except UNFIT:
        return None
