"""Starting and stopping the access point, a process of its own that outlives the command."""

import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ckptsim.drivers.real.control import PoolError, ask, is_running

LOG = "pool.log"
FILES = (LOG, "pool.db", "lock")
"""Made for their user alone, whatever the umask: what others make of them goes by their modes."""
_PATIENCE_S = 30.0  # a pool that recovers many jobs on a busy machine needs a while
_LOOK_S = 0.02
_ANSWER_S = 10.0


class Recipe(NamedTuple):
    """What a pool is started with; files as absolute paths."""

    config: Path | None = None
    scenario: Path | None = None
    seed: int | None = None
    owner: int | None = None  # the pid of a process that the pool is not to outlive
    notes: Path | None = None  # where each order and report is written down, a JSON object a line

    def words(self) -> list[str]:
        """The access point's arguments."""
        given = {f"--{name}": value for name, value in self._asdict().items()}
        return [w for flag, value in given.items() if value is not None for w in (flag, str(value))]


def start(state: Path, recipe: Recipe) -> dict[str, Any]:
    """Start a pool in the state folder and return its status once it answers.

    It is in a session of its own: neither Ctrl-C nor the end of this process reaches it.
    Raises PoolError: one is running there already, or it did not start, with its own last words.
    """
    refuse_if_running(state)
    make(state)
    log = state / LOG
    begun = log.stat().st_size if log.exists() else 0
    # -P: the working folder, which is the user's, is no place to import modules from.
    module = [sys.executable, "-P", "-m", "ckptsim.drivers.real.accesspoint"]
    with log.open("ab") as words:
        process = subprocess.Popen(  # noqa: S603 (our own module)
            [*module, "--state", str(state.resolve()), *recipe.words()],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            cwd="/",
            start_new_session=True,
        )
    try:
        return answered(state, process, begun)
    except BaseException:  # Ctrl-C among them: half a pool is none
        end(process)
        raise


def refuse_if_running(state: Path) -> None:
    if is_running(state):
        pid = ask(state, {"do": "status"}, _ANSWER_S)["pid"]
        raise PoolError(
            f"a pool is already running in {state} (pid {pid}); "
            f"stop it with `{command(state, 'pool stop')}`, or choose another place with --state"
        )


def command(state: Path, words: str) -> str:
    """A command of ckptsim as it is typed for that state folder."""
    usual = os.environ.get("CKPTSIM_STATE") or ".ckptsim"
    return f"ckptsim {words}" if str(state) == usual else f"ckptsim {words} --state {state}"


def make(state: Path) -> None:
    """Make the state folder, for its user alone, or make it so; raises PoolError."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_if_shared(state)
        state.chmod(0o700)
        for name in FILES:
            (state / name).touch(mode=0o600)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PoolError(f"{state}: cannot keep a pool there: {reason}") from None


def refuse_if_shared(state: Path) -> None:
    """Whoever may write there may have put jobs in the queue, which would run as this user."""
    seen = state.stat()
    expected = "a pool is kept in a folder of its user's alone"
    if seen.st_uid != os.geteuid():
        raise PoolError(f"{state}: belongs to somebody else; {expected}")
    if seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PoolError(f"{state}: others may write there; {expected}")


def answered(state: Path, process: "subprocess.Popen[bytes]", begun: int) -> dict[str, Any]:
    """Wait until the pool answers, and make sure that it is this one."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if process.poll() is not None:
            refuse_if_running(state)  # someone else's was quicker
            raise PoolError(f"the pool did not start: {last_words(state / LOG, begun)}")
        with suppress(PoolError):
            status = ask(state, {"do": "status"}, _ANSWER_S)
            if status["pid"] == process.pid:
                return status
        time.sleep(_LOOK_S)
    raise PoolError(f"the pool does not answer after {_PATIENCE_S:.0f} s; see {state / LOG}")


def last_words(log: Path, begun: int) -> str:
    """Why it did not start: a mistake of the user's is told in one line, a fault of ours is not."""
    with log.open("rb") as words:
        words.seek(begun)
        lines = words.read().decode(errors="replace").splitlines()
    told = next((line for line in reversed(lines) if line.strip()), "it said nothing")
    mistake = told.removeprefix("ckptsim: ")
    return mistake if mistake != told else f"{told.strip()}; see {log}"


def end(process: "subprocess.Popen[bytes]") -> None:
    """Let it stop by itself, but not for ever."""
    process.terminate()
    try:
        process.wait(_ANSWER_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def stop(state: Path) -> None:
    """Stop the pool and wait until it is gone; its queue and spool stay.

    Raises PoolError: none is running, or it does not stop.
    """
    pid = ask(state, {"do": "status"}, _ANSWER_S)["pid"]
    ask(state, {"do": "stop"}, _PATIENCE_S)
    if not gone(pid, _PATIENCE_S):
        raise PoolError(f"the pool in {state} (pid {pid}) does not stop; see {state / LOG}")


def kill(pid: int) -> None:
    """End the pool at once; its machines see that and kill their jobs."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    gone(pid, _ANSWER_S)


def gone(pid: int, patience_s: float) -> bool:
    """Wait until there is no such process; our own child is also waited for."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(_LOOK_S)
    return False
