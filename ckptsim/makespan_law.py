"""The law of a makespan, for its quantiles and for deadlines: the recursion of makespan.py again.

What a job still has to go through is a sum of independent leases and gaps, and the transform of a
sum is a product; so the recursion over the blocks still to do is solved for each frequency, on a
lattice of time. Damping keeps what is beyond the lattice's end from coming back at its start (Abate
and Whitt, Queueing Systems 10, 1992). The probabilities of a lease are the exact ones; the lattice
only blurs, by a step, when it ends.
"""

from functools import cached_property
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim.ends import Floats
from ckptsim.exact import Course, Stage
from ckptsim.lifetimes import Law
from ckptsim.makespan import Leases, Whole
from ckptsim.rules import NEVER
from ckptsim.sums import Times
from ckptsim.units import SECOND

Transform = NDArray[np.complex128]

NONE = -1  # no round
POINTS = 4_096  # of the lattice of time
POINTS_FIRST = 512  # of a first, coarse one, that tells how far the law reaches
ALIASING = 1e-9  # at most so much of what is beyond the lattice's end appears in it
BEYOND = 1e-6  # no more may be beyond it
REACH_MOST = 2**16  # mean makespans: of a law with a longer tail the rest is left out


class MakespanLaw(NamedTuple):
    """Probabilities on a lattice of time."""

    step_s: float
    mass: Floats  # around 0, 1, 2, ... steps

    @property
    def reached(self) -> Floats:
        """The share that is complete by each point; half of what lies around it is before it."""
        return np.maximum.accumulate(np.cumsum(self.mass) - self.mass / 2)

    @property
    def at_s(self) -> Floats:
        """The points, seconds."""
        return np.asarray(np.arange(len(self.mass)) * self.step_s, np.float64)

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
        since = self.reached(course.safe, last) - self.reached(course.left, last)
        since = since if count > 0 else np.ones(self.points)
        unsafe = since - self.reached(course.safe, cut_off)
        unsent = since - self.reached(course.sent, cut_off) if self.ends.grace else unsafe
        total = self.by_eviction * np.maximum(unsent, 0.0)
        total += self.later(self.by_power_failure * np.maximum(unsafe, 0.0))
        total += self.leaving(course, last)
        if self.solver.limit < NEVER:
            total += self.at_limit(course, last, cut_off)
        if self.ends.grace > 0:
            total += self.saved(course, last) + self.not_saved(course, cut_off)
        return total

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
    def by_power_failure(self) -> Floats:
        """The mass around each point of leases that a power failure ends."""
        return self.around(self.ends.lasting_to_power_failure(self.at), self.power_failing)

    @cached_property
    def by_eviction(self) -> Floats:
        """The mass around each point of leases that an eviction ends."""
        ends = self.ends
        others = ends.expiring * np.minimum(self.at, ends.limit) if ends.expiring else 0.0
        others = others + ends.lasting_to_power_failure(self.at)
        share = 1 - ends.expiring - self.power_failing
        return self.around(ends.lasting(self.at) - others, share)

    @property
    def power_failing(self) -> float:
        return float(self.ends.powered_off(np.array(inf)))

    def later(self, mass: Floats) -> Floats:
        """A contact lease later, when the access point knows."""
        return self.put(self.at[:-1] + self.ends.contact_lease, mass)

    def law(self, law: Law) -> Floats:
        """A law's mass around each point."""
        return self.around(np.array([law.limited_mean(t) for t in self.at]), 1.0)

    def around(self, integral: Floats, total: float) -> Floats:
        """The mass around each point, from the integral of the survival up to each."""
        before = np.concatenate([[-self.step * total], integral[:-2]])
        found = np.maximum(2 * integral[:-1] - before - integral[1:], 0.0) / self.step
        return np.asarray(found, np.float64)

    def put(self, at_s: Floats, mass: Floats) -> Floats:
        """Masses at times, each shared between the two points around it."""
        place = np.minimum(at_s / self.step, self.points)
        low = place.astype(np.int64)
        share = place - low
        shares = np.concatenate([mass * (1 - share), mass * share])
        total = np.bincount(np.concatenate([low, low + 1]), shares, self.points + 2)
        return total[: self.points].astype(np.float64)


def slice_of(stage: Stage, index: int) -> slice:
    """Where a round's points lie in a stage."""
    return slice(*np.searchsorted(stage.round, [index, index + 1]))


def points_of(stage: Stage, index: int) -> tuple[Times, Floats, Times]:
    """Ages, masses and steps of a round's points."""
    chosen = slice_of(stage, index)
    return stage.age[chosen], stage.mass[chosen], stage.step[chosen]
