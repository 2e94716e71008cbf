"""`ckptsim plan` of a pool: what the trials found, told with its confidence."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckptsim.bound import Bound
from ckptsim.commands.experiment_options import experiment, share
from ckptsim.commands.options import deliver, engine_told, refuse_given
from ckptsim.errors import ScenarioError
from ckptsim.estimate import Estimate
from ckptsim.objective import Kind, Objective
from ckptsim.pool_bound import intervals_of
from ckptsim.pool_plan import SHARES, WITHIN, Effort, Gain, PoolPlan, plan_pool
from ckptsim.report import Report
from ckptsim.saturation import is_saturated
from ckptsim.scenario import Scenario, describe
from ckptsim.selection import Stop
from ckptsim.terminal import percent, progress, strong, table
from ckptsim.trials import Aim, Choice
from ckptsim.units import LONGEST, nanoseconds, seconds, show

if TYPE_CHECKING:
    import pandas as pd

AIMS = {Kind.USEFUL: Aim.USEFUL, Kind.MAKESPAN: Aim.MAKESPAN}
OF_ONE_JOB = {"leases": "--confirm", "margin": "--within", "band": "--band"}
OF_A_POOL = "of a pool the answer is simulated"
FEWEST = 3
TOLD = 12  # intervals in a sentence
NAMES = {"present": "the present intervals", "per class": "an interval for each class"}


def answer(
    scenario: Scenario,
    asked: Sequence[int],
    aim: Objective,
    given: Mapping[str, Any],
    *,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Plan the pool and tell of it."""
    refuse_given(OF_ONE_JOB, OF_A_POOL)
    effort = effort_from(given)
    with experiment(folder, given) as means:
        with progress("trying intervals", shown=not as_json) as bar:
            found = plan_pool(scenario, aimed(aim), asked, effort, means, bar)
        deliver(
            lambda: told(found),
            lambda: document(found),
            lambda place: report_on(found, place),
            as_json=as_json,
            folder=folder,
        )


def aimed(objective: Objective) -> Aim:
    """The objective, if a pool can be planned by it."""
    if objective.kind not in AIMS:
        raise ScenarioError(
            f"--objective {objective.describe()}: not known of a pool; expected useful or makespan"
        )
    return AIMS[objective.kind]


def effort_from(given: Mapping[str, Any]) -> Effort:
    """How precise, and how many replications at most."""
    most = given["replications_max"]
    if most is not None and most < FEWEST:
        raise ScenarioError(
            f"--replications-max {most}: too few to compare; expected {FEWEST} or more"
        )
    within = WITHIN if given["precision"] is None else share(given["precision"])
    return Effort(within, most)


# In words.


def told(plan: PoolPlan) -> Iterator[Any]:
    """What is printed, in order."""
    yield strong(headline(plan))
    yield from said(plan)
    yield ""
    yield table(choice_rows(plan), "Beside it, on fates that had no part in choosing")
    yield ""
    yield from sureness(plan)


def headline(plan: PoolPlan) -> str:
    """The answer in a sentence."""
    return (
        f"Checkpoint every {show(plan.interval)} of computing, all jobs alike: "
        f"{measured(plan, plan.measure)}."
    )


def measured(plan: PoolPlan, value: Estimate) -> str:
    """The measure with its interval, as a phrase."""
    if plan.aim == Aim.USEFUL:
        spread = percent(value.half_width, 2)
        return f"{percent(value.mean, 2)} ± {spread} of slot time becomes committed work"
    spread = show(nanoseconds(value.half_width))
    return f"jobs take {show(nanoseconds(value.mean))} ± {spread} on average"


def said(plan: PoolPlan) -> Iterator[str]:
    """What the answer means: how sure, what else would be better, what no interval can beat."""
    if plan.interrupted:
        yield "Stopped early: this is what was known by then."
    yield statement(plan)
    if plan.at_edge:
        yield "The best may be beyond what was looked at; --intervals adds others."
    yield from better(plan)
    yield from link_told(plan)
    yield from bound_told(plan)
    if plan.stranded:
        yield f"With it {plan.stranded} jobs of {len(plan.sample)} replications were never done."


def statement(plan: PoolPlan) -> str:
    """What is sure of the best common interval, and how sure."""
    stage = plan.stage
    names = [show(choice.longest) for choice in stage.choices]
    text = stage.selection.statement(names, shown(plan))
    if stage.selection.stop is Stop.BUDGET:
        text += " More are allowed with --replications-max."
    left_out = len(plan.points) - len(names)
    if plan.fine and left_out:
        wrong = (1 - plan.effort.confidence) * SHARES["grid"]
        text += (
            f" {left_out} others were left out before, as surely worse, on fates of their own "
            f"(wrongly with a chance of {100 * wrong:.2g} % at most)."
        )
    return text


def shown(plan: PoolPlan) -> Any:
    """A difference of the measure for people."""
    if plan.aim == Aim.USEFUL:
        return lambda value: f"{100 * value:.2g} points"
    return lambda value: show(nanoseconds(value))


def better(plan: PoolPlan) -> Iterator[str]:
    """What is surely better than the best common interval."""
    gain = plan.recommended
    if gain is None:
        if plan.gains:
            yield "Nothing else that was tried is surely better than it."
        return
    yield (
        f"Surely better: {naming(gain)} ({intervals_told(plan, gain.choice)}), by "
        f"{difference(plan, gain.mean)}, between {difference(plan, gain.least)} and "
        f"{difference(plan, gain.most)}."
    )


def naming(gain: Gain) -> str:
    return NAMES.get(gain.name, gain.name)


def intervals_told(plan: PoolPlan, choice: Choice) -> str:
    """The intervals by class, or the one of all."""
    known = {
        name: interval
        for name, interval in zip(plan.scenario.job_classes, choice.intervals, strict=True)
        if interval < LONGEST
    }
    if len(set(known.values())) == 1:
        return show(choice.longest)
    return ", ".join(f"{name} {show(interval)}" for name, interval in known.items())


def difference(plan: PoolPlan, value: float) -> str:
    """A gain: points of slot time, or time saved."""
    if math.isinf(value):
        return "unknown"
    if plan.aim == Aim.USEFUL:
        return f"{100 * value:+.2f}".replace("-", "−") + " points"
    sign = "−" if value < 0 else "+"
    return f"{sign}{show(nanoseconds(abs(value)))}"


def choice_rows(plan: PoolPlan) -> list[list[str]]:
    """The best common interval, and what others gain over it."""
    rows = [["", "interval", "gain", "at least", "at most", "replications"]]
    rows.append(["best common", show(plan.interval), "–", "–", "–", str(len(plan.sample))])
    for gain in plan.gains:
        cells = [difference(plan, each) for each in (gain.mean, gain.least, gain.most)]
        rows.append([gain.name, intervals_told(plan, gain.choice), *cells, str(gain.replications)])
    return rows


def link_told(plan: PoolPlan) -> Iterator[str]:
    """How busy the link is, and whether it could be saturated."""
    if plan.scenario.link is None:
        return
    busy, asked = percent(plan.mean("link_busy").mean), percent(plan.demand, 0)
    if is_saturated(plan.demand):
        yield (
            f"The link is saturated, even so: the jobs ask for {asked} of what it carries, and "
            "wait for it. A faster link, smaller checkpoints or fewer slots would help; no "
            "interval does."
        )
    elif is_saturated(plan.unhindered):
        yield (
            f"The link would be saturated if each job had the interval best for it alone "
            f"({percent(plan.unhindered, 0)} of what it carries); with this one {asked} is asked "
            f"for, and it is busy {busy} of the time."
        )
    else:
        yield f"The link is busy {busy} of the time; {asked} is asked for, which it can carry."


def bound_told(plan: PoolPlan) -> Iterator[str]:
    """What no intervals can beat, for so many jobs at once."""
    bounds = plan.bounds
    exact, useful = bounds.exponential, plan.mean("useful").mean
    if not exact.waste > 0:
        return
    yield (
        f"Lower bound of the waste: {percent(exact.waste, 2)} of slot time (exponential losses; "
        f"{percent(bounds.first_order.waste, 2)} to first order, Herault et al. 2018). The best "
        f"common interval wastes {percent(1 - useful, 2)}, {(1 - useful) / exact.waste:.2f} times "
        "as much."
    )
    if bounds.caveats:
        yield f"The bound does not bind this pool strictly: {'; '.join(bounds.caveats)}."


def sureness(plan: PoolPlan) -> Iterator[str]:
    """What the confidence is about, and what ran."""
    parts = {part: percent(share_of, 0) for part, share_of in SHARES.items()}
    yield (
        f"All of this together holds with {100 * plan.effort.confidence:g} % confidence: of the "
        f"chance to be wrong {parts['grid']} is for what was left out first, {parts['best']} for "
        f"the best common interval, {parts['gains']} for the gains."
    )
    yield (
        f"Measured: {MEASURES[plan.aim]}{window(plan)}. Simulated with "
        f"{engine_told(plan.engine)}, seed {plan.scenario.seed}."
    )


MEASURES = {
    Aim.USEFUL: "committed work / slot time held, of a replication",
    Aim.MAKESPAN: "the mean makespan of the jobs of a replication",
}


def window(plan: PoolPlan) -> str:
    duration = plan.scenario.duration
    if duration is None:
        return ""
    return f" of {show(duration)}, without the first {show(plan.scenario.warm_up)}"


# For programs.


def document(plan: PoolPlan) -> dict[str, Any]:
    """What `--json` prints; times in seconds."""
    stage = plan.stage
    return {
        "objective": str(plan.aim),
        "best_common": best_json(plan),
        "indistinguishable": [seconds(choice.longest) for choice in stage.among],
        "regret_bound": stage.selection.regret,
        "confidence": plan.effort.confidence,
        "statement": statement(plan),
        "curve": [point_json(plan, point) for point in plan.points],
        "per_class": gain_json(plan, "per class"),
        "stagger": gain_json(plan, "staggered", "not staggered"),
        "per_class_stagger": gain_json(plan, "per class, staggered", "per class, not staggered"),
        "present": gain_json(plan, "present"),
        "bound": {
            "first_order": bound_json(plan, plan.bounds.first_order),
            "exponential": bound_json(plan, plan.bounds.exponential),
            "caveats": list(plan.bounds.caveats),
        },
        "saturation": saturation_json(plan),
        "interrupted": plan.interrupted,
        "scenario": describe(plan.scenario),
        "seed": plan.scenario.seed,
        "engine": str(plan.engine),
    }


def best_json(plan: PoolPlan) -> dict[str, Any]:
    """The best common interval with all that is measured."""
    useful, ends = plan.mean("useful"), plan.scenario.duration is None
    makespan = plan.mean("makespan") if ends else None
    return {
        "interval_s": seconds(plan.interval),
        "useful_fraction": useful.mean,
        "useful_fraction_ci99": useful.interval,
        "makespan_s": makespan and makespan.mean,
        "makespan_ci99_s": makespan and makespan.interval,
        "replications": len(plan.sample),
        "stranded": plan.stranded,
        "at_edge": plan.at_edge,
    }


def point_json(plan: PoolPlan, point: Any) -> dict[str, Any]:
    name = "useful_fraction" if plan.aim == Aim.USEFUL else "makespan_s"
    return {
        "interval_s": seconds(point.interval),
        name: point.value,
        "behind_least": point.behind.least,
        "behind_most": point.behind.most,
        "replications": point.replications,
        "indistinguishable": point.among,
    }


def gain_json(plan: PoolPlan, *names: str) -> dict[str, Any] | None:
    """What another choice gains over the best common interval; the first that there is."""
    gain = next((found for name in names if (found := plan.gain(name))), None)
    if gain is None:
        return None
    intervals = {
        name: None if interval >= LONGEST else seconds(interval)
        for name, interval in zip(plan.scenario.job_classes, gain.choice.intervals, strict=True)
    }
    return {
        "intervals_s": intervals,
        "staggered": gain.choice.stagger,
        "gain": gain.mean,
        "gain_least": gain.least,
        "gain_most": gain.most,
        "replications": gain.replications,
    }


def bound_json(plan: PoolPlan, bound: Bound) -> dict[str, Any]:
    """A bound, for as many jobs at once as there were with the best common interval."""
    intervals = intervals_of(plan.world, bound)
    return {
        "waste": bound.waste,
        "useful_fraction": 1 - bound.waste,
        "intervals_s": dict(zip(plan.scenario.job_classes, map(seconds, intervals), strict=True)),
        "link_share": bound.saturation,
        "demand": bound.demand,
        "nu": bound.nu,
    }


def saturation_json(plan: PoolPlan) -> dict[str, Any] | None:
    """Of the link, if there is one."""
    if plan.scenario.link is None:
        return None
    return {
        "demand": plan.demand,
        "demand_unhindered": plan.unhindered,
        "saturated": is_saturated(plan.demand),
        "link_busy": plan.mean("link_busy").mean,
    }


# On a page.


def report_on(plan: PoolPlan, folder: Path) -> Report:
    """A page with the answer, the curve it was found on, and what else was compared."""
    from ckptsim import plots

    title = f"{plan.scenario.name}: how often the pool's jobs are to checkpoint"
    report = Report(folder, "plan", title, plan.scenario.seed)
    report.answer(headline(plan), *said(plan))
    caption = f"The interval of all jobs, and what comes of it: {MEASURES[plan.aim]}"
    report.picture("curve", plots.pool_plan_figure(plan), caption)
    report.data("curve", curve_frame(plan))
    report.say("## Evidence", *sureness(plan))
    report.say("## What would change it", "Other choices, against the best common interval:")
    report.table(choice_rows(plan))
    report.computed(scenario=describe(plan.scenario))
    return report


def curve_frame(plan: PoolPlan) -> "pd.DataFrame":
    """All common intervals looked at, times in seconds."""
    import pandas as pd

    return pd.DataFrame([point_json(plan, point) for point in plan.points])
