"""The interval to choose, what it costs, how steep the ground is around it, what would change it.

The value of an interval over the interval is a saw-tooth: it drops where one checkpoint fewer fits
into a lease. So a search must not assume one valley. Here it knows where the cliffs are, to the
nanosecond; it looks at each, at a grid between them, and polishes the best few.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from math import hypot, inf, isinf
from typing import NamedTuple

import numpy as np

from ckptsim import classic
from ckptsim.errors import ScenarioError
from ckptsim.exact import FARTHEST, LEASE_COSTS, Solver, Value, ends_of
from ckptsim.lifetimes import Empirical, Law, Never
from ckptsim.rules import NEVER
from ckptsim.scenario import Scenario
from ckptsim.unequal import PlanValue, best_plan
from ckptsim.units import HOUR, MINUTE, SECOND, show
from ckptsim.world import unless_none

GRID = 160  # intervals tried besides the cliffs, evenly on a log scale
TEETH_MAX = 400  # cliffs beyond so many checkpoints a lease are too small to matter
KINKS_MAX = 12  # atoms of the laws that make cliffs of their own, if there are so few
WORTH_A_MENTION = 0.001  # of useful fraction: cliffs that lose less are not listed
POLISHED = 3  # of the best found, so many are polished
AS_GOOD_AS_NONE = 1e-4  # of the leases
MARGIN = 0.01  # the flat part: what is within so much of the best
RESERVE = 0.10  # how much longer than said a cost may be before the answer should suffer
RESAMPLES = 200  # of the observed lifetimes, for the spread of the answer
CONTENDERS = 60  # intervals among which each resample chooses
BOOTSTRAP = 2**31 + 1  # the key of its random stream
CYCLE_COSTS = ("write", "transfer", "restart_in_place")
ALL_COSTS = (*CYCLE_COSTS, "input", "restart_lease", "cold_start")


class Cliff(NamedTuple):
    """An interval beyond which one checkpoint fewer fits into a lease.

    Constant costs make it sheer, `beyond` following at once; random ones a slope between the two.
    """

    at: Value
    beyond: Value

    @property
    def is_sheer(self) -> bool:
        """Is it one of a nanosecond, as it is where costs are constant and any interval will do?"""
        return self.beyond.interval - self.at.interval == 1

    @property
    def loss(self) -> float:
        """What stepping over it costs, in useful fraction (gaps included)."""
        return worth(self.at) - worth(self.beyond)


class Range(NamedTuple):
    """Intervals from `low` to `high`, nanoseconds."""

    low: int
    high: int


class Change(NamedTuple):
    """What the answer would be if the scenario were different."""

    label: str
    best: Value  # in the changed scenario
    kept: Value  # the present answer in the changed scenario

    @property
    def regret(self) -> float:
        """What keeping the present answer would cost then, in useful fraction (gaps included)."""
        return worth(self.best) - worth(self.kept)


class Spread(NamedTuple):
    """How the answer scatters when the observed lifetimes are drawn again (bootstrap)."""

    resamples: int
    interval_low: int  # the middle 95 % of the best intervals, ns
    interval_high: int
    useful_low: float  # the middle 95 % of what the answer is worth, kept as it is
    useful_high: float
    regret_high: float  # 95 % of the time keeping the answer costs less than this


class Classic(NamedTuple):
    """The formulas' intervals in seconds; None where evictions have no finite mean."""

    young_s: float | None
    daly_s: float | None
    daly_higher_order_s: float | None
    poisson_optimum_s: float | None


class Search:
    """The best fixed interval of one scenario, and all the values found on the way."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.solver = Solver(scenario)
        self.step = scenario.job.step or 1
        self.known: dict[int, Value] = {}
        self.span = span(self.solver)

    def value(self, interval: int) -> Value:
        """The value of an interval, rounded up to whole natural steps."""
        interval = -(-interval // self.step) * self.step
        if interval not in self.known:
            self.known[interval] = self.solver.value(interval)
        return self.known[interval]

    @cached_property
    def best(self) -> Value:
        """The best fixed interval; of equals the longest, which moves the least."""
        self.look()
        for candidate in sorted(self.known.values(), key=worth, reverse=True)[:POLISHED]:
            self.polish(candidate.interval)
        return max(self.known.values(), key=lambda value: (worth(value), value.interval))

    @property
    def curve(self) -> list[Value]:
        """All values found so far, by interval."""
        return sorted(self.known.values())

    def look(self) -> None:
        """Find the values on a grid, and on both sides of every cliff."""
        low, high = self.span
        grid = np.geomspace(low, high, GRID).astype(np.int64).tolist()
        for interval in [*grid, *self.edges, *(edge + self.step for edge in self.edges)]:
            self.value(interval)

    @cached_property
    def edges(self) -> list[int]:
        """The last intervals, in whole steps, before one checkpoint fewer fits; ascending."""
        low, high = self.span
        found = {edge // self.step * self.step for edge in edges(self.solver)}
        return sorted(edge for edge in found if low <= edge <= high)

    def polish(self, interval: int) -> None:
        """Look for the top between the neighbours that are known, if there is no cliff between."""
        from scipy.optimize import minimize_scalar

        ordered = sorted(self.known)
        place = ordered.index(interval)
        low, high = ordered[max(place - 1, 0)], ordered[min(place + 1, len(ordered) - 1)]
        if high - low <= 2 * self.step:
            return
        top = minimize_scalar(
            lambda at: -worth(self.value(round(at))),
            bounds=(low, high),
            method="bounded",
            options={"xatol": SECOND / 100},
        )
        self.value(round(top.x))

    @cached_property
    def cliffs(self) -> list[Cliff]:
        """The cliffs worth a mention, by interval; random costs make slopes of them."""
        half = blur(self.solver)
        found = [
            Cliff(self.value(max(edge - half, self.span.low)), self.value(edge + self.step + half))
            for edge in self.edges
        ]
        return [cliff for cliff in found if cliff.loss > WORTH_A_MENTION]

    def flat(self, margin: float = MARGIN) -> list[Range]:
        """The ranges of intervals that are worth at least (1 - margin) of the best."""
        enough = (1 - margin) * worth(self.best)
        curve = self.curve
        ranges = []
        for is_good, group in groupby(range(len(curve)), lambda n: worth(curve[n]) >= enough):
            places = list(group)
            if is_good:
                low, high = curve[places[0]].interval, curve[places[-1]].interval
                before = curve[max(places[0] - 1, 0)].interval
                after = curve[min(places[-1] + 1, len(curve) - 1)].interval
                ranges.append(
                    Range(self.border(before, low, enough), self.border(after, high, enough))
                )
        return ranges

    def border(self, bad: int, good: int, enough: float) -> int:
        """The last interval from `good` towards `bad` that is still worth `enough`."""
        while abs(good - bad) > max(self.step, SECOND // 10):
            middle = (good + bad) // 2 // self.step * self.step
            if middle in (good, bad):
                break
            if worth(self.solver.value(middle)) >= enough:
                good = middle
            else:
                bad = middle
        return good


def worth(value: Value) -> float:
    """What is maximised: committed work / (slot time + gaps)."""
    return value.useful_fraction_with_gap


def refuse_if_endless(scenario: Scenario) -> None:
    """ScenarioError where some leases would go on as good as for ever."""
    slots = scenario.slots
    ends = ends_of(scenario)
    if slots.claim_worklife is not None or ends.still_there(FARTHEST) < AS_GOOD_AS_NONE:
        return
    if not (isinstance(slots.evictions, Never) and isinstance(slots.power_failures, Never)):
        raise ScenarioError(
            f"one lease in {1 / ends.still_there(FARTHEST):,.0f} would last longer than a century: "
            "slots.evictions or slots.power_failures come too late, and there is no slots.limit; "
            "give one (--limit)"
        )
    raise ScenarioError(
        "nothing ends a lease: no slots.limit, slots.evictions or slots.power_failures; "
        "a job that is never interrupted needs no checkpoint, so give at least one of them "
        "(--limit, --evictions, --power-failures)"
    )


def span(solver: Solver) -> Range:
    """The intervals worth looking at, nanoseconds; ScenarioError where none can work."""
    refuse_if_endless(with_slots(solver.scenario, claim_worklife=None))
    slots, usual = solver.scenario.slots, solver.usual
    around = usual.input + usual.restart_lease + usual.write + usual.transfer
    saved = min(slots.grace, usual.transfer)
    longest = int(min(solver.limit, solver.ends.horizon * SECOND + saved)) - around
    cycle = usual.write + usual.transfer + usual.restart_in_place
    step = solver.scenario.job.step or 1
    refuse_if_none_can_work(solver.scenario, around, longest, cycle)
    if slots.limit is None:
        lost = mean_between_losses(solver)
        many = max(5 * lost, 10 * classic.young(cycle / SECOND, lost))
        longest = min(longest, int(many * SECOND))
    low = max(SECOND, min(cycle // 4, longest // GRID), step)
    return Range(min(low, longest), max(longest // step, 1) * step)


def refuse_if_none_can_work(scenario: Scenario, around: int, longest: int, cycle: int) -> None:
    """ScenarioError where the best interval would be none at all, or no time at all."""
    step = scenario.job.step
    if longest <= 0:
        raise ScenarioError(
            f"no interval can work: restart, write and transfer take {show(around)}, "
            f"and no lease is longer than {show(longest + around)}"
        )
    if cycle == 0 and step is None:
        raise ScenarioError(
            "a checkpoint costs nothing: job.write, job.transfer and job.restart are all 0; then "
            "the more often the better, so give at least one of them (--write 5min) or a --step"
        )
    if step is not None and step > longest:
        raise ScenarioError(
            f"no interval can work: a step takes {show(step)}, "
            f"and no lease has more than {show(longest)} for it"
        )


def edges(solver: Solver) -> Iterable[int]:
    """Where e_k, the k-th commit, comes just by a limit, a worklife or an atom of a law."""
    usual, slots = solver.usual, solver.scenario.slots
    saved = min(slots.grace, usual.transfer) / SECOND  # so much later may a commit be than the end
    atoms = [*(age + saved for age in slots.evictions.kinks()), *slots.power_failures.kinks()]
    bounds = [unless_none(slots.limit), unless_none(slots.claim_worklife)]
    if len(atoms) <= KINKS_MAX:
        bounds += [int(atom * SECOND) for atom in atoms]
    rounds = usual.write + usual.transfer + usual.restart_in_place
    first = usual.input + usual.restart_lease - usual.restart_in_place
    for bound in bounds:
        if bound < NEVER:
            for k in range(1, TEETH_MAX if solver.constant else TEETH_MAX // 10):
                yield (bound - first - k * rounds) // k


def blur(solver: Solver) -> int:
    """How far random costs spread one round, ns: two standard deviations, read off quantiles."""
    within = np.array([0.1587, 0.8413])  # a normal law's quantiles at one standard deviation
    spreads = (float(np.ptp(law.quantile(within))) / 2 for law in solver.laws[LEASE_COSTS:])
    return int(2 * hypot(*spreads) * SECOND)


def mean_between_losses(solver: Solver) -> float:
    """Mean age at which a slot without a limit is evicted or loses its power; seconds."""
    ends = replace(solver.ends, limit=inf)
    return inf if isinf(ends.horizon) else float(ends.lasting(np.array(inf)))


def classics(solver: Solver) -> Classic:
    """The formulas for exponential losses without a limit, with this scenario's means."""
    usual = solver.usual
    mean = mean_between_losses(solver)
    cost = (usual.write + usual.transfer + usual.restart_in_place) / SECOND
    if isinf(mean) or cost == 0:
        return Classic(None, None, None, None)
    restart = (usual.input + usual.restart_lease) / SECOND
    return Classic(
        classic.young(cost, mean),
        classic.daly(cost, mean, restart),
        classic.daly_higher_order(cost, mean),
        classic.poisson_optimum(cost, mean),
    )


@dataclass(frozen=True)
class Advice:
    """The answer to a scenario."""

    scenario: Scenario
    search: Search
    best: Value
    flat: list[Range]  # within MARGIN of the best
    cliffs: list[Cliff]
    reserve: Value  # the best that RESERVE longer costs would not throw off, at the given costs
    plan: PlanValue | None  # of unequal intervals; None where costs are random
    classic: Classic
    present: Value | None  # of the interval in use now
    asked: list[Value]
    changes: list[Change]
    spread: Spread | None

    @property
    def cliff_above(self) -> Cliff | None:
        """The next cliff at or above the best interval."""
        above = (cliff for cliff in self.cliffs if cliff.beyond.interval > self.best.interval)
        return next(above, None)

    @property
    def cliff_below(self) -> Cliff | None:
        """The next cliff below the best interval."""
        below = [cliff for cliff in self.cliffs if cliff.beyond.interval <= self.best.interval]
        return below[-1] if below else None

    def makespan(self, value: Value) -> float | None:
        """Mean seconds to completion of one job that never waits for a slot; inf: never.

        None for a job without end, and where costs are random: then only simulation can tell.
        """
        solver = self.search.solver
        if self.scenario.job.work is None or not solver.constant:
            return None
        return solver.makespan(value.interval)


def plan(
    scenario: Scenario, asked: Sequence[int] = (), more: Sequence[tuple[str, Scenario]] = ()
) -> Advice:
    """The best fixed interval for `scenario`, and what there is to know about it.

    `asked` are intervals (ns) to be valued too; `more` are scenarios, with labels, in which the
    answer is to be tried besides the usual ones. Raises ScenarioError where no interval can work.
    """
    search = Search(scenario)
    best = search.best
    interval = scenario.job.computed_interval
    return Advice(
        scenario=scenario,
        search=search,
        best=best,
        flat=search.flat(),
        cliffs=search.cliffs,
        reserve=with_reserve(search),
        plan=best_plan(search.solver, best),
        classic=classics(search.solver),
        present=None if interval is None else search.value(interval),
        asked=[search.value(interval) for interval in asked],
        changes=[
            Change(label, kept=other.value(best.interval), best=other.best)
            for label, other in searches([*variations(scenario), *more])
        ],
        spread=spread(search),
    )


def with_reserve(search: Search) -> Value:
    """The best interval if every cost were RESERVE longer, valued at the costs as given."""
    slower = with_costs(search.scenario, 1 + RESERVE)
    try:
        return search.solver.value(Search(slower).best.interval)
    except ScenarioError:  # with longer costs nothing works at all: there is no reserve to keep
        return search.best


def searches(scenarios: Iterable[tuple[str, Scenario]]) -> Iterator[tuple[str, Search]]:
    """A search in each scenario, but for those in which no interval can work."""
    for label, scenario in scenarios:
        with suppress(ScenarioError):
            yield label, Search(scenario)


def variations(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    """The scenario with one thing different, in the ways that people's guesses are wrong."""
    slots = scenario.slots
    yield "checkpoints cost twice as much", with_costs(scenario, 2, CYCLE_COSTS)
    yield "checkpoints cost half as much", with_costs(scenario, 0.5, CYCLE_COSTS)
    if not isinstance(slots.evictions, Never):
        yield (
            "evictions come twice as often",
            with_slots(scenario, evictions=slots.evictions.scaled(0.5)),
        )
        yield (
            "evictions come half as often",
            with_slots(scenario, evictions=slots.evictions.scaled(2)),
        )
    if slots.limit is not None:
        yield (
            "the limit is an hour shorter",
            with_slots(scenario, limit=max(slots.limit - HOUR, slots.limit // 2)),
        )
        yield "there is no limit", with_slots(scenario, limit=None)
    if slots.claim_worklife is None and slots.gap.mean > 0:
        yield "CLAIM_WORKLIFE is 20 min", with_slots(scenario, claim_worklife=20 * MINUTE)
    elif slots.claim_worklife is not None:
        yield "there is no CLAIM_WORKLIFE", with_slots(scenario, claim_worklife=None)


def with_costs(scenario: Scenario, factor: float, names: Sequence[str] = ALL_COSTS) -> Scenario:
    """The scenario with the named costs so many times as long."""
    costs = {name: scaled(getattr(scenario.job, name), factor) for name in names}
    return scenario.model_copy(update={"job": scenario.job.model_copy(update=costs)})


def scaled(law: Law, factor: float) -> Law:
    return law if law.mean == 0 else law.scaled(factor)


def with_slots(scenario: Scenario, **changed: object) -> Scenario:
    return scenario.model_copy(update={"slots": scenario.slots.model_copy(update=changed)})


def spread(search: Search) -> Spread | None:
    """How the answer scatters if the observed lifetimes had come out a little differently.

    The bootstrap (Efron): lifetimes are drawn again with replacement, the best interval is found
    anew among those known to be any good. None where evictions are not observed lifetimes.
    """
    law = search.scenario.slots.evictions
    if not isinstance(law, Empirical):
        return None
    rng = np.random.default_rng(
        np.random.SeedSequence(search.scenario.seed, spawn_key=(BOOTSTRAP,))
    )
    candidates = contenders(search)
    found, regrets = [], []
    for _ in range(RESAMPLES):
        again = Empirical(tuple(rng.choice(law.values, len(law.values))))
        solver = Solver(with_slots(search.scenario, evictions=again))
        best = max((solver.value(interval) for interval in candidates), key=worth)
        kept = solver.value(search.best.interval)
        found.append((best.interval, worth(kept)))
        regrets.append(worth(best) - worth(kept))
    low, high = np.quantile(np.array(found), [0.025, 0.975], axis=0)
    return Spread(
        RESAMPLES,
        int(low[0]),
        int(high[0]),
        float(low[1]),
        float(high[1]),
        float(np.quantile(regrets, 0.95)),
    )


def contenders(search: Search) -> list[int]:
    """Intervals of which one may well be the best for lifetimes much like these."""
    enough = (1 - 5 * MARGIN) * worth(search.best)
    good = [value.interval for value in search.curve if worth(value) >= enough]
    thinned = good[:: max(1, len(good) // CONTENDERS)]
    return sorted({search.best.interval, *thinned, *set(search.edges).intersection(good)})
