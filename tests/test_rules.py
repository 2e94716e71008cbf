"""The rules by hand: short stories with round numbers, one a rule; times are plain integers."""

from itertools import pairwise

import pytest

from ckptsim import ledger
from ckptsim.ledger import Category
from ckptsim.rules import (
    CENTURY,
    NEVER,
    Cargo,
    Costs,
    Event,
    Job,
    Lease,
    Mode,
    Phase,
    Plan,
    Row,
    block,
    interval_at,
    on_slot,
    over,
    slot_time,
    step,
    submitted,
    upcoming,
)

FREE = Costs(0, 0, 0, 0, 0, 0)
COSTS = Costs(input=3, cold_start=1, restart_lease=2, restart_in_place=1, write=4, transfer=5)
ENDLESS = Lease(0, NEVER, NEVER, NEVER, NEVER, NEVER)


def plan(costs=COSTS, **given):
    usual = {
        "work": 100,
        "interval": 40,
        "last_checkpoint": False,
        "leave_early": False,
        "claim_worklife": NEVER,
        "least": costs,
        "usual": costs,
        "lease_longest": NEVER,
        "fruitless_max": NEVER,
    }
    return Plan(**usual | given)


def ends(limit=NEVER, warned=NEVER, grace=0, powered_off=NEVER, contact_lease=0):
    return Lease(0, limit, warned, warned + grace, powered_off, powered_off + contact_lease)


def story(plan, lease, costs=COSTS, job=None):
    """One lease, placed at 0: (time, event, phase, saved) of each event, and the ledger."""
    job = job or submitted(plan, 0)
    told, books = [], ledger.opened()
    now, event = 0, Event.PLACED
    while True:
        before, job = job, step(plan, costs, lease, job, event, now)
        ledger.charge(books, before, event, job)
        told.append((now, event.name, job.phase.name, job.saved))
        if not on_slot(job.phase):
            return told, {Category(n).name: time for n, time in enumerate(books) if time}
        now, event = upcoming(job, lease)


def test_a_life_without_interruption():
    told, books = story(plan(), ENDLESS)
    assert told == [
        (0, "PLACED", "FETCHING", 0),
        (3, "ELAPSED", "STARTING", 0),
        (4, "ELAPSED", "COMPUTING", 0),
        (44, "ELAPSED", "WRITING", 0),
        (48, "ELAPSED", "TRANSFERRING", 0),
        (53, "ELAPSED", "RESUMING", 40),
        (54, "ELAPSED", "COMPUTING", 40),
        (94, "ELAPSED", "WRITING", 40),
        (98, "ELAPSED", "TRANSFERRING", 40),
        (103, "ELAPSED", "RESUMING", 80),
        (104, "ELAPSED", "COMPUTING", 80),
        (124, "ELAPSED", "COMPLETED", 100),  # the last block writes no checkpoint
    ]
    assert books == {
        "USEFUL": 100,
        "WRITE": 8,
        "TRANSFER": 10,
        "COLD_START": 1,
        "RESTART_IN_PLACE": 2,
        "INPUT": 3,
    }


def test_the_last_block_may_write_a_checkpoint_too():
    told, _ = story(plan(last_checkpoint=True), ENDLESS)
    assert told[-3:] == [
        (124, "ELAPSED", "WRITING", 80),
        (128, "ELAPSED", "TRANSFERRING", 80),
        (133, "ELAPSED", "COMPLETED", 100),
    ]


def test_a_job_with_a_checkpoint_restarts_from_it():
    told, _ = story(plan(), ENDLESS, job=Job(Phase.QUEUED, 0, NEVER, 40, 0, 1, 0))
    assert told[:3] == [
        (0, "PLACED", "FETCHING", 40),
        (3, "ELAPSED", "RESTARTING", 40),
        (5, "ELAPSED", "COMPUTING", 40),
    ]


def test_what_costs_nothing_takes_no_step():
    told, books = story(plan(FREE), ENDLESS, FREE)
    assert told == [
        (0, "PLACED", "COMPUTING", 0),
        (40, "ELAPSED", "COMPUTING", 40),
        (80, "ELAPSED", "COMPUTING", 80),
        (100, "ELAPSED", "COMPLETED", 100),
    ]
    assert books == {"USEFUL": 100}


@pytest.mark.parametrize(
    ("when", "phase", "saved", "lost"),
    [
        (2, "FETCHING", 0, 0),
        (20, "COMPUTING", 0, 16),
        (46, "WRITING", 0, 40),
        (50, "TRANSFERRING", 0, 40),  # written, but not transferred: it does not count
        (53, "TRANSFERRING", 40, 0),  # complete in the same instant: it does
        (60, "COMPUTING", 40, 6),
    ],
)
def test_an_eviction_loses_what_is_not_transferred(when, phase, saved, lost):
    told, books = story(plan(), ends(warned=when))
    assert [row[2] for row in told if row[0] < when][-1] == phase
    assert told[-1][2:] == ("QUEUED", saved)
    assert books.get("LOST_EVICTION", 0) == lost
    assert sum(books.values()) == when


def test_the_grace_lets_a_transfer_on_the_wire_finish():
    told, books = story(plan(), ends(warned=50, grace=3))
    assert told[-2:] == [(50, "WARNED", "VACATING", 0), (53, "ELAPSED", "QUEUED", 40)]
    assert (books["TRANSFER"], books["VACATING"]) == (2, 3)


def test_a_last_checkpoint_that_the_grace_saves_completes_the_job():
    told, _ = story(plan(work=40, last_checkpoint=True), ends(warned=50, grace=3))
    assert told[-2:] == [(50, "WARNED", "VACATING", 0), (53, "ELAPSED", "COMPLETED", 40)]


def test_the_hard_kill_cuts_the_transfer_off():
    told, books = story(plan(), ends(warned=50, grace=2))
    assert told[-2:] == [(50, "WARNED", "VACATING", 0), (52, "EVICTED", "QUEUED", 0)]
    assert (books["LOST_EVICTION"], books["VACATING"]) == (40, 2)


def test_the_limit_is_no_soft_kill():
    told, books = story(plan(), ends(limit=50, warned=51, grace=9))
    assert told[-1] == (50, "EXPIRED", "QUEUED", 0)
    assert books["LOST_LIMIT"] == 40


def test_a_power_failure_is_noticed_late():
    told, books = story(plan(), ends(powered_off=60, contact_lease=2400, limit=70))
    assert told[-2:] == [(60, "POWERED_OFF", "DISCONNECTED", 40), (2460, "ELAPSED", "QUEUED", 40)]
    assert (books["LOST_POWER_FAILURE"], books["DISCONNECTED"]) == (6, 2400)


def test_ties_fall_as_the_events_are_numbered():
    told, books = story(plan(), ends(limit=60, warned=60, powered_off=60))
    assert told[-1] == (60, "EXPIRED", "QUEUED", 40)
    assert books["LOST_LIMIT"] == 6


def test_a_claim_past_its_worklife_reschedules_after_the_checkpoint():
    told, books = story(plan(claim_worklife=60), ENDLESS)
    assert told[-1] == (103, "ELAPSED", "QUEUED", 80)
    assert not any(name.startswith("LOST") for name in books)
    told, _ = story(plan(claim_worklife=103), ENDLESS)  # as old as its worklife is not older
    assert told[-1] == (124, "ELAPSED", "COMPLETED", 100)


def test_a_claim_counts_from_before_the_lease():
    told, _ = story(plan(claim_worklife=60), Lease(-10, *ENDLESS[1:]))
    assert told[-1] == (53, "ELAPSED", "QUEUED", 40)


def test_leaving_early_when_no_further_checkpoint_fits():
    at_103 = [(103, "ELAPSED", "QUEUED", 80)]
    endless = {"work": NEVER, "leave_early": True}
    assert story(plan(**endless), ends(limit=152))[0][-1:] == at_103
    assert story(plan(**endless), ends(limit=153))[0][-1] == (153, "ELAPSED", "QUEUED", 120)
    told, _ = story(plan(leave_early=True), ends(limit=124))  # the end of the work fits
    assert told[-1] == (124, "ELAPSED", "COMPLETED", 100)


def test_355_minutes_in_six_hours_commit_once_and_never_again():
    costs = Costs(0, 0, 5, 0, 4, 1)
    the_plan = plan(costs, work=1440, interval=355, lease_longest=360)
    told, books = story(the_plan, ends(limit=360), costs)
    assert told[-1] == (360, "EXPIRED", "STRANDED", 355)
    assert books == {"USEFUL": 355, "WRITE": 4, "TRANSFER": 1}


def test_a_job_that_fits_nowhere_is_stranded_before_it_starts():
    assert submitted(plan(lease_longest=52), 0).phase == Phase.STRANDED
    assert submitted(plan(lease_longest=53), 0).phase == Phase.QUEUED


def test_a_job_that_only_loses_is_given_up():
    the_plan = plan(fruitless_max=2)
    once = step(the_plan, COSTS, ends(warned=2), running(the_plan, 0), Event.WARNED, 2)
    assert (once.phase, once.fruitless) == (Phase.QUEUED, 1)
    again = step(the_plan, COSTS, ENDLESS, once, Event.PLACED, 10)
    twice = step(the_plan, COSTS, ends(warned=11), again, Event.WARNED, 11)
    assert (twice.phase, twice.fruitless) == (Phase.STRANDED, 2)


def test_a_job_that_is_not_done_in_a_century_is_given_up():
    """So that no clock runs over: 64 bits of nanoseconds are 292 years."""
    late = submitted(plan(), 0)._replace(since=CENTURY - 10)
    job = step(plan(), COSTS, ENDLESS, late, Event.PLACED, CENTURY - 1)
    assert step(plan(), COSTS, ENDLESS, job, Event.WARNED, CENTURY - 1).phase == Phase.QUEUED
    assert step(plan(), COSTS, ENDLESS, job, Event.WARNED, CENTURY).phase == Phase.STRANDED


def test_a_commit_makes_a_lease_fruitful():
    the_plan = plan(fruitless_max=2)
    job = submitted(the_plan, 0)._replace(fruitless=1)
    told = []
    event, now, lease = Event.PLACED, 0, ends(warned=60)
    while not told or on_slot(job.phase):
        job = step(the_plan, COSTS, lease, job, event, now)
        told.append(job.fruitless)
        now, event = upcoming(job, lease)
    assert (told[0], told[-1]) == (2, 0)  # a lease is fruitless until it is not


@pytest.mark.parametrize(
    ("event", "now"),
    [
        (Event.PLACED, 5),  # on a slot already
        (Event.ELAPSED, 5),  # before its time
        (Event.WARNED, 45),  # after the phase should have ended
        (Event.WARNED, -1),
    ],
)
def test_an_event_that_cannot_be_is_refused(event, now):
    job = running(plan(), 0)
    with pytest.raises(AssertionError):
        step(plan(), COSTS, ENDLESS, job, event, now)


def test_a_queued_job_cannot_be_evicted():
    with pytest.raises(AssertionError):
        step(plan(), COSTS, ENDLESS, submitted(plan(), 0), Event.WARNED, 5)


def running(the_plan, now):
    return step(the_plan, COSTS, ENDLESS, submitted(the_plan, now), Event.PLACED, now)


# A table by the age of the lease, steps of the job's own.

TABLE = (Row(0, 30, 20), Row(40, 50, 50), Row(100, NEVER, NEVER))


@pytest.mark.parametrize(
    ("age", "interval"),
    [(0, 30), (20, 25), (39, 21), (40, 50), (99, 50), (100, NEVER), (10**9, NEVER)],
)
def test_the_interval_at_an_age(age, interval):
    assert interval_at(TABLE, age) == interval


def test_a_single_row_holds_for_ever():
    assert [interval_at((Row(10, 30, 5),), age) for age in (0, 10, 11, 10**6)] == [30] * 4


def test_a_table_is_read_when_computing_begins():
    """Placed at 0, computing from 5 (2 restart, 3 input): 30 - 10 · 5/40, down to 29."""
    table = plan(table=TABLE)
    job = step(table, COSTS, ENDLESS, submitted(table, 0, checkpoints=1), Event.PLACED, 0)
    job = step(table, COSTS, ENDLESS, job, Event.ELAPSED, 3)
    job = step(table, COSTS, ENDLESS, job, Event.ELAPSED, 5)
    assert (job.phase, job.until) == (Phase.COMPUTING, 5 + 29)
    job = step(table, COSTS, ENDLESS, job, Event.ELAPSED, 34)
    assert (job.phase, job.unsaved) == (Phase.WRITING, 29)


def test_a_table_counts_from_the_start_of_the_lease_not_of_the_claim():
    table = plan(costs=FREE, table=TABLE)
    lease = ENDLESS._replace(claimed=0, began=500)
    job = step(table, FREE, lease, submitted(table, 500, checkpoints=1), Event.PLACED, 500)
    assert (job.phase, job.until) == (Phase.COMPUTING, 530)


@pytest.mark.parametrize(("leave_after", "phase"), [(30, Phase.COMPUTING), (29, Phase.QUEUED)])
def test_a_job_leaves_after_a_commit_later_than_it_should_stay(leave_after, phase):
    leaving = plan(costs=FREE, interval=30, leave_after=leave_after)
    job = step(leaving, FREE, ENDLESS, submitted(leaving, 0), Event.PLACED, 0)
    job = step(leaving, FREE, ENDLESS, job, Event.ELAPSED, 30)
    assert (job.phase, job.saved) == (phase, 30)


@pytest.mark.parametrize(
    ("interval", "blocks"),
    [(1, [10, 25, 5, 60]), (10, [10, 25, 65]), (11, [35, 65]), (36, [40, 60]), (41, [100])],
)
def test_a_job_in_steps_checkpoints_only_between_two(interval, blocks):
    """Steps of 10, 25, 5 and 60."""
    steps = plan(costs=FREE, interval=interval, boundaries=(10, 35, 40, 100))
    job, now, saved = submitted(steps, 0), 0, [0]
    job = step(steps, FREE, ENDLESS, job, Event.PLACED, now)
    while job.phase != Phase.COMPLETED:
        now = job.until
        job = step(steps, FREE, ENDLESS, job, Event.ELAPSED, now)
        saved.append(job.saved)
    assert [after - before for before, after in pairwise(saved)] == blocks


# Over a shared link: a turn that is awaited, then a transfer of a length nobody knows yet.

CARGO = Cargo(checkpoint=70, cold=20, warm=90)


def linked(news, lease=ENDLESS, job=None, **given):
    """A lease on which the link has news at these times, ELAPSED; what comes sooner goes first."""
    a_plan, news = plan(cargo=CARGO, **given), list(news)
    job = job or submitted(a_plan, 0)
    told, books, pending = [], ledger.opened(), 0
    now, event = 0, Event.PLACED
    while True:
        if event == Event.ELAPSED:
            job = over(job, now)
        before, job = job, step(a_plan, COSTS, lease, job, event, now)
        pending = ledger.book(books, pending, before, event, job)
        told.append((now, event.name, job.phase.name, job.saved))
        if not on_slot(job.phase):
            return told, {Category(n).name: time for n, time in enumerate(books) if time}
        now, event = upcoming(job, lease)
        if job.until >= NEVER and news and news[0] <= now:
            now, event = news.pop(0), Event.ELAPSED


def test_over_a_link_a_job_waits_for_its_turn_and_then_for_its_bytes():
    told, books = linked([5, 12, 60, 75], work=45)
    assert told == [
        (0, "PLACED", "AWAITING", 0),
        (5, "ELAPSED", "FETCHING", 0),
        (12, "ELAPSED", "STARTING", 0),
        (13, "ELAPSED", "COMPUTING", 0),
        (53, "ELAPSED", "WRITING", 0),
        (57, "ELAPSED", "AWAITING", 0),
        (60, "ELAPSED", "TRANSFERRING", 0),
        (75, "ELAPSED", "RESUMING", 40),
        (76, "ELAPSED", "COMPUTING", 40),
        (81, "ELAPSED", "COMPLETED", 45),
    ]
    assert books == {
        "USEFUL": 45,
        "WRITE": 4,
        "TRANSFER": 15,
        "COLD_START": 1,
        "RESTART_IN_PLACE": 1,
        "INPUT": 7,
        "TRANSFER_WAIT": 8,
    }


def test_a_job_without_anything_to_fetch_does_not_wait_at_the_start():
    a_plan = plan(cargo=Cargo(checkpoint=70, cold=0, warm=0))
    job = step(a_plan, COSTS, ENDLESS, submitted(a_plan, 0), Event.PLACED, 0)
    assert (job.phase, job.until) == (Phase.FETCHING, 3)


@pytest.mark.parametrize(
    ("lease", "at", "event"),
    [
        (ends(warned=58, grace=30), 58, "WARNED"),
        (ends(limit=58), 58, "EXPIRED"),
    ],
)
def test_a_job_that_awaits_its_turn_loses_its_checkpoint(lease, at, event):
    """Nothing is on the wire yet that could go on in the grace."""
    told, books = linked([5, 12, 60, 75], lease)
    assert told[-2:] == [(57, "ELAPSED", "AWAITING", 0), (at, event, "QUEUED", 0)]
    cause = "LOST_LIMIT" if event == "EXPIRED" else "LOST_EVICTION"
    assert books == {cause: 40, "WRITE": 4, "COLD_START": 1, "INPUT": 7, "TRANSFER_WAIT": 6}


def test_a_power_failure_while_awaiting_its_turn_is_noticed_late():
    told, books = linked([5, 12], ends(powered_off=58, contact_lease=40))
    assert told[-2:] == [
        (58, "POWERED_OFF", "DISCONNECTED", 0),
        (98, "ELAPSED", "QUEUED", 0),
    ]
    assert (books["LOST_POWER_FAILURE"], books["DISCONNECTED"]) == (40, 40)


@pytest.mark.parametrize(
    ("grace", "last", "saved"), [(10, (75, "ELAPSED"), 40), (5, (70, "EVICTED"), 0)]
)
def test_a_transfer_over_a_link_goes_on_in_the_grace(grace, last, saved):
    told, _ = linked([5, 12, 60, 75], ends(warned=65, grace=grace))
    assert told[-2] == (65, "WARNED", "VACATING", 0)
    assert told[-1] == (*last, "QUEUED", saved)


def test_a_job_warned_while_it_fetches_is_gone_at_once():
    told, books = linked([5, 12], ends(warned=9, grace=30))
    assert told[-1] == (9, "WARNED", "QUEUED", 0)
    assert books == {"TRANSFER_WAIT": 5, "INPUT": 4}


# Slots of other speeds than 1: work and time are two things.


def at_speed(speed, a_plan, limit=NEVER, costs=FREE):
    """What is told of one lease on such a slot, with what is not committed besides."""
    lease = ends(limit)._replace(speed=speed)
    job, told, now, event = submitted(a_plan, 0), [], 0, Event.PLACED
    while True:
        job = step(a_plan, costs, lease, job, event, now)
        told.append((now, event.name, job.phase.name, job.saved, job.unsaved))
        if not on_slot(job.phase):
            return told
        now, event = upcoming(job, lease)


def test_a_fast_slot_does_more_work_in_a_time():
    assert at_speed(4.0, plan(FREE)) == [
        (0, "PLACED", "COMPUTING", 0, 0),
        (10, "ELAPSED", "COMPUTING", 40, 0),
        (20, "ELAPSED", "COMPUTING", 80, 0),
        (25, "ELAPSED", "COMPLETED", 100, 0),
    ]


def test_a_block_is_done_at_the_first_whole_nanosecond_and_counts_in_full():
    """40 at 3 a nanosecond: 13 1/3, so 14; the work is 40 all the same, never 42."""
    assert at_speed(3.0, plan(FREE)) == [
        (0, "PLACED", "COMPUTING", 0, 0),
        (14, "ELAPSED", "COMPUTING", 40, 0),
        (28, "ELAPSED", "COMPUTING", 80, 0),
        (35, "ELAPSED", "COMPLETED", 100, 0),
    ]


def test_told_in_the_middle_a_job_saves_whole_units_of_work():
    """At 0.3 a nanosecond 25 ns are 7.5 of work, of which 7 are saved."""
    lease = ends(warned=25, grace=30)._replace(speed=0.3)
    a_plan = plan(FREE, mode=Mode.DELAYED_SIGNAL)
    costs = FREE._replace(write=4, transfer=5)
    job = step(a_plan, costs, lease, submitted(a_plan, 0), Event.PLACED, 0)
    job = step(a_plan, costs, lease, job, Event.WARNED, 25)
    assert (job.phase, job.unsaved, job.until) == (Phase.VACATING, 7, 34)
    job = step(a_plan, costs, lease, job, Event.ELAPSED, 34)
    assert (job.phase, job.saved, job.checkpoints) == (Phase.QUEUED, 7, 1)


@pytest.mark.parametrize(
    ("work", "speed", "time"),
    [(10, 1.0, 10), (10, 2.0, 5), (10, 3.0, 4), (10, 0.5, 20), (NEVER, 0.5, NEVER)],
)
def test_the_slot_time_of_work(work, speed, time):
    assert slot_time(work, speed) == time


def test_work_without_end_on_a_slow_slot_only_ends_with_the_lease():
    a_plan = plan(FREE, work=NEVER, mode=Mode.DELAYED_SIGNAL)
    assert at_speed(0.333, a_plan, limit=1000)[-1] == (1000, "EXPIRED", "QUEUED", 333, 0)


# The first block of a job that is staggered.


def test_the_first_block_may_be_shorter_until_there_is_a_checkpoint():
    lease = ENDLESS._replace(first_block=15)
    told, _ = story(plan(FREE), lease, FREE)
    assert [row[0] for row in told] == [0, 15, 55, 95, 100]
    told, _ = story(plan(FREE), lease, FREE, job=Job(Phase.QUEUED, 0, NEVER, 20, 0, 1, 0))
    assert [row[0] for row in told] == [0, 40, 80]
    told, _ = story(plan(FREE), ENDLESS._replace(first_block=60), FREE)
    assert [row[0] for row in told] == [0, 40, 80, 100]


def test_the_first_block_too_ends_with_a_whole_step():
    steps = plan(FREE, boundaries=(10, 30, 60, 100))
    assert [block(steps, 0, 0, most) for most in (5, 10, 15, 30, 39, NEVER)] == [
        10,
        10,
        30,
        30,
        60,
        60,
    ]
