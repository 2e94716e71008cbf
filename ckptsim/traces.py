"""What was recorded of a pool: when its slots were there, and when its jobs came.

Both are read from CSV files whose times are seconds from the start, or are written out in the
scenario. The order of the rows does not matter: they are put in order here.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from ckptsim import units
from ckptsim.errors import ScenarioError
from ckptsim.fields import DURATION_SCHEMA, reader
from ckptsim.lawtext import beside, csv_column, csv_header, csv_rows, csv_time, found_again
from ckptsim.units import quoted

Window = tuple[int, int, int]  # a slot of the kind, and from when to when it is there
AVAILABILITY_EXAMPLE = 'write for example desktops.csv, or [[0, "8h", "18h"], [1, "0s", "18h"]]'
ARRIVALS_EXAMPLE = "write for example submitted.csv:time_s, or 0s, 10min, 25min"

_COLUMNS = ("slot", "from_s", "to_s")
_SLOTS_MOST = 10**9
_FILE = re.compile(r"\.[A-Za-z]\w*\s*(:|$)")


class Recorded(tuple[Any, ...]):  # noqa: SLOT001 (a tuple can have none that hold anything)
    """What a file holds, with what a scenario calls the file, so that it is written back short."""

    source: str = ""

    @classmethod
    def from_file(cls, rows: Iterable[Any], source: str) -> "Recorded":
        found = cls(rows)
        found.source = source
        return found


def _availability(value: object, folder: Path) -> tuple[Window, ...] | None:
    """The windows in which slots are there, by slot and time."""
    if str(value).strip().lower() == "none":
        return None
    if isinstance(value, str) and value.strip():
        path = beside(folder / value.strip(), value.strip())
        return Recorded.from_file(_windows_of_file(path), found_again(path))
    if not isinstance(value, list | tuple) or not value:
        raise ScenarioError(f"{quoted(value)}: expected a CSV file; {AVAILABILITY_EXAMPLE}")
    windows = [_window_written(row, place) for place, row in enumerate(value, 1)]
    return _in_order(windows, "window")


def _windows_of_file(path: Path) -> tuple[Window, ...]:
    rows = csv_rows(path)
    header = csv_header(rows)
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        raise ScenarioError(
            f"{path}: no column {missing[0]!r}; it has {', '.join(header)}; expected the columns "
            f"{', '.join(_COLUMNS)}"
        )
    if len(rows) == 1:
        raise ScenarioError(f"{path}: a header and no rows; expected a row for each time of a slot")
    places = [header.index(column) for column in _COLUMNS]
    return _in_order(
        [_window_of_row(path, line, row, places) for line, row in rows[1:]], f"{path}: line"
    )


def _window_of_row(
    path: Path, line: int, row: Sequence[str], places: Sequence[int]
) -> tuple[Window, int]:
    slot = row[places[0]].strip() if places[0] < len(row) else ""
    start, end = (units.nanoseconds(csv_time(path, line, row, place)) for place in places[1:])
    return _window(slot, start, end, f"{path}: line {line}"), line


def _window_written(row: object, place: int) -> tuple[Window, int]:
    where = f"window {place}"
    if not isinstance(row, list | tuple) or len(row) != len(_COLUMNS):
        raise ScenarioError(
            f"{where}: {quoted(row)}: expected a slot and two times; {AVAILABILITY_EXAMPLE}"
        )
    slot, *times = row
    try:
        start, end = (units.duration(str(time)) for time in times)
    except ScenarioError as mistake:
        raise ScenarioError(f"{where}: {mistake}") from None
    return _window(str(slot), start, end, where), place


def _window(slot: str, start: int, end: int, where: str) -> Window:
    if not (re.fullmatch("[0-9]{1,10}", slot) and int(slot) < _SLOTS_MOST):
        raise ScenarioError(
            f"{where}: {quoted(slot)}: expected a slot, numbered within its kind from 0"
        )
    if end > units.LONGEST:
        raise ScenarioError(f"{where}: later than a century; expected seconds from the start")
    if not start < end:
        raise ScenarioError(
            f"{where}: from {units.spelled(start)} to {units.spelled(end)}: expected an end later "
            "than the start"
        )
    return int(slot), start, end


def _in_order(windows: list[tuple[Window, int]], where: str) -> tuple[Window, ...]:
    """The windows by slot and time; those of one slot must not overlap."""
    windows.sort()
    for ((slot, _, end), first), ((other, start, _), second) in pairwise(windows):
        if slot == other and start < end:
            raise ScenarioError(
                f"{where} {second}: slot {slot} is there from {units.spelled(start)}, but by "
                f"{where.rpartition(' ')[2]} {first} it already is, until {units.spelled(end)}; "
                "expected times that do not overlap"
            )
    return tuple(window for window, _ in windows)


def _arrival_times(value: object, folder: Path) -> tuple[int, ...] | None:
    """When jobs arrive, the earliest first."""
    if str(value).strip().lower() == "none":
        return None
    if isinstance(value, str) and _FILE.search(value):
        return _arrivals_of_file(value.strip(), folder)
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not parts:
        raise ScenarioError(f"{quoted(value)}: expected times; {ARRIVALS_EXAMPLE}")
    try:
        return tuple(sorted(units.duration(str(part)) for part in parts))
    except ScenarioError as mistake:
        raise ScenarioError(f"{mistake}; as times of arrival {ARRIVALS_EXAMPLE}") from None


def _arrivals_of_file(text: str, folder: Path) -> tuple[int, ...]:
    name, colon, column = (word.strip() for word in text.rpartition(":"))
    path = beside(folder / (name or column), name or column)
    if not colon:
        columns = ", ".join(csv_header(csv_rows(path)))
        raise ScenarioError(f"which column of {column}? It has {columns}; {ARRIVALS_EXAMPLE}")
    times = sorted(units.nanoseconds(time) for time in csv_column(path, column))
    if times[-1] > units.LONGEST:
        raise ScenarioError(f"{path}: later than a century; expected seconds from the start")
    return Recorded.from_file(times, f"{found_again(path)}:{column}")


def _windows_given(value: object) -> object:
    """Windows as Python gives them; a mistake in them is the programmer's."""
    found = reader(_availability)(value)
    assert found is None or isinstance(found, tuple)
    assert found is None or (found and list(found) == sorted(found))
    for slot, start, end in found or ():
        assert 0 <= slot < _SLOTS_MOST
        assert 0 <= start < end <= units.LONGEST
    return found


def _arrivals_given(value: object) -> object:
    found = reader(_arrival_times)(value)
    assert found is None or isinstance(found, tuple)
    assert found is None or (found and list(found) == sorted(found))
    assert all(0 <= time <= units.LONGEST for time in found or ())
    return found


def _windows_written(windows: tuple[Window, ...] | None) -> object:
    if windows is None or isinstance(windows, Recorded):
        return windows and windows.source
    return [[slot, units.spelled(start), units.spelled(end)] for slot, start, end in windows]


def _arrivals_written(times: tuple[int, ...] | None) -> object:
    if times is None or isinstance(times, Recorded):
        return times and times.source
    return [units.spelled(time) for time in times]


_TIME_SCHEMA = {"anyOf": [DURATION_SCHEMA, {"enum": [0]}]}
Availability = Annotated[
    tuple[Window, ...] | None,
    PlainValidator(_windows_given),
    PlainSerializer(_windows_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ["desktops.csv"]},
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "array",
                        "prefixItems": [{"type": "integer", "minimum": 0}, *[_TIME_SCHEMA] * 2],
                        "minItems": 3,
                        "maxItems": 3,
                    },
                },
            ]
        }
    ),
]
ArrivalTimes = Annotated[
    tuple[int, ...] | None,
    PlainValidator(_arrivals_given),
    PlainSerializer(_arrivals_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ["submitted.csv:time_s"]},
                {"type": "array", "minItems": 1, "items": _TIME_SCHEMA},
            ]
        }
    ),
]
