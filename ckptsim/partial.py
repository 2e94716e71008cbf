"""Partial results: the finished items of experiments in an SQLite file of their output folder.

The file belongs to its folder as the report does, and is trusted as that is. It holds JSON in
zlib's frame, whose checksum a damaged item fails; nothing in it is ever executed. Each batch is
committed as it comes, to a write-ahead log: whenever the process is killed, what was committed is
there. One process holds the file at a time.
"""

import base64
import json
import sqlite3
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ckptsim.errors import OutputError
from ckptsim.identity import Maker, maker

MAGIC = b"SQLite format 3\0"
NAME = "partial.sqlite"
OURS = int.from_bytes(b"ckpt", "big")  # SQLite's application_id
FORM = 1  # SQLite's user_version
DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR}
BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
TABLE = """CREATE TABLE IF NOT EXISTS items (
    maker TEXT, experiment TEXT, number INTEGER, value BLOB,
    PRIMARY KEY (experiment, number)) WITHOUT ROWID"""

Say = Callable[[str], object]


class Foreign(Exception):  # noqa: N818 (it is caught here, never told)
    """A file that this program did not write, or that is damaged."""


class Partial:
    """The partial results in one folder, by experiment and number of the item.

    Raises OutputError where the folder cannot be written to or another process is at work in it. A
    file that cannot be read is set aside, and `say` is told; so is what other code has left there.
    """

    def __init__(self, folder: Path, say: Say) -> None:
        self.path, self.say = folder / NAME, say
        self.made = [place for place in (folder, *folder.parents) if not place.exists()]
        self.connection: sqlite3.Connection | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.connection = opened_or_set_aside(self.path, say)
            self._drop_others(maker())
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise OutputError(why_not(self.path, error)) from None

    def _drop_others(self, own: Maker) -> None:
        """Rows of another code can never be taken up."""
        assert self.connection
        with self.connection as kept:
            dropped = kept.execute("DELETE FROM items WHERE maker != ?", [text(own)]).rowcount
        if dropped:
            self.say(f"Starting anew: {self.path} was left by another version of ckptsim")

    def items(self, experiment: str) -> dict[int, Any]:
        """What is there of the experiment, by number; damaged items are left out."""
        rows = (
            self.connection.execute(
                "SELECT number, value FROM items WHERE experiment = ?", [experiment]
            )
            if self.connection
            else []
        )
        found = {}
        for number, value in rows:
            with suppress(zlib.error, ValueError):  # then it is run again
                found[number] = decoded(value)
        return found

    def add(self, experiment: str, items: Mapping[int, object]) -> None:
        """Keep items; where that fails `say` is told, and no more are kept."""
        if not self.connection:
            return
        rows = [
            (text(maker()), experiment, number, encoded(item)) for number, item in items.items()
        ]
        try:
            with self.connection as kept:
                kept.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            self.say(f"{self.path}: going on without keeping partial results: {error}")
            self.connection.close()
            self.connection = None

    def forget(self, experiment: str) -> None:
        """Drop an experiment's items: it is complete, and told."""
        if self.connection:
            with self.connection as kept:
                kept.execute("DELETE FROM items WHERE experiment = ?", [experiment])

    def close(self) -> None:
        """Let go of the file, and remove it if nothing is in it."""
        if self.connection:
            with suppress(sqlite3.Error, OSError):
                self._remove_if_empty(self.connection)
            self.connection.close()
            self.connection = None
        with suppress(OSError):  # a report is in it, or what is kept
            for place in self.made:
                place.rmdir()

    def _remove_if_empty(self, connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT 1 FROM items LIMIT 1").fetchone() is None:
            connection.execute("PRAGMA journal_mode = DELETE")  # its log goes first
            self.path.unlink()  # while it is held, so that nobody else's is removed


def opened_or_set_aside(path: Path, say: Say) -> sqlite3.Connection:
    """The file, made where there is none or none of ours."""
    try:
        return opened(path)
    except Foreign:
        aside = free_name(path)
        for ending in ("", "-wal", "-journal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{ending}").rename(f"{aside}{ending}")
        say(f"{path}: damaged, or not written by ckptsim; it is now {aside.name}")
    try:
        return opened(path)
    except Foreign as error:
        raise OSError(f"{error}") from None


def opened(path: Path) -> sqlite3.Connection:
    """The file, held by this process alone. Raises Foreign, sqlite3.Error."""
    refuse_text(path)
    connection = sqlite3.connect(path, timeout=0)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        refuse_foreign(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute(TABLE)
            connection.execute(f"PRAGMA application_id = {OURS}")
            connection.execute(f"PRAGMA user_version = {FORM}")
    except (Foreign, sqlite3.Error) as error:
        connection.close()
        if isinstance(error, sqlite3.Error) and primary(error) in DAMAGED:
            raise Foreign(error) from None
        raise
    if not path.exists():  # who held it has just removed it
        connection.close()
        return opened(path)
    return connection


def refuse_text(path: Path) -> None:
    """Foreign unless it begins as SQLite's files do, which takes a short other one for empty."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(MAGIC)) not in (MAGIC, b""):
                raise Foreign


def refuse_foreign(connection: sqlite3.Connection) -> None:
    """Foreign unless it is empty, or of our form and whole; only reads."""
    marks = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    ]
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    if marks != [OURS, FORM] and not (empty and marks == [0, 0]):
        raise Foreign
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise Foreign


def primary(error: sqlite3.Error) -> int:
    """SQLite's code of an error, less its details."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def free_name(path: Path) -> Path:
    """The first name beside it that nothing has."""
    number = 1
    while (aside := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    return aside


def why_not(path: Path, error: OSError | sqlite3.Error) -> str:
    """Why no partial results can be kept there, in one line."""
    if isinstance(error, sqlite3.Error) and primary(error) in BUSY:
        return (
            f"{path}: another ckptsim is at work in this folder; wait until it is done, or choose "
            "another place with --out"
        )
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return f"{path}: cannot keep partial results: {reason}; choose another place with --out"


def text(own: Maker) -> str:
    return "-".join(own)


def encoded(value: object) -> bytes:
    """Numbers, texts, arrays, and lists, tuples and dictionaries of them, as bytes."""
    return zlib.compress(json.dumps(value, default=plain).encode(), 1)


def plain(value: object) -> object:
    """What JSON has no form of."""
    if isinstance(value, np.generic):
        return value.item()
    assert isinstance(value, np.ndarray), f"a {type(value).__name__} cannot be kept"
    content = base64.b64encode(value.tobytes()).decode()
    return {"array": content, "type": value.dtype.str, "shape": value.shape}


def decoded(content: bytes) -> Any:
    """What `encoded` made bytes of, with lists for tuples."""
    return json.loads(zlib.decompress(content), object_hook=array_or_not)


def array_or_not(found: dict[str, Any]) -> Any:
    if found.keys() != {"array", "type", "shape"}:
        return found
    flat = np.frombuffer(base64.b64decode(found["array"]), found["type"])
    return flat.reshape(found["shape"])
