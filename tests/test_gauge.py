"""Numbers over time, by hand and beside sums over every nanosecond bin."""

import random

import pytest

from ckptsim import gauge
from ckptsim.gauge import BINS, FIRST_WIDTH, Measure

S = FIRST_WIDTH


def bins(found, measure):
    """The measure's sums, in seconds, as far as the last that is not 0."""
    sums = [each / S for each in found.sums[BINS * measure : BINS * (measure + 1)]]
    while sums and sums[-1] == 0:
        sums.pop()
    return sums


def test_a_number_is_summed_up_bin_by_bin():
    """Two jobs wait from 0.5 s to 1.25 s, one of them until 4 s."""
    found = gauge.opened()
    gauge.add(found, Measure.QUEUED, 2, S // 2)
    gauge.add(found, Measure.QUEUED, -1, S * 5 // 4)
    gauge.move(found, Measure.QUEUED, 0, 4 * S)
    gauge.finish(found, 10 * S)
    assert bins(found, Measure.QUEUED) == [1.0, 0.5 + 0.75, 1.0, 1.0]
    assert bins(found, Measure.BUSY) == []


def test_what_lasts_to_the_end_is_summed_up_at_the_end():
    found = gauge.opened()
    gauge.move(found, Measure.BUSY, 3, S)
    gauge.finish(found, S * 5 // 2)
    assert bins(found, Measure.BUSY) == [0.0, 3.0, 1.5]


def test_two_bins_become_one_when_time_runs_past_the_last():
    found = gauge.opened()
    gauge.move(found, Measure.BUSY, 1, 0)
    gauge.move(found, Measure.BUSY, 5, 3 * S)
    gauge.move(found, Measure.BUSY, 0, 4 * S)
    gauge.move(found, Measure.QUEUED, 1, BINS * S)
    gauge.finish(found, BINS * S + 2 * S)
    assert found.width == [2 * S]
    assert bins(found, Measure.BUSY) == [2.0, 6.0]
    assert bins(found, Measure.QUEUED) == [0.0] * (BINS // 2) + [2.0]


def test_a_long_silence_doubles_the_width_as_often_as_it_takes():
    found = gauge.opened()
    gauge.move(found, Measure.BUSY, 1, 0)
    gauge.finish(found, 1000 * BINS * S)
    assert found.width == [1024 * S]
    assert sum(bins(found, Measure.BUSY)) == 1000 * BINS
    assert set(bins(found, Measure.BUSY)) == {1024.0}


def test_who_comes_after_the_end_is_counted_no_further_than_he_came():
    """The last job is done at 5 s; at 8 s another one joins the queue, for ever."""
    found = gauge.opened()
    gauge.move(found, Measure.QUEUED, 1, 2 * S)
    gauge.move(found, Measure.QUEUED, 2, 8 * S)
    gauge.finish(found, 5 * S)
    assert bins(found, Measure.QUEUED) == [0.0, 0.0] + [1.0] * 6
    assert found.since == [8 * S] + [5 * S] * (len(Measure) - 1)


@pytest.mark.parametrize("seed", range(20))
def test_they_are_the_sums_of_what_was_when(seed):
    """Whole tenths of seconds, so that the sums are exact in floats too."""
    chance = random.Random(seed)
    tenth, now, found = S // 10, 0, gauge.opened()
    numbers, history = [0] * len(Measure), []
    for _ in range(200):
        step = chance.choice([0, 1, 3, 25, 400])
        history += [tuple(numbers)] * step
        now += step
        measure = chance.randrange(len(Measure))
        numbers[measure] = chance.randrange(4)
        gauge.move(found, measure, numbers[measure], now * tenth)
    gauge.finish(found, now * tenth)
    width = found.width[0] // tenth
    for measure in range(len(Measure)):
        sums = found.sums[BINS * measure : BINS * (measure + 1)]
        for place, each in enumerate(sums):
            here = history[place * width : (place + 1) * width]
            assert each == tenth * sum(numbers[measure] for numbers in here)
