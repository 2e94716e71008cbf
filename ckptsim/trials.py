"""Trials of a pool with other intervals, all on the same fates: run on all cores, and kept."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import NamedTuple

import numpy as np

from ckptsim.engine import Engine, events_of, simulate
from ckptsim.estimate import Floats
from ckptsim.experiment import COMPILED_SERIAL_MAX, EVENTS_SERIAL_MAX
from ckptsim.gauge import Measure
from ckptsim.ledger import Category
from ckptsim.outcome import Outcome
from ckptsim.rules import CENTURY
from ckptsim.running import Kept, Means, Progress, finished
from ckptsim.scenario import Scenario
from ckptsim.units import LONGEST, SECOND
from ckptsim.world import World, pool_world


class Aim(StrEnum):
    """What is to be best."""

    USEFUL = "useful"
    MAKESPAN = "makespan"


class Choice(NamedTuple):
    """What is chosen for a pool."""

    intervals: tuple[int, ...]  # one a class, nanoseconds
    stagger: bool | None = None  # of all first checkpoints; None: as the scenario says

    @property
    def longest(self) -> int:
        """The longest of the intervals; where they are to be the same, that one."""
        return max(each for each in self.intervals if each < LONGEST)


class Trial(NamedTuple):
    """One replication of a choice in brief, without its warm-up."""

    useful: float  # committed work / slot time held; 0 where no slot was
    makespan: float  # mean, seconds; one that is never done counts as a century
    at_once: list[float]  # jobs on slots, mean: class by class, in each kind by kind
    link_busy: float  # share of the whole run
    stranded: int

    def goodness(self, aim: Aim) -> float:
        """What is maximised."""
        return self.useful if aim == Aim.USEFUL else -self.makespan


def world_of_choice(scenario: Scenario, choice: Choice) -> World:
    """The scenario as chosen."""
    if choice.stagger is not None:
        scenario = staggered(scenario, yes=choice.stagger)
    return pool_world(scenario, list(choice.intervals))


def staggered(scenario: Scenario, *, yes: bool) -> Scenario:
    """The scenario with all first checkpoints shifted, or with none."""
    changed = {"stagger": yes}
    classes = {name: job.model_copy(update=changed) for name, job in scenario.classes.items()}
    job = scenario.job.model_copy(update=changed)
    return scenario.model_copy(update={"classes": classes, "job": job})


def run(scenario: Scenario, engine: Engine, item: tuple[Choice, int]) -> Trial:
    """One trial."""
    choice, replication = item
    world = world_of_choice(scenario, choice)
    return in_brief(simulate(engine, world, replication))


def in_brief(outcome: Outcome) -> Trial:
    """What matters of a replication."""
    held = np.array([books.ledger for books in outcome.books], np.float64)
    lasted = outcome.end
    if outcome.marks:
        first, last = outcome.marks[0], outcome.marks[-1]
        held = np.array(last.ledgers, np.float64) - np.array(first.ledgers, np.float64)
        lasted = last.time - first.time
    spent, stranded = float(held.sum()), outcome.stranded
    spans = outcome.makespans
    return Trial(
        float(held[:, Category.USEFUL].sum()) / spent if spent else 0.0,
        (sum(spans) + stranded * CENTURY) / max(1, len(spans) + stranded) / SECOND,
        (held.sum(axis=1) / max(1, lasted)).tolist(),
        link_busy(outcome),
        stranded,
    )


def link_busy(outcome: Outcome) -> float:
    """The share of the run in which the link moved anything."""
    sums = np.array(outcome.gauge.sums).reshape(len(Measure), -1)[Measure.LINK_BUSY]
    return float(sums.sum()) / outcome.end if outcome.end else 0.0


@dataclass
class Trials:
    """All trials of a plan so far, in the order in which they were asked for.

    That order follows from `identified_by` alone, so that a plan that was interrupted takes up what
    it has kept.
    """

    scenario: Scenario
    aim: Aim
    engine: Engine
    means: Means
    progress: Progress | None
    identified_by: tuple[object, ...]
    most: int  # how many trials there may be
    items: list[tuple[Choice, int]] = field(default_factory=list)
    numbers: dict[tuple[Choice, int], int] = field(default_factory=dict)
    interrupted: bool = False

    def __post_init__(self) -> None:
        unnamed = self.scenario.model_copy(update={"name": "", "replications": 1})
        self.kept: Kept[Trial] = self.means.kept(
            "trials", Trial._make, unnamed, self.aim, *self.identified_by, count=self.most
        )

    def run(self, wanted: Iterable[tuple[Choice, int]]) -> None:
        """Run those that are not known. Raises KeyboardInterrupt where the user stops it."""
        for item in wanted:
            if item not in self.numbers:
                self.numbers[item] = len(self.items)
                self.items.append(item)
        done = finished(
            partial(run, self.scenario, self.engine),
            self.items,
            self.kept,
            self.progress,
            serial=self.is_serial(),
            spread=self.means.spread,
        )
        if len(done) < len(self.items):
            raise KeyboardInterrupt

    def is_serial(self) -> bool:
        """Are those left done as soon on one core?"""
        left = Counter(self.items[n][0] for n in range(len(self.items)) if n not in self.kept.done)
        events = sum(
            count * events_of(world_of_choice(self.scenario, choice))
            for choice, count in left.items()
        )
        return events <= (
            COMPILED_SERIAL_MAX if self.engine == Engine.COMPILED else EVENTS_SERIAL_MAX
        )

    def stop(self) -> None:
        """The user wants no more; what there is, is kept for another time."""
        self.interrupted, self.kept.complete = True, False

    def of(self, choice: Choice, replications: Iterable[int]) -> list[Trial]:
        """The trials of a choice, which are known."""
        return [self.kept.done[self.numbers[choice, number]] for number in replications]

    def goodness(self, choice: Choice, replications: Sequence[int]) -> Floats:
        """What is maximised, in each."""
        found = [trial.goodness(self.aim) for trial in self.of(choice, replications)]
        return np.array(found, np.float64)
