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
    """Book the time from when `before` began its phase to when `event` turned it into `after`."""
    elapsed = after.since - before.since
    committed = after.saved - before.saved
    pending = before.unsaved
    if before.phase == Phase.COMPUTING:
        pending += elapsed
    elif on_slot(before.phase):
        ledger[category_of(before.phase)] += elapsed
    ledger[Category.USEFUL] += committed
    lost = pending - committed - after.unsaved
    assert lost >= 0
    if lost > 0:
        ledger[cause_of(event)] += lost


def category_of(phase: Phase) -> Category:
    match phase:
        case Phase.WRITING:
            return Category.WRITE
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
