"""Confidence intervals against SciPy's, and against how often they hold the truth."""

from math import inf, isnan, sqrt

import numpy as np
import pytest
from scipy import stats

from ckptsim.estimate import Estimate, controlled_mean, mean_of, ratio_of, student

SEED = 20_250_611


def draws(count, runs=1):
    return np.random.default_rng(SEED).exponential(1, (runs, count))


@pytest.mark.parametrize("confidence", [0.9, 0.99])
@pytest.mark.parametrize("count", [2, 5, 1000])
def test_a_mean_has_the_interval_scipy_gives_it(count, confidence):
    values = draws(count)[0]
    low, high = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    assert mean_of(values, confidence).interval == pytest.approx((low, high), rel=1e-12)


def test_99_percent_unless_said():
    assert mean_of(draws(20)[0]) == mean_of(draws(20)[0], 0.99)


def test_students_quantile_is_the_tables():
    assert [round(student(n, 0.99), 3) for n in (1, 4, 30)] == [63.657, 4.604, 2.750]


def test_one_value_says_nothing_of_the_spread():
    assert mean_of(np.array([5.0])) == Estimate(5.0, inf)
    nothing = mean_of(np.array([]))
    assert isnan(nothing.mean)
    assert nothing.half_width == inf


def test_equal_values_leave_nothing_open():
    assert mean_of(np.full(9, 3.0)) == Estimate(3.0, 0.0)


def test_a_control_that_explains_all_leaves_nothing_open():
    control = draws(50)[0]
    estimate = controlled_mean(7 + 3 * control, control, 1.0)
    assert estimate.mean == pytest.approx(10, rel=1e-12)
    assert estimate.half_width == pytest.approx(0, abs=1e-12)


def test_a_control_without_spread_changes_nothing():
    values = draws(50)[0]
    assert controlled_mean(values, np.full(50, 6.0), 6.0) == mean_of(values)


def test_the_controlled_mean_is_the_regression_at_the_known_mean():
    rng = np.random.default_rng(SEED)
    control = rng.exponential(1, 400)
    values = 2 * control + rng.normal(0, 1, 400)
    line = stats.linregress(control, values)
    estimate = controlled_mean(values, control, 1.0)
    assert estimate.mean == pytest.approx(line.intercept + line.slope, rel=1e-12)
    residual = (values - line.intercept - line.slope * control).std(ddof=1)
    assert estimate.half_width == pytest.approx(student(399, 0.99) * residual / 20, rel=0.01)


def holds(estimate, truth):
    low, high = estimate.interval
    return low <= truth <= high


def often(held):
    """Not significantly less than 99 % of the runs (one-sided, at 1 in 1,000)."""
    return stats.binomtest(sum(held), len(held), 0.99, alternative="less").pvalue > 0.001


def test_the_interval_of_a_mean_holds_it_99_times_in_100():
    runs = np.random.default_rng(SEED).normal(5, 2, (3000, 12))
    assert often([holds(mean_of(values), 5) for values in runs])


@pytest.mark.parametrize("count", [10, 30, 300])
def test_the_interval_of_a_controlled_mean_holds_it_99_times_in_100(count):
    rng = np.random.default_rng(SEED)
    control = rng.normal(0, 1, (3000, count))
    values = 4 * control + rng.normal(5, 1, (3000, count))
    pairs = zip(values, control, strict=True)
    assert often([holds(controlled_mean(*pair, 0.0), 5) for pair in pairs])


def test_the_interval_of_a_ratio_holds_it_99_times_in_100():
    rng = np.random.default_rng(SEED)
    lengths = rng.uniform(1, 3, (3000, 200))
    works = 0.8 * lengths + rng.normal(0, 0.2, (3000, 200))
    pairs = zip(works, lengths, strict=True)
    assert often([holds(ratio_of(*pair), 0.8) for pair in pairs])


def test_a_ratio_by_hand():
    """3 / 4, residuals 1 - 0.75, 2 - 2.25 over a mean denominator of 2: sd 0.25·√2/2."""
    estimate = ratio_of(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    assert estimate.mean == 0.75
    assert estimate.half_width == pytest.approx(
        student(1, 0.99) * 0.25 * sqrt(2) / 2 / sqrt(2), rel=1e-12
    )


def test_a_ratio_to_nothing_is_none():
    nothing = ratio_of(np.zeros(3), np.zeros(3))
    assert isnan(nothing.mean)
    assert nothing.half_width == inf
