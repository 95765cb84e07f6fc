"""The numbers of agreement: published examples, another library's answers, and what must hold of any ratings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import agreement
from lineage.agreement import Cut, estimate

NONE = np.nan
OBSERVERS = np.array(  # Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): four observers, twelve units
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
        [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
    ]
).T
scores = st.lists(st.tuples(*[st.integers(1, 5)] * 3), min_size=2, max_size=12).map(lambda rows: np.array(rows, float))


def test_ordinal_alpha_is_krippendorffs_own():
    assert agreement.ordinal_alpha(OBSERVERS) == pytest.approx(0.815, abs=5e-4)


def test_ac1_is_gwets_where_kappa_collapses():
    """Gwet (2008): 118 and 2 agreed, 5 and 0 not: kappa is -0.023, AC1 0.941."""
    one, other = np.array([1] * 118 + [1] * 5 + [0] * 2), np.array([1] * 118 + [0] * 5 + [1] * 2)
    assert agreement.first_coefficient(one, other) == pytest.approx(0.941, abs=5e-4)
    assert agreement.weighted_kappa(one.astype(float), other.astype(float)) == pytest.approx(-0.0234, abs=5e-5)


def test_weighted_kappa_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(7)
    for _ in range(20):
        one, other = chance.integers(1, 6, 40), chance.integers(1, 6, 40)
        ours = agreement.weighted_kappa(one.astype(float), other.astype(float))
        assert ours == pytest.approx(metrics.cohen_kappa_score(one, other, weights="quadratic"))


@given(scores)
@settings(derandomize=True, max_examples=60)
def test_full_agreement_is_one_and_the_order_of_raters_and_items_means_nothing(ratings):
    same = np.repeat(ratings[:, :1], 3, axis=1)
    varied = len(set(same[:, 0])) > 1
    assert agreement.ordinal_alpha(same) == pytest.approx(1) if varied else np.isnan(agreement.ordinal_alpha(same))
    if varied:
        assert agreement.weighted_kappa(same[:, 0], same[:, 1]) == 1
    for other in (ratings[:, ::-1], ratings[::-1]):
        assert agreement.ordinal_alpha(other) == pytest.approx(agreement.ordinal_alpha(ratings), nan_ok=True)
    kappas = agreement.weighted_kappa(*ratings.T[:2]), agreement.weighted_kappa(*ratings.T[1::-1])
    assert kappas[0] == pytest.approx(kappas[1], nan_ok=True)


@given(scores)
@settings(derandomize=True, max_examples=6)
def test_an_interval_holds_its_number(ratings):
    for statistic, arrays in (
        (agreement.ordinal_alpha, [ratings]),
        (agreement.weighted_kappa, [ratings[:, 0], ratings[:, 1]]),
        (agreement.slope, [ratings[:, 0], ratings[:, 1], ratings[:, 2]]),
    ):
        found = estimate(statistic, *arrays, seed=1)
        if found.low is not None and found.high is not None:
            assert found.low <= found.value <= found.high


def test_more_items_narrow_the_interval_and_another_seed_moves_it():
    chance = np.random.default_rng(1)
    judge = chance.integers(1, 6, 400).astype(float)
    people = np.clip(judge + chance.integers(-1, 2, 400), 1, 5)
    few, many = (estimate(agreement.weighted_kappa, judge[:n], people[:n], seed=1) for n in (40, 400))
    assert few.high - few.low > 2 * (many.high - many.low)
    assert estimate(agreement.weighted_kappa, judge, people, seed=1) == many
    assert estimate(agreement.weighted_kappa, judge, people, seed=2) != many


@pytest.mark.parametrize("n", [0, 1])
def test_of_one_item_nothing_is_known(n):
    found = estimate(agreement.bias, np.ones(n), np.ones(n), seed=1)
    assert (found.value, found.low, found.high, found.n) == (None, None, None, n)


def test_scores_that_are_all_alike_tell_no_kappa():
    assert estimate(agreement.weighted_kappa, np.ones(9), np.ones(9), seed=1).value is None


def test_the_slope_is_points_for_every_doubling():
    tokens = np.array([10, 20, 40, 80], float)
    assert agreement.slope(np.array([1, 1.5, 2, 2.5]), np.ones(4), tokens) == pytest.approx(0.5)


def test_the_best_cut_parts_good_from_bad_and_of_equals_is_the_one_in_force():
    judge, good = np.array([1, 2, 3, 4, 5.0]), np.array([0, 0, 1, 1, 1.0])
    assert agreement.best_cut(judge, good, 4.5) == Cut(2.5, 3, 3, 2, 0)
    assert agreement.best_cut(judge, good, 2.2) == Cut(2.2, 3, 3, 2, 0)
    assert agreement.best_cut(judge, np.ones(5), 3.5) is None


def test_a_pass_rate_is_corrected_for_the_judges_errors():
    """Of 100 with 60 good, a judge that passes 90 % of the good and 20 % of the bad passes 62."""
    assert agreement.corrected(0.62, specificity=0.8, sensitivity=0.9) == pytest.approx(0.6)
    assert agreement.corrected(0.1, 0.8, 0.9) == 0
    assert agreement.corrected(0.99, 0.8, 0.9) == 1


@pytest.mark.parametrize(("specificity", "sensitivity"), [(0.5, 0.5), (0.0, 1.0), (0.2, 0.3)])
def test_a_judge_that_is_no_better_than_chance_corrects_nothing(specificity, sensitivity):
    with pytest.raises(ValueError, match="says nothing"):
        agreement.corrected(0.7, specificity, sensitivity)
