"""Where the slot time goes with each interval, cause upon cause."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ckptsim.account import Account
from ckptsim.ledger import Category
from ckptsim.plan import Advice
from ckptsim.plots.answers import (
    DEEPEST,
    in_steps,
    interval_name,
    mark_useful,
    setting,
    whole_of,
    window,
)
from ckptsim.plots.looks import LOOKS, Look, paint_as
from ckptsim.plots.style import (
    BLACK,
    GREY,
    TINT,
    UNBROKEN,
    Floats,
    add_legend,
    finish,
    percent,
    sheet,
    styled,
)
from ckptsim.plots.times import spoken_axis
from ckptsim.search import Range
from ckptsim.units import SECOND, show

USEFUL = LOOKS[Category.USEFUL]._replace(color=TINT)
GAP = Look("gap", "white")
NAMED_FROM = 0.1  # percent: what is never more has no room in the legend


class Layer(NamedTuple):
    """A cause, and its share at each interval in percent of slot time and gaps."""

    look: Look
    percent: Floats


def badput_figure(advice: Advice) -> Figure:
    """Where slot time and gaps go with each interval; the layers add up to all of it."""
    with styled():
        figure, (axes,) = sheet(5.4)
        shown = window(advice)
        found = accounts_in(advice, shown)
        at = np.array([account.interval / SECOND for account in found])
        layers = layers_of(found)
        edges = shown if in_steps(advice, shown) else Range(found[0].interval, found[-1].interval)
        name = interval_name(advice)
        spoken_axis(axes, name, edges.low / SECOND, edges.high / SECOND)
        draw_layers(axes, at, layers, edges, stepped=in_steps(advice, shown))
        axes.axvline(advice.best.interval / SECOND, color=BLACK, linewidth=1, zorder=4)
        mark_useful(axes, advice)
        axes.set_ylim(floor_of(layers[0].percent), 100)
        axes.set_ylabel(f"Share (% of {whole_of(advice)})")
        add_legend(figure, [*keys_of(layers), *axes.get_legend_handles_labels()[0]])
        return finish(figure, badput_finding(advice), setting(advice))


def accounts_in(advice: Advice, shown: Range) -> list[Account]:
    """The accounts of the intervals in view that were looked at, and of the ends of the view."""
    found = [each for each in advice.accounts if shown.low <= each.interval <= shown.high]
    if advice.search.step > 1:
        return found
    span = advice.search.span
    ends = [max(shown.low, span.low), min(shown.high, span.high)]
    return sorted([*found, *advice.accounts_of(ends)], key=lambda each: each.interval)


def layers_of(found: Sequence[Account]) -> list[Layer]:
    """From the bottom to the top: useful, the causes in their usual order, and the gap."""
    whole = np.array([account.lease_s + account.gap_s for account in found])
    spent = {
        USEFUL if category == Category.USEFUL else look: [
            each.spent_s.get(category, 0.0) for each in found
        ]
        for category, look in LOOKS.items()
    }
    spent[GAP] = [account.gap_s for account in found]
    return [Layer(look, 100 * np.array(each) / whole) for look, each in spent.items()]


def draw_layers(
    axes: Axes, at: Floats, layers: Sequence[Layer], edges: Range, *, stepped: bool
) -> None:
    """Each upon the one before; natural steps as such, up to half way to their neighbours."""
    below = np.zeros(len(at))
    style: dict[str, Any] = {"zorder": 2}
    if stepped:  # the first and the last step reach to the edges
        at = np.concatenate([[edges.low / SECOND], at, [edges.high / SECOND]])
        below, style = np.zeros(len(at)), style | {"step": "mid"}
    for look, share in layers:
        above = below + (np.pad(share, 1, mode="edge") if stepped else share)
        axes.fill_between(at, below, above, label=f"_{look.label}", **paint_as(look), **style)
        below = above


def floor_of(useful: Floats) -> float:
    """Where the axis begins, percent: below all that is any good, in tens."""
    least = max(useful.min(), DEEPEST * useful.max())
    return float(10 * max(0, (least - 5) // 10))


def keys_of(layers: Sequence[Layer]) -> list[Artist]:
    """The legend's entries for what is ever more than next to nothing."""
    framed = {"edgecolor": GREY, "linewidth": 0.5}  # or white could not be seen
    return [
        Patch(**(paint_as(look) | (framed if look == GAP else {})), label=look.label)
        for look, share in layers
        if share.max() > NAMED_FROM
    ]


def badput_finding(advice: Advice) -> str:
    """How much is not useful with the best interval, and the two largest parts of it."""
    parts = {look.label: float(share[0]) for look, share in layers_of([advice.account])[1:]}
    largest = sorted(parts, key=lambda label: -parts[label])[:2]
    named = [
        f"{label.removeprefix('lost: ')} {parts[label]:.1f} %"
        for label in largest
        if parts[label] > NAMED_FROM
    ]
    told = ", ".join(name.replace(" ", UNBROKEN) for name in named)
    wasted = percent(advice.account.wasted_fraction)
    every = f"Checkpoint every {show(advice.best.interval)}"
    return f"{every}: {wasted} of {whole_of(advice)} is not useful ({told})"
