"""How leases end against the job's will: what outlives an age, for how long, and by which cause.

X is the age at which the slot is taken back, P the age at which its power fails, L the limit; a
lease lasts min(X, P, L) unless the job leaves. Everything here is a survival function or the
integral of one. Ages are float seconds.
"""

from dataclasses import dataclass
from functools import cached_property
from math import inf, isinf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim.lifetimes import Law, Never
from ckptsim.scenario import Scenario
from ckptsim.units import LONGEST, SECOND

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-13  # a lease without a limit is followed until so few are left
FARTHEST = LONGEST / SECOND  # a century: laws with the heaviest tails are cut off there
PANELS = 2_048  # of the quadrature; the laws' own kinks come on top
STEPS = 32  # of the quadrature within one transfer
FEW = 8  # integrals, that are sooner had in closed form
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)


class Outliving(NamedTuple):
    """What transfers that outlive the soft kill come to, each on average over all leases."""

    vacating: Floats  # seconds from the soft kill to the transfer's end, or the hard kill
    powered_off: Floats  # probability that a power failure ends them


class _Table(NamedTuple):
    """The integrals up to the edges of the quadrature's panels."""

    edges: Floats
    lasting: Floats  # of S_X S_P
    struck: Floats  # probability that a power failure has ended the lease
    struck_for: Floats  # the integral of `struck`


@dataclass(frozen=True)
class Ends:
    """How leases end against the job's will; float seconds."""

    evictions: Law
    power_failures: Law
    limit: float
    grace: float
    contact_lease: float

    @cached_property
    def horizon(self) -> float:
        """No lease is longer, or so few that they do not count."""
        last = np.array([1 - NEGLIGIBLE])
        tails = [float(law.quantile(last)[0]) for law in (self.evictions, self.power_failures)]
        return inf if isinf(min(self.limit, *tails)) else min(self.limit, FARTHEST, *tails)

    @property
    def power_lasts(self) -> bool:
        """Does the power never fail?"""
        return isinstance(self.power_failures, Never)

    def still_there(self, age: float) -> float:
        """The share of leases that are longer than this."""
        at = np.array(age)
        return 0.0 if age >= self.limit else float(self.outlived(at, at))

    def outlived(self, evicted: Floats, powered_off: Floats) -> Floats:
        """The probability that neither comes before these ages."""
        alive = self.evictions.survival_left(evicted)
        return alive if self.power_lasts else alive * self.power_failures.survival_left(powered_off)

    @property
    def expiring(self) -> float:
        """The probability that a lease the job does not leave reaches its limit."""
        at = np.array(self.limit)
        return 0.0 if isinf(self.limit) else float(self.outlived(at, at))

    def alive(self, ages: Floats) -> Floats:
        """The share of leases that are longer than each age, in seconds."""
        return np.where(ages >= self.limit, 0.0, self.outlived(ages, ages))

    def lasting(self, until: Floats) -> Floats:
        """Mean length of a lease that is left at `until`, or at its limit: ∫ S_X S_P."""
        until = np.minimum(until, self.horizon)
        if isinf(self.horizon):  # nothing ends a lease
            return until
        if self.power_lasts and until.size < FEW:
            return np.array([self.evictions.limited_mean(t) for t in until.flat]).reshape(
                until.shape
            )
        table, panel = self._table, self._panel(until)
        return table.lasting[panel] + self._alive(table.edges[panel], until)

    def until_left(self, left: Floats) -> Floats:
        """The mean slot time of leases left at these ages, if no transfer outlives them."""
        return self.lasting(left) + self.contact_lease * self.powered_off(left)

    def powered_off(self, until: Floats) -> Floats:
        """Probability that a power failure ends a lease that would be left at `until`."""
        if self.power_lasts:
            return np.zeros_like(until)
        until = np.minimum(until, np.nextafter(self.horizon, inf))
        table, panel = self._table, self._panel(until)
        return table.struck[panel] + self._struck(table.edges[panel], until)

    def lasting_to_power_failure(self, until: Floats) -> Floats:
        """As `lasting`, of only those leases that a power failure ends."""
        if self.power_lasts:
            return np.zeros_like(until)
        until = np.minimum(until, self.horizon)
        table, panel = self._table, self._panel(until)
        start = table.edges[panel]
        half, t = nodes_between(start, until)
        since = (self._struck(start[..., None], t) * WEIGHTS * half).sum(axis=-1)
        struck_for = table.struck_for[panel] + table.struck[panel] * (until - start) + since
        total: Floats = until * table.struck[-1] - struck_for
        return total

    def outliving(self, start: Floats, stop: Floats) -> Outliving:
        """What becomes of transfers from `start` to `stop` that the soft kill comes into.

        At t in a transfer the lease goes on if the soft kill came, or comes, after both the
        transfer's start and t - grace; without the transfer, if it comes after t.
        """
        if not self.power_lasts:
            return self._outliving_power_failures(start, stop)
        flat = np.minimum(self.grace, stop - start) * self.evictions.survival_left(start)
        late = self.lasting(np.maximum(start, stop - self.grace)) - self.lasting(start)
        vacating = flat + late - (self.lasting(stop) - self.lasting(start))
        return Outliving(vacating, np.zeros_like(vacating))

    def _outliving_power_failures(self, start: Floats, stop: Floats) -> Outliving:
        """The same with power failures, that end the vacating too; by the midpoint rule."""
        width = (stop - start)[..., None] / STEPS
        edges = start[..., None] + width * np.arange(STEPS + 1)
        middle = edges[..., :-1] + width / 2
        warned_since = np.maximum(start[..., None], middle - self.grace)
        still = self.evictions.survival_left(warned_since) - self.evictions.survival(middle)
        struck = -np.diff(self.power_failures.survival_left(edges), axis=-1)
        lasting = self.power_failures.survival(middle) * width
        return Outliving((still * lasting).sum(axis=-1), (still * struck).sum(axis=-1))

    @cached_property
    def _table(self) -> _Table:
        even = np.linspace(0, self.horizon, PANELS + 1)
        near_zero = self.horizon * 0.5 ** np.arange(12, 40)  # where a Weibull may be steep
        kinks = np.array([*self.evictions.kinks(), *self.power_failures.kinks(), self.horizon])
        kinks = kinks[kinks <= self.horizon]
        after = np.nextafter(kinks, inf)  # so that an atom has a panel to itself
        edges = np.unique(np.concatenate([even, near_zero, kinks, after]))
        start, end = edges[:-1], edges[1:]
        struck = summed(self._struck(start, end))
        half, t = nodes_between(start, end)
        since = (self._struck(start[:, None], t) * WEIGHTS * half).sum(axis=-1)
        struck_for = summed(struck[:-1] * (end - start) + since)
        return _Table(edges, summed(self._alive(start, end)), struck, struck_for)

    def _panel(self, until: Floats) -> NDArray[np.intp]:
        edges = self._table.edges
        return np.clip(np.searchsorted(edges, until, side="right") - 1, 0, len(edges) - 2)

    def _alive(self, start: Floats, end: Floats) -> Floats:
        """The integral of S_X S_P from `start` to `end`."""
        half, t = nodes_between(start, end)
        alive = self.evictions.survival(t)
        if not self.power_lasts:
            alive = alive * self.power_failures.survival(t)
        total: Floats = (alive * WEIGHTS * half).sum(axis=-1)
        return total

    def _struck(self, start: Floats, end: Floats) -> Floats:
        """Probability that a power failure ends the lease in [start, end), within one panel."""
        if self.power_lasts:
            return np.zeros(np.broadcast(start, end).shape)
        before = self.power_failures.survival_left(np.minimum(start, self.limit))
        falling = before - self.power_failures.survival_left(np.minimum(end, self.limit))
        return falling * self.evictions.survival((start + end) / 2)


def nodes_between(start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Half the width and the nodes of the quadrature of each panel, on a new last axis."""
    half = (end - start)[..., None] / 2
    return half, start[..., None] + half * (NODES + 1)


def summed(pieces: Floats) -> Floats:
    """Running totals, from 0 on."""
    return np.concatenate([[0.0], np.cumsum(pieces)])


def ends_of(scenario: Scenario) -> Ends:
    """The scenario's ways for a lease to end."""
    slots = scenario.slots
    return Ends(
        slots.evictions,
        slots.power_failures,
        inf if slots.limit is None else slots.limit / SECOND,
        slots.grace / SECOND,
        slots.contact_lease / SECOND,
    )
