"""How long jobs take."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ckptsim.plan import Advice
from ckptsim.plots.answers import setting
from ckptsim.plots.style import (
    BLUE,
    GREY,
    VERMILION,
    Floats,
    add_legend,
    finish,
    mark_style,
    rough,
    sheet,
    styled,
)
from ckptsim.plots.times import time_axis
from ckptsim.units import nanoseconds, show

NAMED_RIGHT = 0.78  # of the axis: from there on a name has no room on the right
NAME_HEIGHT = 5.5  # percent of the jobs: what a name takes up


def makespan_figure(
    makespans_s: Sequence[float] | Floats,
    mean: float | None,
    quantiles: Mapping[str, float],
    stranded: int = 0,
) -> Figure:
    """How many jobs are done by when, in seconds.

    `quantiles` maps `p50` to the median of those that finish and so on; `stranded` jobs never do.
    """
    ordered = {float(name.removeprefix("p")) / 100: at for name, at in quantiles.items()}
    share_done = len(makespans_s) / max(len(makespans_s) + stranded, 1)
    with styled():
        figure, (axes,) = sheet(4.5)
        draw_completions(axes, np.sort(np.asarray(makespans_s, np.float64)), stranded)
        draw_quantiles(axes, ordered, share_done)
        draw_mean(axes, mean)
        axes.set_ylim(0, 104)
        axes.set_ylabel("Jobs completed (%)")
        add_legend(figure, axes.get_legend_handles_labels()[0])
        what = jobs_told(len(makespans_s), stranded)
        who = "the jobs that finish" if stranded else "the jobs"
        return finish(figure, makespan_finding(ordered, mean, who), what)


def draw_completions(axes: Axes, ordered: Floats, stranded: int) -> None:
    """The share of all jobs, stranded ones too, that is done by each time."""
    low, high = (ordered[0], ordered[-1]) if len(ordered) else (0.0, 1.0)
    room = max(0.06 * (high - low), 0.01 * high, 1.0)
    begin, end = max(low - room, 0.0), high + room
    time_axis(axes, "Time from first queueing to completion", begin, end)
    done = 100 * np.arange(len(ordered) + 1) / max(len(ordered) + stranded, 1)
    at, done = np.concatenate([[begin], ordered, [end]]), np.append(done, done[-1])
    axes.step(at, done, where="post", color=BLUE, linewidth=2, label="completed", clip_on=False)


def draw_quantiles(axes: Axes, quantiles: Mapping[float, float], share_done: float) -> None:
    """A point with a line to its time for each, and its name on the free side of the curve.

    That is below it on the right, or above it on the left where the right has no room; names on one
    side keep clear of each other.
    """
    free = {"left": 0.0, "right": 0.0}
    begin, end = axes.get_xlim()
    for order, at in sorted(quantiles.items()):
        if not isfinite(at):
            continue
        height = 100 * order * share_done
        axes.vlines(at, 0, height, color=GREY, linewidth=0.9, linestyle=":")
        axes.plot(at, height, zorder=4, **mark_style("o", "white", 6))
        side = "left" if at > begin + NAMED_RIGHT * (end - begin) else "right"
        raised = max(height, free[side])
        free[side] = raised + NAME_HEIGHT
        name_quantile(axes, side, at, raised, f"{100 * order:g} %: {rough(nanoseconds(at))}")


def name_quantile(axes: Axes, side: str, at: float, height: float, text: str) -> None:
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.3, "alpha": 0.8}
    style: dict[str, Any] = {"textcoords": "offset points", "size": 9.5, "bbox": ground}
    shift = (9, -4) if side == "right" else (-9, 3)
    across = "left" if side == "right" else "right"
    name = axes.annotate(text, (at, height), xytext=shift, ha=across, va="center", **style)
    name.set_in_layout(False)


def draw_mean(axes: Axes, mean: float | None) -> None:
    if mean is not None and isfinite(mean):
        label = f"mean: {rough(nanoseconds(mean))}"
        axes.axvline(mean, color=VERMILION, linestyle="--", linewidth=1.5, label=label)


def makespan_finding(quantiles: Mapping[float, float], mean: float | None, who: str) -> str:
    found = [
        (order, rough(nanoseconds(at)))
        for order, at in sorted(quantiles.items())
        if isfinite(at) and order >= 0.5
    ]
    if found:
        (order, at), (last, end) = found[0], found[-1]
        first = "Half" if order == 0.5 else f"{100 * order:g} %"
        more = f", {100 * last:g} % after {end}" if len(found) > 1 else ""
        return f"{first} of {who} are done after {at}{more}"
    if mean is not None and isfinite(mean):
        return f"A job takes {rough(nanoseconds(mean))} on average"
    return "How long jobs take"


def jobs_told(completed: int, stranded: int) -> str:
    never = f", {stranded:,} never finish" if stranded else ""
    return f"{completed + stranded:,} jobs{never}"


# --- without sampling -----------------------------------------------------------------------------

TOLD = (0.5, 0.9)  # quantiles that are marked
SHOWN_FROM, SHOWN_TO = 0.001, 0.995  # of the jobs: beyond, the picture ends


def makespan_law_figure(advice: Advice) -> Figure:
    """The chance that one job is complete over time, with the best interval."""
    law, mean = advice.makespans, advice.makespan(advice.best)
    assert law is not None
    quantiles = {order: law.quantile(order) for order in TOLD}
    with styled():
        figure, (axes,) = sheet(4.5)
        low, high = law.quantile(SHOWN_FROM), min(law.quantile(SHOWN_TO), float(law.at_s[-1]))
        room = 0.06 * (high - low)
        time_axis(axes, "Time from first queueing to completion", max(low - room, 0), high + room)
        axes.plot(law.at_s, 100 * law.reached, color=BLUE, linewidth=2, label="complete")
        draw_quantiles(axes, quantiles, 1.0)
        draw_mean(axes, mean)
        axes.set_ylim(0, 104)
        axes.set_ylabel("Chance that the job is complete (%)")
        add_legend(figure, axes.get_legend_handles_labels()[0])
        what = f"every {show(advice.best.interval)} · {setting(advice)}"
        return finish(figure, makespan_finding(quantiles, mean, "such jobs"), what)
