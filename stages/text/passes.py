"""Further passes of dedup over what near-duplicates left: alike vectors, alike prompts, and a second look at matches.

Single precision proposes, double precision decides, and similarities are rounded to three decimals before they meet a
threshold, so that neither the way of searching nor the number of threads changes an answer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import chain, pairwise
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stages.contract import progress
from stages.contract.params import stop
from stages.contract.record import Compare as Part
from stages.text.near import Alike, Texts, columns
from stages.text.semantic import needs, unit

Places = NDArray[np.int64]
Likes = tuple[Places, Places, "NDArray[np.float64]"]
Compare = Callable[[Places, Places], Likes]
"""From some records and some before them: the pairs that are alike, each with its similarity."""
LIMIT = 50_000  # records: above, FAISS looks for vectors, and prompts are not compared letter by letter
BLOCK = 256  # records compared at once
MARGIN = 0.001  # below the threshold: what single precision proposes


class Records(Struct):
    """Records in the order of preference: with which they may be the same, what they are but for case and punctuation, what
    they answer (0: nothing), and how the folded prompts and replies of some places are read.
    """

    families: "NDArray[np.uint8]"
    folded: "NDArray[np.uint64]"
    prompts: "NDArray[np.uint64]"
    read: Callable[[Places, Part], list[tuple[str, str]]]

    def texts(self, places: Places, what: Part) -> list[str]:
        """What is compared of these records."""
        return ["".join(pair) for pair in self.read(places, what)]


def strings(texts: Texts) -> list[tuple[str, str]]:
    """Folded prompts and replies."""
    spans = zip(texts.begins, texts.middles, texts.ends, strict=True)
    return [tuple(texts.data[one:end].tobytes().decode() for one, end in pairwise(span)) for span in spans]  # type: ignore[misc]


def refuse(alike: Alike, records: Records, what: Part, vectors: str, threshold: float) -> "NDArray[np.int64]":
    """Undo the near-duplicate matches whose vectors are less alike than the threshold: the places of both, (matches, 2).

    Who stays by that is compared with nobody else here, but takes along those that are the same but for case and
    punctuation; the two count as alike from now on.
    """
    near = np.flatnonzero(alike.similarity)
    both = np.union1d(near, alike.survivor[near])
    made = unit(records.texts(both, what), vectors)
    likes = exact(made, both.searchsorted(near), both.searchsorted(alike.survivor[near]))
    first: dict[tuple[int, int], int] = {}
    pairs: list[tuple[int, int, float]] = []
    for place in near[likes < threshold].tolist():
        twin = first.setdefault((int(records.families[place]), int(records.folded[place])), place)
        if twin == place:
            pairs.append((place, int(alike.survivor[place]), float(alike.similarity[place])))
        alike.survivor[place], alike.similarity[place] = (-1 if twin == place else twin), 0
    one, other, like = columns(pairs)
    alike.ones, alike.others = np.concatenate((alike.ones, one)), np.concatenate((alike.others, other))
    alike.likeness = np.concatenate((alike.likeness, like))
    return np.column_stack((one, other))


def semantic(alike: Alike, records: Records, what: Part, vectors: str, threshold: float) -> list[int]:
    """Drop survivors, and those dropped for them, whose vectors are as alike as the threshold; gives who fell.

    Two answers to one prompt are no duplicates.
    """
    made = unit(records.texts(np.arange(len(alike.survivor)), what), vectors)
    within = products(made, threshold)
    many = np.count_nonzero(alike.survivor < 0) > LIMIT
    against = searched(made, threshold) if many else within
    return again(alike, records.families, records.prompts, within, against, "semantic duplicates")


def edited(alike: Alike, records: Records, threshold: float) -> list[int]:
    """Drop survivors, and those dropped for them, whose prompts' edit ratio is the threshold or more; gives who fell."""
    if (count := np.count_nonzero(alike.survivor < 0)) > LIMIT:
        raise stop(
            f"params.yaml: dedup.prompt_edit: {count} records are more than the {LIMIT} whose prompts can be compared "
            "each with each; set it to null"
        )
    asked = [prompt.strip() for prompt, _ in records.read(np.arange(len(alike.survivor)), "conversation")]
    compare = edits(asked, threshold)
    return again(alike, records.families, np.zeros_like(records.prompts), compare, compare, "alike prompts")


def again(
    alike: Alike,
    families: "NDArray[np.uint8]",
    prompts: "NDArray[np.uint64]",
    within: Compare,
    against: Compare,
    label: str,
) -> list[int]:
    """Put what a further pass found into `alike`; gives who fell. Other families, and equal prompts, are not the same."""

    def may(one: int, other: int) -> bool:
        return bool(families[one] == families[other] and (not prompts[one] or prompts[one] != prompts[other]))

    followers: dict[int, list[int]] = {}
    for place in np.flatnonzero(alike.survivor >= 0).tolist():
        followers.setdefault(int(alike.survivor[place]), []).append(place)
    found = list(greedy(np.flatnonzero(alike.survivor < 0), followers, may, within, against, label))
    for place, survivor, like in found:
        alike.survivor[place], alike.similarity[place] = survivor, like
    return [place for place, *_ in found]


def exact(vectors: "NDArray[np.float32]", ones: Places, others: Places) -> "NDArray[np.float64]":
    """The cosine of each pair, to three decimals."""
    cosines: NDArray[np.float64] = np.einsum("ij,ij->i", vectors[ones], vectors[others], dtype=np.float64)
    return np.round(cosines, 3)


def decided(vectors: "NDArray[np.float32]", ones: Places, others: Places, threshold: float) -> Likes:
    """The pairs that are really as alike as the threshold."""
    likes = exact(vectors, ones, others)
    enough = likes >= threshold
    return ones[enough], others[enough], likes[enough]


def products(vectors: "NDArray[np.float32]", threshold: float) -> Compare:
    """Compares by matrix products."""

    def compare(ones: Places, others: Places) -> Likes:
        row, column = np.nonzero(vectors[ones] @ vectors[others].T >= threshold - MARGIN)
        before = others[column] < ones[row]
        return decided(vectors, ones[row[before]], others[column[before]], threshold)

    return compare


def searched(vectors: "NDArray[np.float32]", threshold: float) -> Compare:
    """Compares by a range search of FAISS; from call to call the others only grow."""
    needs("faiss", "faiss-cpu", "embeddings")
    faiss: Any = import_module("faiss")
    index = faiss.IndexFlatIP(vectors.shape[1])

    def compare(ones: Places, others: Places) -> Likes:
        index.add(vectors[others[index.ntotal :]])
        limits, _, found = index.range_search(vectors[ones], threshold - MARGIN)
        return decided(vectors, np.repeat(ones, np.diff(limits.astype(np.int64))), others[found], threshold)

    return compare


def edits(prompts: Sequence[str], threshold: float) -> Compare:
    """Compares prompts letter by letter; those whose lengths are too different are passed over, as are empty ones."""
    from rapidfuzz import fuzz, process

    def compare(ones: Places, others: Places) -> Likes:
        asked, before = [prompts[place] for place in ones], [prompts[place] for place in others]
        cutoff = 100 * (threshold - MARGIN)
        scores = process.cdist(asked, before, scorer=fuzz.ratio, score_cutoff=cutoff, dtype=np.float64)
        likes = np.round(scores / 100, 3)
        likes[[not text for text in asked]] = 0
        row, column = np.nonzero(likes >= threshold)
        return ones[row], others[column], likes[row, column]

    return compare


def greedy(
    records: Places,
    followers: Mapping[int, list[int]],
    may: Callable[[int, int], bool],
    within: Compare,
    against: Compare,
    label: str,
) -> Iterator[tuple[int, int, float]]:
    """Each record in turn against the survivors before it: who falls, for whom, and how alike the two are.

    `records` are places in the order of preference, `followers` those that were dropped for each of them before. They fall
    for its survivor too, and a record falls only for one to which all of them are alike: so there are no chains. `may` says
    which two can be duplicates at all; `within` compares with others of a block, `against` with the survivors before it.
    """
    kept = records[:0]
    blocks = (records[start : start + BLOCK] for start in range(0, len(records), BLOCK))
    for block in progress.over(blocks, label, len(records), len):
        proposed: dict[int, list[tuple[float, int]]] = {}
        for one, other, like in chain(rows(against(block, kept)) if len(kept) else (), rows(within(block, block))):
            if other < one:
                proposed.setdefault(one, []).append((-like, other))
        fallen: set[int] = set()
        for record in block.tolist():
            together = [record, *followers.get(record, ())]
            for _, other in sorted(proposed.get(record, ())):
                if other not in fallen and (found := all_alike(together, other, may, within)):
                    fallen.add(record)
                    yield from ((one, other, like) for one, like in found.items())
                    break
        kept = np.concatenate((kept, [place for place in block.tolist() if place not in fallen])).astype(np.int64)


def rows(likes: Likes) -> Iterator[tuple[int, int, float]]:
    """The pairs one by one."""
    return zip(*(column.tolist() for column in likes), strict=True)


def all_alike(
    together: list[int], other: int, may: Callable[[int, int], bool], within: Compare
) -> dict[int, float] | None:
    """How alike each of some records is to another; nothing if one of them is not."""
    likes = {one: like for one, _, like in rows(within(np.array(together), np.array([other])))}
    return likes if len(likes) == len(together) and all(may(one, other) for one in together) else None
