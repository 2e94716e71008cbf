"""What happened when, as a trace tells it: stretches of slot time, and moments."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from ckptsim.ledger import Category, category_of, cause_of
from ckptsim.outcome import Row
from ckptsim.rules import Event, Phase, ending, on_slot


class Segment(NamedTuple):
    """A stretch of a slot's time in one category; nanoseconds."""

    slot: int
    job: int
    start: int
    end: int
    category: Category


class Moment(NamedTuple):
    """A commit (event None), or the end of a lease and what ended it; nanoseconds."""

    slot: int
    time: int
    event: Event | None
    completed: bool


def leases(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each lease of a trace, in the order in which the leases began."""
    found: list[list[Row]] = []
    current: dict[int, list[Row]] = {}
    for row in rows:
        if row.event == Event.PLACED:
            current[row.slot] = []
            found.append(current[row.slot])
        current[row.slot].append(row)
    return found


def segments(rows: Iterable[Row]) -> list[Segment]:
    """All slot time of a trace by category; what a trace that was cut off leaves open is not in."""
    return [segment for lease in leases(rows) for segment in segments_of(lease)]


def segments_of(lease: Sequence[Row]) -> Iterator[Segment]:
    """One lease's; a block of computation counts when it is known what became of it.

    A commit makes all blocks so far useful, anything else loses the last ones: all but those whose
    checkpoint still waits to be sent.
    """
    blocks: list[tuple[int, int]] = []
    held: list[float] = []  # the unsaved work with each block
    for before, after in pairwise(lease):
        if before.phase == Phase.COMPUTING:
            blocks.append((before.time, after.time))
            held.append(after.unsaved if after.unsaved > before.unsaved else inf)
        else:
            yield Segment(after.slot, after.job, before.time, after.time, category_of(before.phase))
        committed = after.saved > before.saved
        while blocks and (committed or held[-1] > after.unsaved):
            held.pop()
            category = Category.USEFUL if committed else cause_of(after.event)
            yield Segment(after.slot, after.job, *blocks.pop(), category)


def moments(rows: Iterable[Row]) -> list[Moment]:
    """The commits and the ends of leases of a trace."""
    return [moment for lease in leases(rows) for moment in moments_of(lease)]


def moments_of(lease: Sequence[Row]) -> Iterator[Moment]:
    for before, after in pairwise(lease):
        completed = after.phase == Phase.COMPLETED
        if after.saved > before.saved and not completed:
            yield Moment(after.slot, after.time, None, completed)
        if not on_slot(after.phase):
            event = ending(before.phase, before.event, after.event)
            yield Moment(after.slot, after.time, event, completed)
