"""Where the slot time of a lease goes, on average and without sampling: the ledger's categories.

A lease is in a stage of its round from one age to another unless it ends before: the mean time in
it is the difference of `Ends.lasting` at the two. The same integral over only the leases that a
limit or a power failure ends, less what those commit, is what is lost to that cause.
"""

from math import inf
from typing import NamedTuple

import numpy as np

from ckptsim.delayed import Delayed
from ckptsim.ends import Floats
from ckptsim.exact import Course, Solver
from ckptsim.ledger import Category
from ckptsim.rules import NEVER
from ckptsim.units import SECOND


class Account(NamedTuple):
    """One lease's slot time by category, its checkpoints and the bytes it moves; means."""

    interval: int  # ns
    spent_s: dict[Category, float]
    gap_s: float  # from a lease to the next
    checkpoints: float  # committed
    moved: float | None  # bytes sent to the access point; None where a checkpoint has no size

    @property
    def lease_s(self) -> float:
        """All the slot time there is: the whole of the shares."""
        return sum(self.spent_s.values())

    @property
    def wasted_fraction(self) -> float:
        """What is not useful of slot time and gaps."""
        return 1 - self.spent_s[Category.USEFUL] / (self.lease_s + self.gap_s)

    @property
    def moved_per_hour(self) -> float:
        """Bytes sent, or checkpoints committed where they have no size, for each committed hour."""
        hours = self.spent_s[Category.USEFUL] / 3600
        moved = self.checkpoints if self.moved is None else self.moved
        return moved / hours if hours else inf


def accounts(solver: Solver, intervals: list[int]) -> list[Account]:
    """The accounts of leases from a checkpoint in jobs without end, one for each interval (ns)."""
    return [
        account
        for some in solver.portions(intervals)
        for account in accounts_of(solver, some, solver.course(solver.fixed(some)))
    ]


def accounts_of(solver: Solver, intervals: list[int], course: Course) -> list[Account]:
    """The account of each lease of a course."""
    spent = spent_on(solver, course)
    checkpoints, _ = solver.committed(course)
    moved = bytes_moved(solver, spent)
    return [
        Account(
            interval,
            {category: float(each[lease]) for category, each in spent.items()},
            solver.scenario.slots.gap.mean,
            float(checkpoints[lease]),
            None if moved is None else float(moved[lease]),
        )
        for lease, interval in enumerate(intervals)
    ]


def spent_on(solver: Solver, course: Course, *, cold: bool = False) -> dict[Category, Floats]:
    """Seconds of each category, a number a lease."""
    ends = solver.ends
    fetched, started = (
        found.mass @ ends.lasting(found.ages / SECOND)
        for found in (solver.input, solver.start(cold=cold))
    )
    begun, sent, safe = (
        course.total(stage, stage.mass * ends.lasting(stage.age_s))
        for stage in (course.begun, course.sent, course.safe)
    )
    length = course.rounds.length[course.begun.round]
    computed = course.total(
        course.begun, course.begun.mass * ends.lasting((course.begun.age + length) / SECOND)
    )
    useful = course.total(
        course.safe, solver.chances(course) * course.rounds.length[course.safe.round] / SECOND
    )
    outliving = solver.outliving(course)
    limit, power = lost_at_limit(solver, course), lost_to_power_failures(solver, course)
    none = np.zeros(course.leases)
    starting = none + started - fetched
    return {
        Category.USEFUL: useful,
        Category.LOST_LIMIT: limit,
        Category.LOST_EVICTION: np.maximum(computed - begun - useful - limit - power, 0.0),
        Category.LOST_POWER_FAILURE: power,
        Category.WRITE: sent - computed,
        Category.TRANSFER: safe - sent,
        Category.COLD_START: starting if cold else none,
        Category.RESTART_LEASE: none if cold else starting,
        Category.RESTART_IN_PLACE: resuming(solver, course, begun - started, safe),
        Category.INPUT: none + fetched,
        Category.VACATING: outliving.vacating,
        Category.LOST_HOLD: none,
        Category.LOST_LEAVING: none,
        Category.DISCONNECTED: disconnected(solver, course, outliving.powered_off),
    }


def resuming(solver: Solver, course: Course, begun: Floats, safe: Floats) -> Floats:
    """Restarts in place lie between a commit and the next round, unless the lease was left."""
    left = course.left
    leaving = course.total(left, left.mass * solver.ends.lasting(left.age_s))
    staying = 1 - course.total(left, left.mass)
    forever = float(solver.ends.lasting(np.array(inf)))
    # The last round that is followed ends past the horizon, as no lease does.
    return np.maximum(begun - (safe - leaving - staying * forever), 0.0)


def lost_at_limit(solver: Solver, course: Course) -> Floats:
    """Computed by leases that their limit ends, and not committed; seconds."""
    ends, safe = solver.ends, course.safe
    if solver.limit == NEVER:
        return np.zeros(course.leases)
    if isinstance(solver, Delayed):
        return lost_at_limit_when_told(solver, course)
    in_time = safe.mass * solver.within(safe.age, solver.limit, safe.step)
    each = course.rounds.length[safe.round] / SECOND
    lost = computed_by_limit(solver, course) - course.total(safe, in_time * each)
    total = ends.expiring * lost
    if ends.grace > 0:  # soft-killed before, with a transfer that only the limit cut off
        sent, _ = solver.transfers(course)
        since = np.minimum(np.maximum(sent, ends.limit - ends.grace), ends.limit)
        warned = ends.outlived(since, np.full_like(since, ends.limit)) - ends.expiring
        total = total + course.total(safe, (safe.mass - in_time) * warned * each)
    return np.asarray(total)


def computed_by_limit(solver: Solver, course: Course) -> Floats:
    """Computed by leases that come to their limit; seconds."""
    begun, length = course.begun, course.rounds.length / SECOND
    computed = np.clip((solver.limit - begun.age) / SECOND, 0.0, length[begun.round])
    return course.total(begun, begun.mass * computed)


def lost_at_limit_when_told(solver: Delayed, course: Course) -> Floats:
    """The same where all is saved at the end: less what then is, or a power failure loses."""
    safe = course.safe
    written = safe.mass * solver.within(safe.age, solver.limit, safe.step)
    each = course.rounds.length[safe.round] / SECOND
    found = solver.ends.expiring * computed_by_limit(solver, course)
    return np.asarray(found - solver.saving.expired * course.total(safe, written * each))


def lost_to_power_failures(solver: Solver, course: Course) -> Floats:
    """Computed by leases that a power failure ends, and not committed; seconds."""
    ends, begun, safe = solver.ends, course.begun, course.safe
    if ends.power_lasts:
        return np.zeros(course.leases)
    length = course.rounds.length / SECOND
    computed = ends.lasting_to_power_failure(begun.age_s + length[begun.round])
    computed = computed - ends.lasting_to_power_failure(begun.age_s)
    if isinstance(solver, Delayed):  # nothing is safe yet, nor is it while vacating
        written = safe.mass * solver.saving.struck(safe.age_s) * length[safe.round]
        return course.total(begun, begun.mass * computed) + course.total(safe, written)
    later = ends.powered_off(np.array(inf)) - ends.powered_off(safe.age_s)
    lost = course.total(begun, begun.mass * computed)
    lost = lost - course.total(safe, safe.mass * later * length[safe.round])
    if ends.grace > 0:
        struck = ends.outliving(*solver.transfers(course)).powered_off
        lost = lost + course.total(safe, safe.mass * struck * length[safe.round])
    return lost


def disconnected(solver: Solver, course: Course, vacating: Floats) -> Floats:
    """The contact leases that are waited out, seconds."""
    left, ends = course.left, solver.ends
    staying = 1 - course.total(left, left.mass)
    off = course.total(left, left.mass * ends.powered_off(left.age_s))
    off = off + staying * ends.powered_off(np.array([inf]))
    return ends.contact_lease * (off + vacating)


def bytes_moved(solver: Solver, spent: dict[Category, Floats]) -> Floats | None:
    """Bytes sent, as the time spent on transfers says; None where a checkpoint has no size."""
    job = solver.scenario.job
    if job.size is None or job.bandwidth is None:
        return None
    return (spent[Category.TRANSFER] + spent[Category.VACATING]) * job.bandwidth
