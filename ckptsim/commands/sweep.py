"""`ckptsim sweep`: one or two scenario keys over ranges."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ckptsim.commands.options import (
    LAWS,
    deliver,
    report_folder,
    report_options,
    scenario_from,
    scenario_options,
)
from ckptsim.commands.simulate import needed_interval
from ckptsim.errors import ScenarioError
from ckptsim.report import Report, settings_table
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
    over = [axis(text) for text in axes]
    if not 1 <= len(over) <= AXES_MAX:
        raise ScenarioError(f"--over: found {len(over)}; give it once or twice; {EXPECTED}")
    if len({each.key for each in over}) < len(over):
        raise ScenarioError(f"--over: {over[0].key} twice; expected two keys that differ")
    points = [(settings, scenario_at(path, given, settings)) for settings in grid(over)]
    folder = report_folder(points[0][1].name, out, no_report=no_report, as_json=as_json)
    with progress("sweeping", shown=not as_json) as bar:
        frame = sweep(over, points, leases, bar)
    deliver(
        lambda: told(frame, over, points[0][1], len(points)),
        lambda: document(frame, points[0][1], len(points)),
        lambda place: write_report(frame, over, points[0][1], place),
        as_json=as_json,
        folder=folder,
    )


def scenario_at(path: Path | None, given: dict[str, Any], settings: Settings) -> Scenario:
    """The scenario with one point's settings on top of the flags."""
    pairs = tuple(f"{key}={value}" for key, value in settings.items())
    scenario = scenario_from(path, {**given, "settings": (*given["settings"], *pairs)})
    needed_interval(scenario)
    return scenario


def document(frame: "pd.DataFrame", scenario: Scenario, asked: int) -> dict[str, Any]:
    """What `--json` prints; times in seconds."""
    return {
        "points": frame.to_dict(orient="records"),
        "interrupted": len(frame) < asked,
        "scenario": describe(scenario),
        "seed": scenario.seed,
        "engine": "virtual",
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
    yield f"Means with 99 % confidence intervals; simulated with SimPy, seed {scenario.seed}."


def best_told(frame: "pd.DataFrame", over: list[Axis]) -> str:
    if frame["useful_fraction"].isna().all():
        return "No job could be placed at any point."
    best = frame.iloc[int(np.nanargmax(frame["useful_fraction"].to_numpy()))]
    setting = ", ".join(f"{each.key} = {shown(each, best[each.column])}" for each in over)
    return f"Most useful: {percent(best['useful_fraction'])} of slot time at {setting}."


def rows(frame: "pd.DataFrame", over: list[Axis]) -> list[list[str]]:
    """The points as text: settings, useful fraction, work a lease, makespan."""
    whole_jobs = "makespan_s" in frame
    head = [each.key for each in over] + ["useful", "±", "committed a lease"]
    body = []
    for point in frame.to_dict(orient="records"):
        half = point["useful_fraction"] - point["useful_fraction_low"]
        cells = [shown(each, point[each.column]) for each in over]
        cells += [percent(point["useful_fraction"]), spread(half), time(point["work_per_lease_s"])]
        body.append([*cells, time(point["makespan_s"])] if whole_jobs else cells)
    return [[*head, "makespan"] if whole_jobs else head, *body]


def shown(axis: Axis, value: float | str) -> str:
    """A setting for people."""
    if isinstance(value, str):
        return value
    return show(nanoseconds(value)) if axis.is_time else f"{value:g}"


def spread(half: float) -> str:
    return percent(half) if math.isfinite(half) else "unknown"


def time(seconds: float) -> str:
    return show(nanoseconds(seconds)) if math.isfinite(seconds) else "never"


def write_report(frame: "pd.DataFrame", over: list[Axis], scenario: Scenario, folder: Path) -> Path:
    """A page with the curve or heat map and the table."""
    from ckptsim import plots

    keys = [each.key for each in over]
    columns = [each.column for each in over]
    report = Report(folder, "sweep", f"{scenario.name}: {' and '.join(keys)}", scenario.seed)
    report.say(best_told(frame, over))
    report.picture("map", plots.sweep_figure(frame, columns, "useful_fraction"), "Useful fraction")
    report.data("points", frame)
    report.table(rows(frame, over))
    report.say("## The scenario")
    report.table(settings_table(describe(scenario)))
    return report.write()
