"""Steady state: against processes whose mean and variance are known, and numbers by hand."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from ckptsim.estimate import Estimate, mean_of, student
from ckptsim.steady import (
    Correlation,
    batch_means,
    batches_of,
    correlation_of,
    enough,
    more_needed,
    mser5,
    settles,
)

SEED = 20_260_315
PHI = 0.9  # of the autoregressive process x' = 5 + 0.9 (x − 5) + N(0, 1)


def autoregressive(rng, runs, count, start=None):
    """From its steady state, or from a start above its mean."""
    noise = rng.normal(0, 1, (runs, count))
    noise[:, 0] = noise[:, 0] / sqrt(1 - PHI**2) if start is None else start
    return 5 + lfilter([1], [1, -PHI], noise, axis=1)


def waits(rng, load, count):
    """Times in the queue of an M/M/1 that starts empty, service of mean 1 (Lindley)."""
    steps = rng.exponential(1, count) - rng.exponential(1 / load, count)
    walk = np.concatenate([[0], steps.cumsum()])
    return walk - np.minimum.accumulate(walk)


def often(held, confidence):
    """Not significantly less (one-sided, at 1 in 1,000)."""
    return stats.binomtest(sum(held), len(held), confidence, alternative="less").pvalue > 0.001


def holds(estimate, truth):
    low, high = estimate.interval
    return low <= truth <= high


def test_batches_by_hand():
    assert batches_of(np.arange(11.0), 3).tolist() == [3.0, 6.0, 9.0]  # 2 3 4, 5 6 7, 8 9 10
    assert batches_of(np.arange(6.0), 6).tolist() == list(range(6))


def test_the_interval_is_students_of_the_batches():
    """Mean 3, s² 2.5, five batches: t(4) √(2.5 / 5)."""
    estimate = batch_means(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 0.9)
    assert estimate.mean == 3
    assert estimate.half_width == pytest.approx(2.131846786 * sqrt(0.5), rel=1e-9)


@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_batches_long_beside_the_memory_hold_the_truth(confidence):
    series = autoregressive(np.random.default_rng(SEED), 2000, 20 * 400)
    held = [holds(batch_means(batches_of(one, 20), confidence), 5) for one in series]
    assert often(held, confidence)


def test_the_width_is_the_one_the_process_has():
    """The variance of the mean of n is 1 / (1 − φ)² n, for long n."""
    series = autoregressive(np.random.default_rng(SEED), 500, 20 * 400)
    widths = [batch_means(batches_of(one, 20)).half_width for one in series]
    known = student(19, 0.99) * sqrt(1 / (1 - PHI) ** 2 / 8000)
    assert sqrt(np.square(widths).mean()) == pytest.approx(known, rel=0.04)


def test_a_queues_waits_hold_their_mean():
    """ρ/(1 − ρ) services for M/M/1, here 1; 20 batches of 4,000 customers after 1,000."""
    rng = np.random.default_rng(SEED)
    runs = [waits(rng, 0.5, 81_000)[1001:] for _ in range(300)]
    assert often([holds(batch_means(batches_of(one, 20)), 1) for one in runs], 0.99)


def test_correlation_by_hand():
    """1 2 3 4: steps 3, squares about the mean 5; 1 − 3/10 = 0.7, variance 2/15."""
    found = correlation_of(np.array([1.0, 2.0, 3.0, 4.0]))
    assert found.lag_1 == pytest.approx(0.7, rel=1e-12)
    assert found.chance == pytest.approx(stats.norm.sf(0.7 / sqrt(2 / 15)), rel=1e-12)
    assert found.suspicious
    opposed = correlation_of(np.array([1.0, -1.0] * 10))
    assert opposed.lag_1 < -0.8
    assert not opposed.suspicious


def test_batches_alike_or_too_few_are_not_suspicious():
    none = Correlation(0.0, 1.0)
    assert correlation_of(np.full(20, 3.0)) == none
    assert correlation_of(np.array([1.0, 2.0])) == none
    assert not none.suspicious


def test_independent_batches_are_suspected_once_in_20_times():
    batches = np.random.default_rng(SEED).normal(0, 1, (4000, 20))
    suspected = sum(correlation_of(one).suspicious for one in batches)
    assert stats.binomtest(suspected, 4000, 0.05).pvalue > 0.001


def test_batches_too_short_are_found_out():
    """Batches of 10 where the memory is 10: lag-1 correlation near 0.5, half of the width lost."""
    series = autoregressive(np.random.default_rng(SEED), 500, 20 * 10)
    batches = [batches_of(one, 20) for one in series]
    assert np.mean([holds(batch_means(one, 0.95), 5) for one in batches]) < 0.85
    assert np.mean([correlation_of(one).suspicious for one in batches]) > 0.6


def brute_mser5(values):
    """White's statistic as it is written, for each number of fives left out up to a half."""
    means = np.array([values[i : i + 5].mean() for i in range(0, len(values) - 4, 5)])
    rests = [means[d:] for d in range(len(means) // 2 + 1)]
    return 5 * int(np.argmin([((z - z.mean()) ** 2).sum() / len(z) ** 2 for z in rests]))


def test_a_step_is_left_out_in_whole_fives():
    values = np.array([9.0] * 12 + [1.0, 2.0] * 50)
    assert mser5(values) == brute_mser5(values) == 15
    assert settles(values)


@pytest.mark.parametrize("count", [10, 11, 104, 5000])
def test_the_rule_is_as_written(count):
    for series in autoregressive(np.random.default_rng(SEED), 30, count, start=20):
        assert mser5(series) == brute_mser5(series)


def test_leaving_out_a_slow_start_brings_the_mean_nearer():
    """400 values from 20 above the mean: bias 20 · 10/400 = 0.5, as great as the mean's spread."""
    cold = autoregressive(np.random.default_rng(SEED + 1), 1000, 400, start=20)
    whole = np.mean([(one.mean() - 5) ** 2 for one in cold])
    rest = np.mean([(one[mser5(one) :].mean() - 5) ** 2 for one in cold])
    assert rest < 0.75 * whole
    assert np.mean([settles(one) for one in cold]) > 0.9


def test_what_never_settles_is_said():
    assert mser5(np.arange(1000.0)) == 500
    assert not settles(np.arange(1000.0))


def test_nothing_to_leave_out():
    assert mser5(np.full(100, 4.0)) == 0
    assert settles(np.full(100, 4.0))


def test_too_few_to_say():
    assert mser5(np.arange(9.0)) == 0
    assert not settles(np.arange(9.0))


def test_enough_by_hand():
    """5 % of the truth: half-widths to 1/21 of the mean found."""
    assert enough(Estimate(21.0, 1.0), 0.05)
    assert enough(Estimate(-21.0, 1.0), 0.05)
    assert not enough(Estimate(21.0, 1.001), 0.05)
    assert not enough(Estimate(0.0, 1.0), 0.05)
    assert not enough(Estimate(21.0, inf), 0.05)
    assert enough(Estimate(0.0, 0.0), 0.05)


def test_the_bound_is_on_the_error_in_the_truth():
    """If |found − μ| ≤ γ/(1 + γ) |found|, then |found − μ| ≤ γ |μ|, just so at found > μ."""
    found = 21.0
    assert (found - (found - 1.0)) / (found - 1.0) == pytest.approx(0.05, rel=1e-12)


def test_more_needed_by_hand():
    """A half-width 1.2 times too wide needs 1.44 as many: 100 more than half again."""
    assert more_needed(Estimate(21.0, 1.2), 100, 0.05) == 44
    assert more_needed(Estimate(21.0, 1.0), 100, 0.05) == 0
    assert more_needed(Estimate(21.0, 1.0001), 10, 0.05) == 1
    assert more_needed(Estimate(21.0, 9.0), 100, 0.05) == 100  # at most as many again
    assert more_needed(Estimate(0.0, 1.0), 100, 0.05) == 100
    assert more_needed(Estimate(5.0, inf), 1, 0.05) == 1


def test_stopping_when_precise_enough_holds_the_truth():
    """Exponential values of mean 1, to 5 % at 95 %: 1,700 or so each, looked at again and again."""
    rng, held, counts = np.random.default_rng(SEED), [], []
    for _ in range(1000):
        values = rng.exponential(1, 8000)
        count = 20
        while more := more_needed(estimate := mean_of(values[:count], 0.95), count, 0.05):
            count += more
        held.append(abs(estimate.mean - 1) <= 0.05)
        counts.append(count)
    assert often(held, 0.95)
    assert 1500 < np.mean(counts) < 1900
