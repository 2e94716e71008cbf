"""How the categories of slot time look, in every picture alike."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from matplotlib.patches import Patch

from ckptsim.ledger import Category
from ckptsim.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    ink,
)


class Look(NamedTuple):
    """How a category is drawn and what it is called."""

    label: str
    color: str
    hatch: str = ""


LOOKS = {
    Category.USEFUL: Look("useful", BLUE),
    Category.WRITE: Look("write", SKY),
    Category.TRANSFER: Look("transfer", YELLOW),
    Category.TRANSFER_WAIT: Look("wait for transfer", YELLOW, "...."),
    Category.RESTART_IN_PLACE: Look("restart in place", GREEN, "----"),
    Category.RESTART_LEASE: Look("restart in a new lease", GREEN, "...."),
    Category.COLD_START: Look("cold start", GREEN, "++++"),
    Category.INPUT: Look("input transfer", PALE),
    Category.VACATING: Look("vacating", PALE, "||||"),
    Category.DISCONNECTED: Look("disconnected", BLACK),
    Category.PENDING: Look("pending", "white", "////"),
    Category.LOST_LIMIT: Look("lost: limit", VERMILION, "////"),
    Category.LOST_EVICTION: Look("lost: eviction", ORANGE, "\\\\\\\\"),
    Category.LOST_POWER_FAILURE: Look("lost: power failure", PURPLE, "xxxx"),
    Category.LOST_HOLD: Look("lost: hold", GREY, "\\\\\\\\"),
    Category.LOST_LEAVING: Look("lost: leaving", GREY, "////"),
}
"""The categories in the order in which they are stacked."""


def paint(category: Category) -> dict[str, Any]:
    """The colours and the hatch of a category, for patches and collections."""
    return paint_as(LOOKS[category])


def paint_as(look: Look) -> dict[str, Any]:
    """The same of any look."""
    return {
        "facecolor": look.color,
        "edgecolor": ink(look.color) if look.hatch else "none",
        "hatch": look.hatch or None,
        "linewidth": 0,
    }


def keys(categories: Iterable[Category]) -> list[Patch]:
    return [Patch(**paint(category), label=LOOKS[category].label) for category in categories]
