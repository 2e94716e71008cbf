"""How a pool's numbers go over time: jobs that wait, slots busy, transfers; all runs together.

Each replication's bins are as wide as it needed, a power of two of a second; here they are made as
wide as the widest.
"""

from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np

from ckptsim.estimate import Floats
from ckptsim.experiment import Replication, Results
from ckptsim.gauge import Measure
from ckptsim.steady import mser5, settles

WARM_UP_LATER = 0.1  # of the time measured: so much more is left out by chance alone
WATCHED = (Measure.QUEUED, Measure.BUSY, Measure.IN_FLIGHT, Measure.AWAITING)


@dataclass(frozen=True)
class Course:
    """The mean over the replications, in bins of one width; after its end a run counts as 0."""

    sums: Floats  # number × time, ns, by measure and bin
    width: int  # of a bin, ns
    lengths: Floats  # how long each bin lasted, on average over the runs, ns
    start: int  # the end of the warm-up, ns
    end: int  # of the longest run, ns

    @cached_property
    def means(self) -> Floats:
        """The number in each bin, by measure; while there was a run at all."""
        longest = np.minimum(self.width, self.end - np.arange(len(self.lengths)) * self.width)
        return self.sums / np.maximum(longest, 1)

    def mean(self, measure: Measure) -> float:
        """Over the time that is measured, from the end of the warm-up to that of each run."""
        weights = self.measured
        return float((self.sums[measure] * weights).sum() / max((self.lengths * weights).sum(), 1))

    def most(self, measure: Measure) -> float:
        """The highest bin."""
        found = self.means[measure, self.measured > 0]
        return float(found.max()) if len(found) else 0.0

    @cached_property
    def warm_up_found(self) -> float:
        """What MSER-5 would leave out of the time that is measured, ns; inf: it does not settle.

        By the measure that takes longest.
        """
        after = self.means[list(WATCHED)][:, self.measured == 1]
        left_out = [mser5(each) * self.width if settles(each) else inf for each in after]
        return max(left_out)

    @property
    def warm_up_short(self) -> bool:
        """Does what comes after the warm-up still look like one?"""
        return self.warm_up_found > WARM_UP_LATER * (self.end - self.start)

    @property
    def measured(self) -> Floats:
        """Of each bin, the share that comes after the warm-up."""
        begun = np.arange(len(self.lengths)) * self.width
        return np.clip((begun + self.width - self.start) / self.width, 0.0, 1.0)


def course_of(results: Results) -> Course:
    """The course of the replications' mean; there must be one at least."""
    runs = results.replications
    width, end = max(run.gauge_width for run in runs), max(run.end for run in runs)
    bins = max(1, -(-end // width))
    sums = np.mean([widened(run, width)[:, :bins] for run in runs], axis=0)
    begun = np.arange(bins) * width
    lengths = np.mean([np.clip(run.end - begun, 0, width) for run in runs], axis=0)
    return Course(sums, width, lengths, results.world.scenario.warm_up, end)


def widened(run: Replication, width: int) -> Floats:
    """The sums of a replication in wider bins, as many as before."""
    each, bins = width // run.gauge_width, run.gauges.shape[1]
    found = np.zeros_like(run.gauges)
    found[:, : bins // each] = run.gauges.reshape(len(run.gauges), bins // each, each).sum(axis=2)
    return found
