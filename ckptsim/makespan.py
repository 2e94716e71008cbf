"""Whole jobs: from the first queueing to completion, without sampling.

A job is a sequence of blocks; what it has committed is a number of blocks, and from there the next
lease is like any other from there. So the mean of whatever adds up over leases is a recursion over
the blocks still to do (theory.md §4). One job alone in the queue.
"""

from functools import cached_property
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim.account import Account, accounts, bytes_moved, spent_on
from ckptsim.ends import Floats
from ckptsim.exact import ROUNDS_MAX, Course, Indices, Rounds, Solver, Value
from ckptsim.ledger import Category
from ckptsim.lifetimes import Never
from ckptsim.sums import Times, is_certain
from ckptsim.units import SECOND
from ckptsim.world import unless_none

LONG = 30_000  # blocks, times those that a lease may commit
IMPOSSIBLE = 1e-12  # a job that commits something in fewer leases than this never finishes
ALWAYS = -1  # no commit is so early that the job stays: it is complete


class Leases(NamedTuple):
    """What leases do for a job, one for each state the job can be in; seconds."""

    course: Course
    done: Floats  # (states, rounds + 1): probability that 0, 1, 2, ... blocks are committed
    complete: Floats  # a state: probability that the job completes
    length_s: Floats  # a state: mean slot time


def blocks_of(solver: Solver, interval: int) -> Times:
    """The computing between checkpoints of the whole job, ns; the last block may be shorter."""
    job = solver.scenario.job
    assert job.work is not None
    if job.steps:
        return whole_steps(job.steps, interval)
    count = -(-job.work // interval)
    blocks = np.full(count, interval, np.int64)
    blocks[-1] = job.work - (count - 1) * interval
    return blocks


def whole_steps(steps: tuple[int, ...], interval: int) -> Times:
    """The steps put together, each block ending with the first that makes it long enough."""
    blocks = [0]
    for step in steps:
        if blocks[-1] >= interval:
            blocks.append(0)
        blocks[-1] += step
    return np.array(blocks, np.int64)


def values_of(solver: Solver, intervals: list[int]) -> list[Value]:
    """What each of these intervals (ns) is worth; to a job in steps, on average over its leases."""
    if not solver.scenario.job.steps:
        return solver.values(intervals)
    wholes = (Whole(solver, blocks_of(solver, interval)) for interval in intervals)
    return [value_of(whole, interval) for whole, interval in zip(wholes, intervals, strict=True)]


def value_of(whole: "Whole", interval: int) -> Value:
    """The mean over the leases of a whole job, the first included."""
    leases, scenario = whole.leases, whole.solver.scenario
    gap = scenario.slots.gap.mean
    if leases == inf:
        return Value(interval, None, 0.0, 0.0, float(whole.later.length_s[0]), gap)
    checkpoints = len(whole.blocks) - (not scenario.job.last_checkpoint)
    work = int(whole.blocks.sum()) / SECOND
    slot_time = sum(whole.spent_s.values())
    return Value(interval, None, checkpoints / leases, work / leases, slot_time / leases, gap)


def accounts_of(solver: Solver, intervals: list[int]) -> list[Account]:
    """Where the time of a lease goes with each interval (ns).

    For a job in steps: on average over the leases of the whole job, where it finishes.
    """
    if not solver.scenario.job.steps:
        return accounts(solver, intervals)
    wholes = ((each, Whole(solver, blocks_of(solver, each))) for each in intervals)
    return [account_of(whole, interval) for interval, whole in wholes if whole.leases < inf]


def account_of(whole: "Whole", interval: int) -> Account:
    """Where the time of a lease goes, on average over the leases of a whole job."""
    leases, value = whole.leases, value_of(whole, interval)
    spent = {category: np.array([spent / leases]) for category, spent in whole.spent_s.items()}
    moved = bytes_moved(whole.solver, spent)
    return Account(
        interval,
        {category: float(each[0]) for category, each in spent.items()},
        value.gap_s,
        value.checkpoints,
        None if moved is None else float(moved[0]),
    )


class Whole:
    """A whole job, block by block."""

    def __init__(self, solver: Solver, blocks: Times) -> None:
        self.solver, self.blocks = solver, blocks
        self.states, self.state_of = self._told_apart()

    @property
    def is_certain(self) -> bool:
        """Does nothing ever come to it by chance?"""
        ends, gap = self.solver.ends, self.solver.scenario.slots.gap
        lasts = isinstance(ends.evictions, Never) and ends.power_lasts
        return self.solver.constant and lasts and is_certain(gap)

    @property
    def is_long(self) -> bool:
        """Would it take long to find the law of its makespan?"""
        return len(self.blocks) * self.far > LONG

    @property
    def makespan(self) -> float:
        """Mean seconds from the first queueing to completion; inf where the job never finishes."""
        slots = self.solver.scenario.slots
        gap = slots.gap.mean
        first, later = self.first, self.later
        total = self.total(
            float(first.length_s[0] + gap * (1 - first.complete[0])),
            later.length_s + gap * (1 - later.complete),
        )
        return total + (gap if slots.first_gap else 0.0)

    @property
    def leases(self) -> float:
        """Mean number of leases."""
        return self.total(1.0, np.ones(len(self.states)))

    @property
    def spent_s(self) -> dict[Category, float]:
        """Mean seconds of slot time in each category, over the whole job."""
        first = spent_on(self.solver, self.first.course, cold=True)
        later = spent_on(self.solver, self.later.course)
        return {
            category: self.total(float(first[category][0]), later[category]) for category in first
        }

    @cached_property
    def first(self) -> Leases:
        """A lease that starts from nothing."""
        return self._leases(np.array([0]), cold=True)

    @cached_property
    def later(self) -> Leases:
        """A lease from each state."""
        return self._leases(self.states, cold=False)

    def total(self, first: float, later: Floats) -> float:
        """The mean sum, over all of a job's leases, of what one comes to in each state.

        A lease that commits nothing is followed by another of its kind, so the mean is divided by
        the probability that one does commit something.
        """
        blocks = len(self.blocks)
        still = np.zeros(blocks + 1)  # the sum to come when so many are committed
        for begun in range(blocks - 1, 0, -1):
            state = self.state_of[begun]
            still[begun] = to_come(self.later, state, float(later[state]), still[begun:])
        return to_come(self.first, 0, first, still)

    def _told_apart(self) -> tuple[Indices, Indices]:
        """Numbers of committed blocks from which all leases differ; and which each is like.

        No lease gets further than `far` blocks, so only those make a difference.
        """
        blocks = self.blocks
        least = int(blocks[:-1].min()) if len(blocks) > 1 else int(blocks[0])
        most = int(self.solver.rounds_most(np.array([least]))[0])
        self.far = min(most + 1, len(blocks), ROUNDS_MAX)
        self.padded = np.append(blocks, np.zeros(self.far + 1, np.int64))
        seen: dict[bytes, int] = {}
        state_of = np.zeros(len(blocks), np.intp)
        states: list[int] = []
        for begun in range(len(blocks)):
            upcoming = self.padded[begun : begun + self.far + 1].tobytes()
            if upcoming not in seen:
                seen[upcoming] = len(states)
                states.append(begun)
            state_of[begun] = seen[upcoming]
        return np.array(states), state_of

    def _leases(self, states: Indices, *, cold: bool) -> Leases:
        solver, course = self.solver, self.solver.course(self._rounds(states), cold=cold)
        rounds = course.rounds
        committed = np.bincount(course.safe.round, solver.chances(course), len(rounds.lease))
        reached = np.zeros((len(states), self.far + 2))
        reached[:, 0] = 1
        reached[rounds.lease, rounds.number + 1] = np.minimum(committed, 1.0)
        left = len(self.blocks) - states
        whole = reached[np.arange(len(states)), np.minimum(left, self.far)]
        complete = np.where(left <= self.far, whole, 0.0)
        return Leases(course, -np.diff(reached, axis=1), complete, solver.lengths(course))

    def _rounds(self, states: Indices) -> Rounds:
        """The rounds of a lease from each state."""
        counts = np.minimum(len(self.blocks) - states, self.far)
        lease = np.repeat(np.arange(len(states)), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        number = np.arange(counts.sum()) - first
        block = states[lease] + number
        computed = np.cumsum(self.blocks)
        done = computed[block] - np.where(states > 0, computed[states - 1], 0)[lease]
        return Rounds(
            lease,
            number,
            self.blocks[block],
            done,
            self._stay[block],
            self._bare[block],
            np.ones(len(block)),
        )

    @cached_property
    def _bare(self) -> NDArray[np.bool_]:
        bare = np.zeros(len(self.blocks), np.bool_)
        bare[-1] = not self.solver.scenario.job.last_checkpoint
        return bare

    @cached_property
    def _stay(self) -> Times:
        """The last age at which a commit of each block is followed by another round."""
        solver = self.solver
        slots, usual = solver.scenario.slots, solver.usual
        stay = np.full(len(self.blocks), unless_none(slots.claim_worklife), np.int64)
        if solver.scenario.job.leave_early and slots.limit is not None:
            moved = np.where(self._bare, 0, usual.write + usual.transfer)
            again = usual.restart_in_place + self.blocks + moved
            stay[:-1] = np.minimum(stay[:-1], slots.limit - again[1:])
        stay[-1] = ALWAYS
        return stay


def to_come(leases: Leases, state: int, each: float, still: Floats) -> float:
    """The mean sum from a state on, given those with more blocks committed."""
    chance = leases.done[state, 1 : len(still)]
    if leases.done[state, 0] > 1 - IMPOSSIBLE:
        return inf
    after = still[1 : len(chance) + 1]
    more = float((chance[chance > 0] * after[chance > 0]).sum())  # 0 times inf is 0 here
    return (each + more) / float(1 - leases.done[state, 0])
