"""The classical formulas against the papers' figures, SciPy's minimiser and each other."""

from math import exp, isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from ckptsim import classic

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
