"""The search against theory.md, brute force, and what must hold whatever the scenario."""

import random
from math import isclose

import numpy as np
import pytest
from every_fate import makespan
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim import classic
from ckptsim.errors import ScenarioError
from ckptsim.exact import Solver
from ckptsim.formulas import classics
from ckptsim.lifetimes import Empirical
from ckptsim.plan import plan
from ckptsim.scenario import load
from ckptsim.search import Search, worth
from ckptsim.units import MINUTE, SECOND

MANUAL = {"slots__limit": "6h", "job__write": "4min", "job__transfer": "1min"}


def at(**given):
    return load(None, {key.replace("__", "."): value for key, value in given.items()})


def manual(restart=0, **given):
    return at(**(MANUAL | {"job__restart_lease": f"{restart} min"} | given))


# theory.md §2: the best of equal intervals.


@pytest.mark.parametrize(
    ("M", "R", "interval", "work"),
    [
        (12, 0, 85.0000, 251.184998),
        (24, 0, 115.0000, 292.712596),
        (12, 5, 83.7500, 246.781232),
        (24, 5, 113.3333, 288.118323),
    ],
)
def test_the_best_equal_interval(M, R, interval, work):  # noqa: N803 (theory.md's symbols)
    best = plan(manual(R, slots__evictions=f"{M}h")).best
    assert round(best.interval / MINUTE, 4) == interval
    assert abs(best.work_s / 60 - work) < 6e-7


@pytest.mark.parametrize(("shape", "minutes", "work"), [(0.5, 67, 161.3563), (2, 115, 312.4064)])
def test_the_best_equal_interval_for_weibull_evictions(shape, minutes, work):
    """theory.md's is the best whole minute: with a step of a minute, so is ours."""
    scenario = manual(slots__evictions=f"weibull(shape={shape}, mean=12h)", job__step="1min")
    best = plan(scenario).best
    assert (best.interval, round(best.work_s / 60, 4)) == (minutes * MINUTE, work)


@pytest.mark.parametrize(("R", "tau"), [(0, 60), (0, 85), (5, 84)])
def test_what_is_asked_for_is_valued_as_asked(R, tau):  # noqa: N803
    scenario = manual(R, slots__evictions="12h", job__interval=f"{tau} min")
    advice = plan(scenario, asked=[tau * MINUTE])
    assert advice.present == advice.asked[0] == Solver(scenario).value(tau * MINUTE)


@pytest.mark.parametrize(
    ("limit", "checkpoints"),
    [(121.5, 1), (123.5, 2), (211, 2), (213, 3), (299, 3), (301, 4), (386, 4), (388, 5)],
)
def test_how_many_checkpoints_a_limit_is_worth(limit, checkpoints):
    """Switching lengths 122.535, 212.066, 299.846, 387.067 min; M = 720, c = 5, R = 0."""
    scenario = manual(slots__evictions="12h", slots__limit=f"{limit} min")
    assert plan(scenario).best.fitting == checkpoints


def test_without_a_limit_the_best_is_the_poisson_optimum():
    for mean, cost in [(720, 5), (60, 5), (3000, 0.5), (10, 20)]:
        best = Search(at(slots__evictions=f"{mean} min", job__write=f"{cost} min")).best
        formula = classic.poisson_optimum(cost, mean)
        assert isclose(best.interval / MINUTE, formula, rel_tol=2e-3)
        solver = Solver(at(slots__evictions=f"{mean} min", job__write=f"{cost} min"))
        assert worth(best) >= worth(solver.value(round(formula * MINUTE))) * (1 - 1e-9)


def test_the_formulas_beside_it():
    advice = plan(manual(5, slots__evictions="12h", job__work="40h"))
    assert classics(advice.search.solver) == pytest.approx(
        (
            classic.young(300, 43_200),
            classic.daly(300, 43_200, 300),
            classic.daly_higher_order(300, 43_200),
            classic.poisson_optimum(300, 43_200),
            144_000 / classic.optexp_chunks(144_000, 300, 43_200),
            (355 - 5) * 60,  # Barbut: a constant cost leaves one checkpoint before the end
            classic.ettr_optimum(300, 43_200, 300),
        ),
        rel=1e-9,  # the mean between losses is integrated
    )
    for formula in advice.formulas:
        assert formula.value == advice.search.solver.value(formula.value.interval)
        assert worth(formula.value) <= worth(advice.best)


def test_power_failures_and_evictions_together_make_the_formulas_mean():
    """Two exponentials of 12 h are one of 6 h."""
    both = at(slots__evictions="12h", slots__power_failures="12h", job__write="5min")
    assert isclose(classics(Solver(both)).young_s, classic.young(300, 21_600), rel_tol=1e-9)


# Cliffs.


def test_the_cliffs_of_the_manuals_slot():
    """(360 - 5 k) / k minutes: beyond, one checkpoint fewer fits."""
    advice = plan(manual(slots__evictions="12h"))
    known = {cliff.at.interval: cliff for cliff in advice.cliffs}
    for minutes, before, after in [(67, 5, 4), (85, 4, 3), (115, 3, 2), (175, 2, 1), (355, 1, 0)]:
        cliff = known[minutes * MINUTE]
        assert (cliff.at.fitting, cliff.beyond.fitting) == (before, after)
        assert cliff.beyond.interval == minutes * MINUTE + 1
    assert advice.cliff_above.at.interval == 85 * MINUTE
    assert advice.cliff_below.at.interval == 67 * MINUTE


def test_the_cliff_at_85_minutes_is_a_fifth():
    """85 to 85.01 drops the expected work 20.5 % (theory.md §1)."""
    cliff = plan(manual(slots__evictions="12h")).cliff_above
    assert round(cliff.loss / cliff.at.useful_fraction, 3) == 0.205


def test_cliffs_with_a_step_are_at_whole_steps():
    advice = plan(manual(5, slots__evictions="12h", job__step="7min"))
    known = {cliff.at.interval: cliff for cliff in advice.cliffs}
    for minutes, before, after in [(77, 4, 3), (112, 3, 2)]:
        cliff = known[minutes * MINUTE]
        assert cliff.beyond.interval == (minutes + 7) * MINUTE
        assert (cliff.at.fitting, cliff.beyond.fitting) == (before, after)
    assert advice.cliff_above == known[112 * MINUTE]


def test_a_single_age_is_a_cliff_like_a_limit():
    scenario = at(slots__evictions="constant(6h)", job__write="5min")
    intervals = {cliff.at.interval for cliff in plan(scenario).cliffs}
    assert {n * MINUTE for n in (67, 85, 115, 175, 355)} <= intervals


def test_a_claim_worklife_is_a_cliff():
    """The third commit is at 3 (τ + 5): just by 120 min it leaves room for a fourth."""
    scenario = manual(slots__evictions="12h", slots__claim_worklife="2h", slots__gap="20min")
    at_35, beyond = (Solver(scenario).value(35 * MINUTE + extra) for extra in (0, 1))
    assert at_35.fitting == beyond.fitting + 1 == 4
    assert 35 * MINUTE in {cliff.at.interval for cliff in plan(scenario).cliffs}


# Brute force.

SCENARIOS = [
    manual(slots__evictions="12h"),
    manual(5, slots__evictions="12h"),
    manual(5, slots__evictions="2h", slots__gap="20min"),
    manual(3, slots__evictions="weibull(shape=0.5, mean=12h)", job__leave_early="yes"),
    manual(3, slots__evictions="weibull(shape=3, mean=5h)", slots__limit="none"),
    manual(2, slots__evictions="bathtub(a=.45, tau1=1h, tau2=.8h, b=5h)", slots__limit="none"),
    manual(5, slots__evictions="12h", slots__claim_worklife="20min", slots__gap="15min"),
    manual(5, slots__evictions="9h", slots__grace="10min", job__transfer="8min"),
    manual(5, slots__power_failures="6h", slots__contact_lease="40min"),
    manual(5, slots__evictions=Empirical((3600.0, 7100.0, 7200.0, 14_000.0, 20_000.0))),
    manual(0, slots__evictions="mixture(0.5: exponential(mean=4h), 0.5: constant(3h))"),
]


@pytest.mark.parametrize("number", range(len(SCENARIOS)))
def test_no_interval_of_a_fine_grid_is_better(number):
    scenario = SCENARIOS[number]
    best, solver = Search(scenario).best, Solver(scenario)
    each = 1 if number < 2 else 10  # seconds
    grid = max((solver.value(t * SECOND) for t in range(60, 21_600, each)), key=worth)
    assert worth(best) >= worth(grid) * (1 - 1e-7)
    # The last mile by the second.
    around = range(max(grid.interval // SECOND - 10, 1), grid.interval // SECOND + 11)
    assert worth(best) >= max(worth(solver.value(t * SECOND)) for t in around) * (1 - 1e-7)


def test_no_interval_is_better_with_grace_and_a_single_age():
    """e_k may come later than the age, by the transfer: 345 min is found, 355 is better."""
    scenario = at(
        slots__evictions="constant(6h)",
        slots__grace="10min",
        job__write="5min",
        job__transfer="10min",
    )
    solver = Solver(scenario)
    grid = [solver.value(t * SECOND) for t in range(60, 21_600, 30)]
    assert worth(Search(scenario).best) >= max(map(worth, grid)) * (1 - 1e-7)


def drawn(seed):
    chance = random.Random(seed)
    laws = ["12h", "3h", "weibull(shape=0.6, mean=5h)", "uniform(1h, 9h)", "gamma(mean=5h, cv=0.4)"]
    return at(
        job__write=f"{chance.randint(1, 600)} s",
        job__transfer=f"{chance.randint(0, 900)} s",
        job__restart=f"{chance.randint(0, 600)} s",
        job__input=f"{chance.randint(0, 600)} s",
        job__leave_early=chance.choice(["yes", "no"]),
        slots__limit=chance.choice(["none", f"{chance.randint(3600, 40_000)} s"]),
        slots__evictions=chance.choice(laws),
        slots__power_failures=chance.choice(["none", "20h"]),
        slots__grace=chance.choice(["0", "5min", "20min"]),
        slots__gap=f"{chance.randint(0, 3000)} s",
        slots__claim_worklife=chance.choice(["none", "none", "20min", "3h"]),
    )


@pytest.mark.parametrize("seed", range(12))
def test_no_random_interval_is_better(seed):
    """300 intervals at random, denser where they are short: a search by other means."""
    scenario = drawn(seed)
    search = Search(scenario)
    rng = np.random.default_rng(seed)
    low, high = search.span
    tries = np.exp(rng.uniform(np.log(low), np.log(high), 300))
    values = [search.solver.value(int(interval)) for interval in tries]
    assert worth(search.best) >= max(map(worth, values)) * (1 - 1e-6)


# The flat part.


@pytest.mark.parametrize("number", range(len(SCENARIOS)))
def test_flat_ranges_end_where_they_say(number):
    scenario = SCENARIOS[number]
    advice = plan(scenario)
    solver = Solver(scenario)
    enough = 0.99 * worth(advice.best)
    assert any(low <= advice.best.interval <= high for low, high in advice.flat)
    for low, high in advice.flat:
        assert worth(solver.value(low)) >= enough
        assert worth(solver.value(high)) >= enough
        for inside in np.linspace(low, high, 20).astype(int).tolist():
            assert worth(solver.value(inside)) >= enough
        # Just outside it is less: by a second, which is ten times the search's precision.
        span = advice.search.span
        assert low <= span.low or worth(solver.value(low - SECOND)) < enough
        assert high >= span.high or worth(solver.value(high + SECOND)) < enough
    pairs = zip(advice.flat, advice.flat[1:], strict=False)
    assert all(one.high < other.low for one, other in pairs)


def test_the_flat_part_of_the_manuals_slot_ends_at_its_cliff():
    advice = plan(manual(slots__evictions="12h"))
    assert 85 * MINUTE in {high for _, high in advice.flat}


# Steps, reserves, and scenarios that leave no choice.


@pytest.mark.parametrize("step", ["1min", "7min", "50min", "11s"])
def test_a_natural_step_is_respected(step):
    scenario = manual(5, slots__evictions="12h", job__step=step)
    advice = plan(scenario)
    whole = scenario.job.step
    values = [advice.best, *advice.search.curve, *(cliff.beyond for cliff in advice.cliffs)]
    assert all(value.interval % whole == 0 for value in values)
    assert all(bound % whole == 0 for ends in advice.flat for bound in ends)
    solver = Solver(scenario)
    every = [solver.value(n * whole) for n in range(1, int(6 * 3600 * SECOND / whole))]
    assert advice.best.interval == max(every, key=lambda v: (worth(v), v.interval)).interval


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"job__write": "5min"}, "nothing ends a lease"),
        ({"job__write": "6h", "slots__limit": "6h"}, "no interval can work"),
        ({"job__write": "7h", "slots__limit": "6h", "slots__evictions": "9h"}, "no interval can"),
        ({"job__write": "2h", "slots__evictions": "uniform(1h, 2h)"}, "no interval can work"),
        ({"job__restart": "1h", "slots__power_failures": "constant(1h)"}, "no interval can work"),
    ],
)
def test_where_no_interval_can_work_it_says_so(given, told):
    with pytest.raises(ScenarioError, match=told):
        plan(at(**given))


def test_a_step_longer_than_the_lease_is_no_answer():
    with pytest.raises(ScenarioError, match="no interval can work"):
        plan(manual(slots__evictions="12h", job__step="7h"))


def test_without_evictions_the_longest_interval_wins():
    """theory.md §1: without evictions 355 commits most, and with a restart 350 (in a lease)."""
    assert plan(manual(0)).best.interval == 355 * MINUTE
    assert plan(manual(5)).best.interval == 350 * MINUTE


def test_free_checkpoints_have_no_best_interval_but_the_shortest():
    with pytest.raises(ScenarioError, match="a checkpoint costs nothing"):
        plan(at(slots__evictions="12h", slots__limit="6h"))
    stepped = Search(at(slots__evictions="12h", slots__limit="6h", job__step="10s")).best
    assert stepped.interval == 10 * SECOND


def test_an_eviction_that_nearly_always_comes_first():
    """Mean 1 min, checkpoint 5 min: hardly anything can be committed, but there is a best."""
    best = plan(at(slots__evictions="1min", job__write="5min")).best
    assert isclose(best.interval / MINUTE, classic.poisson_optimum(5, 1), rel_tol=0.01)


def test_the_scenarios_the_answer_is_tried_in():
    changes = {change.label: change for change in plan(manual(slots__evictions="12h")).changes}
    assert set(changes) == {
        "checkpoints cost twice as much",
        "checkpoints cost half as much",
        "evictions come twice as often",
        "evictions come half as often",
        "the limit is an hour shorter",
        "there is no limit",
    }
    shorter = Solver(manual(slots__evictions="12h", slots__limit="5h"))
    shown = changes["the limit is an hour shorter"]
    assert shown.kept == shorter.value(85 * MINUTE)
    assert shown.best.interval == 70 * MINUTE  # 4 (70 + 5) = 300; four since 299.846 min
    assert all(change.regret >= -1e-9 for change in changes.values())


def test_observed_lifetimes_tell_how_the_answer_scatters():
    ages = np.random.default_rng(5).exponential(43_200, 100)
    advice = plan(manual(slots__evictions=Empirical(tuple(ages))))
    spread = advice.spread
    assert spread.interval_low <= advice.best.interval <= spread.interval_high
    assert spread.useful_low < advice.best.useful_fraction < spread.useful_high
    assert 0 <= spread.regret_high < 0.05
    assert plan(manual(slots__evictions="12h")).spread is None


def test_a_whole_job_is_told_its_makespan():
    advice = plan(manual(5, slots__evictions="12h", job__work="24h"))
    assert advice.makespan(advice.best) == makespan(advice.scenario, advice.best.interval)
    assert plan(manual(slots__evictions="12h")).makespan(advice.best) is None


# Random costs.


def test_with_random_costs_the_best_keeps_its_distance_from_the_cliff():
    """theory.md §4: c on 3, 3.5, ..., 7 min, M = 720: 83.5 with 247.8623, and 85 is no good."""
    lattice = Empirical((180.0, *(30.0 * n for n in range(7, 14) for _ in "ab"), 420.0))
    scenario = manual(
        slots__evictions="12h", job__write=lattice, job__transfer="0", job__step="30s"
    )
    search = Search(scenario)
    best, literal = search.best, search.value(round(83.5 * MINUTE))
    assert best == literal
    assert round(best.work_s / 60, 4) == 247.8623


@pytest.mark.parametrize("law", ["uniform(3min, 7min)", "exponential(mean=5min)"])
def test_no_interval_of_a_grid_is_better_with_random_costs(law):
    scenario = manual(slots__evictions="12h", job__write=law, job__transfer="0")
    search = Search(scenario)
    grid = [search.solver.value(t * SECOND) for t in range(600, 21_600, 60)]
    assert worth(search.best) >= max(map(worth, grid)) * (1 - 1e-3)


# No unit of time.


@settings(max_examples=12)
@given(
    st.integers(0, 10**6),
    st.sampled_from([2, 3, 10, 60]),
)
def test_all_times_k_times_as_long_make_the_answer_k_times_as_long(seed, factor):
    chance = random.Random(seed)
    numbers = {
        "job__write": chance.randint(60, 600),
        "job__transfer": chance.randint(0, 900),
        "job__restart": chance.randint(0, 600),
        "slots__limit": chance.randint(7200, 40_000),
        "slots__evictions": chance.randint(7200, 80_000),
        "slots__gap": chance.randint(0, 3000),
        "slots__grace": chance.randint(0, 600),
    }
    one = Search(at(**{key: f"{value} s" for key, value in numbers.items()})).best
    other = Search(at(**{key: f"{value * factor} s" for key, value in numbers.items()})).best
    # The search stops within a hundredth of a second, and the top is flat.
    assert isclose(other.useful_fraction, one.useful_fraction, rel_tol=1e-8)
    assert isclose(other.interval, one.interval * factor, rel_tol=2e-3)


def test_a_search_is_the_same_every_time():
    scenario = manual(
        5, slots__evictions="weibull(shape=0.7, mean=9h)", job__write="uniform(1min, 9min)"
    )
    first, again = Search(scenario), Search(scenario)
    assert first.best == again.best
    assert first.curve == again.curve
