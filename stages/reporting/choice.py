"""Which drops, groups of duplicates and records the page shows: a fair part of each kind, within a budget of bytes.

Chance comes from a keyed hash of the id, so the same dataset shows the same records, whatever the order of its rows.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

import pandas as pd
from msgspec import Struct
from msgspec.structs import replace

from stages.contract import paths, shards
from stages.contract.params import seed, sources
from stages.contract.record import Drop, decode, draw
from stages.contract.run import records_with
from stages.reporting.excerpt import Excerpt, compared, excerpt, size, within
from stages.reporting.reasons import evidence, meaning, other

T = TypeVar("T")

DROPS, GROUPS, COPIES, SAMPLE = 400, 10, 3, 60  # shown at most
DROP_BYTES, GROUP_BYTES, SAMPLE_BYTES = 620_000, 160_000, 330_000  # of the page
ENTRY = 1_100  # bytes of markup around an entry
DROP_LENGTH, GROUP_LENGTH, SAMPLE_LENGTH = 1_200, 800, 3_000  # characters of a record
ORIGIN, SAID = 200, 400  # characters of a path and of evidence
ORDER = paths.DROPPING


class Shown(Struct, frozen=True):
    """A drop as it is shown: what it means, where it came from, its text and that of the record it was dropped for."""

    drop: Drop
    meaning: str
    evidence: str
    origin: str
    text: Excerpt | None
    other: Excerpt | None
    anchors: tuple[str, ...] = ()


class Group(Struct, frozen=True):
    """Records dropped for one survivor: how many equal and near ones, and the texts and similarities of the first."""

    survivor: str
    fate: str
    exact: int
    near: int
    lowest: float
    sources: dict[str, int]
    text: Excerpt | None
    copies: tuple[tuple[Drop, Excerpt | None], ...]

    @property
    def members(self) -> int:
        """The records of the group, its survivor included."""
        return 1 + self.exact + self.near


class Sampled(Struct, frozen=True):
    """A curated record as it is shown."""

    source: str
    split: str
    tools: bool
    origin: str
    text: Excerpt


def dealt(items: Iterable[T], group: Callable[[T], Hashable], identifier: Callable[[T], str]) -> list[T]:
    """The items in turns: one of each group, then a second of each; drawn inside a group, the largest group first."""
    groups: dict[Hashable, list[T]] = defaultdict(list)
    for item in items:
        groups[group(item)].append(item)
    key = seed()
    ranked = []
    for name, members in groups.items():
        members.sort(key=lambda item: (draw(key, "report", identifier(item)), identifier(item)))
        ranked += [((rank, -len(members), str(name)), item) for rank, item in enumerate(members)]
    return [item for _, item in sorted(ranked, key=lambda pair: pair[0])]


def texts_of(identifiers: Iterable[str], characters: int) -> dict[str, Excerpt]:
    """The records with these ids, cut; a row that never became a record has none."""
    return {record.id: excerpt(record, characters) for record in records_with(identifiers)}


def origins_of(identifiers: set[str]) -> dict[str, str]:
    """Where these records and dropped rows came from, as `path:line`."""
    found = {}
    for source in sources():
        for path in sorted(paths.origins(source).glob("*.jsonl")):
            for line in shards.lines(path):
                if line[7:39].decode() in identifiers:  # canonical form: a line starts {"id":"…32 hex…"
                    row = decode(line)
                    found[row["id"]] = cut(row["origin"], ORIGIN)
    return found


def cut(text: str, most: int) -> str:
    """The end of a long text, which of a path says most."""
    return text if len(text) <= most else "…" + text[-most:]


def shown_drops(drops: list[Drop]) -> list[Shown]:
    """The drops that the page shows, in the order of the stages; every stage, reason and source has its turn."""
    chosen = dealt(drops, lambda drop: (drop.stage, drop.reason, drop.source), lambda drop: drop.id)[:DROPS]
    late = [drop for drop in chosen if drop.stage != "collect"]
    texts = texts_of({drop.id for drop in late} | {found for drop in late if (found := other(drop))}, DROP_LENGTH)
    entries = [with_texts(drop, texts) for drop in chosen]
    kept = within(DROP_BYTES, entries, lambda each: ENTRY + size(each.text) + size(each.other))
    kept.sort(key=lambda each: (ORDER.index(each.drop.stage), each.drop.reason, each.drop.source, each.drop.id))
    origins = origins_of({each.drop.id for each in kept})
    return anchored([replace(each, origin=origins.get(each.drop.id, "")) for each in kept])


def with_texts(drop: Drop, texts: dict[str, Excerpt]) -> Shown:
    """A drop with its meaning and texts; `collect` drops rows that are no record, so they have no text."""
    text, survivor = texts.get(drop.id) if drop.stage != "collect" else None, texts.get(other(drop) or "")
    said = evidence(drop)
    return Shown(
        drop,
        meaning(drop.stage, drop.reason),
        said if len(said) <= SAID else said[:SAID] + "…",
        "",
        *beside(text, survivor),
    )


def beside(text: Excerpt | None, other: Excerpt | None) -> tuple[Excerpt | None, Excerpt | None]:
    """Two texts that are shown side by side, the first one with what is new in it told apart."""
    return compared(text, other) if text and other else text, other


def anchored(entries: list[Shown]) -> list[Shown]:
    """The entries, the first of each stage, reason and source with the name that links to it without a script."""
    met: set[str] = set()
    named = []
    for each in entries:
        drop = each.drop
        names = (
            f"stage={drop.stage}",
            f"source={drop.source}",
            f"stage={drop.stage}&reason={drop.reason}",
            f"stage={drop.stage}&source={drop.source}",
        )
        named.append(replace(each, anchors=tuple(name for name in names if name not in met)))
        met.update(names)
    return named


def groups(drops: list[Drop]) -> dict[str, list[Drop]]:
    """The drops of dedup by the survivor they were dropped for, the largest group first."""
    found: dict[str, list[Drop]] = defaultdict(list)
    for drop in drops:
        if drop.stage == "dedup" and "survivor" in drop.evidence:
            found[drop.evidence["survivor"]].append(drop)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def largest_groups(found: dict[str, list[Drop]], drops: list[Drop], table: pd.DataFrame) -> list[Group]:
    """The largest groups of duplicates with the texts of their first members, exact copies first."""
    chosen = dict(list(found.items())[:GROUPS])
    for members in chosen.values():
        members.sort(key=lambda drop: (-drop.evidence["similarity"], drop.id))
    wanted = {*chosen, *(drop.id for members in chosen.values() for drop in members[:COPIES])}
    texts = texts_of(wanted, GROUP_LENGTH)
    later = {drop.id: drop for drop in drops if drop.id in chosen}
    entries = [group(survivor, members, texts, later, table) for survivor, members in chosen.items()]
    return within(
        GROUP_BYTES, entries, lambda each: ENTRY + size(each.text) + sum(size(copy) for _, copy in each.copies)
    )


def group(
    survivor: str, members: list[Drop], texts: dict[str, Excerpt], later: dict[str, Drop], table: pd.DataFrame
) -> Group:
    """One group; its survivor may itself have been dropped by a later stage."""
    reasons = Counter(drop.reason for drop in members)
    fate = f"dropped later by {later[survivor].stage}" if survivor in later else f"in {table['split'].get(survivor)}"
    return Group(
        survivor,
        fate,
        (equal := reasons["exact_duplicate"] + reasons["folded_duplicate"]),
        len(members) - equal,
        min(drop.evidence["similarity"] for drop in members),
        dict(Counter(drop.source for drop in members).most_common()),
        texts.get(survivor),
        tuple((drop, beside(texts.get(drop.id), texts.get(survivor))[0]) for drop in members[:COPIES]),
    )


def sample(table: pd.DataFrame) -> list[Sampled]:
    """Curated records: of every split, source and kind some, with and without tools."""
    curated = table[table["split"].notna()]
    rows = list(zip(curated.index, *(curated[name] for name in ("split", "source", "kind", "tools")), strict=True))
    chosen = {row[0]: row for row in dealt(rows, lambda row: row[1:], lambda row: str(row[0]))[:SAMPLE]}
    texts, origins = texts_of(chosen, SAMPLE_LENGTH), origins_of(set(chosen))
    entries = [
        Sampled(source, split, tools, origins.get(identifier, ""), texts[identifier])
        for identifier, split, source, _, tools in chosen.values()
        if identifier in texts
    ]
    kept = within(SAMPLE_BYTES, entries, lambda each: ENTRY + size(each.text))
    return sorted(kept, key=lambda each: (paths.SPLITS.index(each.split), each.source, each.text.kind, each.text.id))
