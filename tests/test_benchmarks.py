"""The page of the benchmarks, and what they count with."""

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from stages.contract.params import Stop
from tests.benchmarks import __main__ as bench
from tests.benchmarks import append, near_dedup, truth

TEXTS = ["one two three four five six", "seven", "One two  three four five six", "ΑΒΓ 好 🎉 — and so on", "seven"]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"id": str(n), "text": text}) + "\n" for n, text in enumerate(TEXTS)), "utf-8")
    return path


def test_the_page_is_written_from_the_results() -> None:
    assert (bench.HERE / "README.md").read_text() == bench.page(json.loads((bench.HERE / "results.json").read_text()))


@pytest.mark.parametrize("part", [part for part in bench.PARTS if find_spec(f"tests.benchmarks.{part}")])
def test_every_part_says_what_it_is_and_gives_rows(part: str) -> None:
    module = import_module(f"tests.benchmarks.{part}")
    assert module.__doc__
    assert callable(module.rows)


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(Stop, match="there is no part speed"):
        bench.main(["speed"])


@pytest.mark.parametrize("span", [1, 7, 40, 1000])
def test_every_row_is_read_in_exactly_one_span(rows: Path, span: int) -> None:
    starts = range(0, rows.stat().st_size, span)
    found = [row for start in starts for _, row in near_dedup.rows(rows, start, start + span)]
    assert [row.text for row in found] == TEXTS


def test_copies_and_near_duplicates_of_a_file_are_matched_with_a_kept_row(rows: Path, tmp_path: Path) -> None:
    kept, matches = tmp_path / "kept.txt", tmp_path / "matches.tsv"
    near_dedup.main(str(rows), str(kept), str(matches))
    assert kept.read_text().split() == ["1", "2", "3"]  # the second space makes row 2 the longer of two that are equal
    assert matches.read_text().splitlines() == ["0\t2\t1.000000", "4\t1\t1.000000"]


def test_the_exact_greedy_keeps_what_no_kept_row_matches() -> None:
    chain = truth.Pairs(np.array([0, 1]), np.array([1, 2]))
    assert truth.exact_greedy(chain, [0, 1, 2]).tolist() == [True, False, True]
    assert truth.exact_greedy(chain, [1, 0, 2]).tolist() == [False, True, False]


@pytest.mark.parametrize("survivor", [1, 2])
def test_a_drop_for_a_row_that_is_no_partner_or_no_survivor_is_told(survivor: int) -> None:
    verdicts = truth.Verdicts(np.array([False, False, True]), {0: survivor, 1: 2})
    texts = ["the same text", "the same text", "the same text!"]
    assert 0 in truth.without_partner(verdicts, truth.Pairs(np.array([0, 1]), np.array([1, 2])))
    assert (0 in truth.unlike(verdicts, texts)) is (survivor == 1)


def test_a_share_is_of_the_bytes_that_the_remote_did_not_have() -> None:
    assert append.share({"a": 3_000_000, "b": 1_000_000}, {"b": 1_000_000, "c": 5}) == ("25.0% (1.00 of 4.0 MB)",)
