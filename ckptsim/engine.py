"""Which driver runs a world: SimPy's, the reference, or the compiled one, which is far faster.

Both say the same of every world, to the nanosecond, so the choice is one of time alone.
"""

from collections.abc import Callable
from enum import StrEnum
from math import inf

from ckptsim.outcome import Outcome, Row
from ckptsim.rules import NEVER
from ckptsim.units import seconds
from ckptsim.world import World

Record = Callable[[Row], object]

EVENTS_WORTH_COMPILING = 3_000_000
"""SimPy takes about half a minute for so many, on one core; compiling takes as long at worst."""

EVENTS_A_BLOCK, EVENTS_A_LEASE = 3, 4


class Engine(StrEnum):
    """What can be asked for."""

    AUTO = "auto"
    VIRTUAL = "virtual"
    COMPILED = "compiled"


def chosen(asked: Engine, world: World, replications: int, leases: int | None = None) -> Engine:
    """The driver for so many replications, or leases: what was asked, else by how much there is."""
    if asked != Engine.AUTO:
        return asked
    events = replications * events_of(world) if leases is None else leases * events_of_lease(world)
    return Engine.COMPILED if events > EVENTS_WORTH_COMPILING else Engine.VIRTUAL


def events_of(world: World) -> float:
    """About how many events a replication has: the blocks of all jobs, or of the slots' time."""
    blocks = 0.0
    for job, plan in zip(world.classes, world.plans, strict=True):
        work = plan.work if plan.work < NEVER else world.scenario.duration or 0
        blocks += job.count * (1 + work / plan.interval)
    if world.scenario.duration is not None:
        shortest = min(plan.interval for plan in world.plans)
        blocks = min(blocks, world.scenario.slots_count * world.scenario.duration / shortest)
    return EVENTS_A_LEASE * world.scenario.jobs_count + EVENTS_A_BLOCK * blocks


def events_of_lease(world: World) -> float:
    """About how many events a lease has."""
    slots = world.kinds[0]
    limit = inf if slots.limit is None else seconds(slots.limit)
    lasts = min(limit, slots.evictions.mean, slots.power_failures.mean)
    return EVENTS_A_LEASE + EVENTS_A_BLOCK * min(lasts / seconds(world.plan.interval), 1e6)


def simulate(
    engine: Engine, world: World, replication: int, record: Record | None = None
) -> Outcome:
    """Run all the jobs of one replication to their ends, or until its duration is over."""
    if engine == Engine.COMPILED:
        from ckptsim.drivers.compiled import driver

        return driver.simulate(world, replication, record, stays=False)
    from ckptsim.drivers import virtual

    return virtual.simulate(world, replication, record)


def simulate_leases(
    engine: Engine, world: World, replication: int, leases: int, record: Record | None = None
) -> Outcome:
    """Run `leases` leases of one job without end that has a checkpoint to restart from."""
    if engine == Engine.COMPILED:
        from ckptsim.drivers.compiled import driver

        return driver.simulate_leases(world, replication, leases, record)
    from ckptsim.drivers import virtual

    return virtual.simulate_leases(world, replication, leases, record)
