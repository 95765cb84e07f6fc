"""Holding the judge against people: what is read, what is computed and kept, and what the gate knows of it."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from lineage import calibrate, ratings, schemas
from lineage.calibrate import Judged, Said
from lineage.commands.calibrate import lines
from lineage.merging import kinds
from lineage.ratings import OVERALL
from stages.contract import params, paths
from stages.contract.params import Stop
from stages.contract.record import reply
from stages.reporting import calibration, gate
from stages.reporting.calibration import Agreement, Earlier, Head, Judge
from tests import model_server
from tests.conftest import REPOSITORY, SAMPLE, choose, is_the_sample, json_lines, run
from tests.model_server import Server

MODEL = "local-7b"
GOLD = "data/ratings/sample.jsonl"
SCORED = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}
CHOSEN = SCORED | {"rejected": [{"role": "assistant", "content": "No."}]}
LOCAL = Judge("none", "local scorer", None, "a")


@pytest.fixture
def home(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tests' project as the one that this process is in."""
    (project / ".dvc").mkdir()
    monkeypatch.setattr(paths, "ROOT", project)
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(project / "nowhere"))
    params.whole.cache_clear()
    return project


@pytest.fixture
def server():
    with model_server.running() as found:
        yield found


def asks(home: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a model on loopback judge, which costs nothing."""
    price = f'{MODEL}: {{as_of: "{date.today()}", input: 0, output: 0}}\n'
    (home / "data/models.yaml").write_text((REPOSITORY / "data/models.yaml").read_text() + price)
    monkeypatch.setenv("OPENAI_API_KEY", model_server.KEY)
    choose(home, {"models": {"provider": "openai", "address": server.address, "model": MODEL}})
    params.whole.cache_clear()


def wrote(home: Path, *rows: Any) -> None:
    """The rows in place of the sample's ratings."""
    (home / GOLD).write_text("".join(json.dumps(row) + "\n" for row in rows))


def judgement(score: Callable[[str], int]) -> Callable[[str], str]:
    """A judge that gives each reply a score by its text, in every dimension, and prefers the higher of two."""

    def answer(prompt: str) -> str:
        shown = json.loads(prompt.splitlines()[1])
        if "reply" in shown:
            names = ("accuracy", "relevance", "completeness", "clarity", "tone")
            return json.dumps({"reasoning": "As it is."} | dict.fromkeys(names, score(shown["reply"])))
        one, other = score(shown["A"]), score(shown["B"])
        return json.dumps({"reasoning": "As they are.", "better": "tie" if one == other else "AB"[one < other]})

    return answer


def verbose(text: str) -> int:
    """A score that grows with length alone."""
    return min(5, 1 + len(text.split()) // 15)


def honest() -> Callable[[str], int]:
    """The people's own scores of the sample's replies; 3 of what they did not score."""
    known = {reply(each.record): each.mean(OVERALL) for each in ratings.read().examples}
    return lambda text: int((known.get(text) or 3) + 0.5)


# the ratings


def test_the_samples_ratings_are_of_the_schema_and_hold_short_good_and_long_bad_replies():
    validator = jsonschema.Draft202012Validator(schemas.rating())
    for row in json_lines(SAMPLE / GOLD):
        validator.validate(row)
    found = ratings.read()
    assert (len(found.examples), len(found.pairs), found.raters) == (69, 15, ["r1", "r2"])
    assert found.dimensions == ["overall", "accuracy", "clarity", "completeness", "relevance", "tone"]
    words = {each.where: len(reply(each.record).split()) for each in found.examples}
    assert any(words[each.where] < 15 and each.mean(OVERALL) == 5 for each in found.examples)
    assert any(words[each.where] > 100 and each.mean(OVERALL) < 2 for each in found.examples)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "broken_json"),
        ("[]", "expected `object`"),
        (SCORED, "missing required field `ratings`"),
        (SCORED | {"ratings": {}}, "ratings: expected `object` of length >= 1"),
        (SCORED | {"ratings": {"ada": {}}}, "expected `object` of length >= 1"),
        (SCORED | {"ratings": {"ada": {"overall": 6}}}, "expected `float` <= 5"),
        (SCORED | {"ratings": {"ada": {"overall": "5"}}}, "expected `float`, got `str`"),
        (SCORED | {"ratings": {"ada": {"overall": 5}}, "rating": 4}, "unknown field `rating`; did you mean ratings?"),
        ({"messages": SCORED["messages"][:1], "ratings": {"ada": {"overall": 5}}}, "does not end with the assistant"),
        (CHOSEN | {"preferred": {"ada": "third"}}, "invalid enum value 'third'"),
        (CHOSEN | {"preferred": {}}, "preferred: expected `object` of length >= 1"),
        (CHOSEN | {"rejected": SCORED["messages"][1:], "preferred": {"ada": "tie"}}, "same_endings"),
        (CHOSEN | {"rejected": SCORED["messages"], "preferred": {"ada": "tie"}}, "endings_with_questions"),
        (CHOSEN | {"rejected": [{"role": "robot"}], "preferred": {"ada": "tie"}}, "unknown_role"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_its_line(home, row, said):
    (home / GOLD).write_text(f"\n{row if isinstance(row, str) else json.dumps(row)}\n")
    with pytest.raises(Stop) as stopped:
        ratings.read()
    assert str(stopped.value).startswith(f"{GOLD}:2: ")
    assert said in str(stopped.value)


def test_a_reply_that_stands_there_twice_stops(home):
    wrote(home, SCORED | {"ratings": {"ada": {"overall": 5}}}, SCORED | {"ratings": {"bo": {"overall": 1}}})
    with pytest.raises(Stop, match=f"{GOLD}:2: is the same as {GOLD}:1; put both rows' raters into one"):
        ratings.read()


def test_without_a_score_there_is_nothing_to_calibrate(home):
    wrote(home, SCORED | {"ratings": {"ada": {"tone": 5}}})
    with pytest.raises(Stop, match="data/ratings: has no reply with an `overall` score"):
        calibrate.gold()


def test_what_raters_choose_is_the_majority_and_a_draw_is_no_choice(home):
    row = CHOSEN | {"preferred": {"ada": "first", "bo": "second"}}
    wrote(home, row)
    assert ratings.read().pairs[0].wanted is None
    wrote(home, row | {"preferred": row["preferred"] | {"cy": "first"}})
    assert ratings.read().pairs[0].wanted == "first"


# the numbers


def test_a_judge_that_says_what_people_say_agrees_fully():
    found = ratings.read()
    replies = [Said({OVERALL: mean}, mean) for each in found.examples if (mean := each.mean(OVERALL))]
    said = Judged(replies, [pair.wanted or "tie" for pair in found.pairs])
    made = calibrate.numbers(found, said, LOCAL)
    assert made.kappa.value == made.ac1.value == made.accuracy.value == 1
    assert made.bias["overall"].value == made.verbosity.value == 0
    assert (made.threshold.bad_kept, made.threshold.good_kept) == (0, made.threshold.good)
    assert made.suggested == made.threshold


def test_what_the_judge_left_out_is_counted_and_compared_with_nothing():
    found = ratings.read()
    said = Judged([None] * len(found.examples), ["unjudged"] * len(found.pairs))
    made = calibrate.numbers(found, said, LOCAL)
    assert made.unjudged == 84
    assert (made.kappa.value, made.kappa.n, made.bias, made.suggested) == (None, 0, {}, None)
    assert made.alpha == made.people
    told = "\n".join(lines(made))
    assert "gave no judgement on 84" in told
    assert "no score for overall, accuracy, clarity, completeness, relevance, tone, so these are not compared" in told
    assert not calibration.holds(head(None), LOCAL)


def test_the_true_pass_rate_needs_a_dataset_that_was_judged(home):
    scored = [{"id": "0" * 32, "source": "faq", "score": score} for score in (5.0, 3.5, 3.4, 1.0)]
    unjudged = {"id": "1" * 32, "source": "faq", "unjudged": "refused"}
    (home / "data/judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*scored, unjudged]))
    found = ratings.read()
    right = [Said({OVERALL: mean}, mean) for each in found.examples if (mean := each.mean(OVERALL))]
    said = Judged(right, ["tie"] * len(found.pairs))
    made = calibrate.numbers(found, said, LOCAL).pass_rate
    assert (made.examples, made.passed, made.corrected.value) == (4, 0.5, 0.5)
    by_scorer = calibrate.numbers(found, calibrate.judged(found), LOCAL).pass_rate
    assert by_scorer.corrected.value is None
    assert "its pass rate says nothing" in by_scorer.why
    (home / "data/judged.jsonl").unlink()
    assert "run `dvc repro judge`" in calibrate.numbers(found, said, LOCAL).pass_rate.why


# the command


def test_the_command_tells_writes_no_text_and_is_the_same_again(home):
    before = {
        message["content"] for row in json_lines(home / GOLD) for message in row["messages"] if message["content"]
    }
    done = run("dataset", "calibrate", cwd=home, code=1)
    content = (home / paths.CALIBRATION).read_text()
    assert "weighted kappa" in done.stdout
    assert "It keeps 33 of 33 replies that people call good, and 36 of 36 bad ones. That is no better" in (
        " ".join(done.stdout.split())
    )
    assert not [text for text in before if text in content]
    run("dataset", "calibrate", cwd=home, code=1)
    assert (home / paths.CALIBRATION).read_text() == content
    assert run("dataset", "calibrate", "--check", cwd=home).stdout.startswith("reports/calibration.json: is of the")


def test_new_ratings_and_a_calibration_that_is_gone_make_the_check_fail(home):
    calibrate.calibrate()
    assert calibrate.check() == []
    (home / GOLD).write_text("".join((home / GOLD).read_text().splitlines(keepends=True)[1:]))
    assert "the judge is calibrated: judge.calibrated is 0, at least 1" in calibrate.check()[0]
    calibrate.calibrate()
    assert calibrate.check() == []
    (home / paths.CALIBRATION).unlink()
    assert run("dataset", "calibrate", "--check", cwd=home, code=1).stdout.startswith("the judge is calibrated: ")


def test_a_calibration_that_is_none_stops(home):
    (home / paths.CALIBRATION).write_text('{"kappa": 1}')
    with pytest.raises(Stop, match=r"reports/calibration\.json: is no calibration; restore it from git"):
        calibration.metrics()


def test_the_shipped_calibration_is_of_the_scorer_and_the_ratings_as_they_stand():
    if not is_the_sample():
        pytest.skip("this project has data of its own")
    assert calibration.metrics()["calibrated"] == 1, "run `dataset calibrate` and copy its file to tests/sample/reports"


# with a model


def test_a_judge_that_likes_length_has_a_steeper_slope_than_an_honest_one(home, server, monkeypatch):
    asks(home, server, monkeypatch)
    server.reply = judgement(honest())
    fair = calibrate.calibrate()
    assert fair.kappa.value > 0.95
    assert fair.verbosity.low <= 0 <= fair.verbosity.high
    assert fair.consistency.value == 1
    assert set(fair.bias) == {"overall", "accuracy", "clarity", "completeness", "relevance", "tone"}
    assert calibrate.check() == []
    shutil.rmtree(home / ".dvc")
    (home / ".dvc").mkdir()
    (home / "data/answers/calibrate.jsonl").unlink()
    server.reply = judgement(verbose)
    wordy = calibrate.calibrate(accept=True)
    assert wordy.verbosity.low > fair.verbosity.high + 0.3
    assert "It likes length" in "\n".join(lines(wordy))


def test_a_model_sees_no_personal_data_of_the_ratings(home, server, monkeypatch):
    asks(home, server, monkeypatch)
    address = "jane.doe@" + "mailbox.org"
    said = {"role": "assistant", "content": f"Ask {address}, she knows."}
    wrote(home, {"messages": [{"role": "user", "content": "Who knows?"}, said], "ratings": {"ann": {"overall": 4}}})
    calibrate.calibrate()
    sent = json.dumps(server.bodies)
    assert address not in sent
    assert "Ask [EMAIL], she knows." in sent


def test_a_second_calibration_costs_nothing_and_the_plan_tells_the_first_ones_price(home, server, monkeypatch):
    asks(home, server, monkeypatch)
    server.reply = judgement(honest())
    told = run("dataset", "plan", "calibrate", cwd=home).stdout
    assert "calibrate: 99 requests; answers here: none." in told  # 69 replies, and 15 pairs in both orders
    calibrate.calibrate()
    assert sum(server.paid.values()) == 99
    content = (home / paths.CALIBRATION).read_bytes()
    calibrate.calibrate()
    assert sum(server.paid.values()) == 99
    assert (home / paths.CALIBRATION).read_bytes() == content
    assert "Nothing is left to ask" in run("dataset", "plan", "calibrate", cwd=home).stdout


def test_a_changed_rubric_makes_the_check_fail_until_it_is_calibrated(home, server, monkeypatch):
    asks(home, server, monkeypatch)
    server.reply = judgement(honest())
    calibrate.calibrate()
    rubric = home / "data/rubrics/general.yaml"
    rubric.write_text(rubric.read_text().replace("Length is no virtue", "Longer is better"))
    done = run("dataset", "calibrate", "--check", cwd=home, code=1)
    assert "a model that judges is calibrated: judge.model_uncalibrated is 1, at most 0" in done.stdout


def test_without_a_key_the_model_is_not_asked(home, server, monkeypatch):
    asks(home, server, monkeypatch)
    monkeypatch.delenv("OPENAI_API_KEY")
    choose(home, {"models.address": None})
    done = run("dataset", "calibrate", cwd=home, code=2)
    assert done.stderr.startswith("OPENAI_API_KEY: is not set")


# drift


def head(kappa: float | None, rubric: str = "a", previous: Earlier | None = None) -> Head:
    return Head(replace(LOCAL, rubric=rubric), "0" * 32, Agreement(kappa), previous)


def test_a_calibration_of_another_judge_is_held_against_the_best_before_it():
    """Agreement cannot fall in small steps unseen, and the same judge is not compared with itself."""
    first = head(0.8)
    second = head(0.75, "b", calibrate.compared_with(first, replace(LOCAL, rubric="b")))
    assert calibration.drift(second) == 0.05
    third = head(0.68, "c", calibrate.compared_with(second, replace(LOCAL, rubric="c")))
    assert calibration.drift(third) == 0.12
    assert calibrate.compared_with(third, third.judge) == third.previous
    better = head(0.9, "d", calibrate.compared_with(third, replace(LOCAL, rubric="d")))
    assert calibration.drift(better) == 0
    assert calibrate.compared_with(better, LOCAL).kappa == 0.9


def test_a_fall_is_told_until_it_is_accepted(home):
    made = calibrate.calibrate()
    made.judge, made.kappa.value = replace(made.judge, rubric="another"), 0.9
    (home / paths.CALIBRATION).write_text(json.dumps(json_of(made)))
    done = run("dataset", "calibrate", cwd=home, code=1)
    assert "the judge agrees with people as before: judge.drift is 0.8" in done.stdout
    assert "--accept" in run("dataset", "calibrate", "--check", cwd=home, code=1).stdout
    calibrate.calibrate(accept=True)
    assert calibrate.check() == []


def json_of(made: calibrate.Calibration) -> Any:
    import msgspec

    return msgspec.to_builtins(made)


@pytest.mark.parametrize(
    ("profile", "model", "failing"),
    [
        ("lesson-200", False, {}),
        ("lesson-200", True, {"a model that judges is calibrated": "error"}),
        ("commercial", True, {"a model that judges is calibrated": "error"}),
        ("permissive", True, {"a model that judges is calibrated": "warning"}),
    ],
)
def test_a_model_that_nobody_held_against_people_fails_the_gate(home, profile, model, failing):
    chosen = {"profile": profile} | (
        {"models": {"provider": "anthropic", "model": "claude-haiku-5-5"}} if model else {}
    )
    calibrate.calibrate()
    choose(home, chosen)
    params.whole.cache_clear()
    rules = [rule for rule in gate.in_force().rules if rule.metric.startswith("judge.model")]
    held = [gate.held(rule, {"judge": calibration.metrics()}) for rule in rules]
    assert {each.name: each.severity for each in held if not each.passed} == failing


def test_ratings_that_both_sides_added_are_merged_row_by_row():
    added = [json.dumps(SCORED | {"ratings": {who: {"overall": 5}}}).encode() + b"\n" for who in ("ada", "bo")]
    content, said, conflicts = kinds.by_kind(GOLD, kinds.Sides(b"", *added), "theirs")
    assert (content, conflicts) == (b"".join(added), [])
    assert "1 rows of ours, then 1 of theirs" in said
    _, _, (conflict,) = kinds.by_kind(paths.CALIBRATION, kinds.Sides(b"{}", b"1", b"2"), "theirs")
    assert "dataset calibrate" in str(conflict)
