"""What is measured of whole jobs and pools, in pieces that are independent, or nearly so.

A run without a duration is *terminating*: it begins with an empty pool, ends with its last job, and
is one piece. One with a duration is read as *steady state*: the warm-up is left out, and a piece is
a replication from there on, or, where these are few, a batch of its time (steady.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ckptsim.estimate import Estimate, Floats, ratio_of
from ckptsim.experiment import Replication, Results
from ckptsim.ledger import Category
from ckptsim.units import DAY
from ckptsim.world import World

REPLICATIONS_ENOUGH = 5  # for their means to be read without looking into them


class Method(StrEnum):
    """What the pieces are."""

    WHOLE = "whole runs"
    REPLICATIONS = "replications"
    BATCHES = "batch means"


class Part(NamedTuple):
    """Some classes of jobs on some kinds of slots, all of them together or one alone."""

    name: str
    classes: Sequence[int]
    kinds: Sequence[int]
    slots: int  # the slots that its share is a share of


@dataclass(frozen=True)
class Pieces:
    """All that was measured; nanoseconds."""

    method: Method
    ledgers: Floats  # by piece, class, kind and category
    completed: Floats  # by piece and class
    times: Floats  # by piece: how long it lasted

    def of(self, part: Part) -> "Measures":
        books = self.ledgers[:, list(part.classes)][:, :, list(part.kinds)].sum(axis=(1, 2))
        done = self.completed[:, list(part.classes)].sum(axis=1)
        return Measures(books, done, self.times, part.slots)


@dataclass(frozen=True)
class Measures:
    """What the pieces say of a part."""

    books: Floats  # by piece and category
    done: Floats
    times: Floats
    slots: int

    @cached_property
    def useful(self) -> Estimate:
        """Committed work / slot time, of the slot time whose fate is known."""
        known = self.books.sum(axis=1) - self.books[:, Category.PENDING]
        return ratio_of(self.books[:, Category.USEFUL], known)

    @cached_property
    def committed_per_slot(self) -> Estimate:
        """Committed slot-hours per slot-hour, idle slots and gaps included."""
        return ratio_of(self.books[:, Category.USEFUL], self.times * self.slots)

    @cached_property
    def jobs_per_day(self) -> Estimate:
        return ratio_of(self.done, self.times / DAY)


def pieces_of(results: Results) -> Pieces:
    """The pieces that the results fall into."""
    world = results.world
    if not world.marks:
        ledgers = [each.ledgers for each in results.replications]
        completed = [each.completed for each in results.replications]
        times = [each.end for each in results.replications]
        return shaped(world, Method.WHOLE, ledgers, completed, times)
    if len(results.replications) >= REPLICATIONS_ENOUGH:
        return between_marks(results, Method.REPLICATIONS, [0, -1])
    return between_marks(results, Method.BATCHES, list(range(len(world.marks))))


def between_marks(results: Results, method: Method, places: list[int]) -> Pieces:
    """From each of some marks to the next: what was booked there, which includes what began before.

    As much is left for later at the end, so in the steady state one makes up for the other.
    """
    runs: list[Replication] = results.replications
    world, marks = results.world, np.array(results.world.marks, np.float64)[places]
    ledgers = [np.diff(np.array(run.marked_ledgers, object)[places], axis=0) for run in runs]
    completed = [np.diff(run.marked_completed[places], axis=0) for run in runs]
    return shaped(world, method, ledgers, completed, [np.diff(marks)] * len(runs))


def shaped(
    world: World, method: Method, ledgers: object, completed: object, times: object
) -> Pieces:
    classes, kinds = len(world.classes), len(world.kinds)
    return Pieces(
        method,
        np.array(ledgers, np.float64).reshape(-1, classes, kinds, len(Category)),
        np.array(completed, np.float64).reshape(-1, classes),
        np.array(times, np.float64).reshape(-1),
    )


def ledger_of(results: Results, part: Part) -> list[int]:
    """All slot time by category, nanoseconds, from the end of the warm-up on.

    To the end of the runs: what was computed and is neither committed nor lost by then is pending.
    """
    kinds, whole = len(results.world.kinds), [0] * len(Category)
    for run in results.replications:
        for place in (row * kinds + column for row in part.classes for column in part.kinds):
            books, before = run.ledgers[place], [0] * len(Category)
            if run.marked_ledgers:
                before = run.marked_ledgers[0][place]
            whole = [sum(each) for each in zip(whole, books, map(int.__neg__, before), strict=True)]
    return whole


def everything(world: World) -> Part:
    """All classes on all kinds."""
    scenario = world.scenario
    return Part("all", range(len(world.classes)), range(len(world.kinds)), scenario.slots_count)


def classes_of(world: World) -> list[Part]:
    """Each class of jobs."""
    whole = everything(world)
    return [
        whole._replace(name=name, classes=[place])
        for place, name in enumerate(world.scenario.job_classes)
    ]


def users_of(world: World) -> list[Part]:
    """Each user's classes."""
    whole = everything(world)
    return [
        whole._replace(
            name=name,
            classes=[place for place, user in enumerate(world.user_of_class) if user == number],
        )
        for number, name in enumerate(world.users)
    ]


def kinds_of(world: World) -> list[Part]:
    """Each kind of slots."""
    whole = everything(world)
    return [
        whole._replace(name=name, kinds=[place], slots=kind.count)
        for place, (name, kind) in enumerate(world.scenario.slot_kinds.items())
    ]
