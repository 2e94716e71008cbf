"""What many replications come to: the time account, makespans, leases, throughput."""

from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite, nan
from typing import Any

import numpy as np

from ckptsim.ends import ends_of
from ckptsim.estimate import Estimate, Floats, controlled_mean, mean_of, ratio_of
from ckptsim.experiment import Results
from ckptsim.ledger import Category
from ckptsim.ledger_shown import ledger_json, lost_json
from ckptsim.pieces import Measures, Part, Pieces, everything, ledger_of, pieces_of
from ckptsim.pooled import Pooled, mean_makespan
from ckptsim.rules import hopeless, submitted
from ckptsim.units import SECOND

POOL_FIELDS = ("classes", "users", "kinds", "link", "queue", "steady")
QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Summary:
    """Results of whole jobs, or, with `endless`, of leases of a job without end."""

    results: Results
    endless: bool

    @cached_property
    def ledger(self) -> dict[Category, int]:
        """All slot time by category, nanoseconds; without the warm-up."""
        return self.ledger_of(self.everything)

    def ledger_of(self, part: Part) -> dict[Category, int]:
        """The same of a part."""
        return dict(zip(Category, ledger_of(self.results, part), strict=True))

    @property
    def everything(self) -> Part:
        return everything(self.results.world)

    @property
    def slot_time(self) -> int:
        return sum(self.ledger.values())

    @cached_property
    def pieces(self) -> Pieces:
        """What is measured of whole jobs."""
        return pieces_of(self.results)

    @cached_property
    def pool(self) -> Pooled | None:
        """The same as of a pool, where whole jobs were run."""
        ran = self.results.replications and not self.endless
        return Pooled(self.results, self.pieces) if ran else None

    def measures(self, part: Part) -> Measures:
        """What is measured of a part of them."""
        return self.pieces.of(part)

    @property
    def never_finishes(self) -> bool:
        """Is there a job that can never commit enough to complete?"""
        plan = self.results.world.plan
        restarting = submitted(plan, 0, checkpoints=1)
        return self.results.stranded > 0 or (self.endless and hopeless(plan, restarting))

    @cached_property
    def makespans_s(self) -> Floats:
        """Of all completed jobs, seconds."""
        found = [time for each in self.results.replications for time in each.makespans]
        return np.array(found, np.float64) / SECOND

    @property
    def makespan(self) -> Estimate:
        """The mean makespan in seconds; infinite where a job never finishes.

        Jobs of one replication wait for each other: only the replications are independent.
        """
        if self.results.stranded:
            return Estimate(inf, 0.0)
        return mean_makespan(self.results, self.everything)

    @cached_property
    def useful(self) -> Estimate:
        """Committed work / slot time, over all leases."""
        if self.endless:
            spent = self.stays("end") - self.stays("start")
            return ratio_of(self.stays("work"), spent)
        return self.measures(self.everything).useful

    @cached_property
    def lease_work(self) -> Estimate:
        """Seconds committed in a lease.

        Leases of a job without end are alike and independent, and the age at which the slot ends
        them has a mean that is known, so it serves as a control; leases of whole jobs are neither.
        """
        if self.endless:
            ends = ends_of(self.results.world.scenario)
            if not isfinite(ends.horizon):
                return mean_of(self.stays("work"))
            known = float(ends.lasting(np.array(inf)))
            return controlled_mean(self.stays("work"), self.stays("fate_age"), known)
        counts = [sum(each.leases) for each in self.results.replications]
        books = [each.ledger[Category.USEFUL] / SECOND for each in self.results.replications]
        return ratio_of(np.array(books), np.array(counts, np.float64))

    @property
    def checkpoints(self) -> float:
        """Committed in a lease, mean."""
        committed = sum(sum(each.checkpoints) for each in self.results.replications)
        return committed / self.lease_count if self.lease_count else nan

    @property
    def lease_count(self) -> int:
        """Leases that came to an end."""
        return sum(sum(each.leases) for each in self.results.replications)

    @property
    def jobs_per_day(self) -> Estimate:
        """Completed jobs per day, until the last one of a replication is done, or it is over."""
        return self.measures(self.everything).jobs_per_day

    @property
    def committed_per_slot(self) -> Estimate:
        """Committed slot-hours per slot-hour, idle slots and gaps included."""
        return self.measures(self.everything).committed_per_slot

    def stays(self, column: str) -> Floats:
        return self.results.stays(column) / SECOND

    def json(self) -> dict[str, Any]:
        """The document of `simulate --json`; times in seconds."""
        return {
            "ledger": ledger_json(self.ledger),
            "lost_by_cause": lost_json(self.ledger),
            "useful_fraction": self.useful.mean,
            "useful_fraction_ci99": self.useful.interval,
            "jobs": {
                "completed": self.results.completed,
                "never_finishes": self.never_finishes,
                "stranded": self.results.stranded,
                "makespan_mean_s": self.makespan.mean,
                "makespan_ci99_s": self.makespan.interval,
                "makespan_quantiles_s": self.quantiles(),
            },
            "leases": {
                "count": self.lease_count,
                "work_mean_s": self.lease_work.mean,
                "work_ci99_s": self.lease_work.interval,
                "checkpoints_mean": self.checkpoints,
            },
            "throughput": None
            if self.endless
            else {
                "jobs_per_day": self.jobs_per_day.mean,
                "jobs_per_day_ci99": self.jobs_per_day.interval,
                "committed_slot_hours_per_slot_hour": self.committed_per_slot.mean,
                "committed_slot_hours_per_slot_hour_ci99": self.committed_per_slot.interval,
            },
            **(self.pool.json() if self.pool else dict.fromkeys(POOL_FIELDS)),
            "replications": len(self.results.replications),
            "interrupted": self.results.interrupted,
            "seed": self.results.world.scenario.seed,
            "engine": str(self.results.engine),
        }

    def quantiles(self) -> dict[str, float]:
        """Quantiles of the makespans of all jobs, seconds."""
        everyone = np.append(self.makespans_s, [inf] * self.results.stranded)
        if len(everyone) == 0:
            return {}
        values = np.quantile(everyone, QUANTILES, method="inverted_cdf")
        return {f"p{100 * q:02.0f}": float(v) for q, v in zip(QUANTILES, values, strict=True)}
