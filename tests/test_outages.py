"""Racks and rooms without power, and slots that come and go, by hand."""

import numpy as np
import pytest

from ckptsim import outages
from ckptsim.rules import NEVER


def opened(domains=((), (), ()), windows=((), (), ()), count=0):
    return outages.opened([list(each) for each in domains], [list(each) for each in windows], count)


def test_a_slot_of_no_domain_and_no_windows_is_always_there():
    found = opened()
    assert outages.there_from(found, 1, 123) == 123
    assert (outages.fails_next(found, 1), outages.wanted_back(found, 1)) == (NEVER, NEVER)


def test_failures_and_repairs_take_turns():
    """The first failure after 100, of 20; the next 50 after that is repaired."""
    found = opened(domains=[(0,), (0,), ()], count=1)
    assert outages.outdated(found, 0, 0)
    outages.fail_again(found, 0, 100, 20)
    assert (found.fails, found.repaired) == ([100], [120])
    assert not outages.outdated(found, 0, 119)
    assert outages.outdated(found, 0, 120)
    outages.fail_again(found, 0, 50, 5)
    assert (found.fails, found.repaired) == ([170], [175])


@pytest.mark.parametrize(("now", "there"), [(99, 99), (100, 120), (119, 120), (120, 120)])
def test_a_slot_is_gone_from_the_failure_to_the_repair(now, there):
    found = opened(domains=[(), (0,), ()], count=1)
    outages.fail_again(found, 0, 100, 20)
    assert outages.there_from(found, 1, now) == there
    assert outages.there_from(found, 0, now) == now


def test_a_slot_is_back_when_its_rack_and_its_room_are():
    found = opened(domains=[(0, 2), (1, 2), ()], count=3)
    outages.fail_again(found, 0, 100, 20)
    outages.fail_again(found, 1, 400, 20)
    outages.fail_again(found, 2, 90, 50)
    assert [outages.there_from(found, slot, 110) for slot in range(3)] == [140, 140, 110]
    assert [outages.fails_next(found, slot) for slot in range(3)] == [90, 90, NEVER]


def test_a_domain_that_never_fails_is_never_looked_at_again():
    found = opened(domains=[(0,), (), ()], count=1)
    outages.fail_again(found, 0, NEVER, 10)
    assert outages.fails_next(found, 0) == NEVER
    assert not outages.outdated(found, 0, NEVER - 1)


def test_what_never_fails_and_would_never_be_repaired_stays_within_64_bits():
    found = opened(domains=[(0,), (), ()], count=1)
    held = found._replace(fails=np.zeros(1, np.int64), repaired=np.zeros(1, np.int64))
    outages.fail_again(held, 0, NEVER, NEVER)
    assert (held.fails.tolist(), held.repaired.tolist()) == ([NEVER], [NEVER])


def test_failure_and_repair_at_once_still_take_time():
    """So that looking for the next outage comes to an end, one nanosecond at a time."""
    found = opened(domains=[(0,), (), ()], count=1)
    for n in range(1, 4):
        outages.fail_again(found, 0, 0, 0)
        assert found.repaired == [n]


@pytest.mark.parametrize(
    ("now", "there", "wanted_back"),
    [(0, 10, 30), (10, 10, 30), (29, 29, 30), (30, 50, 60), (59, 59, 60), (60, NEVER, None)],
)
def test_a_slot_is_there_in_its_windows(now, there, wanted_back):
    found = opened(windows=[(), ((10, 30), (50, 60)), ()])
    assert outages.there_from(found, 1, now) == there
    if wanted_back is not None:
        assert outages.wanted_back(found, 1) == wanted_back
    assert outages.there_from(found, 0, now) == now
    assert outages.wanted_back(found, 0) == NEVER


def test_windows_of_several_slots_do_not_mix():
    found = opened(windows=[((0, 5),), (), ((7, 9), (11, 12))])
    assert [outages.there_from(found, slot, 6) for slot in range(3)] == [NEVER, 6, 7]
    assert [outages.there_from(found, slot, 9) for slot in range(3)] == [NEVER, 9, 11]


def test_a_slot_without_power_is_not_there_in_its_window():
    """Power is back at 55, in the second window."""
    found = opened(domains=[(0,), (), ()], windows=[((10, 30), (50, 60)), (), ()], count=1)
    outages.fail_again(found, 0, 20, 35)
    assert outages.there_from(found, 0, 15) == 15
    assert outages.there_from(found, 0, 25) == 55
    assert outages.there_from(found, 0, 40) == 55
