"""`dataset check`: whether params.yaml can be run at all, in the template's own words and before DVC reads it."""

import sys
from importlib import import_module

import click

from stages import checks, filter, generate
from stages.contract import facts, gold, params, paths, profiles
from stages.contract.paths import STAGES
from stages.generation.asked import check_names
from stages.generation.pack import pack_of
from stages.models.settings import ASKING, settings
from stages.reporting import gate, health


def problems() -> None:
    """Stop at the first thing that would stop the pipeline later."""
    params.check_keys()
    for name in params.sources():
        if name != "generated":  # which the pipeline writes
            params.path_of(name)
    for stage in STAGES:
        if params.whole().get(stage) or stage != "generate":
            params.of_stage(stage, import_module(f"stages.{stage}").Params)
    filter.prepare(params.of_stage("filter", filter.Params))
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


@click.command()
def check() -> None:
    """Check params.yaml, sources' paths, the pack, verdicts and evaluation sets; exit 1 if a set is not what is pinned."""
    problems()
    if moved := gold.moved():
        click.echo("\n".join(moved))
        sys.exit(1)
    own = sum(each.own for each in profiles.settings(params.whole()))
    said = f"profile {params.whole()['profile']}, {own} of its values changed"
    sets = f"{len(gold.pins())} evaluation set{'s' * (len(gold.pins()) != 1)} as pinned"
    click.echo(f"params.yaml is fine: {len(params.sources())} sources, {len(checks.names())} checks, {sets}, {said}.")
