"""What many jobs on many slots come to: by class, user and kind of slots; the link, the queue."""

from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

import numpy as np

from ckptsim import saturation
from ckptsim.course import Course, course_of
from ckptsim.estimate import Estimate, mean_of
from ckptsim.experiment import Replication, Results
from ckptsim.gauge import Measure
from ckptsim.ledger import Category
from ckptsim.ledger_shown import ledger_json
from ckptsim.pieces import (
    Measures,
    Method,
    Part,
    Pieces,
    classes_of,
    kinds_of,
    ledger_of,
    users_of,
)
from ckptsim.steady import Correlation, correlation_of
from ckptsim.units import SECOND, seconds

CROWDED = 2.0  # times as many transfers share the link as if they came at random moments
WORTH_TELLING = 0.01  # of slot time


@dataclass(frozen=True)
class Traffic:
    """How the link was used, on average over the time that is measured."""

    demand: float  # what the jobs would put on it without contention; its bandwidth is 1
    busy: float  # the share of the time in which anything was in flight
    in_flight: float  # transfers
    waiting: float
    slots: float  # with a job on them
    bytes: float  # moved, in all replications together, what was cut off included

    @property
    def saturated(self) -> bool:
        return saturation.is_saturated(self.demand)

    @property
    def bunched(self) -> bool:
        """Do transfers come together, so that they share a link that has room for all of them?

        Were they to come at random moments, busy / (1 − busy) would be in flight (M/G/1, processor
        sharing).
        """
        at_random = self.busy / max(1 - self.busy, 1e-9)
        crowded = self.in_flight + self.waiting > CROWDED * at_random
        return not self.saturated and crowded and self.contention > WORTH_TELLING

    @property
    def contention(self) -> float:
        """The share of slot time by which transfers take longer than alone, one after the other."""
        return (self.in_flight + self.waiting - self.busy) / self.slots if self.slots else 0.0

    def json(self) -> dict[str, Any]:
        return {
            "demand": self.demand,
            "saturated": self.saturated,
            "busy_share": self.busy,
            "transfers_in_flight_mean": self.in_flight,
            "transfers_waiting_mean": self.waiting,
            "contention_share": self.contention,
            "bytes": self.bytes,
        }


@dataclass(frozen=True)
class Steady:
    """How a run with a duration was read."""

    method: Method
    warm_up: int  # ns
    pieces: int
    correlation: Correlation  # of batches that follow each other
    warm_up_found: float  # what MSER-5 would leave out besides, ns; inf: it does not settle
    warm_up_short: bool

    def json(self) -> dict[str, Any]:
        batches = self.method == Method.BATCHES
        return {
            "method": str(self.method),
            "warm_up_s": seconds(self.warm_up),
            "count": self.pieces,
            "batches_lag_1": self.correlation.lag_1 if batches else None,
            "batches_correlated": self.correlation.suspicious if batches else None,
            "warm_up_found_s": (self.warm_up + self.warm_up_found) / SECOND,
            "warm_up_short": self.warm_up_short,
        }


@dataclass(frozen=True)
class Pooled:
    """Results of whole jobs, of one replication at least, as those of a pool.

    A lone job on a lone slot has no course: nothing of it was gauged.
    """

    results: Results
    pieces: Pieces

    @cached_property
    def course(self) -> Course:
        return course_of(self.results)

    @property
    def classes(self) -> list[Part]:
        return classes_of(self.results.world)

    @property
    def users(self) -> list[Part]:
        return users_of(self.results.world)

    @property
    def kinds(self) -> list[Part]:
        return kinds_of(self.results.world)

    def measures(self, part: Part) -> Measures:
        return self.pieces.of(part)

    def makespan(self, part: Part) -> Estimate:
        return mean_makespan(self.results, part)

    @property
    def busy_share(self) -> float:
        """Of the slots, those with a job on them."""
        return self.course.mean(Measure.BUSY) / self.results.world.scenario.slots_count

    @cached_property
    def link(self) -> Traffic | None:
        """None without one."""
        world = self.results.world
        if world.scenario.link is None:
            return None
        course = self.course
        moving = float((course.sums[Measure.LINK_BUSY] * course.measured).sum()) / SECOND
        return Traffic(
            saturation.demand(world),
            course.mean(Measure.LINK_BUSY),
            course.mean(Measure.IN_FLIGHT),
            course.mean(Measure.AWAITING),
            course.mean(Measure.BUSY),
            moving * world.scenario.link.bandwidth * len(self.results.replications),
        )

    @cached_property
    def steady(self) -> Steady | None:
        """None where the runs end with their last job."""
        if self.pieces.method == Method.WHOLE:
            return None
        committed = self.pieces.ledgers[:, :, :, Category.USEFUL].sum(axis=(1, 2))
        return Steady(
            self.pieces.method,
            self.results.world.scenario.warm_up,
            len(self.pieces.times),
            correlation_of(committed / self.pieces.times),
            self.course.warm_up_found,
            self.course.warm_up_short,
        )

    def json(self) -> dict[str, Any]:
        """What is added to the document of `simulate --json`; times in seconds."""
        return {
            "classes": {part.name: self._class_json(part) for part in self.classes},
            "users": {part.name: self._part_json(part) for part in self.users},
            "kinds": {part.name: self._kind_json(part) for part in self.kinds},
            "link": self.link and self.link.json(),
            "queue": self._queue_json() if self.results.world.is_crowded else None,
            "steady": self.steady and self.steady.json(),
        }

    def _queue_json(self) -> dict[str, Any]:
        return {
            "waiting_mean": self.course.mean(Measure.QUEUED),
            "waiting_most": self.course.most(Measure.QUEUED),
            "slots_busy_mean": self.course.mean(Measure.BUSY),
            "slots_busy_share": self.busy_share,
            "slots_idle_or_away_share": 1 - self.busy_share,
        }

    def _class_json(self, part: Part) -> dict[str, Any]:
        world, [place] = self.results.world, part.classes
        job, interval = world.classes[place], world.plans[place].interval
        return {"user": job.user, "interval_s": seconds(interval), **self._part_json(part)}

    def _part_json(self, part: Part) -> dict[str, Any]:
        makespan, per_day = self.makespan(part), self.measures(part).jobs_per_day
        return {
            **self._shares_json(part),
            "jobs": {
                "count": sum(self.results.world.classes[place].count for place in part.classes),
                "completed": jobs_counted(self.results, "completed", part),
                "stranded": jobs_counted(self.results, "stranded", part),
                "makespan_mean_s": makespan.mean,
                "makespan_ci99_s": makespan.interval,
                "jobs_per_day": per_day.mean,
                "jobs_per_day_ci99": per_day.interval,
            },
        }

    def _kind_json(self, part: Part) -> dict[str, Any]:
        return {"slots": part.slots, **self._shares_json(part)}

    def _shares_json(self, part: Part) -> dict[str, Any]:
        measures = self.measures(part)
        books = dict(zip(Category, ledger_of(self.results, part), strict=True))
        return {
            "ledger": ledger_json(books),
            "useful_fraction": measures.useful.mean,
            "useful_fraction_ci99": measures.useful.interval,
            "committed_slot_hours_per_slot_hour": measures.committed_per_slot.mean,
            "committed_slot_hours_per_slot_hour_ci99": measures.committed_per_slot.interval,
        }


def jobs_counted(results: Results, name: str, part: Part) -> int:
    """How many jobs of the part's classes were completed, or stranded, in all replications."""
    return sum(getattr(run, name)[place] for run in results.replications for place in part.classes)


def mean_makespan(results: Results, part: Part) -> Estimate:
    """The mean makespan in seconds of those that completed; infinite where a job never finishes.

    Jobs of one replication wait for each other: only the replications are independent.
    """
    if jobs_counted(results, "stranded", part):
        return Estimate(inf, 0.0)
    spans = [makespans_of(run, part) for run in results.replications]
    return mean_of(np.array([np.mean(found) / SECOND for found in spans if len(found)]))


def makespans_of(run: Replication, part: Part) -> Any:
    """Of the jobs of the part's classes that completed, ns."""
    edges = np.cumsum([0, *run.completed])
    found = [run.makespans[edges[place] : edges[place + 1]] for place in part.classes]
    return np.concatenate(found)
