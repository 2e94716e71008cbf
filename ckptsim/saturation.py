"""Can the link carry what the jobs would put on it? What "saturated" means, wherever it is said.

A slot with a job on it is a customer who thinks (computes, writes, restarts) and then asks for the
link. With the link to itself each would keep it busy for some share of the time; the sum of these
shares, over all that run at once, is the demand. Beyond 1 the link cannot follow: transfers queue,
and more slots, or shorter intervals, only make each wait longer (Denning and Buzen, Computing
Surveys 10(3), 1978: the knee of a closed system's operational bounds).

Lost work, and times when slots or jobs are not there by a trace, are left out. Times are float
seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, inf, isinf

import numpy as np

from ckptsim.ends import Ends
from ckptsim.rules import NEVER, Mode, Plan
from ckptsim.scenario import Job, Scenario, Slots
from ckptsim.units import SECOND
from ckptsim.world import World

FACTOR_MOST = 1000.0


def is_saturated(demand: float) -> bool:
    """Is more asked of the link than it can carry?"""
    return demand > 1


def demand(world: World) -> float:
    """What the jobs would put on the link without contention, as a share of its bandwidth.

    0 without a link.
    """
    if world.scenario.link is None:
        return 0.0
    shares = [at_once(world.scenario, one) for one in customers(world)]
    everyone = sum(shares)
    busy = min(everyone, slots_there(world))
    asked = sum(share * one.asks for share, one in zip(shares, customers(world), strict=True))
    return busy * asked / everyone if everyone else 0.0


def bandwidth_needed(world: World) -> int | None:
    """The least bandwidth, to a thousandth, with which it is not saturated; None where none is."""
    link = world.scenario.link
    assert link is not None

    def given(factor: float) -> World:
        wider = link.model_copy(update={"bandwidth": ceil(link.bandwidth * factor)})
        return replace(world, scenario=world.scenario.model_copy(update={"link": wider}))

    factor = least_factor(given)
    return None if factor is None else ceil(link.bandwidth * factor)


def stretch_needed(world: World) -> float | None:
    """By how much all intervals must be longer at least; None where that does not help."""

    def given(factor: float) -> World:
        plans = (
            plan._replace(interval=min(ceil(plan.interval * factor), NEVER)) for plan in world.plans
        )
        return replace(world, plans=tuple(plans))

    return least_factor(given)


def least_factor(given: Callable[[float], World]) -> float | None:
    """The least factor, to a thousandth, with which a world is not saturated."""
    low, high = 1.0, FACTOR_MOST
    if is_saturated(demand(given(high))):
        return None
    while high > low * 1.001:
        middle = (low * high) ** 0.5
        if is_saturated(demand(given(middle))):
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True)
class Customer:
    """A class of jobs on an average slot: how it would use the link, had it no company."""

    job: Job
    asks: float  # the share of its time on slots in which it moves something
    lease: float  # the mean
    lasts: float  # time on slots that its work takes; inf without end


def customers(world: World) -> list[Customer]:
    """One a class."""
    found = []
    for job, plan in zip(world.classes, world.plans, strict=True):
        each = [on_kind(world, job, plan, name) for name in world.scenario.slot_kinds]
        weights = [kind.count / world.scenario.slots_count for kind in world.kinds]
        mixed = (
            sum(w * value for w, value in zip(weights, values, strict=True))
            for values in zip(*each, strict=True)
        )
        found.append(Customer(job, *mixed))
    return found


def on_kind(world: World, job: Job, plan: Plan, name: str) -> tuple[float, float, float]:
    """What a job asks of the link there, how long its leases are, and how long it takes."""
    assert world.scenario.link is not None
    kind = world.scenario.slot_kinds[name]
    rate, usual = float(world.scenario.link.bandwidth), plan.usual
    computing, sending = computed(job, plan) / kind.speed, plan.cargo.checkpoint / rate
    pausing = 0 if job.mode == Mode.MANUAL else usual.restart_in_place / SECOND
    cycle = computing + sending + (usual.write / SECOND + pausing if computing < inf else 0.0)
    cold, warm = plan.cargo.cold / rate, plan.cargo.warm / rate
    begun = cold + usual.cold_start / SECOND
    work = inf if plan.work >= NEVER else plan.work / SECOND / kind.speed
    lasts = begun + work * (cycle / computing if computing < inf else 1.0)
    lease = min(lease_of(world.scenario, name), closing(job, kind, cycle))
    starting = begun / lasts + (warm + usual.restart_lease / SECOND) / lease
    running = max(0.0, 1 - starting) * (sending / cycle if computing < inf else 0.0)
    return min(1.0, running + cold / lasts + warm / lease), lease, lasts


def computed(job: Job, plan: Plan) -> float:
    """Computation to each checkpoint, seconds; inf where there is none."""
    if job.mode == Mode.NONE:
        return inf
    if plan.work >= NEVER:
        return plan.interval / SECOND
    checkpoints = -(-plan.work // plan.interval) - (not plan.last_checkpoint)
    return plan.work / SECOND / checkpoints if checkpoints else inf


def lease_of(scenario: Scenario, name: str) -> float:
    """The mean lease that the job does not leave, what rooms and racks do included."""
    kind = scenario.slot_kinds[name]
    limit = inf if kind.limit is None else kind.limit / SECOND
    ends = Ends(kind.evictions, kind.power_failures, limit, 0.0, 0.0)
    alone = inf if isinf(ends.horizon) else float(ends.lasting(np.array(inf)))
    domains = [each for each in scenario.domains.values() if not each.kinds or name in each.kinds]
    return inverse(inverse(alone) + sum(1 / domain.power_failures.mean for domain in domains))


def closing(job: Job, kind: Slots, cycle: float) -> float:
    """How old a lease gets before the job leaves it at a checkpoint."""
    if job.mode == Mode.EARLY_EXIT:
        return cycle
    if kind.claim_worklife is None or job.mode == Mode.MANUAL or isinf(cycle):
        return inf
    return (kind.claim_worklife / SECOND // cycle + 1) * cycle


def inverse(value: float) -> float:
    return 1 / value if value else inf


def slots_there(world: World) -> float:
    """How many slots there are on average, those that stay away after a lease left out."""
    return sum(
        kind.count / (1 + kind.absence.mean / lease_of(world.scenario, name))
        for name, kind in world.scenario.slot_kinds.items()
    )


def at_once(scenario: Scenario, one: Customer) -> float:
    """How many jobs of a class want a slot at once: all, or as many as arrive while one runs."""
    waiting = 1 + scenario.slots.gap.mean / one.lease
    between = between_arrivals(one.job)
    arrived = one.lasts * waiting / between if between else inf
    return min(float(one.job.count), arrived) / waiting


def between_arrivals(job: Job) -> float:
    """Mean time from one arrival of such a job to the next; 0 where all come at once."""
    times = job.arrival_times
    if times is None:
        return job.arrivals.mean
    return (max(times) - min(times)) / SECOND / max(len(times) - 1, 1)
