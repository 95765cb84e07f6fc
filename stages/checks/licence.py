"""Whether a record may be used: its licence, and what the maker of the model that wrote it asks.

The licence is the row's, if its source names a `licence_field`, else the source's; the model likewise. Both are kept
in the record, so that `export.licences` can leave out what this rule lets through.
"""

from typing import Any

from stages.contract.record import Record
from stages.text import licences
from stages.text.licences import Allowed, Licence, refusal

REASONS = licences.REASONS


class Params(Allowed, forbid_unknown_fields=True, frozen=True):
    """Which licences and terms are taken into the dataset."""


def measure(record: Record, params: None = None) -> Licence:
    """The licence, whether SPDX knows it, and the maker's terms."""
    return licences.licence(record.meta.licence, record.meta.terms)


def decide(value: dict[str, Any], params: Params) -> str | None:
    """The first that is not allowed."""
    return refusal(Licence(value["licence"], value.get("known", True), value.get("terms")), params)
