"""Which intervals of a pool to look at: those that would be best if something were different."""

from collections.abc import Sequence
from math import ceil, log

import numpy as np

from ckptsim.errors import ScenarioError
from ckptsim.lifetimes import Constant
from ckptsim.pool_bound import bounds_of, expected_at_once, intervals_of
from ckptsim.rules import WITHOUT_INTERVAL
from ckptsim.saturation import demand
from ckptsim.scenario import Job, Queue, Scenario, Slots
from ckptsim.search import Search
from ckptsim.trials import Choice
from ckptsim.units import LONGEST, MINUTE, SECOND
from ckptsim.world import cargo_of, pool_world

STEP = 1.1  # from one interval of the grid to the next
AROUND = 2.0  # how far the grid goes beyond what jobs alone, or the bound, would have
GRID_MOST = 24
FINER = 3  # the fine grid's steps to one of the grid's
EDGE = 5  # more steps beyond an end of the grid, if the best may be there


def is_free(job: Job) -> bool:
    """Is there an interval to choose?"""
    return job.mode not in WITHOUT_INTERVAL


class Anchors:
    """Where to look: intervals that would be best if something were different."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        free = [number for number, job in enumerate(scenario.job_classes.values()) if is_free(job)]
        at_first = pool_world(scenario, [LONGEST // 2] * len(scenario.job_classes))
        bounds = bounds_of(at_first, expected_at_once(at_first))
        self.bound = intervals_of(at_first, bounds.exponential)
        self.alone = [
            max(found, default=self.bound[number])
            for number, found in enumerate(map(self.each_kind, scenario.job_classes.values()))
        ]
        self.all = [
            one
            for each in (self.bound, self.alone)
            for number, one in enumerate(each)
            if number in free
        ]
        self.unhindered = demand(pool_world(scenario, self.alone))

    def each_kind(self, job: Job) -> list[int]:
        """The exact optimum of a job that has each kind of slots and the link to itself."""
        if not is_free(job):
            return [LONGEST]
        kinds = self.scenario.slot_kinds.values()
        found = (alone(self.scenario, job, kind) for kind in kinds)
        return [one for one in found if one is not None]


def alone(scenario: Scenario, job: Job, kind: Slots) -> int | None:
    """The exact optimum without company; None where nothing is ever lost, or no interval works."""
    rate = float(scenario.link.bandwidth) if scenario.link else 0.0
    fetched = Constant(cargo_of(scenario, job).warm / rate) if rate else job.input
    own = job.model_copy(
        update={"input": fetched, "input_size": None, "count": 1, "stagger": False}
    )
    lone = scenario.model_copy(
        update={"job": own, "slots": kind, "classes": {}, "kinds": {}, "domains": {}}
        | {"link": None, "queue": Queue(), "duration": None, "warm_up": 0}
    )
    try:
        return round(Search(lone).best.interval * kind.speed)
    except ScenarioError:
        return None


def longest(scenario: Scenario) -> int:
    """No interval needs to be longer: the longest work, or the duration."""
    works = [job.work for job in scenario.job_classes.values() if is_free(job)]
    known = [work for work in works if work is not None]
    longest = max(known) if len(known) == len(works) else LONGEST // 2
    return min(longest, scenario.duration or longest)


def grid(anchors: Sequence[int], asked: Sequence[int], most: int) -> list[int]:
    """Intervals from well below the least to well above the greatest, and those themselves."""
    inside = sorted({min(max(one, SECOND), most) for one in anchors})
    low, high = inside[0] / AROUND, min(inside[-1] * AROUND, most)
    count = min(GRID_MOST, 1 + ceil(log(max(high / low, 1.0)) / log(STEP)))
    even = [rounded(one) for one in np.geomspace(low, high, max(count, 2))]
    return sorted({*even, *inside, *asked})


def rounded(interval: float) -> int:
    """To whole minutes, seconds or milliseconds: it moves by half a hundredth at most."""
    fitting = (unit for unit in (MINUTE, SECOND) if interval >= 100 * unit)
    step = next(fitting, SECOND // 1000)
    return max(1, round(interval / step)) * step


def common_choice(scenario: Scenario, interval: int) -> Choice:
    """The same interval for all, each in whole natural steps."""
    return Choice(tuple(in_steps(job, interval) for job in scenario.job_classes.values()))


def in_steps(job: Job, interval: int) -> int:
    step = job.step or 1
    return -(-interval // step) * step if is_free(job) else LONGEST


def present(scenario: Scenario) -> Choice | None:
    """The intervals in use, if the scenario gives them all."""
    jobs = scenario.job_classes.values()
    given = [job.computed_interval if is_free(job) else LONGEST for job in jobs]
    known = tuple(one for one in given if one is not None)
    return Choice(known) if len(known) == len(given) else None


def around(
    scenario: Scenario, looked_at: Sequence[int], among: Sequence[int], best: int
) -> list[Choice]:
    """A finer grid around the best; and beyond an end of the grid, if the best may be there."""
    factor = STEP ** (1 / FINER)
    found = [best * factor**power for power in range(-FINER + 1, FINER) if power]
    low, high = min(looked_at), max(looked_at)
    if high in among:
        longer = (high * STEP**power for power in range(1, EDGE + 1))
        found += [one for one in longer if one <= longest(scenario)]
    if low in among:
        found += [low / STEP**power for power in range(1, EDGE + 1)]
    return [common_choice(scenario, rounded(one)) for one in found]
