r"""HTCondor's Chirp proxy for one lease: a job reads and writes the files of its submit folder.

A job that checkpoints by hand (`want_io_proxy = True`) keeps its checkpoint in the folder that it
was submitted from, with `condor_chirp` or HTCondor's Python module htchirp; what it put there
survives the lease (htcondor-observed.md H46). Chirp is a line protocol on a TCP connection to this
machine itself: a request is one line of words (`\` before a blank within one), the reply a number,
negative for an error, and the data that some requests have. Requests, replies and limits are those
of HTCondor's src/condor_starter.V6.1/io_proxy_handler.cpp, src/condor_starter.V6.1/jic_shadow.cpp
and src/condor_shadow.V6.1/NTreceivers.cpp.

As there, `putfile` empties the old file first, so that one cut off by a kill leaves a torn file:
here with what had come until then, with HTCondor (by its source) of the right length. So a job puts
under a second name and then renames it. `write` and its kin write nothing unless all of their data
came.

Not as there: a name outside the folder is refused; `putfile` of no bytes is answered, where
HTCondor leaves its client waiting; `constrain` and `phase` are refused as unknown.
"""

import asyncio
import errno
import hmac
import inspect
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ckptsim.drivers.real.chirp_files import Folder

CONFIG = ".chirp.config"
"""The file in the sandbox that tells a client where to connect: `HOST PORT COOKIE`."""

CONFIG_VARIABLE = "_CONDOR_CHIRP_CONFIG"
"""The environment variable that holds that file's path."""

PROGRAMS = Path(__file__).parents[2] / "htcondor" / "bin"
"""The folder with `condor_chirp`, for the job's PATH."""

# chirp_protocol.h; the longest request, in bytes with its line end.
_LINE_MAX = 5120
_VERSION = 2
# What is read from or written to a file or a connection in one go, in bytes.
_PIECE = 1 << 20
# The most that one request other than putfile and getfile may carry: it is held in memory.
_DATA_MAX = 256 << 20
_OPEN_MAX = 256
# Limits of delayed updates (CHIRP_DELAYED_UPDATE_MAX_ATTRS, _PREFIX; "Chirp update too long!").
_DELAYED_MAX = 100
_DELAYED_PREFIX = "chirp"
_EXPRESSION_MAX = 993
# GenericEvent's text is a buffer of 1024 bytes, with a zero at its end.
_ULOG_MAX = 1023
# A wrong cookie is answered after so many seconds.
_WRONG_COOKIE_S = 1

_NOT_AUTHENTICATED = -1
_TOO_BIG = -5
_INVALID = -8
_UNKNOWN = -127
# "Not taken" for a delayed update is a number above 0, which clients do not take for an error.
_NOT_TAKEN = 1
_CODES = {
    errno.EPERM: -2,
    errno.EACCES: -2,
    errno.ENOENT: -3,
    errno.EEXIST: -4,
    errno.EFBIG: _TOO_BIG,
    errno.ENOSPC: -6,
    errno.ENOMEM: -7,
    errno.E2BIG: _INVALID,
    errno.EINVAL: _INVALID,
    errno.ENFILE: -9,
    errno.EMFILE: -9,
    errno.EBUSY: -10,
    errno.ETXTBSY: -10,
    errno.EAGAIN: -11,
    errno.EINTR: -11,
    errno.EBADF: -12,
    errno.EISDIR: -13,
    errno.ENOTDIR: -14,
    errno.ENOTEMPTY: -15,
    errno.EXDEV: -16,
    errno.ETIMEDOUT: -17,
}
_FLAGS = {"c": os.O_CREAT, "t": os.O_TRUNC, "x": os.O_EXCL, "a": os.O_APPEND}

_WORD = re.compile(rb"(?:\\.?|[^\s\\])+", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.?)", re.DOTALL)


def words(line: bytes) -> list[bytes]:
    r"""The words of a request: `\` takes the next byte as it is, at the end of the line it goes."""
    return [_ESCAPED.sub(rb"\1", word) for word in _WORD.findall(line)]


class Chirp:
    """The Chirp server of one lease, on the access point.

    `folder` is the job's submit folder (Iwd). `ad_get(name)` gives an attribute's expression as
    text, or None; `ad_set(name, expression)` changes it, and raises PermissionError for a protected
    one, ValueError for what is no expression; `ulog(text)` writes an event 008. All are called in
    the event loop. With `io_proxy` false (a job without want_io_proxy) only the delayed updates
    are served, as in HTCondor.
    """

    def __init__(
        self,
        folder: Path,
        ad_get: Callable[[str], str | None],
        ad_set: Callable[[str, str], None],
        ulog: Callable[[str], None],
        *,
        io_proxy: bool = True,
    ) -> None:
        self.ad_get, self.ad_set, self.ulog = ad_get, ad_set, ulog
        self.io_proxy = io_proxy
        self.cookie = secrets.token_hex(16)
        self._root = folder
        self._waiting = dict[str, tuple[str, str]]()  # by the name in lower case, as ClassAds do
        self._seen = set[str]()
        self._sessions = set[asyncio.Task[None]]()

    async def start(self) -> str:
        """Listen; returns the text of `.chirp.config`.

        Raises:
            OSError: there is no such folder.

        """
        self.folder = Folder(self._root)
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", 0, limit=_PIECE)
        host, port = self._server.sockets[0].getsockname()
        return f"{host} {port} {self.cookie}\n"

    async def stop(self) -> None:
        """Cut off whoever is connected and listen no more; what was not flushed is lost."""
        self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        await self._server.wait_closed()
        self.folder.close()

    def flush(self) -> None:
        """Hand the delayed updates to `ad_set`: at each update of the ad, and when a job exits."""
        waiting, self._waiting = self._waiting, {}
        for name, expression in waiting.values():
            # As in HTCondor, the job has long been told that it went well.
            with suppress(PermissionError, ValueError):
                self.ad_set(name, expression)

    def delay(self, name: str, expression: str) -> bool:
        """Keep an update until the next flush; False if it is not one that may be delayed."""
        key = name.lower()
        if not key.startswith(_DELAYED_PREFIX):
            return False
        if key not in self._seen and len(self._seen) == _DELAYED_MAX:
            return False
        self._seen.add(key)
        self._waiting[key] = (name, expression)
        return True

    def delayed(self, name: str) -> str | None:
        """An attribute as the machine knows it: with the updates that are still waiting."""
        _, waiting = self._waiting.get(name.lower(), (name, None))
        return self.ad_get(name) if waiting is None else waiting

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.ensure_future(_Session(self, reader, writer).serve())
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)


class _Reply(NamedTuple):
    code: int
    data: bytes = b""
    file: int | None = None  # an open file whose first `code` bytes follow; closed once sent


_DONE = _Reply(0)


class _Session:
    """One connection. Its files have numbers of their own and are closed at its end."""

    def __init__(
        self, chirp: Chirp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.chirp, self.folder = chirp, chirp.folder
        self.reader, self.writer = reader, writer
        self.files = dict[int, int]()

    async def serve(self) -> None:
        try:
            # The client going away, in the middle of whatever it is, ends the session.
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._requests()
        finally:
            for descriptor in self.files.values():
                os.close(descriptor)
            self.writer.close()

    async def _requests(self) -> None:
        known = False
        while (line := await self._line()) is not None:
            if known:
                await self._say(await self._answer(line))
                continue
            known = hmac.compare_digest(line.strip(), f"cookie {self.chirp.cookie}".encode())
            await asyncio.sleep(0 if known else _WRONG_COOKIE_S)
            await self._say(_DONE if known else _Reply(_NOT_AUTHENTICATED))

    async def _line(self) -> bytes | None:
        """The next request; None if there is none, or one too long."""
        try:
            line = await self.reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            line = bytes(_LINE_MAX + 1)
        if len(line) <= _LINE_MAX:
            return line
        await self._say(_Reply(_TOO_BIG))
        return None

    async def _say(self, reply: _Reply) -> None:
        self.writer.write(b"%d\n%b" % (reply.code, reply.data))
        if reply.file is not None:
            await self._send(reply.file, reply.code)
        await self.writer.drain()

    async def _send(self, file: int, left: int) -> None:
        try:
            while left:
                data = os.read(file, min(left, _PIECE))
                if not data:  # the file shrank; the number sent was a promise
                    raise ConnectionAbortedError
                left -= len(data)
                self.writer.write(data)
                await self.writer.drain()
        finally:
            os.close(file)

    async def _answer(self, line: bytes) -> _Reply:
        name, *arguments = words(line) or [b""]
        request = _REQUESTS.get(name.decode(errors="replace"))
        if request is None or not (self.chirp.io_proxy or request.always):
            return _Reply(_INVALID)
        try:
            answer = request.method(self, *_values(request.arguments, arguments))
            if inspect.isawaitable(answer):
                answer = await answer
        except ConnectionError:
            raise
        except OSError as error:
            return _Reply(_CODES.get(error.errno or 0, _UNKNOWN))
        except (ValueError, OverflowError):  # too few words, no numbers, a zero byte in a name
            return _Reply(_INVALID)
        return _DONE if answer is None else answer

    # Open files.

    def open(self, name: str, flags: str, mode: int) -> _Reply:
        if len(self.files) == _OPEN_MAX:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        how = os.O_RDONLY
        if "w" in flags:
            how = os.O_RDWR if "r" in flags else os.O_WRONLY
        for flag in _FLAGS.keys() & set(flags):
            how |= _FLAGS[flag]
        descriptor = self.folder.open(name, how, mode)
        number = next(number for number in range(_OPEN_MAX) if number not in self.files)
        self.files[number] = descriptor
        return _Reply(number, _stat_line(os.fstat(descriptor)))

    def close(self, number: int) -> None:
        os.close(self.file(number))
        del self.files[number]

    def read(self, number: int, length: int) -> _Reply:
        file = self.file(number)
        start = os.lseek(file, 0, os.SEEK_CUR)
        reply = self.pread(number, length, start)
        os.lseek(file, start + reply.code, os.SEEK_SET)
        return reply

    def pread(self, number: int, length: int, offset: int) -> _Reply:
        data = b"".join(_pieces(self.file(number), length, offset))
        return _Reply(len(data), data)

    def sread(self, number: int, length: int, offset: int, stride: int, skip: int) -> _Reply:
        file, data = self.file(number), bytearray()
        for place, count in _strides(length, offset, stride, skip):
            piece = os.pread(file, count, place)
            data += piece
            if len(piece) < count:
                break
        return _Reply(len(data), bytes(data))

    async def write(self, number: int, length: int) -> _Reply:
        data = await self._receive(length)
        return _Reply(_write(self.file(number), data))

    async def pwrite(self, number: int, length: int, offset: int) -> _Reply:
        data = await self._receive(length)
        return _Reply(_pwrite(self.file(number), data, offset))

    async def swrite(self, number: int, length: int, offset: int, stride: int, skip: int) -> _Reply:
        data, done = await self._receive(length), 0
        file = self.file(number)
        for place, count in _strides(length, offset, stride, skip):
            done += _pwrite(file, data[done : done + count], place)
        return _Reply(done)

    def lseek(self, number: int, offset: int, whence: int) -> _Reply:
        if whence not in {os.SEEK_SET, os.SEEK_CUR, os.SEEK_END}:
            return _Reply(_INVALID)
        return _Reply(os.lseek(self.file(number), offset, whence))

    def fstat(self, number: int) -> _Reply:
        return _Reply(0, _stat_line(os.fstat(self.file(number))))

    def fstatfs(self, number: int) -> _Reply:
        return _Reply(0, _statfs_line(os.fstatvfs(self.file(number))))

    def file(self, number: int) -> int:
        if number not in self.files:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self.files[number]

    async def _receive(self, length: int) -> bytes:
        """The data of a request, all of it; one that is too much is read too, and thrown away."""
        if 0 <= length <= _DATA_MAX:
            return await self.reader.readexactly(length)
        await self._store(None, length)
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    # Files by name.

    def getfile(self, name: str) -> _Reply:
        file = self.folder.open(name, os.O_RDONLY)
        return _Reply(os.fstat(file).st_size, file=file)

    async def putfile(self, name: str, mode: int, length: int) -> _Reply:
        if length < 0:
            return _Reply(_INVALID)
        file = self.folder.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
        try:
            await self._say(_DONE)
            await self._store(file, length)
        finally:
            os.close(file)
        return _Reply(length)

    async def _store(self, file: int | None, length: int) -> None:
        """Write the data of a request as it comes; after an error the rest is thrown away."""
        failed = None
        while length > 0:
            data = await self.reader.read(min(length, _PIECE))
            if not data:
                raise ConnectionResetError
            length -= len(data)
            if file is None or failed:
                continue
            try:
                _write(file, data)
            except OSError as error:
                failed = error
        if failed:
            raise failed

    def stat(self, name: str) -> _Reply:
        return _Reply(0, _stat_line(self.folder.stat(name)))

    def lstat(self, name: str) -> _Reply:
        return _Reply(0, _stat_line(self.folder.stat(name, follow=False)))

    def statfs(self, name: str) -> _Reply:
        return _Reply(0, _statfs_line(self.folder.statvfs(name)))

    def readlink(self, name: str, length: int) -> _Reply:
        return _with_data(os.fsencode(self.folder.readlink(name))[: max(length, 0)])

    def getdir(self, name: str) -> _Reply:
        return _listing(os.fsencode(item) + b"\n" for item in self.folder.names(name))

    def getlongdir(self, name: str) -> _Reply:
        return _listing(
            os.fsencode(item) + b"\n" + _stat_line(self.folder.stat(f"{name}/{item}", follow=False))
            for item in self.folder.names(name)
        )

    def lookup(self, name: str) -> _Reply:
        return _with_data(os.fsencode(f"{self.folder.root}/{name}"))

    # The job.

    def get_job_attr(self, name: str) -> _Reply:
        value = self.chirp.ad_get(name)
        return _with_data(b"UNDEFINED" if value is None else value.encode())

    def get_job_attr_delayed(self, name: str) -> _Reply:
        value = self.chirp.delayed(name)
        if value is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return _with_data(value.encode())

    def set_job_attr_delayed(self, name: str, expression: str) -> _Reply:
        if len(expression.encode()) > _EXPRESSION_MAX:
            return _Reply(_UNKNOWN)
        return _DONE if self.chirp.delay(name, expression) else _Reply(_NOT_TAKEN)

    def ulog(self, text: str) -> _Reply:
        self.chirp.ulog(text.encode()[:_ULOG_MAX].decode(errors="ignore"))
        return _DONE

    # The server.

    def whoami(self, length: int) -> _Reply:
        return _fitting(b"CONDOR", length)

    def whoareyou(self, _host: str, length: int) -> _Reply:
        return _fitting(b"UNKNOWN", length)


class _Request(NamedTuple):
    """What a request takes (p: a name, t: text, i: a number) and what does it; None is a 0."""

    arguments: str
    method: Callable[..., Any]
    always: bool = False  # also without want_io_proxy


_REQUESTS = {
    "open": _Request("pti", _Session.open),
    "close": _Request("i", _Session.close),
    "read": _Request("ii", _Session.read),
    "pread": _Request("iii", _Session.pread),
    "sread": _Request("iiiii", _Session.sread),
    "write": _Request("ii", _Session.write),
    "pwrite": _Request("iii", _Session.pwrite),
    "swrite": _Request("iiiii", _Session.swrite),
    "lseek": _Request("iii", _Session.lseek),
    "fsync": _Request("i", lambda session, i: asyncio.to_thread(os.fsync, session.file(i))),
    "fstat": _Request("i", _Session.fstat),
    "fstatfs": _Request("i", _Session.fstatfs),
    "fchmod": _Request("ii", lambda session, i, mode: os.fchmod(session.file(i), mode & 0o7777)),
    "fchown": _Request("iii", lambda session, i, *who: os.fchown(session.file(i), *who)),
    "ftruncate": _Request("ii", lambda session, i, length: os.ftruncate(session.file(i), length)),
    "getfile": _Request("p", _Session.getfile),
    "putfile": _Request("pii", _Session.putfile),
    "stat": _Request("p", _Session.stat),
    "lstat": _Request("p", _Session.lstat),
    "statfs": _Request("p", _Session.statfs),
    "access": _Request("pi", lambda session, *words: session.folder.access(*words)),
    "chmod": _Request("pi", lambda session, *words: session.folder.chmod(*words)),
    "chown": _Request("pii", lambda session, *words: session.folder.chown(*words)),
    "lchown": _Request("pii", lambda session, *words: session.folder.chown(*words, follow=False)),
    "truncate": _Request("pi", lambda session, *words: session.folder.truncate(*words)),
    "utime": _Request("pii", lambda session, *words: session.folder.utime(*words)),
    "unlink": _Request("p", lambda session, name: session.folder.unlink(name)),
    "rename": _Request("pp", lambda session, *names: session.folder.rename(*names)),
    "mkdir": _Request("pi", lambda session, *words: session.folder.mkdir(*words)),
    "rmdir": _Request("p", lambda session, name: session.folder.rmdir(name)),
    "rmall": _Request("p", lambda s, name: asyncio.to_thread(s.folder.remove_all, name)),
    "link": _Request("pp", lambda session, *names: session.folder.link(*names)),
    "symlink": _Request("pp", lambda session, *names: session.folder.symlink(*names)),
    "readlink": _Request("pi", _Session.readlink),
    "getdir": _Request("p", _Session.getdir),
    "getlongdir": _Request("p", _Session.getlongdir),
    "lookup": _Request("p", _Session.lookup),
    "get_job_attr": _Request("t", _Session.get_job_attr),
    "set_job_attr": _Request("tt", lambda session, *words: session.chirp.ad_set(*words)),
    "get_job_attr_delayed": _Request("t", _Session.get_job_attr_delayed, always=True),
    "set_job_attr_delayed": _Request("tt", _Session.set_job_attr_delayed, always=True),
    "ulog": _Request("t", _Session.ulog),
    "whoami": _Request("i", lambda _, length: _fitting(b"CONDOR", length)),
    "whoareyou": _Request("ti", lambda _, _host, length: _fitting(b"UNKNOWN", length)),
    "version": _Request("", lambda _: _Reply(_VERSION)),
}


def _values(kinds: str, given: list[bytes]) -> list[int | str]:
    """The arguments, of which more may be given than are taken; raises ValueError."""
    return [_value(kind, word) for kind, word in zip(kinds, given[: len(kinds)], strict=True)]


def _value(kind: str, word: bytes) -> int | str:
    if kind == "i":
        return int(word)
    return os.fsdecode(word) if kind == "p" else word.decode(errors="replace")


def _with_data(data: bytes) -> _Reply:
    return _Reply(len(data), data)


def _fitting(data: bytes, length: int) -> _Reply:
    if length < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return _with_data(data)


def _listing(items: Iterable[bytes]) -> _Reply:
    """Items and an empty line; nothing at all for an empty folder."""
    data = b"".join(items)
    return _with_data(data + b"\n" if data else data)


def _stat_line(found: os.stat_result) -> bytes:
    whole = (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)
    fields = (
        *(found.st_dev, found.st_ino, found.st_mode, found.st_nlink, found.st_uid, found.st_gid),
        *(found.st_rdev, found.st_size, found.st_blksize, found.st_blocks),
        *(time // 10**9 for time in whole),
    )
    return " ".join(map(str, fields)).encode() + b"\n"


def _statfs_line(found: os.statvfs_result) -> bytes:
    # The first is the type of the file system, which the standard library does not tell.
    fields = (0, found.f_bsize, found.f_blocks, found.f_bfree, found.f_bavail, found.f_files)
    return " ".join(map(str, (*fields, found.f_ffree))).encode() + b"\n"


def _strides(length: int, offset: int, stride: int, skip: int) -> Iterator[tuple[int, int]]:
    """Where to read or write how much: `stride` bytes at every `skip`, `length` in all."""
    if stride <= 0 or skip < 0 or not 0 <= length <= _DATA_MAX:
        raise ValueError
    for start in range(0, length, stride):
        yield offset + start // stride * skip, min(stride, length - start)


def _pieces(file: int, length: int, offset: int) -> Iterator[bytes]:
    """What a file holds from `offset` on, `length` bytes at most."""
    left = min(length, max(os.fstat(file).st_size - offset, 0))
    if left > _DATA_MAX:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    while left > 0 and (data := os.pread(file, left, offset)):
        yield data
        left, offset = left - len(data), offset + len(data)


def _write(file: int, data: bytes) -> int:
    done = 0
    while done < len(data):
        done += os.write(file, memoryview(data)[done:])
    return done


def _pwrite(file: int, data: bytes, offset: int) -> int:
    done = 0
    while done < len(data):
        done += os.pwrite(file, memoryview(data)[done:], offset + done)
    return done
