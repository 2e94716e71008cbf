"""A machine of the pool: one process that makes sandboxes, runs and kills job trees, copies files.

`python -m ckptsim.drivers.real.machine --fd N --name ep1 --pool ID`, started by the access point,
which decides everything; file descriptor N is a socket to it. Both send lines of JSON.

Theory of operation. One loop waits for the socket, for signals and for deaths; it never waits for a
job, a copy or a disk. Copies and deletions run in threads of their own and wake the loop when they
are over. Exits come by SIGCHLD; only this loop reaps, so a pid it knows is that process or its
remains. Orphans of jobs become this process's children. Nothing here runs at intervals: 300 jobs
that compute cost nothing.

When the socket ends, the access point is gone or wants no more: all that runs here is killed, and
the machine ends. What a machine killed by SIGKILL leaves behind is found by `processes.sweep`.

Orders (`do`) and reports (`did`) name their lease; reports have the time (`at`, ns since 1970):

  stage sandbox items spool files seconds    staged bytes | stage_failed error path errno
  start argv env cwd stdin stdout stderr append
                                             started pid | start_failed error errno
                                             and at its end: exited pid status cpu_s marks
  signal signal                              (to the started process alone)
  kill                                       (all of the lease's processes; exited comes if it ran)
  send to wanted preserve stdio rename seconds
                                             sent bytes |
                                             send_failed error path errno bytes missing
  clear                                      cleared left (pids that may not be killed)
  stop                                       (no answer: the socket closes)

`clear` cuts off the copy under way, which is not reported then, even if it was done just then. A
lease has one process and one copy at a time, and none is started after `kill`.
"""

import argparse
import heapq
import json
import os
import re
import selectors
import signal
import socket
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from ckptsim.drivers.real import processes, sandbox
from ckptsim.drivers.real.copying import Cut
from ckptsim.drivers.real.processes import Hunt, Mark

MARKS = ".ckptsim.marks"
"""The file in a sandbox where a job may say what it does when: `computing 1796000000000000000`."""

MARK_WORDS = {"starting", "computing", "writing"}
"""The words that are understood there."""

_MARKS_MAX = 1 << 20  # bytes of it that are read
_TIME = re.compile("[0-9]{1,19}")  # up to the year 2286; int() refuses what is very long
_PIECE = 1 << 16
# For so long a machine waits at its end for what it has killed.
_LAST_WAIT_S = 10.0

Message = dict[str, Any]
Work = Callable[[Callable[[], bool]], Message]


class Copy:
    """A copy under way, or done and waiting for the time it has to take at least."""

    def __init__(self, lease: "Lease", kind: str, seconds: float) -> None:
        self.lease, self.kind = lease, kind
        self.ends = time.monotonic() + seconds
        self.cut = False
        self.answer: Message | None = None
        self.error: BaseException | None = None

    def __lt__(self, other: "Copy") -> bool:
        return self.ends < other.ends

    def stop(self) -> bool:
        return self.cut


class Lease:
    """One stay of a job on this machine."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.sandbox: str | None = None
        self.catalogue: sandbox.Catalogue = {}
        self.program: str | None = None
        self.pid: int | None = None
        self.pids = list[int]()  # of earlier executions
        self.copy: Copy | None = None
        self.clearing = self.hunted = False
        self.left = list[int]()


class Machine:
    """The machine process; `run` returns when all is over."""

    def __init__(self, link: socket.socket, pool: str, name: str) -> None:
        self.link, self.mark = link, Mark(pool, name)
        self.leases = dict[int, Lease]()
        self.running = dict[int, Lease]()  # by pid
        self.prey = set[Lease]()  # whose processes are to be killed
        self.over = deque[Copy]()  # filled by the threads
        self.timers = list[Copy]()
        self.out, self.rest = bytearray(), b""
        self.ending = False
        self.selector = selectors.DefaultSelector()
        self.waker, self.woken = socket.socketpair()
        for end in (self.link, self.waker, self.woken):
            end.setblocking(False)
        self.selector.register(self.link, selectors.EVENT_READ, self._hear)
        self.selector.register(self.woken, selectors.EVENT_READ, self._wake)
        self.marked = processes.take_mark(self.mark)

    def run(self) -> None:
        try:
            while not self.ending:
                for key, events in self.selector.select(self._patience()):
                    self._happened(key, events)
                self._time_over()
                self._hunt_asked_for()
        finally:
            self._end()

    def _happened(self, key: selectors.SelectorKey, events: int) -> None:
        if key.fileobj is self.link and events & selectors.EVENT_WRITE:
            self._flush()
        if events & selectors.EVENT_READ:
            key.data()

    # The socket.

    def _hear(self) -> None:
        try:
            data = self.link.recv(_PIECE)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        self.ending = self.ending or not data
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))

    def _obey(self, order: Message) -> None:
        do = order["do"]
        if do == "stop":
            self.ending = True
            return
        lease = self.leases.setdefault(order["lease"], Lease(order["lease"]))
        _ORDERS[do](self, lease, order)

    def _say(self, lease: Lease, did: str, **values: Any) -> None:
        message = {"did": did, "lease": lease.number, "at": time.time_ns(), **values}
        self.out += json.dumps(message).encode() + b"\n"
        self._flush()

    def _flush(self) -> None:
        """Send what can be sent at once; the rest when the access point has read some."""
        try:
            while self.out:
                del self.out[: self.link.send(self.out)]
        except BlockingIOError:
            self.selector.modify(
                self.link, selectors.EVENT_READ | selectors.EVENT_WRITE, self._hear
            )
            return
        except (BrokenPipeError, ConnectionResetError):
            self.ending = True
            return
        self.selector.modify(self.link, selectors.EVENT_READ, self._hear)

    # Signals and threads wake the loop.

    def _wake(self) -> None:
        numbers = self.woken.recv(_PIECE)
        self.ending = self.ending or signal.SIGTERM in numbers
        self._reap()
        while self.over:
            self._copied(self.over.popleft())

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (child := os.wait4(-1, os.WNOHANG))[0]:
                pid, status, used = child
                if lease := self.running.pop(pid, None):
                    self._exited(lease, pid, status, (used.ru_utime, used.ru_stime))

    def _exited(self, lease: Lease, pid: int, status: int, cpu_s: tuple[float, float]) -> None:
        lease.pid = None
        lease.pids.append(pid)
        marks = taken_marks(f"{lease.sandbox}/{MARKS}") if lease.sandbox else []
        self._say(lease, "exited", pid=pid, status=status, cpu_s=cpu_s, marks=marks)

    # Processes.

    def start(self, lease: Lease, order: Message) -> None:
        assert lease.pid is None
        assert not lease.clearing
        argv = order["argv"]
        env = {**order["env"], "_CONDOR_JOB_PIDS": " ".join(map(str, lease.pids))}
        if lease.sandbox:
            env["CKPTSIM_MARKS"] = f"{lease.sandbox}/{MARKS}"
            lease.program = argv[0].removeprefix(f"{lease.sandbox}/")
        files = {name: order[name] for name in ("stdin", "stdout", "stderr", "append")}
        try:
            lease.pid = processes.start(argv, env, order["cwd"], **files, mark=self._mark(lease))
        except OSError as error:
            text = processes.told(error, argv[0])
            self._say(lease, "start_failed", error=text, errno=error.errno)
            return
        self.running[lease.pid] = lease
        self._say(lease, "started", pid=lease.pid)

    def signal(self, lease: Lease, order: Message) -> None:
        if lease.pid is not None:
            with suppress(PermissionError):  # set-uid
                os.kill(lease.pid, order["signal"])

    def kill(self, lease: Lease, _: Message) -> None:
        self.prey.add(lease)

    def _mark(self, lease: Lease) -> Mark:
        return self.mark._replace(lease=lease.number)

    def _hunt_asked_for(self) -> None:
        """Kill, at one go, the trees of all leases that this was asked for since the last time."""
        if not self.prey:
            return
        prey, self.prey = self.prey, set()
        roots = [lease.pid for lease in prey if lease.pid is not None]
        hunt = Hunt(list(map(self._mark, prey)), roots, by_environment=not self.marked)
        self._hunt(hunt, prey)

    def _hunt(self, hunt: Hunt, prey: set[Lease]) -> None:
        """Kill until none is left; the deaths between two strikes are told by pidfds."""
        waiting = set(hunt.strike())
        for fd in waiting:
            died = partial(self._died, fd, waiting, hunt, prey)
            self.selector.register(fd, selectors.EVENT_READ, died)
        if not waiting:
            self._hunted(hunt, prey)

    def _died(self, fd: int, waiting: set[int], hunt: Hunt, prey: set[Lease]) -> None:
        self.selector.unregister(fd)
        os.close(fd)
        waiting.remove(fd)
        if not waiting:
            self._reap()
            self._hunt(hunt, prey)

    def _hunted(self, hunt: Hunt, prey: set[Lease]) -> None:
        for lease in prey:
            lease.left = sorted(hunt.out_of_reach)
            # A kill and a clear that overlap both come here.
            if lease.clearing and not lease.hunted:
                lease.hunted = True
                self._delete_when_idle(lease)

    # Copies.

    def stage(self, lease: Lease, order: Message) -> None:
        lease.sandbox = order["sandbox"]
        self._copy(lease, "stage", order["seconds"], partial(staged, lease, order))

    def send(self, lease: Lease, order: Message) -> None:
        self._copy(lease, "send", order["seconds"], partial(sent, lease, order))

    def _copy(self, lease: Lease, kind: str, seconds: float, work: Work) -> None:
        assert lease.copy is None
        lease.copy = Copy(lease, kind, seconds)
        self._in_thread(lease.copy, work)

    def _in_thread(self, copy: Copy, work: Work) -> None:
        def run() -> None:
            try:
                copy.answer = work(copy.stop)
            except Cut:
                pass
            except BaseException as error:  # noqa: BLE001 (raised again in the loop)
                copy.error = error
            self.over.append(copy)
            with suppress(BlockingIOError):  # full of bytes: it wakes all the same
                self.waker.send(b"\0")

        threading.Thread(target=run, daemon=True).start()

    def _copied(self, copy: Copy) -> None:
        if copy.error:
            raise copy.error
        if not copy.cut and copy.ends > time.monotonic():
            heapq.heappush(self.timers, copy)
            return
        self._copy_ended(copy)

    def _copy_ended(self, copy: Copy) -> None:
        copy.lease.copy = None
        if copy.kind == "clear":
            assert copy.answer
            self._cleared(copy.lease, copy.answer)
        elif copy.lease.clearing:
            self._delete_when_idle(copy.lease)
        elif copy.answer:
            self._say(copy.lease, **copy.answer)

    def _cut_copy(self, copy: Copy) -> None:
        copy.cut = True
        if copy in self.timers:
            self.timers.remove(copy)
            heapq.heapify(self.timers)
            self._copy_ended(copy)

    def _patience(self) -> float | None:
        return max(0.0, self.timers[0].ends - time.monotonic()) if self.timers else None

    def _time_over(self) -> None:
        while self.timers and self.timers[0].ends <= time.monotonic():
            self._copy_ended(heapq.heappop(self.timers))

    # The end of a lease, and of all.

    def clear(self, lease: Lease, _: Message) -> None:
        lease.clearing = True
        self.prey.add(lease)
        if lease.copy:
            self._cut_copy(lease.copy)

    def _delete_when_idle(self, lease: Lease) -> None:
        if lease.hunted and not lease.copy:
            self._copy(lease, "clear", 0.0, partial(cleared, lease))

    def _cleared(self, lease: Lease, answer: Message) -> None:
        del self.leases[lease.number]
        if not self.leases:
            # Whatever has got rid of its mark goes with the last lease.
            for fd in Hunt([self.mark], [os.getpid()]).strike():
                os.close(fd)
        self._say(lease, **answer)

    def _end(self) -> None:
        """Kill all that descends from this process, and wait for it."""
        for lease in self.leases.values():
            if lease.copy:
                lease.copy.cut = True
        processes.kill_all(Hunt([self.mark], [os.getpid()]), _LAST_WAIT_S)
        self.link.close()


_ORDERS: dict[str, Callable[[Machine, Lease, Message], None]] = {
    "stage": Machine.stage,
    "start": Machine.start,
    "signal": Machine.signal,
    "kill": Machine.kill,
    "send": Machine.send,
    "clear": Machine.clear,
}


def staged(lease: Lease, order: Message, stop: Callable[[], bool]) -> Message:
    """Fill the sandbox. Raises Cut."""
    place, items, spool, files = (order[name] for name in ("sandbox", "items", "spool", "files"))
    try:
        brought = sandbox.stage(place, items, spool, files, stop)
    except (sandbox.TransferError, OSError) as error:
        return {"did": "stage_failed", **explained(error)}
    lease.catalogue = brought.catalogue
    return {"did": "staged", "bytes": brought.bytes}


def sent(lease: Lease, order: Message, stop: Callable[[], bool]) -> Message:
    """Copy a checkpoint or the output out of the sandbox. Raises Cut."""
    assert lease.sandbox
    options = {name: order[name] for name in ("preserve", "stdio", "rename")}
    try:
        brought = sandbox.send(
            lease.sandbox,
            order["wanted"],
            lease.catalogue,
            order["to"],
            **options,
            executable=lease.program,
            stop=stop,
        )
    except (sandbox.TransferError, OSError) as error:
        missing = isinstance(error, sandbox.Missing)
        size = error.bytes if isinstance(error, sandbox.TransferError) else 0
        return {"did": "send_failed", **explained(error), "bytes": size, "missing": missing}
    return {"did": "sent", "bytes": brought.bytes}


def cleared(lease: Lease, _: Callable[[], bool]) -> Message:
    """Delete the sandbox, and the folder around it if that is empty then."""
    answer: Message = {"did": "cleared", "left": lease.left}
    if lease.sandbox:
        try:
            sandbox.clear(lease.sandbox)
        except OSError as error:  # a process that may not be killed still writes there
            return {**answer, **explained(error)}
        with suppress(OSError):
            os.rmdir(os.path.dirname(lease.sandbox))  # noqa: PTH106, PTH120 (text in, text out)
    return answer


def explained(error: sandbox.TransferError | OSError) -> Message:
    """What went wrong in a copy, for a report."""
    if isinstance(error, sandbox.TransferError):
        return {"error": error.reason, "path": error.path, "errno": error.errno}
    return {"error": error.strerror, "path": error.filename, "errno": error.errno}


def taken_marks(path: str) -> list[tuple[str, int]]:
    """What a job wrote of what it was doing and when (ns since 1970); the file is emptied.

    Other lines, and what is no regular file, are passed over.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return []
        text = os.read(file, _MARKS_MAX)
        os.ftruncate(file, 0)
    finally:
        os.close(file)
    return list(read_marks(text.decode(errors="replace").splitlines()))


def read_marks(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    for line in lines:
        word, _, number = line.partition(" ")
        if word in MARK_WORDS and _TIME.fullmatch(number):
            yield word, int(number)


def prepare(waker: socket.socket) -> None:
    """Let signals wake the loop; those of a terminal are the access point's."""
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)


def main() -> None:
    """Be a machine until the access point ends it."""
    parser = argparse.ArgumentParser(prog="ckptsim-machine")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--pool", required=True)
    given = parser.parse_args()
    processes.adopt_orphans()
    link = socket.socket(fileno=given.fd)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (text is all that is wanted)
        with suppress(OSError):  # the one that this is read by
            os.set_inheritable(int(name), int(name) <= 2)
    with suppress(PermissionError):  # it leads one already
        os.setsid()
    os.umask(0o022)
    os.chdir("/")
    machine = Machine(link, given.pool, given.name)
    prepare(machine.waker)
    machine.run()


if __name__ == "__main__":
    main()
