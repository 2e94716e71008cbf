"""A scenario's fates for real jobs: the same keyed draws that a simulation would have made.

The k-th lease of a slot, the k-th gap and the k-th round of costs of a job are those of
`ckptsim simulate` with the same scenario and seed (draws.py), whatever the executable does. How
long it computes, writes and restarts is its own affair and is measured; how long a transfer takes
is drawn, and the copy waits for it.
"""

from collections.abc import Iterator
from pathlib import Path

from ckptsim.drivers.real.settings import POLICY, Settings, machine
from ckptsim.pool import Fate
from ckptsim.rules import NEVER, Costs
from ckptsim.scenario import Scenario, load
from ckptsim.units import SECOND
from ckptsim.world import World, world_of

REPLICATION = 0


class Fates:
    """What a scenario has in store."""

    def __init__(self, path: Path, seed: int | None) -> None:
        overrides = {} if seed is None else {"seed": str(seed)}
        self.scenario: Scenario = load(path, overrides)
        self.world: World = world_of(self.scenario, self.scenario.job.computed_interval or NEVER)
        count = self.scenario.slots.count
        self.slots = [self.world.fates(REPLICATION, slot) for slot in range(count)]

    def settings(self) -> Settings:
        """A pool with a machine a slot, so that power fails one slot alone."""
        slots = self.scenario.slots
        worklife = -1 if slots.claim_worklife is None else slots.claim_worklife / SECOND
        policy = {
            **POLICY,
            "MachineMaxVacateTime": str(slots.grace / SECOND),
            "MaxJobRetirementTime": str(slots.retirement / SECOND),
            "CLAIM_WORKLIFE": str(worklife),
        }
        machines = tuple(machine(f"slot{number}", 1, policy) for number in range(slots.count))
        return Settings(machines, negotiation_s=0.0, periodic_s=1.0, policy_s=1.0, delays=False)

    def of_slot(self, number: int) -> Fate:
        """The slot's next lease."""
        return next(self.slots[number])

    def of_job(self, number: int) -> "JobFates":
        """What comes to the job with this number."""
        world = self.world
        return JobFates(world.gaps(REPLICATION, number), world.costs(REPLICATION, number))


class JobFates:
    """A job's gaps and rounds of costs, one after the other; in nanoseconds."""

    def __init__(self, gaps: Iterator[int], rounds: Iterator[Costs]) -> None:
        self.gaps, self.rounds = gaps, rounds
        self.costs: Costs | None = None

    def begin_round(self) -> None:
        """A lease begins a round, and a commit after which the job stays on its slot."""
        self.costs = next(self.rounds)

    def gap(self) -> int:
        """How long the job waits to be matched after it lost a slot."""
        return next(self.gaps)
