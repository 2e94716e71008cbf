"""How far the answer can be trusted: slack, a robust interval, and the data drawn again."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ckptsim.ends import Ends, Floats
from ckptsim.exact import Course, Solver, Stage, Value
from ckptsim.lifetimes import Constant, Empirical, Never
from ckptsim.makespan import values_of
from ckptsim.modes import Periodic, solver_of
from ckptsim.rules import NEVER, Mode
from ckptsim.scenario import Scenario
from ckptsim.search import MARGIN, Search, edges, worth
from ckptsim.sums import CELLS_COARSE, is_certain
from ckptsim.units import SECOND
from ckptsim.variation import with_costs, with_job, with_losses
from ckptsim.world import cost_laws, unless_none

BAND = 0.10  # costs and times between losses may be so much longer or shorter than said
COSTS_TRIED = 21  # in the band, evenly
COSTS_TRIED_SMOOTH = 5  # where there are no cliffs, or random costs make slopes of them
LOSSES_TRIED = 3  # Gauss-Legendre nodes
CANDIDATES = 240  # intervals compared in the band
CANDIDATES_SMOOTH = 60
RESAMPLES = 1_000  # of the observed lifetimes, for the spread of the answer
CONTENDERS = 400  # intervals among which each resample chooses
BOOTSTRAP = 2**31 + 1  # the key of its random stream


class Change(NamedTuple):
    """What the answer would be if the scenario were different."""

    label: str
    best: Value  # in the changed scenario
    kept: Value  # the present answer in the changed scenario

    @property
    def regret(self) -> float:
        """What keeping the present answer would cost then, in useful fraction (gaps included)."""
        return worth(self.best) - worth(self.kept)


class Slack(NamedTuple):
    """How much longer a cost may be before one checkpoint fewer fits into a lease."""

    cost: str  # the scenario's key, or restart for both restarts
    extra: int  # each time, ns
    beyond: Value  # the interval's value if it is any longer

    def loss(self, value: Value) -> float:
        """What that costs, in useful fraction (gaps included)."""
        return worth(value) - worth(self.beyond)


class Hedge(NamedTuple):
    """An interval's useful fraction, gaps included, where nothing is quite as said."""

    value: Value  # if all is as said
    expected: float  # on average over the band
    worst: float  # at its worst end


class Robust(NamedTuple):
    """The intervals to choose if costs and laws may be off by a share of them."""

    band: float
    answer: Hedge  # the answer, were it kept
    expected: Hedge  # the best on average
    worst: Hedge  # the best at the worst end


class Spread(NamedTuple):
    """How the answer scatters when the observed lifetimes are drawn again (bootstrap)."""

    resamples: int
    interval_low: int  # the middle 95 % of the best intervals, ns
    interval_high: int
    useful_low: float  # the middle 95 % of what the answer is worth, kept as it is
    useful_high: float
    regret_high: float  # 95 % of the time keeping the answer costs less than this


def slacks(search: Search, value: Value) -> list[Slack]:
    """How much longer each cost may be; none where costs are random, or no age is a bound."""
    solver = search.solver
    random = not all(map(is_certain, cost_laws(search.scenario.job)))
    if random or not value.fitting or search.scenario.job.steps:
        return []
    extras = {cost: extra_of(solver, value, cost) for cost in costs_of(search.scenario)}
    return [
        Slack(
            "restart" if len(costs) > 1 else costs[0],
            extra,
            beyond(search, value, costs, extra + 1),
        )
        for costs, extra in extras.items()
        if extra < NEVER
    ]


def costs_of(scenario: Scenario) -> list[tuple[str, ...]]:
    """The costs that may be longer; the two restarts together where they are one."""
    job = scenario.job
    match job.mode:
        case Mode.MANUAL:
            return [("write",), ("transfer",), ("restart_lease",)]
        case Mode.DELAYED:
            return [("write",), ("restart_lease",)]
        case Mode.PERIODIC_SIGNAL:  # the signals come when they come
            return [("write",), ("transfer",)]
    if job.restart_in_place == job.restart_lease:
        return [("write",), ("transfer",), ("restart_lease", "restart_in_place")]
    return [("write",), ("transfer",), ("restart_lease",), ("restart_in_place",)]


def extra_of(solver: Solver, value: Value, costs: tuple[str, ...]) -> int:
    """How much longer these may be each time; NEVER where it is of no account.

    The last checkpoint has to be safe by the limit, and the one before it by the claim's worklife,
    for else the job has left.
    """
    assert value.fitting is not None
    safe = solver.usual_course(solver.fixed([value.interval])).safe.age
    worklife = unless_none(solver.scenario.slots.claim_worklife)
    extra = NEVER
    for bound, commits in ((solver.limit, value.fitting), (worklife, value.fitting - 1)):
        times = sum(repeated(cost, commits) for cost in costs)
        times = min(times, 1) if isinstance(solver, Periodic) else times  # of the last alone
        if bound < NEVER and times > 0:
            extra = min(extra, (bound - int(safe[commits - 1])) // times)
    return extra


def repeated(cost: str, commits: int) -> int:
    """How often a cost is paid until so many commits are safe."""
    if cost == "restart_lease":
        return min(commits, 1)
    return max(commits - 1, 0) if cost == "restart_in_place" else commits


def beyond(search: Search, value: Value, costs: tuple[str, ...], extra: int) -> Value:
    """The interval's value if each of these costs took so much longer, ns."""
    job = search.scenario.job
    longer = {cost: Constant(getattr(job, cost).mean + extra / SECOND) for cost in costs}
    return solver_of(with_job(search.scenario, **longer)).value(value.interval)


def robust(search: Search, best: Value, band: float = BAND) -> Robust:
    """The best intervals if costs and mean times between losses are within a band around said.

    They are taken to be anywhere in it alike, all costs longer or shorter together.
    """
    smooth = not (search.solver.constant and search.edges)
    intervals = candidates(search, best, band, CANDIDATES_SMOOTH if smooth else CANDIDATES)
    worlds = list(band_of(search.scenario, band, COSTS_TRIED_SMOOTH if smooth else COSTS_TRIED))
    useful = np.array(
        [[worth(each) for each in values_of(solver, intervals)] for _, solver in worlds]
    )
    weights = np.array([weight for weight, _ in worlds])
    expected = weights @ useful
    ends = [weight == 0 for weight in weights]
    worst = useful[ends].min(axis=0)
    hedges = [
        Hedge(search.value(interval), float(mean), float(least))
        for interval, mean, least in zip(intervals, expected, worst, strict=True)
    ]
    return Robust(
        band,
        hedges[intervals.index(best.interval)],
        max(hedges, key=lambda hedge: hedge.expected),
        max(hedges, key=lambda hedge: hedge.worst),
    )


def candidates(search: Search, best: Value, band: float, count: int) -> list[int]:
    """Intervals to choose among: many near the answer, and the best of the curve."""
    low, high = best.interval * (1 - 3 * band), best.interval * (1 + 3 * band)
    near = np.linspace(max(low, search.span.low), min(high, search.span.high), count)
    enough = (1 - 2 * band) * worth(best)
    good = [value.interval for value in search.curve if worth(value) >= enough]
    rims = (solver_of(with_costs(search.scenario, 1 + off)) for off in (band, -band))
    cliffs = [edge for rim in rims for edge in edges(rim) if low <= edge <= high]
    found = [*near.astype(np.int64).tolist(), *good[:: max(1, len(good) // count)], *cliffs]
    whole = {interval // search.step * search.step for interval in found}
    return sorted({interval for interval in whole if interval > 0} | {best.interval})


def band_of(scenario: Scenario, band: float, count: int) -> Iterator[tuple[float, Solver]]:
    """Scenarios all over the band, with their weights; last its corners, that have none."""
    nodes, weights = np.polynomial.legendre.leggauss(LOSSES_TRIED)
    costs, shares = np.linspace(-1, 1, count), np.full(count, 1 / (count - 1))
    shares[[0, -1]] /= 2  # the trapezoid rule: beyond its rims there are cliffs too
    for node, weight in zip(nodes, weights, strict=True):
        ends: Ends | None = None
        for cost, share in zip(costs, shares, strict=True):
            other = with_losses(with_costs(scenario, 1 + band * cost), 1 + band * node)
            solver = solver_of(other, CELLS_COARSE, ends)
            ends = solver.ends
            yield weight / 2 * share, solver
    for cost, loss in ((1, -1), (1, 1), (-1, -1), (-1, 1)):
        other = with_losses(with_costs(scenario, 1 + band * cost), 1 + band * loss)
        yield 0.0, solver_of(other, CELLS_COARSE)


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
    useful = (drawn @ work) / (drawn @ length + gaps)
    kept = useful[:, intervals.index(best.interval)]
    found = np.array(intervals)[useful.argmax(axis=1)]
    low, high = np.quantile(found, [0.025, 0.975], method="nearest")
    useful_low, useful_high = np.quantile(kept, [0.025, 0.975])
    regret = float(np.quantile(useful.max(axis=1) - kept, 0.95))
    return Spread(RESAMPLES, int(low), int(high), float(useful_low), float(useful_high), regret)


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
