"""`ckptsim lesson`: the 84 minutes, step by step: predict, see, explain, try."""

import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from ckptsim.commands.options import report_folder, report_options
from ckptsim.errors import ScenarioError, nearest
from ckptsim.explorer.asked import asked, fragment_of
from ckptsim.explorer.page import page
from ckptsim.lesson import LESSONS, steps
from ckptsim.lesson.setting import SEED
from ckptsim.lesson.step import Step
from ckptsim.report import Report
from ckptsim.terminal import console, print_json, strong, table, tell
from ckptsim.webpage import anchor

if TYPE_CHECKING:
    import pandas as pd

WIDTH_READABLE = 88  # columns; longer lines of prose are hard to read
COMMAND_WIDTH = 72
EXPLORER = "explore.html"
UNBROKEN = "\0"  # in the place of a space
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
    """The 84-minute analysis of HTCondor's manual, step by step: predict, see, explain, try.

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
        written = report_on(lesson, seen, folder).write(document(lesson, seen))
        if not as_json:
            tell(["", f"Report: {written}, also as {written.with_suffix('.html').name}"])


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
        wait("to see")
    show(screen, see(step, width))
    show(screen, filled(f"Work out: {step.exercise}", width))
    if asks:
        wait("for the answer")
    show(screen, filled(f"Answer: {step.answer}", width))


def wait(purpose: str) -> None:
    """Until the class has thought."""
    click.prompt(f"Press Enter {purpose}", default="", show_default=False, prompt_suffix=" …")


def filled(text: str, width: int) -> Iterator[str]:
    """A paragraph of its own."""
    yield ""
    yield textwrap.fill(text, width)


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
    """The figure, the tables, the explanation and what to try."""
    yield ""
    yield from map(coloured, step.timelines)
    yield from step.chart.lines() if step.chart else ()
    for each in step.tables:
        yield ""
        yield table(each.text(), each.title)
        yield textwrap.fill(each.note, width)
    yield ""
    yield textwrap.fill(step.explanation, width)
    yield ""
    yield "Try:"
    for command in step.commands:
        yield textwrap.indent(continued(command), "  ")


def coloured(line: str) -> Text:
    """A timeline in colours, where the terminal has them."""
    text = Text(line)
    for pattern, colour in COLOURS.items():
        text.highlight_regex(pattern, colour)
    return text


def continued(line: str) -> str:
    """A command over several lines if it is long, as a shell takes it: each begins with a flag."""
    whole = re.sub(r" (?!--)", UNBROKEN, line)
    lines = textwrap.wrap(whole, COMMAND_WIDTH, break_on_hyphens=False)
    return " \\\n    ".join(lines).replace(UNBROKEN, " ")


def document(lesson: str, seen: list[tuple[int, Step]]) -> dict[str, Any]:
    """What `--json` prints; times in seconds."""
    return {
        "lesson": lesson,
        "steps": [
            {
                "step": number,
                "title": step.title,
                "question": step.question,
                "tables": {each.name: each.rows for each in step.tables},
                "explanation": step.explanation,
                "commands": step.commands,
                "exercise": step.exercise,
                "answer": step.answer,
            }
            for number, step in seen
        ],
        "seed": SEED,
        "engine": "virtual",
    }


def report_on(lesson: str, seen: list[tuple[int, Step]], folder: Path) -> Report:
    """The lesson as a page, with its pictures and tables."""
    report = Report(folder, "lesson", f"Lesson: {lesson.replace('-', ' ')}", SEED)
    headings = [f"{number}. {step.title}" for number, step in seen]
    if len(headings) > 1:
        report.say("\n".join(f"- [{heading}](#{anchor(heading)})" for heading in headings))
    for heading, (_, step) in zip(headings, seen, strict=True):
        add_step(report, heading, step)
    report.say("## Answers")
    report.say("\n".join(f"{number}. {step.answer}" for number, step in seen))
    report.pages[EXPLORER] = page("", *asked(seen[0][1].asked), report.command)
    return report


def add_step(report: Report, heading: str, step: Step) -> None:
    report.say(f"## {heading}", f"**Predict.** {step.question}")
    report.picture(step.picture.name, step.picture.draw(), step.picture.caption)
    if step.chart:
        report.data(f"{step.chart.name}-curve", frame(step.chart.rows()))
    for each in step.tables:
        report.say(f"{each.title}:")
        report.table(each.text())
        report.say(each.note)
        report.data(each.name, frame(each.rows))
    report.say(f"**Explain.** {step.explanation}", "**Try.**")
    report.say("\n".join(["```sh", *map(continued, step.commands), "```"]))
    report.say(played(heading, step))
    report.say(f"**Work out.** {step.exercise} ([Answer](#answers))")


def played(heading: str, step: Step) -> str:
    """The link to the explorer as the step sets it, and what of the step it leaves out.

    It names the step, for who has only links and frames read out.
    """
    question, notices = asked(step.asked)
    number = heading.partition(".")[0]
    link = f"[Play with it, set for step {number}]({EXPLORER}#{fragment_of(question)})"
    return ". ".join([link, *(f"In the explorer {notice}" for notice in notices)])


def frame(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """All values of a table or chart, times in seconds."""
    import pandas as pd

    return pd.DataFrame([flat(row) for row in rows])


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as numbers and words: an interval of confidence has two columns, its low and high."""
    columns: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, tuple) and not key.endswith("_ci99_s"):
            columns[key] = " ".join(map(str, value))
        elif isinstance(value, tuple):
            stem = key.removesuffix("_ci99_s")
            columns |= {f"{stem}_low_s": value[0], f"{stem}_high_s": value[1]}
        else:
            columns[key] = value
    return columns
