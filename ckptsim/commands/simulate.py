"""`ckptsim simulate`: run jobs on slots and account for the time."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ckptsim import rules
from ckptsim.commands.options import (
    LAWS,
    deliver,
    report_folder,
    report_options,
    scenario_from,
    scenario_options,
)
from ckptsim.drivers.virtual import Row, simulate, simulate_leases
from ckptsim.errors import OutputError, ScenarioError
from ckptsim.estimate import Estimate
from ckptsim.experiment import LEASES_A_REPLICATION, Progress, replicate, replicate_leases
from ckptsim.htcondor.leases import counted
from ckptsim.lawtext import read_text
from ckptsim.ledger_shown import ledger_frame, ledger_rows
from ckptsim.modes import WITHOUT_INTERVAL
from ckptsim.report import Report, as_csv, settings_table, write_whole
from ckptsim.rules import Mode, lease_least, submitted
from ckptsim.scenario import Scenario, describe, named
from ckptsim.search import refuse_if_endless
from ckptsim.summary import Summary
from ckptsim.terminal import percent, progress, strong, table
from ckptsim.units import LONGEST, nanoseconds, seconds, show
from ckptsim.ways import is_hopeless, too_long
from ckptsim.world import World, world_of

if TYPE_CHECKING:
    import pandas as pd

ENDLESS_LEASES = 10_000
JSON_BYTES_MAX = 10**8
EVENTS_REPORTED = 1_000


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
@report_options
@scenario_options
def command(
    path: Path | None,
    leases: int | None,
    trace: Path | None,
    policy: Path | None,
    as_json: bool,
    out: Path | None,
    no_report: bool,
    **given: Any,
) -> None:
    """Run jobs on slots: where the slot time went, how long jobs take, what a lease commits."""
    scenario = scenario_from(path, given)
    world = (
        clock_world(scenario, policy) if policy else world_of(scenario, needed_interval(scenario))
    )
    if scenario.job.work is None and leases is None:
        leases = ENDLESS_LEASES
    if leases is not None:
        refuse_if_endless(scenario)
        refuse_without_checkpoints(scenario)
    writer = trace_writer(trace) if trace else None
    folder = report_folder(scenario.name, out, no_report=no_report, as_json=as_json)
    with progress("simulating", shown=not as_json) as bar:
        summary = run(world, leases, bar)
    rows = traced(world, leases) if writer or folder else []
    if writer:
        writer(trace_frame(rows))
    deliver(
        lambda: told(summary),
        lambda: {**summary.json(), "scenario": describe(scenario)},
        lambda place: write_report(summary, rows, place),
        as_json=as_json,
        folder=folder,
    )


def refuse_without_checkpoints(scenario: Scenario) -> None:
    """ScenarioError for leases of a job without end that would never commit anything."""
    if scenario.job.mode == Mode.NONE:
        raise ScenarioError(
            "--leases: runs a job without end, which never commits anything with the mode 'none'; "
            "leave it out, to run whole jobs"
        )


def clock_world(scenario: Scenario, path: Path) -> World:
    """The scenario with jobs that follow the table of a `plan --json` document."""
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


def needed_interval(scenario: Scenario) -> int:
    """The interval in nanoseconds; any where the mode has none. ScenarioError if it is missing."""
    interval = scenario.job.computed_interval
    if interval is None and scenario.job.mode in WITHOUT_INTERVAL:
        return LONGEST
    if interval is None:
        raise ScenarioError(
            "job.interval: missing; expected a time, for example --interval 84min "
            "(ckptsim plan finds the best)"
        )
    return interval


def named_interval(world: World) -> str:
    """When its jobs checkpoint, in words."""
    match world.plan.mode:
        case Mode.NONE:
            return "never"
        case Mode.DELAYED_SIGNAL:
            return "when the slot is lost"
        case Mode.PERIODIC_SIGNAL:
            return f"at a signal every {show(world.plan.interval)}"
    return "by the clock" if world.plan.table else f"every {show(world.plan.interval)}"


def run(world: World, leases: int | None, bar: Progress | None) -> Summary:
    """Whole jobs, or leases of a job without end."""
    if leases is not None:
        return Summary(replicate_leases(world, leases, bar), endless=True)
    return Summary(replicate(world, world.scenario.replications, bar), endless=False)


def traced(world: World, leases: int | None) -> list[Row]:
    """The events of the first replication, run again."""
    rows: list[Row] = []
    if leases is None:
        simulate(world, 0, rows.append)
    else:
        simulate_leases(world, 0, min(leases, LEASES_A_REPLICATION), rows.append)
    return rows


def trace_frame(rows: list[Row]) -> "pd.DataFrame":
    """A trace as a table, times in seconds."""
    import pandas as pd

    return pd.DataFrame(
        {
            "time_s": [seconds(row.time) for row in rows],
            "slot": [row.slot for row in rows],
            "job": [row.job for row in rows],
            "event": [row.event.name.lower() for row in rows],
            "phase": [row.phase.name.lower() for row in rows],
            "saved_s": [seconds(row.saved) for row in rows],
            "unsaved_s": [seconds(row.unsaved) for row in rows],
        }
    )


def trace_writer(path: Path) -> Any:
    """What writes a table to `path`, in the form its name asks for; checked before any work."""
    writers = {".csv": as_csv, ".parquet": parquet_bytes}
    if path.suffix not in writers:
        raise OutputError(
            f"--trace {path}: unknown form {path.suffix!r}; expected .csv or .parquet"
        )
    if path.suffix == ".parquet":
        needs_pyarrow(path)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise OutputError(
            f"--trace {path}: no such folder, or a folder itself; expected a file name"
        )
    return lambda frame: write_whole(path, writers[path.suffix](frame))


def parquet_bytes(frame: "pd.DataFrame") -> bytes:
    content: bytes = frame.to_parquet(index=False)
    return content


def needs_pyarrow(path: Path) -> None:
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise OutputError(
            f"--trace {path}: Parquet needs pyarrow; install ckptsim[parquet], or write .csv"
        )


def told(summary: Summary) -> Iterator[Any]:
    """What is printed, in order."""
    results = summary.results
    if results.interrupted:
        yield f"Stopped after {len(results.replications)} of {results.asked} replications."
    yield strong(headline(summary))
    if summary.slot_time:
        yield ""
        yield table(
            ledger_rows(summary.ledger), f"Where {show(summary.slot_time)} of slot time went"
        )
        yield ""
        yield table(measure_rows(summary), "Means, with 99 % confidence intervals")
    seed = results.world.scenario.seed
    yield f"Simulated with SimPy, seed {seed}, {counted(len(results.replications), 'replication')}."


def why_never(world: World) -> str:
    """Why a job that commits nothing more can only queue for ever."""
    plan = world.plan
    if is_hopeless(world.scenario):
        return f"{too_long(world.scenario)}."
    shorter = " Choose a shorter interval." if plan.mode not in WITHOUT_INTERVAL else ""
    for checkpoints, start in ((0, "the cold start"), (1, "a restart")):
        need = lease_least(plan, submitted(plan, 0, checkpoints))
        if need > plan.lease_longest:
            return (
                f"with {start}, {commit_told(plan.mode)} {show(need)}, "
                f"but no lease is longer than {show(plan.lease_longest)}.{shorter}"
            )
    return (
        f"{plan.fruitless_max:,} leases in a row ended before anything was committed, or a century "
        f"went by, and it was given up.{shorter}"
    )


def commit_told(mode: Mode) -> str:
    """What has to fit into a lease, before how long it takes."""
    match mode:
        case Mode.NONE:
            return "all its work takes"
        case Mode.DELAYED:
            return "interval and write take"
    return "interval, write and transfer take"


def headline(summary: Summary) -> str:
    if summary.never_finishes:
        return f"This job never finishes: {why_never(summary.results.world)}"
    interval = named_interval(summary.results.world)
    told = f"{percent(summary.useful.mean)} of slot time became committed work "
    if is_hopeless(summary.results.world.scenario):
        told = f"{too_long(summary.results.world.scenario)}: {told}"
        told = told[0].upper() + told[1:]
    return f"{told}with a checkpoint {interval}."


def measure_rows(summary: Summary) -> list[list[str]]:
    """What was estimated, with how surely."""
    rows = [["measure", "mean", "±"], times("committed in a lease", summary.lease_work)]
    if not math.isnan(summary.checkpoints):
        rows.append(["checkpoints in a lease", f"{summary.checkpoints:.2f}", ""])
    if summary.endless:
        return rows
    rows += [times("makespan", summary.makespan)]
    rows += [[f"makespan, {name}", shown(at), ""] for name, at in summary.quantiles().items()]
    rows.append(number("jobs completed a day", summary.jobs_per_day))
    rows.append(number("committed slot-hours per slot-hour", summary.committed_per_slot))
    return rows


def shown(seconds: float) -> str:
    return show(nanoseconds(seconds)) if math.isfinite(seconds) else "never"


def times(name: str, estimate: Estimate) -> list[str]:
    if math.isnan(estimate.mean):
        return [name, "–", ""]
    if math.isinf(estimate.mean):
        return [name, "never", ""]
    half = (
        show(nanoseconds(estimate.half_width)) if estimate.half_width < float("inf") else "unknown"
    )
    return [name, show(nanoseconds(estimate.mean)), half]


def number(name: str, estimate: Estimate) -> list[str]:
    if math.isnan(estimate.mean):
        return [name, "–", ""]
    return [name, f"{estimate.mean:.4g}", f"{estimate.half_width:.2g}"]


def write_report(summary: Summary, rows: list[Row], folder: Path) -> Path:
    """A page with the time account, the slots over time and the makespans."""
    from ckptsim import plots

    world = summary.results.world
    report = Report(
        folder, "simulate", f"{world.scenario.name}: where the time goes", world.scenario.seed
    )
    report.say(headline(summary))
    report.table(ledger_rows(summary.ledger))
    report.picture(
        "ledger",
        plots.ledger_figure({named_interval(world): summary.results.ledger}),
        "Where slot time went",
    )
    report.data("ledger", ledger_frame(summary.ledger))
    report.table(measure_rows(summary))
    if len(summary.makespans_s):
        quantiles = summary.quantiles()
        mean = summary.makespan.mean if math.isfinite(summary.makespan.mean) else None
        figure = plots.makespan_figure(
            summary.makespans_s, mean, quantiles, summary.results.stranded
        )
        report.picture("makespan", figure, "Makespans")
    report.picture(
        "slots",
        plots.gantt_figure(rows, world.scenario.slots.count),
        "Slots over time, first replication",
    )
    report.data("trace", trace_frame(rows[:EVENTS_REPORTED]))
    if len(rows) > EVENTS_REPORTED:
        report.say(f"(the first {EVENTS_REPORTED:,} of {len(rows):,} events; --trace writes all)")
    report.say("## The scenario")
    report.table(settings_table(describe(world.scenario)))
    return report.write()
