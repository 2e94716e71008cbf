"""The reference: SimPy's clock, one process a job. It says when things happen, never what follows.

The order of events at one instant comes from the rules, not from SimPy's order of creation: an
event's number is its priority, and jobs are placed on slots after everything else of the instant.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import simpy
from simpy.events import EventPriority

from ckptsim import ledger, pool
from ckptsim.ledger import charge
from ckptsim.rules import (
    NEVER,
    Costs,
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
from ckptsim.world import Fate, World, lease_of

FIRST_PRIORITY = 2  # 0 and 1 are SimPy's own
PLACING = FIRST_PRIORITY + len(Event)


class Row(NamedTuple):
    """One event of a trace; times in nanoseconds, the phase is the one the event led to."""

    time: int
    slot: int
    job: int
    event: Event
    phase: Phase
    saved: int
    unsaved: int


class Stay(NamedTuple):
    """What became of one lease; times in nanoseconds."""

    slot: int
    job: int
    start: int
    end: int
    fate_age: int  # when the slot would have ended it, whatever the job did
    work: int  # committed in it
    checkpoints: int  # committed in it
    event: Event  # what ended it; ELAPSED where the job left by itself


@dataclass
class Outcome:
    """What one replication came to; times in nanoseconds."""

    ledger: list[int] = field(default_factory=ledger.opened)
    makespans: list[int] = field(default_factory=list)  # of the jobs that completed
    stranded: int = 0
    stays: list[Stay] = field(default_factory=list)
    end: int = 0  # when the last job was done


class Alarm(simpy.Event):
    """A timeout that carries its Event, and has it for a priority among those at one instant."""

    def __init__(self, env: simpy.Environment, delay: int, event: int) -> None:
        self.env, self.callbacks = env, []
        self._ok, self._value = True, event
        env.schedule(self, EventPriority(FIRST_PRIORITY + event), delay)


Record = Callable[[Row], object]
Process = Generator[simpy.Event, Any, None]


def simulate(world: World, replication: int, record: Record | None = None) -> Outcome:
    """Run all the jobs of one replication to their ends; `record` gets each event as it happens."""
    run = Run(world, replication, record)
    for number in range(world.scenario.job.count):
        run.env.process(run.live(number, submitted(world.plan, 0)))
    run.env.run()
    return run.outcome


def simulate_leases(
    world: World, replication: int, leases: int, record: Record | None = None
) -> Outcome:
    """Run `leases` leases of one job without end that has a checkpoint to restart from."""
    endless = world.without_end()
    run = Run(endless, replication, record)
    run.env.process(run.live(0, submitted(endless.plan, 0, checkpoints=1), leases))
    run.env.run()
    return run.outcome


class Run:
    """One replication: the environment, the pool of slots, and what has come of it so far."""

    def __init__(self, world: World, replication: int, record: Record | None) -> None:
        self.env = simpy.Environment()
        self.world, self.replication, self.record = world, replication, record
        self.outcome = Outcome()
        slots = world.scenario.slots.count
        self.pool = pool.opened(slots)
        self.fates = [world.fates(replication, slot) for slot in range(slots)]
        self.asked: dict[int, simpy.Event] = {}

    def live(self, number: int, job: Job, leases: int = NEVER) -> Process:
        """A job's process: ask for a slot, stay until the lease ends, wait to be matched again."""
        gaps = self.world.gaps(self.replication, number)
        costs = self.world.costs(self.replication, number)
        if self.world.scenario.slots.first_gap:
            yield Alarm(self.env, next(gaps), Event.PLACED)
        while job.phase == Phase.QUEUED:
            slot, fate = yield self.ask(number)
            job = yield from self.stay(number, job, slot, fate, costs)
            leases -= 1
            if leases == 0:
                return
            if job.phase == Phase.QUEUED:
                yield Alarm(self.env, next(gaps), Event.PLACED)
        self.tally(job)

    def stay(
        self, number: int, job: Job, slot: int, fate: Fate, rounds: Iterator[Costs]
    ) -> Generator[simpy.Event, Event, Job]:
        """One lease, from being placed to being off the slot again."""
        begun, start = job, int(self.env.now)
        job, event = yield from self.follow(number, job, slot, self.lease(slot, fate), rounds)
        self.outcome.stays.append(
            Stay(
                slot=slot,
                job=number,
                start=start,
                end=int(self.env.now),
                fate_age=fate.age,
                work=job.saved - begun.saved,
                checkpoints=job.checkpoints - begun.checkpoints,
                event=event,
            )
        )
        retired = event == Event.ELAPSED and self.env.now - start >= fate.eviction
        self.leave(slot, fate, job, Event.WARNED if retired else event)
        return job

    def follow(
        self, number: int, job: Job, slot: int, lease: Lease, rounds: Iterator[Costs]
    ) -> Generator[simpy.Event, Event, tuple[Job, Event]]:
        """Tell the rules what happens when, until the job is off the slot; and what ended it."""
        env, plan, books, record = self.env, self.world.plan, self.outcome.ledger, self.record
        costs, now, event = next(rounds), int(env.now), Event.PLACED
        since = event  # what the job's phase began with
        while True:
            before, job = job, step(plan, costs, lease, job, event, now)
            charge(books, before, event, job)
            if record:
                record(Row(now, slot, number, event, job.phase, job.saved, job.unsaved))
            if not on_slot(job.phase):
                return job, ending(before.phase, since, event)
            if begins_round(before, job):
                costs = next(rounds)
            since = event
            at, event = upcoming(job, lease)
            yield Alarm(env, at - now, event)
            now = at

    def lease(self, slot: int, fate: Fate) -> Lease:
        claimed = self.pool.claimed[slot]
        return lease_of(fate, int(self.env.now), claimed, self.world.scenario)

    def ask(self, number: int) -> simpy.Event:
        """The job joins the queue; the event that comes back fires with its slot and fate."""
        pool.wait(self.pool, number)
        self.asked[number] = asked = self.env.event()
        self.place_soon()
        return asked

    def leave(self, slot: int, fate: Fate, job: Job, event: Event) -> None:
        """The slot is free again, when its absence is over."""
        pool.leave(self.pool, slot, job.phase)
        away = pool.away(event, fate.absence, self.world.scenario.slots.contact_lease)
        if away == 0:
            self.give_back(slot)
        else:
            back = Alarm(self.env, away, Event.PLACED)
            back.callbacks.append(lambda _: self.give_back(slot))

    def give_back(self, slot: int) -> None:
        pool.give_back(self.pool, slot)
        self.place_soon()

    def place_soon(self) -> None:
        """Match jobs and slots when all else of this instant has happened."""
        if pool.can_match(self.pool):
            Alarm(self.env, 0, PLACING).callbacks.append(self.place)

    def place(self, _: simpy.Event) -> None:
        while pool.can_match(self.pool):
            number, slot = pool.match(self.pool, int(self.env.now), self.world.plan.claim_worklife)
            self.asked.pop(number).succeed((slot, next(self.fates[slot])))

    def tally(self, job: Job) -> None:
        self.outcome.end = int(self.env.now)
        if job.phase == Phase.COMPLETED:
            self.outcome.makespans.append(self.outcome.end)
        else:
            self.outcome.stranded += 1
