"""The steps about what a lease is worth on average: jitter, evictions, cliffs."""

from collections.abc import Mapping, Sequence
from typing import Any

from ckptsim.classic import young
from ckptsim.exact import Solver
from ckptsim.lesson.chart import Chart
from ckptsim.lesson.seen import (
    COMPUTED,
    EXPECTED,
    MEANS,
    SIMULATED,
    UP,
    along,
    chart_picture,
    committed,
    expected,
    step_of,
    to_a_tenth,
    unequal_plan,
    work,
)
from ckptsim.lesson.setting import (
    BEYOND,
    CAREFUL,
    EDGE,
    EVICTIONS,
    INTERVALS,
    JITTER,
    LAWS,
    LONGER,
    SHORTER,
    TAKES,
    TIGHT,
    at_interval,
    cost,
    scenario,
    slot_limit,
)
from ckptsim.lesson.step import Step, Table, cell, in_minutes, listed, minutes
from ckptsim.lesson.words import CLIFFS, EVICTED, SHAKEN
from ckptsim.scenario import Scenario
from ckptsim.search import Search
from ckptsim.terminal import percent
from ckptsim.units import MINUTE, seconds


def jitter() -> Step:
    """Jitter in the checkpoint cost decides between 84 and 85."""
    shaky = scenario(EVICTIONS, JITTER)
    top = to_a_tenth(Search(shaky).best.interval)
    rows = [shaken_row(takes, each) for takes in TAKES for each in (CAREFUL, EDGE)]
    said = {
        "top": minutes(top),
        **shaken_said("careful", CAREFUL, rows[0::2]),
        **shaken_said("edge", EDGE, rows[1::2]),
        "tight": in_minutes(Solver(scenario(TIGHT)).value(CAREFUL).work_s),
    }
    rows.insert(2, shaken_row("3 to 7 min", top))
    chart = jitter_chart(shaky)
    picture = chart_picture(
        "Committed in a lease over the interval, with jitter and without", chart
    )
    asked = scenario(EVICTIONS, JITTER, at_interval(CAREFUL))
    return step_of(SHAKEN, said, [jitter_table(rows)], picture, asked, chart=chart)


def shaken_said(name: str, interval: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What the words say of one interval, from its rows in the order of TAKES."""
    before, after, halves = rows
    return {
        name: minutes(interval),
        f"{name}_room": minutes(slot_limit() - 4 * interval),
        f"{name}_before": in_minutes(before["work_without_evictions_s"]),
        f"{name}_after": in_minutes(after["work_without_evictions_s"]),
        f"{name}_evicted_before": in_minutes(work(before)),
        f"{name}_evicted_after": in_minutes(work(after)),
        f"{name}_halves": in_minutes(work(halves)),
    }


def shaken_row(takes: str, interval: int) -> dict[str, Any]:
    """What an interval is worth where checkpoints take a time as told."""
    steady = Solver(scenario(TAKES[takes])).value(interval)
    found = expected(scenario(EVICTIONS, TAKES[takes]), interval)
    return {"checkpoint_takes": takes, "work_without_evictions_s": steady.work_s, **found}


def jitter_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    heads = {
        "checkpoint_takes": "checkpoint takes",
        "interval_s": "interval",
        "work_without_evictions_s": "no evictions",
        "work_per_lease_s": "evictions",
        "work_per_lease_error_s": "",
        "simulated_work_s": "simulated",
        "simulated_work_ci99_s": "",
    }
    title = "Committed in a lease on average, without evictions and with, 12 h apart"
    note = (
        "Minutes. 3 to 7 min: any time between, all alike. 3, 3.5, … 7 min: only these, the first "
        "and the last half as often. Random costs are added up on a lattice; the ± next to what "
        f"is computed is what one twice as fine makes of it. {SIMULATED}"
    )
    return Table("jitter", title, heads, rows, note)


def jitter_chart(shaky: Scenario) -> Chart:
    """The cliff at 85 min, with jitter and without."""
    steady = scenario(EVICTIONS)
    at = along(CAREFUL - 9 * MINUTE, EDGE + 10 * MINUTE, MINUTE // 10, steady)
    curves = {"5 min": committed(steady, at), "3 to 7 min": committed(shaky, at)}
    finding = "Jitter makes a slope of the cliff, and moves the best interval away from it"
    return Chart("jitter", finding, "Interval", UP, at, curves, {})


def evictions() -> Step:
    """Evictions every 12 h: 85 is the best, 355 the worst; unequal intervals gain little."""
    given = scenario(EVICTIONS)
    rows = {each: expected(given, each) for each in INTERVALS}
    best, worst = (choose(INTERVALS, key=lambda each: work(rows[each])) for choose in (max, min))
    plans = {name: plan_row(name, changes) for name, changes in LAWS.items()}
    said = {
        "longest": minutes(INTERVALS[-1]),
        "best": minutes(best),
        "worst": minutes(worst),
        **plan_said("", plans["exponential, 12 h"]),
        **plan_said("falling_", plans["Weibull, shape 0.5"]),
        **plan_said("rising_", plans["Weibull, shape 2"]),
        "young": f"{young(seconds(cost()), given.slots.evictions.mean) / 60:.1f}",
        "five_best": minutes(Search(scenario(EVICTIONS, SHORTER)).best.interval),
    }
    title = "Committed in a lease on average, evictions 12 h apart"
    six = Table("evictions", title, EXPECTED, list(rows.values()), MEANS)
    chart = evictions_chart(given)
    picture = chart_picture("Committed in a lease over the interval, with evictions", chart)
    tables = [six, plans_table(list(plans.values()))]
    asked = scenario(EVICTIONS, at_interval(INTERVALS[-1]))
    return step_of(EVICTED, said, tables, picture, asked, chart=chart)


def plan_row(name: str, changes: Mapping[str, str]) -> dict[str, Any]:
    """The best equal and the best unequal intervals."""
    search = Search(scenario(changes))
    equal, plan = search.best, unequal_plan(search)
    return {
        "evictions": name,
        "interval_s": seconds(equal.interval),
        "work_per_lease_s": equal.work_s,
        "intervals_s": tuple(map(seconds, plan.intervals)),
        "plan_work_per_lease_s": plan.work_s,
        "plan_gain_s": plan.work_s - equal.work_s,
    }


def plan_said(prefix: str, row: Mapping[str, Any]) -> dict[str, str]:
    names = {"equal": "interval_s", "plan": "intervals_s", "gain": "plan_gain_s"}
    return {prefix + name: cell(key, row[key]).replace(" ", ", ") for name, key in names.items()}


def plans_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    heads = {
        "evictions": "evictions",
        "interval_s": "equal",
        "work_per_lease_s": "commit",
        "intervals_s": "unequal",
        "plan_work_per_lease_s": "commit",
        "plan_gain_s": "gain",
    }
    title = "The best equal and the best unequal intervals (Weibull: 12 h on average)"
    return Table("plans", title, heads, rows, COMPUTED)


def evictions_chart(given: Scenario) -> Chart:
    at = along(MINUTE * 30, INTERVALS[-1], MINUTE, given)
    curves = {
        "no evictions": committed(scenario(), at),
        "evictions 12 h apart": committed(given, at),
    }
    finding = "With evictions the longest interval is no longer the best"
    return Chart("evictions", finding, "Interval", UP, at, curves, {})


CLIFF = {
    "interval_s": "interval",
    "checkpoints_fitting": "fit",
    "work_per_lease_s": "committed",
    "checkpoints_fitting_beyond": "fit beyond",
    "work_per_lease_beyond_s": "committed beyond",
    "drop_fraction": "drop",
}
CLIFFS_SHOWN = 42 * MINUTE, 200 * MINUTE


def cliffs() -> Step:
    """Where one checkpoint fewer fits there is a cliff."""
    search = Search(scenario(EVICTIONS))
    edges = [edge for edge in search.edges if CLIFFS_SHOWN[0] <= edge <= CLIFFS_SHOWN[1]]
    rows = {edge: cliff_row(search, edge) for edge in edges}
    at, top = rows[EDGE], search.best
    said = {
        "edge": minutes(EDGE),
        "beyond": minutes(BEYOND),
        "drop": percent(at["drop_fraction"]),
        "fitted": at["checkpoints_fitting"],
        "fit": at["checkpoints_fitting_beyond"],
        "cliffs": listed(edges),
        "top": minutes(top.interval),
        "useful": percent(top.useful_fraction),
        **longer_said(),
    }
    title = f"Cliffs, and what {minutes(BEYOND - EDGE)} min more commit"
    chart = cliffs_chart(search, edges)
    picture = chart_picture("Committed in a lease over the interval: a saw-tooth", chart)
    found = Table("cliffs", title, CLIFF, list(rows.values()), COMPUTED)
    asked = scenario(EVICTIONS, at_interval(BEYOND))
    return step_of(CLIFFS, said, [found], picture, asked, chart=chart)


def longer_said() -> dict[str, str]:
    """What the words say of a slot of 8 h."""
    search = Search(scenario(EVICTIONS, LONGER))
    edges = [edge for edge in search.edges if search.value(edge).fitting in (4, 5)]
    return {"eight_cliffs": listed(edges), "eight_top": minutes(search.best.interval)}


def cliff_row(search: Search, edge: int) -> dict[str, Any]:
    at, beyond = search.values([edge, edge + BEYOND - EDGE])
    return {
        "interval_s": seconds(edge),
        "checkpoints_fitting": at.fitting,
        "work_per_lease_s": at.work_s,
        "checkpoints_fitting_beyond": beyond.fitting,
        "work_per_lease_beyond_s": beyond.work_s,
        "drop_fraction": 1 - beyond.work_s / at.work_s,
    }


def cliffs_chart(search: Search, edges: Sequence[int]) -> Chart:
    at = along(*CLIFFS_SHOWN, MINUTE // 4, search.scenario)
    curves = {"committed": committed(search.scenario, at)}
    finding = (
        "A cliff wherever one checkpoint fewer fits; "
        f"the best, {minutes(search.best.interval)} min, is at the edge of one"
    )
    return Chart("cliffs", finding, "Interval", UP, at, curves, {"cliffs": edges})
