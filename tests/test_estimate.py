"""Confidence intervals against SciPy's, and against how often they hold the truth."""

from math import exp, inf, isnan, log, sqrt

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq

from ckptsim.estimate import Estimate, anytime_factors, controlled_mean, mean_of, ratio_of, student

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


def log_evidence(t, count, effects):
    """Of effects N(0, effects) over none, in a t-test of so many values."""
    mixed, degrees = 1 + count * effects, count - 1
    ratio = (1 + t**2 / degrees) / (1 + t**2 / degrees / mixed)
    return count / 2 * np.log(ratio) - np.log(mixed) / 2


@pytest.mark.parametrize("count", [2, 5, 20, 400])
def test_the_evidence_is_1_on_average_where_there_is_no_effect(count):
    """What makes it a fair bet, hence Ville's inequality, hence the confidence sequence."""
    chance = stats.t(count - 1)
    mean, _ = quad(lambda t: exp(log_evidence(t, count, 0.2) + chance.logpdf(t)), 0, inf)
    assert 2 * mean == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("alpha", [0.05, 0.01 / 7])
def test_the_sequences_bounds_are_where_the_evidence_is_1_to_alpha(alpha):
    counts = np.array([20.0, 80.0, 1000.0])
    # The a that makes the squared width (1 + 1/a)(ln 1/alpha² + ln(1 + a)) least.
    mixture = brentq(lambda a: a + 2 * log(alpha) - log(1 + a), 1, 100, xtol=1e-13)
    t = anytime_factors(counts, alpha, 80) * np.sqrt(counts)
    assert log_evidence(t, counts, mixture / 80) == pytest.approx(-log(alpha), rel=1e-9)


def test_a_sequence_is_narrowest_where_asked():
    """For its place: the width over that of a single interval is least about there."""
    counts = np.arange(20.0, 20_001.0)
    single = stats.t(counts - 1).isf(0.0005) / np.sqrt(counts)
    relative = anytime_factors(counts, 0.001, 2000) / single
    assert 1500 < counts[relative.argmin()] < 2500


def test_too_few_values_say_nothing_in_a_sequence():
    assert anytime_factors(np.array([2.0, 3.0]), 0.001, 80).tolist() == [inf, inf]


def test_a_sequence_holds_the_truth_all_along():
    values = np.random.default_rng(SEED).normal(7, 3, (4000, 600))
    counts = np.arange(2.0, 601.0)
    means = (values.cumsum(axis=1) / np.arange(1, 601))[:, 1:]
    squares = (values**2).cumsum(axis=1)[:, 1:]
    spreads = np.sqrt((squares - counts * means**2) / (counts - 1))
    margins = anytime_factors(counts, 0.05, 80) * spreads
    held = (abs(means - 7) <= margins).all(axis=1)
    assert stats.binomtest(int(held.sum()), 4000, 0.95, alternative="less").pvalue > 0.001
    single = stats.t(counts - 1).isf(0.025) * spreads / np.sqrt(counts)
    assert (abs(means - 7) <= single).all(axis=1).mean() < 0.8  # what looking again and again costs
