"""What a driver tells of a replication, whichever driver it is. Times are integer nanoseconds."""

from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from ckptsim import gauge, ledger
from ckptsim.gauge import Gauge
from ckptsim.rules import Event, Phase


class Row(NamedTuple):
    """One event of a trace; the phase is the one the event led to."""

    time: int
    slot: int
    job: int
    event: Event
    phase: Phase
    saved: int
    unsaved: int


class Stay(NamedTuple):
    """What became of one lease."""

    slot: int
    job: int
    start: int
    end: int
    fate_age: int  # when the slot would have ended it, whatever the job did
    work: int  # committed in it
    checkpoints: int  # committed in it
    event: Event  # what ended it; ELAPSED where the job left by itself


class Books(NamedTuple):
    """Where the time of the slots of one kind went that jobs of one class held."""

    ledger: list[int]
    leases: int
    checkpoints: int


class Mark(NamedTuple):
    """How things stood at one time: where the warm-up ends, and where each batch does."""

    time: int
    ledgers: list[list[int]]  # class by class, in each kind by kind
    completed: list[int]  # jobs so far, by class


@dataclass
class Outcome:
    """What one replication came to."""

    books: list[Books] = field(default_factory=list)  # class by class, in each kind by kind
    makespans_by_class: list[list[int]] = field(default_factory=list)  # in the order of the jobs
    stranded_by_class: list[int] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    gauge: Gauge = field(default_factory=gauge.opened)
    end: int = 0  # when the last job was done, or the run was over

    @property
    def ledger(self) -> list[int]:
        """All slot time by category."""
        if not self.books:
            return ledger.opened()
        return [sum(column) for column in zip(*(each.ledger for each in self.books), strict=True)]

    @property
    def makespans(self) -> list[int]:
        """Of all jobs that completed, in the order of their numbers."""
        return list(chain.from_iterable(self.makespans_by_class))

    @property
    def stranded(self) -> int:
        return sum(self.stranded_by_class)
