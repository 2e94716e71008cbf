"""What is wasted against what is moved: fewer checkpoints spare the network, and lose more."""

from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ckptsim.account import Account
from ckptsim.plan import Advice
from ckptsim.plots.answers import SHOWN, Answer, answers, mark, setting, whole_of
from ckptsim.plots.style import (
    BLUE,
    PALE,
    add_legend,
    finish,
    percent,
    rough,
    sheet,
    styled,
)
from ckptsim.search import worth
from ckptsim.units import show

DEAR = 0.01  # of slot time and gaps: what the finding is ready to waste to move less
WIDE = 5  # from the least to the most moved: from here on the axis is logarithmic
LEFT_FREE = 0.15  # of the axis's length: room for the first name
APART = (0.13, 0.09)  # of the axes' lengths: room for a name
UNITS = {"TB": 1e12, "GB": 1e9, "MB": 1e6, "kB": 1e3, "B": 1.0}


class Unit(NamedTuple):
    """In what the moved is told: bytes, or checkpoints where they have no size."""

    name: str
    size: float

    @property
    def label(self) -> str:
        what = "Checkpoints moved" if self.name == "number" else "Moved to the access point"
        return f"{what} ({self.name} for each committed hour)"

    def places(self, found: Sequence[Account]) -> tuple[list[float], list[float]]:
        """Where accounts are drawn: moved for each committed hour, wasted in percent."""
        return (
            [account.moved_per_hour / self.size for account in found],
            [100 * account.wasted_fraction for account in found],
        )


def trade_off_figure(advice: Advice) -> Figure:
    """All intervals that are any good; bold those that no other beats in both."""
    most = 1 - SHOWN * worth(advice.best)
    good = [account for account in advice.accounts if account.wasted_fraction <= most]
    optimal = [account for account in advice.trade_off if account.wasted_fraction <= most]
    unit = unit_of(optimal)
    with styled():
        figure, (axes,) = sheet(5.2)
        every = [account for account in advice.accounts if isfinite(account.moved_per_hour)]
        style: dict[str, Any] = {"color": PALE, "linewidth": 0.8, "markersize": 3}
        axes.plot(*unit.places(every), ".-", label="every interval looked at", **style)
        label = "to move less is to waste more"
        axes.plot(*unit.places(optimal), "o", color=BLUE, markersize=5, label=label, zorder=3)
        moved_axis(axes, unit.places(good)[0], unit)
        wasted_axis(axes, unit.places(good)[1])
        axes.set_ylabel(f"Not useful (% of {whole_of(advice)})")
        mark_answers(axes, advice, unit)
        name_optimal(axes, advice, optimal, unit)
        add_legend(figure, axes.get_legend_handles_labels()[0])
        return finish(figure, trade_off_finding(advice, optimal), setting(advice))


def unit_of(optimal: Sequence[Account]) -> Unit:
    """The largest unit in which what is moved at best is at least 1."""
    least = optimal[-1]
    if least.moved is None:
        return Unit("number", 1.0)
    name = next((name for name, size in UNITS.items() if least.moved_per_hour >= size), "B")
    return Unit(name, UNITS[name])


def moved_axis(axes: Axes, moved: Sequence[float], unit: Unit) -> None:
    """Linear, or logarithmic if it is wide, with ticks 1, 2, 5 and so on."""
    low, high = min(moved), max(moved)
    axes.set_xlabel(unit.label)
    if low <= 0 or high < WIDE * low:
        room = (high - low) or 0.5 * high
        axes.set_xlim(low - LEFT_FREE * room, high + 0.05 * room)
        return
    axes.set_xscale("log")
    axes.set_xlim(low * (low / high) ** LEFT_FREE, high * (high / low) ** 0.05)
    ticks = [digit * 10.0**power for power in range(-9, 10) for digit in (1, 2, 5)]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:g}"))


def wasted_axis(axes: Axes, wasted: Sequence[float]) -> None:
    """Up to the most of what is any good; with room for names at the bottom."""
    low, high = min(wasted), max(wasted)
    room = (high - low) or 1.0
    axes.set_ylim(low - 0.1 * room, high + 0.03 * room)


def mark_answers(axes: Axes, advice: Advice, unit: Unit) -> None:
    """The intervals that every picture marks, here."""
    found = answers(advice)
    drawn = accounts_of(advice, found)
    for order, (answer, account) in enumerate(zip(found, drawn, strict=True), 5):
        label = f"{show(account.interval)}, {percent(account.wasted_fraction)}"
        mark(axes, answer, unit.places([account]), label, order)


def accounts_of(advice: Advice, found: Sequence[Answer]) -> list[Account]:
    return advice.accounts_of([answer.value.interval for answer in found])


def name_optimal(axes: Axes, advice: Advice, optimal: Sequence[Account], unit: Unit) -> None:
    """The intervals of the bold points where there is room, first of the one in the title."""
    here = axes.transData + axes.transAxes.inverted()
    marked = unit.places(accounts_of(advice, answers(advice)))
    taken = [here.transform(at) for at in zip(*marked, strict=True)]
    first = sparing(advice, optimal)
    for account in sorted(optimal, key=lambda each: each is not first):
        ((x,), (y,)) = unit.places([account])
        place = here.transform((x, y))
        if account is first or all((abs(place - other) > APART).any() for other in taken):
            taken.append(place)
            # Below and left of the bold points there is nothing.
            style: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "top"}
            name = axes.annotate(rough(account.interval), (x, y), (-5, -3), size=8.5, **style)
            name.set_in_layout(False)


def sparing(advice: Advice, optimal: Sequence[Account]) -> Account | None:
    """What moves least of all that waste little more than the best; None if that is no less."""
    best = advice.account
    cheap = [each for each in optimal if each.wasted_fraction <= best.wasted_fraction + DEAR]
    least = min([*cheap, best], key=lambda account: account.moved_per_hour)
    return least if least.moved_per_hour < (1 - DEAR) * best.moved_per_hour else None


def trade_off_finding(advice: Advice, optimal: Sequence[Account]) -> str:
    """What a little more waste spares."""
    best, least = advice.account, sparing(advice, optimal)
    every = show(best.interval)
    if least is None:
        return f"No interval moves less than {every} and wastes at most {100 * DEAR:g} point more"
    less = 100 * (1 - least.moved_per_hour / best.moved_per_hour)
    more = 100 * (least.wasted_fraction - best.wasted_fraction)
    spared = f"{show(least.interval)} moves {less:.0f} % less than {every}"
    return f"{spared} and wastes {more:.1f} points more"
