"""HTCondor's job event log, read as a stream.

Text form (htcondor-rules.md, section 8; HTCondor `src/condor_utils/condor_event.cpp`): a header
`NNN (cluster.proc.subproc) DATE TIME first line`, body lines, then a line of exactly three dots. In
the XML and JSON forms an event is an ad over several lines; it is read as if it had been written as
text (`eventlog_ads`). One file may hold all three.

Two things make real logs hard. Stamps of the older form have no year (`eventlog_years`). And
writers die in the middle of an event: what cannot be read comes out as `Damage` between the events,
with its line numbers, so that the caller can count and tell it.

Times are wall-clock stamps, taken as if every day had 24 hours: in a log that is not written in UTC
a stretch across a change of daylight saving time is an hour too long or too short.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from ckptsim.errors import DataError
from ckptsim.htcondor import eventlog_ads
from ckptsim.htcondor.eventlog_years import STAMP, Day, Years, day_of, day_of_footer, first_year

# What two bytes at the front tell a gzip file by (RFC 1952).
_GZIP = b"\x1f\x8b"
# Longest event, in characters, and longest line read in one piece: a binary file may have none that
# ends. HTCondor cuts its texts at 8191.
_LONGEST = 1 << 18
_CHUNK = 1 << 16
_DOTS = "..."
_HEADER = re.compile(rf"(\d{{3}}) \((-?\d+)\.(-?\d+)\.(-?\d+)\) {STAMP}(?:\s+(.*))?$")
_AD_TIME = re.compile(STAMP)
_EXPECTED = "an HTCondor job event log"
_EXAMPLE = "000 (123.000.000) 2026-01-31 12:00:00 Job submitted from host: …"


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
    return _items(path, Years(first_year(_days_seen(path), path.stat().st_mtime)))


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
    number, rest = 1, ""
    with open_text(path, _EXPECTED) as stream:
        while chunk := stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split("\n")
            for line in lines:
                yield number, line.rstrip("\r")
                number += 1
            if len(rest) > _LONGEST:
                yield number, rest
                rest = ""
    if rest:
        yield number, rest.rstrip("\r")


# --- from lines to blocks -------------------------------------------------------------------------

# How an event begins and how it ends, in each form; HTCondor indents what is inside of an ad.
_XML, _XML_END = "<c>", "</c>"
_JSON, _JSON_END = "{", "}"
_INDENTS = frozenset("\t ")
# What may stand around events: nothing; around ads XML's prolog, the signs of a JSON list.
_AROUND = re.compile(r"|<\?xml .*\?>|<!DOCTYPE classads .*>|</?classads>|[\[\],]")


class _Block(NamedTuple):
    """Lines from the begin of an event to its end, or to where that should have been."""

    line: int
    last_line: int
    lines: list[str]  # without the end; of what is no event, only the first
    end: str | None  # how it ended, if it did
    header: re.Match[str] | None = None


def _begin(line: str) -> tuple[str | None, re.Match[str] | None]:
    """How the event ends that begins with this line, and its header; None: none does."""
    if line[3:5] == " (":
        header = _HEADER.match(line)
        return (_DOTS if header else None), header
    if line[:1] == _JSON:
        return _JSON_END, None
    return (_XML_END if line.startswith(_XML) else None), None


def _blocks(path: Path) -> Iterator[_Block]:
    first = last = 1
    block, end, header, room = list[str](), None, None, _LONGEST
    for number, line in _lines(path):
        if end and line[:1] in _INDENTS and room > 0:  # most lines are inside of an event
            block.append(line)
            room -= len(line)
            last = number
            continue
        closing = line.rstrip()
        if closing in (_DOTS, end):
            whole = closing == end
            last = number if not block or (whole and not header) else last
            yield _Block(first if block else number, last, block, end if whole else None, header)
            block, end = [], None
            continue
        begins, begun = _begin(line)
        if begins:
            if block:  # without its end, the event before this one was cut off
                yield _Block(first, last, block, None, header)
            block, first, end, header, room = [line], number, begins, begun, _LONGEST
            if not begun and closing.endswith(begins):  # an ad on one line
                yield _Block(number, number, [closing.removesuffix(begins)], begins)
                block, end = [], None
        elif not block and not _AROUND.fullmatch(closing):
            block, first, end, header = [line], number, None, None
        elif end and room > 0:
            block.append(line)
            room -= len(line)
        else:
            block, end = block[:1], None
        last = number
    if block:
        yield _Block(first, last, block, None, header)


# --- from blocks to events ------------------------------------------------------------------------


def _items(path: Path, years: Years) -> Iterator[Event | Damage]:
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


def _item(block: _Block, years: Years) -> Event | Damage:
    try:
        if block.end == _DOTS and block.header:
            return _of_text(block, block.header, years)
        if block.end:
            return _of_ad(block, block.end, years)
        reason = _missing(block)
    except (ValueError, OverflowError, RecursionError) as error:
        reason = str(error)
    return Damage(block.line, block.last_line, reason)


def _of_text(block: _Block, header: re.Match[str], years: Years) -> Event:
    number, cluster, proc, subproc, *stamp, text = header.groups()
    return Event(
        int(number),
        int(cluster),
        int(proc),
        int(subproc),
        _time_ns(stamp, years),
        text or "",
        tuple(block.lines[1:]),
        block.line,
    )


def _of_ad(block: _Block, end: str, years: Years) -> Event:
    text = "\n".join([*block.lines, end])
    try:
        ad = eventlog_ads.of_xml(text) if end == _XML_END else eventlog_ads.of_json(text)
        head = eventlog_ads.head(ad)
    except ValueError as error:
        raise ValueError(f"no ad of an event ({error})") from None
    stamp = _AD_TIME.fullmatch(head.stamp)
    if stamp is None:
        raise ValueError(f"no ad of an event (EventTime {head.stamp!r})")
    return Event(
        head.number,
        head.cluster,
        head.proc,
        head.subproc,
        _time_ns(stamp.groups(), years),
        *eventlog_ads.words(head.number, ad),
        block.line,
    )


def _time_ns(stamp: Sequence[str | None], years: Years) -> int:
    try:
        return years.time_ns(stamp)
    except ValueError as error:
        raise ValueError(f"impossible time ({error})") from None


def _missing(block: _Block) -> str:
    """What a block lacks that is no event."""
    if not block.lines:
        return "a line of dots, but no event before it"
    if block.header:
        return "event cut off: no line of three dots after it"
    if end := _begin(block.lines[0])[0]:
        return f"event cut off: no line {end!r} after it"
    return f"no event header, but {block.lines[0].strip()[:40]!r}"


# --- what tells the year --------------------------------------------------------------------------


def _days_seen(path: Path) -> Iterator[Day]:
    """The days of the stamps, and of what else has a year, to the end of what can be read."""
    with suppress(OSError, EOFError, zlib.error):  # told when the events are read
        day_before = ""
        for _, line in _lines(path):
            if line[3:5] == " (":
                at = line.find(") ") + 2
                day = line[at : at + 5]  # of the form without a year, the only one to go on after
                if day != day_before and (header := _HEADER.match(line)):
                    yield day_of(header.groups()[4:8])
                    day_before = day
            elif "EventTime" in line:
                if stamp := _AD_TIME.search(line):
                    yield day_of(stamp.groups())
            elif footer := day_of_footer(line):
                yield footer
