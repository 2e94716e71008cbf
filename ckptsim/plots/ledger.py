"""Where slot time went in a simulation."""

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ckptsim.ledger import Category, slot_time
from ckptsim.plots.looks import LOOKS, keys, paint
from ckptsim.plots.style import GREY, UNBROKEN, add_legend, finish, ink, percent, sheet, styled
from ckptsim.units import HOUR, show

LEDGER_BAR = 0.5  # of the distance between two ledgers, with room for what is written below
ROOM_FOR_NUMBER = 0.055  # of an axis: narrower pieces have their numbers below the bar
HOURS_FROM = 10 * HOUR
BELOW_LETTERS = 78  # in a line below the bar
WASTE = [category for category in LOOKS if category not in (Category.USEFUL, Category.PENDING)]


def ledger_figure(shares: Mapping[str, Sequence[int]], of: str = "with") -> Figure:
    """Where slot time went, one bar a ledger: the whole, and what was not useful enlarged.

    `of` is what the ledgers' names come after: useful *with* an interval, *in the class* so and so.
    """
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
        return finish(figure, ledger_finding(shares, of), slot_hours(shares))


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


def used(ledgers: Iterable[Sequence[int]]) -> list[Category]:
    """The categories that any of the ledgers has time in."""
    books = list(ledgers)
    return [category for category in LOOKS if any(found[category] for found in books)]


def ledger_finding(shares: Mapping[str, Sequence[int]], of: str) -> str:
    best = max(shares, key=lambda label: share(shares[label], Category.USEFUL))
    useful = percent(share(shares[best], Category.USEFUL))
    if len(shares) == 1:
        return f"{useful} of slot time became committed work"
    return f"Most slot time is useful {of} {best}: {useful}"


def slot_hours(shares: Mapping[str, Sequence[int]]) -> str:
    """The whole that the shares are of."""
    return f"of {', '.join(map(whole_told, shares.values()))} of slot time"


def whole_told(books: Sequence[int]) -> str:
    """In hours; real processes may have run for seconds alone."""
    whole = slot_time(books)
    return f"{whole / HOUR:,.0f} h" if whole >= HOURS_FROM else show(whole)
