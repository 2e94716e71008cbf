"""What a lease is worth without sampling fates: renewal sums over its rounds.

One job, one lease: a start, then compute, write, transfer, restart in place, again and again;
commit k is safe at e_k. With X the age at which the slot is taken back, P the age at which its
power fails and S their survival, round k commits τ_k S_X(x_k) S_P(e_k), where x_k = e_k, or as much
earlier as the grace lets a transfer outlive the soft kill; only e_k ≤ limit count (theory.md §2).
A lease also ends by itself: after a commit past the claim's worklife, if the job leaves early
after the last that can be committed before the limit, and when the job completes.

Fates are integrated, not sampled. Where all costs are constant, the whole is exact. Random costs
are added up on a lattice (sums.py): each e_k is then many points, each with its probability, and a
finer lattice tells how far the answer is off.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim.ends import NEGLIGIBLE, Ends, Floats, Outliving, ends_of
from ckptsim.lifetimes import Law
from ckptsim.rules import NEVER, Costs
from ckptsim.scenario import Scenario
from ckptsim.sums import CELLS, CERTAIN, Sum, Times, atoms, is_certain, lattice_step, on_lattice
from ckptsim.units import SECOND, nanoseconds
from ckptsim.world import cost_laws, unless_none

Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]

ROUNDS_MAX = 100_000  # a lease with a limit is followed for no more commits
ROUNDS_EACH = 1_024  # in one without, later rounds are not reckoned one by one,
ROUNDS_STRIDE = 16  # but at first for so many, and ever more, at once
ROUNDS_SUMMED = 250  # of more rounds the random costs average out
FEW_ROUNDS = 32  # whose lattice is as fine as it gets
POINTS_AT_ONCE = 2_000_000
POINTS_A_CELL = 32  # that a sum may have for each cell of the lattice's fineness
TRANSFER_POINTS = 16  # of a random transfer that may outlive the soft kill; of finer lattices more
LEASE_COSTS = 3  # the first of `Costs` come once a lease, the others every round


class Value(NamedTuple):
    """What an interval is worth to a lease that starts from a checkpoint in a job without end."""

    interval: int  # ns
    fitting: int | None  # checkpoints in a lease that only the limit ends, at usual costs
    checkpoints: float  # committed in a lease, mean
    work_s: float  # committed in a lease, mean
    lease_s: float  # slot time of a lease, mean
    gap_s: float  # mean time from a lease to the next

    @property
    def useful_fraction(self) -> float:
        """Committed work / slot time."""
        return self.work_s / self.lease_s

    @property
    def useful_fraction_with_gap(self) -> float:
        """Committed work / (slot time + gaps)."""
        return self.work_s / (self.lease_s + self.gap_s)


class Rounds(NamedTuple):
    """What jobs mean to do in one or many leases, round by round; nanoseconds."""

    lease: Indices  # which lease, ascending
    number: Indices  # 0, 1, 2, ... in each lease
    length: Times  # of computing
    done: Times  # computed in the lease by the end of the round
    stay: Times  # after a commit later than this the lease is over
    bare: Flags  # nothing is written or transferred: the job is complete
    times: Floats  # how many rounds each stands for


class Stage(NamedTuple):
    """When rounds come to a stage of theirs if nothing cuts the lease short, point by point."""

    round: Indices  # an index into Rounds
    age: Times  # of the lease, ns
    mass: Floats  # the probability of the point
    step: Times  # an age stands for so much around it, ns; 0 where it is exact

    @property
    def age_s(self) -> Floats:
        return self.age / SECOND


class Points(NamedTuple):
    """The points of a stage of all rounds, as if computing took no time."""

    first: Indices  # of each round's points
    counts: Indices
    age: Times
    mass: Floats
    step: Times  # of each round

    def of(self, number: Indices, done: Times) -> Stage:
        """The points of rounds of these numbers, as much later as they have computed."""
        count = self.counts[number]
        index = np.repeat(np.arange(len(number)), count)
        place = np.arange(len(index)) + (self.first[number] - np.cumsum(count) + count)[index]
        age = self.age[place] + done[index]
        return Stage(index, age, self.mass[place], self.step[number][index])


class Course(NamedTuple):
    """The leases that jobs go through if nothing cuts them short."""

    rounds: Rounds
    begun: Stage
    sent: Stage
    safe: Stage
    transfer: Times  # how long the transfer took, for each point of `safe`
    left: Stage  # where the lease ends by itself, after a commit

    @property
    def leases(self) -> int:
        return int(self.rounds.lease[-1]) + 1

    def total(self, stage: Stage, each: Floats) -> Floats:
        """The sum of `each`, a number a point, over all rounds of a lease."""
        found = np.bincount(self.rounds.lease[stage.round], each, self.leases)
        return found.astype(np.float64)


class Solver:
    """A scenario made ready: its laws, and the lattice on which its costs are added up.

    Its jobs compute for an interval whatever the clock says, and have each checkpoint transferred;
    for other modes see modes.py.
    """

    is_plain = True

    def __init__(self, scenario: Scenario, cells: int = CELLS, ends: Ends | None = None) -> None:
        """With `ends`, already made from a scenario of the same slots, their integrals are kept."""
        self.scenario = scenario
        self.ends = ends or ends_of(scenario)
        self.limit = unless_none(scenario.slots.limit)
        self.laws = cost_laws(scenario.job)
        self.constant = all(map(is_certain, self.laws))
        self.usual = Costs(*(nanoseconds(law.mean) for law in self.laws))
        self.smooth = any(atoms(law) is None for law in self.laws)
        self.cells, self.step = cells, lattice_step(self.laws, cells)
        self._known: dict[bool, list[tuple[Sum, Sum, Sum]]] = {}
        self._points: dict[bool, tuple[Points, ...]] = {}

    def value(self, interval: int) -> Value:
        """What this interval (ns) is worth."""
        return self.values([interval])[0]

    def values(self, intervals: list[int]) -> list[Value]:
        """What each of these intervals (ns) is worth."""
        if not intervals:
            return []
        return [
            value for some in self.portions(intervals) for value in self.values_of_portion(some)
        ]

    def portions(self, intervals: list[int]) -> list[list[int]]:
        """The intervals in portions that take little memory."""
        points = 1 if self.constant else POINTS_A_CELL * self.cells
        most = np.minimum(self.rounds_most(np.array(intervals, np.int64)), ROUNDS_MAX)
        full = np.cumsum(points * most) // POINTS_AT_ONCE
        averaged = most > ROUNDS_SUMMED  # these are not reckoned together with others
        changes = np.flatnonzero((np.diff(full) != 0) | (averaged[1:] != averaged[:-1]))
        starts = [0, *(changes + 1).tolist(), len(intervals)]
        return [intervals[low:high] for low, high in pairwise(starts)]

    def values_of_portion(self, intervals: list[int]) -> list[Value]:
        rounds = self.fixed(intervals)
        course = self.course(rounds)
        checkpoints, work = self.committed(course)
        rows = zip(
            intervals,
            self.fitting(course if self.constant else self.usual_course(rounds)),
            checkpoints.tolist(),
            work.tolist(),
            self.lengths(course).tolist(),
            strict=True,
        )
        gap = self.scenario.slots.gap.mean
        return [Value(*row, gap) for row in rows]

    def committed(self, course: Course) -> tuple[Floats, Floats]:
        """Mean checkpoints and seconds of work that each lease commits."""
        safe, chances = course.safe, self.chances(course)
        each = chances * course.rounds.length[safe.round] / SECOND
        return course.total(safe, chances), course.total(safe, each)

    @property
    def around(self) -> int:
        """What the longest interval leaves time for in a lease, ns."""
        usual = self.usual
        return usual.input + usual.restart_lease + usual.write + usual.transfer

    def last_intervals(self, bound: int, most: int) -> list[int]:
        """The last intervals with which 1, 2, ... commits, up to so many, come by this age, ns."""
        usual = self.usual
        again = usual.write + usual.transfer + usual.restart_in_place
        first = usual.input + usual.restart_lease - usual.restart_in_place
        return [(bound - first - k * again) // k for k in range(1, most)]

    def fitting(self, course: Course) -> list[int | None]:
        """Checkpoints in a lease that the slot ends by its limit alone; None if nothing ends it."""
        if self.limit == NEVER and course.rounds.stay.min() == NEVER:
            return [None] * course.leases
        fits = course.safe.mass * (course.safe.age <= self.limit)
        return [int(count) for count in course.total(course.safe, fits)]

    # What a job means to do.

    def fixed(self, intervals: list[int]) -> Rounds:
        """A lease for each interval, from a checkpoint, of a job without end."""
        every = np.array(intervals, np.int64)
        most, stay = self.rounds_most(every), self.threshold(every)
        endless = np.minimum(stay, self.limit) == NEVER
        late = {
            n: late_rounds(int(most[n])) for n in np.flatnonzero(endless & (most > ROUNDS_EACH))
        }
        counts = np.minimum(most, np.where(endless, ROUNDS_EACH, ROUNDS_MAX))
        for n, rounds in late.items():
            counts[n] += len(rounds)
        lease = np.repeat(np.arange(len(every)), counts)
        first = np.cumsum(counts) - counts
        number = np.arange(len(lease), dtype=np.int64) - first[lease]
        times = np.ones(len(lease))
        for n, rounds in late.items():
            mine = slice(first[n] + ROUNDS_EACH, first[n] + counts[n])
            number[mine], times[mine] = rounds, times_of(rounds)
        length = every[lease]
        bare = np.zeros(len(lease), np.bool_)
        return Rounds(lease, number, length, length * (number + 1), stay[lease], bare, times)

    def rounds_most(self, intervals: Times) -> Times:
        """No lease has more rounds than this, or so few have that they do not count."""
        last = np.minimum(min(self.ends.horizon * SECOND, NEVER), self.threshold(intervals))
        return (np.maximum(last, 0) / (intervals + self._least)).astype(np.int64) + 2  # one after

    @cached_property
    def _least(self) -> int:
        return sum(nanoseconds(law.lowest) for law in self.laws[LEASE_COSTS:])

    def threshold(self, intervals: Times) -> Times:
        """After a commit later than this in the lease the job is off the slot."""
        theta = np.full_like(intervals, unless_none(self.scenario.slots.claim_worklife))
        if self.scenario.job.leave_early and self.limit < NEVER:
            usual = self.usual
            again = usual.restart_in_place + usual.write + usual.transfer
            theta = np.minimum(theta, self.limit - again - intervals)
        return theta

    # When it comes to what.

    def course(self, rounds: Rounds, *, cold: bool = False) -> Course:
        """When each round comes to each of its stages; `cold` where there is no checkpoint yet."""
        if self.constant or rounds.number.max() >= ROUNDS_SUMMED:
            return self.usual_course(rounds, cold=cold)
        if rounds.stay.min() == NEVER and self.transfer_is_told:
            return self.unending_course(rounds, cold=cold)
        leases = np.split(np.arange(len(rounds.lease)), np.flatnonzero(np.diff(rounds.lease)) + 1)
        found = [stages for lease in leases for stages in self.summed(rounds, lease, cold=cold)]
        begun, sent, safe, left, transfer = zip(*found, strict=True)
        return Course(
            rounds,
            joined(begun),
            joined(sent),
            joined(safe),
            np.concatenate(transfer),
            joined(left),
        )

    def usual_course(self, rounds: Rounds, *, cold: bool = False) -> Course:
        """The same with every cost what it usually is: each stage is a single point."""
        usual = self.usual
        written = np.where(rounds.bare, 0, usual.write)
        moved = np.where(rounds.bare, 0, usual.transfer)
        again = usual.write + usual.transfer + usual.restart_in_place
        start = usual.input + (usual.cold_start if cold else usual.restart_lease)
        computed = start + rounds.number * again + rounds.done
        safe = computed + written + moved
        first = np.flatnonzero(rounds.number == 0)
        late = np.where(safe > rounds.stay, rounds.number, NEVER)
        last = np.minimum.reduceat(late, first)  # of each lease, its last round if any
        reached = np.where(rounds.number <= last[rounds.lease], rounds.times, 0.0)
        ended = np.flatnonzero(rounds.number == last[rounds.lease])

        def stage(age: Times) -> Stage:
            return Stage(np.arange(len(age)), age, reached, np.zeros_like(age))

        left = Stage(ended, safe[ended], np.ones(len(ended)), np.zeros_like(safe[ended]))
        return Course(
            rounds,
            stage(computed - rounds.length),
            stage(computed + written),
            stage(safe),
            moved,
            left,
        )

    @property
    def transfer_is_told(self) -> bool:
        """Does it matter not, or is it always the same, how long a transfer took?"""
        return self.scenario.slots.grace == 0 or len(self.transfer.mass) == 1

    def unending_course(self, rounds: Rounds, *, cold: bool) -> Course:
        """The same where no lease ends by itself: the sums are the same for all leases."""
        started = rounds.done - rounds.length, rounds.done, rounds.done
        begun, sent, safe = (
            points.of(rounds.number, done)
            for points, done in zip(
                self.points(int(rounds.number.max()), cold=cold), started, strict=True
            )
        )
        moved = np.full(len(safe.age), self.usual.transfer, np.int64)
        return Course(rounds, begun, sent, safe, moved, nowhere())

    def summed(
        self, rounds: Rounds, lease: Indices, *, cold: bool
    ) -> "list[tuple[Stage, Stage, Stage, Stage, Times]]":
        """The stages of one lease, round by round, with random costs."""
        found = []
        begun: Sum | None = None  # None as long as no lease has left: then the sums are known
        for index in lease:
            number, length = int(rounds.number[index]), int(rounds.length[index])
            if begun is None:
                before = int(rounds.done[index]) - length
                begun, sent, safe = (
                    each.after(before + more)
                    for each, more in zip(
                        self.known(number, cold=cold), (0, length, length), strict=True
                    )
                )
            else:
                sent = self.add(begun.after(length), self.write, number)
                safe = self.add(sent, self.transfer, number)
            if rounds.bare[index]:
                sent = safe = begun.after(length)
            stays = self.within(safe.ages, int(rounds.stay[index]), np.array(safe.step))
            found.append(self.stages(index, begun, sent, safe, 1 - stays, rounds))
            if stays.min() == 1:
                begun = None
            elif float(safe.mass @ stays) < NEGLIGIBLE:
                break
            else:
                begun = self.add(safe._replace(mass=safe.mass * stays), self.restart, number)
        return found

    def stages(
        self, index: int, begun: Sum, sent: Sum, safe: Sum, leaves: Floats, rounds: Rounds
    ) -> "tuple[Stage, Stage, Stage, Stage, Times]":
        """One round's points."""
        ends = leaves > 0
        left = point_by_point(index, safe)
        left = Stage(left.round[ends], left.age[ends], (left.mass * leaves)[ends], left.step[ends])
        transfer = 0 if rounds.bare[index] else self.usual.transfer
        moved = np.full(len(safe.mass), transfer, np.int64)
        commit = point_by_point(index, safe)
        if not (rounds.bare[index] or self.transfer_is_told):
            commit, moved = self.in_pairs(index, sent)
        return point_by_point(index, begun), point_by_point(index, sent), commit, left, moved

    def in_pairs(self, index: int, sent: Sum) -> tuple[Stage, Times]:
        """When a commit is safe and how long its transfer took, for every pair of points."""
        took, likely, width = in_groups(self.transfer, TRANSFER_POINTS * self.cells // CELLS)
        age = sent.ages[:, None] + took
        mass = sent.mass[:, None] * likely
        step = np.broadcast_to(np.maximum(sent.step, width), age.shape).ravel()
        moved = np.broadcast_to(took, age.shape).ravel()
        return Stage(np.full(age.size, index), age.ravel(), mass.ravel(), step), moved

    def points(self, number: int, *, cold: bool) -> tuple[Points, ...]:
        """The points of each stage, at least up to the round of this number."""
        if cold not in self._points or number >= len(self._points[cold][0].counts):
            self.known(2 * number, cold=cold)
            stages = zip(*self._known[cold], strict=True)
            self._points[cold] = tuple(points_of(sums) for sums in stages)
        return self._points[cold]

    def known(self, number: int, *, cold: bool) -> tuple[Sum, Sum, Sum]:
        """When a round begins, sends and commits if computing took no time and no lease ends."""
        known = self._known.setdefault(cold, [])
        while len(known) <= number:
            now = len(known)
            begun = self.add(known[-1][2], self.restart, now) if known else self.start(cold=cold)
            sent = self.add(begun, self.write, now)
            known.append((begun, sent, self.add(sent, self.transfer, now)))
        return known[number]

    def add(self, total: Sum, cost: Sum, number: int) -> Sum:
        """One more cost; of a late round, of which each matters less, on fewer points."""
        most = POINTS_A_CELL * self.cells
        most = max(most // 4, most * FEW_ROUNDS // (FEW_ROUNDS + number))
        return total.plus(cost, most, self.ends.alive)

    def start(self, *, cold: bool) -> Sum:
        """From the start of a lease to computing."""
        job = self.scenario.job
        start = self.on_lattice(job.cold_start if cold else job.restart_lease)
        return self.input.plus(start, alive=self.ends.alive)

    @cached_property
    def input(self) -> Sum:
        """The input transfer at the start of a lease."""
        return self.on_lattice(self.scenario.job.input)

    @cached_property
    def write(self) -> Sum:
        return self.on_lattice(self.scenario.job.write)

    @cached_property
    def transfer(self) -> Sum:
        return self.on_lattice(self.scenario.job.transfer)

    @cached_property
    def restart(self) -> Sum:
        return self.on_lattice(self.scenario.job.restart_in_place)

    def on_lattice(self, law: Law) -> Sum:
        return on_lattice(law, self.step, self.ends.horizon, self.ends.alive)

    # What it comes to.

    def within(self, age: Times, bound: int, step: Times) -> Floats:
        """The share of what is at these points that is no later than the bound.

        A point of a smooth law stands for a step's width around it.
        """
        if self.smooth and bound < NEVER:
            share = (bound - age) / np.maximum(step, 1) + 0.5
            return np.where(step > CERTAIN, np.clip(share, 0.0, 1.0), age <= bound)
        return (age <= bound).astype(np.float64)

    def chances(self, course: Course) -> Floats:
        """The probability of each commit, a number a point."""
        safe = course.safe
        chance = safe.mass * self.within(safe.age, self.limit, safe.step)
        some = np.flatnonzero(chance)
        enough = safe.age[some] - np.minimum(course.transfer[some], self.scenario.slots.grace)
        chance[some] *= self.ends.outlived(enough / SECOND, safe.age_s[some])
        return chance

    def lengths(self, course: Course) -> Floats:
        """The mean slot time of each lease, seconds."""
        left, ends = course.left, self.ends
        leaving = course.total(left, left.mass)
        total = course.total(left, left.mass * ends.until_left(left.age_s))
        if leaving.min() < 1:
            total = total + np.maximum(1 - leaving, 0) * ends.until_left(np.array([np.inf]))
        if ends.grace > 0 and course.transfer.any():
            outlived = self.outliving(course)
            total = total + outlived.vacating + ends.contact_lease * outlived.powered_off
        return total

    def outliving(self, course: Course) -> Outliving:
        """What the transfers that outlive the soft kill come to, a lease."""
        safe, each = course.safe, self.ends.outliving(*self.transfers(course))
        return Outliving(*(course.total(safe, safe.mass * one) for one in each))

    def transfers(self, course: Course) -> tuple[Floats, Floats]:
        """When transfers begin and when they end, by the limit at the latest; seconds."""
        start = (course.safe.age - course.transfer) / SECOND
        return start, np.maximum(start, np.minimum(course.safe.age, self.limit) / SECOND)


def late_rounds(most: int) -> Times:
    """Rounds from ROUNDS_EACH up to `most`, each to stand for some around it.

    So it is where nothing ends a lease at a certain age, so that what comes of one round is all but
    what comes of the next.
    """
    count = int(np.log(most / ROUNDS_EACH) * ROUNDS_EACH / ROUNDS_STRIDE) + 1
    return np.unique(np.geomspace(ROUNDS_EACH, most, count).astype(np.int64))


def times_of(late: Times) -> Floats:
    """How many rounds each of these stands for, if each stands for those up to halfway."""
    halfway = (late[1:] + late[:-1] + 1) / 2
    return np.diff(np.concatenate([[float(ROUNDS_EACH)], halfway, [late[-1] + 1.0]]))


def nowhere() -> Stage:
    """No points at all."""
    none = np.zeros(0, np.int64)
    return Stage(none.astype(np.intp), none, none.astype(np.float64), none)


def point_by_point(index: int, found: Sum) -> Stage:
    """A sum's points as those of a stage."""
    count = len(found.mass)
    return Stage(np.full(count, index), found.ages, found.mass, np.full(count, found.step))


def points_of(sums: Sequence[Sum]) -> Points:
    """The points of a stage, of which `sums` are the laws in one round after the other."""
    count = np.array([len(each.mass) for each in sums])
    return Points(
        np.cumsum(count) - count,
        count,
        np.concatenate([each.ages for each in sums]),
        np.concatenate([each.mass for each in sums]),
        np.array([each.step for each in sums]),
    )


def in_groups(found: Sum, most: int) -> tuple[Times, Floats, Times]:
    """A law on fewer points: the means of groups of neighbours, their probabilities and widths.

    Of a law with a long tail both its middle and the tail matter. The groups have equal shares of
    the sum of the cube roots of probabilities: so the squares of what a mean is off, all in all,
    are the least there can be (Panter, Dite, Proc. IRE 39, 1951).
    """
    if len(found.mass) <= most:
        return found.ages, found.mass, np.full(len(found.mass), found.step)
    share = np.cumsum(np.cbrt(found.mass))
    group = np.minimum(share * most / share[-1], most - 1).astype(np.int64)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    mass = np.add.reduceat(found.mass, starts)
    places = np.arange(len(found.mass)) * found.mass
    means = np.add.reduceat(places, starts) / mass
    width = found.step * np.diff(starts, append=len(found.mass))
    return found.first + np.rint(means * found.step).astype(np.int64), mass, width


def joined(stages: "tuple[Stage, ...]") -> Stage:
    return Stage(*map(np.concatenate, zip(*stages, strict=True)))
