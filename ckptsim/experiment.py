"""Many replications of a world: of whole jobs, or of leases of a job without end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim import ledger
from ckptsim.ends import ends_of
from ckptsim.engine import (
    Engine,
    chosen,
    events_of,
    events_of_lease,
    simulate,
    simulate_leases,
)
from ckptsim.gauge import Measure
from ckptsim.outcome import Outcome, Stay
from ckptsim.rules import CENTURY
from ckptsim.running import Means, Progress, finished
from ckptsim.units import SECOND
from ckptsim.world import World

LEASES_A_REPLICATION = 250  # `--leases N` is run in replications of so many
EVENTS_SERIAL_MAX = 100_000  # up to here starting processes takes as long as the work
COMPILED_SERIAL_MAX = 10_000_000

Integers = NDArray[np.int64]


class Replication(NamedTuple):
    """One replication in brief, to be sent between processes and kept; nanoseconds.

    An account is a class of jobs on a kind of slots: class by class, in each kind by kind.
    """

    number: int
    ledgers: list[list[int]]  # by account and category; they may be beyond 64 bits
    leases: list[int]  # by account
    checkpoints: list[int]
    makespans: Integers  # of the jobs that completed, class by class
    completed: list[int]  # by class
    stranded: list[int]
    stays: Integers  # one row a lease, columns as in Stay; none of whole jobs
    marked_ledgers: list[list[list[int]]]  # by mark, account and category
    marked_completed: Integers  # by mark and class
    gauges: NDArray[np.float64]  # by measure and bin: number × time; none of a lone job
    gauge_width: int  # of a bin
    end: int

    @property
    def ledger(self) -> list[int]:
        """All slot time by category."""
        return [sum(column) for column in zip(*self.ledgers, strict=True)]


@dataclass(frozen=True)
class Results:
    """All the replications that were finished, in the order of their numbers."""

    world: World
    replications: list[Replication]
    asked: int  # how many replications were to be run
    engine: Engine

    @property
    def interrupted(self) -> bool:
        return len(self.replications) < self.asked

    @property
    def ledger(self) -> list[int]:
        """All slot time by category, nanoseconds."""
        books = [replication.ledger for replication in self.replications]
        return [sum(column) for column in zip(*books, strict=True)] if books else ledger.opened()

    @property
    def completed(self) -> int:
        return sum(sum(replication.completed) for replication in self.replications)

    @property
    def stranded(self) -> int:
        return sum(sum(replication.stranded) for replication in self.replications)

    def stays(self, column: str) -> NDArray[np.int64]:
        """One column of all leases; a name of `Stay`'s."""
        place = Stay._fields.index(column)
        rows = [replication.stays[:, place] for replication in self.replications]
        return np.concatenate(rows) if rows else np.zeros(0, np.int64)


def replicate(
    world: World, replications: int, progress: Progress | None = None, means: Means | None = None
) -> Results:
    """Run all jobs of the world, `replications` times over."""
    means = means or Means()
    kept = means.kept("replications", Replication._make, "jobs", unnamed(world), count=replications)
    engine = chosen(means.engine, world, replications)
    most = COMPILED_SERIAL_MAX if engine == Engine.COMPILED else EVENTS_SERIAL_MAX
    serial = replications * events_of(world) <= most
    run, numbers = partial(run_jobs, world, engine), range(replications)
    done = finished(run, numbers, kept, progress, serial=serial, spread=means.spread)
    return Results(world, done, replications, engine)


def replicate_leases(
    world: World, leases: int, progress: Progress | None = None, means: Means | None = None
) -> Results:
    """Run so many leases of one job without end that starts each from a checkpoint."""
    means = means or Means()
    sizes = list(enumerate(lease_sizes(world, leases)))
    odd = [size for size in sizes if size[1] < leases_each(world)]  # at most the last
    kept = means.kept(
        "replications", Replication._make, "leases", odd, unnamed(world), count=len(sizes)
    )
    engine = chosen(means.engine, world, 1, leases)
    most = COMPILED_SERIAL_MAX if engine == Engine.COMPILED else EVENTS_SERIAL_MAX
    run, serial = partial(run_leases, world, engine), leases * events_of_lease(world) <= most
    done = finished(run, sizes, kept, progress, serial=serial, spread=means.spread)
    return Results(world, done, len(sizes), engine)


def unnamed(world: World) -> World:
    """The world less what no replication depends on: its name, and how many there are."""
    scenario = world.scenario.model_copy(update={"name": "", "replications": 1})
    return replace(world, scenario=scenario)


def lease_sizes(world: World, leases: int) -> list[int]:
    """How many leases each replication runs."""
    each = leases_each(world)
    whole, rest = divmod(leases, each)
    return [each] * whole + [rest] * (rest > 0)


def leases_each(world: World) -> int:
    """How many leases a whole replication runs: so many that it stays well within a century."""
    mean = float(ends_of(world.scenario).lasting(np.array(inf))) + world.scenario.slots.gap.mean
    safe = CENTURY / SECOND / (10 * max(mean, 1.0))
    return int(min(max(safe, 1), LEASES_A_REPLICATION))


def run_jobs(world: World, engine: Engine, number: int) -> Replication:
    return brief(number, simulate(engine, world, number), whole=True, gauged=world.is_crowded)


def run_leases(world: World, engine: Engine, numbered: tuple[int, int]) -> Replication:
    number, leases = numbered
    outcome = simulate_leases(engine, world, number, leases)
    return brief(number, outcome, whole=False, gauged=False)


def brief(number: int, outcome: Outcome, *, whole: bool, gauged: bool) -> Replication:
    """The outcome less what is known of single leases of whole jobs."""
    sums = outcome.gauge.sums if gauged else []
    stays = [] if whole else outcome.stays
    spans = outcome.makespans_by_class
    marks, classes = len(outcome.marks), len(spans)
    return Replication(
        number=number,
        ledgers=[each.ledger for each in outcome.books],
        leases=[each.leases for each in outcome.books],
        checkpoints=[each.checkpoints for each in outcome.books],
        makespans=integers(outcome.makespans, -1),
        completed=list(map(len, spans)),
        stranded=outcome.stranded_by_class,
        stays=integers(stays, len(stays), len(Stay._fields)),
        marked_ledgers=[mark.ledgers for mark in outcome.marks],
        marked_completed=integers([mark.completed for mark in outcome.marks], marks, classes),
        gauges=np.array(sums, np.float64).reshape(len(Measure), len(sums) // len(Measure)),
        gauge_width=outcome.gauge.width[0],
        end=outcome.end,
    )


def integers(found: Sequence[object], *shape: int) -> Integers:
    return np.array(found, np.int64).reshape(shape)
