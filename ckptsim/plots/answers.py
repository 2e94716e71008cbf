"""What the pictures of one answer share: which intervals they show, and which they mark."""

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from ckptsim.exact import Value
from ckptsim.lifetimes import Constant, Empirical, Law
from ckptsim.objective import Kind
from ckptsim.plan import Advice
from ckptsim.plots.style import ORANGE, VERMILION, YELLOW, Floats, mark_style, percent
from ckptsim.rules import Mode
from ckptsim.search import Range, worth
from ckptsim.units import SECOND, nanoseconds, show

SHOWN = 0.75  # of the best: intervals worth less are left out at both ends
DEEPEST = 0.5  # of the best: what is worth less falls out of the picture at the bottom
STEPS_MOST = 200  # with no more natural steps in view each is told apart


class Answer(NamedTuple):
    """An interval that every picture marks, and how."""

    name: str
    value: Value
    marker: str
    color: str
    size: float


def answers(advice: Advice) -> list[Answer]:
    """The present one, the best, and the robust one where that is another; the last is on top."""
    found = [Answer("best", advice.best, "*", VERMILION, 16)]
    hedge = advice.robust.expected.value
    if hedge.interval != advice.best.interval:
        name = f"robust (±{100 * advice.robust.band:g} %)"
        found.append(Answer(name, hedge, "D", YELLOW, 5))
    if advice.present is not None:
        found.insert(0, Answer("present", advice.present, "s", ORANGE, 8))
    return found


def mark(axes: Axes, answer: Answer, place: tuple[Any, Any], told: str, order: int) -> None:
    """One of them, with what the legend tells of it."""
    style = mark_style(answer.marker, answer.color, answer.size)
    label = f"{answer.name}: {told}"
    axes.plot(*place, label=label, zorder=order, clip_on=False, **style)


def mark_useful(axes: Axes, advice: Advice) -> None:
    """Each answer at its interval and its worth."""
    for order, answer in enumerate(answers(advice), 5):
        label = f"{show(answer.value.interval)}, {percent(worth(answer.value))}"
        mark(axes, answer, points([answer.value]), label, order)


def points(values: Sequence[Value]) -> tuple[Floats, Floats]:
    """Intervals in seconds and what they are worth in percent."""
    return (
        np.array([value.interval / SECOND for value in values]),
        np.array([100 * worth(value) for value in values]),
    )


def window(advice: Advice) -> Range:
    """The intervals to show, ns: all that are any good, and those that are marked."""
    enough = SHOWN * worth(advice.best)
    shown = [value.interval for value in advice.search.curve if worth(value) >= enough]
    formulas = [formula.value for formula in advice.formulas]
    shown += [value.interval for value in formulas if worth(value) >= DEEPEST * worth(advice.best)]
    shown += [value.interval for value in advice.asked]
    shown += [answer.value.interval for answer in answers(advice)]
    low, high = min(shown), max(shown)
    room = max(high / low, 1.2)
    return Range(max(int(low / room**0.02), 1), int(high * room**0.04) + 2)


def in_steps(advice: Advice, shown: Range) -> bool:
    """Are there natural steps, and so few in view that they are told apart?"""
    step = advice.scenario.job.step
    return step is not None and (shown.high - shown.low) // step <= STEPS_MOST


def interval_name(advice: Advice) -> str:
    """What the axis of intervals is about."""
    if advice.scenario.job.mode == Mode.PERIODIC_SIGNAL:
        return "Interval: time between two signals to checkpoint"
    return "Interval: computing between two checkpoints"


def whole_of(advice: Advice) -> str:
    """What the useful fraction is a fraction of: gaps belong to it where there are any."""
    return "slot time and gaps" if advice.best.gap_s else "slot time"


def setting(advice: Advice) -> str:
    """The scenario in a line, without what is none; and what is to be best, if not the usual."""
    slots, job = advice.scenario.slots, advice.scenario.job
    times = {"limit": slots.limit, "claim worklife": slots.claim_worklife, "grace": slots.grace}
    in_place = "restart" if job.restart_in_place == job.restart_lease else "restart in place"
    laws = {
        "evictions": slots.evictions,
        "power failures": slots.power_failures,
        "write": job.write,
        "transfer": job.transfer,
        in_place: job.restart_in_place,
        "input": job.input,
        "gap": slots.gap,
    }
    if in_place != "restart":
        laws["restart in a lease"] = job.restart_lease
    told = [f"{name} {show(time)}" for name, time in times.items() if time]
    told += [f"{name} {law_name(law)}" for name, law in laws.items() if 0 < law.mean < inf]
    if advice.objective.kind != Kind.USEFUL:
        told.append(f"best: {advice.objective.told()}")
    return " · ".join([advice.scenario.name, *told])


def law_name(law: Law) -> str:
    """The law as it is written, without the folder of a file or the values of a list."""
    match law:
        case Constant(value):
            return show(nanoseconds(value))
        case Empirical():
            return f"of {len(law.values):,} observed lifetimes"
    return law.describe()
