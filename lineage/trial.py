"""What a stage would do with other settings: decided in memory and compared with its last run. Nothing is written."""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from functools import partial
from importlib import import_module
from itertools import islice
from types import ModuleType
from typing import Any

from msgspec import Struct, convert, to_builtins

from lineage.browse import Found, records, rows_dropped
from stages import collect, filter, measure
from stages.contract import intake, params, paths, run, shards
from stages.contract.params import stop
from stages.contract.record import Drop, content_id, decode, decode_record, encode
from stages.contract.scores import scores_of
from stages.contract.source import Row
from stages.judge import Judged

TOGETHER = ("dedup", "balance", "split")
"""Stages whose decision on one record depends on the others: they are tried on all records, unless a limit is given."""
SAMPLE = 500  # records that the other stages are tried on
STAGES = ("generate", *paths.PER_SOURCE, *paths.GLOBAL)
"""The stages that can be tried: those that make or drop something."""


class Trial(Struct):
    """The drops of a stage by id as it last ran and as it would run, among the records that were looked at.

    `whole` is how many there are, `moved` counts records that would change their split or their text, `made` holds what
    `generate` would write. Drops of `collect` are by origin, because the ids of equal rows are numbered after all were read.
    """

    stage: str
    looked_at: int
    before: dict[str, Drop]
    after: dict[str, Drop]
    moved: dict[str, int] = {}
    made: list[Found] = []
    whole: int = 0

    @property
    def dropped(self) -> list[Drop]:
        """What would be dropped and was not."""
        return [drop for identifier, drop in self.after.items() if identifier not in self.before]

    @property
    def released(self) -> list[Drop]:
        """What was dropped and would not be."""
        return [drop for identifier, drop in self.before.items() if identifier not in self.after]


Way = Callable[[ModuleType, Any, int | None], Trial]
"""How a stage is tried: with its params, on about so many records, or on all."""


def attempt(name: str, settings: dict[str, Any], limit: int | None = None) -> Trial:
    """What the stage would do with these settings, on about `limit` records."""
    if name not in STAGES:
        raise stop(f"dataset try {name}: drops nothing and makes nothing; known are {', '.join(STAGES)}")
    ways: dict[str, Way] = {"generate": generated, "collect": collected, "filter": filtered}
    stage = import_module(f"stages.{name}")
    with params.using(settings):
        given = run.settings(stage)
        return ways.get(name, decided)(stage, given, limit or (None if name in TOGETHER else SAMPLE))


def what_if(settings: dict[str, Any]) -> Trial:
    """What a stage would do with these settings, told from the scores or signatures that are kept of every record."""
    ways: dict[str, Way] = {"dedup": decided, "filter": filtered, "judge": judged}
    names = sorted({path.partition(".")[0] for path in settings})
    if len(names) != 1 or names[0] not in ways:
        raise stop(
            f"dataset whatif {' '.join(settings)}: what it takes is kept for {' and '.join(ways)}, one at a time; "
            f"for the others use `dataset try STAGE --set KEY=VALUE`"
        )
    with params.using(settings):
        stage = import_module(f"stages.{names[0]}")
        return ways[names[0]](stage, run.settings(stage), None)


def built(stage: str = "filter") -> list[str]:
    """The sources; a stop if something that the stage reads was never built."""
    names = list(params.sources())
    needed = [place(name) for name in names for place in (paths.records, paths.scores, paths.signatures)]
    for path in [*needed, *(paths.earlier_drops(stage, names) if stage in paths.GLOBAL else ())]:
        if not path.exists():
            here = path.relative_to(paths.ROOT)
            raise stop(f"{here}: is not there; run `make run`, a trial is held against the last run")
    return names


def share_of(limit: int | None) -> float:
    """The share of all records that about `limit` of them are."""
    return 1.0 if limit is None else limit / max(1, records_in_all())


def records_in_all() -> int:
    """How many records the last run read."""
    counted = (decode((paths.origins(name) / "source.json").read_bytes()) for name in built())
    return sum(source["records"] for source in counted)


def last_run(stage: str, looked_at: Container[str] | None = None) -> dict[str, Drop]:
    """What the stage dropped when it last ran, of the records that were looked at."""
    names = built() if stage in paths.PER_SOURCE else [""]
    files = [path for name in names if (path := paths.dropped(stage, name)).is_file()]
    return {drop.id: drop for drop in shards.drops(files) if looked_at is None or drop.id in looked_at}


def compared(
    stage: str, looked_at: Collection[str], drops: Iterable[Drop], moved: dict[str, int] | None = None
) -> Trial:
    """The new drops beside those of the last run."""
    whole = 0 if stage in TOGETHER else records_in_all()
    after = {drop.id: drop for drop in drops}
    return Trial(stage, len(looked_at), last_run(stage, looked_at), after, moved or {}, whole=whole)


def generated(stage: ModuleType, given: Any, limit: int | None) -> Trial:
    """The rows that `generate` would write, as the records they will be."""
    built()
    source = params.sources().get("generated") or params.Source("data/sources/generated", "none")
    ask, _ = stage.foreseen("generate")  # a trial pays for nothing: what is not answered is not there
    rows = (Row(f"row {number}", encode(row)) for number, row in enumerate(run.made(stage, given, ask), 1))
    cleaned = params.of_stage("collect", collect.Params)
    reads = [
        intake.read_row(row, collect.read, "collect", "generated", source=source, params=cleaned)
        for row in islice(rows, limit)
    ]
    return Trial("generate", len(reads), {}, {}, made=[found(read) for read in reads])


def found(read: intake.Read) -> Found:
    """A row of `generate` as it is shown."""
    if read.drop:
        return Found(read.drop.id, "generated", read.origin, drop=read.drop)
    return Found(read.declared or read.content, "generated", read.origin, record=decode_record(read.line))


def collected(stage: ModuleType, given: Any, limit: int | None) -> Trial:
    """The first rows of every source, read again."""
    trial = Trial("collect", 0, {}, {})
    kept = last_run("collect")
    changed = 0
    for name, source in params.sources().items():
        before = {row.origin: row.drop for row in rows_dropped(name, kept, None)}
        texts = texts_by_origin(name)
        reads = intake.read_all(stage, name, source, intake.files_of(name, source), given, intake.Taken())
        for read in islice(reads, limit):
            trial.looked_at += 1
            if old := before.get(read.origin):
                trial.before[read.origin] = old
            if read.drop:
                trial.after[read.origin] = read.drop
            elif read.origin in texts and texts[read.origin] != read.content:
                changed += 1
    trial.moved = {"records with another text": changed} if changed else {}
    return trial


def texts_by_origin(name: str) -> dict[str, str]:
    """The digest of every record's content as the last run wrote it, by where its row stood."""
    found = records([name], None, lambda _: True, {})
    return {each.origin: content_id(each.record) for each in found if each.origin and each.record}


def filtered(stage: ModuleType, given: Any, limit: int | None) -> Trial:
    """The decisions on the kept scores, or on fresh ones if it is the measuring that is tried."""
    share = share_of(limit)
    skipped = params.whole().get("measure", {}).get("skip", [])
    known = measured_checks()
    unmeasured = [name for name in stage.prepare(given) if name not in known and name not in skipped]
    if unmeasured and limit is None:
        raise stop(f"filter.{unmeasured[0]}: was not measured yet; run `make run`, or `dataset try filter`")
    as_kept = not unmeasured and params.settled(params.given())["measure"] == params.whole().get("measure")
    drops: list[Drop] = []
    looked_at: set[str] = set()
    for name in built():
        scores = partial(scores_of, name) if as_kept else again(list(measured(name, share)))
        found, seen = run.decided_on_scores(stage, given, name, scores, share)
        drops += found
        looked_at |= seen
    return compared("filter", looked_at, drops)


def measured_checks() -> set[str]:
    """The checks that the last run measured."""
    return {name for source in built() for _, row in islice(scores_of(source), 1) for name in row}


def measured(name: str, share: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """The scores of the records of a source, measured now."""
    given = params.of_stage("measure", measure.Params)
    measure.prepare(SAMPLE)
    for path in shards.of(paths.records(name)):
        records = list(run.records_of(run.Shard(path, set(), share)))
        for record, scores in zip(records, measure.measure_many(records, given), strict=True):
            yield record.id, decode(encode(scores))


def again(rows: list[tuple[str, dict[str, Any]]]) -> filter.Scores:
    """Rows of scores as often as they are asked for."""
    return lambda *only: rows


def judged(stage: ModuleType, given: Any, limit: int | None) -> Trial:
    """The decisions on the kept scores of the judge."""
    path = paths.ROOT / paths.OUTPUT["judge"]
    if not path.is_file():
        raise stop(f"{paths.OUTPUT['judge']}: is not there; run `make run`")
    before = convert(params.settled(params.given())["judge"], stage.Params)
    for key in ("rubric", "max_characters", "max_examples", "canaries", "pairs"):
        old, new = getattr(before, key), getattr(given, key)
        if old != new and (key != "pairs" or "off" in (old, new)):
            raise stop(f"judge.{key}: is part of what is asked; set it in params.yaml and see `dataset plan judge`")
    facts = {row.pop("id"): convert(row, Judged) for row in shards.rows(path)}
    return compared("judge", facts, stage.decide(facts, given, stage.prepare(given, [], {})).drops)


def decided(stage: ModuleType, given: Any, limit: int | None) -> Trial:
    """The decision of a stage that sees all sources."""
    built(run.name_of(stage))
    for key in ("compare", "shingles") if run.name_of(stage) == "dedup" else ():
        if getattr(given, key) != params.settled(params.given())["dedup"][key]:
            raise stop(f"dedup.{key}: is part of what `measure` keeps; set it in params.yaml and run `make run`")
    share = share_of(limit)
    decision, facts = run.decided(stage, given, share)
    if hasattr(stage, "needed") and not stage.needed(given):  # it reads nothing then, and releases what it had dropped
        facts = [identifier for identifier in last_run(run.name_of(stage)) if run.within(identifier, share)]
    moved: Counter[str] = Counter()
    if run.name_of(stage) == "split":
        before = {row["id"]: row["split"] for row in shards.rows(paths.ROOT / paths.OUTPUT["split"])}
        pairs = ((before.get(row["id"]), row["split"]) for row in decision.rows)
        moved.update(f"{old} to {new}" for old, new in pairs if old and old != new)
    return compared(run.name_of(stage), facts, decision.drops, dict(moved))


def as_json(trial: Trial) -> dict[str, Any]:
    """The trial for machines."""
    return {
        "stage": trial.stage,
        "looked_at": trial.looked_at,
        "before": len(trial.before),
        "after": len(trial.after),
        "dropped": to_builtins(trial.dropped),
        "released": to_builtins(trial.released),
        "moved": trial.moved,
        "made": to_builtins([each.record or each.drop for each in trial.made]),
    }
