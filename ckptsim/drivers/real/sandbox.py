"""What goes into a job's sandbox and what comes out of it (htcondor-observed.md A3-A5, B12-B18).

Standard library alone, Linux. A file is reached from an open folder, one part of its path at a
time. A symbolic link is never followed by the kernel: it is read, and its target walked to in the
same way. So nothing outside is read or written through `..`, absolute names or links, even if they
change meanwhile: what was looked at is held open, and is what is copied.
"""

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ckptsim.drivers.real.copying import copy, make_way, never
from ckptsim.htcondor.spool import MARKER

OWN = {
    ".job.ad",
    ".machine.ad",
    ".update.ad",
    ".docker_stdout",
    ".docker_stderr",
    ".execution_overlay.ad",
    ".chirp.config",
    ".ckptsim.marks",
}
"""Files of HTCondor's and ours at the top of a sandbox; they leave it only if listed by name."""

LINKS_MAX = 40
"""Symbolic links on the way to one file, as in Linux."""

DEPTH_MAX = 200
"""Directories within directories that are copied."""

Parts = tuple[str, ...]
Catalogue = dict[str, tuple[int, int, int]]
"""Size, time of change in ns and inode of each top-level file after the input transfer."""


class TransferError(Exception):
    """A file that cannot be transferred, and why.

    `path` is the file's in the sandbox (or the input's), `errno` the system's number, `reason` the
    message without the path, `bytes` what was copied all the same.
    """

    def __init__(self, path: str, number: int, reason: str = "") -> None:
        self.path, self.errno, self.bytes = path, number, 0
        self.reason = reason or os.strerror(number)
        super().__init__(f"{path}: {self.reason}")


class Missing(TransferError):  # noqa: N818 (a case of the above)
    """A listed file that is not there."""


class Refused(TransferError):  # noqa: N818 (a case of the above)
    """A name or link that leads out of the sandbox, or that means something else in the spool."""


class Staged(NamedTuple):
    """What an input transfer brought: bytes of inputs and spool, and what to compare with later."""

    bytes: int
    catalogue: Catalogue


class Sent(NamedTuple):
    """What a transfer out brought: bytes, and the top-level names they got."""

    bytes: int
    files: list[str]


def stage(
    sandbox: str | Path,
    items: Iterable[Sequence[str]],
    spool: str | Path | None = None,
    files: Mapping[str, str] | None = None,
    stop: Callable[[], bool] = never,
) -> Staged:
    """Fill a sandbox, made if need be: the items, then all that is in the spool, which wins (B16).

    An item is the absolute path of a file or directory and its name in the sandbox; a path ending
    in `/` stands for the directory's contents, which go into the directory named ("" for the
    sandbox itself). `files` are small texts by name, written last and not counted. Raises Missing,
    Refused, another TransferError, or Cut.
    """
    try:
        Path(sandbox).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise failure(str(sandbox), error) from error
    with opened_root(sandbox) as inside:
        with opened_root("/") as everything:
            carrier = Carrier(everything, stop)
            for source, name in items:
                carrier.take(source, inside.fd, plain(name))
        size = carrier.bytes + (restored(spool, inside.fd, stop) if spool else 0)
        for name, text in (files or {}).items():
            write(inside, name, text)
        return Staged(size, catalogued(inside.fd))


def restored(spool: str | Path, folder: int, stop: Callable[[], bool]) -> int:
    """Copy the spool's entries over what is in the sandbox; return the bytes."""
    if not Path(spool).exists():
        return 0
    with opened_root(spool) as kept:
        carrier = Carrier(kept, stop)
        for name in listed(kept.fd):
            displace(folder, name, kept.fd)
            carrier.take(name, folder, (name,))
        return carrier.bytes


def displace(folder: int, name: str, kept: int) -> None:
    """Make room for what the spool has by that name; a directory joins a directory."""
    with suppress(FileNotFoundError):
        present = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        coming = os.stat(name, dir_fd=kept, follow_symlinks=False).st_mode
        if not stat.S_ISDIR(present):
            os.unlink(name, dir_fd=folder)
        elif not stat.S_ISDIR(coming):
            clear(name, folder)


def outgoing(
    sandbox: str | Path,
    wanted: Collection[str] | None,
    catalogue: Catalogue,
    *,
    preserve: bool = False,
    stdio: Sequence[str] = (),
    executable: str | None = None,
) -> list[tuple[str, str]]:
    """What a transfer takes, in order: paths in the sandbox and the names they get.

    The listed ones, then `stdio` (B12). A path loses its directories unless `preserve` (B14). A
    directory's contents have a path ending in `/` and the name "". `wanted` None: each top-level
    file that is new or changed, never `executable` (htcondor-rules.md 1.2). Whether a listed file
    is there is not looked at. Raises Refused.
    """
    if wanted is None:
        unsent = {*OWN, MARKER, executable}
        with opened_root(sandbox) as root:
            wanted = [name for name in changed(root.fd, catalogue) if name not in unsent]
    landed = dict(landing(name, preserve=preserve) for name in wanted)
    return [
        *((path, name) for path, name in landed.items() if path not in stdio),
        *((name, name) for name in stdio),
    ]


def landing(name: str, *, preserve: bool) -> tuple[str, str]:
    """The path in the sandbox of a listed name, and the name it gets."""
    parts = plain(name)
    path = "/".join(parts)
    if not parts or (name.endswith("/") and not preserve):
        return f"{path}/", ""
    lands = path if preserve else parts[-1]
    refuse_marker(path, lands)
    return path, lands


def send(
    sandbox: str | Path,
    wanted: Collection[str] | None,
    catalogue: Catalogue,
    to: str | Path,
    *,
    preserve: bool = False,
    stdio: Sequence[str] = (),
    executable: str | None = None,
    rename: Mapping[str, str] | None = None,
    stop: Callable[[], bool] = never,
) -> Sent:
    """Copy what `outgoing` names to the folder `to`; `rename` gives some of the names another path.

    Such a path is absolute or below `to`; the directories of an absolute one must be there. One
    file that cannot be sent does not keep back the others (golden/l1), but then the first such
    TransferError is raised, Missing or Refused or another. Raises Cut.
    """
    entries = outgoing(
        sandbox, wanted, catalogue, preserve=preserve, stdio=stdio, executable=executable
    )
    with opened_root(sandbox) as root, opened_root(to) as target:
        carrier = Carrier(root, stop)
        files: list[str] = []
        errors: list[TransferError] = []
        for path, name in spread(root, entries, stdio, errors):
            try:
                with destination(target.fd, (rename or {}).get(name, name)) as (folder, parts):
                    files += [name] if carrier.take(path, folder, parts) else []
            except TransferError as error:
                errors.append(error)
            except OSError as error:
                errors.append(failure(root.said(split(path)), error))
        if errors:
            errors[0].bytes = carrier.bytes
            raise errors[0]
        return Sent(carrier.bytes, files)


def spread(
    root: "Root",
    entries: Iterable[tuple[str, str]],
    stdio: Collection[str],
    errors: list[TransferError],
) -> Iterator[tuple[str, str]]:
    """The entries with each directory's contents in its place; what cannot be goes to `errors`."""
    for path, name in entries:
        if name:
            yield path, name
            continue
        try:
            yield from contents(root, split(path), stdio)
        except TransferError as error:
            errors.append(error)


def contents(root: "Root", parts: Parts, stdio: Collection[str]) -> list[tuple[str, str]]:
    """What is in a directory of the sandbox, but for our own files at the top."""
    with opened(root, parts) as found:
        if not stat.S_ISDIR(found.mode):
            raise TransferError(root.said(parts), errno.ENOTDIR)
        unsent = {*OWN, *stdio} if not parts else set()
        names = [name for name in listed(found.fd) if name not in unsent]
    for name in names:
        refuse_marker(root.said((*parts, name)), name)
    return [("/".join((*parts, name)), name) for name in names]


def refuse_marker(path: str, name: str) -> None:
    """A job's file of that name would make the spool believe in half a checkpoint."""
    if split(name)[0] == MARKER:
        raise Refused(path, errno.EINVAL, "a name that means something else in the spool")


@contextmanager
def destination(folder: int, name: str) -> Iterator[tuple[int, Parts]]:
    """The open folder where a file is to go, and its path below that."""
    if not name.startswith("/"):
        yield folder, plain(name)
        return
    with opened_root(Path(name).parent) as parent:
        yield parent.fd, (Path(name).name,)


class Carrier:
    """Copies files and directories that are reached from a root, and counts the `bytes`."""

    def __init__(self, root: "Root", stop: Callable[[], bool]) -> None:
        self.root, self.stop, self.bytes = root, stop, 0

    def take(self, path: str, folder: int, target: Parts) -> bool:
        """Copy what is at that path to the target below the open folder; False if it was skipped.

        A path ending in `/` stands for a directory's contents. FIFOs and the like are skipped.
        """
        try:
            with opened(self.root, split(path)) as found:
                # A link to a directory is not copied, but its contents may be (as in HTCondor).
                asked = found._replace(linked=False) if path.endswith("/") else found
                return self.place(split(path), asked, folder, target)
        except OSError as error:
            raise failure(self.root.said(split(path)), error) from error

    def place(self, parts: Parts, found: "Found", folder: int, target: Parts) -> bool:
        if stat.S_ISREG(found.mode):
            if not target:
                raise TransferError(self.root.said(parts), errno.EISDIR, "no name to copy it to")
            with made(folder, target[:-1]) as inner, reading(found.fd) as source:
                self.bytes += copy(source, inner, target[-1], self.stop)
            return True
        if not stat.S_ISDIR(found.mode):
            return False
        if found.linked:
            raise TransferError(self.root.said(parts), errno.EISDIR, "a link to a directory")
        with made(folder, target, found.mode) as inner:
            self.fill(parts, found, inner)
        return True

    def fill(self, parts: Parts, found: "Found", folder: int) -> None:
        if len(parts) > DEPTH_MAX:
            raise TransferError(self.root.said(parts), errno.ENAMETOOLONG, "directories too deep")
        for name in listed(found.fd):
            with opened(self.root, (*parts, name)) as inner:
                self.place((*parts, name), inner, folder, (name,))


class Root(NamedTuple):
    """An open folder; nothing that is reached from it lies outside."""

    fd: int
    path: str
    real: str  # the same without symbolic links

    def said(self, parts: Parts) -> str:
        """The whole path of something in it, for people."""
        return str(Path(self.path, *parts))

    def beneath(self, target: str) -> Parts:
        """The parts below the root of an absolute path, which must lead there."""
        for prefix in (self.path, self.real):
            if Path(target).is_relative_to(prefix):
                return split(target[len(prefix) :])
        raise Outside


class Outside(Exception):  # noqa: N818 (told as Refused, with the path)
    """A link leads out of the root."""


class Found(NamedTuple):
    """A file held open, though not for reading."""

    fd: int
    mode: int
    linked: bool  # its last part was a symbolic link


@contextmanager
def opened_root(path: str | Path) -> Iterator[Root]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise failure(str(path), error) from error
    try:
        yield Root(fd, str(path), os.path.realpath(path))
    finally:
        os.close(fd)


@contextmanager
def opened(root: Root, parts: Parts) -> Iterator[Found]:
    """What is at that path in the root. Raises Missing, Refused or another TransferError."""
    try:
        found = walked(root, parts)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Missing(root.said(parts), errno.ENOENT) from error
    except Outside as error:
        raise Refused(root.said(parts), errno.EXDEV, "a link that leads outside") from error
    except OSError as error:
        raise failure(root.said(parts), error) from error
    try:
        yield found
    finally:
        os.close(found.fd)


def walked(root: Root, parts: Parts) -> Found:
    """Open each part from the folder before it; links are read and their parts walked."""
    held, todo, links, linked = [os.dup(root.fd)], list(reversed(parts)), 0, False
    try:
        while todo:
            step(held, todo.pop())
            if stat.S_ISLNK(os.fstat(held[-1]).st_mode):
                links, linked = links + 1, linked or not todo
                if links > LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                todo += reversed(followed(root, held))
        fd = held.pop()
        return Found(fd, os.fstat(fd).st_mode, linked)
    finally:
        for folder in held:
            os.close(folder)


def step(held: list[int], part: str) -> None:
    """Go one part on, or back; `held` are the open folders from the root to here."""
    if part != "..":
        held.append(os.open(part, os.O_PATH | os.O_NOFOLLOW, dir_fd=held[-1]))
        return
    if len(held) == 1:
        raise Outside
    os.close(held.pop())


def followed(root: Root, held: list[int]) -> Parts:
    """The parts the link at the end of `held` stands for; `held` is cut to where they start."""
    link = held.pop()
    try:
        target = os.readlink("", dir_fd=link)
    finally:
        os.close(link)
    if not target.startswith("/"):
        return split(target)
    while len(held) > 1:
        os.close(held.pop())
    return root.beneath(target)


@contextmanager
def reading(found: int) -> Iterator[int]:
    """The very file held open, opened for reading."""
    fd = os.open(f"/proc/self/fd/{found}", os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def made(folder: int, parts: Parts, mode: int = 0o777) -> Iterator[int]:
    """The directory at that path below an open folder; made where it is not there."""
    fd = os.dup(folder)
    try:
        for part in parts:
            with suppress(FileExistsError):
                os.mkdir(part, stat.S_IMODE(mode) & 0o777 | 0o700, dir_fd=fd)
            inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            fd, outer = inner, fd
            os.close(outer)
        yield fd
    finally:
        os.close(fd)


def listed(folder: int) -> list[str]:
    """The names in an open folder, in order."""
    with reading(folder) as fd:
        return sorted(os.listdir(fd))  # noqa: PTH208 (pathlib knows no open folders)


def split(path: str) -> Parts:
    """The parts of a path."""
    return tuple(part for part in path.split("/") if part not in ("", "."))


def plain(name: str) -> Parts:
    """The parts of a name that must lie in a folder. Raises Refused."""
    parts = split(name)
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise Refused(name, errno.EXDEV, "not a path within the sandbox")
    return parts


def failure(path: str, error: OSError) -> TransferError:
    """The system's error, told with the path of what was to be transferred."""
    return TransferError(path, error.errno or errno.EIO, error.strerror or str(error))


def catalogued(folder: int) -> Catalogue:
    """The top-level files of an open folder as they are now; a link stands for its target."""
    catalogue = {}
    for name in listed(folder):
        with suppress(OSError):  # a link to nothing, in a circle or where one may not look
            seen = os.stat(name, dir_fd=folder)
            if stat.S_ISREG(seen.st_mode):
                catalogue[name] = seen.st_size, seen.st_mtime_ns, seen.st_ino
    return catalogue


def changed(folder: int, catalogue: Catalogue) -> list[str]:
    """The top-level files that are new, or not as they are in the catalogue."""
    return [name for name, seen in catalogued(folder).items() if catalogue.get(name) != seen]


def write(root: Root, name: str, text: str) -> None:
    """Put a small text into the root, in place of a file of that name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        make_way(root.fd, name)
        with os.fdopen(os.open(name, flags, 0o644, dir_fd=root.fd), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise failure(root.said((name,)), error) from error


def clear(folder: str | Path, within: int | None = None) -> None:
    """Delete a folder and all that is in it, if it is there, whatever the modes and the depth.

    Links are deleted, not followed. `within` is an open folder that the path starts from. What
    still writes there must be dead, else an OSError may tell that the folder is not empty.
    """
    with suppress(FileNotFoundError):
        with unlocked(folder, within) as root:
            while names := listed(root):
                for name in names:
                    discard(root, name)
        os.rmdir(folder, dir_fd=within)


def discard(root: int, name: str) -> None:
    """Delete an entry; directories in it are moved up, so that no path gets too long."""
    try:
        os.unlink(name, dir_fd=root)
    except IsADirectoryError:
        with unlocked(name, root) as inner:
            for child in listed(inner):
                pull_up(root, inner, child)
        os.rmdir(name, dir_fd=root)


def pull_up(root: int, inner: int, child: str) -> None:
    try:
        os.unlink(child, dir_fd=inner)
    except IsADirectoryError:
        with unlocked(child, inner):
            os.rename(child, f".{os.urandom(12).hex()}", src_dir_fd=inner, dst_dir_fd=root)


@contextmanager
def unlocked(folder: str | Path, within: int | None) -> Iterator[int]:
    """An open folder that can be listed and written, whatever its mode was."""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)
    try:
        Path(f"/proc/self/fd/{fd}").chmod(0o700)
        with reading(fd) as opened_fd:
            yield opened_fd
    finally:
        os.close(fd)
