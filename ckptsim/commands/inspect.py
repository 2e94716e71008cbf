"""`ckptsim spool`, `enter`, `log`: a job's committed checkpoint, its sandbox, its event log."""

import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import click

from ckptsim.commands.pool_options import ENDED, Job, jobs, one, state_option
from ckptsim.commands.queue import ending
from ckptsim.drivers.real.control import PoolError
from ckptsim.errors import DataError

LOOK_S = 0.1  # between two looks at a log that is followed
SUBMITTED, TERMINATED, ABORTED = b"000", b"005", b"009"
NOT_OF_THE_JOB = ("CKPTSIM_",)  # marks by which the pool finds, and kills, what belongs to a job


@click.command("spool", epilog="Example: ls $(ckptsim spool 7.0)")
@click.argument("given", metavar="JOB")
@state_option
def spool(given: str, state: Path) -> None:
    """Print the folder of a job's committed checkpoint: look, copy, but leave it as it is."""
    job = one(state, given)
    if not Path(job["spool"]).is_dir():
        why = f"it has {job['status']}" if job["status"] in ENDED else "none was committed yet"
        raise PoolError(f"job {job['id']} has no checkpoint in the spool: {why}")
    click.echo(job["spool"])


@click.command("enter", epilog="Example: ckptsim enter 7.0")
@click.argument("given", metavar="JOB")
@state_option
def enter(given: str, state: Path) -> None:
    """Open a shell ($SHELL) in a running job's sandbox, with the job's environment."""
    job = one(state, given)
    sandbox = job["sandbox"]
    if not sandbox or not Path(sandbox).is_dir():
        raise PoolError(f"job {job['id']} has no sandbox: it {standing(job)}")
    shell = os.environ.get("SHELL") or "/bin/sh"
    click.echo(
        f"You are in the sandbox of job {job['id']}. What you change here is the job's: it will "
        "find it so,\nand it may become part of its checkpoint. `exit` leaves; the job goes on.",
        err=True,
    )
    try:
        done = subprocess.run(  # noqa: S603 (the user's own shell)
            [shell], cwd=sandbox, env=environment(job, Path(sandbox)), check=False
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PoolError(f"cannot start {shell}: {reason}; set SHELL to a shell") from None
    raise click.exceptions.Exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


def standing(job: Job) -> str:
    return ending(job) if job["status"] in ENDED else f"is {job['status']}"


def environment(job: Job, sandbox: Path) -> dict[str, str]:
    """The job's variables on top of the user's own, so that the shell stays a good one."""
    usual = {
        "BATCH_SYSTEM": "HTCondor",
        "TMP": str(sandbox),
        "TMPDIR": str(sandbox),
        "_CONDOR_JOB_AD": str(sandbox / ".job.ad"),
        "_CONDOR_JOB_IWD": str(sandbox),
        "_CONDOR_MACHINE_AD": str(sandbox / ".machine.ad"),
        "_CONDOR_SCRATCH_DIR": str(sandbox),
        "_CONDOR_SLOT": (job["slot"] or "").partition("@")[0],
    }
    return {**os.environ, **usual, **variables_of_process(sandbox)}


def variables_of_process(sandbox: Path) -> dict[str, str]:
    """The environment of a process of the job; nothing where none runs at this moment."""
    mark = f"_CONDOR_SCRATCH_DIR={sandbox}"
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it is another user's, or has just ended
            words = (process / "environ").read_bytes().decode(errors="surrogateescape").split("\0")
            if mark in words:
                pairs = (word.partition("=") for word in words if "=" in word)
                return {
                    name: value for name, _, value in pairs if not name.startswith(NOT_OF_THE_JOB)
                }
    return {}


@click.command("log", epilog="Example: ckptsim log 7.0 --follow")
@click.argument("given", metavar="JOB")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@state_option
def log(given: str, follow: bool, state: Path) -> None:
    """Print a job's event log: its own events, where others write to the same file."""
    found = jobs(state, [given])
    if not found:
        raise PoolError(f"there is no job {given} in {state}")
    logs = sorted({job["log"] for job in found if job["log"]})
    if not logs:
        raise PoolError(f"job {given} has no log; its submit file names none (`log = job.log`)")
    for path in logs:
        of_log = [job for job in found if job["log"] == path]
        for event in events(Path(path), of_log, state, follow=follow):
            click.echo(event, nl=False)


def events(path: Path, found: Sequence[Job], state: Path, *, follow: bool) -> Iterator[bytes]:
    """Yield the jobs' events in a log, as they are written there; with `follow` until they end."""
    wanted = {name_in_log(job): job["id"] for job in found}
    reader = Reader(path)
    yield from since_submitted(reader.more(), wanted)
    while follow and wanted:
        over = all_ended(state, wanted.values())  # asked first: then the log says all it will say
        for event in reader.more():
            if name_of(event) in wanted:
                yield event
                forget_ended(event, wanted)
        if over:
            return
        time.sleep(LOOK_S)


def all_ended(state: Path, names: Iterable[str]) -> bool:
    """Have they, as the pool knows it?"""
    return all(job["status"] in ENDED for job in jobs(state, list(names)))


def since_submitted(written: Sequence[bytes], wanted: dict[bytes, str]) -> list[bytes]:
    """The jobs' events, from when each was last submitted: numbers may have been used before."""
    kept: list[bytes] = []
    for event in written:
        name = name_of(event)
        if name in wanted:
            if event.startswith(SUBMITTED):
                kept = [other for other in kept if name_of(other) != name]
            kept.append(event)
    for event in kept:
        forget_ended(event, wanted)
    return kept


def forget_ended(event: bytes, wanted: dict[bytes, str]) -> None:
    if event[:3] in (TERMINATED, ABORTED):
        wanted.pop(name_of(event), None)


def name_in_log(job: Job) -> bytes:
    return f"({job['cluster']:03d}.{job['proc']:03d}.000)".encode()


def name_of(event: bytes) -> bytes:
    """What a log calls the event's job: `(007.000.000)`."""
    return event[4 : event.find(b")") + 1]


class Reader:
    """What is new in a log, event by event."""

    def __init__(self, path: Path) -> None:
        self.path, self.place, self.rest = path, 0, b""

    def more(self) -> list[bytes]:
        """The events that were finished since the last time; raises DataError."""
        try:
            with self.path.open("rb") as log:
                log.seek(self.place)
                new = log.read()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DataError(f"{self.path}: cannot read the log: {reason}") from None
        self.place += len(new)
        *whole, self.rest = (self.rest + new).split(b"\n...\n")
        return [event + b"\n...\n" for event in whole]
