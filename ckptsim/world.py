"""A scenario as the drivers take it: plans, terms, and keyed streams of fates, gaps and costs."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, repeat
from math import floor, sqrt

from ckptsim import link, outages, pool
from ckptsim.draws import Purpose, times
from ckptsim.lifetimes import Law
from ckptsim.pool import Fate, Terms
from ckptsim.rules import (
    FRUITLESS_LEASES_MAX,
    NEVER,
    Cargo,
    Costs,
    Mode,
    Plan,
    Row,
)
from ckptsim.scenario import Job, Scenario, Slots
from ckptsim.units import LONGEST, SECOND, nanoseconds
from ckptsim.variation import with_job, with_slots

GOLDEN = (sqrt(5) - 1) / 2
"""Its multiples, less the whole part, lie about evenly however many are taken, from wherever."""


WITHOUT_INTERVAL = (Mode.DELAYED_SIGNAL, Mode.NONE)
"""The modes in which a job writes no checkpoint before it is told to, if ever."""


@dataclass(frozen=True)
class World:
    """A scenario with an interval for each class, ready to be run.

    Jobs are numbered in the order of their classes, slots in that of their kinds.
    """

    scenario: Scenario
    plans: tuple[Plan, ...]  # one a class

    @property
    def plan(self) -> Plan:
        """That of the only class, or of the first."""
        return self.plans[0]

    @cached_property
    def is_crowded(self) -> bool:
        """Is there more to it than one job on one slot, with nothing to wait for but time?"""
        scenario = self.scenario
        return scenario.is_pool or max(scenario.jobs_count, scenario.slots_count) > 1

    @cached_property
    def classes(self) -> tuple[Job, ...]:
        return tuple(self.scenario.job_classes.values())

    @cached_property
    def kinds(self) -> tuple[Slots, ...]:
        return tuple(self.scenario.slot_kinds.values())

    @cached_property
    def terms(self) -> tuple[Terms, ...]:
        """What the slots of each kind grant."""
        return tuple(terms_of(kind) for kind in self.kinds)

    @cached_property
    def users(self) -> tuple[str, ...]:
        """Everyone who has a job, in the order of the classes."""
        return tuple(dict.fromkeys(job.user for job in self.classes))

    @cached_property
    def user_of_class(self) -> tuple[int, ...]:
        return tuple(self.users.index(job.user) for job in self.classes)

    @cached_property
    def class_starts(self) -> tuple[int, ...]:
        """The number of each class's first job; one more for the end."""
        return tuple(accumulate((job.count for job in self.classes), initial=0))

    @cached_property
    def kind_starts(self) -> tuple[int, ...]:
        """The number of each kind's first slot; one more for the end."""
        return tuple(accumulate((kind.count for kind in self.kinds), initial=0))

    def class_of(self, job: int) -> int:
        """The class of the job with this number."""
        return bisect_right(self.class_starts, job) - 1

    def kind_of(self, slot: int) -> int:
        """The kind of the slot with this number."""
        return bisect_right(self.kind_starts, slot) - 1

    def first_block(self, job: int) -> int:
        """The most that the job computes before its first checkpoint, in whole steps if it has."""
        kind = self.class_of(job)
        given, plan = self.classes[kind], self.plans[kind]
        if not given.stagger or plan.mode in WITHOUT_INTERVAL:
            return NEVER
        place = (job - self.class_starts[kind] + 1) * GOLDEN
        step = given.step or 1
        return max(1, -(-round(plan.interval * (place - floor(place))) // step)) * step

    @cached_property
    def marks(self) -> tuple[int, ...]:
        """The end of the warm-up and of each batch, the last one being that of the run."""
        duration, batches = self.scenario.duration, self.scenario.batches
        if duration is None:
            return ()
        start = self.scenario.warm_up
        return tuple(start + (duration - start) * n // batches for n in range(batches + 1))

    def pool(self) -> pool.Pool:
        """The pool with all slots free and nobody waiting."""
        rules, slots = self.scenario.queue, self.scenario.slots
        jobs_by_user = [0] * len(self.users)
        for user, job in zip(self.user_of_class, self.classes, strict=True):
            jobs_by_user[user] += job.count
        worklife = unless_none(slots.claim_worklife)
        order = pool.Order[rules.order.upper().replace(" ", "_")]
        matching = pool.Rules(order, rules.cycle, rules.half_life, worklife)
        return pool.opened(matching, self.scenario.slots_count, jobs_by_user)

    def link(self) -> link.Link | None:
        """The transfer path with nothing on it, where transfers share one."""
        given = self.scenario.link
        if given is None:
            return None
        at_most = unless_none(given.at_most)
        terms = link.Terms(given.bandwidth / SECOND, at_most, given.bypass or 0)
        return link.opened(terms, self.scenario.slots_count, len(self.users))

    def outages(self) -> outages.Outages:
        """The domains' and windows' state before anything has happened."""
        count = self.scenario.slots_count
        domains, number = [list[int]() for _ in range(count)], 0
        for domain in self.domain_slots:
            for slot in domain:
                domains[slot].append(number)
            number += 1
        windows = [list[tuple[int, int]]() for _ in range(count)]
        for start, kind in zip(self.kind_starts, self.kinds, strict=False):
            for slot, begin, end in kind.availability or ():
                windows[start + slot].append((begin, end))
        return outages.opened(domains, windows, number)

    @cached_property
    def domain_slots(self) -> list[list[int]]:
        """The slots of each domain that loses power as one, in the order of `domain_laws`."""
        return [slots for _, slots in self._domains]

    @cached_property
    def domain_laws(self) -> list[tuple[Law, Law]]:
        """The laws of each domain's power failures and repairs."""
        laws = self.scenario.domains
        return [(laws[name].power_failures, laws[name].repair) for name, _ in self._domains]

    @cached_property
    def _domains(self) -> list[tuple[str, list[int]]]:
        found = []
        for name, domain in self.scenario.domains.items():
            slots = [
                slot
                for slot in range(self.scenario.slots_count)
                if not domain.kinds or self._kind_names[self.kind_of(slot)] in domain.kinds
            ]
            chunks = range(0, len(slots), domain.size)
            found += [(name, slots[start : start + domain.size]) for start in chunks]
        return found

    @cached_property
    def _kind_names(self) -> list[str]:
        return list(self.scenario.slot_kinds)

    def fates(self, replication: int, slot: int) -> Iterator[Fate]:
        """What happens to the slot's first lease, second lease, ..."""
        slots = self.kinds[self.kind_of(slot)]
        return map(
            Fate,
            repeat(LONGEST if slots.limit is None else slots.limit),
            self._stream(slots.evictions, replication, slot, Purpose.EVICTION),
            self._stream(slots.power_failures, replication, slot, Purpose.POWER_FAILURE),
            self._stream(slots.absence, replication, slot, Purpose.ABSENCE),
        )

    def outage_draws(self, replication: int, domain: int) -> Iterator[tuple[int, int]]:
        """How long a domain runs before it loses power, and how long it then is without."""
        failures, repairs = self.domain_laws[domain]
        return zip(
            self._stream(failures, replication, domain, Purpose.DOMAIN_FAILURE),
            self._stream(repairs, replication, domain, Purpose.REPAIR),
            strict=False,
        )

    def gaps(self, replication: int, job: int) -> Iterator[int]:
        """How long the job waits to be matched after it lost a slot."""
        return self._stream(self.scenario.slots.gap, replication, job, Purpose.GAP)

    def arrivals(self, replication: int) -> list[int]:
        """When each job is submitted, by its number."""
        found: list[int] = []
        for number, job in enumerate(self.classes):
            if job.arrival_times is not None:
                found += job.arrival_times
            else:
                between = self._stream(job.arrivals, replication, number, Purpose.ARRIVAL)
                every = accumulate(between)
                found += [min(at, NEVER) for at, _ in zip(every, range(job.count), strict=False)]
        return found

    def costs(self, replication: int, job: int) -> Iterator[Costs]:
        """What the job's first round costs, its second, ...; a lease and a commit begin a round."""
        streams = (
            self._stream(law, replication, job, purpose)
            for law, purpose in zip(
                cost_laws(self.classes[self.class_of(job)]), COST_PURPOSES, strict=True
            )
        )
        return map(Costs, *streams)

    def without_end(self) -> "World":
        """One of its jobs on one of its slots, which never completes and is never given up."""
        endless = (
            plan._replace(work=NEVER, lease_longest=NEVER, fruitless_max=NEVER)
            for plan in self.plans
        )
        alone = with_slots(with_job(self.scenario, count=1), count=1)
        return World(alone, tuple(endless))

    def _stream(self, law: Law, replication: int, who: int, purpose: Purpose) -> Iterator[int]:
        return times(law, self.scenario.seed, replication, who, purpose)


COST_PURPOSES = tuple(Purpose[name.upper()] for name in Costs._fields)


def cost_laws(job: Job) -> tuple[Law, ...]:
    """The laws of the six costs, in the order of `Costs`."""
    return tuple(getattr(job, name) for name in Costs._fields)


def terms_of(slots: Slots) -> Terms:
    """What the slots of a kind grant a lease."""
    return Terms(slots.grace, slots.retirement, slots.contact_lease, slots.speed)


def world_of(
    scenario: Scenario, interval: int, table: tuple[Row, ...] = (), leave_after: int | None = None
) -> World:
    """The scenario with its jobs checkpointing every `interval` nanoseconds of computation.

    With a `table` (policy.py) they look at the age of their lease instead, and leave as it says.
    """
    return pool_world(scenario, [interval] * len(scenario.job_classes), table, leave_after)


def pool_world(
    scenario: Scenario,
    intervals: list[int],
    table: tuple[Row, ...] = (),
    leave_after: int | None = None,
) -> World:
    """The scenario with an interval, in nanoseconds, for each class."""
    jobs = scenario.job_classes.values()
    plans = (
        plan_of(scenario, job, interval, table, leave_after)
        for job, interval in zip(jobs, intervals, strict=True)
    )
    return World(scenario, tuple(plans))


def plan_of(
    scenario: Scenario, job: Job, interval: int, table: tuple[Row, ...], leave_after: int | None
) -> Plan:
    """What stays the same for the lives of the jobs of one class."""
    laws = cost_laws(job)
    kinds = scenario.slot_kinds.values()
    return Plan(
        work=unless_none(job.work),
        interval=interval,
        last_checkpoint=job.last_checkpoint,
        leave_early=job.leave_early and not table,
        claim_worklife=unless_none(scenario.slots.claim_worklife),
        least=Costs(*(nanoseconds(law.lowest) for law in laws)),
        usual=Costs(*(nanoseconds(law.mean) for law in laws)),
        lease_longest=max(lease_longest(kind) for kind in kinds),
        fruitless_max=FRUITLESS_LEASES_MAX,
        table=table,
        leave_after=unless_none(leave_after),
        boundaries=tuple(accumulate(job.steps or ())),
        mode=job.mode,
        cargo=cargo_of(scenario, job),
        speed_most=max(kind.speed for kind in kinds),
    )


def cargo_of(scenario: Scenario, job: Job) -> Cargo:
    """The bytes that a job moves over the scenario's link, if it has one."""
    if scenario.link is None:
        return Cargo(0, 0, 0)
    checkpoint, own = job.size or 0, job.input_size or 0
    return Cargo(checkpoint, own, own + (checkpoint if scenario.link.fetch_checkpoint else 0))


def unless_none(duration: int | None) -> int:
    return NEVER if duration is None else duration


def lease_longest(slots: Slots) -> int:
    """No commit can come later in a lease on such a slot; NEVER where that has no bound."""
    evicted = max(in_time(slots.evictions.highest) + slots.grace, slots.retirement)
    powered_off = in_time(slots.power_failures.highest)
    return min(unless_none(slots.limit), evicted, powered_off, NEVER)


def in_time(seconds: float) -> int:
    """Nanoseconds, NEVER for what is infinite or beyond it."""
    return nanoseconds(seconds) if seconds * 1e9 < NEVER else NEVER
