"""Whether the judge in force was held against people's ratings, as `dataset calibrate` wrote it down last.

A calibration is of one rubric, one model and one set of ratings. If one of them has changed since, nothing is known of how
far the judge agrees with people.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from stages import judge
from stages.contract import params, paths
from stages.contract.params import stop
from stages.contract.record import digest
from stages.models import rubric
from stages.models.settings import settings
from stages.text import local_score

LOCAL = "local scorer"


class Judge(Struct, frozen=True):
    """Who judges: provider, model and effort, and the digest of what it is told, or of the local scorer's code."""

    provider: str
    model: str
    effort: str | None
    rubric: str


class Agreement(Struct):
    """Weighted kappa with people; None if the ratings cannot tell."""

    value: float | None


class Earlier(Struct):
    """The calibration that the present one is compared with."""

    judge: Judge
    ratings: str
    kappa: float


class Head(Struct):
    """The part of a calibration that the gate needs."""

    judge: Judge
    ratings: str
    kappa: Agreement
    previous: Earlier | None = None


def files() -> list[Path]:
    """The files of ratings, in order."""
    return sorted((paths.ROOT / paths.RATINGS).glob("[!.]*.jsonl"))


def ratings_digest() -> str:
    """32 hex characters of the ratings as they are; nothing if there are none."""
    found = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files()]
    return digest("ratings", found) if found else ""


def in_force() -> Judge:
    """Who judges now."""
    given = settings("judge")
    if given.provider == "none":
        code = Path(local_score.__file__).read_bytes()
        return Judge("none", LOCAL, None, hashlib.sha256(code).hexdigest()[:16])
    chosen = params.of_stage("judge", judge.Params)
    told = rubric.digest_of(rubric.of_project(chosen.rubric))
    return Judge(
        given.provider, given.model or "", given.effort, digest(told, chosen.weights, chosen.max_characters)[:16]
    )


def last(file: Path | None = None) -> Head | None:
    """The calibration that is written down; None if there is none, or `{}`."""
    path = file or paths.ROOT / paths.CALIBRATION
    content = path.read_bytes() if path.is_file() else b"{}"
    try:
        return None if msgspec.json.decode(content) == {} else msgspec.json.decode(content, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise stop(f"{paths.CALIBRATION}: is no calibration; restore it from git, or run `dataset calibrate`") from None


def drift(found: Head) -> float:
    """How far agreement fell since the calibration before; what cannot be told is no fall."""
    if found.previous is None or found.kappa.value is None:
        return 0.0
    return round(max(0.0, found.previous.kappa - found.kappa.value), 3)


def holds(found: Head, now: Judge) -> bool:
    """Whether a calibration says something of the judge and the ratings in force."""
    return found.kappa.value is not None and found.judge == now and found.ratings == ratings_digest()


def metrics() -> dict[str, Any]:
    """What the gate looks at. Those of a model are apart: it costs money and decides, so that more is asked of it."""
    now, found = in_force(), last()
    known = found is not None and holds(found, now)
    fell = drift(found) if found and known else 0.0
    by_model = now.provider != "none"
    told = {"kappa": found.kappa.value} if found and known else {}
    return told | {
        "calibrated": int(known),
        "drift": fell,
        "model_uncalibrated": int(by_model and not known),
        "model_drift": fell if by_model else 0.0,
    }
