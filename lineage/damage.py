"""What a damaged file lost: how it is damaged, and which of its rows differ, told by an index or an intact copy."""

from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct

from lineage.copies import Copy, copy_of, intact_copy, join
from lineage.places import Place, blocks, where
from lineage.project import Output
from stages.contract import paths
from stages.contract.record import decode, digest_of_line


class Damage(Struct):
    """A file that is not what it should be, and the rows that differ where they can be known: ids or line numbers."""

    path: str
    reason: str
    object: str = ""
    """Where the damaged bytes lie in a cache or a remote."""
    rows: list[str] = []
    row_count: int | None = None
    """How many rows differ; None if that cannot be known."""


def damaged(
    output: Output, name: str, listing: dict[str, str], found: Copy, place: Place, others: list[Place]
) -> Damage:
    """What is wrong with one file that has other bytes than it should."""
    path = join(output.path, name)
    here = listing[name] if place.is_store else path
    result = Damage(path, "", where(place, here) if place.is_store else "")
    intact = intact_copy(output, name, listing[name], others)
    result.reason = how(found.size, copy_of(*intact).size if intact else None)
    if other := next((each for each, digest in listing.items() if digest == found.digest), None):
        result.reason = f"holds the bytes of {other}"
    if path.endswith(".jsonl"):
        held = Counter(map(digest_of_line, lines(blocks(place, here))))
        expected = of_index(output, path, listing, [place, *others])
        if expected is None and intact:
            expected = (
                (named(line, number), digest_of_line(line)) for number, line in enumerate(lines(blocks(*intact)), 1)
            )
        if expected is not None:
            differ(result, held, expected)
    return result


def how(found: int, intact: int | None) -> str:
    """How a file is damaged, from the bytes it has and should have."""
    if intact is not None and found < intact:
        return f"is cut short, or other bytes: {found} of {intact}"
    return "has other bytes" if found else "is empty"


def differ(result: Damage, held: Counter[str], expected: Iterable[tuple[str, str]]) -> None:
    """Name the rows that a damaged file lost or changed; those it gained are counted."""
    lost = []
    for name, digest in expected:
        if held[digest]:
            held[digest] -= 1
        else:
            lost.append(name)
    gained = held.total()
    result.row_count = max(len(lost), gained)
    result.rows = lost
    if gained > len(lost):
        more = gained - len(lost)
        result.reason += f", {more} row{'s' * (more != 1)} more than it should have"


# the rows that a file should have, each with its digest


def of_index(
    output: Output, path: str, listing: dict[str, str], places: list[Place]
) -> Iterator[tuple[str, str]] | None:
    """Those of a curated file, by id, as the index beside it has them; None if it is not intact."""
    index = paths.INDEX.removeprefix(f"{output.path}/")
    curated = {paths.curated(kind, split) for kind in paths.PLACES for split in paths.SPLITS}
    if path not in curated or index not in listing:
        return None
    intact = intact_copy(output, index, listing[index], places)
    rows = (decode(line) for line in lines(blocks(*intact))) if intact else None
    return rows and ((row["id"], row["digest"]) for row in rows if paths.curated(row["kind"], row["split"]) == path)


def lines(read: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of what is read block by block, without their ends."""
    rest = b""
    for block in read:
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest


def named(line: bytes, number: int) -> str:
    """The id that a row has, or else its number."""
    row = decode(line)
    return str(row["id"]) if isinstance(row, dict) and "id" in row else f"line {number}"
