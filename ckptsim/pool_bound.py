"""A pool as the bound of theory.md §5 takes it: its jobs on its slots, by class and kind.

Only what every checkpoint and every loss takes at least goes in: the link to itself, mean costs.
What a pool wastes beyond it is what its jobs' intervals and their waits for the link cost.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ckptsim.bound import Bound, BoundClass, exponential_bound, pool_bound
from ckptsim.lifetimes import Exponential, Law, Never
from ckptsim.modes import PLAIN
from ckptsim.rules import Mode, Plan
from ckptsim.saturation import at_once as wanting_a_slot
from ckptsim.saturation import customers, lease_of, slots_there
from ckptsim.scenario import Job, Scenario, Slots
from ckptsim.units import SECOND
from ckptsim.world import World


class Bounds(NamedTuple):
    """The least waste of held slot time: the authors', and the one no simulation can beat."""

    first_order: Bound
    exponential: Bound
    caveats: tuple[str, ...]  # why the pool may waste less all the same


def bounds_of(world: World, held: Sequence[float]) -> Bounds:
    """Both, for so many jobs at once on average, class by class, in each kind by kind."""
    classes = bound_classes(world, held)
    return Bounds(pool_bound(classes), exponential_bound(classes), tuple(caveats(world.scenario)))


def bound_classes(world: World, held: Sequence[float]) -> list[BoundClass]:
    """One for each class on each kind; a slot is as great a share of the machine as another."""
    everyone, numbers = sum(held), iter(held)
    rate = float(world.scenario.link.bandwidth) if world.scenario.link else 0.0
    return [
        BoundClass(
            next(numbers),
            1 / everyone,
            lease_of(world.scenario, name),
            plan.cargo.checkpoint / rate if rate else 0.0,
            plan.usual.restart_lease / SECOND + fetching(plan, rate),
            besides(job, plan, rate),
        )
        for job, plan in zip(world.classes, world.plans, strict=True)
        for name in world.scenario.slot_kinds
    ]


def fetching(plan: Plan, rate: float) -> float:
    """What a lease fetches before it goes on from a checkpoint, with the link to itself."""
    return plan.cargo.warm / rate if rate else plan.usual.input / SECOND


def besides(job: Job, plan: Plan, rate: float) -> float:
    """What a checkpoint takes without the link."""
    usual = plan.usual
    pausing = 0 if job.mode == Mode.MANUAL else usual.restart_in_place
    return (usual.write + pausing + (0 if rate else usual.transfer)) / SECOND


def expected_at_once(world: World) -> list[float]:
    """How many jobs there will be at once, class by class, in each kind by kind.

    Jobs that end share the slots by their work. For a first idea only: a simulation tells.
    """
    wanting, lasting = wanting_and_lasting(world)
    ends = world.scenario.duration is None
    shares = [job.count * one for job, one in zip(world.classes, lasting, strict=True)]
    if not ends:
        shares = wanting
    most = min(slots_there(world), sum(wanting))
    kinds = [kind.count / world.scenario.slots_count for kind in world.kinds]
    return [most * share / sum(shares) * kind for share in shares for kind in kinds]


def wanting_and_lasting(world: World) -> tuple[list[float], list[float]]:
    """By class, how many jobs want a slot at once, and how long one takes."""
    if world.scenario.link is None:
        return [float(job.count) for job in world.classes], [float(p.work) for p in world.plans]
    everyone = customers(world)
    wanting = [wanting_a_slot(world.scenario, one) for one in everyone]
    return wanting, [one.lasts for one in everyone]


def intervals_of(world: World, bound: Bound) -> list[int]:
    """The bound's periods as intervals, one a class, in nanoseconds; the mean over the kinds."""
    kinds, classes = world.kinds, bound_classes(world, [1.0] * len(bound.periods))
    found = []
    for number, plan in enumerate(world.plans):
        own = range(number * len(kinds), (number + 1) * len(kinds))
        each = [
            (bound.periods[n] - classes[n].checkpoint - classes[n].besides)
            * kind.speed
            * kind.count
            for n, kind in zip(own, kinds, strict=True)
        ]
        mean = sum(each) / world.scenario.slots_count
        found.append(round(min(mean * SECOND, plan.work, float(10**18))))
    return found


def caveats(scenario: Scenario) -> Iterator[str]:
    """In what the pool differs from what the bound is for."""
    laws = sorted({text for kind in scenario.slot_kinds.values() for text in not_exponential(kind)})
    laws += [
        f"{name} fails by another law"
        for name, domain in scenario.domains.items()
        if not is_exponential(domain.power_failures)
    ]
    if laws:
        yield f"losses are not exponential ({', '.join(laws)}), so some can be foreseen"
    kinds, jobs = scenario.slot_kinds.values(), scenario.job_classes.values()
    if any(kind.grace and not isinstance(kind.evictions, Never) for kind in kinds):
        yield "a transfer may outlive an eviction, by the grace"
    if any(job.work is not None and not job.last_checkpoint for job in jobs):
        yield "jobs that end do so without a last checkpoint"
    if any(job.mode not in PLAIN for job in jobs):
        yield "some jobs do not save every interval"


def not_exponential(kind: Slots) -> Iterator[str]:
    """What ends the leases of a kind other than at random."""
    if kind.limit is not None:
        yield "a runtime limit"
    if not is_exponential(kind.evictions):
        yield "evictions by another law"
    if not is_exponential(kind.power_failures):
        yield "power failures by another law"
    if kind.availability:
        yield "slots come and go by a trace"


def is_exponential(law: Law) -> bool:
    return isinstance(law, Exponential | Never)
