"""One lease for each interval, side by side."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ckptsim.ledger import LOST
from ckptsim.outcome import Row
from ckptsim.plots.gantt import draw_segments
from ckptsim.plots.looks import LOOKS, keys
from ckptsim.plots.style import GREY, add_legend, finish, sheet, styled
from ckptsim.plots.times import time_axis
from ckptsim.plots.traces import leases, moments_of, segments_of
from ckptsim.units import MINUTE, SECOND, show


def lesson_figure(traces: Mapping[int, Sequence[Row]]) -> Figure:
    """One lease for each interval (ns), the first of the trace of a simulation with it."""
    firsts = {interval: leases(rows)[0] for interval, rows in traces.items()}
    length = max(lease[-1].time - lease[0].time for lease in firsts.values())
    pieces = [
        (place, segment.start - lease[0].time, segment.end - lease[0].time, segment.category)
        for place, lease in enumerate(firsts.values())
        for segment in segments_of(lease)
    ]
    with styled():
        figure, (axes,) = sheet(1.9 + 0.5 * len(traces))
        draw_segments(axes, pieces)
        for place, (interval, lease) in enumerate(firsts.items()):
            write_lease(axes, place, 1.015 * length / SECOND, interval, lease)
        axes.set_ylim(len(firsts) - 0.5, -0.5)
        axes.set_yticks(range(len(firsts)), [minutes(interval) for interval in firsts])
        axes.set_ylabel("Interval (min)")
        axes.grid(visible=False, axis="y")
        time_axis(axes, "Time since the lease began", 0, length / SECOND, "min")
        categories = {category for *_, category in pieces}
        handles = keys(category for category in LOOKS if category in categories)
        add_legend(figure, handles)
        return finish(figure, *lesson_finding(firsts, length))


def write_lease(axes: Axes, place: int, x: float, interval: int, lease: Sequence[Row]) -> None:
    """What a lease committed, and what became of the rest of it."""
    committed = lease[-1].saved - lease[0].saved
    spent = [(s.category, s.end - s.start) for s in segments_of(lease)]
    lost = sum(length for category, length in spent if category in LOST)
    rest = sum(length for _, length in spent) - committed - lost
    count = sum(moment.event is None for moment in moments_of(lease))
    product = f" = {count} × {minutes(interval)}" if count * interval == committed else ""
    what = (
        f"overhead {minutes(rest)} min, {f'lost {minutes(lost)} min' if lost else 'nothing lost'}"
    )
    text = f"committed {minutes(committed)} min{product}"
    axes.text(x, place - 0.04, text, va="bottom", size=9.5)
    axes.text(x, place + 0.04, what, va="top", size=8.5, color=GREY)


def minutes(ns: int) -> str:
    return f"{ns / MINUTE:.4g}"


def lesson_finding(firsts: Mapping[int, Sequence[Row]], length: int) -> tuple[str, str]:
    committed = [lease[-1].saved - lease[0].saved for lease in firsts.values()]
    least, most = minutes(min(committed)), minutes(max(committed))
    told = f"{least} to {most} of {minutes(length)} min are committed"
    title = f"{told}: the rest is overhead, or lost at the end"
    return title, f"one lease of {show(length)} for each interval"
