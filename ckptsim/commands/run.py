"""`ckptsim run`: the jobs of a submit file, in the foreground, in a pool of their own."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ckptsim.commands import run_told
from ckptsim.commands.options import figures_option
from ckptsim.commands.pool import POOL_FILE, recipe
from ckptsim.commands.pool_options import ANSWER_S, ENDED, Job
from ckptsim.commands.run_view import view
from ckptsim.commands.submit import submit
from ckptsim.drivers.real import launch
from ckptsim.drivers.real.control import PoolError, ask, is_running, watch
from ckptsim.report import ready
from ckptsim.terminal import print_json, tell

INTERRUPTED = 130
HELD = REMOVED = 1
REMOVAL_S = 10.0  # then what is left is killed with the pool

EXAMPLES = """\b
Examples:
  ckptsim run job.sub
  ckptsim run job.sub --scenario slots.toml --seed 3 --out report
  ckptsim run job.sub --pool-config pool.toml --json

""" + POOL_FILE.partition("\n\n")[0]


@dataclass
class Place:
    """Where the pool is, and whether it stays there when all is over."""

    state: Path
    stays: bool


@click.command("run", epilog=EXAMPLES)
@click.argument("path", type=click.Path(path_type=Path), metavar="JOB.sub")
@click.option(
    "--pool-config",
    type=click.Path(path_type=Path),
    metavar="POOL.toml",
    help="Machines, slots and policy.  [default: one machine with this host's processors]",
)
@click.option(
    "--scenario",
    type=click.Path(path_type=Path),
    metavar="S.toml",
    help="Let slots meet the evictions, limits and power failures that `simulate` would draw.",
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Draw them with this seed.")
@click.option("--keep", is_flag=True, help="Keep the pool's state, spool and sandboxes.")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep them in this folder.  [default: a temporary one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, times in seconds.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Write a report to this folder."
)
@figures_option
def command(
    path: Path,
    pool_config: Path | None,
    scenario: Path | None,
    seed: int | None,
    keep: bool,
    state: Path | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Run a submit file's jobs to their end and account for the time they took.

    Ends with the job's own exit status, or 128 and the number of the signal that ended it; of
    several jobs with the first that is not 0. A job on hold ends the run with status 1. Ctrl-C
    removes the jobs and leaves nothing behind.
    """
    how = recipe(pool_config, scenario, seed)._replace(owner=os.getpid())
    folder = out and ready(out)
    with place(state, keep=keep) as where:
        found = ran(path, where, how, shown=not as_json)
    measured = run_told.Measured(found, path, seed)
    status = exit_status(found)
    if as_json:
        kept = str(where.state) if where.stays else None
        print_json({**measured.json(), "exit_status": status, "state": kept})
    else:
        tell(measured.told())
    if folder:
        page = run_told.report_on(measured, folder).write(measured.json())
        tell([] if as_json else ["", f"Report: {page}"])
    for line in held_told(found, where):
        click.echo(f"ckptsim: {line}", err=True)
    raise click.exceptions.Exit(status)


@contextmanager
def place(state: Path | None, *, keep: bool) -> Iterator[Place]:
    """The state folder, deleted at the end if nobody is to find it; raises PoolError."""
    try:
        where = Place(state or Path(tempfile.mkdtemp(prefix="ckptsim-")), keep or state is not None)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PoolError(f"no temporary folder: {reason}; name one with --state") from None
    try:
        yield where
    finally:
        if not where.stays:
            shutil.rmtree(where.state, ignore_errors=True)


def ran(path: Path, where: Place, how: launch.Recipe, *, shown: bool) -> list[Job]:
    """Run the jobs; what became of each, in the order of their numbers."""
    with interruptible():
        status = launch.start(where.state, how)
        try:
            found = followed(path, where.state, shown=shown)
        except KeyboardInterrupt:
            removed(where.state, status["pid"])
            raise click.exceptions.Exit(INTERRUPTED) from None
        except PoolError:
            where.stays |= not is_running(where.state)  # it is gone, but not what it keeps
            stopped(where.state, status["pid"])
            raise
        except Exception:
            stopped(where.state, status["pid"])
            raise
        where.stays |= any(job["held"] for job in found)
        stopped(where.state, status["pid"])
        return found


@contextmanager
def interruptible() -> Iterator[None]:
    """Take the end of the terminal and a polite kill as Ctrl-C is taken."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def followed(path: Path, state: Path, *, shown: bool) -> list[Job]:
    """Submit, and show what happens until it is over."""
    cluster, ads = submit(state, path)
    freed = any("PeriodicRelease" in ad for ad in ads)  # then a hold need not be the end
    with view(path.name, shown=shown) as show:
        for told in watch(state):
            jobs = [job for job in told["jobs"] if job["cluster"] == cluster]
            show(jobs)
            if jobs and all(is_over(job, freed=freed) for job in jobs):
                return jobs
    raise AssertionError("a watch ends by an exception")


def is_over(job: Job, *, freed: bool) -> bool:
    """Will the pool do no more for it by itself?"""
    return job["status"] in ENDED or (job["status"] == "held" and not freed)


def removed(state: Path, pid: int) -> None:
    """Remove the jobs and stop the pool; a second Ctrl-C does that at once."""
    with suppress(KeyboardInterrupt, PoolError):
        click.echo("ckptsim: stopping: the jobs are being removed", err=True)
        active = [
            job["id"]
            for job in ask(state, {"do": "jobs", "jobs": None}, ANSWER_S)["jobs"]
            if job["status"] not in ENDED
        ]
        for job in active:
            ask(state, {"do": "rm", "job": job}, ANSWER_S)
        ask(state, {"do": "wait", "jobs": active, "timeout_s": REMOVAL_S}, 2 * REMOVAL_S)
    stopped(state, pid)


def stopped(state: Path, pid: int) -> None:
    """Stop the pool, with force if need be."""
    try:
        launch.stop(state)
    except (PoolError, KeyboardInterrupt):
        launch.kill(pid)


def exit_status(found: Sequence[Job]) -> int:
    """The first status of a job that is not 0; as a shell has it, 128 + N for signal N."""
    return next((status for status in map(status_of, found) if status), 0)


def status_of(job: Job) -> int:
    if job["status"] == "held":
        return HELD
    if job["status"] == "removed" or job["exit"] is None:
        return REMOVED
    code = os.waitstatus_to_exitcode(job["exit"])
    return code if code >= 0 else 128 - code


def held_told(found: Sequence[Job], where: Place) -> Iterator[str]:
    """Why jobs are held, and where to look and how to go on."""
    held = [job for job in found if job["held"]]
    for job in held:
        yield f"job {job['id']} is held: {job['held']['reason']}"
    for job in held[:1]:
        kept = Path(job["spool"]).is_dir()
        spool = f"its checkpoint is in {job['spool']}" if kept else "it has no checkpoint"
        again, release = (
            launch.command(where.state, words) for words in ("pool start", f"release {job['id']}")
        )
        yield f"{spool}; to go on: `{again}`, then `{release}`"
