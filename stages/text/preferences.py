"""Preference pairs that contradict each other: A over B here and B over A there, or A over B, B over C and C over A.

Endings are the same if they are but for case and space, under prompts that are the same likewise. What contradicts
itself only in other words is not found.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.text.near import Alike

Columns = dict[str, Any]
"""The fields of signatures.COLUMNS, in the order of preference; `chosen` and `rejected` are 0 where there is no pair."""


def keep_turned(alike: "Alike", columns: Columns) -> None:
    """Undo the matches of pairs that rank the same two endings the other way round: alike, and the opposite of a copy.

    Who stays by that takes along the copies that turn the survivor round as it does.
    """
    first: dict[tuple[int, int, int], int] = {}
    for place in turned(alike.survivor, columns).tolist():
        key = tuple(int(columns[name][place]) for name in ("prompt", "chosen", "rejected"))
        twin = first.setdefault(key, place)  # type: ignore[arg-type]
        alike.survivor[place], alike.similarity[place] = (-1 if twin == place else twin), 0


def turned(survivor: "NDArray[np.int64]", columns: Columns) -> "NDArray[np.int64]":
    """The places of pairs that were dropped for one with the same endings, the other way round."""
    dropped = ((survivor >= 0) & (columns["chosen"] != 0)).nonzero()[0]
    other = survivor[dropped]
    chosen, rejected = columns["chosen"], columns["rejected"]
    found: NDArray[np.int64] = dropped[(chosen[dropped] == rejected[other]) & (rejected[dropped] == chosen[other])]
    return found


def circles(survivor: "NDArray[np.int64]", columns: Columns) -> list[list[int]]:
    """The places of surviving pairs that cannot all be right: two that contradict each other, or more in a circle."""
    edges: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    chosen, rejected = columns["chosen"], columns["rejected"]
    for place in ((survivor < 0) & (chosen != 0) & (columns["prompt"] != 0)).nonzero()[0].tolist():
        edges[int(columns["prompt"][place])].append((int(chosen[place]), int(rejected[place]), place))
    return [circle for found in edges.values() if len(found) > 1 for circle in in_circles(found)]


def in_circles(edges: list[tuple[int, int, int]]) -> Iterable[list[int]]:
    """The places of the edges (from, to, place) that lie in a circle, by the strongly connected part they are in."""
    onward, back = defaultdict(list), defaultdict(list)
    for one, other, _ in edges:
        onward[one].append(other)
        back[other].append(one)
    part: dict[int, int] = {}
    for node in reversed(finished(onward)):
        for reached in walked(node, back, part):
            part[reached] = node
    members = defaultdict(list)
    for one, other, place in edges:
        if part[one] == part[other] and one != other:
            members[part[one]].append(place)
    return members.values()


def finished(onward: dict[int, list[int]]) -> list[int]:
    """All nodes in the order a walk along the edges leaves them, which is what Kosaraju's algorithm goes back by."""
    order: list[int] = []
    seen: set[int] = set()
    for start in list(onward):
        open_nodes = [(start, False)]
        while open_nodes:
            node, done = open_nodes.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                open_nodes += [(node, True), *((each, False) for each in onward.get(node, ()))]
    return order


def walked(start: int, along: dict[int, list[int]], taken: dict[int, int]) -> list[int]:
    """The nodes that can be reached from one, along edges, without those that are taken."""
    if start in taken:
        return []
    found, open_nodes = {start}, [start]
    while open_nodes:
        more = [each for each in along.get(open_nodes.pop(), ()) if each not in taken and each not in found]
        found.update(more)
        open_nodes += more
    return list(found)
