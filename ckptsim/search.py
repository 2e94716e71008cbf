"""The best fixed interval, how steep the ground is around it, and where the cliffs are.

The value of an interval over the interval is a saw-tooth: it drops where one checkpoint fewer fits
into a lease. So a search must not assume one valley. Here it knows where the cliffs are, to the
nanosecond; it looks at each, at a grid between them, and polishes the best few.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from math import hypot, inf, isinf
from typing import NamedTuple

import numpy as np

from ckptsim import classic
from ckptsim.ends import FARTHEST, ends_of
from ckptsim.errors import ScenarioError
from ckptsim.exact import LEASE_COSTS, Solver, Value
from ckptsim.lifetimes import Never
from ckptsim.makespan import values_of
from ckptsim.modes import solver_of
from ckptsim.objective import Kind, Objective
from ckptsim.rules import NEVER
from ckptsim.scenario import Scenario
from ckptsim.sums import CELLS
from ckptsim.units import SECOND, show
from ckptsim.variation import with_slots
from ckptsim.world import unless_none

SUMS_MOST = 300  # of the lengths of steps in a row
GRID = 160  # intervals tried besides the cliffs, evenly on a log scale
TEETH_MAX = 400  # cliffs beyond so many checkpoints a lease are too small to matter
BLOCKS_MAX = 100  # and of a whole job beyond so many blocks
KINKS_MAX = 12  # atoms of the laws that make cliffs of their own, if there are so few
WORTH_A_MENTION = 0.001  # of useful fraction: cliffs that lose less are not listed
POLISHED = 3  # of the best found, so many are polished,
CLOSER = 16  # in steps to an eighth of the range,
CLOSE = SECOND // 100  # until it is as short as this
LIKELY = 0.85  # of the best use of slot time: with less a whole job is not done soonest
FEW = 8  # unless it is done in so few blocks
LAWS_LIKELY = 40  # intervals of the shortest means of which the makespan's law is looked at
LAWS_SPREAD = 20  # and so many more, of all lengths
AS_GOOD_AS_NONE = 1e-4  # of the leases
ALIKE = 6  # digits: whole jobs that differ by less are as good
MARGIN = 0.01  # the flat part: what is within so much of the best


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


class Search:
    """The best fixed interval of one scenario, and all the values found on the way."""

    def __init__(
        self, scenario: Scenario, objective: Objective | None = None, cells: int = CELLS
    ) -> None:
        """`cells` is how fine the lattice of random costs is."""
        self.scenario, self.objective = scenario, objective or Objective()
        self.solver = solver_of(scenario, cells)
        self.step = scenario.job.step or 1
        self.known: dict[int, Value] = {}
        self.span = span(self.solver)
        if self.objective.of_whole_job and scenario.job.work:  # beyond it nothing changes
            low, high = self.span
            self.span = Range(min(low, scenario.job.work), min(high, scenario.job.work))
        self._goodness: dict[int, float] = {}
        self._likely: set[int] | None = None

    def in_steps(self, interval: int) -> int:
        """The interval, rounded up to whole natural steps."""
        return -(-interval // self.step) * self.step

    def value(self, interval: int) -> Value:
        """The value of an interval, rounded up to whole natural steps."""
        return self.values([interval])[0]

    def values(self, intervals: Iterable[int]) -> list[Value]:
        """The values of intervals, rounded up to whole natural steps."""
        asked = [self.in_steps(interval) for interval in intervals]
        unknown = sorted(set(asked).difference(self.known))
        found = values_of(self.solver, unknown)
        self.known.update(zip(unknown, found, strict=True))
        return [self.known[interval] for interval in asked]

    def goodness(self, value: Value) -> float:
        """What is maximised."""
        if value.interval not in self._goodness:
            self._goodness[value.interval] = self.objective.goodness(self.solver, value)
        return self._goodness[value.interval]

    @cached_property
    def best(self) -> Value:
        """The best fixed interval; of equals the longest, which moves the least."""
        self.look()
        if self.scenario.job.steps:
            return max(self.compared, key=self.rank)
        for candidate in sorted(self.compared, key=self.goodness, reverse=True)[:POLISHED]:
            self.polish(candidate.interval)
        return max(self.compared, key=self.rank)

    def rank(self, value: Value) -> tuple[float, float, int]:
        """What is greatest for the best: of what is as good, the best use of slot time."""
        goodness = self.goodness(value)
        as_good = round(goodness, ALIKE) if self.objective.of_whole_job else goodness
        return as_good, worth(value), value.interval

    @property
    def curve(self) -> list[Value]:
        """All values found so far, by interval."""
        return sorted(self.known.values())

    @property
    def compared(self) -> list[Value]:
        """The values among which the best is looked for; fewer if it takes long to judge one."""
        curve = self.curve
        if not self.objective.of_whole_job:
            return curve
        enough, work = LIKELY * max(map(worth, curve)), self.scenario.job.work or 0
        curve = [each for each in curve if worth(each) >= enough or each.interval * FEW >= work]
        if not self.objective.of_law:
            return curve
        if self._likely is None:
            mean = Objective(Kind.MAKESPAN)
            by_mean = sorted(curve, key=lambda value: -mean.goodness(self.solver, value))
            some = curve[:: max(1, len(curve) // LAWS_SPREAD)]
            self._likely = {value.interval for value in [*by_mean[:LAWS_LIKELY], *some]}
        return [self.known[interval] for interval in sorted(self._likely)]

    def look(self) -> None:
        """Find the values on a grid, and on both sides of every cliff."""
        low, high = self.span
        if steps := self.scenario.job.steps:
            self.values(interval for interval in sums_of(steps) if interval <= high)
            return
        grid = np.geomspace(low, high, GRID).astype(np.int64).tolist()
        self.values([*grid, *self.edges, *(edge + self.step for edge in self.edges)])

    @cached_property
    def edges(self) -> list[int]:
        """The last intervals, in whole steps, before one checkpoint fewer fits; ascending.

        None for a job in steps of its own: there every step makes a cliff.
        """
        if self.scenario.job.steps:
            return []
        low, high = self.span
        every = {*edges(self.solver), *(self.blocks if self.objective.of_whole_job else ())}
        found = {edge // self.step * self.step for edge in every}
        return sorted(edge for edge in found if low <= edge <= high)

    @property
    def blocks(self) -> Iterator[int]:
        """Intervals around those of which a whole number makes up the work."""
        work = self.scenario.job.work
        assert work is not None
        for count in range(1, BLOCKS_MAX):
            yield from (-(-work // count), -(-work // count) - 1)

    def polish(self, interval: int) -> None:
        """Look for the top between the neighbours that are known, if there is no cliff between.

        Ever closer, among so many at once: one call of the solver values them all.
        """
        ordered = sorted(self.known)
        place = ordered.index(interval)
        low, high = ordered[max(place - 1, 0)], ordered[min(place + 1, len(ordered) - 1)]
        while high - low > max(2 * self.step, CLOSE):
            tried = {self.in_steps(int(at)) for at in np.linspace(low, high, CLOSER + 1)}
            values = values_of(self.solver, sorted(tried))
            good = [self.objective.goodness(self.solver, value) for value in values]
            top = int(np.argmax(good))
            low = values[max(top - 1, 0)].interval
            high = values[min(top + 1, len(values) - 1)].interval
            if high - low <= max(2 * self.step, CLOSE) or len(values) < CLOSER:
                self.likely(self.value(values[top].interval))
                return

    def likely(self, value: Value) -> None:
        """One more to be compared."""
        if self._likely is not None:
            self._likely.add(value.interval)

    @cached_property
    def cliffs(self) -> list[Cliff]:
        """The cliffs worth a mention, by interval; random costs make slopes of them."""
        half = blur(self.solver)
        low = self.values(max(edge - half, self.span.low) for edge in self.edges)
        high = self.values(edge + self.step + half for edge in self.edges)
        found = [Cliff(*both) for both in zip(low, high, strict=True)]
        return [cliff for cliff in found if cliff.loss > WORTH_A_MENTION]

    def flat(self, margin: float = MARGIN) -> list[Range]:
        """The ranges of intervals that are worth at least (1 - margin) of the best."""
        enough = (1 - margin) * self.goodness(self.best)
        curve = self.compared
        good = [self.goodness(value) >= enough for value in curve]
        ranges = []
        for is_good, group in groupby(range(len(curve)), good.__getitem__):
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
            (value,) = values_of(self.solver, [middle])
            if self.objective.goodness(self.solver, value) >= enough:
                good = middle
            else:
                bad = middle
        return good


def sums_of(steps: tuple[int, ...]) -> list[int]:
    """The lengths that some steps in a row can have; of very many, some."""
    ends = np.concatenate([[0], np.cumsum(steps)])
    every = np.unique(ends[:, None] - ends)
    found = every[every > 0]
    return [int(length) for length in found[:: max(1, len(found) // SUMS_MOST)]]


def worth(value: Value) -> float:
    """The useful fraction of slot time and gaps."""
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
    around = solver.around
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
    if cycle == 0 and step is None and scenario.job.steps is None:
        raise ScenarioError(
            "a checkpoint costs nothing: job.write, job.transfer and job.restart are all 0; then "
            "the more often the better, so give at least one of them (--write 5min) or a --step"
        )
    step = max([step or 0, *(scenario.job.steps or ())])
    if step > longest:
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
    for bound in bounds:
        if bound < NEVER:
            yield from solver.last_intervals(
                bound, TEETH_MAX if solver.constant else TEETH_MAX // 10
            )


def blur(solver: Solver) -> int:
    """How far random costs spread one round, ns: two standard deviations, read off quantiles."""
    within = np.array([0.1587, 0.8413])  # a normal law's quantiles at one standard deviation
    spreads = (float(np.ptp(law.quantile(within))) / 2 for law in solver.laws[LEASE_COSTS:])
    return int(2 * hypot(*spreads) * SECOND)


def mean_between_losses(solver: Solver) -> float:
    """Mean age at which a slot without a limit is evicted or loses its power; seconds."""
    ends = replace(solver.ends, limit=inf)
    return inf if isinf(ends.horizon) else float(ends.lasting(np.array(inf)))
