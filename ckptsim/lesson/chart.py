"""Curves over a time, drawn as lines of text; pictures.py draws the same as a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ckptsim.units import MINUTE, seconds

COLUMNS, ROWS, LABEL = 70, 13, 8
LABELLED = 3  # rows from one number on the upright axis to the next
TICKS = tuple(step * MINUTE for step in (1, 2, 5, 10, 20, 30, 60, 120, 240))
TICKS_MOST = 8
SIGNS, BOTH, MARK = "*+", "#", "^"


@dataclass(frozen=True)
class Chart:
    """One or two curves over the same times; a jump is two points next to each other."""

    name: str  # of its file
    finding: str  # its title
    across: str  # what the times are, in minutes
    up: str  # what the heights are, with their unit
    at: Sequence[int]  # ns, ascending
    curves: Mapping[str, Sequence[float]]
    marks: Mapping[str, Sequence[int]]  # times to be pointed out, ns

    def rows(self) -> list[dict[str, Any]]:
        """The points, times in seconds."""
        points = zip(self.at, *self.curves.values(), strict=True)
        return [
            {
                f"{self.across.lower()}_s": seconds(at),
                **dict(zip(self.curves, heights, strict=True)),
            }
            for at, *heights in points
        ]

    def lines(self) -> tuple[str, ...]:
        """The curves in 80 columns, with axes and a legend."""
        curves = [self.sampled(heights) for heights in self.curves.values()]
        top, bottom = np.max(curves), np.min(curves)
        rows = np.rint((top - np.array(curves)) / (top - bottom or 1.0) * (ROWS - 1)).astype(int)
        levels = np.linspace(top, bottom, ROWS)
        drawn = [
            f"{level_told(number, level)} |{''.join(signs(rows == number))}".rstrip()
            for number, level in enumerate(levels.tolist())
        ]
        return (self.up, *drawn, *self.axis(), *self.legend())

    def sampled(self, heights: Sequence[float]) -> NDArray[np.float64]:
        """The height at each column."""
        places = np.linspace(self.at[0], self.at[-1], COLUMNS)
        return np.array(heights)[np.searchsorted(self.at, places, side="right") - 1]

    def column(self, at: int) -> int:
        return round((at - self.at[0]) / (self.at[-1] - self.at[0]) * (COLUMNS - 1))

    def axis(self) -> list[str]:
        """The line below the curves, the numbers below it, and what is marked."""
        length = self.at[-1] - self.at[0]
        step = next(step for step in TICKS if length / step <= TICKS_MOST)
        first = -(-self.at[0] // step) * step
        ticks = {self.column(at): str(at // MINUTE) for at in range(first, self.at[-1] + 1, step)}
        line = "".join("+" if column in ticks else "-" for column in range(COLUMNS))
        indent = " " * (LABEL - 1)
        found = [f"{indent}+{line}", f"{indent} {placed(ticks)}"]
        if self.marks:
            marked = {self.column(at): MARK for ats in self.marks.values() for at in ats}
            found.append(f"{indent} {placed(marked)}")
        return found

    def legend(self) -> list[str]:
        names = [f"{sign} {name}" for sign, name in zip(SIGNS, self.curves, strict=False)]
        names += [f"{BOTH} both"] * (len(names) > 1)
        indent = " " * LABEL
        found = [f"{indent}{self.across} (min)", indent + "   ".join(names)]
        return found + [f"{indent}{MARK} {', '.join(self.marks)}"] * bool(self.marks)


def level_told(number: int, level: float) -> str:
    """The number at the left of some rows."""
    return f"{level if number % LABELLED == 0 else '':>{LABEL - 2}.5}"


def signs(rows: NDArray[np.bool_]) -> list[str]:
    """What each column of one row of text shows of the curves that pass through it."""
    return [
        BOTH if here.sum() > 1 else SIGNS[int(np.argmax(here))] if here.any() else " "
        for here in rows.T
    ]


def placed(words: Mapping[int, str]) -> str:
    """The words, each begun at its column."""
    line = ""
    for column, word in sorted(words.items()):
        line = f"{line:<{column}}{word}"
    return line
