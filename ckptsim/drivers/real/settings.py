"""The pool's configuration: POOL.toml, read at the door; times in seconds inside."""

import math
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ckptsim import units
from ckptsim.errors import CkptsimError, nearest

POLICY = {
    "START": "True",
    "PREEMPT": "False",
    "WANT_VACATE": "True",
    "MaxJobRetirementTime": "0",
    "MachineMaxVacateTime": "600",
    "PERIODIC_CHECKPOINT": "time() - LastPeriodicCheckpoint > 10800",
    "CLAIM_WORKLIFE": "1200",
    "CHECK_REACTIVATE_AFTER_CHECKPOINT": "True",
}
"""HTCondor 25.14's own defaults (htcondor-rules.md 12)."""

INTERVALS = {"negotiation": 1.0, "periodic": 5.0, "policy": 5.0, "update": 300.0}
"""HTCondor's are 60 s, 60 s, 5 s and 300 s; whoever watches a pool wants the first two sooner."""

DETECTION_S = 385.0
"""How long a machine that falls silent goes unnoticed (TCP keepalive: htcondor-rules.md 4)."""

MOST = 10_000  # machines, or processors of one
_EXAMPLE = "see `ckptsim pool start --help`"


class PoolFileError(CkptsimError):
    """A POOL.toml that cannot be understood."""


class MachineSettings(NamedTuple):
    """One machine; memory in MiB, disk in KiB; `policy` by HTCondor's names."""

    name: str
    cpus: int
    memory_mb: int
    disk_kb: int
    gpus: int
    policy: Mapping[str, str]


class Settings(NamedTuple):
    """A pool; intervals in seconds."""

    machines: tuple[MachineSettings, ...]
    negotiation_s: float = INTERVALS["negotiation"]
    periodic_s: float = INTERVALS["periodic"]
    policy_s: float = INTERVALS["policy"]
    update_s: float = INTERVALS["update"]
    detection_s: float = DETECTION_S
    milliseconds: bool = False
    delays: bool = True  # does the access point take its time as HTCondor's does?


def default() -> Settings:
    """One machine, with this host's processors."""
    return Settings((machine("local", os.cpu_count() or 1, POLICY),))


def machine(name: str, cpus: int, policy: Mapping[str, str]) -> MachineSettings:
    """A machine with 1 GiB of memory and 10 GiB of disk a processor."""
    return MachineSettings(name, cpus, 1024 * cpus, 10 * 1024**2 * cpus, 0, policy)


def read(path: Path) -> Settings:
    """Read a POOL.toml; raises PoolFileError, one line that says where."""
    try:
        return settings_of(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PoolFileError(f"{path}: {(error.strerror or '').lower()}; {_EXAMPLE}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PoolFileError(f"{path}: not a TOML file: {error}") from None
    except PoolFileError as mistake:
        raise PoolFileError(f"{path}: {mistake}") from None


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings that a POOL.toml's tables ask for."""
    only("", given, ("milliseconds", "delays", "intervals", "policy", "machines"))
    intervals = table("intervals", given)
    only("intervals", intervals, (*INTERVALS, "detection"))
    common = {**POLICY, **policy_of("policy", table("policy", given))}
    machines = given.get("machines", [{"name": "local", "slots": os.cpu_count() or 1}])
    if not isinstance(machines, list) or not machines:
        raise PoolFileError("machines: expected tables, as in [[machines]]")
    found = tuple(machine_of(f"machines[{at}]", each, common) for at, each in enumerate(machines))
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise PoolFileError("machines: two have the same name")
    return Settings(
        found,
        negotiation_s=interval("negotiation", intervals, INTERVALS["negotiation"]),
        periodic_s=interval("periodic", intervals, INTERVALS["periodic"]),
        policy_s=interval("policy", intervals, INTERVALS["policy"]),
        update_s=interval("update", intervals, INTERVALS["update"]),
        detection_s=interval("detection", intervals, DETECTION_S),
        milliseconds=yes("milliseconds", given.get("milliseconds", False)),
        delays=yes("delays", given.get("delays", True)),
    )


def machine_of(where: str, given: Any, common: Mapping[str, str]) -> MachineSettings:
    if not isinstance(given, dict):
        raise PoolFileError(f"{where}: expected a table")
    only(where, given, ("name", "slots", "memory", "disk", "gpus", "policy"))
    name = given.get("name")
    if not isinstance(name, str) or not name.replace("-", "").replace("_", "").isalnum():
        raise PoolFileError(f"{where}.name: {name!r}: expected letters, digits, - and _")
    cpus = count(f"{where}.slots", given.get("slots", 1))
    usual = machine(name, cpus, common)
    return MachineSettings(
        name,
        cpus,
        amount(f"{where}.memory", given, 1024**2, usual.memory_mb),
        amount(f"{where}.disk", given, 1024, usual.disk_kb),
        count(f"{where}.gpus", given.get("gpus", 0), least=0),
        {**common, **policy_of(f"{where}.policy", table("policy", given, f"{where}."))},
    )


def policy_of(where: str, given: Mapping[str, Any]) -> dict[str, str]:
    """The expressions by their proper names; HTCondor does not tell capitals apart."""
    proper = {name.lower(): name for name in POLICY}
    found = {}
    for name, value in given.items():
        if name.lower() not in proper:
            known = ", ".join(POLICY)
            raise PoolFileError(
                f"{key(where, name)}: no such policy{nearest(name, POLICY)}; known are {known}"
            )
        found[proper[name.lower()]] = expression(key(where, name), value)
    return found


def expression(where: str, value: Any) -> str:
    """A number, truth value or ClassAd expression, as a ClassAd expression that can be read."""
    from ckptsim.htcondor.jobcommands import expression as parsed

    endless = isinstance(value, float) and not math.isfinite(value)
    if endless or not isinstance(value, int | float | str):
        found = units.quoted(value)
        raise PoolFileError(f"{where}: {found}: expected a number, true, false or an expression")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        parsed(text)
    except ValueError:
        raise PoolFileError(f"{where}: {text!r}: not a ClassAd expression") from None
    return text


def only(where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    known = list(known)
    for name in given:
        if name not in known:
            raise PoolFileError(
                f"{key(where, name)}: no such key{nearest(name, known)};"
                f" known are {', '.join(known)}"
            )


def key(where: str, name: str) -> str:
    """A key for a message, which is one line whatever the key is."""
    shown = name if name and name.isprintable() else repr(name)
    return f"{where}.{shown}" if where else shown


def table(name: str, given: Mapping[str, Any], where: str = "") -> Mapping[str, Any]:
    found = given.get(name, {})
    if not isinstance(found, dict):
        raise PoolFileError(f"{where}{name}: expected a table, as in [{name}]")
    return found


def interval(name: str, given: Mapping[str, Any], usual: float) -> float:
    if name not in given:
        return usual
    try:
        found = units.duration(str(given[name])) / units.SECOND
    except CkptsimError as mistake:
        raise PoolFileError(f"intervals.{name}: {mistake}") from None
    if found <= 0:
        raise PoolFileError(f"intervals.{name}: {given[name]}: must be longer than 0")
    return found


def amount(where: str, given: Mapping[str, Any], unit: int, usual: int) -> int:
    value = given.get(where.rpartition(".")[2])
    if value is None:
        return usual
    try:
        found = units.size(str(value)) // unit
    except CkptsimError as mistake:
        raise PoolFileError(f"{where}: {mistake}") from None
    if found == 0:
        given_as = units.quoted(value)
        raise PoolFileError(f"{where}: {given_as}: too little; {units.SIZE_EXAMPLE}")
    return found


def count(where: str, value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
        raise PoolFileError(f"{where}: {value!r}: expected a whole number from {least} to {MOST}")
    return value


def yes(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise PoolFileError(f"{where}: {value!r}: expected true or false")
    return value
