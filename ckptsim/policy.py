"""The best clock-aware policy, as a table small enough for a wrapper to carry.

After each checkpoint the job looks at the age of its lease and reads off how long to compute before
the next, or that it had better leave. What is best falls along straight lines (so many checkpoints
are still to fit before the limit) and jumps where one fewer fits; so a few rows hold it all.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import inf
from typing import NamedTuple

import numpy as np

from ckptsim.ends import Floats
from ckptsim.exact import Solver, Value
from ckptsim.program import NOTHING, POINTS, Choices, Indices, Program, points_for
from ckptsim.rules import NEVER, Row, interval_at
from ckptsim.scenario import Scenario
from ckptsim.sums import CELLS
from ckptsim.unequal import PlanValue, rounds_of
from ckptsim.units import SECOND, nanoseconds

FINE = 4 * CELLS  # of the lattice of costs
REGRET = 0.0005  # the table may be worth so much less than the best there is
TOLERANCE = 0.2  # of an interval: how far a row may be off, at first
ROWS_MOST = 64
SELDOM = 1e-3  # of the leases: what to do in so few needs no row of its own
JUMP = 4  # steps of the grid


class Policy(NamedTuple):
    """The table, and what it is worth to a lease that starts from a checkpoint."""

    rows: tuple[Row, ...]
    leave_after: int | None  # a commit later in the lease than this is the last; ns
    work_s: float
    lease_s: float
    gap_s: float
    error_s: float  # of work_s: what halving the grid makes of it
    best: float  # useful fraction, gaps included, of the best policy, whatever its length

    @property
    def useful_fraction(self) -> float:
        return self.work_s / self.lease_s

    @property
    def useful_fraction_with_gap(self) -> float:
        return self.work_s / (self.lease_s + self.gap_s)


def best_policy(scenario: Scenario, price: float = 0.0, interval: int | None = None) -> Policy:
    """The shortest table that is worth all but REGRET of the best policy.

    `interval` (ns) is about how long intervals will be, for a grid fine beside them; `price` the
    slot time, in seconds, that one checkpoint less to move is worth.
    """
    solver = Solver(scenario, FINE)
    points = points_for(solver, interval) if interval else POINTS
    program = Program(solver, points, price)
    best = program.best()
    leave_after = leaving(program, best)
    tolerance, enough = TOLERANCE, (1 - REGRET) * program.rate(best)
    while True:
        rows = tuple(rows_of(program, best, tolerance))
        found = program.following(stops(program, rows), leave_after)
        if program.rate(found) >= enough or len(rows) > ROWS_MOST:
            return valued(solver, points, rows, leave_after, program.rate(best))
        tolerance /= 2


def fixed_policy(solver: Solver, best: Value) -> Policy:
    """A table of one row: always the same interval."""
    every = np.array([best.interval], np.int64)
    leaves = solver.scenario.job.leave_early and solver.limit < NEVER
    return Policy(
        rows=(Row(0, best.interval, best.interval),),
        leave_after=int(solver.threshold(every)[0]) if leaves else None,
        work_s=best.work_s,
        lease_s=best.lease_s,
        gap_s=best.gap_s,
        error_s=0.0,
        best=best.useful_fraction_with_gap,
    )


def policy_of(solver: Solver, plan: PlanValue) -> Policy:
    """A plan for constant costs, told by the clock: what to do at the ages it comes to.

    A row begins half an interval early, for a job that is somewhat faster than was said.
    """
    course = solver.usual_course(rounds_of(solver, plan.intervals))
    early = np.array([0, *plan.intervals]) // 2
    ages = [int(age) for age in np.append(course.begun.age, course.safe.age[-1]) - early]
    rows = [Row(age, time, time) for age, time in zip(ages, plan.intervals, strict=False)]
    if solver.limit < NEVER:
        rows.append(Row(ages[-1], NEVER, NEVER))
    leaves = solver.scenario.job.leave_early
    return Policy(
        rows=tuple(rows),
        leave_after=ages[-1] if leaves else None,
        work_s=plan.work_s,
        lease_s=plan.lease_s,
        gap_s=plan.gap_s,
        error_s=0.0,
        best=plan.useful_fraction_with_gap,
    )


def valued(
    solver: Solver, points: int, rows: tuple[Row, ...], leave_after: float, best: float
) -> Policy:
    """The table's worth, on a finer grid than it was made on; and how far that may be off."""
    coarse, fine = (
        program.totals(program.following(stops(program, rows), leave_after))
        for program in (Program(solver, points), Program(solver, 2 * points))
    )
    return Policy(
        rows=rows,
        leave_after=None if leave_after == inf else nanoseconds(leave_after),
        work_s=fine[0],
        lease_s=fine[1],
        gap_s=solver.scenario.slots.gap.mean,
        error_s=abs(fine[0] - coarse[0]),
        best=best,
    )


def leaving(program: Program, best: Choices) -> float:
    """The age, in seconds, after which a job that may leave had better do so; else infinite."""
    if not program.may_leave:
        return inf
    rate = program.rate(best)
    on = [program.again.mean(best.work - rate * best.ended, here) for here in range(program.points)]
    stays = np.flatnonzero(np.array(on) + rate * program.lasting[: program.points] >= 0)
    return float(program.ages[stays[-1]]) if len(stays) else 0.0


def rows_of(program: Program, best: Choices, tolerance: float) -> Iterator[Row]:
    """Straight lines that are nowhere off by more than this share of an interval."""
    count = planned(program, best)
    if count == 0:
        return
    compute = program.ages[best.stop[:count]] - program.ages[:count]
    pieces = np.flatnonzero(np.abs(np.diff(compute)) > JUMP * program.step) + 1
    for piece in np.split(np.arange(count), pieces):
        corners = [*corners_of(compute, int(piece[0]), int(piece[-1]), tolerance), int(piece[-1])]
        for low, high in pairwise(corners):
            slope = (compute[high] - compute[low]) / max(high - low, 1)
            end = compute[high] + slope * (high == piece[-1])  # up to the next row's first age
            yield Row(*in_time(program.ages[low], compute[low], max(end, program.step)))
    if program.solver.limit < NEVER:
        yield Row(nanoseconds(float(program.ages[count])), NEVER, NEVER)


def planned(program: Program, best: Choices) -> int:
    """How many ages the table needs: to the last commit, or until next to no lease is left."""
    commits = best.stop[: program.points] != NOTHING
    if program.solver.limit == NEVER:
        ages = program.ages[: program.points]
        commits &= program.ends.outlived(ages, ages) > SELDOM
    return int(np.flatnonzero(commits)[-1]) + 1 if commits.any() else 0


def corners_of(compute: Floats, low: int, high: int, tolerance: float) -> list[int]:
    """Where the lines from `low` to `high` begin (Ramer, Douglas and Peucker)."""
    if high - low < 2:
        return [low]
    line = np.interp(np.arange(low, high + 1), [low, high], [compute[low], compute[high]])
    off = np.abs(compute[low : high + 1] - line) / compute[low : high + 1]
    worst = int(np.argmax(off))
    if off[worst] <= tolerance:
        return [low]
    corner = low + worst
    return corners_of(compute, low, corner, tolerance) + corners_of(
        compute, corner, high, tolerance
    )


def in_time(*seconds: float) -> tuple[int, ...]:
    return tuple(nanoseconds(float(each)) for each in seconds)


def stops(program: Program, rows: tuple[Row, ...]) -> Indices:
    """The index at which the table has a job stop that begins to compute at each age."""
    here = np.arange(program.points + 1)
    ages = np.rint(program.ages[here] * SECOND).astype(np.int64)
    compute = np.array([interval_at(rows, age) for age in ages.tolist()])
    stop = here + np.maximum(np.rint(compute / program.step_ns).astype(np.intp), 1)
    return np.where(stop <= program.points, stop, NOTHING)
