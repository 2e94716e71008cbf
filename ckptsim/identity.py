"""What tells one experiment from another: what it runs, by which code, on which arithmetic.

Equal identities give equal numbers, to the last bit: so partial results are taken up only by an
equal experiment, and a cluster's workers must be as this process is.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel

from ckptsim.lifetimes import Bathtub, Exponential, Gamma, LogLogistic, LogNormal, Weibull

PACKAGE = Path(__file__).parent
LIBRARIES = ("ckptsim", "numpy", "scipy", "simpy", "numba")
ONLY_TELLS = ("commands", "plots", "lesson", "htcondor", "drivers/real")
"""Folders of the package whose code tells people, or runs real jobs: no experiment's number
depends on it."""
LAWS = (
    Exponential(1.0),
    Weibull(0.7, 1.0),
    LogNormal(1.0, 0.8),
    LogLogistic(1.0, 1.5),
    Gamma(2.5, 1.0),
    Bathtub(0.45, 1.0, 0.8, 24.0),
)


class Maker(NamedTuple):
    """What makes the numbers of a process; two that are equal make equal ones."""

    code: str
    arithmetic: str


@lru_cache(1)
def maker() -> Maker:
    """The one of this process."""
    return Maker(code(PACKAGE), arithmetic())


def code(package: Path) -> str:
    """A digest of the modules that decide numbers, and of the libraries they use."""
    digest = hashlib.sha256(repr([platform.python_version(), *map(release, LIBRARIES)]).encode())
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if not name.startswith(tuple(f"{folder}/" for folder in ONLY_TELLS)):
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def release(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def arithmetic() -> str:
    """A digest of the laws' quantiles: processors differ in the last bit of a logarithm."""
    u = (np.arange(4096) + 0.5) / 4096
    return hashlib.sha256(b"".join(law.quantile(u).tobytes() for law in LAWS)).hexdigest()


def identity(*values: object) -> str:
    """A digest of values such as scenarios and worlds, the same in every process."""
    return hashlib.sha256(json.dumps([canonical(value) for value in values]).encode()).hexdigest()


def canonical(value: object) -> Any:
    """The value as JSON takes it, with all that tells it from another."""
    match value:
        case Enum():
            return [type(value).__name__, value.name]
        case None | bool() | int() | float() | str():
            return value
        case np.ndarray():
            return [value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).hexdigest()]
        case np.generic():
            return value.item()
        case Path():
            return str(value)
        case BaseModel():
            inner = {name: getattr(value, name) for name in type(value).model_fields}
            return [type(value).__name__, canonical(inner)]
        case Mapping():
            return {str(key): canonical(each) for key, each in value.items()}
        case list() | tuple():
            return [canonical(each) for each in value]
    assert is_dataclass(value), f"a {type(value).__name__} has no canonical form"
    compared = [each.name for each in fields(value) if each.compare]
    return [type(value).__name__, *(canonical(getattr(value, name)) for name in compared)]
