"""The spool: the access point's store of each job's last checkpoint (htcondor-observed.md B11-B17).

Standard library alone. A checkpoint arrives in a folder of its own, `….tmp`. Once it is all there,
a marker is put beside it, and from then on it counts: whatever happens, its members replace those
of the same name, one top-level entry after the other, and what a crash left undone is done by
`recover`. Without a marker what is in `….tmp` does not count and is deleted.

Nothing is synced to disk, so this is safe against the death of any process but not of the host's
kernel. A pool on one machine is not what one keeps a checkpoint safe with, and to sync 700 MiB
takes as long again as to copy them (measured: 0.2 s on a fast disk), on many disks far longer.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MARKER = ".ccommit.con"
"""In `….tmp`: the checkpoint beside it is whole. No file of a job may be called that."""

ASIDE = "aside"
"""Below the spool's root: what is to be deleted."""


class Spool:
    """Checkpoints by job, below the folder `root`, which is made at first use."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, cluster: int, proc: int) -> Path:
        """Where the committed checkpoint is, or will be; its siblings end in .tmp and .swap."""
        name = f"cluster{cluster}.proc{proc}.subproc0"
        return self.root / str(cluster % 10_000) / str(proc % 10_000) / name

    def incoming(self, cluster: int, proc: int) -> Path:
        """An empty folder for the next checkpoint; it and the committed one's are made if need be.

        HTCondor would let the leavings of a failed attempt in the same activation slip into the
        next checkpoint (htcondor-rules.md 1.3 c). Here no checkpoint holds parts of two.
        """
        self.recover(cluster, proc)
        arrived = self._sibling("tmp", cluster, proc)
        for path in (arrived, self.folder(cluster, proc)):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return arrived

    def commit(
        self, cluster: int, proc: int, discard: Callable[[Path], None] | None = None
    ) -> None:
        """Let what is in the incoming folder count.

        Plain files are added to those there, or replace the one of that name; a directory is
        replaced whole (B13). `discard` makes the folder of what was replaced go; usual is `delete`.
        """
        (self._sibling("tmp", cluster, proc) / MARKER).write_bytes(b"")
        self._finish(cluster, proc, discard or delete)

    def recover(self, cluster: int, proc: int) -> None:
        """After a crash or a transfer cut short: finish the commit begun, else forget what came.

        Call it before the spool is read for the next run.
        """
        arrived = self._sibling("tmp", cluster, proc)
        if (arrived / MARKER).exists():
            self._finish(cluster, proc, delete)
        for name in entries(arrived):
            delete(arrived / name)

    def remove(self, cluster: int, proc: int) -> None:
        """Delete all of a job that leaves the queue (B17), and folders left empty by that."""
        for ending in ("tmp", "swap"):
            delete(self._sibling(ending, cluster, proc))
        folder = self.folder(cluster, proc)
        delete(folder)
        with suppress(OSError):  # other jobs' folders may be there
            folder.parent.rmdir()
            folder.parent.parent.rmdir()

    def put_aside(self, path: Path) -> Path:
        """Move what is not needed any more to where it can be deleted at leisure; its new name."""
        aside = self.root / ASIDE / str(time.time_ns())
        aside.parent.mkdir(mode=0o700, exist_ok=True)
        return path.rename(aside)

    def empty_aside(self) -> None:
        """Delete what a crash kept from being deleted."""
        delete(self.root / ASIDE)

    def _sibling(self, ending: str, cluster: int, proc: int) -> Path:
        folder = self.folder(cluster, proc)
        return folder.with_name(f"{folder.name}.{ending}")

    def _finish(self, cluster: int, proc: int, discard: Callable[[Path], None]) -> None:
        """Do what is left of a commit. It can break off anywhere and be done again.

        The marker goes last. Nothing in .swap is ever needed again: what takes its place is in
        .tmp until it is in the folder.
        """
        arrived, folder = self._sibling("tmp", cluster, proc), self.folder(cluster, proc)
        displaced = self._sibling("swap", cluster, proc)
        displaced.mkdir(mode=0o700, exist_ok=True)
        for name in entries(arrived):
            if name == MARKER:
                continue
            with suppress(FileNotFoundError):
                (folder / name).rename(displaced / name)
            (arrived / name).rename(folder / name)
        discard(displaced)
        (arrived / MARKER).unlink()


def entries(folder: Path) -> list[str]:
    """The names in a folder, in order; none if there is no such folder."""
    with suppress(FileNotFoundError):
        return sorted(path.name for path in folder.iterdir())
    return []


def delete(path: Path) -> None:
    """Delete a file, a link or a directory with all in it, if it is there."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
