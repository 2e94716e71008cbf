"""A scenario with one thing different."""

from collections.abc import Iterator, Sequence

from ckptsim.lifetimes import Law, Never
from ckptsim.rules import Mode
from ckptsim.scenario import Scenario
from ckptsim.units import HOUR, MINUTE, show

CYCLE_COSTS = ("write", "transfer", "restart_in_place")
ALL_COSTS = (*CYCLE_COSTS, "input", "restart_lease", "cold_start")
ASKED_ABOUT_THE_CLAIM = (Mode.EXIT_CODE, Mode.EXIT_SIGNAL, Mode.PERIODIC_SIGNAL)
LOSSES = ("evictions", "power_failures")


def with_costs(scenario: Scenario, factor: float, names: Sequence[str] = ALL_COSTS) -> Scenario:
    """The scenario with the named costs so many times as long."""
    return with_job(
        scenario, **{name: scaled(getattr(scenario.job, name), factor) for name in names}
    )


def with_losses(scenario: Scenario, factor: float) -> Scenario:
    """The scenario with so many times as long until evictions and power failures."""
    return with_slots(
        scenario, **{name: scaled(getattr(scenario.slots, name), factor) for name in LOSSES}
    )


def scaled(law: Law, factor: float) -> Law:
    """The law of so many times as long, where there is anything to lengthen."""
    return law if law.mean == 0 or isinstance(law, Never) else law.scaled(factor)


def with_slots(scenario: Scenario, **changed: object) -> Scenario:
    """The scenario with other values for some keys of its slots."""
    return scenario.model_copy(update={"slots": scenario.slots.model_copy(update=changed)})


def with_job(scenario: Scenario, **changed: object) -> Scenario:
    """The scenario with other values for some keys of its job."""
    return scenario.model_copy(update={"job": scenario.job.model_copy(update=changed)})


def variations(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    """The scenario with one thing different, in the ways that people's guesses are wrong."""
    slots = scenario.slots
    yield "checkpoints cost twice as much", with_costs(scenario, 2, CYCLE_COSTS)
    yield "checkpoints cost half as much", with_costs(scenario, 0.5, CYCLE_COSTS)
    if not isinstance(slots.evictions, Never):
        for how, factor in (("twice", 0.5), ("half", 2)):
            often = with_slots(scenario, evictions=slots.evictions.scaled(factor))
            yield f"evictions come {how} as often", often
    if slots.limit is not None:
        shorter = max(slots.limit - HOUR, slots.limit // 2)
        less = "an hour" if slots.limit - shorter == HOUR else show(slots.limit - shorter)
        yield f"the limit is {less} shorter", with_slots(scenario, limit=shorter)
        yield "there is no limit", with_slots(scenario, limit=None)
    if scenario.job.mode not in ASKED_ABOUT_THE_CLAIM:
        return
    if slots.claim_worklife is None and slots.gap.mean > 0:
        yield "CLAIM_WORKLIFE is 20 min", with_slots(scenario, claim_worklife=20 * MINUTE)
    elif slots.claim_worklife is not None:
        yield "there is no CLAIM_WORKLIFE", with_slots(scenario, claim_worklife=None)
