"""`dataset start`: empty the sample and leave a project that waits for data of its own."""

import hashlib
import secrets

import click

from lineage import status
from lineage.edit import edit, with_value, without
from stages.contract import params, paths, shards
from stages.contract.params import stop


def goes() -> list[str]:
    """What is deleted: the sample's sources and evaluation set, and everything that was built from them."""
    kept = (paths.ROOT / "data/runs", paths.ROOT / "data/eval", paths.ROOT / "data/sources")
    built = [entry for entry in (paths.ROOT / "data").glob("[!.]*") if entry not in kept]
    reports = [*(paths.ROOT / "reports").glob("[!.]*"), paths.ROOT / "dvc.lock"]
    found = [*(paths.ROOT / "data/sources").glob("[!.]*"), paths.ROOT / paths.GOLD, *built, *reports]
    return sorted(entry.relative_to(paths.ROOT).as_posix() for entry in found if entry.exists())


def check_sample() -> None:
    """Stop if this project is not the sample any more, or if git could not bring it back."""
    if params.whole().get("project_key") != params.fingerprint(params.SAMPLE_KEY):
        raise stop(
            "params.yaml: project_key is not the sample's, so this project has been started; delete sources by hand"
        )
    if changed := status.output("status", "--porcelain", "--", "data", "params.yaml", "dvc.yaml"):
        raise stop(f"{changed[0][3:]}: is not committed and would be lost; commit it, or take it back with git")


def start_over() -> str:
    """Delete the sample, make a project key, and return its fingerprint."""
    for entry in goes():
        shards.remove(paths.ROOT / entry)
    (paths.ROOT / "data/sources").mkdir(parents=True, exist_ok=True)
    (paths.ROOT / "data/sources/.gitkeep").touch()
    shards.put(paths.ROOT / paths.GOLD, [])
    key = paths.ROOT / ".dataset-key"
    if not key.is_file():
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(16) + "\n")
    mark = params.fingerprint(params.key_at_hand())
    edit(
        params.FILE,
        with_value("sources", "{}"),
        with_value("eval.gold.sha256", hashlib.sha256(b"").hexdigest()),
        with_value("project_key", f'"{mark}"'),
        without("generate"),
        with_value("report", "{}"),
    )
    edit("dvc.yaml", without("stages.generate"))
    params.whole.cache_clear()
    return mark


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def start(yes: bool) -> None:
    """Delete the sample's data and settings, keep the pipeline, and say what the project needs next."""
    check_sample()
    click.echo("This deletes the sample: " + ", ".join(goes()))
    click.echo("and takes its sources and the stage `generate` out of params.yaml and dvc.yaml. Git still has them.")
    if not yes:
        click.confirm("Go on?", abort=True)
    start_over()
    click.echo("A key of your own is in .dataset-key; git ignores it. Share it as you share remote credentials.")
    for line in status.lines(status.state()):
        click.echo(line)
