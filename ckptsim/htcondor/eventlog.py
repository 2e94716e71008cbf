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
_CHUNK = 1 << 15
# Stands for what came before in a line: the rest of it begins no event.
_INSIDE = "\0"
_DOTS = "..."
_HEAD = rf"(\d{{3}}) \((-?\d+)\.(-?\d+)\.(-?\d+)\) {STAMP}"
_HEADER = re.compile(_HEAD + r"(?:\s+(.*))?$")
# An event in one piece, as nearly all are: that is twice as fast as line by line.
_WHOLE = re.compile(
    _HEAD + r"(?:[^\S\r\n]+([^\r\n]*))?\r?\n(?:(?:[ \tA-Za-z][^\r\n]*)?\r?\n)*+\.\.\.\r?\n"
    r"|<c>\r?\n(?:[ \t][^\r\n]*\r?\n)*+</c>\r?\n"
    r"|\{\r?\n(?:[ \t][^\r\n]*\r?\n)*+\}\r?\n"
)
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


def _parts(path: Path) -> Iterator[tuple[int, str | re.Match[str]]]:
    """Whole events and other lines without their ends, with their line numbers.

    The pieces of an overlong line share a number.
    """
    number, text = 1, ""
    with open_text(path, _EXPECTED) as stream:
        while chunk := stream.read(_CHUNK):
            text, at = text + chunk, 0
            while (end := text.find("\n", at)) >= 0:
                if whole := _WHOLE.match(text, at):
                    yield number, whole
                    end = whole.end()
                    number += text.count("\n", at, end)
                    at = end
                else:
                    yield number, text[at:end].rstrip("\r")
                    number += 1
                    at = end + 1
            text = text[at:]
            if len(text) > _LONGEST:
                yield number, text
                text = _INSIDE
    if text:
        yield number, text.rstrip("\r")


# --- from lines to blocks -------------------------------------------------------------------------

# How an event begins and how it ends, in each form; HTCondor indents what is inside of an ad.
_XML, _XML_END = "<c>", "</c>"
_JSON, _JSON_END = "{", "}"
# What may stand around events: nothing; around ads XML's prolog, the signs of a JSON list.
_AROUND = re.compile(r"|<\?xml .*\?>|<!DOCTYPE classads .*>|</?classads>|[\[\],]")


class _Block(NamedTuple):
    """Lines from the begin of an event to its end, or to where that should have been."""

    line: int
    last_line: int  # the end too, but not dots
    lines: list[str]  # without the end; of what is no event, only the first
    end: str | None  # how it ended, if it did
    header: re.Match[str] | None = None


def _header(whole: re.Match[str]) -> re.Match[str] | None:
    """The header of an event in one piece; None: it is an ad."""
    return whole if whole[1] else None


def _begin(line: str) -> tuple[str | None, re.Match[str] | None]:
    """How the event ends that begins with this line, and its header; None: none does."""
    if line[3:5] == " (":
        header = _HEADER.match(line)
        return (_DOTS if header else None), header
    if line[:1] == _JSON:
        return _JSON_END, None
    return (_XML_END if line.startswith(_XML) else None), None


def _blocks(path: Path) -> Iterator[_Block]:
    by_line = _ByLine()
    for number, part in _parts(path):
        if isinstance(part, str):
            yield from by_line.take(number, part)
        else:
            yield from by_line.cut_off()
            *lines, end, _ = part[0].replace("\r", "").split("\n")
            header = _header(part)
            last = number + len(lines) - (1 if header else 0)
            yield _Block(number, last, lines, end, header)
    yield from by_line.cut_off()


class _ByLine:
    """The event, or what is none, that is being read line by line."""

    def __init__(self) -> None:
        self.lines = list[str]()
        self.first = self.last = self.room = 0
        self.end: str | None = None  # to come; None where the lines are no event
        self.header: re.Match[str] | None = None

    def take(self, number: int, line: str) -> Iterator[_Block]:
        closing = line.rstrip()
        if closing in (_DOTS, self.end):
            yield self._closed(number, closing)
            return
        end, header = _begin(line)
        if end:
            yield from self.cut_off()
            if not header and closing.endswith(end):  # an ad on one line
                yield _Block(number, number, [closing.removesuffix(end)], end)
                return
        if end or not (self.lines or _AROUND.fullmatch(closing)):
            self.lines, self.first, self.room = [line], number, _LONGEST
            self.end, self.header = end, header
        elif self.lines:
            self._go_on(line)
        self.last = number

    def _go_on(self, line: str) -> None:
        self.room -= len(line)
        if self.end and self.room > 0:
            self.lines.append(line)
        else:
            self.lines, self.end = self.lines[:1], None

    def _closed(self, number: int, closing: str) -> _Block:
        """The block that this line closes; dots close all, but end only events in text form."""
        if not self.lines:
            return _Block(number, number, [], None)
        end = closing if closing == self.end else None
        last = self.last if closing == _DOTS else number
        block = _Block(self.first, last, self.lines, end, self.header)
        self.lines, self.end = [], None
        return block

    def cut_off(self) -> Iterator[_Block]:
        """The block that another one begins after, without its end."""
        if self.lines:
            yield _Block(self.first, self.last, self.lines, None, self.header)
        self.lines, self.end = [], None


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
        before = None
        for _, part in _parts(path):
            text = part if isinstance(part, str) else part[0]
            header = _begin(part)[1] if isinstance(part, str) else _header(part)
            if header and header[5] != before:
                before = header[5]
                yield day_of(header.groups()[4:8])
            if "EventTime" in text and (stamp := _AD_TIME.search(text, text.index("EventTime"))):
                yield day_of(stamp.groups())
            if footer := day_of_footer(text):
                yield footer
