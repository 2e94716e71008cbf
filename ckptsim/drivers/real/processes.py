"""Job trees: starting a process, and killing all that came of it, wherever that has gone.

Standard library alone, Linux. A process leaves its parent by a double fork, its session by setsid
and its environment by `env -i`; what it hands to all its descendants and never thinks of are its
resource limits. So a tree bears its pool, machine and lease in one that means nothing to it, the
CPU time of real-time tasks (2^61 µs are 73,000 years), which is read with one system call. Control
groups would do the same, but may often not be made by an ordinary user.

Where a limit may not be set (an ordinary user's pool in a job of another pool: the hard limit
cannot be raised) the environment is the mark. And while the machine lives it is the parent of every
orphan (`adopt_orphans`), so descent tells as well.
"""

import ctypes
import os
import resource
import select
import signal
import time
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import NamedTuple

_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
_LIMIT = resource.RLIMIT_RTTIME
_HARD, _SOFT = 1 << 62, 1 << 61
_NAME_BITS = 31
_NAME = (1 << _NAME_BITS) - 1

_SIGNALS = [int(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}]

# For so long a tree may grow as fast as it is stopped before it is looked at again later.
_PATIENCE_S = 0.25
# Deaths waited for at once: each takes a file descriptor.
_HELD = 64
_ENVIRONMENT_MAX = 1 << 22  # bytes
_SCRIPT_LINE = 256  # bytes of `#!` line that Linux reads (BINPRM_BUF_SIZE)


Bits = tuple[int, int | None, int | None]


class Mark(NamedTuple):
    """What a process belongs to; None stands for any."""

    pool: str
    machine: str | None = None
    lease: int | None = None

    def bits(self) -> Bits:
        """The mark as it is in the resource limit."""
        machine = None if self.machine is None else _number(self.machine)
        return _number(self.pool), machine, self.lease

    def variables(self) -> dict[str, str]:
        """The mark as environment variables."""
        values = {"POOL": self.pool, "MACHINE": self.machine, "LEASE": self.lease}
        return {
            f"CKPTSIM_{name}": str(value) for name, value in values.items() if value is not None
        }


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent dies."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def take_mark(mark: Mark) -> bool:
    """Let this process and all that it starts bear the mark; False if the system forbids it."""
    assert mark.machine is not None
    hard = _HARD | _number(mark.pool) << _NAME_BITS | _number(mark.machine)
    soft = hard if mark.lease is None else _SOFT + mark.lease
    try:
        resource.setrlimit(_LIMIT, (soft, hard))
    except (ValueError, OSError):
        return False
    return True


def start(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    *,
    stdin: str | None = None,
    stdout: str,
    stderr: str,
    append: bool = False,
    mark: Mark,
) -> int:
    """Start a process in a session of its own, and return its pid once its program is loaded.

    It has three open files and no more, no signal ignored or blocked, and this process's umask.
    `stdin` None is /dev/null; paths are absolute or below `cwd`. This process is in `/` afterwards.
    Raises OSError: see `told` for words.
    """
    files = list[int]()
    os.chdir(cwd)
    try:
        files.append(_opened(stdin or os.devnull, os.O_RDONLY))
        write = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
        files.append(_opened(stdout, write))
        # One file for both, and not twice the same one: the two would overwrite each other.
        files.append(os.dup(files[1]) if stdout == stderr else _opened(stderr, write))
        take_mark(mark)
        # posix_spawn: this thread waits until the program is loaded, so a failure is told here, and
        # no copy of this process holds a file open that another job is about to execute. All other
        # descriptors are close-on-exec, as Python makes them.
        return os.posix_spawn(
            argv[0],
            list(argv),
            {**env, **mark.variables()},
            file_actions=[(os.POSIX_SPAWN_DUP2, file, to) for to, file in enumerate(files)],
            setsid=True,
            setsigmask=[],
            setsigdef=_SIGNALS,
        )
    finally:
        take_mark(mark._replace(lease=None))
        for file in files:
            os.close(file)
        os.chdir("/")


def told(error: OSError, program: str) -> str:
    """Why a program could not be started, in words."""
    path = error.filename or program
    if path == program and error.errno == 2 and os.path.lexists(program):
        return f"{program}: its interpreter {_interpreter(program)!r} is not there"
    return f"{path}: {error.strerror}"


def _interpreter(program: str) -> str:
    line = _read(program, _SCRIPT_LINE).partition(b"\n")[0]
    return line.removeprefix(b"#!").strip().decode(errors="replace")


def _opened(path: str, flags: int) -> int:
    """Open a file for a job; a FIFO that nobody else has open is not waited for."""
    file = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o644)
    os.set_blocking(file, True)
    return file


class Hunt:
    """The killing of every process that bears one of the marks, or descends from `roots`.

    The roots are killed as well, this process itself is spared. `out_of_reach` holds those that may
    not be signalled (set-uid).
    """

    def __init__(
        self, marks: Collection[Mark], roots: Collection[int] = (), *, by_environment: bool = False
    ) -> None:
        self.marks, self.roots, self.by_environment = list(marks), set(roots), by_environment
        self.bits = {mark.bits() for mark in marks}
        self.out_of_reach = set[int]()

    def strike(self) -> list[int]:
        """Kill all there are; returns pidfds (the caller's to close) to wait for before the next.

        An empty list means that none is left: every process found in the last look had ended
        before that look began, and it found no other.
        """
        while found := self._stopped():
            for pid in found:
                self._send(pid, signal.SIGKILL)
            if waiting := _alive(found):
                return waiting
        return []

    def _stopped(self) -> list[int]:
        """Stop all there are before one is killed: what stands still cannot fork, nor see deaths.

        A process in the middle of a fork, as it is stopped or killed, has its child yet; so it is
        looked again until nothing new is seen, and `strike` looks again when all have died.
        """
        seen, living = set[int](), list[int]()
        end = time.monotonic() + _PATIENCE_S
        while self._stop_new(seen, living) and time.monotonic() < end:
            pass
        return living

    def _stop_new(self, seen: set[int], living: list[int]) -> bool:
        """Stop those not seen yet; was there one, or one that vanished as it was looked at?"""
        news = False
        # The newest first: a process that forks and ends, over and over, is found in its newest.
        for pid in sorted(_pids(), reverse=True):
            bears = False if pid in seen else self._bears(pid)
            if bears:
                self._stop(pid, seen, living)
            news = news or bears is not False
        for pid in self._descendants(living) - seen:
            self._stop(pid, seen, living)
            news = True
        return news

    def _stop(self, pid: int, seen: set[int], living: list[int]) -> None:
        seen.add(pid)
        if self._send(pid, signal.SIGSTOP):
            living.append(pid)

    def _send(self, pid: int, number: int) -> bool:
        """Signal a process seen a moment ago; False if it has ended or may not be signalled.

        The kernel hands out a pid again only when it has been round all the others.
        """
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            if _ended(fd):  # what a parent has not waited for yet still has its number
                return False
            signal.pidfd_send_signal(fd, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            self.out_of_reach.add(pid)
            return False
        finally:
            os.close(fd)
        return True

    def _bears(self, pid: int) -> bool | None:
        """Does this process bear the mark? None if it has gone."""
        if pid == os.getpid() or pid in self.out_of_reach:
            return False
        try:
            if _bears(pid, self.bits):
                return True
            return self.by_environment and any(_says(pid, mark) for mark in self.marks)
        except ProcessLookupError:
            return None
        except PermissionError:  # another user's
            return False

    def _descendants(self, known: Collection[int]) -> set[int]:
        """Processes that descend from the roots or from known ones, and the roots; not this one."""
        if not known and not self.roots:
            return set()
        children = dict[int, list[int]]()
        for pid, fields in _table():
            children.setdefault(int(fields[1]), []).append(pid)
        found, todo = set[int](), [*known, *self.roots]
        while todo:
            pid = todo.pop()
            if pid not in found:
                found.add(pid)
                todo += children.get(pid, ())
        return found - {os.getpid()} - self.out_of_reach


def sweep(
    pool: str, machine: str | None = None, lease: int | None = None, *, wait_s: float = 5.0
) -> list[int]:
    """Kill this user's processes that bear a mark, a machine's own process among them.

    Returns the pids of those that may not be killed, or did not die within `wait_s` seconds.
    """
    mark = Mark(pool, machine, lease)
    hunt = Hunt([mark], by_environment=True)
    died = kill_all(hunt, wait_s)
    return sorted(hunt.out_of_reach) + ([] if died else members(mark))


def kill_all(hunt: Hunt, wait_s: float) -> bool:
    """Strike until none is left; False if some did not die within `wait_s` seconds."""
    end = time.monotonic() + wait_s
    died = True
    while died and (waiting := hunt.strike()):
        died = _died(waiting, end)
        for fd in waiting:
            os.close(fd)
    return died


def members(mark: Mark) -> list[int]:
    """The living processes that bear a mark in their limits, this one included."""
    found = list[int]()
    for pid in _pids():
        with suppress(ProcessLookupError, PermissionError):
            if _bears(pid, {mark.bits()}):
                found.append(pid)
    return [pid for pid, fields in _table(found) if fields[0] not in {"Z", "X"}]


def _number(name: str) -> int:
    return zlib.crc32(name.encode()) & _NAME


def _bears(pid: int, wanted: AbstractSet[Bits]) -> bool:
    soft, hard = resource.prlimit(pid, _LIMIT)
    if hard >> 2 * _NAME_BITS != 1:
        return False
    pool, machine, lease = hard >> _NAME_BITS & _NAME, hard & _NAME, soft - _SOFT
    borne = {(pool, None, None), (pool, machine, None), (pool, machine, lease)}
    return not borne.isdisjoint(wanted)


def _says(pid: int, mark: Mark) -> bool:
    """Does the process's environment, as it was when its program was loaded, hold the mark?"""
    try:
        entries = set(_read(f"/proc/{pid}/environ", _ENVIRONMENT_MAX).split(b"\0"))
    except FileNotFoundError as error:
        raise ProcessLookupError from error
    return entries >= {f"{name}={value}".encode() for name, value in mark.variables().items()}


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (speed)


def _table(pids: Collection[int] | None = None) -> Iterator[tuple[int, list[str]]]:
    """Processes and the fields of /proc/PID/stat from the third, the state, on; proc(5)."""
    for pid in _pids() if pids is None else pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            line = _read(f"/proc/{pid}/stat", 4096)
            yield pid, line.rpartition(b")")[2].decode().split()


def _read(path: str, size: int) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, size)
    finally:
        os.close(file)


def _ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _alive(pids: Sequence[int]) -> list[int]:
    """A pidfd of each that has not ended yet, of the first few."""
    held = list[int]()
    for pid in pids:
        if len(held) == _HELD:
            break
        with suppress(ProcessLookupError):
            fd = os.pidfd_open(pid)
            if _ended(fd):
                os.close(fd)
            else:
                held.append(fd)
    return held


def _died(pidfds: Sequence[int], end: float) -> bool:
    """Wait until all have ended; False if some have not at time `end` of the monotonic clock."""
    poll = select.poll()
    for fd in pidfds:
        poll.register(fd, select.POLLIN)
    left = len(pidfds)
    while left and (wait := end - time.monotonic()) > 0:
        for fd, _ in poll.poll(wait * 1000):
            poll.unregister(fd)
            left -= 1
    return not left
