"""Near-duplicates: the signatures are datasketch's, the exact similarity decides, and every loser has a survivor."""

import random
import struct
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args, get_type_hints

import msgspec
import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import dedup, measure
from stages.checks import style
from stages.contract import params, paths, shards, signatures
from stages.contract.params import Stop
from stages.contract.record import Meta, Record
from stages.contract.run import Decision
from stages.text import minhash, near, patterns, same
from stages.text.near import Bounds, near_texts
from stages.text.shingles import fold, jaccard, letters, runs, word_runs, words
from tests.conftest import REPOSITORY, record, run

WORDS = (
    *("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "seven", "bright", "ducks"),
    *("sleep", "near", "an", "old", "stone", "bridge", "today"),
)
PAIR = [{"role": "assistant", "content": "No idea, look in the menu."}]
LONG = "How do I move a task from the kitchen list to the garden list without losing its notes and its due date?"
ANSWER = "Open the task, choose Move, pick the garden list, and everything that belongs to it goes along."
TYPO = ANSWER.replace("along", "alomg")


def xxh32(data: bytes) -> int:
    """xxHash's reference algorithm with seed 0, on one string of bytes."""
    one, two, three, four, five = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1
    full = 0xFFFFFFFF

    def left(value: int, bits: int) -> int:
        return ((value << bits) | ((value & full) >> (32 - bits))) & full

    lanes, rest, total = [one + two, two, 0, -one], data, five
    while len(rest) >= 16:
        lanes = [
            left((v + n * two) & full, 13) * one & full
            for v, n in zip(lanes, struct.unpack("<4I", rest[:16]), strict=True)
        ]
        rest, total = rest[16:], sum(left(v, bits) for v, bits in zip(lanes, (1, 7, 12, 18), strict=True))
    total = (total + len(data)) & full
    while len(rest) >= 4:
        total, rest = left((total + struct.unpack("<I", rest[:4])[0] * three) & full, 17) * four & full, rest[4:]
    for byte in rest:
        total = left((total + byte * five) & full, 11) * one & full
    total = (total ^ total >> 15) * two & full
    total = (total ^ total >> 13) * three & full
    return total ^ total >> 16


def pieces(text: str) -> set[str]:
    """The runs of five characters of a text, as strings."""
    folded = " ".join(text.lower().split())
    return {folded[start : start + 5] for start in range(max(1, len(folded) - 4))}


def similarity(one: str, other: str) -> float:
    """Exact Jaccard similarity, by sets."""
    return len(pieces(one) & pieces(other)) / len(pieces(one) | pieces(other))


def reference(text: str) -> list[int]:
    """The signature that datasketch gives the text."""
    sketch = MinHash(128, scheme="affine32", hashfunc=xxh32)
    for piece in pieces(text):
        sketch.update(piece.encode())
    return [int(value) for value in sketch.hashvalues]


def related(seed: int, count: int) -> dict[str, str]:
    """Random texts, most of them made from an earlier one with a few words changed."""
    chance = random.Random(seed)
    made: list[list[str]] = []
    for _ in range(count):
        text = list(chance.choice(made)) if made and chance.random() < 0.7 else chance.choices(WORDS, k=25)
        for _ in range(chance.randrange(4)):
            text[chance.randrange(len(text))] = f"{chance.choice(WORDS)}{chance.randrange(9)}"
        made.append(text)
    return {f"{place:02d}": " ".join(text) for place, text in enumerate(made)}


def compared(texts: dict[str, str], threshold: float = 0.8, floor: float = 0.7, recall: float = 0.999) -> Any:
    """Who is dropped for whom among texts in the order of preference, and the pairs that stay, with their similarities."""
    names = list(texts)
    alike = near_texts(list(texts.values()), Bounds(threshold, floor, recall, max(1, len(texts))))
    drops = {
        names[place]: (names[survivor], round(float(alike.similarity[place]), 3))
        for place, survivor in enumerate(alike.survivor.tolist())
        if survivor >= 0
    }
    found = zip(alike.ones.tolist(), alike.others.tolist(), alike.likeness.tolist(), strict=True)
    return drops, {(names[one], names[other]): round(likeness, 3) for one, other, likeness in found}


def deduped(records: Sequence[Record], **limits: Any) -> Decision:
    """What dedup decides over these records."""
    given = {"compare": "conversation", "shingles": "characters", **limits}
    sources = {name: {"path": "x", "licence": "CC0-1.0"} for name in sorted({each.source for each in records})}
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", Path(folder))
        patch.setattr(params, "whole", lambda: {"sources": sources, "dedup": given})
        for name in sources:
            own = [each for each in records if each.source == name]
            for number, start in enumerate(range(0, len(own), 7)):  # several shards
                part = own[start : start + 7]
                shards.put_rows(paths.records(name) / shards.name(number), part)
                paths.signatures(name).mkdir(parents=True, exist_ok=True)
                scores = [{"style": style.measure(each)} for each in part]
                np.save(paths.signatures(name) / f"{number:05d}.npy", measure.sign(part, scores))
        known = signatures.signed(list(sources), {})
        decision = dedup.decide(known, msgspec.convert(given, dedup.Params))
        return decision


@pytest.fixture(params=["plain", "compiled"])
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both forms of the inner loops, one after the other."""
    chosen = None
    if request.param == "compiled":
        chosen = import_module("stages.text.kernel")
    for module in (minhash, near):
        monkeypatch.setattr(module, "kernel", lambda count: chosen)
    return str(request.param)


def losers(*records: Record) -> dict[str, str]:
    """Who is dropped, and why."""
    return {drop.id: drop.reason for drop in deduped(records).drops}


@pytest.mark.parametrize(("data", "expected"), [(b"", 0x02CC5D05), (b"a", 0x550D7456), (b"abc", 0x32D153FF)])
def test_the_reference_hash_gives_the_published_values(data: bytes, expected: int) -> None:
    assert xxh32(data) == expected


@pytest.mark.parametrize("length", range(21))
def test_the_hash_of_every_length_a_run_can_have_is_that_of_the_reference(length: int) -> None:
    data = bytes((37 * place + length) % 256 for place in range(40))
    starts = np.array([0, 3, 19])
    found = minhash.xxh32(lambda offset: np.frombuffer(data, np.uint8)[starts + offset], length)
    assert found.tolist() == [xxh32(data[start : start + length]) for start in starts]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a",
        "Yes",
        "four",
        "fives",
        "sixers",
        "How do I rename a list?",
        "怎样重命名一个列表",
        "好",
        "🍏🍐🍊🍋🍌🍉",
        "🍏",
        "naïve café — 3 € 🎉 好",
        "NAÏVE\u00a0\u3000 Café\u2003\u2028x\x85y\u1680z\u202f1\u205f \x1c",
        "abc" * 30_000,  # longer than a block
    ],
    ids=lambda text: text[:12] or "empty",
)
def test_a_signature_is_bit_for_bit_that_of_datasketch(text: str, loops: str) -> None:
    assert minhash.signatures([text]).tolist() == [reference(text)]


@given(st.lists(st.text(max_size=30), max_size=6))
@settings(derandomize=True, max_examples=40)
def test_a_signature_does_not_depend_on_the_texts_beside_it(texts: list[str]) -> None:
    assert minhash.signatures(texts).tolist() == [reference(text) for text in texts]


def test_a_signature_does_not_depend_on_where_a_block_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["first text", "", "怎样重命名", "another one", "a"]
    whole = minhash.signatures(texts)
    monkeypatch.setattr(patterns, "BLOCK", 8)
    assert len(list(minhash.blocks(texts))) > 1
    assert np.array_equal(minhash.signatures(texts), whole)


def test_no_texts_have_no_signatures(loops: str) -> None:
    assert minhash.signatures([]).shape == (0, 128)


@given(st.text(max_size=40), st.text(max_size=40))
@settings(derandomize=True, max_examples=150)
def test_the_similarity_of_two_texts_is_that_of_their_sets_of_runs(one: str, other: str) -> None:
    assert jaccard(runs(letters(fold(one))), runs(letters(fold(other)))) == similarity(one, other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("Yes", "yes ", True), ("Yes", "No", False), ("", "  ", True), ("", "a", False), ("a\n b", "A B", True)],
)
def test_texts_shorter_than_a_run_are_alike_only_when_they_are_equal_but_for_case_and_space(
    one: str, other: str, same: bool
) -> None:
    assert jaccard(runs(letters(fold(one))), runs(letters(fold(other)))) == float(same)


@given(st.text(max_size=40))
@settings(derandomize=True)
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_runs_of_words_leave_out_punctuation_and_case() -> None:
    assert words("It's 3 o'clock, Élise!") == ["it", "s", "3", "o", "clock", "élise"]
    assert list(word_runs("One, two. THREE", 2)) == [("one", "two"), ("two", "three")]
    assert list(word_runs("One, two. THREE", 4)) == []


@pytest.mark.parametrize("floor", [0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("recall", [0.5, 0.9, 0.98, 0.999])
def test_the_bands_reach_the_declared_recall_and_longer_bands_would_not(floor: float, recall: float) -> None:
    def reached(count: int, rows: int) -> float:
        return 1 - (1 - floor**rows) ** count

    count, rows = minhash.bands(floor, recall)
    assert count * rows <= minhash.PERMUTATIONS
    assert reached(count, rows) >= recall
    assert all(reached(128 // longer, longer) < recall for longer in range(rows + 1, 129))


def test_pairs_at_the_threshold_are_found_nearly_always_with_the_shipped_bands() -> None:
    count, rows = minhash.bands(0.7, 0.98)
    assert 1 - (1 - 0.8**rows) ** count > 0.9999


def test_as_many_pairs_at_the_floor_meet_in_a_band_as_declared() -> None:
    chance = random.Random(0)
    texts = []
    for _ in range(600):  # two texts of 100 runs that share 83: Jaccard 83 / 117 = 0.709
        start, one, other = ("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=k)) for k in (87, 17, 17))
        texts += [start + one, start + other]
    count, rows = minhash.bands(0.7, 0.98)
    table = minhash.signatures(texts)
    keys = np.stack([minhash.band_keys(table, band, rows) for band in range(count)])
    assert (keys[:, ::2] == keys[:, 1::2]).any(axis=0).mean() >= 0.98


def test_a_recall_that_no_bands_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="reach recall"):
        minhash.bands(0.01, 0.999)


def test_records_are_in_a_bucket_only_where_another_is_too() -> None:
    keys = np.array([7, 5, 7, 9, 5, 7], np.uint64)
    places, lengths = near.numbered(keys, np.array([2]))
    assert places.tolist() == [2, 1, 2, -1, 1, 2]
    assert lengths.tolist() == [2, 2, 3]
    assert near.numbered(np.array([1, 2], np.uint64), np.array([2]))[0].tolist() == [-1, -1]


@given(st.lists(st.lists(st.sampled_from(WORDS[:6]), max_size=7).map(" ".join), max_size=14))
@settings(derandomize=True, max_examples=80)
def test_nothing_is_dropped_below_the_threshold_and_every_survivor_is_kept(found: list[str]) -> None:
    texts = {f"{place:02d}": text for place, text in enumerate(found)}
    drops, pairs = compared(texts)
    for loser, (survivor, told) in drops.items():
        assert similarity(texts[loser], texts[survivor]) >= 0.8
        assert told == round(similarity(texts[loser], texts[survivor]), 3)
        assert survivor not in drops
        assert survivor < loser
    for (a, b), told in pairs.items():
        assert 0.7 <= similarity(texts[a], texts[b]) < 0.8
        assert told == round(similarity(texts[a], texts[b]), 3)
        assert not {a, b} & drops.keys()


@pytest.mark.parametrize("seed", range(6))
def test_the_survivors_are_those_a_greedy_pass_over_exact_similarities_keeps(seed: int, loops: str) -> None:
    texts = related(seed, 60)
    kept: list[str] = []
    for name, text in texts.items():
        if all(similarity(text, texts[other]) < 0.8 for other in kept):
            kept.append(name)
    drops, _ = compared(texts)
    assert [name for name in texts if name not in drops] == kept
    assert 5 < len(kept) < len(texts) - 5


def test_pairs_of_survivors_between_floor_and_threshold_are_told(loops: str) -> None:
    found = missed = 0
    for seed in range(6):
        texts = related(seed, 60)
        drops, pairs = compared(texts)
        kept = [name for name in texts if name not in drops]
        true = {(b, a) for n, b in enumerate(kept) for a in kept[:n] if similarity(texts[a], texts[b]) >= 0.7}
        assert pairs.keys() <= true
        found, missed = found + len(pairs), missed + len(true - pairs.keys())
    assert found > 20
    assert missed <= 0.01 * found


def test_a_similarity_that_only_rounds_up_to_the_threshold_is_below_it(loops: str) -> None:
    whole = "".join(map(chr, range(0x4E00, 0x4E00 + 1007)))  # 1,003 runs, of which the other text has 802
    texts = {"a": whole, "b": whole[:806]}
    assert 0.7995 < similarity(*texts.values()) < 0.8
    drops, pairs = compared(texts)
    assert not drops
    assert pairs == {("b", "a"): 0.8}


@pytest.mark.parametrize(("shared", "dropped"), [(80, True), (79, False), (70, False)])
def test_a_similarity_on_a_limit_counts(shared: int, dropped: bool) -> None:
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + 104)))  # 100 runs
    drops, pairs = compared({"a": letters, "b": letters[: shared + 4]})
    assert drops == ({"b": ("a", shared / 100)} if dropped else {})
    assert pairs == ({} if dropped else {("b", "a"): shared / 100})


@pytest.mark.parametrize(("floor", "runs_of_one", "runs_of_other"), [(0.55, 100, 55), (0.7, 100, 70), (0.55, 200, 110)])
def test_a_text_inside_another_is_a_pair_at_exactly_the_floor(
    floor: float, runs_of_one: int, runs_of_other: int, loops: str
) -> None:
    letters_of = "".join(map(chr, range(0x4E00, 0x4E00 + runs_of_one + 4)))
    _, pairs = compared({"a": letters_of, "b": letters_of[: runs_of_other + 4]}, floor=floor)
    assert pairs == {("b", "a"): floor}


def test_a_record_like_a_dropped_one_but_not_like_its_survivor_stays(loops: str) -> None:
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + 144)))
    texts = {"a": letters[:104], "b": letters[10:114], "c": letters[20:124]}  # neighbours 90 of 110, ends 80 of 120
    drops, pairs = compared(texts)
    assert drops == {"b": ("a", 0.818)}
    assert not pairs


def test_only_the_nearest_survivors_are_compared() -> None:
    table = np.zeros((5, 10), np.uint8)
    for other, equal in enumerate((5, 9, 8, 9)):
        table[other, equal:] = 1
    others = np.arange(4)
    assert near.nearest(table, 4, others, 6, 9) == ([1, 3, 2], False)
    assert near.nearest(table, 4, others, 6, 2) == ([1, 3], True)
    assert near.nearest(table, 4, others, 10, 9) == ([], False)


def test_the_same_conversation_twice_is_kept_once() -> None:
    one, other = record(LONG, ANSWER, id="1" * 32), record(LONG, ANSWER, id="2" * 32)
    [drop] = deduped([one, other]).drops
    assert (drop.id, drop.reason) == (other.id, "exact_duplicate")
    assert drop.evidence == {"survivor": one.id, "similarity": 1.0}


def test_another_system_turn_does_not_make_it_another_example() -> None:
    turns = [{"role": "user", "content": LONG}, {"role": "assistant", "content": ANSWER}]
    plain = record(messages=turns)
    told = record(messages=[{"role": "system", "content": "You are helpful."}, *turns])
    assert [*losers(plain, told).values()] == ["exact_duplicate"]


def test_a_typo_makes_a_near_duplicate_with_its_true_similarity() -> None:
    one, other = record(LONG, ANSWER, meta={"rating": 5}), record(LONG, TYPO)
    [drop] = deduped([one, other]).drops
    assert (drop.id, drop.source, drop.reason) == (other.id, "sample", "near_duplicate")
    assert drop.evidence == {
        "survivor": one.id,
        "similarity": round(similarity(f"{LONG}\n{ANSWER}", f"{LONG}\n{TYPO}"), 3),
    }


def test_the_same_prompt_with_another_answer_stays() -> None:
    other = "Drag it there in the side bar with the mouse; notes and dates are kept, as they are part of it."
    assert not losers(record(LONG, ANSWER), record(LONG, other))


LONG_PROMPT = (
    f"{LONG} I keep one list for each room of the house, and the neighbours who water the plants see only one of them."
)


def test_another_answer_to_a_long_prompt_is_no_duplicate_however_much_of_the_text_is_shared(loops: str) -> None:
    one, other = record(LONG_PROMPT, "Yes, drag it."), record(LONG_PROMPT, "No, that cannot be done.")
    shared = similarity(f"{LONG_PROMPT}\nYes, drag it.", f"{LONG_PROMPT}\nNo, that cannot be done.")
    assert shared > 0.8
    decision = deduped([one, other])
    assert not decision.drops
    assert not decision.rows
    [row] = decision.more[paths.UNRESOLVED]
    assert row == {"kind": "conflicting_answer", "ids": sorted((one.id, other.id))}


def test_what_is_compared_is_declared() -> None:
    one, other = record(LONG_PROMPT, "Yes, drag it."), record(LONG_PROMPT, "No, that cannot be done.")
    far, same = record("Can I move it?", ANSWER), record("How would one do that?", ANSWER)
    assert len(deduped([one, other], compare="prompt").drops) == 1
    assert not deduped([far, same], compare="prompt").drops
    assert len(deduped([far, same], compare="reply").drops) == 1
    assert not deduped([far, same]).drops


def test_records_that_ask_nothing_are_not_the_same_when_prompts_are_compared() -> None:
    texts = [record(messages=[{"role": "assistant", "content": said}]) for said in (ANSWER, LONG)]
    assert not deduped(texts, compare="prompt").drops


@pytest.mark.parametrize("loop", ["plain", "compiled"])
def test_words_find_the_same_words_in_another_layout(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = import_module("stages.text.kernel") if loop == "compiled" else None
    for module in (minhash, near):
        monkeypatch.setattr(module, "kernel", lambda count: chosen)
    text = "naïve " + " ".join(WORDS)
    one, other = record(LONG, text), record(LONG, "\n* ".join(text.split()) + " - and so on")
    assert [drop.reason for drop in deduped([one, other], shingles="words").drops] == ["near_duplicate"]
    assert not deduped([one, other]).drops


def call(name: str, **arguments: Any) -> list[dict[str, Any]]:
    """A request and the call that answers it."""
    made = {"id": "abcdefghi", "name": name, "arguments": arguments}
    return [{"role": "user", "content": LONG_PROMPT}, {"role": "assistant", "tool_calls": [made]}]


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (record(messages=call("pay", amount=5)), record(messages=call("refund", amount=5)), "conflicting_tools"),
        (record(messages=call("pay", amount=5)), record(messages=call("pay", amount=50)), "conflicting_answer"),
        (record(LONG, "Yes"), record(LONG, "No, never."), "conflicting_answer"),
        (record(LONG, "Paris"), record(LONG, "Lyon"), "conflicting_answer"),
        (record(LONG, ANSWER), record(LONG, "Cut it, and paste it where you want to have it."), "several_answers"),
        (record(LONG, "Yes."), record(LONG, "Yes, that is easy: drag it."), "several_answers"),
    ],
)
def test_several_answers_to_one_prompt_are_listed_and_called_a_conflict_where_they_choose_differently(
    one: Record, other: Record, kind: str
) -> None:
    rows = deduped([one, other, record("Something else?", ANSWER)]).more[paths.UNRESOLVED]
    assert rows == [{"kind": kind, "ids": sorted((one.id, other.id))}]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I pay", "how do I  PAY?"),
        ("Pay now!", "“Pay” now…"),
        ("怎样付款？", "怎样付款。"),
        ("Type `ls -A` here", "type `ls -A`, HERE."),
    ],
)
def test_prompts_that_differ_in_case_space_and_punctuation_are_the_same(one: str, other: str) -> None:
    assert [*losers(record(one, "Yes"), record(other, "yes.")).values()] == ["folded_duplicate"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is C?", "What is C++?"),
        ("Is 1.5 much?", "Is 15 much?"),
        ("Type `ls -A`", "Type `ls -a`"),
        ("```\nprint(password)\n```", "```\nprint(Password)\n```"),
        ("print(password)", "print(Password)"),
        ("👍", "👎"),
        ("?", "!"),
        ("5 - 3", "5 + 3"),
    ],
)
def test_signs_that_mean_something_make_another_record(one: str, other: str) -> None:
    assert not losers(record(one, "ok"), record(other, "ok"))


def test_the_arguments_of_a_tool_are_the_same_letter_by_letter() -> None:
    assert not losers(record(messages=call("log", who="Al")[1:]), record(messages=call("log", who="al")[1:]))


def test_a_copy_but_for_case_of_a_dropped_record_is_compared_with_its_survivor_itself(loops: str) -> None:
    best = record(LONG, ANSWER, id="1" * 32, meta={"rating": 5})
    like, loud = record(LONG, TYPO, id="2" * 32, meta={"rating": 4}), record(LONG, TYPO.upper(), id="3" * 32)
    found = {drop.id: (drop.reason, drop.evidence["survivor"]) for drop in deduped([best, like, loud]).drops}
    assert found == {like.id: ("near_duplicate", best.id), loud.id: ("near_duplicate", best.id)}


def test_the_preferred_source_stays() -> None:
    keep, lose = record(LONG, TYPO, id="f" * 32, source="b"), record(LONG, ANSWER, id="0" * 32, source="a")
    assert [drop.id for drop in deduped([keep, lose], prefer=["b"]).drops] == [lose.id]
    assert [drop.id for drop in deduped([keep, lose]).drops] == [keep.id]
    with pytest.raises(Stop, match=r"dedup\.prefer: there is no source c; name one of a, b"):
        deduped([keep, lose], prefer=["c"])


def test_what_was_not_compared_is_told(loops: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "HELD", 4)
    letters_of = "".join(map(chr, range(0x4E00, 0x4E00 + 75)))
    texts = [letters_of + "".join(map(chr, range(0x5E00 + 40 * n, 0x5E00 + 40 * n + 25))) for n in range(40)]
    alike = near_texts(texts, Bounds(0.8, 0.5, 0.98, 64))
    assert (alike.survivor == -1).all()
    assert alike.left.sum() > 20
    assert not near_texts(texts[:4], Bounds(0.8, 0.5, 0.98, 64)).left.any()


@pytest.mark.parametrize("text", ["", " ", "好", "👍👎👍", "1234567890", "x" * 3_000_000], ids=len)
def test_of_records_that_are_all_the_same_one_stays(text: str, loops: str) -> None:
    alike = near_texts([text] * 5, Bounds(0.8, 0.7, 0.98, 64))
    assert alike.survivor.tolist() == [-1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "texts",
    [
        ["one record"],
        ["", "好", "👍", "1", "Yes", "No"],
        ["👍👎😀😁😂", "👎👍😂😁😀", "😀😁😂👍👎"],
        ["1234567890", "0987654321", "1122334455"],
        ["怎样重命名一个列表", "怎样删除一个任务", "今天天气很好吗"],
    ],
    ids=len,
)
def test_records_without_a_partner_all_stay(texts: list[str], loops: str) -> None:
    assert (near_texts(texts, Bounds(0.8, 0.7, 0.98, 64)).survivor == -1).all()


def test_of_no_records_none_is_dropped(loops: str) -> None:
    assert len(near_texts([], Bounds(0.8, 0.7, 0.98, 64)).survivor) == 0


@pytest.mark.parametrize(("similar", "kept"), [(0.75, 600), (0.95, 1)])
def test_boilerplate_is_compared_with_a_bounded_number_of_survivors(similar: float, kept: int) -> None:
    import_module("stages.text.kernel")
    chance, own = random.Random(1), round(250 * (1 - similar) / similar)
    base = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=500))
    texts = [base + "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=own)) for _ in range(600)]
    alike = near_texts(texts, Bounds(0.8, 0.7, 0.98, 64))
    assert (alike.survivor == -1).sum() == kept
    assert len(alike.ones) <= near.PAIRS * len(texts)
    assert alike.left.any() == (kept > near.HELD)


@given(st.lists(st.text(alphabet="aB É好👍\n\u3000\xa0\u200b", max_size=12), max_size=30))
@settings(derandomize=True, max_examples=60)
def test_the_compiled_loops_give_what_the_plain_ones_give(found: list[str]) -> None:
    kernel = import_module("stages.text.kernel")
    outcomes = []
    for chosen in (None, kernel):
        with pytest.MonkeyPatch.context() as patch:
            for module in (minhash, near):
                patch.setattr(module, "kernel", lambda count, chosen=chosen: chosen)
            alike = near_texts(found, Bounds(0.6, 0.3, 0.98, 3))
            outcomes.append([getattr(alike, name).tolist() for name in near.Alike.__struct_fields__])
    assert outcomes[0] == outcomes[1]


@given(st.lists(st.text(alphabet="aBΣ'·.:,01 \n–。\u3000\xa0\x1c\u200b👍İ", max_size=12), max_size=30))
@settings(derandomize=True, max_examples=200)
def test_the_compiled_loop_bares_and_folds_texts_as_the_plain_functions_do(found: list[str]) -> None:
    import_module("stages.text.kernel")  # once loaded it is used for any number of texts
    assert same.bare_all(found) == [same.bare(text) for text in found]
    assert same.fold_all(found) == [fold(text) for text in found]


def test_the_compiled_loops_load_no_linear_algebra() -> None:
    code = "import sys, stages.text.minhash as m; m.warm_up(20_000); assert 'scipy.linalg' not in sys.modules"
    run(sys.executable, "-c", f"{code}; import scipy.linalg.cython_blas", cwd=REPOSITORY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is 1.5, not 15.", "it is 1.5 not 15"),
        ("At 10:30: go, 1,000 times!", "at 10:30 go 1,000 times"),
        ("?!", "?!"),
        ("Ja – “gut”。好", "ja gut 好"),
    ],
)
def test_a_bare_text_is_without_case_and_punctuation_but_between_digits(text: str, expected: str) -> None:
    assert same.bare(text) == expected


def test_short_answers_that_differ_are_not_merged() -> None:
    assert not losers(record("Is it free?", "Yes"), record("Is it free?", "No"))


def test_a_copy_of_a_dropped_near_duplicate_is_dropped_for_the_one_that_stays() -> None:
    best = record(LONG, ANSWER, id="1" * 32, meta={"rating": 5})
    like, copy = record(LONG, TYPO, id="2" * 32), record(LONG, TYPO, id="3" * 32)
    drops = deduped([best, like, copy]).drops
    assert {drop.id for drop in drops} == {like.id, copy.id}
    assert {drop.evidence["survivor"] for drop in drops} == {best.id}
    assert {drop.reason for drop in drops} == {"near_duplicate"}
    assert {drop.evidence["similarity"] for drop in drops} == {
        round(similarity(f"{LONG}\n{ANSWER}", f"{LONG}\n{TYPO}"), 3)
    }


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"method": "human"}, {"method": "log"}),
        ({"method": "log"}, {"method": "template"}),
        ({"method": "template"}, {"method": "augmented"}),
        ({"method": "augmented"}, {"method": "model"}),
        ({"method": "human"}, {"method": "model", "rating": 5}),
        ({"rating": 5}, {"rating": 3}),
        ({"rating": 1}, {}),
    ],
)
def test_the_more_trusted_of_two_stays(better: dict[str, Any], worse: dict[str, Any]) -> None:
    keep, lose = record(LONG, ANSWER, id="f" * 32, meta=better), record(LONG, TYPO, id="0" * 32, meta=worse)
    assert losers(keep, lose) == {lose.id: "near_duplicate"}


def test_of_equally_trusted_records_the_better_written_stays() -> None:
    keep, lose = record(LONG, ANSWER + " Then save it."), record(LONG, ANSWER + " Maybe save it.")
    assert losers(keep, lose) == {lose.id: "near_duplicate"}


def test_of_equally_trusted_records_the_longer_stays() -> None:
    keep, lose = record(LONG, ANSWER + " Done.", id="f" * 32), record(LONG, ANSWER, id="0" * 32)
    assert losers(keep, lose) == {lose.id: "near_duplicate"}


def test_every_method_has_its_place_in_the_order_of_trust() -> None:
    assert sorted(signatures.METHODS) == sorted(get_args(get_type_hints(Meta)["method"]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"rejected": PAIR}, {}),
        ({"label": True}, {}),
        ({"label": True}, {"label": False}),
        ({"label": True}, {"rejected": PAIR}),
    ],
)
def test_records_of_different_kinds_are_not_compared(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not losers(record(LONG, ANSWER, **one), record(LONG, ANSWER, **other))


@pytest.mark.parametrize("more", [{"rejected": PAIR}, {"label": True}, {"label": False}])
def test_records_of_the_same_kind_are_compared(more: dict[str, Any]) -> None:
    found = losers(record(LONG, ANSWER, id="1" * 32, **more), record(LONG, ANSWER, id="2" * 32, **more))
    assert found == {"2" * 32: "exact_duplicate"}


@pytest.mark.parametrize(("better", "worse"), ["ab", "ba"])
def test_pairs_that_stay_are_told_with_the_smaller_id_first(better: str, worse: str) -> None:
    changed = LONG.replace("kitchen", "bathroom")
    likeness = similarity(f"{LONG}\n{ANSWER}", f"{changed}\n{ANSWER}")
    one, other = record(LONG, ANSWER, id=better * 32, meta={"rating": 5}), record(changed, ANSWER, id=worse * 32)
    decision = deduped([one, other], threshold=0.99, floor=0.6)
    assert not decision.drops
    assert decision.rows == [{"a": "a" * 32, "b": "b" * 32, "similarity": round(likeness, 3)}]


@given(st.permutations(range(14)))
@settings(derandomize=True, max_examples=8)
def test_the_order_of_the_input_does_not_matter(order: list[int]) -> None:
    records = [record(LONG, text, meta={"rating": place % 3}) for place, text in enumerate(related(3, 12).values())]
    records += [record(LONG, ANSWER, id=digit * 32) for digit in "12"]

    def outcome(found: Decision) -> Any:
        return {drop.id: (drop.reason, drop.evidence) for drop in found.drops}, found.rows

    drops, rows = outcome(deduped([records[place] for place in order]))
    assert (drops, rows) == outcome(deduped(records))
    assert drops


def test_dropping_again_drops_nothing() -> None:
    records = [record(LONG, text) for text in related(5, 30).values()]
    gone = {drop.id for drop in deduped(records).drops}
    assert gone
    assert not deduped([each for each in records if each.id not in gone]).drops


@pytest.mark.parametrize(
    ("limits", "named"), [({"floor": 0.9}, "threshold"), ({"floor": 0.01, "recall": 0.999}, "recall")]
)
def test_limits_that_cannot_be_kept_stop_the_run(limits: dict[str, float], named: str) -> None:
    with pytest.raises(Stop) as stopped:
        dedup.check(msgspec.convert(limits, dedup.Params))
    assert "params.yaml: dedup" in stopped.value.message
    assert named in stopped.value.message


@pytest.mark.parametrize("limits", [{}, {"floor": 0.8}, {"floor": 0.3, "threshold": 0.5}])
def test_limits_that_can_be_kept_do_not_stop_the_run(limits: dict[str, float]) -> None:
    dedup.check(msgspec.convert(limits, dedup.Params))
