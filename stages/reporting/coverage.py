"""What was generated, and how evenly: by method, by each value of what was varied, and by topic and style.

All of it from the records' own words (`meta.extra`) and params, so that a report can be written where the pack is not. A
value that no row was asked for is therefore not listed.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from msgspec import Struct

from stages.contract import paths
from stages.contract.params import Source

METHOD, STYLE, TARGETS = "method", "style", "targets"
NOT_VARIED = (METHOD, "facts", "won")
"""What a row says of itself beside its cell."""
MOST = 40  # values of an axis; a field with more is a text, not a choice


class Count(Struct, frozen=True):
    """Rows with one name: asked for, if it is known, written, and kept to the end."""

    name: str
    written: int
    kept: int
    asked: int | None = None


class Coverage(Struct, frozen=True):
    """The counts by method, by the values of each axis, and by topic for each style; and what has rows but none kept."""

    methods: list[Count]
    axes: dict[str, list[Count]]
    styles: list[str]
    topics: dict[str, list[Count]]
    empty: list[str]


def generated(table: pd.DataFrame, sources: Mapping[str, Source]) -> pd.DataFrame:
    """The records of the stage `generate`."""
    folder = paths.OUTPUT["generate"].rpartition("/")[0]
    return table[table["source"].isin([name for name, source in sources.items() if source.path.strip("/") == folder])]


def asked(given: Mapping[str, Any]) -> dict[str, int]:
    """How many rows params ask for, by method."""
    targets = sum((given.get(TARGETS) or {}).values())
    found = {"template": given.get("count", 0), TARGETS: targets, **(given.get("methods") or {})}
    return {name: count for name, count in found.items() if count}


def coverage(rows: pd.DataFrame, asked: dict[str, int]) -> Coverage | None:
    """How evenly these rows cover what was varied; None if there are none and none were asked for."""
    if rows.empty and not asked:
        return None
    extra = pd.DataFrame(list(rows["extra"]), index=rows.index)
    extra["topic"], kept = rows["topic"], rows["split"].notna()
    axes = [name for name in extra if name not in (*NOT_VARIED, "topic") and is_axis(extra[name])]
    by_axis = {name: counts(extra[name], kept) for name in sorted(axes)}
    styles = [each.name for each in by_axis.get(STYLE, [])]
    grid = {
        str(topic): [Count(f"topic={topic},{STYLE}={style}", *both((own[STYLE] == style), kept)) for style in styles]
        for topic, own in extra.groupby("topic", sort=True)
    }
    cells = [each for row in grid.values() for each in row]
    values = [
        Count(f"{axis}={each.name}", each.written, each.kept) for axis, found in by_axis.items() for each in found
    ]
    methods = counts(extra[METHOD], kept) if METHOD in extra else []
    return Coverage(
        [Count(each.name, each.written, each.kept, asked.get(each.name)) for each in methods]
        + [Count(name, 0, 0, count) for name, count in sorted(asked.items()) if name not in {m.name for m in methods}],
        by_axis,
        styles,
        grid,
        [each.name for each in (*cells, *values) if not each.kept],
    )


def is_axis(values: pd.Series) -> bool:
    """Whether what a field says is text that comes again, as the values of an axis do."""
    told = values.dropna()
    return bool(len(told)) and all(isinstance(each, str) for each in told) and told.nunique() <= MOST


def counts(values: pd.Series, kept: pd.Series) -> list[Count]:
    """Rows written and kept of each value."""
    told = values.dropna()
    return [Count(str(name), *both(told == name, kept)) for name in sorted(told.unique())]


def both(chosen: pd.Series, kept: pd.Series) -> tuple[int, int]:
    """How many rows these are, and how many of them were kept."""
    return int(chosen.sum()), int((chosen & kept.reindex(chosen.index)).sum())
