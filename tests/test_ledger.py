"""Where the time went, by hand: one charge at a time."""

import pytest

from ckptsim import ledger
from ckptsim.ledger import LOST, Category
from ckptsim.rules import NEVER, Event, Job, Phase


def job(phase, since, saved=0, unsaved=0, written=0):
    return Job(phase, since, NEVER, saved, unsaved, 0, 0, written)


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
        (Phase.AWAITING, "TRANSFER_WAIT"),
        (Phase.DELIVERING, "TRANSFER"),
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
    assert ledger.slot_time(range(len(Category))) == 120
    assert {category.name for category in LOST} == {
        "LOST_LIMIT",
        "LOST_EVICTION",
        "LOST_POWER_FAILURE",
        "LOST_HOLD",
        "LOST_LEAVING",
    }


# On slots of any speed: computed work and the slot time it took are two things.


def booked(*steps):
    """The books after (before, event, after), one step after the other; and what is pending."""
    books, pending = ledger.opened(), 0
    for before, event, after in steps:
        pending = ledger.book(books, pending, before, event, after)
    return {Category(n).name: time for n, time in enumerate(books) if time}, pending


def test_what_is_booked_is_slot_time_whatever_work_was_done_in_it():
    """40 of work in 20 at twice the speed."""
    writing = job(Phase.WRITING, 20, unsaved=40)
    computed = (job(Phase.COMPUTING, 0), Event.ELAPSED, writing)
    assert booked(computed) == ({}, 20)
    sending = job(Phase.TRANSFERRING, 24, unsaved=40)
    written = (writing, Event.ELAPSED, sending)
    assert booked(computed, written) == ({"WRITE": 4}, 20)
    committed = (sending, Event.ELAPSED, job(Phase.RESUMING, 29, saved=40))
    found = {"USEFUL": 20, "WRITE": 4, "TRANSFER": 5}
    assert booked(computed, written, committed) == (found, 0)
    lost = (sending, Event.EXPIRED, job(Phase.QUEUED, 25))
    found = {"LOST_LIMIT": 20, "WRITE": 4, "TRANSFER": 1}
    assert booked(computed, written, lost) == (found, 0)


@pytest.mark.parametrize(("event", "cause"), [(Event.WARNED, "LOST_EVICTION")])
def test_what_awaits_its_turn_is_lost(event, cause):
    writing = job(Phase.AWAITING, 20, unsaved=40)
    computed = (job(Phase.COMPUTING, 0), Event.ELAPSED, writing)
    lost = (writing, event, job(Phase.QUEUED, 31))
    assert booked(computed, lost) == ({"TRANSFER_WAIT": 11, cause: 20}, 0)


@pytest.mark.parametrize("speed", [1, 2, 4])
def test_delayed_transfer_saves_what_a_whole_checkpoint_holds_at_any_speed(speed):
    """100 of slot time are in a checkpoint; of the next block 60, or all its 80 and a half-written
    checkpoint, are lost."""
    first = job(Phase.WRITING, 100, unsaved=100 * speed)
    second = job(Phase.COMPUTING, 110, unsaved=100 * speed, written=100 * speed)
    begun = [
        (job(Phase.COMPUTING, 0), Event.ELAPSED, first),
        (first, Event.ELAPSED, second),
    ]
    sent = {"unsaved": 100 * speed, "written": 100 * speed}
    cut = (second, Event.WARNED, job(Phase.VACATING, 170, **sent))
    assert booked(*begun, cut) == ({"WRITE": 10, "LOST_EVICTION": 60}, 100)
    writing = job(Phase.WRITING, 190, unsaved=180 * speed, written=100 * speed)
    computed = (second, Event.ELAPSED, writing)
    late = (writing, Event.EXPIRED, job(Phase.VACATING, 193, **sent))
    assert booked(*begun, computed, late) == ({"WRITE": 13, "LOST_LIMIT": 80}, 100)
    at_once = (writing, Event.WARNED, job(Phase.QUEUED, 190, saved=100 * speed))
    found = {"WRITE": 10, "LOST_EVICTION": 80, "USEFUL": 100}
    assert booked(*begun, computed, at_once) == (found, 0)  # a transfer that takes no time


# The end of a run with a duration.


def closed(pending, at_end):
    books = ledger.opened()
    ledger.close(books, pending, at_end, 150)
    return {Category(n).name: time for n, time in enumerate(books) if time}


def test_what_is_computed_at_the_end_of_the_run_is_pending():
    assert closed(30, job(Phase.COMPUTING, 100)) == {"PENDING": 80}
    assert closed(30, job(Phase.AWAITING, 100, unsaved=30)) == {
        "PENDING": 30,
        "TRANSFER_WAIT": 50,
    }
    assert closed(0, job(Phase.RESUMING, 100)) == {"RESTART_IN_PLACE": 50}
    assert closed(0, job(Phase.QUEUED, 100)) == {}
