"""The best unequal intervals: theory.md's figures, brute force, and what must always hold."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim import unequal
from ckptsim.drivers.virtual import simulate_leases
from ckptsim.exact import Solver
from ckptsim.scenario import load
from ckptsim.search import Search
from ckptsim.unequal import value_of
from ckptsim.units import MINUTE
from ckptsim.world import world_of


def solver(**given):
    usual = {"slots.limit": "6h", "job.write": "5min"}
    return Solver(load(None, usual | {key.replace("__", "."): text for key, text in given.items()}))


def best_plan(the_solver):
    return unequal.best_plan(the_solver, Search(the_solver.scenario).best)


def minutes(plan):
    return [interval / MINUTE for interval in plan.intervals]


@pytest.mark.parametrize(
    ("evictions", "restart", "intervals", "committed"),
    [  # theory.md, section 2
        ("12h", "0", [84.3939, 84.7640, 85.1833, 85.6588], 251.185452),
        ("24h", "0", [115.1397, 115.0039, 114.8564], 292.712608),
        ("12h", "5min", [83.3663, 83.6009, 83.8662, 84.1665], 246.781414),
        ("24h", "5min", [113.6088, 113.3410, 113.0502], 288.118369),
    ],
)
def test_the_best_plans_of_exponential_evictions(evictions, restart, intervals, committed):
    plan = best_plan(solver(slots__evictions=evictions, job__restart_lease=restart))
    assert plan.work_s / 60 == pytest.approx(committed, abs=1.5e-6)
    assert minutes(plan) == pytest.approx(intervals, abs=0.01)  # the top is flat


@pytest.mark.parametrize(
    ("shape", "rounded", "on_the_grid"),
    [(0.5, [48, 60, 69, 76, 82], 161.7725), (2, [148, 107, 90], 312.9989)],
)
def test_the_best_plans_of_weibull_evictions(shape, rounded, on_the_grid):
    plan = best_plan(solver(slots__evictions=f"weibull(shape={shape}, mean=12h)"))
    assert [round(interval) for interval in minutes(plan)] == rounded
    assert on_the_grid - 1e-4 <= plan.work_s / 60 <= on_the_grid + 4e-4  # polished: no worse


def test_as_the_limit_grows_the_first_interval_tends_to_the_unlimited_optimum():
    plan = best_plan(solver(slots__evictions="12h", slots__limit="5760min"))
    assert plan.intervals[0] / MINUTE == pytest.approx(81.5511, abs=0.02)


def test_a_plan_of_equal_intervals_is_worth_what_the_interval_is():
    the_solver = solver(slots__evictions="8h", slots__power_failures="60h", slots__gap="20min")
    fixed = the_solver.value(85 * MINUTE)
    plan = value_of(the_solver, (85 * MINUTE,) * 4)
    assert plan.work_s == pytest.approx(fixed.work_s, rel=1e-12)
    assert plan.useful_fraction_with_gap == pytest.approx(fixed.useful_fraction_with_gap, rel=1e-12)


def test_observed_lifetimes_reward_short_intervals_first():
    the_solver = solver(
        slots__evictions="empirical(gcp-preemptible.csv:lifetime_s)", slots__limit="24h"
    )
    plan = best_plan(the_solver)
    fixed = Search(the_solver.scenario).best
    assert plan.intervals[0] < fixed.interval / 2  # most machines that go early go very early
    assert plan.useful_fraction > fixed.useful_fraction + 0.015


def test_no_plan_on_a_coarse_grid_is_better():
    """Brute force over all plans of up to four intervals in steps of 20 min."""
    the_solver = solver(slots__evictions="weibull(shape=0.7, mean=5h)", job__restart="3min")
    steps = [20 * MINUTE * n for n in range(1, 18)]
    plans = [plan for count in (1, 2, 3, 4) for plan in product(steps, repeat=count)]
    fits = [plan for plan in plans if sum(plan) + len(plan) * 8 * MINUTE <= 360 * MINUTE]
    best = max(value_of(the_solver, plan).work_s for plan in fits)
    assert len(fits) > 1000
    assert best_plan(the_solver).work_s >= best


def test_with_a_claim_worklife_the_length_of_a_lease_counts():
    """After a commit past 20 min the lease ends, so that one interval is all there is to choose."""
    the_solver = solver(slots__evictions="12h", slots__claim_worklife="20min", slots__gap="5min")
    plan = best_plan(the_solver)
    fixed = Search(the_solver.scenario).best
    assert len(plan.intervals) == 1
    assert plan.useful_fraction_with_gap == pytest.approx(fixed.useful_fraction_with_gap, abs=1e-4)


def test_random_costs_have_no_one_list():
    assert best_plan(solver(slots__evictions="12h", job__write="uniform(3min, 7min)")) is None


@settings(max_examples=25)
@given(
    mean=st.integers(2, 40),
    shape=st.sampled_from([0.6, 1.0, 1.7]),
    write=st.integers(1, 20),
    transfer=st.integers(0, 10),
    restart=st.integers(0, 10),
    gap=st.integers(0, 60),
    grace=st.integers(0, 10),
    leave=st.booleans(),
)
def test_a_plan_is_never_worse_than_equal_intervals(
    mean, shape, write, transfer, restart, gap, grace, leave
):
    the_solver = solver(
        slots__evictions=f"weibull(shape={shape}, mean={mean}h)",
        job__write=f"{write}min",
        job__transfer=f"{transfer}min",
        job__restart=f"{restart}min",
        slots__gap=f"{gap}min",
        slots__grace=f"{grace}min",
        job__leave_early=leave,
    )
    plan, fixed = best_plan(the_solver), Search(the_solver.scenario).best
    assert plan.useful_fraction_with_gap >= fixed.useful_fraction_with_gap - 1e-9


def test_the_simulation_of_one_interval_agrees_with_the_value_of_its_plan():
    the_solver = solver(slots__evictions="12h", slots__limit="2h")
    plan = value_of(the_solver, (115 * MINUTE,))
    stays = simulate_leases(world_of(the_solver.scenario, 115 * MINUTE), 0, 4_000).stays
    work = np.array([stay.work for stay in stays]) / 1e9
    half_width = 2.6 * work.std() / len(work) ** 0.5
    assert abs(work.mean() - plan.work_s) < half_width
