"""The optional parts of dedup: semantic duplicates, alike prompts, and a second look at near-duplicates."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.contract import paths
from stages.contract.params import Stop
from stages.contract.record import Record
from stages.text import passes, semantic
from tests.conftest import record
from tests.test_dedup import deduped

HERE = "tests.test_semantic:"
TOPICS = ("rename", "delete", "share", "print")


class Topics:
    """Says which topics a text is about, and nothing else."""

    def encode(self, texts: list[str]) -> Any:
        return np.array([[topic in text for topic in TOPICS] for text in texts], np.float32)


class Figures(Topics):
    """Texts that differ in a figure are far from each other."""

    def encode(self, texts: list[str]) -> Any:
        return np.array([["5" in text, "5" not in text] for text in texts], np.float32)


class Short:
    """Forgets the last text."""

    def encode(self, texts: list[str]) -> Any:
        return np.ones((len(texts) - 1, 2))


class Lost:
    """Gives what is no number."""

    def encode(self, texts: list[str]) -> Any:
        return np.full((len(texts), 2), np.nan)


ONE = record("How do I rename a list?", "Open its menu and choose Rename.", meta={"rating": 5})
SAME = record("What changes the title of my notebook?", "Press F2, then you can rename it at once.")
ELSE = record("May someone look at my tasks?", "Yes: share the list with them.")
LONG = (
    "The invoice of the garden centre for the second delivery of this spring amounts to {} euros, and is due in June."
)


def by_topic(**more: Any) -> dict[str, Any]:
    """The params of a semantic pass with the encoder of these tests."""
    return {"semantic": {"vectors": f"{HERE}Topics", **more}}


def fallen(records: list[Record], **limits: Any) -> dict[str, tuple[str, str, float]]:
    """Who is dropped: the reason, the survivor and the similarity."""
    drops = deduped(records, **limits).drops
    return {drop.id: (drop.reason, drop.evidence["survivor"], drop.evidence["similarity"]) for drop in drops}


def refused_by(limits: dict[str, Any]) -> str:
    """The message with which dedup stops."""
    with pytest.raises(Stop) as stopped:
        deduped([ONE, SAME], **limits)
    assert stopped.value.code == 2
    return str(stopped.value)


def kinds(records: list[Record], **limits: Any) -> list[tuple[str, list[str]]]:
    """What is left to a person."""
    return [(row["kind"], row["ids"]) for row in deduped(records, **limits).more[paths.UNRESOLVED]]


def test_nothing_of_it_happens_by_default() -> None:
    assert not fallen([ONE, SAME, ELSE])


def test_a_semantic_duplicate_is_dropped_for_the_preferred_record() -> None:
    assert fallen([SAME, ONE, ELSE], **by_topic()) == {SAME.id: ("semantic_duplicate", ONE.id, 1.0)}


def test_the_threshold_of_semantic_duplicates_counts_from_its_value_on() -> None:
    both = record("Shall I rename a list, or share it?", "Do both.", meta={"rating": 1})
    assert fallen([ONE, both], **by_topic(threshold=0.707)) == {both.id: ("semantic_duplicate", ONE.id, 0.707)}
    assert not fallen([ONE, both], **by_topic(threshold=0.708))


def test_texts_that_an_encoder_has_nothing_for_are_like_no_other() -> None:
    assert not fallen([record("Hello there", "Good day."), record("And you?", "Fine.")], **by_topic())


def test_two_answers_to_one_prompt_are_no_semantic_duplicates() -> None:
    other = record("How do I rename a list?", "With F2, which lets you rename anything that is selected.")
    assert not fallen([ONE, other], **by_topic())
    assert fallen([ONE, other], compare="reply", **by_topic()) == {other.id: ("semantic_duplicate", ONE.id, 1.0)}


def test_records_of_other_kinds_are_not_compared() -> None:
    pair = record("What renames a list?", "rename", rejected=[{"role": "assistant", "content": "No idea."}])
    assert not fallen([ONE, pair], **by_topic(), prompt_edit=0.5)


def test_lexical_vectors_find_the_same_words_in_another_order() -> None:
    clauses = ["open the list you want to move", "choose the garden folder", "press the button that says move here"]
    one = record("How do I move a list please?", " and then ".join(clauses), meta={"rating": 5})
    other = record("Please how do I move a list?", " and then ".join(reversed(clauses)))
    assert not fallen([one, other, ELSE])
    found = fallen([one, other, ELSE], semantic={})
    assert {name: drop[:2] for name, drop in found.items()} == {other.id: ("semantic_duplicate", one.id)}
    assert 0.92 <= found[other.id][2] < 1


@given(st.lists(st.text("ab ü.", max_size=12), max_size=9))
@settings(derandomize=True, max_examples=25)
def test_lexical_vectors_have_length_one_or_none_and_equal_texts_have_equal_ones(texts: list[str]) -> None:
    vectors = semantic.unit(texts, "lexical")
    lengths = np.linalg.norm(vectors, axis=1)
    assert len(vectors) == len(texts)
    assert all(abs(length - 1) < 1e-6 or length == 0 for length in lengths)
    assert all((vectors[place] == vectors[texts.index(text)]).all() for place, text in enumerate(texts))


def test_lexical_vectors_are_the_same_every_time() -> None:
    texts = [f"{word} {number}" for number in range(40) for word in TOPICS]
    assert (semantic.unit(texts, "lexical") == semantic.unit(texts, "lexical")).all()


def greedily(vectors: Any, threshold: float, against: Any = None) -> list[tuple[int, int, float]]:
    """Who falls for whom among vectors in the order of preference."""
    within = passes.products(vectors, threshold)
    order = np.arange(len(vectors))
    return list(passes.greedy(order, {}, lambda one, other: True, within, against or within, "test"))


def made(seed: int, count: int = 60) -> Any:
    """Unit vectors, many of them close to each other."""
    chance = np.random.default_rng(seed)
    rough = chance.normal(size=(5, 8))[chance.integers(5, size=count)] + chance.normal(size=(count, 8)) / 4
    return (rough / np.linalg.norm(rough, axis=1, keepdims=True)).astype(np.float32)


def one_by_one(vectors: Any, threshold: float) -> list[tuple[int, int, float]]:
    """The same by definition."""
    kept: list[int] = []
    found = []
    for place, vector in enumerate(vectors.astype(np.float64)):
        likes = sorted((-round(float(vector @ vectors[other].astype(np.float64)), 3), other) for other in kept)
        if likes and -likes[0][0] >= threshold:
            found.append((place, likes[0][1], -likes[0][0]))
        else:
            kept.append(place)
    return found


@pytest.mark.parametrize("block", [1, 7, 256])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_record_is_compared_with_all_survivors_in_whatever_blocks(
    block: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "BLOCK", block)
    vectors = made(seed)
    expected = one_by_one(vectors, 0.9)
    assert 10 < len(expected) < 55
    assert greedily(vectors, 0.9) == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_faiss_gives_the_answers_of_the_matrix_products(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(passes, "BLOCK", 7)
    vectors = made(seed)
    assert greedily(vectors, 0.9, passes.searched(vectors, 0.9)) == greedily(vectors, 0.9)


def test_above_the_limit_faiss_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "LIMIT", 2)
    if find_spec("faiss") is None:
        with pytest.raises(Stop, match="faiss-cpu is not installed; install the extra `embeddings`"):
            deduped([ONE, SAME, ELSE], **by_topic())
    else:
        assert [*fallen([SAME, ONE, ELSE], **by_topic())] == [SAME.id]


def test_who_was_dropped_for_a_record_falls_with_it_for_the_same_survivor() -> None:
    copy = record(SAME.messages[0].content.upper(), SAME.messages[1].content, meta={"rating": -1})
    found = fallen([ONE, SAME, copy], **by_topic())
    assert found == {each.id: ("semantic_duplicate", ONE.id, 1.0) for each in (SAME, copy)}


def test_a_record_stays_for_those_that_are_not_like_its_own_survivor() -> None:
    kept = record(LONG.format("print 15"), "print", meta={"rating": 5})
    near = record(LONG.format("delete 15"), "print")
    like = record("What puts it on paper?", "The command print does.", meta={"rating": 9})
    assert fallen([kept, near], threshold=0.7)[near.id][:2] == ("near_duplicate", kept.id)
    assert fallen([kept, like], **by_topic()) == {kept.id: ("semantic_duplicate", like.id, 1.0)}
    assert set(fallen([kept, near, like], threshold=0.7, **by_topic())) == {near.id}


def test_a_pair_for_split_holds_no_record_that_fell() -> None:
    texts = [LONG.format(f"{words} 15") for words in ("print", "print now and here")]
    one, other = (record(text, "print", meta={"rating": 9 - at}) for at, text in enumerate(texts))
    assert deduped([one, other], threshold=0.95, floor=0.5).rows
    assert not deduped([one, other], threshold=0.95, floor=0.5, **by_topic()).rows


def test_an_alike_prompt_is_dropped_with_its_edit_ratio() -> None:
    other = record("How do I rename my list?", "Select it and press F2.")
    [(name, (reason, survivor, ratio))] = fallen([ONE, other, ELSE], prompt_edit=0.9).items()
    same = len("how do i rename  list?")  # letters in their order, of 23 and 24
    assert (name, reason, survivor, ratio) == (other.id, "alike_prompt", ONE.id, round(2 * same / (23 + 24), 3))
    assert not fallen([ONE, other], prompt_edit=0.95)


def test_records_without_a_prompt_do_not_ask_alike() -> None:
    silent = [
        record(messages=[{"role": "assistant", "content": text}]) for text in ("A first note.", "Of other things.")
    ]
    assert not fallen(silent, prompt_edit=0.9)


def test_prompts_are_not_compared_each_with_each_above_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "LIMIT", 1)
    assert "dedup.prompt_edit: 2 records are more than the 1" in refused_by({"prompt_edit": 0.9})


NEAR = [
    record(LONG.format(amount), f"It is {amount} euros.", meta={"rating": 9 - at}) for at, amount in enumerate((5, 7))
]


def test_a_match_whose_vectors_differ_is_refused_and_listed() -> None:
    one, other = NEAR
    assert fallen(NEAR)[other.id][:2] == ("near_duplicate", one.id)
    verify = {"vectors": f"{HERE}Figures"}
    assert not fallen(NEAR, verify=verify)
    assert kinds(NEAR, verify=verify) == [("refused_match", sorted((one.id, other.id)))]
    assert [row["similarity"] for row in deduped(NEAR, verify=verify).rows] == [fallen(NEAR)[other.id][2]]


def test_a_match_whose_vectors_are_alike_holds() -> None:
    verify = {"vectors": f"{HERE}Figures", "threshold": 0.9}
    near = record(LONG.format(5), "It is 5 euros!?", meta={"rating": 1})
    alike = record(LONG.format("5 or so"), "It is 5 euros.", meta={"rating": 2})
    found = fallen([NEAR[0], near, alike], verify=verify)
    assert {drop[0] for drop in found.values()} == {"folded_duplicate", "near_duplicate"}
    assert kinds([NEAR[0], near, alike], verify=verify) == []


def test_copies_of_a_refused_record_are_still_dropped() -> None:
    one, other = NEAR
    copy = record(other.messages[0].content.upper(), other.messages[1].content, meta={"rating": 1})
    found = fallen([one, other, copy], verify={"vectors": f"{HERE}Figures"})
    assert found == {copy.id: ("folded_duplicate", other.id, 1.0)}


def test_a_refused_record_can_still_be_a_semantic_duplicate() -> None:
    found = fallen(NEAR, verify={"vectors": f"{HERE}Figures"}, prompt_edit=0.9)
    assert {name: drop[:2] for name, drop in found.items()} == {NEAR[1].id: ("alike_prompt", NEAR[0].id)}
    assert kinds(NEAR, verify={"vectors": f"{HERE}Figures"}, prompt_edit=0.9) == []


@pytest.mark.parametrize("shingles", ["characters", "words"])
def test_vectors_are_of_the_text_whatever_the_shingles(shingles: str) -> None:
    assert [*fallen([SAME, ONE, ELSE], shingles=shingles, **by_topic())] == [SAME.id]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("models/none", "there is no such folder; put a sentence-transformers model there"),
        ("no.such.module:Encoder", "No module named 'no'"),
        (f"{HERE}Nobody", "has no attribute 'Nobody'"),
        (":Encoder", "name it as package.module:attribute"),
        (f"{HERE}TOPICS", "has no `.encode`"),
        (f"{HERE}Short", "must give one row of finite numbers per text"),
        (f"{HERE}Lost", "must give one row of finite numbers per text"),
    ],
)
def test_an_encoder_that_is_not_there_or_gives_no_vectors_stops_the_run(name: str, message: str) -> None:
    stopped = refused_by({"semantic": {"vectors": name}})
    assert stopped.startswith("params.yaml: dedup: ")
    assert message in stopped
    assert "\n" not in stopped


@pytest.mark.parametrize(
    ("limits", "library"),
    [
        ({"semantic": {}}, "scikit-learn"),
        ({"verify": {"vectors": "lexical"}}, "scikit-learn"),
        ({"prompt_edit": 0.9}, "rapidfuzz"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    limits: dict[str, Any], library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    semantic.encoder.cache_clear()
    monkeypatch.setattr(semantic, "find_spec", lambda name: None)
    assert refused_by(limits) == f"params.yaml: dedup: {library} is not installed; install the extra `semantic`"


def test_a_model_folder_needs_sentence_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(semantic, "find_spec", lambda name: None)
    (tmp_path / "encoder").mkdir()
    with pytest.raises(Stop, match="sentence-transformers is not installed; install the extra `embeddings`"):
        semantic.encoder("encoder")
