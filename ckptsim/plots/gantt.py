"""What each slot did when."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ckptsim.ledger import Category
from ckptsim.outcome import Row
from ckptsim.plots.looks import LOOKS, keys, paint
from ckptsim.plots.style import (
    BLACK,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    finish,
    mark_style,
    percent,
    rough,
    sheet,
    styled,
)
from ckptsim.plots.times import time_axis
from ckptsim.plots.traces import Moment, Segment, moments, segments
from ckptsim.rules import Event
from ckptsim.units import SECOND

BAR = 0.62  # of the distance between two slots
ENDINGS = {
    Event.EXPIRED: ("end: limit", "s", VERMILION),
    Event.WARNED: ("end: eviction", "v", ORANGE),
    Event.EVICTED: ("end: eviction", "v", ORANGE),
    Event.POWERED_OFF: ("end: power failure", "X", PURPLE),
    Event.WITHDRAWN: ("end: held or removed", "D", GREY),
    Event.ELAPSED: ("end: left, or rescheduled", ">", "white"),
    Event.REQUEUED: ("end: left, or rescheduled", ">", "white"),
}
COMPLETION = ("end: completed", "P", GREEN)
LEASES_SHOWN = 4  # a slot, as the picture's length unless the caller says otherwise
ROOMY = 12  # with no more slots than this, marks have room
SLOTS_DRAWN = 50
TALLEST = 4.8  # inches of slots


def gantt_figure(rows: Sequence[Row], every: int, until: int | None = None) -> Figure:
    """What each slot did when, from the trace of one replication, up to `until` (ns).

    Of very many slots, `every` one of them in number, the first are drawn.
    """
    slots = min(every, SLOTS_DRAWN)
    rows = [row for row in rows if row.slot < slots] if slots < every else rows
    with styled():
        figure, (axes,) = sheet(min(TALLEST, 0.55 + 0.5 * slots) + 2.1)
        until = until or first_leases(rows, slots)
        shown = [
            segment._replace(end=min(segment.end, until))
            for segment in segments(rows)
            if segment.start < until
        ]
        seen = [moment for moment in moments(rows) if moment.time <= until]
        draw_segments(axes, [(s.slot, s.start, s.end, s.category) for s in shown], bar(slots))
        draw_commits(axes, seen, slots)
        draw_endings(axes, seen, slots)
        slot_axis(axes, slots)
        time_axis(axes, "Time since the first job was queued", 0, until / SECOND)
        categories = {segment.category for segment in shown}
        handles = [*keys(c for c in LOOKS if c in categories), *marks_of(seen)]
        figure.legend(handles=handles, loc="lower center", borderaxespad=0, ncols=4)
        return finish(figure, *gantt_finding(shown, until, slots, every))


def bar(slots: int) -> float:
    """How much of the distance between two slots the bar takes."""
    return BAR if slots <= ROOMY else 0.84


def first_leases(rows: Sequence[Row], slots: int) -> int:
    """When the first few leases of each slot are over, on average; ns."""
    ends = sorted(moment.time for moment in moments(rows) if moment.event is not None)
    enough = ends[: LEASES_SHOWN * slots] or [row.time for row in rows]
    return max([*enough, 1])


def draw_segments(
    axes: Axes, pieces: Sequence[tuple[float, int, int, Category]], thickness: float = BAR
) -> None:
    """One collection a category, of a rectangle (place, start ns, end ns) a piece."""
    half = thickness / 2
    for category in LOOKS:
        corners = [
            [(start, y - half), (end, y - half), (end, y + half), (start, y + half)]
            for y, start, end in (
                (place, start / SECOND, end / SECOND)
                for place, start, end, found in pieces
                if found == category
            )
        ]
        if corners:
            axes.add_collection(PolyCollection(corners, **paint(category), zorder=2))


def draw_commits(axes: Axes, seen: Sequence[Moment], slots: int) -> None:
    """A small tick on top of the bar for each commit."""
    roomy = slots <= ROOMY
    top = bar(slots) / 2
    edges = (top, top + 0.13) if roomy else (top - 0.3, top)
    ticks = [
        [(moment.time / SECOND, moment.slot - edge) for edge in edges]
        for moment in seen
        if moment.event is None
    ]
    style: dict[str, Any] = {"colors": BLACK, "linewidths": 1.6 if roomy else 0.6, "zorder": 3}
    axes.add_collection(LineCollection(ticks, label="_commits", **style))


def draw_endings(axes: Axes, seen: Sequence[Moment], slots: int) -> None:
    """A mark for each end of a lease, by cause; below the bar where there is room."""
    size, below = (7.0, bar(slots) / 2 + 0.07) if slots <= ROOMY else (max(2.4, 90 / slots), 0.0)
    for (label, marker, color), found in by_ending(seen).items():
        at = [moment.time / SECOND for moment in found]
        places = [moment.slot + below for moment in found]
        style = mark_style(marker, color, size)
        axes.plot(at, places, label=label, clip_on=False, zorder=4, **style)


def by_ending(seen: Sequence[Moment]) -> dict[tuple[str, str, str], list[Moment]]:
    """The ends of leases by their label, marker and colour, the labels in a fixed order."""
    found: dict[tuple[str, str, str], list[Moment]] = {}
    for moment in seen:
        if moment.event is not None:
            look = COMPLETION if moment.completed else ENDINGS[moment.event]
            found.setdefault(look, []).append(moment)
    return dict(sorted(found.items()))


def marks_of(seen: Sequence[Moment]) -> list[Line2D]:
    """The legend's entries for the marks that are there."""
    commit = Line2D([], [], linestyle="", marker="|", markersize=7, color=BLACK, label="committed")
    ends = [
        Line2D([], [], label=label, **mark_style(marker, color, 7))
        for label, marker, color in by_ending(seen)
    ]
    return [commit, *ends] if any(moment.event is None for moment in seen) else ends


def slot_axis(axes: Axes, slots: int) -> None:
    axes.set_ylim(slots - 0.4, -0.6)
    step = next(
        step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if slots / step <= 12
    )
    axes.set_yticks(range(0, slots, step))
    axes.grid(visible=False, axis="y")
    axes.set_ylabel("Slot (number)")


def gantt_finding(shown: Sequence[Segment], until: int, slots: int, every: int) -> tuple[str, str]:
    """The share of slot time that is useful in what is shown."""
    length = sum(segment.end - segment.start for segment in shown)
    useful = sum(s.end - s.start for s in shown if s.category == Category.USEFUL)
    part = percent(useful / max(length, 1))
    named = "one slot" if slots == 1 else f"{slots:,} slots"
    named = named if slots == every else f"the first {slots:,} of {every:,} slots"
    title = f"In the first {rough(until)}, {part} of slot time became committed work"
    return title, f"{named}; white: no job on the slot"
