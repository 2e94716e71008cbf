"""`fit`: laws of how slots are lost, from logs, tables, data frames and arrays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from ckptsim.api.paths import Paths, listed_paths
from ckptsim.api.shown import Shown
from ckptsim.commands.audit import all_matching
from ckptsim.commands.fit import document, drawn_survival, of_cells, of_files
from ckptsim.commands.fit_told import Findings, duration, in_slots, to_plan_with, told
from ckptsim.errors import DataError
from ckptsim.fit import Risk
from ckptsim.observed import Cells
from ckptsim.survival import kaplan_meier

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FittedLaw:
    """The law that was chosen for one way of losing slots: `key` is where a scenario says it."""

    key: str
    law: str
    ends: int
    censored: int
    exposure_s: float
    mean_s: float
    mean_ci95_s: tuple[float, float] | None


@dataclass(frozen=True, repr=False, eq=False)
class Fit(Shown):
    """Laws of how slots are lost, and how sure they are.

    The table is `laws`: all that were tried. There is a picture of each key: `evictions`, ….
    """

    flags: Mapping[str, str]
    """What a scenario takes from it: `cs.plan(**found.flags, write="4min")`."""

    @property
    def laws(self) -> tuple[FittedLaw, ...]:
        """The law of each way of losing slots."""
        return tuple(map(law_of, self.document["laws"]))

    @property
    def limit_s(self) -> float | None:
        """The runtime limit that leases ended at, if one was seen."""
        limit_s: float | None = self.document["limit_s"]
        return limit_s

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found, in words."""
        return tuple(self.document["sentences"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out."""
        return tuple(self.document["warnings"])


def fit(
    data: "Paths | pd.DataFrame | pd.Series[float] | Iterable[float]",
    /,
    *,
    column: str | None = None,
    observed: str | None = None,
    censored: str | None = None,
    cause: str | None = None,
) -> Fit:
    """Learn how slots are lost: laws of evictions and power failures, and how sure they are.

    `data` are paths as `ckptsim fit` takes them (job event logs, a CSV table, a trace), or a data
    frame, or lifetimes in seconds, all of them seen to their end. The other arguments name columns
    of a table, as the command's flags do; a column of times, or a series with a name, is in what
    its name ends in: `_s`, `_min`, `_h`, `_d` or another unit. Raises CkptsimError.

    >>> import ckptsim as cs
    >>> import pandas as pd
    >>> lives = pd.DataFrame({"lifetime_h": [2, 3, 5, 8, 8], "observed": [1, 1, 1, 1, 0]})
    >>> found = cs.fit(lives)
    >>> [(law.key, law.law, law.ends, law.censored) for law in found.laws]
    [('slots.evictions', 'exponential(mean=6h30min)', 4, 1)]
    >>> cs.scenario(**found.flags, write="4min")
    scenario(evictions='exponential(mean=6h30min)', write='4min')
    """
    columns = {"column": column, "observed": observed, "censored": censored, "cause": cause}
    asked = {name: each for name, each in columns.items() if each}
    if is_paths(data):
        return of_findings(of_files(all_matching(map(str, listed_paths(data))), asked))
    return of_findings(of_cells(cells_of(data), asked))


def cells_of(data: Any) -> Cells:
    """A data frame, or lifetimes in seconds, as a table of text."""
    import pandas as pd

    if isinstance(data, pd.Series):
        data = data.to_frame(data.name or "lifetime_s")
    frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame({"lifetime_s": list(data)})
    if frame.empty:
        raise DataError("data: no rows in it; expected lifetimes in seconds, or a table of them")
    rows = frame.itertuples(index=False, name=None)
    text = tuple((place, tuple(map(cell, row))) for place, row in enumerate(rows))
    return Cells("data", tuple(map(str, frame.columns)), text, in_file=False)


def is_paths(data: object) -> TypeGuard[Paths]:
    """Is it a path, or a list of them, rather than of numbers?"""
    if isinstance(data, list | tuple):
        return bool(data) and all(map(is_paths, data))
    return isinstance(data, str | PathLike)


def cell(value: Any) -> str:
    """A cell as it would stand in a file; without a value it is empty."""
    import pandas as pd

    if isinstance(value, bool | np.bool_):
        return str(int(value))
    missing = np.ndim(value) == 0 and pd.isna(value)
    return "" if missing else str(value)


def of_findings(found: Findings) -> Fit:
    flags = {risk.key.removeprefix("slots."): to_plan_with(risk) for risk in in_slots(found)}
    if found.limit_s:
        flags["limit"] = duration(found.limit_s)
    read = document(found)
    return Fit(
        found.sentences[0],
        partial(told, found),
        read,
        {"laws": partial(laws_frame, read)},
        {
            risk.key.removeprefix("slots."): partial(drawn, risk)
            for risk in found.risks
            if risk.lifetimes.durations_s
        },
        flags,
    )


def drawn(risk: Risk) -> "Figure":
    """What was observed beside what was fitted."""
    return drawn_survival(risk, kaplan_meier(risk.lifetimes))


def law_of(told: Mapping[str, Any]) -> FittedLaw:
    """The chosen law with its mean, which is told of each law that was tried."""
    (chosen,) = (each for each in told["tried"] if each["law"] == told["law"])
    counts = {name: told[name] for name in ("key", "law", "ends", "censored", "exposure_s")}
    return FittedLaw(**counts, mean_s=chosen["mean_s"], mean_ci95_s=chosen["mean_ci95_s"])


def laws_frame(read: Mapping[str, Any]) -> "pd.DataFrame":
    """All laws that were tried, by key; times in seconds."""
    import pandas as pd

    columns = ("law", "mean_s", "loglik", "aicc", "misfit", "p_value")
    rows = [
        {"key": of["key"], "chosen": each["law"] == of["law"]}
        | {column: each[column] for column in columns}
        for of in read["laws"]
        for each in of["tried"]
    ]
    return pd.DataFrame(rows)
