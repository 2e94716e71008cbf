"""One lease, watched event by event as it is simulated, and drawn as a line of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from ckptsim.drivers.virtual import simulate_leases
from ckptsim.lesson.step import minutes
from ckptsim.outcome import Row
from ckptsim.rules import Phase
from ckptsim.scenario import Scenario
from ckptsim.units import HOUR, MINUTE, seconds
from ckptsim.world import world_of

CELL = 5 * MINUTE  # no longer than a checkpoint, so that none falls between two cells
CELLS_AN_HOUR = HOUR // CELL
LABEL = 7
RESTARTING, COMMITTED, CHECKPOINT, TAIL = "R=Cx"
SIGNS = {
    RESTARTING: "restart",
    COMMITTED: "computing, committed",
    CHECKPOINT: "checkpoint",
    TAIL: "tail, not committed",
}


@dataclass(frozen=True)
class Watched:
    """One simulated lease of a job without end, event by event; times in nanoseconds."""

    interval: int
    rows: tuple[Row, ...]

    @property
    def length(self) -> int:
        return self.rows[-1].time - self.rows[0].time

    @property
    def committed(self) -> int:
        return self.rows[-1].saved - self.rows[0].saved

    @property
    def begun(self) -> int:
        """When it first computes."""
        return next(row.time for row in self.rows if row.phase is Phase.COMPUTING)

    @cached_property
    def commits(self) -> list[int]:
        return [after.time for before, after in pairwise(self.rows) if after.saved > before.saved]

    @property
    def tail_begins(self) -> int:
        return max([self.begun, *self.commits])

    @property
    def tail(self) -> int:
        """All that comes after the last commit, a checkpoint that was cut off included."""
        return self.rows[-1].time - self.tail_begins

    def row(self) -> dict[str, Any]:
        """What is told of it; times in seconds."""
        return {
            "interval_s": seconds(self.interval),
            "checkpoints": len(self.commits),
            "committed_s": seconds(self.committed),
            "checkpoint_time_s": seconds(self.tail_begins - self.begun - self.committed),
            "tail_s": seconds(self.tail),
            "not_committed_s": seconds(self.length - self.committed),
            "restart_s": seconds(self.begun - self.rows[0].time),
        }

    def timeline(self) -> str:
        """The lease as a line of text, a sign for every five minutes."""
        middles = range(self.rows[0].time + CELL // 2, self.rows[-1].time, CELL)
        signs = "".join(self.sign(middle) for middle in middles)
        return f"{minutes(self.interval):>{LABEL - 1}} {signs}"

    def sign(self, at: int) -> str:
        """What the job does at an instant."""
        if at >= self.tail_begins:
            return TAIL
        phase = next(row.phase for row in reversed(self.rows) if row.time <= at)
        signs = {Phase.RESTARTING: RESTARTING, Phase.COMPUTING: COMMITTED}
        return signs.get(phase, CHECKPOINT)


def watched(given: Scenario, intervals: Sequence[int]) -> dict[int, Watched]:
    """One lease with each interval."""
    found = {}
    for interval in intervals:
        rows: list[Row] = []
        simulate_leases(world_of(given, interval), 0, 1, rows.append)
        found[interval] = Watched(interval, tuple(rows))
    return found


def drawn(leases: Mapping[int, Watched]) -> tuple[str, ...]:
    """The leases one below the other, with an axis and a legend; 80 columns."""
    hours = max(lease.length for lease in leases.values()) // HOUR
    axis = "".join(f"{hour:<{CELLS_AN_HOUR}}" for hour in range(hours)) + str(hours)
    lines = [lease.timeline() for lease in leases.values()]
    legend = "   ".join(f"{sign} {told}" for sign, told in SIGNS.items() if sign in "".join(lines))
    return (f"{'hours':>{LABEL - 1}} {axis}", *lines, " " * LABEL + legend)


TICK, ALL_TICKS = "o#"
TICK_CELLS_AN_HOUR = 8  # so that two of the limits shown share a cell only if they are the same


def ticked(rows: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """Times (ns), a row for each name, as marks along an axis of hours; 80 columns."""
    cells = CELLS_AN_HOUR * 6
    cell = HOUR // TICK_CELLS_AN_HOUR
    places = {name: {at // cell for at in times} for name, times in rows.items()}
    shared = set.intersection(*places.values())
    axis = "".join(
        f"{hour:<{TICK_CELLS_AN_HOUR}}" for hour in range(cells // TICK_CELLS_AN_HOUR + 1)
    )
    lines = [
        f"{name:>{LABEL - 1}} "
        + "".join(
            ALL_TICKS if place in shared else TICK if place in mine else "."
            for place in range(cells)
        )
        for name, mine in places.items()
    ]
    legend = f"{' ' * LABEL}{TICK} the manual's tail   {ALL_TICKS} both"
    return (f"{'hours':>{LABEL - 1}} {axis.rstrip()}", *lines, legend)
