"""Replications are added in rounds until the means that matter are known precisely enough.

How many each round adds follows from the numbers before it alone, so that a run that was
interrupted, or is on a cluster, goes through the same rounds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from ckptsim.estimate import Estimate
from ckptsim.experiment import leases_each, replicate, replicate_leases
from ckptsim.running import Means, Progress
from ckptsim.steady import enough, more_needed
from ckptsim.summary import Summary
from ckptsim.world import World

MOST = 100_000


@dataclass(frozen=True)
class Precision:
    """How precise: the share of the mean that half its 99 % interval is to stay below."""

    relative: float
    most: int = MOST  # replications, whatever is known by then


def measured(
    world: World,
    leases: int | None,
    precision: Precision | None = None,
    progress: Progress | None = None,
    means: Means | None = None,
) -> Summary:
    """Whole jobs as often as the scenario says, or so many leases of a job without end.

    With a `precision` these are the first round; leases then come in whole replications.
    """
    means = means or Means()

    def jobs(count: int) -> Summary:
        return Summary(replicate(world, count, progress, means), endless=False)

    def of_leases(count: int) -> Summary:
        return Summary(replicate_leases(world, count, progress, means), endless=True)

    if leases is None:
        first = world.scenario.replications
        return in_rounds(jobs, first, precision) if precision else jobs(first)
    if precision is None:
        return of_leases(leases)
    each = leases_each(world)
    return in_rounds(lambda count: of_leases(count * each), -(-leases // each), precision)


def in_rounds(run: Callable[[int], Summary], first: int, precision: Precision) -> Summary:
    """What `run` of so many replications comes to, once they are enough."""
    count = min(first, precision.most)
    while True:
        summary = run(count)
        if summary.results.interrupted or is_precise(summary, precision):
            return summary
        if count == precision.most:
            return summary
        more = [more_needed(each, count, precision.relative) for each in headline(summary)]
        count = min(count + max(more), precision.most)


def is_precise(summary: Summary, precision: Precision) -> bool:
    """Are the means that matter known well enough?"""
    return all(enough(each, precision.relative) for each in headline(summary))


def headline(summary: Summary) -> list[Estimate]:
    """The means that matter; those that no run makes finite are left out."""
    measures = [summary.useful] if summary.endless else [summary.useful, summary.makespan]
    return [each for each in measures if isfinite(each.mean)]
