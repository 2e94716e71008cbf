"""The paper and the pens of all pictures: colours, the empty figure, and the finished one.

Colours are Okabe and Ito's, which the colour-blind can tell apart; hatches, markers and line styles
say the same again for print in grey. Nothing depends on the user's matplotlib settings.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from ckptsim.units import DAY, HOUR, MINUTE, show

Floats = NDArray[np.float64]

# Okabe and Ito, Color Universal Design (2008).
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE, FAINT, TINT = "#5A5A5A", "#BDBDBD", "#E6E6E6", "#DCEBF5"

WIDTH, DPI = 8.0, 150  # inches and dots an inch: 1200 dots wide
FOOTER_LETTERS, TITLE_LETTERS, SUBTITLE_LETTERS = 145, 84, 112
MARGIN_LEFT = 0.012  # of the width
UNBROKEN = "\N{NO-BREAK SPACE}"
LINE_IN = 0.14  # inches from a footer's line to its next
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 10.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titlesize": 9.5,
    "figure.dpi": DPI,
    "figure.titlesize": 11.5,
    "figure.titleweight": "bold",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so it looks alike everywhere
    "font.size": 10,
    "grid.color": FAINT,
    "hatch.linewidth": 0.9,
    "legend.columnspacing": 1.4,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.labelspacing": 0.65,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "ckptsim",
    "text.parse_math": False,  # a $ in a command is a $
}
UNDATED = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib with its own defaults and ours, whatever the user has set."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def sheet(height: float, columns: Sequence[float] = (1,)) -> tuple[Figure, list[Axes]]:
    """An empty figure with axes side by side, so wide in proportion."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    arrange(figure, wspace=0.06)
    axes = figure.subplots(1, len(columns), squeeze=False, width_ratios=list(columns))
    return figure, list(axes[0])


def arrange(figure: Figure, **settings: Any) -> None:
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(**settings)


def finish(figure: Figure, finding: str, what: str = "") -> Figure:
    """The finding as the title, below it what it was found in, and all of it in its place."""
    figure.suptitle(lines(finding, TITLE_LETTERS), x=MARGIN_LEFT, horizontalalignment="left")
    figure.axes[0].set_title(lines(what, SUBTITLE_LETTERS))
    make_room(figure, 0)
    return figure


def lines(text: str, letters: int) -> str:
    """The text in lines, no number parted from its unit."""
    bound = re.sub(r"(?<=[0-9]) (?=[a-z%])", UNBROKEN, text)
    return "\n".join(wrap(bound, letters)).replace(UNBROKEN, " ")


def save(figure: Figure, path: Path, footer: str) -> None:
    """Write the figure as the ending of `path` says: png, svg or pdf."""
    path.write_bytes(rendered(figure, footer, path.suffix.lower().removeprefix(".")))


def rendered(figure: Figure, footer: str, kind: str = "png") -> bytes:
    """The figure as a png, svg or pdf, the same bytes every time.

    `footer` says what made it: the scenario's name, the seed, the command.
    """
    told = wrap(footer, FOOTER_LETTERS, break_on_hyphens=False)
    with styled():
        style: dict[str, Any] = {"va": "bottom", "size": 7, "color": GREY}
        text = figure.text(MARGIN_LEFT, 0.01, "\n".join(told), **style)
        make_room(figure, len(told))
        file = BytesIO()
        try:
            figure.savefig(file, format=kind, dpi=DPI, metadata=UNDATED[kind])
        finally:
            text.remove()
    return file.getvalue()


def stack(height: float, rows: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """An empty figure with axes one below the other, so high in proportion, over one x axis."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False, sharex=True, height_ratios=list(rows))
    return figure, list(axes[:, 0])


def add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """A legend below the axes, in a single row where there is room for it."""
    most = len(handles) if len(handles) <= 5 else 4
    for columns in range(most, 0, -1):
        legend = figure.legend(handles=handles, loc="lower center", ncols=columns, borderaxespad=0)
        figure.draw_without_rendering()
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def make_room(figure: Figure, footer: int) -> None:
    """Stack lines of footer, legend and axes, and begin the subtitle where the title does."""
    height, first = figure.get_size_inches()[1], figure.axes[0]
    first.set_title(first.get_title("left"), x=0)
    for axes in figure.axes:  # so that a second layout does not begin where the first one ended
        axes.set_position((0.1, 0.1, 0.8, 0.8))
        axes.set_in_layout(True)
    free = (footer * LINE_IN + 0.08) / height if footer else 0.01
    for legend in figure.legends:
        legend.set_bbox_to_anchor((0, free, 1, 1 - free), figure.transFigure)
        figure.draw_without_rendering()
        free += legend.get_window_extent().height / figure.dpi / height + 0.01
    arrange(figure, rect=(0, free, 1, 1 - free))
    figure.draw_without_rendering()
    place = first.get_position()
    first.set_title(first.get_title("left"), x=(MARGIN_LEFT - place.x0) / place.width)


def percent(share: float) -> str:
    """A share for people, to a tenth of a percent."""
    return f"{100 * share:.1f} %"


def rough(ns: int) -> str:
    """A time for people, no finer than it needs to be to be remembered."""
    finest = HOUR if ns >= 5 * DAY else MINUTE if ns >= HOUR else 1
    return show(round(ns / finest) * finest)


def ink(color: str) -> str:
    """Black or white, whichever can be read on the colour."""
    red, green, blue = to_rgb(color)
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.4 else "white"


def mark_style(marker: str, color: str, size: float) -> dict[str, Any]:
    edge = {"markeredgecolor": BLACK, "markeredgewidth": min(0.12 * size, 1.0)}
    return {"linestyle": "", "marker": marker, "markersize": size, "color": color, **edge}
