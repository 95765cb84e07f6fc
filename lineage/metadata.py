"""What the record of a run says beside its data: an id, the time, the model's place, params, metrics and environment.

No secret is written: of params it is told by its name, of an address by where it stands.
"""

import re
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lineage import digests
from lineage.contents import inside
from lineage.runs import Environment, Model
from stages.contract import paths
from stages.contract.params import stop
from stages.text.visible import visible

ADDRESS = re.compile(r"^(\w[\w+.-]*://)[^/@]*@")
"""The part of an address that may hold a password, and what stands before it."""
SECRET = re.compile(r"(?:^|_)(?:api_?key|secret|password|passwd|credentials?|(?:hub|access|auth)_token)(?:$|_)", re.I)


def fresh(model: str) -> str:
    """An id for a run: the model's name, the day and a few letters."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-._")[:60]
    return f"{name or 'run'}-{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(3)}"


def now() -> str:
    """The time, in UTC."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def located(model: Model, place: str | Path) -> Model:
    """The model with the place of its files: an address as it is, without a password or a query; a file or folder hashed."""
    if "://" in str(place):
        model.uri = ADDRESS.sub(r"\1", str(place)).partition("?")[0]
        return model
    path = paths.ROOT / place
    if not path.exists():
        raise stop(f"{visible(str(place))}: is not there; give the model's file, folder or address")
    model.sha256, model.files, model.bytes = digests.of_artefact(path)
    model.path = inside(place) or path.name
    if not model.files:
        raise stop(f"{visible(str(place))}: holds no files; give the model's file, folder or address")
    return model


def plain(value: Any, key: str = "") -> Any:
    """A value as JSON holds it; a secret, told by its key, is left out."""
    if isinstance(value, Mapping):
        return {str(name): plain(each, str(name)) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each, key) for each in value]
    if isinstance(value, str) and value and SECRET.search(key):
        return "<left out>"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return plain(value.item(), key) if callable(getattr(value, "item", None)) else str(value)


def metrics_of(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Metrics as numbers; a stop at one that is none."""
    try:
        return {str(name): None if value is None else float(value) for name, value in metrics.items()}
    except (TypeError, ValueError) as error:
        raise stop(f"metrics: {error}; give numbers") from None


def environment() -> Environment:
    """Python, the platform, the packages that are loaded and, if torch is, the accelerators it sees."""
    import platform
    from importlib.metadata import packages_distributions
    from importlib.metadata import version as version_of

    loaded = {name.partition(".")[0] for name in sys.modules}
    names = {each for top, several in packages_distributions().items() if top in loaded for each in several}
    torch = sys.modules.get("torch")
    cuda: Any = torch.cuda if torch and torch.cuda.is_available() else None
    return Environment(
        platform.python_version(),
        platform.platform(),
        {name: version_of(name) for name in sorted(names)},
        [str(cuda.get_device_name(number)) for number in range(cuda.device_count())] if cuda else [],
    )
