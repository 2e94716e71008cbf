"""Many replications of a world, on all cores, with progress; Ctrl-C keeps what is finished."""

import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from multiprocessing import (
    TimeoutError,  # noqa: A004 (not the built-in one)
    get_all_start_methods,
    get_context,
)
from threading import Event as Flag
from threading import Thread, current_thread, main_thread
from time import sleep
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ckptsim import ledger
from ckptsim.drivers.virtual import Outcome, Stay, simulate, simulate_leases
from ckptsim.ends import ends_of
from ckptsim.rules import CENTURY
from ckptsim.units import SECOND
from ckptsim.world import World

LEASES_A_REPLICATION = 250  # `--leases N` is run in replications of so many
JOBS_SERIAL_MAX = 200  # up to here starting processes takes as long as the work
LEASES_SERIAL_MAX = 5_000
ORPHANED_S = 1.0  # how long a process may go on without its parent
POLL_S = 0.1  # how long Ctrl-C may take to be noticed
CHUNK_MOST = 25  # replications handed to a process at once: few, for steady progress

T = TypeVar("T")
Item = TypeVar("Item")
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
    serial = replications * world.scenario.job.count <= JOBS_SERIAL_MAX
    done = finished(partial(run_jobs, world), range(replications), progress, serial=serial)
    return Results(world, done, replications)


def replicate_leases(world: World, leases: int, progress: Progress | None = None) -> Results:
    """Run so many leases of one job without end that starts each from a checkpoint."""
    sizes = list(enumerate(lease_sizes(world, leases)))
    serial = leases <= LEASES_SERIAL_MAX
    done = finished(partial(run_leases, world), sizes, progress, serial=serial)
    return Results(world, done, len(sizes))


def lease_sizes(world: World, leases: int) -> list[int]:
    """How many leases each replication runs: so many that it stays well within a century."""
    mean = float(ends_of(world.scenario).lasting(np.array(inf))) + world.scenario.slots.gap.mean
    safe = CENTURY / SECOND / (10 * max(mean, 1.0))
    each = int(min(max(safe, 1), LEASES_A_REPLICATION))
    whole, rest = divmod(leases, each)
    return [each] * whole + [rest] * (rest > 0)


def run_jobs(world: World, number: int) -> Replication:
    return brief(number, simulate(world, number))


def run_leases(world: World, numbered: tuple[int, int]) -> Replication:
    number, leases = numbered
    return brief(number, simulate_leases(world, number, leases))


def brief(number: int, outcome: Outcome) -> Replication:
    stays = np.array(outcome.stays, np.int64).reshape(-1, len(Stay._fields))
    return Replication(
        number, outcome.ledger, outcome.makespans, outcome.stranded, stays, outcome.end
    )


def finished(
    run: Callable[[Item], T],
    items: Sequence[Item],
    progress: Progress | None = None,
    *,
    serial: bool,
) -> list[T]:
    """`run` of each item, in their order: of all, or of those done when the user pressed Ctrl-C.

    Raises KeyboardInterrupt if that was none. Unless `serial`, `run`, the items and what comes of
    them must be able to travel between processes.
    """
    done: dict[int, T] = {}
    with suppress(KeyboardInterrupt):
        for some in one_by_one(run, items) if serial else on_all_cores(run, items):
            done |= some
            if progress:
                progress(len(done), len(items))
    if not done:
        raise KeyboardInterrupt
    return [done[number] for number in sorted(done)]


def one_by_one(
    run: Callable[[Item], T], items: Sequence[Item]
) -> Generator[dict[int, T], None, None]:
    for number, item in enumerate(items):
        yield {number: run(item)}


def on_all_cores(
    run: Callable[[Item], T], items: Sequence[Item]
) -> Generator[dict[int, T], None, None]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = cores or 1
    length = min(CHUNK_MOST, max(1, len(items) // (2 * cores)))
    numbered = list(enumerate(items))
    chunks = [numbered[start : start + length] for start in range(0, len(items), length)]
    # Forking this process would copy its threads' locks. Leaving the block ends the processes.
    context = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")
    with stopping() as stop, context.Pool(cores, serve_the_parent) as processes:
        results = processes.imap_unordered(partial(run_chunk, run), chunks)
        left = len(chunks)
        while left and not stop.is_set():
            try:
                yield results.next(POLL_S)
                left -= 1
            except TimeoutError:
                yield {}


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


def serve_the_parent() -> None:
    """Leave interrupts to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=end_with, args=(os.getppid(),), daemon=True).start()


def end_with(parent: int) -> None:
    while os.getppid() == parent:
        sleep(ORPHANED_S)
    os._exit(1)


def run_chunk(run: Callable[[Item], T], numbered: list[tuple[int, Item]]) -> dict[int, T]:
    return {number: run(item) for number, item in numbered}
