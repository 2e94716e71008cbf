"""Where the lesson takes place: the manual's slot and job, and what else befalls them."""

from collections.abc import Mapping

from ckptsim.exact import Solver
from ckptsim.scenario import Scenario, load
from ckptsim.units import MINUTE

SEED = 1
MANUAL = 60 * MINUTE, 84 * MINUTE  # the intervals that the manual compares
INTERVALS = tuple(each * MINUTE for each in (60, 84, 85, 115, 175, 355))
PRESENT, CAREFUL, EDGE = (each * MINUTE for each in (60, 84, 85))
BEYOND = EDGE + MINUTE // 100  # over the cliff
BAND, WIDE_BAND = 0.10, 0.20  # how far costs and times between evictions may be off
SLOT = {"pool": "manual", "name": "the manual's slot", "seed": SEED}
COSTS = {"job.write": "4min", "job.transfer": "1min"}
RESTART = {"job.restart_lease": "5min"}
SLOW_RESTART = {"job.restart_lease": "10min"}
DEAR = {"job.write": "8min", "job.transfer": "2min"}
LONGER, SHORTER = {"slots.limit": "8h"}, {"slots.limit": "5h"}
TIGHT = {"job.write": "uniform(3min, 5min)"}
EVICTIONS = {"slots.evictions": "12h"}
WORK = {"job.work": "24h"}
# With the transfer of 1 min a checkpoint takes 3 to 7 min, 5 on average. The second is the first
# on a grid of half minutes, the two ends half as often as the others.
JITTER = {"job.write": "uniform(2min, 6min)"}
HALVES = [2, *(half / 2 for half in range(5, 12) for _ in range(2)), 6]
JITTER_IN_HALVES = {
    "job.write": f"empirical({', '.join(f'{each}min' for each in HALVES)})",
    "job.step": "30s",
}
TAKES = {"5 min": {}, "3 to 7 min": JITTER, "3, 3.5, … 7 min": JITTER_IN_HALVES}
LAWS: dict[str, dict[str, str]] = {
    "exponential, 12 h": EVICTIONS,
    "… and 5 min restart": EVICTIONS | RESTART,
    "exponential, 24 h": {"slots.evictions": "24h"},
    "Weibull, shape 0.5": {"slots.evictions": "weibull(shape=0.5, mean=12h)"},
    "Weibull, shape 2": {"slots.evictions": "weibull(shape=2, mean=12h)"},
}


def scenario(*changes: Mapping[str, object]) -> Scenario:
    """The manual's slot and checkpoint, with changes."""
    keys: dict[str, object] = {**SLOT, **COSTS}
    for change in changes:
        keys |= change
    return load(None, keys)


def at_interval(interval: int) -> dict[str, object]:
    """What sets the interval; ns."""
    return {"job.interval": f"{interval}ns"}


def slot_limit() -> int:
    found = scenario().slots.limit
    assert found is not None
    return found


def cost() -> int:
    """A checkpoint's, where it is constant; ns."""
    usual = Solver(scenario()).usual
    return usual.write + usual.transfer
