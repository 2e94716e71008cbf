"""Where a job's last checkpoint is kept, and what a trial does to it there."""

import hashlib
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from ckptsim.check import Fault, Terms, Way
from ckptsim.commands.check_job import Home
from ckptsim.htcondor.spool import delete
from ckptsim.measure import STDIO, is_checkpoint

LEAST_GARBAGE = 8  # bytes


class Store:
    """The checkpoints of one trial: in the spool, or at home for a job that exits early."""

    def __init__(self, terms: Terms, place: Home, seed: int) -> None:
        self.terms, self.place = terms, place
        self.chance = random.Random(seed)  # noqa: S311 (no secret)
        self.latest = ""  # the path in the sandbox of the file that was changed last
        self.original = place.folder / "original"
        self.older = place.folder / "older"
        if self.is_home:
            shutil.copytree(place.home, self.original, symlinks=True)

    @property
    def is_home(self) -> bool:
        return self.terms.way is Way.EARLY

    def files(self, spool: Path) -> list[Path]:
        """The files of the checkpoint, the standard ones left out."""
        root = self.place.home if self.is_home else spool
        found = (path for path in walked(root) if path.name not in STDIO)
        wanted = self.terms.wanted if self.is_home else None
        return [path for path in found if is_checkpoint(str(path.relative_to(root)), wanted)]

    def contents(self, spool: Path) -> dict[str, str]:
        """A digest of each file, by its path."""
        root = self.place.home if self.is_home else spool
        return {str(path.relative_to(root)): digest(path) for path in self.files(spool)}

    def tamper(self, fault: Fault, spool: Path, *, last: bool) -> None:
        """Do that to the checkpoint; of an older one first keep it, at last put it in place."""
        root = self.place.home if self.is_home else spool
        match fault:
            case Fault.OLDER if not last:
                if root.exists():
                    shutil.copytree(root, self.older, symlinks=True)
            case Fault.OLDER:
                replace(root, self.older)
            case Fault.GONE:
                replace(root, self.original if self.is_home else None)
            case _ if files := self.files(spool):
                self.tear(fault, self.chosen(files))

    def chosen(self, files: list[Path]) -> Path:
        """The file that was written last, as far as that was seen."""
        names = [path for path in files if self.latest.endswith(path.name)]
        return max(names or files, key=lambda path: path.stat().st_mtime_ns)

    def tear(self, fault: Fault, path: Path) -> None:
        size = path.stat().st_size
        match fault:
            case Fault.HALF:
                os.truncate(path, size // 2)
            case Fault.EMPTY:
                os.truncate(path, 0)
            case _:
                path.write_bytes(self.chance.randbytes(max(LEAST_GARBAGE, size)))


def replace(root: Path, other: Path | None) -> None:
    """Empty a folder and fill it with what is in another one."""
    root.mkdir(parents=True, exist_ok=True)
    for entry in root.iterdir():
        delete(entry)
    if other is not None and other.exists():
        shutil.copytree(other, root, symlinks=True, dirs_exist_ok=True)


def walked(root: Path) -> Iterator[Path]:
    for place, _, found in os.walk(root):
        yield from (Path(place, name) for name in sorted(found))


def digest(path: Path) -> str:
    """Of a file's content; "" of one that is gone or cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def digests(root: Path) -> dict[str, str]:
    """Of each file below a folder, by its path there."""
    return {str(path.relative_to(root)): digest(path) for path in walked(root)}
