"""A ledger as it is shown: rows of a table, a JSON document, a frame."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ckptsim.ledger import LOST, Category
from ckptsim.terminal import percent
from ckptsim.units import seconds, show

if TYPE_CHECKING:
    import pandas as pd

Books = Mapping[Category, int]
"""Slot time by category, nanoseconds; every category is in it."""


def lost(books: Books) -> int:
    """Computed, never committed; nanoseconds."""
    return sum(books[category] for category in LOST)


def ledger_json(books: Books) -> dict[str, float]:
    """Every category in seconds, losses of all causes together, and the whole."""
    kept = {"useful_s": seconds(books[Category.USEFUL]), "lost_s": seconds(lost(books))}
    others = [category for category in Category if category not in (Category.USEFUL, *LOST)]
    kept |= {f"{category.name.lower()}_s": seconds(books[category]) for category in others}
    return {**kept, "slot_time_s": seconds(sum(books.values()))}


def lost_json(books: Books) -> dict[str, float]:
    """What was lost to each cause, seconds."""
    return {
        category.name.removeprefix("LOST_").lower() + "_s": seconds(books[category])
        for category in LOST
    }


def ledger_rows(books: Books) -> list[list[str]]:
    """The time account: every share beside its whole."""
    whole = sum(books.values())
    named = [("useful", books[Category.USEFUL]), ("lost", lost(books))]
    named += [
        (f"  by {cause_name(category)}", books[category]) for category in LOST if books[category]
    ]
    named += [(category_name(c), books[c]) for c in Category if c not in (Category.USEFUL, *LOST)]
    rows = [
        [name, show(time), percent(time / whole if whole else 0)] for name, time in named if time
    ]
    return [["category", "slot time", "share"], *rows, ["all", show(whole), percent(1.0)]]


def category_name(category: Category) -> str:
    return category.name.lower().replace("_", " ")


def cause_name(category: Category) -> str:
    return category_name(category).removeprefix("lost ")


def ledger_frame(books: Books) -> "pd.DataFrame":
    """The ledger as a table, seconds."""
    import pandas as pd

    return pd.DataFrame(
        {
            "category": [category_name(category) for category in Category],
            "slot_time_s": [seconds(books[category]) for category in Category],
        }
    )
