"""`dataset start`: empty the sample and leave a project that waits for data of its own."""

import hashlib
import os
import secrets

import click

from lineage import merge, status
from lineage.edit import edited, with_value, without
from lineage.repository import names
from stages.contract import params, paths, shards
from stages.contract.params import stop

HELD = ("data", "reports", "dvc.lock", "params.yaml", "dvc.yaml")


def goes() -> list[str]:
    """What is deleted: the sample's files that git has, and what the pipeline writes. Other files stay."""
    stanzas = params.read_yaml(paths.ROOT / "dvc.yaml")["stages"].values()
    outs = (out for stanza in stanzas for out in stanza.get("do", stanza)["outs"])
    built = {str(next(iter(out)) if isinstance(out, dict) else out).partition("/${")[0] for out in outs}
    yours = names("ls-files", "-z", "--", "data/sources", paths.GOLD, paths.RATINGS, "reports", "dvc.lock")
    return sorted(path for path in {*built, *yours} if (paths.ROOT / path).exists())


def check_sample() -> None:
    """Stop if this project is not the sample any more, or if git could not bring something back."""
    if params.whole().get("project_key") != params.fingerprint(params.SAMPLE_KEY):
        raise stop(
            "params.yaml: project_key is not the sample's, so this project has been started; delete sources by hand"
        )
    for changed in names("ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard", "--", *HELD):
        raise stop(f"{changed}: is not committed and would be lost; commit it, or take it back with git")
    for own in [*names("ls-files", "-z", "--", "data/*.dvc"), *merge.unsaved()]:
        raise stop(f"{own}: is no part of the sample; move it and its data out of the project first")


def start_over() -> None:
    """Delete the sample and make a project key; nothing is deleted if one of the files cannot be changed."""
    key = "" if os.environ.get("DATASET_KEY") or (paths.ROOT / ".dataset-key").is_file() else secrets.token_hex(16)
    mark = params.fingerprint(params.hashed(key) if key else params.key_at_hand())
    changes = [with_value("sources", "{}"), with_value("eval.gold.sha256", hashlib.sha256(b"").hexdigest())]
    changes += [with_value("project_key", f'"{mark}"'), without("generate"), with_value("report", "{}")]
    texts = {params.FILE: edited(params.FILE, *changes), "dvc.yaml": edited("dvc.yaml", without("stages.generate"))}
    for entry in goes():
        shards.remove(paths.ROOT / entry)
    for folder in sorted((paths.ROOT / "data/sources").glob("**/"), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    emptied = {"data/sources/.gitkeep": b"", paths.GOLD: b"", paths.PINS: b"", paths.FACTS: b"", paths.FAILURES: b""}
    emptied |= {f"{paths.RATINGS}/.gitkeep": b"", paths.CALIBRATION: b"{}\n"}
    for name, content in (texts | emptied).items():
        shards.put_bytes(paths.ROOT / name, content)
    if key:
        (paths.ROOT / ".dataset-key").touch(mode=0o600)
        (paths.ROOT / ".dataset-key").write_text(key + "\n")
    params.whole.cache_clear()


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
    click.echo("The project's own key is in .dataset-key or DATASET_KEY. Share it as you share remote credentials.")
    for line in status.lines(status.state()):
        click.echo(line)
