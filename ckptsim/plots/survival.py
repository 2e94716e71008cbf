"""How long observed leases last, and the laws that were fitted to them."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ckptsim.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PALE,
    PURPLE,
    VERMILION,
    Floats,
    add_legend,
    finish,
    rough,
    sheet,
    styled,
)
from ckptsim.plots.times import time_axis
from ckptsim.units import nanoseconds

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
        figure, (axes,) = sheet(5.6)
        band: dict[str, Any] = {"step": "post", "color": PALE, "alpha": 0.6, "linewidth": 0}
        axes.fill_between(at, lows, highs, label="95 % band", **band)
        axes.step(at, steps, where="post", color=BLACK, linewidth=1.8, label="Kaplan-Meier")
        draw_laws(axes, laws)
        draw_censored(axes, at, steps, censored)
        time_axis(axes, "Age of the lease", 0, 1.02 * max(at[-1], *censored, 1.0))
        axes.set_ylim(0, 103)
        axes.set_ylabel(f"Leases without {end} yet (%)")
        add_legend(figure, axes.get_legend_handles_labels()[0])
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
