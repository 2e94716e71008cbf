"""HTCondor's job event log, read as a stream.

Layout (htcondor-rules.md, section 8; HTCondor `src/condor_utils/condor_event.cpp`): a header
`NNN (cluster.proc.subproc) DATE TIME first line`, body lines, then a line of exactly three dots.

Two things make real logs hard. Stamps of the older form have no year: see `_first_year`. And
writers die in the middle of an event: what cannot be read comes out as `Damage` between the events,
with its line numbers, so that the caller can count and tell it.

Times are wall-clock stamps, taken as if every day had 24 hours: in a log that is not written in UTC
a stretch across a change of daylight saving time is an hour too long or too short.
"""

import calendar
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple, TextIO

from ckptsim.errors import DataError

# What two bytes at the front tell a gzip file by (RFC 1952).
_GZIP = b"\x1f\x8b"
# Longest line read in one piece, in characters: a binary file may have none that ends.
_LINE = 1 << 20
_DOTS = "..."
_HEADER = re.compile(
    r"(\d{3}) \((-?\d+)\.(-?\d+)\.(-?\d+)\) "
    r"(?:(\d{4})-(\d\d)-(\d\d)[ T]|(\d\d)/(\d\d) )(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z?"
    r"(?:\s+(.*))?$"
)
# The one stamp with a year in a log of the older form: the footer of event 005.
_FOOTER = re.compile(r"of its own accord at (\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:\d\dZ")
_EXPECTED = "an HTCondor job event log"
_EXAMPLE = "000 (123.000.000) 2026-01-31 12:00:00 Job submitted from host: …"

_DAY_NS = 86_400 * 10**9
_EPOCH = date(1970, 1, 1).toordinal()
# Days are counted as if every year were a leap year, so that a day needs no year to be counted.
_YEAR = 366
# A stamp this many days before the last one is out of order (logs are joined, clocks set right);
# one from further back is of the next year.
_SLACK = 31


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the log.

    `time_ns` is in nanoseconds since 1970-01-01 on the log's own clock; `text` is what follows the
    stamp in the header, `body` the lines below it, without line ends; `line` counts from 1.
    """

    number: int
    cluster: int
    proc: int
    subproc: int
    time_ns: int
    text: str
    body: tuple[str, ...]
    line: int

    @property
    def job(self) -> str:
        """The job as HTCondor's tools write it: `cluster.proc`."""
        return f"{self.cluster}.{self.proc}"


@dataclass(frozen=True, slots=True)
class Damage:
    """Lines `line` to `last_line` (from 1, both included) that are no event, and why."""

    line: int
    last_line: int
    reason: str

    def __str__(self) -> str:
        lines = f"{self.line}" if self.line == self.last_line else f"{self.line}-{self.last_line}"
        return f"{lines}: {self.reason}"


def read(path: Path) -> Iterator[Event | Damage]:
    """Yield the events of a job event log, plain or gzipped, in the order of the file.

    Stamps without a year get one such that time does not run back by more than a month: counted
    from the first stamp in the log that has a year, else such that the last event is not after the
    file was last written.

    Raises:
        DataError: there is no such file, or (once read through) no event in it.

    """
    open_text(path, _EXPECTED).close()
    return _items(path, _Years(_first_year(path)))


def open_text(path: Path, expected: str) -> TextIO:
    """Open a text file, plain or gzipped; raises DataError, with what was expected."""
    if path.is_dir():
        raise DataError(f"{path}: is a directory; expected {expected}; give a file in it")
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: can be read only once; expected {expected}; save it to a file")
    try:
        with path.open("rb") as stream:
            zipped = stream.read(2) == _GZIP
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; expected {expected}") from None
    if zipped:
        return gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="\n")
    return path.open(encoding="utf-8", errors="replace", newline="\n")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines without their ends, and their numbers; the pieces of an overlong one share a number."""
    number = 1
    with open_text(path, _EXPECTED) as stream:
        for line in iter(partial(stream.readline, _LINE), ""):
            yield number, line.rstrip("\r\n")
            number += line.endswith("\n")


def _is_header(line: str) -> bool:
    return line[3:5] == " (" and _HEADER.match(line) is not None


class _Block(NamedTuple):
    """Lines up to a line of dots, or to where that should have been."""

    line: int
    last_line: int
    lines: list[str]  # of what is no event, only the first
    whole: bool


def _blocks(path: Path) -> Iterator[_Block]:
    first = last = 1
    block, is_event = list[str](), False
    for number, line in _lines(path):
        dots = line.rstrip() == _DOTS
        header = not dots and _is_header(line)
        if dots or (header and block):  # without dots, the event before this one was cut off
            yield _Block(first if block else number, last if block else number, block, dots)
            block = []
        if dots or not (block or line.strip()):
            continue
        if not block:
            first, is_event = number, header
        if is_event or not block:
            block.append(line)
        last = number
    if block:
        yield _Block(first, last, block, whole=False)


def _items(path: Path, years: "_Years") -> Iterator[Event | Damage]:
    events, line, first_damage = 0, 1, None
    try:
        for block in _blocks(path):
            item = _item(block, years)
            if isinstance(item, Event):
                events += 1
            else:
                first_damage = first_damage or item
            yield item
            line = block.last_line + 1
    except (OSError, EOFError, zlib.error) as error:
        damage = Damage(line, line, f"cannot be read from here on ({error})")
        first_damage = first_damage or damage
        yield damage
    if not events:
        found = f"{path}:{first_damage}" if first_damage else f"{path}: is empty"
        raise DataError(f"{found}; expected {_EXPECTED}, with lines such as {_EXAMPLE!r}")


def _item(block: _Block, years: "_Years") -> Event | Damage:
    def damage(reason: str) -> Damage:
        return Damage(block.line, block.last_line, reason)

    if not block.lines:
        return damage("a line of dots, but no event before it")
    match = _HEADER.match(block.lines[0])
    if match is None:
        return damage(_no_header(block.lines[0].strip()))
    if not block.whole:
        return damage("event cut off: no line of three dots after it")
    number, cluster, proc, subproc, *stamp, text = match.groups()
    try:
        time_ns = years.time_ns(stamp)
    except ValueError as error:
        return damage(f"impossible time ({error})")
    job = (int(cluster), int(proc), int(subproc))
    return Event(int(number), *job, time_ns, text or "", tuple(block.lines[1:]), block.line)


def _no_header(text: str) -> str:
    other = " (XML and JSON logs are not read)" if text[:1] in ("<", "{") else ""
    return f"no event header, but {text[:40]!r}{other}"


# --- the year of stamps that have none ------------------------------------------------------------


@lru_cache(maxsize=_YEAR)
def _day_of_year(month: int, day: int) -> int:
    return date(2000, month, day).timetuple().tm_yday


def _leap_days(year: int, month: int, day: int) -> int:
    return year * _YEAR + _day_of_year(month, day)


def _year_after(latest: int, month: int, day: int) -> int:
    """The first year in which this day is no more than the slack before `latest`, in leap days."""
    return -((_day_of_year(month, day) + _SLACK - latest) // _YEAR)


# Such a latest stamp that `_year_after` puts any first stamp into year 0.
_BEFORE_ALL = _SLACK + 1


class _Years:
    """Turns stamps into time, carrying the year on from stamp to stamp.

    The first stamp, if without a year, falls into `first_year`.
    """

    def __init__(self, first_year: int) -> None:
        self._latest = first_year * _YEAR + _BEFORE_ALL

    def time_ns(self, stamp: Sequence[str | None]) -> int:
        """Take the stamp's groups in `_HEADER`; raise ValueError where there is no such time."""
        year, *_, hour, minute, second, fraction = stamp
        month, day = stamp[1:3] if year else stamp[3:5]
        clock = _clock_s(int(hour or 0), int(minute or 0), int(second or 0))
        days = self._days(int(year) if year else None, int(month or 0), int(day or 0))
        return days * _DAY_NS + clock * 10**9 + int((fraction or "").ljust(9, "0"))

    def _days(self, year: int | None, month: int, day: int) -> int:
        year = _year_after(self._latest, month, day) if year is None else year
        days = _ordinal(year, month, day) - _EPOCH
        self._latest = _leap_days(year, month, day)
        return days


def _clock_s(hour: int, minute: int, second: int) -> int:
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second
        raise ValueError(f"{hour:02}:{minute:02}:{second:02}")
    return hour * 3600 + minute * 60 + second


@lru_cache(maxsize=1024)  # most events fall on the same few days
def _ordinal(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal()


def _first_year(path: Path) -> int:
    """The year of the first stamp.

    Reads on until something in the log tells it, and to the end where only the file's time can.
    """
    latest, leap_years = _BEFORE_ALL, set[int]()  # counted from the year of the first stamp
    with suppress(OSError, EOFError, zlib.error):  # told when the events are read
        for year, month, day in _days_seen(path):
            since = _year_after(latest, month, day)
            if year is not None:
                return year - since
            latest = _leap_days(since, month, day)
            leap_years |= {since} if (month, day) == (2, 29) else set()
    return _year_by_file_time(path, latest, leap_years)


def _days_seen(path: Path) -> Iterator[tuple[int | None, int, int]]:
    """Year (where told), month and day of each stamp, and of the footers that have a year."""
    for _, line in _lines(path):
        if match := _HEADER.match(line) if line[3:5] == " (" else _FOOTER.search(line):
            year, month, day = match.groups()[4:7] if match.re is _HEADER else match.groups()
            if year is None:
                month, day = match.groups()[7:9]
            with suppress(ValueError):  # told when the events are read
                _day_of_year(int(month), int(day))
                yield int(year) if year else None, int(month), int(day)


def _year_by_file_time(path: Path, latest: int, leap_years: set[int]) -> int:
    """The latest year with the last stamp before the file's time, and 29 February where it is."""
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    # One day more, for the zone of the log's clock is not known.
    newest = (_leap_days(written.year, written.month, written.day) + 1 - latest) // _YEAR
    fitting = (
        newest - back
        for back in range(8)
        if all(calendar.isleap(newest - back + year) for year in leap_years)
    )
    return next(fitting, newest)
