"""Who goes where: waiting jobs in an order, onto the free slot with the lowest number.

By submission, a job's number is its place: HTCondor's order among jobs of one user and priority is
that of submission, and one that was evicted keeps its place (condor_q's job ids). By priority, the
higher goes first. By fair share, each user has a queue, in which the jobs go by priority; the next
match is for the user who has the fewest slots for his due, as HTCondor deals out the pie
(User Priorities and Negotiation, HTCondor manual): the due is inverse to the slots he used lately,
with usage forgotten by half every half-life.

Jobs are matched at once, or in negotiation cycles. Between two of these a slot whose claim is kept,
because a job completed on it, goes to another job of the same user (htcondor-rules.md 2.6). A
claim is for one user, and given up where none of his jobs waits when it becomes free.

The lists of a Pool are arrays in compiled code. Times are integer nanoseconds.
"""

from enum import IntEnum
from math import exp, log
from typing import NamedTuple

from ckptsim import heaps
from ckptsim.heaps import Heaps
from ckptsim.rules import NEVER, Event, Lease, Phase, Plan, saves_when_told, warned_at

UNCLAIMED = -1
NOBODY = -1
PRIORITY_MOST = 10**6
JOBS_MOST = 2**31
USAGE_LEAST = 0.5  # HTCondor: nobody's priority is better


class Order(IntEnum):
    """Which job is next."""

    SUBMISSION = 0
    PRIORITY = 1
    FAIR_SHARE = 2


class Rules(NamedTuple):
    """How a pool matches."""

    order: Order
    cycle: int  # time between two negotiation cycles; 0: at once
    half_life: int
    claim_worklife: int


class Pool(NamedTuple):
    """Who waits, which slots are free, and who has used how much."""

    rules: Rules
    waiting: Heaps  # ranks of jobs: one queue a user
    free: Heaps  # two heaps of slots: free, and free under a claim that is kept
    claimed: list[int]  # by slot: when its claim began
    keeper: list[int]  # by slot: whose claim it is
    left: list[int]  # by slot: when its last job left it
    busy: list[int]  # slots with jobs, by user
    usage: list[float]  # slots used lately, by user
    since: list[int]  # one number: when usage was brought up to date


FREE, KEPT = range(2)


class Terms(NamedTuple):
    """What the slots of one kind grant a lease."""

    grace: int
    retirement: int
    contact_lease: int
    speed: float


class Fate(NamedTuple):
    """What a slot holds in store for one lease: nanoseconds from the lease's start."""

    limit: int
    eviction: int
    power_failure: int
    absence: int  # how long the slot stays away after it was lost

    @property
    def age(self) -> int:
        """When the slot ends the lease of a job that never leaves by itself."""
        return min(self.limit, self.eviction, self.power_failure)


def opened(rules: Rules, slots: int, jobs_by_user: list[int]) -> Pool:
    """A pool of free slots and no jobs yet."""
    users = len(jobs_by_user)
    free = heaps.opened([slots, slots])
    for slot in range(slots):
        heaps.push(free, FREE, slot)
    return Pool(
        rules=rules,
        waiting=heaps.opened(jobs_by_user),
        free=free,
        claimed=[UNCLAIMED] * slots,
        keeper=[NOBODY] * slots,
        left=[0] * slots,
        busy=[0] * users,
        usage=[0.0] * users,
        since=[0],
    )


def rank(pool: Pool, job: int, priority: int) -> int:
    """The lower goes first."""
    first = PRIORITY_MOST if pool.rules.order == Order.SUBMISSION else PRIORITY_MOST - priority
    return first * JOBS_MOST + job


def wait(pool: Pool, job: int, user: int, priority: int) -> None:
    """The job asks for a slot."""
    heaps.push(pool.waiting, user, rank(pool, job, priority))


def give_back(pool: Pool, slot: int) -> None:
    """The slot is free again; under a claim that is kept, if it has one and there are cycles."""
    kept = pool.rules.cycle > 0 and pool.claimed[slot] != UNCLAIMED
    heaps.push(pool.free, KEPT if kept else FREE, slot)


def leave(pool: Pool, slot: int, user: int, phase: Phase, now: int) -> None:
    """A job leaves the slot: unless it completed, the claim is gone too (htcondor-rules.md 2.6)."""
    remember(pool, now)
    pool.busy[user] -= 1
    pool.left[slot] = now
    if phase != Phase.COMPLETED:
        pool.claimed[slot] = UNCLAIMED


def away(event: Event, absence: int, contact_lease: int) -> int:
    """How long a slot is away after `event` ended a lease on it, and the job is off it.

    Of the absence after a power failure, a part goes by before anyone notices.
    """
    if event == Event.ELAPSED:
        return 0
    return max(0, absence - contact_lease) if event == Event.POWERED_OFF else absence


def waiting(pool: Pool) -> int:
    """How many jobs wait."""
    number = 0
    for queue in range(len(pool.waiting.sizes)):
        number += pool.waiting.sizes[queue]
    return number


def matching_at(pool: Pool, now: int) -> int:
    """When jobs and slots are to be matched; NEVER while there is nothing to match."""
    if pool.free.sizes[KEPT] > 0:
        return now
    if pool.free.sizes[FREE] == 0 or waiting(pool) == 0:
        return NEVER
    cycle = pool.rules.cycle
    return now if cycle == 0 else -(-now // cycle) * cycle


def offered(pool: Pool, now: int) -> int:
    """The next slot that a job is to get now, taken out of the free ones; NOBODY if none."""
    while pool.free.sizes[KEPT] > 0:
        slot = heaps.pop(pool.free, KEPT)
        fresh = now - pool.claimed[slot] <= pool.rules.claim_worklife
        if fresh and pool.waiting.sizes[pool.keeper[slot]] > 0:
            return slot
        pool.claimed[slot] = UNCLAIMED
        give_back(pool, slot)
    if pool.free.sizes[FREE] == 0 or waiting(pool) == 0:
        return NOBODY
    cycle = pool.rules.cycle
    return heaps.pop(pool.free, FREE) if cycle == 0 or now % cycle == 0 else NOBODY


def matched(pool: Pool, slot: int, now: int) -> int:
    """The job that gets the slot; a claim within its worklife is kept, else a new one begins."""
    kept = pool.rules.cycle > 0 and pool.claimed[slot] != UNCLAIMED
    user = pool.keeper[slot] if kept else next_user(pool, now)
    goes_on = user == pool.keeper[slot] and now == pool.left[slot]
    begun = pool.claimed[slot] if goes_on else UNCLAIMED
    pool.claimed[slot] = claimed_since(begun, now, pool.rules.claim_worklife)
    return heaps.pop(pool.waiting, user) % JOBS_MOST


def settle(pool: Pool, slot: int, user: int, now: int) -> None:
    """The slot is with a job of this user from now on."""
    remember(pool, now)
    pool.busy[user] += 1
    pool.keeper[slot] = user


def next_user(pool: Pool, now: int) -> int:
    """Whose job is next, of the users who have one waiting; of equals the lowest."""
    remember(pool, now)
    best = NOBODY
    for user in range(len(pool.busy)):
        waits = pool.waiting.sizes[user] > 0
        if waits and (best == NOBODY or goes_before(pool, user, best)):
            best = user
    return best


def goes_before(pool: Pool, user: int, other: int) -> bool:
    """Is this user's first job next, rather than the other's?"""
    if pool.rules.order == Order.FAIR_SHARE:
        return load(pool, user) < load(pool, other)
    return heaps.least(pool.waiting, user) < heaps.least(pool.waiting, other)


def load(pool: Pool, user: int) -> float:
    """The slots that the user would have with one more, for his due."""
    return (pool.busy[user] + 1) * max(USAGE_LEAST, pool.usage[user])


def remember(pool: Pool, now: int) -> None:
    """Bring the users' usage up to date, before the number of their slots changes."""
    if pool.rules.order == Order.FAIR_SHARE and now > pool.since[0]:
        kept = exp(-log(2.0) * (now - pool.since[0]) / pool.rules.half_life)
        for user in range(len(pool.usage)):
            pool.usage[user] = pool.usage[user] * kept + pool.busy[user] * (1.0 - kept)
        pool.since[0] = now


def claimed_since(claimed: int, now: int, claim_worklife: int) -> int:
    """When the claim began that a job now placed is under: one within its worklife is kept."""
    fresh = claimed != UNCLAIMED and now - claimed <= claim_worklife
    return claimed if fresh else now


def lease_of(
    terms: Terms,
    plan: Plan,
    fate: Fate,
    now: int,
    claimed: int,
    wanted_back: int = NEVER,
    fails: int = NEVER,
    first_block: int = NEVER,
) -> Lease:
    """The fate as instants, for a lease that starts now.

    The slot's owner wants it back at `wanted_back`, and its room or rack loses power at `fails`.
    """
    wanted, powered_off = (
        min(now + fate.eviction, wanted_back),
        min(now + fate.power_failure, fails),
    )
    warned = warned_at(wanted, now, terms.retirement, terms.grace)
    return Lease(
        claimed=claimed,
        expires=now + fate.limit,
        warned=warned,
        evicted=warned + terms.grace,
        powered_off=powered_off,
        noticed=powered_off + terms.contact_lease,
        began=now,
        respite=terms.grace if saves_when_told(plan.mode) else 0,
        retiring=wanted,
        speed=terms.speed,
        first_block=first_block,
    )
