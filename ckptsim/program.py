"""The best thing to do at every age of a lease: a dynamic program on a grid of ages.

Within a lease the risk may rise or fall, and less of the lease is left after each checkpoint, so
the best intervals need not be equal; and where costs are random, it pays to decide again after each
checkpoint, knowing the clock. Let V(t) be what a job that begins to compute at age t of a lease can
still commit in it, on average over all leases (theory.md §2, §4):

    V(t) = max over a > t of  (a - t) P(a) + E[ V(e + restart in place) ],

with a the age at which to stop computing, e the age at which what is then written and transferred
is safe, and P(a) the probability that it gets there. Where a lease can end by itself, its length
counts too: time is charged at ρ, the useful fraction, which is found by Dinkelbach's iteration on
ratios (Management Science 13, 1967).
"""

from collections.abc import Callable
from functools import cached_property
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim.ends import FARTHEST, Floats
from ckptsim.exact import Solver, point_by_point
from ckptsim.lifetimes import Law
from ckptsim.rules import NEVER
from ckptsim.sums import Times, certain, on_lattice
from ckptsim.units import SECOND, nanoseconds
from ckptsim.world import unless_none

Indices = NDArray[np.intp]

POINTS = 1_440  # of the grid: minutes for a limit of a day,
POINTS_AN_INTERVAL = 8  # or more, where intervals are short beside the longest leases,
POINTS_MOST = 12_000  # but not many more
POINTS_LEAST = 2
RARE = 1e-5  # a lease without a limit is planned until so few are left
ITERATIONS_MAX = 20
SETTLED = 1e-9  # of the useful fraction
CHANCES_AT_ONCE = 1_000_000
NOTHING = 0  # the choice to commit no more in this lease


class Kernel(NamedTuple):
    """How much later something is, in steps of the grid: `mass` from `offset` steps on."""

    offset: int
    mass: Floats

    def mean(self, values: Floats, index: int) -> float:
        """The mean of what `values` are so much later than at `index`."""
        first = index + self.offset
        return float(self.mass @ values[first : first + len(self.mass)])


class Outlook(NamedTuple):
    """What is to come from each age on, on average over all leases; seconds."""

    work: Floats  # to be committed, less the price of what is moved
    ended: Floats  # the length of the lease, from its start


class Choices(NamedTuple):
    """What to do at each age of the grid, and what comes of it."""

    stop: Indices  # when computing begins there: the index at which to stop, or NOTHING
    work: Floats  # as in Outlook, when computing begins there
    ended: Floats
    outlook: Outlook  # when computing stops there, but for what that round itself commits


def points_for(solver: Solver, interval: int) -> int:
    """How many points make a grid that is fine beside intervals of about this length, ns."""
    length, usual = Program(solver, POINTS_LEAST).length_ns, solver.usual
    cost = max(usual.write + usual.transfer, interval // POINTS_AN_INTERVAL // 10)
    fine = max(length * POINTS_AN_INTERVAL / interval, length / cost)
    return int(min(max(fine, POINTS), POINTS_MOST))


class Program:
    """The dynamic program; ages in seconds."""

    def __init__(self, solver: Solver, points: int = POINTS, price: float = 0.0) -> None:
        """`price` is the slot time, in seconds, that one checkpoint less to move is worth."""
        self.solver, self.ends, self.price = solver, solver.ends, price
        job, slots = solver.scenario.job, solver.scenario.slots
        self.may_leave = job.leave_early
        self.worklife = unless_none(slots.claim_worklife) / SECOND
        self.gap = slots.gap.mean
        self.cost_ns = solver.usual.write + solver.usual.transfer + solver.usual.restart_in_place
        first = solver.start(cold=False).first
        last = int(self.last() * SECOND)
        self.length_ns = last - first
        self.step_ns = self.dividing(max(-(-(last - first) // points), SECOND // 1000))
        self.points = points = max(-(-(last - first) // self.step_ns), 2)
        self.step = self.step_ns / SECOND
        self.commit = self.kernel(job.write, job.transfer)
        self.again = self.kernel(job.restart_in_place)
        beyond = sum(each.offset + len(each.mass) for each in (self.commit, self.again)) + 1
        self.ages = (first + self.step_ns * np.arange(points + 1 + beyond)) / SECOND
        self.lasting = self.ends.until_left(self.ages)

    def dividing(self, step: int) -> int:
        """A step no longer, that a checkpoint's least and usual costs are whole numbers of.

        Not where a limit has to be on the grid, and costs that are always the same are rounded.
        """
        job, usual = self.solver.scenario.job, self.solver.usual
        least = nanoseconds(job.write.lowest) + nanoseconds(job.transfer.lowest)
        common = gcd(least, usual.write + usual.transfer)
        if common < step or (self.solver.constant and self.solver.limit < NEVER):
            return step
        return common // -(-common // step)

    def last(self) -> float:
        """The last age at which it may help to stop: for the limit, or when few leases are left.

        A transfer may be safe so much later than the soft kill as the grace lets it.
        """
        few = np.array([1 - RARE])
        laws = (self.ends.evictions, self.ends.power_failures)
        job, ends = self.solver.scenario.job, self.ends
        last = min(ends.horizon, *(float(law.quantile(few)[0]) for law in laws))
        longest = min(last + min(ends.grace, job.transfer.highest), ends.limit, FARTHEST)
        return longest - job.write.lowest - job.transfer.lowest

    def kernel(self, *laws: Law) -> Kernel:
        """The sum of these costs in steps of the grid, shared between the points around it.

        Where no cost is random it is rounded up instead: less is promised than is kept.
        """
        total = certain(0)
        for law in laws:
            total = total.plus(on_lattice(law, self.step_ns, self.ends.horizon))
        offset, over = divmod(total.first, self.step_ns)
        if self.solver.constant:
            return Kernel(offset + (over > 0), np.ones(1))
        stride = max(total.step // self.step_ns, 1)
        mass = np.zeros(stride * (len(total.mass) - 1) + 1)
        mass[::stride] = total.mass
        share = over / self.step_ns
        return Kernel(offset, np.convolve(mass, [1 - share, share]) if share else mass)

    @cached_property
    def chance(self) -> Floats:
        """The probability that a commit gets through if computing stops at each age."""
        later, transfer, mass, step = self.rounds
        grace = self.solver.scenario.slots.grace
        enough = later - np.minimum(transfer, grace)
        stops = (self.ages[: self.points + 1] * SECOND).astype(np.int64)
        found = []
        for some in np.array_split(stops, max(1, len(stops) * len(mass) // CHANCES_AT_ONCE)):
            safe = some[:, None] + later
            in_time = self.solver.within(safe, self.solver.limit, step)
            alive = self.ends.outlived((some[:, None] + enough) / SECOND, safe / SECOND)
            found.append((in_time * alive) @ mass)
        return np.concatenate(found)

    @cached_property
    def vacating(self) -> Floats:
        """What a transfer that outlives the soft kill adds to a lease, at usual costs; seconds."""
        if self.ends.grace == 0:
            return np.zeros(self.points + 1)
        usual = self.solver.usual
        start = self.ages[: self.points + 1] + usual.write / SECOND
        stop = np.maximum(start, np.minimum(start + usual.transfer / SECOND, self.ends.limit))
        found = self.ends.outliving(start, stop)
        return found.vacating + self.ends.contact_lease * found.powered_off

    @property
    def rounds(self) -> tuple[Times, Times, Floats, Times]:
        """How much later than its stop a commit is safe, of that the transfer; mass and step."""
        solver = self.solver
        sent, transfer = solver.write, solver.transfer
        if len(transfer.mass) == 1 or solver.scenario.slots.grace == 0:
            commit, moved = point_by_point(0, sent.plus(transfer)), np.array([transfer.first])
        else:
            commit, moved = solver.in_pairs(0, sent)
        return commit.age, moved, commit.mass, commit.step

    def best(self) -> Choices:
        """The choices that turn most time into committed work, less the price of what is moved."""
        rho, choices = 0.0, self.choices(0.0)
        if not self.may_leave and self.worklife >= self.ends.horizon:
            return choices
        for _ in range(ITERATIONS_MAX):
            found = self.rate(choices)
            if abs(found - rho) < SETTLED:
                break
            rho = found
            choices = self.choices(rho)
        return choices

    def totals(self, choices: Choices) -> tuple[float, float]:
        """Committed work, less the price of what is moved, and length of a lease; seconds."""
        start = self.solver.start(cold=False)
        at = start.ages / SECOND
        work, ended = (np.interp(at, self.ages, each) for each in (choices.work, choices.ended))
        return float(start.mass @ work), float(start.mass @ ended)

    def rate(self, choices: Choices) -> float:
        """Committed work, less the price of what is moved, for all the time of leases and gaps."""
        work, ended = self.totals(choices)
        return work / (ended + self.gap)

    def choices(self, rho: float) -> Choices:
        """What is best at each age if a second of slot time is worth `rho`."""
        longest = self.points + 1

        def best(here: int, outlook: Outlook) -> int:
            """Who begins earlier stops no later, for the chance of a commit only falls."""
            nonlocal longest
            stops = slice(here + 1, longest)
            worth = self.worth(here, stops, outlook, rho)
            stop = int(np.argmax(worth))
            if worth[stop] <= -rho * self.lasting[-1]:
                longest = self.points + 1
                return NOTHING
            longest = here + stop + 2
            return here + 1 + stop

        def leaves(here: int, on: tuple[float, float]) -> bool:
            return self.may_leave and on[0] - rho * (on[1] - float(self.lasting[here])) < 0

        return self.backwards(best, leaves)

    def following(self, stop: Indices, leave_after: float) -> Choices:
        """What comes of given choices, and of leaving after a commit later than that age."""
        return self.backwards(
            lambda here, _: int(stop[here]), lambda here, _: bool(self.ages[here] > leave_after)
        )

    def worth(self, here: int, stops: slice, outlook: Outlook, rho: float) -> Floats:
        """What beginning to compute `here` is worth if it stops at each of these ages."""
        gain = self.gain[stops] - self.ages[here] * self.chance[stops]
        total: Floats = gain + outlook.work[stops] - rho * outlook.ended[stops]
        return total

    @cached_property
    def gain(self) -> Floats:
        """What a commit brings if computing began at age 0, less the price of moving it."""
        total: Floats = (self.ages[: self.points + 1] - self.price) * self.chance
        return total

    def backwards(
        self,
        choose: Callable[[int, Outlook], int],
        leaves: Callable[[int, tuple[float, float]], bool],
    ) -> Choices:
        """What comes of choosing so, from the last age back to the first."""
        found, after = self.nothing(), self.after_nothing()
        for here in range(self.points - 1, -1, -1):
            at = here + 1
            found.outlook.work[at] = self.commit.mean(after.work, at)
            found.outlook.ended[at] = self.commit.mean(after.ended, at) + self.vacating[at]
            stop = choose(here, found.outlook)
            found.stop[here] = stop
            if stop != NOTHING:
                gain = self.gain[stop] - self.ages[here] * self.chance[stop]
                found.work[here] = gain + found.outlook.work[stop]
                found.ended[here] = found.outlook.ended[stop]
            after.work[here], after.ended[here] = self.after(here, found, leaves)
        return found

    def nothing(self) -> Choices:
        """The choices of a job that commits nothing more: it stays until the lease is over."""
        count = len(self.ages)
        return Choices(
            np.zeros(count, np.intp),
            np.zeros(count),
            np.full(count, self.lasting[-1]),
            Outlook(np.zeros(self.points + 1), np.zeros(self.points + 1)),
        )

    def after_nothing(self) -> Outlook:
        """What comes after a commit at each age, if that is nothing more."""
        leaves = (self.ages > self.worklife) | self.may_leave
        ended = np.where(leaves, self.lasting, self.lasting[-1])
        return Outlook(np.zeros(len(self.ages)), ended)

    def after(
        self, here: int, found: Choices, leaves: Callable[[int, tuple[float, float]], bool]
    ) -> tuple[float, float]:
        """What comes after a commit at this age: another round, or the lease is over."""
        over = 0.0, float(self.lasting[here])
        if self.ages[here] > self.worklife:
            return over
        on = self.again.mean(found.work, here), self.again.mean(found.ended, here)
        return over if leaves(here, on) else on
