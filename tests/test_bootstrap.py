"""The data drawn again: recomputed by the longer way."""

import numpy as np
import pytest
from every_fate import at
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim.bootstrap import (
    BOOTSTRAP,
    RESAMPLES,
    by_lifetime,
    contenders,
    spread,
    spread_of_laws,
)
from ckptsim.exact import Solver
from ckptsim.lifetimes import Empirical, Exponential
from ckptsim.search import Search, worth
from ckptsim.units import MINUTE

# Observed lifetimes: a lease is worth the mean of what it is worth for each lifetime.

AGES = tuple(np.random.default_rng(20_250_615).exponential(20_000, 25).round(3).tolist())
TIED = (*AGES[:6], 1_800.0, 3_600.0, 5_400.0, 5_400.0, 21_600.0, 40_000.0)
GIVEN = {"job__write": "4min", "job__transfer": "1min", "job__restart": "2min"}
MINUTES = Empirical((60.0, 240.0, 240.0, 420.0))  # a lattice has them exactly
FEATURES = {
    "plain": {"slots__limit": "6h"},
    "no limit": {},
    "worklife": {"slots__limit": "6h", "slots__claim_worklife": "70min"},
    "leaving early": {"slots__limit": "6h", "job__leave_early": "yes"},
    "grace": {"slots__limit": "6h", "job__transfer": "9min", "slots__grace": "4min"},
    "long grace": {"slots__limit": "6h", "job__transfer": "9min", "slots__grace": "40min"},
    "power failures": {
        "slots__limit": "6h",
        "slots__power_failures": "9h",
        "slots__contact_lease": "30min",
    },
    "power failures at ages": {
        "slots__limit": "6h",
        "slots__power_failures": Empirical((5_000.0, 12_345.0, 15_000.0)),
        "slots__contact_lease": "30min",
        "job__leave_early": "yes",
    },
    "random costs": {"slots__limit": "6h", "job__write": MINUTES},
    "random costs, worklife": {
        "slots__limit": "6h",
        "job__write": MINUTES,
        "job__restart_in_place": Empirical((0.0, 60.0, 360.0)),
        "slots__claim_worklife": "70min",
    },
    "random costs, leaving, power": {
        "slots__limit": "6h",
        "job__write": MINUTES,
        "job__leave_early": "yes",
        "slots__power_failures": "9h",
        "slots__contact_lease": "30min",
    },
    "random transfers, grace": {
        "slots__limit": "6h",
        "job__transfer": MINUTES,
        "slots__grace": "4min",
    },
}
SMOOTH = {
    "random costs": {"job__write": "uniform(1min, 7min)"},
    "worklife": {"job__write": "gamma(mean=4min, cv=0.6)", "slots__claim_worklife": "70min"},
    "leaving, power": {
        "job__write": "exponential(mean=4min)",
        "job__restart_in_place": "exponential(mean=1min)",
        "job__leave_early": "yes",
        "slots__power_failures": "9h",
        "slots__contact_lease": "30min",
    },
    "grace": {"job__transfer": "uniform(1min, 9min)", "slots__grace": "4min"},
}
INTERVALS = [7 * MINUTE, 25 * MINUTE, 85 * MINUTE, 200 * MINUTE]


def with_lifetimes(feature, *ages, **more):
    return at(**GIVEN | FEATURES[feature] | more, slots__evictions=Empirical(ages))


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("ages", [AGES, TIED], ids=["drawn", "tied"])
def test_a_lifetime_is_worth_what_the_solver_says_of_it_alone(feature, ages):
    law = Empirical(ages)
    work, length = by_lifetime(Solver(with_lifetimes(feature, *ages)), law, INTERVALS)
    assert work.shape == length.shape == (len(ages), len(INTERVALS))
    for row, age in enumerate(law.values):
        alone = Solver(with_lifetimes(feature, age)).values(INTERVALS)
        assert work[row] == pytest.approx([v.work_s for v in alone], rel=1e-6, abs=1e-3)
        assert length[row] == pytest.approx([v.lease_s for v in alone], rel=1e-6, abs=1e-3)


@pytest.mark.parametrize("feature", SMOOTH)
def test_the_mean_over_lifetimes_is_the_solvers_with_smooth_costs(feature):
    """One lifetime alone would be a cliff, that a lattice knows to a step; so all together."""
    law = Empirical(AGES)
    solver = Solver(at(**GIVEN | SMOOTH[feature], slots__limit="6h", slots__evictions=law))
    work, length = by_lifetime(solver, law, INTERVALS)
    values = solver.values(INTERVALS)
    assert work.mean(axis=0) == pytest.approx([v.work_s for v in values], rel=1e-9)
    assert length.mean(axis=0) == pytest.approx([v.lease_s for v in values], rel=1e-9)


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=12),
    st.integers(0, 3),
    st.integers(0, 30),
    st.booleans(),
    st.none() | st.integers(10, 200),
)
def test_the_mean_over_lifetimes_is_the_solvers(minutes, transfer, grace, leave, worklife):
    """Whole minutes, so that commits tie with lifetimes and limits."""
    law = Empirical(tuple(60.0 * n for n in minutes))
    scenario = at(
        job__write="5min",
        job__transfer=f"{5 * transfer} min",
        job__leave_early=leave,
        slots__limit="3h",
        slots__grace=f"{grace} min",
        slots__claim_worklife="none" if worklife is None else f"{worklife} min",
        slots__evictions=law,
    )
    intervals = [10 * MINUTE, 35 * MINUTE, 85 * MINUTE]
    work, length = by_lifetime(Solver(scenario), law, intervals)
    values = Solver(scenario).values(intervals)
    assert work.mean(axis=0) == pytest.approx([v.work_s for v in values], rel=1e-9, abs=1e-6)
    assert length.mean(axis=0) == pytest.approx([v.lease_s for v in values], rel=1e-9, abs=1e-6)


def resamples(scenario, count):
    """The lifetimes drawn again, by the key the bootstrap states."""
    seed = np.random.SeedSequence(scenario.seed, spawn_key=(BOOTSTRAP,))
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1 / count), RESAMPLES)


@pytest.mark.parametrize("feature", ["plain", "leaving early", "power failures"])
def test_the_spread_is_that_of_solving_again_for_each_resample(feature):
    scenario = with_lifetimes(feature, *AGES, slots__gap="10min", seed=7)
    search = Search(scenario)
    best = search.best
    found = spread(search, best)
    law = scenario.slots.evictions
    kept = []
    for counts in resamples(scenario, len(AGES)):
        again = tuple(np.repeat(law.values, counts).tolist())
        resampled = with_lifetimes(feature, *again, slots__gap="10min")
        kept.append(worth(Solver(resampled).value(best.interval)))
    low, high = np.quantile(kept, [0.025, 0.975])
    assert (found.useful_low, found.useful_high) == pytest.approx((low, high), rel=1e-7)
    assert low < worth(best) < high


def test_the_interval_and_the_regret_are_those_of_choosing_again():
    """For the first resamples each contender is valued by the solver, one after the other."""
    scenario = with_lifetimes("plain", *AGES, seed=7)
    search = Search(scenario)
    best = search.best
    intervals = contenders(search, best)
    assert best.interval in intervals
    law = scenario.slots.evictions
    work, length = by_lifetime(search.solver, law, intervals)
    for counts in resamples(scenario, len(AGES))[:20]:
        again = tuple(np.repeat(law.values, counts).tolist())
        values = Solver(with_lifetimes("plain", *again)).values(intervals)
        useful = (counts @ work) / (counts @ length)
        assert useful == pytest.approx([worth(value) for value in values], rel=1e-9)
    drawn = resamples(scenario, len(AGES))
    useful = (drawn @ work) / (drawn @ length)
    chosen = np.sort(np.array(intervals)[useful.argmax(axis=1)])
    regret = useful.max(axis=1) - useful[:, intervals.index(best.interval)]
    found = spread(search, best)
    assert found.resamples == len(chosen) == 1_000
    # The nearest order statistics of 1,000: numbers 25 and 974, from 0 on.
    assert (found.interval_low, found.interval_high) == (chosen[25], chosen[974])
    assert found.regret_high == pytest.approx(np.quantile(regret, 0.95), rel=1e-12)


def test_lifetimes_all_alike_leave_no_doubt():
    scenario = at(
        job__write="5min", slots__limit="20h", slots__evictions=Empirical((36_000.0,) * 30)
    )
    search = Search(scenario)
    found = spread(search, search.best)
    assert found.interval_low == found.interval_high == search.best.interval
    assert found.useful_low == found.useful_high == pytest.approx(worth(search.best))
    assert found.regret_high == 0


def test_there_is_no_spread_where_no_lifetimes_were_observed():
    search = Search(at(job__write="5min", slots__evictions="12h"))
    assert spread(search, search.best) is None


# A law fitted to the data drawn again.


def test_laws_all_alike_leave_no_doubt():
    search = Search(at(job__write="5min", slots__evictions="12h"))
    found = spread_of_laws(search, search.best, [Exponential(12 * 3600)] * 9)
    assert found.resamples == 9
    assert found.interval_low == found.interval_high == search.best.interval
    assert found.useful_low == found.useful_high == pytest.approx(worth(search.best), rel=1e-9)
    assert found.regret_high == 0


def test_with_a_few_laws_the_spread_is_from_the_one_to_the_other():
    """The best for each law is found by a search in a scenario of its own."""
    means = np.linspace(4, 40, 41) * 3600
    search = Search(at(job__write="5min", slots__evictions="12h"))
    found = spread_of_laws(search, search.best, [Exponential(mean) for mean in means])
    others = [Search(at(job__write="5min", slots__evictions=Exponential(mean))) for mean in means]
    # Of 41 the nearest order statistics to 2.5 % and 97.5 % are numbers 1 and 39, from 0 on.
    low, high = others[1].best.interval, others[39].best.interval
    assert found.interval_low == pytest.approx(low, rel=0.15)
    assert found.interval_high == pytest.approx(high, rel=0.15)
    kept = [worth(other.value(search.best.interval)) for other in others]
    assert found.useful_low == pytest.approx(np.quantile(kept, 0.025), rel=1e-6)
    assert found.useful_high == pytest.approx(np.quantile(kept, 0.975), rel=1e-6)
    regrets = [worth(other.best) - one for other, one in zip(others, kept, strict=True)]
    assert found.regret_high == pytest.approx(np.quantile(regrets, 0.95), rel=0.02)


def test_without_laws_there_is_no_spread():
    search = Search(at(job__write="5min", slots__evictions="12h"))
    assert spread_of_laws(search, search.best, []) is None
