"""What wrong readings of real data would have cost: the figures of docs/evidence.md.

By hand: `python tests/wrong_ways.py` prints the table; test_evidence.py holds the page to it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ckptsim.conclude import about, conclude
from ckptsim.fitting import exponential
from ckptsim.htcondor.leases import End, Lease, follow
from ckptsim.lifetimes import Law
from ckptsim.observed import Lifetimes, from_csv, from_leases
from ckptsim.scenario import load
from ckptsim.search import Search, worth
from ckptsim.units import show

SHARED = Path(os.environ.get("CKPTSIM_SHARED", Path(__file__).parents[2] / "shared"))
LOGS = SHARED / "data" / "condor-logs" / "no-licence"
GCP = Path(__file__).parents[1] / "ckptsim" / "profiles" / "gcp-preemptible.csv"

SLOW = {"job.write": "5min", "job.transfer": "1min", "job.restart": "2min"}
QUICK = {"job.write": "10s", "job.transfer": "5s", "job.restart": "5s"}


class Way(NamedTuple):
    """A wrong reading of some data and the right one, and the costs of the job to plan for."""

    what: str
    data: str
    wrong: Law
    right: Law
    limit: str | None
    costs: dict[str, str]


class Price(NamedTuple):
    """What the wrong reading leads to, and what that costs."""

    wrong: Search
    right: Search

    @property
    def really(self) -> float:
        """What the wrong interval is worth, in useful fraction."""
        return worth(self.right.value(self.wrong.best.interval))

    @property
    def cost(self) -> float:
        return worth(self.right.best) - self.really


def ways() -> Iterator[Way]:
    removals, desktops = (
        follow(LOGS / name).leases for name in ("icecube_job.log", "utcs_early_condor.log")
    )
    evictions = law_of(from_leases(removals, End.EVICTED))
    grid, machines = "467 jobs on a science grid", from_csv(GCP)
    yield Way(
        "removals counted as evictions",
        grid,
        law_of(ended(removals, End.EVICTED, End.REMOVED)),
        evictions,
        None,
        SLOW,
    )
    yield Way("censored leases dropped", grid, law_of(evicted(removals)), evictions, None, SLOW)
    yield Way(
        "censored leases dropped",
        "214 jobs on desktops",
        law_of(evicted(desktops)),
        law_of(from_leases(desktops, End.EVICTED)),
        None,
        QUICK,
    )
    yield Way(
        "the limit counted as a failure",
        "1,442 preemptible cloud machines",
        exponential(machines).law,
        law_of(machines),
        "24h",
        SLOW,
    )


def law_of(lifetimes: Lifetimes) -> Law:
    found = conclude(lifetimes)
    assert found
    return found.chosen.law


def ended(leases: tuple[Lease, ...], *ends: End) -> Lifetimes:
    """All leases, with these ends taken for evictions."""
    return Lifetimes(
        tuple(lease.duration_s for lease in leases), tuple(lease.end in ends for lease in leases)
    )


def evicted(leases: tuple[Lease, ...]) -> Lifetimes:
    """The evicted leases alone."""
    kept = tuple(lease.duration_s for lease in leases if lease.end is End.EVICTED)
    return Lifetimes(kept, (True,) * len(kept))


def price(way: Way) -> Price:
    """The wrong interval's price, where the right law and the limit hold."""
    limit = {"slots.limit": way.limit} if way.limit else {}
    return Price(planned(way.wrong, way.costs), planned(way.right, way.costs | limit))


def planned(law: Law, keys: dict[str, str]) -> Search:
    return Search(load(None, {**keys, "slots.evictions": law}))


def rows() -> Iterator[str]:
    """The table of the page."""
    yield (
        "| what is done | to | mean time to an eviction, wrong and right | interval, wrong and "
        "right | useful: thought, really, possible | costs in a week |"
    )
    yield "|---|---|---|---|---|---|"
    for way in ways():
        found = price(way)
        useful = (worth(found.wrong.best), found.really, worth(found.right.best))
        yield (
            f"| {way.what} | {way.data} | {about(way.wrong.mean)}, {about(way.right.mean)} | "
            f"{show(found.wrong.best.interval)}, {show(found.right.best.interval)} | "
            f"{', '.join(f'{100 * share:.1f} %' for share in useful)} | "
            f"{168 * found.cost:.1f} h |"
        )


if __name__ == "__main__":
    print("\n".join(rows()))
