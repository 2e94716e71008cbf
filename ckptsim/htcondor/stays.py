"""The stays of jobs on slots that a job event log tells of: values, without a rule in them.

Times are in nanoseconds on the clock of the log.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ckptsim.htcondor.eventlog import Damage
from ckptsim.units import SECOND


class End(enum.Enum):
    """How a lease ended; `Lease.reason` is finer, where the log tells more."""

    FINISHED = "finished"
    EVICTED = "evicted"
    POWER_FAILURE = "power failure"
    LIMIT = "runtime limit"
    REMOVED = "removed"
    HELD = "held by the user"
    POLICY = "held by a policy"  # of the job, the pool or the machine
    FAILED = "failed"  # could not start, or files could not be transferred
    EXCEPTION = "shadow exception"
    RESCHEDULED = "rescheduled"  # left by itself, to run again
    UNTOLD = "no end in the log"  # another start without an end before it
    SILENT = "silent until the log ended"  # too long to be still running: its end is missing
    RUNNING = "still running"


class Doing(enum.Enum):
    """What a log tells that a slot was doing, if it was not computing."""

    INPUT = "input transfer"
    STARTING = "starting"  # from the end of the input's transfer to event 001
    CHECKPOINT = "transfer of a checkpoint"  # complete, and so committed when it ends
    TRANSFER = "another transfer"  # of the final output, failed, or cut short
    TRANSFER_WAIT = "waiting for a transfer"
    VACATING = "vacating"
    SUSPENDED = "suspended"
    DISCONNECTED = "disconnected"  # slot dead, access point still waiting


class Stretch(NamedTuple):
    """From when to when a slot was doing something other than computing."""

    doing: Doing
    start_ns: int
    end_ns: int


# HTCondor's vacate codes (condor_holdcodes.h; htcondor-rules.md 2.1).
BY_HAND = frozenset({1004, 1022})  # condor_vacate_job
LEFT_AT_A_CHECKPOINT = 1025  # the claim was too old, draining or retiring (D28)
# By PREEMPT, draining, shutdown, coalescing, hibernation, or for a job that ranks higher.
_BY_MACHINE = frozenset({1010, 1011, 1013, 1014, 1015, 1016, 1017, 1018, 1019})


@dataclass(frozen=True, slots=True)
class Lease:
    """One stay of a job on a slot, from event 001 to its end.

    `code` is HTCondor's reason for the end, None where the log has none. `told` is what the slot
    was doing but compute, in order and without overlap; input and start-up come before `start_ns`,
    and a slot that is dead while the access point waits is so after `end_ns`. `waited_ns` is how
    long the job was idle before; `sent` and `received` are the bytes that the event at the end
    tells (sent: of the last transfer alone, I50). `saved`: the eviction says "Job was
    checkpointed".
    """

    log: str
    job: str
    start_ns: int
    end_ns: int
    end: End
    code: int | None = None
    told: tuple[Stretch, ...] = ()
    waited_ns: int | None = None
    sent: int | None = None
    received: int | None = None
    saved: bool = False

    @property
    def duration_s(self) -> float:
        """How long it lasted, in seconds; suspended or not."""
        return (self.end_ns - self.start_ns) / SECOND

    @property
    def observed(self) -> bool:
        """Whether the slot was taken or lost, rather than left; else the lease is censored."""
        return self.end in {End.EVICTED, End.POWER_FAILURE}

    @property
    def reason(self) -> str:
        """The end in words, as finely as the log tells it."""
        match self.end:
            case End.EVICTED if self.code in BY_HAND:
                return "evicted by hand"
            case End.EVICTED if self.code in _BY_MACHINE:
                return "evicted by the machine's policy"
            case End.RESCHEDULED if self.code == LEFT_AT_A_CHECKPOINT:
                return "left after a checkpoint"
            case End.RESCHEDULED:
                return "left by its own policy"
        return str(self.end.value)

    @property
    def slot_start_ns(self) -> int:
        """When the slot was taken: input and start-up count."""
        return min(self.told[0].start_ns, self.start_ns) if self.told else self.start_ns

    @property
    def slot_end_ns(self) -> int:
        """When the slot was given up: the wait for a dead one counts."""
        return max(self.told[-1].end_ns, self.end_ns) if self.told else self.end_ns

    @property
    def suspended_ns(self) -> int:
        """How long it was suspended."""
        return sum(end - start for doing, start, end in self.told if doing is Doing.SUSPENDED)

    @property
    def checkpoints(self) -> tuple[Stretch, ...]:
        """The transfers of its checkpoints; each is committed when its transfer ends."""
        return tuple(stretch for stretch in self.told if stretch.doing is Doing.CHECKPOINT)

    @property
    def cycles_ns(self) -> Iterator[int]:
        """The time that the slot computed for each checkpoint, with its write and the restart."""
        computed, since = 0, self.start_ns
        for doing, start, end in self.told:
            computed += max(start - since, 0)
            since = max(end, since)
            if doing is Doing.CHECKPOINT:
                yield computed
            if doing in {Doing.CHECKPOINT, Doing.TRANSFER}:
                computed = 0


class Attempt(NamedTuple):
    """A slot that was taken for a job which did not start on it: no lease, but slot time.

    `told` and `waited_ns` are as a lease's.
    """

    log: str
    job: str
    told: tuple[Stretch, ...]
    waited_ns: int | None

    @property
    def slot_start_ns(self) -> int:
        """When the slot was taken."""
        return self.told[0].start_ns

    @property
    def slot_end_ns(self) -> int:
        """When it was given up."""
        return self.told[-1].end_ns


@dataclass(frozen=True, slots=True)
class Gap:
    """Seconds from losing a slot to starting on the next one, for a job that was not held."""

    after: End
    duration_s: float


@dataclass(frozen=True)
class History:
    """What one log tells.

    `inputs_s` are the transfers of input files, in seconds. `damage` is what could not be read;
    `oddities` counts events that fit no lease.
    """

    log: str
    leases: tuple[Lease, ...]
    inputs_s: tuple[float, ...]
    gaps: tuple[Gap, ...]
    events: int
    damage: tuple[Damage, ...]
    oddities: dict[str, int] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()

    @property
    def transfers_s(self) -> tuple[float, ...]:
        """The transfers of checkpoints to the access point, in seconds."""
        return transfers_s(self.leases)

    @property
    def cycles_s(self) -> tuple[float, ...]:
        """Seconds from the start of a lease, or a transfer, to the transfer of a checkpoint.

        That is restart, interval and write; not what the job was suspended or waited.
        """
        return cycles_s(self.leases)


def transfers_s(leases: Iterable[Lease]) -> tuple[float, ...]:
    """As `History.transfers_s`, of these leases."""
    found = (stretch for lease in leases for stretch in lease.told)
    return tuple((end - start) / SECOND for doing, start, end in found if doing is Doing.CHECKPOINT)


def cycles_s(leases: Iterable[Lease]) -> tuple[float, ...]:
    """As `History.cycles_s`, of these leases."""
    return tuple(cycle / SECOND for lease in leases if lease.told for cycle in lease.cycles_ns)
