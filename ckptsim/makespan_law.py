"""The law of a makespan, for its quantiles and for deadlines: the recursion of makespan.py again.

What a job still has to go through is a sum of independent leases and gaps, and the transform of a
sum is a product; so the recursion over the blocks still to do is solved for each frequency, on a
lattice of time. Damping keeps what is beyond the lattice's end from coming back at its start (Abate
and Whitt, Queueing Systems 10, 1992). The probabilities of a lease are the exact ones; the lattice
only blurs, by a step, when it ends.
"""

from collections.abc import Callable
from functools import cached_property
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim.ends import FARTHEST, Floats
from ckptsim.exact import Course, Stage
from ckptsim.lifetimes import Law
from ckptsim.makespan import Leases, Whole
from ckptsim.rules import NEVER
from ckptsim.sums import Times
from ckptsim.units import SECOND

Transform = NDArray[np.complex128]
Along = Callable[[Floats], Floats]

NONE = -1  # no round
POINTS = 4_096  # of the lattice of time
POINTS_FIRST = 512  # of a first, coarse one, that tells how far the law reaches
ALIASING = 1e-9  # at most so much of what is beyond the lattice's end appears in it
AT_ONCE = 1e-10  # of the makespan: no shorter time can be told from none
BEYOND = 1e-6  # no more may be beyond it
REACH_MOST = 2**16  # mean makespans: of a law with a longer tail the rest is left out


class MakespanLaw(NamedTuple):
    """Probabilities on a lattice of time."""

    step_s: float
    mass: Floats  # around 0, 1, 2, ... steps
    first_s: float = 0.0  # where the lattice begins

    @property
    def reached(self) -> Floats:
        """The share that is complete by each point; half of what lies around it is before it."""
        return np.maximum.accumulate(np.cumsum(self.mass) - self.mass / 2)

    @property
    def at_s(self) -> Floats:
        """The points, seconds."""
        return np.asarray(self.first_s + np.arange(len(self.mass)) * self.step_s, np.float64)

    def quantile(self, share: float) -> float:
        """The time by which this share of such jobs is complete, seconds, to a step."""
        reached = self.reached
        return inf if share > reached[-1] else float(np.interp(share, reached, self.at_s))

    def by(self, deadline_s: float) -> float:
        """The share of such jobs that is complete by then; 0 where that is next to impossible."""
        if deadline_s < self.at_s[np.searchsorted(self.reached, BEYOND)]:
            return 0.0
        return float(np.clip(np.interp(deadline_s, self.at_s, self.reached), 0.0, 1.0))


def makespan_law(whole: Whole, points: int = POINTS) -> MakespanLaw | None:
    """The law of a job's makespan; None where it never finishes."""
    mean, reach = whole.makespan, 2.0
    if mean == inf:
        return None
    if whole.is_certain:  # complete by the second of two points that are hardly apart
        return MakespanLaw(AT_ONCE * mean, np.array([1.0, 0.0]), (1 - AT_ONCE) * mean)
    first = min(points, POINTS_FIRST)
    while on_lattice(whole, reach * mean, first).mass.sum() < 1 - BEYOND and reach < REACH_MOST:
        reach *= 2
    return on_lattice(whole, reach * mean, points)


def on_lattice(whole: Whole, end_s: float, points: int) -> MakespanLaw:
    """The law up to `end_s`."""
    lattice = Lattice(whole, end_s / points, points)
    slots = whole.solver.scenario.slots
    gap = lattice.transform(lattice.law(slots.gap))
    blocks = len(whole.blocks)
    still: dict[int, Transform] = {}
    for begun in range(blocks - 1, 0, -1):
        still[begun] = lattice.to_come(whole.later, begun, gap, still)
        still.pop(begun + whole.far + 1, None)
    total = lattice.to_come(whole.first, 0, gap, still)
    return MakespanLaw(lattice.step, lattice.back(total * gap if slots.first_gap else total))


class Lattice:
    """Steps of time, and the leases of a job on them."""

    def __init__(self, whole: Whole, step: float, points: int) -> None:
        self.whole, self.solver, self.ends = whole, whole.solver, whole.solver.ends
        self.step, self.points = step, points
        self.at: Floats = step * np.arange(points + 1, dtype=np.float64)
        self.damping = ALIASING ** (np.arange(points) / points)
        self._known: dict[tuple[int, bytes], Transform] = {}

    def transform(self, mass: Floats) -> Transform:
        return np.fft.rfft(mass * self.damping)

    def back(self, transform: Transform) -> Floats:
        return np.maximum(np.fft.irfft(transform, self.points) / self.damping, 0.0)

    def to_come(
        self, leases: Leases, begun: int, gap: Transform, still: dict[int, Transform]
    ) -> Transform:
        """The time to completion with so many blocks committed, given those with more."""
        whole, left = self.whole, len(self.whole.blocks) - begun
        state = 0 if leases is whole.first else int(whole.state_of[begun])
        more = np.zeros_like(gap)
        for count in range(1, min(left, whole.far) + 1):
            if leases.done[state, count] > 0:
                lease = self.lease(leases, state, begun, count)
                more += lease if count == left else lease * gap * still[begun + count]
        return more / (1 - self.lease(leases, state, begun, 0) * gap)

    def lease(self, leases: Leases, state: int, begun: int, count: int) -> Transform:
        """The length of leases that commit exactly `count` blocks."""
        upcoming = self.whole.padded[begun : begun + count + 2].tobytes()
        key = (-1 if leases is self.whole.first else count, upcoming)
        if key not in self._known or key[0] < 0:
            mass = self.ending(leases.course, state, count)
            total = mass.sum()
            share = leases.done[state, count] / total if total > 0 else 0.0
            self._known[key] = self.transform(mass * share)
        return self._known[key]

    def ending(self, course: Course, state: int, count: int) -> Floats:
        """When leases that commit exactly `count` blocks end, but for a common factor."""
        rounds = np.flatnonzero(course.rounds.lease == state)
        last = rounds[count - 1] if count > 0 else NONE
        cut_off = rounds[count] if count < len(rounds) else NONE
        evicted, powered_off = self.cut_off(course, last, cut_off)
        total = evicted + self.later(powered_off)
        total += self.leaving(course, last)
        if self.solver.limit < NEVER:
            total += self.at_limit(course, last, cut_off)
        if self.ends.grace > 0:
            total += self.saved(course, last) + self.not_saved(course, cut_off)
        return total

    def cut_off(self, course: Course, last: int, cut_off: int) -> tuple[Floats, Floats]:
        """When leases end between two commits, or before a transfer that could outlive it."""
        until = course.sent if self.ends.grace else course.safe
        if self.solver.constant:
            start = 0.0 if last == NONE else float(course.safe.age_s[last])
            unsent, unsafe = (
                inf if cut_off == NONE else float(stage.age_s[cut_off])
                for stage in (until, course.safe)
            )
            left = last != NONE and len(points_of(course.left, last)[0]) > 0
            return (
                self.by_eviction.between(start, start if left else unsent),
                self.by_power_failure.between(start, start if left else unsafe),
            )
        since = self.reached(course.safe, last) - self.reached(course.left, last)
        since = since if last != NONE else np.ones(self.points)
        unsafe_yet = since - self.reached(course.safe, cut_off)
        unsent_yet = since - self.reached(until, cut_off)
        return (
            self.by_eviction.between(0.0, inf) * np.maximum(unsent_yet, 0.0),
            self.by_power_failure.between(0.0, inf) * np.maximum(unsafe_yet, 0.0),
        )

    def reached(self, stage: Stage, index: int) -> Floats:
        """The share of leases that have come to a stage by each point."""
        age, mass, _ = points_of(stage, index)
        put = self.put(age / SECOND, mass)
        return np.cumsum(put) - put / 2

    def leaving(self, course: Course, last: int) -> Floats:
        """Leases that end by themselves."""
        age, mass, step = points_of(course.left, last)
        in_time = self.solver.within(age, self.solver.limit, step)
        at = age / SECOND
        return self.put(at, mass * in_time * self.ends.outlived(at, at))

    def at_limit(self, course: Course, last: int, cut_off: int) -> Floats:
        """Leases that end by their limit."""
        limit = self.solver.limit
        stages = (course.safe, last), (course.left, last), (course.safe, cut_off)
        since, left, until = (
            float(mass @ self.solver.within(age, limit, step))
            for age, mass, step in (points_of(*each) for each in stages)
        )
        share = (since - left if last != NONE else 1.0) - until
        return self.put(np.array([self.ends.limit]), np.array([share * self.ends.expiring]))

    def saved(self, course: Course, last: int) -> Floats:
        """Leases that were soft-killed in the transfer that they still completed."""
        start, at, mass, in_time = self.transfers(course, last)
        enough = np.maximum(start, at - self.ends.grace)
        warned = self.ends.outlived(enough, at) - self.ends.outlived(at, at)
        return self.put(at, mass * in_time * warned)

    def not_saved(self, course: Course, cut_off: int) -> Floats:
        """Leases that were soft-killed in a transfer that the hard kill, or the limit, cut off."""
        ends = self.ends
        start, at, mass, in_time = self.transfers(course, cut_off)
        enough = np.where(in_time > 0, at - ends.grace, ends.limit)
        enough = np.maximum(start, enough)
        warned = ends.outlived(start, start) - ends.outlived(enough, start)
        killed = np.minimum((start + np.minimum(enough, at)) / 2 + ends.grace, ends.limit)
        return self.put(killed, mass * np.maximum(warned, 0.0))

    def transfers(self, course: Course, index: int) -> tuple[Floats, Floats, Floats, Floats]:
        """Start, end, probability of a round's transfers; and which end before the limit."""
        chosen = slice_of(course.safe, index)
        age, mass, step = points_of(course.safe, index)
        start = (age - course.transfer[chosen]) / SECOND
        return start, age / SECOND, mass, self.solver.within(age, self.solver.limit, step)

    @cached_property
    def by_power_failure(self) -> "Cause":
        """Leases that a power failure ends."""
        ends = self.ends

        def later(ages: Floats) -> Floats:
            return self.power_failing - ends.powered_off(ages)

        return Cause(self.at, later, ends.lasting_to_power_failure)

    @cached_property
    def by_eviction(self) -> "Cause":
        """Leases that an eviction ends."""
        ends = self.ends
        expiring, limit = ends.expiring, ends.limit if ends.expiring else 0.0

        def later(ages: Floats) -> Floats:
            others = np.where(ages <= limit, expiring, 0.0) + self.by_power_failure.later(ages)
            alive = np.where(ages <= ends.limit, ends.outlived(ages, ages), 0.0)
            return np.asarray(np.maximum(alive - others, 0.0))

        def lasting(ages: Floats) -> Floats:
            others = expiring * np.minimum(ages, limit) + ends.lasting_to_power_failure(ages)
            return ends.lasting(ages) - others

        return Cause(self.at, later, lasting)

    @cached_property
    def power_failing(self) -> float:
        return float(self.ends.powered_off(np.array(inf)))

    def later(self, mass: Floats) -> Floats:
        """A contact lease later, when the access point knows."""
        return self.put(self.at[:-1] + self.ends.contact_lease, mass)

    def law(self, law: Law) -> Floats:
        """A law's mass around each point."""
        return around(self.at, np.array([law.limited_mean(t) for t in self.at]), 1.0)

    def put(self, at_s: Floats, mass: Floats) -> Floats:
        """Masses at times, each shared between the two points around it."""
        place = np.minimum(at_s / self.step, self.points)
        low = place.astype(np.int64)
        share = place - low
        shares = np.concatenate([mass * (1 - share), mass * share])
        total = np.bincount(np.concatenate([low, low + 1]), shares, self.points + 2)
        return total[: self.points].astype(np.float64)


class Cause:
    """A way for leases to end: `later` is the probability of it at an age or later."""

    def __init__(self, at: Floats, later: Along, lasting: Along) -> None:
        """`lasting` is the integral of `later`, `at` the points of the lattice."""
        self.at, self.later, self.lasting = at, later, lasting
        self.integral = lasting(at)

    def between(self, start: float, end: float) -> Floats:
        """The mass around each point of those from `start` on and before `end`."""
        bounds = np.array([start, min(end, FARTHEST)])
        first, last = self.later(bounds)
        low, high = self.lasting(bounds)
        inside = np.clip(self.integral, low, high) - low
        integral = np.minimum(self.at, start) * first + inside
        integral += np.maximum(self.at - bounds[1], 0.0) * last - self.at * last
        return around(self.at, integral, first - last)


def around(at: Floats, integral: Floats, total: float) -> Floats:
    """The mass around each point but the last, from the integral of what is still to come."""
    step = at[1] - at[0]
    before = np.concatenate([[-step * total], integral[:-2]])
    found = np.maximum(2 * integral[:-1] - before - integral[1:], 0.0) / step
    return np.asarray(found, np.float64)


def slice_of(stage: Stage, index: int) -> slice:
    """Where a round's points lie in a stage."""
    return slice(*np.searchsorted(stage.round, [index, index + 1]))


def points_of(stage: Stage, index: int) -> tuple[Times, Floats, Times]:
    """Ages, masses and steps of a round's points."""
    chosen = slice_of(stage, index)
    return stage.age[chosen], stage.mass[chosen], stage.step[chosen]
