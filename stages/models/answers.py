"""`data/answers/<stage>.jsonl`: the answers to a stage's present requests, sorted, each line with its digest.

DVC keeps the file, so a colleague without a key rebuilds from it. A line that was changed by hand is refused. Of answers
that two machines paid for, the union is taken.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from stages.contract import paths, shards
from stages.contract.params import stop
from stages.contract.record import digest, encode
from stages.models import cache
from stages.models.request import LASTING, Answer

FOLDER = "data/answers"
MARKS = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")


class Line(Answer, omit_defaults=True, frozen=True):
    """An answer as it stands in the file."""

    digest: str = ""


decode = msgspec.json.Decoder(Line).decode


def path(stage: str) -> Path:
    """The answers of a stage."""
    return paths.ROOT / relative(stage)


def relative(stage: str) -> str:
    """The same as dvc.yaml and dvc.lock name it."""
    return f"{FOLDER}/{stage}.jsonl"


def written(answer: Answer) -> dict[str, Any]:
    """An answer as a line, with the digest of the rest."""
    return {**msgspec.to_builtins(answer), "digest": digest("answer", answer)}


def parsed(line: bytes) -> Answer:
    """An answer from its line; a ValueError says what is wrong."""
    try:
        found = decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("is a mark of git's merge" if line.startswith(MARKS) else "is no answer") from None
    answer = Answer(**{name: getattr(found, name) for name in Answer.__struct_fields__})
    if digest("answer", answer) != found.digest:
        raise ValueError(f"{answer.key}: was changed by hand, its digest is another's")
    return answer


def read(file: Path, name: str) -> dict[str, Answer]:
    """The answers of a file by key, in any order and also twice; a stop names the first line that is no good."""
    found: dict[str, Answer] = {}
    for number, line in enumerate(shards.lines(file), 1):
        try:
            union(found, [parsed(line)])
        except ValueError as fault:
            raise stop(f"{name}:{number}: {fault}; run `dataset answers recover`, or `dvc checkout {name}`") from None
    return found


def sound(content: bytes) -> tuple[list[Answer], list[str]]:
    """The good answers among lines, and what is wrong with the others, each with its line."""
    good, faults = [], []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            good.append(parsed(line))
        except ValueError as fault:
            faults.append(f"{number}: {fault}")
    return good, faults


def union(found: dict[str, Answer], more: Iterable[Answer]) -> None:
    """Take in more answers. Of two to one request the better kind stays, and of two alike the same one on every machine."""
    for answer in more:
        before = found.get(answer.key)
        if before is None or rank(answer) < rank(before):
            found[answer.key] = answer


def rank(answer: Answer) -> tuple[bool, bool, int, bytes]:
    """The order in which answers are preferred; of bad ones the one that was asked for most often."""
    return answer.kind != "ok", answer.kind not in LASTING, -answer.runs, encode(answer)


def kept(stage: str) -> dict[str, Answer]:
    """The answers in the stage's file."""
    return read(path(stage), relative(stage)) if path(stage).is_file() else {}


def locked(stage: str) -> dict[str, Answer]:
    """The answers that dvc.lock names, from the cache; a stop if they are nowhere here, because they are paid already."""
    md5 = cache.locked(relative(stage))
    file = path(stage)
    if not md5 or (file.is_file() and hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == md5):
        return {}
    for place in cache.objects(md5):
        return read(place, relative(stage))
    raise stop(
        f"{relative(stage)}: dvc.lock names answers that are paid for and not here; run `dvc pull {relative(stage)}` "
        f"(if no remote has them, take the stage {stage} out of dvc.lock, and they are paid again)"
    )


def keep(stage: str, answers: dict[str, Answer]) -> None:
    """Write the stage's file: these answers, no others."""
    shards.put_rows(path(stage), (written(answers[key]) for key in sorted(answers)))
