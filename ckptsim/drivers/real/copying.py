"""Copying one file, in pieces, so that a copy under way can be cut off.

Standard library alone. `os.copy_file_range` lets the kernel do the work: it clones where the file
system can (Btrfs, XFS) and copies within the page cache elsewhere. Nothing is synced to disk: what
is called a power failure here is the SIGKILL of processes, which leaves the page cache as it is.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable

CHUNK = 16 * 2**20
"""Bytes between two questions whether to stop: 4 ms of copying on a machine of 2026."""

PIECE = 256 * 2**10
"""Bytes read at once where the kernel does not copy by itself."""

UNABLE = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}
"""What `os.copy_file_range` may say of two files that can be read and written all the same."""


class Cut(Exception):  # noqa: N818 (not an error: it was asked for)
    """A copy was stopped before its end; what had arrived stays where it is."""


def never() -> bool:
    """Do not stop."""
    return False


def copy(source: int, folder: int, name: str, stop: Callable[[], bool] = never) -> int:
    """Copy an open file to a new file `name` in an open folder; return the bytes copied.

    A regular file or a symbolic link of that name is replaced: what the link points to is left
    alone. Anything else there is an OSError. The mode is kept, set-uid and the like excepted.
    """
    make_way(folder, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    target = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        os.fchmod(target, stat.S_IMODE(os.fstat(source).st_mode) & 0o777)
        return poured(source, target, stop)
    finally:
        os.close(target)


def make_way(folder: int, name: str) -> None:
    """Remove the file or link of that name, if there is one; never a directory or a device."""
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
            raise FileExistsError(errno.EEXIST, "Not a regular file", name)
        os.unlink(name, dir_fd=folder)


def poured(source: int, target: int, stop: Callable[[], bool]) -> int:
    """Copy from one open file to another, from where each stands to the source's end."""
    size = 0
    with contextlib.suppress(Unable):
        while count := by_kernel(source, target, stop):
            size += count
    # The kernel's 0 is not always the end (files of /proc), so the end is found by reading.
    while count := by_hand(source, target, stop):
        size += count
    return size


class Unable(Exception):  # noqa: N818 (the way out of a loop)
    """The kernel does not copy between these two files."""


def by_kernel(source: int, target: int, stop: Callable[[], bool]) -> int:
    if stop():
        raise Cut
    try:
        return os.copy_file_range(source, target, CHUNK)
    except OSError as error:
        if error.errno in UNABLE:
            raise Unable from error
        raise


def by_hand(source: int, target: int, stop: Callable[[], bool]) -> int:
    if stop():
        raise Cut
    piece = os.read(source, PIECE)
    left = memoryview(piece)
    while left:
        left = left[os.write(target, left) :]
    return len(piece)
