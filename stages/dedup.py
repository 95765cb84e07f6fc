"""Drop exact and near-duplicates, each for one survivor that it really matches.

Records are taken in the order of preference: written by people before logs, unknown origin, templates and models, higher
rating, better style, preferred source, longer, then by id. Each is compared with survivors only, so there are no chains.
MinHash bands propose, the exact Jaccard similarity decides: nothing is dropped below the threshold. Pairs that stay, down
to the floor, are kept for `split`. Preference pairs are compared with each other, labelled answers with those of the same
label. Two answers to one prompt that are less alike than the threshold are no duplicates: they are listed, and called a
conflict where they choose differently. Preference pairs that contradict each other, or go round in a circle, are listed too,
and dropped if `contradictions` says so: no ranking is right for all of them.

Off by default: a second look at near-duplicate matches (`verify`), then semantic duplicates, then alike prompts, each pass
over the survivors of the one before. A survivor takes those dropped for it along, if they are all alike to its own.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct, structs

from stages.contract import engine, paths
from stages.contract.params import sources, stop
from stages.contract.record import Compare, Drop, decode_record
from stages.contract.run import Decision, run_on_signatures
from stages.contract.shards import lines
from stages.contract.signatures import Signed
from stages.text.answers import unresolved
from stages.text.preferences import circles, keep_turned
from stages.text.shingles import Shingles

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.text.near import Alike, Texts

REASONS = {
    "exact_duplicate": "the same turns as the survivor's, whatever the system's",
    "folded_duplicate": "the same but for case, space and punctuation; code and tool calls letter by letter",
    "near_duplicate": "as similar to the survivor as dedup.threshold, or more",
    "semantic_duplicate": "its vector is as alike to the survivor's as dedup.semantic.threshold, or more",
    "alike_prompt": "its prompt is the survivor's but for a few letters: dedup.prompt_edit, or more",
    "contradictory_pair": "another pair ranks the same two endings the other way round",
    "preference_cycle": "with other pairs of the prompt it ranks endings in a circle: A over B, B over C, C over A",
}
LISTED = 20  # ids in the evidence of one drop
Share = Annotated[float, Limits(gt=0, le=1, description="cosine of the vectors, to three decimals")]
Vectors = Annotated[
    str,
    Limits(
        min_length=1,
        description="lexical (extra `semantic`); or package.module:attribute with `.encode`, or the folder of a local "
        "sentence-transformers model (extra `embeddings`), neither of which DVC watches",
    ),
]


class Semantic(Struct, forbid_unknown_fields=True, frozen=True):
    """Which survivors are duplicates by their vectors; above 50,000 FAISS searches them (extra `embeddings`)."""

    threshold: Share = 0.92
    vectors: Vectors = "lexical"


class Verify(Struct, forbid_unknown_fields=True, frozen=True):
    """How alike the vectors of a near-duplicate and its survivor must be, or both are kept."""

    vectors: Vectors
    threshold: Share = 0.9


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What is compared, from which similarity on records are the same, and how hard it looks."""

    compare: Annotated[Compare, Limits(description="what of a record; never its system turn")] = "conversation"
    shingles: Annotated[Shingles, Limits(description="runs of five of these")] = "characters"
    threshold: Annotated[float, Limits(gt=0, le=1, description="Jaccard similarity of the runs")] = 0.8
    floor: Annotated[float, Limits(gt=0, le=1, description="pairs from here on are kept for split")] = 0.7
    recall: Annotated[float, Limits(gt=0, lt=1, description="share of pairs at the floor that the bands find")] = 0.98
    compared: Annotated[int, Limits(ge=1, description="survivors a record is compared with, nearest first")] = 64
    prefer: Annotated[tuple[str, ...], Limits(description="sources whose records stay before those of others")] = ()
    semantic: Annotated[Semantic | None, Limits(description="also drop survivors with alike vectors")] = None
    prompt_edit: Annotated[
        Annotated[float, Limits(gt=0, le=1)] | None,
        Limits(
            description="also drop survivors with an edit ratio of prompts from here on (extra `semantic`); compares each "
            "with each, so it is refused above 50,000 survivors"
        ),
    ] = None
    contradictions: Annotated[
        Literal["keep", "drop"], Limits(description="preference pairs that cannot all be right; listed in either case")
    ] = "keep"
    verify: Annotated[
        Verify | None, Limits(description="look at the vectors of near-duplicates before they are dropped")
    ] = None


def decide(known: Signed, params: Params) -> Decision:
    """All drops, the pairs of survivors that are alike, and what is left to a person."""
    import numpy as np

    from stages.text.near import Bounds, near

    check(params)
    order = preferred(known, params)
    columns = {name: column[order] for name, column in known.columns.items()}
    asked = columns if params.compare == "conversation" else columns | {"prompt": np.zeros_like(columns["prompt"])}
    alike = near(
        known.blocks,
        known.row[order],
        columns["family"],
        columns["folded"],
        asked["prompt"],
        lambda places: texts_of(known, order[places], params),
        Bounds(params.threshold, params.floor, params.recall, params.compared),
        partial(met_on_cluster, known, known.row[order]) if engine.name() == "dask" else None,
    )
    refused, reasons = further(known, order, asked, alike, params)
    keep_turned(alike, columns)
    found = circles(alike.survivor, columns)
    gone = [*drops(known, order, alike, reasons)]
    stays = alike.survivor < 0
    if params.contradictions == "drop":
        gone += contradicted(known, order, found)
        stays[list(chain(*found))] = False
    left = unresolved(
        known,
        np.sort(order[stays]),
        order[stays & alike.left],
        order[refused[stays[refused].all(axis=1)]],
        [order[circle] for circle in found],
    )
    return Decision(gone, pairs(known, order, alike, stays), {paths.UNRESOLVED: left})


def further(
    known: Signed, order: "NDArray[np.int64]", columns: dict[str, Any], alike: "Alike", params: Params
) -> "tuple[NDArray[np.int64], dict[int, str]]":
    """The optional parts, put into `alike`: the matches that were refused, shape (matches, 2), and reasons by place."""
    import numpy as np

    refused, reasons = np.empty((0, 2), np.int64), dict[int, str]()
    if not (params.verify or params.semantic or params.prompt_edit):
        return refused, reasons
    from stages.text import passes

    def read(places: "NDArray[np.int64]", what: Compare) -> list[tuple[str, str]]:
        plain = structs.replace(params, shingles="characters", compare=what)
        return passes.strings(texts_of(known, order[places], plain))

    records = passes.Records(columns["family"], columns["folded"], columns["prompt"], read)
    if verify := params.verify:
        refused = passes.refuse(alike, records, params.compare, verify.vectors, verify.threshold)
    if semantic := params.semantic:
        fallen = passes.semantic(alike, records, params.compare, semantic.vectors, semantic.threshold)
        reasons |= dict.fromkeys(fallen, "semantic_duplicate")
    if params.prompt_edit:
        reasons |= dict.fromkeys(passes.edited(alike, records, params.prompt_edit), "alike_prompt")
    return refused, reasons


def met_on_cluster(
    known: Signed,
    order: "NDArray[np.int64]",
    count: int,
    rows: int,
    lengths: "NDArray[np.int64]",
    buckets: "NDArray[np.int32]",
) -> "NDArray[np.int64]":
    """What `near.met_in` finds of the bands, found by workers that shuffle the keys among themselves."""
    from stages.text import bands

    records = [len(block) for block in known.blocks]
    work = bands.groups(known.signatures, records, order)
    split = partial(bands.keys_of, count=count, rows=rows, parts=len(work))
    found = list(engine.shuffle(split, bands.shared, work, len(work)))
    return bands.numbered(found, order, sum(records), lengths, buckets)


def check(params: Params) -> None:
    """Stop at limits that cannot be kept, and at sources that are not there."""
    from stages.text.minhash import bands

    if params.floor > params.threshold:
        raise stop(f"params.yaml: dedup.floor: {params.floor} is above the threshold {params.threshold}; lower it")
    try:
        bands(params.floor, params.recall)
    except ValueError as error:
        raise stop(f"params.yaml: dedup: {error}; raise the floor or lower the recall") from None
    for name in params.prefer:
        if name not in sources():
            raise stop(f"params.yaml: dedup.prefer: there is no source {name}; name one of {', '.join(sources())}")
    if params.semantic or params.prompt_edit or params.verify:
        from stages.text import semantic

        for vectors in {part.vectors for part in (params.semantic, params.verify) if part}:
            semantic.encoder(vectors)  # now, not after an hour
        if params.prompt_edit:
            semantic.needs("rapidfuzz", "rapidfuzz", "semantic")


def preferred(known: Signed, params: Params) -> "NDArray[np.int64]":
    """The places of all records in the order of preference; they stand by id, which decides between equals."""
    import numpy as np

    last = len(params.prefer)
    ranks = np.array([params.prefer.index(name) if name in params.prefer else last for name in sources()])
    columns = known.columns
    least_first = (-columns["length"].astype(np.int64), ranks[known.source], -columns["style"], -columns["rating"])
    return np.lexsort((*least_first, columns["method"]))


def drops(known: Signed, order: "NDArray[np.int64]", alike: "Alike", reasons: Mapping[int, str]) -> Iterator[Drop]:
    """The drop of each record that has a survivor; `reasons` are those of further passes, by place."""
    names, exact = list(sources()), known.columns["exact"]
    for place in (alike.survivor >= 0).nonzero()[0].tolist():
        loser, survivor = order[place], order[alike.survivor[place]]
        similarity = float(alike.similarity[place])
        same = "exact_duplicate" if (exact[loser] == exact[survivor]).all() else "folded_duplicate"
        evidence = {"survivor": known.name(survivor), "similarity": round(similarity, 3) or 1.0}
        reason = reasons.get(place) or ("near_duplicate" if similarity else same)
        yield Drop(known.name(loser), names[known.source[loser]], "dedup", reason, evidence)


def contradicted(known: Signed, order: "NDArray[np.int64]", found: list[list[int]]) -> Iterator[Drop]:
    """The drops of pairs that cannot all be right: none of them stays, and each names the others."""
    names = list(sources())
    for circle in found:
        ids = {place: known.name(order[place]) for place in circle}
        reason = "contradictory_pair" if len(circle) == 2 else "preference_cycle"
        for place in circle:
            others = sorted(name for other, name in ids.items() if other != place)
            yield Drop(ids[place], names[known.source[order[place]]], "dedup", reason, {"others": others[:LISTED]})


def pairs(
    known: Signed, order: "NDArray[np.int64]", alike: "Alike", stays: "NDArray[np.bool_]"
) -> list[dict[str, Any]]:
    """The survivors that are alike, the smaller id first: records stand by id, so the place tells."""
    import numpy as np

    stay = stays[alike.ones] & stays[alike.others]
    ends = np.sort(np.stack((order[alike.ones[stay]], order[alike.others[stay]])), axis=0)
    rows = np.lexsort((ends[1], ends[0]))
    names = {place: known.name(place) for place in np.unique(ends).tolist()}
    found = zip(*ends[:, rows].tolist(), alike.likeness[stay][rows].tolist(), strict=True)
    return [{"a": names[one], "b": names[other], "similarity": round(likeness, 3)} for one, other, likeness in found]


def texts_of(known: Signed, places: "NDArray[np.int64]", params: Params) -> "Texts":
    """The texts of the records in these places, read from their shards."""
    import numpy as np

    from stages.text.near import joined

    order = np.argsort(known.row[places], kind="stable")
    borders = np.cumsum([0, *(len(block) for block in known.blocks)])
    cuts = np.searchsorted(known.row[places][order], borders)
    work = [
        (file, (known.row[places][order[start:stop]] - border).tolist())
        for file, border, start, stop in zip(known.files, borders, cuts, cuts[1:], strict=False)
        if stop > start
    ]
    return joined(engine.map(partial(texts_in, params=params), work), params.shingles).taken(np.argsort(order))


def texts_in(work: "tuple[Path, list[int]]", params: Params) -> "Texts":
    """What one worker does: the texts of the records in these lines of a shard."""
    from stages.text.near import texts
    from stages.text.same import parts

    found = lines(work[0])
    return texts((parts(decode_record(found[line]), params.compare) for line in work[1]), params.shingles)


if __name__ == "__main__":
    run_on_signatures(decide)
