"""From the events of job event logs to leases: how long each lasted and how it ended.

A lease is one stay of a job on a slot, from event 001 to the event that ends it. What the events
mean was seen with HTCondor 25.14 (htcondor-observed.md; its numbers are cited below) and in logs of
older pools. The traps:

* a restart in place after a checkpoint writes no 001: it is still the same lease (A1);
* a slot that is lost without notice is gone when contact breaks (022), not when HTCondor gives up
  (024, then 004 code 1008), a contact lease later (F35);
* a 004 of older pools has no code: it may be the user's own condor_rm or condor_hold, told by the
  009 or 012 that follows within the second;
* limits and policies of the job hold it with a 012 and no 004 (E31-33);
* a shadow that dies writes nothing: just another start (F40);
* checkpoint and final transfers look alike (A1): the last one before the end is the output.

`observed` is for statistics: the slot was taken (eviction) or lost (power failure). Every other end
only tells that the slot would have lasted at least as long: the lease is censored.
"""

import enum
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ckptsim.htcondor.eventlog import Damage, Event, read
from ckptsim.units import SECOND


class End(enum.Enum):
    """How a lease ended."""

    FINISHED = "finished"
    EVICTED = "evicted"
    POWER_FAILURE = "power failure"
    LIMIT = "runtime limit"
    REMOVED = "removed"
    HELD = "held by the user"
    FAILED = "failed"
    RESCHEDULED = "rescheduled"
    RUNNING = "still running"


@dataclass(frozen=True, slots=True)
class Lease:
    """One stay of a job on a slot.

    Times are in nanoseconds on the clock of the log; `code` is HTCondor's reason for the end, None
    where the log has none. FAILED is an error or a policy's hold; RESCHEDULED: the job left by
    itself, at a checkpoint (code 1025) or by its own policy, and was queued again.
    """

    log: str
    job: str
    start_ns: int
    end_ns: int
    end: End
    code: int | None = None

    @property
    def duration_s(self) -> float:
        """How long it lasted, in seconds."""
        return (self.end_ns - self.start_ns) / SECOND

    @property
    def observed(self) -> bool:
        """Whether the slot was taken or lost, rather than left."""
        return self.end in {End.EVICTED, End.POWER_FAILURE}


@dataclass(frozen=True, slots=True)
class Gap:
    """Seconds from losing a slot to starting on the next one, for a job that was not held."""

    after: End
    duration_s: float


@dataclass(frozen=True)
class History:
    """What one log tells.

    In seconds: `transfers_s` of checkpoints to the access point; `inputs_s` of input files;
    `cycles_s` from a checkpoint's transfer (or the start of the lease) to the start of the next
    one's: restart, interval and write. `damage` is what could not be read; `oddities` counts events
    that fit no lease.
    """

    log: str
    leases: tuple[Lease, ...]
    transfers_s: tuple[float, ...]
    inputs_s: tuple[float, ...]
    cycles_s: tuple[float, ...]
    gaps: tuple[Gap, ...]
    events: int
    damage: tuple[Damage, ...]
    oddities: dict[str, int] = field(default_factory=dict)


def follow(path: Path) -> History:
    """Follow the jobs of a log from slot to slot; raises DataError as `eventlog.read` does."""
    damage = list[Damage]()
    book = _Book(str(path))
    for event in _exactly_timed(_undamaged(read(path), damage)):
        book.enter(event)
    return book.close(tuple(damage))


def counted(number: int, word: str) -> str:
    """`1 lease`, `2,198 leases`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _undamaged(items: Iterable[Event | Damage], damage: list[Damage]) -> Iterator[Event]:
    for item in items:
        if isinstance(item, Damage):
            damage.append(item)
        else:
            yield item


# --- times to the millisecond, where the log has them ---------------------------------------------

_TRIGGER = re.compile(r"TriggerEventTypeNumber = (\d+)")
_FRACTION = re.compile(r'EventTime = "[-\dT:]+\.(\d{1,9})"')


def _exactly_timed(events: Iterable[Event]) -> Iterator[Event]:
    """Give each event the milliseconds of its 028, if any (job_ad_information_attrs; I53)."""
    held: Event | None = None
    for event in events:
        if held is not None:
            yield _retimed(held, event) if event.number == 28 else held
        held = event
    if held is not None:
        yield held


def _retimed(event: Event, information: Event) -> Event:
    told = "\n".join(information.body)
    trigger, fraction = _TRIGGER.search(told), _FRACTION.search(told)
    if information.job != event.job or trigger is None or int(trigger[1]) != event.number:
        return event
    if fraction is None or event.time_ns % SECOND:
        return event
    return replace(event, time_ns=event.time_ns + int(fraction[1].ljust(9, "0")))


# --- what the events mean -------------------------------------------------------------------------

_CODE = re.compile(r"Code (\d+) Subcode -?\d+")
# The claim could not be used again after a checkpoint: too old, draining, retiring (D28).
LEFT_AT_A_CHECKPOINT = 1025
# HTCondor's hold and vacate codes (`condor_includes/condor_holdcodes.h`). The vacate codes not
# named here (PREEMPT, drain, rank or priority, shutdown, condor_vacate_job ...) take the slot away.
_ENDS = {
    1: End.HELD,  # condor_hold
    46: End.LIMIT,  # allowed_job_duration
    47: End.LIMIT,  # allowed_execute_duration
    1000: End.RESCHEDULED,  # the job's periodic_vacate
    1002: End.FAILED,  # shadow exception
    1003: End.FAILED,  # job not started
    1005: End.RESCHEDULED,
    1006: End.FAILED,  # claim could not be activated
    1007: End.FAILED,  # starter error
    1008: End.POWER_FAILURE,  # reconnect failed
    1012: End.FAILED,  # startd exception
    1023: End.REMOVED,  # condor_rm
    LEFT_AT_A_CHECKPOINT: End.RESCHEDULED,
}
_VACATE_CODES = 1000  # hold codes are below
# The same moment, for stamps in whole seconds of events written one after the other.
_SAME_NS = SECOND


def _code(event: Event) -> int | None:
    for line in (event.text, *event.body):
        if match := _CODE.search(line):
            return int(match[1]) or None
    return None


def _end_by_code(code: int | None) -> End:
    if code is None or code in _ENDS:
        return _ENDS.get(code or 0, End.EVICTED)
    return End.EVICTED if code >= _VACATE_CODES else End.FAILED


def _end_by_hold(event: Event, code: int | None) -> End:
    by_hand = any("via condor_hold" in line for line in event.body)
    if code in {46, 47}:
        return End.LIMIT
    return End.HELD if code == 1 or by_hand else End.FAILED


def _requeued(event: Event) -> bool:
    """Whether a 004 tells of a job that ended and was queued again by on_exit_remove (H45)."""
    return any("Job terminated and was requeued" in line for line in event.body)


@dataclass(slots=True)
class _Job:
    """Where a job is now; the times are None while they do not apply."""

    start_ns: int | None = None
    alive_ns: int = 0  # latest sign of life
    lost_ns: int | None = None  # contact lost
    input_ns: int | None = None  # input transfer started
    output_ns: int | None = None  # output transfer started
    cycle_ns: int = 0  # start of the lease, or end of the latest output transfer
    outputs: list[tuple[float, float]] = field(default_factory=list)  # transfer and cycle before it
    last: int | None = None  # the latest lease, by its place in the book
    waits: bool = False  # for another slot since then


class _Book:
    """Follows the jobs of one log through its events."""

    def __init__(self, log: str) -> None:
        self.log = log
        self.jobs: dict[str, _Job] = {}
        self.leases: list[Lease] = []
        self.transfers_s: list[float] = []
        self.cycles_s: list[float] = []
        self.inputs_s: list[float] = []
        self.gaps: list[Gap] = []
        self.oddities: Counter[str] = Counter()
        self.events = 0
        self.time_ns = 0

    def enter(self, event: Event) -> None:
        self.events += 1
        self.time_ns = event.time_ns
        job = self.jobs.setdefault(event.job, _Job())
        meaning = _MEANINGS.get(event.number)
        if meaning:
            meaning(self, event, job)
        job.alive_ns = event.time_ns

    def close(self, damage: tuple[Damage, ...]) -> History:
        for name, job in self.jobs.items():
            if job.start_ns is not None:
                # In logs joined out of order the last event may be earlier than the job's own.
                self._end(name, job, max(self.time_ns, job.alive_ns), End.RUNNING, None)
        return History(
            self.log,
            tuple(self.leases),
            tuple(self.transfers_s),
            tuple(self.inputs_s),
            tuple(self.cycles_s),
            tuple(self.gaps),
            self.events,
            damage,
            dict(self.oddities),
        )

    def submitted(self, event: Event, job: _Job) -> None:
        self._abandon(event, job)
        self.jobs[event.job] = _Job()  # a cluster number used again is another job

    def started(self, event: Event, job: _Job) -> None:
        self._abandon(event, job)
        if job.waits and job.last is not None:
            before = self.leases[job.last]
            self.gaps += [Gap(before.end, s) for s in self._since(before.end_ns, event)]
        job.start_ns = job.cycle_ns = event.time_ns
        job.lost_ns, job.output_ns, job.outputs, job.waits = None, None, [], False

    def _abandon(self, event: Event, job: _Job) -> None:
        """End a lease whose end the log does not tell, at its latest sign of life."""
        if job.start_ns is not None:
            end = End.FAILED if job.lost_ns is None else End.POWER_FAILURE
            self._end(event.job, job, job.alive_ns, end, None)
            self.oddities["another start, with no end of the lease before it"] += 1

    def transferred(self, event: Event, job: _Job) -> None:
        match event.text:
            case "Started transferring input files":
                self._abandon(event, job)
                job.input_ns = event.time_ns
            case "Finished transferring input files" if job.input_ns is not None:
                self.inputs_s += self._since(job.input_ns, event)
                job.input_ns = None
            case "Started transferring output files":
                job.output_ns = event.time_ns
            case "Finished transferring output files" if job.output_ns is not None:
                cycle = (job.output_ns - job.cycle_ns) / SECOND
                job.outputs += [(s, cycle) for s in self._since(job.output_ns, event)]
                job.output_ns, job.cycle_ns = None, event.time_ns

    def erred(self, event: Event, job: _Job) -> None:
        """Forget the transfer that an error of the starter tells of: it was no checkpoint (G41)."""
        if _code(event) not in {None, LEFT_AT_A_CHECKPOINT}:
            del job.outputs[-1:]

    def evicted(self, event: Event, job: _Job) -> None:
        code = _code(event)
        end = _end_by_code(code)
        if _requeued(event):
            end = End.RESCHEDULED
            del job.outputs[-1:]  # the output of that run, not a checkpoint
        if self._ended(event, job, end, code, "eviction (004)"):
            job.waits = end in {End.EVICTED, End.POWER_FAILURE, End.RESCHEDULED}

    def terminated(self, event: Event, job: _Job) -> None:
        del job.outputs[-1:]  # the final transfer
        job.lost_ns = None  # it was there to the end
        self._ended(event, job, End.FINISHED, None, "end (005)")

    def excepted(self, event: Event, job: _Job) -> None:
        # What shadows write that do not try to reconnect.
        lost = any("Can no longer talk to condor_starter" in line for line in event.body)
        end = End.POWER_FAILURE if lost else End.FAILED
        if self._ended(event, job, end, None, "shadow exception (007)"):
            job.waits = lost

    def held(self, event: Event, job: _Job) -> None:
        code = _code(event)
        end = _end_by_hold(event, code)
        if event.time_ns - job.cycle_ns <= _SAME_NS:
            del job.outputs[-1:]  # on_exit_hold: the output of that run (A9)
        if job.start_ns is not None:
            self._end(event.job, job, event.time_ns, end, code)
        self._explain(event, job, end, code)

    def removed(self, event: Event, job: _Job) -> None:
        if job.start_ns is not None:
            self._end(event.job, job, event.time_ns, End.REMOVED, None)
        self._explain(event, job, End.REMOVED, None)

    def _explain(self, event: Event, job: _Job, end: End, code: int | None) -> None:
        """Put right an eviction without a code, told by the hold or removal in the same second."""
        job.waits = False
        before = None if job.last is None else self.leases[job.last]
        if job.last is None or before is None or before.end is not End.EVICTED:
            return
        if before.code is None and event.time_ns - before.end_ns <= _SAME_NS:
            self.leases[job.last] = replace(before, end=end, code=code)

    def disconnected(self, event: Event, job: _Job) -> None:
        if job.start_ns is not None:
            job.lost_ns = event.time_ns

    def reconnected(self, _event: Event, job: _Job) -> None:
        job.lost_ns = None

    def given_up(self, event: Event, job: _Job) -> None:
        if self._ended(event, job, End.POWER_FAILURE, None, "lost contact (024)"):
            job.waits = True

    def _ended(self, event: Event, job: _Job, end: End, code: int | None, what: str) -> bool:
        if job.start_ns is None:
            if job.last is None or self.leases[job.last].end is not End.POWER_FAILURE:
                self.oddities[f"{what} of a job that had not started"] += 1
            return False
        self._end(event.job, job, event.time_ns, end, code)
        return True

    def _end(self, name: str, job: _Job, time_ns: int, end: End, code: int | None) -> None:
        """Write the lease down; it ended when contact was lost, if it was."""
        assert job.start_ns is not None
        end_ns = time_ns if job.lost_ns is None else job.lost_ns
        if end_ns < job.start_ns:
            self.oddities["lease that ends before it starts (a clock set back)"] += 1
        else:
            job.last = len(self.leases)
            self.leases.append(Lease(self.log, name, job.start_ns, end_ns, end, code))
            self.transfers_s += [transfer for transfer, _ in job.outputs]
            self.cycles_s += [cycle for _, cycle in job.outputs]
        job.start_ns = job.lost_ns = job.output_ns = None
        job.outputs = []

    def _since(self, start_ns: int, event: Event) -> list[float]:
        """Seconds since then: one number, or none where a clock was set back."""
        if event.time_ns < start_ns:
            self.oddities["wait that ends before it starts (a clock set back)"] += 1
            return []
        return [(event.time_ns - start_ns) / SECOND]


_MEANINGS: dict[int, Callable[[_Book, Event, _Job], None]] = {
    0: _Book.submitted,
    1: _Book.started,
    4: _Book.evicted,
    5: _Book.terminated,
    7: _Book.excepted,
    9: _Book.removed,
    12: _Book.held,
    21: _Book.erred,
    22: _Book.disconnected,
    23: _Book.reconnected,
    24: _Book.given_up,
    40: _Book.transferred,
}
