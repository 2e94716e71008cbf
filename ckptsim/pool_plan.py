"""The best intervals of a pool, found by simulation, and how sure that is.

First a grid of common intervals, wide enough for what contention does to the best of jobs alone,
then a finer one around its best. Then, as a search that claims nothing by itself, intervals class
by class. What is found is at last compared with the best common interval on fates that had no part
in finding it, so no gain is one of luck.

Each stage has fates of its own, the same for all choices it compares. Its share of the chance to
be wrong is fixed beforehand (`SHARES`), so all that is said is true together with the confidence of
the whole: what the coarse grid leaves out is surely worse than something in the fine one, which
begins with all that is left.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ckptsim.engine import Engine, chosen, events_of
from ckptsim.errors import ScenarioError
from ckptsim.estimate import CONFIDENCE, Estimate, mean_of
from ckptsim.pool_bound import Bounds, bounds_of
from ckptsim.pool_choices import (
    Anchors,
    around,
    common_choice,
    grid,
    in_steps,
    is_free,
    longest,
    present,
    rounded,
)
from ckptsim.running import Means, Progress
from ckptsim.saturation import demand
from ckptsim.scenario import Scenario
from ckptsim.selection import GROWTH, NARROWEST, Goal, Selection, Shortfall, rounds
from ckptsim.selection import bounds_of as difference_bounds
from ckptsim.trials import Aim, Choice, Trial, Trials
from ckptsim.world import World, pool_world

FACTORS = ((0.7, 0.85, 1.2, 1.4), (0.93, 1.08))  # tried on one class's interval, then finer
FATES_APART = 1_000_000  # replications; no stage has so many
SHARES = {"grid": 0.25, "best": 0.5, "gains": 0.25}  # of the chance that anything said is wrong
SEARCH_CONFIDENCE = 0.9  # each step of a search that claims nothing
EVENTS_MOST = 1_000_000  # of all replications of one choice, if not told how many
FIRST, FEWEST, MOST = 20, 5, 1_000
WITHIN = 0.001  # of slot time, or of the makespan: so much worse than the best is good enough


@dataclass(frozen=True)
class Effort:
    """How sure the answer is to be, and what it may cost."""

    within: float = WITHIN
    most: int | None = None  # replications of each choice; None: as many as a minute or so allows
    confidence: float = CONFIDENCE


class Point(NamedTuple):
    """A common interval that was looked at."""

    interval: int
    value: float  # the measure, as by its difference from the best
    behind: Shortfall  # bounds on how much worse than the best, all of them true together
    replications: int
    among: bool  # it cannot be told apart from the best


class Gain(NamedTuple):
    """What another choice is better by than the best common interval, in the measure."""

    name: str
    choice: Choice
    mean: float
    least: float
    most: float
    replications: int

    @property
    def is_sure(self) -> bool:
        return self.least > 0


class Stage(NamedTuple):
    """A comparison of choices on the same fates."""

    choices: tuple[Choice, ...]
    selection: Selection

    @property
    def best(self) -> Choice:
        return self.choices[self.selection.best]

    @property
    def among(self) -> tuple[Choice, ...]:
        return tuple(self.choices[one] for one in self.selection.among)


@dataclass(frozen=True)
class PoolPlan:
    """The answer for a pool."""

    scenario: Scenario
    aim: Aim
    effort: Effort
    engine: Engine
    interrupted: bool
    grid: Stage
    fine: Stage | None  # None where the user did not wait for it
    gains: tuple[Gain, ...]
    sample: tuple[Trial, ...]  # of the best common interval, on fates that did not choose it
    present: Choice | None
    unhindered: float  # the demand on the link if each had the interval best for it alone

    @property
    def stage(self) -> Stage:
        """The one that says which common interval is best."""
        return self.fine or self.grid

    @property
    def best(self) -> Choice:
        """The best common interval."""
        return self.stage.best

    @property
    def interval(self) -> int:
        return self.best.longest

    @property
    def world(self) -> World:
        return pool_world(self.scenario, list(self.best.intervals))

    def mean(self, name: str) -> Estimate:
        """Of `useful`, `makespan` or `link_busy` with the best common interval."""
        return mean_of(np.array([getattr(trial, name) for trial in self.sample], np.float64))

    @property
    def measure(self) -> Estimate:
        """The measure with the best common interval."""
        return self.mean(self.aim.value)

    @property
    def stranded(self) -> int:
        return sum(trial.stranded for trial in self.sample)

    @cached_property
    def bounds(self) -> Bounds:
        """The least waste, for as many jobs at once as there were."""
        held = np.array([trial.at_once for trial in self.sample]).mean(axis=0)
        return bounds_of(self.world, held.tolist())

    @property
    def demand(self) -> float:
        """What the jobs would put on the link with the best common interval."""
        return demand(self.world)

    @property
    def points(self) -> list[Point]:
        """All common intervals looked at, by interval."""
        found = {point.interval: point for point in self._points(self.grid, known=False)}
        if self.fine:
            found |= {point.interval: point for point in self._points(self.fine, known=True)}
        return sorted(found.values())

    def _points(self, stage: Stage, *, known: bool) -> Iterator[Point]:
        selection = stage.selection
        means = [estimate.mean for estimate in selection.means]
        level = self.measure.mean * (1 if self.aim == Aim.USEFUL else -1)
        for number, choice in enumerate(stage.choices):
            value = level + means[number] - means[selection.best]
            yield Point(
                choice.longest,
                abs(value),
                selection.shortfalls[number],
                selection.replications[number],
                number in selection.among and (known or self.fine is None),
            )

    @property
    def at_edge(self) -> bool:
        """May the best be beyond the shortest or the longest that was looked at?"""
        points = self.points
        ends = (points[0], points[-1])
        beyond = [
            point for point in ends if point.among and point.interval < longest(self.scenario)
        ]
        return len(points) > 1 and bool(beyond)

    def gain(self, name: str) -> Gain | None:
        return next((gain for gain in self.gains if gain.name == name), None)

    @property
    def recommended(self) -> Gain | None:
        """The choice that is surely better than the best common interval, by the most."""
        sure = [gain for gain in self.gains if gain.is_sure]
        return max(sure, key=lambda gain: gain.least, default=None)


def plan_pool(
    scenario: Scenario,
    aim: Aim = Aim.USEFUL,
    asked: Sequence[int] = (),
    effort: Effort = Effort(),
    means: Means | None = None,
    progress: Progress | None = None,
) -> PoolPlan:
    """The best common interval, and what other choices gain; `asked` are looked at too.

    Raises ScenarioError where there is no interval to choose, and KeyboardInterrupt where the user
    stops it before anything is known; later it tells what is known by then.
    """
    refuse(scenario, aim)
    means = means or Means()
    anchors = Anchors(scenario)
    common = [common_choice(scenario, one) for one in grid(anchors.all, asked, longest(scenario))]
    race = Race(scenario, aim, effort, means, progress, tuple(dict.fromkeys(common)))
    return race.run(anchors)


def refuse(scenario: Scenario, aim: Aim) -> None:
    """ScenarioError where there is nothing to choose, or no such measure."""
    if not any(is_free(job) for job in scenario.job_classes.values()):
        raise ScenarioError(
            "job.mode: no job has an interval to choose; simulate says what it comes to"
        )
    if aim == Aim.MAKESPAN and scenario.duration is not None:
        raise ScenarioError(
            "--objective makespan: the run ends with its duration, jobs or no jobs; leave out "
            "duration, or ask for --objective useful"
        )


class Race:
    """The stages, one after the other."""

    def __init__(
        self,
        scenario: Scenario,
        aim: Aim,
        effort: Effort,
        means: Means,
        progress: Progress | None,
        common: tuple[Choice, ...],
    ) -> None:
        self.scenario, self.aim, self.effort, self.common = scenario, aim, effort, common
        events = events_of(pool_world(scenario, list(common[len(common) // 2].intervals)))
        usual = int(max(FEWEST, min(MOST, EVENTS_MOST / events)))
        self.most = max(3, effort.most or usual)
        self.first = min(FIRST, self.most)
        world = pool_world(scenario, list(common[0].intervals))
        self.trials = Trials(
            scenario,
            aim,
            chosen(means.engine, world, len(common) * self.first),
            means,
            progress,
            (common, effort),
            self.most * (len(common) + 20),
        )
        self.indifference = effort.within

    def run(self, anchors: Anchors) -> PoolPlan:
        """All stages, or as many as the user waits for."""
        self.indifference *= self.scale()
        coarse = self.compare(self.common, 0, self.goal("grid", within=4))
        fine, gains = None, tuple[Gain, ...]()
        if not self.trials.interrupted:
            fine = self.try_to_compare(self.finer(coarse), 1, self.goal("best"))
        best = (fine or coarse).best
        if not self.trials.interrupted:
            gains = self.gains(best, self.others(best, anchors))
        return PoolPlan(
            self.scenario,
            self.aim,
            self.effort,
            self.trials.engine,
            self.trials.interrupted,
            coarse,
            fine,
            gains,
            self.sample(best),
            present(self.scenario),
            anchors.unhindered,
        )

    def scale(self) -> float:
        """What the indifference is a share of: slot time, or the makespan by a few replications."""
        if self.aim == Aim.USEFUL:
            return 1.0
        middle = self.common[len(self.common) // 2]
        few = range(3)
        self.trials.run((middle, number) for number in few)
        return float(abs(self.trials.goodness(middle, few).mean()))

    def goal(self, part: str, within: float = 1) -> Goal:
        wrong = (1 - self.effort.confidence) * SHARES[part]
        return Goal(within * self.indifference, self.most, 1 - wrong, self.first)

    def compare(self, choices: Sequence[Choice], block: int, goal: Goal) -> Stage:
        """The best of the choices, on fates of their own; as far as the user waits for it."""
        start, last = block * FATES_APART, None
        race = rounds(
            lambda one, wanted: self.trials.goodness(choices[one], [start + n for n in wanted]),
            len(choices),
            goal,
            lambda asked: self.trials.run(
                (choices[one], start + n) for one, wanted in asked.items() for n in wanted
            ),
        )
        try:
            for found in race:
                last = found
        except KeyboardInterrupt:
            self.trials.stop()
            if last is None:
                raise
        assert last is not None
        return Stage(tuple(choices), last)

    def try_to_compare(self, choices: Sequence[Choice], block: int, goal: Goal) -> Stage | None:
        """The same; None where the user stops it before anything is known."""
        try:
            return self.compare(choices, block, goal)
        except KeyboardInterrupt:
            return None

    def finer(self, coarse: Stage) -> list[Choice]:
        """All that may be best, and a finer grid around the chosen one."""
        looked_at = [choice.longest for choice in self.common]
        among = [choice.longest for choice in coarse.among]
        near = around(self.scenario, looked_at, among, coarse.best.longest)
        return sorted({*coarse.among, *near}, key=lambda choice: choice.intervals)

    def others(self, best: Choice, anchors: Anchors) -> dict[str, Choice]:
        """What is compared with the best common interval."""
        found = {}
        own = self.best_per_class(best, anchors) if len(self.free) > 1 else None
        if own and own != best:
            found["per class"] = own
        if self.scenario.link and not self.trials.interrupted:
            found |= self.otherwise_staggered(best, own)
        if (now := present(self.scenario)) and now != best:
            found["present"] = now
        return {} if self.trials.interrupted else found

    def otherwise_staggered(self, best: Choice, own: Choice | None) -> Mapping[str, Choice]:
        """With first checkpoints shifted; or, if all are, with none shifted."""
        yes = not all(job.stagger for job in self.scenario.job_classes.values())
        name = "staggered" if yes else "not staggered"
        found = {name: best._replace(stagger=yes)}
        if own and own != best:
            found[f"per class, {name}"] = own._replace(stagger=yes)
        return found

    @cached_property
    def free(self) -> list[int]:
        """The classes that have an interval to choose."""
        jobs = enumerate(self.scenario.job_classes.values())
        return [number for number, job in jobs if is_free(job)]

    def best_per_class(self, best: Choice, anchors: Anchors) -> Choice | None:
        """By coordinates, from what is best so far: a search that claims nothing by itself."""
        half = max(self.first, self.most // 2)
        goal = Goal(self.indifference, half, SEARCH_CONFIDENCE, self.first)
        starts = [best, self.each(anchors.bound), self.each(anchors.alone)]
        try:
            found = self.compare(list(dict.fromkeys(starts)), 2, goal).best
            for factors in FACTORS:
                for number in self.free:
                    found = self.compare(self.varied(found, number, factors), 2, goal).best
        except KeyboardInterrupt:
            return None
        return found

    def each(self, intervals: Sequence[int]) -> Choice:
        """An interval for each class, in its natural steps."""
        jobs = self.scenario.job_classes.values()
        return Choice(tuple(in_steps(job, one) for job, one in zip(jobs, intervals, strict=True)))

    def varied(self, choice: Choice, number: int, factors: Iterable[float]) -> list[Choice]:
        """With other intervals for one class."""
        found = [choice]
        for factor in factors:
            intervals = list(choice.intervals)
            intervals[number] = rounded(intervals[number] * factor)
            found.append(self.each(intervals))
        return list(dict.fromkeys(found))

    def gains(self, best: Choice, others: Mapping[str, Choice]) -> tuple[Gain, ...]:
        """What others are better by, on fates that had no part in finding them."""
        found, goal = tuple[Gain, ...](), self.goal("gains")
        target = self.first
        while others and not self.trials.interrupted:
            try:
                found = self.gains_of(best, others, target, goal)
            except KeyboardInterrupt:
                self.trials.stop()
            if target == self.most or all(map(self.is_told, found)):
                break
            target = min(self.most, target + max(goal.batch, target // GROWTH))
        return found

    def gains_of(
        self, best: Choice, others: Mapping[str, Choice], target: int, goal: Goal
    ) -> tuple[Gain, ...]:
        fates = range(3 * FATES_APART, 3 * FATES_APART + target)
        everyone = [best, *others.values()]
        self.trials.run((choice, number) for choice in everyone for number in fates)
        base, found = self.trials.goodness(best, fates), []
        for name, choice in others.items():
            more = self.trials.goodness(choice, fates) - base
            alpha = (1 - goal.confidence) / len(others)
            least, upper = difference_bounds(more, alpha, NARROWEST * goal.first_stage)
            found.append(Gain(name, choice, float(more.mean()), least, upper, target))
        return tuple(found)

    def is_told(self, gain: Gain) -> bool:
        """Is it known to half of itself, or to make no difference that matters?"""
        if max(abs(gain.least), abs(gain.most)) <= self.indifference:
            return True
        return max(gain.most - gain.mean, gain.mean - gain.least) <= abs(gain.mean) / 2

    def sample(self, best: Choice) -> tuple[Trial, ...]:
        """All that is known of the best common interval from the last stage that ran it."""
        for block in (3, 1, 0):
            numbers = [
                number
                for choice, number in self.trials.numbers
                if choice == best
                and number // FATES_APART == block
                and self.trials.numbers[choice, number] in self.trials.kept.done
            ]
            if numbers:
                return tuple(self.trials.of(best, sorted(numbers)))
        raise AssertionError
