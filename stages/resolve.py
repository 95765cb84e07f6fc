"""Resolve every setting: the value of the profile, unless params.yaml has one of its own.

The stages read both for themselves. This file is what DVC compares: a stage runs again if a value in it has changed, however
it came to change, and not because a profile was renamed or a comment edited.
"""

import json
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from stages.contract.params import whole
from stages.contract.paths import SETTINGS, STAGES
from stages.contract.profiles import plain, settings
from stages.contract.run import run_report

FOLDERS = ()


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """Nothing to set; the profile is named by the key `profile`."""


def build(params: Params) -> dict[str, Iterable[bytes]]:
    """The one file: every section, and beside them what the profile says of each value that is not its own."""
    found: dict[str, Any] = {name: {} for name in (*STAGES, "eval")} | whole()
    found["overridden"] = {each.path: plain(each.usual) for each in settings(whole()) if each.own}
    return {SETTINGS: [json.dumps(found, indent=2, ensure_ascii=False, sort_keys=True).encode()]}


if __name__ == "__main__":
    run_report(build)
