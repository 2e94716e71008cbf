"""`simulate`: where the slot time goes."""

from collections.abc import Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ckptsim.api.experiments import experiment, precision_of
from ckptsim.api.flags import Flags, count, takes_flags
from ckptsim.api.scenarios import Asked, asked_of
from ckptsim.api.shown import Shown, drawn
from ckptsim.commands.intervals import few_if_pool
from ckptsim.commands.simulate import document, runs_of
from ckptsim.commands.simulate_told import (
    course_frame,
    drawn_course,
    drawn_ledgers,
    drawn_makespans,
    headline,
    told,
)
from ckptsim.commands.trace import UNTRACED, trace_frame, traced
from ckptsim.ledger_shown import ledger_frame
from ckptsim.precision import Precision, measured
from ckptsim.summary import Summary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Simulation(Shown):
    """Where the slot time went, how long jobs took, what a lease committed.

    Tables: `ledger`, `trace` (the first replication, run again), and of a pool `course`. Pictures:
    `ledger`, `slots` (of the trace) and, where there are some, `makespan` and `course`.
    """

    @property
    def useful_fraction(self) -> float:
        """Committed work / slot time."""
        return float(self.document["useful_fraction"])

    @property
    def useful_fraction_ci99(self) -> tuple[float, float]:
        low, high = self.document["useful_fraction_ci99"]
        return low, high

    @property
    def makespan_mean_s(self) -> float:
        """Infinite where a job never finishes; no number without jobs that end."""
        return float(self.document["jobs"]["makespan_mean_s"])

    @property
    def work_mean_s(self) -> float:
        """What a lease commits."""
        return float(self.document["leases"]["work_mean_s"])

    @property
    def ledger(self) -> Mapping[str, float]:
        """Slot time in seconds by category, `useful_s`, `lost_s`, `write_s` …, `slot_time_s`."""
        ledger: Mapping[str, float] = self.document["ledger"]
        return ledger

    @property
    def lost_by_cause(self) -> Mapping[str, float]:
        """What was lost to each cause, seconds."""
        lost: Mapping[str, float] = self.document["lost_by_cause"]
        return lost


@takes_flags
def simulate(
    asked: Asked = None,
    /,
    *,
    leases: int | None = None,
    policy: str | PathLike[str] | None = None,
    engine: str | None = None,
    precision: str | float | None = None,
    replications_max: int | None = None,
    **flags: Unpack[Flags],
) -> Simulation:
    """Run jobs on slots: where the slot time went, how long jobs take, what a lease commits.

    The arguments are those of `ckptsim simulate`: `leases` so many of a job without end, `policy`
    the file of a plan's table by lease age, `engine` "auto", "virtual" or "compiled", `precision`
    a share of the mean such as "1%". Ctrl-C stops it all. Raises CkptsimError.

    >>> import ckptsim as cs
    >>> costs = dict(limit="6h", write="4min", transfer="1min")
    >>> found = cs.simulate(**costs, interval="84min", work="24h", replications=100)
    >>> found
    <Simulation: 93.4 % of slot time became committed work with a checkpoint every 1 h 24 min.>
    """
    scenario = few_if_pool(asked_of(asked, flags, simulate).checked)
    if leases is not None:
        leases = count("--leases", leases, 1)
    world, leases = runs_of(scenario, leases, None if policy is None else Path(policy))
    wanted = precision_of(precision, replications_max)
    with experiment("simulating", engine) as (means, bar):
        summary = measured(world, leases, wanted, bar, means)
    return of_summary(summary, wanted, leases)


def of_summary(summary: Summary, precision: Precision | None, leases: int | None) -> Simulation:
    frames = {
        "ledger": partial(ledger_frame, summary.ledger),
        "trace": partial(traced_frame, summary, leases),
    }
    figures = {"ledger": partial(drawn_ledgers, summary)}
    if len(summary.makespans_s):
        figures["makespan"] = partial(drawn_makespans, summary)
    if summary.pool and summary.results.world.scenario.is_pool:
        frames["course"] = partial(course_frame, summary.pool.course)
        figures["course"] = partial(drawn_course, summary.pool)
    figures["slots"] = partial(drawn_slots, summary, leases)
    return Simulation(
        headline(summary),
        partial(told, summary, precision, UNTRACED),
        document(summary, precision),
        frames,
        figures,
    )


def traced_frame(summary: Summary, leases: int | None) -> "pd.DataFrame":
    """The events of the first replication."""
    return trace_frame(traced(summary.results.world, leases, written=True).rows)


def drawn_slots(summary: Summary, leases: int | None) -> "Figure":
    """The slots over time in the first replication."""
    world = summary.results.world
    rows = traced(world, leases, written=False).rows
    return drawn("gantt_figure", rows, world.scenario.slots_count)
