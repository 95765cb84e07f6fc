"""`dataset link`: record which data a model was trained on, when the training is over."""

from typing import Any

import click

from lineage import metadata, settings, training
from lineage.runs import Dataset, Model, Run, path_of
from stages.contract.record import encode
from stages.text.visible import visible


@click.command()
@click.argument("model")
@click.option(
    "--artefact", default="", metavar="PATH|URI", help="The model's file or folder, which is hashed, or address."
)
@click.option("--base", help="The model it was made from.")
@click.option("--run", "name", help="An id for the run; made up without it.")
@click.option(
    "--data", multiple=True, metavar="NAME", help="What was read, as in train; all of data/curated without it."
)
@click.option("--rev", help="In this version, as its dvc.lock names it; without it the files here, hashed.")
@click.option("--param", multiple=True, metavar="KEY=VALUE", help="A hyperparameter; repeatable.")
@click.option("--metric", multiple=True, metavar="KEY=VALUE", help="A metric; repeatable.")
@click.option("--force", is_flag=True, help="Let uncommitted changes and unknown data through; the record says so.")
@click.option("--json", "as_json", is_flag=True, help="Print the record.")
def link(
    model: str,
    artefact: str,
    base: str | None,
    name: str | None,
    data: tuple[str, ...],
    rev: str | None,
    param: tuple[str, ...],
    metric: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Write data/runs/RUN.json, which says what MODEL was trained on. Commit it."""
    record = Run(name or metadata.fresh(model), Model(model, base), Dataset(None), metadata.now())
    record.params = {key: numeric(value) for key, value in settings.parsed(param).items()}
    record.metrics = metadata.metrics_of(settings.parsed(metric))
    record = training.link(record, artefact, data, rev, force)
    click.echo(encode(record) if as_json else visible("\n".join(lines(record))))


def numeric(value: Any) -> Any:
    """The number in a text such as 2e-5, which YAML takes for a word."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def lines(record: Run) -> list[str]:
    """What was written, for people."""
    data, rows = record.dataset, record.dataset.rows
    read = [f"{place}" + (f" ({sum(rows[place].values()):,} records)" if place in rows else "") for place in data.files]
    return [
        f"{path_of(record.run)}: {record.model.name} was trained on {data.release or (data.commit or 'no commit')[:7]}: "
        f"{', '.join(read)}",
        *(f"in doubt: {doubt}" for doubt in record.doubts),
        f"commit it: git add {path_of(record.run)} && git commit -m 'Record the run {record.run}'",
        f"then: dataset audit {record.run}",
    ]
