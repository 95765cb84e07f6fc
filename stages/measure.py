"""Run every check's measure once per record and keep the scores.

Moving a threshold therefore measures nothing again. What dedup needs of a record, its digest and its MinHash signature, is
measured here as well, because it is per record, slow and never changes.
"""

from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from stages import checks
from stages.contract.params import stop
from stages.contract.record import Record, conversation, digest, ending
from stages.contract.run import run_measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEASURES = [
    (name, checks.check(name).Measure, checks.check(name).Measure())
    for name in checks.names()
    if hasattr(checks.check(name), "Measure")
]
Params = msgspec.defstruct(
    "Params", [("skip", tuple[str, ...], ()), *MEASURES], forbid_unknown_fields=True, frozen=True, module=__name__
)
"""`skip` names checks that are not measured, and then not decided; the rest is what the checks measure with."""
SIGNED = [("id", "S32"), ("exact", "S32"), ("minhash", "<u4", (128,))]


def prepare() -> None:
    """Load what the checks need before the work is shared out, so that the workers need not load it each."""
    from stages.text import language, minhash, tokens

    minhash.permutations()
    tokens.encoding()
    language.model()


def measure(record: Record, params: Any) -> dict[str, Any]:
    """The value of every check; of a preference pair also those of its losing ending, under `rejected`."""
    values = {name: check.measure(record, limits) for name, check, limits in measured(params)}
    if record.rejected:
        losing = msgspec.structs.replace(
            record, messages=record.messages[: ending(record.messages)] + record.rejected, rejected=[]
        )
        both = [(name, check, limits) for name, check, limits in measured(params) if getattr(check, "ENDINGS", False)]
        values["rejected"] = {name: check.measure(losing, limits) for name, check, limits in both}
    return values


@cache
def measured(params: Any) -> list[tuple[str, ModuleType, Any]]:
    """The checks that are not skipped, each with what it measures with."""
    for name in params.skip:
        if name not in checks.names():
            raise stop(f"params.yaml: measure.skip: there is no check {name}; known are {', '.join(checks.names())}")
    return [
        (name, checks.check(name), getattr(params, name, None)) for name in checks.names() if name not in params.skip
    ]


def sign(records: list[Record]) -> "NDArray[np.void]":
    """Id, content digest and MinHash signature of each record's conversation (without system and tools)."""
    import numpy as np

    from stages.text.minhash import signatures

    table = np.empty(len(records), SIGNED)
    table["id"] = [record.id.encode() for record in records]
    table["exact"] = [digest(*spoken_parts(record)).encode() for record in records]
    table["minhash"] = signatures([conversation(record) for record in records])
    return table


def spoken_parts(record: Record) -> tuple[Any, ...]:
    """What makes two records the same example: all turns but the system's, the losing ending and the label."""
    turns = [
        (m.role, m.content, [(call.name, call.arguments) for call in m.tool_calls])
        for m in record.messages
        if m.role != "system"
    ]
    return turns, record.rejected, record.label


if __name__ == "__main__":
    run_measure(measure)
