"""`ckptsim q` and `ckptsim wait`: what the jobs are doing, and waiting for them to end."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ckptsim.commands.pool_options import ENDED, Job, ids, jobs, json_option, state_option
from ckptsim.drivers.real.control import PoolError, ask
from ckptsim.errors import CkptsimError
from ckptsim.terminal import print_json, table, tell
from ckptsim.units import SECOND, duration, show

TIMED_OUT = 1
COMMAND_LETTERS = 40
LEAST_S = 1e-3  # the pool takes 0 for no limit

QUEUE_EXAMPLES = """\b
Examples:
  ckptsim q                   jobs that have not ended
  ckptsim q 7                 the jobs of cluster 7
  ckptsim q --all             the ended ones too
  ckptsim q --json            all of them, for programs; times in nanoseconds"""

WAIT_EXAMPLES = """\b
Examples:
  ckptsim wait                        until all jobs have ended
  ckptsim wait 7.0 --timeout 10min    until 7.0 has, or 10 min are over"""


@click.command("q", epilog=QUEUE_EXAMPLES)
@click.argument("given", nargs=-1, metavar="[JOB...]")
@click.option("-a", "--all", "everything", is_flag=True, help="Show ended jobs as well.")
@json_option
@state_option
def queue(given: tuple[str, ...], everything: bool, as_json: bool, state: Path) -> None:
    """Show the queue: what each job is doing, since when, where, and its checkpoints."""
    found = jobs(state, given)
    if as_json:
        print_json({"jobs": found})
        return
    shown = [job for job in found if everything or given or job["status"] not in ENDED]
    tell(told(shown, found, state))


def told(shown: Sequence[Job], found: Sequence[Job], state: Path) -> Iterator[Any]:
    """What is printed, in order."""
    now = time.time_ns()
    if shown:
        yield table([HEAD, *(row(job, now) for job in shown)])
        yield ""
    for job in shown:
        if job["held"]:
            yield f"{job['id']} is held: {job['held']['reason']}"
    yield totals(found) if found else f"No job was ever submitted in {state}."


HEAD = ["ID", "state", "since", "slot", "checkpoints", "run time", "command"]


def row(job: Job, now: int) -> list[str]:
    """A job in the table."""
    return [
        job["id"],
        job["status"],
        ago(now - job["since"]),
        (job["slot"] or "–").rpartition("@")[0] or "–",
        str(job["checkpoints"]),
        ago(run_time(job, now)),
        command_of(job),
    ]


def run_time(job: Job, now: int) -> int:
    """Slot time so far, ns: what is in the ledger, what may yet be lost, and this stage."""
    known: int = sum(job["ledger"].values()) + job.get("unsaved", 0)
    return known + (now - job["since"] if job["machine"] else 0)


def ago(time_ns: int) -> str:
    """A time to the second: what is watched needs no more."""
    return show(max(0, time_ns) // SECOND * SECOND)


def command_of(job: Job) -> str:
    text = f"{Path(job['cmd']).name} {job['args'] or ''}".strip()
    text = " ".join(text.split())
    return text if len(text) <= COMMAND_LETTERS else f"{text[: COMMAND_LETTERS - 1]}…"


def totals(found: Sequence[Job]) -> str:
    counts = Counter(job["status"] for job in found)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{len(found)} {'job' if len(found) == 1 else 'jobs'}: {told}"


@click.command("wait", epilog=WAIT_EXAMPLES)
@click.argument("given", nargs=-1, metavar="[JOB...]")
@click.option("--timeout", metavar="TIME", help="Wait no longer than this, for example 10min.")
@click.option("--held", is_flag=True, help="Do not wait for jobs that are held.")
@json_option
@state_option
def wait(
    given: tuple[str, ...], timeout: str | None, held: bool, as_json: bool, state: Path
) -> None:
    """Wait until jobs have ended: those given, or all; exit status 1 if time runs out first."""
    limit_s = None if timeout is None else seconds_of(timeout)
    request = {"do": "wait", "jobs": ids(given) or None, "timeout_s": limit_s, "held": held}
    answer = ask(state, request)
    if as_json:
        print_json({"timeout": answer.get("timeout", False), "jobs": answer["jobs"]})
    else:
        tell(f"{job['id']} {ending(job)}" for job in answer["jobs"])
    if answer.get("timeout"):
        raise click.exceptions.Exit(TIMED_OUT)


def seconds_of(timeout: str) -> float:
    try:
        return max(duration(timeout) / SECOND, LEAST_S)
    except CkptsimError as mistake:
        raise PoolError(f"--timeout: {mistake}") from None


def ending(job: Job) -> str:
    """What became of a job, in words."""
    if job["status"] == "completed" and job["exit"] is not None:
        return f"completed {way_of(job['exit'])}"
    if job["held"]:
        return f"is held: {job['held']['reason']}"
    return str(job["status"]) if job["status"] in ENDED else f"is still {job['status']}"


def way_of(status: int) -> str:
    """A raw wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    return f"with exit status {code}" if code >= 0 else f"by {signal_name(-code)}"


def signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
