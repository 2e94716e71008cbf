"""What checkpoints at the best interval would have saved on the leases of the logs.

The best interval is `search`'s, with the laws that the same logs tell, for a job without end. What
it would have saved is counted on the leases themselves: each computes as long as it did, and
commits what whole blocks with their checkpoints fit into it. So is the interval that would have
been best of all in hindsight, which no one could have known.

What logs do not tell, the write of a checkpoint and the restart, is taken as nothing.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ckptsim.audit import Audit, Item
from ckptsim.conclude import Conclusion, conclude
from ckptsim.errors import ScenarioError
from ckptsim.htcondor.leases import End, Lease
from ckptsim.htcondor.stays import BY_HAND
from ckptsim.lifetimes import Constant, Exponential
from ckptsim.observed import from_leases
from ckptsim.scenario import load
from ckptsim.search import Search
from ckptsim.units import MINUTE, SECOND, nanoseconds, spelled_seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Whole-second stamps tell no less of a transfer.
COST_LEAST_S = 1.0
# Where no checkpoint was seen, its cost is not known: these are tried.
COSTS_TRIED_S = (MINUTE / SECOND, 5 * MINUTE / SECOND, 15 * MINUTE / SECOND)
# Intervals tried in hindsight, evenly on a log scale.
GRID = 200
SHORTEST_S = 1.0
_OPEN = {End.RUNNING, End.SILENT}


class Choice(NamedTuple):
    """An interval, and the slot time that it would have saved: negative where it costs more."""

    interval_ns: int
    saved_ns: int


class Option(NamedTuple):
    """The choices if a checkpoint costs so much; `hindsight` None where nothing would have paid.

    `range_ns` is the best interval at both ends of the confidence interval of the mean between
    evictions, where so few were seen that it is not known better.
    """

    cost_s: float
    best: Choice
    hindsight: Choice | None
    range_ns: tuple[int, ...]


@dataclass(frozen=True)
class Saving:
    """What the best interval would have saved.

    `losses` are leases that the slot or a limit ended, `by_hand` those of them by
    condor_vacate_job. `known_cost`: the cost is that of the transfers seen, not one of
    `COSTS_TRIED_S`. `used_ns` is the median interval that was used, with write and restart; None
    where no checkpoint was seen. `spent_ns` is what was lost to the slot or a limit and spent on
    transfers of checkpoints: what there is to save; `slot_ns` the slot time of the leases that are
    over.
    """

    evictions: Conclusion
    losses: int
    by_hand: int
    known_cost: bool
    used_ns: int | None
    options: tuple[Option, ...]
    spent_ns: int
    slot_ns: int


def saving(found: Audit) -> Saving | None:
    """None where no slot was lost, or the logs tell no law to plan with."""
    lost = [lease for lease in found.leases if _is_lost(lease)]
    evictions = conclude(from_leases(found.leases, End.EVICTED), "eviction")
    if not lost or evictions is None:
        return None
    costs: tuple[float, ...] = COSTS_TRIED_S
    if found.transfers is not None:
        costs = (max(found.transfers.median_s, COST_LEAST_S),)
    past = _Past(found)
    options = tuple(_options(found.leases, evictions, past, costs))
    by_hand = sum(lease.code in BY_HAND for lease in lost)
    known = found.transfers is not None
    slot_ns = found.whole.slot_ns - found.whole.spent[Item.PENDING]
    if not options:
        return None
    used_ns = nanoseconds(found.cycles.median_s) if found.cycles else None
    return Saving(evictions, len(lost), by_hand, known, used_ns, options, past.spent_ns, slot_ns)


def _is_lost(lease: Lease) -> bool:
    return lease.observed or lease.end is End.LIMIT


class _Past:
    """What the leases computed, and what was lost and spent on checkpoints."""

    def __init__(self, found: Audit) -> None:
        self.lost_ns = _computed(lease for lease in found.leases if _is_lost(lease))
        self.others_ns = _computed(
            lease for lease in found.leases if not _is_lost(lease) and lease.end not in _OPEN
        )
        spent = found.whole.spent
        moved = sum(
            end - start
            for lease in found.leases
            if lease.end not in _OPEN
            for _, start, end in lease.checkpoints
        )
        causes = (Item.LOST_EVICTION, Item.LOST_POWER_FAILURE, Item.LOST_LIMIT)
        self.spent_ns = moved + sum(spent[cause] for cause in causes)

    def saved_ns(self, interval_ns: int, cost_s: float) -> int:
        """What would have been lost and spent less, had each lease had checkpoints so often.

        A lease that is lost has those that fit; one that ends otherwise has one between each two
        blocks, in slot time that comes on top.
        """
        cost_ns = nanoseconds(cost_s)
        blocks = self.lost_ns // (interval_ns + cost_ns)
        useful = int((blocks * interval_ns).sum())
        between = (self.others_ns - 1).clip(min=0) // interval_ns
        return self.spent_ns - (int(self.lost_ns.sum()) - useful) - int(between.sum()) * cost_ns

    def hindsight(self, cost_s: float) -> Choice | None:
        """The interval of a grid that would have saved most, if any would have saved something."""
        import numpy as np

        longest = max(int(each.max()) for each in (self.lost_ns, self.others_ns) if each.size)
        if longest <= SHORTEST_S * SECOND:
            return None
        grid = np.geomspace(SHORTEST_S, longest / SECOND, GRID)
        choices = [
            Choice(at, self.saved_ns(at, cost_s)) for at in (nanoseconds(float(s)) for s in grid)
        ]
        best = max(choices, key=lambda choice: choice.saved_ns)
        return best if best.saved_ns > 0 else None


def _computed(leases: Iterable[Lease]) -> "NDArray[np.int64]":
    """Slot time on which the leases computed, with writes and restarts; nanoseconds."""
    import numpy as np

    return np.array(
        [
            lease.slot_end_ns
            - lease.slot_start_ns
            - sum(stretch.end_ns - stretch.start_ns for stretch in lease.told)
            for lease in leases
        ],
        np.int64,
    )


def _options(
    leases: Sequence[Lease], evictions: Conclusion, past: _Past, costs_s: Sequence[float]
) -> Iterator[Option]:
    setting = _setting(leases, evictions)
    ends = [mean for mean in evictions.chosen.mean_interval_s or () if math.isfinite(mean)]
    for cost_s in costs_s:
        best = _best(setting, cost_s)
        others = [_best(setting | {"slots.evictions": Exponential(m)}, cost_s) for m in ends]
        if best is not None:
            yield Option(
                cost_s,
                Choice(best, past.saved_ns(best, cost_s)),
                past.hindsight(cost_s),
                tuple(other for other in others if other is not None),
            )


def _setting(leases: Sequence[Lease], evictions: Conclusion) -> dict[str, object]:
    """The scenario's keys that the logs tell."""
    keys: dict[str, object] = {"slots.evictions": evictions.chosen.law}
    lost = from_leases(leases, End.POWER_FAILURE)
    failures = conclude(lost, "power failure") if lost.ends else None
    if failures:
        keys["slots.power_failures"] = failures.chosen.law
    told = [lease.duration_s for lease in leases if lease.end is End.LIMIT]
    limit_s = max(told, default=evictions.limit_s)
    if limit_s:
        keys["slots.limit"] = spelled_seconds(limit_s)
    return keys


def _best(setting: dict[str, object], cost_s: float) -> int | None:
    """The best interval; None where the laws are beyond what can be planned with."""
    try:
        return Search(load(None, {**setting, "job.transfer": Constant(cost_s)})).best.interval
    except ScenarioError:
        return None
