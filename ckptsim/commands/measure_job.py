"""The job that `ckptsim measure` runs: of a submit file, or made for a bare command."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ckptsim.drivers.real.settings import MachineSettings, machine
from ckptsim.htcondor import ads
from ckptsim.htcondor import arguments as syntax
from ckptsim.htcondor.codes import JobStatus
from ckptsim.htcondor.jobad import SUBMIT_FOLDER, Ad
from ckptsim.htcondor.jobcommands import expression
from ckptsim.htcondor.submit import SubmitError, read_all

CLUSTER = 1
NO_EXIT_CODE = 256  # such as no process can have
POLICIES = (
    *("OnExitRemove", "OnExitHold", "PeriodicHold", "PeriodicRelease", "PeriodicRemove"),
    *("PeriodicVacate", "AllowedJobDuration", "AllowedExecuteDuration", "HoldReason"),
    *("HoldReasonCode", "TransferOutputRemaps"),
)
"""What would have a say in how long the job runs, or where its output goes."""


class Subject(NamedTuple):
    """A job to be measured."""

    name: str  # for people
    ad: Ad
    jobs: int  # how many the submit file queues
    warnings: Sequence[str]
    description: str  # made for a bare command; "" of a submit file

    @property
    def wanted(self) -> list[str] | None:
        """The checkpoint's files, as listed; None where all new ones are."""
        return ads.checkpoint_files(self.ad)

    @property
    def status(self) -> int:
        """The raw wait status that means a checkpoint."""
        return ads.checkpoint_status(self.ad)

    @property
    def way(self) -> str:
        """How it says that it wrote a checkpoint."""
        number = self.status & 127
        return f"on signal {number}" if number else f"with exit code {self.status >> 8}"


def from_file(path: Path) -> Subject:
    """The first job of a submit file; raises SubmitError."""
    return subject(path.name, path, "")


def measurable(found: Subject) -> Subject:
    """The job, if its checkpoints are of the kind that is measured; raises SubmitError."""
    if (
        "SuccessCheckpointExitCode" not in found.ad
        and "SuccessCheckpointExitSignal" not in found.ad
    ):
        raise SubmitError(
            f"{found.name}: no `checkpoint_exit_code`, so no exit means a checkpoint; write for "
            "example checkpoint_exit_code = 85"
        )
    if ads.is_true(found.ad, "WantCheckpointSignal"):
        raise SubmitError(
            f"{found.name}: +WantCheckpointSignal: it checkpoints when it is told to, which is not "
            "measured; expected a job that does so by itself"
        )
    return found


def from_command(
    words: Sequence[str], code: int, files: Sequence[str], inputs: Sequence[str]
) -> Subject:
    """A job that runs the command; raises SubmitError."""
    program = found_program(words[0])
    values = {
        "executable": plain(program),
        **({} if "/" in words[0] else {"transfer_executable": "false"}),
        "arguments": argument_line(words[1:]),
        "transfer_input_files": ", ".join(map(plain, inputs)),
        "checkpoint_exit_code": str(code),
        "transfer_checkpoint_files": ", ".join(map(plain, files)),
        "should_transfer_files": "yes",
    }
    lines = [f"{name:<25} = {value}" for name, value in values.items() if value]
    description = "\n".join([*lines, "queue", ""])
    return subject(Path(words[0]).name, description, description)


def found_program(word: str) -> str:
    """The program's path; one that is named without / is found as a shell finds it."""
    found = word if "/" in word else shutil.which(word)
    if found is None:
        here = f"; for the one in this folder write ./{word}" if Path(word).exists() else ""
        raise SubmitError(f"{word}: no such program{here}")
    if Path(found).is_file() and not os.access(found, os.X_OK):
        raise SubmitError(f"{word}: cannot be executed; `chmod +x {word}`, or name a submit file")
    return found


def argument_line(words: Sequence[str]) -> str:
    if not words:
        return ""
    return '"' + plain(syntax.join(words).replace('"', '""')) + '"'


def plain(text: str) -> str:
    """The text such that a submit file's parser gives it back."""
    if "\n" in text or "\r" in text:
        raise SubmitError(f"{text!r}: a line break cannot stand in a submit file")
    return text.replace("$(", "$(DOLLAR)(")


def subject(name: str, source: Path | str, description: str) -> Subject:
    found = read_all(source, Path.cwd(), CLUSTER, int(time.time()))
    if not found.ads:
        raise SubmitError(f"{name}: queues no job; expected `queue`")
    return Subject(name, found.ads[0], len(found.ads), found.warnings, description)


def made_private(ad: Ad, folder: Path) -> Ad:
    """The job such that it runs at once and undisturbed, and nothing of it comes home.

    With a success code that no process can have, ON_SUCCESS transfers nothing but the standard
    files; those and the log go to `folder`.
    """
    for name in POLICIES:
        if name in ad:
            del ad[name]
    ad["WhenToTransferOutput"], ad["JobSuccessExitCode"] = "ON_SUCCESS", NO_EXIT_CODE
    ad["Requirements"], ad["JobStatus"] = expression("true"), int(JobStatus.IDLE)
    ad["UserLog"], ad["Out"], ad["Err"] = (str(folder / name) for name in ("log", "out", "err"))
    ad[SUBMIT_FOLDER] = str(folder)
    return ad


def pool_file(ad: Ad) -> str:
    """A POOL.toml with one machine that has what the job asks for, and never wants it away."""
    usual = machine("local", os.cpu_count() or 1, {})
    return "\n".join(
        [
            "[intervals]",
            'negotiation = "50ms"',
            "[policy]",
            "CHECK_REACTIVATE_AFTER_CHECKPOINT = false",
            *machine_lines(ad, usual),
        ]
    )


def machine_lines(ad: Ad, usual: MachineSettings) -> list[str]:
    """A machine for a POOL.toml: the usual one, or as much more as the job asks for."""
    asked = {name: int(ads.number(ad, f"Request{name}") or 0) for name in ("Cpus", "GPUs")}
    memory, disk = (int(ads.number(ad, f"Request{name}") or 1) for name in ("Memory", "Disk"))
    return [
        "[[machines]]",
        f'name = "{usual.name}"',
        f"slots = {max(usual.cpus, asked['Cpus'])}",
        f'memory = "{max(usual.memory_mb, memory)} MiB"',
        f'disk = "{max(usual.disk_kb, disk)} KiB"',
        f"gpus = {asked['GPUs']}",
        "",
    ]
