"""The items of an experiment run on all cores or a cluster, and kept; Ctrl-C keeps the finished."""

import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_all_start_methods, get_context
from queue import Empty, Queue
from threading import Event as Flag
from threading import Thread, current_thread, main_thread
from time import monotonic, sleep
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from ckptsim.engine import Engine
from ckptsim.identity import identity
from ckptsim.partial import Partial

ORPHANED_S = 1.0  # how long a process may go on without its parent
POLL_S = 0.1  # how long Ctrl-C may take to be noticed
HAND_IN_S = 0.5  # after so long a process hands in what it has finished
CHUNK_MOST = 250  # items handed to a process at once

T = TypeVar("T")
Item = TypeVar("Item")
Chunk = Sequence[tuple[int, Item]]
"""Some of an experiment's items, numbered."""
Progress = Callable[[int, int], object]
"""Called with how many items are finished and how many there are."""


class Spread(Protocol):
    """Runs numbered items somewhere and yields what comes of them, by number, as it comes."""

    def __call__(
        self, run: Callable[[Item], T], numbered: Chunk[Item]
    ) -> Generator[dict[int, T], None, None]: ...


@dataclass
class Kept(Generic[T]):
    """What is finished of one experiment, in memory and, with a `file`, in partial results."""

    experiment: str
    what: str  # the items' name
    file: Partial | None
    done: dict[int, T] = field(default_factory=dict)
    complete: bool = False

    def add(self, some: dict[int, T]) -> None:
        if self.file and some:
            self.file.add(self.experiment, some)
        self.done |= some

    def within(self, count: int) -> dict[int, T]:
        """What is finished of the first `count` items."""
        return {number: self.done[number] for number in sorted(self.done) if number < count}


@dataclass
class Means:
    """With what experiments are run: an engine, a file for what is finished, a cluster for cores.

    An experiment that is run again with more items goes on from those that are finished.
    """

    file: Partial | None = None
    spread: Spread | None = None
    engine: Engine = Engine.AUTO
    kept_: dict[str, Kept[Any]] = field(default_factory=dict)

    def kept(
        self, what: str, restored: Callable[[Any], T], *identified_by: object, count: int
    ) -> Kept[T]:
        """What is finished of the experiment with such an identity, of whose items `count` are due.

        `restored` makes an item of what `partial.decoded` gives back of it.
        """
        experiment = identity(what, *identified_by)
        if experiment not in self.kept_:
            kept = Kept[T](experiment, what, self.file)
            if self.file:
                found = self.file.items(experiment)
                kept.done = {number: restored(value) for number, value in found.items()}
                if there := kept.within(count):
                    going_on = f"Going on from {len(there):,} of {count:,} {what}"
                    self.file.say(f"{going_on} kept in {self.file.path}")
            self.kept_[experiment] = kept
        return self.kept_[experiment]

    @property
    def complete(self) -> bool:
        """Was nothing stopped by Ctrl-C?"""
        return all(kept.complete for kept in self.kept_.values())

    def told(self) -> None:
        """Everything is told: what is complete need not be kept any longer."""
        for kept in self.kept_.values():
            if kept.complete and kept.file:
                kept.file.forget(kept.experiment)


def finished(
    run: Callable[[Item], T],
    items: Sequence[Item],
    kept: Kept[T],
    progress: Progress | None = None,
    *,
    serial: bool,
    spread: Spread | None = None,
) -> list[T]:
    """`run` of each item, in their order: of all, or of those done when the user pressed Ctrl-C.

    Those that are kept are not run again. Raises KeyboardInterrupt if none was done. Unless
    `serial`, `run`, the items and what comes of them must be able to travel between processes.
    """
    left = [(number, item) for number, item in enumerate(items) if number not in kept.done]
    spread = spread or (one_by_one if serial else on_all_cores)
    count = len(items) - len(left)
    with suppress(KeyboardInterrupt):
        for some in spread(run, left) if left else ():
            kept.add(some)
            count += len(some)
            if progress:
                progress(count, len(items))
    done = kept.within(len(items))
    kept.complete = len(done) == len(items)
    if not done:
        raise KeyboardInterrupt
    return list(done.values())


def one_by_one(
    run: Callable[[Item], T], numbered: Chunk[Item]
) -> Generator[dict[int, T], None, None]:
    for number, item in numbered:
        yield {number: run(item)}


def on_all_cores(
    run: Callable[[Item], T], numbered: Chunk[Item]
) -> Generator[dict[int, T], None, None]:
    # Forking this process would copy its threads' locks. Leaving the block ends the processes.
    context = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")
    with without_main():
        pool = context.Pool(cores(), serve_the_parent)
    with stopping() as stop, pool as processes:
        ready: Queue[tuple[Chunk[Item], dict[int, T]] | BaseException] = Queue()

        def hand_out(chunk: Chunk[Item]) -> None:
            processes.apply_async(
                run_some,
                (run, chunk),
                callback=lambda done: ready.put((chunk, done)),
                error_callback=ready.put,
            )

        for chunk in chunks(numbered, cores()):
            hand_out(chunk)
        left = len(numbered)
        while left and not stop.is_set():
            try:
                handed_in = ready.get(timeout=POLL_S)
            except Empty:
                yield {}
                continue
            if isinstance(handed_in, BaseException):
                raise handed_in
            chunk, done = handed_in
            if rest := chunk[len(done) :]:
                hand_out(rest)
            left -= len(done)
            yield done


def cores() -> int:
    """How many this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return allowed or 1


def chunks(numbered: Chunk[Item], workers: int) -> list[Chunk[Item]]:
    """What is handed to a worker at once."""
    length = min(CHUNK_MOST, max(1, len(numbered) // (2 * workers)))
    return [numbered[start : start + length] for start in range(0, len(numbered), length)]


def run_some(run: Callable[[Item], T], chunk: Chunk[Item]) -> dict[int, T]:
    """Run the first items of a chunk, until it is time to hand in: what is here is not kept yet."""
    until, done = monotonic() + HAND_IN_S, dict[int, T]()
    for number, item in chunk:
        done[number] = run(item)
        if monotonic() > until:
            break
    return done


@contextmanager
def without_main() -> Iterator[None]:
    """Processes started in here do not import the user's script, which may lack a guard.

    All that is sent to them is found in modules of ours; a script that plans at its top level, were
    it imported, would start processes again, and so on.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


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
