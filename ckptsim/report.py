"""A report's folder: its page, tables, pictures and JSON, each written whole or not at all.

Every page begins with the answer in a sentence and ends with how it was computed; between them are
the evidence and what would change it. The page is there twice: in Markdown, which names the other
files, and as a web page that has them in it and so can be sent to someone, put on a projector or
printed.
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
from typing import TYPE_CHECKING, Any

import click

from ckptsim.errors import OutputError
from ckptsim.terminal import json_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NUMBER = re.compile(r"([±−+-]? ?[\d.,]+ ?(%|d|h|min|s)? ?)*|never|exact|–")
"""What is in the cells of a column of numbers."""
FIGURES = "ckptsim.figures"  # in click's context: how pictures are written besides as PNG
LONG = 5  # sections: from so many on a page says first what is in it
ANSWER = "Answer"


def command_line() -> str:
    """The command as it was typed, to be run again."""
    return shlex.join(["ckptsim", *sys.argv[1:]])


def figure_kinds() -> tuple[str, ...]:
    """What the command line asks pictures to be written as, besides PNG: svg, pdf."""
    context = click.get_current_context(silent=True)
    return tuple(context.meta.get(FIGURES, ())) if context else ()


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
    kinds: tuple[str, ...] = field(default_factory=figure_kinds)  # of pictures, besides PNG
    lines: list[str] = field(default_factory=list)
    how: list[str] = field(default_factory=list)  # it was computed, and from what
    files: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, bytes] = field(default_factory=dict)  # that links lead to, as web pages
    figures: int = 0

    def answer(self, sentence: str, *more: str) -> None:
        """Begin with the answer; the first sentence is set large."""
        self.say(f"## {ANSWER}", sentence, *more)

    def computed(self, *sentences: str, scenario: Mapping[str, object] | None = None) -> None:
        """Say for the end how it was computed, and from which scenario."""
        self.how += [line for sentence in sentences for line in (sentence, "")]
        if scenario is not None:
            self.how += ["### The scenario", "", table_text(settings_table(scenario)), ""]

    def say(self, *paragraphs: str) -> None:
        """Add paragraphs of Markdown."""
        self.lines += [line for paragraph in paragraphs for line in (paragraph, "")]

    def table(self, rows: list[list[str]]) -> None:
        """Add a table; the first row is its head."""
        self.say(table_text(rows))

    def picture(self, name: str, figure: "Figure", caption: str) -> None:
        """Add a picture; who cannot see it is told its caption and its title, the finding."""
        from ckptsim.plots import rendered

        files = {kind: f"{self.stem}-{name}.{kind}" for kind in ("png", *self.kinds)}
        for kind, file in files.items():
            self.files[file] = rendered(figure, self.footer, kind)
        self.figures += 1
        vectors = [f"[{kind.upper()}]({files[kind]})" for kind in self.kinds]
        print_it = f" To print: {', '.join(vectors)}." if vectors else ""
        self.say(f"![{alternative(caption, figure)}]({files['png']})")
        self.say(f"**Figure {self.figures}.** {caption}.{print_it}")

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

    def write(self, document: Mapping[str, Any]) -> Path:
        """Write all of it, `document` as JSON; the Markdown page, which names all, comes last."""
        from ckptsim.webpage import webpage

        self.files[f"{self.stem}.json"] = f"{json_text(document)}\n".encode()
        path = ready(self.folder) / f"{self.stem}.md"
        self.folder.mkdir(parents=True, exist_ok=True)
        pages = {
            f"{self.stem}.html": webpage(self.title, self.text, self.files, self.pages),
            path.name: self.text.encode(),
        }
        for name, content in {**self.files, **self.pages, **pages}.items():
            write_whole(self.folder / name, content)
        return path

    @property
    def text(self) -> str:
        """The page in Markdown."""
        made = ["## How it was computed", "", "Made by", "", "```sh", self.command, "```", ""]
        json = f"{self.stem}.json"
        whole = f"{self.maker}. All of it for programs, times in seconds: [{json}]({json})"
        lines = with_contents([*self.lines, *made, whole, "", *self.how])
        return "\n".join([f"# {self.title}", "", *lines])


def with_contents(lines: list[str]) -> list[str]:
    """A long page's lines, with links to its sections after the answer, which comes first."""
    from ckptsim.webpage import anchor

    sections = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    if len(sections) < LONG or sections[0] != ANSWER:
        return lines
    links = " · ".join(f"[{name}](#{anchor(name)})" for name in sections[1:])
    place = lines.index(f"## {sections[1]}")
    return [*lines[:place], f"On this page: {links}", "", *lines[place:]]


def table_text(rows: list[list[str]]) -> str:
    """A table in Markdown; the first row is its head."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, f"| {' | '.join(aligned(rows))} |", *body])


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
