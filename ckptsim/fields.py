"""The kinds of values that a scenario's keys take: each is read, checked, written back and told.

A value that comes from a user is a `Given`, and is read with its unit; a bare one comes from
Python, where times are nanoseconds.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ckptsim import units
from ckptsim.errors import ScenarioError, nearest
from ckptsim.lawtext import NAMES, Kind, law, parameters
from ckptsim.lifetimes import Constant, Law
from ckptsim.rules import Mode
from ckptsim.units import quoted

ORDERS = ("submission", "priority", "fair share")
_PRIORITY_MOST = 10**9
_SPEED_LEAST, _SPEED_MOST = 0.001, 1000.0
_MODES = {mode.name.lower().replace("_", " "): mode for mode in Mode}


@dataclass(frozen=True)
class Given:
    """A value as the user gave it, where, and the folder its file names start from.

    A value that comes bare is from Python, not from a user: there times are nanoseconds.
    """

    value: object
    where: str
    folder: Path
    inherited: bool = False  # a class has it from [job], a kind from [slots]


def reader(read: Callable[[object, Path], object]) -> Callable[[object], object]:
    """A validator that reads what users give and lets pass what Python code gives."""

    def checked(value: object) -> object:
        if isinstance(value, str):
            value = Given(value, "", Path())
        try:
            return read(value.value, value.folder) if isinstance(value, Given) else value
        except ScenarioError as mistake:
            raise PydanticCustomError("given", "{text}", {"text": str(mistake)}) from None

    return checked


def _duration(value: object, _: Path, *, none: bool, least: int) -> int | None:
    if none and str(value).strip().lower() == "none":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | time):
        raise ScenarioError(f"{quoted(value)}: not a duration; {units.DURATION_EXAMPLE}")
    found = units.duration(str(value))
    if found < least:
        raise ScenarioError(f"{value}: must be longer than 0; {units.DURATION_EXAMPLE}")
    return found


def _steps(value: object, folder: Path) -> tuple[int, ...] | None:
    """A list of times, also written `10min, 25min`."""
    if str(value).strip().lower() == "none":
        return None
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not parts:
        raise ScenarioError(f"{quoted(value)}: expected a list of times, as in 10min, 25min, 1h")
    return tuple(_duration(part, folder, none=False, least=1) or 0 for part in parts)


def _amount(
    value: object, _: Path, *, read: Callable[[str], int], example: str, none: bool = True
) -> int | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ScenarioError(f"{quoted(value)}: not an amount; {example}")
    if none and str(value).strip().lower() == "none":
        return None
    found = read(str(value))
    if found == 0:
        raise ScenarioError(f"{value}: must be more than 0; {example}")
    return found


def _count(value: object, _: Path, *, least: int, most: int, none: bool = False) -> int | None:
    expected = f"expected a whole number from {least} to {most}" + none * ", or none"
    text = str(value).strip()
    if none and text.lower() == "none":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ScenarioError(f"{quoted(value)}: {expected}")
    if not (re.fullmatch("-?[0-9]{1,20}", text) and least <= int(text) <= most):
        raise ScenarioError(f"{quoted(value)}: {expected}")
    return int(text)


def _number(value: object, _: Path, *, least: float, most: float) -> float:
    text = str(value).strip() if isinstance(value, str | int | float) else ""
    readable = re.fullmatch(r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]{1,3})?", text)
    if not (readable and least <= float(text) <= most):
        raise ScenarioError(f"{quoted(value)}: expected a number from {least:g} to {most:g}")
    return float(text)


def _yes(value: object, _: Path) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    found = words.get(str(value).strip().lower())
    if found is None or not isinstance(value, str | bool):
        raise ScenarioError(f"{quoted(value)}: expected yes or no")
    return found


def _mode(value: object, _: Path) -> Mode:
    """One of the modes' names, in words."""
    if isinstance(value, Mode):
        return value
    found = str(value).strip().lower().replace("-", " ").replace("_", " ")
    if found not in _MODES:
        known = ", ".join(_MODES)
        raise ScenarioError(f"{quoted(value)}: expected one of {known}{nearest(found, _MODES)}")
    return _MODES[found]


def named(mode: Mode) -> str:
    """The mode as people write it."""
    return mode.name.lower().replace("_", " ")


def _word(value: object, _: Path) -> str:
    if not isinstance(value, str):
        raise ScenarioError(f"{quoted(value)}: expected a text")
    return value


def _name(value: object, _: Path) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value.strip()):
        raise ScenarioError(
            f"{quoted(value)}: expected a name of at most 64 letters, digits, dots, _ and -"
        )
    return value.strip()


def _names(value: object, _: Path) -> tuple[str, ...] | None:
    """Several names, also written `a, b`; none stands for all there are."""
    if str(value).strip().lower() == "none":
        return None
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not parts:
        raise ScenarioError(f"{quoted(value)}: expected names, as in desktops, servers")
    return tuple(dict.fromkeys(str(part).strip() for part in parts))


def _order(value: object, _: Path) -> str:
    found = str(value).strip().lower().replace("-", " ").replace("_", " ")
    if found not in ORDERS:
        known = ", ".join(ORDERS)
        raise ScenarioError(f"{quoted(value)}: expected one of {known}{nearest(found, ORDERS)}")
    return found


def _law(value: object, folder: Path, *, kind: Kind) -> Law:
    return value if isinstance(value, Law) else law(value, kind, folder)


def _law_only(read: Callable[[object], object], value: object) -> object:
    found = read(value)
    assert isinstance(found, Law), f"{found!r} is not a law"
    return found


def _written(found: Law) -> str:
    """A cost as people write it: a constant by its time alone."""
    return units.spelled_seconds(found.value) if isinstance(found, Constant) else found.describe()


def _spelled_rate(rate: int) -> str:
    return units.spelled_size(rate) + "/s"


_DURATION_TEXT = (
    r"^\s*(?:(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\s*[A-Za-zµμ]+\s*)+"
    r"|(?:[0-9]+[-+])?[0-9]+:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)\s*$"
)
NONE_TEXT = {"enum": ["none"]}
_ZERO = {"enum": [0, "0"]}


def _text(pattern: str, *examples: str) -> dict[str, object]:
    return {"type": "string", "pattern": pattern, "examples": list(examples)}


DURATION_SCHEMA = _text(_DURATION_TEXT, "90min", "1h30min", "2d 3h", "1:30:00")


def _law_schema(example: str) -> dict[str, object]:
    text = _text(rf"^\s*(?:[A-Za-z]+\s*\(.*\)|[nN]one)\s*$|{_DURATION_TEXT}", "5min", example)
    table = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {name: _form_schema(name) for name in NAMES},
    }
    return {"anyOf": [text, table, _ZERO]}


def _form_schema(name: str) -> dict[str, object]:
    named: dict[str, object] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: {"type": ["string", "number"]} for key in parameters(name)},
    }
    alone = [{"type": "string"}, {"type": "array", "minItems": 1}]
    return {"anyOf": [*alone, named] if parameters(name) else alone}


def _optional(spell: Callable[[int], str]) -> PlainSerializer:
    return PlainSerializer(lambda value: None if value is None else spell(value))


_COST_SCHEMA = _law_schema("uniform(3min, 7min)")
_HAZARD_SCHEMA = _law_schema("weibull(shape=0.7, mean=12h)")

Duration = Annotated[
    Annotated[int, Field(ge=0, le=units.LONGEST)],
    BeforeValidator(reader(partial(_duration, none=False, least=0))),
    PlainSerializer(units.spelled),
    WithJsonSchema({"anyOf": [DURATION_SCHEMA, _ZERO]}),
]
DurationOrNone = Annotated[
    Annotated[int, Field(ge=0, le=units.LONGEST)] | None,
    BeforeValidator(reader(partial(_duration, none=True, least=0))),
    _optional(units.spelled),
    WithJsonSchema({"anyOf": [DURATION_SCHEMA, _ZERO, NONE_TEXT]}),
]
Longer = Annotated[
    Annotated[int, Field(ge=1, le=units.LONGEST)],
    BeforeValidator(reader(partial(_duration, none=False, least=1))),
    PlainSerializer(units.spelled),
    WithJsonSchema(DURATION_SCHEMA),
]
LongerOrNone = Annotated[
    Annotated[int, Field(ge=1, le=units.LONGEST)] | None,
    BeforeValidator(reader(partial(_duration, none=True, least=1))),
    _optional(units.spelled),
    WithJsonSchema({"anyOf": [DURATION_SCHEMA, NONE_TEXT]}),
]
CostLaw = Annotated[
    Law,
    PlainValidator(partial(_law_only, reader(partial(_law, kind="cost")))),
    PlainSerializer(_written),
    WithJsonSchema(_COST_SCHEMA),
]
HazardLaw = Annotated[
    Law,
    PlainValidator(partial(_law_only, reader(partial(_law, kind="hazard")))),
    PlainSerializer(lambda found: found.describe()),
    WithJsonSchema(_HAZARD_SCHEMA),
]
Steps = Annotated[
    tuple[Annotated[int, Field(ge=1, le=units.LONGEST)], ...] | None,
    BeforeValidator(reader(_steps)),
    PlainSerializer(lambda steps: steps and [units.spelled(step) for step in steps]),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "minItems": 1, "items": {"anyOf": [DURATION_SCHEMA]}},
                {"type": "string", "examples": ["10min, 25min, 1h"]},
            ]
        }
    ),
]
Size = Annotated[
    Annotated[int, Field(ge=1, le=units.BYTES_MAX)] | None,
    BeforeValidator(reader(partial(_amount, read=units.size, example=units.SIZE_EXAMPLE))),
    _optional(units.spelled_size),
    WithJsonSchema({"anyOf": [_text(r"^\s*[0-9.]", "2 GB", "500 MiB"), NONE_TEXT]}),
]
RateGiven = Annotated[
    Annotated[int, Field(ge=1, le=units.BYTES_MAX)],
    BeforeValidator(
        reader(partial(_amount, read=units.rate, example=units.RATE_EXAMPLE, none=False))
    ),
    PlainSerializer(_spelled_rate),
    WithJsonSchema(_text(r"^\s*[0-9.]", "10 Gb/s", "1.25 GB/s")),
]
Rate = Annotated[
    Annotated[int, Field(ge=1, le=units.BYTES_MAX)] | None,
    BeforeValidator(reader(partial(_amount, read=units.rate, example=units.RATE_EXAMPLE))),
    _optional(_spelled_rate),
    WithJsonSchema({"anyOf": [_text(r"^\s*[0-9.]", "10 Gb/s", "1.25 GB/s"), NONE_TEXT]}),
]
Count = Annotated[
    Annotated[int, Field(ge=1, le=10**9)],
    BeforeValidator(reader(partial(_count, least=1, most=10**9))),
]
Seed = Annotated[
    Annotated[int, Field(ge=0, le=2**63 - 1)],
    BeforeValidator(reader(partial(_count, least=0, most=2**63 - 1))),
]
YesNo = Annotated[
    bool,
    BeforeValidator(reader(_yes)),
    WithJsonSchema({"enum": [True, False, "yes", "no", "true", "false"]}),
]
ModeName = Annotated[
    Mode,
    BeforeValidator(reader(_mode)),
    PlainSerializer(named),
    WithJsonSchema({"enum": list(_MODES)}),
]
Word = Annotated[str, BeforeValidator(reader(_word))]
CountOrNone = Annotated[
    Annotated[int, Field(ge=1, le=10**9)] | None,
    BeforeValidator(reader(partial(_count, least=1, most=10**9, none=True))),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 10**9}, NONE_TEXT]}),
]
Batches = Annotated[
    Annotated[int, Field(ge=2, le=1000)],
    BeforeValidator(reader(partial(_count, least=2, most=1000))),
]
Priority = Annotated[
    Annotated[int, Field(ge=-_PRIORITY_MOST, le=_PRIORITY_MOST)],
    BeforeValidator(reader(partial(_count, least=-_PRIORITY_MOST, most=_PRIORITY_MOST))),
]
Speed = Annotated[
    Annotated[float, Field(ge=_SPEED_LEAST, le=_SPEED_MOST)],
    BeforeValidator(reader(partial(_number, least=_SPEED_LEAST, most=_SPEED_MOST))),
]
Name = Annotated[
    Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")],
    BeforeValidator(reader(_name)),
]
Names = Annotated[
    tuple[str, ...] | None,
    BeforeValidator(reader(_names)),
    PlainSerializer(lambda names: names and ", ".join(names)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "minItems": 1, "items": {"type": "string"}},
                {"type": "string"},
            ]
        }
    ),
]
Order = Annotated[
    str,
    BeforeValidator(reader(_order)),
    WithJsonSchema({"enum": list(ORDERS)}),
]
