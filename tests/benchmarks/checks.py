"""What the checks of single records find, held against labelled sets, and what each costs on the 52,002 records.

Languages are told of sentences, whole texts and pieces of less than ten characters. Of lingua's sentences one half, by a
hash of the text, was looked at while the method was chosen; the rows are of the other half. Only for the words by which most
English is told without the model were all sentences looked at; it changed no share in the third decimal. A piece is
*wrongly sure* if it is told another language than its sentence's with a confidence of 0.5 or more. CPU is user time in one
process, the least of `BENCH_ROUNDS` passes over all records, reading excluded; of processes it is user and system time.
"""

import gzip
import json
import resource
import shutil
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from stages import checks, collect, measure
from stages.contract import params
from stages.contract.record import Message, Meta, Record, decode, digest, encode
from stages.text import language, personal_data
from tests.benchmarks import Row, corpus, pipeline, usage
from tests.benchmarks.usage import ROUNDS
from tests.conftest import run, stage

PUBLIC = corpus.SHARED / "data/public"
SURE = 0.5  # confidence from which an answer is one
MORE = {"nb": "no", "nn": "no"}
LONG = (  # noqa: SIM905
    "cmn zh spa es eng en hin hi ara ar rus ru ben bn por pt fra fr deu de ukr uk kat ka jpn ja heb he pol pl kor ko ita it "
    "nob no nno no dan da swe sv fin fi tur tr nld nl hun hu ces cs ell el bul bg bel be mar mr kan kn ron ro srp sr mkd mk "
    "lit lt lav lv est et tam ta vie vi urd ur tha th guj gu pan pa aze az ind id tel te pes fa mal ml mya my nep ne sin si "
    "khm km hye hy isl is eus eu sqi sq kaz kk khk mn"
).split()
UNSIGNED = (
    "import numpy; from stages import measure; from stages.contract.run import run_measure; from stages.text import minhash;"
    "measure.sign = lambda records, scores: numpy.zeros(len(records)); minhash.warm_up = lambda count: None;"
    "run_measure(measure.measure)"
)
"""The stage `measure` without the digests and signatures that dedup decides on."""
CODES = dict(zip(LONG[::2], LONG[1::2], strict=True))
"""ISO 639-3 to 639-1, of the languages that are told by default."""


class Told(NamedTuple):
    """Of the texts of one language: how many there are, and how many were told rightly or not at all."""

    texts: int
    right: int
    silent: int


def rows(folder: Path) -> Iterator[Row]:
    """Languages, repetition, damage, then the cost."""
    if not PUBLIC.is_dir():
        raise corpus.Missing("it reads shared/data/public beside the project, which is not there")
    yield from of_languages("lingua's sentences, the half not looked at", other_half(lingua()), "at least 0.950")
    yield from of_languages("Tatoeba's long sentences", tatoeba(), "at least 0.950")
    yield from of_languages("whatlang's examples", whatlang(), "")
    yield from of_pieces(other_half(lingua()))
    yield from of_repetition()
    yield from of_damage()
    yield from of_cost(folder)


def lingua() -> Iterator[tuple[str, str]]:
    """Language and sentence; languages that are not among the candidates as well."""
    with tarfile.open(PUBLIC / "B_truth/lingua_sentences/lingua_sentences.tar.gz") as packed:
        for member in packed:
            content = packed.extractfile(member) if member.isfile() else None
            code = Path(member.name).stem
            for line in content.read().decode().splitlines() if content else ():
                if line.strip():
                    yield MORE.get(code, code), line.strip()


def tatoeba() -> Iterator[tuple[str, str]]:
    """Language and sentence."""
    for line in unpacked("B_truth/tatoeba_long_cld2/tatoeba_long.txt.gz").splitlines()[1:]:
        _, _, code, text = line.split("\t")
        if code in CODES:
            yield CODES[code], text


def whatlang() -> Iterator[tuple[str, str]]:
    """Language and paragraph."""
    for code, text in json.loads(unpacked("B_truth/whatlang_examples/examples.json.gz")).items():
        if code in CODES:
            yield CODES[code], text


def unpacked(name: str) -> str:
    """A public file's text."""
    return gzip.decompress((PUBLIC / name).read_bytes()).decode()


def other_half(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The texts that nothing was chosen by."""
    return ((code, text) for code, text in texts if blake2b(text.encode(), digest_size=1).digest()[0] & 1)


def candidates() -> frozenset[str]:
    """The languages that are told by default."""
    return frozenset(checks.check("language").LANGUAGES)


def told(texts: Iterable[tuple[str, str]]) -> dict[str, Told]:
    """What was told of each language among the candidates."""
    counted: Counter[tuple[str, str]] = Counter()
    for code, text in texts:
        if code in candidates():
            found, _ = language.detect(text, candidates())
            counted.update([(code, "texts"), (code, "right" if found == code else "silent" if found is None else "")])
    codes = sorted({code for code, _ in counted})
    return {code: Told(*(counted[code, kind] for kind in Told._fields)) for code in codes}


def of_languages(name: str, texts: Iterable[tuple[str, str]], goal: str) -> Iterator[Row]:
    """The share that is told rightly; what is not told counts as wrong."""
    found = told(texts)
    total = Told(*map(sum, zip(*found.values(), strict=True)))
    poor = [f"{code} {each.right / each.texts:.2f}" for code, each in found.items() if each.right < 0.95 * each.texts]
    yield f"{name}, {total.texts:,} in {len(found)} languages: told rightly", f"{total.right / total.texts:.3f}", goal
    yield f"the same: not told; languages below 0.95 ({', '.join(poor) or 'none'})", f"{total.silent}; {len(poor)}", ""


def of_pieces(texts: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """Beginnings of sentences, and words, of less than ten characters."""
    pieces = [
        (code, piece)
        for number, (code, text) in enumerate(texts)
        if number % 10 == 0
        for piece in {
            *(text[:length].strip() for length in (3, 6, 9)),
            *(word for word in text.split() if len(word) < 10),
        }
    ]
    answers = [(code, piece, *language.detect(piece, candidates())) for code, piece in pieces]
    wrong = [(piece, found) for code, piece, found, share in answers if found and found != code and share >= SURE]
    yield (
        f"{len(pieces):,} pieces under ten characters: told",
        f"{sum(bool(found) for _, _, found, _ in answers):,}",
        "",
    )
    yield f"the same: wrongly sure ({', '.join(sorted({found for _, found in wrong})) or 'none'})", f"{len(wrong)}", "0"


def of_repetition() -> Iterator[Row]:
    """Answers of an untuned model, which loop, and of a tuned one."""
    for model, goal in (("davinci", "at least 240"), ("text-davinci-003", "at most 5")):
        lines = unpacked(f"A_instruct/selfinstruct_weak_outputs/{model}_predictions.jsonl.gz").splitlines()
        texts = [json.loads(line)["response"] for line in lines]
        found = sum(bool(reason("repetition", text)) for text in texts)
        yield f"{len(texts)} answers of {model}: dropped for repetition", f"{found}", goal


def of_damage() -> Iterator[Row]:
    """ftfy's own examples: an example is clean if its repair leaves it as it is."""
    names = ("in-the-wild", "known-failures", "language-names", "negative", "synthetic")
    cases = [case for name in names for case in json.loads(unpacked(f"C_adversarial/ftfy_cases/{name}.json.gz"))]
    broken = [case["original"] for case in cases if case["original"] != repaired(case)]
    clean = [case["original"] for case in cases if case["original"] == repaired(case)]
    for what, texts in (("damaged", broken), ("clean", clean)):
        found = sum(bool(reason("encoding", text)) for text in texts)
        yield f"{len(texts)} {what} texts of ftfy's tests: dropped for damage", f"{found}", ""


def repaired(case: dict[str, str]) -> str:
    """What an example should be mended to."""
    return case.get("fixed-encoding", case["fixed"])


def reason(name: str, said: str) -> str | None:
    """The reason of a check, with its defaults, for a record with this reply."""
    check = checks.check(name)
    checked = Record("0" * 32, "bench", [Message("user", "Go on."), Message("assistant", said)], Meta("CC0-1.0"))
    found: str | None = check.decide(decode(encode(check.measure(checked))), check.Params())
    return found


def of_cost(folder: Path) -> Iterator[Row]:
    """CPU seconds of each check over the mix, and how much it keeps of a record."""
    records = [
        Record(digest(row["id"]), "mix", [Message(**turn) for turn in row["messages"]], Meta("MIT"))
        for row in map(msgspec.json.decode, corpus.mix(folder).read_bytes().splitlines())
    ]
    measure.prepare(len(records))
    total = 0.0
    for name, check, limits in measure.measured(measure.Params()):
        passes = [timed(check, records, limits) for _ in range(ROUNDS)]
        total += min(seconds for seconds, _ in passes)
        kept = f"{min(seconds for seconds, _ in passes):.2f} ({passes[0][1]:.0f} bytes)"
        yield f"52,002 records: CPU seconds of {name} (kept of a record)", kept, ""
    yield "52,002 records: CPU seconds of all checks", f"{total:.2f}", ""
    yield from of_stages(folder, records)


def of_stages(folder: Path, records: list[Record]) -> Iterator[Row]:
    """CPU seconds of what looks at single records: redaction inside `collect`, and the processes `measure` and `filter`."""
    root = folder / "checked"
    shutil.rmtree(root, ignore_errors=True)
    pipeline.project(root, corpus.mix(folder))
    for name, source in (("resolve", ""), ("collect", "mix"), ("measure", "mix"), ("filter", "mix")):
        stage(root, name, source)  # compiles what it needs, and leaves what the next one reads
    how = personal_data.rules(params.of_stage("collect", collect.Params))
    texts = [message.content for record in records for message in record.messages]

    def measured(*command: str) -> None:
        for leftover in ("scores", "signatures"):
            shutil.rmtree(root / "data" / leftover)
        run("python", *command, "--source", "mix", cwd=root)

    work: list[tuple[Callable[[], float], Callable[[], Any]]] = [
        (time.process_time, lambda: [personal_data.redact(text, how) for text in texts]),
        (usage.cpu_of_children, lambda: measured("-c", UNSIGNED)),
        (usage.cpu_of_children, lambda: measured("-m", "stages.measure")),
        (usage.cpu_of_children, lambda: stage(root, "filter", "mix")),
    ]
    redacted, unsigned, signed, decided = (min(cpu(*each) for _ in range(ROUNDS)) for each in work)
    yield "redacting, of collect", f"{redacted:.1f}", ""
    yield "the process measure", f"{unsigned:.1f}; with what it keeps for dedup {signed:.1f}", ""
    yield "the process filter", f"{decided:.1f}", ""
    both = [redacted + each + decided for each in (unsigned, signed)]
    yield "redaction, measure and filter together", f"{both[0]:.1f}; with what is kept for dedup {both[1]:.1f}", "8"
    shutil.rmtree(root)


def cpu(clock: Callable[[], float], work: Callable[[], Any]) -> float:
    """How far a clock of CPU seconds goes during the work."""
    start = clock()
    work()
    return clock() - start


def timed(check: Any, records: list[Record], limits: Any) -> tuple[float, float]:
    """User seconds of one pass, and the mean length of the kept values."""
    language.ranked.cache_clear()
    start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    many = getattr(check, "measure_many", None)
    found = many(records, limits) if many else [check.measure(record, limits) for record in records]
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime - start, len(encode(found)) / len(records)
