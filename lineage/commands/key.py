"""`dataset key`: the fingerprint of the project key at hand."""

import click

from stages.contract import params


@click.command()
def key() -> None:
    """Print the fingerprint of the key in DATASET_KEY or .dataset-key, for project_key in params.yaml."""
    click.echo(params.fingerprint(params.key_at_hand()))
