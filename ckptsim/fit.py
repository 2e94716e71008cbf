"""What job event logs tell about a pool: leases and gaps, and the laws by which slots are lost.

Evictions and power failures are competing risks: each is fitted with the other one as censoring
(observed.py, fitting.py).
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ckptsim.conclude import Conclusion, about, conclude
from ckptsim.errors import DataError
from ckptsim.fitting import FEW, Fit
from ckptsim.htcondor.histories import follow_all
from ckptsim.htcondor.leases import LEFT_AT_A_CHECKPOINT, End, Gap, History, Lease, counted
from ckptsim.observed import Lifetimes, from_leases

# Codes of condor_vacate_job: 1022 by the schedd, 1004 by the shadow (htcondor-rules.md, 2.1).
_BY_HAND = {1004, 1022}
# As many damaged parts of a log are told one by one.
_SHOWN = 5


@dataclass(frozen=True)
class Risk:
    """One way in which slots are lost: its lifetimes and the laws fitted to them."""

    key: str  # of the scenario
    lifetimes: Lifetimes
    conclusion: Conclusion


@dataclass(frozen=True)
class Evidence:
    """What job event logs tell about a pool.

    `risks` are the ways to lose a slot that there is something to say of, evictions first.

    `evictions` and `power_failures` are the fits chosen, None where no power failure was seen or
    where there is no time to judge by. In seconds: `limit_s`, the runtime limit that leases ended
    at, if any; the other `_s` as in `leases.History`. `sentences` tell it to people, `warnings`
    what was left out of it.
    """

    leases: tuple[Lease, ...]
    risks: tuple[Risk, ...]
    limit_s: float | None
    transfers_s: tuple[float, ...]
    inputs_s: tuple[float, ...]
    cycles_s: tuple[float, ...]
    gaps: tuple[Gap, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def evictions(self) -> Fit | None:
        return self._chosen("slots.evictions")

    @property
    def power_failures(self) -> Fit | None:
        return self._chosen("slots.power_failures")

    def _chosen(self, key: str) -> Fit | None:
        return next((risk.conclusion.chosen for risk in self.risks if risk.key == key), None)


def learn(paths: Sequence[Path]) -> Evidence:
    """Read job event logs and fit what they tell about how slots are lost.

    Of several files, those that are no logs are left out with a warning. A lease that is in two
    logs counts once.

    Raises:
        DataError: no file can be read, or no job ran for as long as a second in any.

    """
    histories, unread = follow_all(paths)
    leases, copies = _once(lease for history in histories for lease in history.leases)
    if not any(lease.end_ns > lease.start_ns for lease in leases):
        raise DataError(
            f"{_named(paths)}: {counted(len(leases), 'lease')} in it, none as long as a second; "
            "expected a log of jobs that ran (event 001, later 004 or 005)"
        )
    risks = _risks(leases)
    gaps = tuple(gap for history in histories for gap in history.gaps)
    transfers_s = tuple(s for history in histories for s in history.transfers_s)
    cycles_s = tuple(s for history in histories for s in history.cycles_s)
    return Evidence(
        leases,
        risks,
        _limit(leases, risks),
        transfers_s,
        tuple(s for history in histories for s in history.inputs_s),
        cycles_s,
        gaps,
        (
            *_leases_told(leases),
            *(sentence for risk in risks for sentence in risk.conclusion.sentences),
            *_evictions_questioned(leases),
            *_spread_told("checkpoint transfer", transfers_s),
            *_spread_told("computing between checkpoints (with restart and write)", cycles_s),
            *_spread_told("gap from losing a slot to the next start", [g.duration_s for g in gaps]),
        ),
        (*unread, *_copies_told(copies), *(line for h in histories for line in _left_out(h))),
    )


def _risks(leases: Sequence[Lease]) -> tuple[Risk, ...]:
    """Evictions, if there is time to judge by, and power failures, if there were any."""
    found = []
    for key, end, word in (
        ("slots.evictions", End.EVICTED, "eviction"),
        ("slots.power_failures", End.POWER_FAILURE, "power failure"),
    ):
        lifetimes = from_leases(leases, end)
        concluded = lifetimes.ends or end is End.EVICTED
        if concluded and (conclusion := conclude(lifetimes, word)):
            found.append(Risk(key, lifetimes, conclusion))
    return tuple(found)


def _once(leases: Iterable[Lease]) -> tuple[tuple[Lease, ...], int]:
    """Without copies of a lease in a second log (DAGMan keeps its own), and how many there were."""
    unique: dict[tuple[str, int, int], Lease] = {}
    copies = 0
    for lease in leases:
        known = unique.setdefault((lease.job, lease.start_ns, lease.end_ns), lease)
        copies += known.log != lease.log
    return tuple(unique.values()), copies


def _limit(leases: Sequence[Lease], risks: Sequence[Risk]) -> float | None:
    told = [lease.duration_s for lease in leases if lease.end is End.LIMIT]
    posing = [risk.conclusion.limit_s for risk in risks if risk.key == "slots.evictions"]
    return max(told) if told else next(iter(posing), None)


def _named(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{len(paths)} logs"


def _leases_told(leases: Sequence[Lease]) -> tuple[str, ...]:
    ends = Counter(lease.end for lease in leases)
    jobs = len({(lease.log, lease.job) for lease in leases})
    told = ", ".join(f"{ends[end]:,} {end.value}" for end in End if ends[end])
    total = about(math.fsum(lease.duration_s for lease in leases))
    whole = f"{counted(len(leases), 'lease')} of {counted(jobs, 'job')}, {total} on slots: {told}."
    return whole, *_limits_told(leases), *_leaving_told(leases)


def _limits_told(leases: Sequence[Lease]) -> tuple[str, ...]:
    told = [lease.duration_s for lease in leases if lease.end is End.LIMIT]
    if not told:
        return ()
    return (f"{counted(len(told), 'lease')} ended at a runtime limit, after {_range(told)}.",)


def _leaving_told(leases: Sequence[Lease]) -> tuple[str, ...]:
    left = sum(lease.code == LEFT_AT_A_CHECKPOINT for lease in leases)
    if not left:
        return ()
    told = f"{counted(left, 'lease')} ended at a checkpoint, without loss"
    return (f"{told}: the claim could not be used again (code 1025; see --claim-worklife).",)


def _evictions_questioned(leases: Sequence[Lease]) -> tuple[str, ...]:
    """What makes evictions say less about the pool than their number does."""
    evicted = [lease for lease in leases if lease.end is End.EVICTED]
    jobs = len({(lease.log, lease.job) for lease in leases})
    each = sorted(Counter((lease.log, lease.job) for lease in evicted).values(), reverse=True)
    worst = sum(before <= len(evicted) / 2 for before in itertools.accumulate(each, initial=0))
    doubts = []
    if by_hand := sum(lease.code in _BY_HAND for lease in evicted):
        doubts.append(
            f"{by_hand:,} of {counted(len(evicted), 'eviction')} by condor_vacate_job: asked for "
            "by hand, such evictions say nothing about the pool."
        )
    if len(evicted) >= FEW and worst * 10 <= jobs:
        share = 100 * sum(each[:worst]) / len(evicted)
        doubts.append(
            f"{worst:,} of {counted(jobs, 'job')} had {share:.0f} % of the evictions: "
            "one law for all jobs may describe none of them."
        )
    return tuple(doubts)


def _spread_told(what: str, seconds: Sequence[float]) -> tuple[str, ...]:
    if not seconds:
        return ()
    return (f"{len(seconds):,} × {what}: {_range(seconds)}.",)


def _range(seconds: Sequence[float]) -> str:
    if len(seconds) == 1:
        return about(seconds[0])
    return f"median {about(median(seconds))}, {about(min(seconds))} to {about(max(seconds))}"


def _copies_told(copies: int) -> tuple[str, ...]:
    return (f"{counted(copies, 'lease')} found in more than one log: counted once",) * (copies > 0)


def _left_out(history: History) -> tuple[str, ...]:
    shown = [f"{history.log}:{part}; skipped" for part in history.damage[:_SHOWN]]
    if len(history.damage) > _SHOWN:
        more = len(history.damage) - _SHOWN
        shown.append(f"{history.log}: {counted(more, 'more part')} not readable; skipped")
    odd = [f"{history.log}: {count:,} × {what}" for what, count in history.oddities.items()]
    return *shown, *odd
