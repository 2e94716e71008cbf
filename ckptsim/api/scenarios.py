"""Scenarios from Python: a file or flags, checked at once, to be asked about and to be changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from ckptsim.api.flags import NAMES, Flags, keys_of, takes_flags
from ckptsim.api.markup import html, markdown
from ckptsim.commands.options import loaded, not_none
from ckptsim.report import settings_in
from ckptsim.scenario import Scenario as Checked
from ckptsim.scenario import describe
from ckptsim.terminal import Rows, table, text


@dataclass(frozen=True, repr=False)
class Scenario:
    """A question: a file, if any, with what was said on top of it.

    Its values are read and checked when it is made; `to_dict` has them, defaults included.
    """

    file: Path | None
    given: Mapping[str, object]  # scenario keys, as they were given
    checked: Checked

    @takes_flags
    def but(self, **flags: Unpack[Flags]) -> "Scenario":
        """The same with other flags on top; None takes back what an earlier flag said.

        >>> import ckptsim as cs
        >>> usual = cs.scenario(limit="6h", evictions="12h", write="4min")
        >>> usual.but(limit="8h")
        scenario(limit='8h', evictions='12h', write='4min')
        """
        return made(self.file, {**self.given, **keys_of(flags)})

    def over(self, learned: Mapping[str, object]) -> Checked:
        """As checked, with what was learned between the file and the flags."""
        return said_over(self.file, {**learned, **not_none(self.given)})

    def to_dict(self) -> dict[str, object]:
        """The whole scenario as text that a file may say: what `scenario` is in each answer."""
        return describe(self.checked)

    @property
    def rows(self) -> Rows:
        keys = [[key, str(value)] for key, value in settings_in(self.to_dict(), "")]
        return table([["key", "value"], *keys], self.checked.name)

    def __str__(self) -> str:
        return text([self.rows]).rstrip("\n")

    def __repr__(self) -> str:
        file = [repr(str(self.file))] if self.file else []
        told = [f"{name}={value!r}" for name, value in self.named().items()]
        return f"{'load' if file else 'scenario'}({', '.join([*file, *told])})"

    def named(self) -> dict[str, Any]:
        """What was given, by the names of flags; the other keys together, as settings."""
        given = not_none(self.given)
        flags = {NAMES[key]: value for key, value in given.items() if key in NAMES}
        settings = {key: value for key, value in given.items() if key not in NAMES}
        return {**flags, "settings": settings} if settings else flags

    def _repr_html_(self) -> str:
        return html([self.rows])

    def _repr_markdown_(self) -> str:
        return markdown([self.rows])


Asked = Scenario | str | PathLike[str] | None
"""What a function is asked about: a scenario, the path of its file, or nothing but flags."""


@takes_flags
def scenario(**flags: Unpack[Flags]) -> Scenario:
    """A scenario of flags, those of `ckptsim plan` with underscores; times are text or timedelta.

    Raises CkptsimError.

    >>> import ckptsim as cs
    >>> from datetime import timedelta
    >>> cs.scenario(limit=timedelta(hours=6), evictions="12h", write="4min", transfer="1min")
    scenario(limit='6h', evictions='12h', write='4min', transfer='1min')
    >>> cs.scenario(limit=6)
    Traceback (most recent call last):
    ...
    ckptsim.errors.ScenarioError: --limit: 6: no unit; write for example 6min
    """
    return made(None, keys_of(flags))


@takes_flags
def load(file: str | PathLike[str], **flags: Unpack[Flags]) -> Scenario:
    """The scenario of a TOML file, changed by flags.

    Raises CkptsimError.

    >>> import ckptsim as cs
    >>> cs.load("scenarios/84-minutes.toml", limit="8h").to_dict()["slots"]["limit"]
    '8h'
    """
    return made(Path(file), keys_of(flags))


def asked_of(asked: Asked, flags: Flags, function: Callable[..., Any]) -> Scenario:
    """What a function was asked about, with its flags on top."""
    parameters = signature(function).parameters.values()
    given = keys_of(flags, [each.name for each in parameters if each.kind is each.KEYWORD_ONLY])
    if isinstance(asked, Scenario):
        return made(asked.file, {**asked.given, **given})
    return made(None if asked is None else Path(asked), given)


def made(file: Path | None, given: Mapping[str, object]) -> Scenario:
    return Scenario(file, given, said_over(file, not_none(given)))


def said_over(file: Path | None, given: Mapping[str, object]) -> Checked:
    """What the door makes of it; its mistakes name flags where a flag stands for the key."""
    return loaded(file, given, set(given) & set(NAMES))
