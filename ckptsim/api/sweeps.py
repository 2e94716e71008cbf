"""`sweep`: one or two scenario keys over ranges."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Unpack

import numpy as np

from ckptsim.api.experiments import experiment, precision_of
from ckptsim.api.flags import KEYS, Flags, Time, count, listed, takes_flags
from ckptsim.api.scenarios import Asked, Scenario, asked_of
from ckptsim.api.shown import Shown, drawn
from ckptsim.commands.sweep import LEASES, axes_of, best_told, document, runnable, told
from ckptsim.scenario import Scenario as Checked
from ckptsim.sweep import Settings, grid
from ckptsim.sweep import sweep as swept

Over = Mapping[str, Time | Sequence[Time | float]]
"""The key to vary, `job.interval` or a flag's name, and its values: a list, or a range as text."""


class Sweep(Shown):
    """Points, each with what it comes to. The table is `points`, the picture `map`."""

    @property
    def points(self) -> Sequence[Mapping[str, Any]]:
        """The rows of the table."""
        points: Sequence[Mapping[str, Any]] = self.document["points"]
        return points

    @property
    def best(self) -> Mapping[str, Any]:
        """The point at which most slot time is useful."""
        return self.points[int(np.nanargmax([each["useful_fraction"] for each in self.points]))]


@takes_flags
def sweep(
    asked: Asked = None,
    /,
    *,
    over: Over,
    leases: int = LEASES,
    engine: str | None = None,
    precision: str | float | None = None,
    replications_max: int | None = None,
    **flags: Unpack[Flags],
) -> Sweep:
    """Vary one or two keys of a scenario over ranges; every point meets the same fates.

    The arguments are those of `ckptsim sweep`; `over` has one or two keys with their values.
    Ctrl-C stops it all. Raises CkptsimError.

    >>> import ckptsim as cs
    >>> costs = dict(limit="6h", write="4min", transfer="1min")
    >>> found = cs.sweep(**costs, over={"interval": ["70min", "84min"]}, leases=100)
    >>> found
    <Sweep: Most useful: 93.3 % of slot time at job.interval = 1 h 24 min.>
    >>> found.best["job.interval_s"]
    5040.0
    """
    question = asked_of(asked, flags, sweep)
    axes = axes_of([f"{KEYS.get(key, key)}={listed(values)}" for key, values in over.items()])
    points = [(settings, at(question, settings)) for settings in grid(axes)]
    each, wanted = count("--leases", leases, 1), precision_of(precision, replications_max)
    with experiment("sweeping", engine) as (means, bar):
        frame = swept(axes, points, each, bar, means, wanted)
    scenario, columns = points[0][1], [axis.column for axis in axes]
    return Sweep(
        best_told(frame, axes),
        partial(told, frame, axes, scenario, len(points)),
        document(frame, scenario, len(points)),
        {"points": frame.copy},
        {"map": partial(drawn, "sweep_figure", frame, columns, "useful_fraction")},
    )


def at(question: Scenario, settings: Settings) -> Checked:
    """The scenario at one point."""
    return runnable(question.but(settings=settings).checked)
