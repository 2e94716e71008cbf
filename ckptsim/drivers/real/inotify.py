"""Every change of files below a folder, as the kernel tells it: Linux's inotify(7).

Standard library alone. A folder made below is watched too, and what was put into it before that is
told as made, for its making was not seen.
"""

import ctypes
import os
import select
import struct
from collections.abc import Iterator
from contextlib import suppress
from enum import IntFlag
from typing import NamedTuple


class Did(IntFlag):
    """What was done to a file: <sys/inotify.h>."""

    MODIFIED = 0x2
    CLOSED = 0x8  # after writing
    MOVED_FROM = 0x40
    MOVED_TO = 0x80
    CREATED = 0x100
    DELETED = 0x200


_ALL = sum(Did)
_IS_DIR = 0x40000000
_ASKED = _ALL | 0x01000000  # of a folder, not of a file of that name
_HEAD = struct.Struct("iIII")
_PIECE = 1 << 16
FOLDERS_MAX = 1_000
"""Folders that are watched below one."""


class Change(NamedTuple):
    """One change; `cookie` is the same for both halves of a renaming."""

    path: str  # below the folder
    did: Did
    cookie: int
    folder: bool = False


class Watch:
    """Watches a folder, with `deep` those in it as well.

    With `deep` what is in it already is told as made. Raises OSError: there is no such folder, or
    no room for another watch.
    """

    def __init__(self, top: str, *, deep: bool = True) -> None:
        self.top, self.deep = top, deep
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self.places: dict[int, str] = {}  # by watch: the path below the top
        try:
            self.begun = list(self._added(""))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        os.close(self.fd)

    def wait(self, seconds: float) -> None:
        """Until something has changed, or so long."""
        select.select([self.fd], [], [], seconds)

    def changes(self) -> list[Change]:
        """What has changed since this was asked last."""
        found, self.begun = self.begun, []
        with suppress(BlockingIOError):
            while data := os.read(self.fd, _PIECE):
                for head, name in _events(data):
                    found += self._told(*head, name)
        return found

    def _added(self, below: str) -> Iterator[Change]:
        path = os.path.join(self.top, below)  # noqa: PTH118 (many times a second)
        number = self.libc.inotify_add_watch(self.fd, os.fsencode(path), _ASKED)
        if number < 0:
            error = ctypes.get_errno()
            if below:  # it is gone again
                return
            raise OSError(error, os.strerror(error), path)
        self.places[number] = below
        if not self.deep or len(self.places) > FOLDERS_MAX:
            return
        with suppress(OSError), os.scandir(path) as entries:
            for entry in entries:
                inner = f"{below}/{entry.name}" if below else entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                yield Change(inner, Did.CREATED, 0, is_folder)
                if is_folder:
                    yield from self._added(inner)

    def _told(self, number: int, mask: int, cookie: int, _: int, name: str) -> Iterator[Change]:
        if number not in self.places or not name:
            return
        below = self.places[number]
        path = f"{below}/{name}" if below else name
        is_folder, did = bool(mask & _IS_DIR), Did(mask & _ALL)
        yield Change(path, did, cookie, is_folder)
        if is_folder and self.deep and did & (Did.CREATED | Did.MOVED_TO):
            yield from self._added(path)


def _events(data: bytes) -> Iterator[tuple[tuple[int, int, int, int], str]]:
    place = 0
    while place < len(data):
        number, mask, cookie, length = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        yield (
            (number, mask, cookie, length),
            os.fsdecode(data[place : place + length].rstrip(b"\0")),
        )
        place += length
