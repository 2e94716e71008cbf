"""Numbers that change over time, kept in bounded memory: jobs that wait, transfers in flight.

Each is summed up, number × time, in bins of one width; when time runs past the last bin, pairs of
bins become one and the width doubles. A number that lasts through many bins is set down where it
begins and where it ends, so that an event costs the same however long ago the last was. Times are
integer nanoseconds; the sums are floats, added up in the order of events, so that they are the same
in every driver.
"""

from enum import IntEnum
from typing import NamedTuple

BINS = 512
FIRST_WIDTH = 10**9


class Measure(IntEnum):
    """What is gauged."""

    QUEUED = 0  # jobs that wait for a slot
    BUSY = 1  # slots with a job on them
    IN_FLIGHT = 2  # transfers that share the link
    AWAITING = 3  # transfers that wait for their turn
    LINK_BUSY = 4  # 1 while anything is in flight


class Gauge(NamedTuple):
    """Lists, or arrays in compiled code."""

    sums: list[float]  # BINS of the first measure, of the second, ...
    steps: list[int]  # what the number through whole bins changes by at the start of each
    numbers: list[int]  # now, by measure
    since: list[int]  # up to when it is summed up, by measure
    width: list[int]  # one number: of a bin


def opened() -> Gauge:
    """Nothing of anything."""
    count = len(Measure)
    return Gauge(
        [0.0] * (BINS * count), [0] * (BINS * count), [0] * count, [0] * count, [FIRST_WIDTH]
    )


def move(gauge: Gauge, measure: int, number: int, now: int) -> None:
    """The measure has another number from now on."""
    if number != gauge.numbers[measure]:
        sum_up(gauge, measure, now)
        gauge.numbers[measure] = number


def add(gauge: Gauge, measure: int, more: int, now: int) -> None:
    """There are so many more from now on."""
    move(gauge, measure, gauge.numbers[measure] + more, now)


def sum_up(gauge: Gauge, measure: int, now: int) -> None:
    """Bring a measure's sums up to date."""
    while now > gauge.width[0] * BINS:
        widen(gauge)
    first, number = BINS * measure, gauge.numbers[measure]
    since, width = gauge.since[measure], gauge.width[0]
    begun, ended = since // width, now // width
    if begun == ended:
        gauge.sums[first + begun] += float(number) * (now - since)
    else:
        gauge.sums[first + begun] += float(number) * ((begun + 1) * width - since)
        if ended < BINS:
            gauge.sums[first + ended] += float(number) * (now - ended * width)
            gauge.steps[first + ended] -= number
        if begun + 1 < BINS:
            gauge.steps[first + begun + 1] += number
    gauge.since[measure] = now


def spread(gauge: Gauge) -> None:
    """Put what went on through whole bins into their sums."""
    width, number = float(gauge.width[0]), 0
    for place in range(len(gauge.sums)):
        if place % BINS == 0:
            number = 0
        number += gauge.steps[place]
        gauge.sums[place] += number * width
        gauge.steps[place] = 0


def widen(gauge: Gauge) -> None:
    """Make one bin of each two."""
    spread(gauge)
    half = BINS // 2
    for start in range(0, len(gauge.sums), BINS):
        for place in range(half):
            first = start + 2 * place
            gauge.sums[start + place] = gauge.sums[first] + gauge.sums[first + 1]
        for place in range(half, BINS):
            gauge.sums[start + place] = 0.0
    gauge.width[0] *= 2


def finish(gauge: Gauge, now: int) -> None:
    """Bring everything up to date, at the end of a run.

    After the last job is done others may still have come to wait for a slot that never will.
    """
    for measure in range(len(gauge.numbers)):
        sum_up(gauge, measure, max(now, gauge.since[measure]))
    spread(gauge)
