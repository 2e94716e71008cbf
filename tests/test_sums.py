"""Sums of costs on a lattice, against SciPy's closed forms and the data themselves."""

from collections import Counter
from fractions import Fraction
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gamma

from ckptsim.lifetimes import (
    Bathtub,
    Constant,
    Empirical,
    Exponential,
    Gamma,
    HyperExponential,
    LogNormal,
    Mixture,
    Triangular,
    Uniform,
    Weibull,
)
from ckptsim.sums import CERTAIN, POINTS_MOST, TAIL, Sum, certain, lattice_step, on_lattice
from ckptsim.units import SECOND

LAWS = [
    Constant(300.0),
    Exponential(300.0),
    Weibull(0.5, 300.0),
    Weibull(2.5, 300.0),
    LogNormal(200.0, 0.8),
    Gamma(300.0, 0.4),
    Gamma(300.0, 2.0),
    HyperExponential(0.7, 100.0, 900.0),
    Uniform(180.0, 420.0),
    Triangular(60.0, 180.0, 840.0),
    Bathtub(0.45, 60.0, 48.0, 600.0),
    Empirical((180.0, 210.0, 210.0, 333.333, 420.0)),
    Mixture((0.5, 0.5), (Constant(0.0), Exponential(600.0))),
    Mixture((0.25, 0.75), (Constant(120.0), Constant(480.0))),
]
FAR = 1e9  # seconds: nothing is beyond it


def mean_s(found):
    return float(found.mass @ found.ages) / SECOND


# One law on a lattice.


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.describe())
@pytest.mark.parametrize("cells", [5, 12, 48])
def test_a_law_on_a_lattice_keeps_its_mass_and_its_mean(law, cells):
    """The ends that are trimmed have 1e-10 of the mass: of the mean that is less than 1e-6."""
    found = on_lattice(law, lattice_step([law], cells), FAR)
    assert found.mass.sum() == pytest.approx(1, abs=1e-12)
    assert found.mass.min() >= 0
    assert len(found.mass) <= POINTS_MOST
    assert mean_s(found) == pytest.approx(law.mean, rel=1e-6)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.describe())
def test_a_lattice_has_the_law_on_both_sides_of_every_point(law):
    """Whatever is said of a step, the probability up to an age is right to a step either way."""
    found = on_lattice(law, lattice_step([law], 12), FAR)
    reached, ages = found.mass.cumsum(), found.ages / SECOND
    step = max(found.step, 1) / SECOND
    assert np.all(reached <= 1 - law.survival(ages + step) + 1e-9)
    assert np.all(reached >= 1 - law.survival(ages - step) - 1e-9)


def test_what_is_beyond_the_farthest_is_there():
    """Of an exponential law of 300 s, e^-2 is later than 600 s."""
    found = on_lattice(Exponential(300.0), 10 * SECOND, 600.0)
    assert found.mass.sum() == pytest.approx(1, abs=1e-12)
    assert abs(found.ages[-1] / SECOND - 600) <= 10
    assert found.mass[-1] == pytest.approx(np.exp(-2), rel=1e-9)


@given(st.lists(st.integers(0, 60), min_size=2, max_size=12).filter(lambda n: len(set(n)) > 1))
def test_data_on_the_lattice_are_exact(minutes):
    law = Empirical(tuple(60.0 * n for n in minutes))
    found = on_lattice(law, 60 * SECOND, FAR)
    counts = Counter(minutes)
    for age, mass in zip(found.ages.tolist(), found.mass.tolist(), strict=True):
        assert mass == pytest.approx(counts[age // (60 * SECOND)] / len(minutes), abs=1e-10)
    assert mean_s(found) == pytest.approx(sum(minutes) / len(minutes) * 60, rel=1e-10)


@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=8), st.integers(1, 600), st.integers(1, 60)
)
def test_the_step_has_all_values_of_data_on_the_lattice(places, unit, cells):
    """As long as they have a common measure that is no finer than what is asked for."""
    law = Empirical(tuple(float(unit * place) for place in places))
    step = lattice_step([law], cells)
    ages = {unit * SECOND * (place - min(places)) for place in places}
    common = int(np.gcd.reduce(sorted(ages)))
    if common == 0:
        assert step == CERTAIN
    elif common >= max(ages) / cells:
        assert common % step < common // step  # a nanosecond a step, where it is no whole number


@pytest.mark.parametrize(
    ("law", "cells", "step_s"),
    [
        (Empirical((180.0, 210.0, 420.0)), 4, 30),  # all on half-minutes, as 240 s / 2 / 4 is
        (Empirical((180.0, 210.0, 420.0)), 12, 10),
        (Uniform(0.0, 120.0), 1, 40),  # half of the middle 68 % is 41 s: a third of the whole
        (Constant(77.0), 12, 0),
    ],
)
def test_steps_by_hand(law, cells, step_s):
    assert lattice_step([law, Constant(5.0)], cells) == step_s * SECOND


# Sums, against closed forms.


def sums_of(law, count, step):
    """The sum of so many, on a lattice that is not coarsened."""
    one = total = on_lattice(law, step, FAR)
    for _ in range(count - 1):
        total = total.plus(one, most=10**6)
    assert total.step == step
    return total


def reached_by(total, at_s):
    """The share up to an age, if a point stands for its step's width around it."""
    borders = (total.first - total.step / 2 + total.step * np.arange(len(total.mass) + 1)) / SECOND
    return np.interp(at_s, borders, np.concatenate([[0.0], total.mass.cumsum()]))


def uniform_sum(count, at):
    """Irwin and Hall: the distribution function of a sum of uniforms on [0, 1]."""
    at = Fraction(at)
    terms = ((-1) ** k * comb(count, k) * (at - k) ** count for k in range(int(at) + 1))
    return float(sum(terms) / factorial(count))


CLOSED = [
    (Exponential(100.0), 2, lambda t: gamma.cdf(t, 2, scale=100)),
    (Exponential(100.0), 5, lambda t: gamma.cdf(t, 5, scale=100)),
    (Gamma(200.0, 0.5), 3, lambda t: gamma.cdf(t, 12, scale=50)),
    (Uniform(0.0, 100.0), 2, lambda t: [uniform_sum(2, min(x / 100, 2)) for x in t]),
    (Uniform(0.0, 100.0), 4, lambda t: [uniform_sum(4, min(x / 100, 4)) for x in t]),
]


@pytest.mark.parametrize(("law", "count", "true"), CLOSED)
def test_sums_tend_to_the_closed_form_with_the_square_of_the_step(law, count, true):
    """Halved twice, the step leaves a sixteenth of the error; a tenth is asked for."""
    at = np.linspace(0, 4 * count * law.mean / 2, 400)
    errors = [
        np.abs(reached_by(sums_of(law, count, step * SECOND), at) - true(at)).max()
        for step in (20, 5)
    ]
    assert errors[0] < 0.01
    assert errors[1] < errors[0] / 10


@pytest.mark.parametrize("rate", [0.2, 1.0, 3.0])
def test_the_transform_of_a_sum_of_exponentials(rate):
    """E[exp(-r X)] = (1 + r M)^-k, with an error that falls as the square of the step."""
    errors = []
    for step in (20, 10, 5):
        total = sums_of(Exponential(100.0), 4, step * SECOND)
        found = total.mass @ np.exp(-rate / 100 * total.ages / SECOND)
        errors.append(abs(found - (1 + rate) ** -4))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=4),
    st.lists(st.integers(0, 20), min_size=1, max_size=4),
)
def test_a_sum_of_data_is_that_of_all_pairs(one, other):
    laws = [Empirical(tuple(60.0 * n for n in minutes)) for minutes in (one, other)]
    total = on_lattice(laws[0], 60 * SECOND, FAR).plus(on_lattice(laws[1], 60 * SECOND, FAR))
    pairs = Counter(a + b for a in one for b in other)
    found = {
        age // (60 * SECOND): mass
        for age, mass in zip(total.ages.tolist(), total.mass.tolist(), strict=True)
    }
    for minutes in range(41):
        share = pairs[minutes] / (len(one) * len(other))
        assert found.get(minutes, 0.0) == pytest.approx(share, abs=1e-9)


# What holds for any sums.

STEP = 7 * SECOND
MASSES = st.lists(st.floats(1e-6, 1), min_size=2, max_size=60)


@st.composite
def sums(draw):
    """A law of points, a power of two of steps apart; or a time that is always the same."""
    first = draw(st.integers(0, 10**12))
    if draw(st.booleans()) and draw(st.booleans()):
        return certain(first)
    mass = np.array(draw(MASSES))
    return Sum(first, STEP * 2 ** draw(st.integers(0, 3)), mass / mass.sum())


def variance(found):
    """In steps of STEP, exactly enough."""
    places = found.step / STEP * np.arange(len(found.mass))
    return found.mass @ places**2 - (found.mass @ places) ** 2


@given(sums(), sums())
def test_means_and_masses_add_up(one, other):
    total = one.plus(other)
    assert total.mass.sum() == pytest.approx(1, abs=1e-12)
    allowed = 2 * TAIL * (len(one.mass) + len(other.mass)) * max(one.step, other.step) / SECOND
    added = mean_s(one) + mean_s(other)
    assert mean_s(total) == pytest.approx(added, rel=1e-13, abs=allowed + 1e-9)


@given(sums(), sums())
def test_the_order_of_a_sum_does_not_matter(one, other):
    ab, ba = one.plus(other), other.plus(one)
    assert (ab.first, ab.step) == (ba.first, ba.step)
    assert ab.mass == pytest.approx(ba.mass, abs=1e-15)


@given(sums(), st.integers(0, 10**12))
def test_a_certain_time_only_shifts(one, time):
    shifted = one.plus(certain(time))
    assert shifted.first == one.first + time == one.after(time).first
    assert shifted.mass.tolist() == one.mass.tolist() == one.after(time).mass.tolist()
    assert shifted.step == one.step or len(one.mass) == 1


@given(sums().filter(lambda found: len(found.mass) > 1))
def test_coarser_keeps_mass_and_mean_and_only_spreads(found):
    coarse = found.coarser()
    assert (coarse.first, coarse.step) == (found.first, 2 * found.step)
    assert coarse.mass.sum() == pytest.approx(1, abs=1e-12)
    assert mean_s(coarse) == pytest.approx(mean_s(found), rel=1e-12)
    between = found.mass[1::2].sum()  # each goes a step up or down
    spread = between * (found.step / STEP) ** 2
    assert variance(coarse) - variance(found) == pytest.approx(spread, abs=1e-6)
    even = coarse.mass[: len(found.mass[::2])]
    assert np.all(even >= found.mass[::2] - 1e-15)  # what was on a point stays there


@settings(max_examples=200)
@given(sums(), st.integers(2, 40))
def test_trimmed_keeps_mass_and_mean_on_no_more_points(found, most):
    trimmed = found.trimmed(most)
    assert len(trimmed.mass) <= most
    assert trimmed.mass.sum() == pytest.approx(1, abs=1e-12)
    allowed = 2 * TAIL * found.step * len(found.mass) / SECOND
    assert mean_s(trimmed) == pytest.approx(mean_s(found), rel=1e-13, abs=allowed + 1e-9)
    assert trimmed.step % max(found.step, 1) == 0


def test_trimmed_puts_the_ends_on_the_last_points():
    mass = np.array([3e-11, 3e-11, 0.25, 0.75 - 1.2e-10, 3e-11, 3e-11])
    trimmed = Sum(0, STEP, mass).trimmed()
    assert trimmed.first == 2 * STEP
    assert trimmed.mass == pytest.approx([0.25 + 6e-11, 0.75 - 6e-11], abs=1e-16)
