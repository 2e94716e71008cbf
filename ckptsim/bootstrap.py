"""How the answer scatters when the data are drawn again: the bootstrap.

Efron, Annals of Statistics 7, 1979: what was observed is drawn anew with replacement, as often as
it was observed, and the best interval found anew each time.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ckptsim.ends import Ends, Floats
from ckptsim.exact import Course, Solver, Stage, Value
from ckptsim.lifetimes import Empirical, Law, Never
from ckptsim.makespan import values_of
from ckptsim.modes import solver_of
from ckptsim.search import MARGIN, Search, worth
from ckptsim.sums import CELLS_COARSE
from ckptsim.units import SECOND
from ckptsim.variation import with_slots

RESAMPLES = 1_000  # of the observed lifetimes, for the spread of the answer
CONTENDERS = 400  # intervals among which each resample chooses
CONTENDERS_OF_LAWS = 60  # all along the curve, and as many near the answer
BOOTSTRAP = 2**31 + 1  # the key of its random stream


class Spread(NamedTuple):
    """How the answer scatters when what was observed is drawn again."""

    resamples: int
    interval_low: int  # the middle 95 % of the best intervals, ns
    interval_high: int
    useful_low: float  # the middle 95 % of what the answer is worth, kept as it is
    useful_high: float
    regret_high: float  # 95 % of the time keeping the answer costs less than this


def spread(search: Search, best: Value) -> Spread | None:
    """How the answer scatters if the observed lifetimes had come out a little differently.

    The bootstrap (Efron, Annals of Statistics 7, 1979): lifetimes are drawn again with replacement,
    the best interval is found anew among those known to be any good. A lease is worth, on average,
    the mean of what it is worth for each lifetime; so all resamples are one product of matrices.
    None where evictions are not observed lifetimes, for a job in steps of its own, and in modes in
    which the worth of a lifetime is not known.
    """
    law = search.scenario.slots.evictions
    if not isinstance(law, Empirical) or search.scenario.job.steps or not search.solver.is_plain:
        return None
    intervals = contenders(search, best)
    work, length = by_lifetime(search.solver, law, intervals)
    seed = np.random.SeedSequence(search.scenario.seed, spawn_key=(BOOTSTRAP,))
    count = len(law.values)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    gaps = count * search.scenario.slots.gap.mean
    return spread_of(intervals, (drawn @ work) / (drawn @ length + gaps), best)


def spread_of_laws(search: Search, best: Value, laws: Sequence[Law]) -> Spread | None:
    """The same for a law of evictions that was fitted: `laws` are those of the data drawn again.

    The best interval is found anew among some all along the curve. None without laws.
    """
    if not laws:
        return None
    intervals = along_the_curve(search, best)
    return spread_of(
        intervals, np.array([useful_under(search, law, intervals) for law in laws]), best
    )


def useful_under(search: Search, law: Law, intervals: list[int]) -> list[float]:
    """What each interval is worth where evictions follow this law."""
    solver = solver_of(with_slots(search.scenario, evictions=law), CELLS_COARSE)
    return [worth(value) for value in values_of(solver, intervals)]


def spread_of(intervals: list[int], useful: Floats, best: Value) -> Spread:
    """The spread, told what each interval is worth in each resample: (resamples, intervals)."""
    kept = useful[:, intervals.index(best.interval)]
    found = np.array(intervals)[useful.argmax(axis=1)]
    low, high = np.quantile(found, [0.025, 0.975], method="nearest")
    useful_low, useful_high = np.quantile(kept, [0.025, 0.975])
    regret = float(np.quantile(useful.max(axis=1) - kept, 0.95))
    return Spread(len(useful), int(low), int(high), float(useful_low), float(useful_high), regret)


def along_the_curve(search: Search, best: Value) -> list[int]:
    """Intervals for data that may have come out quite differently."""
    low, high = search.span
    grid = np.geomspace(low, high, CONTENDERS_OF_LAWS).astype(np.int64).tolist()
    near = [value.interval for value in search.curve if worth(value) >= (1 - MARGIN) * worth(best)]
    rounded = {search.in_steps(interval) for interval in grid}
    return sorted({best.interval, *rounded, *near[:: max(1, len(near) // CONTENDERS_OF_LAWS)]})


def contenders(search: Search, best: Value) -> list[int]:
    """Intervals of which one may well be the best for lifetimes much like these."""
    enough = (1 - 5 * MARGIN) * worth(best)
    good = [value.interval for value in search.curve if worth(value) >= enough]
    return sorted({best.interval, *good[:: max(1, len(good) // CONTENDERS)]})


def by_lifetime(solver: Solver, law: Empirical, intervals: list[int]) -> tuple[Floats, Floats]:
    """Committed work and length of a lease with each lifetime, (lifetimes, intervals); seconds."""
    lifetimes = np.array(law.values)
    course = solver.course(solver.fixed(intervals))
    safe = course.safe
    enough = safe.age - np.minimum(course.transfer, solver.scenario.slots.grace)
    powered = Ends(Never(), *(getattr(solver.ends, name) for name in NOT_EVICTIONS))
    in_time = solver.within(safe.age, solver.limit, safe.step)
    chance = safe.mass * in_time * powered.outlived(safe.age_s, safe.age_s)
    each = chance * course.rounds.length[safe.round] / SECOND
    work = from_then_on(course, safe, enough / SECOND, each, lifetimes)
    return work, lengths(solver, course, powered, lifetimes)


NOT_EVICTIONS = ("power_failures", "limit", "grace", "contact_lease")


def from_then_on(
    course: Course, stage: Stage, age_s: Floats, each: Floats, lifetimes: Floats
) -> Floats:
    """The sum, a lease and lifetime, of what comes at ages that the lifetime reaches."""
    count = len(lifetimes) + 1
    first = np.searchsorted(lifetimes, age_s, side="left")
    place = course.rounds.lease[stage.round] * count + first
    found = np.bincount(place, each, course.leases * count).reshape(course.leases, count)
    return np.asarray(found[:, :-1].cumsum(axis=1).T)


def lengths(solver: Solver, course: Course, powered: Ends, lifetimes: Floats) -> Floats:
    """The length of a lease with each lifetime, unless it leaves before; seconds."""
    left, whole = course.left, powered.until_left(lifetimes)
    spent = left.mass * powered.until_left(left.age_s)
    gone, until_left = (
        from_then_on(course, left, left.age_s, each, lifetimes) for each in (left.mass, spent)
    )
    return (1 - gone) * whole[:, None] + until_left + outliving(solver, course, lifetimes)


def outliving(solver: Solver, course: Course, lifetimes: Floats) -> Floats:
    """How long a transfer outlives the soft kill at each lifetime, if the power lasts; seconds."""
    safe, grace = course.safe, solver.ends.grace
    total = np.zeros((len(lifetimes), course.leases))
    if grace == 0 or not course.transfer.any():
        return total
    start, stop = solver.transfers(course)
    first, last = (np.searchsorted(lifetimes, at, side="left") for at in (start, stop))
    hit = np.flatnonzero(last > first)
    points = np.repeat(hit, (last - first)[hit])
    which = np.concatenate([np.arange(first[n], last[n]) for n in hit] or [np.array([], np.intp)])
    spent = safe.mass[points] * np.minimum(grace, stop[points] - lifetimes[which])
    np.add.at(total, (which, course.rounds.lease[safe.round[points]]), spent)
    return total
