"""The keys of a scenario as they were given: by a file, a profile and flags, put into tables.

A class of jobs or a kind of slots gets here what it inherits. Nothing is read or checked yet but
names: those of profiles, classes, kinds and domains.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from ckptsim.errors import ScenarioError, nearest
from ckptsim.fields import Given
from ckptsim.lawtext import PROFILES, read_text
from ckptsim.tables import Domain, Job, Link, Queue, Slots, Table
from ckptsim.units import quoted

TABLES: dict[str, type[Table]] = {"job": Job, "slots": Slots, "link": Link, "queue": Queue}
GROUPS: dict[str, type[Table]] = {"classes": Job, "kinds": Slots, "domains": Domain}
DEPTHS = {**dict.fromkeys(TABLES, 1), **dict.fromkeys(GROUPS, 2)}
PARENTS = {"classes": "job", "kinds": "slots"}
NAME = "[A-Za-z0-9_-]{1,64}"
FLAGS = "flags"
Tables = dict[str, Any]  # keys to values Given, or to tables of them

_TOML_BYTES_MAX = 10**7
_ONE = {"classes": "class", "kinds": "kind", "domains": "domain"}
_POOL = ("pool", "slots.pool")
# A key of a class takes the place of the inherited ones that say the same in another way; none,
# where that means that there is no such thing, only of those that go with it.
_INSTEAD = {
    "transfer": {"size", "bandwidth"},
    "size": {"transfer"},
    "bandwidth": {"transfer"},
    "steps": {"work", "step"},
    "work": {"steps"},
    "step": {"steps"},
    "input": {"input_size"},
    "input_size": {"input"},
    "arrivals": {"arrival_times"},
    "arrival_times": {"arrivals", "count"},
    "count": {"arrival_times"},
}
_WITHOUT = {
    "size": frozenset({"bandwidth"}),
    **dict.fromkeys(
        ("bandwidth", "steps", "step", "input_size", "arrival_times"), frozenset[str]()
    ),
}


def gathered(path: Path | None, overrides: Mapping[str, object]) -> Tables:
    """The keys of the file, if any, on those of its profile, with the overrides on top.

    Overrides that are None are left out. Raises ScenarioError.
    """
    own = _read_toml(path) if path else {}
    flags = {
        key: Given(value, FLAGS, Path()) for key, value in _dotted(overrides) if value is not None
    }
    _check_names(own, flags)
    asked = {**own, **flags}
    name = Given(path.stem, str(path), Path()) if path else Given("scenario", FLAGS, Path())
    tables = _nested({"name": name, **_profile_asked(asked), **asked})
    for group, parent in PARENTS.items():
        _inherit(tables, group, parent)
    return tables


def profiles() -> tuple[str, ...]:
    """The names of the profiles that `pool` may give."""
    return tuple(sorted(path.stem for path in PROFILES.glob("*.toml")))


def parted(key: str) -> list[str]:
    """The tables that a key is in, then its own name."""
    return key.split(".", DEPTHS.get(key.partition(".")[0], 0))


def at(key: str, tables: Tables) -> Any:
    """What is there: a value Given, a table, or None."""
    place: Any = tables
    for part in parted(key):
        place = place.get(part) if isinstance(place, dict) else None
    return place


def replaced(own: Mapping[str, object]) -> set[str]:
    """The keys that a class does not inherit beside these of its own."""
    ways = (
        _WITHOUT[key]
        if key in _WITHOUT and str(value).strip().lower() == "none"
        else _INSTEAD.get(key, ())
        for key, value in own.items()
    )
    return set[str]().union(*ways)


def printable(text: str) -> str:
    """The text on one line, whatever was in a file's name or a key."""
    return "".join(character if character.isprintable() else " " for character in text)


def _read_toml(path: Path) -> dict[str, Given]:
    """The keys of a file, dotted, each with its value and where it was."""
    try:
        tables = tomllib.loads(read_text(path, _TOML_BYTES_MAX))
    except (ScenarioError, ValueError) as mistake:
        text = str(mistake) if isinstance(mistake, ScenarioError) else f"not TOML: {mistake}"
        raise ScenarioError(printable(f"{path}: {text}")) from None
    except RecursionError:
        raise ScenarioError(f"{path}: not a scenario: nested too deeply") from None
    for group in GROUPS:
        inner = tables.get(group)
        for name in inner if isinstance(inner, dict) else ():
            _check_name(name, group, str(path))
    return {key: Given(value, str(path), path.parent) for key, value in _dotted(tables)}


def _dotted(tables: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The keys in tables and in groups of tables; an empty table stands for itself."""
    for key, value in tables.items():
        yield from _opened(key, value, DEPTHS.get(key, 0))


def _opened(key: str, value: object, depth: int) -> Iterator[tuple[str, object]]:
    if not depth or not value or not isinstance(value, Mapping):
        yield key, value
        return
    for inner, found in value.items():
        yield from _opened(f"{key}.{inner}", found, depth - 1)


def _check_names(own: Mapping[str, Given], flags: Mapping[str, Given]) -> None:
    """A name that flags give must be one of the file's, if it has any: else it is a slip."""
    for group in GROUPS:
        known = _names(group, own)
        for name in _names(group, flags):
            _check_name(name, group, FLAGS)
            if known and name not in known:
                what = f"the file has no such {_ONE[group]}; known are {', '.join(known)}"
                _refuse(FLAGS, f"{group}.{name}", what + nearest(name, known))


def _names(group: str, given: Mapping[str, Given]) -> list[str]:
    """The names in a group of tables, as they come."""
    parts = (key.split(".") for key in given)
    return list(dict.fromkeys(names[1] for names in parts if names[0] == group and names[1:]))


def _check_name(name: str, group: str, where: str) -> None:
    if re.fullmatch(NAME, name) is None:
        _refuse(where, group, f"{quoted(name)}: expected at most 64 letters, digits, _ and -")


def _refuse(where: str, key: str, what: str) -> NoReturn:
    raise ScenarioError(printable(f"{where}: {key}: {what}"))


def _profile_asked(given: dict[str, Given]) -> dict[str, Given]:
    """The keys of the profile that is asked for, by the flags before the file; no longer asked."""
    asked = [given.pop(key) for key in _POOL if key in given]
    asked.sort(key=lambda pool: pool.where != FLAGS)
    return _profile(asked[0], "pool") if asked else {}


def _profile(pool: Given, key: str) -> dict[str, Given]:
    if pool.value not in profiles():
        known = ", ".join(profiles())
        what = f"{quoted(pool.value)}: no such profile; known are {known}"
        _refuse(pool.where, key, what + nearest(str(pool.value), profiles()))
    return _read_toml(PROFILES / f"{pool.value}.toml")


def _nested(given: Mapping[str, Given]) -> Tables:
    tables: Tables = {}
    for key, value in given.items():
        *path, last = parted(key)
        place: Any = tables
        for part in path:
            place = place.setdefault(part, {}) if isinstance(place, dict) else None
        if isinstance(place, dict):  # else the table itself is a mistake
            _put(place, last, value, table=len(path) < DEPTHS.get(parted(key)[0], 0))
    return tables


def _put(place: Tables, name: str, value: Given, *, table: bool) -> None:
    if table and value.value == {}:
        place.setdefault(name, {})
    else:
        place[name] = value


def _inherit(tables: Tables, group: str, parent: str) -> None:
    """Put what the tables of a group inherit under what is their own."""
    shared, inner = tables.get(parent, {}), tables.get(group, {})
    if not isinstance(shared, dict) or not isinstance(inner, dict):
        return  # itself a mistake, which is told
    owned = {name: own for name, own in inner.items() if isinstance(own, dict)}
    _check_effect(shared, list(owned.values()), group, parent)
    for name, own in owned.items():
        inner[name] = {**_inherited(shared, own), **_of_profile(own, f"{group}.{name}"), **own}


def _inherited(shared: Tables, own: Tables) -> Tables:
    gone = _replaced_by(own)
    return {key: replace(given, inherited=True) for key, given in shared.items() if key not in gone}


def _replaced_by(own: Tables) -> set[str]:
    return replaced({key: given.value for key, given in own.items()})


def _of_profile(own: Tables, table: str) -> Tables:
    """What the profile says that a kind of slots names."""
    if "pool" not in own or not table.startswith("kinds."):
        return {}
    profile = _profile(own.pop("pool"), f"{table}.pool")
    return {key.removeprefix("slots."): given for key, given in profile.items()}


def _check_effect(shared: Tables, owned: list[Tables], group: str, parent: str) -> None:
    """A flag for all must not be lost on a file where each class has its own."""
    for key, given in shared.items():
        own = [table[key] for table in owned if key in table]
        told = given.where == FLAGS and own and all(each.where != FLAGS for each in own)
        if told and len(own) == len(owned):
            what = f"has no effect, for each {_ONE[group]} has its own; set {group}.NAME.{key}"
            _refuse(FLAGS, f"{parent}.{key}", what)
