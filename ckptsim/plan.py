"""The answer to a scenario: the interval to choose, its price, and what would change it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ckptsim.account import Account
from ckptsim.bootstrap import Spread, spread, spread_of_laws
from ckptsim.doubt import BAND, Change, Robust, Slack, robust, slacks
from ckptsim.errors import ScenarioError
from ckptsim.exact import Solver, Value
from ckptsim.formulas import Formula, formulas
from ckptsim.lifetimes import Law
from ckptsim.makespan import (
    Whole,
    accounts_of,
    blocks_of,
    value_of,
    values_of,
    whole_steps,
)
from ckptsim.makespan_law import MakespanLaw, makespan_law
from ckptsim.modes import PLAIN, solver_of
from ckptsim.objective import Kind, Objective
from ckptsim.policy import Policy, best_policy, fixed_policy, policy_of
from ckptsim.rules import Mode
from ckptsim.scenario import Scenario, named
from ckptsim.search import MARGIN, Cliff, Range, Search, worth
from ckptsim.sums import CELLS, CELLS_COARSE
from ckptsim.unequal import PlanValue, best_plan
from ckptsim.variation import variations, with_job
from ckptsim.ways import Way, ways

HOPELESS = {
    Kind.USEFUL: "no interval can work: nothing is ever committed",
    Kind.MAKESPAN: "the job never finishes, with any interval",
    Kind.QUANTILE: "so many of such jobs are never done, with any interval",
    Kind.DEADLINE: "no interval gives the job any chance of that; give it longer",
    Kind.WEIGHTED: "no checkpoint is ever worth that price; ask for less",
}

MAY_LEAVE = (Mode.EXIT_CODE, Mode.EXIT_SIGNAL, Mode.MANUAL)  # early exits leave anyway


class Free(NamedTuple):
    """The best if the job could checkpoint at any moment."""

    value: Value
    makespan: float | None  # as `Advice.makespan`


class Leaving(NamedTuple):
    """The best a job can do that may leave early."""

    best: Value  # leaving when no further checkpoint fits
    kept: Value  # the same, with the answer's interval
    plan: PlanValue | None  # leaving when that is best; None where costs are random


@dataclass(frozen=True)
class Advice:
    """The answer to a scenario."""

    scenario: Scenario
    objective: Objective
    search: Search
    best: Value  # the answer: an interval, in whole natural steps if there are any
    free: Free | None  # the best were there no natural step; None where there is none
    margin: float
    flat: list[Range]  # within so much of the best
    cliffs: list[Cliff]
    slacks: list[Slack]
    robust: Robust
    plan: PlanValue | None  # of unequal intervals; None where costs are random
    policy: Policy | None  # clock-aware; None for a job in steps of its own
    leaving: Leaving | None  # if the job left early; None where it does, or there is no limit
    formulas: list[Formula]
    present: Value | None  # of the interval in use now
    asked: list[Value]
    changes: list[Change]
    spread: Spread | None

    @property
    def cliff_above(self) -> Cliff | None:
        """The next cliff at or above the best interval."""
        above = (cliff for cliff in self.cliffs if cliff.beyond.interval > self.best.interval)
        return next(above, None)

    @property
    def cliff_below(self) -> Cliff | None:
        """The next cliff below the best interval."""
        below = [cliff for cliff in self.cliffs if cliff.beyond.interval <= self.best.interval]
        return below[-1] if below else None

    @property
    def steps_to_checkpoint_after(self) -> list[int]:
        """For a job in steps of its own, the numbers of those after which the best checkpoints."""
        steps = self.scenario.job.steps or ()
        blocks = whole_steps(steps, self.best.interval)
        after = np.searchsorted(np.cumsum(steps), np.cumsum(blocks)) + 1
        last = self.scenario.job.last_checkpoint
        return [int(step) for step in (after if last else after[:-1])]

    def whole(self, value: Value) -> Whole | None:
        """One whole job that never waits for a slot, with this interval.

        None without end, and in the modes in which that is not known.
        """
        solver = self.search.solver
        if self.scenario.job.work is None or not solver.is_plain:
            return None
        return Whole(solver, blocks_of(solver, value.interval))

    @cached_property
    def makespans(self) -> MakespanLaw | None:
        """The law of the makespan with the best interval; None where that is not to be had soon."""
        whole = self.whole(self.best)
        return None if whole is None or whole.is_long else makespan_law(whole)

    def makespan(self, value: Value) -> float | None:
        """Mean seconds to completion of one job that never waits for a slot; inf: never.

        None as of `whole`.
        """
        whole = self.whole(value)
        return None if whole is None else whole.makespan

    @cached_property
    def account(self) -> Account:
        """Where the time of a lease goes with the best interval."""
        return self.accounts_of([self.best.interval])[0]

    @cached_property
    def accounts(self) -> list[Account]:
        """The same for all intervals that were looked at, ascending."""
        return self.accounts_of([value.interval for value in self.search.curve])

    def accounts_of(self, intervals: list[int]) -> list[Account]:
        """Where the time of a lease goes with each of these intervals."""
        return accounts_of(self.search.solver, intervals)

    @property
    def trade_off(self) -> list[Account]:
        """The intervals of which none wastes less and moves less; from the least waste on."""
        found: list[Account] = []
        for account in sorted(self.accounts, key=lambda each: each.wasted_fraction):
            if not found or account.moved_per_hour < found[-1].moved_per_hour:
                found.append(account)
        return found

    @cached_property
    def ways(self) -> list[Way]:
        """The other ways to checkpoint, and this one, each with its own best interval."""
        return ways(self.scenario, self.best)

    @cached_property
    def error(self) -> float:
        """How far the useful fraction may be off: what halving the lattice of costs makes of it."""
        if self.search.solver.constant:
            return 0.0
        (finer,) = values_of(solver_of(self.scenario, 2 * CELLS), [self.best.interval])
        return abs(worth(finer) - worth(self.best))


def plan(
    scenario: Scenario,
    asked: Sequence[int] = (),
    more: Sequence[tuple[str, Scenario]] = (),
    objective: Objective | None = None,
    margin: float = MARGIN,
    band: float = BAND,
    laws: Sequence[Law] = (),
) -> Advice:
    """The best fixed interval for `scenario`, and what there is to know about it.

    `asked` are intervals (ns) to be valued too; `more` are scenarios, with labels, in which the
    answer is to be tried besides the usual ones; `margin` is how much worse than the best is still
    good, `band` how far costs and laws may be off, both as a share; `laws` are laws of evictions as
    other data might have had them fitted, for how the answer scatters. Raises ScenarioError where
    no interval can work.
    """
    aim = objective or Objective()
    refuse_whole_jobs(scenario, aim)
    search = Search(scenario, aim)
    solver, best, price = search.solver, search.best, aim.price_s(search.solver)
    if search.goodness(best) == 0:
        given = "" if aim == Objective() else f"--objective {aim.describe()}: "
        raise ScenarioError(given + HOPELESS[aim.kind])
    interval = scenario.job.computed_interval
    unequal = best_plan(solver, best, price) if solver.is_plain else None
    return Advice(
        scenario=scenario,
        objective=aim,
        search=search,
        best=best,
        free=without_step(scenario, aim),
        margin=margin,
        flat=search.flat(margin),
        cliffs=search.cliffs,
        slacks=slacks(search, best),
        robust=robust(search, best, band),
        plan=unequal,
        policy=clock_aware(solver, best, unequal, price),
        leaving=leaving_early(scenario, quicker(aim), best),
        formulas=formulas(search),
        present=None if interval is None else search.value(interval),
        asked=[search.value(interval) for interval in asked],
        changes=[
            Change(label, kept=other.value(best.interval), best=other.best)
            for label, other in searches([*variations(scenario), *more], quicker(aim))
        ],
        spread=spread_of_laws(search, best, laws) or spread(search, best),
    )


def clock_aware(
    solver: Solver, best: Value, unequal: PlanValue | None, price: float
) -> Policy | None:
    """The best policy: the best plan told by the clock, or where costs are random a table."""
    if solver.scenario.job.steps or not solver.is_plain:
        return None
    if unequal:
        return policy_of(solver, unequal)
    found = best_policy(solver.scenario, price, best.interval)
    if price == 0 and found.useful_fraction_with_gap < worth(best):
        return fixed_policy(solver, best)
    return found


def without_step(scenario: Scenario, objective: Objective) -> Free | None:
    """The best interval if the job could checkpoint at any moment; in steps, for the whole job."""
    job = scenario.job
    if job.step is None and job.steps is None:
        return None
    aim = Objective(Kind.MAKESPAN) if job.steps and not objective.of_whole_job else objective
    try:
        search = Search(with_job(scenario, step=None, steps=None), aim)
    except ScenarioError:  # checkpoints cost nothing: then the more often the better
        return None
    best, solver = search.best, search.solver
    has_whole = job.work is not None and solver.is_plain
    whole = Whole(solver, blocks_of(solver, best.interval)) if has_whole else None
    value = value_of(whole, best.interval) if whole and job.steps else best
    return Free(value, None if whole is None else whole.makespan)


def leaving_early(scenario: Scenario, objective: Objective, answer: Value) -> Leaving | None:
    """What leaving early would be worth to a job that does not."""
    if scenario.job.leave_early or scenario.slots.limit is None:
        return None
    if scenario.job.mode not in MAY_LEAVE:
        return None
    search = Search(with_job(scenario, leave_early=True), objective, CELLS_COARSE)
    plan = best_plan(search.solver, search.best, objective.price_s(search.solver))
    return Leaving(search.best, search.value(answer.interval), plan)


def refuse_whole_jobs(scenario: Scenario, objective: Objective) -> None:
    """ScenarioError where whole jobs are asked about in a mode in which only leases are known."""
    mode = scenario.job.mode
    if objective.of_whole_job and mode not in PLAIN:
        raise ScenarioError(
            f"--objective {objective.describe()}: with the mode {named(mode)!r} only leases have "
            "an exact answer, not whole jobs; leave it out, or use ckptsim simulate"
        )


def quicker(objective: Objective) -> Objective:
    """The objective, or one that is soon judged and leads to much the same interval."""
    return Objective(Kind.MAKESPAN) if objective.of_law else objective


def searches(
    scenarios: Iterable[tuple[str, Scenario]], objective: Objective
) -> Iterator[tuple[str, Search]]:
    """A search in each scenario, but for those in which no interval can work."""
    for label, scenario in scenarios:
        with suppress(ScenarioError):
            yield label, Search(scenario, objective, CELLS_COARSE)
