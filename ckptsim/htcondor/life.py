"""A job's life in HTCondor's hands, without clock, process or file: what happened, what to do.

The access point tells what happened to a job and when (`matched`, `staged`, `exited`, ...); back
come the job's new value and the acts to be done: lines for its event log, orders to the machine.
Whether the work of a checkpoint counts, whether the job goes on in its sandbox or is queued again,
and where the time went is for `ckptsim.rules` and `ckptsim.ledger` to say, as in a simulation.

Every act and its order was seen in runs of a real HTCondor 25.14 (tests/golden), which comments
name by htcondor-observed.md's paragraphs: A1 to J55. Times are integer nanoseconds since 1970.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from ckptsim import ledger, rules
from ckptsim.htcondor import joblog
from ckptsim.htcondor.codes import Hold, JobStatus, Vacate
from ckptsim.htcondor.joblog import Transfer, TransferEvent
from ckptsim.rules import NEVER, Costs, Event, Mode, Phase, Plan
from ckptsim.units import SECOND

KILLING_TIMEOUT = 30 * SECOND
"""What a machine busy with a transfer has beyond its vacate time (htcondor-rules.md 2.3, C26)."""

FAILED_CHECKPOINT_DELAY = 10 * SECOND
"""From a failed checkpoint transfer to the hold (G41)."""

NOT_FOUND_DELAY = 2 * SECOND
"""From losing contact to hearing that the job is not on its machine any more (F34)."""

NOT_FOUND = "Job not found at execution machine"
"""Why a job whose machine is there again without it is given up (F34)."""

LOST_CLAIM_DELAY = 10 * SECOND
"""From giving up a machine to queueing the job: three tries to end the claim (F35)."""

RESCHEDULED = (
    "Rescheduling self-checkpoint job after checkpoint upload because reactivating the claim "
    "would have failed."
)


class Stage(IntEnum):
    """What HTCondor is doing with a job."""

    IDLE = 0
    STAGING = 1  # its sandbox is made, its input transferred
    RUNNING = 2
    CHECKPOINTING = 3  # it ended with a checkpoint, which is transferred
    STOPPING = 4  # it was sent the soft kill's signal
    KILLING = 5  # it was sent SIGKILL
    SAVING = 6  # stopped, its files are transferred for the next time (ON_EXIT_OR_EVICT)
    DELIVERING = 7  # it ended by itself, its output is transferred
    LOST = 8  # contact with the machine is lost
    PARTING = 9  # all is over on the slot, the access point takes its time to say so
    HELD = 10
    COMPLETED = 11
    REMOVED = 12


ON_SLOT = range(Stage.STAGING, Stage.HELD)
ENDED = (Stage.COMPLETED, Stage.REMOVED)


class Terms(NamedTuple):
    """What a job asks for; None for what it does not. Times in nanoseconds."""

    checkpoint_status: int | None = None  # the raw wait status that means "I wrote a checkpoint"
    promised_status: int = 0  # the same, of a job that is told by a signal when to write one
    on_evict: bool = False  # ON_EXIT_OR_EVICT
    contact_lease: int = 2400 * SECOND
    job_duration: int | None = None
    execute_duration: int | None = None
    user: str = "user"
    delays: bool = True  # does the access point take its time as HTCondor's does?


class Why(NamedTuple):
    """Why a stay on a slot is brought to an end, and what becomes of the job."""

    then: Stage  # IDLE, HELD or REMOVED
    code: int
    reason: str
    subcode: int = 0
    evicted: bool = True  # is there an event 004? None for holds by the job's own limits (E31)
    event: Event = Event.WARNED  # what that is to the rules
    kept: bool = False  # is what an early exit left behind there for the next run (k2)?
    at: int = 0


class Stay(NamedTuple):
    """One stay on a slot."""

    slot: str  # slot1_3@ep2@host
    host: str  # the machine's address
    began: int  # when the shadow started
    properties: dict[str, Any]  # of the slot, for event 001
    usage: joblog.Usage
    vacate_time: int
    received: int = 0  # bytes
    sent: int = 0  # bytes, by the last transfer only (I50)
    executions: int = 0
    started: int = 0  # the present execution
    ended: int = 0  # the last one
    saved: int = 0  # when the execution ended whose checkpoint was the last to be committed
    clock: int = 0  # what allowed_execute_duration counts from (E32)
    first: int = 0  # when the first execution started
    signalled: bool = False  # has a checkpoint been asked for?
    asked: int = 0  # when the machine last asked for one
    updated: int = 0  # last word from the machine
    why: Why | None = None
    deadline: int = NEVER  # of the present stage
    status: int = 0  # how the last execution ended


class Counts(NamedTuple):
    """What a job's ad counts over all its life; times in whole seconds as there."""

    shadow_starts: int = 0
    job_starts: int = 0
    completions: int = 0
    holds: int = 0
    vacates: int = 0
    checkpoint_number: int = -1
    committed_s: int = 0  # HTCondor's CommittedTime (I48)
    wall_s: float = 0.0
    sent: int = 0
    received: int = 0


class Life(NamedTuple):
    """A job as the access point knows it."""

    terms: Terms
    job: rules.Job
    books: tuple[int, ...]  # the ledger
    submitted: int
    stage: Stage = Stage.IDLE
    since: int = 0  # when the stage began
    status_since: int = 0  # when what `status` says began
    stay: Stay | None = None
    lease: rules.Lease = rules.Lease(0, NEVER, NEVER, NEVER, NEVER, NEVER)
    worklife: int = NEVER
    counts: Counts = Counts()
    held: Why | None = None
    exit_status: int = 0  # how a completed job ended, as a raw wait status


class Log(NamedTuple):
    """Act: write this to the job's event log."""

    event: joblog.Event


class Tell(NamedTuple):
    """Act: give the machine an order; `purpose` tells transfers apart."""

    order: str
    purpose: str = ""


class Leave(NamedTuple):
    """Act: the slot is free again; the claim on it is kept by a job that completed."""

    completed: bool


class Forget(NamedTuple):
    """Act: nothing of the job is to be kept: its spool may go."""


Act = Log | Tell | Leave | Forget
Marks = Sequence[tuple[str, int]]
"""What an executable said of its own phases, and when: `starting`, `computing`, `writing`."""
Then = tuple[Life, list[Act]]

OPEN = Costs(NEVER, NEVER, NEVER, NEVER, NEVER, NEVER)
"""Nobody knows beforehand how long anything takes."""

FREE = Costs(0, 0, 0, 0, 0, 0)


def submitted(terms: Terms, host: str, now: int) -> Then:
    """A job as it enters the queue."""
    job = rules.submitted(plan_of(Mode.EXIT_CODE, NEVER), now)
    life = Life(terms, job, tuple(ledger.opened()), now, since=now, status_since=now)
    return life, [Log(joblog.Submitted(host))]


# --- on a slot ------------------------------------------------------------------------------------


def matched(life: Life, stay: Stay, lease: rules.Lease, worklife: int, now: int) -> Then:
    """The job got a slot: its sandbox is to be made there."""
    assert life.stage == Stage.IDLE
    counts = life.counts._replace(shadow_starts=life.counts.shadow_starts + 1)
    life = life._replace(stay=stay, lease=lease, worklife=worklife, counts=counts)
    life = entered(Stage.STAGING, told(life, Event.PLACED, now), now)
    return life, [Log(TransferEvent(Transfer.INPUT_STARTED, stay.host)), Tell("stage")]


def staged(life: Life, received: int, now: int) -> Then:
    """All its files are in the sandbox."""
    if life.stage != Stage.STAGING:
        return life, []
    life = on_stay(told(life, Event.ELAPSED, now), received=received, updated=now)
    return started_anew(life, now, [Log(TransferEvent(Transfer.INPUT_FINISHED))])


def stage_failed(life: Life, error: str, errno: int, now: int) -> Then:
    """A file that was to go into the sandbox could not."""
    if life.stage != Stage.STAGING:
        return life, []
    slot = stay_of(life).slot
    why = Why(
        Stage.HELD,
        Hold.INPUT_FAILED,
        f"Transfer input files failure at access point while sending files to execution point "
        f"{slot}. Details: {error}",
        errno,
        event=Event.WITHDRAWN,
        at=now,
    )
    return parted(on_stay(life, why=why), now, [Log(TransferEvent(Transfer.INPUT_FINISHED))])


def started(life: Life, now: int) -> Then:
    """Its executable runs: of a stay's executions only the first is logged (A1)."""
    stay = stay_of(life)
    life = on_stay(life, started=now, updated=now, executions=stay.executions + 1)
    if stay.executions:
        return life, []
    life = on_stay(life, clock=now, first=now)
    life = counted(life, job_starts=life.counts.job_starts + 1)
    return life, [Log(joblog.Executing(stay.host, stay.slot, stay.properties))]


def start_failed(life: Life, error: str, errno: int, now: int) -> Then:
    """The executable could not be run."""
    if life.stage in (Stage.STOPPING, Stage.KILLING):  # that was asked for just before
        return parted(life, now, [])
    if life.stage != Stage.RUNNING:
        return life, []
    reason = f"Error from {stay_of(life).slot}: {error}"
    why = Why(Stage.HELD, Hold.CANNOT_START, reason, errno, event=Event.WITHDRAWN, at=now)
    return parted(on_stay(life, why=why), now, [])


def exited(life: Life, status: int, marks: Marks, now: int) -> Then:
    """Its process ended, with a raw wait status; `marks` is what it said of its phases."""
    life = on_stay(life, ended=now, updated=now, status=status)
    match life.stage:
        case Stage.RUNNING:
            return by_itself(executed(life, marks, now), status, now)
        case Stage.STOPPING if life.terms.on_evict:
            return saving(executed(life, marks, the_why(life).at), marks, now)
        case Stage.STOPPING | Stage.KILLING:
            return parted(executed(life, marks, now), now, [])
    return life, []


def by_itself(life: Life, status: int, now: int) -> Then:
    """The process ended of its own accord: with a checkpoint, for good, or against its word."""
    if stay_of(life).signalled and status != life.terms.promised_status:
        return promise_broken(life, status, now)
    if stay_of(life).signalled or status == life.terms.checkpoint_status:
        life = wrote(on_stay(life, signalled=False), now)
        return sending(Stage.CHECKPOINTING, counted_checkpoint(life), "checkpoint", now)
    return sending(Stage.DELIVERING, told(life, Event.EXITED, now), "final", now)


def promise_broken(life: Life, status: int, now: int) -> Then:
    """Asked for a checkpoint, it ended otherwise, even if well: hold (H44)."""
    text = (
        "Job did not exit as promised when sent its checkpoint signal.  Promised exit was "
        f"{way_of(life.terms.promised_status)}, actual exit status was {way_of(status)}."
    )
    return failed(life, Hold.CHECKPOINT_FAILED, status, text, 0, now, [])


def way_of(status: int) -> str:
    """A raw wait status in HTCondor's words."""
    return f"on signal {status & 127}" if status & 127 else f"with exit code {status >> 8}"


def sent(life: Life, size: int, now: int, verdict: Why | None = None) -> Then:
    """A transfer from its sandbox is complete, and committed if it was for the spool.

    `verdict` is what the job's own policy says to a job that ended: None to let it go.
    """
    life = on_stay(life, sent=size, updated=now, clock=now)
    finished: list[Act] = [Log(TransferEvent(Transfer.OUTPUT_FINISHED))]
    match life.stage:
        case Stage.CHECKPOINTING:
            return checkpointed(life, now, finished)
        case Stage.SAVING:
            return parted(told(life, Event.ELAPSED, now), now, finished)
        case Stage.DELIVERING:
            return delivered(life, verdict, now, finished)
    return life, []


def checkpointed(life: Life, now: int, acts: list[Act]) -> Then:
    """The checkpoint is safe: go on in the sandbox, or leave the slot without loss (D28)."""
    stay = stay_of(life)
    execution = (stay.ended - stay.started) // SECOND
    life = on_stay(life, saved=stay.ended)
    life = counted(life, committed_s=life.counts.committed_s + execution)
    life = told(life, Event.ELAPSED, now)
    if stay.why is not None:  # a soft kill that came in the meantime (C26)
        return parted(life, now, acts)
    if life.job.phase == Phase.QUEUED:
        acts.append(Log(joblog.StarterError(stay.slot, RESCHEDULED, Vacate.AFTER_CHECKPOINT, 0)))
        reason = f"Error from {stay.slot}: {RESCHEDULED}"
        why = Why(Stage.IDLE, Vacate.AFTER_CHECKPOINT, reason, at=now)
        return parted(on_stay(life, why=why), now, acts)
    return started_anew(life, now, acts)


def delivered(life: Life, verdict: Why | None, now: int, acts: list[Act]) -> Then:
    """Its output is home: the job is done, unless its own policy says otherwise (A9, H45)."""
    stay = stay_of(life)
    life = counted(life, completions=life.counts.completions + 1)
    if verdict is not None:
        return parted(on_stay(life, why=weightier(verdict, life)), now, acts)
    life = told(life, Event.ELAPSED, now)
    counts = life.counts
    tail = (now - max(stay.saved, stay.began)) // SECOND
    life = off_slot(counted(life, committed_s=counts.committed_s + tail), now)
    total = life.counts
    acts.append(
        Log(
            joblog.Terminated(
                stay.status, stay.sent, stay.received, total.sent, total.received, used(stay, now)
            )
        )
    )
    done = entered(Stage.COMPLETED, life._replace(stay=None, exit_status=stay.status), now)
    return done, [*acts, Tell("clear"), Leave(completed=True), Forget()]


def send_failed(life: Life, error: str, errno: int, *, transient: bool, now: int) -> Then:
    """A transfer from its sandbox came to nothing."""
    finished: list[Act] = [Log(TransferEvent(Transfer.OUTPUT_FINISHED))]
    match life.stage:
        case Stage.CHECKPOINTING if stay_of(life).why is not None:
            return parted(life, now, finished)  # the vacate's code is the one that counts
        case Stage.CHECKPOINTING if transient:  # it may try at its next checkpoint
            return started_anew(told(life, Event.FAILED, now), now, finished)
        case Stage.CHECKPOINTING:
            text = "Starter failed to upload checkpoint"
            code = Hold.CHECKPOINT_FAILED
            delay = FAILED_CHECKPOINT_DELAY if life.terms.delays else 0
            return failed(life, code, -1, text, delay, now, finished)
        case Stage.SAVING:  # not held: it starts over (C24)
            finished.append(Log(output_error(life, error, errno)))
            return parted(life, now, finished)
        case Stage.DELIVERING:
            return undelivered(life, error, errno, now, finished)
    return life, []


def undelivered(life: Life, error: str, errno: int, now: int, acts: list[Act]) -> Then:
    """A file that the job promised is not there at its end: hold, with two codes (G42)."""
    slot = stay_of(life).slot
    reason = (
        f"Transfer output files failure at execution point {slot} while sending files to access "
        f"point. Details: {error}"
    )
    why = Why(Stage.HELD, Hold.OUTPUT_FAILED, reason, errno, event=Event.WITHDRAWN, at=now)
    life = on_stay(life, why=weightier(why, life))
    return parted(life, now, [*acts, Log(output_error(life, error, errno))])


def output_error(life: Life, error: str, errno: int) -> joblog.StarterError:
    text = f"STARTER failed to send file(s): {error}"
    return joblog.StarterError(stay_of(life).slot, text, Hold.INPUT_FAILED, errno)


def failed(
    life: Life, code: int, subcode: int, text: str, delay: int, now: int, acts: list[Act]
) -> Then:
    """Something went wrong on the machine that only a person can mend: 021, then 004 and 012."""
    slot = stay_of(life).slot
    acts.append(Log(joblog.StarterError(slot, text, code, subcode)))
    reason = f"Error from {slot}: {text}"
    why = Why(Stage.HELD, code, reason, subcode, event=Event.WITHDRAWN, at=now)
    life = on_stay(life, why=why)
    if delay == 0:
        return parted(life, now, acts)
    life = told(life, why.event, now)
    return entered(Stage.PARTING, life, now, now + delay), acts


# --- brought to an end ----------------------------------------------------------------------------


def stopped(life: Life, why: Why, now: int, *, fast: bool = False) -> Then:
    """The stay is to end: softly, or at once and without a word to the job (`fast`, C23)."""
    why = weightier(why._replace(at=now), life)
    match life.stage:
        case Stage.STAGING:
            return parted(on_stay(life, why=why), now, [])
        case Stage.RUNNING if fast:
            return entered(Stage.KILLING, on_stay(life, why=why), now), [Tell("kill")]
        case Stage.RUNNING:
            until = now + stay_of(life).vacate_time
            return entered(Stage.STOPPING, on_stay(life, why=why), now, until), [Tell("signal")]
        case Stage.STOPPING if fast:
            return entered(Stage.KILLING, on_stay(life, why=why), now), [Tell("kill")]
        case Stage.CHECKPOINTING | Stage.SAVING | Stage.DELIVERING if fast:
            return parted(on_stay(life, why=why), now, [])
        case Stage.CHECKPOINTING if stay_of(life).why is None:
            return stopped_in_transfer(life, why, now)
        case Stage.LOST:
            return parted(on_stay(life, why=why), now, [])
        case Stage.DELIVERING if why.then == Stage.IDLE:  # it is done anyhow
            return life, []
        case stage if stage in ON_SLOT:
            return on_stay(life, why=why), []
    return life, []


def weightier(why: Why, life: Life) -> Why:
    """Of two reasons to end a stay: removal before hold before queueing, else the first."""
    before = life.stay.why if life.stay else None
    if before is None or why.then > before.then:
        return why._replace(at=before.at) if before else why
    return before


def stopped_in_transfer(life: Life, why: Why, now: int) -> Then:
    """A checkpoint on the wire is completed first, even beyond the vacate time (C26)."""
    until = now + stay_of(life).vacate_time + KILLING_TIMEOUT
    event = Event.WITHDRAWN if why.event == Event.EXPIRED else why.event
    life = on_stay(told(life, event, now), why=why)
    return entered(Stage.CHECKPOINTING, life, life.since, until), []


def saving(life: Life, marks: Marks, now: int) -> Then:
    """Stopped, its files are transferred as they are (C22), with what it has said is in them."""
    mode = Mode.DELAYED if any(name == "writing" for name, _ in marks) else Mode.DELAYED_SIGNAL
    if not rules.is_running(life.job.phase):  # it was still starting
        life = told(life, Event.ELAPSED, the_why(life).at)
    why, deadline = the_why(life), stay_of(life).deadline + KILLING_TIMEOUT
    return sending(Stage.SAVING, told(life, why.event, why.at, mode), "evict", now, deadline)


def overdue(life: Life, now: int) -> Then:
    """The present stage has lasted as long as it may."""
    match life.stage:
        case Stage.STOPPING:
            return entered(Stage.KILLING, life, now), [Tell("kill")]
        case Stage.CHECKPOINTING | Stage.SAVING | Stage.PARTING:
            return parted(life, now, [])
        case Stage.LOST:
            return given_up(life, now)
    return life, []


def parted(life: Life, now: int, acts: list[Act]) -> Then:
    """The stay is over: say why, free the slot, and queue, hold or remove the job."""
    stay, why = stay_of(life), the_why(life)
    life = off_slot(unplaced(life, why, now), now)
    if why.evicted:
        acts.append(Log(evicted_event(stay, why, now)))
        life = counted(life, vacates=life.counts.vacates + 1)
    life = life._replace(stay=None)
    acts += [Tell("clear"), Leave(completed=False)]
    match why.then:
        case Stage.HELD:
            return held(life, why, now, acts)
        case Stage.REMOVED:
            return removed(life, why.reason, now, acts)
    return entered(Stage.IDLE, life, now), acts


def unplaced(life: Life, why: Why, now: int) -> Life:
    """The rules' job off its slot; a transfer on the wire takes a second word to be cut off."""
    if life.stage == Stage.KILLING:  # its end may not have been heard of, if the pool is stopped
        life = executed(life, (), now)
    while rules.on_slot(life.job.phase):
        known = life.job.phase == Phase.DISCONNECTED
        mode = Mode.EARLY_EXIT if why.kept else Mode.EXIT_CODE
        life = told(life, Event.ELAPSED if known else why.event, now, mode)
    return life


def evicted_event(stay: Stay, why: Why, now: int) -> joblog.Evicted:
    """Event 004: without usage when the job is queued anew by its own policy (k1)."""
    requeued, usage = None, None
    if why.code == Vacate.REQUEUED:
        requeued = stay.status
    elif why.code == Hold.CHECKPOINT_FAILED:  # the slot's part was over with event 021 (l1)
        usage = used(stay, why.at)
    else:
        usage = used(stay, None if ran_out(why) else now)
    return joblog.Evicted(
        why.code, why.subcode, why.reason, stay.sent, stay.received, usage, requeued
    )


def used(stay: Stay, now: int | None) -> joblog.Usage:
    """TimeExecute is of the last execution, TimeSlotBusy of all the stay (I51)."""
    busy = None if now is None else (now - stay.began) // SECOND
    execute = max(0, stay.ended - stay.started) // SECOND if stay.started else None
    return stay.usage._replace(execute_s=execute, busy_s=busy)


# --- lost contact ---------------------------------------------------------------------------------


def contact_lost(
    life: Life, reason: str, marks: Marks, lost: int, now: int, *, found_out: bool
) -> Then:
    """The machine was gone at `lost`; `found_out`: it is back already, and without the job."""
    stay = stay_of(life)
    if rules.on_slot(life.job.phase) and life.job.phase != Phase.DISCONNECTED:
        life = told(executed(life, marks, lost), Event.POWERED_OFF, lost)
    over = now + NOT_FOUND_DELAY if found_out else max(now, stay.updated + life.terms.contact_lease)
    text = (
        NOT_FOUND
        if found_out
        else "Job disconnected too long: JobLeaseDuration "
        f"({life.terms.contact_lease // SECOND} seconds) expired"
    )
    why = Why(Stage.IDLE, Vacate.RECONNECT_FAILED, text, event=Event.POWERED_OFF, at=lost)
    acts: list[Act] = [Log(joblog.Disconnected(reason, stay.slot, stay.host))]
    if is_bound(life):
        return parted(entered(Stage.LOST, life, now), now, acts)
    return entered(Stage.LOST, on_stay(life, why=why), now, over), acts


def is_bound(life: Life) -> bool:
    """Is the job to be held or removed, whatever becomes of its machine?"""
    why = stay_of(life).why
    return why is not None and why.then != Stage.IDLE


def recovered(life: Life, now: int) -> Then:
    """The access point was gone, and its machines with it: the job is queued at once.

    Nothing of it can still run, so the contact lease need not be waited for (htcondor-rules.md 4:
    an access point that comes back writes event 024 alone).
    """
    stay, lost = stay_of(life), stay_of(life).updated
    if life.stage == Stage.PARTING:  # all but the saying was done
        return parted(life, now, [])
    if life.job.phase != Phase.DISCONNECTED:
        life = told(executed(life, (), lost), Event.POWERED_OFF, lost)
    reason = "The access point was restarted, and nothing of the job was left"
    why = Why(Stage.IDLE, Vacate.RECONNECT_FAILED, reason, evicted=False, event=Event.POWERED_OFF)
    life = life if is_bound(life) else on_stay(life, why=why)
    life = entered(Stage.LOST, life, now)
    return parted(life, now, [Log(joblog.ReconnectFailed(reason, stay.slot))])


def given_up(life: Life, now: int) -> Then:
    """Contact is not found again; what is left of the claim is ended first (F35)."""
    stay, why = stay_of(life), the_why(life)
    acts: list[Act] = [Log(joblog.ReconnectFailed(why.reason, stay.slot))]
    if ran_out(why) and life.terms.delays:
        return entered(Stage.PARTING, life, now, now + LOST_CLAIM_DELAY), acts
    return parted(life, now, acts)


def ran_out(why: Why) -> bool:
    """Was the contact lease waited out? How long the slot was busy is not known then (e2)."""
    return why.code == Vacate.RECONNECT_FAILED and why.reason != NOT_FOUND


# --- in the queue ---------------------------------------------------------------------------------


def hold(life: Life, now: int) -> Then:
    """A person holds the job."""
    reason = f"via condor_hold (by user {life.terms.user})"
    why = Why(Stage.HELD, Hold.BY_USER, reason, event=Event.WITHDRAWN)
    return held(life, why, now, []) if life.stage == Stage.IDLE else stopped(life, why, now)


def held(life: Life, why: Why, now: int, acts: list[Act]) -> Then:
    """The job waits for a person; its spool is kept."""
    # A hold by the job's own policy counts three times in a real HTCondor (I52).
    holds = life.counts.holds + (1 if why.evicted else 3)
    life = counted(life._replace(held=why), holds=holds)
    life = entered(Stage.HELD, told(life, Event.HELD, now), now)
    return life, [*acts, Log(joblog.Held(why.reason, why.code, why.subcode))]


def spoiled(life: Life, error: str, now: int) -> Then:
    """The job's ad cannot be made sense of: wherever it is, a person has to look at it."""
    reason = f"The job's ad cannot be made sense of: {error}"
    why = Why(Stage.HELD, Hold.NOT_UNDERSTOOD, reason, event=Event.WITHDRAWN, at=now)
    if life.stage == Stage.IDLE:
        return held(life, why, now, [])
    if life.stage in ON_SLOT:
        return parted(on_stay(life, why=why), now, [])
    return life, []


def release(life: Life, reason: str, now: int) -> Then:
    """A held job is queued again."""
    if life.stage != Stage.HELD:
        return life, []
    life = entered(Stage.IDLE, told(life._replace(held=None), Event.RELEASED, now), now)
    return life, [Log(joblog.Released(reason))]


def remove(life: Life, reason: str, now: int) -> Then:
    """The job is to go."""
    if life.stage in (Stage.IDLE, Stage.HELD):
        return removed(life, reason, now, [])
    why = Why(Stage.REMOVED, Vacate.REMOVED, reason, event=Event.WITHDRAWN)
    return stopped(life, why, now)


def removed(life: Life, reason: str, now: int, acts: list[Act]) -> Then:
    life = entered(Stage.REMOVED, told(life, Event.REMOVED, now), now)
    return life, [*acts, Log(joblog.Aborted(reason)), Forget()]


# --- what the clock brings ------------------------------------------------------------------------


def limits(life: Life, now: int) -> Why | None:
    """Has the job run into one of its own limits? allowed_execute_duration is exceeded, not met."""
    terms, stay = life.terms, stay_of(life)
    if terms.job_duration is not None and now - stay.began >= terms.job_duration:
        return limit(Hold.JOB_DURATION, "job", terms.job_duration)
    executing = now - stay.clock if stay.clock else 0
    if terms.execute_duration is not None and executing > terms.execute_duration:
        return limit(Hold.EXECUTE_DURATION, "execute", terms.execute_duration)
    return None


def limit(code: int, name: str, duration: int) -> Why:
    """A hold by a limit: no event 004 comes before it (E31, E32)."""
    reason = f"The job exceeded allowed {name} duration of {clock(duration // SECOND)}"
    return Why(Stage.HELD, code, reason, evicted=False, event=Event.EXPIRED)


def clock(seconds: int) -> str:
    """As HTCondor writes durations: 00:09, 1:00:00, 2+03:00:00."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}+{hour:02}:{minute:02}:{second:02}"
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute:02}:{second:02}"


def is_retired(life: Life, retirement: int, now: int) -> bool:
    """May the soft kill be sent to a job whose slot is wanted back?

    Retirement counts from the match, input transfer included, and no checkpoint resets it (n4).
    """
    stay = stay_of(life)
    return now >= rules.warned_at(now, stay.began, retirement, stay.vacate_time)


def updated(life: Life, now: int, period_s: float) -> Life:
    """The last word that came from its machine, which reports every so often (F35)."""
    stay, period = stay_of(life), int(period_s * SECOND)
    last = stay.began + (now - stay.began) // period * period if period else now
    return on_stay(life, updated=max(stay.updated, last))


def retiring(life: Life, now: int) -> Life:
    """From now on the job leaves its slot at the next checkpoint (D28)."""
    if life.lease.retiring <= now:
        return life
    return life._replace(lease=life.lease._replace(retiring=now))


def ask_for_checkpoint(life: Life, now: int) -> Then:
    """Send the checkpoint signal; not a second one before the first is answered (H44)."""
    if life.stage != Stage.RUNNING or stay_of(life).signalled or not stay_of(life).started:
        return life, []
    return on_stay(life, signalled=True, asked=now), [Tell("signal", "checkpoint")]


def status(life: Life) -> JobStatus:
    """HTCondor's JobStatus."""
    match life.stage:
        case Stage.IDLE:
            return JobStatus.IDLE
        case Stage.HELD:
            return JobStatus.HELD
        case Stage.COMPLETED:
            return JobStatus.COMPLETED
        case Stage.REMOVED:
            return JobStatus.REMOVED
        case Stage.DELIVERING:
            return JobStatus.TRANSFERRING_OUTPUT
    return JobStatus.RUNNING


# --- the pieces -----------------------------------------------------------------------------------


def entered(stage: Stage, life: Life, now: int, deadline: int = NEVER) -> Life:
    before = status(life)
    life = life._replace(stage=stage, since=now)
    if status(life) != before:
        life = life._replace(status_since=now)
    return on_stay(life, deadline=deadline) if life.stay else life


def started_anew(life: Life, now: int, acts: list[Act]) -> Then:
    return entered(Stage.RUNNING, life, now), [*acts, Tell("start")]


def sending(stage: Stage, life: Life, purpose: str, now: int, deadline: int = NEVER) -> Then:
    life = entered(stage, life, now, deadline)
    return life, [Log(TransferEvent(Transfer.OUTPUT_STARTED)), Tell("send", purpose)]


def stay_of(life: Life) -> Stay:
    assert life.stay is not None
    return life.stay


def the_why(life: Life) -> Why:
    why = stay_of(life).why
    assert why is not None
    return why


def on_stay(life: Life, **changes: Any) -> Life:
    return life._replace(stay=stay_of(life)._replace(**changes))


def counted(life: Life, **changes: Any) -> Life:
    return life._replace(counts=life.counts._replace(**changes))


def counted_checkpoint(life: Life) -> Life:
    """The number is used up even if the transfer then fails (htcondor-rules.md 1.7)."""
    return counted(life, checkpoint_number=life.counts.checkpoint_number + 1)


def off_slot(life: Life, now: int) -> Life:
    """What a stay adds to the job's totals when it is over."""
    stay, counts = stay_of(life), life.counts
    return counted(
        life,
        wall_s=counts.wall_s + (now - stay.began) / SECOND,
        sent=counts.sent + stay.sent,
        received=counts.received + stay.received,
    )


# --- the rules and the books ----------------------------------------------------------------------


def plan_of(mode: Mode, worklife: int) -> Plan:
    """A job without known end that saves in this way."""
    return Plan(NEVER, NEVER, False, False, worklife, FREE, FREE, NEVER, NEVER, mode=mode)


def told(life: Life, event: Event, at: int, mode: Mode = Mode.EXIT_CODE) -> Life:
    """Tell the rules what happened, and book the time up to it."""
    at = max(at, life.job.since)  # two processes may take down one instant differently
    before = rules.over(life.job, at) if event == Event.ELAPSED else life.job
    job = rules.step(plan_of(mode, life.worklife), OPEN, life.lease, before, event, at)
    books = list(life.books)
    ledger.charge(books, before, event, job)
    return life._replace(job=job, books=tuple(books))


def executed(life: Life, marks: Marks, until: int) -> Life:
    """Book one execution, as far as its own marks tell restart, computing and writing apart.

    Of a job that tells nothing, all of it is computing.
    """
    if life.job.phase not in (Phase.STARTING, Phase.RESTARTING, Phase.RESUMING):
        return life
    started = min(max(stay_of(life).started, life.job.since), until)
    for name, at in marks or (("computing", started),):
        if follows(name, life.job.phase) and life.job.since <= at <= until:
            life = told(life, Event.ELAPSED, at, Mode.DELAYED)
    return life


def follows(mark: str, phase: Phase) -> bool:
    """Can a job in this phase be said to begin that?"""
    match mark:
        case "writing":
            return phase == Phase.COMPUTING
        case "computing":
            return phase in (Phase.STARTING, Phase.RESTARTING, Phase.RESUMING, Phase.WRITING)
    return False  # "starting" alone says that more will be said


def wrote(life: Life, now: int) -> Life:
    """It ended with a checkpoint: whatever it was doing, that is written now."""
    while life.job.phase != Phase.TRANSFERRING:
        life = told(life, Event.ELAPSED, now)
    return life
