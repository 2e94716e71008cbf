"""What the access point must not forget: its jobs, in SQLite, and the last words of each's log.

Each change of a job is one transaction. The lines that it adds to the job's event log are kept in
it, with where they go, and only then written: so after `kill -9` at any moment the last of them are
there, or are written again, whole and once (`finish_logs`).

Not synced to disk at each change: this is safe against the death of any process, not of the host.
"""

import errno
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from enum import IntEnum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from ckptsim.errors import CkptsimError
from ckptsim.htcondor.life import Life

_TABLES = """
create table if not exists facts (name text primary key, value) without rowid;
create table if not exists jobs (
    cluster integer, proc integer, ad text, life text, log text, place integer, words text,
    primary key (cluster, proc)) without rowid;
"""


class StoreError(CkptsimError):
    """A store that cannot be read."""


class Words(NamedTuple):
    """What is to be added to a log, and where that begins."""

    log: str
    place: int
    text: str


class Record(NamedTuple):
    """A job as it was stored."""

    cluster: int
    proc: int
    ad: str
    life: Life


class Store:
    """The jobs of one pool; one process at a time may have it open."""

    def __init__(self, path: Path) -> None:
        self.base = sqlite3.connect(path, isolation_level=None)
        self.base.execute("pragma journal_mode = wal")
        self.base.execute("pragma synchronous = normal")
        self.base.executescript(_TABLES)
        if self.fact("shape", shape(Life)) != shape(Life):
            raise StoreError(
                f"{path}: its jobs were stored by another version of ckptsim; "
                "let them end with that one, or choose another place with --state"
            )

    def fact(self, name: str, default: Any) -> Any:
        """Something remembered by name, made `default` where it was not."""
        self.base.execute("insert or ignore into facts values (?, ?)", (name, default))
        return self.base.execute("select value from facts where name = ?", (name,)).fetchone()[0]

    def remember(self, name: str, value: Any) -> None:
        """Have `fact` say this from now on."""
        self.base.execute("insert or replace into facts values (?, ?)", (name, value))

    def next_cluster(self) -> int:
        """A number that no submission had before."""
        self.fact("cluster", 0)
        done = self.base.execute(
            "update facts set value = value + 1 where name = 'cluster' returning value"
        )
        return int(done.fetchone()[0])

    def save(self, cluster: int, proc: int, ad: str | None, life: Life, words: Words) -> None:
        """Store a job's change and what it says of it; `ad` None: unchanged."""
        self.base.execute(
            "insert into jobs values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict do update set"
            " ad = coalesce(?3, ad), life = ?4,"
            " log = iif(?7 = '', log, ?5), place = iif(?7 = '', place, ?6),"
            " words = iif(?7 = '', words, ?7)",
            (cluster, proc, ad, json.dumps(encoded(life)), *words),
        )

    def jobs(self) -> Iterator[Record]:
        """All jobs there ever were, in the order of their numbers."""
        query = "select cluster, proc, ad, life from jobs order by cluster, proc"
        for cluster, proc, ad, life in self.base.execute(query):
            yield Record(cluster, proc, ad, decoded(Life, json.loads(life)))

    def finish_logs(self) -> None:
        """Write what a crash kept from the logs; call it before anything else is written."""
        for words in self.base.execute("select log, place, words from jobs where words != ''"):
            with suppress(OSError):  # the log's folder may be gone by now
                finish(Words(*words))

    def close(self) -> None:
        self.base.close()


def written(words: Words) -> None:
    """Append to a log, all or nothing. Raises OSError."""
    if words.log and words.text:
        text = words.text.encode()
        file = os.open(words.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if os.write(file, text) < len(text):
                os.ftruncate(file, words.place)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), words.log)
        finally:
            os.close(file)


def end_of(log: str) -> int:
    """Where the next words will be; 0 for a log that is not there yet."""
    try:
        return Path(log).stat().st_size
    except OSError:
        return 0


def finish(words: Words) -> None:
    """Complete words that were written in part or not at all.

    A log that is shorter than it was is another one by now: its owner has deleted or emptied it.
    """
    if not words.log or end_of(words.log) < words.place:
        return
    with open(words.log, "a+b") as file:  # noqa: PTH123 (for its mode)
        file.seek(words.place)
        there, wanted = file.read(len(words.text.encode())), words.text.encode()
        if there != wanted and wanted.startswith(there):
            file.truncate(words.place)
            written(words)


def encoded(value: Any) -> Any:
    """A value as JSON: a NamedTuple as the list of its fields."""
    if isinstance(value, tuple):
        return [encoded(each) for each in value]
    return value


@cache
def kinds(kind: Any) -> list[Any]:
    """The types of a NamedTuple's fields."""
    hints = get_type_hints(kind)
    return [hints[name] for name in kind._fields]


def shape(kind: Any) -> str:
    """The names of all fields that a value of the type is written as, for they are not written."""
    if isinstance(kind, UnionType):
        return "|".join(map(shape, get_args(kind)))
    if not hasattr(kind, "_fields"):
        return str(getattr(kind, "__name__", kind))
    fields = zip(kind._fields, kinds(kind), strict=True)
    return f"({', '.join(f'{name} {shape(each)}' for name, each in fields)})"


def decoded(kind: Any, value: Any) -> Any:
    """The value of that type again."""
    if value is None:
        return None
    if isinstance(kind, UnionType):
        kind = next(each for each in get_args(kind) if each is not type(None))
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return kind(value)
    if hasattr(kind, "_fields"):
        return kind(*(decoded(each, v) for each, v in zip(kinds(kind), value, strict=True)))
    if get_origin(kind) is tuple:
        return tuple(value)
    return value
