"""Laws of sums of independent costs, by convolution on a lattice.

A smooth law is put into cells, one of a few values onto points, exactly so where the lattice has
them all. What that blurs falls with the square of the step; halving the step tells how much it was.
Times are integer nanoseconds.
"""

from collections.abc import Callable, Iterable, Sequence
from math import gcd, isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim.lifetimes import Constant, Empirical, Law, Mixture
from ckptsim.units import SECOND, nanoseconds

Floats = NDArray[np.float64]
Times = NDArray[np.int64]  # nanoseconds
Alive = Callable[[Floats], Floats]

CELLS = 12  # of the lattice, in half of the middle 68 % of the widest law
CELLS_COARSE = 5  # where three digits are enough: to look around
POINTS_MOST = 1_024  # of a sum: of longer ones the step is doubled
TAIL = 1e-10  # so little at the ends is put on the last points
UNSEEN = 1e-6  # and what so few leases live to see, where there are too many points
CERTAIN = 0  # the step of a sum that is no longer random


class Sum(NamedTuple):
    """A sum's law: `mass` on points a step apart; one point if nothing in it is random."""

    first: int
    step: int
    mass: Floats

    @property
    def ages(self) -> Times:
        """The points."""
        return self.first + self.step * np.arange(len(self.mass), dtype=np.int64)

    def after(self, time: int) -> "Sum":
        """The sum, and a time that is always the same."""
        return self._replace(first=self.first + time)

    def plus(self, other: "Sum", most: int = POINTS_MOST, alive: Alive | None = None) -> "Sum":
        """The sum of both, on no more points than `most`; see `trimmed`."""
        if len(other.mass) == 1:
            return Sum(self.first + other.first, self.step, self.mass * other.mass[0])
        if len(self.mass) == 1:
            return other.plus(self, most, alive)
        one, two = self, other
        while one.step != two.step:
            one, two = (one.coarser(), two) if one.step < two.step else (one, two.coarser())
        found = Sum(one.first + two.first, one.step, np.convolve(one.mass, two.mass))
        return found.trimmed(most, alive)

    def coarser(self) -> "Sum":
        """On every second point: the probability of those between goes to both sides."""
        mass = np.append(self.mass, np.zeros(2 - len(self.mass) % 2))
        even, odd = mass[::2].copy(), mass[1::2] / 2
        even[: len(odd)] += odd
        even[1:] += odd[: len(even) - 1]
        return Sum(self.first, 2 * self.step, even)

    def trimmed(self, most: int = POINTS_MOST, alive: Alive | None = None) -> "Sum":
        """Without the all but empty ends, and on no more points than need be.

        `alive` tells which share of leases lives to see an age, in seconds.
        """
        total = np.cumsum(self.mass)
        low, high = np.searchsorted(total, np.array([TAIL, 1 - TAIL]) * total[-1]).tolist()
        mass = self.mass[low : high + 1].copy()
        mass[0] += total[low] - self.mass[low]
        mass[-1] += total[-1] - total[high]
        found = Sum(self.first + low * self.step, self.step, mass)
        if alive and len(found.mass) > most:
            found = found.seen(alive)
        while len(found.mass) > most:
            found = found.coarser()
        return found

    def seen(self, alive: Alive) -> "Sum":
        """Without the end of a long tail, which no lease lives to see: it is on the last point."""
        beyond = np.cumsum(self.mass[::-1])[::-1]
        counting = np.flatnonzero(beyond * alive(self.ages / SECOND) > UNSEEN)
        last = min(int(counting[-1]) + 1 if len(counting) else 0, len(beyond) - 1)
        return self._replace(mass=np.append(self.mass[:last], beyond[last]))


def certain(time: int) -> Sum:
    """A time that is always the same."""
    return Sum(time, CERTAIN, np.ones(1))


def on_lattice(law: Law, step: int, farthest: float, alive: Alive | None = None) -> Sum:
    """The law on points `step` nanoseconds apart; what is beyond `farthest` seconds is there."""
    if is_certain(law):
        return certain(nanoseconds(law.mean))
    highest = min(float(law.quantile(np.array([1 - TAIL]))[0]), max(farthest, law.lowest))
    count = int(-((law.lowest - highest) * SECOND // step)) + 1
    found = in_cells(law, step, count) if atoms(law) is None else in_hats(law, step, count)
    found.mass[-1] += max(0.0, 1 - found.mass.sum())
    return found.trimmed(alive=alive)


def in_cells(law: Law, step: int, count: int) -> Sum:
    """Each point has the probability of the step's width around it; together they have the mean.

    A law is steeper at one side of a cell than at the other: without the shift that makes up for
    it, the ages of commits would be off by as much again after every round.
    """
    lowest = nanoseconds(law.lowest)
    edges = (lowest + step * np.arange(count + 1)) / SECOND
    survival = law.survival(edges)
    survival[0] = 1.0  # what has no time at all is in the first cell
    mass = -np.diff(survival)
    middle = (edges[1:] + edges[:-1]) / 2
    mean = law.limited_mean(float(edges[-1])) - edges[-1] * survival[-1]
    shift = mean - float(mass @ middle)
    return Sum(lowest + step // 2 + nanoseconds(max(shift, -step / 2 / SECOND)), step, mass)


def in_hats(law: Law, step: int, count: int) -> Sum:
    """Values between two points are shared by them, so that the mean stays and points are exact.

    The share of a point is the mean of a hat two steps wide, which is a second difference of the
    law's limited mean E[min(X, t)].
    """
    lowest = nanoseconds(law.lowest)
    points = (lowest + step * np.arange(-1, count + 2)) / SECOND
    below = np.array([law.limited_mean(t) if t > 0 else t for t in points])
    mass = np.maximum(2 * below[1:-1] - below[:-2] - below[2:], 0) * (SECOND / step)
    return Sum(lowest, step, mass)


def lattice_step(laws: Iterable[Law], cells: int) -> int:
    """The step that shows the widest of these laws in fine detail, and all of it in whole steps.

    Laws of a few values are exact on a lattice that has them all on it.
    """
    random = [law for law in laws if not is_certain(law)]
    if not random:
        return CERTAIN
    widest = max(random, key=half_width)
    step = max(1, int(half_width(widest) * SECOND / cells))
    values = [atoms(law) for law in random]
    common = gcd(*(place for found in values for place in found or (1,)))
    if common == 1 and isfinite(widest.highest):
        common = nanoseconds(widest.highest) - nanoseconds(widest.lowest)
    return common // -(-common // step) if common >= step else step


def is_certain(law: Law) -> bool:
    """Is it always the same time?"""
    return law.highest == law.lowest


def half_width(law: Law) -> float:
    """Half of the middle 68 % of a law, seconds; of a law of a few values, a part of the whole."""
    low, high, last = law.quantile(np.array([0.1587, 0.8413, 1 - 1e-6]))
    return float(high - low) / 2 or float(last - law.lowest) / 8


def atoms(law: Law) -> Sequence[int] | None:
    """How far above the lowest each value of a law lies, ns; None if it has no such values."""
    match law:
        case Constant() | Empirical():
            return [nanoseconds(value) - nanoseconds(law.lowest) for value in law.kinks()]
        case Mixture() if all(isinstance(part, Constant | Empirical) for part in law.laws):
            return [nanoseconds(value) - nanoseconds(law.lowest) for value in law.kinks()]
    return None
