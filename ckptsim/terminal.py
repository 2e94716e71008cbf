"""What people see: tables and progress on the terminal; programs get --json."""

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

WIDTH_UNSEEN = 100  # columns where the output is no terminal, or more if a table needs them
WIDTH_MOST = 1_000


class Screen(Console):
    """Standard output; a reader that goes away is for the command line to deal with."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Standard output, with lines of a fixed width where it is no terminal."""
    screen = Screen(highlight=False, markup=False)
    if not screen.is_terminal:
        screen.width = WIDTH_UNSEEN
    return screen


def tell(lines: Iterable[RenderableType]) -> None:
    """Print lines and tables; lines are as long as they are, for a terminal to wrap."""
    put(lines, console())


def text(lines: Iterable[RenderableType]) -> str:
    """What `tell` prints where the output is no terminal."""
    page = StringIO()
    screen = Screen(
        file=page,
        width=WIDTH_UNSEEN,
        highlight=False,
        markup=False,
        force_terminal=False,
        force_jupyter=False,
    )
    put(lines, screen)
    return page.getvalue()


def put(lines: Iterable[RenderableType], screen: Console) -> None:
    for line in lines:
        if not screen.is_terminal and not isinstance(line, str):  # then there is room for it
            free = screen.options.update(width=WIDTH_MOST)
            screen.width = max(WIDTH_UNSEEN, screen.measure(line, options=free).maximum)
        screen.print(line, soft_wrap=isinstance(line, str))


def strong(text: str) -> Text:
    """A line that is to be seen first."""
    return Text(text, style="bold")


def percent(share: float, digits: int = 1) -> str:
    """0.8866 as `88.7 %`; a dash where there is none."""
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f} %"


@dataclass(frozen=True)
class Rows:
    """A table whose first row is its head and whose first column is its stub."""

    rows: Sequence[Sequence[str]]
    title: str

    def __rich__(self) -> RenderableType:
        """As it is printed."""
        head, *body = self.rows
        drawn = Table(box=None, pad_edge=False)
        for place, name in enumerate(head):
            drawn.add_column(name, justify="right" if place else "left", overflow="fold")
        for row in body:
            drawn.add_row(*row)
        return Group(Text(self.title, style="italic"), drawn) if self.title else drawn


def table(rows: Sequence[Sequence[str]], title: str = "") -> Rows:
    """Rows to be printed as a table, the first as its head."""
    return Rows(rows, title)


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document on standard output."""
    print(json_text(document))


def json_text(document: Mapping[str, Any]) -> str:
    """A JSON document; what is infinite or no number is null."""
    return json.dumps(finite(document), indent=2, ensure_ascii=False, allow_nan=False)


def finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextmanager
def progress(what: str, *, shown: bool) -> Iterator[Any]:
    """A bar on standard error while work is done; gives the function to report to."""
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)
