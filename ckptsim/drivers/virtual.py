"""The reference: SimPy's clock, one process a job. It says when things happen, never what follows.

The order of events at one instant is fixed, not left to SimPy's order of creation: first transfers
that are over, then what happens on the slots in the order of their numbers, then jobs that join the
queue, then the marks of the clock; and jobs are matched to slots when all else has happened.
"""

from collections.abc import Callable, Generator, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import simpy
from simpy.events import EventPriority

from ckptsim import gauge, ledger, link, outages, pool
from ckptsim.gauge import Measure
from ckptsim.outcome import Books, Mark, Outcome, Row, Stay
from ckptsim.pool import Fate, lease_of
from ckptsim.rules import (
    NEVER,
    Costs,
    Event,
    Job,
    Lease,
    Phase,
    Plan,
    begins_round,
    ending,
    on_slot,
    over,
    step,
    submitted,
    upcoming,
)
from ckptsim.world import World

FIRST_PRIORITY = 2  # 0 and 1 are SimPy's own
LINK = FIRST_PRIORITY
FIRST_SLOT = LINK + 1


class Alarm(simpy.Event):
    """A timeout that carries a value, and has its own priority among those at one instant."""

    def __init__(
        self, env: simpy.Environment, delay: int, priority: int, value: Any = None
    ) -> None:
        self.env, self.callbacks = env, []
        self._ok, self._value = True, value
        env.schedule(self, EventPriority(priority), delay)


Record = Callable[[Row], object]
Process = Generator[simpy.Event, Any, None]


def simulate(world: World, replication: int, record: Record | None = None) -> Outcome:
    """Run all the jobs of one replication to their ends, or until its duration is over.

    `record` gets each event as it happens.
    """
    run = Run(world, replication, record)
    for number, arrival in enumerate(world.arrivals(replication)):
        if arrival < NEVER:
            run.env.process(run.arrive(number, arrival))
    run.play()
    return run.outcome()


def simulate_leases(
    world: World, replication: int, leases: int, record: Record | None = None
) -> Outcome:
    """Run `leases` leases of one job without end that has a checkpoint to restart from."""
    endless = world.without_end()
    run = Run(endless, replication, record)
    run.env.process(run.live(0, submitted(endless.plan, 0, checkpoints=1), leases))
    run.play()
    return run.outcome()


class Guest(NamedTuple):
    """The job on a slot, and the slot time whose fate is open, between two of its events."""

    number: int
    job: Job
    pending: int


class Tally:
    """What has come of one class of jobs on one kind of slots."""

    def __init__(self) -> None:
        self.ledger = ledger.opened()
        self.leases = self.checkpoints = 0


class Run:
    """One replication: the environment, the pool of slots, and what has come of it so far."""

    def __init__(self, world: World, replication: int, record: Record | None) -> None:
        self.env = simpy.Environment()
        self.world, self.replication, self.record = world, replication, record
        slots = world.scenario.slots_count
        self.joining, self.marking, self.placing = (FIRST_SLOT + slots + n for n in range(3))
        self.pool, self.link, self.outages = world.pool(), world.link(), world.outages()
        self.fates = [world.fates(replication, slot) for slot in range(slots)]
        self.failures = [
            world.outage_draws(replication, domain) for domain in range(len(world.domain_slots))
        ]
        self.crowded, self.gauge = world.is_crowded, gauge.opened()
        self.asked: dict[int, simpy.Event] = {}
        self.moved: dict[int, simpy.Event] = {}
        self.guests: dict[int, Guest] = {}
        self.placing_at = NEVER
        self.tallies = [[Tally() for _ in world.kinds] for _ in world.classes]
        self.makespans: dict[int, int] = {}
        self.stranded = [0] * len(world.classes)
        self.completed = [0] * len(world.classes)
        self.stays: list[Stay] = []
        self.marks: list[Mark] = []
        self.end = 0

    # A job's life.

    def arrive(self, number: int, arrival: int) -> Process:
        yield Alarm(self.env, arrival, self.joining)
        plan = self.world.plans[self.world.class_of(number)]
        yield from self.live(number, submitted(plan, arrival))

    def live(self, number: int, job: Job, leases: int = NEVER) -> Process:
        """A job's process: ask for a slot, stay until the lease ends, wait to be matched again."""
        arrival = int(self.env.now)
        gaps = self.world.gaps(self.replication, number)
        costs = self.world.costs(self.replication, number)
        if self.world.scenario.slots.first_gap and job.phase == Phase.QUEUED:
            yield Alarm(self.env, next(gaps), self.joining)
        while job.phase == Phase.QUEUED:
            slot, fate = yield self.ask(number)
            job = yield from self.stay(number, job, slot, fate, costs)
            leases -= 1
            if leases == 0:
                return
            if job.phase == Phase.QUEUED:
                yield Alarm(self.env, next(gaps), self.joining)
        self.bury(number, job, arrival)

    def stay(
        self, number: int, job: Job, slot: int, fate: Fate, rounds: Iterator[Costs]
    ) -> Generator[simpy.Event, Event, Job]:
        """One lease, from being placed to being off the slot again."""
        begun, start = job, int(self.env.now)
        job, event = yield from self.follow(number, job, slot, fate, rounds)
        stay = Stay(
            slot=slot,
            job=number,
            start=start,
            end=int(self.env.now),
            fate_age=fate.age,
            work=job.saved - begun.saved,
            checkpoints=job.checkpoints - begun.checkpoints,
            event=event,
        )
        self.stays.append(stay)
        tally = self.tally(number, slot)
        tally.leases += 1
        tally.checkpoints += stay.checkpoints
        retired = event == Event.ELAPSED and self.env.now - start >= fate.eviction
        self.leave(slot, number, fate, job, Event.WARNED if retired else event)
        return job

    def follow(
        self, number: int, job: Job, slot: int, fate: Fate, rounds: Iterator[Costs]
    ) -> Generator[simpy.Event, Event, tuple[Job, Event]]:
        """Tell the rules what happens when, until the job is off the slot; and what ended it."""
        env, record, plan = self.env, self.record, self.world.plans[self.world.class_of(number)]
        books, lease = self.tally(number, slot).ledger, self.lease(slot, number, plan, fate)
        costs, now, event = next(rounds), int(env.now), Event.PLACED
        pending, since = 0, event  # the latter: what the job's phase began with
        while True:
            before, job = job, step(plan, costs, lease, job, event, now)
            pending = ledger.book(books, pending, before, event, job)
            if record:
                record(Row(now, slot, number, event, job.phase, job.saved, job.unsaved))
            self.carry(slot, number, plan, before.phase, job)
            if not on_slot(job.phase):
                return job, ending(before.phase, since, event)
            self.guests[slot] = Guest(number, job, pending)
            if begins_round(before, job):
                costs = next(rounds)
            since = event
            at, event = upcoming(job, lease)
            if slot in self.moved:
                event = yield from self.race(slot, at, event)
                now = int(env.now)
                job = over(job, now) if event == Event.ELAPSED else job
            else:
                yield Alarm(env, at - now, FIRST_SLOT + slot)
                now = at

    def lease(self, slot: int, number: int, plan: Plan, fate: Fate) -> Lease:
        return lease_of(
            self.world.terms[self.world.kind_of(slot)],
            plan,
            fate,
            int(self.env.now),
            self.pool.claimed[slot],
            outages.wanted_back(self.outages, slot),
            outages.fails_next(self.outages, slot),
            self.world.first_block(number),
        )

    def bury(self, number: int, job: Job, arrival: int) -> None:
        """The job is done, one way or the other."""
        self.end, kind = int(self.env.now), self.world.class_of(number)
        if job.phase == Phase.COMPLETED:
            self.makespans[number] = self.end - arrival
            self.completed[kind] += 1
        else:
            self.stranded[kind] += 1

    def tally(self, number: int, slot: int) -> Tally:
        return self.tallies[self.world.class_of(number)][self.world.kind_of(slot)]

    def user(self, number: int) -> int:
        return self.world.user_of_class[self.world.class_of(number)]

    # The link: a job on it waits for two things at once.

    def carry(self, slot: int, number: int, plan: Plan, before: Phase, job: Job) -> None:
        """Tell the link about the job; those whose turn has come by it are told."""
        if self.link is None:
            return
        now, on_link = int(self.env.now), self.link.bytes[slot]
        link.carry(self.link, plan, slot, self.user(number), before, job, now)
        if self.link.bytes[slot] > 0:
            self.moved[slot] = self.env.event()
        else:
            self.moved.pop(slot, None)
        if on_link != self.link.bytes[slot]:
            self.give_turns(slot)

    def give_turns(self, slot: int) -> None:
        assert self.link is not None
        now = int(self.env.now)
        while (chosen := link.granted(self.link, slot, now)) != link.NOBODY:
            self.moved[chosen].succeed()
        self.read_link(now)
        at = link.next_end(self.link)
        if at < NEVER:
            Alarm(self.env, at - now, LINK).callbacks.append(self.end_transfer)

    def end_transfer(self, _: simpy.Event) -> None:
        """A transfer is over, if it is still the one that was expected to be."""
        assert self.link is not None
        if link.next_end(self.link) == self.env.now:
            self.moved[link.slot_of_next_end(self.link)].succeed()

    def race(self, slot: int, at: int, event: Event) -> Generator[simpy.Event, Any, Event]:
        """What comes first: the slot's next event, or news from the link, which is ELAPSED."""
        moved, events = self.moved[slot], [self.moved[slot]]
        if at < NEVER:
            events.append(Alarm(self.env, at - int(self.env.now), FIRST_SLOT + slot))
        fired = yield simpy.AnyOf(self.env, events)
        return Event.ELAPSED if moved in fired else event

    def read_link(self, now: int) -> None:
        assert self.link is not None
        flying = link.in_flight(self.link)
        gauge.move(self.gauge, Measure.IN_FLIGHT, flying, now)
        gauge.move(self.gauge, Measure.LINK_BUSY, min(flying, 1), now)
        gauge.move(self.gauge, Measure.AWAITING, self.link.numbers[link.WAITING], now)

    # The pool.

    def ask(self, number: int) -> simpy.Event:
        """The job joins the queue; the event that comes back fires with its slot and fate."""
        priority = self.world.classes[self.world.class_of(number)].priority
        pool.wait(self.pool, number, self.user(number), priority)
        self.count(Measure.QUEUED, 1)
        self.asked[number] = asked = self.env.event()
        self.place_soon()
        return asked

    def leave(self, slot: int, number: int, fate: Fate, job: Job, event: Event) -> None:
        """The slot is free again, when its absence is over."""
        self.guests.pop(slot, None)
        pool.leave(self.pool, slot, self.user(number), job.phase, int(self.env.now))
        self.count(Measure.BUSY, -1)
        contact_lease = self.world.terms[self.world.kind_of(slot)].contact_lease
        self.give_back_after(slot, pool.away(event, fate.absence, contact_lease))

    def give_back_after(self, slot: int, away: int) -> None:
        if away == 0:
            self.give_back(slot)
        elif self.env.now + away < NEVER:
            back = Alarm(self.env, away, FIRST_SLOT + slot)
            back.callbacks.append(lambda _: self.give_back(slot))

    def give_back(self, slot: int) -> None:
        pool.give_back(self.pool, slot)
        self.place_soon()

    def place_soon(self) -> None:
        """Match jobs and slots when all else of this instant has happened, or in the next cycle."""
        now = int(self.env.now)
        at = pool.matching_at(self.pool, now)
        if at != self.placing_at and at < NEVER:
            self.placing_at = at
            Alarm(self.env, at - now, self.placing).callbacks.append(self.place)

    def place(self, _: simpy.Event) -> None:
        now, self.placing_at = int(self.env.now), NEVER
        while (slot := pool.offered(self.pool, now)) != pool.NOBODY:
            there = self.there_from(slot, now)
            if there > now:
                self.pool.claimed[slot] = pool.UNCLAIMED
                self.give_back_after(slot, there - now)
            else:
                number = pool.matched(self.pool, slot, now)
                pool.settle(self.pool, slot, self.user(number), now)
                self.count(Measure.QUEUED, -1)
                self.count(Measure.BUSY, 1)
                self.asked.pop(number).succeed((slot, next(self.fates[slot])))
        self.place_soon()

    def there_from(self, slot: int, now: int) -> int:
        """From when the slot is there, as far as its rooms, racks and windows go."""
        first, end = self.outages.domains_from[slot : slot + 2]
        for domain in self.outages.domains[first:end]:
            while outages.outdated(self.outages, domain, now):
                outages.fail_again(self.outages, domain, *next(self.failures[domain]))
        return outages.there_from(self.outages, slot, now)

    def count(self, measure: Measure, more: int) -> None:
        """There are so many more; of a lone job nothing is gauged."""
        if self.crowded:
            gauge.add(self.gauge, measure, more, int(self.env.now))

    # The run as a whole.

    def play(self) -> None:
        """Run until nothing more happens, or until the duration is over."""
        last = None
        for at in self.world.marks:
            last = Alarm(self.env, at, self.marking)
            last.callbacks.append(self.mark)
        self.env.run(until=last)
        if last is None:
            self.give_up()
        else:
            self.end = int(self.env.now)
            self.close()
        if self.crowded:
            gauge.finish(self.gauge, self.end)

    def mark(self, _: simpy.Event) -> None:
        ledgers = [list(each.ledger) for row in self.tallies for each in row]
        self.marks.append(Mark(int(self.env.now), ledgers, list(self.completed)))

    def give_up(self) -> None:
        """Jobs that still wait when nothing more can happen will never finish."""
        for number in self.asked:
            self.stranded[self.world.class_of(number)] += 1

    def close(self) -> None:
        """Book what is under way at the end of the run."""
        for slot in sorted(self.guests):
            guest = self.guests[slot]
            books = self.tally(guest.number, slot).ledger
            ledger.close(books, guest.pending, guest.job, self.end)

    def outcome(self) -> Outcome:
        """What came of it."""
        starts = self.world.class_starts
        spans = [
            [self.makespans[job] for job in range(first, end) if job in self.makespans]
            for first, end in pairwise(starts)
        ]
        books = [
            Books(each.ledger, each.leases, each.checkpoints)
            for row in self.tallies
            for each in row
        ]
        return Outcome(books, spans, self.stranded, self.stays, self.marks, self.gauge, self.end)
