"""One or two scenario keys over ranges, every point on the same fates."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ckptsim import units
from ckptsim.errors import ScenarioError
from ckptsim.experiment import Progress, Results, finished, lease_sizes, run_jobs, run_leases
from ckptsim.lawtext import split_at_commas
from ckptsim.modes import WITHOUT_INTERVAL
from ckptsim.ranges import is_range, times
from ckptsim.scenario import Scenario
from ckptsim.summary import Summary
from ckptsim.world import world_of

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
) -> "pd.DataFrame":
    """One row a point: its settings, then measures in seconds with their 99 % intervals.

    A scenario whose jobs end is run as it is, else `leases` leases of a job without end are. Points
    not done when the user pressed Ctrl-C are left out.
    """
    import pandas as pd

    rows = finished(partial(row, leases), points, progress, serial=len(points) == 1)
    frame = pd.DataFrame(rows)
    for each in axes:
        frame[each.key] = [each.number(setting) for setting in frame[each.key]]
    return frame.rename(columns={each.key: each.column for each in axes})


def row(leases: int, point: tuple[Settings, Scenario]) -> dict[str, object]:
    """The settings of one point and what it comes to, computed in one process."""
    settings, scenario = point
    interval = scenario.job.computed_interval
    assert interval or scenario.job.mode in WITHOUT_INTERVAL
    world = world_of(scenario, interval or units.LONGEST)
    if scenario.job.work is None:
        parts = list(enumerate(lease_sizes(world, leases)))
        done = [run_leases(world, part) for part in parts]
    else:
        done = [run_jobs(world, number) for number in range(scenario.replications)]
    summary = Summary(Results(world, done, len(done)), endless=scenario.job.work is None)
    return {**settings, **measures(summary)}


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
