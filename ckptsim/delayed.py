"""Delayed transfer, exactly: what is saved when the slot is lost, and only then.

Such a job (ON_EXIT_OR_EVICT) has nothing transferred before the soft kill. That comes at the age
Z = min(X, L): with the eviction X or at the limit L, unless the power failed before, at P. From
then on it sends for V what it has, and has the grace G for it. So work done by the age b is saved
if Z >= b, V <= G and P >= Z + V. With S for survivals,

    P(Z >= b, P >= Z + v) = ∫ over x from b to L of S_P(x + v) dF_X(x)  +  S_X(L) S_P(L + v),

which without power failures is S_X(b). What the lease commits is a sum of that over the checkpoints
in the sandbox; for a job that writes one only when told, an integral over all ages. How long it
vacates, and how often the power fails meanwhile, follows in the same way.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from math import inf, isinf

import numpy as np

from ckptsim.ends import Ends, Floats, Outliving
from ckptsim.exact import Course, Solver, Value
from ckptsim.lifetimes import Constant, Law, Never
from ckptsim.rules import Mode
from ckptsim.scenario import Scenario
from ckptsim.sums import CELLS, is_certain
from ckptsim.units import SECOND
from ckptsim.variation import with_job, with_slots

PARTS = 32  # of a random cost, each with its mean
BODY = 2_048  # panels of evictions of the same probability each,
TAIL_PANELS = 128  # and in the tail so many for each tenth of what is left,
TAIL_TENTHS = 13  # until so little is left
HALF = 0.5 / SECOND  # times are whole nanoseconds

Parts = tuple[tuple[float, float], ...]
"""(seconds, chance): what a law comes to."""


class Delayed(Solver):
    """A scenario whose jobs leave their checkpoints in the sandbox until the slot is lost.

    What `Solver` takes for a commit is here a checkpoint complete in the sandbox.
    """

    is_plain = False

    def __init__(self, scenario: Scenario, cells: int = CELLS, ends: Ends | None = None) -> None:
        """As of `Solver`."""
        super().__init__(in_the_sandbox(scenario), cells, ends)
        self.saving = Saving(self.ends, scenario.job.transfer)

    def chances(self, course: Course) -> Floats:
        """The probability that each checkpoint's work is committed in the end, a number a point."""
        safe = course.safe
        in_time = safe.mass * self.within(safe.age, self.limit, safe.step)
        return in_time * self.saving.saved(np.minimum(safe.age_s, self.ends.limit))

    def committed(self, course: Course) -> tuple[Floats, Floats]:
        """Only one checkpoint is sent; it commits the work of all before it."""
        safe, chances = course.safe, self.chances(course)
        each = chances * course.rounds.length[safe.round] / SECOND
        first = course.rounds.number[safe.round] == 0
        return course.total(safe, chances * first), course.total(safe, each)

    def lengths(self, course: Course) -> Floats:
        """The mean slot time of each lease, seconds."""
        return np.full(course.leases, length_of(self, self.saving))

    def outliving(self, course: Course) -> Outliving:
        """What vacating comes to, a lease."""
        each = vacating_of(self, self.saving)
        return Outliving(*(np.full(course.leases, found) for found in each))


class Saving:
    """What becomes of what is sent from the soft kill on; ages in seconds, `age` at least 0."""

    def __init__(self, ends: Ends, *laws: Law) -> None:
        """`laws` are those of what has to be done within the grace."""
        self.ends, self.grace = ends, ends.grace
        self.parts = parts_within(laws, ends.grace)
        self.in_time = sum(chance for _, chance in self.parts)
        late = max(0.0, 1 - self.in_time)
        self.spent = (*self.parts, (ends.grace, late)) if late > 0 else self.parts

    def saved(self, age: Floats) -> Floats:
        """The probability that what was done by this age is committed."""
        if self.ends.power_lasts:
            return self.in_time * self._told(age)
        return self._saved(age)

    def struck(self, age: Floats) -> Floats:
        """The probability that the soft kill comes later than this, and then the power fails."""
        return np.zeros_like(age) if self.ends.power_lasts else self._struck(age)

    def vacating(self, age: Floats) -> Floats:
        """Mean seconds of vacating where the soft kill comes no earlier than this."""
        if self.ends.power_lasts:
            return sum(time * chance for time, chance in self.spent) * self._told(age)
        return self._vacating(age)

    def computed(self, since: Floats) -> Floats:
        """Mean seconds committed if all that was computed since this age is: the integral of S."""
        if self.ends.power_lasts:
            return self.in_time * (self.ends.lasting(np.array(inf)) - self.ends.lasting(since))
        return np.maximum(self._saved_age(since) - since * self._saved(since), 0.0)

    @property
    def expired(self) -> float:
        """The probability that the limit is reached, and what is then sent is saved or struck."""
        if isinf(self.ends.limit):
            return 0.0
        at = np.array([self.ends.limit])
        return float((self.saved(at) + self.struck(at))[0])

    def _told(self, age: Floats) -> Floats:
        """The probability that the soft kill comes no earlier than this, if the power lasts."""
        return np.where(age <= self.ends.limit, self.ends.evictions.survival_left(age), 0.0)

    # With power failures: integrals over the age of the eviction.

    @cached_property
    def _saved(self) -> "_Later":
        return _Later(self.ends, self._lasts)

    @cached_property
    def _saved_age(self) -> "_Later":
        return _Later(self.ends, lambda age: age * self._lasts(age))

    @cached_property
    def _struck(self) -> "_Later":
        lives = self.ends.power_failures.survival_left
        return _Later(self.ends, lambda age: lives(age) - over(self.spent, age, lives))

    @cached_property
    def _vacating(self) -> "_Later":
        lasting = Ends(self.ends.power_failures, Never(), inf, 0.0, 0.0).lasting
        return _Later(self.ends, lambda age: over(self.spent, age, lasting) - lasting(age))

    def _lasts(self, age: Floats) -> Floats:
        """The probability that the power lasts until what is sent from this age on is saved."""
        return over(self.parts, age, self.ends.power_failures.survival_left)


class _Later:
    """The mean of a function of the soft kill's age, counting only those no earlier than an age."""

    def __init__(self, ends: Ends, each: Callable[[Floats], Floats]) -> None:
        self.ends, self.edges = ends, edges_of(ends)
        start, end = self.edges[:-1], self.edges[1:]
        alone = end <= np.nextafter(start, inf)  # an atom has its panel to itself
        self.each = each(np.where(alone, start, (start + end) / 2))
        self.alive = ends.evictions.survival_left(self.edges)
        pieces = np.append((self.alive[:-1] - self.alive[1:]) * self.each, self._at_limit(each))
        self.later = np.cumsum(pieces[::-1])[::-1]

    def _at_limit(self, each: Callable[[Floats], Floats]) -> float:
        if isinf(self.ends.limit):
            return 0.0
        return float(self.alive[-1] * each(np.array([self.ends.limit]))[0])

    def __call__(self, age: Floats) -> Floats:
        last = len(self.each) - 1
        panel = np.clip(np.searchsorted(self.edges, age, side="right") - 1, 0, last)
        rest = self.ends.evictions.survival_left(age) - self.alive[panel + 1]
        found = self.later[panel + 1] + rest * self.each[panel]
        found = np.where(age >= self.edges[-1], self.later[-1], found)
        return np.where(age <= self.ends.limit, found, 0.0)


def edges_of(ends: Ends) -> Floats:
    """Ages between which evictions are about as likely; none beyond the limit."""
    law, limit = ends.evictions, ends.limit
    left = 10.0 ** -(np.arange(1, TAIL_TENTHS * TAIL_PANELS) / TAIL_PANELS)
    shares = np.concatenate([np.arange(BODY) / BODY, 1 - left])
    kinks = np.array([*law.kinks()])
    ages = np.concatenate([[0.0], law.quantile(shares), kinks, np.nextafter(kinks, inf)])
    found = np.unique(ages[(ages < limit) & np.isfinite(ages)])
    return np.append(found, limit if limit < inf else np.nextafter(found[-1], inf))


def over(parts: Parts, age: Floats, function: Callable[[Floats], Floats]) -> Floats:
    """The mean of the function so much later than each age."""
    return sum((chance * function(age + time) for time, chance in parts), np.zeros_like(age))


def parts_within(laws: Iterable[Law], most: float) -> Parts:
    """What the laws add up to, as far as that is no longer than `most`."""
    found: Parts = ((0.0, 1.0),)
    for law in laws:
        found = tuple(
            (done + time, before * chance)
            for done, before in found
            for time, chance in parts_of(law, most - done)
        )
    return found


def parts_of(law: Law, most: float) -> Parts:
    """What the law comes to if no longer than `most`, in parts that each have their mean."""
    if is_certain(law):
        return ((law.mean, 1.0),) if law.mean <= most + HALF else ()
    edges = law.quantile(np.arange(1, PARTS) / PARTS)
    edges = np.unique(np.append(edges[edges < most], most))
    beyond = law.survival(edges)
    chances = np.diff(1 - beyond, prepend=0.0)
    means = np.array([law.limited_mean(float(edge)) for edge in edges]) - edges * beyond
    some = chances > 0
    times = np.diff(means, prepend=0.0)[some] / chances[some]
    return tuple(zip(times.tolist(), chances[some].tolist(), strict=True))


def in_the_sandbox(scenario: Scenario) -> Scenario:
    """The same job as far as it is seen in its sandbox: no transfer, no restart after one."""
    none = Constant(0.0)
    alone = with_job(
        scenario, mode=Mode.EXIT_CODE, transfer=none, restart_in_place=none, leave_early=False
    )
    return with_slots(alone, claim_worklife=None)


def vacating_of(solver: Solver, saving: Saving) -> tuple[float, float]:
    """Mean seconds of vacating in a lease, and the probability that a power failure ends it."""
    start = solver.start(cold=False)
    at = start.ages / SECOND
    return float(start.mass @ saving.vacating(at)), float(start.mass @ saving.struck(at))


def length_of(solver: Solver, saving: Saving) -> float:
    """The mean slot time of a lease, seconds."""
    vacating, struck = vacating_of(solver, saving)
    left = float(solver.ends.until_left(np.array([inf]))[0])
    return left + vacating + solver.ends.contact_lease * struck


def value_when_told(scenario: Scenario) -> Value:
    """What a lease is worth to a job that writes a checkpoint only when told; its interval is 0."""
    solver, job = Solver(in_the_sandbox(scenario)), scenario.job
    saving, start = Saving(solver.ends, job.write, job.transfer), solver.start(cold=False)
    at = start.ages / SECOND
    return Value(
        interval=0,
        fitting=None,
        checkpoints=float(start.mass @ saving.saved(at)),
        work_s=float(start.mass @ saving.computed(at)),
        lease_s=length_of(solver, saving),
        gap_s=scenario.slots.gap.mean,
    )
