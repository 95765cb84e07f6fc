"""Asking language models, through the real SDK, of a server on loopback that misbehaves: every answer is paid for once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import given as drawn
from hypothesis import strategies as st
from msgspec.structs import replace

from lineage import answers as lineage_answers
from stages.contract import paths
from stages.contract.params import Stop
from stages.models import answers, budget, cache, journal
from stages.models.ask import ask, plan
from stages.models.request import Answer, Reply, Request, Usage, answer, key, request, sendable
from stages.models.settings import Params
from stages.models.settings import settings as settings_of_project
from stages.text import model_terms
from tests import model_server
from tests.conftest import REPOSITORY, git
from tests.model_server import Server, sometimes

SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "score": {"enum": [1, 2, 3, 4, 5]}},
    "required": ["reason", "score"],
    "additionalProperties": False,
}
MODEL = "claude-haiku-5-5"
OWN = "local-7b"


@pytest.fixture
def server():
    with model_server.running() as found:
        yield found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with prices, a key and ten dollars."""
    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / "data").mkdir()
    prices = (
        REPOSITORY / "data/models.yaml"
    ).read_text() + f'\n{OWN}: {{as_of: "{date.today()}", input: 0, output: 0}}\n'
    (folder / "data/models.yaml").write_text(prices)
    monkeypatch.setattr(paths, "ROOT", folder)
    monkeypatch.setenv("ANTHROPIC_API_KEY", model_server.KEY)
    monkeypatch.setenv("OPENAI_API_KEY", model_server.KEY)
    monkeypatch.setenv("DATASET_MAX_USD", "10")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "nowhere"))
    return folder


def settings(server: Server, **more) -> Params:
    chosen = {"provider": "anthropic", "address": server.address, "model": MODEL, "batch_from": None, "timeout": 1.0}
    return Params(**(chosen | {"poll": 0.02, "longest_wait": 0.2, "max_tokens": 200} | more))


def asked(given: Params, count: int, start: int = 0) -> list[Request]:
    return [request(given, f"Record {number}", "Score it.", SCHEMA) for number in range(start, start + count)]


def file(home: Path) -> list[dict]:
    return [json.loads(line) for line in (home / "data/answers/judge.jsonl").read_text().splitlines()]


# what is asked


def test_a_request_is_sent_as_the_maker_wants_it(home, server):
    given = settings(server, effort="low")
    ask("judge", asked(given, 1), given)
    body, headers = server.bodies[0], server.headers[0]
    assert body["messages"] == [{"role": "user", "content": "Record 0"}]
    assert body["system"] == [{"type": "text", "text": "Score it.", "cache_control": {"type": "ephemeral"}}]
    assert body["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    assert not {"temperature", "top_p", "tool_choice"} & set(body)
    assert headers["anthropic-version"] == given_api()


def given_api() -> str:
    return Request("", "").api


def test_the_key_of_a_request_changes_with_everything_that_may_change_the_answer():
    base = Request(MODEL, "p", "s", SCHEMA, 100, "low")
    others = [
        replace(base, **{name: value})
        for name, value in {
            "model": "m", "prompt": "q", "system": "t", "schema": None, "max_tokens": 101, "effort": None, "api": "a",
        }.items()
    ]  # fmt: skip
    assert len({key(each) for each in [base, *others]}) == 8
    assert key(base) == key(Request(MODEL, "p", "s", dict(reversed(SCHEMA.items())), 100, "low"))


def test_a_schema_is_sent_without_what_providers_refuse():
    given = {
        "type": "object",
        "properties": {"pattern": {"type": "array", "minItems": 3, "items": {"type": "string", "minLength": 1}}},
    }
    assert sendable(given) == {
        "type": "object",
        "properties": {"pattern": {"type": "array", "items": {"type": "string"}}},
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ({"provder": "none"}, r"unknown field `provder`; did you mean provider\?"),
        ({"provider": "anthropic"}, r"models\.model is missing"),
        ({"provider": "bard"}, r"models\.provider: invalid enum value 'bard'"),
        ({"concurrency": 0}, r"models\.concurrency: expected `int` >= 1"),
        ({"stages": {"juge": {}}}, r"models: invalid enum value 'juge'"),
        ({"stages": {"judge": {"modl": "m"}}}, r"models\.stages\.judge: .* `modl`; did you mean model\?"),
        ({"stages": {"judge": {"provider": "openai"}}}, r"models\.stages\.judge\.model is missing"),
    ],
)
def test_a_mistake_in_the_settings_stops(use_params, chosen, problem):
    use_params({"models": chosen})
    with pytest.raises(Stop, match=problem):
        settings_of_project("judge")


def test_a_stage_has_its_own_settings_over_those_of_all(use_params):
    own = {"judge": {"provider": "openai", "address": "http://127.0.0.1:9/v1", "model": OWN}}
    use_params({"models": {"provider": "anthropic", "model": MODEL, "effort": "low", "stages": own}})
    judge, generate = settings_of_project("judge"), settings_of_project("generate")
    assert (judge.provider, judge.model, judge.effort) == ("openai", OWN, "low")
    assert (generate.provider, generate.model, generate.address) == ("anthropic", MODEL, None)


def test_without_the_key_no_model_is_asked(home, server, use_params, monkeypatch):
    use_params({})
    assert settings_of_project("judge").provider == "none"
    with pytest.raises(Stop, match=r"models\.provider is none, and judge lacks 1 answers"):
        ask("judge", asked(settings(server), 1), settings_of_project("judge"))
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(Stop, match=r"ANTHROPIC_API_KEY: is not set, and models.provider is anthropic; export the key"):
        ask("judge", asked(settings(server), 1), settings(server))


# every answer once


def test_what_is_answered_is_never_asked_again(home, server):
    given = settings(server)
    first = ask("judge", asked(given, 20), given)
    assert ask("judge", asked(given, 20), given) == first
    assert sorted(server.paid.values()) == [1] * 20


def test_ten_new_records_cost_ten_requests(home, server):
    given = settings(server)
    ask("judge", asked(given, 20), given)
    ask("judge", asked(given, 30), given)
    assert server.paid.total() == 30
    assert len(file(home)) == 30


def test_the_file_holds_the_present_answers_only_and_the_journal_all_that_were_paid(home, server):
    given = settings(server)
    ask("judge", asked(given, 6), given)
    before = (home / "data/answers/judge.jsonl").read_bytes()
    ask("judge", asked(given, 6, start=3), given)
    assert [row["key"] for row in file(home)] == sorted(map(key, asked(given, 6, start=3)))
    ask("judge", asked(given, 6), given)
    assert (home / "data/answers/judge.jsonl").read_bytes() == before
    assert server.paid.total() == 9


def test_a_clone_without_key_or_budget_reads_what_is_kept(home, server, monkeypatch):
    given = settings(server)
    server.orders = lambda prompt, before: "prose" if prompt.startswith("Record 3") else ""
    first = ask("judge", asked(given, 6), given)
    before, count = (home / "data/answers/judge.jsonl").read_bytes(), server.asked.total()
    shutil.rmtree(home / ".dvc")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("DATASET_MAX_USD")
    assert ask("judge", asked(given, 6), given) == first
    assert (home / "data/answers/judge.jsonl").read_bytes() == before
    assert server.asked.total() == count
    assert not (home / ".dvc").exists()


def test_a_clone_that_has_not_pulled_stops_instead_of_paying(home, server):
    given = settings(server)
    ask("judge", asked(given, 3), given)
    path = home / "data/answers/judge.jsonl"
    md5 = lock(home, path.read_bytes())
    shutil.rmtree(home / ".dvc")
    path.unlink()
    with pytest.raises(Stop, match=r"run `dvc pull data/answers/judge\.jsonl`"):
        ask("judge", asked(given, 3), given)
    assert server.paid.total() == 3
    assert cache.objects(md5) == []


def test_a_lock_that_names_no_answers_has_nothing_to_be_pulled(home, server):
    given = settings(server)
    lock(home, b"")
    assert len(ask("judge", asked(given, 3), given)) == 3


def test_answers_that_the_lock_names_are_taken_from_the_cache(home, server):
    given = settings(server)
    first = ask("judge", asked(given, 3), given)
    path = home / "data/answers/judge.jsonl"
    md5 = lock(home, path.read_bytes())
    shutil.rmtree(home / ".dvc")
    place = home / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True)
    path.rename(place)
    assert ask("judge", asked(given, 3), given) == first
    assert server.paid.total() == 3


def lock(home: Path, content: bytes) -> str:
    import hashlib

    md5 = hashlib.md5(content).hexdigest()
    outs = [{"path": "data/answers/judge.jsonl", "hash": "md5", "md5": md5}]
    (home / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"judge": {"cmd": "x", "outs": outs}}}))
    return md5


# kinds of answers


@pytest.mark.parametrize(
    ("fault", "kind", "sent"), [("refusal", "refused", 1), ("max_tokens", "cut_off", 2), ("prose", "invalid", 2),
                                ("wrong schema", "invalid", 2), ("invalid", "failed", 1)],
)  # fmt: skip
def test_what_is_no_answer_has_its_kind_and_never_a_content(home, server, fault, kind, sent):
    given = settings(server)
    bad = [f"Record {number}" for number in range(2)]
    server.orders = lambda prompt, before: fault if prompt.startswith(tuple(bad)) else ""
    found = ask("judge", asked(given, 8), given)
    kinds = [found[key(each)].kind for each in asked(given, 8)]
    assert kinds == [kind] * 2 + ["ok"] * 6
    assert all(each.content is None for each in found.values() if each.kind != "ok")
    assert sum(count for prompt, count in server.asked.items() if prompt.startswith(tuple(bad))) == 2 * sent


def test_a_refusal_is_kept_and_what_failed_is_asked_again(home, server):
    given = settings(server)
    server.orders = lambda prompt, before: {"Record 0": "refusal", "Record 1": "invalid"}.get(prompt, "")
    ask("judge", asked(given, 3), given)
    server.orders = lambda prompt, before: ""
    found = ask("judge", asked(given, 3), given)
    assert [found[key(each)].kind for each in asked(given, 3)] == ["refused", "ok", "ok"]
    assert dict(server.asked) == {"Record 0": 1, "Record 1": 2, "Record 2": 1}


@pytest.mark.parametrize(("fault", "kind"), [("max_tokens", "cut_off"), ("prose", "invalid")])
def test_a_reply_that_is_never_good_is_paid_for_in_no_more_runs_than_the_settings_say(home, server, fault, kind):
    given = settings(server, runs=2)
    server.orders = lambda prompt, before: fault if prompt.startswith("Record 0") else ""
    for _ in range(4):
        found = ask("judge", asked(given, 2), given)
    first = key(asked(given, 2)[0])
    assert (found[first].kind, found[first].runs) == (kind, 2)
    assert sum(count for prompt, count in server.asked.items() if prompt.startswith("Record 0")) == 2 * 2
    assert plan("judge", asked(given, 2), given).missing == 0
    more = settings(server, runs=3)
    server.orders = lambda prompt, before: ""
    assert ask("judge", asked(more, 2), more)[first].kind == "ok"


def test_one_follow_up_mends_a_reply_that_was_cut_off_or_prose(home, server):
    given = settings(server)
    faults = {"Record 0": "max_tokens", "Record 1": "prose"}
    server.orders = lambda prompt, before: "" if before or "earlier reply" in prompt else faults.get(prompt, "")
    found = ask("judge", asked(given, 2), given)
    assert [each.kind for each in found.values()] == ["ok", "ok"]
    assert sorted(body["max_tokens"] for body in server.bodies) == [200, 200, 200, 400]


ITEMS = {"type": "object", "properties": {"items": {"type": "array", "items": {"type": "integer", "minimum": 3}}}}


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ('{"items": [1, 5, 7, 12', "max_tokens", ("cut_off", {"items": [5, 7]})),
        ('{"items": [1, 5]}', "end", ("invalid", {"items": [5]})),
        ('```json\n{"items": [5]}\n```', "end", ("ok", {"items": [5]})),
        ('{"items": [', "max_tokens", ("cut_off", None)),
        ("Sure! Here they are.", "end", ("invalid", None)),
    ],
)
def test_the_valid_items_of_a_broken_list_are_saved(text, stop, expected):
    made = answer("0" * 32, Reply(text, stop, MODEL, Usage(1, 1)), ITEMS)
    assert (made.kind, made.content) in (expected, (expected[0], {"items": [5, 7, 12]}))


# a provider that misbehaves


def test_passing_trouble_is_overcome_and_each_reply_is_kept(home, server):
    given = settings(server, concurrency=8)
    server.orders = sometimes(["429", "529", "500", "malformed", "cut", "429 for an hour"])
    found = ask("judge", asked(given, 40), given)
    assert {each.kind for each in found.values()} == {"ok"}
    assert max(server.asked.values()) > 1


def test_a_request_that_takes_too_long_is_given_up_and_counts_as_spent(home, server):
    given = settings(server, timeout=0.4)
    server.orders = lambda prompt, before: "timeout" if prompt == "Record 0" and not before else ""
    ask("judge", asked(given, 2), given)
    kept = journal.Journal(())
    assert kept.spent["all", ""] >= server.usd
    assert len(kept.open) == 1


def test_a_provider_that_is_down_stops_the_run_and_the_next_asks_for_the_rest_alone(home, server):
    given = settings(server, attempts=2, longest_wait=0.05)
    server.orders = lambda prompt, before: "529" if prompt in ("Record 1", "Record 2") else ""
    with pytest.raises(Stop, match="2 of 6 requests found no answer in 2 attempts"):
        ask("judge", asked(given, 6), given)
    server.orders = lambda prompt, before: ""
    ask("judge", asked(given, 6), given)
    assert set(server.paid.values()) == {1}


def test_fewer_requests_go_at_once_when_the_provider_allows_no_more(home, server):
    given = settings(server, concurrency=16)
    server.latency, server.remaining = 0.02, 2
    under_way = []
    server.orders = lambda prompt, before: under_way.append(server.flying) or ""
    ask("judge", asked(given, 40), given)
    assert max(under_way[:16]) > 4
    assert max(under_way[20:]) <= 4  # the server may count one as under way that has just arrived


@pytest.mark.parametrize(("longest", "waited"), [(5.0, 0.3), (0.05, 0.05)])
def test_the_wait_that_a_provider_asks_for_is_kept_up_to_a_cap(home, server, longest, waited):
    given = settings(server, longest_wait=longest)
    times = []
    server.orders = lambda prompt, before: times.append(time.monotonic()) or ("429" if not before else "")
    server.retry_after = "0.3"
    ask("judge", asked(given, 1), given)
    assert times[1] - times[0] >= waited


@pytest.mark.parametrize(
    ("fault", "said"), [("no model", "404: no model"), ("invalid", "400: invalid")]
)  # fmt: skip
def test_a_fault_that_every_request_would_meet_stops_the_run(home, server, fault, said):
    given = settings(server, concurrency=2)
    server.orders = lambda prompt, before: fault
    with pytest.raises(Stop, match=f"the provider says: {said}"):
        ask("judge", asked(given, 60), given)
    assert server.asked.total() < 20


def test_a_wrong_key_stops_and_nothing_counts_as_spent(home, server, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another")
    given = settings(server)
    with pytest.raises(Stop, match="401: invalid key"):
        ask("judge", asked(given, 3), given)
    assert journal.Journal(()).spent["all", ""] == 0


# batches


def test_a_batch_is_unordered_twice_and_half_expired_and_yet_each_answer_is_paid_once(home, server):
    given = settings(server, batch_from=5)
    server.half_expired = server.twice = True
    found = ask("judge", asked(given, 30), given)
    assert len(found) == 30
    assert set(server.paid.values()) == {1}
    assert [len(each["requests"]) for each in server.batches.values()] == [30, 15]
    assert journal.Journal(()).spent["all", ""] >= server.usd
    assert not journal.Journal(()).open


def test_results_that_break_off_are_read_again(home, server):
    given = settings(server, batch_from=5)
    server.broken_line = True
    assert len(ask("judge", asked(given, 30), given)) == 30
    assert set(server.paid.values()) == {1}


def test_a_batch_whose_name_was_lost_is_found_and_not_handed_in_again(home, server):
    given = settings(server, batch_from=5)
    server.orders = lambda prompt, before: "cut" if prompt == "batch" and before == 0 else ""
    assert len(ask("judge", asked(given, 10), given)) == 10
    assert len(server.batches) == 1


def test_a_batch_that_an_earlier_run_left_is_collected(home, server, monkeypatch):
    given = settings(server, batch_from=5)
    from stages.models import batches

    def killed(*_):
        raise KeyboardInterrupt

    for name, start in (("wait", 0), ("noted", 50)):
        with monkeypatch.context() as at:
            at.setattr(batches, name, killed)
            with pytest.raises(KeyboardInterrupt):
                ask("judge", asked(given, 10, start=start), given)
    ask("judge", [*asked(given, 10), *asked(given, 10, start=50)], given)
    assert len(server.batches) == 2
    assert set(server.paid.values()) == {1}


def test_a_batch_is_cut_to_what_the_budget_allows(home, server, monkeypatch):
    given = settings(server, batch_from=5)
    one = plan("judge", asked(given, 40), given).high / 40
    monkeypatch.setenv("DATASET_MAX_USD", f"{one * 12 / 1e6:.6f}")
    with pytest.raises(Stop, match="DATASET_MAX_USD"):
        ask("judge", asked(given, 40), given)
    assert 5 <= server.paid.total() <= 12


# money


def test_the_budget_is_never_exceeded_by_64_calls_at_once(home, server, monkeypatch):
    given = settings(server, concurrency=64)
    monkeypatch.setenv("DATASET_MAX_USD", "0.004")
    server.latency = 0.01
    server.orders = sometimes(["429", "malformed", "cut"])
    for _ in range(2):  # also not over resumes
        with pytest.raises(Stop, match=r"DATASET_MAX_USD: 0\.00.* USD of 0\.0040 USD are spent or reserved"):
            ask("judge", asked(given, 300), given)
    assert 0 < server.usd <= 4_000
    assert journal.Journal(()).spent["all", ""] <= 4_000


def test_without_a_budget_nothing_is_sent_and_the_price_is_told(home, server, monkeypatch):
    monkeypatch.delenv("DATASET_MAX_USD")
    given = settings(server)
    with pytest.raises(
        Stop, match=r"DATASET_MAX_USD: is 0, and judge lacks 3 answers of .* for 0\.\d+ USD to 0\.\d+ USD"
    ):
        ask("judge", asked(given, 3), given)
    assert not server.asked


@pytest.mark.parametrize("cap", ["max_usd_per_stage", "max_usd_per_day"])
def test_a_cap_on_stage_or_day_counts_all_runs(home, server, cap):
    given = settings(server, **{cap: 0.0006})
    stops = []
    for start in range(0, 60, 3):
        try:
            ask("judge", asked(given, 3, start=start), given)
        except Stop as stopped:
            stops.append(str(stopped))
    assert stops
    assert all(f"models.{cap}" in each for each in stops)
    assert 0 < server.usd <= 600


@pytest.mark.parametrize("text", ["a lot", "-1", "NaN", "Infinity"])
def test_a_budget_that_is_no_amount_stops(monkeypatch, text):
    monkeypatch.setenv("DATASET_MAX_USD", text)
    with pytest.raises(Stop, match="is no amount; set it to USD"):
        budget.allowed()


def test_an_unknown_price_is_refused(home, server):
    given = settings(server, model="claude-unheard-of")
    with pytest.raises(Stop, match=r"data/models\.yaml: has no price of 'claude-unheard-of'; add"):
        ask("judge", asked(given, 1), given)
    assert not server.asked


@drawn(st.integers(0, 300_000), st.integers(0, 200_000), st.integers(0, 5_000), st.booleans())
def test_what_is_charged_is_never_above_what_was_reserved(read, fresh, out, batch):
    price = budget.Model("2026-10-21", 0.1, 0.5, cache_read=0.01, cache_write=0.125, batch=0.5,
                         above=budget.Tier(100_000, 0.5, 2.5, 0.05, 0.625))  # fmt: skip
    used = Usage(fresh // 2, out, read, fresh - fresh // 2)
    assert budget.charged(price, used, batch) <= budget.worst(price, read + fresh, out, batch)


def test_old_prices_and_a_near_end_of_life_are_told_before_money_is_spent(home, monkeypatch):
    monkeypatch.setattr(budget, "today", lambda: date(2026, 11, 21))
    assert budget.warnings("claude-haiku-5-5") == []
    assert "2026-11-30 only" in budget.warnings("claude-sonnet-4-5")[0]
    monkeypatch.setattr(budget, "today", lambda: date(2027, 2, 1))
    assert "over 90 days ago" in budget.warnings("claude-haiku-5-5")[0]
    with pytest.raises(Stop, match="is gone since 2026-11-30"):
        budget.warnings("claude-sonnet-4-5")


def test_every_price_of_the_file_is_readable_and_its_maker_the_one_of_the_terms(monkeypatch):
    monkeypatch.setattr(paths, "ROOT", REPOSITORY)
    for name in yaml.safe_load((REPOSITORY / "data/models.yaml").read_text()):
        found = budget.model(name)
        assert budget.worst(found, 1_000, 1_000) > 0
        assert found.maker in {maker for maker, _, _ in model_terms.FAMILIES}


def test_a_plan_tells_requests_tokens_price_and_what_is_answered_and_sends_nothing(home, server, monkeypatch):
    given = settings(server)
    ask("judge", asked(given, 4), given)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    found = plan("judge", asked(given, 10), given)
    assert (found.requests, found.kinds, found.missing) == (10, {"ok": 4}, 6)
    assert 0 < found.low < found.high
    assert server.asked.total() == 4


def test_a_plan_of_a_project_that_is_not_built_stops_and_says_what_to_run(tmp_path, monkeypatch, use_params):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    use_params({"sources": {"faq": {"path": "faq.csv", "licence": "MIT"}}, "judge": {"rubric": "r.yaml"}})
    with pytest.raises(Stop) as stopped:
        lineage_answers.requests("judge")
    assert stopped.value.message == "data/dropped/filter/faq.jsonl: is not built; run `dvc pull` or `dvc repro`"


# an address of one's own


def test_a_server_of_ones_own_needs_no_price_and_no_budget(home, server, monkeypatch):
    monkeypatch.delenv("DATASET_MAX_USD")
    given = settings(server, provider="openai", model=OWN, address=f"{server.address}/v1")
    server.orders = sometimes(["429", "500", "malformed", "cut"])
    found = ask("judge", asked(given, 10), given)
    assert {each.kind for each in found.values()} == {"ok"}
    assert server.bodies[0]["response_format"]["json_schema"]["schema"] == SCHEMA


@pytest.mark.parametrize(("fault", "kind"), [("refusal", "refused"), ("max_tokens", "cut_off"), ("prose", "invalid")])
def test_the_kinds_are_the_same_with_the_other_interface(home, server, fault, kind):
    given = settings(server, provider="openai", model=OWN, address=f"{server.address}/v1")
    server.orders = lambda prompt, before: fault
    assert [each.kind for each in ask("judge", asked(given, 1), given).values()] == [kind]


# the file and the journal


def test_an_answer_that_was_changed_by_hand_is_refused_with_its_line(home, server):
    given = settings(server)
    ask("judge", asked(given, 3), given)
    path = home / "data/answers/judge.jsonl"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace('"score":', '"score": ')  # the same value in other bytes is no change
    path.write_text("\n".join(lines))
    ask("judge", asked(given, 3), given)
    path.write_text(path.read_text().replace("of Record 1", "of Record 9"))
    with pytest.raises(Stop, match=r"judge\.jsonl:\d: [0-9a-f]{32}: was changed by hand.*dataset answers recover"):
        ask("judge", asked(given, 3), given)


@drawn(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["ok", "refused", "invalid"]), st.integers(0, 2))),
    st.randoms(),
)
def test_the_union_of_answers_is_the_same_in_any_order(drawn, random):
    made = [Answer(f"{number:032x}", kind, content) for number, kind, content in drawn]
    one: dict[str, Answer] = {}
    two: dict[str, Answer] = {}
    answers.union(one, made)
    random.shuffle(made)
    answers.union(two, made)
    assert one == two
    assert all(one[each.key].kind == "ok" for each in made if each.kind == "ok")


def test_answers_that_git_put_one_below_the_other_are_read_as_their_union(home, server):
    given = settings(server)
    path = home / "data/answers/judge.jsonl"
    ask("judge", asked(given, 4), given)
    one = path.read_bytes()
    ask("judge", asked(given, 4, start=2), given)
    path.write_bytes(path.read_bytes() + one)
    shutil.rmtree(home / ".dvc")
    assert len(ask("judge", asked(given, 6), given)) == 6
    assert server.paid.total() == 6
    path.write_bytes(b"<<<<<<< HEAD\n" + path.read_bytes())
    with pytest.raises(Stop, match=r"judge\.jsonl:1: is a mark of git's merge"):
        ask("judge", asked(given, 6), given)


def test_a_torn_line_of_the_journal_spoils_no_other(home, server):
    given = settings(server)
    ask("judge", asked(given, 3), given)
    file = journal.place() / journal.FILE
    file.write_bytes(file.read_bytes() + b'{"what":"answer","id":"x')
    (home / "data/answers/judge.jsonl").unlink()
    assert len(ask("judge", asked(given, 4), given)) == 4
    assert server.paid.total() == 4
    assert journal.Journal(()).torn == 1


def test_worktrees_share_the_journal_and_a_cache_elsewhere_takes_it_along(tmp_path, monkeypatch):
    main = tmp_path / "main"
    (main / ".dvc").mkdir(parents=True)
    (main / ".dvc/config").write_text("[core]\n    analytics = false\n")
    git(main, "init", "-q", "-b", "main")
    git(main, "add", "-A")
    git(main, "commit", "-q", "-m", "A project")
    git(main, "worktree", "add", "-q", str(tmp_path / "beside"))
    for folder in (main, tmp_path / "beside"):
        monkeypatch.setattr(paths, "ROOT", folder)
        assert journal.place() == main / ".dvc/answers-journal"
    (main / ".dvc/config.local").write_text("[cache]\n    dir = ../../shared/cache\n")
    monkeypatch.setattr(paths, "ROOT", main)
    assert journal.place() == tmp_path / "shared/answers-journal"


# processes that die, and what they load

RUN = """
import sys, os
from stages.models.ask import ask
from stages.models.settings import Params
from stages.models.request import request
import json
given = Params(**json.loads(sys.argv[1]))
schema = json.loads(sys.argv[3])
ask("judge", [request(given, f"Record {n}", "Score it.", schema) for n in range(int(sys.argv[2]))], given)
print("anthropic" in sys.modules, "httpx2" in sys.modules)
"""


def started(given: Params, count: int) -> subprocess.Popen[str]:
    """A process that asks."""
    from msgspec import to_builtins

    words = [sys.executable, "-c", RUN, json.dumps(to_builtins(given)), str(count), json.dumps(SCHEMA)]
    return subprocess.Popen(
        words,
        env=os.environ | {"DATASET_ROOT": str(paths.ROOT), "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(server: Server, happens: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something is so, or the process has ended."""
    while not happens() and process.poll() is None:
        time.sleep(0.002)


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def killed_runs(server: Server, given: Params, count: int, moments: list[int]) -> list[int]:
    """Kill a run each time so many more replies were paid; how many can have been under way at each kill."""
    flying = []
    for moment in moments:
        process = started(given, count)
        aim = server.paid.total() + moment
        until(server, lambda aim=aim: server.paid.total() >= aim, process)
        kill(process)
        flying.append(given.concurrency)
        time.sleep(2 * server.latency + 0.05)  # what was under way is answered to nobody
    last = started(given, count)
    _, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    return flying


# `make models-test` kills 20 times in 1,000 requests
KILLS, REQUESTS = (20, 1_000) if os.environ.get("DATASET_MODELS_TEST") else (2, 100)


def test_a_kill_pays_at_most_the_requests_under_way_twice(home, server):
    given = settings(server, concurrency=8, timeout=5)
    server.latency = 0.005
    random = Random(11)
    most = max(1, 2 * REQUESTS // (3 * KILLS))
    flying = killed_runs(server, given, REQUESTS, [random.randint(1, most) for _ in range(KILLS)])
    twice = server.paid.total() - len(server.paid)
    print(f"{KILLS} kills, {REQUESTS} requests, {twice} paid twice")
    assert len(server.paid) == REQUESTS == len(file(home))
    assert twice <= sum(flying)
    assert max(server.paid.values()) <= 1 + KILLS
    kept = journal.Journal(())
    assert kept.spent["all", ""] >= server.usd


def test_a_kill_in_a_batch_pays_nothing_twice(home, server):
    given = settings(server, batch_from=10, poll=0.05)
    random = Random(12)
    server.looks = 2 * KILLS
    for _ in range(KILLS):
        process = started(given, REQUESTS)
        aim = server.calls + random.randint(1, 4)
        until(server, lambda aim=aim: server.calls >= aim, process)
        time.sleep(random.random() * 0.02)
        kill(process)
    last = started(given, REQUESTS)
    _, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    assert len(server.paid) == REQUESTS == len(file(home))
    assert set(server.paid.values()) == {1}
    assert len(server.batches) == 1


def test_two_processes_share_one_budget(home, server):
    given = settings(server, max_usd_per_day=0.001, concurrency=8)
    processes = [started(given, count) for count in (200, 201)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [2, 2]
    assert 500 < server.usd <= 1_000


def test_a_provider_that_cannot_be_asked_for_its_batches_stops(home, server):
    given = settings(server, batch_from=5)
    server.orders = lambda prompt, before: "cut" if prompt == "batch" else ""
    server.deaf = True
    with pytest.raises(Stop, match="the provider says: 500"):
        ask("judge", asked(given, 10), given)
    server.deaf = False
    ask("judge", asked(given, 10), given)
    assert len(server.batches) == 1


def test_the_sdk_is_loaded_only_when_a_request_is_sent(home, server):
    given = settings(server)
    out, err = started(given, 2).communicate(timeout=60)
    assert out.split() == ["True", "True"], err
    out, err = started(given, 2).communicate(timeout=60)
    assert out.split() == ["False", "False"], err
