"""Every mode of checkpointing, for the exact answers: what each comes to.

With an exit code or a signal, by hand and with early exits a job lives as `exact.Solver` knows it;
some costs or rules are just not there. A periodic signal makes the first block of a lease another
length than the others. Delayed transfers are in delayed.py; a job without checkpoints is a whole
job of one block (makespan.py).
"""

import numpy as np

from ckptsim.delayed import Delayed
from ckptsim.ends import Ends, Floats
from ckptsim.errors import ScenarioError
from ckptsim.exact import (
    ROUNDS_SUMMED,
    Course,
    Indices,
    Rounds,
    Solver,
    Stage,
    joined,
)
from ckptsim.lifetimes import Constant, Never
from ckptsim.rules import Mode
from ckptsim.scenario import Scenario, named
from ckptsim.sums import CELLS, Sum, Times
from ckptsim.units import show
from ckptsim.variation import with_job, with_slots

PLAIN = (Mode.EXIT_CODE, Mode.EXIT_SIGNAL, Mode.MANUAL, Mode.EARLY_EXIT)
"""The modes in which computing goes on for an interval, and then all is transferred."""

SAVES_WHEN_TOLD = (Mode.DELAYED, Mode.DELAYED_SIGNAL)


class Periodic(Solver):
    """A scenario whose jobs checkpoint at a signal, every so often on the machine's clock.

    The interval is the time from signal to signal. Those that come while a checkpoint is made do
    nothing: how many these are is taken to be as at usual costs, which is exact as long as a
    checkpoint never takes longer than the time to the next signal.
    """

    is_plain = False

    def __init__(self, scenario: Scenario, cells: int = CELLS, ends: Ends | None = None) -> None:
        """As of `Solver`."""
        super().__init__(with_job(scenario, mode=Mode.EXIT_CODE), cells, ends)

    def fixed(self, intervals: list[int]) -> Rounds:
        """A lease for each time between two signals, from a checkpoint, of a job without end."""
        every, usual = np.array(intervals, np.int64), self.usual
        first = until_signal(every, usual.input + usual.restart_lease)
        later = until_signal(every, self.cycle)
        rounds = super().fixed(later.tolist())
        length = np.where(rounds.number == 0, first[rounds.lease], rounds.length)
        done = rounds.done + (first - later)[rounds.lease]
        return rounds._replace(length=length, done=done)

    def course(self, rounds: Rounds, *, cold: bool = False) -> Course:
        """Signals come when they come, so one round's random costs do not move the next."""
        usual = self.usual_course(rounds, cold=cold)
        if self.constant or rounds.number.max() >= ROUNDS_SUMMED:
            return usual
        signal = usual.begun.age + rounds.length
        saving = self.write.plus(self.transfer)
        again = saving.plus(self.restart)
        stays, reached = self.staying(rounds, signal, saving)
        first = np.flatnonzero(rounds.number == 0)
        later = np.flatnonzero(rounds.number > 0)
        before = usual.begun.age[later] - self.cycle
        return Course(
            rounds,
            joined(
                (
                    spread(first, 0 * first, reached[first], self.start(cold=cold)),
                    spread(later, before, reached[later], again),
                )
            ),
            spread(usual.sent.round, signal, reached, self.write),
            *self.safe(signal, reached, saving),
            spread(usual.sent.round, signal, reached, saving, 1 - stays),
        )

    @property
    def around(self) -> int:
        """The first signal may come as late as its checkpoint is still safe by the limit."""
        return self.usual.write + self.usual.transfer

    @property
    def cycle(self) -> int:
        """Usually from a signal to computing again, ns."""
        usual = self.usual
        return usual.write + usual.transfer + usual.restart_in_place

    def staying(self, rounds: Rounds, signal: Times, saving: Sum) -> tuple[Floats, Floats]:
        """For each round, which points of its commit stay; and the probability that it comes."""
        step = np.array(saving.step)
        stays = np.array(
            [
                self.within(at + saving.ages, int(stay), step)
                for at, stay in zip(signal, rounds.stay, strict=True)
            ]
        )
        reached = np.ones(len(signal))
        on = stays @ saving.mass / saving.mass.sum()
        for place in np.flatnonzero(rounds.number):
            reached[place] = reached[place - 1] * on[place - 1]
        return stays, reached

    def safe(self, signal: Times, reached: Floats, saving: Sum) -> tuple[Stage, Times]:
        """When commits are safe, and how long their transfers took."""
        index = np.arange(len(signal))
        if self.transfer_is_told:
            found = spread(index, signal, reached, saving)
            return found, np.full(len(found.age), self.usual.transfer, np.int64)
        pairs, moved = self.in_pairs(0, self.write)
        age = (signal[:, None] + pairs.age).ravel()
        mass = (reached[:, None] * pairs.mass).ravel()
        count, many = len(pairs.age), len(signal)
        stage = Stage(np.repeat(index, count), age, mass, np.tile(pairs.step, many))
        return stage, np.tile(moved, many)

    def last_intervals(self, bound: int, most: int) -> list[int]:
        """The n-th signal's checkpoint is safe so much later; after 2 in one go it jumps too."""
        usual = self.usual
        saving, start = usual.write + usual.transfer, usual.input + usual.restart_lease
        jumps = [begun // n for begun in (self.cycle, start) for n in range(1, 4)]
        return [(bound - saving) // n for n in range(1, most // 4)] + jumps


def until_signal(every: Times, age: int) -> Times:
    """From this age of a lease, or time after a signal, to the next signal."""
    return every - age % every


def spread(
    rounds: Indices, after: Times, mass: Floats, cost: Sum, share: Floats | None = None
) -> Stage:
    """The points of a stage that each of these rounds comes to a random time after an age.

    With `share`, of each point only so much, (rounds, points).
    """
    count = len(cost.mass)
    each = mass[:, None] * cost.mass
    return Stage(
        np.repeat(rounds, count),
        (after[:, None] + cost.ages).ravel(),
        (each if share is None else each * share).ravel(),
        np.full(each.size, cost.step, np.int64),
    )


def as_exit_code(scenario: Scenario) -> Scenario:
    """The scenario of a job that ends with an exit code which has the same leases.

    By hand: no restart in place, nobody asks about the claim, and the soft kill ends a transfer.
    With early exits: as on a claim that closes at once.
    """
    mode = scenario.job.mode
    assert mode in PLAIN
    plain = with_job(scenario, mode=Mode.EXIT_CODE)
    if mode == Mode.MANUAL:
        plain = with_job(plain, restart_in_place=Constant(0.0))
        return with_slots(plain, claim_worklife=None, grace=0)
    return with_slots(plain, claim_worklife=0) if mode == Mode.EARLY_EXIT else plain


def solver_of(scenario: Scenario, cells: int = CELLS, ends: Ends | None = None) -> Solver:
    """What knows the leases of this scenario's mode, one with intervals; arguments as `Solver`'s.

    Raises ScenarioError where there is no exact answer.
    """
    refuse_without_answer(scenario)
    match scenario.job.mode:
        case Mode.DELAYED:
            return Delayed(scenario, cells, ends)
        case Mode.PERIODIC_SIGNAL:
            return Periodic(scenario, cells, ends)
    return Solver(as_exit_code(scenario), cells, ends)


def refuse_without_answer(scenario: Scenario) -> None:
    """ScenarioError where there is no exact answer, but the simulation."""
    slots, mode = scenario.slots, scenario.job.mode
    by_simulation = "compare intervals with ckptsim sweep (--over job.interval=30min:6h:30min)"
    if slots.retirement > slots.grace and not isinstance(slots.evictions, Never):
        raise ScenarioError(
            f"slots.retirement: {show(slots.retirement)}: there is no exact answer with a "
            f"retirement longer than the grace; use ckptsim simulate, or {by_simulation}"
        )
    if scenario.job.steps and mode == Mode.DELAYED:
        raise ScenarioError(
            f"job.steps: there is no exact answer with the mode {named(mode)!r}; "
            f"use ckptsim simulate, or {by_simulation}"
        )
