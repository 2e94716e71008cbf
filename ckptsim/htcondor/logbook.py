"""Follows the jobs of one log from slot to slot, event by event.

The traps are listed in leases.py; the numbers are those of htcondor-observed.md.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ckptsim.htcondor.eventlog import Damage, Event
from ckptsim.htcondor.meanings import (
    bytes_of,
    checkpointed,
    code_of,
    end_by_code,
    end_by_hold,
    held_on_exit,
    lost_by_shadow,
    requeued,
)
from ckptsim.htcondor.stays import (
    LEFT_AT_A_CHECKPOINT,
    Attempt,
    Doing,
    End,
    Gap,
    History,
    Lease,
    Stretch,
)
from ckptsim.units import SECOND

# The same moment, for stamps in whole seconds of events written one after the other.
_SAME_NS = SECOND
# The final transfer is over when the end is told, if that is no later than this.
_DELIVERED_NS = 10 * SECOND
# A job that is silent at the end of the log for longer than this, and than any lease in it lasted,
# is not still running: its end is missing.
_SILENCE_LEAST_NS = 24 * 3600 * SECOND
# After these ends a job waits for another slot.
_QUEUED_AGAIN = {End.EVICTED, End.POWER_FAILURE, End.RESCHEDULED, End.EXCEPTION}


@dataclass(slots=True)
class _Job:
    """Where a job is now; the times are None while they do not apply."""

    start_ns: int | None = None  # of its lease
    placed_ns: int | None = None  # on its slot
    alive_ns: int = 0  # latest sign of life
    lost_ns: int | None = None  # contact lost
    input_ns: int | None = None  # input transfer started
    idle_ns: int | None = None  # in the queue
    waited_ns: int | None = None  # in the queue before this slot
    doing: Doing | None = None  # None: computing, if it is on a slot
    since_ns: int = 0  # doing so
    told: list[Stretch] = field(default_factory=list)  # what the slot did before that
    last: int | None = None  # the latest lease, by its place in the book
    waits: bool = False  # for another slot since then

    def turn(self, doing: Doing | None, time_ns: int) -> None:
        """Do something else from now on; a clock set back stands still."""
        now = max(time_ns, self.since_ns)
        if self.doing is not None:
            self.told.append(Stretch(self.doing, self.since_ns, now))
        self.doing, self.since_ns = doing, now

    def was_no_checkpoint(self) -> None:
        """The latest transfer that looked like a checkpoint's was another one."""
        for place in range(len(self.told) - 1, -1, -1):
            if self.told[place].doing is Doing.CHECKPOINT:
                self.told[place] = self.told[place]._replace(doing=Doing.TRANSFER)
                return


class Logbook:
    """Follows the jobs of one log through its events."""

    def __init__(self, log: str) -> None:
        self.log = log
        self.jobs: dict[tuple[int, int], _Job] = {}
        self.leases: list[Lease] = []
        self.attempts: list[Attempt] = []
        self.inputs_s: list[float] = []
        self.gaps: list[Gap] = []
        self.oddities: Counter[str] = Counter()
        self.events = 0
        self.time_ns = 0

    def enter(self, event: Event) -> None:
        """Take the next event of the log."""
        self.events += 1
        self.time_ns = event.time_ns
        job = self._job(event)
        meaning = _MEANINGS.get(event.number)
        if meaning:
            meaning(self, event, job)
        job.alive_ns = event.time_ns

    def _job(self, event: Event) -> _Job:
        name = event.cluster, event.proc
        job = self.jobs.get(name)
        if job is None:
            job = self.jobs[name] = _Job()
        return job

    def close(self, damage: tuple[Damage, ...]) -> History:
        """End what is still under way where the log ends; `damage` is what could not be read."""
        longest_ns = max((lease.end_ns - lease.start_ns for lease in self.leases), default=0)
        silence_ns = max(longest_ns, _SILENCE_LEAST_NS)
        for (cluster, proc), job in self.jobs.items():
            if job.placed_ns is not None:
                self._close_stay(f"{cluster}.{proc}", job, silence_ns)
        return History(
            self.log,
            tuple(self.leases),
            tuple(self.inputs_s),
            tuple(self.gaps),
            self.events,
            damage,
            dict(self.oddities),
            tuple(self.attempts),
        )

    def _close_stay(self, name: str, job: _Job, silence_ns: int) -> None:
        """End the stay of a job that is on a slot when the log ends."""
        # In logs joined out of order the last event may be earlier than the job's own.
        end_ns, end = max(self.time_ns, job.alive_ns), End.RUNNING
        if end_ns - job.alive_ns > silence_ns:
            self.oddities["stay without an end, silent for longer than any other lasted"] += 1
            end_ns, end = job.alive_ns, End.SILENT
        if job.start_ns is None:
            self._give_up(name, job, end_ns)
        else:
            self._end(name, job, end_ns, end, None)

    # --- to a slot ---

    def submitted(self, event: Event, job: _Job) -> None:
        self._abandon(event, job)
        # A cluster number used again is another job.
        self.jobs[event.cluster, event.proc] = _Job(idle_ns=event.time_ns)

    def _abandon(self, event: Event, job: _Job) -> None:
        """End a stay whose end the log does not tell, at its latest sign of life."""
        if job.start_ns is not None:
            end = End.UNTOLD if job.lost_ns is None else End.POWER_FAILURE
            self._end(event.job, job, job.alive_ns, end, None)
            self.oddities["another start, with no end of the lease before it"] += 1
        elif job.placed_ns is not None:
            self._give_up(event.job, job, job.alive_ns)

    def _place(self, event: Event, job: _Job) -> None:
        idle_ns, job.idle_ns = job.idle_ns, None
        job.waited_ns = None if idle_ns is None else max(event.time_ns - idle_ns, 0)
        job.placed_ns = job.since_ns = event.time_ns
        job.doing, job.told = None, []

    def _give_up(self, name: str, job: _Job, time_ns: int) -> None:
        """Write down a slot on which the job did not start."""
        job.turn(None, time_ns)
        assert job.told
        self.attempts.append(Attempt(self.log, name, tuple(job.told), job.waited_ns))
        job.placed_ns = job.input_ns = None
        job.idle_ns = time_ns

    def started(self, event: Event, job: _Job) -> None:
        if job.start_ns is not None:
            self._abandon(event, job)
        # A clock set back since the input's transfer makes its times of no use.
        if job.placed_ns is None or event.time_ns < job.since_ns:
            self._place(event, job)
        job.turn(None, event.time_ns)
        if job.waits and job.last is not None:
            before = self.leases[job.last]
            self.gaps += [Gap(before.end, s) for s in self._since(before.end_ns, event)]
        job.start_ns = event.time_ns
        job.lost_ns, job.waits = None, False

    # --- on the slot ---

    def transferred(self, event: Event, job: _Job) -> None:
        match event.text:
            case "Entered queue to transfer input files":
                self._fetching(event, job, Doing.TRANSFER_WAIT)
            case "Started transferring input files":
                self._fetching(event, job, Doing.INPUT)
                job.input_ns = event.time_ns
            case "Finished transferring input files" if job.input_ns is not None:
                self.inputs_s += self._since(job.input_ns, event)
                job.input_ns = None
                if job.start_ns is None:
                    job.turn(Doing.STARTING, event.time_ns)
            case "Entered queue to transfer output files" if job.start_ns is not None:
                job.turn(Doing.TRANSFER_WAIT, event.time_ns)
            case "Started transferring output files" if job.start_ns is not None:
                job.turn(Doing.TRANSFER, event.time_ns)
            case "Finished transferring output files" if job.doing is Doing.TRANSFER:
                job.doing = Doing.CHECKPOINT
                job.turn(None, event.time_ns)

    def _fetching(self, event: Event, job: _Job, doing: Doing) -> None:
        if (
            job.placed_ns is None
            or job.doing is not Doing.TRANSFER_WAIT
            or job.start_ns is not None
        ):
            self._abandon(event, job)
            self._place(event, job)
        job.turn(doing, event.time_ns)

    def saved(self, event: Event, job: _Job) -> None:
        """HTCondor took a checkpoint itself; it does not tell how long that took."""
        if job.start_ns is not None:
            job.turn(Doing.CHECKPOINT, event.time_ns)
            job.turn(None, event.time_ns)

    def suspended(self, event: Event, job: _Job) -> None:
        if job.start_ns is not None and job.doing is None:
            job.turn(Doing.SUSPENDED, event.time_ns)

    def unsuspended(self, event: Event, job: _Job) -> None:
        if job.doing is Doing.SUSPENDED:
            job.turn(None, event.time_ns)

    def erred(self, event: Event, job: _Job) -> None:
        """The transfer that an error of the starter tells of was no checkpoint (G41)."""
        if code_of(event) in {None, LEFT_AT_A_CHECKPOINT}:
            return
        if job.doing is Doing.TRANSFER:
            job.turn(None, event.time_ns)
        elif event.time_ns - job.since_ns <= _SAME_NS:
            job.was_no_checkpoint()

    def disconnected(self, event: Event, job: _Job) -> None:
        if job.start_ns is not None:
            job.lost_ns = event.time_ns

    def reconnected(self, _event: Event, job: _Job) -> None:
        job.lost_ns = None

    # --- from the slot ---

    def evicted(self, event: Event, job: _Job) -> None:
        code = code_of(event)
        end = end_by_code(code)
        if requeued(event):
            end = End.RESCHEDULED
            job.was_no_checkpoint()  # the output of that run
        elif checkpointed(event):
            self.saved(event, job)
        if code == LEFT_AT_A_CHECKPOINT and job.start_ns is not None and job.doing is None:
            job.doing = Doing.VACATING  # since the transfer, for it was not started again
        if self._ended(event, job, end, code, "eviction (004)"):
            job.waits = end in {End.EVICTED, End.POWER_FAILURE, End.RESCHEDULED}

    def terminated(self, event: Event, job: _Job) -> None:
        job.was_no_checkpoint()  # the final transfer
        delivered = job.doing is None and bool(job.told) and job.told[-1].doing is Doing.TRANSFER
        if delivered and 0 <= event.time_ns - job.since_ns <= _DELIVERED_NS:
            job.told[-1] = job.told[-1]._replace(end_ns=event.time_ns)
            job.since_ns = event.time_ns
        job.lost_ns = None  # it was there to the end
        self._ended(event, job, End.FINISHED, None, "end (005)")

    def excepted(self, event: Event, job: _Job) -> None:
        lost = lost_by_shadow(event)
        end = End.POWER_FAILURE if lost else End.EXCEPTION
        if self._ended(event, job, end, None, "shadow exception (007)"):
            job.waits = lost

    def held(self, event: Event, job: _Job) -> None:
        code = code_of(event)
        end = end_by_hold(event, code)
        if held_on_exit(event):
            job.was_no_checkpoint()  # the output of that run (A9)
        self._leave_queue(event, job, end, code)

    def removed(self, event: Event, job: _Job) -> None:
        self._leave_queue(event, job, End.REMOVED, None)

    def _leave_queue(self, event: Event, job: _Job, end: End, code: int | None) -> None:
        if job.start_ns is not None:
            self._end(event.job, job, event.time_ns, end, code, event)
        elif job.placed_ns is not None:
            self._give_up(event.job, job, event.time_ns)
        job.idle_ns = None
        self._explain(event, job, end, code)

    def _explain(self, event: Event, job: _Job, end: End, code: int | None) -> None:
        """Put right an end without a code, told by the hold or removal in the same second."""
        job.waits = False
        before = None if job.last is None else self.leases[job.last]
        if job.last is None or before is None or before.code is not None:
            return
        if not 0 <= event.time_ns - before.end_ns <= _SAME_NS:
            return
        if before.end is End.EVICTED or (before.end is End.EXCEPTION and end is End.HELD):
            self.leases[job.last] = replace(before, end=end, code=code)
        elif before.end is End.EXCEPTION and end is not End.REMOVED:
            self.leases[job.last] = replace(before, code=code)

    def released(self, event: Event, job: _Job) -> None:
        if job.placed_ns is None:
            job.idle_ns = event.time_ns

    def given_up(self, event: Event, job: _Job) -> None:
        if self._ended(event, job, End.POWER_FAILURE, None, "lost contact (024)"):
            job.waits = True

    def _ended(self, event: Event, job: _Job, end: End, code: int | None, what: str) -> bool:
        if job.start_ns is not None:
            self._end(event.job, job, event.time_ns, end, code, event)
            return True
        if job.placed_ns is not None:
            self._give_up(event.job, job, event.time_ns)
        elif job.last is None or self.leases[job.last].end is not End.POWER_FAILURE:
            self.oddities[f"{what} of a job that had not started"] += 1
        return False

    def _end(
        self,
        name: str,
        job: _Job,
        time_ns: int,
        end: End,
        code: int | None,
        event: Event | None = None,
    ) -> None:
        """Write the lease down; it ended when contact was lost, if it was."""
        assert job.start_ns is not None
        end_ns = time_ns if job.lost_ns is None else job.lost_ns
        if end_ns < job.start_ns:
            self.oddities["lease that ends before it starts (a clock set back)"] += 1
        else:
            told = _told(job, end_ns, time_ns)
            sent, received = (None, None) if event is None else bytes_of(event)
            saved = event is not None and event.number == 4 and checkpointed(event)
            job.last = len(self.leases)
            self.leases.append(
                Lease(
                    self.log,
                    name,
                    job.start_ns,
                    end_ns,
                    end,
                    code,
                    told,
                    job.waited_ns,
                    sent,
                    received,
                    saved,
                )
            )
        job.start_ns = job.placed_ns = job.lost_ns = job.input_ns = job.doing = None
        job.idle_ns = time_ns if end in _QUEUED_AGAIN else None

    def _since(self, start_ns: int, event: Event) -> list[float]:
        """Seconds since then: one number, or none where a clock was set back."""
        if event.time_ns < start_ns:
            self.oddities["wait that ends before it starts (a clock set back)"] += 1
            return []
        return [(event.time_ns - start_ns) / SECOND]


def _told(job: _Job, end_ns: int, given_up_ns: int) -> tuple[Stretch, ...]:
    """What the slot was doing until the lease ended, and until a dead one was given up."""
    job.turn(None, end_ns)
    told = [Stretch(d, min(s, end_ns), min(e, end_ns)) for d, s, e in job.told]
    if job.lost_ns is not None and given_up_ns > end_ns:
        told.append(Stretch(Doing.DISCONNECTED, end_ns, given_up_ns))
    return tuple(told)


_MEANINGS: dict[int, Callable[[Logbook, Event, _Job], None]] = {
    0: Logbook.submitted,
    1: Logbook.started,
    3: Logbook.saved,
    4: Logbook.evicted,
    5: Logbook.terminated,
    7: Logbook.excepted,
    9: Logbook.removed,
    10: Logbook.suspended,
    11: Logbook.unsuspended,
    12: Logbook.held,
    13: Logbook.released,
    21: Logbook.erred,
    22: Logbook.disconnected,
    23: Logbook.reconnected,
    24: Logbook.given_up,
    40: Logbook.transferred,
}
