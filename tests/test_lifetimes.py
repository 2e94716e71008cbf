"""The laws against scipy.stats, and against what any law must satisfy."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from ckptsim.lawtext import law
from ckptsim.lifetimes import (
    Bathtub,
    Constant,
    Empirical,
    Exponential,
    Gamma,
    HyperExponential,
    Law,
    LogLogistic,
    LogNormal,
    Mixture,
    Never,
    Triangular,
    Uniform,
    Weibull,
)

HOUR = 3600.0

# Each with its judge, where SciPy has one.
JUDGED = [
    (Exponential(12 * HOUR), stats.expon(scale=12 * HOUR)),
    (Weibull(0.7, 9 * HOUR), stats.weibull_min(0.7, scale=9 * HOUR)),
    (Weibull(3.5, 1.0), stats.weibull_min(3.5)),
    (LogNormal(1800.0, 0.5), stats.lognorm(0.5, scale=1800)),
    (LogNormal(60.0, 2.5), stats.lognorm(2.5, scale=60)),
    (LogLogistic(1800.0, 1.5), stats.fisk(1.5, scale=1800)),
    (LogLogistic(1.0, 3.5), stats.fisk(3.5)),
    (Gamma(2 * HOUR, 0.5), stats.gamma(4, scale=1800)),
    (Gamma(100.0, 3.0), stats.gamma(1 / 9, scale=900)),
    (Uniform(180.0, 420.0), stats.uniform(180, 240)),
    (Triangular(120.0, 180.0, 420.0), stats.triang(0.2, 120, 300)),
    (Triangular(0.0, 0.0, 10.0), stats.triang(0, 0, 10)),
    (Triangular(5.0, 10.0, 10.0), stats.triang(1, 5, 5)),
]
LAWS = [
    *(found for found, _ in JUDGED),
    HyperExponential(0.3, 600.0, 12 * HOUR),
    HyperExponential(0.999, 1.0, 1e6),
    Bathtub(0.45, HOUR, 0.8 * HOUR, 24 * HOUR),
    Bathtub(1.0, HOUR, HOUR, 2 * HOUR),
    Constant(300.0),
    Empirical((30.0, 90.0, 90.0, 200.0)),
    Mixture((0.75, 0.25), (Exponential(2 * HOUR), Constant(24 * HOUR))),
    Mixture((0.1,) * 10, tuple(Uniform(i, i + 2.0) for i in range(10))),
]
by_name = pytest.mark.parametrize("found", LAWS, ids=lambda found: found.describe())


def grid(found: Law) -> np.ndarray:
    top = found.highest if found.highest < math.inf else 30 * found.mean
    return np.unique([*np.linspace(-1.0, 1.1 * top, 400), *found.kinks(), 0.0, 1e-9])


@pytest.mark.parametrize(("found", "judge"), JUDGED, ids=lambda found: str(found)[:40])
def test_laws_with_a_judge(found, judge):
    t = grid(found)
    u = np.array([0.0, 1e-12, 1e-6, 0.01, 0.3, 0.5, 0.9, 0.999999])
    assert found.mean == pytest.approx(judge.mean(), rel=1e-12)
    np.testing.assert_allclose(found.survival(t), judge.sf(t), rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(found.quantile(u), judge.ppf(u), rtol=1e-9, atol=1e-14 * found.mean)
    assert (found.lowest, found.highest) == judge.support()


@by_name
def test_limited_mean_is_the_integral_of_the_survival(found):
    for limit in (0.0, 0.1 * found.mean, found.mean, 2 * found.mean, 9.5):
        cuts = sorted({0.0, limit, *(kink for kink in found.kinks() if 0 < kink < limit)})
        exact = sum(
            integrate.quad(
                lambda t: found.survival(np.array([t]))[0], low, high, epsabs=0, limit=200
            )[0]
            for low, high in itertools.pairwise(cuts)
        )
        assert found.limited_mean(limit) == pytest.approx(exact, rel=1e-8)


@by_name
def test_limited_mean_at_the_ends(found):
    assert found.limited_mean(0.0) == found.limited_mean(-1.0) == 0.0
    assert found.limited_mean(math.inf) == pytest.approx(found.mean, rel=1e-12)


@by_name
def test_mean_and_survival_agree_with_quantile(found):
    u = (np.arange(200_000) + 0.5) / 200_000  # the midpoint rule, not a sample
    draws = found.quantile(u)
    tail = 0.05 if found.highest == math.inf else 1e-4
    assert draws.mean() == pytest.approx(found.mean, rel=tail)
    for t in np.quantile(draws, [0.1, 0.5, 0.9]):
        assert np.mean(draws > t) == pytest.approx(found.survival(np.array([t]))[0], abs=1e-5)
        assert np.mean(draws >= t) == pytest.approx(found.survival_left(np.array([t]))[0], abs=1e-5)


@by_name
def test_quantile_inverts_the_survival_to_1e_9(found):
    u = np.array([1e-10, 1e-5, 0.1, 0.26, 0.5, 0.7501, 0.9, 1 - 1e-9])
    t = found.quantile(u)
    assert np.all(found.survival(t * (1 + 1e-9)) <= (1 - u) * (1 + 1e-12))
    assert np.all(found.survival_left(t * (1 - 1e-9)) >= (1 - u) * (1 - 1e-12))


@by_name
def test_quantile_is_monotone_and_within_the_support(found):
    u = np.sort(np.random.default_rng(1).random(20_000))
    t = found.quantile(np.array([0.0, *u, np.nextafter(1.0, 0.0)]))
    assert np.all(np.diff(t) >= 0)
    assert t[0] >= found.lowest
    assert t[-1] <= found.highest
    assert np.isfinite(t).all()


@by_name
def test_a_draw_has_the_same_bits_whatever_its_neighbours(found):
    u = np.random.default_rng(2).random(1000)
    whole = found.quantile(u)
    alone = np.concatenate([found.quantile(u[i : i + 1]) for i in range(100)])
    assert alone.tolist() == whole[:100].tolist()
    for size in (2, 3, 5, 7, 8, 13, 64, 999):
        assert found.quantile(u[:size]).tolist() == whole[:size].tolist()
        assert found.quantile(u[1 : size + 1]).tolist() == whole[1 : size + 1].tolist()
    assert found.quantile(u[::3]).tolist() == whole[::3].tolist()
    assert found.quantile(u.reshape(10, 100)).tolist() == whole.reshape(10, 100).tolist()


@by_name
def test_survival_is_one_before_0_falls_and_jumps_only_at_kinks(found):
    t = grid(found)
    right, left = found.survival(t), found.survival_left(t)
    assert np.all(right[t < 0] == 1)
    assert np.all(left[t <= 0] == 1)
    assert np.all(np.diff(right) <= 0)
    assert np.all(left >= right)
    assert set(t[left > right + 1e-15]) <= set(found.kinks())
    assert found.survival(np.array([math.inf]))[0] == 0


@by_name
def test_scaled_is_the_same_law_of_other_units(found):
    t = grid(found)
    np.testing.assert_allclose(
        found.scaled(60.0).survival(60 * t), found.survival(t), rtol=1e-9, atol=1e-12
    )
    assert found.scaled(60.0).mean == pytest.approx(60 * found.mean)


@by_name
def test_described_laws_come_back_equal(found):
    assert law(found.describe(), "cost", Path()) == found


def test_atoms_are_outlived_until_their_very_instant():
    day = np.array([24 * HOUR])
    found = Mixture((0.75, 0.25), (Exponential(2 * HOUR), Constant(24 * HOUR)))
    assert found.survival(day)[0] == pytest.approx(0.75 * math.exp(-12))
    assert found.survival_left(day)[0] == pytest.approx(0.25 + 0.75 * math.exp(-12))
    assert found.quantile(np.array([0.9])) == day  # not merely near it
    assert found.kinks() == (24 * HOUR,)


def test_the_bathtub_has_an_atom_at_0_and_ends():
    # F(0) = a e^(-b/tau2); and with a = 1, tau1 = tau2 = 1 h, b = 2 h: x = e^t solves
    # x²/e² = 1, so F reaches 1 where t = 1 h.
    found = Bathtub(1.0, HOUR, HOUR, 2 * HOUR)
    assert 1 - found.survival(np.zeros(1))[0] == pytest.approx(math.exp(-2))
    assert found.survival_left(np.zeros(1))[0] == 1
    assert found.highest == pytest.approx(HOUR, rel=1e-12)
    assert found.quantile(np.array([0.0, 0.13])).tolist() == [0, 0]


def test_empirical_is_the_steps_of_the_data():
    found = Empirical((200.0, 90.0, 30.0, 90.0))
    at = np.array([0.0, 30.0, 89.0, 90.0, 199.0, 200.0])
    assert found.survival(at).tolist() == [1, 0.75, 0.75, 0.25, 0.25, 0]
    assert found.survival_left(at).tolist() == [1, 1, 0.75, 0.75, 0.25, 0.25]
    assert found.quantile(np.array([0, 0.2, 0.25, 0.74, 0.75, 0.99])).tolist() == [
        30,
        30,
        90,
        90,
        200,
        200,
    ]
    assert found.limited_mean(100.0) == (30 + 90 + 90 + 100) / 4
    assert found.kinks() == (30.0, 90.0, 200.0)


def test_never_does_not_happen():
    never = Never()
    assert never.mean == math.inf
    assert never.quantile(np.array([0.0, 0.9])).tolist() == [math.inf, math.inf]
    assert never.survival(np.array([0.0, 1e300])).tolist() == [1, 1]
    assert never.limited_mean(7.0) == 7
    assert never.describe() == "none"
    assert never.scaled(2.0) == never


def test_what_may_never_happen_is_a_part_of_a_mixture():
    found = Mixture((0.25, 0.75), (Constant(60.0), Never()))
    assert found.quantile(np.array([0.0, 0.2, 0.25, 0.9])).tolist() == [60, 60, math.inf, math.inf]
    assert found.limited_mean(100.0) == 0.25 * 60 + 0.75 * 100
    assert found.mean == math.inf


def test_weibull_of_shape_1_is_exponential_and_keeps_its_mean():
    t = np.linspace(0, 1e5, 50)
    np.testing.assert_allclose(Weibull(1.0, 500.0).survival(t), Exponential(500.0).survival(t))
    assert Weibull.of_mean(0.7, 12 * HOUR).mean == pytest.approx(12 * HOUR, rel=1e-14)
    assert Weibull.of_mean(0.7, 12 * HOUR).describe() == "weibull(shape=0.7, mean=12h)"
    assert Weibull(0.7, 10 * HOUR).describe() == "weibull(shape=0.7, scale=10h)"


@settings(deadline=None)  # the first example imports and compiles
@given(
    st.floats(0.05, 20),
    st.floats(1e-3, 1e8),
    st.floats(0.01, 5),
    st.floats(0, 1, exclude_max=True),
)
def test_described_laws_of_any_parameters_come_back_equal(shape, scale, sigma, u):
    for found in (
        Weibull(shape, scale),
        LogNormal(scale, sigma),
        Gamma(scale, sigma),
        LogLogistic(scale, 1.01 + shape),
        Exponential(scale),
        Uniform(0.0, scale),
    ):
        assert law(found.describe(), "hazard", Path()) == found
        assert 0 <= found.quantile(np.array([u]))[0] < math.inf


@pytest.mark.parametrize("shape", [0.3, 0.999, 1.0, 1.01, 2.0, 30.0])
@pytest.mark.parametrize("limit", [1.0, 1800.0, 1e6])
def test_the_limited_mean_of_a_loglogistic_is_its_integral(shape, limit):
    """With or without a mean; in powers of ten, where the survival is smooth."""
    found = LogLogistic(1800.0, shape)
    scale = math.log(10)

    def slice_of(power):
        return float(found.survival(np.array(10**power))) * scale * 10**power

    top = math.log10(limit)
    edges = [-20.0, *np.arange(-5, top, 0.25), top]
    parts = [integrate.quad(slice_of, a, b)[0] for a, b in itertools.pairwise(edges)]
    assert found.limited_mean(limit) == pytest.approx(math.fsum(parts), rel=1e-7)


def test_a_loglogistic_of_shape_1_has_no_mean():
    assert LogLogistic(60.0, 1.0).mean == math.inf
    assert LogLogistic(60.0, 1.01).mean < math.inf
