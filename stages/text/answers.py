"""What dedup leaves to a person: prompts with several answers, and records that it did not compare or match for sure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stages.contract.signatures import Signed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def unresolved(
    known: Signed,
    stays: "NDArray[np.int64]",
    uncompared: "NDArray[np.int64]",
    refused: "NDArray[np.int64]",
    circles: "Iterable[NDArray[np.int64]]",
) -> list[dict[str, Any]]:
    """Survivors with one prompt, as conflicts in the tool they choose or the answer, or as several answers; those that
    were not compared with all their likes; the matches that `dedup.verify` refused, shape (matches, 2); and preference
    pairs that cannot all be right.
    """
    import numpy as np

    prompt = known.columns["prompt"][stays]
    asked = stays[np.argsort(prompt, kind="stable")][np.count_nonzero(prompt == 0) :]
    groups = np.split(asked, np.flatnonzero(np.diff(known.columns["prompt"][asked].view(np.int64))) + 1)
    rows = [
        {"kind": kind_of(known, group), "ids": [known.name(n) for n in group]} for group in groups if len(group) > 1
    ]
    if len(uncompared):
        rows.append({"kind": "uncompared", "ids": sorted(known.name(place) for place in uncompared)})
    rows += [{"kind": "refused_match", "ids": sorted(known.name(place) for place in match)} for match in refused]
    rows += [
        {
            "kind": "contradictory_pairs" if len(pairs) == 2 else "preference_cycle",
            "ids": sorted(map(known.name, pairs)),
        }
        for pairs in circles
    ]
    return sorted(rows, key=lambda row: (row["kind"], row["ids"]))


def kind_of(known: Signed, group: "NDArray[np.int64]") -> str:
    """What several answers to one prompt are: other tools, other short answers or arguments, or other texts."""
    for name in ("tools", "answer"):
        chosen = set(known.columns[name][group].tolist()) - {0}
        if len(chosen) > 1:
            return f"conflicting_{name}"
    return "several_answers"
