"""What a step of a lesson is made of, and how its numbers are told."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ckptsim.lesson.chart import Chart
from ckptsim.scenario import Scenario
from ckptsim.terminal import percent
from ckptsim.units import seconds

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Table:
    """Rows of named values; `heads` names the columns that are shown. Times end in _s."""

    name: str  # of its file
    title: str
    heads: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    note: str  # how its numbers were found

    def text(self) -> list[list[str]]:
        """The table for people, its times in minutes; the first row is its head."""
        return [list(self.heads.values())] + [
            [cell(key, row[key]) for key in self.heads] for row in self.rows
        ]


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn when it is wanted."""

    name: str
    caption: str
    draw: Callable[[], "Figure"]


@dataclass(frozen=True)
class Step:
    """One step of a lesson: predict, see, explain, try, work out."""

    title: str
    question: str
    explanation: str
    tables: tuple[Table, ...]
    picture: Picture
    commands: tuple[str, ...]  # the first is to be tried
    exercise: str
    answer: str
    asked: Scenario  # what the explorer is set to, in which one interval is yours
    timelines: tuple[str, ...] = ()
    chart: Chart | None = None


def cell(key: str, value: object) -> str:
    """One value for people: times in minutes, an interval of confidence by its half-width."""
    match value:
        case None:
            return "never"
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case (float(low), float(high)) if key.endswith("_ci99_s"):
            return f"± {(high - low) / 120:.2f}"
        case tuple():
            return " ".join(f"{each / 60:.1f}" for each in value)
        case int() | float():
            return number(key, value)
    raise TypeError(key, value)


def number(key: str, value: float) -> str:
    """One number for people, as the name of its column says."""
    if key.endswith("_fraction"):
        return percent(value)
    if key.endswith("_error_s"):
        return f"± {math.ceil(value / 60 * 1000) / 1000:.3f}" if value else "exact"
    if key.endswith("_gain_s"):
        return np.format_float_positional(value / 60, 2, fractional=False, trim="-")
    return in_minutes(value) if key.endswith("_s") else str(value)


def in_minutes(length_s: float) -> str:
    """Minutes: of whole seconds `84` or `83.75`, of a mean always two digits, `251.18`."""
    return f"{length_s / 60:.6g}" if isinstance(length_s, int) else f"{length_s / 60:.2f}"


def minutes(ns: int) -> str:
    return in_minutes(seconds(ns))


def listed(intervals: Sequence[int]) -> str:
    """`85, 115 and 175`, in minutes."""
    *first, last = [minutes(interval) for interval in intervals]
    return f"{', '.join(first)} and {last}" if first else last
