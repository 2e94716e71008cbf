"""What a plan tells a wrapper: when to checkpoint, whatever a checkpoint turns out to cost."""

from collections.abc import Iterator

from ckptsim.errors import ScenarioError
from ckptsim.modes import PLAIN, solver_of
from ckptsim.objective import Objective
from ckptsim.plan import clock_aware
from ckptsim.policy import Policy
from ckptsim.rules import NEVER, Row
from ckptsim.scenario import Scenario, named
from ckptsim.search import Search
from ckptsim.unequal import best_plan
from ckptsim.units import SECOND
from ckptsim.variation import with_costs

FACTORS = (0.5, 0.7, 1.0, 1.4, 2.0)
"""A wrapper measures what checkpoints cost, and goes by the answer for the nearest of these."""

COSTS = ("write", "transfer")
DIGITS = 3  # of seconds
Answer = dict[str, object]


def answers(scenario: Scenario) -> list[Answer]:
    """The answer for costs so many times those of the scenario, in their order; times in seconds.

    The middle one is the answer for the scenario itself. One alone where a checkpoint costs
    nothing. Raises ScenarioError where no interval can work.
    """
    job = scenario.job
    if job.mode not in PLAIN or job.steps:
        what = "steps" if job.steps else f"the mode {named(job.mode)!r}"
        raise ScenarioError(f"a wrapper cannot follow a plan for {what}; leave it out")
    if scenario.is_pool:
        raise ScenarioError("a wrapper follows a plan for one job; give neither --jobs nor --slots")
    planned = job.write.mean + job.transfer.mean  # seconds
    factors = FACTORS if planned else (1.0,)
    return [answer(with_costs(scenario, factor, COSTS), factor * planned) for factor in factors]


def answer(scenario: Scenario, cost_s: float) -> Answer:
    """The best interval, and the best table of what to do at which age of a lease."""
    search = Search(scenario, Objective())
    solver, best = search.solver, search.best
    if search.goodness(best) == 0:
        raise ScenarioError("no interval can work: nothing is ever committed")
    unequal = best_plan(solver, best, 0.0) if solver.is_plain else None
    policy = clock_aware(solver, best, unequal, 0.0)
    return told(best.interval, policy, cost_s, solver_of(scenario).usual.restart_in_place, scenario)


def told(
    interval: int, policy: Policy | None, cost_s: float, restart: int, scenario: Scenario
) -> Answer:
    """One answer as the wrapper reads it."""
    limit, rows = scenario.slots.limit, policy.rows if policy else ()
    leave_after = policy.leave_after if policy else None
    return {
        "cost_s": round(cost_s, DIGITS),
        "restart_s": in_seconds(restart),
        "interval_s": in_seconds(interval),
        "table": list(map(list, map(row_told, rows))) if len(rows) > 1 else None,
        "leave_after_s": None if leave_after is None else in_seconds(leave_after),
        "limit_s": None if limit is None else in_seconds(limit),
    }


def row_told(row: Row) -> Iterator[float | None]:
    return map(in_seconds, row)


def in_seconds(time: int) -> float | None:
    """None where there is to be no end to it."""
    return None if time == NEVER else round(time / SECOND, DIGITS)
