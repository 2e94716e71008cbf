"""One job alone on one slot, lease after lease: nothing to wait for but time, so a bare loop.

The functions of rules.py, pool.py and ledger.py themselves, compiled as they are; the draws are
those of draws.py. What comes out is what the SimPy driver says of the same world, to the
nanosecond.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim import ledger, pool, rules
from ckptsim.chance import nanoseconds_of, quantile
from ckptsim.draws import Purpose
from ckptsim.drivers.compiled.given import (
    FATE_PURPOSES,
    UNSURE,
    Laws,
    fate_laws,
    laws_of,
    plan_records,
    record_of,
    records,
    set_cost,
    set_lease,
    sure_time,
)
from ckptsim.drivers.compiled.jit import BORROWING, INLINED, borrowing, inlined, register
from ckptsim.drivers.compiled.lending import lend
from ckptsim.drivers.compiled.words import block, uniform
from ckptsim.ledger import Category, book
from ckptsim.pool import UNCLAIMED, Fate, away, claimed_since, lease_of
from ckptsim.rules import (
    NEVER,
    Event,
    Job,
    Lease,
    Phase,
    begins_round,
    ending,
    on_slot,
    step,
    submitted,
    upcoming,
)
from ckptsim.units import LONGEST
from ckptsim.world import COST_PURPOSES, World, cost_laws

register(rules, options=INLINED)
register(ledger, options=INLINED)
register(pool, options=BORROWING)

CATEGORIES = len(Category)
TOLD = 5
MAKESPAN, STRANDED, LEASES, CHECKPOINTS, END = range(TOLD)
"""The columns of what is told of a replication."""

EVICTION, POWER_FAILURE, ABSENCE, GAP, FIRST_COST = range(5)
"""The order of a chain's laws; six costs come last."""

OPEN = Lease(0, NEVER, NEVER, NEVER, NEVER, NEVER)


class Chain(NamedTuple):
    """What a chain is made of; records are handed on by their addresses."""

    plan: Any  # one record
    terms: Any
    lease: Any  # the lease that is on
    costs: Any  # and its round of costs
    limit: int
    first_gap: bool
    laws: Laws
    purposes: NDArray[np.int64]  # of each law's stream
    sure: Any  # each law's only time, or UNSURE
    chancy: Any  # the laws of costs that have no only time
    seed: int


class Streams(NamedTuple):
    """Where a replication stands in each law's stream, and the words of its current block."""

    words: NDArray[np.uint64]
    drawn: NDArray[np.int64]


@inlined
def next_time(chain: Chain, streams: Streams, replication: int, law: int) -> int:
    """The next time from a law, in nanoseconds; a draw unless there is no chance in it."""
    sure: int = chain.sure[law]
    if sure != UNSURE:
        return sure
    n, words = streams.drawn[law], streams.words[law]
    if n & 3 == 0:
        purpose = chain.purposes[law]
        words[0], words[1], words[2], words[3] = block(
            chain.seed, (n >> 2) + 1, 0, replication, purpose
        )
    streams.drawn[law] = n + 1
    u = uniform(words[n & 3])
    return nanoseconds_of(quantile(chain.laws.codes, chain.laws.at[law], u))


@inlined
def draw_costs(chain: Chain, streams: Streams, replication: int) -> None:
    """Begin a round of costs: those that are a matter of chance are drawn."""
    costs = chain.costs[0]
    for law in chain.chancy:
        set_cost(costs, law - FIRST_COST, next_time(chain, streams, replication, law))


@borrowing
def live(
    chain: Chain,
    streams: Streams,
    replication: int,
    job: Job,
    leases: int,
    books: Any,
    told: Any,
    stays: Any,
    rows: Any,
) -> int:
    """A job's life, or so many leases of it; the number of its events.

    `stays` and `rows` are filled as far as they go.
    """
    chain, streams = lend(chain), lend(streams)
    for law in range(len(streams.drawn)):
        streams.drawn[law] = 0
    claimed, free_at, now, events, number = UNCLAIMED, 0, 0, 0, 0
    before = job.checkpoints
    if chain.first_gap and job.phase == Phase.QUEUED:
        now += next_time(chain, streams, replication, GAP)
    while job.phase == Phase.QUEUED and number < leases:
        start, placed = max(now, free_at), job
        claimed = claimed_since(claimed, start, chain.plan[0].claim_worklife)
        fate = draw_fate(chain, streams, replication)
        job, now, last, events = follow(
            chain, streams, replication, fate, claimed, job, start, books, rows, events
        )
        if number < len(stays):
            write_stay(stays[number], start, now, fate, placed, job, last)
        number += 1
        if job.phase != Phase.COMPLETED:
            claimed = UNCLAIMED
        lost = Event.WARNED if last == Event.ELAPSED and now - start >= fate.eviction else last
        free_at = now + away(lost, fate.absence, chain.terms[0].contact_lease)
        if job.phase == Phase.QUEUED and number < leases:
            now += next_time(chain, streams, replication, GAP)
    told[MAKESPAN] = now if job.phase == Phase.COMPLETED else NEVER
    told[STRANDED] = 1 if job.phase == Phase.STRANDED else 0
    told[LEASES], told[CHECKPOINTS], told[END] = number, job.checkpoints - before, now
    return events


@inlined
def draw_fate(chain: Chain, streams: Streams, replication: int) -> Fate:
    """What the slot holds in store for its next lease."""
    return Fate(
        chain.limit,
        next_time(chain, streams, replication, EVICTION),
        next_time(chain, streams, replication, POWER_FAILURE),
        next_time(chain, streams, replication, ABSENCE),
    )


@inlined
def follow(
    chain: Chain,
    streams: Streams,
    replication: int,
    fate: Fate,
    claimed: int,
    job: Job,
    now: int,
    books: Any,
    rows: Any,
    events: int,
) -> tuple[Job, int, Event, int]:
    """One lease: the job off the slot, the time, what ended it, and the number of events so far."""
    plan, costs, lease = chain.plan[0], chain.costs[0], chain.lease[0]
    set_lease(lease, lease_of(chain.terms[0], plan, fate, now, claimed, NEVER, NEVER, NEVER))
    draw_costs(chain, streams, replication)
    pending, event, since = 0, Event.PLACED, Event.PLACED
    while True:
        before = job
        job = step(plan, costs, lease, before, event, now)
        pending = book(books, pending, before, event, job)
        if events < len(rows):
            write_row(rows[events], event, job, now)
        events += 1
        if not on_slot(job.phase):
            return job, now, ending(before.phase, since, event), events
        if begins_round(before, job):
            draw_costs(chain, streams, replication)
        since = event
        now, event = upcoming(job, lease)


@inlined
def write_row(row: Any, event: Event, job: Job, now: int) -> None:
    """An event as a row of the trace."""
    row[0], row[1], row[2], row[3] = now, 0, 0, event
    row[4], row[5], row[6] = job.phase, job.saved, job.unsaved


@inlined
def write_stay(
    stay: Any, start: int, end: int, fate: Fate, placed: Job, job: Job, last: Event
) -> None:
    """What became of a lease, the columns as in Stay."""
    stay[0], stay[1], stay[2], stay[3] = 0, 0, start, end
    stay[4] = min(fate.limit, fate.eviction, fate.power_failure)
    stay[5], stay[6] = job.saved - placed.saved, job.checkpoints - placed.checkpoints
    stay[7] = last


@borrowing
def live_many(
    chain: Chain, streams: Streams, first: int, checkpoints: int, leases: int, books: Any, told: Any
) -> None:
    """As many replications as `told` has rows; nothing is kept of their single leases."""
    nothing = books[:0]
    for place in range(len(told)):
        job = submitted(chain.plan[0], 0, checkpoints)
        live(
            chain, streams, first + place, job, leases, books[place], told[place], nothing, nothing
        )


def chain_of(world: World) -> Chain:
    """The chain of a world with one job and one slot."""
    slots, job = world.kinds[0], world.classes[0]
    laws = (*fate_laws(slots), world.scenario.slots.gap, *cost_laws(job))
    purposes = (*FATE_PURPOSES, Purpose.GAP, *COST_PURPOSES)
    sure = np.array([sure_time(law) for law in laws], np.int64)
    chancy = np.flatnonzero(sure == UNSURE)
    return Chain(
        plan=plan_records(world.plans),
        terms=records([record_of(world.terms[0])]),
        lease=records([record_of(OPEN)]),
        costs=records([record_of(world.plan.usual)]),
        limit=LONGEST if slots.limit is None else slots.limit,
        first_gap=world.scenario.slots.first_gap,
        laws=laws_of(laws),
        purposes=np.array(purposes, np.int64),
        sure=sure,
        chancy=chancy[chancy >= FIRST_COST],
        seed=world.scenario.seed,
    )
