"""The steps for when one is not sure: a robust choice, the clock, and one's own job."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ckptsim.doubt import COSTS_TRIED, Robust, band_of
from ckptsim.exact import Solver
from ckptsim.lesson.chart import Chart
from ckptsim.lesson.seen import (
    EXPECTED,
    MEANS,
    along,
    chart_picture,
    expected,
    leases_picture,
    step_of,
    to_a_tenth,
    unequal_plan,
    work,
)
from ckptsim.lesson.setting import (
    BAND,
    EVICTIONS,
    PRESENT,
    RESTART,
    TAKES,
    WIDE_BAND,
    at_interval,
    cost,
    scenario,
    slot_limit,
)
from ckptsim.lesson.step import Step, Table, in_minutes, minutes
from ckptsim.lesson.watched import drawn, watched
from ckptsim.lesson.words import HEDGED, YOUR_OWN
from ckptsim.plan import plan
from ckptsim.program import Program
from ckptsim.scenario import Scenario
from ckptsim.search import Search, worth
from ckptsim.terminal import percent
from ckptsim.units import MINUTE, seconds

CLOCK_STEP_S = 15  # of the grid of ages; costs in half minutes fall on it
COSTS = 5  # of a lease with the best interval: a restart and four checkpoints
WEEK_H = 168
KEPT, SAFER = "best as you said", "robust"


def hedge() -> Step:
    """What to choose if the numbers may be off: a little less than the best, or a clock."""
    given = scenario(EVICTIONS, RESTART)
    near, far = (plan(given, band=band).robust for band in (BAND, WIDE_BAND))
    clocks = [clock_row(takes) for takes in TAKES]
    said = {
        **hedge_said(near),
        "wide_band": percent(far.band, 0),
        "wide_robust": in_minutes(seconds(far.expected.value.interval)),
        "clock": in_minutes(clocks[1]["clock_work_per_lease_s"]),
        "fixed": in_minutes(work(clocks[1])),
        "steady": in_minutes(work(clocks[0])),
        "costs": minutes(costs := round((1 + near.band) * COSTS * cost())),
        "edge_band": minutes((slot_limit() - costs) // (COSTS - 1)),
    }
    chart = hedge_chart(given, near)
    picture = chart_picture("Useful slot time over the interval, if costs and laws are off", chart)
    tables = [hedge_table([near, far]), clock_table(clocks)]
    asked = scenario(EVICTIONS, RESTART, at_interval(near.expected.value.interval))
    return step_of(HEDGED, said, tables, picture, asked, chart=chart)


def hedge_said(found: Robust) -> dict[str, str]:
    """What the words say of the answer and of the robust interval."""
    kept, safer = found.answer, found.expected
    return {
        "band": percent(found.band, 0),
        "best": minutes(kept.value.interval),
        "kept_average": percent(kept.expected),
        "kept_worst": percent(kept.worst),
        "robust": in_minutes(seconds(safer.value.interval)),
        "price": percent(worth(kept.value) - worth(safer.value)),
        "average": percent(safer.expected),
        "worst": percent(safer.worst),
    }


def hedge_table(found: Sequence[Robust]) -> Table:
    heads = {
        "choice": "choice",
        "within": "off by",
        "interval_s": "interval",
        "useful_fraction": "as you said",
        "useful_mean_fraction": "on average",
        "useful_worst_fraction": "at worst",
    }
    rows = [
        {
            "choice": choice,
            "within": percent(each.band, 0),
            "interval_s": seconds(hedge.value.interval),
            "useful_fraction": worth(hedge.value),
            "useful_mean_fraction": hedge.expected,
            "useful_worst_fraction": hedge.worst,
        }
        for each in found
        for choice, hedge in ((KEPT, each.answer), (SAFER, each.expected))
    ]
    title = "Useful slot time if costs and evictions are as you said, and if not"
    note = (
        "Computed. All costs longer or shorter together, evictions more or less often, by up to so "
        "much, anything between alike."
    )
    return Table("robust", title, heads, rows, note)


def clock_row(takes: str) -> dict[str, Any]:
    """The best fixed interval, and deciding again after each checkpoint."""
    search = Search(scenario(EVICTIONS, TAKES[takes]))
    fixed = search.value(to_a_tenth(search.best.interval))
    clock_s, error = by_the_clock(search)
    return {
        "checkpoint_takes": takes,
        "interval_s": seconds(fixed.interval),
        "work_per_lease_s": fixed.work_s,
        "clock_work_per_lease_s": clock_s,
        "clock_work_per_lease_error_s": error,
    }


def by_the_clock(search: Search) -> tuple[float, float]:
    """What a lease commits if the next interval is chosen at each checkpoint; and its error."""
    if search.solver.constant:  # nothing to be learned on the way
        return unequal_plan(search).work_s, 0.0
    job = search.scenario.job
    points = int((seconds(slot_limit()) - job.write.lowest - job.transfer.lowest) / CLOCK_STEP_S)
    programs = [Program(search.solver, many) for many in (points, 2 * points)]
    coarse, fine = (program.totals(program.best())[0] for program in programs)
    return fine, abs(fine - coarse)


def clock_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    heads = {
        "checkpoint_takes": "checkpoint takes",
        "interval_s": "best fixed",
        "work_per_lease_s": "commits",
        "clock_work_per_lease_s": "by the clock",
        "clock_work_per_lease_error_s": "",
    }
    title = "Deciding again after each checkpoint, by the age of the lease (no restart)"
    note = "Minutes. Computed, on a grid; ± is what one twice as fine makes of it."
    return Table("clock", title, heads, rows, note)


def hedge_chart(given: Scenario, found: Robust) -> Chart:
    """Around the answer, what each interval is worth as said, and on average over the band."""
    best = found.answer.value.interval
    safer = found.expected.value.interval
    even = along(best - 10 * MINUTE, best + 5 * MINUTE, MINUTE // 20, given)
    at = sorted({*even, safer})
    weights, worlds = zip(*band_of(given, found.band, COSTS_TRIED), strict=True)
    worths = [[worth(value) for value in solver.values(at)] for solver in worlds]
    curves = {
        "all as you said": [100 * worth(value) for value in Solver(given).values(at)],
        f"on average within {percent(found.band, 0)}": 100 * (np.array(weights) @ np.array(worths)),
    }
    marks = {"robust": [safer], "best as you said": [best]}
    finding = "The best interval is at the edge of a cliff; a little less is safer"
    up = "Useful (% of slot time)"
    return Chart("robust", finding, "Interval", up, at, curves, marks)


def your_own() -> Step:
    """From the lesson to one's own job."""
    given = scenario(EVICTIONS, RESTART)
    intervals = (PRESENT, Search(given).best.interval)
    now, best = (expected(given, each) for each in intervals)
    said = {
        "now": in_minutes(now["interval_s"]),
        "now_work": in_minutes(work(now)),
        "best": in_minutes(best["interval_s"]),
        "best_work": in_minutes(work(best)),
        "now_useful": percent(now["useful_fraction"]),
        "best_useful": percent(best["useful_fraction"]),
        "saved": f"{WEEK_H * (best['useful_fraction'] - now['useful_fraction']):.1f}",
    }
    rows = [{"which": "present", **now}, {"which": "best", **best}]
    heads = {"which": "", **EXPECTED}
    title = "Committed in a lease on average, evictions 12 h apart, 5 min to restart"
    leases = watched(scenario(RESTART), intervals)
    picture = leases_picture("your-own", "The two intervals in a lease that is not evicted", leases)
    found = Table("your-own", title, heads, rows, MEANS)
    asked = scenario(EVICTIONS, RESTART, at_interval(PRESENT))
    return step_of(YOUR_OWN, said, [found], picture, asked, timelines=drawn(leases))
