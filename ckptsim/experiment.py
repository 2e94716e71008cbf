"""Many replications of a world, on all cores, with progress; Ctrl-C keeps what is finished."""

import os
import signal
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim import ledger
from ckptsim.drivers.virtual import Outcome, Stay, simulate, simulate_leases
from ckptsim.world import World

LEASES_A_REPLICATION = 250  # `--leases N` is run in replications of so many
SERIAL_MAX = 100  # jobs; below, starting processes takes longer than the work
CHUNKS_A_CORE = 8  # for steady progress and an even load

Progress = Callable[[int, int], object]
"""Called with how many replications are finished and how many there are."""


class Replication(NamedTuple):
    """One replication in brief, to be sent between processes; nanoseconds."""

    number: int
    ledger: list[int]
    makespans: list[int]
    stranded: int
    stays: NDArray[np.int64]  # one row a lease, columns as in Stay
    end: int


Batches = Generator[list[Replication], None, None]


@dataclass(frozen=True)
class Results:
    """All the replications that were finished, in the order of their numbers."""

    world: World
    replications: list[Replication]
    asked: int  # how many replications were to be run

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
        return sum(len(replication.makespans) for replication in self.replications)

    @property
    def stranded(self) -> int:
        return sum(replication.stranded for replication in self.replications)

    def stays(self, column: str) -> NDArray[np.int64]:
        """One column of all leases; a name of `Stay`'s."""
        place = Stay._fields.index(column)
        rows = [replication.stays[:, place] for replication in self.replications]
        return np.concatenate(rows) if rows else np.zeros(0, np.int64)


def replicate(world: World, replications: int, progress: Progress | None = None) -> Results:
    """Run all jobs of the world, `replications` times over."""
    serial = replications * world.scenario.job.count <= SERIAL_MAX
    return gathered(world, partial(run_jobs, world), range(replications), serial, progress)


def replicate_leases(world: World, leases: int, progress: Progress | None = None) -> Results:
    """Run so many leases of one job without end that starts each from a checkpoint."""
    sizes = [LEASES_A_REPLICATION] * (leases // LEASES_A_REPLICATION)
    sizes += [leases % LEASES_A_REPLICATION] if leases % LEASES_A_REPLICATION else []
    serial = leases <= 4 * SERIAL_MAX
    return gathered(world, partial(run_leases, world, sizes), range(len(sizes)), serial, progress)


def run_jobs(world: World, number: int) -> Replication:
    return brief(number, simulate(world, number))


def run_leases(world: World, sizes: list[int], number: int) -> Replication:
    return brief(number, simulate_leases(world, number, sizes[number]))


def brief(number: int, outcome: Outcome) -> Replication:
    stays = np.array(outcome.stays, np.int64).reshape(-1, len(Stay._fields))
    return Replication(
        number, outcome.ledger, outcome.makespans, outcome.stranded, stays, outcome.end
    )


def gathered(
    world: World,
    run: Callable[[int], Replication],
    numbers: range,
    serial: bool,
    progress: Progress | None,
) -> Results:
    """The replications that were finished, all of them unless the user stopped the run."""
    done: list[Replication] = []
    runs = one_by_one(run, numbers) if serial else on_all_cores(run, numbers)
    try:
        for finished in runs:
            done += finished
            if progress:
                progress(len(done), len(numbers))
    except KeyboardInterrupt:
        runs.close()
    return Results(world, sorted(done, key=lambda replication: replication.number), len(numbers))


def one_by_one(run: Callable[[int], Replication], numbers: range) -> Batches:
    for number in numbers:
        yield [run(number)]


def on_all_cores(run: Callable[[int], Replication], numbers: range) -> Batches:
    cores = os.cpu_count() or 1
    chunks = np.array_split(np.array(numbers), min(len(numbers), cores * CHUNKS_A_CORE))
    with ProcessPoolExecutor(cores, initializer=leave_interrupts_to_the_parent) as executor:
        futures: list[Future[list[Replication]]] = [
            executor.submit(run_chunk, run, chunk.tolist()) for chunk in chunks
        ]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_chunk(run: Callable[[int], Replication], numbers: list[int]) -> list[Replication]:
    return [run(number) for number in numbers]
