"""What `simulate` tells people: the tables on the terminal, and the report."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckptsim.commands.experiment_options import precision_told
from ckptsim.commands.options import engine_told
from ckptsim.commands.pool_told import (
    WHOLES,
    link_told,
    named_intervals,
    part_tables,
    pool_told,
    steady_told,
    use_rows,
)
from ckptsim.commands.trace import WRITTEN_MOST, Trace, trace_frame
from ckptsim.course import Course
from ckptsim.estimate import Estimate
from ckptsim.gauge import Measure
from ckptsim.htcondor.leases import counted
from ckptsim.ledger_shown import ledger_frame, ledger_rows
from ckptsim.pieces import classes_of
from ckptsim.pooled import Pooled, jobs_counted
from ckptsim.precision import Precision
from ckptsim.report import Report
from ckptsim.rules import WITHOUT_INTERVAL, Mode, lease_least, submitted
from ckptsim.scenario import describe
from ckptsim.summary import Summary
from ckptsim.terminal import percent, strong, table
from ckptsim.units import SECOND, nanoseconds, show
from ckptsim.ways import is_hopeless, too_long
from ckptsim.world import World

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

EVENTS_REPORTED = 1_000
COMPARE = (
    "The interval: `ckptsim plan` with the same scenario compares all of them and says which is "
    "best; `ckptsim sweep` varies any other key, as in `--over slots.limit=4h,6h,8h`."
)
LEDGERS_DRAWN = 12  # classes, in one picture


def told(summary: Summary, precision: Precision | None, trace: Trace) -> Iterator[Any]:
    """What is printed, in order."""
    results = summary.results
    if results.interrupted:
        yield f"Stopped after {len(results.replications)} of {results.asked} replications."
    yield strong(headline(summary))
    yield from stranded_told(summary)
    if summary.slot_time:
        yield ""
        yield table(
            ledger_rows(summary.ledger), f"Where {show(summary.slot_time)} of slot time went"
        )
        yield ""
        yield table(measure_rows(summary), "Means, with 99 % confidence intervals")
    if summary.pool and results.world.scenario.is_pool:
        yield from pool_told(summary.pool)
    if precision and not results.interrupted:
        yield precision_told(summary, precision)
    if not trace.whole:
        yield f"The trace is cut off after {len(trace.rows):,} events."
    yield simulated(summary)


def simulated(summary: Summary) -> str:
    """What ran, and how often."""
    results = summary.results
    engine, seed = engine_told(results.engine), results.world.scenario.seed
    runs = counted(len(results.replications), "replication")
    return f"Simulated with {engine}, seed {seed}, {runs}."


def stranded_told(summary: Summary) -> Iterator[str]:
    """The jobs of a pool that never finish, class by class, and why."""
    results = summary.results
    if not results.world.scenario.is_pool:
        return
    for part, plan in zip(classes_of(results.world), results.world.plans, strict=True):
        never = jobs_counted(results, "stranded", part)
        if never:
            of = f" of the class {part.name!r}" if len(results.world.plans) > 1 else ""
            every = results.world.scenario.job_classes[part.name].count * len(results.replications)
            why = why_never(replace(results.world, plans=(plan,)))
            yield f"{never:,} of {every:,} jobs{of} never finish: {why}"


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
    if summary.never_finishes and not summary.results.world.scenario.is_pool:
        return f"This job never finishes: {why_never(summary.results.world)}"
    interval = named_intervals(summary.results.world)
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
    known = math.isfinite(estimate.half_width)
    return [name, f"{estimate.mean:.4g}", f"{estimate.half_width:.2g}" if known else "unknown"]


def report_on(summary: Summary, trace: Trace, folder: Path) -> Report:
    """A page with the time account, the slots over time and the makespans."""
    world = summary.results.world
    report = Report(
        folder, "simulate", f"{world.scenario.name}: where the time goes", world.scenario.seed
    )
    report.answer(headline(summary), *stranded_told(summary))
    report.table(ledger_rows(summary.ledger))
    report.picture("ledger", drawn_ledgers(summary), "Where slot time went")
    report.data("ledger", ledger_frame(summary.ledger))
    report.say("## Evidence", "Means, with 99 % confidence intervals:")
    report.table(measure_rows(summary))
    if summary.pool and world.scenario.is_pool:
        report_pool(report, summary.pool)
    if len(summary.makespans_s):
        report.picture("makespan", drawn_makespans(summary), "Makespans")
    if trace.rows:
        report_trace(report, trace, world)
    report.say("## What would change it", COMPARE)
    report.computed(simulated(summary), scenario=describe(world.scenario))
    return report


def drawn_makespans(summary: Summary) -> "Figure":
    """How long jobs took."""
    from ckptsim import plots

    mean = summary.makespan.mean if math.isfinite(summary.makespan.mean) else None
    return plots.makespan_figure(
        summary.makespans_s, mean, summary.quantiles(), summary.results.stranded
    )


def drawn_ledgers(summary: Summary) -> "Figure":
    """Where slot time went: all of it, and by class of jobs if there are some."""
    from ckptsim import plots

    world = summary.results.world
    parts = classes_of(world)
    if not 1 < len(parts) <= LEDGERS_DRAWN:
        books, of = {named_intervals(world): list(summary.ledger.values())}, "with"
    else:
        books = {part.name: list(summary.ledger_of(part).values()) for part in parts}
        of = "in the class"
    return plots.ledger_figure(books, of)


def report_pool(report: Report, pool: Pooled) -> None:
    """The parts of a pool, and how it went over time."""
    for what, rows in part_tables(pool):
        report.say(f"By {what}; committed: slot-hours per slot-hour of {WHOLES[what]}.")
        report.table(rows)
    report.picture("course", drawn_course(pool), "The pool over time")
    report.data("course", course_frame(pool.course))
    report.table(use_rows(pool))
    report.say(*link_told(pool), *steady_told(pool))


def drawn_course(pool: Pooled) -> "Figure":
    """How the pool went over time."""
    from ckptsim import plots

    scenario, runs = pool.results.world.scenario, len(pool.results.replications)
    linked = scenario.link is not None
    return plots.course_figure(
        pool.course, scenario.slots_count, runs, scenario.seed, linked=linked
    )


def course_frame(course: Course) -> "pd.DataFrame":
    """The numbers over time as a table."""
    import pandas as pd

    begun = [place * course.width / SECOND for place in range(len(course.lengths))]
    numbers = {measure.name.lower(): course.means[measure] for measure in Measure}
    return pd.DataFrame({"from_s": begun, **numbers})


def report_trace(report: Report, trace: Trace, world: World) -> None:
    """The slots over time, and the first events."""
    from ckptsim import plots

    figure = plots.gantt_figure(trace.rows, world.scenario.slots_count)
    report.picture("slots", figure, "Slots over time, first replication")
    report.data("trace", trace_frame(trace.rows[:EVENTS_REPORTED]))
    if len(trace.rows) > EVENTS_REPORTED:
        more = "" if trace.whole else "more than "
        report.say(
            f"(the first {EVENTS_REPORTED:,} of {more}{len(trace.rows):,} events; --trace writes "
            f"{'all' if trace.whole else f'up to {WRITTEN_MOST:,}'})"
        )
