"""The other ways to checkpoint: what each mode would be worth to the same job on the same slots."""

from contextlib import suppress
from typing import NamedTuple

import numpy as np

from ckptsim.delayed import parts_within, value_when_told
from ckptsim.errors import ScenarioError
from ckptsim.exact import Solver, Value
from ckptsim.lifetimes import Constant
from ckptsim.makespan import Whole, value_of
from ckptsim.modes import SAVES_WHEN_TOLD, refuse_without_answer, solver_of
from ckptsim.rules import WITHOUT_INTERVAL, Mode
from ckptsim.scenario import Scenario
from ckptsim.search import Search, refuse_if_endless, worth
from ckptsim.sums import CELLS_COARSE, is_certain
from ckptsim.units import SECOND, nanoseconds, show
from ckptsim.variation import with_job, with_slots

WEEK_H = 168
ORDER = (
    Mode.EXIT_CODE,
    Mode.MANUAL,
    Mode.PERIODIC_SIGNAL,
    Mode.EARLY_EXIT,
    Mode.DELAYED,
    Mode.DELAYED_SIGNAL,
    Mode.NONE,
)
IN_STEPS = (Mode.EXIT_CODE, Mode.MANUAL, Mode.EARLY_EXIT, Mode.NONE)  # for a job in its own steps
AT_ANY_MOMENT = (Mode.PERIODIC_SIGNAL, Mode.DELAYED_SIGNAL)  # it must be able to checkpoint
ABOUT = "about so, for its interval was looked for with transfers at their mean"
SHORTER = (1.0, 0.98, 0.96, 0.93, 0.9, 0.85, 0.8)  # of an interval that stands at a slope


class Way(NamedTuple):
    """A mode, at its own best interval."""

    mode: Mode
    value: Value
    note: str  # what to know about it; may be empty

    @property
    def interval(self) -> int | None:
        """Its best interval, ns; None where there is none to choose."""
        none = self.mode in WITHOUT_INTERVAL or self.value.work_s == 0
        return None if none else self.value.interval

    def lost_more_h(self, than: Value) -> float:
        """Hours of a week's slot time (and gaps) lost more than with another."""
        return WEEK_H * (worth(than) - worth(self.value))


def ways(scenario: Scenario, own: Value) -> list[Way]:
    """All the modes that what is given allows, the scenario's own with its value among them.

    Left out are those that have no best interval: where a checkpoint costs nothing, for example.
    """
    mode = scenario.job.mode
    same = Mode.EXIT_CODE if mode == Mode.EXIT_SIGNAL else mode
    found = []
    for each in ORDER:
        other = with_job(scenario, mode=each)
        if each == same:
            found.append(Way(mode, own, note_on(scenario)))
        elif is_possible(other):
            with suppress(ScenarioError):
                note = ABOUT if is_slow(other) else note_on(other)
                found.append(Way(each, value_in(other), note))
    return found


def is_possible(scenario: Scenario) -> bool:
    """Can a job that this one is be run in this mode?"""
    job = scenario.job
    if job.steps and job.mode not in IN_STEPS:
        return False
    if job.step and job.mode in AT_ANY_MOMENT:
        return False
    return job.mode != Mode.NONE or job.work is not None


def value_in(scenario: Scenario) -> Value:
    """What a lease is worth in the scenario's mode, at the best interval if there is one.

    Raises ScenarioError where there is no answer.
    """
    refuse_without_answer(scenario)
    match scenario.job.mode:
        case Mode.DELAYED_SIGNAL:
            refuse_if_endless(with_slots(scenario, claim_worklife=None))
            return value_when_told(scenario)
        case Mode.NONE:
            return value_without(scenario)
    if is_slow(scenario):
        return best_nearby(scenario)
    return Search(scenario, None, CELLS_COARSE).best


def is_slow(scenario: Scenario) -> bool:
    """Are there so many points, of random transfers that outlive the soft kill, that it takes long?

    With an early exit there is one round a lease; with a manual transfer none outlives it.
    """
    is_random = not is_certain(scenario.job.transfer)
    many = scenario.job.mode in (Mode.EXIT_CODE, Mode.PERIODIC_SIGNAL)
    return many and is_random and scenario.slots.grace > 0


def best_nearby(scenario: Scenario) -> Value:
    """About the best: the interval is looked for with transfers at their mean."""
    mean = Constant(scenario.job.transfer.mean)
    at_mean = Search(with_job(scenario, transfer=mean), None, CELLS_COARSE).best.interval
    values = solver_of(scenario, CELLS_COARSE).values([int(at_mean * part) for part in SHORTER])
    return max(values, key=worth)


def value_without(scenario: Scenario) -> Value:
    """What a lease is worth, on average over the whole job, if it never checkpoints."""
    work = scenario.job.work
    assert work is not None
    return value_of(whole_without(scenario), work)


def whole_without(scenario: Scenario) -> Whole:
    """The whole job if it never checkpoints: one block."""
    plain = with_job(scenario, mode=Mode.EXIT_CODE, last_checkpoint=False)
    return Whole(Solver(plain), np.array([scenario.job.work], np.int64))


def note_on(scenario: Scenario) -> str:
    """What to know about this mode here."""
    job, mode = scenario.job, scenario.job.mode
    if mode in SAVES_WHEN_TOLD:
        return too_long(scenario)
    if mode == Mode.EARLY_EXIT and scenario.slots.gap.mean == 0:
        return "the wait for the next slot after each checkpoint counts as nothing (give --gap)"
    return f"for this job of {show(job.work)}" if mode == Mode.NONE and job.work else ""


def too_long(scenario: Scenario) -> str:
    """Where what is saved when the slot is lost takes longer than the grace; else empty."""
    saved, grace = saved_in(scenario), scenario.slots.grace
    late, taken = 1 - in_time(scenario), " and ".join(saved)
    if late <= 0:
        return ""
    if late < 1:
        return f"{percent(late)} of the time {taken} is longer than the grace, and all is lost"
    usual = sum(nanoseconds(getattr(scenario.job, each).mean) for each in saved)
    takes = f"{taken} takes" if len(saved) == 1 else f"{taken} take"
    given = f"the grace is {show(grace)}" if grace else "there is no grace"
    return f"nothing is ever saved, for {takes} {show(usual)} and {given}"


def percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def saved_in(scenario: Scenario) -> tuple[str, ...]:
    """The costs of what has to be done within the grace."""
    return ("transfer",) if scenario.job.mode == Mode.DELAYED else ("write", "transfer")


def in_time(scenario: Scenario) -> float:
    """The probability that the grace is long enough to save what is to be saved."""
    laws = [getattr(scenario.job, each) for each in saved_in(scenario)]
    return sum(chance for _, chance in parts_within(laws, scenario.slots.grace / SECOND))


def is_hopeless(scenario: Scenario) -> bool:
    """Is there never the time to save anything, in a mode that saves only when told?"""
    return scenario.job.mode in SAVES_WHEN_TOLD and in_time(scenario) == 0
