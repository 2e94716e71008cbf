"""How far the answer can be trusted: slack, and a robust interval."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ckptsim.exact import Solver, Value
from ckptsim.lifetimes import Constant
from ckptsim.makespan import values_of
from ckptsim.modes import Periodic, solver_of
from ckptsim.rules import NEVER, Mode
from ckptsim.scenario import Scenario
from ckptsim.search import Search, edges, worth
from ckptsim.sums import CELLS_COARSE, is_certain
from ckptsim.units import SECOND
from ckptsim.variation import with_costs, with_job, with_losses
from ckptsim.world import cost_laws, unless_none

if TYPE_CHECKING:
    from ckptsim.ends import Ends

BAND = 0.10  # costs and times between losses may be so much longer or shorter than said
COSTS_TRIED = 21  # in the band, evenly
COSTS_TRIED_SMOOTH = 5  # where there are no cliffs, or random costs make slopes of them
LOSSES_TRIED = 3  # Gauss-Legendre nodes
CANDIDATES = 240  # intervals compared in the band
CANDIDATES_SMOOTH = 60


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
