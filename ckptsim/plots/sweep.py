"""A measure over one scenario key or two."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Rectangle

from ckptsim.plots.style import (
    BLACK,
    BLUE,
    SKY,
    UNBROKEN,
    VERMILION,
    Floats,
    add_legend,
    finish,
    mark_style,
    percent,
    sheet,
    styled,
)
from ckptsim.plots.times import spoken_axis, time_axis
from ckptsim.units import nanoseconds, show

if TYPE_CHECKING:
    import pandas as pd

CELLS_PRINTED = 150
TENTHS_ACROSS = 16  # columns: in more of them tenths would touch each other
SATURATED = "link_saturated"
COUNTS = ("count", "seed", "replications")  # keys of the scenario that are numbers, not times


@dataclass(frozen=True)
class Scale:
    """How a column is told: a key of the scenario or a measure.

    Seconds where the name ends in `_s`; measures are shares where it has `fraction` or `share` in
    it; keys may be numbers, or words such as laws.
    """

    column: str

    @property
    def name(self) -> str:
        """A key as it is, a measure in words."""
        bare = self.column.removesuffix("_s")
        return bare if self.is_key else bare.replace("_", " ").capitalize()

    @property
    def is_key(self) -> bool:
        return "." in self.column or self.column in COUNTS

    @property
    def is_time(self) -> bool:
        return self.column.endswith("_s")

    @property
    def is_share(self) -> bool:
        return not self.is_key and ("fraction" in self.column or "share" in self.column)

    @property
    def label(self) -> str:
        return f"{self.name} ({'%' if self.is_share else 'h' if self.is_time else 'number'})"

    def drawn(self, values: Any) -> Floats:
        """The numbers as they are drawn: percent, hours, or as they are."""
        factor = 100.0 if self.is_share else 1 / 3600 if self.is_time else 1.0
        return np.asarray(values, np.float64) * factor

    def told(self, value: float | str) -> str:
        """One value for people."""
        if isinstance(value, str):
            return value
        if self.is_share:
            return percent(value)
        return show(nanoseconds(value)) if self.is_time else f"{value:g}"

    def best(self, values: Any) -> int | None:
        """The place of the best: of times the shortest, of all else the most."""
        numbers = np.asarray(values, np.float64) * (-1 if self.is_time else 1)
        return None if np.isnan(numbers).all() else int(np.nanargmax(numbers))


def sweep_figure(
    frame: "pd.DataFrame", keys: Sequence[str], measure: str = "useful_fraction"
) -> Figure:
    """A measure over one key as a line with its 99 % band, over two keys as a map."""
    assert len(keys) in (1, 2)
    with styled():
        figure, (axes,) = sheet(4.8)
        if len(keys) == 1:
            draw_line(axes, frame, Scale(keys[0]), Scale(measure))
            figure.legend(loc="lower center", ncols=4, borderaxespad=0)
        else:
            image = draw_map(axes, frame, Scale(keys[0]), Scale(keys[1]), Scale(measure))
            figure.colorbar(image, ax=axes, label=Scale(measure).label, pad=0.02)
            marks = mark_saturated(axes, frame, Scale(keys[0]), Scale(keys[1]))
            if marks:
                add_legend(figure, marks)
        return finish(figure, sweep_finding(frame, keys, Scale(measure)))


def sweep_finding(frame: "pd.DataFrame", keys: Sequence[str], scale: Scale) -> str:
    best = scale.best(frame[scale.column])
    if best is None:
        return f"{scale.name}: none, at no setting"
    row = frame.iloc[best]
    at = ", ".join(f"{Scale(key).name} = {Scale(key).told(row[key])}" for key in keys)
    return f"{scale.name} is best at {at}: {scale.told(row[scale.column])}"


def settings(frame: "pd.DataFrame", key: Scale) -> list[float | str]:
    """The values of a key, each once: numbers in their order, before words in the frame's."""
    found = list(dict.fromkeys(frame[key.column].tolist()))
    words = [value for value in found if isinstance(value, str)]
    return [*sorted(value for value in found if not isinstance(value, str)), *words]


def draw_line(axes: Axes, frame: "pd.DataFrame", key: Scale, scale: Scale) -> None:
    """The measure at each setting; words have places one after another."""
    found = settings(frame, key)
    rows = frame.set_index(key.column).loc[found]
    at = key_axis(axes, key, found)
    low, high = (f"{scale.column}_{end}" for end in ("low", "high"))
    if low in frame and high in frame:
        band = scale.drawn(rows[low]), scale.drawn(rows[high])
        axes.fill_between(at, *band, color=SKY, alpha=0.45, linewidth=0, label="99 % confidence")
    heights = scale.drawn(rows[scale.column])
    name = scale.name.lower()
    axes.plot(at, heights, "o-", color=BLUE, markersize=4, linewidth=1.6, label=name)
    if SATURATED in frame:
        over = rows[SATURATED].fillna(value=False).to_numpy(dtype=bool)
        around: dict[str, Any] = {"marker": "s", "markersize": 9, "fillstyle": "none"}
        axes.plot(at[over], heights[over], color=BLACK, ls="", label="link saturated", **around)
    best = scale.best(rows[scale.column])
    if best is not None:
        style = mark_style("*", VERMILION, 14)
        axes.plot(at[best], heights[best], label="best", zorder=4, **style)
    axes.set_ylabel(scale.label)


def key_axis(axes: Axes, key: Scale, found: Sequence[float | str]) -> Floats:
    """Where the settings are drawn, on an axis that suits them: one of times, numbers or words."""
    if any(isinstance(value, str) for value in found):
        name_places(axes, key, found, vertical=False)
        return np.arange(len(found), dtype=np.float64)
    at = np.asarray(found, np.float64)
    low, high = float(at.min()), float(at.max())
    if not key.is_time:
        axes.set_xlabel(f"{key.name} (number)")
    elif low > 0 and high / low > 12:
        room = (high / low) ** 0.03
        spoken_axis(axes, key.name, low / room, high * room)
    else:
        room = max(0.03 * (high - low), 0.01 * high, 1e-3)
        time_axis(axes, key.name, low - room, high + room)
    return at


def draw_map(
    axes: Axes, frame: "pd.DataFrame", across: Scale, up: Scale, scale: Scale
) -> AxesImage:
    """Cells of even size, whatever the steps of the keys; the best has a frame."""
    columns, rows = settings(frame, across), settings(frame, up)
    cells = np.full((len(rows), len(columns)), np.nan)
    places = zip(frame[up.column], frame[across.column], frame[scale.column], strict=True)
    for row, column, value in places:
        cells[rows.index(row), columns.index(column)] = value
    numbers = scale.drawn(cells)
    image = axes.imshow(numbers, cmap="cividis", aspect="auto", origin="lower")
    name_places(axes, across, columns, vertical=False)
    name_places(axes, up, rows, vertical=True)
    axes.grid(visible=False)
    if numbers.size <= CELLS_PRINTED:
        print_cells(axes, numbers, scale)
    best = scale.best(cells.ravel())
    if best is not None:
        row, column = divmod(best, len(columns))
        style: dict[str, Any] = {"fill": False, "edgecolor": VERMILION, "linewidth": 3}
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, clip_on=False, **style))
    return image


def mark_saturated(axes: Axes, frame: "pd.DataFrame", across: Scale, up: Scale) -> list[Artist]:
    """A dotted frame within each cell at which the link is saturated; what the legend says."""
    if SATURATED not in frame:
        return []
    columns, rows = settings(frame, across), settings(frame, up)
    found = frame[frame[SATURATED].fillna(value=False).astype(bool)]
    for row, column in zip(found[up.column], found[across.column], strict=True):
        corner = columns.index(column) - 0.42, rows.index(row) - 0.42
        for color, style, width in (("white", "-", 3.0), (BLACK, ":", 1.6)):
            look: dict[str, Any] = {"edgecolor": color, "linestyle": style, "linewidth": width}
            axes.add_patch(Rectangle(corner, 0.84, 0.84, fill=False, **look))
    key = Patch(facecolor="white", edgecolor=BLACK, linestyle=":", label="link saturated")
    return [key] if len(found) else []


def name_places(axes: Axes, key: Scale, found: Sequence[float | str], *, vertical: bool) -> None:
    """Name every setting on its axis, or as many as there is room for."""
    told = [key.told(value) for value in found]
    numbers = [key.told(value) for value in found if not isinstance(value, str)]
    units = sorted({word for name in numbers for word in name.split() if word.isalpha()})
    step = -(-len(told) // 14)
    places = range(0, len(told), step)
    letters = 20 if vertical else max(7, 76 // len(places))
    bound = [re.sub(r"(?<=[0-9]) (?=[a-z])", UNBROKEN, name) for name in told]
    names = ["\n".join(wrap(name, letters, break_long_words=False)) for name in bound]
    axis = axes.yaxis if vertical else axes.xaxis
    axis.set_ticks(places, [names[place] for place in places])
    unit = ", ".join(units) or ("number" if numbers else "setting")
    axis.set_label_text(f"{key.name} ({unit})")


def print_cells(axes: Axes, numbers: Floats, scale: Scale) -> None:
    known = numbers[np.isfinite(numbers)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    tenths = (scale.is_share or high < 100) and numbers.shape[1] <= TENTHS_ACROSS
    digits = 1 if tenths else 0
    for (row, column), number in np.ndenumerate(numbers):
        dark = number < low + 0.55 * (high - low)
        style: dict[str, Any] = {"ha": "center", "va": "center", "size": 8.5}
        text = f"{number:.{digits}f}" if isfinite(number) else "never"
        color = "black" if not isfinite(number) or not dark else "white"
        axes.text(column, row, text, color=color, **style)
