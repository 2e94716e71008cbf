"""The life of a self-checkpointing job on one lease after another; all its rules are in this file.

A driver reports what happened and when (`step`); the rules say what the job does next and until
when (`Job.until`). No clock, no chance, no input or output: the time is passed in, lengths of
costs and the fate of a lease are given, and a new value comes back. So the SimPy driver, a
compiled one and one with real processes can share them.

Theory of operation. A job placed on a slot fetches its input, starts (cold) or restarts from its
last committed checkpoint, and then goes round: compute for an interval, write a checkpoint,
transfer it, restart in place. A checkpoint counts when its transfer is complete, not when it is
written (HTCondor commits the spool only when all files are in: htcondor-observed.md B12, B17).
What was computed since is lost when the lease ends. A lease ends in one of these ways:

  EXPIRED      the runtime limit was reached; nothing more is transferred (E31-E33)
  WARNED       soft kill: the job ends at once, whatever its exit code (C21), but a transfer on the
               wire goes on (C26) until it is complete or
  EVICTED      hard kill, the grace after the soft one, cuts the transfer off (C26, `-fast`). A
               HTCondor starter busy with a transfer was seen to outlive a vacate time of 1 s by
               some seconds (C26, v2), as its source's 30 s KILLING_TIMEOUT allows; the grace here
               is all the time there is, as on other systems
  POWERED_OFF  the machine is gone; the access point waits out the contact lease (F35) and only
               then queues the job again
  WITHDRAWN    soft kill too, because the job is held or removed (C19)
  by itself    the job completed, left early because no further checkpoint fits before the limit,
               or was rescheduled after a checkpoint because its claim is closing (D28): it is past
               CLAIM_WORKLIFE, or retiring

That is the life of a job that ends with an agreed exit code after each checkpoint. HTCondor's
manual has other ways (`Mode`): the job may be told by a signal when to do so, may send its files
itself and compute on, may end and be queued anew with each checkpoint; or it keeps its checkpoints
in the sandbox, and they are transferred only when the slot is lost (delayed transfer, C22).

In a simulation every phase has a length when it begins. With real processes the lengths of some
are not known: they are NEVER, and the driver reports ELAPSED on a job whose phase is `over`.
So it is too where transfers share a link (link.py): a job there awaits its turn, and the driver
reports ELAPSED when it comes, and again when all bytes are over. Phases that take no time are
passed through at once and never show. Times are integer nanoseconds.

These functions run as Python and, compiled as they are, in the fast engine: so values are built
anew, not by `_replace`, and with all their fields.
"""

from enum import IntEnum
from math import ceil
from typing import NamedTuple

NEVER = 2**62
"""A time that does not come: 146 years. With any other time added it still fits into 64 bits."""

CENTURY = 36_525 * 86_400 * 10**9
"""A job not done by then is given up, so that no time runs over what 64 bits can hold."""

FRUITLESS_LEASES_MAX = 10_000
"""A job that commits nothing in so many leases in a row is said never to finish."""


class Mode(IntEnum):
    """How a job saves its work: the ways of HTCondor's manual, "Self-checkpointing jobs"."""

    EXIT_CODE = 0  # it ends with an agreed code; its checkpoint is transferred; it is started again
    EXIT_SIGNAL = 1  # the same with a signal for a code (H43)
    PERIODIC_SIGNAL = 2  # the same, whenever it gets a signal, every so often (H44)
    EARLY_EXIT = 3  # it ends for good and is queued anew (on_exit_remove, H45)
    MANUAL = 4  # it sends its checkpoint itself and computes on (H46)
    DELAYED = 5  # its checkpoints stay in the sandbox until the slot is lost (C22)
    DELAYED_SIGNAL = 6  # it writes one only then, told by the soft kill (C21, C27)
    NONE = 7


WITHOUT_INTERVAL = (Mode.DELAYED_SIGNAL, Mode.NONE)
"""The modes in which there is no interval to choose."""


class Phase(IntEnum):
    """What a job is doing."""

    QUEUED = 0
    FETCHING = 1  # input transfer
    STARTING = 2  # cold: there is no checkpoint yet
    RESTARTING = 3  # from a checkpoint, at the start of a lease
    COMPUTING = 4
    WRITING = 5
    AWAITING = 6  # its turn on the link: to send a checkpoint, or to fetch one or its input
    TRANSFERRING = 7
    RESUMING = 8  # restart in place, after a checkpoint
    VACATING = 9  # soft-killed, and still saving what it can
    DISCONNECTED = 10  # the slot is dead, the access point does not know
    DELIVERING = 11  # it ended by itself, and its output is transferred
    COMPLETED = 12
    STRANDED = 13  # can never finish
    HELD = 14
    REMOVED = 15


class Event(IntEnum):
    """What a driver may report. Of two events at one instant the lower comes first."""

    ELAPSED = 0  # the phase took its full length
    EXPIRED = 1
    WARNED = 2
    EVICTED = 3
    POWERED_OFF = 4
    PLACED = 5
    # What only people and real processes do:
    WITHDRAWN = 6  # soft kill, for a hold or a removal
    FAILED = 7  # a checkpoint's transfer came to nothing, and the job may try again
    EXITED = 8  # the job ended by itself, and not with a checkpoint
    REQUEUED = 9  # it ended by itself, and is to run again
    HELD = 10
    RELEASED = 11
    REMOVED = 12


SOFT = (Event.EXPIRED, Event.WARNED, Event.WITHDRAWN)
"""What leaves a job the time to save, if it saves when told."""


class Costs(NamedTuple):
    """How long each cost takes in one round of compute, write, transfer, restart."""

    input: int
    cold_start: int
    restart_lease: int
    restart_in_place: int
    write: int
    transfer: int


class Cargo(NamedTuple):
    """Bytes that go over a shared link; 0 for what does not."""

    checkpoint: int
    cold: int  # fetched at the start of a lease without a checkpoint
    warm: int  # and of one with it


class Row(NamedTuple):
    """From one age of the lease to the next row's, how long to compute."""

    age: int
    compute: int  # NEVER: no further checkpoint would come through
    compute_at_end: int  # where the next row begins; between the two it changes evenly


class Plan(NamedTuple):
    """What stays the same for all of a job's life."""

    work: int  # computation in all; NEVER for a job without end
    interval: int  # computation between two checkpoints; time between two signals for one
    last_checkpoint: bool  # is one written after the last block too?
    leave_early: bool
    claim_worklife: int
    least: Costs  # the least each cost can be: what can never fit is told by these
    usual: Costs  # the mean of each: a job that leaves early reckons with these
    lease_longest: int  # no lease can be longer
    fruitless_max: int
    table: tuple[Row, ...] = ()  # what to compute at which age of a lease, instead of the interval
    leave_after: int = NEVER  # a commit later in a lease than this is the last
    boundaries: tuple[int, ...] = ()  # work done at the end of each step, if only there it can stop
    mode: Mode = Mode.EXIT_CODE
    cargo: Cargo = Cargo(0, 0, 0)
    speed_most: float = 1.0  # of the fastest slot there is


class Lease(NamedTuple):
    """The fate of one stay on a slot, as instants; NEVER for what will not happen."""

    claimed: int  # when the claim began that this stay is part of
    expires: int
    warned: int
    evicted: int
    powered_off: int
    noticed: int  # when the contact lease of a powered-off machine is over
    began: int = 0
    respite: int = 0  # how long a job may still save after its limit
    retiring: int = NEVER  # from then on the claim is closing
    speed: float = 1.0  # work that the slot does in a unit of time
    first_block: int = NEVER  # the most a job computes before its first checkpoint


class Job(NamedTuple):
    """A job's state."""

    phase: Phase
    since: int  # when this phase began
    until: int  # when it ends if nothing cuts it short
    saved: int  # committed work
    unsaved: int  # work computed before this phase and not committed yet
    checkpoints: int  # committed so far
    fruitless: int  # leases in a row, this one included, that have committed nothing
    written: int = 0  # of the unsaved work, what a complete checkpoint in the sandbox holds


def submitted(plan: Plan, now: int, checkpoints: int = 0) -> Job:
    """A job as it enters the queue; with `checkpoints` it has one to restart from."""
    return requeued(plan, Job(Phase.QUEUED, now, NEVER, 0, 0, checkpoints, 0, 0), now)


def on_slot(phase: Phase) -> bool:
    """Does a job in this phase hold a slot?"""
    return Phase.QUEUED < phase < Phase.COMPLETED


def upcoming(job: Job, lease: Lease) -> tuple[int, Event]:
    """When the next event comes to a job on a slot, and which."""
    at, event = job.until, Event.ELAPSED
    if job.phase == Phase.DISCONNECTED:
        return at, event
    vacating = job.phase == Phase.VACATING
    expires = lease.expires + lease.respite if vacating else lease.expires
    if expires < at:
        at, event = expires, Event.EXPIRED
    if vacating:
        if lease.evicted < at:
            at, event = lease.evicted, Event.EVICTED
    elif lease.warned < at:
        at, event = lease.warned, Event.WARNED
    if lease.powered_off < at:
        at, event = lease.powered_off, Event.POWERED_OFF
    return at, event


def step(plan: Plan, costs: Costs, lease: Lease, job: Job, event: Event, now: int) -> Job:
    """The job after `event`, which happened at `now`; phases without length are passed through."""
    job = turned(plan, costs, lease, job, event, now)
    while job.until == now:
        job = finished(plan, costs, lease, job, now)
    return job


def turned(plan: Plan, costs: Costs, lease: Lease, job: Job, event: Event, now: int) -> Job:
    assert job.since <= now <= job.until
    match event:
        case Event.ELAPSED:
            assert now == job.until
            return finished(plan, costs, lease, job, now)
        case Event.PLACED:
            assert job.phase == Phase.QUEUED
            return placed(plan, costs, job, now)
        case Event.HELD | Event.RELEASED | Event.REMOVED:
            return set_aside(job, event, now)
        case Event.FAILED:
            assert job.phase == Phase.TRANSFERRING
            return entered(Phase.RESUMING, costs.restart_in_place, job, now)
        case Event.EXITED:
            return delivering(job, now)
    return interrupted(plan, costs, lease, job, event, now)


def interrupted(plan: Plan, costs: Costs, lease: Lease, job: Job, event: Event, now: int) -> Job:
    """The job after what takes its slot from it, at once or soon."""
    assert on_slot(job.phase)
    match event:
        case Event.WARNED | Event.WITHDRAWN if job.phase == Phase.TRANSFERRING:
            if plan.mode != Mode.MANUAL:  # there it is the job that sends, and it is killed
                return entered(Phase.VACATING, job.until - now, job, now)
        case Event.POWERED_OFF:
            return disconnected(lease, job, now)
        case Event.REQUEUED if plan.mode == Mode.EARLY_EXIT:
            return requeued(plan, credited(job), now)
    if event in SOFT and saves_when_told(plan.mode) and is_running(job.phase):
        return saving(plan, costs, lease, job, now)
    return requeued(plan, job, now)


def placed(plan: Plan, costs: Costs, job: Job, now: int) -> Job:
    """The job at the start of a lease, which is fruitless until it commits something."""
    over_link = freight(plan, job) > 0
    phase, until = (Phase.AWAITING, NEVER) if over_link else (Phase.FETCHING, now + costs.input)
    return Job(phase, now, until, job.saved, 0, job.checkpoints, job.fruitless + 1, 0)


def freight(plan: Plan, job: Job) -> int:
    """The bytes that the job has to move over the link now, or would at the start of a lease."""
    if job.unsaved > 0:
        return plan.cargo.checkpoint
    return plan.cargo.cold if job.checkpoints == 0 else plan.cargo.warm


def finished(plan: Plan, costs: Costs, lease: Lease, job: Job, now: int) -> Job:
    """The job after its phase took its full length."""
    match job.phase:
        case Phase.COMPUTING:
            return computed(plan, costs, lease, job, now)
        case Phase.WRITING:
            return wrote(plan, costs, lease, job, now)
        case Phase.AWAITING:
            phase = Phase.TRANSFERRING if job.unsaved > 0 else Phase.FETCHING
            return entered(phase, NEVER - now, job, now)
        case Phase.TRANSFERRING:
            return committed(plan, costs, lease, job, now)
        case Phase.RESUMING | Phase.STARTING | Phase.RESTARTING:
            return computing(plan, lease, job, now)
        case Phase.FETCHING if job.checkpoints == 0:
            return entered(Phase.STARTING, costs.cold_start, job, now)
        case Phase.FETCHING:
            return entered(Phase.RESTARTING, costs.restart_lease, job, now)
        case Phase.VACATING:
            return vacated(plan, credited(job), now)
        case Phase.DELIVERING:
            return Job(
                Phase.COMPLETED, now, NEVER, job.saved + job.unsaved, 0, job.checkpoints, 0, 0
            )
    assert job.phase == Phase.DISCONNECTED
    return requeued(plan, job, now)


def over(job: Job, now: int) -> Job:
    """The job with its phase at an end, where that had no known length; for ELAPSED."""
    saved, unsaved, written = job.saved, job.unsaved, job.written
    return Job(job.phase, job.since, now, saved, unsaved, job.checkpoints, job.fruitless, written)


def is_running(phase: Phase) -> bool:
    """Is its executable at work, so that it can be told to save?"""
    return phase in (Phase.COMPUTING, Phase.WRITING)


def saves_when_told(mode: Mode) -> bool:
    """Is a checkpoint transferred when the slot is lost (ON_EXIT_OR_EVICT)?"""
    return mode in (Mode.DELAYED, Mode.DELAYED_SIGNAL)


def block(plan: Plan, saved: int, age: int, most: int = NEVER) -> int:
    """Computation up to the next checkpoint or the end, begun at this age of the lease.

    At most so much, but for what it is to a boundary.
    """
    done = min(saved + min(until_checkpoint(plan, age), most), plan.work)
    for boundary in plan.boundaries:
        if boundary >= done:
            return boundary - saved
    return done - saved


def until_checkpoint(plan: Plan, age: int) -> int:
    """Computation, begun at this age of the lease, up to the next checkpoint."""
    match plan.mode:
        case Mode.DELAYED_SIGNAL | Mode.NONE:
            return NEVER
        case Mode.PERIODIC_SIGNAL:  # the machine's clock runs through all that the job does
            return plan.interval - age % plan.interval
    return interval_at(plan.table, age) if len(plan.table) > 0 else plan.interval


def interval_at(table: tuple[Row, ...], age: int) -> int:
    """How long to compute if that begins at this age of the lease."""
    place = 0
    while place + 1 < len(table) and table[place + 1].age <= age:
        place += 1
    row = table[place]
    if place + 1 == len(table) or age <= row.age:
        return row.compute
    share = (age - row.age) / (table[place + 1].age - row.age)
    return max(1, row.compute + int(share * (row.compute_at_end - row.compute)))


def entered(phase: Phase, length: int, job: Job, now: int) -> Job:
    """The job in another phase, all else as it was."""
    saved, unsaved, written = job.saved, job.unsaved, job.written
    return Job(phase, now, now + length, saved, unsaved, job.checkpoints, job.fruitless, written)


def holding(unsaved: int, written: int, job: Job) -> Job:
    """The job with another amount of work that is not committed yet."""
    saved, checkpoints = job.saved, job.checkpoints
    return Job(job.phase, job.since, job.until, saved, unsaved, checkpoints, job.fruitless, written)


def slot_time(work: int, speed: float) -> int:
    """How long a slot of this speed takes to compute it; NEVER for work without end."""
    if speed == 1.0:
        return work
    took = work / speed
    return ceil(took) if took < NEVER else NEVER


def stretch(plan: Plan, lease: Lease, job: Job, now: int) -> int:
    """Computation, begun now, up to the next checkpoint or the end."""
    most = NEVER if job.checkpoints > 0 else lease.first_block
    return block(plan, job.saved + job.unsaved, now - lease.began, most)


def computing(plan: Plan, lease: Lease, job: Job, now: int) -> Job:
    length = slot_time(stretch(plan, lease, job, now), lease.speed)
    return entered(Phase.COMPUTING, length, job, now)


def done(plan: Plan, lease: Lease, job: Job, now: int) -> int:
    """Work that a job has computed since it began to; all of the stretch at its very end."""
    elapsed = now - job.since
    if lease.speed == 1.0:
        return elapsed
    whole = stretch(plan, lease, job, job.since)
    return whole if now == job.until else min(whole, int(elapsed * lease.speed))


def computed(plan: Plan, costs: Costs, lease: Lease, job: Job, now: int) -> Job:
    unsaved = job.unsaved + done(plan, lease, job, now)
    if job.saved + unsaved == plan.work and not plan.last_checkpoint:
        return completed(plan, job, now)
    return entered(Phase.WRITING, costs.write, holding(unsaved, job.written, job), now)


def wrote(plan: Plan, costs: Costs, lease: Lease, job: Job, now: int) -> Job:
    """The checkpoint is in the sandbox, to be sent at once or when the slot is lost."""
    if plan.mode != Mode.DELAYED and plan.cargo.checkpoint > 0:
        return entered(Phase.AWAITING, NEVER - now, job, now)
    if plan.mode != Mode.DELAYED:
        return entered(Phase.TRANSFERRING, costs.transfer, job, now)
    if job.saved + job.unsaved == plan.work:
        return completed(plan, job, now)
    return computing(plan, lease, holding(job.unsaved, job.unsaved, job), now)


def saving(plan: Plan, costs: Costs, lease: Lease, job: Job, now: int) -> Job:
    """The slot is being lost to a job that saves when told: what it sends, and until when."""
    if plan.mode == Mode.DELAYED:
        told = holding(job.written, job.written, job)
        return entered(Phase.VACATING, costs.transfer, told, now)
    more = done(plan, lease, job, now) if job.phase == Phase.COMPUTING else 0
    told = holding(job.unsaved + more, job.written, job)
    return entered(Phase.VACATING, costs.write + costs.transfer, told, now)


def delivering(job: Job, now: int) -> Job:
    """The job ended by itself; how long its output takes to transfer is not known."""
    unsaved = job.unsaved + (now - job.since if job.phase == Phase.COMPUTING else 0)
    return entered(Phase.DELIVERING, NEVER - now, holding(unsaved, job.written, job), now)


def set_aside(job: Job, event: Event, now: int) -> Job:
    """What people do to a job that holds no slot."""
    assert not on_slot(job.phase)
    if event == Event.RELEASED:
        assert job.phase == Phase.HELD
        return entered(Phase.QUEUED, NEVER - now, job, now)
    return entered(Phase.HELD if event == Event.HELD else Phase.REMOVED, NEVER - now, job, now)


def committed(plan: Plan, costs: Costs, lease: Lease, job: Job, now: int) -> Job:
    """The checkpoint is safe: end, leave the slot, or restart in place."""
    job = credited(job)
    if job.saved == plan.work:
        return completed(plan, job, now)
    if leaves(plan, lease, job, now):
        return requeued(plan, job, now)
    if plan.mode == Mode.MANUAL:  # it never ended
        return computing(plan, lease, job, now)
    return entered(Phase.RESUMING, costs.restart_in_place, job, now)


def leaves(plan: Plan, lease: Lease, job: Job, now: int) -> bool:
    """Is the job to leave its slot, now that nothing would be lost by it?"""
    return (
        plan.mode == Mode.EARLY_EXIT
        or (plan.mode != Mode.MANUAL and claim_is_closing(plan, lease, now))
        or now - lease.began > plan.leave_after
        or (plan.leave_early and nothing_fits(plan, lease, job, now))
    )


def vacated(plan: Plan, job: Job, now: int) -> Job:
    """The transfer outlived the soft kill: what is left of the job, if anything, queues again."""
    return completed(plan, job, now) if job.saved == plan.work else requeued(plan, job, now)


def credited(job: Job) -> Job:
    """The job with its unsaved work committed, if there is any."""
    if job.unsaved == 0:
        return job
    saved = job.saved + job.unsaved
    return Job(job.phase, job.since, job.until, saved, 0, job.checkpoints + 1, 0, 0)


def completed(plan: Plan, job: Job, now: int) -> Job:
    return Job(Phase.COMPLETED, now, NEVER, plan.work, 0, job.checkpoints, 0, 0)


def claim_is_closing(plan: Plan, lease: Lease, now: int) -> bool:
    """After each checkpoint the claim must be reactivable, else the job is rescheduled (1025)."""
    return now - lease.claimed > plan.claim_worklife or now >= lease.retiring


def warned_at(wanted: int, began: int, retirement: int, grace: int) -> int:
    """When the soft kill comes to a lease that began then and whose slot is wanted back.

    At once, but not so early that the hard kill would come before retirement ends (D29).
    """
    return max(wanted, began + retirement - grace)


def nothing_fits(plan: Plan, lease: Lease, job: Job, now: int) -> bool:
    """Would the limit come before anything more could be committed?"""
    begins = now + (0 if plan.mode == Mode.MANUAL else plan.usual.restart_in_place)
    took = gain(plan, plan.usual, job.saved, begins - lease.began, lease.speed)
    return begins + took > lease.expires


def gain(plan: Plan, costs: Costs, saved: int, age: int, speed: float) -> int:
    """Slot time from beginning to compute, at that age, to the next commit or the job's end."""
    if plan.mode == Mode.DELAYED_SIGNAL:  # whatever it has computed can be saved
        return 1
    work = block(plan, saved, age)
    length = slot_time(work, speed)
    if saved + work == plan.work and not plan.last_checkpoint:
        return length
    if plan.mode == Mode.DELAYED:  # its transfer comes after the lease
        return length + costs.write
    return length + costs.write + costs.transfer


def disconnected(lease: Lease, job: Job, now: int) -> Job:
    return Job(
        Phase.DISCONNECTED, now, lease.noticed, job.saved, 0, job.checkpoints, job.fruitless, 0
    )


def requeued(plan: Plan, job: Job, now: int) -> Job:
    """The job off its slot: queued again, or stranded if it can never commit anything more."""
    given_up = job.fruitless >= plan.fruitless_max or now >= CENTURY
    stranded = given_up or hopeless(plan, job)
    phase = Phase.STRANDED if stranded else Phase.QUEUED
    return Job(phase, now, NEVER, job.saved, 0, job.checkpoints, job.fruitless, 0)


def hopeless(plan: Plan, job: Job) -> bool:
    """Is even the longest lease with the least costs too short for the next commit?"""
    return lease_least(plan, job) > plan.lease_longest


def lease_least(plan: Plan, job: Job) -> int:
    """The shortest lease in which the job could commit anything more."""
    least = plan.least
    start = least.cold_start if job.checkpoints == 0 else least.restart_lease
    age = least.input + start
    return age + gain(plan, least, job.saved, age, plan.speed_most)


def ending(phase: Phase, since: Event, event: Event) -> Event:
    """What took the slot from a job that was in this phase since one event, until the other.

    That is the loss itself, not the end of what followed; ELAPSED where the job left by itself.
    """
    match phase:
        case Phase.DISCONNECTED:
            return Event.POWERED_OFF
        case Phase.VACATING if event in (Event.ELAPSED, Event.EVICTED):
            return since
    return event


def begins_round(before: Job, job: Job) -> bool:
    """Did what came between begin a new round of costs?

    A commit does, as does a checkpoint complete in the sandbox, and a new lease.
    """
    return job.checkpoints != before.checkpoints or job.written > before.written
