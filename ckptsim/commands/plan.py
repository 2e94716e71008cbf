"""`ckptsim plan`: how often to checkpoint."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ckptsim.commands.options import (
    LAWS,
    deliver,
    inputs,
    report_folder,
    report_options,
    scenario_from,
    scenario_options,
)
from ckptsim.errors import ScenarioError
from ckptsim.estimate import Estimate, mean_of, ratio_of
from ckptsim.exact import Value
from ckptsim.experiment import Progress, replicate, replicate_leases
from ckptsim.htcondor.leases import End
from ckptsim.lifetimes import Empirical, Exponential
from ckptsim.plan import MARGIN, RESERVE, Advice, Change, Cliff, Spread, plan, with_slots, worth
from ckptsim.ranges import times
from ckptsim.report import Report, settings_table
from ckptsim.scenario import Scenario, describe
from ckptsim.terminal import percent, progress, strong, table
from ckptsim.unequal import PlanValue
from ckptsim.units import SECOND, nanoseconds, seconds, show, spelled_seconds
from ckptsim.world import world_of

if TYPE_CHECKING:
    import pandas as pd

    from ckptsim.fit import Evidence

CONFIRMING_LEASES = 5_000
WITHOUT_A_WAIT = (End.EVICTED, End.RESCHEDULED)  # gaps that hold no contact lease
RANGES_SHOWN = 5
UNEQUAL_SHOWN = 0.001  # of useful fraction: less is not worth the trouble
UNEQUAL_LISTED = 6
RESERVE_SHOWN = 0.0005  # of useful fraction: what it costs to be safe, if that shows at all
CONFIRMING_CHECKPOINTS = 300_000  # and not more of these
NORMAL_99 = 2.576
MAKESPANS = 300  # jobs simulated for a makespan that has no closed form


@click.command("plan", epilog=LAWS)
@click.argument("paths", nargs=-1, metavar="[SCENARIO.toml]")
@click.option(
    "--log",
    "logs",
    multiple=True,
    metavar="LOG...",
    help="Learn how slots are lost from HTCondor job event logs: files or a pattern.",
)
@click.option(
    "--intervals", metavar="LIST", help="Value these too: 60min,84min or a range 30min:6h:1min."
)
@click.option(
    "--confirm",
    "leases",
    type=click.IntRange(0),
    default=CONFIRMING_LEASES,
    show_default=True,
    metavar="N",
    help="Confirm the answer by simulating so many leases; 0 for none.",
)
@report_options
@scenario_options
def command(
    paths: tuple[str, ...],
    logs: tuple[str, ...],
    intervals: str | None,
    leases: int,
    as_json: bool,
    out: Path | None,
    no_report: bool,
    **given: Any,
) -> None:
    """How often to checkpoint: the best interval for a scenario, a few flags or your own logs.

    The answer is the interval (computation between two checkpoints) that turns most slot time into
    committed work, with its price, how flat or steep it is around it, and what would change it.
    """
    found = inputs(paths, logs)
    evidence = learned(found.logs)
    scenario = scenario_from(found.scenario, given, from_logs(evidence, given))
    asked = asked_for(intervals) if intervals else []
    folder = report_folder(scenario.name, out, no_report=no_report, as_json=as_json)
    answer = Answer(plan(scenario, asked, doubts(scenario, evidence)), evidence, leases)
    with progress("confirming by simulation", shown=not as_json) as bar:
        answer.confirm(bar)
    deliver(
        lambda: told(answer),
        answer.json,
        lambda place: write_report(answer, place),
        as_json=as_json,
        folder=folder,
    )


def learned(logs: Sequence[Path]) -> "Evidence | None":
    """What the logs tell, if any are given."""
    if not logs:
        return None
    from ckptsim.fit import learn

    return learn(logs)


def from_logs(evidence: "Evidence | None", given: Mapping[str, Any]) -> dict[str, object]:
    """Scenario keys that the logs give a value for, but for what the flags say."""
    if evidence is None:
        return {}
    keys: dict[str, object] = {}
    if evidence.evictions:
        keys["slots.evictions"] = evidence.evictions.law
    if evidence.power_failures:
        keys["slots.power_failures"] = evidence.power_failures.law
    if evidence.limit_s:
        keys["slots.limit"] = spelled_seconds(evidence.limit_s)
    if gaps := tuple(gap.duration_s for gap in evidence.gaps if gap.after in WITHOUT_A_WAIT):
        keys["slots.gap"] = Empirical(gaps)
    sized = any("job.size" in each for each in (*given["settings"], given.get("job__size") or ""))
    if evidence.transfers_s and not sized and not given.get("job__size"):
        keys["job.transfer"] = Empirical(evidence.transfers_s)
    return keys


def doubts(scenario: Scenario, evidence: "Evidence | None") -> list[tuple[str, Scenario]]:
    """The scenario at both ends of the confidence interval of the mean time between evictions."""
    fit = evidence.evictions if evidence else None
    if fit is None or fit.mean_interval_s is None or scenario.slots.evictions != fit.law:
        return []
    return [
        (
            f"the mean between evictions is {show(nanoseconds(mean))} ({end} end, 95 %)",
            with_slots(scenario, evictions=Exponential(mean)),
        )
        for end, mean in zip(("lower", "upper"), fit.mean_interval_s, strict=True)
        if math.isfinite(mean)
    ]


def asked_for(text: str) -> list[int]:
    """The intervals of `--intervals`."""
    try:
        return times(text)
    except ScenarioError as error:
        raise ScenarioError(f"--intervals: {error}") from None


class Answer:
    """The advice with its evidence, and the simulation that confirms it."""

    def __init__(self, advice: Advice, evidence: "Evidence | None", leases: int) -> None:
        self.advice, self.evidence, self.leases = advice, evidence, leases
        self.scenario = advice.scenario
        self.confirmed: Estimate | None = None
        self.makespans: dict[int, Estimate] = {}  # by interval

    def confirm(self, report_progress: Progress | None) -> None:
        """Simulate leases at the best interval, on fates of their own."""
        affordable = CONFIRMING_CHECKPOINTS / max(1.0, self.advice.best.checkpoints)
        self.leases = min(self.leases, max(1, round(affordable)))
        if self.leases > 1:
            world = world_of(self.scenario, self.advice.best.interval)
            results = replicate_leases(world, self.leases, report_progress)
            work = results.stays("work").astype(np.float64)
            gaps = world.scenario.slots.gap.mean * SECOND
            spent = results.stays("end") - results.stays("start")
            self.leases = len(work)
            self.confirmed = ratio_of(work, spent.astype(np.float64) + gaps)

    def makespan(self, value: Value) -> Estimate | None:
        """Mean seconds to completion of one job that never waits for a slot; None without end."""
        if self.scenario.job.work is None:
            return None
        if value.interval not in self.makespans:
            self.makespans[value.interval] = self.new_makespan(value)
        return self.makespans[value.interval]

    def new_makespan(self, value: Value) -> Estimate:
        """Computed where costs are constant, else simulated."""
        exactly = self.advice.makespan(value)
        if exactly is not None:
            return Estimate(exactly, 0.0)
        alone = with_slots(self.scenario, count=1)
        alone = alone.model_copy(update={"job": alone.job.model_copy(update={"count": 1})})
        results = replicate(world_of(alone, value.interval), MAKESPANS)
        if results.stranded:
            return Estimate(math.inf, 0.0)
        makespans = [time / SECOND for each in results.replications for time in each.makespans]
        return mean_of(np.array(makespans))

    def json(self) -> dict[str, Any]:
        """The document that `--json` prints; times in seconds."""
        advice = self.advice
        return {
            "best_fixed": self.value_json(advice.best),
            "best_plan": advice.plan and plan_json(advice.plan),
            "present": advice.present and self.value_json(advice.present),
            "reserve": {"costs_longer_by": RESERVE, **self.value_json(advice.reserve)},
            "curve": [self.value_json(value) for value in advice.asked],
            "within": {
                "percent": 100 * MARGIN,
                "ranges_s": [[seconds(low), seconds(high)] for low, high in advice.flat],
            },
            "cliffs": [cliff_json(cliff) for cliff in advice.cliffs],
            "cliff_below": advice.cliff_below and cliff_json(advice.cliff_below),
            "cliff_above": advice.cliff_above and cliff_json(advice.cliff_above),
            "classic": advice.classic._asdict(),
            "lease_mean_s": float(advice.search.solver.ends.lasting(np.array(math.inf))),
            "changes": [self.change_json(change) for change in advice.changes],
            "spread": advice.spread and spread_json(advice.spread),
            "simulation": self.confirmed and self.simulation_json(self.confirmed),
            "evidence": self.evidence and [*self.evidence.sentences, *self.evidence.warnings],
            "scenario": describe(self.scenario),
            "seed": self.scenario.seed,
        }

    def value_json(self, value: Value) -> dict[str, Any]:
        makespan = self.makespan(value)
        never = math.isinf(makespan.mean) if makespan else value.work_s == 0
        document = {
            "interval_s": seconds(value.interval),
            "checkpoints_per_lease": value.checkpoints,
            "checkpoints_fitting": value.fitting,
            "work_per_lease_s": value.work_s,
            "work_per_lease_se_s": value.work_se_s,
            "useful_fraction": value.useful_fraction,
            "makespan_s": makespan.mean if makespan else None,
            "makespan_ci99_s": makespan.interval if makespan else None,
            "never_finishes": never,
        }
        if value.gap_s > 0:
            document["useful_fraction_with_gap"] = value.useful_fraction_with_gap
        return document

    def change_json(self, change: Change) -> dict[str, Any]:
        return {
            "if": change.label,
            "best_interval_s": seconds(change.best.interval),
            "useful_fraction": worth(change.best),
            "useful_fraction_if_kept": worth(change.kept),
            "regret": change.regret,
        }

    def simulation_json(self, confirmed: Estimate) -> dict[str, Any]:
        return {
            "leases": self.leases,
            "useful_fraction_with_gap": confirmed.mean,
            "useful_fraction_with_gap_ci99": confirmed.interval,
        }


def plan_json(found: PlanValue) -> dict[str, Any]:
    return {
        "intervals_s": [seconds(interval) for interval in found.intervals],
        "work_per_lease_s": found.work_s,
        "useful_fraction": found.useful_fraction,
        "useful_fraction_with_gap": found.useful_fraction_with_gap,
    }


def cliff_json(cliff: Cliff) -> dict[str, Any]:
    return {
        "interval_s": seconds(cliff.at.interval),
        "interval_beyond_s": seconds(cliff.beyond.interval),
        "checkpoints_fitting": cliff.at.fitting,
        "checkpoints_fitting_beyond": cliff.beyond.fitting,
        "useful_fraction": cliff.at.useful_fraction,
        "useful_fraction_beyond": cliff.beyond.useful_fraction,
    }


def spread_json(spread: Spread) -> dict[str, Any]:
    return {
        "resamples": spread.resamples,
        "best_interval_ci95_s": [seconds(spread.interval_low), seconds(spread.interval_high)],
        "useful_fraction_ci95": [spread.useful_low, spread.useful_high],
        "regret_95": spread.regret_high,
    }


def told(answer: Answer) -> Iterator[Any]:
    """What is printed, in the order in which one would explain it."""
    advice = answer.advice
    yield from at_worst(answer)
    yield strong(f"Checkpoint every {show(advice.best.interval)} of computing.")
    yield price(advice)
    yield ""
    yield table(value_rows(answer))
    yield ""
    yield from ground(advice)
    yield from unequal(answer)
    yield ""
    yield table(change_rows(advice), "If things are different")
    yield from sureness(answer)


def at_worst(answer: Answer) -> Iterator[Any]:
    """A warning where the logs show no eviction, so that the answer is for what might still be."""
    fit = answer.evidence.evictions if answer.evidence else None
    if fit and not fit.ends and answer.scenario.slots.evictions == fit.law:
        yield strong("No eviction in these logs: the answer is for the worst they do not rule out.")


def price(advice: Advice) -> str:
    """The answer's price, against the present interval's."""
    wasted = f"{percent(1 - worth(advice.best))} of {whole(advice)} is wasted"
    if advice.present is None:
        return f"{wasted}."
    present, given = show(advice.present.interval), advice.scenario.job.interval
    if given != advice.present.interval:
        present += " (in whole steps)"
    return f"{wasted}, against {percent(1 - worth(advice.present))} with your present {present}."


def whole(advice: Advice) -> str:
    return "slot time and gaps" if advice.best.gap_s else "slot time"


def overruled(answer: Answer) -> Iterator[str]:
    """What the logs say of evictions and the scenario does not heed."""
    fit, used = answer.evidence and answer.evidence.evictions, answer.scenario.slots.evictions
    if fit and used != fit.law:
        yield f"Not from the logs: evictions are {used.describe()}, as given."


def value_rows(answer: Answer) -> list[list[str]]:
    """The best interval, the present one and those asked for, beside Young's and Daly's."""
    advice = answer.advice
    named = [("best", advice.best), ("with a reserve", advice.reserve)]
    named += [("present", advice.present)] if advice.present else []
    named += [("asked for", value) for value in advice.asked]
    named += [(name, advice.search.solver.value(at)) for name, at in classic_intervals(advice)]
    makespans = advice.scenario.job.work is not None
    head = ["", "interval", "fit a lease", "committed a lease", "useful", "makespan alone"]
    rows = [value_row(name, value, answer) for name, value in named]
    return [row if makespans else row[:-1] for row in [head, *rows]]


def value_row(name: str, value: Value, answer: Answer) -> list[str]:
    makespan = answer.makespan(value)
    return [
        name,
        show(value.interval),
        "–" if value.fitting is None else str(value.fitting),
        show(nanoseconds(value.work_s)),
        percent(worth(value)),
        "" if makespan is None else shown_makespan(makespan),
    ]


def shown_makespan(makespan: Estimate) -> str:
    if math.isinf(makespan.mean):
        return "never finishes"
    spread = f" ± {show(nanoseconds(makespan.half_width))}" if makespan.half_width else ""
    return show(nanoseconds(makespan.mean)) + spread


def classic_intervals(advice: Advice) -> list[tuple[str, int]]:
    """Young's and Daly's intervals as far as they exist and leave the job any time to compute."""
    named = [("Young", advice.classic.young_s), ("Daly", advice.classic.daly_higher_order_s)]
    return [(name, nanoseconds(at)) for name, at in named if at]


def ground(advice: Advice) -> Iterator[str]:
    """How flat or steep it is around the answer."""
    yield f"Within {100 * MARGIN:.0f} % of the best: {ranges_told(advice)}."
    if advice.cliff_above:
        yield "Cliff above: " + cliff_told(advice.cliff_above, advice.best)
    if advice.cliff_below:
        yield "Cliff below: " + cliff_told(advice.cliff_below, advice.best)
    if not advice.search.edges:
        yield "No cliffs: nothing in a lease happens at a fixed time."
    if worth(advice.best) - worth(advice.reserve) >= RESERVE_SHOWN:
        yield (
            f"With a reserve: every {show(advice.reserve.interval)} is best should all costs be "
            f"{100 * RESERVE:.0f} % longer than said; "
            f"it wastes {percent(worth(advice.best) - worth(advice.reserve))} more if they are not."
        )


def unequal(answer: Answer) -> Iterator[str]:
    """What unequal intervals gain, and a job too short for any, where that is worth a word."""
    advice = answer.advice
    if advice.plan and advice.plan.useful_fraction_with_gap - worth(advice.best) >= UNEQUAL_SHOWN:
        first = ", ".join(show(interval) for interval in advice.plan.intervals[:UNEQUAL_LISTED])
        more = ", …" if len(advice.plan.intervals) > UNEQUAL_LISTED else ""
        yield (
            f"Unequal intervals would do better: {first}{more} in each lease, "
            f"useful {percent(advice.plan.useful_fraction_with_gap)} (see --json)."
        )
    work, best = advice.scenario.job.work, answer.makespan(advice.best)
    if work is not None and best is not None:
        none = answer.makespan(advice.search.value(work))
        if none and none.mean < best.mean - none.half_width - best.half_width:
            yield (
                f"So short a job had better write no checkpoint at all: "
                f"it then takes {shown_makespan(none)} instead of {shown_makespan(best)}."
            )


def ranges_told(advice: Advice) -> str:
    """The flat ranges; of many, those nearest to the answer."""
    best = advice.best.interval
    nearest = sorted(advice.flat, key=lambda flat: max(flat.low - best, best - flat.high))
    shown = ", ".join(ranged(*flat) for flat in sorted(nearest[:RANGES_SHOWN]))
    others = len(advice.flat) - RANGES_SHOWN
    return f"{shown}, and {others} more (see --json)" if others > 0 else shown


def ranged(low: int, high: int) -> str:
    return show(low) if show(low) == show(high) else f"{show(low)} – {show(high)}"


def cliff_told(cliff: Cliff, best: Value) -> str:
    away = abs(cliff.at.interval - best.interval)
    where = "the answer stands at its edge" if away == 0 else f"{show(away)} away"
    fewer = ""
    if cliff.at.fitting != cliff.beyond.fitting:
        fewer = f"{cliff.at.fitting} → {cliff.beyond.fitting} checkpoints fit a lease, "
    useful = f"useful {percent(worth(cliff.at))} → {percent(worth(cliff.beyond))}."
    if best.work_se_s > 0:  # random costs
        low, high = show(cliff.at.interval), show(cliff.beyond.interval)
        return f"a slope from {low} to {high}, {fewer}{useful}"
    return f"beyond {show(cliff.at.interval)} ({where}) {fewer}{useful}"


def change_rows(advice: Advice) -> list[list[str]]:
    """What the answer would be in other scenarios, and what keeping it would cost there."""
    head = ["if", "best would be", "useful", "keeping the answer costs"]
    return [head] + [
        [
            change.label,
            show(change.best.interval),
            percent(worth(change.best)),
            percent(change.regret),
        ]
        for change in advice.changes
    ]


def sureness(answer: Answer) -> Iterator[str]:
    """How sure the answer is: of the data, of the sampling, of the solver."""
    spread, confirmed, best = answer.advice.spread, answer.confirmed, answer.advice.best
    for sentence in answer.evidence.sentences if answer.evidence else ():
        yield f"From the logs: {sentence}"
    yield from overruled(answer)
    for warning in answer.evidence.warnings if answer.evidence else ():
        yield f"Left out: {warning}"
    if spread:
        yield (
            f"The data: drawn again {spread.resamples} times, the lifetimes put the best between "
            f"{show(spread.interval_low)} and {show(spread.interval_high)} (95 %), but keeping "
            f"this answer costs less than {percent(spread.regret_high, 2)} of slot time."
        )
    if best.work_se_s:
        share = NORMAL_99 * best.work_se_s / (best.lease_s + best.gap_s)
        yield f"Random costs were sampled: useful {percent(worth(best))} ± {percent(share, 2)}."
    if confirmed:
        yield (
            f"Simulation of {answer.leases:,} leases (SimPy, seed {answer.scenario.seed}): useful "
            f"{percent(confirmed.mean)} ± {percent(confirmed.half_width)} (99 %); "
            f"computed: {percent(worth(best))}."
        )


def write_report(answer: Answer, folder: Path) -> Path:
    """A page with the answer, the curve it was found on, and what would change it."""
    from ckptsim import plots

    advice, scenario = answer.advice, answer.scenario
    title = f"{scenario.name}: checkpoint every {show(advice.best.interval)} of computing"
    report = Report(folder, "plan", title, scenario.seed)
    report.say(price(advice))
    report.picture("curve", plots.plan_figure(advice), "Useful fraction over the interval")
    report.data("curve", curve_frame(advice))
    report.table(value_rows(answer))
    report.say("## How flat or steep it is", *ground(advice), *unequal(answer))
    report.say("## What would change the answer")
    report.table(change_rows(advice))
    report.say("## How sure it is", *sureness(answer))
    report.say("## The scenario")
    report.table(settings_table(describe(scenario)))
    return report.write()


def curve_frame(advice: Advice) -> "pd.DataFrame":
    """All values found, times in seconds."""
    import pandas as pd

    curve = advice.search.curve
    return pd.DataFrame(
        {
            "interval_s": [seconds(value.interval) for value in curve],
            "checkpoints_fitting": pd.array([value.fitting for value in curve], dtype="Int64"),
            "checkpoints_per_lease": [value.checkpoints for value in curve],
            "work_per_lease_s": [value.work_s for value in curve],
            "useful_fraction": [value.useful_fraction for value in curve],
            "useful_fraction_with_gap": [worth(value) for value in curve],
        }
    )
