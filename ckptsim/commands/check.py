"""`ckptsim check`: does a job survive the life it will have? Found out by trying."""

import shlex
import shutil
import time
from pathlib import Path

import click

from ckptsim.check_rules import Observed, judged
from ckptsim.commands.check_job import terms_of
from ckptsim.commands.check_proof import Place, usual_folder
from ckptsim.commands.check_told import document, lines
from ckptsim.commands.check_trials import Asked, checked
from ckptsim.commands.measure import USUAL_CODE, a_time, is_file
from ckptsim.commands.measure_job import from_command, from_file
from ckptsim.commands.run import INTERRUPTED
from ckptsim.findings import Finding, Verdict
from ckptsim.htcondor.jobad import entries
from ckptsim.htcondor.lint import Conditions, lint
from ckptsim.terminal import print_json, tell
from ckptsim.units import show

EXAMPLES = """\b
Examples:
  ckptsim check job.sub
  ckptsim check job.sub --compare 'numdiff {reference} {found}' --ignore '*.log'
  ckptsim check --checkpoint-files state.ckpt -- ./my_program --steps 100"""
BROKEN = 1
FILES = ("reference", "found")


def a_time_or_none(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> int | None:
    """A time longer than 0, in nanoseconds, if one is given."""
    return None if value is None else a_time(context, parameter, value)


def a_comparison(_: click.Context, __: click.Parameter, value: str | None) -> list[str]:
    """The words of a command that is given both files."""
    try:
        words = shlex.split(value or "")
    except ValueError as mistake:
        raise click.BadParameter(f"{value}: {mistake}") from None
    if words and not all(f"{{{name}}}" in (value or "") for name in FILES):
        raise click.BadParameter(f"{value}: expected {{reference}} and {{found}} in it")
    if words and shutil.which(words[0]) is None:
        raise click.BadParameter(f"{words[0]}: no such program")
    return words


@click.command("check", epilog=EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="JOB.sub | -- PROGRAM [ARGUMENT...]")
@click.option(
    "--points",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    metavar="N",
    help="Of the changes of a checkpoint's files, try a fault after so many.",
)
@click.option(
    "--moments",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    metavar="N",
    help="Try an eviction at so many moments drawn at random.",
)
@click.option(
    "--trials", metavar="NAME,...", help="Only these, such as evicted,torn-*.  [default: all]"
)
@click.option(
    "--compare",
    callback=a_comparison,
    metavar="CMD",
    help="Compare output with 'CMD {reference} {found}': exit status 0 means the same.",
)
@click.option("--ignore", multiple=True, metavar="PATTERN", help="Leave these output files out.")
@click.option(
    "--at-most",
    callback=a_time,
    default="1h",
    show_default=True,
    metavar="TIME",
    help="End after this time, with what was seen until then.",
)
@click.option(
    "--grace",
    callback=a_time,
    default="5s",
    show_default=True,
    metavar="TIME",
    help="From SIGTERM to SIGKILL at an eviction (HTCondor's default is 10 min).",
)
@click.option(
    "--parallel",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    metavar="N",
    help="Trials at a time.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Of the moments, and of the garbage in a torn checkpoint.",
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
    "--interval",
    callback=a_time_or_none,
    metavar="TIME",
    help="Of the real job: its computing between two checkpoints, against limits in its file.",
)
@click.option(
    "--limit", callback=a_time_or_none, metavar="TIME", help="Of real slots: their runtime limit."
)
@click.option("--quiet", "-q", is_flag=True, help="Print only what does not hold.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, times in seconds.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the proof of what is broken here.  [default: reports/check-NAME]",
)
def command(
    words: tuple[str, ...],
    points: int,
    moments: int,
    trials: str | None,
    compare: list[str],
    ignore: tuple[str, ...],
    at_most: int,
    grace: int,
    parallel: int,
    seed: int,
    checkpoint_files: str | None,
    checkpoint_exit_code: int | None,
    input_files: str | None,
    interval: int | None,
    limit: int | None,
    quiet: bool,
    as_json: bool,
    out: Path | None,
) -> None:
    """Run a job under evictions, power failures and torn checkpoints, and judge each rule.

    It runs in a pool of its own on this host: twice without a fault, then once for each trial. Of a
    submit file that queues several jobs the first is run. Nothing of it comes home, but the proof
    of what is broken. Ends with status 1 if a rule is broken. Ctrl-C ends it, and what was seen
    until then is told.
    """
    of_program = {
        "--checkpoint-files": checkpoint_files,
        "--checkpoint-exit-code": checkpoint_exit_code,
        "--input-files": input_files,
    }
    given = [name for name, value in of_program.items() if value is not None]
    if is_file(words, given):
        subject = from_file(Path(words[0]))
    else:
        lists = (entries(text or "") for text in (checkpoint_files, input_files))
        subject = from_command(words, checkpoint_exit_code or USUAL_CODE, *lists)
    terms = terms_of(subject, grace)
    place = Place(out or usual_folder(subject), always=out is not None)
    place.refuse()
    for warning in subject.warnings:
        click.echo(f"ckptsim: {warning}", err=True)
    shown = not (as_json or quiet)
    if shown:
        until = f"at most {show(at_most)}; Ctrl-C ends it and tells what was seen."
        tell([f"Checking {subject.name}, {until}"])
    patterns = entries(trials or "")
    asked = Asked(points, moments, at_most, seed, patterns, compare, ignore, parallel)
    findings: list[Finding] = []

    def take(observed: Observed, folders: Path) -> None:
        findings.extend(place.kept(judged(observed), observed, folders))

    found = checked(subject, terms, asked, lambda text: said(text, shown=shown), take)
    sizes = [run.bytes for outcome in found.outcomes for run in outcome.runs if run.sent]
    known = Conditions(limit=limit, interval=interval, checkpoint_bytes=max(sizes, default=None))
    findings[:0] = lint(subject.description or Path(words[0]), known)
    if as_json:
        print_json(document(subject, found, findings, place))
    else:
        tell(lines(subject, found, findings, place, quiet=quiet))
    raise click.exceptions.Exit(status(findings, interrupted=found.interrupted))


def said(text: str, *, shown: bool) -> None:
    """A line of progress."""
    if shown:
        print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def status(findings: list[Finding], *, interrupted: bool) -> int:
    """The exit status."""
    if interrupted:
        return INTERRUPTED
    return BROKEN if any(each.verdict is Verdict.BROKEN for each in findings) else 0
