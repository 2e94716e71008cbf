"""The best unequal intervals for a lease with constant costs: planned on a grid, then polished."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ckptsim.ends import Floats
from ckptsim.exact import Rounds, Solver, Value
from ckptsim.makespan import ALWAYS
from ckptsim.program import NOTHING, Choices, Program, points_for
from ckptsim.rules import NEVER
from ckptsim.units import SECOND
from ckptsim.world import unless_none

NEARBY = 1.0  # seconds, for the slope of a survival
POLISHED_MOST = 70  # intervals; of more, each hardly matters
KINKS_MOST = 12


class PlanValue(NamedTuple):
    """A plan for a lease, and what it is worth as in `exact.Value`."""

    intervals: tuple[int, ...]  # ns; after the last the job computes on until the lease ends
    checkpoints: float
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
    course = solver.course(rounds_of(solver, intervals))
    chances = solver.chances(course)
    return PlanValue(
        intervals,
        float(chances.sum()),
        float(chances @ course.rounds.length[course.safe.round]) / SECOND,
        float(solver.lengths(course)[0]),
        solver.scenario.slots.gap.mean,
    )


def rounds_of(solver: Solver, intervals: tuple[int, ...]) -> Rounds:
    """A lease that goes through these intervals; a job that may leave does so after the last."""
    length = np.array(intervals, np.int64)
    count = len(length)
    stay = np.full(count, unless_none(solver.scenario.slots.claim_worklife), np.int64)
    stay[-1] = ALWAYS if solver.scenario.job.leave_early else stay[-1]
    number = np.arange(count)
    none = np.zeros(count, np.intp)
    bare = none.astype(np.bool_)
    return Rounds(none, number, length, np.cumsum(length), stay, bare, np.ones(count))


def best_plan(solver: Solver, fixed: Value, price: float = 0.0) -> PlanValue | None:
    """The best intervals for a lease, no worse than the best fixed interval as often as it fits.

    None where costs are random, for then no one list is best, and where a job has its own steps.
    `price` is the slot time, in seconds, that one checkpoint less to move is worth.
    """
    if not solver.constant or solver.scenario.job.steps:
        return None
    program = Program(solver, points_for(solver, fixed.interval), price)
    starts = [followed(program, program.best()), (fixed.interval,) * often(program, fixed)]
    tried = [
        value_of(solver, plan) for start in starts if start for plan in bettered(program, start)
    ]
    return max(tried, key=lambda found: rate(found, price), default=None)


def often(program: Program, fixed: Value) -> int:
    """How many checkpoints of the fixed interval a lease has room for."""
    if fixed.fitting is not None:
        return fixed.fitting
    return int(program.last() * SECOND / (fixed.interval + program.cost_ns)) + 1


def rate(found: PlanValue, price: float) -> float:
    """Committed work, less the price of what is moved, for all the time of leases and gaps."""
    return (found.work_s - price * found.checkpoints) / (found.lease_s + found.gap_s)


def followed(program: Program, choices: Choices) -> tuple[int, ...]:
    """The intervals that come of following the choices from the start of a lease, ns."""
    age = program.solver.start(cold=False).first
    here, intervals = 0, []
    while choices.stop[here] != NOTHING:
        stop = int(choices.stop[here])
        intervals.append(int(program.ages[stop] * SECOND) - age)
        safe = stop + program.commit.offset
        age += intervals[-1] + program.cost_ns
        here = safe + program.again.offset
        if program.ages[safe] > program.worklife or here >= program.points:
            break
    return tuple(intervals)


def bettered(program: Program, intervals: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The plan, and what may be made of it."""
    yield intervals
    yield (longer := stretched(program.solver, intervals))
    if len(intervals) <= POLISHED_MOST and is_smooth(program.solver):
        yield polished(program, longer)


def is_smooth(solver: Solver) -> bool:
    """Is there a slope to follow, or are the laws steps?"""
    ends = solver.ends
    return len(ends.evictions.kinks()) + len(ends.power_failures.kinks()) <= KINKS_MOST


def slack(solver: Solver, intervals: tuple[int, ...]) -> int:
    """Nanoseconds from the last commit to the limit; 0 without one."""
    if solver.limit == NEVER:
        return 0
    usual = solver.usual
    each = usual.write + usual.transfer + usual.restart_in_place
    safe = usual.input + usual.restart_lease + sum(intervals) + each * len(intervals)
    return max(0, solver.limit - (safe - usual.restart_in_place))


def stretched(solver: Solver, intervals: tuple[int, ...]) -> tuple[int, ...]:
    """The same with what the grid left over before the limit shared out, if that is little."""
    left = slack(solver, intervals)
    if left >= min(intervals):
        return intervals
    return tuple(interval + left // len(intervals) for interval in intervals)


def polished(program: Program, intervals: tuple[int, ...]) -> tuple[int, ...]:
    """The best plan near this one, among as many intervals; by sequential quadratic programming.

    The limit is a constraint of its own, so that what is maximised is smooth at it.
    """
    from scipy.optimize import LinearConstraint, minimize

    solver, usual = program.solver, program.solver.usual
    start = np.array(intervals) / SECOND
    room = start.sum() + slack(solver, intervals) / SECOND
    cost = (usual.write + usual.transfer) / SECOND
    between = cost + usual.restart_in_place / SECOND
    commit = (usual.input + usual.restart_lease) / SECOND + cost + between * np.arange(len(start))
    early = min(usual.transfer, solver.scenario.slots.grace) / SECOND

    def chance(each: Floats, later: float = 0.0) -> Floats:
        safe = np.asarray(commit + np.cumsum(each) + later, np.float64)
        return solver.ends.outlived(safe - early, safe)

    def committed(each: Floats) -> float:
        return float(np.dot(each - program.price, chance(each)))

    def slope(each: Floats) -> Floats:
        """A longer interval is worth its own chance, and makes all later commits later."""
        falling = (chance(each, NEARBY) - chance(each, -NEARBY)) / (2 * NEARBY)
        after = np.cumsum(((each - program.price) * falling)[::-1])[::-1]
        return np.asarray(chance(each) + after)

    found = minimize(  # type: ignore[call-overload]
        lambda shares: -committed(shares * room) / room,
        start / room,
        method="SLSQP",
        jac=lambda shares: -slope(shares * room),
        bounds=[(0.0, 1.0)] * len(start),
        constraints=LinearConstraint(np.ones(len(start)), -np.inf, 1.0),
        options={"ftol": 1e-15, "maxiter": 100},
    )
    return in_whole(found.x * room)


def in_whole(intervals_s: Floats) -> tuple[int, ...]:
    """Seconds as whole nanoseconds, down, so that a sum at the limit stays within it."""
    return tuple(int(each * SECOND) for each in intervals_s)
