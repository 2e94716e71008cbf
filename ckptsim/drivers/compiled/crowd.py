"""A whole pool: many jobs on many slots, one link, rooms that lose power; one event after another.

The functions of the pure modules themselves, compiled as they are. What is written here is what
SimPy is for the other driver: which event is next. A tree of minima (minima.py) has a leaf for each
source of events, in the order in which they come at one instant: the link, the slots by their
numbers, the jobs that join the queue, the marks of the clock, and last the matching.

All state is in arrays that are made before the run, and a run may stop after any event and go on.
"""

from typing import Any, NamedTuple

from ckptsim import gauge, heaps, ledger, link, minima, outages, pool
from ckptsim.chance import nanoseconds_of, quantile
from ckptsim.drivers.compiled.fetching import fetch
from ckptsim.drivers.compiled.given import UNSURE, phase_of, set_cost, set_lease
from ckptsim.drivers.compiled.jit import BORROWING, INLINED, borrowing, inlined, inner, register
from ckptsim.drivers.compiled.lending import lend
from ckptsim.drivers.compiled.words import block, uniform
from ckptsim.gauge import Gauge, Measure
from ckptsim.link import Link
from ckptsim.outages import Outages
from ckptsim.pool import Fate, Pool
from ckptsim.rules import (
    NEVER,
    Event,
    Job,
    Phase,
    begins_round,
    ending,
    on_slot,
    over,
    step,
    submitted,
    upcoming,
)

register(link, options=INLINED)
for module in (heaps, minima, outages, gauge):
    register(module, options=BORROWING)

NOBODY = -1
NOW, EVENTS, END, MARKS_DONE, ROWS, STAYS, TURNS, AHEAD = range(8)
"""Places in `Crowd.numbers`."""

LINK = 0
FIRST_SLOT = 1
EVICTION, POWER_FAILURE, ABSENCE = range(3)
NEAR_THE_ROOT = 2 * 64  # the number of the first node after those two steps from it
ASIDE = 2**61
EVENTS_SET_ASIDE = 256  # so many phases of months may end before 64 bits are full
COSTS = 6
PLACED, ELAPSED, WARNED = int(Event.PLACED), int(Event.ELAPSED), int(Event.WARNED)


class Chances(NamedTuple):
    """Where laws begin in the codes, each law's only time or UNSURE, and what the draw decides."""

    at: Any
    sure: Any
    purpose: Any


class Crowd(NamedTuple):
    """A replication's state, and what does not change in it; by slot, job, class or kind."""

    seed: int
    replication: int
    codes: Any
    plans: Any  # records, by class
    terms: Any  # records, by kind
    limits: Any  # by kind
    fate_laws: Chances  # by kind, three each
    cost_laws: Chances  # by class, six each
    chancy: Any  # by class: is there chance in any of them?
    gap_law: Chances  # one
    domain_laws: Chances  # by domain, two each
    class_of: Any  # by job
    kind_of: Any  # by slot
    user_of: Any  # by class
    priority_of: Any  # by class
    first_blocks: Any  # by job; none where no class is staggered
    arrivals: Any  # by job
    first_gap: bool
    linked: bool
    marks: Any  # times
    pool: Pool
    link: Link
    outages: Outages
    gauge: Gauge
    calendar: Any  # a tree of minima
    calendar_base: int
    joining: Any  # a tree of minima, by job: when it joins the queue
    joining_base: int
    turns: Any  # records: what happens now, on which slot, in order
    guests: Any  # records, by slot: the job there, and its lease
    costs: Any  # records, by slot, where there is chance in them
    outages_drawn: Any  # by domain
    jobs: Any  # records, by job: what it is while it is off the slots
    makespans: Any  # by job; NEVER where it has not completed
    ledgers: Any  # by class and kind
    leases_ended: Any
    checkpoints: Any
    completed: Any  # by class
    stranded: Any
    aside: Any  # how many times ASIDE was taken out of them
    marked_ledgers: Any  # by mark
    marked_aside: Any
    marked_completed: Any
    numbers: Any
    rows: Any
    stays: Any


@inner
def draw(crowd: Crowd, laws: Chances, place: int, who: int, n: int) -> int:
    """The n-th time of somebody's stream, in nanoseconds."""
    sure: int = laws.sure[place]
    if sure != UNSURE:
        return sure
    words = block(crowd.seed, n // 4 + 1, who, crowd.replication, laws.purpose[place])
    return nanoseconds_of(quantile(crowd.codes, laws.at[place], uniform(words[n % 4])))


@inner
def draw_costs(crowd: Crowd, slot: int) -> None:
    """Begin a round of costs for the job on a slot, if there is chance in any."""
    kind, number = crowd.guests[slot].kind, crowd.guests[slot].number
    if not crowd.chancy[kind]:
        return
    job, costs, first = crowd.jobs[number], crowd.costs[slot], COSTS * kind
    for place in range(COSTS):
        set_cost(costs, place, draw(crowd, crowd.cost_laws, first + place, number, job.rounds))
    job.rounds += 1


@inner
def begin(crowd: Crowd) -> None:
    """Before anything has happened: when each job comes, and the first mark of the clock."""
    for number in range(len(crowd.class_of)):
        if crowd.arrivals[number] < NEVER:
            join_at(crowd, number, crowd.arrivals[number])
    set_mark(crowd)


@inner
def join_at(crowd: Crowd, number: int, at: int) -> None:
    """The job joins the queue then, or never."""
    minima.change(crowd.joining, crowd.joining_base, number, at)
    leaf = FIRST_SLOT + len(crowd.kind_of)
    minima.change(crowd.calendar, crowd.calendar_base, leaf, minima.least(crowd.joining))


@inner
def set_mark(crowd: Crowd) -> None:
    done = crowd.numbers[MARKS_DONE]
    at = crowd.marks[done] if done < len(crowd.marks) else NEVER
    leaf = FIRST_SLOT + len(crowd.kind_of) + 1
    minima.change(crowd.calendar, crowd.calendar_base, leaf, at)


@inner
def set_matching(crowd: Crowd, now: int) -> None:
    """Jobs and slots are matched when all else of the instant is done, or in the next cycle."""
    leaf = FIRST_SLOT + len(crowd.kind_of) + 2
    at = pool.matching_at(crowd.pool, now)
    minima.change(crowd.calendar, crowd.calendar_base, leaf, at)


@inlined
def set_slot(crowd: Crowd, slot: int, at: int) -> None:
    minima.change(crowd.calendar, crowd.calendar_base, FIRST_SLOT + slot, at)


@borrowing
def run(crowd: Crowd, events: int) -> bool:
    """Let so many more events happen; is there anything left to happen then?"""
    lent = lend(crowd)
    if crowd.numbers[EVENTS] == 0:
        begin(lent)
    if go_on(lent, events):
        return True
    gauge.finish(lent.gauge, crowd.numbers[END])
    return False


@inner
def go_on(crowd: Crowd, events: int) -> bool:
    slots = len(crowd.kind_of)
    for _ in range(events):
        now = minima.least(crowd.calendar)
        if now >= NEVER:
            return False
        crowd.numbers[NOW] = now
        crowd.numbers[EVENTS] += 1
        if crowd.numbers[EVENTS] % EVENTS_SET_ASIDE == 0:
            set_aside(crowd)
        leaf = minima.leaf_of_least(crowd.calendar, crowd.calendar_base)
        if leaf == LINK:
            take_turn(crowd, link.slot_of_next_end(crowd.link), ELAPSED)
        elif leaf < FIRST_SLOT + slots:
            on_slot_now(crowd, leaf - FIRST_SLOT, now)
        elif leaf == FIRST_SLOT + slots:
            join(crowd, minima.leaf_of_least(crowd.joining, crowd.joining_base), now)
        elif leaf == FIRST_SLOT + slots + 1:
            mark(crowd)
            if crowd.numbers[MARKS_DONE] == len(crowd.marks):
                close(crowd, now)
                return False
        else:
            match(crowd, now)
        turn = 0
        while turn < crowd.numbers[TURNS]:
            advance(crowd, crowd.turns[turn].slot, crowd.turns[turn].event, now)
            turn += 1
        crowd.numbers[TURNS] = 0
        look_ahead(crowd, leaf)
    return True


@inlined
def look_ahead(crowd: Crowd, leaf: int) -> None:
    """Fetch what will be wanted soon: after a transfer, whose is over next; else see below."""
    if leaf == LINK:
        fetch(crowd.guests, link.slot_of_next_end(crowd.link))
        return
    fetch_slot(crowd, crowd.numbers[AHEAD])
    crowd.numbers[AHEAD] = parent_of_next(crowd, leaf)


@inlined
def parent_of_next(crowd: Crowd, leaf: int) -> int:
    """Of the leaves that share a node near the root with this one, the next one's parent.

    Its children are fetched, which tell the leaf; so that is known when the event after this one
    comes, and what lies at its slot is there when its own does, some dozen events later.
    """
    tree, base = crowd.calendar, crowd.calendar_base
    node = base + leaf
    while node >= min(NEAR_THE_ROOT, base >> 2):
        node = node >> 3
    while node < base >> 3:
        node = minima.least_child(tree, node)
    fetch(tree, node << 3)
    return node


@inlined
def fetch_slot(crowd: Crowd, parent: int) -> None:
    """Fetch what lies at the slot whose event is next of those below a node of the calendar."""
    if parent > 0:
        leaf = minima.least_child(crowd.calendar, parent) - crowd.calendar_base
        slot = leaf - FIRST_SLOT
        if 0 <= slot < len(crowd.kind_of):
            fetch(crowd.guests, slot)
            fetch(crowd.link.bytes, slot)
            fetch(crowd.link.ends, crowd.link.base + slot)


@inner
def set_aside(crowd: Crowd) -> None:
    """Keep each sum of a ledger well within 64 bits, which hold the time of 292 slots in a year."""
    for account in range(len(crowd.ledgers)):
        for category in range(len(crowd.ledgers[account])):
            if crowd.ledgers[account, category] >= ASIDE:
                crowd.ledgers[account, category] -= ASIDE
                crowd.aside[account, category] += 1


@inlined
def on_slot_now(crowd: Crowd, slot: int, now: int) -> None:
    """What was expected on a slot: the next event of the job there, or the slot itself is back."""
    guest = crowd.guests[slot]
    if guest.number == NOBODY:
        set_slot(crowd, slot, NEVER)
        pool.give_back(crowd.pool, slot)
        set_matching(crowd, now)
    else:
        take_turn(crowd, slot, guest.event)


@inlined
def take_turn(crowd: Crowd, slot: int, event: int) -> None:
    """The event happens on the slot once those whose turn came before have had theirs."""
    turn = crowd.turns[crowd.numbers[TURNS]]
    turn.slot, turn.event = slot, event
    crowd.numbers[TURNS] += 1


@inlined
def advance(crowd: Crowd, slot: int, event: Any, now: int) -> None:
    """Tell the rules what happened to the job on a slot, and set down what follows."""
    guest = crowd.guests[slot]
    lease, plan = guest.lease, crowd.plans[guest.kind]
    costs = crowd.costs[slot] if crowd.chancy[guest.kind] else plan.usual
    before = job_there(guest)
    if event == ELAPSED:
        before = over(before, now)
    job = step(plan, costs, lease, before, event, now)
    guest.pending = ledger.book(crowd.ledgers[guest.account], guest.pending, before, event, job)
    write_row(crowd, slot, guest.number, event, job, now)
    if crowd.linked and may_concern_link(before.phase, job.phase):
        carry(crowd, slot, before.phase, job, now)
    last = ending(before.phase, guest.since_event, event)
    put_there(guest, job)
    guest.since_event = event
    if not on_slot(job.phase):
        leave(crowd, slot, last, now)
        return
    if begins_round(before, job):
        draw_costs(crowd, slot)
    at, coming = upcoming(job, lease)
    guest.event = coming
    set_slot(crowd, slot, at)


@inlined
def job_there(guest: Any) -> Job:
    return Job(
        phase_of(guest.phase),
        guest.since,
        guest.until,
        guest.saved,
        guest.unsaved,
        guest.checkpoints,
        guest.fruitless,
        guest.written,
    )


@inlined
def put_there(guest: Any, job: Job) -> None:
    guest.phase, guest.since, guest.until = job.phase, job.since, job.until
    guest.saved, guest.unsaved, guest.checkpoints = job.saved, job.unsaved, job.checkpoints
    guest.fruitless, guest.written = job.fruitless, job.written


@inlined
def write_row(crowd: Crowd, slot: int, number: int, event: int, job: Job, now: int) -> None:
    """A row of the trace, if there is room for it."""
    place = crowd.numbers[ROWS]
    crowd.numbers[ROWS] = place + 1
    if place < len(crowd.rows):
        row = crowd.rows[place]
        row[0], row[1], row[2], row[3] = now, slot, number, event
        row[4], row[5], row[6] = job.phase, job.saved, job.unsaved


@inlined
def may_concern_link(before: Any, phase: Phase) -> bool:
    """Is there anything to tell the link when a job goes from one phase into the other?"""
    return Phase.AWAITING in (before, phase) or link.is_over_link(before)


@inlined
def carry(crowd: Crowd, slot: int, before: Any, job: Job, now: int) -> None:
    """Tell the link about the job on a slot, and note whose turn comes by it."""
    kind = crowd.guests[slot].kind
    on_link = crowd.link.bytes[slot]
    link.carry(crowd.link, crowd.plans[kind], slot, crowd.user_of[kind], before, job, now)
    if on_link == crowd.link.bytes[slot]:
        return
    chosen = link.granted(crowd.link, slot, now)
    while chosen != NOBODY:
        take_turn(crowd, chosen, ELAPSED)
        chosen = link.granted(crowd.link, slot, now)
    flying = link.in_flight(crowd.link)
    gauge.move(crowd.gauge, Measure.IN_FLIGHT, flying, now)
    gauge.move(crowd.gauge, Measure.LINK_BUSY, min(flying, 1), now)
    gauge.move(crowd.gauge, Measure.AWAITING, crowd.link.numbers[link.WAITING], now)
    minima.change(crowd.calendar, crowd.calendar_base, LINK, link.next_end(crowd.link))


@inner
def leave(crowd: Crowd, slot: int, event: Any, now: int) -> None:
    """The job is off the slot: what became of it, and when each of the two is back."""
    guest, number = crowd.guests[slot], crowd.guests[slot].number
    crowd.leases_ended[guest.account] += 1
    crowd.checkpoints[guest.account] += guest.checkpoints - guest.checkpoints_before
    write_stay(crowd, slot, event, now)
    pool.leave(crowd.pool, slot, crowd.user_of[guest.kind], guest.phase, now)
    gauge.add(crowd.gauge, Measure.BUSY, -1, now)
    lost: Any = WARNED if event == ELAPSED and now - guest.start >= guest.eviction else event
    contact_lease = crowd.terms[crowd.kind_of[slot]].contact_lease
    put_off(crowd, number, guest, now)
    guest.number = NOBODY
    give_back_after(crowd, slot, pool.away(lost, guest.absence, contact_lease), now)


@inner
def write_stay(crowd: Crowd, slot: int, event: int, now: int) -> None:
    """What became of a lease, if there is room for it."""
    place = crowd.numbers[STAYS]
    crowd.numbers[STAYS] = place + 1
    if place < len(crowd.stays):
        stay, guest = crowd.stays[place], crowd.guests[slot]
        stay[0], stay[1], stay[2], stay[3] = slot, guest.number, guest.start, now
        stay[4], stay[5] = guest.age, guest.saved - guest.saved_before
        stay[6], stay[7] = guest.checkpoints - guest.checkpoints_before, event


@inner
def put_off(crowd: Crowd, number: int, guest: Any, now: int) -> None:
    """The job's next way: it joins the queue again after a gap, or is done."""
    job, kind = crowd.jobs[number], guest.kind
    job.phase, job.saved = guest.phase, guest.saved
    job.checkpoints, job.fruitless = guest.checkpoints, guest.fruitless
    if guest.phase == Phase.QUEUED:
        join_at(crowd, number, now + gap(crowd, number))
        return
    crowd.numbers[END] = now
    if guest.phase == Phase.COMPLETED:
        crowd.makespans[number] = now - crowd.arrivals[number]
        crowd.completed[kind] += 1
    else:
        crowd.stranded[kind] += 1


@inner
def gap(crowd: Crowd, number: int) -> int:
    """The job's next gap."""
    job = crowd.jobs[number]
    job.gaps += 1
    return draw(crowd, crowd.gap_law, 0, number, job.gaps - 1)


@inner
def give_back_after(crowd: Crowd, slot: int, away: int, now: int) -> None:
    """The slot is free again after so long; until then nothing happens on it."""
    if away == 0:
        set_slot(crowd, slot, NEVER)
        pool.give_back(crowd.pool, slot)
        set_matching(crowd, now)
    else:
        set_slot(crowd, slot, min(now + away, NEVER))


@inner
def join(crowd: Crowd, number: int, now: int) -> None:
    """A job arrives, or its gap is over."""
    job, kind = crowd.jobs[number], crowd.class_of[number]
    join_at(crowd, number, NEVER)
    if job.arrived == 0:
        job.arrived = 1
        new = submitted(crowd.plans[kind], now, 0)
        job.phase = new.phase
        if new.phase == Phase.STRANDED:
            crowd.stranded[kind] += 1
            crowd.numbers[END] = now
            return
        if crowd.first_gap:
            join_at(crowd, number, now + gap(crowd, number))
            return
    pool.wait(crowd.pool, number, crowd.user_of[kind], crowd.priority_of[kind])
    gauge.add(crowd.gauge, Measure.QUEUED, 1, now)
    set_matching(crowd, now)


@inner
def match(crowd: Crowd, now: int) -> None:
    """Jobs get slots, as long as there are both."""
    slot = pool.offered(crowd.pool, now)
    while slot != NOBODY:
        there = there_from(crowd, slot, now)
        if there > now:
            crowd.pool.claimed[slot] = pool.UNCLAIMED
            set_slot(crowd, slot, there)
        else:
            place(crowd, pool.matched(crowd.pool, slot, now), slot, now)
        slot = pool.offered(crowd.pool, now)
    set_matching(crowd, now)


@inner
def there_from(crowd: Crowd, slot: int, now: int) -> int:
    """From when the slot is there, as far as its rooms, racks and windows go."""
    lost = crowd.outages
    for spot in range(lost.domains_from[slot], lost.domains_from[slot + 1]):
        domain = lost.domains[spot]
        while outages.outdated(lost, domain, now):
            n = crowd.outages_drawn[domain]
            crowd.outages_drawn[domain] = n + 1
            after = draw(crowd, crowd.domain_laws, 2 * domain, domain, n)
            repair = draw(crowd, crowd.domain_laws, 2 * domain + 1, domain, n)
            outages.fail_again(lost, domain, after, repair)
    return outages.there_from(lost, slot, now)


@inner
def place(crowd: Crowd, number: int, slot: int, now: int) -> None:
    """A lease begins: the job is on the slot, with what the slot holds in store for it."""
    job, guest, kind = crowd.jobs[number], crowd.guests[slot], crowd.class_of[number]
    pool.settle(crowd.pool, slot, crowd.user_of[kind], now)
    gauge.add(crowd.gauge, Measure.QUEUED, -1, now)
    gauge.add(crowd.gauge, Measure.BUSY, 1, now)
    guest.number, guest.start, guest.pending, guest.since_event = number, now, 0, PLACED
    guest.kind, guest.account = kind, kind * len(crowd.terms) + crowd.kind_of[slot]
    guest.saved_before, guest.checkpoints_before = job.saved, job.checkpoints
    guest.phase, guest.since, guest.until = job.phase, now, NEVER
    guest.saved, guest.unsaved, guest.written = job.saved, 0, 0
    guest.checkpoints, guest.fruitless = job.checkpoints, job.fruitless
    begin_lease(crowd, slot, number, now)
    draw_costs(crowd, slot)
    take_turn(crowd, slot, PLACED)


@inner
def begin_lease(crowd: Crowd, slot: int, number: int, now: int) -> None:
    """The fate of the lease, drawn, and as instants."""
    guest, kind = crowd.guests[slot], crowd.kind_of[slot]
    n = guest.fates_drawn
    guest.fates_drawn = n + 1
    fate = Fate(
        crowd.limits[kind],
        draw(crowd, crowd.fate_laws, 3 * kind + EVICTION, slot, n),
        draw(crowd, crowd.fate_laws, 3 * kind + POWER_FAILURE, slot, n),
        draw(crowd, crowd.fate_laws, 3 * kind + ABSENCE, slot, n),
    )
    guest.eviction, guest.absence = fate.eviction, fate.absence
    guest.age = min(fate.limit, fate.eviction, fate.power_failure)
    lease = pool.lease_of(
        crowd.terms[kind],
        crowd.plans[guest.kind],
        fate,
        now,
        crowd.pool.claimed[slot],
        outages.wanted_back(crowd.outages, slot),
        outages.fails_next(crowd.outages, slot),
        crowd.first_blocks[number] if len(crowd.first_blocks) > 0 else NEVER,
    )
    set_lease(guest.lease, lease)


@inner
def mark(crowd: Crowd) -> None:
    """Note how things stand."""
    done = crowd.numbers[MARKS_DONE]
    for account in range(len(crowd.ledgers)):
        for category in range(len(crowd.ledgers[account])):
            crowd.marked_ledgers[done, account, category] = crowd.ledgers[account, category]
            crowd.marked_aside[done, account, category] = crowd.aside[account, category]
    for kind in range(len(crowd.completed)):
        crowd.marked_completed[done, kind] = crowd.completed[kind]
    crowd.numbers[MARKS_DONE] = done + 1
    set_mark(crowd)


@inner
def close(crowd: Crowd, now: int) -> None:
    """The run ends: book what is under way."""
    crowd.numbers[END] = now
    for slot in range(len(crowd.kind_of)):
        guest = crowd.guests[slot]
        if guest.number != NOBODY:
            ledger.close(crowd.ledgers[guest.account], guest.pending, job_there(guest), now)
