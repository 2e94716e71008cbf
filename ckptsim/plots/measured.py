"""What was measured of a job: each single time, and the median of its kind."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ckptsim.plots.style import BLACK, BLUE, finish, rough, sheet, styled
from ckptsim.units import SECOND, nanoseconds, show

SHORTEST_S = 1e-3  # shorter times are drawn as this: it is a logarithmic axis


def measured_figure(values: Mapping[str, Sequence[int]], medians: Mapping[str, int]) -> Figure:
    """A row for each kind of time (nanoseconds), with a dot for each measurement."""
    with styled():
        figure, (axes,) = sheet(1.6 + 0.42 * len(values))
        shown = {name: [drawn(each) for each in found] for name, found in values.items()}
        for place, (name, times) in enumerate(shown.items()):
            axes.plot(times, [place] * len(times), "o", color=BLUE, alpha=0.6, markersize=6)
            axes.plot(drawn(medians[name]), place, "|", color=BLACK, markersize=18)
        everything = [time for times in shown.values() for time in times]
        decades(axes, min(everything), max(everything))
        axes.set_yticks(range(len(shown)), list(shown))
        axes.set_ylim(len(shown) - 0.5, -0.5)
        return finish(figure, finding(medians), "Dots: each measurement; bars: medians")


def decades(axes: Axes, least_s: float, most_s: float) -> None:
    """A logarithmic axis whose ticks are told as `100 ms`, `1 s`, with room at both ends."""
    axes.set_xscale("log")
    axes.set_xlim(least_s / 1.6, most_s * 1.6)
    subs = (1, 2, 5) if most_s / least_s < 20 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: show(nanoseconds(at))))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Time (units at the ticks)")


def drawn(ns: int) -> float:
    return max(ns / SECOND, SHORTEST_S)


def finding(medians: Mapping[str, int]) -> str:
    """What a checkpoint costs, of its parts that were measured."""
    parts = [name for name in ("write", "transfer", "restart in place") if name in medians]
    told = ", ".join(f"{name} {rough(medians[name])}" for name in parts)
    return f"A checkpoint costs {rough(sum(medians[name] for name in parts))}: {told}"
