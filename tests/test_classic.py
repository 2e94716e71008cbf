"""The classical formulas against the papers' figures, SciPy's minimiser and each other."""

from math import exp, expm1, inf, isclose, log1p, sqrt
from random import Random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq, minimize_scalar
from scipy.special import lambertw

from ckptsim import classic
from ckptsim.lifetimes import (
    Bathtub,
    Constant,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Mixture,
    Never,
    Uniform,
    Weibull,
)

RATIOS = st.floats(1e-4, 1.9)  # checkpoint cost / mean time between losses


def test_84_853_has_nothing_to_do_with_the_manuals_84():
    assert round(classic.young(5, 720), 3) == 84.853


def test_daly_as_printed():
    assert classic.daly(5, 1440, 10) == sqrt(2 * 5 * 1450) - 5
    assert [round(classic.daly_higher_order(5, M)) for M in (1440, 360)] == [117, 57]
    assert round(classic.daly_higher_order(5, 15), 1) == 9.1


def test_where_the_series_do_not_reach():
    assert classic.daly(10, 2, 1) == 0
    assert classic.daly_higher_order(10, 5) == 5
    assert classic.daly_higher_order(12, 5) == 5


@given(RATIOS)
def test_the_exact_optimum_is_where_the_wall_time_is_least(ratio):
    best = classic.poisson_optimum(ratio, 1)
    found = minimize_scalar(
        lambda tau: classic.wall_time(1, tau, ratio, 1, 0),
        bounds=(best / 20, best * 20),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert isclose(found.x, best, rel_tol=1e-4)
    # The first-order condition, which the minimiser cannot blur: τ / M = 1 - e^(-(τ + c) / M).
    assert isclose(best, 1 - exp(-(best + ratio)), rel_tol=1e-9)


@given(st.floats(0.01, 1), st.floats(1e-6, 1e6))
def test_time_has_no_unit(ratio, unit):
    for formula in (classic.young, classic.daly_higher_order, classic.poisson_optimum):
        assert isclose(formula(ratio * unit, unit), unit * formula(ratio, 1), rel_tol=1e-9)
    assert isclose(classic.daly(ratio * unit, unit, unit), unit * classic.daly(ratio, 1, 1))


@pytest.mark.parametrize("M", [1e3, 1e6, 1e9])
def test_for_cheap_checkpoints_all_formulas_agree(M):  # noqa: N803 (the papers' symbol)
    young = classic.young(1, M)
    for found in (classic.daly_higher_order(1, M) + 1, classic.poisson_optimum(1, M) + 1):
        assert isclose(found, young, rel_tol=1 / sqrt(M))


def test_the_optimum_is_independent_of_the_restart():
    times = [
        [classic.wall_time(1, tau, 5, 720, restart) for tau in (80, 81.5527, 83)]
        for restart in (0, 100)
    ]
    assert all(middle < min(low, high) for low, middle, high in times)
    assert round(classic.poisson_optimum(5, 720), 4) == 81.5527  # theory.md §2


@given(st.floats(1e-3, 1e9), st.floats(1e-9, 1e3))
def test_the_exact_optimum_of_extreme_ratios_is_finite_and_positive(M, c):  # noqa: N803
    if c / M > 1e-12:
        assert 0 < classic.poisson_optimum(c, M) <= M


CHEAP = st.floats(-12, -2).map(lambda power: 10**power)  # checkpoint cost / mean, evenly by size


@given(CHEAP)
def test_young_is_two_thirds_of_a_checkpoint_too_long(ratio):
    """The optimum is √(2cM)(1 + c/18M) − 2c/3 and higher powers of c/M, from W₀'s series."""
    optimum, young = classic.poisson_optimum(ratio, 1), classic.young(ratio, 1)
    rounding = 1e-9 * young
    beyond = optimum - (young - 2 * ratio / 3)
    assert -rounding <= beyond <= 1.05 * young * ratio / 18 + rounding


@given(CHEAP)
@example(1e-20)
@example(9.9e-7)
def test_the_optimum_keeps_its_digits_however_cheap_a_checkpoint_is(ratio):
    """First order: c/M = −log(1 − τ/M) − τ/M, of which the difference is summed as a series."""
    tau = classic.poisson_optimum(ratio, 1)
    digits = 1e-11 if ratio < 1e-6 else 1e-9
    assert isclose(sum(tau**n / n for n in range(2, 90)), ratio, rel_tol=digits)


def test_the_optimum_at_the_ends():
    assert classic.poisson_optimum(0, 720) == 0
    assert classic.poisson_optimum(1e6, 720) == 720
    assert isclose(classic.poisson_optimum(1e-20, 1), sqrt(2e-20), rel_tol=1e-9)
    below, above = (classic.poisson_optimum(c, 1) for c in (1e-6 * (1 - 1e-9), 1e-6))
    assert 0 < above - below < 1e-11  # the two ways to compute it meet


def test_daly_is_two_135ths_of_c_squared_over_m_short():
    short = classic.poisson_optimum(1, 1000) - classic.daly_higher_order(1, 1000)
    assert isclose(short, 1 / 1000 * 2 / 135, rel_tol=0.01)


def test_without_losses_only_checkpoints_take_time():
    assert isclose(classic.wall_time(100, 10, 1, 1e12, 5), 110, rel_tol=1e-9)


def test_what_never_ends_takes_an_infinite_time():
    assert classic.wall_time(1000, 1000, 5, 1, 0) == inf
    assert classic.optexp_time(1000, 1, 5, 1, 0, 0) == inf


# OptExp

DAY = 86_400


def test_optexp_as_in_the_theory():
    """20 days of work, C = R = 600 s, D = 60 s, one loss a day."""
    assert classic.optexp_chunks(20 * DAY, 600, DAY) == 177
    time = classic.optexp_time(20 * DAY, 177, 600, DAY, 600, 60)
    assert round(time / (20 * DAY), 5) == 1.13638


def test_optexp_time_by_hand():
    """Two chunks that each take the e^1 − 1 of a mean; downtime and mean weigh alike."""
    assert isclose(classic.optexp_time(16, 2, 2, 10, 0, 10), 2 * 20 * expm1(1), rel_tol=1e-12)
    assert isclose(classic.optexp_time(16, 2, 2, 10, 10, 0), 2 * 10 * exp(1) * expm1(1))


@given(st.floats(0.01, 20), st.floats(0.01, 5))
def test_no_other_number_of_chunks_is_better(work, c):
    """Work and c in means between losses: at most some 150 chunks are best."""
    times = [classic.optexp_time(work, chunks, c, 1, 0.3, 0.1) for chunks in range(1, 400)]
    best = classic.optexp_time(work, classic.optexp_chunks(work, c, 1), c, 1, 0.3, 0.1)
    assert isclose(best, min(times), rel_tol=1e-12)


def test_a_short_job_has_one_checkpoint_its_last():
    assert classic.optexp_chunks(1, 5, 720) == 1
    assert classic.optexp_chunks(81, 5, 720) == 1
    assert classic.optexp_chunks(163, 5, 720) == 2
    assert classic.optexp_chunks(1, 1000, 1) == 1  # no time is finite


@pytest.mark.parametrize("work", [1e3, 1e5, 1e7, 1e9])
def test_the_chunks_of_a_long_job_tend_to_the_unlimited_optimum(work):
    chunks = classic.optexp_chunks(work, 5, 720)
    assert isclose(work / chunks, 81.5527, rel_tol=1e-6 + 1 / chunks)


# Vaidya


def overhead_ratio_of_one_long_run(interval, c, latency, M, R):  # noqa: N803
    """The story itself: Poisson losses on a clock, and checkpoints that count late.

    A checkpoint that counts is followed by the next an interval and an overhead later. After a loss
    the job rolls back, computes a whole interval from the state that counts, and then the
    checkpoint's whole latency passes.
    """
    chance, checkpoints = Random(1997), 200_000
    counted, due, loss = 0, interval + c, chance.expovariate(1 / M)
    while True:
        if loss < due:
            due, loss = loss + R + interval + latency, loss + chance.expovariate(1 / M)
            continue
        counted += 1
        if counted == checkpoints:
            return due / (checkpoints * interval) - 1
        due += interval + c


def test_the_overhead_ratio_is_that_of_a_long_run():
    told = classic.overhead_ratio(40, 5, 25, 100, 10)
    assert isclose(told + 1, overhead_ratio_of_one_long_run(40, 5, 25, 100, 10) + 1, rel_tol=0.01)


@pytest.mark.parametrize("latency", [5, 10, 50, 86])
def test_latency_does_not_move_the_optimum(latency):
    found = minimize_scalar(
        lambda tau: classic.overhead_ratio(tau, 5, latency, 720, 10),
        bounds=(latency - 5 + 0.01, 1000),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert isclose(found.x, 81.5527, rel_tol=1e-5)
    assert isclose(found.x, classic.poisson_optimum(5, 720), rel_tol=1e-6)


def test_a_latency_longer_than_the_optimum_makes_the_shortest_interval_best():
    """With L = 205 and C = 5 an interval is at least 200."""
    assert classic.overhead_ratio(199.9, 5, 205, 720, 10) == inf
    ratios = [classic.overhead_ratio(tau, 5, 205, 720, 10) for tau in range(200, 1000)]
    assert ratios == sorted(ratios)
    assert ratios[0] < inf


@given(st.floats(0.01, 3), st.floats(0, 1), st.floats(0, 1))
def test_a_checkpoint_that_counts_when_it_is_written_is_dalys(interval, c, restart):
    assert classic.overhead_ratio(interval, c, c, 1, restart) == (
        classic.wall_time(1, interval, c, 1, restart) - 1
    )


def test_much_latency_is_worth_a_little_overhead():
    """Vaidya's point: 4 less overhead pays for 25 more latency, when losses are rare."""
    slow = classic.overhead_ratio(classic.poisson_optimum(1, 720), 1, 30, 720, 0)
    quick = classic.overhead_ratio(classic.poisson_optimum(5, 720), 5, 5, 720, 0)
    assert slow < quick


# Many nodes, effective training time


def test_llama_3_was_interrupted_every_3_0931_hours():
    """54 days, 16,384 GPUs, 419 interruptions: so one GPU about every 5.8 years."""
    gpu_hours = 54 * 24 * 16_384
    assert round(classic.job_mean(gpu_hours / 419, 16_384), 4) == 3.0931
    assert round(gpu_hours / 419 / (24 * 365), 1) == 5.8


@given(st.integers(1, 1000), st.floats(0, 5))
def test_a_job_lasts_while_all_its_nodes_do(nodes, age):
    t = np.array([age / nodes])
    together = Exponential(classic.job_mean(100, nodes)).survival(t)
    assert np.allclose(together, Exponential(100).survival(t) ** nodes, rtol=1e-9)


def test_ettr_by_hand():
    """A loss every 100 costs 10 and half of 20: 80 % is left, of which checkpoints take a fifth."""
    assert isclose(classic.ettr(20, 5, 100, 10), 0.64)
    assert classic.ettr(20, 0, 100, 0) == 0.9
    assert classic.ettr(200, 5, 100, 10) == 0
    assert classic.ettr(20, 5, 100, 100) == 0


def test_ettr_is_greatest_at_its_optimum_by_hand():
    assert classic.ettr_optimum(1, 10, 6) == 2  # √(1 + 2·4) − 1
    assert classic.ettr_optimum(5, 10, 10) == 0
    assert classic.ettr_optimum(5, 10, 11) == 0
    assert classic.ettr_optimum(0, 10, 1) == 0


@given(st.floats(1e-4, 10), st.floats(0, 0.9))
def test_ettr_is_greatest_at_its_optimum(c, restart):
    found = minimize_scalar(
        lambda tau: -classic.ettr(tau, c, 1, restart),
        bounds=(0, 2 * (1 - restart)),
        method="bounded",
        options={"xatol": 1e-10},
    )
    best = classic.ettr_optimum(c, 1, restart)
    assert isclose(found.x, best, rel_tol=1e-4)
    assert isclose(-found.fun, classic.ettr(best, c, 1, restart), rel_tol=1e-9)


@pytest.mark.parametrize("M", [1e3, 1e5, 1e7])
def test_for_rare_losses_ettr_is_the_inverse_of_dalys_wall_time(M):  # noqa: N803
    """What it leaves out, a loss during a checkpoint and two in one interval, is of order c/M."""
    tau = classic.young(1, M)
    assert abs(classic.ettr(tau, 1, M, 5) - 1 / classic.wall_time(1, tau, 1, M, 5)) < 1 / M
    assert isclose(classic.ettr_optimum(1, M, 5), tau, rel_tol=3 / sqrt(M))


# The end of a reservation


def test_a_uniform_checkpoint_as_in_the_paper():
    ending = classic.end_of_reservation(10, Uniform(1, 7.5))
    assert isclose(ending.before_end, 5.5, rel_tol=1e-6)
    assert round(ending.work, 5) == 3.11538


@given(st.floats(0, 5), st.floats(0.1, 5), st.floats(0.1, 20))
def test_a_uniform_checkpoint_starts_half_way_or_at_its_longest(low, width, spare):
    """Barbut et al.: X* = min((T + a)/2, b)."""
    high, T = low + width, low + spare  # noqa: N806
    ending = classic.end_of_reservation(T, Uniform(low, high))
    assert isclose(ending.before_end, min((T + low) / 2, high), rel_tol=1e-6)
    best = min((T + low) / 2, high)
    assert isclose(ending.work, (T - best) * (best - low) / width, rel_tol=1e-9)


@given(st.floats(0, 100), st.floats(0.01, 100))
def test_a_constant_checkpoint_starts_exactly_in_time(cost, spare):
    T = cost + spare  # noqa: N806
    assert classic.end_of_reservation(T, Constant(cost)) == (cost, T - cost)


def test_an_exponential_checkpoint_has_a_closed_form():
    """(T − X)/m = e^(X/m) − 1, so X/m = 1 + t − W(e^(1 + t)) with t = T/m."""
    for t in (0.01, 1, 10, 100):
        closed = 1 + t - float(lambertw(exp(1 + t)).real)
        ending = classic.end_of_reservation(3 * t, Exponential(3))
        assert isclose(ending.before_end, 3 * closed, rel_tol=1e-6)
        assert isclose(closed, log1p(t - closed), rel_tol=1e-9)


def test_a_quick_checkpoint_of_a_long_reservation():
    """1 on average, in a reservation of 10^12, where floats are 10^-4 apart and the hill is flat.

    Its second derivative is about −1, so times up to 0.02 from the best look as good.
    """
    x = brentq(lambda x: x - log1p(1e12 - x), 0, 100)
    assert isclose(classic.end_of_reservation(1e12, Exponential(1)).before_end, x, abs_tol=0.03)


@pytest.mark.parametrize(
    ("law", "judge"),
    [
        (LogNormal(3, 0.5), stats.lognorm(0.5, scale=3)),
        (LogNormal(3, 0.01), stats.lognorm(0.01, scale=3)),
        (Gamma(3, 0.5), stats.gamma(4, scale=0.75)),
        (Weibull(2, 3), stats.weibull_min(2, scale=3)),
    ],
)
def test_at_a_smooth_optimum_scipys_derivative_is_0(law, judge):
    by_slope = brentq(lambda x: (10 - x) * judge.pdf(x) - judge.cdf(x), judge.ppf(0.01), 9.99)
    ending = classic.end_of_reservation(10, law)
    assert isclose(ending.before_end, by_slope, rel_tol=1e-6)
    assert isclose(ending.work, (10 - by_slope) * judge.cdf(by_slope), rel_tol=1e-9)


@pytest.mark.parametrize(("T", "before_end", "work"), [(4, 1, 1.5), (6, 3, 3), (10, 3, 7)])
def test_of_two_atoms_the_better(T, before_end, work):  # noqa: N803
    """1 or 3 alike. At T = 4 half of 3 or all of 1; at 6 half of 5 or 3; at 10 half of 9 or 7."""
    either = Mixture((0.5, 0.5), (Constant(1), Constant(3)))
    assert classic.end_of_reservation(T, either) == (before_end, work)


@pytest.mark.parametrize("T", [9, 15, 20, 21, 22, 30, 1000])
def test_of_two_hills_the_higher(T):  # noqa: N803
    """Checkpoints of about 1 or about 8: SciPy's distributions at 200,000 times, by brute force."""
    law = Mixture((0.6, 0.4), (LogNormal(1, 0.05), LogNormal(8, 0.05)))
    x = np.linspace(0, min(T, 20), 200_001)
    quick, slow = stats.lognorm(0.05, scale=1), stats.lognorm(0.05, scale=8)
    brute = max((T - x) * (0.6 * quick.cdf(x) + 0.4 * slow.cdf(x)))
    assert brute <= classic.end_of_reservation(T, law).work * (1 + 1e-12)
    assert isclose(brute, classic.end_of_reservation(T, law).work, rel_tol=1e-6)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.integers(0, 30))
def test_of_measured_checkpoints_one_is_the_best_start(times, T):  # noqa: N803
    saved = {x: (T - x) * sum(t <= x for t in times) / len(times) for x in times if x < T}
    ending = classic.end_of_reservation(T, Empirical(tuple(times)))
    if not saved:
        assert ending is None
        return
    assert isclose(ending.work, max(saved.values()), rel_tol=1e-12)
    assert isclose(saved[ending.before_end], ending.work, rel_tol=1e-12)


def test_of_many_measured_checkpoints_exactly_one_is_the_best_start():
    """1, 4, 9 … 9,000,000 s: too many for a grid to hit."""
    times = [n * n for n in range(1, 3001)]
    saved = [(9_000_000 - time) * place / 3000 for place, time in enumerate(times, 1)]
    ending = classic.end_of_reservation(9_000_000, Empirical(tuple(times)))
    assert ending.before_end == times[saved.index(max(saved))]
    assert isclose(ending.work, max(saved), rel_tol=1e-12)


def test_a_checkpoint_may_be_instantaneous():
    """The bathtub has an atom at 0: e^-8, but no more than that is to be had in 1 ms."""
    law = Bathtub(1.0, 1e9, 1.0, 8.0)
    assert classic.end_of_reservation(1e-3, law).before_end == 0
    assert isclose(classic.end_of_reservation(1e-3, law).work, 1e-3 * exp(-8), rel_tol=1e-9)


@pytest.mark.parametrize(
    ("T", "law"),
    [(3, Constant(3)), (2.9, Constant(3)), (1, Uniform(1, 2)), (0, Exponential(1)), (9, Never())],
)
def test_where_no_checkpoint_fits_nothing_can_be_saved(T, law):  # noqa: N803
    assert classic.end_of_reservation(T, law) is None


@given(st.floats(1e-3, 1e6))
def test_the_end_of_a_reservation_has_no_unit(unit):
    law = Gamma(3, 0.8)
    one, scaled = (classic.end_of_reservation(10 * f, law.scaled(f)) for f in (1, unit))
    assert isclose(scaled.before_end, one.before_end * unit, rel_tol=1e-6)
    assert isclose(scaled.work, one.work * unit, rel_tol=1e-9)
