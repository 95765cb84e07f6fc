"""What is kept of language models' answers: counted, checked, pruned, and put together again after a loss or a merge."""

from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import msgspec

from lineage import calibrate, repository
from stages.contract import params, paths, run
from stages.models import answers, budget, cache, journal
from stages.models.answers import keep, relative
from stages.models.journal import Entry, Journal
from stages.models.request import LASTING, Answer, Request, key

REVISIONS = ("HEAD", "MERGE_HEAD")


def stages() -> list[str]:
    """The stages that have answers."""
    return sorted(path.stem for path in (paths.ROOT / answers.FOLDER).glob("*.jsonl"))


def sound(stage: str) -> tuple[list[Answer], list[str]]:
    """The good answers of a stage, and what is wrong with the other lines."""
    path = answers.path(stage)
    return answers.sound(path.read_bytes()) if path.is_file() else ([], [])


def counts() -> dict[str, dict[str, int]]:
    """How many answers of each kind each stage has."""
    return {stage: dict(sorted(Counter(answer.kind for answer in sound(stage)[0]).items())) for stage in stages()}


def entries() -> Iterator[Entry]:
    """The journal's entries, without those that a crash tore."""
    file = journal.place() / journal.FILE
    for line in file.read_bytes().splitlines() if file.is_file() else ():
        try:
            yield journal.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def named(start: str) -> Iterator[dict[str, Any]]:
    """Answers by the beginning of their key, in the files and in the journal."""
    for stage in stages():
        for answer in sound(stage)[0]:
            if answer.key.startswith(start):
                yield {"stage": stage, "answer": answer}
    for entry in entries():
        if entry.answer and entry.answer.key.startswith(start):
            yield {
                "stage": entry.stage,
                "at": entry.at,
                "usd": entry.usd / budget.MICRO,
                "answer": entry.answer,
                "raw": entry.raw,
            }


def money() -> Iterator[str]:
    """What the journal says was spent, in all, today and by stage."""
    if not journal.there():
        yield "The journal is empty: nothing was spent."
        return
    known = Journal(())
    known.close()
    reserved = sum(cost for cost, _ in known.open.values())
    today = known.spent["day", str(budget.today())]
    whole = budget.usd(known.spent["all", ""])
    yield f"Spent: {whole} in all, {budget.usd(today)} today; {budget.usd(reserved)} of it only reserved."
    yield from (
        f"  {name}: {budget.usd(usd)}" for (scope, name), usd in sorted(known.spent.items()) if scope == "stage"
    )
    if known.batches:
        yield f"Under way: {len(known.batches)} batches. Run the stage again to collect them."


def faults() -> Iterator[str]:
    """What is wrong: lines that are no answers, out of order, twice or lost, and torn lines of the journal."""
    for stage in stages():
        good, wrong = sound(stage)
        yield from (f"{relative(stage)}:{fault}; run `dataset answers recover`" for fault in wrong)
        keys = [answer.key for answer in good]
        if keys != sorted(set(keys)):
            yield f"{relative(stage)}: is not in order or has a key twice; run `dataset answers recover`"
        md5 = cache.locked(relative(stage))
        if md5 and not cache.objects(md5):
            yield f"{relative(stage)}: dvc.lock names other answers that are not in the cache; run `dvc pull`"
    if journal.there():
        known = Journal(())
        known.close()
        if known.torn:
            yield f"{journal.place() / journal.FILE}: {known.torn} lines are torn; what they paid for is asked again"


def prunable() -> Iterator[tuple[str, dict[str, Answer], set[str]]]:
    """Each stage's answers that stay, and the keys of those to no present request; what cannot be told stays."""
    for stage in stages():
        found = answers.kept(stage)
        asked = requests(stage)
        wanted = found if asked is None else set(map(key, asked))
        yield stage, {k: each for k, each in found.items() if k in wanted}, {k for k in found if k not in wanted}


def requests(stage: str) -> list[Request] | None:
    """What a stage asks now, of the records as they are built; None if it has no function `requests`."""
    found = asked(stage)
    return None if found is None else found[0]


def asked(stage: str) -> tuple[list[Request], list[str]] | None:
    """The same, with what should be known before anything is sent."""
    if stage == calibrate.NAME:
        return calibrate.requests(), []
    module: Any = import_module(f"stages.{stage}") if stage in paths.STAGES else None
    if not hasattr(module, "requests"):
        return None
    of = params.of_stage(stage, module.Params)
    sources = [of.seeds] if stage == "generate" else list(params.sources())
    records = [record for shard in run.survivors(stage, sources) for record in run.records_of(shard)]
    warnings = module.warnings(records, of) if hasattr(module, "warnings") else []
    return module.requests(records, of), warnings


def recovered(chosen: tuple[str, ...]) -> Iterator[tuple[str, int, int]]:
    """Write the union of all good answers of each stage; how many were there before and are now."""
    paid = [entry for entry in entries() if entry.answer and entry.answer.kind in LASTING]
    for stage in chosen or sorted({*stages(), *(entry.stage for entry in paid)}):
        good, _ = sound(stage)
        found: dict[str, Answer] = {}
        answers.union(found, good)
        before = len(found)
        answers.union(found, (entry.answer for entry in paid if entry.stage == stage and entry.answer))
        for md5 in {cache.locked(relative(stage)), *(locked(revision, stage) for revision in REVISIONS)} - {""}:
            for place in cache.objects(md5)[:1]:
                answers.union(found, answers.sound(place.read_bytes())[0])
        keep(stage, found)
        yield stage, before, len(found)


def locked(revision: str, stage: str) -> str:
    """The MD5 of a stage's answers in a revision's dvc.lock, or nothing."""
    text = repository.content(revision, cache.LOCK)
    return cache.named(text, relative(stage)) if text is not None else ""
