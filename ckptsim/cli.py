"""The command line: names the commands, and turns mistakes into one line and exit status 2.

A command's module is imported only when it is used, so that `ckptsim --help` answers at once.
"""

import io
import os
import sys
from importlib import import_module
from typing import NamedTuple

import click

from ckptsim.errors import CkptsimError, nearest


class Entry(NamedTuple):
    """Where a command is, `module:attribute` in ckptsim.commands, and what it is for."""

    place: str
    use: str


GROUPS = {
    "Planning": {
        "plan": Entry(
            "plan:command",
            "How often to checkpoint: the interval, its price, and what would change it.",
        ),
        "simulate": Entry(
            "simulate:command", "Run jobs on slots: where the time went, throughput, makespan."
        ),
        "sweep": Entry(
            "sweep:command",
            "Vary one or two scenario keys over a range: trade-off curves and heat maps.",
        ),
        "fit": Entry("fit:command", "Learn eviction and power-failure laws from logs and tables."),
        "audit": Entry(
            "audit:command", "Where the slot time of past jobs went, from their event logs."
        ),
        "explore": Entry(
            "explore:command", "A page to play with: sliders, curves, leases; needs no network."
        ),
        "lesson": Entry(
            "lesson:command", "The 84-minute analysis of HTCondor's manual, step by step."
        ),
        "schema": Entry("schema:command", "Print the JSON Schema of scenario files, for editors."),
    },
    "An executable": {
        "measure": Entry(
            "measure:command",
            "Run an executable for a few checkpoints: what write, transfer and restart take.",
        ),
        "check": Entry(
            "check:command",
            "Does a job survive evictions, power failures and torn checkpoints? With proof.",
        ),
        "wrap": Entry(
            "wrap:command", "Make an executable for HTCondor of a program that does not behave."
        ),
    },
    "A pool on this machine": {
        "run": Entry(
            "run:command", "Run a submit file's jobs to their end in a pool of their own."
        ),
        "pool": Entry("pool:command", "Start, stop and look at a pool of real processes."),
        "submit": Entry("submit:command", "Submit the jobs of an HTCondor submit file."),
        "q": Entry("queue:queue", "What each job is doing, since when, and its checkpoints."),
        "wait": Entry("queue:wait", "Wait until jobs have ended."),
        "log": Entry("inspect:log", "A job's event log, once or as it grows."),
        "spool": Entry("inspect:spool", "The folder of a job's committed checkpoint."),
        "enter": Entry("inspect:enter", "A shell in a running job's sandbox."),
        "vacate": Entry("steer:vacate", "Evict jobs from their slots."),
        "hold": Entry("steer:hold", "Hold jobs until they are released."),
        "release": Entry("steer:release", "Let held jobs go on."),
        "rm": Entry("steer:remove", "Remove jobs."),
        "drain": Entry("steer:drain", "Empty a machine, gently."),
        "power-off": Entry("steer:power_off", "Kill everything on a machine with no warning."),
        "power-on": Entry("steer:power_on", "Start a machine again."),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}
INTERRUPTED = 130


class Commands(click.Group):
    """A group that knows its commands' names and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click gives it)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].place.partition(":")
        command: click.Command = getattr(import_module(f"ckptsim.commands.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            known = ", ".join(COMMANDS)
            raise click.UsageError(
                f"no command {args[0]!r}{nearest(args[0], COMMANDS)}; the commands are {known}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.use) for name, entry in group.items()])


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="ckptsim", prog_name="ckptsim")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """How often should a long-running job checkpoint, what does that cost, and how sure is that?

    Try: ckptsim plan --limit 6h --evictions 12h --write 4min --transfer 1min
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """The command `ckptsim`."""
    # NumPy's threads do no good to matrices as small as ours, and harm where other processes are at
    # work; and with one alone the last bits of sums are the same on every machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):  # a letter that the terminal lacks is no mistake
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        status = told(usage_line(error))
    except CkptsimError as error:
        status = told(str(error))
    except (click.Abort, KeyboardInterrupt):
        told("stopped before anything was finished")
        status = INTERRUPTED
    except BrokenPipeError:  # the reader, `head` for instance, has seen enough
        silence()
        status = 0
    except OSError as error:
        silence()
        status = told(f"cannot write the output: {(error.strerror or str(error)).lower()}")
    sys.exit(status)


def silence() -> None:
    """Send what is still to be printed nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def told(message: str) -> int:
    for line in message.splitlines():
        click.echo(f"ckptsim: {line}", err=True)
    return 2


def usage_line(error: click.ClickException) -> str:
    """Click's message in one line, with what to do."""
    message = error.format_message().replace("\n", " ")
    where = (
        error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "ckptsim"
    )
    return f"{message} (see `{where} --help`)"
