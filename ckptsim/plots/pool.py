"""A pool over time: jobs that wait, slots busy, transfers, and the link's use."""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ckptsim.course import Course
from ckptsim.gauge import Measure
from ckptsim.plots.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    Floats,
    add_legend,
    finish,
    percent,
    stack,
    styled,
)
from ckptsim.plots.times import time_axis
from ckptsim.units import SECOND, show

PANEL_IN = 1.5  # inches high
ROOM_ABOVE = 1.12  # of the highest number


def course_figure(
    course: Course, slots: int, replications: int, seed: int, *, linked: bool
) -> Figure:
    """The queue and the slots over time and, where it is shared, the link."""
    with styled():
        rows = [1] * (4 if linked else 2)
        figure, panels = stack(1.5 + PANEL_IN * len(rows), rows)
        handles: list[Artist] = [
            draw(panels[0], course, Measure.QUEUED, BLUE, "jobs that wait for a slot")
        ]
        panels[0].set_ylabel("Jobs (number)")
        handles.append(draw(panels[1], course, Measure.BUSY, GREEN, "slots with a job"))
        handles.append(draw_all(panels[1], slots))
        panels[1].set_ylabel("Slots (number)")
        if linked:
            handles += draw_link(panels[2:], course)
        if course.start:
            handles.append(shade_warm_up(panels, course.start / SECOND))
        time_axis(panels[-1], "Time since the start", 0, course.end / SECOND)
        for axes in panels:
            axes.yaxis.set_major_formatter("{x:,g}")
        figure.align_ylabels(panels)
        add_legend(figure, handles)
        runs = "one replication" if replications == 1 else f"mean of {replications:,} replications"
        what = f"{runs}, in bins of {show(course.width)}; seed {seed}"
        return finish(figure, course_finding(course, slots, linked=linked), what)


def draw(
    axes: Axes, course: Course, measure: Measure, color: str, label: str, style: str = "-"
) -> Artist:
    """One number over time, as steps from bin to bin."""
    numbers = course.means[measure]
    axes.set_ylim(0, max(ROOM_ABOVE * float(numbers.max()), axes.get_ylim()[1], 1))
    return axes.stairs(
        numbers,
        edges(course),
        baseline=None,
        color=color,
        label=label,
        linestyle=style,
        linewidth=1.4,
        zorder=3,
    )


def edges(course: Course) -> Floats:
    """The bins' edges, seconds."""
    begun = np.arange(len(course.lengths)) * (course.width / SECOND)
    return np.append(begun, course.end / SECOND)


def draw_all(axes: Axes, slots: int) -> Artist:
    axes.set_ylim(0, max(ROOM_ABOVE * slots, axes.get_ylim()[1]))
    return axes.axhline(slots, color=GREY, linestyle=":", linewidth=1.2, label="all slots")


def draw_link(panels: Sequence[Axes], course: Course) -> list[Artist]:
    """Transfers in flight and waiting; below, how busy the link is."""
    transfers, use = panels
    handles = [
        draw(transfers, course, Measure.IN_FLIGHT, ORANGE, "transfers in flight"),
        draw(transfers, course, Measure.AWAITING, VERMILION, "transfers that wait", "--"),
    ]
    transfers.set_ylabel("Transfers (number)")
    shares = 100 * course.means[Measure.LINK_BUSY]
    use.stairs(shares, edges(course), fill=True, color=SKY, zorder=2)
    use.set_ylim(0, 105)
    use.set_yticks([0, 50, 100])
    use.set_ylabel("Link (%)")
    return [*handles, Patch(facecolor=SKY, label="link in use")]


def shade_warm_up(panels: Sequence[Axes], until_s: float) -> Artist:
    """The part that is not measured."""
    for axes in panels:
        axes.axvspan(0, until_s, color=FAINT, zorder=1, linewidth=0)
    return Patch(facecolor=FAINT, label="warm-up, left out")


def course_finding(course: Course, slots: int, *, linked: bool) -> str:
    if linked:
        use, flying = course.mean(Measure.LINK_BUSY), course.mean(Measure.IN_FLIGHT)
        return (
            f"The link is in use {percent(use)} of the time; on average {flying:,.1f} transfers "
            "share it"
        )
    busy, queued = course.mean(Measure.BUSY), course.mean(Measure.QUEUED)
    return f"On average {busy:,.1f} of {slots:,} slots are busy and {queued:,.1f} jobs wait"
