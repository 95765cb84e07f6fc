"""That hostile text costs no more than its length, told by counts: of the calls of functions, of Python and of C.

A count is the same on every machine. It sees a loop in a loop, but not what one call does inside, as a pattern that
backtracks does: `make hostile` measures that in seconds, at a hundred and fifty times the size.
"""

from typing import Any

import pytest

from tests import hostile
from tests.conftest import calls

SIZES = (7_000, 14_000)
FREE = 400  # calls that a cache, a table that grows or a find more may take


@pytest.mark.parametrize("name", hostile.TEXTS)
@pytest.mark.parametrize("shape", hostile.SHAPES)
def test_twice_as_much_hostile_text_takes_at_most_about_twice_as_many_calls(name: str, shape: Any) -> None:
    short, long = (shape(hostile.TEXTS[name](size)) for size in SIZES)
    for what, task in hostile.work().items():
        task(long)  # what is looked up once by word or loaded is not counted
        first, second = calls(task, short), calls(task, long)
        assert second <= 2.5 * first + FREE, what


def squared(given: Any) -> int:
    """What walks the whole text once for every tenth of a percent of it."""
    text = given.messages[1].content
    return sum(1 for _ in range(len(text) // 100) for letter in text if letter.isdigit())


def test_the_count_would_tell_what_is_not_linear() -> None:
    first, second = (calls(squared, hostile.as_reply("a" * size)) for size in (1_000, 2_000))
    assert second > 3 * first


def test_a_ratio_and_a_cap_make_a_fault_and_what_is_quick_makes_none() -> None:
    assert hostile.fault(1.0, 2.7) == "grows 2.7 times"
    assert hostile.fault(1.0, 2.5) == ""
    assert hostile.fault(6.0, 12.0) == "takes 6.00 s for 1 MB"
    assert hostile.fault(0.001, 0.049) == ""
