"""The value of a fixed interval without sampling fates: renewal sums over a lease's commits.

One job, one lease: a start, then compute τ, write, transfer, restart in place, again and again;
commit i is safe at e_i. With X the age at which the slot is taken back, P the age at which its
power fails and S their survival, the lease commits τ Σ S_X(x_i) S_P(e_i), where x_i = e_i, or as
much earlier as the grace lets a transfer outlive the soft kill; only e_i ≤ limit count (theory.md
§2). A lease also ends by itself: after a commit past the claim's worklife, or, if the job leaves
early, after the last that can be committed before the limit. A whole job is a recursion over the
blocks it still has to do (theory.md §4).

Fates are integrated, not sampled. Where all costs are constant, the whole is exact; random costs
are sampled, the same for every interval, and a standard error says what that leaves open.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf, isinf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ckptsim.lifetimes import Constant, Law, Never
from ckptsim.rules import NEVER, Costs
from ckptsim.scenario import Scenario
from ckptsim.units import LONGEST, SECOND, nanoseconds
from ckptsim.world import cost_laws, unless_none

Floats = NDArray[np.float64]
Times = NDArray[np.int64]  # nanoseconds
Flags = NDArray[np.bool_]

PATHS_MOST = 2_000  # samples of random costs; fewer of long leases, whose sums vary less
PATHS_A_STREAM = 50
CELLS = 40_000  # paths times rounds
NEGLIGIBLE = 1e-13  # a lease without a limit is followed until so few are left
ROUNDS_MAX = 100_000  # nor for more commits than this, which means M above 1e8 costs
IMPOSSIBLE = 1e-12  # a job that commits something in fewer leases than this never finishes
PANELS = 2_048  # of the quadrature; the laws' own kinks come on top
FARTHEST = LONGEST / SECOND  # a century: laws with the heaviest tails are cut off there
ROUNDS_SAMPLED = CELLS // PATHS_A_STREAM  # of more rounds the costs average out
FEW = 8  # integrals, that are sooner had in closed form
STEPS = 32  # of the quadrature within one transfer
LEASE_COSTS = 3  # the first of `Costs` come once a lease, the others every round
EXACT_STREAMS = 2**31  # so that no stream of the simulation has the same key
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)


class Value(NamedTuple):
    """What an interval is worth to a lease that starts from a checkpoint in a job without end."""

    interval: int  # ns
    fitting: int | None  # checkpoints in a lease that only the limit ends, at usual costs
    checkpoints: float  # committed in a lease, mean
    work_s: float  # committed in a lease, mean
    lease_s: float  # slot time of a lease, mean
    gap_s: float  # mean time from a lease to the next
    work_se_s: float  # standard error of work_s from sampled costs; 0 if all costs are constant

    @property
    def useful_fraction(self) -> float:
        """Committed work / slot time."""
        return self.work_s / self.lease_s

    @property
    def useful_fraction_with_gap(self) -> float:
        """Committed work / (slot time + gaps)."""
        return self.work_s / (self.lease_s + self.gap_s)


@dataclass(frozen=True)
class Ends:
    """How leases end against the job's will; float seconds."""

    evictions: Law
    power_failures: Law
    limit: float
    grace: float
    contact_lease: float

    @cached_property
    def horizon(self) -> float:
        """No lease is longer, or so few that they do not count."""
        last = np.array([1 - NEGLIGIBLE])
        tails = [float(law.quantile(last)[0]) for law in (self.evictions, self.power_failures)]
        return inf if isinf(min(self.limit, *tails)) else min(self.limit, FARTHEST, *tails)

    def still_there(self, age: float) -> float:
        """The share of leases that are longer than this."""
        at = np.array(age)
        return 0.0 if age >= self.limit else float(self.outlived(at, at))

    def outlived(self, evicted: Floats, powered_off: Floats) -> Floats:
        """The probability that neither comes before these ages."""
        return self.evictions.survival_left(evicted) * self.power_failures.survival_left(
            powered_off
        )

    def lasting(self, until: Floats) -> Floats:
        """Mean length of a lease that is left at `until`, or at its limit: ∫ S_X S_P."""
        until = np.minimum(until, self.horizon)
        if isinstance(self.power_failures, Never) and until.size < FEW:
            return np.array([self.evictions.limited_mean(t) for t in until.flat]).reshape(
                until.shape
            )
        edges, totals = self._table
        panel = np.clip(np.searchsorted(edges, until, side="right") - 1, 0, len(edges) - 2)
        return totals[panel] + self._integral(edges[panel], until)

    def powered_off(self, until: Floats) -> Floats:
        """Probability that a power failure ends a lease that would be left at `until`."""
        if isinstance(self.power_failures, Never):
            return np.zeros_like(until)
        edges, _ = self._table
        struck = np.minimum(np.minimum(until, self.limit)[..., None], edges)
        falling = -np.diff(self.power_failures.survival_left(struck), axis=-1)
        middle = (edges[1:] + edges[:-1]) / 2
        total: Floats = (falling * self.evictions.survival(middle)).sum(axis=-1)
        return total

    @cached_property
    def _table(self) -> tuple[Floats, Floats]:
        """Edges of the quadrature's panels, and the integral of S_X S_P up to each."""
        even = np.linspace(0, self.horizon, PANELS + 1)
        near_zero = self.horizon * 0.5 ** np.arange(12, 40)  # where a Weibull may be steep
        kinks = np.array([*self.evictions.kinks(), *self.power_failures.kinks(), self.horizon])
        kinks = kinks[kinks <= self.horizon]
        after = np.nextafter(kinks, inf)  # so that an atom has a panel to itself
        edges = np.unique(np.concatenate([even, near_zero, kinks, after]))
        pieces = self._integral(edges[:-1], edges[1:])
        return edges, np.concatenate([[0.0], np.cumsum(pieces)])

    def _integral(self, start: Floats, end: Floats) -> Floats:
        half = (end - start)[..., None] / 2
        t = start[..., None] + half * (NODES + 1)
        alive = self.evictions.survival(t) * self.power_failures.survival(t)
        total: Floats = (alive * WEIGHTS * half).sum(axis=-1)
        return total


def ends_of(scenario: Scenario) -> Ends:
    """The scenario's ways for a lease to end."""
    slots = scenario.slots
    return Ends(
        slots.evictions,
        slots.power_failures,
        inf if slots.limit is None else slots.limit / SECOND,
        slots.grace / SECOND,
        slots.contact_lease / SECOND,
    )


class Rounds(NamedTuple):
    """Costs in nanoseconds, one row a path; a single column serves every round."""

    start: Times
    write: Times
    transfer: Times
    restart: Times  # in place


class Commits(NamedTuple):
    """The commits of a lease that nothing cuts short, one row a path; ns from its start."""

    sent: Times  # when the transfer began
    safe: Times  # when it was complete: e_i
    reached: Flags  # false where the lease has ended by itself before
    left: Times  # one a path: when it ends by itself; NEVER where it does not


class JobLease(NamedTuple):
    """What a lease does for a job: a step of the recursion over its blocks."""

    some: float  # probability that anything is committed
    exactly: Floats  # that exactly 1, 2, ... blocks are, and then the lease ends
    spent: float  # mean length, with the gap that follows unless the job completes; seconds

    def time_to_completion(self, still: Floats) -> float:
        """Mean time to completion, given those with fewer blocks to do.

        A lease that commits nothing is followed by another of its kind, so the mean is divided by
        the probability that one does commit something.
        """
        if self.some < IMPOSSIBLE:
            return inf
        fewer = still[::-1][: len(self.exactly)]
        chance = self.exactly[: len(fewer)]
        after = float((chance[chance > 0] * fewer[chance > 0]).sum())  # 0 times inf is 0 here
        return (self.spent + after) / self.some


class Solver:
    """A scenario made ready: its laws, and the costs on which all intervals are compared."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.ends = ends_of(scenario)
        self.limit = unless_none(scenario.slots.limit)
        self.laws = cost_laws(scenario)
        self.constant = all(isinstance(law, Constant) for law in self.laws)
        self.usual = Costs(*(nanoseconds(law.mean) for law in self.laws))

    def value(self, interval: int) -> Value:
        """What this interval (ns) is worth."""
        commits = self.commits(interval, self.rounds(self.rounds_most(interval)))
        checkpoints = self.probabilities(commits).sum(axis=1)
        work = checkpoints * (interval / SECOND)
        return Value(
            interval,
            self.fitting(interval),
            float(checkpoints.mean()),
            float(work.mean()),
            float(self.lengths(commits).mean()),
            self.scenario.slots.gap.mean,
            float(work.std(ddof=1) / sqrt(len(work))) if len(work) > 1 else 0.0,
        )

    def fitting(self, interval: int) -> int | None:
        """Checkpoints in a lease that the slot ends by its limit alone; None if nothing ends it."""
        if min(self.limit, self.threshold(interval)) == NEVER:
            return None
        commits = self.commits(interval, usual_rounds(self.usual, self.rounds_most(interval)))
        return int((commits.reached & (commits.safe <= self.limit)).sum())

    def rounds_most(self, interval: int) -> int:
        """No lease has more rounds than this, or so few have that they do not count."""
        least = sum(nanoseconds(law.lowest) for law in self.laws[LEASE_COSTS:])
        last = max(0, min(self.ends.horizon * SECOND, self.threshold(interval)))
        return int(min(last / (interval + least) + 2, ROUNDS_MAX))  # one commit may come after it

    def threshold(self, interval: int) -> int:
        """After a commit later than this in the lease the job is off the slot."""
        theta = unless_none(self.scenario.slots.claim_worklife)
        if self.scenario.job.leave_early and self.limit < NEVER:
            usual = self.usual
            again = usual.restart_in_place + interval + usual.write + usual.transfer
            theta = min(theta, self.limit - again)
        return theta

    def rounds(self, count: int) -> Rounds:
        """The costs of `count` rounds: as is if constant, the means if very many, else sampled."""
        if self.constant or count > ROUNDS_SAMPLED:
            return usual_rounds(self.usual, count)
        paths = min(max(CELLS // count, PATHS_A_STREAM), PATHS_MOST)
        paths -= paths % PATHS_A_STREAM
        inputs, _, restart_lease, restart, write, transfer = (
            self.sampled(law, number, paths, 1 if number < LEASE_COSTS else count)
            for number, law in enumerate(self.laws)
        )
        return Rounds(inputs + restart_lease, write, transfer, restart)

    def sampled(self, law: Law, number: int, paths: int, count: int) -> Times:
        """Draws of the cost with this number in `Costs`, (paths, count)."""
        rows = 1 << (count - 1).bit_length()  # few sizes, so that draws are made once
        streams = [
            uniforms(self.scenario.seed, (EXACT_STREAMS, number, stream), rows)[:count]
            for stream in range(paths // PATHS_A_STREAM)
        ]
        seconds = law.quantile(np.concatenate(streams, axis=1).T)
        return np.rint(seconds * SECOND).astype(np.int64)

    def commits(self, interval: int, rounds: Rounds) -> Commits:
        """When each commit of a lease is safe, if nothing cuts the lease short."""
        cycle = interval + rounds.write + rounds.transfer
        safe = rounds.start + np.cumsum(cycle, axis=1) + np.cumsum(rounds.restart, axis=1)
        safe -= rounds.restart
        late = safe > self.threshold(interval)
        first = np.where(late.any(axis=1), late.argmax(axis=1), -1)
        left = np.where(first >= 0, np.take_along_axis(safe, first[:, None], axis=1)[:, 0], NEVER)
        return Commits(safe - rounds.transfer, safe, safe <= left[:, None], left)

    def probabilities(self, commits: Commits) -> Floats:
        """The probability of each commit, (paths, rounds)."""
        sent, safe = commits.sent / SECOND, commits.safe / SECOND
        enough = np.maximum(sent, safe - self.ends.grace)
        counts = commits.reached & (commits.safe <= self.limit)
        return np.where(counts, self.ends.outlived(enough, safe), 0.0)

    def lengths(self, commits: Commits) -> Floats:
        """The mean slot time of a lease, one a path; seconds."""
        left, path = np.unique(commits.left, return_inverse=True)
        total = self.until_left(left / SECOND)[path]
        if self.ends.grace > 0 and (commits.safe > commits.sent).any():
            total += self.vacating(commits)
        return total

    def until_left(self, left: Floats) -> Floats:
        """The mean slot time of leases left at these ages, if no transfer outlives them."""
        ends = self.ends
        return ends.lasting(left) + ends.contact_lease * ends.powered_off(left)

    def vacating(self, commits: Commits) -> Floats:
        """What the transfers that outlive the soft kill add to a lease; seconds, one a path."""
        start = commits.sent / SECOND
        stop = np.where(commits.reached, np.minimum(commits.safe, self.limit) / SECOND, start)
        stop = np.maximum(start, stop)
        certain = isinstance(self.ends.power_failures, Never)
        each = self.outliving if certain else self.outliving_power_failures
        total: Floats = each(start, stop).sum(axis=-1)
        return total

    def outliving(self, start: Floats, stop: Floats) -> Floats:
        """Mean time from the soft kill to the end of each transfer, where no power fails.

        At t in a transfer the lease goes on if the soft kill came, or comes, after both the
        transfer's start and t - grace; without the transfer, if it comes after t.
        """
        grace = self.ends.grace
        flat = np.minimum(grace, stop - start) * self.ends.evictions.survival_left(start)
        late = self.ends.lasting(np.maximum(start, stop - grace)) - self.ends.lasting(start)
        return flat + late - (self.ends.lasting(stop) - self.ends.lasting(start))

    def outliving_power_failures(self, start: Floats, stop: Floats) -> Floats:
        """The same with power failures, that end the vacating too; by the midpoint rule."""
        ends = self.ends
        width = (stop - start)[..., None] / STEPS
        edges = start[..., None] + width * np.arange(STEPS + 1)
        middle = edges[..., :-1] + width / 2
        warned_since = np.maximum(start[..., None], middle - ends.grace)
        still = ends.evictions.survival_left(warned_since) - ends.evictions.survival(middle)
        struck = -np.diff(ends.power_failures.survival_left(edges), axis=-1)
        lasting = ends.power_failures.survival(middle) * width + ends.contact_lease * struck
        total: Floats = (still * lasting).sum(axis=-1)
        return total

    def makespan(self, interval: int) -> float:
        """Mean seconds from the first queueing to completion; inf where the job never finishes.

        One job alone in the queue, all costs constant (theory.md §4).
        """
        work = self.scenario.job.work
        assert self.constant
        assert work is not None
        blocks = -(-work // interval)
        last = work - (blocks - 1) * interval
        still = np.zeros(blocks + 1)  # mean time to completion with so many blocks to do
        far = self.rounds_most(interval) + 2  # from more blocks than this no lease completes
        leases: dict[int, JobLease] = {}
        for count in range(1, blocks):
            near = min(count, far)
            if near not in leases:
                leases[near] = self.job_lease(interval, last, near, self.usual.restart_lease)
            still[count] = leases[near].time_to_completion(still[:count])
        first = self.job_lease(interval, last, min(blocks, far), self.usual.cold_start)
        slots = self.scenario.slots
        gap = slots.gap.mean if slots.first_gap else 0.0
        return first.time_to_completion(still[:blocks]) + gap

    def job_lease(self, interval: int, last: int, blocks: int, start: int) -> "JobLease":
        """One lease of a job with so many blocks to do, the last one short."""
        commits = self.commits_of_job(interval, last, blocks, start)
        reaching = np.concatenate([[1.0], self.probabilities(commits)[0]])
        done = reaching[-1] if len(reaching) == blocks + 1 else 0.0
        return JobLease(
            some=reaching[1],
            exactly=-np.diff(np.append(reaching, 0.0))[1:],
            spent=float(self.lengths(commits)[0]) + self.scenario.slots.gap.mean * (1 - done),
        )

    def commits_of_job(self, interval: int, last: int, blocks: int, start: int) -> Commits:
        """As `commits`, for a job with so many blocks to do; its completion counts as the last."""
        costs, job = self.usual, self.scenario.job
        count = min(blocks, self.rounds_most(interval) + 1)
        rounds = np.arange(1, count + 1)
        lengths = np.where(rounds == blocks, last, interval)
        sending = np.where((rounds == blocks) & (not job.last_checkpoint), 0, costs.transfer)
        writing = np.where((rounds == blocks) & (not job.last_checkpoint), 0, costs.write)
        rest = (rounds - 1) * costs.restart_in_place
        safe = costs.input + start + rest + np.cumsum(lengths + writing + sending)
        leaves = safe > unless_none(self.scenario.slots.claim_worklife)
        if job.leave_early:
            leaves[:-1] |= safe[1:] > self.limit
        leaves |= rounds == blocks
        left = safe[leaves.argmax()] if leaves.any() else NEVER
        return Commits((safe - sending)[None], safe[None], (safe <= left)[None], np.array([left]))


@lru_cache(maxsize=2_000)
def uniforms(seed: int, key: tuple[int, ...], rows: int) -> Floats:
    """Uniform draws of a keyed stream, (rows, PATHS_A_STREAM); longer ones begin alike."""
    stream = np.random.Philox(np.random.SeedSequence(seed, spawn_key=key))
    return np.random.Generator(stream).random((rows, PATHS_A_STREAM))


def usual_rounds(usual: Costs, count: int) -> Rounds:
    """One path on which every cost is what it usually is."""
    start = usual.input + usual.restart_lease
    each = (usual.write, usual.transfer, usual.restart_in_place)
    return Rounds(np.array([[start]]), *(np.full((1, count), cost) for cost in each))
