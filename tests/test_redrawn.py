"""Laws for lifetimes drawn again: against theory, and against fitting by the longer way."""

import numpy as np
import pytest

from ckptsim.families import WEIBULL
from ckptsim.fitting import exponential, fitted
from ckptsim.lifetimes import Exponential, Weibull
from ckptsim.observed import Lifetimes
from ckptsim.redrawn import RESAMPLES, drawn_from, laws_redrawn


def weibull_sample(count, seed):
    rng = np.random.default_rng(seed)
    lives, cuts = 10_000 * rng.weibull(0.7, count), rng.uniform(0, 60_000, count)
    return Lifetimes(
        tuple(np.minimum(lives, cuts).round().tolist()), tuple((lives <= cuts).tolist())
    )


def test_the_rate_of_an_exponential_law_has_the_posterior_of_a_count():
    few = Lifetimes((3600.0,) * 40, (True,) * 4 + (False,) * 36)
    laws = laws_redrawn(exponential(few), few, seed=5)
    assert len(laws) == RESAMPLES == 100
    assert all(isinstance(law, Exponential) for law in laws)
    # Gamma with shape 4.5 and rate 144,000 s: its mean and standard deviation over 100 draws.
    rates = np.array([1 / law.mean for law in laws])
    assert rates.mean() == pytest.approx(4.5 / 144_000, abs=4 * np.sqrt(4.5) / 144_000 / 10)
    assert rates.std() == pytest.approx(np.sqrt(4.5) / 144_000, rel=0.3)


def test_without_an_end_nothing_can_be_drawn():
    none = Lifetimes((3600.0,) * 3, (False,) * 3)
    assert laws_redrawn(exponential(none), none, seed=5) == []


def test_each_law_is_that_fitted_to_the_lifetimes_drawn():
    sample = weibull_sample(120, seed=3)
    fit = fitted(WEIBULL, sample)
    laws = laws_redrawn(fit, sample, seed=5)
    assert len(laws) == 100
    rng = np.random.default_rng(np.random.SeedSequence(5, spawn_key=(2**31 + 2,)))
    for law in laws[:5]:
        again = fitted(WEIBULL, drawn_from(sample, rng)).law
        assert (law.shape, law.scale) == pytest.approx((again.shape, again.scale), rel=1e-3)


def alike(jobs, leases_each):
    """Jobs whose leases all last as long as one another."""
    lives = np.repeat(10_000 * np.random.default_rng(6).weibull(0.7, jobs), leases_each)
    job = np.repeat(np.arange(jobs), leases_each)
    return Lifetimes(tuple(lives.tolist()), (True,) * len(lives), jobs=tuple(job.tolist()))


def test_jobs_are_drawn_with_all_their_leases():
    """Ten leases that are one and the same tell no more than one: √10 times the scatter."""
    sample = alike(60, 10)
    drawn = drawn_from(sample, np.random.default_rng(1))
    assert len(drawn.durations_s) == 600
    assert set(np.unique(drawn.durations_s, return_counts=True)[1] % 10) == {0}
    fit = fitted(WEIBULL, sample)
    one_by_one = Lifetimes(sample.durations_s, sample.observed)
    scatter = [
        np.std([np.log(law.scale) for law in laws_redrawn(fit, each, seed=5)])
        for each in (sample, one_by_one)
    ]
    assert scatter[0] / scatter[1] == pytest.approx(np.sqrt(10), rel=0.3)


def test_of_few_jobs_leases_are_drawn_by_themselves():
    """A single job drawn again would be itself, as if all were known."""
    drawn = drawn_from(alike(9, 40), np.random.default_rng(1))
    assert len(drawn.durations_s) == 360
    assert set(np.unique(drawn.durations_s, return_counts=True)[1] % 40) != {0}


def test_the_scatter_is_that_of_the_confidence_interval():
    """90 % of bootstrap shapes span about what the likelihood says; 400 lifetimes."""
    sample = weibull_sample(400, seed=4)
    fit = fitted(WEIBULL, sample, sure=0.90)
    laws = laws_redrawn(fit, sample, seed=5)
    assert all(isinstance(law, Weibull) for law in laws)
    low, high = np.quantile([law.shape for law in laws], [0.05, 0.95])
    shape = fit.parameters[0]
    assert high - low == pytest.approx(shape.high - shape.low, rel=0.3)
    assert low < shape.value < high
