"""Which files an execution writes and when, seen from outside: by looking at its sandbox often.

A file is known by its inode, so that one written under another name and renamed at the end was
being written all along. Its time of change (ctime) says when; how often it is looked at decides
only how close to its first change a long write is seen to begin.
"""

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ckptsim.drivers.real.machine import MARKS
from ckptsim.drivers.real.sandbox import OWN
from ckptsim.measure import PAUSE, STDIO, Burst, Execution

FILES_MAX = 10_000
"""Files that are looked at in one sandbox."""

BURSTS_MAX = 1_000
"""Runs of changes that are kept of a file, the first and the last among them."""

Key = tuple[int, int]


class Seen(NamedTuple):
    """A file in the sandbox: its path there, inode and time of change in ns."""

    path: str
    inode: int
    changed: int


class Known(NamedTuple):
    """What was last seen of an inode in an execution."""

    path: str
    burst: Burst


@dataclass
class Log:
    """What one execution wrote."""

    inodes: dict[int, Known] = field(default_factory=dict)
    touched: dict[str, list[Burst]] = field(default_factory=dict)

    def take(self, seen: Seen, *, present: Collection[str]) -> None:
        """A file was changed since this execution began; `present` are all paths there are."""
        known = self.inodes.get(seen.inode)
        if known and known == (seen.path, Burst(known.burst.first, seen.changed)):
            return
        burst = Burst(seen.changed, seen.changed)
        # Where the old name still stands for a file, the number of a deleted one is in use again.
        if known and known.path != seen.path and known.path in present:
            known = None
        if known and (known.path != seen.path or seen.changed - known.burst.last <= PAUSE):
            burst = Burst(known.burst.first, seen.changed)
        self.inodes[seen.inode] = Known(seen.path, burst)
        bursts = self.touched.setdefault(seen.path, [])
        if bursts and (bursts[-1].first == burst.first or len(bursts) == BURSTS_MAX):
            bursts.pop()
        bursts.append(burst)


class SandboxWatch:
    """What the executions in one sandbox after another have written."""

    def __init__(self) -> None:
        self.logs: dict[Key, Log] = {}

    def look(self, sandbox: str, runs: Sequence[Execution]) -> None:
        """Look once; each change belongs to the execution in whose time it falls.

        The clock of files may lag by some milliseconds. Nothing of the job runs between the end of
        a transfer and its start, so a change that seems to fall there came just after the start.
        """
        found = {seen.path: seen for seen in files(sandbox)}
        for seen in found.values():
            run = next((run for run in reversed(runs[-2:]) if seen.changed >= run.ready), None)
            if run and (not run.exited or seen.changed <= run.exited):
                log = self.logs.setdefault((run.lease, run.started), Log())
                changed = max(seen.changed, run.started)
                log.take(seen._replace(changed=changed), present=found.keys())

    def of(self, run: Execution) -> Execution:
        """The execution, and what it was seen to write."""
        log = self.logs.get((run.lease, run.started))
        return run._replace(touched=log.touched) if log else run


def files(sandbox: str) -> Iterator[Seen]:
    """The job's regular files in a sandbox; none where that is gone."""
    folders, count = [""], 0
    while folders and count < FILES_MAX:
        folder = folders.pop()
        for entry in listed(os.path.join(sandbox, folder)):  # noqa: PTH118 (many times a second)
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            count += 1
            if stat.S_ISDIR(found.st_mode):
                folders.append(path)
            elif stat.S_ISREG(found.st_mode) and is_the_jobs(path, found.st_size):
                yield Seen(path, found.st_ino, found.st_ctime_ns)


def is_the_jobs(path: str, size: int) -> bool:
    """Did the job write it? The machine makes the standard files, which are empty then."""
    return path not in OWN and (size > 0 or path not in STDIO)


def listed(folder: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def has_said(sandbox: str, word: str) -> bool:
    """Does the job's present execution say that it does this?"""
    try:
        with open(os.path.join(sandbox, MARKS)) as marks:  # noqa: PTH118, PTH123 (as above)
            return any(line.startswith(f"{word} ") for line in marks)
    except (OSError, UnicodeDecodeError):
        return False
