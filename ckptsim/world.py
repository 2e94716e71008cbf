"""A scenario as the drivers take it: a plan, and keyed streams of fates, gaps and costs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, repeat
from typing import NamedTuple

from ckptsim.draws import Purpose, times
from ckptsim.lifetimes import Law
from ckptsim.rules import (
    FRUITLESS_LEASES_MAX,
    NEVER,
    Costs,
    Lease,
    Plan,
    Row,
    saves_when_told,
    warned_at,
)
from ckptsim.scenario import Scenario
from ckptsim.units import LONGEST, nanoseconds


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


def lease_of(fate: Fate, now: int, claimed: int, scenario: Scenario) -> Lease:
    """The fate as instants, for a lease that starts now."""
    slots = scenario.slots
    wanted, powered_off = now + fate.eviction, now + fate.power_failure
    warned = warned_at(wanted, now, slots.retirement, slots.grace)
    return Lease(
        claimed=claimed,
        expires=now + fate.limit,
        warned=warned,
        evicted=warned + slots.grace,
        powered_off=powered_off,
        noticed=powered_off + slots.contact_lease,
        began=now,
        respite=slots.grace if saves_when_told(scenario.job.mode) else 0,
        retiring=wanted,
    )


@dataclass(frozen=True)
class World:
    """A scenario with one interval, ready to be run."""

    scenario: Scenario
    plan: Plan

    def fates(self, replication: int, slot: int) -> Iterator[Fate]:
        """What happens to the slot's first lease, second lease, ..."""
        slots = self.scenario.slots
        return map(
            Fate,
            repeat(LONGEST if slots.limit is None else slots.limit),
            self._stream(slots.evictions, replication, slot, Purpose.EVICTION),
            self._stream(slots.power_failures, replication, slot, Purpose.POWER_FAILURE),
            self._stream(slots.absence, replication, slot, Purpose.ABSENCE),
        )

    def gaps(self, replication: int, job: int) -> Iterator[int]:
        """How long the job waits to be matched after it lost a slot."""
        return self._stream(self.scenario.slots.gap, replication, job, Purpose.GAP)

    def costs(self, replication: int, job: int) -> Iterator[Costs]:
        """What the job's first round costs, its second, ...; a lease and a commit begin a round."""
        streams = (
            self._stream(law, replication, job, purpose)
            for law, purpose in zip(cost_laws(self.scenario), COST_PURPOSES, strict=True)
        )
        return map(Costs, *streams)

    def without_end(self) -> "World":
        """The same with a job that never completes and is never given up."""
        endless = self.plan._replace(work=NEVER, lease_longest=NEVER, fruitless_max=NEVER)
        return World(self.scenario, endless)

    def _stream(self, law: Law, replication: int, who: int, purpose: Purpose) -> Iterator[int]:
        return times(law, self.scenario.seed, replication, who, purpose)


COST_PURPOSES = tuple(Purpose[name.upper()] for name in Costs._fields)


def cost_laws(scenario: Scenario) -> tuple[Law, ...]:
    """The laws of the six costs, in the order of `Costs`."""
    return tuple(getattr(scenario.job, name) for name in Costs._fields)


def world_of(
    scenario: Scenario, interval: int, table: tuple[Row, ...] = (), leave_after: int | None = None
) -> World:
    """The scenario with its jobs checkpointing every `interval` nanoseconds of computation.

    With a `table` (policy.py) they look at the age of their lease instead, and leave as it says.
    """
    job = scenario.job
    laws = cost_laws(scenario)
    plan = Plan(
        work=NEVER if job.work is None else job.work,
        interval=interval,
        last_checkpoint=job.last_checkpoint,
        leave_early=job.leave_early and not table,
        claim_worklife=unless_none(scenario.slots.claim_worklife),
        least=Costs(*(nanoseconds(law.lowest) for law in laws)),
        usual=Costs(*(nanoseconds(law.mean) for law in laws)),
        lease_longest=lease_longest(scenario),
        fruitless_max=FRUITLESS_LEASES_MAX,
        table=table,
        leave_after=unless_none(leave_after),
        boundaries=tuple(accumulate(job.steps or ())),
        mode=job.mode,
    )
    return World(scenario, plan)


def unless_none(duration: int | None) -> int:
    return NEVER if duration is None else duration


def lease_longest(scenario: Scenario) -> int:
    """No commit can come later in a lease than this; NEVER where that has no bound."""
    slots = scenario.slots
    evicted = max(in_time(slots.evictions.highest) + slots.grace, slots.retirement)
    powered_off = in_time(slots.power_failures.highest)
    return min(unless_none(slots.limit), evicted, powered_off, NEVER)


def in_time(seconds: float) -> int:
    """Nanoseconds, NEVER for what is infinite or beyond it."""
    return nanoseconds(seconds) if seconds * 1e9 < NEVER else NEVER
