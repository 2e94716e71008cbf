"""Where the time went: every moment of a slot is in exactly one category, and they add up exactly.

Computed time is in no category until it is known what became of it: useful when its checkpoint is
committed (or the job completes), lost, by cause, when the lease ends first.
"""

from collections.abc import Sequence
from enum import IntEnum

from ckptsim.rules import Event, Job, Phase, on_slot


class Category(IntEnum):
    """What slot time is spent on; an index into a ledger of integer nanoseconds."""

    USEFUL = 0
    LOST_LIMIT = 1
    LOST_EVICTION = 2
    LOST_POWER_FAILURE = 3
    WRITE = 4
    TRANSFER = 5
    COLD_START = 6
    RESTART_LEASE = 7
    RESTART_IN_PLACE = 8
    INPUT = 9
    VACATING = 10
    DISCONNECTED = 11
    LOST_HOLD = 12  # or removal
    LOST_LEAVING = 13  # the job ended by itself, to run again
    TRANSFER_WAIT = 14  # for its turn on the link
    PENDING = 15  # computed, and what becomes of it lies beyond the end of the run


LOST = (
    Category.LOST_LIMIT,
    Category.LOST_EVICTION,
    Category.LOST_POWER_FAILURE,
    Category.LOST_HOLD,
    Category.LOST_LEAVING,
)


def opened() -> list[int]:
    """A ledger with nothing in it yet."""
    return [0] * len(Category)


def charge(ledger: list[int], before: Job, event: Event, after: Job) -> None:
    """Book the time from when `before` began its phase to when `event` turned it into `after`.

    For slots of speed 1, where a unit of work takes a unit of time.
    """
    book(ledger, before.unsaved, before, event, after)


def book(ledger: list[int], pending: int, before: Job, event: Event, after: Job) -> int:
    """The same on a slot of any speed, told how much slot time is pending; how much is from now on.

    Pending is the slot time in which the job's unsaved work was computed.
    """
    elapsed = after.since - before.since
    if before.phase == Phase.COMPUTING:
        pending += elapsed
    elif on_slot(before.phase):
        ledger[category_of(before.phase)] += elapsed
    kept = kept_of(pending, before, after)
    assert kept <= pending
    if kept < pending:
        ledger[cause_of(event)] += pending - kept
    if after.unsaved > 0:
        return kept
    ledger[Category.USEFUL] += kept
    return 0


def kept_of(pending: int, before: Job, after: Job) -> int:
    """Of the pending slot time, that of the work which is committed or still may be.

    That is all or nothing, but for delayed transfer: it saves what a whole checkpoint holds, not
    what was computed since. That is as large a part of the time as of the work, for one slot did
    all of it.
    """
    work = after.saved - before.saved + after.unsaved
    if work == 0:
        return 0
    if work > before.unsaved:
        return pending
    if before.phase == Phase.COMPUTING:
        return pending - (after.since - before.since)
    if pending == before.unsaved:
        return work
    return int(pending * (work / before.unsaved))


def close(ledger: list[int], pending: int, job: Job, now: int) -> None:
    """Book what is under way on a slot when the run ends: what was computed stays pending."""
    elapsed = now - job.since
    if job.phase == Phase.COMPUTING:
        pending += elapsed
    elif on_slot(job.phase):
        ledger[category_of(job.phase)] += elapsed
    ledger[Category.PENDING] += pending


def category_of(phase: Phase) -> Category:
    match phase:
        case Phase.WRITING:
            return Category.WRITE
        case Phase.AWAITING:
            return Category.TRANSFER_WAIT
        case Phase.TRANSFERRING | Phase.DELIVERING:
            return Category.TRANSFER
        case Phase.RESTARTING:
            return Category.RESTART_LEASE
        case Phase.RESUMING:
            return Category.RESTART_IN_PLACE
        case Phase.STARTING:
            return Category.COLD_START
        case Phase.FETCHING:
            return Category.INPUT
        case Phase.VACATING:
            return Category.VACATING
    assert phase == Phase.DISCONNECTED
    return Category.DISCONNECTED


def cause_of(event: Event) -> Category:
    match event:
        case Event.EXPIRED:
            return Category.LOST_LIMIT
        case Event.POWERED_OFF:
            return Category.LOST_POWER_FAILURE
        case Event.WITHDRAWN:
            return Category.LOST_HOLD
        case Event.REQUEUED:
            return Category.LOST_LEAVING
    assert event in (Event.WARNED, Event.EVICTED)
    return Category.LOST_EVICTION


def slot_time(ledger: Sequence[int]) -> int:
    """All of it: the whole that every share is a share of."""
    return sum(ledger)
