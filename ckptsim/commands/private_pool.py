"""A pool that a command has to itself while it tries a job, and what that pool notes down."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ckptsim.commands.run import stopped
from ckptsim.drivers.real import launch
from ckptsim.drivers.real.control import PoolError

LAST_LETTERS = 200


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for the pool's state, which is gone at the end; raises PoolError."""
    try:
        made = tempfile.TemporaryDirectory(prefix="ckptsim-", ignore_cleanup_errors=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PoolError(f"no temporary folder: {reason}; name a place with TMPDIR") from None
    with made as place:
        yield Path(place)


@contextmanager
def pool(state: Path, settings: str) -> Iterator[Path]:
    """A pool with these settings while this lasts; gives the file with its notes.

    Whatever runs in it is killed at the end.
    """
    config, notes = (state / name for name in ("pool.toml", "notes"))
    config.write_text(settings)
    status = launch.start(state, launch.Recipe(config, owner=os.getpid(), notes=notes))
    try:
        yield notes
    finally:
        stopped(state, status["pid"])


class Notes:
    """The pool's notes as they grow: each order to a machine and each report of it."""

    def __init__(self, path: Path) -> None:
        self.path, self.read = path, 0
        self.all: list[dict[str, Any]] = []

    def new(self) -> list[dict[str, Any]]:
        """Those that have come since this was asked last."""
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(self.read)
            lines = file.read().splitlines(keepends=True)
            whole = [line for line in lines if line.endswith(b"\n")]
            self.read += sum(map(len, whole))
            found = list(map(json.loads, whole))
            self.all += found
            return found
        return []

    @property
    def sandbox(self) -> str:
        """Where the job is, or was last; "" before it was anywhere."""
        return next((note["sandbox"] for note in reversed(self.all) if note.get("sandbox")), "")


def ended_told(status: int) -> str:
    """A raw wait status, after "ended"."""
    code = os.waitstatus_to_exitcode(status)
    return f"with exit code {code}" if code >= 0 else f"on signal {-code}"


def last_line(text: str) -> str:
    return text.splitlines()[-1][:LAST_LETTERS] if text else ""
