"""The whole life of one record: its source row, what was redacted, every stage's verdict, and who holds or read it."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec import Struct

from lineage import browse, exposure, version
from lineage.browse import Found, lines_with
from lineage.exposure import Exposure
from stages.contract import paths
from stages.contract.params import stop
from stages.contract.record import Drop, Record, decode, decode_drop, encode
from stages.reporting import reasons

STAGES = ("collect", "measure", "filter", *paths.GLOBAL, "export")
LISTED = 5  # ids in a message
FEWEST = 4  # characters of a text that is looked for


class Step(Struct, omit_defaults=True):
    """What one stage said of the record, in words and as it wrote it; `dropped` if it went no further."""

    stage: str
    said: str
    dropped: bool = False
    evidence: Any = None
    records: list[str] = []
    """Other records that it is about: the one it lost to, those that lost to it, those that are alike."""


class Life(Struct, omit_defaults=True):
    """Everything known of a record, or of a row that never became one, in one version."""

    id: str
    source: str
    origin: str | None
    revision: str | None
    redacted: dict[str, int]
    steps: list[Step]
    split: str | None = None
    record: Record | None = None
    lost_to: list["Life"] = []
    """The record it was dropped for, which may have been dropped in turn."""
    exposure: Exposure | None = None


def trace(identifier: str, revision: str | None = None, fetch: bool = False) -> Life:
    """The life of the record with this id, or the only one that begins so, in a revision or the working tree."""
    commit = None if revision is None else version.commit_of(revision)
    life = of_found(one(identifier, commit), commit)
    life.lost_to = list(losses(life, commit))
    life.exposure = exposure.of_example(life.id, fetch)
    return life


def one(identifier: str, commit: str | None) -> Found:
    """The only record whose id begins so; a stop that says where else it is if there is none."""
    found = browse.by_id(identifier.lower(), commit)
    if len(found) > 1:
        raise stop(f"{version.named(identifier)}: {len(found)} ids begin so: {listed(found)}; give more of the id")
    if not found:
        raise stop(f"{identifier}: is no record or dropped row of {version.named(commit)}; {elsewhere(identifier)}")
    return found[0]


def listed(found: list[Found]) -> str:
    """The first ids."""
    return ", ".join(each.id for each in found[:LISTED]) + (", …" if len(found) > LISTED else "")


def elsewhere(identifier: str) -> str:
    """Where a record is that is not in this version."""
    held = exposure.of_example(identifier).versions
    if not held:
        return "no version holds it; `dataset trace --text` looks for its words"
    where = next(iter(held[0].tags), "") or held[0].commits[0][:7]
    return f"`dataset trace {identifier} --rev {where}` is the newest version that holds it"


def by_text(text: str, revision: str | None = None) -> str:
    """The id of the only record that holds these words, dropped or not."""
    commit = None if revision is None else version.commit_of(revision)
    if len(text) < FEWEST:
        raise stop(f"--text: is too short; give {FEWEST} characters or more")
    part = encode(text)[1:-1]
    found = list(islice(holding(part, commit), LISTED + 1))
    return only(found, "--text", "gives the words as the record has them, with personal data replaced")


def holding(part: bytes, commit: str | None) -> Iterator[str]:
    """The ids of the records with these bytes in their messages."""
    for source in browse.sources(commit):
        for shard in version.files(paths.records(source), commit):
            for line in lines_with(version.content(paths.records(source) / shard, commit), part):
                yield line[7:39].decode()


def by_origin(origin: str, revision: str | None = None) -> str:
    """The id of the row that came from here, as `path:line`."""
    commit = None if revision is None else version.commit_of(revision)
    part = b'"origin":' + encode(origin)
    found = list(islice(standing(part, commit), LISTED + 1))
    return only(found, f"--origin {origin}", "is written as `dataset show` writes it: path:line of the source")


def standing(part: bytes, commit: str | None) -> Iterator[str]:
    """The ids of the rows with this origin."""
    for source in browse.sources(commit):
        for name in version.files(paths.origins(source), commit):
            if name != "source.json":
                for line in lines_with(version.content(paths.origins(source) / name, commit), part):
                    yield str(decode(line)["id"])


def only(found: list[str], asked: str, advice: str) -> str:
    """The only id, or a stop."""
    if not found:
        raise stop(f"{asked}: no record is found so; it {advice}")
    if len(found) > 1:
        more = ", …" if len(found) > LISTED else ""
        raise stop(f"{asked}: several records are found so: {', '.join(found[:LISTED])}{more}; trace one by its id")
    return found[0]


# its life in one version


def of_found(found: Found, commit: str | None) -> Life:
    """What the stages of a version said of a record."""
    ledger = origin_row(found, commit).get("redacted") or (found.record.meta.redacted if found.record else {})
    life = Life(found.id, found.source, found.origin, commit, ledger, [], found.split, found.record)
    for stage in STAGES:
        life.steps.append(step(stage, found, commit))
        if found.drop and found.drop.stage == stage:
            break
    return life


def origin_row(found: Found, commit: str | None) -> dict[str, Any]:
    """What `collect` wrote beside the record of where it came from."""
    for name in version.files(paths.origins(found.source), commit):
        if name != "source.json":
            content = version.content(paths.origins(found.source) / name, commit)
            for line in lines_with(content, b'"id":"' + found.id.encode()):
                return dict(decode(line))
    return {}


def step(stage: str, found: Found, commit: str | None) -> Step:
    """What a stage said of the record."""
    drop = found.drop
    if drop and drop.stage == stage:
        meaning = reasons.meaning(stage, drop.reason) or "a reason of an earlier version"
        said = f"{drop.reason}: {meaning} ({in_words(drop)})"
        partner = reasons.other(drop)
        return Step(stage, said, True, drop.evidence, [partner] if partner else [])
    return SAYS[stage](found, commit)


def in_words(drop: Drop) -> str:
    """The evidence of a drop; one of an earlier version may be of another make."""
    try:
        return reasons.evidence(drop)
    except (LookupError, TypeError, ValueError, AttributeError):
        return reasons.plain(drop.evidence)


def collected(found: Found, commit: str | None) -> Step:
    """Where it came from."""
    return Step("collect", f"from {found.origin}" if found.origin else "from a row that is not told")


def measured(found: Found, commit: str | None) -> Step:
    """What the checks measured."""
    mark = b'"id":"' + found.id.encode()
    for shard in version.files(paths.scores(found.source), commit):
        for line in lines_with(version.content(paths.scores(found.source) / shard, commit), mark):
            scores = {name: value for name, value in decode(line).items() if name != "id" and value is not None}
            said = {name: value for name, value in scores.items() if value not in ("", [], {})}  # which found nothing
            return Step("measure", reasons.of_filter(said), evidence=scores)
    return Step("measure", "nothing is kept")


def filtered(found: Found, commit: str | None) -> Step:
    """That it broke no rule."""
    return Step("filter", "kept: breaks no rule")


def deduplicated(found: Found, commit: str | None) -> Step:
    """Who lost to it, and who is alike."""
    lost = [drop.id for drop in drops_with("dedup", b'"survivor":"' + found.id.encode(), commit)]
    alike = [
        (row["similarity"], row["b"] if row["a"] == found.id else row["a"])
        for row in rows_with(paths.OUTPUT["dedup"], found.id, commit)
        if found.id in (row["a"], row["b"])
    ]
    said = [f"{len(lost)} lost to it" if lost else "", f"{len(alike)} alike stay too" if alike else ""]
    evidence = {"survivor_of": lost, "alike": [{"id": other, "similarity": like} for like, other in alike]}
    told = ", ".join(filter(None, said)) or "is like no other"
    return Step(
        "dedup", f"kept: {told}", evidence=evidence if lost or alike else None, records=lost + [i for _, i in alike]
    )


def decontaminated(found: Found, commit: str | None) -> Step:
    """Which evaluation rows it comes close to."""
    rows = [row for row in rows_with(paths.OUTPUT["decontaminate"], found.id, commit) if row.get("record") == found.id]
    near = ", ".join(f"{row['eval']} ({row['method']} {row['score']:g})" for row in rows)
    return Step(
        "decontaminate", f"kept: close to {near}" if near else "kept: close to no evaluation row", evidence=rows or None
    )


def judged(found: Found, commit: str | None) -> Step:
    """Its score."""
    row = browse.row_in(version.content(paths.ROOT / paths.OUTPUT["judge"], commit), found.id)
    if row is None:
        return Step("judge", "not scored")
    if row.get("score") is None:
        said = (
            f"verdict on the pair: {row['verdict']}"
            if "verdict" in row
            else f"unjudged, the answer is {row['unjudged']}"
        )
        return Step("judge", f"kept: {said}", evidence=row)
    off = f"; taken off: {reasons.plain(row['penalties'])}" if row.get("penalties") else ""
    return Step("judge", f"kept: score {row['score']:g} of 5{off}", evidence=row)


def balanced(found: Found, commit: str | None) -> Step:
    """Its weight."""
    row = browse.row_in(version.content(paths.ROOT / paths.OUTPUT["balance"], commit), found.id)
    return Step("balance", f"kept: weight {row['weight']:g}" if row else "kept: weight 1", evidence=row)


def divided(found: Found, commit: str | None) -> Step:
    """Its split and group."""
    row = browse.row_in(version.content(paths.ROOT / paths.OUTPUT["split"], commit), found.id) or {}
    said = f"{row.get('split', 'nowhere')}, in the group {row.get('group', '?')}"
    if leak := row.get("leak"):
        said += f"; near-duplicate of {leak['other']} in {leak['other_split']}, and both are published"
    return Step("split", said, evidence=row or None)


def exported(found: Found, commit: str | None) -> Step:
    """The file it stands in."""
    row = browse.row_in(version.content(paths.ROOT / paths.INDEX, commit), found.id)
    if row is None:
        return Step("export", "in no file")
    return Step("export", paths.curated(row["kind"], row["split"]), evidence=row)


SAYS = {
    "collect": collected,
    "measure": measured,
    "filter": filtered,
    "dedup": deduplicated,
    "decontaminate": decontaminated,
    "judge": judged,
    "balance": balanced,
    "split": divided,
    "export": exported,
}
"""What each stage says of a record that it kept."""


def rows_with(path: str, identifier: str, commit: str | None) -> Iterator[Any]:
    """The rows of an output that name a record."""
    content = version.content(paths.ROOT / path, commit)
    return (decode(line) for line in lines_with(content, b'"' + identifier.encode() + b'"'))


def drops_with(stage: str, part: bytes, commit: str | None) -> Iterator[Drop]:
    """The drops of a stage whose lines hold some bytes."""
    return map(decode_drop, lines_with(version.content(paths.dropped(stage), commit), part))


def losses(life: Life, commit: str | None) -> Iterator[Life]:
    """The record it was dropped for, and the one that was dropped for in turn."""
    seen = {life.id}
    while (last := life.steps[-1]).dropped and last.records and last.records[0] not in seen:
        found = browse.by_id(last.records[0], commit)
        if not found:
            return
        life = of_found(found[0], commit)
        seen.add(life.id)
        yield life
