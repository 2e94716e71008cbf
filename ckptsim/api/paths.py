"""Paths as they come from Python: one, or several."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

Paths = str | PathLike[str] | Iterable[str | PathLike[str]]


def listed_paths(given: Paths) -> list[Path]:
    """All of them."""
    return [Path(given)] if isinstance(given, str | PathLike) else list(map(Path, given))
