"""Where the time went, by hand: one charge at a time."""

import pytest

from ckptsim import ledger
from ckptsim.ledger import LOST, Category
from ckptsim.rules import NEVER, Event, Job, Phase


def job(phase, since, saved=0, unsaved=0):
    return Job(phase, since, NEVER, saved, unsaved, 0, 0)


def charged(before, event, after):
    books = ledger.opened()
    ledger.charge(books, before, event, after)
    return {Category(n).name: time for n, time in enumerate(books) if time}


@pytest.mark.parametrize(
    ("phase", "category"),
    [
        (Phase.FETCHING, "INPUT"),
        (Phase.STARTING, "COLD_START"),
        (Phase.RESTARTING, "RESTART_LEASE"),
        (Phase.WRITING, "WRITE"),
        (Phase.TRANSFERRING, "TRANSFER"),
        (Phase.RESUMING, "RESTART_IN_PLACE"),
        (Phase.VACATING, "VACATING"),
        (Phase.DISCONNECTED, "DISCONNECTED"),
    ],
)
def test_each_phase_but_computing_is_a_category(phase, category):
    assert charged(job(phase, 100), Event.ELAPSED, job(Phase.QUEUED, 107)) == {category: 7}


def test_queueing_is_no_slot_time():
    assert charged(job(Phase.QUEUED, 100), Event.PLACED, job(Phase.COMPUTING, 900)) == {}


def test_computed_time_waits_until_it_is_known_what_became_of_it():
    computing, writing = job(Phase.COMPUTING, 0), job(Phase.WRITING, 40, unsaved=40)
    assert charged(computing, Event.ELAPSED, writing) == {}
    sending = job(Phase.TRANSFERRING, 44, unsaved=40)
    assert charged(writing, Event.ELAPSED, sending) == {"WRITE": 4}
    resuming = job(Phase.RESUMING, 49, saved=40)
    assert charged(sending, Event.ELAPSED, resuming) == {"TRANSFER": 5, "USEFUL": 40}


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        (Event.EXPIRED, "LOST_LIMIT"),
        (Event.WARNED, "LOST_EVICTION"),
        (Event.EVICTED, "LOST_EVICTION"),
        (Event.POWERED_OFF, "LOST_POWER_FAILURE"),
    ],
)
def test_what_is_lost_is_booked_by_its_cause(event, cause):
    queued = job(Phase.QUEUED, 130, saved=80)
    assert charged(job(Phase.COMPUTING, 100, saved=80), event, queued) == {cause: 30}
    writing = job(Phase.WRITING, 127, saved=80, unsaved=40)
    assert charged(writing, event, queued) == {cause: 40, "WRITE": 3}


def test_completing_makes_the_last_block_useful():
    done = job(Phase.COMPLETED, 120, saved=100)
    assert charged(job(Phase.COMPUTING, 100, saved=80), Event.ELAPSED, done) == {"USEFUL": 20}


def test_the_whole_is_the_sum_of_all_categories():
    books = ledger.opened()
    assert ledger.slot_time(books) == 0
    assert ledger.slot_time(range(len(Category))) == 91
    assert {category.name for category in LOST} == {
        "LOST_LIMIT",
        "LOST_EVICTION",
        "LOST_POWER_FAILURE",
        "LOST_HOLD",
        "LOST_LEAVING",
    }
