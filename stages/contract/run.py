"""The ways a stage runs. A stage never opens a file: the runner reads, maps over shards, checks, counts and writes.

Every runner takes the pure functions of the stage from its module, so that workers can find them by name. It refuses a
reason the stage does not declare, a drop of an unknown record and a record dropped twice, deletes what sources that are
no longer named have left, and holds a lock so that two runs cannot collide.
"""

import argparse
import fcntl
import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import Struct

from stages.contract import engine, params, paths, progress, shards
from stages.contract.params import Stop, stop
from stages.contract.record import Drop, Fault, Record, decode_record
from stages.contract.source import Limits, line_rows, value_of

HAND_WRITTEN = Limits(row=1_000_000, file=100_000_000)  # bytes


class Decision(Struct):
    """What a stage says of the records it saw: whom it drops and why, and the rows of its outputs."""

    drops: list[Drop]
    rows: list[dict[str, Any]] = []
    more: dict[str, list[dict[str, Any]]] = {}


def module(function: Callable[..., Any]) -> ModuleType:
    """The stage a function belongs to, imported under its own name also when it runs as the program."""
    return import_module(f"stages.{sys.modules[function.__module__].__spec__.name.rpartition('.')[2]}")  # type: ignore[union-attr]


def name_of(stage: ModuleType) -> str:
    """The stage's name: its file's."""
    return stage.__name__.rpartition(".")[2]


def settings(stage: ModuleType) -> Any:
    """The stage's params, after the versions of the libraries that change its answers were checked."""
    params.check_keys()
    params.check_versions(name_of(stage))
    return params.of_stage(name_of(stage), stage.Params)


@contextmanager
def running(function: Callable[..., Any]) -> Iterator[tuple[ModuleType, Any]]:
    """The stage and its params, under the lock; a user's mistake ends with its message and exit code 2."""
    gc.set_threshold(200_000, 50, 100)  # a stage lives for seconds and holds a million objects that are no garbage
    try:
        with lock():
            stage = module(function)
            yield stage, settings(stage)
    except Stop as mistake:
        print(mistake, file=sys.stderr)  # noqa: T201
        raise


@contextmanager
def lock() -> Iterator[None]:
    """Hold the project's run lock, or stop: two runs would overwrite each other's outputs."""
    path = paths.ROOT / paths.LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise stop(f"{paths.LOCK}: another stage is running here; wait for it to end") from None
        yield


def source_argument() -> str:
    """The source that this stage instance is run for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True, help="a key of `sources` in params.yaml")
    return str(parser.parse_args().source)


def no_arguments() -> None:
    """A stage that sees all sources takes no arguments; `--help` must not run it."""
    argparse.ArgumentParser().parse_args()


def prune() -> None:
    """Delete what sources that are no longer named have left behind."""
    for leftover in paths.per_source_entries(list(params.sources())):
        shards.remove(leftover)


def checked(drops: Iterable[Drop], stage: ModuleType, known: Callable[[str], bool]) -> list[Drop]:
    """The drops in the order of their ids; an undeclared reason, an unknown id or a second drop is a defect and raises."""
    seen: set[str] = set()
    for drop in (result := sorted(drops, key=lambda drop: drop.id)):
        problem = (
            f"reason {drop.reason!r} is not in REASONS"
            if drop.reason not in stage.REASONS
            else "is not among the records it was given"
            if not known(drop.id)
            else "is dropped twice"
            if drop.id in seen
            else ""
        )
        if problem:
            raise ValueError(f"{name_of(stage)}: drop of {drop.id}: {problem}")
        seen.add(drop.id)
    return result


def run_source(read: Callable[..., Record]) -> None:
    """collect: from the rows of one source to its records, origins and drops."""
    from stages.contract.intake import take_in

    with running(read) as (stage, given):
        take_in(stage, source_argument(), given)


def run_rows(make: Callable[..., Iterable[dict[str, Any]]]) -> None:
    """generate: from the surviving records of one source to the rows of a new source."""
    no_arguments()
    with running(make) as (stage, given), stage.paid(name_of(stage)) as ask:
        shards.put_rows(paths.ROOT / paths.OUTPUT[name_of(stage)], made(stage, given, ask))


def made(stage: ModuleType, given: Any, ask: Callable[..., Any]) -> list[dict[str, Any]]:
    """The rows that a stage makes of the survivors of the source it names as its seeds; `ask` asks a model."""
    params.source(given.seeds)
    records = [record for shard in survivors("generate", [given.seeds]) for record in records_of(shard)]
    rows: list[dict[str, Any]] = stage.make(records, given, params.seed(), *beside(given), ask)
    return rows


def beside(given: Any) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """What is generated from beside records: the pack, and the failures of trained models, each with its line."""
    return params.read_yaml(paths.ROOT / given.pack), list(by_hand(paths.FAILURES))


def by_hand(name: str) -> Iterator[tuple[str, Any]]:
    """The rows of a file that people write, each with its line; none if it is not there."""
    path = paths.ROOT / name
    for row in line_rows(path, name, HAND_WRITTEN, Counter()) if path.is_file() else ():
        try:
            yield row.origin, value_of(row)
        except Fault as fault:
            raise stop(f"{row.origin}: {fault.reason.replace('_', ' ')}; mend the line") from None


def run_measure(measure: Callable[..., Any]) -> None:
    """measure: from the records of one source to the scores and signatures of each, shard by shard."""
    from stages.contract.scores import keep_scores

    with running(measure) as (stage, given):
        keep_scores(stage, source_argument(), given)


def run_decide(decide: Callable[..., Drop | None]) -> None:
    """filter: from the scores of one source to its drops."""
    from stages.contract.scores import scores_of

    with running(decide) as (stage, given):
        source = source_argument()
        drops, _ = decided_on_scores(stage, given, source, partial(scores_of, source))
        shards.put_rows(paths.dropped("filter", source), drops)


def decided_on_scores(
    stage: ModuleType,
    given: Any,
    source: str,
    scores: Callable[..., Iterable[tuple[str, dict[str, Any]]]],
    share: float = 1.0,
) -> tuple[list[Drop], set[str]]:
    """The drops among a share of one source's records, and the ids of the share, told from the scores of all.

    `scores` is read once more for each rule that needs to know the whole source, and never held in memory.
    """
    rules = stage.informed(stage.prepare(given), scores)
    drops: list[Drop] = []
    known: set[str] = set()
    for identifier, row in scores(*rules, "rejected"):
        if share >= 1 or within(identifier, share):
            known.add(identifier)
            drops += filter(None, [stage.decide(identifier, source, row, rules)])
    return checked(drops, stage, known.__contains__), known


class Shard(Struct):
    """One file of records, which of them earlier stages dropped, and the share of the rest that is looked at."""

    path: Any
    dropped: set[str]
    share: float = 1.0


def survivors(stage: str, sources: list[str], share: float = 1.0) -> list[Shard]:
    """The shards of these sources with the ids that stages before `stage` dropped."""
    before = (
        paths.earlier_drops(stage, sources)
        if stage != "generate"
        else [paths.dropped("filter", each) for each in sources]
    )
    dropped = dropped_in(before)
    return [
        Shard(path, dropped.get(source, set()), share)
        for source in sources
        for path in shards.of(paths.records(source))
    ]


def dropped_in(files: Iterable[Path]) -> dict[str, set[str]]:
    """The ids in these files of drops, by source."""
    dropped: dict[str, set[str]] = {}
    for drop in shards.drops(map(built, files)):
        dropped.setdefault(drop.source, set()).add(drop.id)
    return dropped


def records_of(shard: Shard) -> Iterator[Record]:
    """The records of a shard that are still in the dataset."""
    dropped, share = shard.dropped, shard.share
    for line in shards.lines(shard.path):
        identifier = line[7:39].decode()  # canonical form: a line starts {"id":"…32 hex…"
        if identifier not in dropped and (share >= 1 or within(identifier, share)):
            yield decode_record(line)


def within(identifier: str, share: float) -> bool:
    """Whether a record is in a sample of this share: an id is a hash, so its first digits are a draw."""
    return int(identifier[:8], 16) < share * 16**8


def built(path: Path) -> Path:
    """The path of what an earlier stage writes; a stop if it is not there, as in a clone that has not pulled."""
    if not path.exists():
        raise stop(f"{path.relative_to(paths.ROOT)}: is not built; run `dvc pull` or `dvc repro`")
    return path


def records_with(identifiers: Iterable[str]) -> Iterator[Record]:
    """The records with these ids, in the order they stand in."""
    wanted = set(identifiers)
    for source in params.sources():
        for path in shards.of(paths.records(source)):
            yield from (decode_record(line) for line in shards.lines(path) if line[7:39].decode() in wanted)


def measured(shard: Shard, measure: Callable[..., Any], given: Any, prepared: Any) -> list[tuple[str, Any]]:
    """What `measure` says of each record of a shard, beside its id; a `measure_many` sees the shard at once."""
    if measure.__name__ == "measure_many":
        records = list(records_of(shard))
        return list(zip([record.id for record in records], measure(records, given, prepared), strict=True))
    return [(record.id, measure(record, given, prepared)) for record in records_of(shard)]


def run_on_all(measure: Callable[..., Any], decide: Callable[..., Decision]) -> None:
    """decontaminate, judge, balance, split: one fact per record in parallel, then one decision over all."""
    no_arguments()
    with running(measure) as (stage, given):
        prune()
        keep_decision(stage, decided(stage, given, pay=True)[0])


def run_on_signatures(decide: Callable[..., Decision]) -> None:
    """dedup: one decision over what was kept of every record, so that a record is read only where it may be dropped."""
    no_arguments()
    with running(decide) as (stage, given):
        prune()
        keep_decision(stage, decided(stage, given)[0])


def keep_decision(stage: ModuleType, decision: Decision) -> None:
    """Write the drops and the other outputs of a stage that sees all sources."""
    if name_of(stage) in paths.OUTPUT:
        shards.put_rows(paths.ROOT / paths.OUTPUT[name_of(stage)], decision.rows)
    for path, rows in decision.more.items():
        shards.put_rows(paths.ROOT / path, rows)
    shards.put_rows(paths.dropped(name_of(stage)), decision.drops)


def decided(stage: ModuleType, given: Any, share: float = 1.0, pay: bool = False) -> tuple[Decision, Any]:
    """What a stage that sees all sources decides of the survivors, or of a share of them; and what it knew of them.

    Only with `pay` is a language model asked, and what it answers is written; else the answers that are kept must do.
    """
    if not hasattr(stage, "measure"):
        return decided_on_signatures(stage, given, share)
    needed = stage.needed(given) if hasattr(stage, "needed") else True
    left = survivors(name_of(stage), list(params.sources()), share) if needed else []
    prepared = prepared_for(stage, given, left, pay)
    work = partial(measured, measure=getattr(stage, "measure_many", stage.measure), given=given, prepared=prepared)
    facts: dict[str, Any] = {}
    for part in progress.over_files(engine.map(work, left), name_of(stage), [shard.path for shard in left]):
        facts.update(part)
    facts = dict(sorted(facts.items()))
    decision: Decision = stage.decide(facts, given, prepared)
    decision.drops = checked(decision.drops, stage, facts.__contains__)
    return decision, facts


def prepared_for(stage: ModuleType, given: Any, left: list[Shard], pay: bool) -> Any:
    """What a stage knows before it measures; one with `requests` is told the answers to them by their keys."""
    if not hasattr(stage, "requests"):
        return stage.prepare(given) if hasattr(stage, "prepare") else None
    asking: Any = import_module("stages.models.ask")  # by name: stages that ask nothing do not depend on it
    models = import_module("stages.models.settings").settings(name_of(stage))
    records = [] if models.provider == "none" else [record for shard in left for record in records_of(shard)]
    asked = stage.requests(records, given)
    if not pay:
        return stage.prepare(given, records, asking.kept(name_of(stage), asked))
    for warning in stage.warnings(records, given):
        asking.say(f"warning: {warning}")
    return stage.prepare(given, records, asking.ask(name_of(stage), asked, models))


def decided_on_signatures(stage: ModuleType, given: Any, share: float) -> tuple[Decision, Any]:
    """The same of a stage that decides on what was kept of every record."""
    from stages.contract.signatures import signed

    sources = list(params.sources())
    known = signed(sources, dropped_in(paths.earlier_drops(name_of(stage), sources)), share)
    decision: Decision = stage.decide(known, given)
    decision.drops = checked(decision.drops, stage, known.__contains__)
    return decision, known


def run_report(build: Callable[..., dict[str, Iterable[bytes]]]) -> None:
    """export, report: from everything, read only, to files by their paths; a folder of files is swapped in whole."""
    no_arguments()
    with running(build) as (stage, given), ExitStack() as open_folders:
        prune()
        folders = {folder: open_folders.enter_context(shards.replaced(paths.ROOT / folder)) for folder in stage.FOLDERS}
        for path, content in stage.build(given).items():
            folder = next((folder for folder in folders if path.startswith(f"{folder}/")), None)
            if folder:
                shards.write(folders[folder] / path.removeprefix(f"{folder}/"), content)
            else:
                shards.put(paths.ROOT / path, content)
