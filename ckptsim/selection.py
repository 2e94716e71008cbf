"""Which candidate is best where all of them lived through the same fates (theory.md §6).

Every pair is compared by its differences, replication by replication, so common random numbers
sharpen the answer instead of spoiling it. Each difference has a confidence sequence
(`estimate.anytime_factors`): bounds that hold at all numbers of replications at once, hence
whenever the race is stopped, at each number in between, and for whatever reason.

Only the differences from the true best, whichever it is, need to be bounded: k − 1 of them, each at
alpha/(k − 1) (multiple comparisons with the best: Hsu 1984, Ann. Statist. 12(3)). Where they
hold, *all* that a `Selection` says is true: the best is in the set, and no candidate is more, or
less, behind it than said. Nothing is assumed of how far the best leads.

Kim and Nelson's procedure (2001, doi 10.1145/502109.502111) does assume it: it promises to choose
the best where that leads by δ, nothing about one that leads by less nor about the losers, and it
trusts the variances of the first stage. To be within δ for sure, with a set and bounds that hold,
costs about as many replications as that promise where the others are δ or more behind, and up to
1.5 times as many where they are nearer (8 candidates, 99 %; at 95 % up to twice as many;
tests/test_selection.py runs both).

What is assumed: differences of replications are normal, as means over many jobs nearly are. For
those that are not, bounds are wider on the side of the long tail (Willink 2005, Communications in
Statistics 34(4)) and always those of the latest replications, so that what a few first ones hid
comes to light. What makes a difference in one replication of ten needs a first stage of 50.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from math import cbrt, isinf, sqrt
from typing import NamedTuple

import numpy as np

from ckptsim.estimate import CONFIDENCE, Estimate, Floats, anytime_factors

Observe = Callable[[int, Sequence[int]], Floats]  # of a candidate, the measure in replications
Wanted = dict[int, range]  # of candidates, the replications that are asked for together
Prepare = Callable[[Wanted], object]
Show = Callable[[float], str]

LISTED = 8  # candidates that may be the best, by name
NARROWEST = 4  # times the first stage: where the bounds are at their best
GROWTH = 8  # a round adds an eighth of the replications so far: few rounds, little too many


class Stop(Enum):
    """Why there were no more replications."""

    TOLD = "told"  # the chosen one is within the indifference of the best
    BUDGET = "budget"  # all replications allowed are used
    ASKED = "asked"  # whoever runs the race has not gone on


UNFINISHED = {
    Stop.BUDGET: "all replications allowed are used",
    Stop.ASKED: "the comparison was not finished",
}


@dataclass(frozen=True)
class Goal:
    """What is wanted of a comparison, and what it may cost."""

    indifference: float  # a candidate so much worse than the best, in the measure, is good enough
    replications_max: int  # of each candidate
    confidence: float = CONFIDENCE
    first_stage: int = 20  # replications that all candidates get
    batch: int = 8  # least number of replications to ask for together

    def __post_init__(self) -> None:
        assert self.indifference >= 0
        assert 3 <= self.first_stage <= self.replications_max
        assert 0 < self.confidence < 1
        assert self.batch >= 1


class Shortfall(NamedTuple):
    """Bounds on how much worse than the true best a candidate is."""

    least: float
    most: float


@dataclass(frozen=True)
class Selection:
    """The chosen candidate, and all that is known with the goal's confidence, taken together."""

    best: int
    among: tuple[int, ...]  # the true best is one of these; they cannot be told apart from it
    equal: tuple[int, ...]  # those, the chosen one too, that never differed from it at all
    shortfalls: tuple[Shortfall, ...]  # of each candidate
    means: tuple[Estimate, ...]  # of each, with bounds of that confidence for each by itself
    replications: tuple[int, ...]  # of each
    stop: Stop
    goal: Goal

    @property
    def regret(self) -> float:
        """How much worse than the true best the chosen one can be."""
        return self.shortfalls[self.best].most

    def statement(self, names: Sequence[str] = (), show: Show = "{:.4g}".format) -> str:
        """The probability statement, in candidates' names and the measure as shown."""
        named = names or [str(number) for number in range(len(self.means))]
        if len(named) == 1:
            return f"{named[0]} is the only candidate."
        said = f"{self._confidently()}, all of it together and whenever stopped: "
        said += f"{self._who(named)}; {self._worse(named[self.best], show)}{self._ties(named)}"
        return said + " Differences between replications are taken to be normal."

    def _confidently(self) -> str:
        return f"With {100 * self.goal.confidence:.10g} % confidence"

    def _who(self, named: Sequence[str]) -> str:
        if len(self.among) == 1:
            return f"{named[self.best]} is the best of {len(named)}"
        told = ", ".join(named[one] for one in self.among)
        if len(self.among) > LISTED:
            first, last = named[self.among[0]], named[self.among[-1]]
            told = f"{len(self.among)} from {first} to {last}"
        return f"the best of {len(named)} is one of {told}, which cannot be told apart"

    def _worse(self, best: str, show: Show) -> str:
        if isinf(self.regret):
            told = f"how much worse than the best {best} is, so few replications do not tell"
            return f"{told}: {UNFINISHED[self.stop]}."
        return f"{best} is at most {show(self.regret)} worse than the best. {self._why(show)}"

    def _why(self, show: Show) -> str:
        asked = f"the {show(self.goal.indifference)} asked for"
        if self.stop is Stop.TOLD:
            return f"That is within {asked}."
        return f"That is more than {asked}: {UNFINISHED[self.stop]}."

    def _ties(self, named: Sequence[str]) -> str:
        if len(self.equal) == 1:
            return ""
        return (
            f" No replication shows a difference between {', '.join(named[i] for i in self.equal)}."
        )


def select(observe: Observe, candidates: int, goal: Goal) -> Selection:
    """The best of the candidates by `observe(candidate, replications)`, where more is better.

    Replication r must be the same fate for every candidate, and independent of the others.
    """
    *_, last = rounds(observe, candidates, goal)
    return last


def rounds(
    observe: Observe, candidates: int, goal: Goal, prepare: Prepare | None = None
) -> Iterator[Selection]:
    """What is known after each round; all of it is true together, so any may be the last.

    A round takes the chosen candidate and those that may still be more than the indifference better
    than it. One out of the race is looked at again if another comes to be chosen. `prepare` is told
    all that a round will observe before any of it is, to work on it side by side.
    """
    race = _Race(observe, candidates, goal, prepare)
    asked, target = list(range(candidates)), goal.first_stage
    while True:
        race.go_on(asked, target)
        asked = race.contenders()
        stop = race.stop(asked)
        yield race.selection(stop)
        if stop is not Stop.ASKED:
            return
        target = min(goal.replications_max, target + max(goal.batch, target // GROWTH))


class _Race:
    """The values so far, and the bounds they give on every difference between two candidates."""

    def __init__(
        self, observe: Observe, candidates: int, goal: Goal, prepare: Prepare | None
    ) -> None:
        assert candidates >= 1
        self.observe, self.goal, self.count = observe, goal, candidates
        self.prepare = prepare
        self.values = [np.empty(0) for _ in range(candidates)]
        self.upper = np.full((candidates, candidates), np.inf)  # by how much row can beat column
        np.fill_diagonal(self.upper, 0.0)
        self.among = list(range(candidates))  # those that none is surely better than

    def go_on(self, asked: Sequence[int], target: int) -> None:
        """Observes each candidate asked up to the target."""
        together = {one: range(len(self.values[one]), target) for one in asked}
        if self.prepare:
            self.prepare(together)
        for one, wanted in together.items():
            found = np.asarray(self.observe(one, wanted), dtype=np.float64)
            assert found.shape == (len(wanted),)
            assert np.isfinite(found).all()
            self.values[one] = np.concatenate([self.values[one], found])
        self._compare(asked)
        left = [one for one in range(self.count) if (self.upper[one] >= 0).all()]
        self.among = left or [int(self.upper.min(axis=1).argmax())]

    def _compare(self, asked: Sequence[int]) -> None:
        for one in asked:
            for other in range(self.count):
                if other != one and not (other in asked and other < one):  # each pair once
                    bounds = bounds_of(self._differences(one, other), self._alpha, self._narrowest)
                    self.upper[other, one], self.upper[one, other] = -bounds[0], bounds[1]

    def _differences(self, one: int, other: int) -> Floats:
        both = min(len(self.values[one]), len(self.values[other]))
        return self.values[one][:both] - self.values[other][:both]

    @property
    def _alpha(self) -> float:
        return (1 - self.goal.confidence) / max(1, self.count - 1)

    @property
    def _narrowest(self) -> int:
        return NARROWEST * self.goal.first_stage

    def most(self, one: int) -> float:
        """The bound on how much worse than the best it is."""
        return max(0.0, *(float(self.upper[other, one]) for other in self.among))

    def least(self, one: int) -> float:
        return max(0.0, min(-float(self.upper[one, other]) for other in self.among))

    def chosen(self) -> int:
        """The one whose bound is least; of equals the one with the greatest mean."""
        return min(self.among, key=lambda one: (self.most(one), -self.values[one].mean()))

    def contenders(self) -> list[int]:
        """The chosen one and all that may be more than the indifference better."""
        best = self.chosen()
        better = self.upper[:, best] > self.goal.indifference
        return [one for one in self.among if one == best or better[one]]

    def stop(self, asked: Sequence[int]) -> Stop:
        if len(asked) == 1:
            return Stop.TOLD
        spent = all(len(self.values[one]) == self.goal.replications_max for one in asked)
        return Stop.BUDGET if spent else Stop.ASKED

    def selection(self, stop: Stop) -> Selection:
        best, everyone = self.chosen(), range(self.count)
        return Selection(
            best,
            tuple(self.among),
            tuple(one for one in everyone if self._is_equal(one, best)),
            tuple(Shortfall(self.least(one), self.most(one)) for one in everyone),
            tuple(self._mean(one) for one in everyone),
            tuple(len(values) for values in self.values),
            stop,
            self.goal,
        )

    def _is_equal(self, one: int, other: int) -> bool:
        return not self._differences(one, other).any()

    def _mean(self, one: int) -> Estimate:
        values = self.values[one]
        least, most = bounds_of(values, 1 - self.goal.confidence, self._narrowest)
        mean = float(values.mean())
        return Estimate(mean, max(mean - least, most - mean))


def bounds_of(values: Floats, alpha: float, narrowest: float) -> tuple[float, float]:
    """Bounds on the mean that hold for any number of values, wider where the tail is long.

    `estimate.anytime_factors` on each side at least; on the side of the tail Willink's, which moves
    a bound ζ standard errors away to ((1 + 6β(ζ − β))^⅓ − 1)/2β, β = skewness/6√n. Equal values
    leave nothing open.
    """
    count, start = len(values), float(values[0])
    rest = values - start  # equal ones then have no spread at all
    mean = float(rest.mean())
    rest -= mean
    squares = rest * rest
    spread = sqrt(float(squares.sum()) / (count - 1))
    if spread == 0:
        return start, start
    far, error = _errors_wide(count, alpha, narrowest), spread / sqrt(count)
    skewness = float(squares @ rest) / spread**3 * count / (count - 1) / (count - 2)
    beta = skewness / 6 / sqrt(count)
    below, above = max(far, moved(far, beta)), max(far, -moved(-far, beta))
    return start + mean - below * error, start + mean + above * error


@lru_cache(maxsize=1024)
def _errors_wide(count: int, alpha: float, narrowest: float) -> float:
    """Half the width of the confidence sequence, in standard errors."""
    return float(anytime_factors(np.array([float(count)]), alpha, narrowest)[0]) * sqrt(count)


def moved(zeta: float, beta: float) -> float:
    """Willink's G: so many standard errors, moved for skewness."""
    return (cbrt(1 + 6 * beta * (zeta - beta)) - 1) / (2 * beta) if beta else zeta
