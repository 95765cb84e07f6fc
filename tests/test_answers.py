"""`dataset answers` and `dataset plan`: what is kept and what it cost, checked, recovered, and told before it is asked."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from lineage.commands.answers import answers as command
from lineage.commands.plan import plan
from stages import judge
from stages.contract import params
from stages.contract.record import prompt
from stages.models import answers, journal
from stages.models.ask import ask
from stages.models.request import Answer, key, request
from stages.models.settings import settings as of_project
from tests import model_server
from tests.conftest import git
from tests.test_models import asked, home, lock, server, settings  # noqa: F401 - home and server are fixtures


def said(*words: str, code: int = 0, of=command) -> str:
    done = CliRunner().invoke(of, words, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def test_answers_and_money_are_counted(home, server):  # noqa: F811
    given = settings(server)
    server.orders = lambda prompt, before: "refusal" if prompt == "Record 0" else ""
    found = ask("judge", asked(given, 5), given)
    out = said("show")
    assert "data/answers/judge.jsonl: 4 ok, 1 refused" in out
    assert "stage" not in out
    assert "judge: 0.0" in out
    one = next(iter(found))
    rows = [json.loads(line) for line in said("show", one[:8]).splitlines()]
    assert [row["answer"]["key"] for row in rows] == [one, one]
    assert said("show", "no such key", code=1) == ""


def test_what_was_changed_by_hand_is_found_and_recovered_from_the_journal(home, server):  # noqa: F811
    given = settings(server)
    ask("judge", asked(given, 5), given)
    path = home / "data/answers/judge.jsonl"
    before = path.read_bytes()
    assert "5 answers, 0 faults" in said("verify")
    path.write_bytes(b"<<<<<<< HEAD\n" + before.replace(b"of Record 2", b"of Record 7"))
    out = said("verify", code=1)
    assert "judge.jsonl:1: is a mark of git's merge" in out
    assert "was changed by hand" in out
    assert "4 good answers were there, 5 are now" in said("recover")
    assert path.read_bytes() == before
    assert server.paid.total() == 5


def test_the_answers_of_two_machines_are_merged_without_paying_again(home, server):  # noqa: F811
    git(home, "init", "-q", "-b", "main")
    git(home, "add", "data/models.yaml")
    git(home, "commit", "-q", "-m", "A project")
    given = settings(server)
    for branch, start in (("ours", 0), ("theirs", 3)):
        git(home, "switch", "-q", "-c", branch, "main")
        ask("judge", asked(given, 5, start=start), given)
        path = home / "data/answers/judge.jsonl"
        cached(home, lock(home, path.read_bytes()), path.read_bytes())
        path.unlink()
        git(home, "add", "-f", "dvc.lock")
        git(home, "commit", "-q", "-m", branch)
        (journal.place() / journal.FILE).unlink()  # each was another machine
    server.paid.clear()
    git(home, "switch", "-q", "ours")
    git(home, "merge", "-q", "theirs", code=1)
    (home / "dvc.lock").write_text("schema: '2.0'\n")
    said("recover", "judge")
    assert len(ask("judge", asked(given, 8), given)) == 8
    assert server.paid.total() == 0


def cached(root: Path, md5: str, content: bytes) -> None:
    place = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    assert hashlib.md5(content).hexdigest() == md5


@pytest.fixture
def judging(at_built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The built sample, with a judge that asks a model and a price for it; its answers go elsewhere."""
    monkeypatch.setitem(params.whole(), "models", {"provider": "openai", "address": "http://127.0.0.1:9", "model": "m"})
    monkeypatch.setattr(answers, "FOLDER", str(tmp_path / "answers"))
    monkeypatch.setattr("stages.models.cache.folder", lambda: tmp_path / "cache")
    prices = tmp_path / "models.yaml"
    prices.write_text(yaml.safe_dump({"m": {"as_of": "2026-10-21", "input": 1, "output": 2}}))
    monkeypatch.setattr("stages.models.budget.FILE", str(prices))
    requests = lambda records, of: [request(of_project("judge"), prompt(each)) for each in records]  # noqa: E731
    monkeypatch.setattr(judge, "requests", requests, raising=False)
    yield requests
    params.whole.cache_clear()


def test_a_plan_is_made_of_the_records_that_reach_the_stage(judging):
    out = said("judge", of=plan)
    assert "answers here: none" in out
    assert "of m, one by one, with at most" in out
    assert "DATASET_MAX_USD allows 0.0000 USD" in out


def test_a_stage_that_asks_nothing_costs_nothing(judging, monkeypatch):
    monkeypatch.delattr(judge, "requests")
    assert (
        said("judge", of=plan) == "judge: asks nothing and costs nothing, stages/judge.py has no function `requests`.\n"
    )
    monkeypatch.setitem(params.whole(), "models", {})
    assert said("judge", of=plan) == "judge: asks nothing and costs nothing, models.provider is none.\n"


def test_answers_to_no_present_request_are_pruned_when_asked(judging):
    from lineage.answers import requests

    wanted = [Answer(each, "ok", "fine") for each in {key(asked) for asked in requests("judge") or []}]
    answers.keep("judge", {each.key: each for each in [*wanted, Answer("0" * 32, "ok", "of old")]})
    assert "1 would be taken out" in said("prune")
    assert f"1 taken out, {len(wanted)} stay" in said("prune", "--yes")
    assert "0 taken out" in said("prune", "--yes")


def test_the_server_counts_tokens_as_the_sdk_asks_for_them(server):  # noqa: F811
    import anthropic

    with anthropic.Anthropic(api_key=model_server.KEY, base_url=server.address) as client:
        messages = [{"role": "user", "content": "How many are these?"}]
        assert client.messages.count_tokens(model="m", messages=messages).input_tokens > 5
