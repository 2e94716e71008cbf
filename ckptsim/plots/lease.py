"""How long leases last, and what a job does with one: the best interval, and the best plan."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ckptsim.ends import Ends
from ckptsim.exact import Course, Solver
from ckptsim.ledger import Category
from ckptsim.plan import Advice
from ckptsim.plots.answers import setting, whole_of
from ckptsim.plots.gantt import draw_commits, draw_endings, draw_segments, marks_of
from ckptsim.plots.looks import LOOKS, keys
from ckptsim.plots.style import (
    BLACK,
    GREY,
    UNBROKEN,
    add_legend,
    finish,
    mark_style,
    percent,
    stack,
    styled,
)
from ckptsim.plots.times import time_axis
from ckptsim.plots.traces import Moment, Segment
from ckptsim.policy import Policy
from ckptsim.rules import NEVER, Event, interval_at
from ckptsim.search import worth
from ckptsim.unequal import rounds_of
from ckptsim.units import SECOND, nanoseconds, show
from ckptsim.world import unless_none

STILL_THERE = 0.01  # of the leases: when they are no more the picture ends
UNUSED = 4  # or when all have left the slot so many times as long ago
TRIED = 4_000  # ages among which that is looked for
STEPS = 600  # of the curve, besides its kinks
LOW = 15  # percent: below a curve that ends so low there is no room for text
REACHED_WIDTH = 0.3  # of the axis: room for that text
NAMED_FROM = 0.001  # of the axis: what is less has no place in the legend
COMMITS_MOST = 2_000  # of a policy, if nothing else ends it


class Way(NamedTuple):
    """A way to use a lease that nothing ends before its limit, at the usual costs."""

    name: str
    useful: float  # of slot time and gaps
    segments: list[Segment]
    moments: list[Moment]  # the last is its end, if it has one

    @property
    def commits_s(self) -> list[float]:
        return [moment.time / SECOND for moment in self.moments if moment.event is None]

    def up_to(self, until: int) -> "Way":
        """The same as far as it is shown."""
        segments = [s._replace(end=min(s.end, until)) for s in self.segments if s.start < until]
        moments = [moment for moment in self.moments if moment.time <= until]
        return self._replace(segments=segments, moments=moments)


def lease_figure(advice: Advice) -> Figure:
    """The chance that a lease is still there over its age, and what a job does with it."""
    ends, whole = advice.search.solver.ends, ways(advice)
    until = last_shown(ends, whole)
    found = [way.up_to(nanoseconds(until)) for way in whole]
    with styled():
        figure, (above, below) = stack(5.6, (2.4, 1))
        draw_survival(above, ends, until)
        draw_chances(above, ends, found[-1])
        above.set_ylim(0, 104)
        above.set_ylabel("Leases still there (%)")
        draw_ways(below, found)
        time_axis(below, "Age of the lease", 0, until)
        handles = keys(named(found, nanoseconds(until)))
        seen = [moment for way in found for moment in way.moments]
        lines = above.get_legend_handles_labels()[0]
        add_legend(figure, [*handles, *marks_of(seen), *lines])
        usual = "" if advice.search.solver.constant else " · drawn with every cost at its mean"
        return finish(figure, lease_finding(advice, found), setting(advice) + usual)


def last_shown(ends: Ends, found: Sequence[Way]) -> float:
    """Shortly after the limit, or when next to no lease is left or of use; seconds."""
    ages = np.geomspace(1.0, ends.horizon, TRIED)
    gone = np.flatnonzero(ends.outlived(ages, ages) < STILL_THERE)
    last = float(ages[gone[0]]) if len(gone) else 1.03 * ends.horizon
    if all(way.moments[-1].event == Event.ELAPSED for way in found):
        last = min(last, UNUSED * max(way.moments[-1].time for way in found) / SECOND)
    return last


# --- what a job does ------------------------------------------------------------------------------


def ways(advice: Advice) -> list[Way]:
    """The best fixed interval; and unequal ones, or where costs are random the policy."""
    solver, best = advice.search.solver, advice.best
    fixed = solver.usual_course(solver.fixed([best.interval]))
    if advice.plan:
        name, intervals = "unequal intervals", advice.plan.intervals
        useful = advice.plan.useful_fraction_with_gap
    else:
        assert advice.policy, "a job in steps of its own has no lease like another"
        name, intervals = "by the clock", followed(solver, advice.policy)
        useful = advice.policy.useful_fraction_with_gap
    unequal = solver.usual_course(rounds_of(solver, intervals))
    every = f"every {show(best.interval)}"
    return [
        Way(every, worth(best), *used(solver, fixed, 0)),
        Way(name, useful, *used(solver, unequal, 1)),
    ]


def followed(solver: Solver, policy: Policy) -> tuple[int, ...]:
    """The intervals that come of the policy when every cost is what it usually is."""
    usual = solver.usual
    last = min(
        solver.limit,
        unless_none(solver.scenario.slots.claim_worklife),
        unless_none(policy.leave_after),
    )
    age, intervals = usual.input + usual.restart_lease, list[int]()
    while age <= last and len(intervals) < COMMITS_MOST:
        interval = interval_at(policy.rows, age)
        if interval == NEVER:
            break
        intervals.append(interval)
        age += interval + usual.write + usual.transfer + usual.restart_in_place
    return tuple(intervals)


def used(solver: Solver, course: Course, place: int) -> tuple[list[Segment], list[Moment]]:
    """What is done with a lease that lasts to its limit, and what comes of it."""
    limit = solver.limit
    pieces = ((start, min(stop, limit), what) for start, stop, what in spent(solver, course))
    segments = [Segment(place, 0, *piece) for piece in pieces if piece[0] < piece[1]]
    safe = course.safe.age[course.safe.mass > 0].tolist()
    moments = [Moment(place, age, None, completed=False) for age in safe if age <= limit]
    left = int(course.left.age[0]) if len(course.left.age) else NEVER
    if left <= limit and left < NEVER:
        moments.append(Moment(place, left, Event.ELAPSED, completed=False))
    elif limit < NEVER:
        moments.append(Moment(place, limit, Event.EXPIRED, completed=False))
    return segments, moments


def spent(solver: Solver, course: Course) -> Iterator[tuple[int, int, Category]]:
    """The stretches of a lease, with what each is spent on; those after its limit too."""
    usual, rounds = solver.usual, int(np.count_nonzero(course.safe.mass))
    yield 0, usual.input, Category.INPUT
    again = usual.input
    for number in range(rounds):
        begun, sent, safe = (
            int(stage.age[number]) for stage in (course.begun, course.sent, course.safe)
        )
        computed = begun + int(course.rounds.length[number])
        committed = safe <= solver.limit
        yield again, begun, Category.RESTART_IN_PLACE if number else Category.RESTART_LEASE
        yield begun, computed, Category.USEFUL if committed else Category.LOST_LIMIT
        yield computed, sent, Category.WRITE
        yield sent, safe, Category.TRANSFER
        again = safe
    if not len(course.left.age) and solver.limit < NEVER:
        yield again, again + usual.restart_in_place, Category.RESTART_IN_PLACE
        yield again + usual.restart_in_place, solver.limit, Category.LOST_LIMIT


# --- drawing it -----------------------------------------------------------------------------------


def draw_survival(axes: Axes, ends: Ends, until: float) -> None:
    """The share of leases that reach an age; what reaches the limit ends there at once."""
    last = min(ends.limit, until)
    kinks = np.array([*ends.evictions.kinks(), *ends.power_failures.kinks()])
    drops = np.concatenate([kinks, np.nextafter(kinks, np.inf)])
    ages = np.unique(np.concatenate([np.linspace(0, last, STEPS), drops[drops <= last]]))
    alive = 100 * ends.outlived(ages, ages)
    if ends.limit <= until:
        ages, alive = np.append(ages, [last, until]), np.append(alive, [0, 0])
        write_reached(axes, ends)
    axes.plot(ages, alive, color=BLACK, linewidth=1.8, zorder=3, label="_still there")


def write_reached(axes: Axes, ends: Ends) -> None:
    """How many leases reach the limit, left of the drop: below the curve, or above if it is low."""
    share = 100 * ends.expiring
    low = share < LOW
    begin = np.array(ends.limit * (1 - REACHED_WIDTH))
    height = 100 * float(ends.outlived(begin, begin)) if low else share
    text = f"{share:.0f} % reach the limit" if share >= 1 else "next to none reach the limit"
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8}
    style: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "bbox": ground}
    place: dict[str, Any] = {"xytext": (-8, 6 if low else -10), "va": "bottom" if low else "top"}
    axes.annotate(text, (ends.limit, height), size=9.5, **style, **place).set_in_layout(False)


def draw_chances(axes: Axes, ends: Ends, way: Way) -> None:
    """The chance of each commit, on the curve, with a line down to where it is made."""
    at = np.array(way.commits_s)
    chances = 100 * ends.outlived(at, at)
    axes.vlines(at, 0, chances, color=GREY, linewidth=0.9, linestyle=":", zorder=2)
    label = f"chance of a commit, {way.name}"
    axes.plot(at, chances, label=label, zorder=4, clip_on=False, **mark_style("o", "white", 5.5))


def draw_ways(axes: Axes, found: Sequence[Way]) -> None:
    """A bar for each way, its commits above it, its end below."""
    pieces = [(s.slot, s.start, s.end, s.category) for way in found for s in way.segments]
    draw_segments(axes, pieces)
    for way in found:
        draw_commits(axes, way.moments, len(found))
        draw_endings(axes, way.moments, len(found))
    names = [f"{way.name}:\n{percent(way.useful)} useful" for way in found]
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_yticks(range(len(found)), [name.replace(" ", UNBROKEN) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def named(found: Sequence[Way], until: int) -> list[Category]:
    """What there is enough of to be seen."""
    spent = dict.fromkeys(LOOKS, 0)
    for way in found:
        for segment in way.segments:
            spent[segment.category] += segment.end - segment.start
    return [category for category, length in spent.items() if length > NAMED_FROM * until]


def lease_finding(advice: Advice, found: Sequence[Way]) -> str:
    fixed, unequal = found
    equal = show(advice.best.interval)
    name = "Intervals by the clock" if advice.plan is None else "Unequal intervals"
    gain = 100 * (unequal.useful - fixed.useful)
    if abs(gain) < 0.05:
        return f"{name} gain next to nothing over equal ones of {equal}"
    useful = f"{percent(unequal.useful)} of {whole_of(advice)} useful"
    points = f"{abs(gain):.1f} points {'more' if gain > 0 else 'less'}"
    return f"{name} make {useful}, {points} than equal ones of {equal}"
