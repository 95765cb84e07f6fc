"""What a model was made from: the run's record, its commit, and the bytes that the commit names, hashed again.

Figures come from the commit's own reports and from the run's record, so that bytes which are gone take nothing along but
the line that says so. Each output, source and model is verified, failed or not checkable, with the reason.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from lineage import digests, history, repository, runs, version
from lineage.contents import md5_of
from lineage.copies import known_listing
from lineage.places import Place, article, stores, tree
from lineage.project import Output, inputs, outputs, overlap
from lineage.runs import Run
from lineage.verify import Check, Verdict, check
from stages.contract import paths
from stages.contract.params import stop
from stages.contract.record import decode
from stages.reporting import gate

MODEL_KEYS = ("model", "models", "vectors", "encoder")
"""What params.yaml calls a model that makes or judges data, beside `provider`."""
UNTOLD = ("noassertion", "unknown", "other", "none")
"""Licences that are none."""


class Line(Struct):
    """One thing that was looked at, and what came of it."""

    kind: Literal["output", "source", "evaluation", "code", "read", "model"]
    name: str
    verdict: Verdict
    reason: str


class Audit(Struct):
    """Everything there is to say of a model's data. `findings` make the exit code 1, `notes` do not."""

    run: Run
    commit: str
    tags: list[str]
    releases: list[str]
    """The releases that have the same data."""
    dataset: dict[str, Any]
    sources: dict[str, dict[str, Any]]
    licences: dict[str, int]
    read: dict[str, dict[str, int]]
    read_licences: dict[str, int]
    settings: dict[str, Any]
    gate: dict[str, Any]
    evaluation: dict[str, Any]
    personal_data: dict[str, int]
    lines: list[Line]
    findings: list[str]
    notes: list[str]


def audit(name: str, revision: str | None = None) -> Audit:
    """The audit of a run, or of the only run of a model; at another commit with the same data if one is given."""
    run = runs.named(name)
    commit = commit_of(run, revision)
    given, metrics = version.in_force(commit), report(paths.METRICS, commit)
    held = report(paths.GATE, commit)
    sources, read = sources_of(given, metrics), run.dataset.rows
    found = Audit(
        run,
        commit,
        history.tags_by_commit().get(commit, []),
        releases_of(commit),
        metrics.get("dataset") or {},
        sources,
        metrics.get("licences") or {},
        read,
        licences_of(read, sources),
        given,
        held,
        metrics.get("evaluation") or {},
        metrics.get("personal_data") or {},
        [*data_lines(run, commit, given), *model_lines(run, name, given)],
        [],
        [],
    )
    found.findings = list(findings(found))
    found.notes = list(notes(found, metrics))
    return found


# which version


def commit_of(run: Run, revision: str | None) -> str:
    """The commit that a run's record names, or another with the same data; a stop if there is none here."""
    named = run.dataset.commit
    if revision is not None:
        commit = version.commit_of(revision)
        if md5_of(paths.CURATED, commit) != run.dataset.md5:
            raise stop(f"{revision}: its data/curated is not what {run.run} read; leave --rev out, or name another")
        return commit
    if named and repository.commit(named):
        return named
    same = next((each for each in history.commits() if each.outputs[paths.CURATED] == run.dataset.md5), None)
    where = runs.path_of(run.run)
    if not named:
        raise stop(f"{where}: names no commit, as its working tree had none; record the run again with `dataset link`")
    if same:
        raise stop(
            f"{where}: its commit {named[:7]} is not here, rewritten or never fetched, and {same.id[:7]} has the same "
            f"data; `dataset audit {run.run} --rev {same.id[:7]}`"
        )
    raise stop(f"{where}: its commit {named[:7]} is not here and no other has its data; {version.advice(named)}")


def releases_of(commit: str) -> list[str]:
    """The releases that have the same data as a commit, the newest first."""
    same = (each for each in history.commits() if each.outputs[paths.CURATED] == md5_of(paths.CURATED, commit))
    return [tag for each in same for tag in each.tags if tag.startswith(version.RELEASE)]


def report(path: str, commit: str) -> dict[str, Any]:
    """A JSON report as a commit has it; nothing if it has none that can be read."""
    content = version.in_git(path, commit)
    try:
        return dict(decode(content)) if content else {}
    except (msgspec.DecodeError, TypeError, ValueError):
        return {}


def sources_of(given: dict[str, Any], metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Licence, way of making, and numbers of rows and curated records of each source."""
    counted = metrics.get("sources") or {}
    return {
        str(name): {
            "licence": source.get("licence"),
            "method": source.get("method", "unknown"),
            "rows": counted.get(name, {}).get("rows"),
            "curated": counted.get(name, {}).get("curated"),
        }
        for name, source in sorted((given.get("sources") or {}).items())
    }


def licences_of(read: dict[str, dict[str, int]], sources: dict[str, dict[str, Any]]) -> dict[str, int]:
    """The records that a run read, by licence."""
    found: Counter[str] = Counter()
    for rows in read.values():
        for source, count in rows.items():
            found[str(sources.get(source, {}).get("licence") or "unknown")] += count
    return dict(sorted(found.items()))


# the bytes


def data_lines(run: Run, commit: str, given: dict[str, Any]) -> Iterator[Line]:
    """Every output, source and evaluation set of the commit, its code, and what the run read beside them."""
    written, read = outputs(commit), [replace(part, cached=False) for part in inputs(commit)]
    cache, *remotes = stores()
    places = Places([cache, tree(), *remotes], tree(commit))
    of_source = {name: parts(source, [*written, *read]) for name, source in (given.get("sources") or {}).items()}
    taken = {part.path for found in of_source.values() for part in found}
    for output in written:
        if output.path not in taken:
            yield line("output", output.path, [output], places, run)
    for name, found in sorted(of_source.items()):
        yield line("source", name, found, places, run) if found else outside(name, given["sources"][name])
    rest = [part for part in read if part.path not in taken]
    for part in rest:
        if paths.within(part.path, paths.EVAL):
            yield line("evaluation", part.path, [part], places, run)
    yield line("code", "stages", [part for part in rest if not paths.within(part.path, paths.EVAL)], places, run)
    for file, digest in run.dataset.files.items():
        if not any(paths.within(file, output.path) for output in written):
            yield in_git(file, digest.md5, commit)


class Places(Struct):
    """Where bytes are looked for, in this order, the remotes only for what is not here; and the commit's own files."""

    here: list[Place]
    git: Place


def parts(source: dict[str, Any], known: list[Output]) -> list[Output]:
    """The outputs and inputs that a source is made of."""
    path = Path(str(source.get("path"))).as_posix()
    return [part for part in known if overlap(part.path, path)]


def line(
    kind: Literal["output", "source", "evaluation", "code"],
    name: str,
    found: list[Output],
    places: Places,
    run: Run,
) -> Line:
    """What came of hashing one thing again, all its parts together: the worst counts."""
    checked = [looked_for(part, places, run) for part in found]
    worst = next((v for v in ("failed", "not checkable") if any(c.verdict == v for c in checked)), "verified")
    reasons = dict.fromkeys(because(check, len(found) > 1) for check in checked if check.verdict == worst)
    return Line(kind, name, worst, "; ".join(list(reasons)[:3]) + (" …" if len(reasons) > 3 else ""))  # type: ignore[arg-type]


def because(check: Check, several: bool) -> str:
    """Where a part was verified, or what is wrong with it."""
    if check.verdict == "verified":
        return f"in {article(check.place)}"
    told = check.reason or "; ".join(f"{damage.path}: {damage.reason}" for damage in check.damage[:3])
    return f"{check.path}: {told}" if several and not told.startswith(check.path) else told


def looked_for(output: Output, places: Places, run: Run) -> Check:
    """One output hashed at the first place that has it as it should be."""
    if not output.cached:
        return check(output, places.git)
    tried: list[Check] = []
    for place in places.here:
        found = check(output, place)
        if found.verdict == "failed" and not place.is_store:
            continue  # another version lies in the workspace
        if found.verdict == "verified":
            return misread(output, place, run) or tried_before(tried, found)
        tried.append(found)
    return next((each for each in tried if each.verdict == "failed"), tried[0])


def tried_before(tried: list[Check], check: Check) -> Check:
    """A damaged copy is a finding also where another copy is as it should be."""
    damaged = next((each for each in tried if each.verdict == "failed"), None)
    if damaged:
        damaged.reason = f"{because(damaged, False)} in {article(damaged.place)}; intact in {article(check.place)}"
    return damaged or check


def misread(output: Output, place: Place, run: Run) -> Check | None:
    """A finding if a run read other bytes than the commit names."""
    listing = known_listing(output, [place]) or {}
    for file, digest in run.dataset.files.items():
        if paths.within(file, output.path):
            name = file.removeprefix(output.path).removeprefix("/")
            if listing.get(name) != digest.md5:
                return Check(
                    output.path, place.name, "failed", f"the run read other bytes of {file} than the commit names"
                )
    return None


def outside(name: str, source: dict[str, Any]) -> Line:
    """A source that the commit cannot bring back."""
    where = "lies outside the repository" if source.get("external") else "is neither in git nor known to DVC there"
    return Line("source", name, "not checkable", f"{source.get('path')} {where}")


def in_git(file: str, md5: str, commit: str) -> Line:
    """A file that a run read and no stage wrote."""
    content = version.in_git(file, commit)
    if content is None:
        return Line("read", file, "not checkable", "is no file of the commit")
    same = digests.md5_of_bytes(content) == md5
    return Line("read", file, "verified" if same else "failed", "in git" if same else "the run read other bytes of it")


# models


def model_lines(run: Run, asked: str, given: dict[str, Any]) -> Iterator[Line]:
    """The model itself, the one it was made from, and those that made or judged its data."""
    yield artefact(run, asked)
    if run.model.base:
        yield Line("model", run.model.base, "not checkable", "only the name of the base model is recorded")
    named = dict(models_in(given))
    for path, model in sorted(named.items()):
        yield Line("model", f"{path}: {model}", *known(path, model))
    models = given.get("models") or {}
    if (models | (models.get("stages") or {}).get("judge", {})).get("provider", "none") == "none":
        yield Line("model", "judge: local scorer", "verified", "rules in the stage's code, and no model")


def artefact(run: Run, asked: str) -> Line:
    """The model's files, hashed again."""
    model = run.model
    if not model.sha256:
        where = f"only its address is recorded: {model.uri}" if model.uri else "no file of it is recorded"
        return Line("model", model.name, "not checkable", where)
    place = next((path for path in (Path(asked), paths.ROOT / str(model.path)) if path.exists()), None)
    if place is None:
        return Line("model", model.name, "not checkable", f"{model.path} is not here")
    sha256, files, _ = digests.of_artefact(place)
    if sha256 != model.sha256:
        return Line("model", model.name, "failed", f"{model.path} has other bytes than the run left")
    return Line("model", model.name, "verified", f"{model.path}, {files} file{'s' if files != 1 else ''}")


def models_in(given: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """The models that settings name, by their dotted paths."""
    for key, value in given.items() if isinstance(given, dict) else ():
        path = f"{above}.{key}".removeprefix(".")
        if key in MODEL_KEYS and isinstance(value, str):
            yield path, value
        elif key == "provider" and value not in (None, "none"):
            yield path, str(value)
        elif path not in ("sources", "gate", "report"):
            yield from models_in(value, path)


def known(path: str, model: str) -> tuple[Verdict, str]:
    """What can be said of a model that settings name."""
    if model == "lexical":
        return "verified", "computed from the records by the stage's code"
    stage = path.removeprefix("models.stages.").partition(".")[0].replace("models", "the stages that ask it")
    return "not checkable", f"its maker keeps it; what it gave is in the outputs of {stage}"


# what is open


def findings(found: Audit) -> Iterator[str]:
    """What keeps the audit from being clean."""
    for each in found.lines:
        if each.verdict == "failed" or (each.verdict == "not checkable" and each.kind != "model"):
            yield f"{each.name}: {each.verdict}: {each.reason}"
    run = found.run
    yield from (f"the record of the run: {doubt}" for doubt in run.doubts)
    if run.status == "running":
        yield "the run has not ended, or was killed: its record says that it is running"
    if not found.gate:
        yield f"{paths.GATE}: the commit has none that can be read"
    yield from (f"gate: {rule} fails" for rule in rules(found.gate, "error"))
    if leaks := found.evaluation.get("confirmed_leaks"):
        yield f"{leaks} confirmed leaks of the evaluation set are in the dataset"


def rules(held: dict[str, Any], severity: str) -> list[str]:
    """The rules that failed when the gate was held and that no waiver of today lets through."""
    failed = [each for each in results(held) if not each.passed and not gate.waived(each, date.today())]
    return [each.name for each in failed if each.severity == severity]


def results(held: dict[str, Any]) -> list[gate.Result]:
    """What came of each rule when the gate was held; none if that cannot be read."""
    try:
        return msgspec.convert(held.get("rules", []), list[gate.Result], strict=False)
    except msgspec.ValidationError:
        return []


def notes(found: Audit, metrics: dict[str, Any]) -> Iterator[str]:
    """What is open and may be so."""
    yield from (f"gate: {rule}: a warning" for rule in rules(found.gate, "warning"))
    if doubtful := found.evaluation.get("doubtful"):
        yield f"{doubtful} doubtful overlaps with the evaluation set: data/overlaps.jsonl"
    if conflicting := (metrics.get("answers") or {}).get("conflicting"):
        yield f"{conflicting} prompts with conflicting answers: {paths.UNRESOLVED}"
    for name, source in found.sources.items():
        if str(source["licence"]).lower() in UNTOLD:
            yield f"source {name}: its licence is not known"
    if not found.releases:
        yield "its data was never released: `dataset release` makes a release"
    if not reachable(found.commit):
        short = found.commit[:7]
        yield f"no branch or tag leads to {short} any more, and git may delete it: `git tag NAME {short}` keeps it"


def reachable(commit: str) -> bool:
    """Whether git keeps a commit."""
    return bool(repository.git("for-each-ref", "--count=1", "--contains", commit).strip())
