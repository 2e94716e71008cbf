"""`ckptsim wrap`: an executable for HTCondor out of a program that checkpoints in its own way."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from ckptsim.commands.measure_job import argument_line, found_program, plain
from ckptsim.commands.options import FLAGS, argument, scenario_from, scenario_options
from ckptsim.errors import OutputError, ScenarioError
from ckptsim.htcondor.jobad import entries
from ckptsim.htcondor.submit import read_all
from ckptsim.htcondor.submitfile import SubmitError, SubmitFile
from ckptsim.report import write_whole
from ckptsim.terminal import tell
from ckptsim.units import SECOND
from ckptsim.wrapping.answers import answers
from ckptsim.wrapping.asked import Asked, planned, settings
from ckptsim.wrapping.written import checkpointing, for_program, from_file, wrapper

CLUSTER = 1

EXAMPLES = """\b
Examples, of a program that
  writes checkpoints and goes on:
    ckptsim wrap --checkpoint 'md*.cpt' --carry 'md.*' -- gmx mdrun -deffnm md -cpi md.cpt
  ends after each, and has other arguments to go on:
    ckptsim wrap --checkpoint state --done file=result --continue-with '--resume' job.sub
  saves when it gets a signal, when it pays:
    ckptsim wrap --checkpoint state --save-on USR1 --limit 6h --write 4min -- ./my_program
  is a sequence of commands, one in a line:
    ckptsim wrap --commands steps.txt --input-files data.csv"""


class Target(NamedTuple):
    """What is wrapped: its name, and how its submit file comes about."""

    name: str
    file: SubmitFile | None
    text: str
    words: Sequence[str]


@click.command("wrap", epilog=EXAMPLES)
@click.argument("words", nargs=-1, metavar="[JOB.sub | -- PROGRAM [ARGUMENT...]]")
@click.option("--checkpoint", multiple=True, metavar="PATTERN", help="The checkpoint's files.")
@click.option("--carry", multiple=True, metavar="PATTERN", help="Files that belong to it.")
@click.option("--newest", type=click.IntRange(1), metavar="N", help="Keep only the N newest.")
@click.option(
    "--complete",
    metavar="SIGN",
    help="What shows that one is complete: quiet=2s (the default), marker=FILE, says=PATTERN in "
    "the output, or command=COMMAND that then succeeds.",
)
@click.option(
    "--done",
    metavar="SIGN",
    help="It ends after each checkpoint; what shows the end of all: file=FILE, says=PATTERN, "
    "command=COMMAND.",
)
@click.option(
    "--code",
    "codes",
    type=click.IntRange(0, 255),
    multiple=True,
    metavar="N",
    help="It ends after a checkpoint with this code.  [default: 0]",
)
@click.option("--save-on", metavar="SIGNAL", help="It saves on this signal, and ends or goes on.")
@click.option(
    "--commands",
    "commands",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="It is a sequence of commands, one a line; each that is done is a checkpoint.",
)
@click.option(
    "--stop-with",
    default="TERM",
    show_default=True,
    metavar="SIGNAL",
    help="What ends it once its checkpoint is kept.",
)
@click.option(
    "--patience",
    default="10min",
    show_default=True,
    metavar="TIME",
    help="How long it may take to save or end before it is killed.",
)
@click.option(
    "--continue-with", metavar="ARGUMENTS", help="Its arguments where there is a checkpoint."
)
@click.option("--continue-adding", metavar="ARGUMENTS", help="Arguments it then gets as well.")
@click.option(
    "--every", type=click.IntRange(1), metavar="K", help="Let it go with every K-th checkpoint."
)
@click.option(
    "--previous/--no-previous",
    default=True,
    show_default=True,
    help="Keep, and transfer, the checkpoint before, too.",
)
@click.option(
    "--input-files", default="", metavar="FILES", help="What it reads, with commas between."
)
@click.option("--scenario", type=click.Path(path_type=Path), help="The scenario of the plan.")
@click.option("--name", metavar="NAME", help="Of the files.  [default: the program's]")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help="Where they go."
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@scenario_options
def command(
    words: tuple[str, ...],
    commands: Path | None,
    input_files: str,
    scenario: Path | None,
    name: str | None,
    out: Path,
    force: bool,
    **given: Any,
) -> None:
    """Wrap a program that does not checkpoint as HTCondor wants, without changing it.

    Writes one Python file, which needs nothing but Python 3.6, and a submit file that runs it. The
    wrapper keeps each complete checkpoint of the program in a folder of its own and exits with 85:
    at each, at every K-th, each --interval, or, told what a checkpoint costs and how slots are lost
    (the flags of `ckptsim plan`), when it pays.
    """
    asked = asked_of(given, steps_of(commands))
    target = target_of(words, name, asked)
    made = settings(asked, target.name) | planned(plan_of(scenario, given), asked)
    wrapper_name = f"{target.name}.wrapped.py"
    files = {
        wrapper_name: wrapper(made),
        f"{target.name}.wrapped.sub": submit_file(
            target, wrapper_name, checkpointing(made, entries(input_files)), entries(input_files)
        ).encode(),
    }
    for path in write_new({out / file: content for file, content in files.items()}, force=force):
        if path.suffix == ".py":
            path.chmod(0o755)
    tell(next_steps(made, out, target.name))


def asked_of(given: dict[str, Any], steps: tuple[str, ...]) -> Asked:
    names = [name for name in Asked._fields if name != "steps"]
    return Asked(**{name: given.pop(name) for name in names}, steps=steps)


def steps_of(path: Path | None) -> tuple[str, ...]:
    """The commands of a file, one a line; comments and empty lines are none."""
    if path is None:
        return ()
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not text"
        raise ScenarioError(f"--commands {path}: {reason}; expected commands, one a line") from None
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise ScenarioError(f"--commands {path}: no command in it; expected one a line")
    return found


def target_of(words: tuple[str, ...], name: str | None, asked: Asked) -> Target:
    """What is to be wrapped; raises SubmitError or ScenarioError."""
    if asked.steps:
        if words:
            raise ScenarioError(
                f"{words[0]}: has no effect with --commands, which name the commands"
            )
        return Target(name or "steps", None, "", ("steps",))
    if not words:
        raise ScenarioError(
            "what is to be wrapped? Name a submit file, or -- PROGRAM [ARGUMENT...]"
        )
    if len(words) > 1 or not words[0].endswith(".sub"):
        found_program(words[0])
        return Target(name or Path(words[0]).name, None, "", words)
    path = Path(words[0])
    read_all(path, Path.cwd(), CLUSTER, int(time.time()))
    text = path.read_text(encoding="utf-8")
    return Target(name or path.stem, SubmitFile(text, path.name, Path.cwd()), text, ())


def submit_file(
    target: Target, wrapper_name: str, values: dict[str, str], inputs: Sequence[str]
) -> str:
    """The submit file that runs the wrapper."""
    if target.file:
        if inputs:
            raise SubmitError("--input-files: has no effect: the submit file names them")
        return from_file(target.file, target.text, wrapper_name, values)
    program = target.words[0]
    if "/" in program and not program.startswith("/"):  # that is to be where the job runs
        values = {**values, "transfer_input_files": ", ".join([program, *inputs])}
        program = f"./{Path(program).name}"
    words = [plain(word) for word in (program, *target.words[1:])]
    return for_program(target.name, argument_line(words), wrapper_name, values)


def plan_of(scenario: Path | None, given: dict[str, Any]) -> list[dict[str, object]]:
    """The answers of a plan, or of a bare --interval; none where neither is asked for."""
    keys = [key for key in FLAGS.values() if given.get(argument(key)) is not None]
    if not (scenario or keys or given["pool"] or given["settings"]):
        return []
    found = scenario_from(scenario, given)
    if scenario is None and not given["pool"] and keys == ["job.interval"]:
        interval_s = (found.job.interval or 0) / SECOND
        nothing = dict.fromkeys(("table", "leave_after_s", "limit_s"))
        return [{"cost_s": 0.0, "restart_s": 0.0, "interval_s": interval_s, **nothing}]
    return answers(found)


def write_new(files: dict[Path, bytes], *, force: bool) -> list[Path]:
    """Write them all, over nothing that is there unless that is asked for; raises OutputError."""
    for path in files:
        if path.exists() and not force:
            raise OutputError(f"{path}: is there already; --force writes over it, --name or --out")
        if not path.parent.is_dir():
            raise OutputError(f"{path.parent}: no such folder; make it, or choose another --out")
    for path, content in files.items():
        write_whole(path, content)
    return list(files)


def next_steps(made: dict[str, object], out: Path, name: str) -> list[str]:
    """What was written, and what to do with it."""
    sub = out / f"{name}.wrapped.sub"
    return [
        f"{out / name}.wrapped.py: the executable; its settings are at its top.",
        f"{sub}: the submit file.",
        f"HTCondor will move {made['kept']}; {made['journal']} tells what was done, and why.",
        "",
        f"Next: ckptsim check {sub}    does it survive?",
        f"      condor_submit {sub}",
    ]
