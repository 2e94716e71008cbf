"""Draws one by one: as the laws' own quantiles say, and compiled the same to the last bit."""

from math import inf, nextafter

import numpy as np
import pytest

from ckptsim import chance
from ckptsim.chance import coded, nanoseconds_of, quantile, survival
from ckptsim.drivers.compiled.jit import compiled
from ckptsim.lifetimes import (
    Bathtub,
    Constant,
    Empirical,
    Exponential,
    Gamma,
    HyperExponential,
    LogLogistic,
    LogNormal,
    Mixture,
    Never,
    Triangular,
    Uniform,
    Weibull,
)
from ckptsim.rules import NEVER

SEED = 20_250_611
EDGES = (0.0, 5e-324, 1e-300, 2.0**-53, 0.1, 0.25, 0.5, nextafter(1.0, 0.0))
GCP = Bathtub(0.45, 3600.0, 2880.0, 86400.0)
TWO = HyperExponential(0.3, 600.0, 43200.0)
MEASURED = Empirical((3.0, 1.0, 9.0, 9.0, 2.0))
LAWS = {
    "never": Never(),
    "constant": Constant(2.5),
    "exponential": Exponential(3600.0),
    "weibull": Weibull(0.7, 3600.0),
    "weibull, steep": Weibull(100.0, 3600.0),
    "weibull, flat": Weibull(0.05, 3600.0),
    "lognormal": LogNormal(1800.0, 0.5),
    "lognormal, wide": LogNormal(1800.0, 10.0),
    "loglogistic": LogLogistic(1800.0, 1.5),
    "loglogistic, steep": LogLogistic(1800.0, 100.0),
    "loglogistic, without a mean": LogLogistic(1800.0, 0.7),
    "gamma": Gamma(7200.0, 0.5),
    "gamma, wide": Gamma(7200.0, 30.0),
    "gamma, narrow": Gamma(7200.0, 0.001),
    "hyperexponential": TWO,
    "hyperexponential, slow first": HyperExponential(0.3, 43200.0, 600.0),
    "uniform": Uniform(180.0, 420.0),
    "triangular": Triangular(120.0, 180.0, 420.0),
    "triangular, falling": Triangular(120.0, 120.0, 420.0),
    "triangular, rising": Triangular(120.0, 420.0, 420.0),
    "bathtub": GCP,
    "empirical": MEASURED,
    "mixture": Mixture((0.75, 0.25), (Exponential(7200.0), Constant(86400.0))),
    "mixture of one": Mixture((1.0,), (Constant(5.0),)),
    "mixture with never": Mixture((0.5, 0.5), (Uniform(0.0, 0.25), Never())),
    "mixture of mixtures": Mixture(
        (0.5, 0.5),
        (
            Mixture((0.2, 0.8), (Constant(0.0), Exponential(60.0))),
            Mixture((0.9, 0.1), (Never(), Uniform(180.0, 420.0))),
        ),
    ),
}
ALL = Mixture(
    (0.1,) * 10,
    (
        Exponential(7200.0),
        Weibull(0.7, 3600.0),
        LogNormal(1800.0, 0.5),
        Gamma(7200.0, 0.5),
        TWO,
        Uniform(180.0, 420.0),
        Triangular(120.0, 180.0, 420.0),
        GCP,
        MEASURED,
        Constant(60.0),
    ),
)


def uniforms(count):
    """As draws have them: multiples of 2**-53."""
    generator = np.random.default_rng(SEED)
    return np.concatenate([EDGES, generator.integers(0, 2**53, count) * 2.0**-53])


def each(law, us):
    codes = coded(law)
    return np.array([quantile(codes, 0, u) for u in us.tolist()])


@compiled
def each_compiled(codes, us):
    found = np.empty(len(us))
    for place in range(len(us)):
        found[place] = quantile(codes, 0, us[place])
    return found


@compiled
def nanoseconds_compiled(seconds):
    return nanoseconds_of(seconds)


def assert_same_bits(law, count):
    us = uniforms(count)
    found = each_compiled(np.array(coded(law)), us)
    assert np.array_equal(found.view(np.int64), each(law, us).view(np.int64))


@pytest.mark.parametrize("name", LAWS)
def test_compiled_it_is_the_same_to_the_last_bit(name):
    assert_same_bits(LAWS[name], 100_000)


def test_a_mixture_of_everything_too():
    assert_same_bits(ALL, 10_000)


@pytest.mark.parametrize("law", [*LAWS.values(), ALL], ids=[*LAWS, "all"])
def test_it_is_the_quantile_of_the_law(law):
    """Where the survival is all but flat, times far apart have the same survival: that must do."""
    us = uniforms(2000)
    found, expected = each(law, us), law.quantile(us)
    same = np.isclose(found, expected, rtol=1e-12, atol=0)
    as_rare = np.abs(law.survival(found) - law.survival(expected)) <= 2**-51
    assert np.all(same | as_rare)


@pytest.mark.parametrize("law", [*LAWS.values(), ALL], ids=[*LAWS, "all"])
def test_it_is_the_least_time_with_less_survival(law):
    """By the definition, with the vectorised survival for a judge, to its rounding.

    But for times so small that floats have few digits left, and infinity, which nothing outlives.
    """
    us = uniforms(2000)
    found = each(law, us)
    us, found = (array[(found > 1e-300) & (found < inf)] for array in (us, found))
    assert np.all(law.survival(found) <= (1 - us) * (1 + 1e-12) + 1e-15)
    assert np.all(law.survival_left(found) >= (1 - us) * (1 - 1e-12) - 1e-15)


@pytest.mark.parametrize("name", [name for name in LAWS if "never" not in name])
def test_the_survival_is_that_of_the_law(name):
    law = LAWS[name]
    codes, times = coded(law), np.concatenate([[0.0, 1e12], each(law, uniforms(500))])
    found = [survival(codes, 0, t) for t in times.tolist()]
    assert found == pytest.approx(law.survival(times), rel=1e-12, abs=1e-15)


def test_atoms_come_out_exactly():
    law = Mixture((0.25, 0.5, 0.25), (Constant(0.1), Empirical((0.3, 0.7)), Constant(5.1)))
    us = [0.0, 0.2, 0.3, 0.45, 0.55, 0.7, 0.8, 0.99]
    assert each(law, np.array(us)).tolist() == [0.1, 0.1, 0.3, 0.3, 0.7, 0.7, 5.1, 5.1]


def test_a_time_that_may_never_come():
    law = Mixture((0.5, 0.5), (Constant(60.0), Never()))
    assert each(law, np.array([0.0, 0.499, 0.501, 0.999])).tolist() == [60.0, 60.0, inf, inf]


def test_laws_stand_in_one_row_and_are_known_by_where_they_begin():
    row, begins = [], []
    for law in LAWS.values():
        begins.append(len(row))
        row += coded(law)
    for law, at in zip(LAWS.values(), begins, strict=True):
        assert [quantile(row, at, u) for u in EDGES] == each(law, np.array(EDGES)).tolist()


def test_a_mixture_of_mixtures_is_coded_as_one():
    assert coded(LAWS["mixture of mixtures"])[:10] == [
        *(chance.MIXTURE, 4.0),
        *(0.1, 10.0),
        *(0.4, 12.0),
        *(0.45, 14.0),
        *(0.05, 15.0),
    ]


def test_what_takes_no_chance():
    assert [name for name in LAWS if chance.takes_no_chance(coded(LAWS[name]), 0)] == [
        "never",
        "constant",
    ]


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"),
    [
        (0.0, 0),
        (1e-9, 1),
        (1.4e-9, 1),
        (0.5e-9, 0),  # halves go to the even one
        (1.5e-9, 2),
        (2.5e-9, 2),
        (3600.0, 3_600_000_000_000),
        (4_611_686_018.0, 4_611_686_018_000_000_000),
        (4_611_686_019.0, NEVER),
        (1e30, NEVER),
        (inf, NEVER),
    ],
)
def test_seconds_become_whole_nanoseconds(seconds, nanoseconds):
    assert nanoseconds_of(seconds) == nanoseconds
    assert nanoseconds_compiled(seconds) == nanoseconds
    assert type(nanoseconds_of(seconds)) is int


def test_compiled_they_become_the_same():
    scales = 10.0 ** np.random.default_rng(SEED).uniform(-10, 11, 20_000)
    halves = (np.arange(2000) + 0.5) / 1e9
    for seconds in np.concatenate([scales, halves]).tolist():
        assert nanoseconds_compiled(seconds) == nanoseconds_of(seconds)
