"""What `ckptsim plan` says of the ways to checkpoint, and where there is no interval to choose.

There is none if the job writes a checkpoint only when it is told to, or never; nor where it saves
only when the slot is lost and there is never the time for it, so that everything is lost.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ckptsim.commands.plan_answer import (
    CONFIRMING_JOBS,
    confirmed_jobs,
    confirmed_leases,
    mode_json,
    simulation_json,
)
from ckptsim.ends import ends_of
from ckptsim.estimate import Estimate
from ckptsim.exact import Value
from ckptsim.modes import solver_of
from ckptsim.report import Report
from ckptsim.rules import WITHOUT_INTERVAL, Mode
from ckptsim.running import Means, Progress
from ckptsim.scenario import Scenario, describe, named
from ckptsim.search import refuse_if_endless, worth
from ckptsim.terminal import percent, strong, table
from ckptsim.units import HOUR, nanoseconds, show
from ckptsim.variation import with_slots
from ckptsim.ways import WEEK_H, Way, is_hopeless, note_on, value_in, ways, whole_without
from ckptsim.world import world_of

MODES_TITLE = "Other ways to checkpoint, each at its best interval"
LEASES_SIMULATED = 200_000  # of whole jobs, at most


def mode_rows(ways: Sequence[Way], own: Value) -> list[list[str]]:
    """Each mode's name, interval, useful fraction, and what it loses in a week."""
    rows = [["", "interval", "useful", "lost in a week (168 h)"]]
    for way in ways:
        interval = "–" if way.interval is None else show(way.interval)
        lost = f"{WEEK_H * (1 - worth(own)):.1f} h" if way.value is own else lost_more(way, own)
        rows.append([named(way.mode), interval, percent(worth(way.value)), lost])
    return rows


def lost_more(way: Way, own: Value) -> str:
    """How many hours a week more, or less, are lost than in the scenario's own way."""
    hours = round(way.lost_more_h(own), 1)
    if hours == 0:
        return "the same"
    return f"{abs(hours):.1f} h {'more' if hours > 0 else 'less'}"


def mode_notes(ways: Sequence[Way], own: Value) -> Iterator[str]:
    """What a delayed transfer would lose, or to one that is delayed an exit code; and all notes."""
    delayed = any(way.mode == Mode.DELAYED and way.value is not own for way in ways)
    weighed = Mode.DELAYED if delayed else Mode.EXIT_CODE
    for way in ways:
        told = named(way.mode).capitalize()
        if way.mode == weighed and way.value is not own:
            told = weighed_told(way, own)
        elif not way.note or way.value is own:
            continue
        yield f"{told}: {way.note}." if way.note else f"{told}."


def weighed_told(way: Way, own: Value) -> str:
    """What it would lose, as a sentence."""
    name = "Delayed transfer" if way.mode == Mode.DELAYED else "To end with an exit code"
    hours, whole = round(way.lost_more_h(own), 1), "slot time" if own.gap_s == 0 else "time"
    if hours == 0:
        return f"{name} would lose as much"
    than = "more" if hours > 0 else "less"
    return f"{name} would lose {abs(hours):.1f} h of {whole} a week {than}"


def confirmed_told(confirmed: Estimate, leases: int, seed: int, computed: float) -> str:
    """What the simulation found, beside what was computed."""
    return (
        f"Simulation of {leases:,} leases (SimPy, seed {seed}): useful {percent(confirmed.mean)} "
        f"± {percent(confirmed.half_width)} (99 %); computed: {percent(computed)}."
    )


def is_without_interval(scenario: Scenario) -> bool:
    """Is there no interval to choose?"""
    return scenario.job.mode in WITHOUT_INTERVAL or is_hopeless(scenario)


class Without:
    """The answer where there is no interval to choose."""

    def __init__(self, scenario: Scenario, leases: int) -> None:
        """`leases` are to be simulated. Raises ScenarioError where there is no answer."""
        self.scenario, self.leases = scenario, leases
        refuse_if_endless(with_slots(scenario, claim_worklife=None))
        self.value = self.lost_value() if is_hopeless(scenario) else value_in(scenario)
        self.confirmed: Estimate | None = None

    def lost_value(self) -> Value:
        """Of a lease that saves nothing; the interval makes no difference."""
        if self.scenario.job.mode == Mode.DELAYED:
            return solver_of(self.scenario).value(HOUR)
        return value_in(self.scenario)

    @cached_property
    def ways(self) -> list[Way]:
        """All ways to checkpoint."""
        return ways(self.scenario, self.value)

    @cached_property
    def makespan(self) -> float | None:
        """Mean seconds one job takes if it never checkpoints; None in other modes."""
        if self.scenario.job.mode != Mode.NONE:
            return None
        return whole_without(self.scenario).makespan

    def confirm(self, report_progress: Progress | None, means: Means | None = None) -> None:
        """Simulate leases, or whole jobs if they never checkpoint but finish."""
        world = world_of(self.scenario, HOUR)
        if self.makespan is None:
            found = confirmed_leases(world, self.leases, report_progress, means)
            self.confirmed, self.leases = found
        elif self.leases > 1 and math.isfinite(self.makespan):
            each = self.makespan / float(ends_of(self.scenario).lasting(np.array(math.inf)))
            jobs = max(2, min(CONFIRMING_JOBS, int(LEASES_SIMULATED / max(1.0, each))))
            found = confirmed_jobs(world, jobs, report_progress, means)
            self.confirmed, self.leases = found

    def told(self) -> Iterator[Any]:
        """What is printed."""
        yield strong(self.headline)
        yield self.price
        yield ""
        yield table(mode_rows(self.ways, self.value), MODES_TITLE)
        yield from mode_notes(self.ways, self.value)
        yield from self.sureness

    @property
    def headline(self) -> str:
        if is_hopeless(self.scenario):
            note = note_on(self.scenario)
            return f"{note[0].upper()}{note[1:]}."
        if self.scenario.job.mode == Mode.DELAYED_SIGNAL:
            return "No interval to choose: the job writes a checkpoint when the soft kill tells it."
        if self.makespan == math.inf:
            return "Without checkpoints this job never finishes."
        return "No interval to choose: without checkpoints each lease starts over."

    @property
    def price(self) -> str:
        whole = "slot time and gaps" if self.value.gap_s else "slot time"
        wasted = f"{percent(1 - worth(self.value))} of {whole} is wasted."
        if self.makespan is None or math.isinf(self.makespan):
            return wasted
        return f"{wasted} One job, alone, takes {show(nanoseconds(self.makespan))} on average."

    @property
    def sureness(self) -> Iterator[str]:
        if self.confirmed:
            seed = self.scenario.seed
            yield confirmed_told(self.confirmed, self.leases, seed, worth(self.value))

    def json(self) -> dict[str, Any]:
        """The document that `--json` prints: less than where there is an interval."""
        (own,) = (way for way in self.ways if way.value is self.value)
        never = self.value.work_s == 0
        recommended = {**mode_json(own, self.value), "never_finishes": never}
        return {
            "recommended": {**recommended, "makespan_s": self.makespan},
            "modes": [mode_json(way, self.value) for way in self.ways],
            "simulation": self.confirmed and simulation_json(self.confirmed, self.leases),
            "scenario": describe(self.scenario),
            "seed": self.scenario.seed,
        }

    def report_on(self, folder: Path) -> Report:
        """A page with the same."""
        title = f"{self.scenario.name}: how often to checkpoint"
        report = Report(folder, "plan", title, self.scenario.seed)
        report.answer(self.headline, self.price)
        report.say("## Evidence", *self.sureness)
        report.say("## What would change it", "Another way to checkpoint:")
        report.table(mode_rows(self.ways, self.value))
        report.say(*mode_notes(self.ways, self.value))
        report.computed(scenario=describe(self.scenario))
        return report
