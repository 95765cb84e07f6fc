"""Two versions of a JSON Lines file to which both sides only added rows."""

from collections import Counter


def lines(content: bytes) -> list[bytes]:
    """The lines of a file, without their ends."""
    return content.removesuffix(b"\n").split(b"\n") if content else []


def added(base: list[bytes], new: list[bytes]) -> list[bytes] | None:
    """The rows that `new` has more than `base`; None if a row was changed, moved or taken out."""
    waiting, more = iter(base), []
    expected = next(waiting, None)
    for line in new:
        if line == expected:
            expected = next(waiting, None)
        else:
            more.append(line)
    return more if expected is None else None


def union(base: bytes, ours: bytes, theirs: bytes) -> tuple[bytes, int, int] | None:
    """The rows of both, ours as they stand and then theirs, with how many each added; None if rows were not only added.

    A row that both added is taken once.
    """
    before, mine = lines(base), lines(ours)
    from_ours, from_theirs = added(before, mine), added(before, lines(theirs))
    if from_ours is None or from_theirs is None:
        return None
    known, new = Counter(from_ours), []
    for line in from_theirs:
        if known[line]:
            known[line] -= 1
        else:
            new.append(line)
    return b"".join(line + b"\n" for line in mine + new), len(from_ours), len(new)
