"""`plan`: how often to checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from ckptsim.api.experiments import as_typed, experiment
from ckptsim.api.flags import Flags, Time, count, listed, takes_flags
from ckptsim.api.paths import Paths, listed_paths
from ckptsim.api.scenarios import Asked, asked_of
from ckptsim.api.shown import Shown, drawn
from ckptsim.commands import plan_pool
from ckptsim.commands.experiment_options import FLAGS_OF_EXPERIMENTS
from ckptsim.commands.options import inputs, no_effect
from ckptsim.commands.plan import (
    COMPUTED,
    CONFIRMING_LEASES,
    aimed_at,
    answered,
    asked_for,
    told_of,
)
from ckptsim.commands.plan_evidence import from_logs, learned
from ckptsim.commands.plan_modes import Without
from ckptsim.commands.plan_told import badput_frame, curve_frame, headline
from ckptsim.doubt import BAND
from ckptsim.objective import Objective
from ckptsim.pool_plan import plan_pool as planned
from ckptsim.scenario import Scenario as Checked
from ckptsim.search import MARGIN

if TYPE_CHECKING:
    import pandas as pd

    from ckptsim.commands.plan_answer import Answer
    from ckptsim.pool_plan import PoolPlan


@dataclass(frozen=True)
class Interval:
    """What an interval is worth, seconds and shares; None where there is no such number."""

    interval_s: float | None
    useful_fraction: float | None
    useful_fraction_with_gap: float | None = None
    useful_fraction_ci99: tuple[float, float] | None = None
    work_per_lease_s: float | None = None
    checkpoints_per_lease: float | None = None
    checkpoints_fitting: int | None = None
    regret: float | None = None
    makespan_s: float | None = None
    never_finishes: bool | None = None
    objective_value: float | None = None


@dataclass(frozen=True)
class Cliff:
    """Where one checkpoint fewer fits a lease, and what that costs."""

    interval_s: float
    interval_beyond_s: float
    checkpoints_fitting: int | None
    checkpoints_fitting_beyond: int | None
    useful_fraction: float
    useful_fraction_beyond: float


@dataclass(frozen=True)
class Within:
    """The ranges of intervals that are within so many per cent of the best."""

    percent: float
    ranges_s: tuple[tuple[float, float], ...]


class Plan(Shown):
    """How often to checkpoint, what that costs, and how sure it is.

    Tables: of one job `curve` and `badput`, without an interval `modes`; of a pool `curve`.
    Pictures: `curve`, and of one job `badput`, `trade_off`, and where there is one `lease` and
    `makespan`.
    """

    @property
    def best(self) -> Interval:
        """The answer: the best interval, in whole steps if the job has them; of a pool, of all."""
        return interval_of(self._recommended)

    @property
    def interval_s(self) -> float | None:
        """The best interval in seconds; None where there is none to choose."""
        return self.best.interval_s

    @property
    def useful_fraction(self) -> float:
        """Committed work / slot time with it."""
        return float(self._recommended["useful_fraction"])

    @property
    def makespan_s(self) -> float | None:
        """How long one job takes with it on average, if jobs have an end."""
        return self.best.makespan_s

    @property
    def present(self) -> Interval | None:
        """The interval in use, if one is given for one job."""
        present = self.document.get("present")
        return interval_of(present) if present and "interval_s" in present else None

    @property
    def curve(self) -> tuple[Interval, ...]:
        """The intervals that were asked for; of a pool, all that were looked at."""
        return tuple(map(interval_of, self.document.get("curve", ())))

    @property
    def cliffs(self) -> tuple[Cliff, ...]:
        """Where one checkpoint fewer fits."""
        return tuple(Cliff(**cliff) for cliff in self.document.get("cliffs", ()))

    @property
    def within(self) -> Within | None:
        """The intervals that are as good as the best; None of a pool, or without an interval."""
        found = self.document.get("within")
        return found and Within(found["percent"], tuple(map(tuple, found["ranges_s"])))

    @property
    def _recommended(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (
            self.document["best_common"]
            if "best_common" in self.document
            else self.document["recommended"]
        )
        return found


@takes_flags
def plan(
    asked: Asked = None,
    /,
    *,
    logs: Paths = (),
    intervals: Time | Sequence[Time] | None = None,
    confirm: int | None = None,
    objective: str = "useful",
    within: str | float | None = None,
    band: str | float | None = None,
    engine: str | None = None,
    precision: str | float | None = None,
    replications_max: int | None = None,
    **flags: Unpack[Flags],
) -> Plan:
    """How often to checkpoint: the best interval for a scenario, its file, or flags alone.

    The arguments are those of `ckptsim plan`: `logs` job event logs to learn from, `intervals` to
    be valued too, `confirm` so many leases simulated (5000; 0 for none), `objective` what is to be
    best, `within` and `band` shares such as "5%". `engine`, `precision` and `replications_max` are
    for a pool, whose answer is simulated. Ctrl-C stops it all. Raises CkptsimError.

    >>> import ckptsim as cs
    >>> found = cs.plan(limit="6h", evictions="12h", write="4min", transfer="1min", confirm=0)
    >>> found
    <Plan: Checkpoint every 1 h 25 min of computing.>
    >>> found.interval_s, round(found.useful_fraction, 3)
    (5100, 0.887)
    >>> [[round(end / 60, 1) for end in ends] for ends in found.within.ranges_s]
    [[54.9, 55.0], [66.3, 67.0], [83.8, 85.0], [114.5, 115.0]]
    >>> [cliff.checkpoints_fitting for cliff in found.cliffs if cliff.interval_s > 3600]
    [5, 4, 3, 2, 1]
    """
    question = asked_of(asked, flags, plan)
    evidence = learned(inputs((), map(str, listed_paths(logs))).logs)
    known = from_logs(evidence, sized=bool(question.given.get("job.size")))
    scenario = question.over(known) if known else question.checked
    valued = asked_for(listed(intervals)) if intervals else []
    experiments = {
        "engine": engine,
        "precision": as_typed(precision),
        "replications_max": replications_max,
    }
    if scenario.is_pool:
        refuse({"leases": confirm, "margin": within, "band": band}, OF_A_POOL)
        return of_a_pool(scenario, valued, aimed_at(objective, scenario), experiments)
    refuse(experiments, {name: (FLAGS_OF_EXPERIMENTS[name], COMPUTED) for name in experiments})
    leases = CONFIRMING_LEASES if confirm is None else count("--confirm", confirm, 0)
    margin, wide = str(MARGIN if within is None else within), str(BAND if band is None else band)
    found = answered(scenario, evidence, valued, leases, objective, margin, wide)
    with experiment("confirming by simulation", None) as (means, bar):
        found.confirm(bar, means)
    return of_one_job(found)


OF_A_POOL = {name: (flag, plan_pool.OF_A_POOL) for name, flag in plan_pool.OF_ONE_JOB.items()}


def refuse(given: Mapping[str, object], flags: Mapping[str, tuple[str, str]]) -> None:
    """Refuse what would have no effect: flags, and why."""
    for name, value in given.items():
        if value is not None:
            raise no_effect(*flags[name])


def of_one_job(found: "Answer | Without") -> Plan:
    """The answer for one job."""
    told = partial(told_of, found)
    if isinstance(found, Without):
        document = found.json()
        modes = partial(frame_of, document["modes"])
        return Plan(found.headline, told, document, {"modes": modes}, {})
    advice = found.advice
    frames = {"curve": partial(curve_frame, advice), "badput": partial(badput_frame, advice)}
    figures = {
        "curve": partial(drawn, "plan_figure", advice),
        "badput": partial(drawn, "badput_figure", advice),
        "trade_off": partial(drawn, "trade_off_figure", advice),
    }
    if advice.policy:
        figures["lease"] = partial(drawn, "lease_figure", advice)
    whole = advice.whole(advice.best)
    if advice.makespans and whole and not whole.is_certain:
        figures["makespan"] = partial(drawn, "makespan_law_figure", advice)
    return Plan(headline(advice), told, found.json(), frames, figures)


def of_a_pool(
    scenario: Checked, valued: Sequence[int], aim: Objective, experiments: Mapping[str, Any]
) -> Plan:
    """The answer for a pool."""
    effort = plan_pool.effort_from(experiments)
    with experiment("trying intervals", experiments["engine"]) as (means, bar):
        found = planned(scenario, plan_pool.aimed(aim), valued, effort, means, bar)
    return of_trials(found)


def of_trials(found: "PoolPlan") -> Plan:
    return Plan(
        plan_pool.headline(found),
        partial(plan_pool.told, found),
        plan_pool.document(found),
        {"curve": partial(plan_pool.curve_frame, found)},
        {"curve": partial(drawn, "pool_plan_figure", found)},
    )


def interval_of(document: Mapping[str, Any]) -> Interval:
    """Those of its fields that an interval has."""
    known: dict[str, Any] = {each.name: document.get(each.name) for each in fields(Interval)}
    return Interval(**known)


def frame_of(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows)
