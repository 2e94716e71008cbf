"""One or two scenario keys over ranges, every point on the same fates."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ckptsim import units
from ckptsim.errors import ScenarioError
from ckptsim.experiment import Progress, Results, finished, lease_sizes, run_jobs, run_leases
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


def axis(text: str) -> Axis:
    """Read `KEY=LOW:HIGH:STEP` or `KEY=A,B,C`; ScenarioError otherwise."""
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise ScenarioError(f"--over {text}: found no KEY=VALUES; {EXPECTED}")
    try:
        parts = [units.spelled(at) for at in times(values)] if is_range(values) else split(values)
    except ScenarioError as error:
        raise ScenarioError(f"--over {text}: {error}") from None
    if not 1 <= len(parts) <= POINTS_MAX:
        raise ScenarioError(f"--over {text}: {len(parts):,} values; expected 1 to {POINTS_MAX:,}")
    return Axis(key.strip(), tuple(parts))


def split(values: str) -> list[str]:
    """At commas that are not within a law's brackets."""
    depth, parts = 0, [""]
    for letter in values:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def grid(axes: Sequence[Axis]) -> list[Settings]:
    """Every combination of the axes' values."""
    keys = [each.key for each in axes]
    combinations = itertools.product(*(each.settings for each in axes))
    return [dict(zip(keys, values, strict=True)) for values in combinations]


def sweep(
    points: Sequence[tuple[Settings, Scenario]], leases: int, progress: Progress | None = None
) -> "pd.DataFrame":
    """One row a point: its settings, then measures in seconds with their 99 % intervals.

    A scenario whose jobs end is run as it is, else `leases` leases of a job without end are. Points
    not done when the user pressed Ctrl-C are left out.
    """
    import pandas as pd

    rows = finished(partial(row, points, leases), len(points), len(points) == 1, progress)
    return pd.DataFrame(rows)


def row(points: Sequence[tuple[Settings, Scenario]], leases: int, number: int) -> dict[str, object]:
    """The settings of one point and what it comes to, computed in one process."""
    settings, scenario = points[number]
    interval = scenario.job.computed_interval
    assert interval is not None
    world = world_of(scenario, interval)
    endless = scenario.job.work is None
    run, count = (
        (partial(run_leases, world, lease_sizes(leases)), len(lease_sizes(leases)))
        if endless
        else (partial(run_jobs, world), scenario.replications)
    )
    results = Results(world, [run(each) for each in range(count)], count)
    found = measures(Summary(results, endless=endless))
    return {key: number_of(value) for key, value in settings.items()} | found


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
    shares = {c.name.lower(): time / summary.slot_time for c, time in summary.ledger.items()}
    columns |= {f"share_{name}": share for name, share in shares.items() if name != "useful"}
    return columns | {"never_finishes": summary.never_finishes}


def number_of(value: str) -> float | str:
    """A setting as a number where it is one: times in seconds."""
    try:
        return units.duration(value) / units.SECOND
    except ScenarioError:
        pass
    try:
        return float(value)
    except ValueError:
        return value
