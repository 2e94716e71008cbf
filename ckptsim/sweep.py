"""One or two scenario keys over ranges, every point on the same fates."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ckptsim import units
from ckptsim.engine import Engine
from ckptsim.errors import ScenarioError
from ckptsim.lawtext import split_at_commas
from ckptsim.precision import Precision, is_precise, measured
from ckptsim.ranges import is_range, times
from ckptsim.rules import WITHOUT_INTERVAL
from ckptsim.running import Means, Progress, finished, one_by_one
from ckptsim.scenario import Job, Scenario
from ckptsim.summary import Summary
from ckptsim.world import pool_world

if TYPE_CHECKING:
    import pandas as pd

Settings = Mapping[str, str]
POINTS_MAX = 10_000
EXPECTED = "expected KEY=LOW:HIGH:STEP or KEY=A,B,C, for example --over job.interval=30min:6h:10min"


@dataclass(frozen=True)
class Axis:
    """A scenario key and the values it takes, as text."""

    key: str
    settings: tuple[str, ...]

    @property
    def is_time(self) -> bool:
        """Are all of them times, rather than numbers, laws or words?"""
        return all(is_time(each) for each in self.settings)

    @property
    def column(self) -> str:
        """Its name in a table; times are in seconds there."""
        return f"{self.key}_s" if self.is_time else self.key

    def number(self, setting: str) -> float | str:
        """A setting as it stands in a table."""
        if self.is_time:
            return units.duration(setting) / units.SECOND
        try:
            return float(setting)
        except ValueError:
            return setting


def axis(text: str) -> Axis:
    """Read `KEY=LOW:HIGH:STEP` or `KEY=A,B,C`; ScenarioError otherwise."""
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise ScenarioError(f"--over {text}: found no KEY=VALUES; {EXPECTED}")
    try:
        parts = (
            [units.spelled(at) for at in times(values)]
            if is_range(values)
            else split_at_commas(values)
        )
    except ScenarioError as error:
        raise ScenarioError(f"--over {text}: {error}") from None
    if not 1 <= len(parts) <= POINTS_MAX:
        raise ScenarioError(f"--over {text}: {len(parts):,} values; expected 1 to {POINTS_MAX:,}")
    return Axis(key.strip(), tuple(parts))


def is_time(text: str) -> bool:
    """Does it read as a time with its unit?"""
    try:
        units.duration(text)
    except ScenarioError:
        return False
    return not text.strip().isdigit()  # 0 needs no unit, but may be a number too


def grid(axes: Sequence[Axis]) -> list[Settings]:
    """Every combination of the axes' values; ScenarioError if they are too many."""
    count = math.prod(len(each.settings) for each in axes)
    if count > POINTS_MAX:
        raise ScenarioError(f"--over: {count:,} points; expected at most {POINTS_MAX:,}")
    keys = [each.key for each in axes]
    combinations = itertools.product(*(each.settings for each in axes))
    return [dict(zip(keys, values, strict=True)) for values in combinations]


def sweep(
    axes: Sequence[Axis],
    points: Sequence[tuple[Settings, Scenario]],
    leases: int,
    progress: Progress | None = None,
    means: Means | None = None,
    precision: Precision | None = None,
) -> "pd.DataFrame":
    """One row a point: its settings, then measures in seconds with their 99 % intervals.

    A pool, and a scenario whose jobs end, is run as it is; else `leases` leases of a job without
    end are. Points not done when the user pressed Ctrl-C are left out.
    """
    import pandas as pd

    means = means or Means()
    unnamed = [
        (settings, scenario.model_copy(update={"name": ""})) for settings, scenario in points
    ]
    kept = means.kept("points", dict[str, object], unnamed, leases, precision, count=len(points))
    run, serial = partial(row, leases, precision, means.engine), len(points) == 1
    rows = finished(run, points, kept, progress, serial=serial, spread=means.spread)
    frame = pd.DataFrame(rows)
    for each in axes:
        frame[each.key] = [each.number(setting) for setting in frame[each.key]]
    return frame.rename(columns={each.key: each.column for each in axes})


def row(
    leases: int, precision: Precision | None, engine: Engine, point: tuple[Settings, Scenario]
) -> dict[str, object]:
    """The settings of one point and what it comes to, computed in one process."""
    settings, scenario = point
    world = pool_world(scenario, list(map(interval_of, scenario.job_classes.values())))
    endless = leases if scenario.job.work is None and not scenario.is_pool else None
    means = Means(spread=one_by_one, engine=engine)
    summary = measured(world, endless, precision, means=means)
    if summary.results.interrupted:  # the point is not done
        raise KeyboardInterrupt
    known = {"precise": is_precise(summary, precision)} if precision else {}
    ran = {"engine": str(summary.results.engine)}
    return {**settings, **measures(summary), **link_measures(summary), **known, **ran}


def interval_of(job: Job) -> int:
    """The interval of a class; any where its mode has none."""
    interval = job.computed_interval
    assert interval or job.mode in WITHOUT_INTERVAL
    return interval or units.LONGEST


def measures(summary: Summary) -> dict[str, object]:
    """What a sweep's table holds of a point."""
    estimates = {"useful_fraction": summary.useful, "work_per_lease_s": summary.lease_work}
    if not summary.endless:
        estimates["makespan_s"] = summary.makespan
        estimates["jobs_per_day"] = summary.jobs_per_day
    columns: dict[str, object] = {}
    for name, estimate in estimates.items():
        low, high = estimate.interval
        columns |= {name: estimate.mean, f"{name}_low": low, f"{name}_high": high}
    whole = summary.slot_time or math.nan
    shares = {category.name.lower(): time / whole for category, time in summary.ledger.items()}
    columns |= {f"share_{name}": share for name, share in shares.items() if name != "useful"}
    return columns | {"never_finishes": summary.never_finishes}


def link_measures(summary: Summary) -> dict[str, object]:
    """What it holds besides where transfers share a link."""
    link = summary.pool.link if summary.pool else None
    return {"link_demand": link.demand, "link_saturated": link.saturated} if link else {}
