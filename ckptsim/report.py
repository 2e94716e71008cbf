"""A report's folder: its page, CSV tables and pictures, each written whole or not at all.

The page is there twice: in Markdown, which names the other files, and as a web page that has them
in it and so can be sent to someone, put on a projector or printed.
"""

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ckptsim.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NUMBER = re.compile(r"([±−+-]? ?[\d.,]+ ?(%|d|h|min|s)? ?)*|never|exact|–")
"""What is in the cells of a column of numbers."""


def command_line() -> str:
    """The command as it was typed, to be run again."""
    return shlex.join(["ckptsim", *sys.argv[1:]])


def ready(folder: Path) -> Path:
    """Make sure that the folder can be written to before any work is done for it; leaves nothing.

    Raises OutputError.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for place in missing:
            place.rmdir()
    except OSError as error:
        raise cannot_write(folder, error) from None
    return folder


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The reason in the system's words."""
    reason = (error.strerror or str(error)).lower()
    return OutputError(
        f"{path}: cannot write the report: {reason}; choose another place with --out"
    )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that at any moment the old one or the new one is there, never a half."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as temporary:
                temporary.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(path, error) from None


@dataclass
class Report:
    """The page of one command on one scenario, with its pictures and tables."""

    folder: Path
    stem: str  # of the file names: the command
    title: str
    seed: int | None  # None: nothing was drawn
    command: str = field(default_factory=command_line)  # what makes it
    lines: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def say(self, *paragraphs: str) -> None:
        """Add paragraphs of Markdown."""
        self.lines += [line for paragraph in paragraphs for line in (paragraph, "")]

    def table(self, rows: list[list[str]]) -> None:
        """Add a table; the first row is its head."""
        head, *body = [f"| {' | '.join(row)} |" for row in rows]
        self.say("\n".join([head, f"| {' | '.join(aligned(rows))} |", *body]))

    def picture(self, name: str, figure: "Figure", caption: str) -> None:
        """Add a PNG picture; who cannot see it is told its caption and its title, the finding."""
        from ckptsim.plots import rendered

        file = f"{self.stem}-{name}.png"
        self.files[file] = rendered(figure, self.footer)
        self.say(f"![{alternative(caption, figure)}]({file})")

    def data(self, name: str, frame: "pd.DataFrame") -> None:
        """Add a CSV table, named below the picture that is drawn from it."""
        file = f"{self.stem}-{name}.csv"
        self.files[file] = as_csv(frame)
        self.say(f"The numbers: [{file}]({file})")

    @property
    def footer(self) -> str:
        return f"{self.maker}: {self.command}"

    @property
    def maker(self) -> str:
        seeded = "" if self.seed is None else f", seed {self.seed}"
        return f"ckptsim {version('ckptsim')}{seeded}"

    def write(self) -> Path:
        """Write all of it; the Markdown page, which names the others, comes last."""
        from ckptsim.webpage import webpage

        path = ready(self.folder) / f"{self.stem}.md"
        self.folder.mkdir(parents=True, exist_ok=True)
        pages = {
            f"{self.stem}.html": webpage(self.title, self.text, self.files),
            path.name: self.text.encode(),
        }
        for name, content in {**self.files, **pages}.items():
            write_whole(self.folder / name, content)
        return path

    @property
    def text(self) -> str:
        """The page in Markdown."""
        made = ["---", "", f"Made by `{self.command}`", "", f"{self.maker}.", ""]
        return "\n".join([f"# {self.title}", "", *self.lines, *made])


def aligned(rows: list[list[str]]) -> list[str]:
    """For each column of a table, Markdown's sign for left or, for numbers, right."""
    head, *body = rows
    columns = [[row[place] for row in body] for place in range(len(head))]
    return ["---:" if cells and all(map(NUMBER.fullmatch, cells)) else "---" for cells in columns]


def alternative(caption: str, figure: "Figure") -> str:
    """What to tell in the place of a picture, as Markdown takes it between brackets."""
    told = f"{caption}: {figure.get_suptitle()}" if figure.get_suptitle() else caption
    return re.sub(r"([\[\]\\`*_<>])", r"\\\1", " ".join(told.split()))


def as_csv(frame: "pd.DataFrame") -> bytes:
    """A table as a CSV file, the same on every system."""
    return frame.to_csv(index=False, lineterminator="\n").encode()


def settings_table(described: Mapping[str, object]) -> list[list[str]]:
    """A scenario's keys and values for a page."""
    rows = [[f"`{key}`", str(value)] for key, value in settings_in(described, "")]
    return [["key", "value"], *rows]


def settings_in(table: Mapping[str, object], where: str) -> Iterator[tuple[str, object]]:
    """The keys of a table and of those in it, dotted."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from settings_in(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", value
