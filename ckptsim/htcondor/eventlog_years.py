"""Stamps of job event logs to times, and the year of those that have none.

The older form `MM/DD HH:MM:SS` has no year. It gets one such that time does not run back by more
than a month: counted from the first stamp in the log that has a year, else such that the last event
is not after the file was last written.
"""

import calendar
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache

# Day, clock, fraction of a second, zone.
STAMP = (
    r"(\d{4}-\d\d-\d\d(?=[ T])|\d\d/\d\d(?= ))."
    r"(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?"
)
Stamp = Sequence[str | None]
# Year (where told), month and day.
Day = tuple[int | None, int, int]

_SECOND_NS = 10**9
_DAY_NS = 86_400 * _SECOND_NS
_EPOCH = date(1970, 1, 1).toordinal()
# Days are counted as if every year were a leap year, so that a day needs no year to be counted.
_YEAR = 366
# A stamp this many days before the last one is out of order (logs are joined, clocks set right);
# one from further back is of the next year.
_SLACK = 31
# Such a latest stamp that `_year_after` puts any first stamp into year 0.
_BEFORE_ALL = _SLACK + 1


class Years:
    """Turns stamps into time, carrying the year on from stamp to stamp.

    The first stamp, if without a year, falls into `first_year`.
    """

    def __init__(self, first_year: int) -> None:
        self._latest = first_year * _YEAR + _BEFORE_ALL
        self._day: str | None = None  # of the last stamp, and when it began
        self._day_ns = 0

    def time_ns(self, stamp: Stamp) -> int:
        """Nanoseconds since 1970-01-01; a stamp with an offset from UTC is put to UTC.

        Takes the groups of `STAMP`; raises ValueError where there is no such time.
        """
        day, clock, fraction, zone = stamp
        if day != self._day:  # most events fall on the day of the one before
            self._begin(stamp)
            self._day = day
        time_ns = self._day_ns + _clock_ns(clock or "")
        if fraction:
            time_ns += int(fraction.ljust(9, "0"))
        return time_ns - _offset_ns(zone) if zone else time_ns

    def _begin(self, stamp: Stamp) -> None:
        year, month, day = day_of(stamp)
        year = _year_after(self._latest, month, day) if year is None else year
        self._day_ns = (date(year, month, day).toordinal() - _EPOCH) * _DAY_NS
        self._latest = _leap_days(year, month, day)


@lru_cache(maxsize=1 << 12)  # events come in bursts
def _clock_ns(clock: str) -> int:
    hour, minute, second = map(int, clock.split(":"))
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second
        raise ValueError(clock)
    return (hour * 3600 + minute * 60 + second) * _SECOND_NS


def _offset_ns(zone: str) -> int:
    if zone == "Z":
        return 0
    offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return (-offset if zone[0] == "-" else offset) * _SECOND_NS


# --- the year of the first stamp ------------------------------------------------------------------

# The one stamp with a year in a log of the older form: the footer of event 005.
_FOOTER = re.compile(r"of its own accord at (\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:\d\dZ")


def day_of(stamp: Stamp) -> Day:
    """Year (where told), month and day, of the groups of `STAMP`."""
    *year, month, day = map(int, re.split("[-/]", stamp[0] or ""))
    return (year[0] if year else None), month, day


def day_of_footer(line: str) -> Day | None:
    """The day that the last line of a 005 of 2019 to 2023 tells; its zone may be another one."""
    match = _FOOTER.search(line) if "of its own accord" in line else None
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def first_year(days: Iterable[Day], written_s: float) -> int:
    """The year of the first stamp of a log whose stamps are of these days.

    Takes days only until something tells the year, and all where only the time at which the file
    was written does (in seconds since 1970-01-01).
    """
    latest, leap_years = _BEFORE_ALL, set[int]()  # counted from the year of the first stamp
    for year, month, day in days:
        if not _is_day(month, day):
            continue  # told when the events are read
        since = _year_after(latest, month, day)
        if year is not None:
            return year - since
        latest = _leap_days(since, month, day)
        if (month, day) == (2, 29):
            leap_years.add(since)
    return _year_by_file_time(written_s, latest, leap_years)


def _year_by_file_time(written_s: float, latest: int, leap_years: set[int]) -> int:
    """The latest year with the last stamp before the file's time, and 29 February where it is."""
    written = datetime.fromtimestamp(written_s, UTC)
    # One day more, for the zone of the log's clock is not known.
    newest = (_leap_days(written.year, written.month, written.day) + 1 - latest) // _YEAR
    fitting = (
        newest - back
        for back in range(8)
        if all(calendar.isleap(newest - back + year) for year in leap_years)
    )
    return next(fitting, newest)


@lru_cache(maxsize=_YEAR)
def _day_of_year(month: int, day: int) -> int:
    return date(2000, month, day).timetuple().tm_yday


def _is_day(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(2000, month)[1]


def _leap_days(year: int, month: int, day: int) -> int:
    return year * _YEAR + _day_of_year(month, day)


def _year_after(latest: int, month: int, day: int) -> int:
    """The first year in which this day is no more than the slack before `latest`, in leap days."""
    return -((_day_of_year(month, day) + _SLACK - latest) // _YEAR)
