"""The JSON Schemas in schemas/, generated from the types that own the facts. `make schemas` writes them."""

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from lineage.manifest import Manifest
from lineage.ratings import Compared, Rated
from lineage.runs import Run
from stages import checks
from stages.contract import profiles
from stages.contract.params import Source
from stages.contract.paths import STAGES
from stages.contract.record import Drop, Record
from stages.generation.pack import Pack
from stages.models.settings import Params as Models
from stages.reporting import gate, health

FOLDER = Path(__file__).parents[1] / "schemas"


PARTIAL = {"Rule": ["name"], "stages.reporting.gate.Params": [], "Ranges": [], "Health": []}
"""What params.yaml may say in part, because the profile says the rest, and the keys that it must name."""


def record() -> dict[str, Any]:
    """The schema of a line of data/records."""
    return msgspec.json.schema(Record)


def drop() -> dict[str, Any]:
    """The schema of a line of data/dropped and of data/curated/dropped.jsonl."""
    return msgspec.json.schema(Drop)


def run() -> dict[str, Any]:
    """The schema of a file in data/runs."""
    return msgspec.json.schema(Run)


def params() -> dict[str, Any]:
    """The schema of params.yaml: one key per stage, and what several share."""
    types = {stage: import_module(f"stages.{stage}").Params for stage in STAGES if stage != "filter"}
    types |= {f"filter.{name}": checks.check(name).Params for name in checks.names()}
    types |= {"sources.*": Source, "gate": gate.Params, "health": health.Params, "models": Models}
    found, components = msgspec.json.schema_components(types.values(), ref_template="#/$defs/{name}")
    named = dict(zip(types, found, strict=True))
    rules = {
        name.removeprefix("filter."): {"anyOf": [at, {"enum": ["on", "off", True, False]}]}
        for name, at in named.items()
        if "filter." in name
    }
    shared = {
        "seed": {"type": "integer"},
        "project_key": {"type": "string"},
        "sources": {"type": "object", "additionalProperties": named["sources.*"], "minProperties": 1},
        "eval": {"type": "object"},
        "gate": named["gate"],
        "models": named["models"],
        "health": named["health"],
        "profile": {"type": "string", "examples": list(profiles.table().profiles)},
        "filter": {"type": "object", "properties": rules, "additionalProperties": False},
    }
    return {
        "type": "object",
        "properties": {stage: named[stage] for stage in STAGES if stage != "filter"} | shared,
        "required": ["seed", "sources", "eval"],
        "additionalProperties": False,
        "$defs": components | {name: components[name] | {"required": required} for name, required in PARTIAL.items()},
    }


def pack() -> dict[str, Any]:
    """The schema of a file in data/packs."""
    return msgspec.json.schema(Pack)


def manifest() -> dict[str, Any]:
    """The schema of reports/manifest.json."""
    return msgspec.json.schema(Manifest)


def rating() -> dict[str, Any]:
    """The schema of a line of data/ratings."""
    found, components = msgspec.json.schema_components([Rated, Compared])
    return {"anyOf": list(found), "$defs": components}


SCHEMAS = {
    "record": record,
    "drop": drop,
    "run": run,
    "params": params,
    "manifest": manifest,
    "pack": pack,
    "rating": rating,
}


def text(name: str) -> str:
    """One schema as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(SCHEMAS[name](), order="deterministic"), indent=2).decode() + "\n"


def path(name: str) -> Path:
    """The file of one schema."""
    return FOLDER / f"{name}.schema.json"


if __name__ == "__main__":
    for schema in SCHEMAS:
        path(schema).write_text(text(schema), "utf-8")
