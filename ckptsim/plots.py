"""Pictures for papers and projectors: what the other modules found, laid out, with its units.

The only module that imports matplotlib, and never pyplot, so that no window system is touched.
Colours are Okabe and Ito's, which the colour-blind can tell apart; hatches, markers and line styles
say the same again for print in grey. Nothing depends on the user's matplotlib settings.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle, pairwise
from math import inf, isfinite, log10
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator, NullLocator
from numpy.typing import NDArray

from ckptsim.drivers.virtual import Row
from ckptsim.exact import Value
from ckptsim.ledger import LOST, Category, category_of, cause_of, slot_time
from ckptsim.lifetimes import Constant, Empirical, Law
from ckptsim.plan import MARGIN, RESERVE, Advice, Cliff, worth
from ckptsim.rules import Event, Phase, ending, on_slot
from ckptsim.units import DAY, HOUR, MINUTE, SECOND, nanoseconds, show

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

# Okabe and Ito, Color Universal Design (2008).
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE, FAINT = "#5A5A5A", "#BDBDBD", "#E6E6E6"

WIDTH, DPI = 8.0, 150  # inches and dots an inch: 1200 dots wide
FOOTER_LETTERS, TITLE_LETTERS, SUBTITLE_LETTERS = 145, 84, 112
MARGIN_LEFT = 0.012  # of the width
LINE_IN = 0.14  # inches from a footer's line to its next
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 10.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "figure.dpi": DPI,
    "figure.titlesize": 11.5,
    "figure.titleweight": "bold",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so it looks alike everywhere
    "font.size": 10,
    "grid.color": FAINT,
    "hatch.linewidth": 0.9,
    "legend.columnspacing": 1.4,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "ckptsim",
    "text.parse_math": False,  # a $ in a command is a $
}
UNDATED = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


class Look(NamedTuple):
    """How a category is drawn and what it is called."""

    label: str
    color: str
    hatch: str = ""


LOOKS = {
    Category.USEFUL: Look("useful", BLUE),
    Category.WRITE: Look("write", SKY),
    Category.TRANSFER: Look("transfer", YELLOW),
    Category.RESTART_IN_PLACE: Look("restart in place", GREEN, "----"),
    Category.RESTART_LEASE: Look("restart in a new lease", GREEN, "...."),
    Category.COLD_START: Look("cold start", GREEN, "++++"),
    Category.INPUT: Look("input transfer", PALE),
    Category.VACATING: Look("vacating", PALE, "||||"),
    Category.DISCONNECTED: Look("disconnected", BLACK),
    Category.LOST_LIMIT: Look("lost: limit", VERMILION, "////"),
    Category.LOST_EVICTION: Look("lost: eviction", ORANGE, "\\\\\\\\"),
    Category.LOST_POWER_FAILURE: Look("lost: power failure", PURPLE, "xxxx"),
}
"""The categories in the order in which they are stacked."""


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib with its own defaults and ours, whatever the user has set."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def sheet(height: float, columns: Sequence[float] = (1,)) -> tuple[Figure, list[Axes]]:
    """An empty figure with axes side by side, so wide in proportion."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    arrange(figure, wspace=0.06)
    axes = figure.subplots(1, len(columns), squeeze=False, width_ratios=list(columns))
    return figure, list(axes[0])


def arrange(figure: Figure, **settings: Any) -> None:
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(**settings)


def finish(figure: Figure, finding: str, what: str = "") -> Figure:
    """The finding as the title, below it what it was found in, and all of it in its place."""
    title = "\n".join(wrap(finding, TITLE_LETTERS))
    figure.suptitle(title, x=MARGIN_LEFT, horizontalalignment="left")
    figure.axes[0].set_title("\n".join(wrap(what, SUBTITLE_LETTERS)))
    make_room(figure, 0)
    return figure


def save(figure: Figure, path: Path, footer: str) -> None:
    """Write the figure as the ending of `path` says: png, svg or pdf."""
    path.write_bytes(rendered(figure, footer, path.suffix.lower().removeprefix(".")))


def rendered(figure: Figure, footer: str, kind: str = "png") -> bytes:
    """The figure as a png, svg or pdf, the same bytes every time.

    `footer` says what made it: the scenario's name, the seed, the command.
    """
    lines = wrap(footer, FOOTER_LETTERS, break_on_hyphens=False)
    with styled():
        style: dict[str, Any] = {"va": "bottom", "size": 7, "color": GREY}
        text = figure.text(MARGIN_LEFT, 0.01, "\n".join(lines), **style)
        make_room(figure, len(lines))
        file = BytesIO()
        try:
            figure.savefig(file, format=kind, dpi=DPI, metadata=UNDATED[kind])
        finally:
            text.remove()
    return file.getvalue()


def add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """A legend below the axes, in a single row where there is room for it."""
    columns = len(handles) if len(handles) <= 5 else 4
    figure.legend(handles=handles, loc="lower center", ncols=columns, borderaxespad=0)


def make_room(figure: Figure, lines: int) -> None:
    """Stack footer, legend and axes, and begin the subtitle where the title does."""
    height, first = figure.get_size_inches()[1], figure.axes[0]
    first.set_title(first.get_title("left"), x=0)
    for axes in figure.axes:  # so that a second layout does not begin where the first one ended
        axes.set_position((0.1, 0.1, 0.8, 0.8))
        axes.set_in_layout(True)
    free = (lines * LINE_IN + 0.08) / height if lines else 0.01
    for legend in figure.legends:
        legend.set_bbox_to_anchor((0, free, 1, 1 - free), figure.transFigure)
        figure.draw_without_rendering()
        free += legend.get_window_extent().height / figure.dpi / height + 0.01
    arrange(figure, rect=(0, free, 1, 1 - free))
    figure.draw_without_rendering()
    place = first.get_position()
    first.set_title(first.get_title("left"), x=(MARGIN_LEFT - place.x0) / place.width)


# --- time on an axis ------------------------------------------------------------------------------

TICKS_S = (
    *(1, 2, 5, 10, 20, 30),
    *(60 * n for n in (1, 2, 5, 10, 20, 30)),
    *(3600 * n for n in (1, 2, 4, 8, 12)),
    *(86400 * n for n in (1, 2, 4, 7, 14, 28, 56, 112, 224, 365, 730, 1825, 3650, 18250)),
)
STEPS = {
    (1, "s"): (1, 2, 5, 10, 20, 30, 60),
    (60, "min"): (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600),
    (3600, "h"): (0.5, 1, 2, 3, 6, 12, 24, 48),
    (86400, "days"): (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
}
"""By unit in seconds and its name: the distances from tick to tick."""
TICKS_MOST = 9


def time_axis(axes: Axes, label: str, low_s: float, high_s: float, unit: str = "") -> None:
    """A linear horizontal axis of data in seconds, told in a unit that fits its length."""
    length = high_s - low_s
    fitting = [found for found in STEPS if length >= 3 * found[0]] or [(1, "s")]
    unit_s, name = next((found for found in STEPS if found[1] == unit), fitting[-1])
    steps = STEPS[unit_s, name]
    step = next((step for step in steps if length / unit_s / step <= TICKS_MOST), steps[-1])
    axes.set_xlim(low_s, high_s)
    if length >= unit_s:
        axes.xaxis.set_major_locator(MultipleLocator(step * unit_s))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / unit_s:.6g}"))
    axes.set_xlabel(f"{label} ({name})")


def spoken_axis(axes: Axes, label: str, low_s: float, high_s: float) -> None:
    """A logarithmic horizontal axis of data in seconds, its ticks told as `30 min`, `1 h`."""
    axes.set_xscale("log")
    axes.set_xlim(low_s, high_s)
    apart = max(log10(high_s / low_s) / 14, 0.01)
    ticks = list[float]()
    for tick in TICKS_S:
        if low_s <= tick <= high_s and (not ticks or log10(tick / ticks[-1]) >= apart):
            ticks.append(tick)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: show(nanoseconds(at))))
    units = {show(nanoseconds(tick)).split()[1] for tick in ticks} or {"s"}
    axes.set_xlabel(
        f"{label} ({', '.join(unit for unit in ('s', 'min', 'h', 'd') if unit in units)})"
    )


def percent(share: float) -> str:
    """A share for people, to a tenth of a percent."""
    return f"{100 * share:.1f} %"


def rough(ns: int) -> str:
    """A time for people, no finer than it needs to be to be remembered."""
    finest = HOUR if ns >= 5 * DAY else MINUTE if ns >= HOUR else 1
    return show(round(ns / finest) * finest)


def ink(color: str) -> str:
    """Black or white, whichever can be read on the colour."""
    red, green, blue = to_rgb(color)
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.4 else "white"


# --- the saw-tooth --------------------------------------------------------------------------------

SHOWN = 0.75  # of the best: intervals worth less are left out at both ends
DEEPEST = 0.5  # of the best: what is worth less falls out of the picture at the bottom
FINE = 400  # points of the curve besides those the search looked at
NAMED_CLIFFS = 5  # so many of the cliffs nearest to the answer are named, where there is room
APART = 0.07  # of the axis's length: room for a cliff's name
STEPS_MOST = 200  # with no more natural steps in view each is a dot


def plan_figure(advice: Advice) -> Figure:
    """What each interval is worth: the saw-tooth, its flat parts, and where the answers lie."""
    with styled():
        figure, (axes,) = sheet(5.2)
        low, high = window(advice)
        name = "Interval: computing between two checkpoints"
        spoken_axis(axes, name, low / SECOND, high / SECOND)
        draw_curve(axes, advice, low, high)
        draw_flat(axes, advice)
        draw_spread(axes, advice)
        draw_formulas(axes, advice)
        draw_answers(axes, advice)
        draw_cliffs(axes, advice, low, high)
        axes.set_ylabel(f"Useful fraction (% of {whole_of(advice)})")
        figure.legend(loc="lower center", borderaxespad=0, ncols=3)
        return finish(figure, plan_finding(advice), setting(advice))


def window(advice: Advice) -> tuple[int, int]:
    """The intervals to show, ns: all that are any good, and those that are marked."""
    enough = SHOWN * worth(advice.best)
    shown = [value.interval for value in advice.search.curve if worth(value) >= enough]
    shown += [int(found * SECOND) for _, found, _ in formulas(advice)]
    shown += [value.interval for value in (advice.present, *advice.asked) if value is not None]
    low, high = min(shown), max(shown)
    room = max(high / low, 1.2)
    return max(int(low / room**0.02), 1), int(high * room**0.04) + 2


def points(values: Sequence[Value]) -> tuple[Floats, Floats]:
    """Intervals in seconds and what they are worth in percent."""
    return (
        np.array([value.interval / SECOND for value in values]),
        np.array([100 * worth(value) for value in values]),
    )


def draw_curve(axes: Axes, advice: Advice, low: int, high: int) -> None:
    """The worth of every interval in view; the cliffs are drawn over it."""
    step = advice.scenario.job.step
    values = in_view(advice, low, high)
    style: dict[str, Any] = {"color": BLUE, "linewidth": 1.8, "solid_joinstyle": "miter"}
    if step is not None and (high - low) // step <= STEPS_MOST:
        style = {"color": SKY, "linewidth": 1, "marker": "o", "markersize": 5, "mfc": BLUE}
    axes.plot(*points(values), **style, zorder=3, label="_curve")
    heights = points(values)[1]
    bottom, top = max(heights.min(), DEEPEST * heights.max()), heights.max()
    bottom = min([bottom, *(100 * worth(value) for value in (advice.present,) if value)])
    room = max(top - bottom, 1.0)
    axes.set_ylim(bottom - 0.15 * room, top + 0.1 * room)


def in_view(advice: Advice, low: int, high: int) -> list[Value]:
    """What the search knows and a finer grid, with the search's natural steps; by interval."""
    search = advice.search
    known = {value.interval: value for value in search.curve if low <= value.interval <= high}
    low, high = max(low, search.span.low), min(high, search.span.high)
    grid = np.geomspace(low, high, FINE).astype(np.int64) // search.step * search.step
    finer = (search.solver.value(at) for at in grid.tolist() if at >= low and at not in known)
    return sorted([*known.values(), *finer])


def draw_flat(axes: Axes, advice: Advice) -> None:
    """The intervals that are within a margin of the best, also where that is a single one."""
    label = f"within {100 * MARGIN:.0f} % of the best"
    for low, high in advice.flat:
        style: dict[str, Any] = {"facecolor": GREEN, "edgecolor": GREEN, "linewidth": 0.8}
        axes.axvspan(low / SECOND, high / SECOND, alpha=0.28, label=label, **style)
        label = "_more"


def draw_spread(axes: Axes, advice: Advice) -> None:
    """Where the answer lies 95 times in 100 when the observed lifetimes are drawn again."""
    if advice.spread is not None:
        low, high = advice.spread.interval_low / SECOND, advice.spread.interval_high / SECOND
        label = "95 % of the bootstrap's best"
        style: dict[str, Any] = {"color": ORANGE, "alpha": 0.22, "linewidth": 0, "zorder": 0.5}
        axes.axvspan(low, high, label=label, **style)


def formulas(advice: Advice) -> list[tuple[str, float, str]]:
    """The name, the interval in seconds and the line style of each formula that has an answer."""
    found = (
        ("Young", advice.classic.young_s, "--"),
        ("Daly", advice.classic.daly_higher_order_s, ":"),
    )
    return [(name, at, style) for name, at, style in found if at is not None and at > 0]


def draw_formulas(axes: Axes, advice: Advice) -> None:
    for name, at, style in formulas(advice):
        label = f"{name}: {rough(nanoseconds(at))}"
        axes.axvline(at, color=BLACK, linestyle=style, linewidth=1.3, label=label)


def draw_answers(axes: Axes, advice: Advice) -> None:
    """The best, the one with a reserve, the present one, and those asked for."""
    mark(axes, [advice.best], told("best", advice.best), "*", VERMILION, 16, 6)
    if advice.reserve.interval != advice.best.interval:
        label = told(f"for {100 * RESERVE:.0f} % longer costs", advice.reserve)
        mark(axes, [advice.reserve], label, "D", YELLOW, 5, 7)
    if advice.present is not None:
        mark(axes, [advice.present], told("present", advice.present), "s", ORANGE, 8, 5)
    if advice.asked:
        mark(axes, advice.asked, "asked for", "o", "white", 5, 4.5)


def mark(
    axes: Axes,
    values: Sequence[Value],
    label: str,
    marker: str,
    color: str,
    size: float,
    order: float,
) -> None:
    style = mark_style(marker, color, size)
    axes.plot(*points(values), label=label, zorder=order, **style)


def told(name: str, value: Value) -> str:
    return f"{name}: {show(value.interval)}, {percent(worth(value))}"


def draw_cliffs(axes: Axes, advice: Advice, low: int, high: int) -> None:
    """A true drop at each sheer cliff; those nearest to the answer by name."""
    inside = [c for c in advice.cliffs if low <= c.at.interval < c.beyond.interval <= high]
    sheer = [cliff for cliff in inside if cliff.is_sheer]
    drops = [np.column_stack(points([cliff.at, cliff.beyond])) for cliff in sheer]
    width = 1.8 if advice.scenario.job.step is None else 0
    style: dict[str, Any] = {"colors": BLUE, "linewidths": width, "zorder": 3}
    axes.add_collection(LineCollection(drops, label="_cliffs", **style), autolim=False)
    apart = APART * log10(high / low)
    for cliff in to_name(advice, inside, apart):
        name = cliff_name(cliff)
        if cliff is advice.cliff_above and name[0].isdigit():
            name = f"{name}\ncheckpoints"
        write_below(axes, cliff.beyond.interval / SECOND, foot_of(advice, cliff, apart), name)


def foot_of(advice: Advice, cliff: Cliff, apart: float) -> float:
    """The lowest point of the curve near a cliff's foot, in percent: there is room below it."""
    place = log10(cliff.beyond.interval)
    near = (v for v in advice.search.curve if abs(log10(v.interval) - place) < 0.6 * apart)
    return 100 * min(map(worth, near))


def to_name(advice: Advice, cliffs: Sequence[Cliff], apart: float) -> list[Cliff]:
    """The cliffs nearest to the answer, the one above it first, no two of them too close."""
    above, best = advice.cliff_above, log10(advice.best.interval)
    place = {cliff: log10(cliff.at.interval) for cliff in cliffs}
    near = sorted(cliffs, key=lambda cliff: (cliff is not above, abs(place[cliff] - best)))
    named = list[Cliff]()
    for cliff in near[:NAMED_CLIFFS]:
        if all(abs(place[cliff] - place[other]) >= apart for other in named):
            named.append(cliff)
    return named


def write_below(axes: Axes, at: float, foot: float, name: str) -> None:
    """A cliff's name at the foot of the drop, or where the picture ends if that is further up."""
    bottom, top = axes.get_ylim()
    foot = max(foot, bottom + 0.09 * (top - bottom))
    right = axes.transAxes.inverted().transform(axes.transData.transform((at, foot)))[0] > 0.94
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8}
    style: dict[str, Any] = {"va": "top", "size": 9, "linespacing": 0.95, "zorder": 4}
    place: dict[str, Any] = (
        {"ha": "right", "xytext": (-4, -6)} if right else {"ha": "center", "xytext": (0, -6)}
    )
    axes.annotate(
        name, (at, foot), textcoords="offset points", bbox=ground, **style, **place
    ).set_in_layout(False)


def cliff_name(cliff: Cliff) -> str:
    """How many checkpoints fit before and after; where no limit tells, what it costs."""
    before, after = cliff.at.fitting, cliff.beyond.fitting
    if before is None or after is None or before == after:
        return f"−{100 * cliff.loss:.1f} points"
    return f"{before} → {after}"


def whole_of(advice: Advice) -> str:
    """What the useful fraction is a fraction of: gaps belong to it where there are any."""
    return "slot time and gaps" if advice.best.gap_s else "slot time"


def plan_finding(advice: Advice) -> str:
    useful = f"{percent(worth(advice.best))} of {whole_of(advice)} is useful"
    now = "" if advice.present is None else f", {percent(worth(advice.present))} at present"
    return f"Checkpoint every {show(advice.best.interval)}: {useful}{now}"


def setting(advice: Advice) -> str:
    """The scenario in a line, without what is none."""
    scenario = advice.scenario
    limit = [f"limit {show(scenario.slots.limit)}"] if scenario.slots.limit is not None else []
    laws = {
        "evictions": scenario.slots.evictions,
        "power failures": scenario.slots.power_failures,
        "write": scenario.job.write,
        "transfer": scenario.job.transfer,
        "restart": scenario.job.restart_in_place,
        "gap": scenario.slots.gap,
    }
    named = [f"{name} {law_name(law)}" for name, law in laws.items() if 0 < law.mean < inf]
    return " · ".join([scenario.name, *limit, *named])


def law_name(law: Law) -> str:
    """The law as it is written, without the folder of a file or the values of a list."""
    match law:
        case Constant(value):
            return show(nanoseconds(value))
        case Empirical():
            return f"of {len(law.values):,} observed lifetimes"
    return law.describe()


# --- where slot time went -------------------------------------------------------------------------

BAR = 0.62  # of the distance between two slots
LEDGER_BAR = 0.5  # of the distance between two ledgers, with room for what is written below
ROOM_FOR_NUMBER = 0.055  # of an axis: narrower pieces have their numbers below the bar
BELOW_LETTERS = 78  # in a line below the bar
UNBROKEN = "\N{NO-BREAK SPACE}"
WASTE = [category for category in LOOKS if category != Category.USEFUL]


def ledger_figure(shares: Mapping[str, Sequence[int]]) -> Figure:
    """Where slot time went, one bar a ledger: the whole, and what was not useful enlarged."""
    assert shares
    with styled():
        figure, (whole, wasted) = sheet(2.4 + 0.72 * len(shares), (1, 2.1))
        scale = max([*map(wasted_share, shares.values()), 1e-6]) * 1.16
        for place, books in enumerate(shares.values()):
            draw_bar(whole, place, books, list(LOOKS), 2.1)
            draw_bar(wasted, place, books, WASTE, scale)
            write_beside(wasted, place, books, scale)
        whole.set_xlim(0, 100)
        wasted.set_xlim(0, 100 * scale)
        name_bars(whole, wasted, list(shares))
        add_legend(figure, keys(used(shares.values())))
        return finish(figure, ledger_finding(shares), slot_hours(shares))


def name_bars(whole: Axes, wasted: Axes, names: Sequence[str]) -> None:
    for axes in (whole, wasted):
        axes.set_ylim(len(names) - 0.35, -0.45)
        axes.grid(visible=False, axis="y")
        axes.set_yticks(range(len(names)), names if axes is whole else [""] * len(names))
        axes.tick_params(axis="y", length=0)
    whole.set_xlabel("All slot time (%)")
    wasted.set_xlabel("What was not useful, enlarged (% of all slot time)")


def share(books: Sequence[int], category: Category) -> float:
    """A category's share of slot time; 0 where there was none."""
    return books[category] / max(slot_time(books), 1)


def wasted_share(books: Sequence[int]) -> float:
    return sum(share(books, category) for category in WASTE)


def has_room(found: float, scale: float) -> bool:
    return found >= ROOM_FOR_NUMBER * scale


def draw_bar(
    axes: Axes, place: int, books: Sequence[int], order: Iterable[Category], scale: float
) -> None:
    """One stacked bar, with the share in every piece that is wide enough for it."""
    left = 0.0
    for category in order:
        found = share(books, category)
        if found:
            axes.barh(place, 100 * found, LEDGER_BAR, left, **paint(category))
        if has_room(found, scale):
            write_in(axes, left + 50 * found, place, f"{100 * found:.1f}", category)
        left += 100 * found


def write_in(axes: Axes, x: float, y: float, text: str, category: Category) -> None:
    """A number on a piece; on hatches it has a ground of its own."""
    look = LOOKS[category]
    ground = {"facecolor": look.color, "edgecolor": "none", "pad": 1.0} if look.hatch else None
    axes.text(x, y, text, color=ink(look.color), bbox=ground, size=9, ha="center", va="center")


def write_beside(axes: Axes, place: int, books: Sequence[int], scale: float) -> None:
    """The whole beside the bar; below it what is too narrow for a number of its own."""
    style: dict[str, Any] = {"textcoords": "offset points", "in_layout": False}
    total = 100 * wasted_share(books)
    axes.annotate(f"{total:.1f} %", (total, place), (5, 0), va="center", weight="bold", **style)
    found = {LOOKS[category].label: share(books, category) for category in WASTE}
    narrow = [
        f"{label.removeprefix('lost: ')} {tenths(part)}".replace(" ", UNBROKEN)
        for label, part in found.items()
        if part and not has_room(part, scale)
    ]
    below = (0, place + LEDGER_BAR / 2)
    text = "\n".join(wrap(f"{UNBROKEN}· ".join(narrow), BELOW_LETTERS))
    axes.annotate(text, below, (0, -2), va="top", size=7.5, color=GREY, **style)


def tenths(part: float) -> str:
    return f"{100 * part:.1f}" if part >= 0.0005 else "<0.1"


def paint(category: Category) -> dict[str, Any]:
    """The colours and the hatch of a category, for patches and collections."""
    look = LOOKS[category]
    return {
        "facecolor": look.color,
        "edgecolor": ink(look.color) if look.hatch else "none",
        "hatch": look.hatch or None,
        "linewidth": 0,
    }


def used(ledgers: Iterable[Sequence[int]]) -> list[Category]:
    """The categories that any of the ledgers has time in."""
    books = list(ledgers)
    return [category for category in LOOKS if any(found[category] for found in books)]


def keys(categories: Iterable[Category]) -> list[Patch]:
    return [Patch(**paint(category), label=LOOKS[category].label) for category in categories]


def ledger_finding(shares: Mapping[str, Sequence[int]]) -> str:
    best = max(shares, key=lambda label: share(shares[label], Category.USEFUL))
    useful = percent(share(shares[best], Category.USEFUL))
    if len(shares) == 1:
        return f"{useful} of slot time became committed work"
    return f"Most slot time is useful with {best}: {useful}"


def slot_hours(shares: Mapping[str, Sequence[int]]) -> str:
    """The whole that the shares are of."""
    hours = [f"{slot_time(books) / HOUR:,.0f} h" for books in shares.values()]
    return f"of {', '.join(hours)} of slot time"


# --- what happened when ---------------------------------------------------------------------------


class Segment(NamedTuple):
    """A stretch of a slot's time in one category; nanoseconds."""

    slot: int
    job: int
    start: int
    end: int
    category: Category


class Moment(NamedTuple):
    """A commit (event None), or the end of a lease and what ended it; nanoseconds."""

    slot: int
    time: int
    event: Event | None
    completed: bool


def leases(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each lease of a trace, in the order in which the leases began."""
    found: list[list[Row]] = []
    current: dict[int, list[Row]] = {}
    for row in rows:
        if row.event == Event.PLACED:
            current[row.slot] = []
            found.append(current[row.slot])
        current[row.slot].append(row)
    return found


def segments(rows: Iterable[Row]) -> list[Segment]:
    """All slot time of a trace by category; what a trace that was cut off leaves open is not in."""
    return [segment for lease in leases(rows) for segment in segments_of(lease)]


def segments_of(lease: Sequence[Row]) -> Iterator[Segment]:
    """One lease's; a block of computation counts when it is known what became of it."""
    block: tuple[int, int] | None = None
    for before, after in pairwise(lease):
        if before.phase == Phase.COMPUTING:
            block = before.time, after.time
        else:
            yield Segment(after.slot, after.job, before.time, after.time, category_of(before.phase))
        if block and (after.saved > before.saved or not after.unsaved):
            committed = after.saved > before.saved
            category = Category.USEFUL if committed else cause_of(after.event)
            yield Segment(after.slot, after.job, *block, category)
            block = None


def moments(rows: Iterable[Row]) -> list[Moment]:
    """The commits and the ends of leases of a trace."""
    return [moment for lease in leases(rows) for moment in moments_of(lease)]


def moments_of(lease: Sequence[Row]) -> Iterator[Moment]:
    for before, after in pairwise(lease):
        completed = after.phase == Phase.COMPLETED
        if after.saved > before.saved and not completed:
            yield Moment(after.slot, after.time, None, completed)
        if not on_slot(after.phase):
            yield Moment(after.slot, after.time, ending(before.phase, after.event), completed)


ENDINGS = {
    Event.EXPIRED: ("end: limit", "s", VERMILION),
    Event.WARNED: ("end: eviction", "v", ORANGE),
    Event.EVICTED: ("end: eviction", "v", ORANGE),
    Event.POWERED_OFF: ("end: power failure", "X", PURPLE),
    Event.ELAPSED: ("end: left, or rescheduled", ">", "white"),
}
COMPLETION = ("end: completed", "P", GREEN)
LEASES_SHOWN = 4  # a slot, as the picture's length unless the caller says otherwise
ROOMY = 12  # with no more slots than this, marks have room
TALLEST = 4.8  # inches of slots


def gantt_figure(rows: Sequence[Row], slots: int, until: int | None = None) -> Figure:
    """What each slot did when, from the trace of one replication, up to `until` (ns)."""
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
        return finish(figure, *gantt_finding(shown, until, slots))


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


def mark_style(marker: str, color: str, size: float) -> dict[str, Any]:
    edge = {"markeredgecolor": BLACK, "markeredgewidth": min(0.12 * size, 1.0)}
    return {"linestyle": "", "marker": marker, "markersize": size, "color": color, **edge}


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


def gantt_finding(shown: Sequence[Segment], until: int, slots: int) -> tuple[str, str]:
    """The share of slot time that is useful in what is shown."""
    length = sum(segment.end - segment.start for segment in shown)
    useful = sum(s.end - s.start for s in shown if s.category == Category.USEFUL)
    part = percent(useful / max(length, 1))
    named = "one slot" if slots == 1 else f"{slots:,} slots"
    title = f"In the first {rough(until)}, {part} of slot time became committed work"
    return title, f"{named}; white: no job on the slot"


# --- makespans ------------------------------------------------------------------------------------


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
        for order, at in ordered.items():
            if isfinite(at):
                draw_quantile(axes, order, at, share_done)
        if mean is not None and isfinite(mean):
            label = f"mean: {rough(nanoseconds(mean))}"
            axes.axvline(mean, color=VERMILION, linestyle="--", linewidth=1.5, label=label)
        axes.set_ylim(0, 104)
        axes.set_ylabel("Jobs completed (%)")
        axes.legend(loc="lower right", frameon=True, edgecolor="none", framealpha=0.9)
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


def draw_quantile(axes: Axes, order: float, at: float, share_done: float) -> None:
    """A point with a line to its time; its name on the free side of the curve."""
    height = 100 * order * share_done
    axes.vlines(at, 0, height, color=GREY, linewidth=0.9, linestyle=":")
    axes.plot(at, height, zorder=4, **mark_style("o", "white", 6))
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8}
    style: dict[str, Any] = {"textcoords": "offset points", "size": 9.5, "bbox": ground}
    text = f"{100 * order:g} %: {rough(nanoseconds(at))}"
    place: dict[str, Any] = {"xytext": (9, -3), "ha": "left", "va": "center"}
    if order > 0.5:
        place = {"xytext": (-9, 3), "ha": "right", "va": "center"}
    axes.annotate(text, (at, height), **style, **place).set_in_layout(False)


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


# --- sweeps ---------------------------------------------------------------------------------------

CELLS_PRINTED = 150
COUNTS = ("count", "seed", "replications")  # keys of the scenario that are numbers, not times


@dataclass(frozen=True)
class Scale:
    """How a column is told: a key of the scenario or a measure.

    Seconds where the name ends in `_s`; measures are shares where it has `fraction` or `share` in
    it; keys may be numbers, or words such as laws.
    """

    column: str

    @property
    def name(self) -> str:
        """A key as it is, a measure in words."""
        bare = self.column.removesuffix("_s")
        return bare if self.is_key else bare.replace("_", " ").capitalize()

    @property
    def is_key(self) -> bool:
        return "." in self.column or self.column in COUNTS

    @property
    def is_time(self) -> bool:
        return self.column.endswith("_s")

    @property
    def is_share(self) -> bool:
        return not self.is_key and ("fraction" in self.column or "share" in self.column)

    @property
    def label(self) -> str:
        return f"{self.name} ({'%' if self.is_share else 'h' if self.is_time else 'number'})"

    def drawn(self, values: Any) -> Floats:
        """The numbers as they are drawn: percent, hours, or as they are."""
        factor = 100.0 if self.is_share else 1 / 3600 if self.is_time else 1.0
        return np.asarray(values, np.float64) * factor

    def told(self, value: float | str) -> str:
        """One value for people."""
        if isinstance(value, str):
            return value
        if self.is_share:
            return percent(value)
        return show(nanoseconds(value)) if self.is_time else f"{value:g}"

    def best(self, values: Any) -> int | None:
        """The place of the best: of times the shortest, of all else the most."""
        numbers = np.asarray(values, np.float64) * (-1 if self.is_time else 1)
        return None if np.isnan(numbers).all() else int(np.nanargmax(numbers))


def sweep_figure(
    frame: "pd.DataFrame", keys: Sequence[str], measure: str = "useful_fraction"
) -> Figure:
    """A measure over one key as a line with its 99 % band, over two keys as a map."""
    assert len(keys) in (1, 2)
    with styled():
        figure, (axes,) = sheet(4.8)
        if len(keys) == 1:
            draw_line(axes, frame, Scale(keys[0]), Scale(measure))
            figure.legend(loc="lower center", ncols=3, borderaxespad=0)
        else:
            image = draw_map(axes, frame, Scale(keys[0]), Scale(keys[1]), Scale(measure))
            figure.colorbar(image, ax=axes, label=Scale(measure).label, pad=0.02)
        return finish(figure, sweep_finding(frame, keys, Scale(measure)))


def sweep_finding(frame: "pd.DataFrame", keys: Sequence[str], scale: Scale) -> str:
    best = scale.best(frame[scale.column])
    if best is None:
        return f"{scale.name}: none, at no setting"
    row = frame.iloc[best]
    at = ", ".join(f"{Scale(key).name} = {Scale(key).told(row[key])}" for key in keys)
    return f"{scale.name} is best at {at}: {scale.told(row[scale.column])}"


def settings(frame: "pd.DataFrame", key: Scale) -> list[float | str]:
    """The values of a key, each once: numbers in their order, before words in the frame's."""
    found = list(dict.fromkeys(frame[key.column].tolist()))
    words = [value for value in found if isinstance(value, str)]
    return [*sorted(value for value in found if not isinstance(value, str)), *words]


def draw_line(axes: Axes, frame: "pd.DataFrame", key: Scale, scale: Scale) -> None:
    """The measure at each setting; words have places one after another."""
    found = settings(frame, key)
    rows = frame.set_index(key.column).loc[found]
    at = key_axis(axes, key, found)
    low, high = (f"{scale.column}_{end}" for end in ("low", "high"))
    if low in frame and high in frame:
        band = scale.drawn(rows[low]), scale.drawn(rows[high])
        axes.fill_between(at, *band, color=SKY, alpha=0.45, linewidth=0, label="99 % confidence")
    heights = scale.drawn(rows[scale.column])
    name = scale.name.lower()
    axes.plot(at, heights, "o-", color=BLUE, markersize=4, linewidth=1.6, label=name)
    best = scale.best(rows[scale.column])
    if best is not None:
        style = mark_style("*", VERMILION, 14)
        axes.plot(at[best], heights[best], label="best", zorder=4, **style)
    axes.set_ylabel(scale.label)


def key_axis(axes: Axes, key: Scale, found: Sequence[float | str]) -> Floats:
    """Where the settings are drawn, on an axis that suits them: one of times, numbers or words."""
    if any(isinstance(value, str) for value in found):
        name_places(axes, key, found, vertical=False)
        return np.arange(len(found), dtype=np.float64)
    at = np.asarray(found, np.float64)
    low, high = float(at.min()), float(at.max())
    if not key.is_time:
        axes.set_xlabel(f"{key.name} (number)")
    elif low > 0 and high / low > 12:
        room = (high / low) ** 0.03
        spoken_axis(axes, key.name, low / room, high * room)
    else:
        room = max(0.03 * (high - low), 0.01 * high, 1e-3)
        time_axis(axes, key.name, low - room, high + room)
    return at


def draw_map(
    axes: Axes, frame: "pd.DataFrame", across: Scale, up: Scale, scale: Scale
) -> AxesImage:
    """Cells of even size, whatever the steps of the keys; the best has a frame."""
    columns, rows = settings(frame, across), settings(frame, up)
    cells = np.full((len(rows), len(columns)), np.nan)
    places = zip(frame[up.column], frame[across.column], frame[scale.column], strict=True)
    for row, column, value in places:
        cells[rows.index(row), columns.index(column)] = value
    numbers = scale.drawn(cells)
    image = axes.imshow(numbers, cmap="cividis", aspect="auto", origin="lower")
    name_places(axes, across, columns, vertical=False)
    name_places(axes, up, rows, vertical=True)
    axes.grid(visible=False)
    if numbers.size <= CELLS_PRINTED:
        print_cells(axes, numbers, scale)
    best = scale.best(cells.ravel())
    if best is not None:
        row, column = divmod(best, len(columns))
        style: dict[str, Any] = {"fill": False, "edgecolor": VERMILION, "linewidth": 3}
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, clip_on=False, **style))
    return image


def name_places(axes: Axes, key: Scale, found: Sequence[float | str], *, vertical: bool) -> None:
    """Name every setting on its axis, or as many as there is room for."""
    told = [key.told(value) for value in found]
    numbers = [key.told(value) for value in found if not isinstance(value, str)]
    units = sorted({word for name in numbers for word in name.split() if word.isalpha()})
    step = -(-len(told) // 14)
    places = range(0, len(told), step)
    letters = 20 if vertical else max(7, 76 // len(places))
    bound = [re.sub(r"(?<=[0-9]) (?=[a-z])", UNBROKEN, name) for name in told]
    names = ["\n".join(wrap(name, letters, break_long_words=False)) for name in bound]
    axis = axes.yaxis if vertical else axes.xaxis
    axis.set_ticks(places, [names[place] for place in places])
    unit = ", ".join(units) or ("number" if numbers else "setting")
    axis.set_label_text(f"{key.name} ({unit})")


def print_cells(axes: Axes, numbers: Floats, scale: Scale) -> None:
    known = numbers[np.isfinite(numbers)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    digits = 1 if scale.is_share or high < 100 else 0
    for (row, column), number in np.ndenumerate(numbers):
        dark = number < low + 0.55 * (high - low)
        style: dict[str, Any] = {"ha": "center", "va": "center", "size": 8.5}
        text = f"{number:.{digits}f}" if isfinite(number) else "never"
        color = "black" if not isfinite(number) or not dark else "white"
        axes.text(column, row, text, color=color, **style)


# --- survival -------------------------------------------------------------------------------------

LINES = ((VERMILION, "--"), (GREEN, "-."), (PURPLE, ":"), (ORANGE, (0, (6, 1, 1, 1, 1, 1))))


def survival_figure(
    times_s: Sequence[float] | Floats,
    survival: Sequence[float] | Floats,
    low: Sequence[float] | Floats,
    high: Sequence[float] | Floats,
    laws: Mapping[str, tuple[Sequence[float] | Floats, Sequence[float] | Floats]],
    censored_s: Sequence[float] | Floats = (),
    end: str = "eviction",
) -> Figure:
    """Kaplan-Meier's estimate with its band, laws over it, and a tick for each censored time."""
    at = np.concatenate([[0.0], np.asarray(times_s, np.float64)])
    steps, lows, highs = (
        100 * np.concatenate([[1.0], np.asarray(values, np.float64)])
        for values in (survival, low, high)
    )
    censored = np.asarray(censored_s, np.float64)
    with styled():
        figure, (axes,) = sheet(4.8)
        band: dict[str, Any] = {"step": "post", "color": PALE, "alpha": 0.6, "linewidth": 0}
        axes.fill_between(at, lows, highs, label="95 % band", **band)
        axes.step(at, steps, where="post", color=BLACK, linewidth=1.8, label="Kaplan-Meier")
        draw_laws(axes, laws)
        draw_censored(axes, at, steps, censored)
        time_axis(axes, "Age of the lease", 0, 1.02 * max(at[-1], *censored, 1.0))
        axes.set_ylim(0, 103)
        axes.set_ylabel(f"Leases without {end} yet (%)")
        axes.legend(loc="upper right", frameon=True, edgecolor="none", framealpha=0.9)
        return finish(figure, survival_finding(at, steps, end))


def draw_laws(
    axes: Axes, laws: Mapping[str, tuple[Sequence[float] | Floats, Sequence[float] | Floats]]
) -> None:
    for (name, (x, y)), (color, style) in zip(laws.items(), cycle(LINES), strict=False):
        drawn = 100 * np.asarray(y, np.float64)
        axes.plot(x, drawn, color=color, linestyle=style, linewidth=1.8, label=name)


def draw_censored(axes: Axes, at: Floats, steps: Floats, censored_s: Floats) -> None:
    """A tick on the estimate for each lifetime that something else cut short."""
    if len(censored_s):
        heights = [steps[bisect_right(at.tolist(), found) - 1] for found in censored_s]
        label = f"cut short by something else ({len(censored_s):,})"
        axes.plot(censored_s, heights, "|", color=BLUE, markersize=7, label=label, alpha=0.8)


def survival_finding(at: Floats, steps: Floats, end: str) -> str:
    below = np.flatnonzero(steps <= 50)
    if len(below):
        return (
            f"Half of the leases would meet their {end} within {rough(nanoseconds(at[below[0]]))}"
        )
    return f"{steps[-1]:.0f} % of the leases last {rough(nanoseconds(at[-1]))} without {end}"


# --- the lesson -----------------------------------------------------------------------------------


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


__all__ = [
    "Moment",
    "Segment",
    "gantt_figure",
    "ledger_figure",
    "lesson_figure",
    "makespan_figure",
    "moments",
    "plan_figure",
    "rendered",
    "save",
    "segments",
    "survival_figure",
    "sweep_figure",
]
