"""A submit file as its text goes: what a rule of `lint` reads, and what it says.

Unlike `submit`, nothing is refused here: what only another pool than ckptsim's does is read too.
"""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ckptsim.findings import Verdict
from ckptsim.htcondor import ads, jobcommands
from ckptsim.htcondor.jobad import Ad, entries, names, remaps
from ckptsim.htcondor.submitfile import SubmitFile
from ckptsim.units import SECOND

WORKLIFE = 1200 * SECOND  # CLAIM_WORKLIFE's default (htcondor-observed.md D28)
FEW = 16
"""So many exit codes or fewer that keep a job in the queue have a meaning of their own; more are a
retry of whatever fails."""

_LISTS = {
    "transfer_input_files": "TransferInput",
    "transfer_output_files": "TransferOutput",
    "transfer_checkpoint_files": "TransferCheckpoint",
}
_TEXTS = {"output": "Out", "error": "Err"}
_WORDS = {
    "when_to_transfer_output": "WhenToTransferOutput",
    "should_transfer_files": "ShouldTransferFiles",
}


class Conditions(NamedTuple):
    """What is known of the pool and of the job's sizes: nanoseconds and bytes."""

    limit: int | None = None  # the pool ends a stay on a slot after so long
    interval: int | None = None  # work from one checkpoint to the next
    write: int | None = None  # of a checkpoint, its transfer included
    claim_worklife: int | None = WORKLIFE  # None: a claim never gets too old
    reactivate_check: bool = True  # CHECK_REACTIVATE_AFTER_CHECKPOINT
    grace: int | None = None  # from SIGTERM to SIGKILL
    checkpoint_bytes: int | None = None

    @property
    def cycle(self) -> int | None:
        """From the start of one interval to the end of its checkpoint."""
        return None if self.interval is None else self.interval + (self.write or 0)


class Said(NamedTuple):
    """A rule's verdict on a job, and the command whose line it is about."""

    verdict: Verdict
    told: str
    at: str = ""


def holds(told: str, at: str = "") -> Said:
    return Said(Verdict.HOLDS, told, at)


def broken(told: str, at: str = "") -> Said:
    return Said(Verdict.BROKEN, told, at)


def costs(told: str, at: str = "") -> Said:
    return Said(Verdict.COSTS, told, at)


def not_seen(told: str, at: str = "") -> Said:
    return Said(Verdict.NOT_SEEN, told, at)


class Target(NamedTuple):
    """A file that a job of the submit file writes at home."""

    command: str  # that names it
    name: str
    path: str


class Job:
    """The first job of a submit file, and what all of its jobs write at home."""

    def __init__(self, file: SubmitFile, conditions: Conditions) -> None:
        """Read it; raises SubmitError where HTCondor itself would not take it."""
        self.file, self.conditions = file, conditions
        self._given = {_key(name): name for name in sorted(file.values, key=_is_own)}
        self.targets = list[list[Target]]()  # of each job
        for proc in file.jobs(cluster=1, submitted_at=0):
            if proc == 0:
                self.ad = self._made()
            self.targets.append(list(self._targets()))

    def gives(self, key: str) -> bool:
        """Has it a line for a command, or for an own attribute, in lower case, with a value?"""
        return key in self._given and bool(self.text(key))

    def text(self, key: str) -> str:
        return self.file.expanded(self._given[key])

    def place(self, key: str) -> str:
        """`job.sub:7`, or the file alone where it has no such line."""
        return self.file.place(self._given.get(key, key))

    def first_given(self, *keys: str) -> str:
        """The first of these that it has a line for; nothing where it has none."""
        return next((key for key in keys if self.gives(key)), "")

    # --- how its checkpoints become safe ----------------------------------------------------------

    @cached_property
    def by_exit(self) -> bool:
        """Does an exit mean a checkpoint, by itself or asked for by a signal?"""
        return ads.appends(self.ad)

    @cached_property
    def asked(self) -> bool:
        return ads.is_true(self.ad, "WantCheckpointSignal")

    @cached_property
    def by_signal(self) -> bool:
        """Does the death by a signal mean a checkpoint? That wins over an exit code (H43)."""
        is_number = ads.number(self.ad, "SuccessCheckpointExitSignal") is not None
        return is_number and ads.is_true(self.ad, "SuccessCheckpointExitBySignal")

    @cached_property
    def on_evict(self) -> bool:
        return bool(self.ad.get("WhenToTransferOutput") == "ON_EXIT_OR_EVICT")

    @cached_property
    def manual(self) -> bool:
        return ads.is_true(self.ad, "WantIOProxy")

    @cached_property
    def shared(self) -> bool:
        """Does it run on a shared file system, with no transfers at all?"""
        return bool(self.ad.get("ShouldTransferFiles") == "NO")

    @cached_property
    def spooled(self) -> bool:
        """Do its checkpoints go to the spool, or to a store?"""
        return (self.by_exit or self.on_evict) and not self.shared

    @cached_property
    def elsewhere(self) -> bool:
        """Do they go to a store of their own, by a plugin (H47)?"""
        return self.gives("checkpoint_destination")

    @cached_property
    def early(self) -> list[int]:
        """The exit codes that mean: queue me again, I have made a checkpoint."""
        if "OnExitRemove" not in self.ad:
            return []
        codes = [code for code in range(256) if _stays(self.ad, code)]
        return codes if len(codes) <= FEW or ads.leaves_its_files_in_the_input(self.ad) else []

    @cached_property
    def checkpoint(self) -> list[str] | None:
        """The files of a checkpoint; None: all that is new or changed."""
        return ads.checkpoint_files(self.ad) if self.by_exit else names(self.ad, "TransferOutput")

    @cached_property
    def checkpoint_list(self) -> str:
        """The command that lists them, or could."""
        own = self.by_exit and "TransferCheckpoint" in self.ad
        return "transfer_checkpoint_files" if own else "transfer_output_files"

    # --- reading ----------------------------------------------------------------------------------

    def _made(self) -> Ad:
        ad = jobcommands.classads().ClassAd()
        for key, given in self._given.items():
            if value := self.file.expanded(given):
                self._put(ad, key, given, value)
        if "SuccessCheckpointExitCode" in ad:
            ad["WantFTOnCheckpoint"] = ad.get("WantFTOnCheckpoint", True)
        for attribute in _WORDS.values():
            if attribute in ad:
                ad[attribute] = str(ad[attribute]).upper()
        return ad

    def _put(self, ad: Ad, key: str, given: str, value: str) -> None:
        if _is_own(given):
            _set(ad, self.file.spelt(given).partition(".")[2], value)
        elif key in _LISTS:
            ad[_LISTS[key]] = ",".join(entries("" if value == '""' else value))
        elif key == "transfer_output_remaps":
            ad["TransferOutputRemaps"] = value.strip('"')
        elif attribute := {**_TEXTS, **_WORDS}.get(key):
            ad[attribute] = value
        elif command := jobcommands.HONOURED.get(key):
            _set(ad, command.attribute, value, command.convert)

    def _targets(self) -> Iterator[Target]:
        """What the present job writes at home, but for its log, to which jobs append."""
        folder = self.text("initialdir") if self.gives("initialdir") else ""
        remapped = self._home_ad()
        moved = remaps(remapped)
        for command in _TEXTS:
            if self.gives(command) and (path := self.text(command)) != "/dev/null":
                yield Target(command, path, os.path.normpath(Path(folder, path)))
        for name in names(remapped, "TransferOutput") or ():
            command = "transfer_output_remaps" if name in moved else "transfer_output_files"
            path = moved.get(name, Path(name).name)
            yield Target(command, name, os.path.normpath(Path(folder, path)))

    def _home_ad(self) -> Ad:
        ad = jobcommands.classads().ClassAd()
        for key in ("transfer_output_files", "transfer_output_remaps"):
            if self.gives(key):
                self._put(ad, key, self._given[key], self.text(key))
        return ad


def _is_own(given: str) -> bool:
    return given.startswith("my.")


def _key(given: str) -> str:
    """The command of a line, in one spelling, or the attribute's name if no command sets it."""
    plain = given.removeprefix("my.")
    command = jobcommands.command_of(plain) if _is_own(given) else plain
    return jobcommands.SAME.get(command, command) or plain


def _set(
    ad: Ad, attribute: str, value: str, convert: jobcommands.Convert = jobcommands.expression
) -> None:
    """Set it as it is read, else as an expression; what is neither says nothing."""
    for reading in (convert, jobcommands.expression):
        try:
            ad[attribute] = reading(value)
        except ValueError:
            continue
        return


def _stays(ad: Ad, code: int) -> bool:
    """Does the job stay in the queue after this exit code? Not where that is undefined (A9)."""
    ended = jobcommands.classads().ClassAd()
    ended.update(ad)
    ended["NumJobCompletions"] = 1
    ads.tell_exit(ended, code << 8)
    found = ads.value(ended.lookup("OnExitRemove"), ended)
    return found is not None and not found
