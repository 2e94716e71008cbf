"""`ckptsim measure`: run an executable for a few checkpoints, and learn what each of them costs."""

import os
import time
from pathlib import Path

import click

from ckptsim import units
from ckptsim.commands.measure_job import Subject, from_command, from_file, measurable
from ckptsim.commands.measure_run import Goal, Seen, measured
from ckptsim.commands.measure_told import Measured, write_new
from ckptsim.commands.options import figures_option
from ckptsim.commands.private_pool import ended_told
from ckptsim.commands.run import INTERRUPTED
from ckptsim.commands.run_told import counted
from ckptsim.errors import CkptsimError, DataError, OutputError, ScenarioError
from ckptsim.htcondor.jobad import entries
from ckptsim.report import ready
from ckptsim.terminal import print_json, tell

EXAMPLES = """\b
Examples:
  ckptsim measure job.sub
  ckptsim measure job.sub --checkpoints 10 --scenario job.toml
  ckptsim measure --checkpoint-files state.ckpt -- ./my_program --steps 100"""
USUAL_CODE = 85
LONGEST = "8h"


def a_time(_: click.Context, __: click.Parameter, value: str) -> int:
    """A time longer than 0, in nanoseconds."""
    try:
        found = units.duration(value)
    except CkptsimError as mistake:
        raise click.BadParameter(str(mistake)) from None
    if found == 0:
        raise click.BadParameter(f"{value}: must be longer than 0")
    return found


def a_rate(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A rate as it was typed, once it is one."""
    if value is not None:
        try:
            units.rate(value)
        except CkptsimError as mistake:
            raise click.BadParameter(str(mistake)) from None
    return value


@click.command("measure", epilog=EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="JOB.sub | -- PROGRAM [ARGUMENT...]")
@click.option(
    "--checkpoints",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="Let it make so many checkpoints.",
)
@click.option(
    "--restarts",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    metavar="N",
    help="Then take its slot away so many times.",
)
@click.option(
    "--at-most",
    callback=a_time,
    default=LONGEST,
    show_default=True,
    metavar="TIME",
    help="End after this time, with what was seen until then.",
)
@click.option(
    "--checkpoint-files",
    metavar="FILE,...",
    help="Of a program: the files of its checkpoint.  [default: all that it makes]",
)
@click.option(
    "--checkpoint-exit-code",
    type=click.IntRange(1, 255),
    metavar="N",
    help=f"Of a program: the code it exits with after a checkpoint.  [default: {USUAL_CODE}]",
)
@click.option("--input-files", metavar="FILE,...", help="Of a program: the files that it reads.")
@click.option(
    "--bandwidth",
    callback=a_rate,
    metavar="RATE",
    help="Of the pool, for the scenario: size and bandwidth in place of the local copy's time.",
)
@click.option(
    "--scenario",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Write a scenario with what was measured to this new file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, times in seconds.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Write a report to this folder."
)
@figures_option
def command(
    words: tuple[str, ...],
    checkpoints: int,
    restarts: int,
    at_most: int,
    checkpoint_files: str | None,
    checkpoint_exit_code: int | None,
    input_files: str | None,
    bandwidth: str | None,
    scenario: Path | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Run a job here and measure its write, transfer, restart and step.

    It runs in a pool of its own on this host until it has made its checkpoints; then its slot is
    taken away, that it restarts on a new one; then it is removed. Of a submit file that queues
    several jobs the first is run. Nothing of it comes home. Ctrl-C ends it, and what was measured
    until then is told.
    """
    refuse_existing(scenario)
    of_program = {
        "--checkpoint-files": checkpoint_files,
        "--checkpoint-exit-code": checkpoint_exit_code,
        "--input-files": input_files,
    }
    if is_file(words, [name for name, given in of_program.items() if given is not None]):
        subject = measurable(from_file(Path(words[0])))
    else:
        code = checkpoint_exit_code or USUAL_CODE
        lists = (entries(text or "") for text in (checkpoint_files, input_files))
        subject = from_command(words, code, *lists)
    folder, goal = out and ready(out), Goal(checkpoints, restarts, at_most)
    for warning in subject.warnings:
        click.echo(f"ckptsim: {warning}", err=True)
    announce(subject, goal, shown=not as_json)
    seen = measured(subject, goal, say=lambda text: said(text, shown=not as_json))
    if not seen.checkpoints:
        nothing(subject, goal, seen)
    tables = out and Path(os.path.relpath(out, scenario.parent if scenario else None))
    found = Measured(subject, goal, seen, bandwidth, tables)
    deliver(found, folder, scenario, as_json=as_json)
    raise click.exceptions.Exit(INTERRUPTED if seen.interrupted else 0)


def refuse_existing(scenario: Path | None) -> None:
    """A file that cannot be written is told before any work is done for it."""
    if scenario is None:
        return
    if os.path.lexists(scenario):
        raise OutputError(f"{scenario}: exists already; choose another file with --scenario")
    if not os.access(scenario.parent, os.W_OK):
        raise OutputError(
            f"{scenario.parent}: cannot be written to; choose another with --scenario"
        )


def is_file(words: tuple[str, ...], of_program: list[str]) -> bool:
    """Is a submit file meant, not a program? One word that is no executable file is one."""
    path = Path(words[0])
    one = len(words) == 1
    if path.suffix == ".sub" or (one and not of_program and not os.access(path, os.X_OK)):
        if of_program:
            raise ScenarioError(f"{of_program[0]}: {path} says that itself; expected a program")
        if not one:
            raise ScenarioError(f"{words[1]}: a second word; expected one submit file")
        return True
    return False


def announce(subject: Subject, goal: Goal, *, shown: bool) -> None:
    """What is going to be done."""
    if not shown:
        return
    if subject.description:
        tell(["The submit description:", "", *subject.description.splitlines(), ""])
    line = (
        f"Running {subject.name} until {counted(goal.checkpoints, 'checkpoint')} and "
        f"{counted(goal.restarts, 'restart')} in a new lease are seen, at most "
        f"{units.show(goal.at_most)}; Ctrl-C ends it and tells what was seen."
    )
    tell([line])


def said(text: str, *, shown: bool) -> None:
    """A line of progress."""
    if shown:
        print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def deliver(found: Measured, folder: Path | None, scenario: Path | None, *, as_json: bool) -> None:
    """Print it, and write what is to be written."""
    if as_json:
        print_json(found.json())
    else:
        tell(found.told())
    lines = [""]
    if folder:
        lines.append(f"Report: {found.report_on(folder).write(found.json())}")
    if scenario:
        write_new(scenario, found.scenario_text())
        lines.append(f"Scenario: {scenario}")
    if len(lines) > 1 and not as_json:
        tell(lines)


def nothing(subject: Subject, goal: Goal, seen: Seen) -> None:
    """There was no checkpoint: say what was seen instead, and what to do."""
    name = subject.name
    if seen.interrupted:
        click.echo(f"ckptsim: {name}: interrupted before its first checkpoint", err=True)
        raise click.exceptions.Exit(INTERRUPTED)
    words = f" (its last words: {seen.last_words})" if seen.last_words else ""
    if seen.held:
        files = ", ".join(subject.wanted or ()) or "all that it makes"
        raise DataError(
            f"{name}: no checkpoint: {seen.held}{words}; its checkpoint is to be {files} "
            "(transfer_checkpoint_files, --checkpoint-files): is that what it writes?"
        )
    if seen.status is None:
        ran = f"it kept running for {units.show(goal.at_most)}" if seen.runs else "it never ran"
        raise DataError(
            f"{name}: no checkpoint: {ran} and did not exit {subject.way}{words}; "
            "give it longer with --at-most, or let it checkpoint sooner"
        )
    raise DataError(
        f"{name}: no checkpoint: it ended {ended_told(seen.status)}, not {subject.way}{words}; "
        f"expected it to exit {subject.way} after each checkpoint, {what_to_do(seen.status)}"
    )


def what_to_do(status: int) -> str:
    """What is most likely amiss with a job that ended so."""
    if status == 0:
        return "before its work is done: give it more work, or let it checkpoint sooner"
    return "and run to there: are all its files in transfer_input_files (--input-files)?"
