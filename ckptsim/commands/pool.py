"""`ckptsim pool`: a small HTCondor-like pool of real processes on this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ckptsim.commands.pool_options import ANSWER_S, ENDED, json_option, state_option
from ckptsim.drivers.real import launch
from ckptsim.drivers.real.control import PoolError, ask, is_running
from ckptsim.terminal import print_json, table, tell

NOT_RUNNING = 1

POOL_FILE = """\b
A POOL.toml, of which every line may be left out:
  milliseconds = false     # in the times of job event logs
  [intervals]
  negotiation = "1s"       # between two matchings of jobs and slots
  periodic = "5s"          # ... looks at periodic expressions, time limits
  policy = "5s"            # ... looks at PREEMPT and PERIODIC_CHECKPOINT
  update = "5min"          # ... reports of a machine on its jobs
  [policy]                 # of all machines: numbers or ClassAd expressions
  MachineMaxVacateTime = 600
  CLAIM_WORKLIFE = 1200
  PREEMPT = "TotalJobRunTime > 3600"
  [[machines]]
  name = "ep1"
  slots = 16
  memory = "16 GiB"
  [machines.policy]        # of this one
  MachineMaxVacateTime = 10
Other policies: START, WANT_VACATE, MaxJobRetirementTime, PERIODIC_CHECKPOINT,
CHECK_REACTIVATE_AFTER_CHECKPOINT. Without a file: one machine with this host's processors.

\b
Examples:
  ckptsim pool start
  ckptsim submit job.sub && ckptsim q
  ckptsim pool stop"""


@click.group("pool", epilog=POOL_FILE, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Start, stop and look at a pool of real processes on this machine.

    It runs the jobs of HTCondor submit files under HTCondor's rules: sandboxes, checkpoints in a
    spool, signals, job event logs. Its queue and spool outlive it, whatever ends it.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command("start", epilog=POOL_FILE)
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[POOL.toml]")
@click.option(
    "--scenario",
    type=click.Path(path_type=Path),
    metavar="S.toml",
    help="Let slots meet the evictions, limits and power failures of this scenario.",
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Draw them with this seed.")
@state_option
def start(path: Path | None, scenario: Path | None, seed: int | None, state: Path) -> None:
    """Start the pool; jobs of an earlier one in the same place are taken up again."""
    status = launch.start(state, recipe(path, scenario, seed))
    tell(started(state, status))


@command.command("stop")
@state_option
def stop(state: Path) -> None:
    """Stop the pool; jobs that run are stopped, and go on from their checkpoints next time."""
    launch.stop(state)
    again = launch.command(state, "pool start")
    tell([f"The pool in {state} is stopped; its queue and spool stay there, for `{again}`."])


@command.command("status")
@json_option
@state_option
def status(as_json: bool, state: Path) -> None:
    """Show machines and slots; exit status 1 if no pool is running."""
    if not is_running(state):
        if as_json:
            print_json({"running": False, "machines": []})
        else:
            tell([f"No pool is running in {state}."])
        raise click.exceptions.Exit(NOT_RUNNING)
    found = ask(state, {"do": "status"}, ANSWER_S)
    if as_json:
        print_json({"running": True, **found})
    else:
        tell(told(state, found))


def recipe(config: Path | None, scenario: Path | None, seed: int | None) -> launch.Recipe:
    """What to start a pool with, its files checked; raises CkptsimError."""
    if seed is not None and scenario is None:
        raise PoolError("--seed: fates are only drawn with a scenario; give one with --scenario")
    if config is not None and scenario is not None:
        raise PoolError(f"{config}: a scenario brings machines of its own; give one of the two")
    if config is not None:
        from ckptsim.drivers.real.settings import read

        read(config)
    if scenario is not None:
        from ckptsim.scenario import load

        load(scenario, {})
    return launch.Recipe(config and config.resolve(), scenario and scenario.resolve(), seed)


def started(state: Path, status: dict[str, Any]) -> Iterator[str]:
    slots = sum(machine["cpus"] for machine in status["machines"])
    names = ", ".join(machine["name"] for machine in status["machines"])
    of = "machine" if len(status["machines"]) == 1 else "machines"
    yield f"A pool is running in {state} (pid {status['pid']}): {slots} slots, {of} {names}."
    kept = sum(count for kind, count in status["jobs"].items() if kind not in ENDED)
    if kept:
        yield f"In its queue: {counts_told(status)}; see `{launch.command(state, 'q')}`."
    else:
        yield f"Next: `{launch.command(state, 'submit JOB.sub')}`."


def told(state: Path, status: dict[str, Any]) -> Iterator[Any]:
    """What is printed, in order."""
    yield f"A pool is running in {state} (pid {status['pid']}); jobs: {counts_told(status)}."
    yield ""
    yield table([["machine", "state", "processors", "in use", "jobs"], *machine_rows(status)])


def counts_told(status: dict[str, Any]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in status["jobs"].items() if count) or "none"


def machine_rows(status: dict[str, Any]) -> Iterator[list[str]]:
    for machine in status["machines"]:
        running = [slot["job"] for slot in machine["slots"] if slot["job"]]
        named = ", ".join(running[:8]) + (", …" if len(running) > 8 else "")
        yield [
            machine["name"],
            power(machine),
            str(machine["cpus"]),
            str(len(running)),
            named or "–",
        ]


def power(machine: dict[str, Any]) -> str:
    if not machine["on"]:
        return "off"
    return "draining" if machine["draining"] else "on"
