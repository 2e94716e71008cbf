"""One folder's files, reached by names from a job and by no name outside the folder.

A name is walked part by part from the folder's own descriptor: `..` above the folder, an absolute
name that is not below it and a symbolic link that leads out are refused, also when somebody
exchanges a folder for a link in the middle of it (every step opens with O_NOFOLLOW).
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# As many symbolic links as Linux follows in one name (path_resolution(7)).
_LINKS_MAX = 40


class Folder:
    """The files of one folder.

    Every method takes names as the job gave them and raises OSError as the system call of its name
    would; EACCES for what is outside the folder and for what is neither file nor folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self._given = str(root.absolute())
        self._root = os.open(self.root, os.O_PATH | os.O_DIRECTORY)

    def close(self) -> None:
        os.close(self._root)

    def open(self, name: str, flags: int, mode: int = 0) -> int:
        """Open a regular file; returns a descriptor that is the caller's to close."""
        follow = not flags & os.O_EXCL
        with self._at(name, follow=follow) as (folder, last):
            # O_NONBLOCK: the opening of a FIFO must not wait for its other end.
            flags |= os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(last, flags, mode & 0o7777, dir_fd=folder)
        try:
            _expect_file(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def stat(self, name: str, *, follow: bool = True) -> os.stat_result:
        with self._spot(name, follow=follow) as spot:
            return os.fstat(spot)

    def statvfs(self, name: str) -> os.statvfs_result:
        with self._spot(name) as spot:
            return os.fstatvfs(spot)

    def access(self, name: str, mode: int) -> None:
        """Raise unless this process may do all of `mode` (os.R_OK and its kin)."""
        with self._spot(name) as spot:
            if not os.access(_path(spot), mode):
                raise _refused(name)

    def chmod(self, name: str, mode: int) -> None:
        with self._spot(name) as spot:
            _path(spot).chmod(mode & 0o7777)

    def chown(self, name: str, user: int, group: int, *, follow: bool = True) -> None:
        with self._at(name, follow=follow) as (folder, last):
            os.chown(last, user, group, dir_fd=folder, follow_symlinks=False)

    def truncate(self, name: str, length: int) -> None:
        with self._spot(name) as spot:
            os.truncate(_path(spot), length)

    def utime(self, name: str, accessed: int, modified: int) -> None:
        """Set both times, in seconds since the epoch."""
        with self._spot(name) as spot:
            os.utime(_path(spot), (accessed, modified))

    def names(self, name: str) -> list[str]:
        """What a folder holds, sorted."""
        with self._at(name) as (folder, last):
            descriptor = os.open(last, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            with os.scandir(descriptor) as entries:
                return sorted(entry.name for entry in entries)
        finally:
            os.close(descriptor)

    def mkdir(self, name: str, mode: int) -> None:
        with self._at(name, follow=False) as (folder, last):
            os.mkdir(last, mode & 0o7777, dir_fd=folder)

    def rmdir(self, name: str) -> None:
        with self._at(name, follow=False) as (folder, last):
            os.rmdir(last, dir_fd=folder)

    def unlink(self, name: str) -> None:
        with self._at(name, follow=False) as (folder, last):
            os.unlink(last, dir_fd=folder)

    def remove_all(self, name: str) -> None:
        """Delete a file, or a folder and all in it; but not the folder that is the root."""
        with self._at(name, follow=False) as (folder, last):
            if last == ".":
                raise _refused(name)
            if stat.S_ISDIR(os.lstat(last, dir_fd=folder).st_mode):
                shutil.rmtree(last, dir_fd=folder)
            else:
                os.unlink(last, dir_fd=folder)

    def rename(self, name: str, new: str) -> None:
        with ExitStack() as stack:
            source, old = stack.enter_context(self._at(name, follow=False))
            target, last = stack.enter_context(self._at(new, follow=False))
            os.rename(old, last, src_dir_fd=source, dst_dir_fd=target)

    def link(self, name: str, new: str) -> None:
        with ExitStack() as stack:
            source, old = stack.enter_context(self._at(name, follow=False))
            target, last = stack.enter_context(self._at(new, follow=False))
            os.link(old, last, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)

    def symlink(self, text: str, new: str) -> None:
        """Make a link; refused where it would lead out, as others follow links with less care."""
        place = new if new.startswith("/") else f"{self.root}/{new}"
        aim = text if text.startswith("/") else f"{place}/../{text}"
        if self._below(os.path.normpath(aim)) is None:
            raise _refused(text)
        with self._at(new, follow=False) as (folder, last):
            os.symlink(text, last, dir_fd=folder)

    def readlink(self, name: str) -> str:
        with self._at(name, follow=False) as (folder, last):
            return os.readlink(last, dir_fd=folder)

    @contextmanager
    def _spot(self, name: str, *, follow: bool = True) -> Iterator[int]:
        """A descriptor that only marks the place: nothing is opened, nothing waits."""
        with self._at(name, follow=follow) as (folder, last):
            spot = os.open(last, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
        try:
            yield spot
        finally:
            os.close(spot)

    @contextmanager
    def _at(self, name: str, *, follow: bool = True) -> Iterator[tuple[int, str]]:
        """The folder that `name` is in, as a descriptor, and its last part (`.` for the root)."""
        if not name:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        walked = [os.dup(self._root)]
        try:
            last = self._walk(name, walked, follow=follow)
            yield walked[-1], last
        finally:
            _close(walked)

    def _walk(self, name: str, walked: list[int], *, follow: bool) -> str:
        todo, links = self._parts(name, walked), 0
        while todo:
            part = todo.pop()
            if part == "..":
                if len(walked) == 1:
                    raise _refused(name)
                os.close(walked.pop())
                continue
            text = _link_text(part, walked[-1]) if follow or todo else None
            if text is not None:
                links += 1
                if links > _LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
                todo += self._parts(text, walked)
            elif todo:
                flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
                walked.append(os.open(part, flags, dir_fd=walked[-1]))
            else:
                return part
        return "."

    def _parts(self, name: str, walked: list[int]) -> list[str]:
        """The parts of a name, last first; an absolute one below the root starts there again."""
        if name.startswith("/"):
            below = self._below(name)
            if below is None:
                raise _refused(name)
            name = below
            _close(walked[1:])
            del walked[1:]
        return [part for part in reversed(name.split("/")) if part not in {"", "."}]

    def _below(self, name: str) -> str | None:
        """What is left of an absolute name after the root's: that given, or the real one."""
        for root in (self.root, self._given):
            if f"{name}/".startswith(f"{root}/"):
                return name[len(root) :]
        return None


def _link_text(name: str, folder: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        # EINVAL: is no link. ENOENT: may be about to be made; if not, the next call says so.
        if error.errno in {errno.EINVAL, errno.ENOENT}:
            return None
        raise


def _expect_file(descriptor: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise _refused("")


def _path(descriptor: int) -> Path:
    """A name for what the descriptor marks, for calls that take no such descriptor."""
    return Path(f"/proc/self/fd/{descriptor}")


def _refused(name: str) -> OSError:
    return PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
