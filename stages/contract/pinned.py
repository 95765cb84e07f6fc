"""Files of a project's own that params.yaml names with their digest: a changed one stops the run until the pin is moved.

DVC compares params, so the digest there does what a dep would, and a file that is not named need not be there.
"""

import hashlib
from typing import Annotated

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract import paths
from stages.contract.params import stop


class Pin(Struct, forbid_unknown_fields=True, frozen=True):
    """A file inside the project and the digest that it must have."""

    path: Annotated[str, Limits(description="inside the project", min_length=1)]
    sha256: Annotated[str, Limits(pattern="^[0-9a-f]{64}$")]


def content(pin: Pin) -> bytes:
    """The bytes of the file; a stop if it is not there, lies elsewhere or is not what was pinned."""
    path = paths.ROOT / pin.path
    if not path.resolve().is_relative_to(paths.ROOT.resolve()):
        raise stop(f"params.yaml: {pin.path}: leaves the repository; copy the file into data/web")
    if not path.is_file():
        raise stop(f"{pin.path}: is not there; restore it from git or with `dvc pull`, or take it out of params.yaml")
    found = path.read_bytes()
    if (digest := hashlib.sha256(found).hexdigest()) != pin.sha256:
        raise stop(f"{pin.path}: is not what params.yaml pins; restore it, or set its sha256 to {digest}")
    return found
