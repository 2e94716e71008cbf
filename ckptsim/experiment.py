"""Many replications of a world, on all cores, with progress; Ctrl-C keeps what is finished."""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool, TimeoutError  # noqa: A004 (not the built-in one)
from threading import Event as Flag
from threading import current_thread, main_thread
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ckptsim import ledger
from ckptsim.drivers.virtual import Outcome, Stay, simulate, simulate_leases
from ckptsim.world import World

LEASES_A_REPLICATION = 250  # `--leases N` is run in replications of so many
SERIAL_MAX = 100  # jobs; up to here starting processes takes longer than the work
LEASES_SERIAL_MAX = 500
POLL_S = 0.1  # how long Ctrl-C may take to be noticed
CHUNK_MOST = 25  # replications handed to a process at once: few, for steady progress

T = TypeVar("T")
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
    done = finished(partial(run_jobs, world), replications, serial, progress)
    return Results(world, done, replications)


def replicate_leases(world: World, leases: int, progress: Progress | None = None) -> Results:
    """Run so many leases of one job without end that starts each from a checkpoint."""
    sizes = lease_sizes(leases)
    serial = leases <= LEASES_SERIAL_MAX
    done = finished(partial(run_leases, world, sizes), len(sizes), serial, progress)
    return Results(world, done, len(sizes))


def lease_sizes(leases: int) -> list[int]:
    """How many leases each replication runs."""
    whole, rest = divmod(leases, LEASES_A_REPLICATION)
    return [LEASES_A_REPLICATION] * whole + [rest] * (rest > 0)


def run_jobs(world: World, number: int) -> Replication:
    return brief(number, simulate(world, number))


def run_leases(world: World, sizes: list[int], number: int) -> Replication:
    return brief(number, simulate_leases(world, number, sizes[number]))


def brief(number: int, outcome: Outcome) -> Replication:
    stays = np.array(outcome.stays, np.int64).reshape(-1, len(Stay._fields))
    return Replication(
        number, outcome.ledger, outcome.makespans, outcome.stranded, stays, outcome.end
    )


def finished(
    run: Callable[[int], T], count: int, serial: bool, progress: Progress | None = None
) -> list[T]:
    """run(0), run(1), ... in this order: all, or those done when the user pressed Ctrl-C.

    `run` and what it returns must be able to travel between processes unless `serial`.
    """
    done: dict[int, T] = {}
    with suppress(KeyboardInterrupt):
        for some in one_by_one(run, count) if serial else on_all_cores(run, count):
            done |= some
            if progress:
                progress(len(done), count)
    if not done:
        raise KeyboardInterrupt
    return [done[number] for number in sorted(done)]


@contextmanager
def stopping() -> Iterator[Flag]:
    """Ctrl-C raises a flag, so that it does not strike while threads hold locks."""
    stop = Flag()
    if current_thread() is not main_thread():  # only the main thread may set handlers
        yield stop
        return
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def one_by_one(run: Callable[[int], T], count: int) -> Generator[dict[int, T], None, None]:
    for number in range(count):
        yield {number: run(number)}


def on_all_cores(run: Callable[[int], T], count: int) -> Generator[dict[int, T], None, None]:
    cores = os.cpu_count() or 1
    parts = max(min(count, 2 * cores), -(-count // CHUNK_MOST))
    chunks = [chunk.tolist() for chunk in np.array_split(np.arange(count), parts)]
    # Leaving the block ends the processes at once, with what they are at.
    with stopping() as stop, Pool(cores, leave_interrupts_to_the_parent) as processes:
        results = processes.imap_unordered(partial(run_chunk, run), chunks)
        left = len(chunks)
        while left and not stop.is_set():
            try:
                yield results.next(POLL_S)
                left -= 1
            except TimeoutError:
                yield {}


def leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_chunk(run: Callable[[int], T], numbers: list[int]) -> dict[int, T]:
    return {number: run(number) for number in numbers}
