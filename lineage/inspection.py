"""A look into a file before it becomes a source: its shape, how its rows would become records, and what they would lose."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from lineage.browse import Found
from lineage.edit import relative
from stages import checks, collect, filter, formats, measure
from stages.contract import intake, params, paths
from stages.contract import source as rows_of
from stages.contract.params import Source, stop
from stages.contract.record import Drop, Fault, decode, decode_record, encode
from stages.contract.source import Row

LOOKED_AT = 1_000  # rows
MOST = 0.5  # share of the rows that must have a field before it is suggested
NAME = "inspected"
GUESSES = {
    "id_field": ("id", "uid", "uuid", "key", "conversation_id", "example_id", "prompt_id", "sample_id"),
    "topic_field": ("topic", "category", "intent", "domain", "task", "task_type", "tag"),
    "created_field": ("created", "created_at", "date", "timestamp", "time", "datetime"),
    "subject_field": ("customer", "customer_id", "user_id", "subject", "person", "email", "username"),
    "rating_field": ("rating", "user_rating", "stars", "score", "quality_score"),
}
"""Names under which files keep what a source can declare, the likeliest first."""
ASKED = ("question", "prompt", "query", "instruction", "input", "user", "text", "utterance", "request", "problem")
ANSWERED = ("answer", "response", "output", "completion", "reply", "assistant", "target", "solution", "summary")


class Inspection(Struct):
    """What was seen in the first rows of a file or folder.

    `passed_over` names files of the folder that are not read; `copies` counts rows that are a row before them again.
    """

    path: str
    files: int
    passed_over: list[str]
    rows: int
    whole: bool
    fields: dict[str, float]
    shapes: dict[str, int]
    suggested: dict[str, Any]
    records: list[Found]
    dropped: list[Found]
    readable: int
    copies: int
    redacted: dict[str, int]
    repairs: dict[str, int]


def inspect(place: Path, given: dict[str, Any], limit: int = LOOKED_AT) -> Inspection:
    """Read the first rows as `collect` would and hold them against the rules of `filter`; nothing is written.

    `given` are keys of the entry that are known already; one set to None is left out, whatever its name suggests.
    """
    if not place.exists():
        raise stop(f"{place}: is not there; give a file or a folder of .jsonl, .json or .csv files, each also .gz")
    if paths.ROOT.resolve().is_relative_to(place.resolve()):
        raise stop(f"{place}: holds the project itself; give the file or folder of the data")
    match = str(given.get("match") or "*")
    files = rows_of.files(place.resolve(), match)
    if not files:
        named = f" that matches {match}" if match != "*" else ""
        raise stop(f"{place}: has no file{named} that is read; .jsonl, .json, .csv and .tsv are, each also .gz")
    cleaned = params.of_stage("collect", collect.Params)
    repairs: Counter[str] = Counter()
    rows = list(islice(rows_in(files, cleaned, repairs), limit + 1))
    values = list(readable(rows[:limit]))
    suggested = {key: value for key, value in (suggestion(values) | given).items() if value is not None}
    source = params.typed({"path": relative(place), "licence": "none"} | suggested, Source, str(place), "--set")
    collect.check(NAME, source, cleaned)
    found = [as_found(row, source, cleaned) for row in rows[:limit]]
    hold(found, filter.prepare(params.of_stage("filter", filter.Params)))
    read = [each for each in found if each.record]
    return Inspection(
        path=relative(place),
        files=len(files),
        passed_over=[relative(each) for each in rows_of.passed_over(place.resolve(), match)],
        rows=len(found),
        whole=len(rows) <= limit,
        fields=shares(values),
        shapes=shapes(values, source),
        suggested=suggested,
        records=[each for each in read if not each.drop],
        dropped=[each for each in found if each.drop],
        readable=len(read),
        copies=len(read) - len({each.id for each in read}),
        redacted=redacted(read),
        repairs={kind: count for kind, count in sorted(repairs.items()) if count},
    )


def rows_in(files: list[Path], given: collect.Params, repairs: Counter[str]) -> Iterator[Row]:
    """The rows of the files, one file after the other."""
    limits = rows_of.Limits(given.longest_row, given.largest_file)
    for file in files:
        yield from rows_of.rows(file, relative(file), limits, repairs)


def readable(rows: Iterable[Row]) -> Iterator[Any]:
    """What the rows hold, without those that cannot be read."""
    for row in rows:
        try:
            yield rows_of.value_of(row)
        except Fault:
            continue


def as_found(row: Row, source: Source, given: collect.Params) -> Found:
    """What `collect` would make of a row."""
    read = intake.read_row(row, collect.read, "collect", NAME, source=source, params=given)
    if read.drop:
        return Found(read.drop.id, NAME, row.origin, drop=read.drop)
    return Found(read.content, NAME, row.origin, record=decode_record(read.line))


def hold(found: list[Found], rules: filter.Rules) -> None:
    """Note on each record what the rules of `filter` say of it, as if these were the whole source."""
    measuring = params.of_stage("measure", measure.Params)
    scores = [(each.id, decode(encode(measure.measure(each.record, measuring)))) for each in found if each.record]
    rules = filter.informed(rules, lambda *only: scores)
    for each, (_, row) in zip((each for each in found if each.record), scores, strict=True):
        each.drop = filter.decide(each.id, NAME, row, rules)


def suggestion(values: list[Any]) -> dict[str, Any]:
    """What the source should declare, told from the names and values of its fields."""
    rows = [value for value in values if isinstance(value, dict)]
    usual = [field for field, share in shares(values).items() if share >= MOST]
    guessed = {
        key: next((name for name in names if fits(key, name, rows, usual)), None) for key, names in GUESSES.items()
    }
    found: dict[str, Any] = {key: name for key, name in guessed.items() if name}
    columns = [likeliest(names, usual) for names in (ASKED, ANSWERED)]
    if all(columns) and not any(shape_of(value) for value in values):
        found["fields"] = dict(zip(("input", "output"), columns, strict=True))
    return found


def likeliest(names: tuple[str, ...], fields: Iterable[str]) -> str | None:
    """The first of the names that is a field."""
    return next((name for name in names if name in fields), None)


def fits(key: str, name: str, rows: list[dict[str, Any]], usual: list[str]) -> bool:
    """Whether a field can be declared so: an id differs from row to row, a topic comes again, a rating is a number."""
    held = [row[name] for row in rows if row.get(name) not in (None, "")]
    if name not in usual or not all(isinstance(each, str | int | float) and len(str(each)) < 200 for each in held):
        return False
    different = len({str(each) for each in held})
    if key == "id_field":
        return different == len(rows)
    if key == "topic_field":
        return different <= max(1, len(held) // 2)
    return key != "rating_field" or all(
        isinstance(each, int | float) or each.replace(".", "", 1).isdigit() for each in held
    )


def shares(values: list[Any]) -> dict[str, float]:
    """The fields of the rows, each with the share of the rows that have it, the commonest first."""
    counted = Counter(str(field) for value in values if isinstance(value, dict) for field in value)
    return {field: round(count / len(values), 3) for field, count in counted.most_common()}


def shapes(values: list[Any], source: Source) -> dict[str, int]:
    """How many rows have each shape, once the suggested fields are renamed; those without one under `none`."""
    counted = Counter(shape_of(formats.renamed(value, source.fields)) or "none" for value in values)
    return dict(counted.most_common())


def shape_of(value: Any) -> str | None:
    """The name of the shape that a row has."""
    return next((name for name in formats.names() if formats.shape(name).matches(value)), None)


def redacted(found: Iterable[Found]) -> dict[str, int]:
    """How much personal data of each kind was replaced."""
    total: Counter[str] = Counter()
    for each in found:
        total.update(each.record.meta.redacted if each.record else {})
    return dict(sorted(total.items()))


def warnings(found: Inspection) -> Iterator[str]:
    """What a look at the counts could pass over: files that are not read, and a rule that most rows break."""
    if found.passed_over:
        yield not_read(found.passed_over)
    drops = [each.drop for each in found.dropped if each.drop and each.drop.stage == "filter"]
    for reason, count in Counter(drop.reason for drop in drops).most_common(1):
        if count > MOST * found.rows:
            yield f"`filter` would drop {count:,} of {found.rows:,} rows as {reason}; {remedy(reason, drops)}"


def not_read(names: list[str]) -> str:
    """What is said of files that a source passes over."""
    named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"not read: {named}; .jsonl, .json, .csv and .tsv are, each also .gz: convert what holds rows"


def remedy(reason: str, drops: list[Drop]) -> str:
    """The setting that keeps what a rule drops, if that is what is meant."""
    check = next(name for name in checks.names() if reason in checks.check(name).REASONS)
    if check != "language":
        return f"if they are as they should be, move its limits under filter.{check} in params.yaml, or set it off"
    told = Counter(
        side[0]
        for drop in drops
        if drop.reason == reason
        for side in (drop.evidence["language"].get("prompt"), drop.evidence["language"].get("reply"))
        if side and side[0]
    )
    allowed = params.of_stage("filter", filter.Params)["language"]
    kept = list((allowed if isinstance(allowed, dict) else {}).get("allowed", ("en",)))
    wanted = [*kept, *(code for code, count in told.most_common() if code not in kept and count > MOST * len(drops))]
    return f"if they are meant, set filter: {{language: {{allowed: [{', '.join(wanted)}]}}}} in params.yaml"


def entry(inspection: Inspection, licence: str) -> dict[str, Any]:
    """The entry of `sources` for what was inspected."""
    return {"path": inspection.path, "licence": licence} | inspection.suggested


def block(entry: dict[str, Any]) -> str:
    """An entry as params.yaml spells it, one key a line."""
    import yaml

    values = {key: yaml.safe_dump(value, default_flow_style=True, width=1_000) for key, value in entry.items()}
    return "\n".join(
        f"{key}: {value.removesuffix(chr(10)).removesuffix('...').strip()}" for key, value in values.items()
    )
