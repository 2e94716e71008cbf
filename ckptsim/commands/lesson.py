"""`ckptsim lesson`: the 84 minutes, step by step: predict, see, explain."""

import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from ckptsim.commands.options import report_folder, report_options
from ckptsim.errors import ScenarioError, nearest
from ckptsim.lesson import LESSONS, SEED, Step, Table, steps
from ckptsim.report import Report
from ckptsim.terminal import console, print_json, strong, table, tell

if TYPE_CHECKING:
    import pandas as pd

WIDTH_READABLE = 88  # columns; longer lines of prose are hard to read
COMMAND_WIDTH = 76
COLOURS = {"=+": "blue", "C+": "cyan", "x+": "red", "R+": "green"}  # the signs of timelines
STEPS_MOST = max(len(steps) for steps in LESSONS.values())


@click.command("lesson")
@click.argument("name", required=False, metavar="LESSON")
@click.option(
    "--step",
    "only",
    type=click.IntRange(1, STEPS_MOST),
    metavar="N",
    help="Show this step alone, without a pause; writes a report only with --out.",
)
@report_options
def command(
    name: str | None, only: int | None, as_json: bool, out: Path | None, no_report: bool
) -> None:
    """The 84-minute analysis of HTCondor's manual, step by step: predict, see, explain.

    LESSON is 84-minutes. Every number is simulated or solved while you look.
    """
    lesson = known(name)
    folder = report_folder(
        f"lesson-{lesson}", out, no_report=no_report or bool(only and not out), as_json=as_json
    )
    asks = not (as_json or only) and sys.stdin.isatty() and sys.stdout.isatty()
    seen = list[tuple[int, Step]]()
    for number, step in steps(lesson, only):
        seen.append((number, step))
        if not as_json:
            show_step(number, step, asks=asks)
    if as_json:
        print_json(document(lesson, seen))
    if folder:
        page = write_report(lesson, seen, folder)
        if not as_json:
            tell(["", f"Report: {page}"])


def known(name: str | None) -> str:
    """The lesson's name, if there is such a lesson."""
    if name is None or name not in LESSONS:
        found = f"{name!r}: no such lesson" if name else "none named"
        like = nearest(name, LESSONS) if name else ""
        raise ScenarioError(f"lesson: {found}; expected one of {', '.join(LESSONS)}{like}")
    return name


def show_step(number: int, step: Step, *, asks: bool) -> None:
    """One step on the terminal; with `asks` it waits for the class to have predicted."""
    screen = console()
    width = min(screen.width, WIDTH_READABLE)
    show(screen, predict(number, step, width))
    if asks:
        click.prompt("Press Enter to see", default="", show_default=False, prompt_suffix=" …")
    show(screen, see(step, width))


def show(screen: Console, lines: Iterator[Any]) -> None:
    for line in lines:
        screen.print(line, soft_wrap=isinstance(line, str | Text))


def predict(number: int, step: Step, width: int) -> Iterator[Any]:
    """The heading and the question."""
    yield ""
    yield strong(f"Step {number}. {step.title}")
    yield ""
    yield textwrap.fill(f"Predict: {step.question}", width)


def see(step: Step, width: int) -> Iterator[Any]:
    """Timelines, the table and commands; then the explanation."""
    yield ""
    if step.timelines:
        yield from map(coloured, step.timelines)
        yield ""
    yield table(step.table.text(), step.table.title)
    yield textwrap.fill(step.table.note, width)
    if step.commands:
        yield ""
        yield from map(continued, step.commands)
    yield ""
    yield textwrap.fill(step.explanation, width)


def coloured(line: str) -> Text:
    """A timeline in colours, where the terminal has them."""
    text = Text(line)
    for pattern, colour in COLOURS.items():
        text.highlight_regex(pattern, colour)
    return text


def continued(line: str) -> str:
    """A command over several lines if it is long, as a shell takes it."""
    return "  " + " \\\n      ".join(textwrap.wrap(line, COMMAND_WIDTH))


def document(lesson: str, seen: list[tuple[int, Step]]) -> dict[str, Any]:
    """What `--json` prints; times in seconds."""
    return {
        "lesson": lesson,
        "steps": [
            {
                "step": number,
                "title": step.title,
                "question": step.question,
                "tables": {step.table.name: step.table.rows},
                "explanation": step.explanation,
                "commands": step.commands,
            }
            for number, step in seen
        ],
        "seed": SEED,
        "engine": "virtual",
    }


def write_report(lesson: str, seen: list[tuple[int, Step]], folder: Path) -> Path:
    """The lesson as a page, with its pictures and tables."""
    report = Report(folder, "lesson", f"Lesson: {lesson.replace('-', ' ')}", SEED)
    for number, step in seen:
        add_step(report, number, step)
    return report.write()


def add_step(report: Report, number: int, step: Step) -> None:
    report.say(f"## {number}. {step.title}", f"**Predict.** {step.question}")
    if step.timelines:
        report.say("\n".join(["```text", *step.timelines, "```"]))
    report.say(f"{step.table.title}:")
    report.table(step.table.text())
    report.say(step.table.note)
    report.data(step.table.name, frame(step.table))
    for picture in step.pictures:
        report.picture(picture.name, picture.draw(), picture.caption)
    if step.commands:
        report.say("\n".join(["```sh", *step.commands, "```"]))
    report.say(f"**Explain.** {step.explanation}")


def frame(found: Table) -> "pd.DataFrame":
    """All values of a table, times in seconds."""
    import pandas as pd

    return pd.DataFrame([flat(row) for row in found.rows])


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with each interval of confidence in two columns, `…_low_s` and `…_high_s`."""
    columns: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, tuple):
            stem = key.removesuffix("_ci99_s")
            columns |= {f"{stem}_low_s": value[0], f"{stem}_high_s": value[1]}
        else:
            columns[key] = value
    return columns
