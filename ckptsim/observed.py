"""Observed lifetimes, many of them cut short, from leases and from tables.

A lifetime is right-censored when something else ended it: the job finished, a limit was reached. To
drop such lifetimes, or to count them as failures, is the classic error (theory.md, section 6).

Legend: d, observed ends; T, total time of all lifetimes, in seconds.
"""

import csv
import itertools
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ckptsim.errors import DataError, nearest
from ckptsim.htcondor.eventlog import open_text
from ckptsim.htcondor.leases import End, Lease
from ckptsim.units import SECOND, Unit, unit_named


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things lasted, in seconds, and whether the end itself was observed or censored."""

    durations_s: tuple[float, ...]
    observed: tuple[bool, ...]
    source: str = field(default="", compare=False)  # FILE:COLUMN, if they are from a table
    jobs: tuple[int, ...] = field(default=(), compare=False)  # which each is of, if that is known

    def __post_init__(self) -> None:
        assert len(self.durations_s) == len(self.observed)
        assert all(0 <= duration < math.inf for duration in self.durations_s)

    @property
    def ends(self) -> int:
        """d, the number of observed ends."""
        return int(sum(self.observed))

    @property
    def exposure_s(self) -> float:
        """T, the total time, in seconds."""
        return math.fsum(self.durations_s)

    def censored_at(self, limit_s: float) -> "Lifetimes":
        """The same, with the ends from `limit_s` seconds on taken as cut off there."""
        pairs = list(zip(self.durations_s, self.observed, strict=True))
        return Lifetimes(
            tuple(min(duration, limit_s) for duration, _ in pairs),
            tuple(observed and duration < limit_s for duration, observed in pairs),
            jobs=self.jobs,
        )


def from_leases(leases: Iterable[Lease], end: End) -> Lifetimes:
    """The lifetimes that this kind of end was observed in; every other end is censored."""
    kept = list(leases)
    numbers = dict[tuple[str, str], int]()
    return Lifetimes(
        tuple(lease.duration_s for lease in kept),
        tuple(lease.end is end for lease in kept),
        jobs=tuple(numbers.setdefault((lease.log, lease.job), len(numbers)) for lease in kept),
    )


# --- tables ---------------------------------------------------------------------------------------

_EXPECTED = "a CSV table with a column of durations in seconds"
_DURATIONS = {"lifetime", "duration"}  # what columns of them are called, perhaps with a unit
_UNEVEN = {"mo", "month", "months", "y", "yr", "yrs", "year", "years"}
_NO_CAUSE = {"", "-", "none", "censored", "running", "still running", "finished"}
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Cells:
    """A table as text, from a file or from elsewhere."""

    where: str  # what mistakes in it name: the file, if it is in one
    names: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]  # with line numbers
    in_file: bool = True

    def place(self, name: str) -> int:
        if name not in self.names:
            known = ", ".join(self.names)
            hint = nearest(name, self.names)
            raise DataError(f"{self.where}:1: no column {name!r}; there are: {known}{hint}")
        return self.names.index(name)

    def cells(self, name: str) -> list[tuple[int, str]]:
        place = self.place(name)
        return [(line, row[place] if place < len(row) else "") for line, row in self.rows]


def from_csv(
    path: Path,
    column: str | None = None,
    observed: str | None = None,
    censored: str | None = None,
) -> Lifetimes:
    """Read lifetimes from a CSV table, plain or gzipped.

    `column` is the one of durations: by default the first called `lifetime…` or `duration…`, or
    the only one of numbers. They are in seconds, or in what its name ends in: `_ms`, `_s`, `_min`,
    `_h`, `_d`, `_w` or the word, or in what is its whole name (`days`). `observed` names a column
    that is 1 where the end was observed and 0 where it was censored, `censored` one with the
    opposite sense; by default the columns called so, if any, else every end is taken as observed.

    Raises:
        DataError: no such file or column, a unit of no one length (months), or a cell that is not
            what its column should hold.

    """
    return lifetimes_of(read_cells(path), column, observed, censored)


def lifetimes_of(
    table: Cells,
    column: str | None = None,
    observed: str | None = None,
    censored: str | None = None,
) -> Lifetimes:
    """The same of a table that is read."""
    observed, censored = _flag_columns(table, observed, censored)
    name = column or duration_column(table, {observed, censored})
    durations = _durations(table, name)
    unit = unit_of(name)
    readable = table.in_file and (unit is None or unit.length == SECOND)  # as empirical(…) reads
    source = f"{table.where}:{name}" if readable else ""
    if flag := observed or censored:
        told = (_flag(table.where, flag, line, cell) for line, cell in table.cells(flag))
        seen = tuple(seen is (flag == observed) for seen in told)
        return Lifetimes(durations, seen, source)
    return Lifetimes(durations, (True,) * len(durations), source)


def causes_from_csv(
    path: Path, column: str | None = None, cause: str | None = None
) -> tuple[tuple[float, ...], tuple[str | None, ...]] | None:
    """Durations in seconds, as `from_csv` has them, and the causes of their ends.

    `cause` names a column of words, by default `cause`; None if there is none. An empty cell, or
    one such as `censored`, `running` or `finished`, is a lifetime that was cut short.
    """
    return causes_of(read_cells(path), column, cause)


def causes_of(
    table: Cells, column: str | None = None, cause: str | None = None
) -> tuple[tuple[float, ...], tuple[str | None, ...]] | None:
    """The same of a table that is read."""
    if cause is None and "cause" not in table.names:
        return None
    words = tuple(cell.lower() for _, cell in table.cells(cause or "cause"))
    name = column or duration_column(table, {cause or "cause"})
    return _durations(table, name), tuple(None if word in _NO_CAUSE else word for word in words)


def unit_of(column: str) -> Unit | None:
    """The unit that a column's name ends in, or is in the plural; None where it tells none."""
    whole, _, word = column.lower().rpartition("_")
    unit = unit_named(word)
    return unit if unit and (whole or word == unit.plural) else None


def _durations(table: Cells, name: str) -> tuple[float, ...]:
    """The cells of a column in seconds."""
    _refuse_uneven(table.where, name)
    unit = unit_of(name) or Unit(SECOND, "seconds")
    scale, expected = unit.length / SECOND, unit.plural
    cells = table.cells(name)
    return tuple(scale * _duration(table.where, name, expected, *each) for each in cells)


def _refuse_uneven(where: str, name: str) -> None:
    whole, _, word = name.lower().rpartition("_")
    if word in _UNEVEN and (whole or word.endswith("s")):
        raise DataError(
            f"{where}:1: column {name}: {word} are of no one length; "
            "expected seconds, minutes, hours, days or weeks: write them in days"
        )


def read_cells(path: Path) -> Cells:
    try:
        with open_text(path, _EXPECTED) as stream:
            first = stream.readline().lstrip("\ufeff")
            delimiter = max(",;\t", key=first.count)
            reader = csv.reader(itertools.chain([first], stream), delimiter=delimiter)
            rows = [(reader.line_num, tuple(map(str.strip, row))) for row in reader if any(row)]
    except (csv.Error, OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error}); expected {_EXPECTED}") from error
    if rows and all(_number(cell) is not None for cell in rows[0][1]):  # no header
        names = tuple(str(number + 1) for number in range(len(rows[0][1])))
    else:
        names, rows = (rows[0][1] if rows else ()), rows[1:]
    if not rows:
        raise DataError(f"{path}: no rows in it; expected {_EXPECTED}")
    return Cells(str(path), names, tuple(rows))


def _flag_columns(
    table: Cells, observed: str | None, censored: str | None
) -> tuple[str | None, str | None]:
    if observed and censored:
        raise DataError(f"{table.where}: give a column that tells observed or censored, not both")
    if observed or censored:
        return observed, censored
    if "observed" in table.names:
        return "observed", None
    return None, "censored" if "censored" in table.names else None


def duration_column(table: Cells, flags: Collection[str | None]) -> str:
    """The column of durations, which is none of the flags."""
    named = [name for name in table.names if _is_of_durations(name.lower())]
    numbers = [
        name
        for name, cell in zip(table.names, table.rows[0][1], strict=False)
        if name not in flags and _number(cell) is not None
    ]
    if named or len(numbers) == 1:
        return (named or numbers)[0]
    choice = f"columns of numbers: {', '.join(numbers)}" if numbers else "no column of numbers"
    raise DataError(f"{table.where}:1: {choice}; name the one that holds durations in seconds")


def _is_of_durations(name: str) -> bool:
    """Does the name of a column, in small letters, say that it holds durations?"""
    whole, _, word = name.rpartition("_")
    if whole in _DURATIONS:
        return word in _UNEVEN or unit_named(word) is not None
    return name in _DURATIONS or (not whole and unit_of(name) is not None)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _duration(where: str, column: str, expected: str, line: int, cell: str) -> float:
    number = _number(cell)
    if number is None or not 0 <= number < math.inf:
        found = repr(cell[:40]) if cell else "nothing"
        raise DataError(f"{where}:{line}: {column} is {found}; expected {expected}, 0 or more")
    return number


def _flag(where: str, column: str, line: int, cell: str) -> bool:
    if cell.lower() not in _FLAGS:
        found = repr(cell[:40]) if cell else "nothing"
        raise DataError(f"{where}:{line}: {column} is {found}; expected 1 or 0")
    return _FLAGS[cell.lower()]
