"""Profiles: every threshold by name, as stages/profiles.yaml has it. What params.yaml says of its own stands above them."""

import difflib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct

from stages.contract.params import FILE, stop, typed, yaml_value

TABLE = Path(__file__).parents[1] / "profiles.yaml"
NAME = "stages/profiles.yaml"
DEFAULT = "lesson-200"
OPEN = ("filter.", "measure.", "gate.")
"""Where one's own rules stand, which no profile knows."""
ON, OFF = ("on", True), ("off", False)  # YAML 1.2, which DVC reads, takes on and off for text
Entry = dict[str, Any]
"""The value of one setting: under `all`, unless the profile's own name stands beside it; `why` says where it is from."""


class Table(Struct, forbid_unknown_fields=True, frozen=True):
    """All profiles: what each is for, the settings by their dotted paths, and the gate's rules, whose fields are entries."""

    profiles: dict[str, str]
    settings: dict[str, Entry]
    gate: list[Entry]


class Setting(Struct, frozen=True):
    """A value in force and what the profile says there (UNSET of what it does not know); if they differ, it is one's own."""

    path: str
    value: Any
    usual: Any
    own: bool


@cache
def table() -> Table:
    """stages/profiles.yaml."""
    return typed(yaml_value(TABLE.read_bytes(), NAME), Table, "", NAME)


def name_in(given: dict[str, Any]) -> str:
    """The profile that params.yaml names."""
    name = given.get("profile") or DEFAULT
    known = table().profiles
    if not isinstance(name, str) or name not in known:
        near = difflib.get_close_matches(str(name), known, 2)
        advice = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"
        raise stop(f"{FILE}: profile: there is no profile {name!r}; {advice}")
    return name


def chosen(entry: Any, profile: str, path: str) -> Any:
    """The value of an entry for a profile."""
    if not isinstance(entry, dict):
        return entry
    if profile not in entry and "all" not in entry:
        raise stop(f"{NAME}: {path}: has no value for {profile}; add one, or one for `all`")
    return entry.get(profile, entry.get("all"))


def is_switch(path: str) -> bool:
    """Whether a setting switches a rule of `filter` on or off."""
    return path.startswith("filter.") and path.count(".") == 1


def values(profile: str) -> dict[str, Any]:
    """What the profile says, as params.yaml would; of a rule that is off also its limits, to be used when it is on."""
    found: dict[str, Any] = {}
    for path, entry in table().settings.items():
        *sections, last = path.split(".")
        inner = found
        for section in sections:
            inner = inner.setdefault(section, {})
        inner.update({last: {}} if is_switch(path) else {last: chosen(entry, profile, path)})
    rules = [{key: chosen(rule[key], profile, rule["name"]) for key in rule if key != "why"} for rule in table().gate]
    return found | {"gate": {"rules": rules}}


def resolved(given: dict[str, Any]) -> dict[str, Any]:
    """Every setting: the profile's value, unless `given`, which is what params.yaml says, has one of its own."""
    profile = name_in(given)
    found = values(profile)
    found |= {
        key: laid_over(found.get(key), value, key) for key, value in given.items() if key not in ("filter", "gate")
    }
    found["filter"] = rules(found.get("filter", {}), given.get("filter"), profile)
    found["gate"] = gate(found["gate"], given.get("gate"))
    own = given.get("measure")
    if not (isinstance(own, dict) and "skip" in own):
        found["measure"] = measured(found["measure"], found["filter"])
    return found | {"profile": profile}


def measured(usual: Any, rules: Any) -> Any:
    """What is measured: all but what the profile skips and no rule asks for."""
    if not isinstance(usual, dict) or not isinstance(rules, dict):
        return usual
    return usual | {"skip": [name for name in usual["skip"] if rules.get(name, "off") == "off"]}


def laid_over(usual: Any, own: Any, path: str) -> Any:
    """A value of one's own over the usual one; of a mapping key by key, unless it is the value of one setting."""
    if not isinstance(usual, dict) or (path in table().settings and not is_switch(path)):
        return own
    if own is None:
        return usual
    if not isinstance(own, dict):
        return own
    return usual | {key: laid_over(usual.get(key), value, f"{path}.{key}") for key, value in own.items()}


def rules(usual: dict[str, Any], own: Any, profile: str) -> Any:
    """The rules of `filter`: the limits of each that is on, and the word off for each that is off."""
    if not isinstance(own, dict | None):
        return own
    switches = {path: chosen(entry, profile, path) for path, entry in table().settings.items() if is_switch(path)}
    said = {path.partition(".")[2]: switch for path, switch in switches.items()} | (own or {})
    return {name: rule(usual.get(name, {}), each, f"filter.{name}") for name, each in said.items()}


def rule(usual: dict[str, Any], own: Any, path: str) -> Any:
    """The limits of one rule, or the word off."""
    if own is None:
        raise stop(f"{FILE}: {path}: says nothing; write on, off or the rule's limits, or take the key out")
    if isinstance(own, dict):
        return laid_over(usual, own, path)
    return "off" if own in OFF else usual if own in ON else own


def gate(usual: dict[str, Any], own: Any) -> Any:
    """The gate: the profile's rules, each changed by what a rule of the same name says, and one's own rules."""
    if not isinstance(own, dict) or not isinstance(own.get("rules", []), list):
        return usual if own is None else own
    found = {rule["name"]: rule for rule in usual["rules"]}
    added = []
    for each in own.get("rules", []):
        name = each.get("name") if isinstance(each, dict) else None
        if not isinstance(name, str):
            added.append(each)
        elif name in found:
            found[name] = found[name] | each
        elif "metric" not in each:
            near = difflib.get_close_matches(name, found, 1)
            raise stop(
                f"{FILE}: gate.rules: the profile has no rule {name!r}; "
                + (f"did you mean {near[0]!r}?" if near else "give a rule of your own its metric and remedy")
            )
        else:
            added.append(each)
    return own | {"rules": [*found.values(), *added]}


def settings(in_force: dict[str, Any]) -> list[Setting]:
    """Every value that a profile governs, with the profile's, in the order of the table, one's own rules last."""
    usual = dict(flat(resolved({"profile": in_force.get("profile")})))
    own = dict(flat(in_force))
    order = [path for path in usual if path in own]
    order += [path for path in own if path not in usual and path.startswith(OPEN)]
    return [Setting(path, own[path], usual.get(path, UNSET), usual.get(path, UNSET) != own[path]) for path in order]


def flat(found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The governed settings by their dotted paths; a rule's switch stands before its limits, the gate's by their names."""
    sections = dict.fromkeys(path.partition(".")[0] for path in table().settings)
    for section in sections:
        yield from leaves(found.get(section, {}), section)
    for each in found.get("gate", {}).get("rules", []):
        yield from ((f"gate.{each['name']}.{key}", value) for key, value in each.items() if key != "name")


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The settings in a section."""
    if is_switch(path):
        yield path, "off" if value == "off" else "on"
        if isinstance(value, dict):
            yield from ((f"{path}.{key}", each) for key, each in value.items())
    elif isinstance(value, dict) and path not in table().settings:
        for key, each in value.items():
            yield from leaves(each, f"{path}.{key}")
    else:
        yield path, value


def plain(value: Any) -> str:
    """A value on one line."""
    if value is UNSET:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
