"""Slack, the robust interval and the bootstrap: each recomputed by the longer way."""

import numpy as np
import pytest
from every_fate import at
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptsim.doubt import (
    robust,
    slacks,
)
from ckptsim.exact import Solver
from ckptsim.search import Search, worth
from ckptsim.units import MINUTE, SECOND

# Slack: how many checkpoints fit is counted here, in whole nanoseconds.


def count_that_fit(limit, interval, *, restart_lease, restart_in_place, write, transfer):
    """Checkpoints of a lease that only its limit ends."""
    age, count = restart_lease, 0
    while (age := age + interval + write + transfer) <= limit:
        count += 1
        age += restart_in_place
    return count


def longer(costs, name, extra):
    """The costs, with the one of this name (both restarts, if it is said so) so much longer."""
    names = ("restart_lease", "restart_in_place") if name == "restart" else (name,)
    return costs | {each: costs[each] + extra for each in names}


@st.composite
def slotted(draw):
    costs = {
        "restart_lease": draw(st.integers(0, 600)),
        "restart_in_place": draw(st.integers(0, 600)),
        "write": draw(st.integers(1, 600)),
        "transfer": draw(st.integers(0, 600)),
    }
    if draw(st.booleans()):
        costs["restart_in_place"] = costs["restart_lease"]
    return draw(st.integers(3_600, 40_000)), {name: cost * SECOND for name, cost in costs.items()}


@settings(max_examples=40)
@given(slotted(), st.integers(200, 9_000), st.booleans())
def test_a_slack_is_the_longest_that_leaves_as_many_checkpoints(drawn, interval, leave):
    """A nanosecond more, and one fewer fits."""
    limit, costs = drawn
    scenario = at(
        **{f"job__{name}": f"{cost} ns" for name, cost in costs.items()},
        job__leave_early=leave,
        slots__limit=f"{limit} s",
        slots__evictions="8h",
    )
    search = Search(scenario)
    value = search.value(interval * SECOND)
    fitting = count_that_fit(limit * SECOND, interval * SECOND, **costs)
    assert value.fitting == fitting
    found = slacks(search, value)
    assert bool(found) == (fitting > 0)
    told = {slack.cost for slack in found}
    if fitting > 0 and costs["restart_lease"] == costs["restart_in_place"]:
        assert told == {"write", "transfer", "restart"}
    elif fitting > 0:
        one = {"restart_in_place"} if fitting > 1 else set()
        assert told == {"write", "transfer", "restart_lease"} | one
    for slack in found:
        for extra, count in [(slack.extra, fitting), (slack.extra + 1, fitting - 1)]:
            more = longer(costs, slack.cost, extra)
            assert count_that_fit(limit * SECOND, interval * SECOND, **more) == count
        assert slack.beyond.fitting == fitting - 1
        assert slack.loss(value) == worth(value) - worth(slack.beyond)


def test_the_slack_of_the_manuals_84_minutes():
    """Four times 84 + 5 leave 4 min of the 6 h: a minute for each checkpoint."""
    scenario = at(job__write="5min", slots__limit="6h", slots__evictions="12h")
    search = Search(scenario)
    found = {slack.cost: slack for slack in slacks(search, search.value(84 * MINUTE))}
    assert found["write"].extra == MINUTE
    assert (found["write"].beyond.fitting, found["restart"].extra) == (3, MINUTE)


def test_there_is_no_slack_without_a_limit_or_with_random_costs():
    unlimited = Search(at(job__write="5min", slots__evictions="12h"))
    assert slacks(unlimited, unlimited.value(60 * MINUTE)) == []
    blurred = Search(at(job__write="uniform(3min, 7min)", slots__limit="6h"))
    assert slacks(blurred, blurred.value(60 * MINUTE)) == []


def test_the_slack_before_a_claim_worklife():
    """Commits at 40, 80 and 120 min, the last just within the worklife: four fit, but no slack."""
    scenario = at(
        job__write="5min", slots__limit="6h", slots__evictions="12h", slots__claim_worklife="2h"
    )
    search = Search(scenario)
    value = search.value(35 * MINUTE)
    dearer = at(
        job__write="301s", slots__limit="6h", slots__evictions="12h", slots__claim_worklife="2h"
    )
    assert (value.fitting, Solver(dearer).value(35 * MINUTE).fitting) == (4, 3)
    assert slacks(search, value)[0].extra == 0


# Robust: every world of the band is made anew, from numbers.

COSTS = {"job__write": 300.0, "job__transfer": 60.0, "job__restart_lease": 120.0}
ROBUST = [
    {"slots__limit": "6h"},
    {"slots__limit": "6h", "slots__gap": "20min", "job__leave_early": "yes"},
    {},
]


def world(fixed, cost, loss):
    """The scenario with costs and the mean between evictions so many times as long."""
    costs = {name: f"{float(seconds * cost)!r} s" for name, seconds in COSTS.items()}
    return at(**fixed, **costs, slots__evictions=f"{float(43_200 * loss)!r} s")


def useful_in(fixed, interval, cost, loss):
    return worth(Solver(world(fixed, cost, loss)).value(interval))


def corners(fixed, interval, band):
    ends = (1 - band, 1 + band)
    return [useful_in(fixed, interval, cost, loss) for cost in ends for loss in ends]


@pytest.mark.parametrize("fixed", ROBUST)
@pytest.mark.parametrize("band", [0.1, 0.04])
def test_a_hedge_is_the_mean_and_the_worst_of_the_band(fixed, band):
    """The mean to within what 21 costs (5 where there is no cliff) and 3 losses can tell.

    Judged by the midpoint rule on 100 by 10. A cliff of a fifth that falls between two of the 21
    costs is known to half a 21st of that: 0.005.
    """
    search = Search(world(fixed, 1, 1))
    found = robust(search, search.best, band)
    for hedge in found.answer, found.expected, found.worst:
        interval = hedge.value.interval
        assert worth(hedge.value) == pytest.approx(worth(search.solver.value(interval)), rel=1e-12)
        assert hedge.worst == pytest.approx(min(corners(fixed, interval, band)), rel=1e-8)
        costs, losses = ((np.arange(n) + 0.5) / n * 2 - 1 for n in (100, 10))
        every = [
            useful_in(fixed, interval, 1 + band * cost, 1 + band * loss)
            for cost in costs
            for loss in losses
        ]
        assert abs(hedge.expected - np.mean(every)) < (0.005 if "slots__limit" in fixed else 1e-4)


@pytest.mark.parametrize("fixed", ROBUST)
def test_the_robust_intervals_are_the_best_of_a_grid(fixed):
    search = Search(world(fixed, 1, 1))
    best = search.best
    found = robust(search, best)
    assert found.answer.value == best
    assert found.worst.worst <= found.worst.expected
    assert found.expected.worst <= found.expected.expected
    assert found.worst.worst >= max(found.answer.worst, found.expected.worst)
    assert found.expected.expected >= max(found.answer.expected, found.worst.expected)
    for interval in np.linspace(best.interval * 0.7, best.interval * 1.3, 40).astype(np.int64):
        assert found.worst.worst >= min(corners(fixed, int(interval), 0.1)) - 1e-3


def test_the_answer_at_a_cliff_is_not_the_robust_one():
    """At 85 min the least dearer checkpoint costs a fifth; 4 (τ + 5.5) = 360 at 84.5 min."""
    scenario = at(job__write="5min", slots__limit="6h", slots__evictions="12h")
    search = Search(scenario)
    found = robust(search, search.best)
    assert search.best.interval == 85 * MINUTE
    assert found.answer.worst < 0.8 * worth(search.best)
    assert found.worst.value.interval == pytest.approx(84.5 * MINUTE, abs=0.3 * MINUTE)
    assert found.worst.value.interval <= 84.5 * MINUTE


@pytest.mark.parametrize("fixed", ROBUST)
def test_a_band_of_next_to_nothing_gives_the_answer_itself(fixed):
    """1e-9 of 5 min is less than a microsecond; at a cliff the answer steps that far back."""
    search = Search(world(fixed, 1, 1))
    found = robust(search, search.best, 1e-9)
    for hedge in found.expected, found.worst:
        assert hedge.value.interval == pytest.approx(search.best.interval, rel=1e-8)
        assert hedge.expected == pytest.approx(worth(search.best), rel=1e-6)
        assert hedge.worst == pytest.approx(worth(search.best), rel=1e-6)
