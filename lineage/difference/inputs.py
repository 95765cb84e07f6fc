"""What went into two versions and differs: settings by their dotted paths, sources, and the code of each stage."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from lineage import repository, version
from lineage.merging.keys import ABSENT, keyed, same, shown
from stages.contract import paths

CODE = "stages/"
SOURCES = "sources"
Leaf = tuple[str, Any, Any]
"""A dotted path with the value before and after."""


class Change(Struct, frozen=True):
    """A setting with another value, both as YAML writes them."""

    key: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.key} {self.before} -> {self.after}"


class SourceChange(Struct, frozen=True):
    """A source that is new, removed, renamed (from `before`), or whose rows or settings are others."""

    name: str
    how: str
    before: str = ""


class Inputs(Struct):
    """What of a stage's inputs differs between two versions, as dvc.lock recorded them."""

    settings: list[Leaf] = []
    code: list[str] = []
    data: list[str] = []

    @property
    def told(self) -> list[str]:
        """The settings and the code, as causes name them."""
        code = [f"code of {', '.join(self.code)}"] if self.code else []
        return [told(each) for each in self.settings] + code


def change_of(leaf: Leaf) -> Change:
    """A changed value as it is written."""
    key, before, after = leaf
    return Change(key, shown(before), shown(after))


def told(leaf: Leaf) -> str:
    """A changed value on one line."""
    return str(change_of(leaf))


def leaves(before: Any, after: Any, key: str = "") -> Iterator[Leaf]:
    """The values that differ, by their dotted paths; rules and the like are told by their names."""
    if same(before, after):
        return
    old, new = keyed(before), keyed(after)
    names = {**(old or {}), **(new or {})}
    whole = any(each is None and value is not ABSENT for each, value in ((old, before), (new, after)))
    if whole or not names:
        yield key, before, after
        return
    listed = isinstance(after if old is None else before, list)
    for name in names:
        path = f"{key}[{name}]" if listed else f"{key}.{name}".removeprefix(".")
        yield from leaves((old or {}).get(name, ABSENT), (new or {}).get(name, ABSENT), path)


def settings(before: str | None, after: str | None) -> list[Change]:
    """What differs in the settings, those of the profile too; sources have a layer of their own."""
    old, new = ({**version.in_force(revision), SOURCES: {}} for revision in (before, after))
    return [change_of(leaf) for leaf in leaves(old, new)]


def unbuilt(revision: str | None) -> list[str]:
    """Settings of a version that its last run did not have: the lock recorded other values."""
    found: dict[str, None] = {}
    given, own = version.in_force(revision), version.settings(revision)
    for name, entry in version.lock(revision).items():
        if name == "resolve":  # it takes params.yaml whole
            found |= dict.fromkeys(key for key, *_ in leaves(version.recorded(entry), own))
            continue
        for path, value in version.recorded(entry).items():
            found |= dict.fromkeys(key for key, *_ in leaves(value, at(given, path), path))
    return list(found)


def at(settings: Any, path: str) -> Any:
    """The value at a dotted path."""
    for key in path.split("."):
        settings = settings.get(key, ABSENT) if isinstance(settings, dict) else ABSENT
    return settings


def sources(before: str | None, after: str | None) -> list[SourceChange]:
    """Sources that came, went, got another name, or have other rows or settings."""
    old, new = ({str(k): v for k, v in (version.settings(each).get(SOURCES) or {}).items()} for each in (before, after))
    renamed = renames(before, after)
    found = [SourceChange(name, "renamed", former) for name, former in sorted(renamed.items())]
    found += [SourceChange(name, "removed") for name in sorted(old.keys() - new.keys() - {*renamed.values()})]
    found += [SourceChange(name, "new") for name in sorted(new.keys() - old.keys() - renamed.keys())]
    for name in sorted(old.keys() & new.keys()):
        changed = [key for key, *_ in leaves(old[name], new[name])]
        if rows_of(name, before) != rows_of(name, after):
            changed.insert(0, "rows")
        if changed:
            found.append(SourceChange(name, f"{', '.join(changed)} changed"))
    return found


def renames(before: str | None, after: str | None) -> dict[str, str]:
    """New names of sources with the former: one that came with the path, or else the bytes, of one that went."""
    old, new = (version.settings(each).get(SOURCES) or {} for each in (before, after))
    gone, came = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    found: dict[str, str] = {}
    for name in came:
        alike = [
            former
            for former in gone
            if former not in found.values()
            and (
                old[former].get("path") == new[name].get("path")
                or (rows_of(former, before) or 0) == rows_of(name, after)
            )
        ]
        if alike:
            found[name] = alike[0]
    return found


def rows_of(source: str, revision: str | None) -> str | None:
    """The digest of a source's rows, as `collect` read them."""
    path = str((version.settings(revision).get(SOURCES) or {}).get(source, {}).get("path", "")).rstrip("/")
    entry = version.lock(revision).get(f"collect@{source}", {})
    return next((dep.get("md5") for dep in entry.get("deps") or [] if dep["path"].rstrip("/") == path), None)


def instance(stage: str, source: str) -> str:
    """How the lock names a stage's run for a source."""
    return f"{stage}@{source}" if stage in (*paths.PER_SOURCE, "measure") else stage


def of_stage(stage: str, source: tuple[str, str], before: str | None, after: str | None) -> Inputs:
    """What of a stage's inputs differs; `source` is its name in both versions."""
    old, new = (
        version.lock(each).get(instance(stage, name), {}) for each, name in zip((before, after), source, strict=True)
    )
    found, names = Inputs(), {f"{SOURCES}.{source[0]}": f"{SOURCES}.{source[1]}"}
    for file in {**(old.get("params") or {}), **(new.get("params") or {})}:
        given = [(entry.get("params") or {}).get(file, {}) for entry in (old, new)]
        given[0] = {names.get(key, key): each for key, each in given[0].items()}
        for key in {**given[0], **given[1]}.keys() - {SOURCES}:  # which sources there are tells nothing of one row
            found.settings += leaves(given[0].get(key, ABSENT), given[1].get(key, ABSENT), key)
    found.settings.sort(key=lambda leaf: leaf[0])
    deps = [{dep["path"]: dep.get("md5") for dep in entry.get("deps") or []} for entry in (old, new)]
    for path in sorted(path for path in {**deps[0], **deps[1]} if deps[0].get(path) != deps[1].get(path)):
        (found.code if path.startswith(CODE) else found.data).append(path)
    return found


def code(before: str | None, after: str | None) -> dict[str, list[str]]:
    """The files of code that differ, each with the stages that depend on it."""
    given = [version.full(each) for each in (before, after) if each is not None]
    changed = repository.names(
        "diff", "--name-only", "--relative", "--no-renames", "-z", *given, "--", CODE, version.PIPELINE
    )
    if len(given) < 2:
        changed += repository.names("ls-files", "--others", "--exclude-standard", "-z", "--", CODE)
    return {path: dependents(path, after) for path in sorted(changed)}


def dependents(path: str, revision: str | None) -> list[str]:
    """The stages that a file is a dependency of."""
    found = {
        name.partition("@")[0]
        for name, entry in version.lock(revision).items()
        for dep in entry.get("deps") or []
        if paths.within(path, dep["path"])
    }
    return [stage for stage in paths.STAGES if stage in found]
