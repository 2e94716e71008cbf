"""Talking to the access point: one line of JSON there, one back, over a socket for its user alone.

The socket is named through its folder's descriptor, since the name of a Unix socket may have no
more than 107 bytes.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ckptsim.errors import CkptsimError

NAME = "control"


class PoolError(CkptsimError):
    """A pool that is not running, or cannot do what it was asked to."""


@contextmanager
def address(state: Path) -> Iterator[str]:
    """A name of the control socket that is short enough wherever the state folder is."""
    folder = os.open(state, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)


def bound(state: Path) -> socket.socket:
    """The control socket in place of one left behind, for this user alone from its first moment."""
    (state / NAME).unlink(missing_ok=True)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with address(state) as name:
            link.bind(name)
    except OSError:
        link.close()
        raise
    finally:
        os.umask(before)
    return link


def is_running(state: Path) -> bool:
    """Does a pool answer in this state folder?"""
    try:
        connected(state).close()
    except PoolError:
        return False
    return True


def ask(state: Path, request: dict[str, Any], timeout: float | None = None) -> dict[str, Any]:
    """Send a request and return its answer; `timeout` in seconds.

    Raises PoolError where no pool is running, or it says that it cannot do that.
    """
    return next(asked(state, request, timeout))


def watch(state: Path) -> Iterator[dict[str, Any]]:
    """Yield what the pool says about its jobs, now and whenever that changes."""
    yield from asked(state, {"do": "watch"}, None)


def asked(state: Path, request: dict[str, Any], timeout: float | None) -> Iterator[dict[str, Any]]:
    with connected(state) as link:
        link.settimeout(timeout)
        link.sendall(json.dumps(request).encode() + b"\n")
        try:
            for line in link.makefile("rb"):
                yield understood(line)
        except TimeoutError:
            raise PoolError(f"the pool in {state} does not answer; see {state}/pool.log") from None
        except ConnectionError:
            pass
    raise PoolError(f"the pool in {state} stopped before it answered; see {state}/pool.log")


def understood(line: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise PoolError(answer["error"])
    return answer


def connected(state: Path) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with address(state) as name:
            link.connect(name)
    except OSError:
        link.close()
        raise PoolError(
            f"no pool is running in {state}; start one with `ckptsim pool start`"
        ) from None
    return link
