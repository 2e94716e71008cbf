"""S1 and S2 in as little SimPy as it takes.

No phases, no ledger, float seconds, chance from `random`: what is left of SimPy when nothing is
asked of it.
"""

import random
from collections.abc import Iterator
from heapq import heappop, heappush

import simpy
from settings import SEED

Process = Iterator[simpy.Event]


def s1_job(env: simpy.Environment, chance: random.Random) -> Process:
    saved, work = 0.0, 86_400.0
    while saved < work:
        yield env.timeout(chance.expovariate(1 / 600))
        end = env.now + min(21_600.0, chance.expovariate(1 / 28_800))
        yield env.timeout(min(120.0, end - env.now))
        while env.now < end and saved < work:
            block = min(5_040.0, work - saved)
            if env.now + block > end:
                yield env.timeout(end - env.now)
                break
            yield env.timeout(block)
            if saved + block < work:
                if env.now + 300 > end:
                    yield env.timeout(end - env.now)
                    break
                yield env.timeout(300)
            saved += block


def s1(number: int, jobs: int) -> list[float]:
    """Makespans of so many jobs of S1."""
    found = []
    for job in range(jobs):
        env = simpy.Environment()
        env.process(s1_job(env, random.Random(f"{SEED}-{number}-{job}")))
        env.run()
        found.append(env.now)
    return found


class Link:
    """A transfer is over when virtual time, the bytes of each so far, has gone on by its own."""

    def __init__(self, env: simpy.Environment, rate: float) -> None:
        self.env, self.rate = env, rate
        self.served = self.since = 0.0
        self.flying: list[tuple[float, int, simpy.Event]] = []  # some are gone already
        self.count = self.turns = 0

    def catch_up(self) -> None:
        if self.count:
            self.served += (self.env.now - self.since) * self.rate / self.count
        self.since = self.env.now

    def begin(self, size: float) -> simpy.Event:
        """What fires when so many bytes are over."""
        self.catch_up()
        over = self.env.event()
        self.turns += 1
        self.count += 1
        heappush(self.flying, (self.served + size, self.turns, over))
        self.expect()
        return over

    def end(self, over: simpy.Event) -> None:
        """The transfer is over or cut off; it stays in the heap until it comes up there."""
        self.catch_up()
        over.callbacks = None
        self.count -= 1
        self.expect()

    def expect(self) -> None:
        while self.flying and self.flying[0][2].callbacks is None:
            heappop(self.flying)
        if self.flying:
            end, _, over = self.flying[0]
            wait = self.env.timeout(max(0.0, (end - self.served) * self.count / self.rate))
            version = self.since, self.count
            wait.callbacks.append(lambda _: self.finish(version, over))

    def finish(self, version: tuple[float, int], over: simpy.Event) -> None:
        if version == (self.since, self.count) and not over.triggered:
            over.succeed()


class Pool:
    """Free slots, and the jobs that wait in the order of their numbers."""

    def __init__(self, slots: int) -> None:
        self.env = simpy.Environment()
        self.link = Link(self.env, 1.25e9 * slots / 100)
        self.free = slots
        self.waiting: list[tuple[int, simpy.Event]] = []
        self.chance = random.Random()
        self.makespans: list[float] = []
        self.slot_time = 0.0

    def slot(self, number: int) -> simpy.Event:
        event = self.env.event()
        heappush(self.waiting, (number, event))
        self.match()
        return event

    def match(self) -> None:
        while self.free and self.waiting:
            self.free -= 1
            heappop(self.waiting)[1].succeed()

    def moved(self, end: float) -> Process:
        """Move a checkpoint, or as much of it as there is time for."""
        over = self.link.begin(30e9)
        fired = yield over | self.env.timeout(end - self.env.now)
        self.link.end(over)
        return over in fired

    def lease(self, saved: float, end: float) -> Process:
        """What is saved by the end of a lease."""
        env = self.env
        if saved and not (yield from self.moved(end)):
            return saved
        while True:
            if env.now + 3_600 > end:
                yield env.timeout(end - env.now)
                return saved
            yield env.timeout(3_600)
            if saved + 3_600 == 86_400:
                return saved + 3_600
            if env.now + 60 > end:
                yield env.timeout(end - env.now)
                return saved
            yield env.timeout(60)
            if not (yield from self.moved(end)):
                return saved
            saved += 3_600

    def job(self, number: int) -> Process:
        saved, env = 0.0, self.env
        while saved < 86_400:
            yield self.slot(number)
            start = env.now
            end = start + min(86_400.0, self.chance.expovariate(1 / 28_800))
            saved = yield from self.lease(saved, end)
            self.slot_time += env.now - start
            self.free += 1  # and who waits next is found when this job waits too, or is done
        self.makespans.append(env.now)
        self.match()


def s2(number: int, slots: int) -> tuple[float, float]:
    """The mean makespan, and the useful fraction of slot time."""
    pool = Pool(slots)
    pool.chance.seed(f"{SEED}-{number}")
    for job in range(4 * slots):
        pool.env.process(pool.job(job))
    pool.env.run()
    work = 86_400.0 * len(pool.makespans)
    return sum(pool.makespans) / len(pool.makespans), work / pool.slot_time
