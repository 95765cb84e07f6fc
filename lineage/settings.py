"""Settings given on the command line as KEY=VALUE, the value in YAML as params.yaml spells it."""

import difflib
from typing import Any

from stages.contract import params
from stages.contract.params import stop
from stages.contract.paths import STAGES


def parsed(given: tuple[str, ...]) -> dict[str, Any]:
    """Values by their keys."""
    settings = {}
    for each in given:
        key, equals, text = each.partition("=")
        if not equals or not key:
            raise stop(f"{each}: is no setting; write KEY=VALUE")
        settings[key] = params.yaml_value(text.encode(), each)
    return settings


def of_params(given: tuple[str, ...], stage: str = "") -> dict[str, Any]:
    """Settings by their dotted paths in params.yaml; a path may leave out the stage that is being tried."""
    known = (*STAGES, *params.SHARED)
    return {
        full(key if key.partition(".")[0] in known or not stage else f"{stage}.{key}", known): value
        for key, value in parsed(given).items()
    }


def full(path: str, known: tuple[str, ...]) -> str:
    """A path that begins with a key of params.yaml."""
    first = path.partition(".")[0]
    if first not in known:
        near = difflib.get_close_matches(first, known, 1)
        raise stop(f"{path}: nothing reads this key; {f'did you mean {near[0]}?' if near else 'begin it with a stage'}")
    return path


def now(path: str) -> Any:
    """What params.yaml says at a dotted path; None if it says nothing."""
    found: Any = params.whole()
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found
