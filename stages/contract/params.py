"""Reading params.yaml: one strict type per stage, so that a misspelt key stops the run instead of being ignored."""

import difflib
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
import yaml
from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract import paths

T = TypeVar("T")

FILE = "params.yaml"
VERSIONS = Path(__file__).parents[1] / "versions.yaml"
SOURCE_NAME = "[a-z][a-z0-9_]{0,39}"  # it is put on a shell line
LARGEST_FILE = 1_000_000  # bytes; params are written by hand
SHORTEST_KEY = 16  # characters
SAMPLE_KEY = b"the sample's project key: public"
"""Keys what the shipped sample hashes; a real project puts its own in DATASET_KEY or .dataset-key."""


class Source(Struct, forbid_unknown_fields=True, frozen=True):
    """One entry of `sources`: where its rows are and what is known of all of them."""

    path: Annotated[
        str, Limits(description="a file, or a folder of batches; .jsonl, .json or .csv, each also .gz", min_length=1)
    ]
    licence: Annotated[str, Limits(description="SPDX identifier", min_length=1)]
    kind: Annotated[
        Literal["written", "web"], Limits(description="web: pages, which are checked for what only pages have")
    ] = "written"
    match: Annotated[str, Limits(description="which files of a folder to read")] = "*"
    shape: Annotated[str | None, Limits(description="a module of stages/formats; detected when absent")] = None
    fields: Annotated[dict[str, str], Limits(description="our field name: the name in the rows")] = {}
    id_field: str | None = None
    topic_field: str | None = None
    created_field: str | None = None
    subject_field: Annotated[str | None, Limits(description="the person a row is about; kept as a keyed hash")] = None
    rating_field: str | None = None
    licence_field: Annotated[
        str | None, Limits(description="a row's own licence; of a row without one none is known")
    ] = None
    parents_field: Annotated[
        str | None, Limits(description="ids of the records that a row was made from; they share a split")
    ] = None
    extra_field: Annotated[str | None, Limits(description="an object that is kept, redacted, in meta.extra")] = None
    url_field: Annotated[str | None, Limits(description="where a page was found; its domain is kept")] = None
    model: Annotated[str | None, Limits(description="the language model that wrote the rows")] = None
    model_field: str | None = None
    method: Literal["unknown", "human", "log", "template", "model", "augmented"] = "unknown"
    external: Annotated[bool, Limits(description="allow a path outside the repository")] = False


def stop(message: str) -> SystemExit:
    """A user's mistake: the message on stderr, exit code 2, no traceback."""
    return Stop(message)


class Stop(SystemExit):
    """Ends the program with code 2 and prints its message as `<where>: <what is wrong>; <what to do>`."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(2)

    def __str__(self) -> str:
        return self.message


class Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Safe YAML that refuses a repeated key instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the base does, after looking for repeated keys."""
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands here twice", key.start_mark)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in Loader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
"""YAML 1.2, as DVC reads the same file: `no` is Norwegian, not false."""


def read_yaml(path: Path) -> dict[str, Any]:
    """A mapping from a YAML file of at most a megabyte."""
    if not path.is_file():
        raise stop(f"{path}: there is no such file; run from the project's folder")
    if path.stat().st_size > LARGEST_FILE:
        raise stop(f"{path}: is over {LARGEST_FILE} bytes; params are written by hand, keep data out of them")
    return mapping(path.read_bytes(), str(path))


def mapping(content: bytes, where: str) -> dict[str, Any]:
    """A mapping from YAML, or a stop that names the place."""
    found = yaml_value(content, where)
    if not isinstance(found, dict):
        raise stop(f"{where}: is not a mapping; give it one key per stage")
    return found


def yaml_value(content: bytes, where: str) -> Any:
    """Any value from YAML, or a stop that names the place."""
    try:
        return yaml.load(content.decode("utf-8"), Loader)  # noqa: S506 - Loader is a safe loader
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise stop(f"{where}: is not UTF-8 text in line {line}; save the file as UTF-8") from None
    except yaml.YAMLError as error:
        said = " ".join(str(error).replace('"<unicode string>", ', "").split())
        raise stop(f"{where}: is not YAML: {said}; mend the line it names") from None


TAKEN: dict[str, Any] = {}
"""What another process has read: a worker elsewhere has no params.yaml, or another one."""


@cache
def whole() -> dict[str, Any]:
    """Every setting: what params.yaml says, over what its profile says."""
    return TAKEN or settled(given())


def given() -> dict[str, Any]:
    """What params.yaml itself says, as it stands now."""
    return read_yaml(paths.ROOT / FILE)


def settled(own: dict[str, Any]) -> dict[str, Any]:
    """Every setting, if params.yaml said this."""
    from stages.contract.profiles import resolved  # which reads its table with this module

    return resolved(own)


def take(settings: dict[str, Any]) -> None:
    """Work with these params from now on, as a worker does with those of its task."""
    if settings != TAKEN:
        TAKEN.clear()
        TAKEN.update(settings)
        whole.cache_clear()
        project_key.cache_clear()


@contextmanager
def using(settings: dict[str, Any]) -> Iterator[None]:
    """params.yaml with other values at these dotted paths while the block lasts; nothing is written."""
    kept, own = dict(whole()), given()
    for path, each in settings.items():
        *keys, last = path.split(".")
        inner: Any = own
        for key in keys:
            if not isinstance(inner.get(key), dict):
                inner[key] = {}
            inner = inner[key]
        inner[last] = each
    try:
        replace(settled(own))
        yield
    finally:
        replace(kept)


def replace(settings: dict[str, Any]) -> None:
    """Put other settings in the place of those that were read."""
    whole().clear()
    whole().update(settings)


def typed(value: Any, expected: type[T], where: str, file: str = FILE) -> T:
    """`value` as the type, or a stop that names the file, the key and the nearest right one."""
    try:
        return msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        raise stop(f"{file}: {located(str(error), where)}; {advice(str(error), expected)}") from None


def located(error: str, where: str) -> str:
    """msgspec's message with its path, below `where`, in front: `dedup.floor: expected …`."""
    text, _, path = error.partition(" - at `$")
    place = (where + path.rstrip("`")).removeprefix(".")
    return (f"{place}: " if place else "") + text[0].lower() + text[1:]


def advice(error: str, expected: type) -> str:
    """What to do about a wrong key or value."""
    unknown = re.search(r"unknown field `(.+?)`", error)
    struct = isinstance(expected, type) and issubclass(expected, Struct)
    names = [field.name for field in msgspec.structs.fields(expected)] if struct else []
    near = difflib.get_close_matches(unknown.group(1), names, 1) if unknown else []
    if near:
        return f"did you mean {near[0]}?"
    if unknown and names:
        return f"known are {', '.join(names)}"
    choices = choices_of(expected, error) if error.startswith("Invalid enum value") else []
    return f"write one of {', '.join(choices)}" if choices else "mend the value"


def choices_of(expected: type, error: str) -> list[str]:
    """The values that the field which an error of msgspec names can have; none if they cannot be told."""
    place = re.search(r" - at `\$\.(\w+)`$", error)
    if not (place and isinstance(expected, type) and issubclass(expected, Struct)):
        return []
    types = {field.name: field.type for field in msgspec.structs.fields(expected)}
    return [str(choice) for choice in literals(types.get(place.group(1)))]


def literals(kind: Any) -> list[Any]:
    """The values of every Literal in a type, however deep."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [choice for inner in get_args(kind) for choice in literals(inner)]


SHARED = ("seed", "profile", "project_key", "sources", "models", "eval", "gate", "health")
"""Keys that belong to no single stage."""


UNSEEN = ("size", "nfiles")
"""Keys that DVC 3.67 leaves out, at any depth, of what it looks an earlier run up by (dvc/stage/cache.py)."""


def check_keys() -> None:
    """Stop at a key that nothing reads: most are misspelt."""
    for key in whole():
        if key not in (*paths.STAGES, *SHARED):
            near = difflib.get_close_matches(str(key), (*paths.STAGES, *SHARED), 1)
            raise stop(
                f"{FILE}: {key}: nothing reads this key; {f'did you mean {near[0]}?' if near else 'take it out'}"
            )
    for path, each in paths_in(whole()):
        if path.rpartition(".")[2] in UNSEEN:
            raise stop(f"{FILE}: {path}: DVC does not see a change below a key of this name; name it otherwise")
        if isinstance(each, date):
            raise stop(f'{FILE}: {path}: DVC takes no dates; put it in quotes: "{each}"')


def paths_in(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted path of every key, at any depth, and its value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        path = f"{above}.{key}".removeprefix(".")
        yield path, each
        yield from paths_in(each, path)


def of_stage(stage: str, expected: type[T]) -> T:
    """The params of one stage."""
    return typed(whole().get(stage) or {}, expected, stage)


def value(path: str, expected: type[T]) -> T:
    """One value by its dotted path, for a stage that needs another's."""
    found: Any = whole()
    for key in path.split("."):
        if not isinstance(found, dict) or key not in found:
            raise stop(f"{FILE}: {path} is missing; add it")
        found = found[key]
    return typed(found, expected, path)


def seed() -> int:
    """The seed of every draw."""
    return value("seed", int)


def sources() -> dict[str, Source]:
    """All sources by name, in the order of their names."""
    named = typed(whole().get("sources") or {}, dict, "sources")
    if not named:
        raise stop(f"{FILE}: sources is empty; add one with `dataset add NAME PATH --licence SPDX`")
    for source in named:
        if not re.fullmatch(SOURCE_NAME, str(source)):
            raise stop(
                f"{FILE}: sources.{source}: the name is not a-z, 0-9 and _; rename it (it is put on a shell line)"
            )
    return {source: typed(named[source], Source, f"sources.{source}") for source in sorted(named)}


def source(name: str) -> Source:
    """One source; a stage that names a source which is not there stops."""
    known = sources()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise stop(f"{FILE}: sources has no {name!r}; {f'did you mean {near[0]}?' if near else 'add it'}")
    return known[name]


def path_of(name: str) -> Path:
    """The path of a source, inside the repository unless it is declared external."""
    given = source(name)
    path = paths.ROOT / given.path
    if not given.external and not path.resolve().is_relative_to(paths.ROOT.resolve()):
        raise stop(f"{FILE}: sources.{name}.path leaves the repository; set external: true if that is meant")
    if not path.exists():
        raise stop(f"{FILE}: sources.{name}.path: {given.path} is not there; put the data there or run `dvc pull`")
    return path


def fingerprint(key: bytes) -> str:
    """What params.yaml says of the project key: enough to tell keys apart, nothing to guess one back."""
    return hashlib.blake2b(key, digest_size=8, person=b"project-key").hexdigest()


def key_at_hand() -> bytes:
    """The key in DATASET_KEY or .dataset-key, or else the sample's."""
    text = key_text()
    return hashed(text) if text else SAMPLE_KEY


def key_text() -> str:
    """What DATASET_KEY or .dataset-key says; empty if there is neither."""
    file = paths.ROOT / ".dataset-key"
    text = os.environ.get("DATASET_KEY") or (
        file.read_text("utf-8", "surrogateescape").strip() if file.is_file() else ""
    )
    if text and len(text) < SHORTEST_KEY:
        raise stop(f".dataset-key: has {len(text)} characters, which can be guessed; use {SHORTEST_KEY} or more")
    return text


def hashed(text: str) -> bytes:
    """The key that a text of any length stands for."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


@cache
def project_key() -> bytes:
    """The key behind subjects, declared ids and the ids of broken rows; only `collect` needs it."""
    key, expected = key_at_hand(), str(whole().get("project_key", ""))
    if fingerprint(key) != expected:
        raise stop(
            f"{FILE}: project_key is {expected!r}, the key at hand has {fingerprint(key)!r}; "
            "put the team's key into DATASET_KEY or .dataset-key, or the new fingerprint into params.yaml"
        )
    return key


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries that change answers, as the lock file was made with them."""
    return {str(name): str(value) for name, value in read_yaml(VERSIONS).items()}


def check_versions(stage: str) -> None:
    """Stop if a library that changes this stage's answers is not the locked one."""
    for library in versions_of(stage):
        from importlib.metadata import version  # slow to load, and most stages depend on no library

        if (installed := version(library)) != versions().get(library):
            raise stop(
                f"{library}: {installed} is installed, stages/versions.yaml names {versions().get(library)}; "
                "run `make run`, which installs the lock, or `make lock` to move to new versions"
            )


def versions_of(stage: str) -> list[str]:
    """The libraries that dvc.yaml names as params of this stage."""
    stanza = read_yaml(paths.ROOT / "dvc.yaml")["stages"].get(stage, {})
    declared = stanza.get("do", stanza).get("params", [])
    return [
        library for entry in declared if isinstance(entry, dict) for library in entry.get("stages/versions.yaml", [])
    ]
