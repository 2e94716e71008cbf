"""`ckptsim sweep`: one or two scenario keys over ranges."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ckptsim.commands.experiment_options import (
    experiment,
    experiment_options,
    precision_from,
)
from ckptsim.commands.intervals import few_if_pool, intervals_of
from ckptsim.commands.options import (
    LAWS,
    deliver,
    engine_told,
    report_folder,
    report_options,
    scenario_from,
    scenario_options,
)
from ckptsim.errors import ScenarioError
from ckptsim.report import Report
from ckptsim.scenario import Scenario, describe
from ckptsim.sweep import EXPECTED, Axis, Settings, axis, grid, sweep
from ckptsim.terminal import percent, progress, strong, table
from ckptsim.units import nanoseconds, show

if TYPE_CHECKING:
    import pandas as pd

AXES_MAX = 2
LEASES = 5_000
ROWS_SHOWN = 60


@click.command("sweep", epilog=LAWS)
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[SCENARIO.toml]")
@click.option(
    "--over",
    "axes",
    multiple=True,
    metavar="KEY=VALUES",
    help="The key to vary, once or twice: job.interval=30min:6h:10min or slots.limit=4h,6h,8h.",
)
@click.option(
    "--leases",
    type=click.IntRange(1),
    default=LEASES,
    show_default=True,
    metavar="N",
    help="Leases a point, for a job without end.",
)
@experiment_options
@report_options
@scenario_options
def command(
    path: Path | None,
    axes: tuple[str, ...],
    leases: int,
    as_json: bool,
    out: Path | None,
    no_report: bool,
    **given: Any,
) -> None:
    """Vary one or two scenario keys over ranges; every point meets the same fates."""
    over = axes_of(axes)
    points = [(settings, scenario_at(path, given, settings)) for settings in grid(over)]
    folder = report_folder(points[0][1].name, out, no_report=no_report, as_json=as_json)
    precision = precision_from(given)
    with experiment(folder, given) as means:
        with progress("sweeping", shown=not as_json) as bar:
            frame = sweep(over, points, leases, bar, means, precision)
        deliver(
            lambda: told(frame, over, points[0][1], len(points)),
            lambda: document(frame, points[0][1], len(points)),
            lambda place: report_on(frame, over, points[0][1], place),
            as_json=as_json,
            folder=folder,
        )


def axes_of(texts: Sequence[str]) -> list[Axis]:
    """The keys to vary, one or two that differ. Raises ScenarioError."""
    over = [axis(text) for text in texts]
    if not 1 <= len(over) <= AXES_MAX:
        raise ScenarioError(f"--over: found {len(over)}; give it once or twice; {EXPECTED}")
    if len({each.key for each in over}) < len(over):
        raise ScenarioError(f"--over: {over[0].key} twice; expected two keys that differ")
    return over


def scenario_at(path: Path | None, given: dict[str, Any], settings: Settings) -> Scenario:
    """The scenario with one point's settings on top of the flags."""
    pairs = tuple(f"{key}={value}" for key, value in settings.items())
    return runnable(scenario_from(path, {**given, "settings": (*given["settings"], *pairs)}))


def runnable(scenario: Scenario) -> Scenario:
    """A scenario that can be simulated. ScenarioError if an interval is missing."""
    intervals_of(scenario)
    return few_if_pool(scenario)


def document(frame: "pd.DataFrame", scenario: Scenario, asked: int) -> dict[str, Any]:
    """What `--json` prints; times in seconds."""
    return {
        "points": frame.to_dict(orient="records"),
        "interrupted": len(frame) < asked,
        "scenario": describe(scenario),
        "seed": scenario.seed,
        "engine": ", ".join(engines(frame)),
    }


def told(frame: "pd.DataFrame", over: list[Axis], scenario: Scenario, asked: int) -> Iterator[Any]:
    """What is printed, in order."""
    if len(frame) < asked:
        yield f"Stopped after {len(frame)} of {asked} points."
    if len(frame):
        yield strong(best_told(frame, over))
        yield ""
        yield table(rows(frame, over)[: ROWS_SHOWN + 1])
    if len(frame) > ROWS_SHOWN:
        yield f"… and {len(frame) - ROWS_SHOWN} more: see --json or the report."
    yield from basis_told(frame, scenario)


def basis_told(frame: "pd.DataFrame", scenario: Scenario) -> Iterator[str]:
    """How precise the points are, where the link is too narrow, and what ran."""
    if "precise" in frame and not frame["precise"].all():
        yield f"{(~frame['precise']).sum()} of {len(frame)} points are less precise than was asked."
    if "link_saturated" in frame and saturated(frame).any():
        count = f"{saturated(frame).sum()} of {len(frame)}"
        yield f"At {count} points the link is saturated: more is asked of it than it can carry."
    ran = " and ".join(map(engine_told, engines(frame))) or "nothing"
    yield f"Means with 99 % confidence intervals; simulated with {ran}, seed {scenario.seed}."


def engines(frame: "pd.DataFrame") -> list[str]:
    """What ran; the points of a sweep may differ in how much there is to do."""
    return sorted(set(frame["engine"]), reverse=True) if len(frame) else []


def saturated(frame: "pd.DataFrame") -> "pd.Series[bool]":
    """At which points is the link saturated? Without a link nowhere."""
    return frame["link_saturated"].fillna(value=False).astype(bool)


def best_told(frame: "pd.DataFrame", over: list[Axis]) -> str:
    if frame["useful_fraction"].isna().all():
        return "No job could be placed at any point."
    best = frame.iloc[int(np.nanargmax(frame["useful_fraction"].to_numpy()))]
    setting = ", ".join(f"{each.key} = {shown(each, best[each.column])}" for each in over)
    return f"Most useful: {percent(best['useful_fraction'])} of slot time at {setting}."


def rows(frame: "pd.DataFrame", over: list[Axis]) -> list[list[str]]:
    """The points as text: settings, useful fraction, work a lease, makespan, use of the link."""
    whole_jobs, linked = "makespan_s" in frame, "link_demand" in frame
    head = [each.key for each in over] + ["useful", "±", "committed a lease"]
    body = []
    for point in frame.to_dict(orient="records"):
        half = point["useful_fraction"] - point["useful_fraction_low"]
        cells = [shown(each, point[each.column]) for each in over]
        cells += [percent(point["useful_fraction"]), spread(half), time(point["work_per_lease_s"])]
        cells += [time(point["makespan_s"])] if whole_jobs else []
        body.append([*cells, demand(point)] if linked else cells)
    head += ["makespan"] if whole_jobs else []
    return [[*head, "link"] if linked else head, *body]


def demand(point: Mapping[Any, Any]) -> str:
    """What is asked of the link, if the point has one."""
    found = point["link_demand"]
    if math.isnan(found):
        return "–"
    told = percent(found, 0)
    return f"{told}, saturated" if point["link_saturated"] else told


def shown(axis: Axis, value: float | str) -> str:
    """A setting for people."""
    if isinstance(value, str):
        return value
    return show(nanoseconds(value)) if axis.is_time else f"{value:g}"


def spread(half: float) -> str:
    return percent(half) if math.isfinite(half) else "unknown"


def time(seconds: float) -> str:
    """A time that was measured; none where no job came that far."""
    if math.isnan(seconds):
        return "–"
    return show(nanoseconds(seconds)) if math.isfinite(seconds) else "never"


def report_on(frame: "pd.DataFrame", over: list[Axis], scenario: Scenario, folder: Path) -> Report:
    """A page with the curve or heat map and the table."""
    from ckptsim import plots

    keys = [each.key for each in over]
    columns = [each.column for each in over]
    report = Report(folder, "sweep", f"{scenario.name}: {' and '.join(keys)}", scenario.seed)
    report.answer(best_told(frame, over))
    report.picture("map", plots.sweep_figure(frame, columns, "useful_fraction"), "Useful fraction")
    report.data("points", frame)
    report.say("## Evidence", *basis_told(frame, scenario))
    report.say("## What would change it", f"{' and '.join(keys)}, and nothing else, were varied:")
    report.table(rows(frame, over))
    report.computed(scenario=describe(scenario))
    return report
