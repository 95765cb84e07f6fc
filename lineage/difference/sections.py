"""A difference as tables, which the terminal, Markdown and the page each lay out in their own way."""

from collections.abc import Iterator

from msgspec import Struct

from lineage.diff import Counts, Diff
from lineage.difference.causes import Cause, Row
from lineage.difference.distributions import Distribution

SHIFTS = 3  # names whose share changed most
COUNTS = ("before", "after", "added", "removed", "changed", "arrived", "departed", "unchanged")

TOLD = (
    "accounting.",
    "languages.",
    "licences.",
    "sources.",
    "splits.",
    "stages.",
    "top_reasons.",
    "topics.",
    "exports.",
)
"""Metrics that the other tables tell."""


class Section(Struct):
    """A table with a title. The cells of the columns in `code` come from data or settings; those in `right` are numbers."""

    title: str
    head: list[str]
    rows: list[list[str]]
    code: tuple[int, ...] = ()
    right: tuple[int, ...] = ()
    empty: str = ""


def headline(diff: Diff) -> str:
    """The difference in a line."""
    counts = diff.counts
    kinds = [
        f"{getattr(counts, how):,} {how}" for how in ("added", "removed", "changed", "moved") if getattr(counts, how)
    ]
    return f"{counts.before:,} rows, then {counts.after:,}: {', '.join(kinds) or 'the same'}; {counts.unchanged:,} unchanged"


def sections(diff: Diff) -> Iterator[Section]:
    """All tables, in the order of the layers."""
    settings = [[each.key, each.before, each.after] for each in diff.settings]
    yield Section("Settings", ["setting", "before", "after"], settings, code=(0, 1, 2), empty="the same")
    sources = [[each.name, each.how + (f" from {each.before}" if each.before else "")] for each in diff.sources]
    yield Section("Sources", ["source", "what"], sources, code=(0,), empty="the same")
    code = [[path, ", ".join(stages) or "no stage"] for path, stages in diff.code.items()]
    yield Section("Code", ["file", "read by"], code, code=(0,), empty="the same")
    splits = [[name, *counts_of(each)] for name, each in diff.splits.items()]
    splits += [["all", *counts_of(diff.counts)]] if len(splits) > 1 else []
    yield Section("Rows", ["split", *COUNTS], splits, right=tuple(range(1, 1 + len(COUNTS))))
    causes = [
        [f"{each.rows:,}", each.how, what(each.cause), each.cause.certainty, "; ".join(each.cause.because)]
        for each in diff.causes
    ]
    yield Section("Why", ["rows", "", "cause", "", "because of"], causes, code=(4,), right=(0,), empty="no row differs")
    spreads = [spread(each) for each in diff.distributions]
    yield Section("Distributions", ["", "before", "after", "divergence", ""], spreads, code=(1, 2), right=(3,))
    metrics = [[each.key, each.before, each.after] for each in diff.metrics if not each.key.startswith(TOLD)]
    yield Section("Metrics", ["metric", "before", "after"], metrics, code=(0,), right=(1, 2), empty="the same")
    gate = [[each.key, each.before, each.after] for each in diff.gate]
    yield Section("Gate", ["rule", "before", "after"], gate, code=(0,), empty="the same verdicts")


def counts_of(counts: Counts) -> list[str]:
    """The counts of a split, or of all, where those that moved left one and came to another."""
    moved = {"arrived": counts.arrived or counts.moved, "departed": counts.departed or counts.moved}
    own = {name: getattr(counts, name) for name in COUNTS}
    whole = own if counts.arrived or counts.departed else own | moved
    return [f"{whole[name]:,}" if whole[name] else "·" for name in COUNTS]


def what(cause: Cause) -> str:
    """A cause in words."""
    by = f" by {cause.stage}" if cause.stage and cause.reason else f" ({cause.stage})" if cause.stage else ""
    return f"{cause.what}{by}{f': {cause.reason}' if cause.reason else ''}"


def spread(found: Distribution) -> list[str]:
    """A distribution in a row: means and quantiles, or the names whose shares changed most."""
    sides = shifts(found) if not (found.before or found.after) else [numbers(found.before), numbers(found.after)]
    sides = sides if sides[0] != sides[1] else [sides[0], "the same"]
    unit = f" ({found.unit})" if found.before or found.after else ""
    return [found.name + unit, *sides, f"{found.divergence:.4f}", "LARGE" if found.large else ""]


def numbers(known: dict[str, float]) -> str:
    """Mean and quantiles on one line."""
    return ", ".join(f"{name} {value:g}" for name, value in known.items()) or "nothing"


def shifts(found: Distribution) -> list[str]:
    """The names whose shares changed most, with their shares in both versions."""
    sizes = [max(1, sum(each.before for each in found.bins)), max(1, sum(each.after for each in found.bins))]
    shares = [(each.name, each.before / sizes[0], each.after / sizes[1]) for each in found.bins]
    most = sorted(shares, key=lambda each: (-abs(each[1] - each[2]), each[0]))[:SHIFTS]
    return [", ".join(f"{name} {100 * pair[side]:.1f}%" for name, *pair in most) or "nothing" for side in (0, 1)]


def title(row: Row) -> str:
    """A row that differs, with where it stands and stood."""
    splits = " -> ".join(dict.fromkeys(each for each in (row.former_split, row.split) if each))
    former = f" (was {row.former})" if row.former else ""
    return f"{row.how} {row.id}{former} · {row.source} · {row.origin} · {splits}"


def explanation(row: Row) -> str:
    """Why a row differs."""
    fields = f"{', '.join(row.fields)} differ; " if row.fields else ""
    because = f": {'; '.join(row.cause.because)}" if row.cause.because else ""
    lost = f"; the other record is {row.cause.record}" if row.cause.record else ""
    return f"{fields}{what(row.cause)}, {row.cause.certainty}{because}{lost}"
