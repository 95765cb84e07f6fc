"""The frozen evaluation sets, `data/eval/*.jsonl`: read-only, each pinned by its digest, never trained on.

`verdicts.jsonl` beside them is no evaluation set: in it people confirm or dismiss what `decontaminate` found.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages import formats
from stages.contract import params, paths
from stages.contract.params import SOURCE_NAME, stop, typed
from stages.contract.record import Example, Fault, Message
from stages.contract.source import Limits as Sizes
from stages.contract.source import Row, is_utf_16, line_rows, value_of

SIZES = Sizes(row=4_000_000, file=1_000_000_000)  # bytes; the sets are written by hand
BESIDE = (".md", ".txt", ".dvc")
"""What may lie beside the sets and is not read, besides hidden files."""
QUESTIONS = ("question", "problem", "prompt", "turns", "instruction", "input", "text")
ANSWERS = ("answer", "solution", "canonical_solution", "output", "completion", "response", "reference", "target")
KEYS = ("id", "task_id", "question_id", "uid", "name")
"""How public benchmarks name what is asked, what is right, and the row."""


class Evaluation(Struct):
    """A row of an evaluation set: `name` is its file and line, `key` what it calls itself, if anything."""

    name: str
    key: str
    example: Example


class Verdict(Struct, forbid_unknown_fields=True):
    """What a person says of a match: `eval` names a row as the evidence does, or by its own key; `record` may be `*`."""

    eval: Annotated[str, Limits(pattern="^[a-z][a-z0-9_]*:.+$")]
    record: Annotated[str, Limits(pattern=r"^([0-9a-f]{32}|\*)$")]
    verdict: Literal["leak", "false_alarm"]
    who: Annotated[str, Limits(min_length=1)]
    why: Annotated[str, Limits(min_length=1)]


def files() -> dict[str, Path]:
    """The sets by name, in order; a stop at a file that would be passed over."""
    folder = paths.ROOT / paths.EVAL
    found = {}
    for path in sorted(folder.glob("[!.]*")):
        here = f"{paths.EVAL}/{path.name}"
        if path.suffix in BESIDE or here == paths.VERDICTS:
            continue
        if path.suffix != ".jsonl" or not path.is_file():
            raise stop(f"{here}: only .jsonl files are read here; make it one, or move it elsewhere")
        if not re.fullmatch(SOURCE_NAME, path.stem):
            raise stop(f"{here}: the name is not a-z, 0-9 and _, which the key in params.yaml must be; rename it")
        found[path.stem] = path
    return found


def place(name: str) -> str:
    """Where a set lies."""
    return f"{paths.EVAL}/{name}.jsonl"


def digest_of(path: Path) -> str:
    """SHA-256 of a file as it is now."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pins() -> dict[str, str]:
    """The digests that params.yaml allows, by the set's name."""
    found: dict[str, Any] = typed(params.whole().get("eval") or {}, dict, "eval")
    return {name: typed(found[name] or {}, Pin, f"eval.{name}").sha256 for name in sorted(found)}


class Pin(Struct, forbid_unknown_fields=True, frozen=True):
    """What params.yaml says of one set."""

    sha256: Annotated[str, Limits(description="of the file; moved by `dataset freeze`")] = ""


def moved() -> list[str]:
    """Each set that is not what is pinned, with what to do."""
    found, pinned, wrong = files(), pins(), []
    for name in sorted(found.keys() | pinned.keys()):
        if name not in found:
            why = "is not there; restore it from git or with `dvc pull`, or `dataset freeze` unpins it"
        elif name not in pinned:
            why = "is not pinned; run `dataset freeze` if it is meant to be here, else take it out"
        elif (now := digest_of(found[name])) != pinned[name]:
            why = (
                f"has changed (sha256 {now[:12]}…, params.yaml pins {pinned[name][:12]}…); "
                "restore it with git, or run `dataset freeze` if the change is meant"
            )
        else:
            continue
        wrong.append(f"{place(name)}: {why}")
    return wrong


def problem() -> str:
    """The first thing that is wrong between the files and their pins, with what to do; nothing if they agree."""
    if wrong := moved():
        return wrong[0]
    return "" if files() else f"{paths.GOLD}: is not there; put 200 rows there and run `dataset freeze`"


def frozen() -> list[Evaluation]:
    """The rows of all sets, after their digests were compared with the pins."""
    if wrong := problem():
        raise stop(wrong)
    return rows()


def rows() -> list[Evaluation]:
    """The rows of all sets as they are, whatever the pins."""
    return [row for name, path in files().items() for row in rows_of(name, path)]


def rows_of(name: str, path: Path) -> Iterator[Evaluation]:
    """The rows of one set; one that cannot be read stops, because a set with holes measures nothing."""
    for row in lines_of(path, place(name)):
        number = row.origin.rpartition(":")[2]
        try:
            given = value_of(row)
            yield Evaluation(f"{name}:{number}", key_of(given), example(given))
        except (AttributeError, TypeError):
            raise stop(f"{row.origin}: has the shape of no conversation and no benchmark; mend the row") from None
        except Fault as fault:
            why = " ".join(f"{key} {value}" for key, value in fault.evidence.items())
            raise stop(f"{row.origin}: {fault.reason} {why}; mend the row and run `dataset freeze`") from None


def lines_of(path: Path, name: str) -> Iterator[Row]:
    """The rows of a file that is UTF-8, blank lines left out."""
    with path.open("rb") as file:
        if is_utf_16(file.read(200)):
            raise stop(f"{name}: is UTF-16; save it as UTF-8 and run `dataset freeze`")
    return line_rows(path, name, SIZES, Counter())


def example(row: Any) -> Example:
    """The conversation of a row, in any shape that sources may have or that benchmarks come in."""
    for shape in map(formats.shape, formats.names()):
        if shape.matches(row):
            return shape.read(row)  # type: ignore[no-any-return]
    asked = next((turns(row[field]) for field in QUESTIONS if row.get(field)), [])
    if not asked:
        raise Fault("unknown_shape", {"expected": "messages, or one of " + ", ".join(QUESTIONS)})
    answer = next((row[field] for field in ANSWERS if row.get(field) is not None), None)
    said = "\n".join([*texts(row.get("choices")), *texts(answer)])
    return Example([*asked, *([Message("assistant", said)] if said else [])])


def turns(asked: Any) -> list[Message]:
    """What is asked, as messages: one text, several turns, or messages already."""
    if isinstance(asked, list) and all(isinstance(turn, dict) for turn in asked):
        return list(formats.shape("openai").read(asked).messages)
    return [Message("user", formats.text(turn, "question")) for turn in (asked if isinstance(asked, list) else [asked])]


def texts(value: Any) -> list[str]:
    """A text, a number or a list of them as texts; anything deeper says nothing that could leak as it is."""
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [str(value)] if isinstance(value, str | int | float) and not isinstance(value, bool) else []


def key_of(row: Any) -> str:
    """What a row calls itself."""
    found = next((row[key] for key in KEYS if row.get(key) not in (None, "")), "") if isinstance(row, dict) else ""
    return str(found) if isinstance(found, str | int) else ""


def verdicts(known: list[Evaluation]) -> dict[str, dict[int, str]]:
    """What people said, by record and by the number of the evaluation row, from 0."""
    places = {f"{row.name.partition(':')[0]}:{row.key}": n for n, row in enumerate(known) if row.key}
    places |= {row.name: n for n, row in enumerate(known)}
    found: dict[str, dict[int, str]] = {}
    for origin, said in verdict_rows():
        if said.eval not in places:
            raise stop(f"{origin}: eval: there is no row {said.eval!r}; mend it, or take the verdict out")
        if said.record == "*" and said.verdict == "leak":
            raise stop(f"{origin}: record: a leak is confirmed record by record; name one")
        before = found.setdefault(said.record, {}).setdefault(places[said.eval], said.verdict)
        if before != said.verdict:
            raise stop(f"{origin}: says {said.verdict} where an earlier line says {before}; keep one")
    return found


def verdict_rows() -> Iterator[tuple[str, Verdict]]:
    """The verdicts, each with its line; a stop at one that cannot be read."""
    path = paths.ROOT / paths.VERDICTS
    for row in lines_of(path, paths.VERDICTS) if path.is_file() else ():
        try:
            given = value_of(row)
        except Fault as fault:
            raise stop(f"{row.origin}: {fault.reason}; mend the line") from None
        yield row.origin, typed(given, Verdict, "", row.origin)


def verdicts_digest() -> str:
    """SHA-256 of the verdicts; nothing if there are none."""
    path = paths.ROOT / paths.VERDICTS
    return digest_of(path) if path.is_file() else ""


def confirmed() -> set[str]:
    """The ids of the records that people say are leaks."""
    return {verdict.record for _, verdict in verdict_rows() if verdict.verdict == "leak"}
