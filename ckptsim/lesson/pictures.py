"""The lesson's curves as a picture."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ckptsim.lesson.chart import Chart
from ckptsim.plots.style import BLACK, BLUE, GREY, VERMILION, finish, sheet, styled
from ckptsim.plots.times import time_axis
from ckptsim.units import SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS = ((BLUE, "-"), (VERMILION, "--"))
MARKS = (("o", ":"), ("D", "-."))


def chart_figure(chart: Chart) -> "Figure":
    """One or two curves over a time, and the times that are pointed out."""
    at = [ns / SECOND for ns in chart.at]
    with styled():
        figure, (axes,) = sheet(4.2)
        for (name, heights), (color, line) in zip(chart.curves.items(), LOOKS, strict=False):
            axes.plot(at, heights, color=color, linestyle=line, linewidth=1.8, label=name)
        for (name, places), (marker, line) in zip(chart.marks.items(), MARKS, strict=False):
            draw_marks(axes, chart, name, places, marker, line)
        time_axis(axes, chart.across, at[0], at[-1], "min")
        axes.set_ylabel(chart.up)
        figure.legend(loc="lower center", ncols=4, borderaxespad=0)
        return finish(figure, chart.finding)


def draw_marks(
    axes: "Axes", chart: Chart, name: str, places: Sequence[int], marker: str, line: str
) -> None:
    """A line at each of these times, and a point on each curve."""
    for place in places:
        axes.axvline(place / SECOND, color=GREY, linestyle=line, linewidth=1)
    index = [bisect_right(chart.at, place) - 1 for place in places]
    for number, heights in enumerate(chart.curves.values()):
        points = [place / SECOND for place in places], [heights[one] for one in index]
        label = "_more" if number else name
        axes.plot(*points, marker, color=BLACK, markersize=6, zorder=4, label=label)
