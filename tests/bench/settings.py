"""The scenarios that are timed, as scenario keys and in words."""

from pathlib import Path

from ckptsim.scenario import load
from ckptsim.world import World, world_of

GCP = Path(__file__).parents[2] / "scenarios" / "gcp-preemptible.toml"
SEED = 20_250_611

S1: dict[str, object] = {
    "job.work": "24h",
    "job.interval": "84min",
    "job.write": "5min",
    "job.restart_lease": "2min",
    "job.cold_start": "2min",
    "slots.limit": "6h",
    "slots.evictions": "8h",
    "slots.gap": "exponential(mean=10min)",
    "slots.first_gap": "yes",
    "seed": SEED,
}
S1_TEXT = (
    "one job: 24 h of work, interval 84 min, checkpoint 5 min, 2 min to start in every lease "
    "(the first too), 6 h limit, exponential evictions with mean 8 h drawn anew each lease, "
    "exponential gap with mean 10 min before every lease, no checkpoint after the last block"
)
S1_MAKESPAN = 106_104.23258  # seconds, exact: tests/test_theory.py

S2_TEXT = (
    "N slots, 4 N jobs of 24 h of work, all at once; interval 1 h, write 1 min, a checkpoint of "
    "30 GB over one link of 1.25 GB/s × N/100 that the transfers in flight share equally, fetched "
    "again at the start of each lease that has one; 24 h limit, exponential evictions with mean "
    "8 h drawn anew each lease, no gap; the job with the lowest number goes first"
)
WEEK_TEXT = "S2 with ten jobs a slot, for a simulated week"


def s2(slots: int, jobs_a_slot: int = 4) -> dict[str, object]:
    return {
        "job.work": "24h",
        "job.count": jobs_a_slot * slots,
        "job.interval": "1h",
        "job.write": "1min",
        "job.size": "30GB",
        "link.bandwidth": f"{1.25 * slots / 100}GB/s",
        "slots.count": slots,
        "slots.limit": "24h",
        "slots.evictions": "8h",
        "seed": SEED,
    }


def week(slots: int) -> dict[str, object]:
    return s2(slots, jobs_a_slot=10) | {"duration": "7d"}


def world(given: dict[str, object]) -> World:
    scenario = load(None, given)
    return world_of(scenario, scenario.job.interval or 0)
