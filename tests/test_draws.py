"""Keyed streams: the n-th draw is what NumPy's own generator says, whoever asks, however often."""

from itertools import islice
from math import log

import numpy as np
import pytest
from scipy import stats

from ckptsim import draws
from ckptsim.draws import Purpose, in_nanoseconds, times
from ckptsim.lifetimes import Constant, Empirical, Exponential, Never, Uniform, Weibull
from ckptsim.rules import NEVER
from ckptsim.units import HOUR, SECOND

SEED = 20_250_611
HOURLY = Exponential(3600.0)


def some(count, law=HOURLY, seed=SEED, replication=0, who=0, purpose=Purpose.EVICTION):
    return list(islice(times(law, seed, replication, who, purpose), count))


def test_the_numbers_of_the_purposes_are_part_of_the_keys():
    """A changed number would change every run that anyone has reported."""
    assert {purpose.name: purpose.value for purpose in Purpose} == {
        "EVICTION": 0,
        "POWER_FAILURE": 1,
        "ABSENCE": 2,
        "GAP": 3,
        "INPUT": 4,
        "COLD_START": 5,
        "RESTART_LEASE": 6,
        "RESTART_IN_PLACE": 7,
        "WRITE": 8,
        "TRANSFER": 9,
    }


def test_a_draw_is_the_quantile_of_numpys_philox():
    sequence = np.random.SeedSequence(SEED, spawn_key=(3, 5, 8))
    uniforms = np.random.Generator(np.random.Philox(sequence)).random(100)
    found = some(100, replication=3, who=5, purpose=Purpose.WRITE)
    for drawn, u in zip(found, uniforms, strict=True):
        assert abs(drawn + HOUR * log(1 - u)) <= 1 + 1e-12 * drawn


def test_the_first_draws_are_literally_these():
    """On any machine; the quantile of a uniform law has no transcendental function in it."""
    drawn = some(3, law=Uniform(0.0, 1e9))
    sequence = np.random.SeedSequence(SEED, spawn_key=(0, 0, 0))
    expected = np.random.Generator(np.random.Philox(sequence)).random(3)
    assert drawn == [round(float(u) * 1e9 * SECOND) for u in expected]


@pytest.mark.parametrize("law", [HOURLY, Weibull(0.7, 3600.0), Empirical((1.0, 5.0, 9.0))])
def test_how_many_are_asked_for_does_not_change_them(law):
    thousand = some(1000, law)
    for count in (1, 15, 16, 17, 333):
        assert some(count, law) == thousand[:count]


def test_blocks_of_another_size_give_the_same_stream(monkeypatch):
    before = some(200, Uniform(0.0, 3600.0))
    monkeypatch.setattr(draws, "BLOCK", 7)
    assert some(200, Uniform(0.0, 3600.0)) == before


def test_streams_do_not_disturb_each_other():
    one, two = times(HOURLY, SEED, 0, 0, Purpose.GAP), times(HOURLY, SEED, 0, 1, Purpose.GAP)
    woven = [(next(one), next(two)) for _ in range(40)]
    alone = some(40, who=0, purpose=Purpose.GAP), some(40, who=1, purpose=Purpose.GAP)
    assert woven == list(zip(*alone, strict=True))


def test_every_part_of_the_key_makes_another_stream():
    keys = [(SEED, 0, 0, 0), (SEED + 1, 0, 0, 0), (SEED, 1, 0, 0), (SEED, 0, 1, 0), (SEED, 0, 0, 1)]
    keys += [(SEED, 256, 0, 0), (SEED, 0, 256, 0), (SEED + 2**32, 0, 0, 0), (SEED, 1, 1, 0)]
    heads = {tuple(some(4, HOURLY, *key[:3], Purpose(key[3]))) for key in keys}
    assert len(heads) == len(keys)


def test_streams_are_independent_and_follow_their_law():
    """Kolmogorov-Smirnov over the first draws of 4,000 streams, and neighbours uncorrelated."""
    table = np.array([some(2, replication=n) for n in range(4000)]) / SECOND
    for column in table.T:
        assert stats.kstest(column, "expon", args=(0, 3600)).pvalue > 0.001
    assert stats.spearmanr(table[:, 0], table[:, 1]).pvalue > 0.001
    assert stats.spearmanr(table[:-1, 0], table[1:, 0]).pvalue > 0.001


def test_a_longer_mean_makes_every_draw_longer():
    """Draws are quantiles, so a change of scale keeps the pairing."""
    assert some(50, Exponential(7200.0)) == pytest.approx([2 * t for t in some(50)], abs=1)


def test_what_never_happens_and_what_always_takes_the_same_time():
    assert some(3, Never()) == [NEVER] * 3
    assert some(3, Constant(2.5)) == [2_500_000_000] * 3


def test_draws_are_rounded_to_whole_nanoseconds_and_never_exceed_never():
    assert in_nanoseconds(np.array([1e-9, 1.4e-9, 0.0, 1e30, np.inf])) == [1, 1, 0, NEVER, NEVER]
