"""Time on an axis: few round ticks, and the unit."""

from math import log10

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator, NullLocator

from ckptsim.units import nanoseconds, show

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
