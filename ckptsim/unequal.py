"""The best unequal intervals for a lease: a dynamic program on a grid, polished afterwards.

Within a lease the risk may rise or fall, and less of the lease is left after each checkpoint, so
the best intervals need not be equal. Let V(t) be what a job that begins to compute at age t of a
lease can still commit in it, on average over all leases (theory.md §2):

    V(t) = max over τ of  τ P(e) + V(e + restart in place),   e = t + τ + write + transfer,

with P(e) the probability that a commit at e succeeds. Where a lease can end by itself, its length
counts too: time spent is charged at ρ, the useful fraction, which is found by Dinkelbach's
iteration on ratios (Management Science 13, 1967). Costs are constant.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ckptsim.exact import Commits, Floats, Solver, Value
from ckptsim.rules import NEVER
from ckptsim.units import SECOND, nanoseconds
from ckptsim.world import unless_none

POINTS = 1_440  # of the grid: minutes for a limit of a day
RARE = 1e-3  # a lease without a limit is planned until so few are left
ITERATIONS_MAX = 20
SETTLED = 1e-9  # of the useful fraction
POLISHED_MOST = 120  # intervals; of more, each hardly matters
KINKS_MOST = 12


class PlanValue(NamedTuple):
    """A plan for a lease, and what it is worth as in `exact.Value`."""

    intervals: tuple[int, ...]  # ns; after the last the job computes on until the lease ends
    work_s: float
    lease_s: float
    gap_s: float

    @property
    def useful_fraction(self) -> float:
        return self.work_s / self.lease_s

    @property
    def useful_fraction_with_gap(self) -> float:
        return self.work_s / (self.lease_s + self.gap_s)


def value_of(solver: Solver, intervals: tuple[int, ...]) -> PlanValue:
    """What these intervals (ns) are worth, one after the other in each lease."""
    commits = commits_of(solver, intervals)
    work = solver.probabilities(commits)[0] @ (np.array(intervals) / SECOND)
    return PlanValue(
        intervals,
        float(work),
        float(solver.lengths(commits)[0]),
        solver.scenario.slots.gap.mean,
    )


def commits_of(solver: Solver, intervals: tuple[int, ...]) -> Commits:
    """When each of them is safe in a lease that nothing cuts short."""
    usual = solver.usual
    each = np.array(intervals, np.int64) + usual.write + usual.transfer
    safe = usual.input + usual.restart_lease + np.cumsum(each + usual.restart_in_place)
    safe -= usual.restart_in_place
    late = safe > unless_none(solver.scenario.slots.claim_worklife)
    late[-1] |= solver.scenario.job.leave_early
    left = int(safe[late.argmax()]) if late.any() else NEVER
    return Commits(
        (safe - usual.transfer)[None], safe[None], (safe <= left)[None], np.array([left])
    )


class Program:
    """The dynamic program on ages of a lease, in seconds."""

    def __init__(self, solver: Solver) -> None:
        usual = solver.usual
        self.solver, self.ends = solver, solver.ends
        self.cost = (usual.write + usual.transfer) / SECOND
        self.transfer = usual.transfer / SECOND
        self.restart = usual.restart_in_place / SECOND
        self.start = (usual.input + usual.restart_lease) / SECOND
        self.worklife = unless_none(solver.scenario.slots.claim_worklife) / SECOND
        self.may_leave = solver.scenario.job.leave_early
        self.ages = np.linspace(self.start, self.end(), POINTS + 1)
        self.step = float(self.ages[1] - self.ages[0])
        self.safe = self.ages + self.cost  # if computing stops at this age
        self.chance = self.chances(self.safe)
        self.spent = self.ends.lasting(self.safe)
        # The next round is reckoned from the next age of the grid: less is promised than is kept.
        self.again = np.minimum(
            np.searchsorted(self.ages, self.safe + self.restart), len(self.ages) - 1
        )
        self.resumed = self.ends.lasting(self.ages[self.again]) - self.spent

    def end(self) -> float:
        """The last age that matters: the limit, or when few leases are left."""
        few = np.array([1 - RARE])
        laws = (self.ends.evictions, self.ends.power_failures)
        return min(self.ends.horizon, *(float(law.quantile(few)[0]) for law in laws))

    def chances(self, safe: Floats) -> Floats:
        """The probability that a commit at these ages succeeds."""
        return np.where(safe <= self.ends.limit, self.outlived(safe), 0.0)

    def outlived(self, safe: Floats) -> Floats:
        """The same if there were no limit."""
        enough = np.maximum(safe - self.transfer, safe - self.ends.grace)
        return self.ends.outlived(enough, safe)

    def plan(self) -> tuple[int, ...]:
        """The best intervals on the grid, in nanoseconds."""
        rho, choice = 0.0, self.choices(0.0)
        if self.may_leave or self.worklife < self.ends.horizon:
            for _ in range(ITERATIONS_MAX):
                found = value_of(self.solver, self.followed(choice))
                if abs(found.useful_fraction_with_gap - rho) < SETTLED:
                    break
                rho = found.useful_fraction_with_gap
                choice = self.choices(rho)
        return self.followed(choice)

    def choices(self, rho: float) -> list[int]:
        """For each age of the grid, at which age to stop computing; 0: commit no more."""
        last = self.ends.lasting(np.array(np.inf))
        future = -rho * (float(last) - self.ends.lasting(self.ages))  # nothing more is committed
        choice = [0] * len(self.ages)
        for here in range(len(self.ages) - 2, -1, -1):
            stops = slice(here + 1, None)
            gain = (self.ages[stops] - self.ages[here]) * self.chance[stops]
            then = self.then(future, stops, rho) - rho * self.spent_from(here, stops)
            best = int(np.argmax(gain + then))
            if gain[best] + then[best] > future[here]:
                future[here], choice[here] = gain[best] + then[best], here + 1 + best
        return choice

    def spent_from(self, here: int, stops: slice) -> Floats:
        spent: Floats = self.spent[stops] - self.ends.lasting(self.ages[here])
        return spent

    def then(self, future: Floats, stops: slice, rho: float) -> Floats:
        """What is still to be had after a commit: going on, or leaving, which costs nothing."""
        on = future[self.again[stops]] - rho * self.resumed[stops]
        on = np.maximum(on, 0.0) if self.may_leave else on
        return np.where(self.safe[stops] > self.worklife, 0.0, on)

    def followed(self, choice: list[int]) -> tuple[int, ...]:
        """The intervals that come of following the choices from the start of a lease."""
        age, here, intervals = self.start, 0, []
        while choice[here]:
            stop = choice[here]
            intervals.append(nanoseconds(float(self.ages[stop]) - age))
            age, here = float(self.safe[stop]) + self.restart, int(self.again[stop])
            if self.safe[stop] > self.worklife:
                break
        return tuple(intervals)


def best_plan(solver: Solver, fixed: Value) -> PlanValue | None:
    """The best intervals for a lease, no worse than the best fixed interval as often as it fits.

    None where costs are random: then no one list is best.
    """
    if not solver.constant:
        return None
    starts = [Program(solver).plan(), (fixed.interval,) * (fixed.fitting or 0)]
    tried = [
        value_of(solver, plan) for start in starts if start for plan in bettered(solver, start)
    ]
    return max(tried, key=lambda found: found.useful_fraction_with_gap, default=None)


def bettered(solver: Solver, intervals: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The plan, and what may be made of it."""
    yield intervals
    yield (longer := stretched(solver, intervals))
    if len(intervals) <= POLISHED_MOST and is_smooth(solver):
        yield polished(solver, longer)


def is_smooth(solver: Solver) -> bool:
    """Is there a slope to follow, or are the laws steps?"""
    ends = solver.ends
    return len(ends.evictions.kinks()) + len(ends.power_failures.kinks()) <= KINKS_MOST


def slack(solver: Solver, intervals: tuple[int, ...]) -> int:
    """Nanoseconds from the last commit to the limit; 0 without one."""
    if solver.limit == NEVER:
        return 0
    return max(0, solver.limit - int(commits_of(solver, intervals).safe[0, -1]))


def stretched(solver: Solver, intervals: tuple[int, ...]) -> tuple[int, ...]:
    """The same with what the grid left over before the limit shared out, if that is little."""
    left = slack(solver, intervals)
    if left >= min(intervals):
        return intervals
    return tuple(interval + left // len(intervals) for interval in intervals)


def polished(solver: Solver, intervals: tuple[int, ...]) -> tuple[int, ...]:
    """The best plan near this one, among as many intervals; by sequential quadratic programming.

    The limit is a constraint of its own, so that what is maximised is smooth at it.
    """
    from scipy.optimize import LinearConstraint, minimize

    program = Program(solver)
    start = np.array(intervals) / SECOND
    room = start.sum() + slack(solver, intervals) / SECOND
    between = program.cost + program.restart
    commit = program.start + program.cost + between * np.arange(len(start))

    def committed(each: Floats) -> float:
        safe = np.asarray(commit + np.cumsum(each), np.float64)
        return float((each * program.outlived(safe)).sum())

    found = minimize(  # type: ignore[call-overload]
        lambda shares: -committed(shares * room) / room,
        start / room,
        method="SLSQP",
        jac="3-point",
        bounds=[(0.0, 1.0)] * len(start),
        constraints=LinearConstraint(np.ones(len(start)), -np.inf, 1.0),
        options={"ftol": 1e-15, "maxiter": 200},
    )
    return in_whole(found.x * room)


def in_whole(intervals_s: Floats) -> tuple[int, ...]:
    """Seconds as whole nanoseconds, down, so that a sum at the limit stays within it."""
    return tuple(int(each * SECOND) for each in intervals_s)
