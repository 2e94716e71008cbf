"""`ckptsim vacate`, `hold`, `release`, `rm`, `drain`, `power-off`, `power-on`: fates by hand."""

from pathlib import Path
from typing import Any

import click

from ckptsim.commands.pool_options import ANSWER_S, several, state_option
from ckptsim.drivers.real.control import ask

job_arguments = click.argument("given", nargs=-1, required=True, metavar="JOB...")
machine_argument = click.argument("machine", metavar="MACHINE")

WHICH = """\b
JOB is 7.0, or 7 for all jobs of cluster 7. Examples:"""


def examples(*lines: str) -> str:
    return "\n".join([WHICH, *(f"  ckptsim {line}" for line in lines)])


def act(state: Path, done: str, given: tuple[str, ...], **request: Any) -> None:
    """Ask for it job by job, and tell to which it was done."""

    def ask_for(word: str) -> None:
        for job in ask(state, {**request, "job": word}, ANSWER_S)["jobs"]:
            click.echo(f"Job {job} {done}")

    several(ask_for, given)


@click.command("vacate", epilog=examples("vacate 7.0", "vacate --fast 7"))
@click.option("--fast", is_flag=True, help="Kill it at once, with no time to save anything.")
@job_arguments
@state_option
def vacate(given: tuple[str, ...], fast: bool, state: Path) -> None:
    """Evict jobs from their slots; they go back to the queue."""
    act(state, "fast-vacated" if fast else "vacated", given, do="vacate", fast=fast)


@click.command("hold", epilog=examples("hold 7.0"))
@job_arguments
@state_option
def hold(given: tuple[str, ...], state: Path) -> None:
    """Hold jobs: they leave their slots and do not run until they are released."""
    act(state, "held", given, do="hold")


@click.command("release", epilog=examples("release 7.0"))
@job_arguments
@state_option
def release(given: tuple[str, ...], state: Path) -> None:
    """Release held jobs; they go on from their last committed checkpoint."""
    act(state, "released", given, do="release")


@click.command("rm", epilog=examples("rm 7.0", "rm 7 8"))
@job_arguments
@state_option
def remove(given: tuple[str, ...], state: Path) -> None:
    """Remove jobs, and their checkpoints with them."""
    act(state, "marked for removal", given, do="rm")


@click.command("drain", epilog="Example: ckptsim drain ep1")
@machine_argument
@state_option
def drain(machine: str, state: Path) -> None:
    """Let a machine's jobs retire or vacate, and give it no new ones."""
    ask(state, {"do": "drain", "machine": machine}, ANSWER_S)
    click.echo(f"Machine {machine} is draining")


@click.command("power-off", epilog="Example: ckptsim power-off ep1")
@click.option("--silent", is_flag=True, help="The pool learns of it only when contact is lost.")
@machine_argument
@state_option
def power_off(machine: str, silent: bool, state: Path) -> None:
    """Cut a machine's power: everything on it is killed with no warning."""
    ask(state, {"do": "power_off", "machine": machine, "silent": silent}, ANSWER_S)
    click.echo(f"Machine {machine} is off")


@click.command("power-on", epilog="Example: ckptsim power-on ep1")
@machine_argument
@state_option
def power_on(machine: str, state: Path) -> None:
    """Start a machine again, after power-off or drain."""
    ask(state, {"do": "power_on", "machine": machine}, ANSWER_S)
    click.echo(f"Machine {machine} is on")
