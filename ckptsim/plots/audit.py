"""When the slots of past jobs did what, as their logs tell it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ckptsim.audit import Account, Audit, Item, Segment, segments
from ckptsim.htcondor.stays import Attempt, End, Lease
from ckptsim.ledger import Category
from ckptsim.plots.looks import LOOKS, Look, paint_as
from ckptsim.plots.style import (
    BLACK,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    VERMILION,
    add_legend,
    finish,
    mark_style,
    percent,
    rough,
    sheet,
    styled,
)
from ckptsim.plots.times import time_axis
from ckptsim.units import SECOND

JOBS_DRAWN = 40
ROOMY = 12  # with no more jobs than this, marks and commits have room
TALLEST = 5.6  # inches of jobs
SCATTERED = 20  # if jobs are spread over more times their own length, each has a clock of its own
ITEM_LOOKS = {
    **{item: LOOKS[Category[item.name]] for item in Item if item.name in Category.__members__},
    Item.LOST_FAILURE: Look("lost: failure", "white", "xxxx"),
    Item.SUSPENDED: Look("suspended", PALE, "----"),
}
HELD = ("end: held or removed", "D", GREY)
FAILURE = ("end: failure", "*", BLACK)
UNKNOWN = ("end not in the log", "o", "white")
END_LOOKS = {
    End.FINISHED: ("end: completed", "P", GREEN),
    End.EVICTED: ("end: eviction", "v", ORANGE),
    End.POWER_FAILURE: ("end: power failure", "X", PURPLE),
    End.LIMIT: ("end: limit", "s", VERMILION),
    End.REMOVED: HELD,
    End.HELD: HELD,
    End.POLICY: HELD,
    End.RESCHEDULED: ("end: left, or rescheduled", ">", "white"),
    End.FAILED: FAILURE,
    End.EXCEPTION: FAILURE,
    End.UNTOLD: FAILURE,
    End.SILENT: UNKNOWN,
    End.RUNNING: UNKNOWN,
}


class Row(NamedTuple):
    """One job's stays on slots, and the time that its clock starts at; nanoseconds."""

    job: str
    stays: list[Lease | Attempt]
    zero_ns: int

    @property
    def leases(self) -> Iterator[Lease]:
        return (stay for stay in self.stays if isinstance(stay, Lease))

    @property
    def segments(self) -> Iterator[Segment]:
        resumed = False
        for stay in self.stays:
            yield from segments(stay, resumed=resumed)
            resumed = resumed or (isinstance(stay, Lease) and bool(stay.checkpoints))


def timeline_figure(found: Audit) -> Figure:
    """What the slots of each job did when; of many jobs, those that had most slot time."""
    rows = rows_of(found)
    with styled():
        figure, (axes,) = sheet(min(TALLEST, 0.6 + 0.32 * len(rows)) + 2.1)
        draw_items(axes, rows)
        draw_commits(axes, rows)
        draw_ends(axes, rows)
        job_axis(axes, rows)
        span_ns = max(stay.slot_end_ns - row.zero_ns for row in rows for stay in row.stays)
        clock = "first of these leases began" if one_clock(rows) else "job first had a slot"
        time_axis(axes, f"Time since the {clock}", 0, max(span_ns / SECOND, 1.0))
        add_legend(figure, [*item_keys(rows), *end_keys(rows)])
        return finish(figure, finding(found.whole), setting(found, rows))


def rows_of(found: Audit) -> list[Row]:
    """The jobs that are drawn, in the order in which they began."""
    most = sorted(found.accounts, key=lambda account: -account.slot_ns)[:JOBS_DRAWN]
    stays: dict[tuple[str, str], list[Lease | Attempt]] = {(a.log, a.job): [] for a in most}
    for stay in found.stays:
        if (stay.log, stay.job) in stays:
            stays[stay.log, stay.job].append(stay)
    rows = sorted((Row(job, own, 0) for (_, job), own in stays.items()), key=began)
    first, scattered = began(rows[0]), is_scattered(rows)
    return [row._replace(zero_ns=began(row) if scattered else first) for row in rows]


def began(row: Row) -> int:
    return row.stays[0].slot_start_ns


def is_scattered(rows: Sequence[Row]) -> bool:
    """Whether the jobs are too far apart in time to be seen on one clock."""
    ends = [max(stay.slot_end_ns for stay in row.stays) for row in rows]
    longest = max(end - began(row) for end, row in zip(ends, rows, strict=True))
    return max(ends) - min(map(began, rows)) > SCATTERED * max(longest, SECOND)


def one_clock(rows: Sequence[Row]) -> bool:
    return len({row.zero_ns for row in rows}) == 1


def thickness(rows: Sequence[Row]) -> float:
    """How much of the distance between two jobs the bar takes."""
    return 0.62 if len(rows) <= ROOMY else 0.84


def draw_items(axes: Axes, rows: Sequence[Row]) -> None:
    """One collection an item, of a rectangle a stretch."""
    half = thickness(rows) / 2
    for item, look in ITEM_LOOKS.items():
        corners = [
            [(start, y - half), (end, y - half), (end, y + half), (start, y + half)]
            for y, row in enumerate(rows)
            for start, end in (
                ((start - row.zero_ns) / SECOND, (end - row.zero_ns) / SECOND)
                for spent_on, start, end in row.segments
                if spent_on is item and end > start
            )
        ]
        if corners:
            axes.add_collection(PolyCollection(corners, **paint_as(look), zorder=2))


def draw_commits(axes: Axes, rows: Sequence[Row]) -> None:
    """A small tick on top of the bar for each checkpoint that was committed."""
    top = thickness(rows) / 2
    roomy = len(rows) <= ROOMY
    edges = (top, top + 0.13) if roomy else (top - 0.3, top)
    ticks = [
        [((stretch.end_ns - row.zero_ns) / SECOND, y - edge) for edge in edges]
        for y, row in enumerate(rows)
        for lease in row.leases
        for stretch in lease.checkpoints
    ]
    axes.add_collection(
        LineCollection(
            ticks, label="_commits", colors=BLACK, linewidths=1.6 if roomy else 0.6, zorder=3
        )
    )


def draw_ends(axes: Axes, rows: Sequence[Row]) -> None:
    """A mark for each end of a lease, by cause; below the bar where there is room."""
    roomy = len(rows) <= ROOMY
    size, below = (7.0, thickness(rows) / 2 + 0.07) if roomy else (max(2.6, 90 / len(rows)), 0.0)
    for (label, marker, color), ends in by_end(rows).items():
        at = [time for time, _ in ends]
        places = [place + below for _, place in ends]
        style = mark_style(marker, color, size)
        axes.plot(at, places, label=label, clip_on=False, zorder=4, **style)


def by_end(rows: Sequence[Row]) -> dict[tuple[str, str, str], list[tuple[float, int]]]:
    """The ends of leases, seconds and row, by their label, marker and colour."""
    ends: dict[tuple[str, str, str], list[tuple[float, int]]] = {}
    for y, row in enumerate(rows):
        for lease in row.leases:
            at = (lease.end_ns - row.zero_ns) / SECOND
            ends.setdefault(END_LOOKS[lease.end], []).append((at, y))
    return dict(sorted(ends.items()))


def item_keys(rows: Sequence[Row]) -> list[Artist]:
    drawn = {segment.item for row in rows for segment in row.segments}
    framed = {"edgecolor": GREY, "linewidth": 0.5}  # or white could not be seen
    return [
        Patch(**(paint_as(look) | (framed if look.color == "white" else {})), label=look.label)
        for item, look in ITEM_LOOKS.items()
        if item in drawn
    ]


def end_keys(rows: Sequence[Row]) -> list[Artist]:
    ends = [
        Line2D([], [], label=label, **mark_style(marker, color, 7))
        for label, marker, color in by_end(rows)
    ]
    commit = Line2D([], [], linestyle="", marker="|", markersize=7, color=BLACK, label="committed")
    has_commits = any(lease.checkpoints for row in rows for lease in row.leases)
    return [commit, *ends] if has_commits else [*ends]


def job_axis(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [row.job for row in rows])
    axes.tick_params(axis="y", labelsize=9 if len(rows) <= ROOMY else 5.5)
    axes.grid(visible=False, axis="y")
    axes.set_ylabel("Job (cluster.proc)")


def finding(whole: Account) -> str:
    """How much was committed, and the largest part of what was not."""
    useful = percent(whole.spent[Item.USEFUL] / max(whole.slot_ns, 1))
    told = f"Of {rough(whole.slot_ns)} of slot time, {useful} was committed"
    others = [item for item in Item if item is not Item.USEFUL and whole.spent[item]]
    if not others:
        return told
    worst = max(others, key=lambda item: whole.spent[item])
    part = percent(whole.spent[worst] / whole.slot_ns)
    return f"{told}; the largest other part: {ITEM_LOOKS[worst].label}, {part}"


def setting(found: Audit, rows: Sequence[Row]) -> str:
    """Which jobs are drawn."""
    jobs = len(found.accounts)
    if jobs > len(rows):
        return f"the {len(rows):,} of {jobs:,} jobs with most slot time; white: not on a slot"
    return "white: not on a slot"
