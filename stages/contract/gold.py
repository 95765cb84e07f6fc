"""The frozen evaluation set: read-only, pinned by its digest, never trained on."""

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from stages.contract import params, paths
from stages.contract.params import stop
from stages.contract.record import Example, Fault
from stages.contract.source import Limits, Row, line_rows, value_of

LIMITS = Limits(row=4_000_000, file=1_000_000_000)  # bytes; the set is written by hand


def digest_of_file() -> str:
    """SHA-256 of the file as it is now."""
    path = paths.ROOT / paths.GOLD
    if not path.is_file():
        raise stop(f"{paths.GOLD}: is not there; restore it from git, or put 200 rows there and run `dataset freeze`")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pinned() -> str:
    """The digest that params.yaml allows."""
    return str(params.whole().get("eval", {}).get("gold", {}).get("sha256", ""))


def rows() -> list[Any]:
    """The rows of the set, after its digest was compared with the pin."""
    if (found := digest_of_file()) != pinned():
        raise stop(
            f"{paths.GOLD}: has changed (sha256 {found[:12]}…, params.yaml pins {pinned()[:12]}…); "
            "restore it with git, or run `dataset freeze` if the change is meant"
        )
    return values()


def values() -> list[Any]:
    """The rows as they are, whatever the pin; a broken one stops, because a set with holes measures nothing."""
    return [value(row) for row in line_rows(paths.ROOT / paths.GOLD, paths.GOLD, LIMITS, Counter())]


def value(row: Row) -> Any:
    """What one row holds."""
    try:
        return value_of(row)
    except Fault as fault:
        raise stop(f"{row.origin}: {fault.reason} {fault.evidence}; mend the row and run `dataset freeze`") from None


def read_with(read: Callable[[Any], Example], found: list[Any]) -> list[Example]:
    """The rows as examples of a shape; one that has not the shape stops."""
    examples = []
    for number, row in enumerate(found, 1):
        try:
            examples.append(read(row))
        except (AttributeError, TypeError):
            raise stop(f"{paths.GOLD}: row {number} is no OpenAI conversation; mend it") from None
        except Fault as fault:
            why = f"{fault.reason} {fault.evidence}"
            raise stop(f"{paths.GOLD}: row {number} is no OpenAI conversation: {why}; mend it") from None
    return examples
