"""What is wrong around the data: libraries, locks, cache, remote, releases, secrets, licences; and what mends it."""

import re
import tomllib
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

from msgspec import Struct
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lineage import places, release, repository, sample, status, version
from lineage.commands import check
from lineage.copies import PUSH, lacking, objects
from lineage.project import outputs
from lineage.repository import names
from stages.contract import gold, params, paths
from stages.contract.params import Stop
from stages.text.personal_data import Rules, redact

SECRET = re.compile(r"password|passphrase|secret|token|connection_string|account_key|sas", re.IGNORECASE)
"""DVC's options of remotes that hold a secret, by what is in their names."""
NO_SECRET = re.compile(r"ask_|_command$|_file$|_path$|exclude_|timeout|encryption")
"""Options with such a word in them that hold none."""
IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]+@")
SETTINGS = re.compile(r"(?:\.ya?ml|\.toml|\.ini|\.cfg|\.conf|\.env|\.sh|\.json|/?Makefile|\.dvc/config)$")
BUILT = re.compile(r"(?:data|tests|schemas|reports)/|dvc\.lock$")
GC = re.compile(r"\bdvc gc\b(?!.*(?:--all-tags|--all-commits|\s-\w*[TA]))")
SMALL = 1_000_000  # bytes; settings are written by hand
UNKNOWN = ("", "none", "unknown", "noassertion", "proprietary", "other")


class Finding(Struct):
    """What is wrong, and the command or the step that mends it."""

    what: str
    do: str


def examine() -> dict[str, list[Finding]]:
    """Every check by its name, with what it found."""
    return {each.__name__.replace("_", " "): list(guarded(each)) for each in CHECKS}


def guarded(examined: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check finds; what stops it is a finding too."""
    try:
        yield from examined()
    except Stop as mistake:
        where, _, do = mistake.message.rpartition("; ")
        yield Finding(where, do)
    except places.Unreadable as problem:
        yield Finding(f"the remote {problem}", "mend the address or the credentials: dvc remote modify --local NAME …")


# what is installed


def libraries() -> Iterator[Finding]:
    """DVC and the other libraries against requirements.lock."""
    other = [
        f"{name} {now or 'missing'} (the lock has {' or '.join(sorted(locked))})"
        for name, locked in pinned().items()
        if (now := version_of(name)) not in locked and (now or name in direct())
    ]
    if other:
        yield Finding(f"not as locked: {status.short(other)}", "make run")


def lock_file() -> Iterator[Finding]:
    """requirements.lock against pyproject.toml, and the versions that are params against both."""
    locked = pinned()
    stale = [
        str(each)
        for name, each in direct().items()
        if not any(each.specifier.contains(number, True) for number in locked.get(name, ()))
    ]
    if stale:
        yield Finding(
            f"requirements.lock does not have what pyproject.toml asks for: {status.short(stale)}", "make lock"
        )
    moved = [
        name for name, number in params.versions().items() if number not in locked.get(canonicalize_name(name), ())
    ]
    if moved:
        yield Finding(f"stages/versions.yaml is not that of requirements.lock: {status.short(moved)}", "make lock")


def pinned() -> dict[str, set[str]]:
    """The versions in requirements.lock; a library can have others for other Pythons or machines."""
    file = paths.ROOT / "requirements.lock"
    found = re.findall(
        r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", file.read_text("utf-8") if file.is_file() else "", re.MULTILINE
    )
    versions: dict[str, set[str]] = {}
    for name, number in found:
        versions.setdefault(canonicalize_name(name), set()).add(number)
    return versions


def direct() -> dict[str, Requirement]:
    """What pyproject.toml asks for without an extra."""
    file = paths.ROOT / "pyproject.toml"
    found = tomllib.loads(file.read_text("utf-8")).get("project", {}).get("dependencies", []) if file.is_file() else []
    return {canonicalize_name(each.name): each for each in map(Requirement, found)}


def version_of(name: str) -> str | None:
    """The version of a library that is installed."""
    try:
        return installed(name)
    except PackageNotFoundError:
        return None


# what is built


def settings() -> Iterator[Finding]:
    """Whether params.yaml can be run at all, and the evaluation sets are what it pins."""
    check.problems()
    for wrong in gold.moved():
        yield Finding(*wrong.split("; ", 1))


def pipeline() -> Iterator[Finding]:
    """What is stale, and what dvc.lock keeps of stages that are gone."""
    if found := release.stale():
        yield Finding(f"{len(found)} stages are stale: {status.short(found)}", "dvc repro")
    whole = version.yaml_of(version.LOCK, None, version.in_git(version.LOCK, None) or b"{}").get("stages") or {}
    if dead := sorted({*whole} - {*version.lock()}):
        yield Finding(
            f"dvc.lock keeps {len(dead)} stages that dvc.yaml has no more: {status.short(dead)}",
            "rm dvc.lock && dvc repro (DVC remembers what it ran)",
        )


def cache() -> Iterator[Finding]:
    """Outputs whose bytes are not in the cache."""
    if found := lacking(places.cache(), outputs()):
        yield Finding(f"not in the cache: {status.short(found)}", "dvc fetch")


# what is shared


def remote() -> Iterator[Finding]:
    """A remote that is there, verifies what it gives, and has everything."""
    if not places.has_remote():
        yield Finding("there is no default remote: nobody else can have the data", "dvc remote add -d NAME URL")
        return
    place = places.remote()
    name = place.name.removeprefix("remote ")
    if not place.root.verify:
        yield Finding(f"DVC believes what the {place.name} gives it", f"dvc remote modify {name} verify true")
    if found := lacking(place, outputs()):
        yield Finding(f"not in the {place.name}: {status.short(found)}", PUSH)


def releases() -> Iterator[Finding]:
    """Releases whose bytes are lost, or that a `dvc gc` would delete for good."""
    stores = places.stores()
    for each in release.releases():
        kept = [out for out in outputs(each.commit) if out.cached and out.digest]
        needed = {digest for out in kept for digest in objects(out, stores)}
        gone = [places.absent(store, needed) for store in stores]
        if lost := set.intersection(*gone):
            yield Finding(
                f"{each.tag}: {len(lost)} objects are neither in the cache nor in the remote",
                f"in a clone that has them: dvc push --all-tags; else git checkout {each.tag} && dvc repro && dvc push",
            )
        elif len(gone) > 1 and gone[1]:
            yield Finding(
                f"{each.tag}: {len(gone[1])} objects are only in this cache: `dvc gc -w` would end it",
                "dvc push --all-tags",
            )
    for name, number, line in lines_of_settings():
        if GC.search(line) and release.releases():
            yield Finding(
                f"{name}:{number}: this `dvc gc` deletes releases that are not checked out",
                "dvc gc --all-tags --all-branches",
            )


# what must not be shared


def secrets() -> Iterator[Finding]:
    """Secrets in settings that git tracks."""
    tracked = {*names("ls-files", "-z")}
    for name in sorted(tracked & {".dataset-key", ".dvc/config.local"}):
        yield Finding(
            f"{name}: is in git, for everybody who has the repository", f"git rm --cached {name}, and make new secrets"
        )
    for section, option in options_of_remotes():
        remote = section.strip("'").removeprefix("remote ").strip('"')
        yield Finding(
            f".dvc/config: {option} of {remote} is in git",
            f"dvc remote modify --unset {remote} {option}, then dvc remote modify --local {remote} {option} NEW",
        )
    for name, number, line in lines_of_settings():
        if IN_URL.search(line) or redact(line, Rules(("secret",), ("placeholder",)))[1]:
            yield Finding(
                f"{name}:{number}: looks like a secret",
                "take it out of the file and replace it where it is used: git keeps the old one",
            )


def options_of_remotes() -> Iterator[tuple[str, str]]:
    """The options in DVC's tracked configuration that hold a secret, with their sections."""
    config = ConfigParser(interpolation=None, strict=False)
    try:
        config.read(paths.ROOT / ".dvc/config")
    except (ConfigError, UnicodeDecodeError):
        return
    for section in config.sections():
        yield from (
            (section, option) for option in config[section] if SECRET.search(option) and not NO_SECRET.search(option)
        )


def lines_of_settings() -> Iterator[tuple[str, int, str]]:
    """The lines of the settings and scripts that git tracks, each with its place; data, tests and what is built are none."""
    for name in names("ls-files", "-z"):
        file = paths.ROOT / name
        if SETTINGS.search(name) and not BUILT.match(name) and file.is_file() and file.stat().st_size < SMALL:
            lines = file.read_text("utf-8", "replace").splitlines()
            yield from ((name, number, line) for number, line in enumerate(lines, 1))


def project_key() -> Iterator[Finding]:
    """The key that protects names and subjects."""
    if found := sample.with_public_key():
        yield Finding(
            f"the sample's public key protects {status.short(found)}: what it hashes can be guessed back",
            sample.NEW_KEY,
        )
    elif params.key_at_hand() != params.SAMPLE_KEY:
        params.project_key.cache_clear()
        params.project_key()


def licences() -> Iterator[Finding]:
    """Sources whose licence nobody stated."""
    entries: dict[str, Any] = params.whole().get("sources") or {}
    for name, entry in entries.items():
        licence = str((entry or {}).get("licence", ""))
        if not stated(licence):
            yield Finding(
                f"sources.{name}: {licence or 'nothing'} is no licence that SPDX knows",
                f"set sources.{name}.licence in params.yaml to an SPDX identifier, or to LicenseRef-NAME for terms of yours",
            )


def stated(licence: str) -> bool:
    """Whether this is a licence, as SPDX spells them."""
    try:
        canonicalize_license_expression(licence)
    except InvalidLicenseExpression:
        return False
    return licence.lower() not in UNKNOWN


def history() -> Iterator[Finding]:
    """Whether git has all versions here."""
    if repository.run("git", "rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
        yield Finding("this clone is shallow: versions before it cannot be asked about", "git fetch --unshallow --tags")


CHECKS = (libraries, lock_file, settings, pipeline, cache, remote, releases, secrets, project_key, licences, history)
