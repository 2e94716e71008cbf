"""`ckptsim simulate`: run jobs on slots and account for the time."""

import json
from pathlib import Path
from typing import Any

import click

from ckptsim import rules
from ckptsim.commands.experiment_options import (
    experiment,
    experiment_options,
    precision_from,
    precision_json,
)
from ckptsim.commands.intervals import few_if_pool, intervals_of
from ckptsim.commands.options import (
    LAWS,
    deliver,
    report_folder,
    report_options,
    scenario_from,
    scenario_options,
)
from ckptsim.commands.simulate_told import report_on, told
from ckptsim.commands.trace import UNTRACED, trace_frame, trace_writer, traced
from ckptsim.errors import ScenarioError
from ckptsim.lawtext import read_text
from ckptsim.precision import Precision, measured
from ckptsim.rules import WITHOUT_INTERVAL, Mode
from ckptsim.scenario import Scenario, describe, named
from ckptsim.search import refuse_if_endless
from ckptsim.summary import Summary
from ckptsim.terminal import progress
from ckptsim.units import nanoseconds
from ckptsim.world import World, pool_world, world_of

ENDLESS_LEASES = 10_000
JSON_BYTES_MAX = 10**8


@click.command("simulate", epilog=LAWS)
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[SCENARIO.toml]")
@click.option(
    "--leases",
    type=click.IntRange(1),
    metavar="N",
    help="Run so many leases of a job without end, instead of whole jobs.",
)
@click.option(
    "--trace",
    "trace_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the events of the first replication, as .csv or .parquet.",
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Look at the clock: follow the table that `ckptsim plan --json` has printed to this file, "
    "instead of an interval.",
)
@experiment_options
@report_options
@scenario_options
def command(
    path: Path | None,
    leases: int | None,
    trace_file: Path | None,
    policy: Path | None,
    as_json: bool,
    out: Path | None,
    no_report: bool,
    **given: Any,
) -> None:
    """Run jobs on slots: where the slot time went, how long jobs take, what a lease commits."""
    scenario = few_if_pool(scenario_from(path, given))
    world, leases = runs_of(scenario, leases, policy)
    writer = trace_writer(trace_file) if trace_file else None
    folder = report_folder(scenario.name, out, no_report=no_report, as_json=as_json)
    precision = precision_from(given)
    with experiment(folder, given) as means:
        with progress("simulating", shown=not as_json) as bar:
            summary = measured(world, leases, precision, bar, means)
        trace = traced(world, leases, written=bool(writer)) if writer or folder else UNTRACED
        if writer:
            writer(trace_frame(trace.rows))
        deliver(
            lambda: told(summary, precision, trace if writer else UNTRACED),
            lambda: document(summary, precision),
            lambda place: report_on(summary, trace, place),
            as_json=as_json,
            folder=folder,
        )


def runs_of(
    scenario: Scenario, leases: int | None, policy: Path | None
) -> tuple[World, int | None]:
    """The world to run, and how many leases of a job without end in it; None: whole jobs."""
    world = (
        clock_world(scenario, policy) if policy else pool_world(scenario, intervals_of(scenario))
    )
    if leases is None and scenario.job.work is None and not scenario.is_pool:
        leases = ENDLESS_LEASES
    if leases is not None:
        refuse_if_endless(scenario)
        refuse_leases(scenario)
    return world, leases


def document(summary: Summary, precision: Precision | None) -> dict[str, Any]:
    """What `--json` prints; times in seconds."""
    return {
        **summary.json(),
        **precision_json(summary, precision),
        "scenario": describe(summary.results.world.scenario),
    }


def refuse_leases(scenario: Scenario) -> None:
    """ScenarioError for leases of a job without end where these say nothing."""
    if scenario.is_pool:
        raise ScenarioError(
            "--leases: runs one job without end, alone, and this is a pool, whose jobs meet; leave "
            "it out, and give --duration if its jobs have no end"
        )
    if scenario.job.mode == Mode.NONE:
        raise ScenarioError(
            "--leases: runs a job without end, which never commits anything with the mode 'none'; "
            "leave it out, to run whole jobs"
        )


def clock_world(scenario: Scenario, path: Path) -> World:
    """The scenario with jobs that follow the table of a `plan --json` document."""
    if len(scenario.job_classes) > 1:
        raise ScenarioError(
            f"--policy {path}: is for one class of jobs, and there are "
            f"{len(scenario.job_classes)}; give each an interval instead"
        )
    if scenario.job.mode in (Mode.PERIODIC_SIGNAL, *WITHOUT_INTERVAL):
        raise ScenarioError(
            f"--policy {path}: has no effect with the mode {named(scenario.job.mode)!r}, in which "
            "jobs do not choose when to checkpoint"
        )
    try:
        policy = json.loads(read_text(path, JSON_BYTES_MAX))["policy"]
        rows, leave_after = tuple(map(row_of, policy["rows"])), policy["leave_after_s"]
        if not rows or sorted({row.age for row in rows}) != [row.age for row in rows]:
            raise ValueError
        leave = None if leave_after is None else nanoseconds(leave_after)
        return world_of(scenario, rows[0].compute, rows, leave)
    except ScenarioError as mistake:
        raise ScenarioError(f"--policy {path}: {mistake}") from None
    except (ValueError, LookupError, TypeError, OverflowError):
        raise ScenarioError(
            f"--policy {path}: holds no table; expected what `ckptsim plan --json` prints"
        ) from None


def row_of(document: dict[str, float | None]) -> rules.Row:
    """A row of the document; where it has no time that is never."""
    times = (document[key] for key in ("from_s", "compute_s", "compute_at_end_s"))
    row = rules.Row(*(rules.NEVER if time is None else nanoseconds(time) for time in times))
    if not (0 <= row.age < rules.NEVER and row.compute > 0 and row.compute_at_end >= 0):
        raise ValueError
    return row
