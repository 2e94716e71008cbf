"""Lifetimes from traces of other forms than HTCondor's logs, recognised by their content.

* Spot instances as SkyPilot records them (JSON): 1 a tick while an instance could be had or lived.
* Live instances against hours, drawn as steps (the CSV of Bamboo, NSDI 2023): no instance is known
  from another, so only the rate of losses can be had.
* Failures of Los Alamos's machines (CSV of LA-UR-05-7318): node by node, with causes and repairs.
* Lives of GPUs (CSV with the columns `days` and `dead`).

What cannot be known from a trace is said in its sentences. Tables of any other form are read by
observed.py.
"""

import calendar
import csv
import itertools
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ckptsim.errors import DataError
from ckptsim.htcondor.eventlog import open_text
from ckptsim.htcondor.leases import counted
from ckptsim.observed import Lifetimes

_EXPECTED = "a trace or a table of lifetimes"
_HOUR_S, _DAY_S = 3600, 86_400
_BYTES_MAX = 2**28
EVICTIONS, FAILURES = "slots.evictions", "slots.power_failures"


@dataclass(frozen=True)
class Trace:
    """What a trace tells.

    `lifetimes` under the scenario's `key`, ended by `word`s; `causes` of their ends, None where cut
    short; `gaps_s` from a loss to the next start, `repairs_s` of what failed. Where no instance is
    known from another the `lifetimes` are empty, and there are only `losses` in `exposure_s`.
    """

    key: str
    word: str
    lifetimes: Lifetimes
    sentences: tuple[str, ...]
    causes: tuple[str | None, ...] = ()
    gaps_s: tuple[float, ...] = ()
    repairs_s: tuple[float, ...] = ()
    losses: int = 0
    exposure_s: float = 0.0


def read_trace(path: Path) -> Trace | None:
    """The trace in a file, plain or gzipped; None where it is of no form known here.

    Raises:
        DataError: no such file, or a trace with a part that cannot be what it should.

    """
    with open_text(path, _EXPECTED) as stream:
        try:
            text = stream.read(_BYTES_MAX)
        except (OSError, EOFError) as error:
            raise DataError(f"{path}: cannot be read ({error}); expected {_EXPECTED}") from None
    try:
        return _recognised(path, text.lstrip("\ufeff"))
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read ({error}); expected {_EXPECTED}") from None


def _recognised(path: Path, text: str) -> Trace | None:
    if text.lstrip()[:1] == "{":
        return _ticks(path, text)
    first = text.partition("\n")[0].strip()
    names = [name.strip() for name in first.split(",")]
    if {"Prob Started", "Prob Fixed", "nodenumz"} <= set(names):
        return _failures(path, text)
    if {"days", "dead"} <= set(names):
        return _lives(path, text)
    return _steps(text) if re.fullmatch(r"[\d.]+,\d+", first) else None


# --- spot instances, tick by tick -----------------------------------------------------------------


def _ticks(path: Path, text: str) -> Trace:
    tick_s, up = _ticks_checked(path, text)
    runs = [(alive, tick_s * sum(1 for _ in run)) for alive, run in itertools.groupby(up)]
    last = len(runs) - 1
    lives = [(s, n < last) for n, (alive, s) in enumerate(runs) if alive and (n or not last)]
    gaps = tuple(s for n, (alive, s) in enumerate(runs) if not alive and 0 < n < last)
    share = 100 * sum(up) / len(up)
    ticks = f"{len(up):,} ticks of {tick_s:g} s, with an instance in {share:.0f} % of them"
    told = [f"{ticks}; a lifetime is known to a tick."]
    if up[0] and last:
        told.append("The instance that was there at the start is left out: its age is not known.")
    if up[-1]:
        told.append("The last one was cut short by the end of the trace.")
    durations, observed = zip(*lives, strict=True) if lives else ((), ())
    lifetimes = Lifetimes(tuple(durations), tuple(observed))
    return Trace(EVICTIONS, "preemption", lifetimes, tuple(told), gaps_s=gaps)


def _ticks_checked(path: Path, text: str) -> tuple[float, list[bool]]:
    expected = 'expected {"metadata": {"gap_seconds": …}, "data": [0, 1, …]}'
    try:
        found = json.loads(text)
        tick_s, data = found["metadata"]["gap_seconds"], found["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{path}: JSON of no form that is known; {expected}") from None
    if not _is_number(tick_s) or not 0 < tick_s < _DAY_S:
        raise DataError(f"{path}: gap_seconds is {str(tick_s)[:40]!r}; {expected}")
    if not isinstance(data, list) or not data or not all(map(_is_number, data)):
        raise DataError(f"{path}: data is not a list of numbers; {expected}")
    most = max(data)
    if set(data) - {0, most}:
        raise DataError(
            f"{path}: data has numbers of instances between 0 and {most:g}, which do not tell "
            "which was lost; expected one instance, or all of them together"
        )
    return float(tick_s), [bool(value) for value in data]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


# --- live instances, drawn as steps ---------------------------------------------------------------


def _steps(text: str) -> Trace | None:
    """None where the rows are no steps: then it is a table like any other."""
    rows = [row for row in csv.reader(text.splitlines()) if any(row)]
    try:
        points = [(float(hours), int(live)) for hours, live in rows]
    except ValueError:
        return None
    if not all(math.isfinite(hours) for hours, _ in points):
        return None
    pairs = list(itertools.pairwise(points))
    steps = all(b[0] >= a[0] and (a[0] == b[0] or a[1] == b[1]) for a, b in pairs)
    if not steps or len(points) < 3:
        return None
    losses = sum(max(0, before[1] - after[1]) for before, after in pairs)
    gained = sum(max(0, after[1] - before[1]) for before, after in pairs)
    hours = math.fsum((b[0] - a[0]) * a[1] for a, b in pairs)
    # Hours as the paper has them; its files count seconds where they go past a year of hours.
    unit_s = 1 if points[-1][0] > 8784 else _HOUR_S
    span, whole = points[-1][0] * unit_s / _HOUR_S, hours * unit_s / _HOUR_S
    told = (
        f"{counted(losses, 'preemption')} and {gained:,} starts of instances in {span:,.1f} h, "
        f"{whole:,.0f} instance-hours. "
        "Only numbers of live instances are told, not which one was lost, nor whether it was let "
        "go: what can be had is the rate of losses, that of an exponential law."
    )
    empty = Lifetimes((), ())
    return Trace(EVICTIONS, "preemption", empty, (told,), losses=losses, exposure_s=hours * unit_s)


# --- Los Alamos's failures ------------------------------------------------------------------------

_CAUSES = ("Facilities", "Hardware", "Human Error", "Network", "Undetermined", "Software")
_MONTHS = {name: n for n, name in enumerate(calendar.month_abbr) if name}
_EPOCH = datetime(1990, 1, 1)  # noqa: DTZ001 (no zone is told)
_MONTH = re.compile(r"(?P<y1>\d{1,2})-(?P<m1>[A-Z][a-z]{2})|(?P<m2>[A-Z][a-z]{2})-(?P<y2>\d\d)")


@dataclass(frozen=True)
class _Failure:
    started_s: float
    fixed_s: float
    cause: str


def _failures(path: Path, text: str) -> Trace:
    rows = list(enumerate(csv.DictReader(text.splitlines()), 2))
    if not rows:
        raise DataError(f"{path}: no failures in it; expected LANL's records, one a row")
    by_node: dict[str, list[_Failure]] = defaultdict(list)
    for line, row in rows:
        by_node[row["nodenumz"]].append(_failure(path, line, row))
    last = max(failure.started_s for each in by_node.values() for failure in each)
    service = {row["nodenumz"]: _service(path, line, row, last) for line, row in reversed(rows)}
    lives = [life for node, each in by_node.items() for life in _node_lives(each, *service[node])]
    told = [int(cell) for _, row in rows if (cell := row.get("nodes") or "").isdecimal()]
    good = max(told, default=0) - len(by_node)
    usual = Counter(service.values()).most_common(1)[0][0]
    lives += [(usual[1] - usual[0], None)] * max(0, good)
    repairs = tuple(f.fixed_s - f.started_s for each in by_node.values() for f in each)
    causes = tuple(cause for _, cause in lives)
    lifetimes = Lifetimes(tuple(s for s, _ in lives), tuple(cause is not None for cause in causes))
    return Trace(
        FAILURES,
        "failure",
        lifetimes,
        tuple(_failures_told(rows, by_node, good)),
        causes,
        repairs_s=repairs,
    )


def _failures_told(
    rows: Sequence[Any], by_node: Mapping[str, Sequence[_Failure]], good: int
) -> Iterator[str]:
    yield (
        f"{counted(len(rows), 'failure')} of {counted(len(by_node), 'node')}; {max(0, good):,} "
        "more never failed. Each lifetime is from a repair, or the month of production, to the "
        "next failure of the node; those after the last failure are cut short."
    )
    power = sum(f.cause == "Facilities" for each in by_node.values() for f in each)
    yield (
        f"{power:,} of them were of the facilities (power, cooling), which many nodes share; a "
        "node that fails for any cause is gone without notice, as in a power failure."
    )
    yield "Times are local ones without a zone. Source: Los Alamos National Laboratory."


def _failure(path: Path, line: int, row: Mapping[str, str]) -> _Failure:
    names = "Prob Started", "Prob Fixed"
    started, fixed = (_stamp(path, line, name, row[name]) for name in names)
    cause = next((name for name in _CAUSES if row.get(name)), "Undetermined")
    return _Failure(started, max(started, fixed), cause)


def _stamp(path: Path, line: int, name: str, cell: str) -> float:
    try:
        return (datetime.strptime(cell, "%m/%d/%Y %H:%M") - _EPOCH).total_seconds()  # noqa: DTZ007 (no zone is told)
    except (ValueError, TypeError):
        raise DataError(
            f"{path}:{line}: {name} is {str(cell)[:40]!r}; expected month/day/year hour:minute"
        ) from None


def _service(path: Path, line: int, row: Mapping[str, str], last: float) -> tuple[float, float]:
    """When the node came into production, and when it left it or the records end."""
    start, end = _month(row.get("node prod") or ""), _month(row.get("node decom") or "")
    if start is None:
        raise DataError(
            f"{path}:{line}: node prod is {(row.get('node prod') or '')[:40]!r}; expected a month "
            "such as Jan-97 or 1-Dec (of 2001)"
        )
    return min(start, last), min(end or last, last)


def _month(cell: str) -> float | None:
    """Jan-97; or 1-Dec, which a spreadsheet made of Dec-01."""
    match = _MONTH.fullmatch(cell)
    month = match and _MONTHS.get(match["m1"] or match["m2"])
    if not match or not month:
        return None
    year = int(match["y1"] or match["y2"])
    year += 1900 if year > 50 else 2000
    return (datetime(year, month, 1) - _EPOCH).total_seconds()  # noqa: DTZ001


def _node_lives(
    failures: Sequence[_Failure], start: float, end: float
) -> Iterator[tuple[float, str | None]]:
    """From up to the next failure, each with its cause; one begun during a repair is part of it."""
    up = start
    for failure in sorted(failures, key=lambda each: each.started_s):
        if failure.started_s > up:
            yield failure.started_s - up, failure.cause
        up = max(up, failure.fixed_s)
    if end > up:
        yield end - up, None


# --- lives of GPUs --------------------------------------------------------------------------------


def _lives(path: Path, text: str) -> Trace:
    rows = list(enumerate(csv.DictReader(text.splitlines()), 2))
    if not rows:
        raise DataError(f"{path}: no lives in it; expected columns days and dead")
    days = [_days(path, line, row) for line, row in rows]
    dead = tuple(_dead(path, line, row) for line, row in rows)
    told = f"{counted(len(rows), 'unit')}, {sum(dead):,} of them dead; the others are cut short."
    return Trace(FAILURES, "failure", Lifetimes(tuple(d * _DAY_S for d in days), dead), (told,))


def _days(path: Path, line: int, row: Mapping[str, str]) -> float:
    try:
        found = float(row["days"])
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found < math.inf:
        raise DataError(f"{path}:{line}: days is {str(row['days'])[:40]!r}; expected 0 or more")
    return found


def _dead(path: Path, line: int, row: Mapping[str, str]) -> bool:
    if row["dead"] not in {"0", "1"}:
        raise DataError(f"{path}:{line}: dead is {str(row['dead'])[:40]!r}; expected 1 or 0")
    return row["dead"] == "1"
