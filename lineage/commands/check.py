"""`dataset check`: whether params.yaml can be run at all, in the template's own words and before DVC reads it."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from lineage import inspection
from lineage.edit import relative
from stages import checks, collect, filter, generate, measure, split
from stages.contract import facts, gold, params, paths, profiles
from stages.contract.params import stop
from stages.contract.paths import STAGES
from stages.contract.source import passed_over
from stages.generation.asked import check_names
from stages.generation.pack import pack_of
from stages.models.settings import ASKING, settings
from stages.reporting import gate, health


def problems() -> None:
    """Stop at the first thing that would stop the pipeline later."""
    params.check_keys()
    params.seed()
    for stage in STAGES:
        if params.whole().get(stage) or stage != "generate":
            params.of_stage(stage, import_module(f"stages.{stage}").Params)
    for name, source in params.sources().items():
        if name != "generated":  # which the pipeline writes
            no_output(name, source.path)
            params.path_of(name)
        collect.check(name, source, params.of_stage("collect", collect.Params))
    filter.prepare(params.of_stage("filter", filter.Params))
    known_languages()
    split.check(params.of_stage("split", split.Params))
    for stage in ASKING:
        settings(stage)
    gate.in_force()
    health.in_force()
    facts.verdicts()
    if params.whole().get("generate"):
        pack = params.value("generate.pack", str)
        asked = params.of_stage("generate", generate.Params)
        check_names(asked, pack_of(params.read_yaml(paths.ROOT / pack), pack))
    if not gold.moved():
        gold.verdicts(gold.frozen())


def no_output(name: str, path: str) -> None:
    """Stop at a source that is, holds or lies in what the pipeline writes: DVC would only say that something is both."""
    place = (paths.ROOT / path).resolve()
    for out in sorted(outputs()):
        if place.is_relative_to(out) or out.is_relative_to(place):
            raise stop(
                f"params.yaml: sources.{name}.path: the pipeline writes {out.relative_to(paths.ROOT.resolve())}, which it "
                "cannot read too; copy what you need to data/sources"
            )


def outputs() -> set[Path]:
    """What the stages after `generate` write, the outputs of one stage per source by their folder."""
    stanzas = params.read_yaml(paths.ROOT / "dvc.yaml")["stages"]
    outs = [
        out for name in stanzas if name != "generate" for out in stanzas[name].get("do", stanzas[name]).get("outs", [])
    ]
    named = (out if isinstance(out, str) else next(iter(out)) for out in outs)
    return {(paths.ROOT / name.partition("${")[0]).resolve() for name in named}


def known_languages() -> None:
    """Stop at an allowed language that is never told, as `zho` for `zh`: everything in it would be dropped."""
    rule = params.of_stage("filter", filter.Params).get("language")
    if not isinstance(rule, dict) or "language" not in checks.names():
        return
    measuring: Any = params.of_stage("measure", measure.Params)
    told = measuring.language.candidates
    if foreign := [code for code in rule.get("allowed", ()) if code not in told]:
        raise stop(
            f"params.yaml: filter.language.allowed: {foreign[0]!r} is not among measure.language.candidates, so that no "
            f"text is told to be in it; add it there, or write one of {', '.join(told)}"
        )


@click.command()
def check() -> None:
    """Check params.yaml, sources' paths, the pack, verdicts and evaluation sets; exit 1 if a set is not what is pinned."""
    problems()
    if moved := gold.moved():
        click.echo("\n".join(moved))
        sys.exit(1)
    for name, source in params.sources().items():
        if left := [relative(each) for each in passed_over((paths.ROOT / source.path).resolve(), source.match)]:
            click.echo(f"sources.{name}: {inspection.not_read(left)}")
    own = sum(each.own for each in profiles.settings(params.whole()))
    said = f"profile {params.whole()['profile']}, {own} of its values changed"
    sets = f"{len(gold.pins())} evaluation set{'s' * (len(gold.pins()) != 1)} as pinned"
    click.echo(f"params.yaml is fine: {len(params.sources())} sources, {len(checks.names())} checks, {sets}, {said}.")
