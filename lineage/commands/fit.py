"""`dataset fit`: make the model of trusted text that pages of a source of `kind: web` are held against, and pin it."""

import hashlib
from collections.abc import Iterator

import click

from lineage.edit import Change, edit, with_entry, with_section, with_value
from stages.contract import params, paths, run, shards
from stages.contract.params import stop
from stages.contract.record import draw, joined
from stages.text import perplexity

MODEL = "data/web/model.npy.xz"
FEWEST = 20_000  # characters: less tells no language
HELD_OUT = 0.1  # of the records, which the model does not see, to tell what is usual


@click.command()
@click.argument("what", type=click.Choice(["web"]))
@click.option("--sources", required=True, help="Trusted sources, already built, with commas between them.")
def fit(what: str, sources: str) -> None:
    """Count the letters of trusted sources, write the model, pin it in params.yaml, and say which limit suits it."""
    texts = [*trusted([name.strip() for name in sources.split(",") if name.strip()])]
    learnt = [text for text, held_out in texts if not held_out]
    if sum(map(len, learnt)) < FEWEST:
        raise stop(f"--sources {sources}: have fewer than {FEWEST} characters; name more sources")
    counts = perplexity.counted(learnt)
    content = perplexity.packed(counts)
    shards.put_bytes(paths.ROOT / MODEL, content)
    edit(params.FILE, pin(MODEL, hashlib.sha256(content).hexdigest()))
    click.echo(f"{MODEL}: made of {len(learnt):,} records, {sum(map(len, learnt)):,} characters, and pinned.")
    usual = sorted(filter(None, (perplexity.perplexity(text, counts) for text, held_out in texts if held_out)))
    if usual:
        half, most = usual[len(usual) // 2], usual[min(len(usual) - 1, int(len(usual) * 0.99))]
        click.echo(
            f"Of {len(usual):,} records it has not seen, half have a perplexity up to {half}, 99 % up to {most}."
        )
        click.echo(f"A limit to start from: filter.web.max_perplexity: {round(1.5 * most, 1)}")
    click.echo("Keep the file in git, then run `dvc repro`.")


def trusted(names: list[str]) -> Iterator[tuple[str, bool]]:
    """The text of every surviving record of these sources, and whether it is held out."""
    for name in names:
        if params.source(name).kind == "web":
            raise stop(f"--sources {name}: is a web source, which is what the model is to judge; name others")
        if not paths.records(name).exists():
            raise stop(f"data/records/{name}: is not there; run `make run` first")
    for shard in run.survivors("generate", names):
        for record in run.records_of(shard):
            yield joined(record.messages), draw(0, "fit", record.id) < HELD_OUT


def pin(path: str, sha256: str) -> Change:
    """The change of params.yaml that names the model."""
    made = f"{{model: {{path: {path}, sha256: {sha256}}}}}"
    own = params.given()
    if "measure" not in own:
        return with_section("measure", f"web: {made}")
    return with_value("measure.web", made) if "web" in (own["measure"] or {}) else with_entry("measure", "web", made)
