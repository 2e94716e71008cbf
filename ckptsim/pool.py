"""Who goes where: waiting jobs in the order of their numbers, onto the free slot with the lowest.

HTCondor's queue order among jobs of one user and priority is that of submission, and a job that
was evicted keeps its place (condor_q's job ids); so a job's number is its place in the queue.
"""

from heapq import heappop, heappush
from typing import NamedTuple

from ckptsim.rules import Event, Phase

UNCLAIMED = -1


class Pool(NamedTuple):
    """Two heaps of numbers, and for each slot when its claim began (UNCLAIMED: it has none)."""

    waiting: list[int]
    free: list[int]
    claimed: list[int]


def opened(slots: int) -> Pool:
    """A pool of free slots and no jobs."""
    return Pool([], list(range(slots)), [UNCLAIMED] * slots)


def wait(pool: Pool, job: int) -> None:
    """The job asks for a slot."""
    heappush(pool.waiting, job)


def give_back(pool: Pool, slot: int) -> None:
    """The slot is free again."""
    heappush(pool.free, slot)


def leave(pool: Pool, slot: int, phase: Phase) -> None:
    """A job leaves the slot: unless it completed, the claim is gone too (htcondor-rules.md 2.6)."""
    if phase != Phase.COMPLETED:
        pool.claimed[slot] = UNCLAIMED


def away(event: Event, absence: int, contact_lease: int) -> int:
    """How long a slot is away after `event` ended a lease on it, and the job is off it.

    Of the absence after a power failure, a part goes by before anyone notices.
    """
    if event == Event.ELAPSED:
        return 0
    return max(0, absence - contact_lease) if event == Event.POWERED_OFF else absence


def can_match(pool: Pool) -> bool:
    """Is there a job for a slot?"""
    return len(pool.waiting) > 0 and len(pool.free) > 0


def match(pool: Pool, now: int, claim_worklife: int) -> tuple[int, int]:
    """The next job and its slot; a claim within its worklife is kept, else a new one begins."""
    job, slot = heappop(pool.waiting), heappop(pool.free)
    pool.claimed[slot] = claimed_since(pool.claimed[slot], now, claim_worklife)
    return job, slot


def claimed_since(claimed: int, now: int, claim_worklife: int) -> int:
    """When the claim began that a job now placed is under: one within its worklife is kept."""
    fresh = claimed != UNCLAIMED and now - claimed <= claim_worklife
    return claimed if fresh else now
