"""A report's folder: a Markdown page, CSV tables and pictures, written whole or not at all."""

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ckptsim.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


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
        f"{path}: cannot write the report: {reason}; choose another place with --out, "
        "or write none with --no-report"
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
    lines: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def say(self, *paragraphs: str) -> None:
        """Add paragraphs of Markdown."""
        self.lines += [line for paragraph in paragraphs for line in (paragraph, "")]

    def table(self, rows: list[list[str]]) -> None:
        """Add a table; the first row is its head."""
        head, *body = [f"| {' | '.join(row)} |" for row in rows]
        self.say("\n".join([head, "|" + " --- |" * len(rows[0]), *body]))

    def picture(self, name: str, figure: "Figure", caption: str) -> None:
        """Add a PNG picture."""
        from ckptsim.plots import rendered

        file = f"{self.stem}-{name}.png"
        self.files[file] = rendered(figure, self.footer)
        self.say(f"![{caption}]({file})")

    def data(self, name: str, frame: "pd.DataFrame") -> None:
        """Add a CSV table, named below the picture that is drawn from it."""
        file = f"{self.stem}-{name}.csv"
        self.files[file] = as_csv(frame)
        self.say(f"The numbers: [{file}]({file})")

    @property
    def footer(self) -> str:
        return f"{self.maker}: {command_line()}"

    @property
    def maker(self) -> str:
        seeded = "" if self.seed is None else f", seed {self.seed}"
        return f"ckptsim {version('ckptsim')}{seeded}"

    def write(self) -> Path:
        """Write all of it; the page, which names the others, comes last."""
        page = [f"# {self.title}", "", *self.lines, "---", "", f"Made by `{command_line()}`", ""]
        page += [f"{self.maker}.", ""]
        path = ready(self.folder) / f"{self.stem}.md"
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in {**self.files, path.name: "\n".join(page).encode()}.items():
            write_whole(self.folder / name, content)
        return path


def as_csv(frame: "pd.DataFrame") -> bytes:
    """A table as a CSV file, the same on every system."""
    return frame.to_csv(index=False, lineterminator="\n").encode()


def settings_table(described: Mapping[str, object]) -> list[list[str]]:
    """A scenario's keys and values for a page."""
    rows = [["key", "value"]]
    for table, inner in described.items():
        if isinstance(inner, Mapping):
            rows += [[f"`{table}.{key}`", str(value)] for key, value in inner.items()]
        else:
            rows.append([f"`{table}`", str(inner)])
    return rows
