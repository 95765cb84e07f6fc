"""The local score: what makes a reply useless costs points, what only looks like it does not."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import judge
from stages.contract.record import Record
from stages.judge import Judged, Params, decide, measure
from tests.conftest import record

ASKED = "Why does the desktop app play a sound for tasks that are already done?"
GOOD = "The sound marks every change of a task. Open Settings, then Sounds, and move the slider to the left to mute it."
LONG_GOOD = f"{GOOD} Other sounds of the desktop app stay as they are, because each has a slider of its own."
OTHER = (
    "Bake the bread at two hundred degrees until the crust turns brown, let it rest under a cloth, "
    "slice it when cold, and keep what remains in a dry wooden box."
)
COURTESY = (
    "Thank you for reaching out. We apologize for any inconvenience. Your message is important to us. "
    "We appreciate your patience and understanding. Have a great day."
)
DEAD_END = "No idea, just try again later."


def judged(said: str, asked: str = ASKED, **more: Any) -> Judged:
    """What the judge makes of a reply."""
    found = measure(record(asked, said, **more), Params(), None)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("said", "score", "penalties"),
    [
        (GOOD, 5.0, {}),
        (LONG_GOOD, 5.0, {}),
        ("Mute it under Settings.", 5.0, {}),
        (DEAD_END, 3.0, {"deflects": 2.0}),
        (COURTESY, 2.0, {"filler": 2.0, "off_topic": 1.0}),
        (f"{COURTESY} The sound is done.", 3.0, {"filler": 2.0}),
        (OTHER, 4.0, {"off_topic": 1.0}),
        (LONG_GOOD.upper(), 4.0, {"shouts": 1.0}),
        ("Restart the desktop app, then " * 14 + "wait.", 4.0, {"monotone": 1.0}),
        (f"I DO NOT KNOW. {COURTESY[:27].upper()} {COURTESY[29:62].upper()}.", 1.0, None),
    ],
    ids=["good", "long", "terse", "deflects", "filler", "filler on topic", "off topic", "shouts", "monotone", "worst"],
)
def test_the_score_is_what_the_defects_leave_of_five(
    said: str, score: float, penalties: dict[str, float] | None
) -> None:
    found = judged(said)
    assert found.score == score
    assert penalties is None or found.penalties == penalties


@pytest.mark.parametrize(
    "said",
    [
        "I don't know.",
        "I do not know",
        "I don’t know, sorry.",
        "Not sure.",
        "Hm, I'm not sure.",
        "No idea.",
        "Whatever.",
        "Who knows?",
        "You could google it.",
        "Figure it out yourself!",
        "That is not my problem.",
        "Please ask someone else.",
        "I do not know yet.",
    ],
)
def test_a_short_reply_that_only_deflects_falls_below_the_threshold(said: str) -> None:
    assert judged(said).penalties == {"deflects": 2.0}
    assert judged(said).score < Params().threshold


@pytest.mark.parametrize(
    "said",
    [
        "I do not know yet, but the sound team is on it and will answer here by Friday.",
        "I don't know yet but until then Settings > Sounds has a slider for the done sound.",
        "I do not know yet, but the sound team is on it; until then, Settings > Sounds has a slider for the done sound, "
        "which you can lower without muting the others.",
        "Use whatever name you like, and press Enter to save it.",
        "If you are not sure which list it was, search for its title.",
        "To see who knows the password of a list, open Members.",
        "Your project manager has the key; nobody else does.",
        f"I am not sure which version of the app you have. {LONG_GOOD}",
    ],
)
def test_an_honest_or_helpful_reply_with_such_words_keeps_its_score(said: str) -> None:
    assert judged(said).score == 5.0


@pytest.mark.parametrize(
    "said", [f"Thank you for your message. {GOOD}", f"{GOOD} {LONG_GOOD} Feel free to contact us any time."]
)
def test_one_courteous_sentence_beside_an_answer_costs_little(said: str) -> None:
    found = judged(said)
    assert 0 < found.penalties["filler"] < 1
    assert found.score >= Params().threshold


def test_thanks_that_are_not_a_phrase_cost_nothing() -> None:
    assert judged(f"Thanks for the screenshot. {GOOD}").penalties == {}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("Why does it ring?", "It rings."),  # too short to tell
        ("Why do all the sounds play?", OTHER.replace("bread", "sound")),
        ("Why was it?", OTHER),  # a question without a telling word
        ("When are tasks synchronised?", f"Synchronisation runs hourly. {OTHER}"),  # the same stem
    ],
)
def test_a_reply_that_shares_a_word_or_cannot_be_told_is_not_off_topic(asked: str, said: str) -> None:
    assert "off_topic" not in judged(said, asked).penalties


@pytest.mark.parametrize(
    "said",
    [
        "USB, PDF, CSV: OK.",
        "Export as CSV, PDF or ICS from the EU or US servers.",
        "12345",
        "The EU and US servers keep CSV, PDF and ICS files; HTML and JSON go to the UK.",
    ],
)
def test_abbreviations_are_not_shouting(said: str) -> None:
    assert judged(said).penalties == {}


def test_a_list_that_repeats_some_words_is_not_monotone() -> None:
    steps = [f"Open the {name} list and choose Export" for name in ("garden", "work", "home", "travel", "band", "pets")]
    steps += [f"Then pick the {name} folder" for name in ("green", "blue", "red", "white", "black", "amber")]
    assert "monotone" not in judged(". ".join(steps)).penalties


@pytest.mark.parametrize(
    "more", [{"rejected": [{"role": "assistant", "content": DEAD_END}]}, {"label": True}, {"label": False}]
)
def test_pairs_and_labelled_answers_are_not_scored(more: dict[str, Any]) -> None:
    assert measure(record(ASKED, DEAD_END, **more), Params(), None) is None
    assert measure(record(ASKED, DEAD_END), Params(), None) is not None


def test_only_the_last_reply_is_scored() -> None:
    def turns(first: str, last: str) -> Record:
        said = [("user", ASKED), ("assistant", first), ("user", "And on the phone?"), ("assistant", last)]
        return record(messages=[{"role": role, "content": content} for role, content in said])

    early, late = (measure(each, Params(), None) for each in (turns(DEAD_END, GOOD), turns(GOOD, DEAD_END)))
    assert early is not None
    assert late is not None
    assert (early.score, late.score) == (5.0, 3.0)


def test_scores_below_the_threshold_are_dropped_and_those_on_it_stay() -> None:
    facts = {f"{n}" * 32: Judged("sample", score, {}) for n, score in enumerate((1.0, 3.499, 3.5, 5.0))}
    decision = decide(facts | {"f" * 32: None}, Params(), None)
    assert [(drop.id[0], drop.reason) for drop in decision.drops] == [("0", "low_score"), ("1", "low_score")]
    assert [row["score"] for row in decision.rows] == [1.0, 3.499, 3.5, 5.0]


def test_a_drop_says_what_the_points_were_taken_for() -> None:
    [drop] = decide({"0" * 32: judged(DEAD_END)}, Params(), None).drops
    assert (drop.source, drop.stage) == ("sample", "judge")
    assert drop.evidence == {"score": 3.0, "penalties": {"deflects": 2.0}}
    assert drop.reason in judge.REASONS


@pytest.mark.parametrize(("threshold", "dropped"), [(1, 0), (3, 0), (3.001, 1), (5, 1)])
def test_the_threshold_is_the_one_given(threshold: float, dropped: int) -> None:
    assert len(decide({"0" * 32: judged(DEAD_END)}, Params(threshold), None).drops) == dropped


PHRASES = st.lists(
    st.sampled_from(
        ["I don't know.", "Have a nice day.", "WE VALUE YOUR MONEY!", "sound", "the", "Open Settings.", "好"]
    )
)


@given(st.text(max_size=60) | PHRASES.map(" ".join), st.text(max_size=200) | PHRASES.map(" ".join))
@settings(derandomize=True, max_examples=200)
def test_every_score_is_from_one_to_five_and_always_the_same(asked: str, said: str) -> None:
    found = judged(said, asked)
    assert found.score == max(1.0, round(5.0 - sum(found.penalties.values()), 3))
    assert 1.0 <= found.score <= 5.0
    assert all(taken > 0 for taken in found.penalties.values())
    assert found == judged(said, asked)


@given(st.permutations([DEAD_END, GOOD, COURTESY, OTHER]))
@settings(derandomize=True, max_examples=10)
def test_the_order_of_the_records_does_not_matter(order: list[str]) -> None:
    dropped = {drop.id for drop in decide({said: judged(said) for said in order}, Params(), None).drops}
    assert dropped == {DEAD_END, COURTESY}
