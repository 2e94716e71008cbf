"""The saw-tooth: what each interval is worth, and where the answers lie."""

from collections.abc import Sequence
from itertools import cycle
from math import log10
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ckptsim.exact import Value
from ckptsim.formulas import Formula
from ckptsim.makespan import values_of
from ckptsim.plan import Advice
from ckptsim.plots.answers import (
    DEEPEST,
    in_steps,
    interval_name,
    mark_useful,
    points,
    setting,
    whole_of,
    window,
)
from ckptsim.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    SKY,
    UNBROKEN,
    add_legend,
    finish,
    lines,
    mark_style,
    percent,
    rough,
    sheet,
    styled,
)
from ckptsim.plots.times import spoken_axis
from ckptsim.search import Cliff, Range, worth
from ckptsim.units import SECOND, show

FINE = 400  # points of the curve besides those the search looked at
NAMED_CLIFFS = 5  # so many of the cliffs nearest to the answer are named, where there is room
APART = 0.07  # of the axis's length: room for a cliff's name
ALIKE = 0.008  # of the axis's length: formulas nearer to each other share a line of the legend
LABEL_LETTERS = 36  # in a line of the legend
DASHES: tuple[Any, ...] = ("--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 4)))


def plan_figure(advice: Advice) -> Figure:
    """What each interval is worth: the saw-tooth, its flat parts, and where the answers lie."""
    with styled():
        figure, (axes,) = sheet(5.2)
        shown = window(advice)
        name = interval_name(advice)
        spoken_axis(axes, name, shown.low / SECOND, shown.high / SECOND)
        draw_curve(axes, advice, shown)
        draw_flat(axes, advice)
        draw_spread(axes, advice)
        mark_useful(axes, advice)
        if advice.asked:
            style = mark_style("o", "white", 5)
            axes.plot(*points(advice.asked), label="asked for", zorder=4.5, **style)
        draw_formulas(axes, advice, shown)
        draw_cliffs(axes, advice, shown)
        axes.set_ylabel(f"Useful fraction (% of {whole_of(advice)})")
        add_legend(figure, axes.get_legend_handles_labels()[0])
        return finish(figure, plan_finding(advice), setting(advice))


def draw_curve(axes: Axes, advice: Advice, shown: Range) -> None:
    """The worth of every interval in view; the cliffs are drawn over it."""
    style: dict[str, Any] = {"color": BLUE, "linewidth": 1.8, "solid_joinstyle": "miter"}
    if in_steps(advice, shown):
        style = {"color": SKY, "linewidth": 1, "marker": "o", "markersize": 5, "mfc": BLUE}
    at, heights = points(in_view(advice, shown))
    axes.plot(at, heights, **style, zorder=3, label="_curve")
    bottom, top = max(heights.min(), DEEPEST * heights.max()), heights.max()
    bottom = min([bottom, *(100 * worth(value) for value in (advice.present,) if value)])
    room = max(top - bottom, 1.0)
    axes.set_ylim(bottom - 0.15 * room, top + 0.1 * room)


def in_view(advice: Advice, shown: Range) -> list[Value]:
    """What the search knows and a finer grid, with the search's natural steps; by interval."""
    search = advice.search
    known = {v.interval: v for v in search.curve if shown.low <= v.interval <= shown.high}
    low, high = max(shown.low, search.span.low), min(shown.high, search.span.high)
    grid = np.geomspace(low, high, FINE).astype(np.int64) // search.step * search.step
    finer = sorted({at for at in grid.tolist() if at >= low} - set(known))
    return sorted([*known.values(), *values_of(search.solver, finer)])


def draw_flat(axes: Axes, advice: Advice) -> None:
    """The intervals that are within a margin of the best, also where that is a single one."""
    label = f"within {100 * advice.margin:g} % of the best"
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


def draw_formulas(axes: Axes, advice: Advice, shown: Range) -> None:
    """A line for each formula; those of no use here are named in the legend alone."""
    inside = [f for f in advice.formulas if shown.low <= f.value.interval <= shown.high]
    for group, dashes in zip(alike(inside, shown), cycle(DASHES), strict=False):
        label = formulas_name(group)
        for formula in group:
            style: dict[str, Any] = {"color": BLACK, "linewidth": 1.1, "linestyle": dashes}
            axes.axvline(formula.value.interval / SECOND, label=label, zorder=2.5, **style)
            label = "_more"
    for formula in advice.formulas:
        if formula not in inside:
            useful = f"{percent(worth(formula.value))}, out of view"
            axes.plot([], [], linestyle="", label=f"{formulas_name([formula])},\n{useful}")


def alike(formulas: Sequence[Formula], shown: Range) -> list[list[Formula]]:
    """The formulas by interval, in groups whose lines lie on one another."""
    groups: list[list[Formula]] = []
    apart = (shown.high / shown.low) ** ALIKE
    for formula in sorted(formulas, key=lambda each: each.value.interval):
        if groups and formula.value.interval < apart * groups[-1][-1].value.interval:
            groups[-1].append(formula)
        else:
            groups.append([formula])
    return groups


def formulas_name(group: Sequence[Formula]) -> str:
    """Their names and intervals, from the first to the last; one author's together."""
    ends = dict.fromkeys(rough(group[n].value.interval) for n in (0, -1))
    authors = [formula.name.split(",")[0] for formula in group]
    names = dict.fromkeys(
        (author if authors.count(author) > 1 else formula.name).replace(" ", UNBROKEN)
        for author, formula in zip(authors, group, strict=True)
    )
    told = " – ".join(ends).replace(" ", UNBROKEN)
    return lines(f"{', '.join(names)}: {told}", LABEL_LETTERS)


def draw_cliffs(axes: Axes, advice: Advice, shown: Range) -> None:
    """A true drop at each sheer cliff; those nearest to the answer by name."""
    low, high = shown
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


def plan_finding(advice: Advice) -> str:
    useful = f"{percent(worth(advice.best))} of {whole_of(advice)} is useful"
    now = "" if advice.present is None else f", {percent(worth(advice.present))} at present"
    return f"Checkpoint every {show(advice.best.interval)}: {useful}{now}"
