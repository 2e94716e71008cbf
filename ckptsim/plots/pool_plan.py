"""The measure of a pool over the common interval, with what is known of each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ckptsim.plots.style import (
    BLUE,
    GREEN,
    ORANGE,
    TINT,
    VERMILION,
    Floats,
    add_legend,
    finish,
    mark_style,
    percent,
    sheet,
    styled,
)
from ckptsim.plots.times import spoken_axis
from ckptsim.pool_plan import PoolPlan
from ckptsim.trials import Aim
from ckptsim.units import SECOND, nanoseconds, show

if TYPE_CHECKING:
    from matplotlib.artist import Artist


def pool_plan_figure(plan: PoolPlan) -> Figure:
    """Each interval's bounds, all true together; the set that may be best shaded; the bound."""
    with styled():
        figure, (axes,) = sheet(4.8)
        shade(axes, plan)
        handles: list[Artist] = [draw_points(axes, plan), *draw_marks(axes, plan)]
        handles.append(Patch(facecolor=TINT, label="cannot be told apart from the best"))
        at = [point.interval / SECOND for point in plan.points]
        label = "Interval of all jobs: computing between two checkpoints"
        spoken_axis(axes, label, min(at) / 1.05, max(at) * 1.05)
        axes.set_ylabel(
            "Committed work (% of slot time held)" if is_share(plan) else "Mean makespan (h)"
        )
        add_legend(figure, handles)
        return finish(figure, finding(plan), subject(plan))


def is_share(plan: PoolPlan) -> bool:
    return plan.aim == Aim.USEFUL


def scaled(plan: PoolPlan, values: Sequence[float]) -> Floats:
    """As drawn: percent or hours."""
    return np.array(values) * (100 if is_share(plan) else 1 / 3600)


def shade(axes: Axes, plan: PoolPlan) -> None:
    """The intervals that may be best, each as far as half way to the next."""
    points = plan.points
    logs = np.log([point.interval for point in points])
    middles = np.exp((logs[1:] + logs[:-1]) / 2)
    edges = [points[0].interval, *middles, points[-1].interval]
    for number, point in enumerate(points):
        if point.among:
            axes.axvspan(edges[number] / SECOND, edges[number + 1] / SECOND, color=TINT, lw=0)


def draw_points(axes: Axes, plan: PoolPlan) -> Line2D:
    """What each is, and bounds on how far it is behind the best, from the best's level."""
    points = plan.points
    sign = -1 if is_share(plan) else 1
    at = [point.interval / SECOND for point in points]
    level = plan.measure.mean
    values = scaled(plan, [point.value for point in points])
    ends = [
        scaled(plan, [level + sign * bound for bound in (point.behind.least, point.behind.most)])
        for point in points
    ]
    axes.plot(at, values, color=BLUE, lw=1)
    for place, end in zip(at, ends, strict=True):
        axes.plot([place, place], end, color=BLUE, lw=2, alpha=0.45, solid_capstyle="butt")
    style = mark_style("o", BLUE, 4)
    axes.plot(at, values, **style)
    return Line2D([], [], **style, label="found; bar: where it can be, below the best")


def draw_marks(axes: Axes, plan: PoolPlan) -> list[Line2D]:
    """The best, the present intervals, and what no interval can beat."""
    best = scaled(plan, [plan.measure.mean])
    found = [(plan.interval / SECOND, best[0], mark_style("*", ORANGE, 14), "the best common")]
    if gain := plan.gain("present"):
        sign = 1 if is_share(plan) else -1
        value = scaled(plan, [plan.measure.mean + sign * gain.mean])[0]
        label = "present (longest of all classes)" if several(plan) else "present"
        found.append((gain.choice.longest / SECOND, value, mark_style("D", VERMILION, 7), label))
    handles = []
    for at, value, style, label in found:
        axes.plot([at], [value], **style, zorder=4)
        handles.append(Line2D([], [], **style, label=label))
    if is_share(plan):
        bound = 100 * (1 - plan.bounds.exponential.waste)
        axes.axhline(bound, color=GREEN, ls="--", lw=1.4)
        label = "bound, for exponential losses"
        handles.append(Line2D([], [], color=GREEN, ls="--", label=label))
    return handles


def several(plan: PoolPlan) -> bool:
    gain = plan.gain("present")
    return gain is not None and len(set(gain.choice.intervals)) > 1


def finding(plan: PoolPlan) -> str:
    value = plan.measure.mean
    told = percent(value) + " of slot time" if is_share(plan) else show(nanoseconds(value))
    among = plan.stage.selection.among
    also = f"; {len(among) - 1} others may be as good" if len(among) > 1 else ""
    return f"Best common interval: {show(plan.interval)}, {told}{also}"


def subject(plan: PoolPlan) -> str:
    scenario = plan.scenario
    return (
        f"{scenario.jobs_count:,} jobs, {scenario.slots_count:,} slots; bars hold together, with "
        f"{100 * plan.effort.confidence:g} % confidence"
    )
