"""Where the time goes, computed, against the rules run through every fate a lease can have."""

import pytest
from every_fate import (
    NO_POWER_FAILURES,
    at,
    close,
    ends_after,
    ledger_by_enumeration,
    random_costs,
    random_costs_by_enumeration,
    scenarios,
)
from hypothesis import given, settings

from ckptsim.account import accounts
from ckptsim.exact import Solver
from ckptsim.ledger import Category
from ckptsim.units import MINUTE, SECOND


@settings(max_examples=600)
@given(scenarios(grace_most=0))
def test_every_category_is_the_mean_over_the_fates(drawn):
    scenario, interval = drawn
    (found,) = accounts(Solver(scenario), [interval])
    true = ledger_by_enumeration(scenario, interval)
    for category in Category:
        assert close(found.spent_s.get(category, 0.0), true[category] / SECOND), category.name


@settings(max_examples=300)
@given(scenarios(power_failures=NO_POWER_FAILURES))
def test_every_category_with_grace_is_the_mean_over_the_fates(drawn):
    """Vacating may be off by a step of the quadrature at either end, as in test_exact."""
    scenario, interval = drawn
    (found,) = accounts(Solver(scenario), [interval])
    true = ledger_by_enumeration(scenario, interval)
    for category in Category:
        allowed = scenario.job.transfer.mean / 16 if category == Category.VACATING else 0
        assert abs(found.spent_s.get(category, 0.0) - true[category] / SECOND) <= allowed + 1e-5


def test_a_transfer_that_only_the_limit_cuts_off_is_lost_at_it():
    """Warned at 28, sent at 21, safe at 36, killed at 38: the limit of 30 comes before."""
    scenario = at(
        job__write="1min",
        job__transfer="15min",
        slots__limit="30min",
        slots__evictions=ends_after(28, 50),
        slots__grace="10min",
    )
    (found,) = accounts(Solver(scenario), [20 * MINUTE])
    assert found.spent_s[Category.LOST_LIMIT] == pytest.approx(1200)
    assert found.spent_s[Category.LOST_EVICTION] == pytest.approx(0)


@settings(max_examples=200)
@given(scenarios())
def test_the_categories_add_up_to_the_lease(drawn):
    scenario, interval = drawn
    solver = Solver(scenario)
    (found,) = accounts(solver, [interval])
    assert close(found.lease_s, solver.value(interval).lease_s)


@settings(max_examples=150)
@given(random_costs())
def test_every_category_of_random_costs_is_the_mean_over_all_of_them(drawn):
    scenario, interval = drawn
    (found,) = accounts(Solver(scenario), [interval])
    true = random_costs_by_enumeration(scenario, interval)
    for category in Category:
        assert close(found.spent_s.get(category, 0.0), true[category] / SECOND), category.name
