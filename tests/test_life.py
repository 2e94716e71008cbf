"""A job's life in HTCondor's hands where no real run shows it: sequences worked out by hand.

What real runs show is in test_replay.py. Times are in seconds here.
"""

import re
import tempfile

import pytest
from golden_runs import events_in
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ckptsim import ledger
from ckptsim.htcondor import joblog
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import Hold, JobStatus, Vacate
from ckptsim.htcondor.joblog import Resource, Usage
from ckptsim.htcondor.life import SECOND, Forget, Leave, Log, Stage, Stay, Tell, Terms, Why
from ckptsim.ledger import Category
from ckptsim.rules import NEVER, Event, Lease, Phase, on_slot

CHECKPOINT = 85 << 8
GOOD, BAD = 0, 1 << 8
SLOT = "slot1_2@ep1@host"
USAGE = Usage(Resource(0, 1, 1), Resource(0, 1, 1), Resource(0, 1, 1))
BY_VACATE = Why(Stage.IDLE, Vacate.BY_USER, "Job vacated by schedd")
PREEMPTED = Why(Stage.IDLE, Vacate.PREEMPTED, "PREEMPT expression evaluated to True")


class Job:
    """One job, told what happens to it; `log`, `orders` and `left` keep what it led to."""

    def __init__(self, *, vacate_s=10, worklife_s=1200, **terms):
        self.terms = Terms(
            **{"checkpoint_status": CHECKPOINT, "promised_status": CHECKPOINT} | terms
        )
        self.vacate_s, self.worklife_s = vacate_s, worklife_s
        self.texts, self.log, self.orders, self.left = [], [], [], []
        self.began = self.slot_time = 0
        self.life, acts = lives.submitted(self.terms, "<127.0.0.1:1>", 0)
        self.take((self.life, acts), 0)

    def take(self, then, now):
        self.life, acts = then
        for act in acts:
            match act:
                case Log(event):
                    text = joblog.text(event, 7, 0, now)
                    self.texts.append(text)
                    self.log += [each.transfer or f"{each}" for each in events_in(text)]
                case Tell(order, purpose):
                    self.orders.append(f"{order} {purpose}".strip())
                case Leave():
                    self.slot_time += now - self.began
                    self.left.append(act.completed)
                case Forget():
                    self.orders.append("forget")
        return acts

    def at(self, seconds, do, *given, **named):
        """Tell what happened, by the name of its function in life.py."""
        now = round(seconds * SECOND)
        does = getattr(lives, do)
        if do == "sent" and len(given) == 1:
            given = (*given, None)
        if do == "send_failed":
            self.take(does(self.life, "missing.dat: no", 2, now=now, **named), now)
        elif do in ("sent", "parted"):  # their time is not the last
            self.take(does(self.life, *given[:-1], now, given[-1]), now)
        elif do == "contact_lost":
            self.take(does(self.life, "closed", *given, now, now, **named), now)
        else:
            self.take(does(self.life, *given, now, **named), now)
        return self

    def match(self, seconds, **claim):
        now = round(seconds * SECOND)
        self.began = now
        properties = {"Cpus": 1}
        stay = Stay(SLOT, "<127.0.0.1:1>", now, properties, USAGE, self.vacate_s * SECOND)
        lease = Lease(claim.get("claimed", now), NEVER, NEVER, NEVER, NEVER, NEVER, now)
        self.take(lives.matched(self.life, stay, lease, self.worklife_s * SECOND, now), now)
        return self

    def run(self, seconds):
        """Matched and staged at once, and started then."""
        return self.match(seconds).at(seconds, "staged", 100).at(seconds, "started")

    def checkpoint(self, ended, sent):
        return self.at(ended, "exited", CHECKPOINT, ()).at(sent, "sent", 5)

    @property
    def said(self):
        return " ".join(self.log)

    @property
    def books(self):
        """Seconds by category, without those that are nothing; they add up to the slot time."""
        books = self.life.books
        assert ledger.slot_time(books) + self.life.job.unsaved == self.slot_time or self.life.stay
        return {each.name: books[each] / SECOND for each in Category if books[each]}


STARTED = "000 in-start in-done 001"


# ---- before it runs


def test_a_vacate_during_input_transfer_ends_the_stay_at_once():
    job = Job().match(10).at(14, "stopped", BY_VACATE)
    assert job.said == "000 in-start 004:1022:0"
    assert job.orders == ["stage", "clear"]
    assert job.left == [False]
    assert job.life.stage == Stage.IDLE
    assert job.books == {"INPUT": 4}
    assert job.life.counts.vacates == 1
    assert job.life.counts.job_starts == 0


def test_what_is_reported_of_a_sandbox_that_was_given_up_is_passed_over():
    job = Job().match(10).at(14, "stopped", BY_VACATE).match(15).at(16, "staged", 100)
    job.at(17, "staged", 100).at(17, "stage_failed", "no", 2)
    assert job.said == "000 in-start 004:1022:0 in-start in-done"
    assert job.orders == ["stage", "clear", "stage", "start"]


def test_a_missing_input_file_is_a_hold_with_code_13():
    job = Job().match(10).at(12, "stage_failed", "data.txt: no such file or directory", 2)
    assert job.said == "000 in-start in-done 004:13:2 012:13:2"
    assert "data.txt: no such file" in job.texts[-1]
    assert job.orders == ["stage", "clear"]
    assert job.life.stage == Stage.HELD
    assert job.life.held.code == 13
    assert job.books == {"INPUT": 2}
    job.at(20, "release", "via condor_release").run(30)
    assert job.said.endswith("012:13:2 013 in-start in-done 001")


def test_an_executable_that_cannot_be_run_is_a_hold_with_code_6():
    job = Job().match(10).at(12, "staged", 100).at(13, "start_failed", "permission denied", 13)
    assert job.said == "000 in-start in-done 004:6:13 012:6:13"
    assert "permission denied" in job.texts[-1]
    assert job.life.stage == Stage.HELD
    assert job.life.counts.job_starts == 0
    assert job.left == [False]
    assert job.books == {"INPUT": 2, "COLD_START": 1}


@pytest.mark.parametrize("seconds", [14, 40])
def test_an_executable_that_cannot_be_run_is_not_waited_for_when_the_job_is_to_leave(seconds):
    job = Job().match(10).at(12, "staged", 100).at(13, "stopped", BY_VACATE)
    if seconds > 23:
        job.at(23, "overdue")
        assert job.life.stage == Stage.KILLING
    job.at(seconds, "start_failed", "permission denied", 13)
    assert job.said == "000 in-start in-done 004:1022:0"
    assert job.life.stage == Stage.IDLE
    assert job.orders[-1] == "clear"


# ---- told to stop


def test_a_soft_kill_gives_it_the_vacate_time_and_then_it_is_killed():
    job = Job(vacate_s=4).run(20).at(25, "stopped", BY_VACATE)
    assert (job.life.stage, job.life.stay.deadline) == (Stage.STOPPING, 29 * SECOND)
    job.at(29, "overdue")
    assert (job.life.stage, job.life.stay.deadline) == (Stage.KILLING, NEVER)
    job.at(30, "exited", 9, ())
    assert job.said == f"{STARTED} 004:1022:0"
    assert job.orders == ["stage", "start", "signal", "kill", "clear"]
    assert job.books == {"LOST_EVICTION": 10}


def test_a_hold_and_then_a_removal_while_it_stops_is_a_removal():
    job = Job().run(20).at(25, "hold").at(27, "remove", "via condor_rm").at(28, "exited", 15, ())
    assert job.said == f"{STARTED} 004:1023:0 009"
    assert job.orders == ["stage", "start", "signal", "clear", "forget"]
    assert job.life.stage == Stage.REMOVED
    assert job.books == {"LOST_HOLD": 8}


def test_a_removal_is_not_undone_by_a_hold_or_a_vacate():
    job = Job().run(20).at(25, "remove", "via condor_rm").at(26, "hold")
    job.at(27, "stopped", BY_VACATE).at(28, "exited", 15, ())
    assert job.said == f"{STARTED} 004:1023:0 009"


def test_a_hold_takes_the_place_of_a_vacate_and_does_not_prolong_it():
    job = Job().run(20).at(25, "stopped", BY_VACATE).at(30, "hold")
    assert job.life.stay.deadline == 35 * SECOND
    job.at(35, "overdue").at(35, "exited", 9, ())
    assert job.said == f"{STARTED} 004:1:0 012:1:0"
    assert job.orders == ["stage", "start", "signal", "kill", "clear"]
    assert job.life.counts.holds == 1


def test_a_second_vacate_changes_nothing_and_a_fast_one_kills():
    job = Job().run(20).at(25, "stopped", BY_VACATE).at(26, "stopped", PREEMPTED)
    assert job.orders == ["stage", "start", "signal"]
    assert job.life.stay.deadline == 35 * SECOND
    job.at(27, "stopped", BY_VACATE, fast=True).at(27.5, "stopped", BY_VACATE, fast=True)
    assert job.orders == ["stage", "start", "signal", "kill"]
    job.at(28, "exited", 9, ())
    assert job.said == f"{STARTED} 004:1022:0"


def test_the_exit_code_of_a_job_that_was_told_to_stop_counts_for_nothing():
    for status in (CHECKPOINT, GOOD, BAD, 9):
        job = Job().run(20).at(25, "stopped", BY_VACATE).at(26, "exited", status, ())
        assert job.said == f"{STARTED} 004:1022:0"
        assert job.life.job.checkpoints == 0
        assert job.books == {"LOST_EVICTION": 6}


def test_the_slots_runtime_limit_loses_to_the_limit_not_to_an_eviction():
    why = PREEMPTED._replace(event=Event.EXPIRED)
    job = Job().run(20).at(25, "stopped", why, fast=True).at(25, "exited", 9, ())
    assert job.books == {"LOST_LIMIT": 5}


# ---- told to stop while a checkpoint is on the wire


def test_a_fast_vacate_cuts_a_checkpoints_transfer_off():
    job = Job().run(20).at(30, "exited", CHECKPOINT, ()).at(33, "stopped", BY_VACATE, fast=True)
    assert job.said == f"{STARTED} out-start 004:1022:0"
    assert job.orders == ["stage", "start", "send checkpoint", "clear"]
    assert job.life.job.checkpoints == 0
    assert job.books == {"TRANSFER": 3, "LOST_EVICTION": 10}


def test_a_soft_one_lets_it_end_and_so_much_is_saved():
    job = Job().run(20).at(30, "exited", CHECKPOINT, ()).at(33, "hold").at(50, "sent", 5)
    assert job.said == f"{STARTED} out-start out-done 004:1:0 012:1:0"
    assert job.life.job.checkpoints == 1
    assert job.books == {"USEFUL": 10, "TRANSFER": 3, "VACATING": 17}


def test_but_not_for_longer_than_the_killing_timeout_after_its_vacate_time():
    job = Job(vacate_s=4).run(20).at(30, "exited", CHECKPOINT, ()).at(33, "stopped", BY_VACATE)
    assert job.life.stay.deadline == (33 + 4 + 30) * SECOND
    job.at(67, "overdue")
    assert job.said == f"{STARTED} out-start 004:1022:0"
    assert job.books == {"TRANSFER": 3, "VACATING": 34, "LOST_EVICTION": 10}


def test_a_transfer_that_fails_then_leaves_the_vacate_its_code():
    job = Job().run(20).at(30, "exited", CHECKPOINT, ()).at(33, "stopped", BY_VACATE)
    job.at(34, "send_failed", transient=False)
    assert job.said == f"{STARTED} out-start out-done 004:1022:0"
    assert job.books == {"TRANSFER": 3, "VACATING": 1, "LOST_EVICTION": 10}


def test_a_limit_reached_then_is_a_hold_once_the_checkpoint_is_in():
    why = lives.limit(Hold.JOB_DURATION, "job", 9 * SECOND)
    job = Job().run(20).at(29, "exited", CHECKPOINT, ()).at(30, "stopped", why)
    job.at(31, "stopped", why).at(32, "sent", 5)
    assert job.said == f"{STARTED} out-start out-done 012:46:0"
    assert job.books == {"USEFUL": 9, "TRANSFER": 1, "VACATING": 2}


# ---- transfers that fail


def test_after_a_transient_failure_it_runs_on_and_its_next_checkpoint_saves_all():
    job = Job().run(20).at(30, "exited", CHECKPOINT, ()).at(31, "send_failed", transient=True)
    assert job.life.stage == Stage.RUNNING
    job.at(33, "started").checkpoint(40, 41)
    assert job.said == f"{STARTED} out-start out-done out-start out-done"
    assert job.orders == [
        *("stage", "start", "send checkpoint", "start"),
        *("send checkpoint", "start"),
    ]
    assert job.life.job.checkpoints == 1
    # The number is used up all the same: HTCondor counts attempts.
    assert job.life.counts.checkpoint_number == 1
    assert job.books == {"USEFUL": 17, "TRANSFER": 2, "RESTART_IN_PLACE": 2}


def test_without_delays_a_failed_checkpoint_is_a_hold_at_once():
    job = Job(delays=False).run(20).at(30, "exited", CHECKPOINT, ())
    job.at(31, "send_failed", transient=False)
    assert job.said == f"{STARTED} out-start out-done 021:36:-1 004:36:-1 012:36:-1"
    assert job.books == {"TRANSFER": 1, "LOST_HOLD": 10}


@pytest.mark.parametrize(
    ("do", "given", "end"),
    [
        ("remove", ["via condor_rm"], "004:1023:0 009"),
        ("hold", [], "004:36:-1 012:36:-1"),
        ("stopped", [BY_VACATE], "004:36:-1 012:36:-1"),
    ],
)
def test_what_people_ask_for_while_a_failed_checkpoint_waits_to_be_told(do, given, end):
    job = Job().run(20).at(30, "exited", CHECKPOINT, ()).at(31, "send_failed", transient=False)
    assert (job.life.stage, job.life.stay.deadline) == (Stage.PARTING, 41 * SECOND)
    job.at(35, do, *given).at(41, "overdue")
    assert job.said == f"{STARTED} out-start out-done 021:36:-1 {end}"


def test_an_eviction_transfer_that_fails_starts_the_job_over():
    job = Job(on_evict=True).run(20).at(25, "stopped", BY_VACATE).at(26, "exited", 15, ())
    job.at(28, "send_failed", transient=False)
    assert job.said == f"{STARTED} out-start out-done 021:13:2 004:1022:0"
    assert job.life.job.checkpoints == 0
    assert job.books == {"VACATING": 3, "LOST_EVICTION": 5}


# ---- saved when it is evicted


def test_the_vacate_time_may_run_out_in_the_transfer_and_all_is_lost():
    job = Job(on_evict=True).run(20).at(25, "stopped", BY_VACATE).at(28, "exited", 15, ())
    assert job.orders == ["stage", "start", "signal", "send evict"]
    assert job.life.stay.deadline == (25 + 10 + 30) * SECOND
    job.at(65, "overdue")
    assert job.said == f"{STARTED} out-start 004:1022:0"
    assert job.orders[-1] == "clear"
    assert job.life.job.checkpoints == 0
    assert job.books == {"VACATING": 40, "LOST_EVICTION": 5}


def test_one_that_says_nothing_has_saved_all_up_to_the_signal():
    job = Job(on_evict=True).run(20).at(25, "stopped", BY_VACATE).at(27, "exited", GOOD, ())
    job.at(28, "sent", 5)
    assert job.said == f"{STARTED} out-start out-done 004:1022:0"
    assert job.books == {"USEFUL": 5, "VACATING": 3}


def test_of_one_that_tells_what_it_does_only_what_it_wrote_is_saved():
    """Written from 25 to 27, and all since then was not."""
    marks = seconds([("computing", 21), ("writing", 25), ("computing", 27)])
    job = Job(on_evict=True).run(20).at(30, "stopped", BY_VACATE).at(31, "exited", 15, marks)
    job.at(32, "sent", 5)
    assert job.books == {
        "COLD_START": 1,
        "USEFUL": 4,
        "WRITE": 2,
        "LOST_EVICTION": 3,
        "VACATING": 2,
    }


def test_a_fast_vacate_transfers_nothing():
    job = Job(on_evict=True).run(20).at(25, "stopped", BY_VACATE, fast=True)
    job.at(25, "exited", 9, ())
    assert job.orders == ["stage", "start", "kill", "clear"]
    assert job.books == {"LOST_EVICTION": 5}


def test_a_job_that_lost_its_input_transfer_to_a_hold_has_nothing_to_save():
    job = Job(on_evict=True).match(10).at(13, "hold")
    assert job.said == "000 in-start 004:1:0 012:1:0"


# ---- what a job says of itself


def seconds(marks):
    return tuple((name, round(at * SECOND)) for name, at in marks)


@pytest.mark.parametrize(
    ("marks", "books"),
    [
        ([], {"USEFUL": 10}),
        ([("computing", 22)], {"COLD_START": 2, "USEFUL": 8}),
        ([("computing", 22), ("writing", 27)], {"COLD_START": 2, "USEFUL": 5, "WRITE": 3}),
        # Two checkpoints of its own, of which the second was transferred.
        (
            [("computing", 22), ("writing", 23), ("computing", 24), ("writing", 28)],
            {"COLD_START": 2, "USEFUL": 5, "WRITE": 3},
        ),
        # What comes too early, too late or in no order is not believed.
        ([("writing", 21), ("computing", 22), ("computing", 23)], {"COLD_START": 2, "USEFUL": 8}),
        ([("computing", 19), ("computing", 22), ("writing", 31)], {"COLD_START": 2, "USEFUL": 8}),
        ([("computing", 25), ("writing", 22)], {"COLD_START": 5, "USEFUL": 5}),
        ([("dreaming", 22), ("computing", 24)], {"COLD_START": 4, "USEFUL": 6}),
        ([("writing", 22)], {"COLD_START": 10}),
    ],
)
def test_marks_tell_restart_computing_and_writing_apart(marks, books):
    job = Job().run(20).at(30, "exited", CHECKPOINT, seconds(marks)).at(30, "sent", 5)
    assert job.books == books


def test_a_start_in_place_and_one_on_another_slot_are_told_apart_too():
    job = Job().run(20).checkpoint(30, 31).at(32, "started")
    job.at(40, "exited", CHECKPOINT, seconds([("computing", 34), ("writing", 39)])).at(
        41, "sent", 5
    )
    job.at(42, "started").at(50, "stopped", BY_VACATE, fast=True)
    job.at(50, "exited", 9, seconds([("computing", 43)]))
    assert job.books == {
        "USEFUL": 15,
        "TRANSFER": 2,
        "RESTART_IN_PLACE": 1 + 2 + 1 + 1,
        "WRITE": 1,
        "LOST_EVICTION": 7,
    }
    job.run(60).at(75, "exited", GOOD, seconds([("computing", 64)])).at(76, "sent", 5)
    assert job.books["RESTART_LEASE"] == 4
    assert job.books["USEFUL"] == 15 + 11
    assert job.said.endswith("005:0")


# ---- a checkpoint that is asked for


def test_no_second_checkpoint_is_asked_for_before_the_first_is_answered():
    job = Job().match(20).at(21, "staged", 1).at(21.5, "ask_for_checkpoint")
    assert job.orders == ["stage", "start"]
    job.at(22, "started").at(26, "ask_for_checkpoint").at(27, "ask_for_checkpoint")
    assert job.orders == ["stage", "start", "signal checkpoint"]
    assert job.life.stay.asked == 26 * SECOND
    job.at(28, "exited", CHECKPOINT, ()).at(28.5, "ask_for_checkpoint").at(29, "sent", 5)
    job.at(30, "started").at(33, "ask_for_checkpoint")
    assert job.orders[2:] == ["signal checkpoint", "send checkpoint", "start", "signal checkpoint"]
    assert job.books["USEFUL"] == 6


@pytest.mark.parametrize(("status", "subcode"), [(GOOD, 0), (BAD, 256), (9, 9)])
def test_an_exit_that_breaks_its_promise_is_a_hold_even_a_good_one(status, subcode):
    job = Job().run(20).at(25, "ask_for_checkpoint").at(30, "exited", status, ())
    assert job.said == f"{STARTED} 021:36:{subcode} 004:36:{subcode} 012:36:{subcode}"
    assert "Promised exit was with exit code 85, actual exit status was " in job.texts[-1]
    assert job.orders == ["stage", "start", "signal checkpoint", "clear"]
    assert job.books == {"LOST_HOLD": 10}


def test_a_job_told_by_a_signal_promises_exit_code_0_unless_it_says_otherwise():
    job = Job(checkpoint_status=None, promised_status=0).run(20).at(25, "ask_for_checkpoint")
    job.at(26, "exited", GOOD, ()).at(27, "sent", 5)
    assert job.said == f"{STARTED} out-start out-done"
    job.at(27, "started").at(30, "exited", GOOD, ()).at(31, "sent", 5)
    assert job.said == f"{STARTED} out-start out-done out-start out-done 005:0"


def test_a_new_stay_is_asked_anew():
    job = Job().run(20).at(25, "ask_for_checkpoint").at(26, "stopped", BY_VACATE)
    job.at(27, "exited", 15, ()).run(30).at(35, "exited", GOOD, ()).at(35, "sent", 5)
    assert job.said.endswith("004:1022:0 in-start in-done 001 out-start out-done 005:0")


# ---- limits


def test_allowed_execute_duration_may_be_met_but_not_exceeded():
    job = Job(execute_duration=9 * SECOND).match(20).at(25, "staged", 1)
    assert lives.limits(job.life, 1000 * SECOND) is None  # not started yet
    job.at(30, "started")
    assert lives.limits(job.life, 39 * SECOND) is None
    why = lives.limits(job.life, 39 * SECOND + 1)
    assert (why.then, why.code, why.evicted) == (Stage.HELD, 47, False)
    assert why.reason == "The job exceeded allowed execute duration of 00:09"


def test_each_checkpoints_transfer_begins_it_anew():
    job = Job(execute_duration=9 * SECOND).run(30).checkpoint(36, 38).at(39, "started")
    assert lives.limits(job.life, 47 * SECOND) is None
    assert lives.limits(job.life, 47 * SECOND + 1).code == 47


def test_allowed_job_duration_may_not_even_be_met_and_counts_from_the_match():
    job = Job(job_duration=9 * SECOND).match(20).at(25, "staged", 1).at(26, "started")
    job.checkpoint(27, 28).at(28, "started")
    assert lives.limits(job.life, 29 * SECOND - 1) is None
    why = lives.limits(job.life, 29 * SECOND)
    assert (why.then, why.code, why.evicted) == (Stage.HELD, 46, False)
    job.at(29, "stopped", why).at(30, "exited", 15, ())
    assert job.said == f"{STARTED} out-start out-done 012:46:0"
    assert job.books == {"INPUT": 5, "COLD_START": 1, "USEFUL": 1, "TRANSFER": 1, "LOST_LIMIT": 2}
    job.at(31, "release", "via condor_release").run(40)
    assert lives.limits(job.life, 48 * SECOND) is None


@pytest.mark.parametrize(
    ("duration", "text"),
    [(9, "00:09"), (60, "01:00"), (3600, "1:00:00"), (36_061, "10:01:01"), (183_600, "2+03:00:00")],
)
def test_a_duration_as_htcondor_writes_it(duration, text):
    assert lives.clock(duration) == text


# ---- the end of a claim


def test_a_job_whose_claim_is_closing_leaves_at_its_next_checkpoint():
    job = Job().run(20).checkpoint(30, 31).at(31, "started")
    job.life = lives.retiring(job.life, 35 * SECOND)
    assert job.life.stage == Stage.RUNNING
    assert lives.retiring(job.life, 38 * SECOND).lease.retiring == 35 * SECOND
    job.checkpoint(40, 41)
    assert job.said.endswith("out-start out-done 021:1025:0 004:1025:0")
    assert job.orders[-1] == "clear"
    assert job.left == [False]
    assert job.books == {"USEFUL": 19, "TRANSFER": 2}


@pytest.mark.parametrize(("sent", "leaves"), [(28, False), (28.000000001, True)])
def test_a_claim_may_be_used_up_to_its_worklife(sent, leaves):
    job = Job(worklife_s=8).run(20).checkpoint(25, sent)
    assert job.said.endswith("021:1025:0 004:1025:0") is leaves
    assert (job.life.stage == Stage.IDLE) is leaves


def test_a_claim_older_than_the_stay_counts_from_its_own_beginning():
    job = Job(worklife_s=8).match(20, claimed=12 * SECOND).at(20, "staged", 1).at(20, "started")
    job.checkpoint(20.5, 21)
    assert job.said.endswith("021:1025:0 004:1025:0")


# ---- its own policy


def test_on_exit_hold_says_its_own_reason_and_writes_no_004():
    why = Why(Stage.HELD, Hold.BY_POLICY, "out of licences", 17, False, Event.WITHDRAWN)
    job = Job().run(20).at(30, "exited", BAD, ()).at(31, "sent", 5, why)
    assert job.said == f"{STARTED} out-start out-done 012:3:17"
    assert "\tout of licences\n" in job.texts[-1]
    assert job.life.counts.completions == 1
    assert job.books == {"TRANSFER": 1, "LOST_HOLD": 10}
    # Seen in a real pool, and nobody knows why: such a hold counts three times (I52).
    assert job.life.counts.holds == 3


REQUEUED = Why(Stage.IDLE, Vacate.REQUEUED, "OnExitRemove", event=Event.REQUEUED)


@pytest.mark.parametrize(
    ("kept", "books"),
    [(False, {"TRANSFER": 1, "LOST_LEAVING": 10}), (True, {"TRANSFER": 1, "USEFUL": 10})],
)
def test_an_early_exit_saves_what_goes_into_its_next_sandbox(kept, books):
    job = Job(checkpoint_status=None).run(20).at(30, "exited", 77 << 8, ())
    job.at(31, "sent", 5, REQUEUED._replace(kept=kept))
    assert job.said == f"{STARTED} out-start out-done 004:77"
    assert job.books == books
    assert job.life.job.checkpoints == kept


@pytest.mark.parametrize(
    ("do", "given", "end", "stage"),
    [
        ("remove", ["via condor_rm"], "004:1023:0 009", Stage.REMOVED),
        ("hold", [], "004:1:0 012:1:0", Stage.HELD),
        ("stopped", [BY_VACATE], "004:77", Stage.IDLE),
    ],
)
def test_what_people_ask_for_during_the_last_transfer_holds_if_the_job_stays(do, given, end, stage):
    job = (
        Job().run(20).at(30, "exited", 77 << 8, ()).at(30.5, do, *given).at(31, "sent", 5, REQUEUED)
    )
    assert job.said == f"{STARTED} out-start out-done {end}"
    assert job.life.stage == stage


@pytest.mark.parametrize(
    ("do", "given"), [("remove", ["r"]), ("hold", []), ("stopped", [BY_VACATE])]
)
def test_and_a_job_that_is_done_is_done(do, given):
    job = Job().run(20).at(30, "exited", BAD, ()).at(30.5, do, *given).at(31, "sent", 5)
    assert job.said == f"{STARTED} out-start out-done 005:1"
    assert job.orders == ["stage", "start", "send final", "clear", "forget"]
    assert job.left == [True]


def test_a_removal_counts_too_where_the_last_transfer_fails():
    job = Job().run(20).at(30, "exited", GOOD, ()).at(30.5, "remove", "r")
    job.at(31, "send_failed", transient=False)
    assert job.said == f"{STARTED} out-start out-done 021:13:2 004:1023:0 009"


# ---- contact lost


def test_a_removal_while_contact_is_lost_does_not_wait_for_it():
    job = (
        Job().run(20).at(30, "contact_lost", (), found_out=False).at(35, "remove", "via condor_rm")
    )
    assert job.said == f"{STARTED} 022 004:1023:0 009"
    assert job.books == {"LOST_POWER_FAILURE": 10, "DISCONNECTED": 5}
    assert job.orders == ["stage", "start", "clear", "forget"]


def test_the_contact_lease_counts_from_the_last_word():
    job = Job(contact_lease=40 * SECOND).run(20)
    job.life = lives.updated(job.life, 33 * SECOND, 5)  # words at 20, 25, 30
    job.at(33, "contact_lost", (), found_out=False)
    assert job.life.stay.deadline == 70 * SECOND
    job.at(70, "overdue")
    assert job.life.stage == Stage.PARTING
    job.at(80, "overdue")
    assert job.said == f"{STARTED} 022 024 004:1008:0"
    assert job.books == {"LOST_POWER_FAILURE": 13, "DISCONNECTED": 47}


def test_a_lease_that_ran_out_before_the_loss_was_noticed_is_over_at_once():
    job = Job(contact_lease=5 * SECOND, delays=False).run(20)
    now, lost = 400 * SECOND, 30 * SECOND
    job.take(lives.contact_lost(job.life, "silent", (), lost, now, found_out=False), now)
    assert job.life.stay.deadline == now
    job.at(400, "overdue")
    assert job.said == f"{STARTED} 022 024 004:1008:0"
    assert job.books == {"LOST_POWER_FAILURE": 10, "DISCONNECTED": 370}


@pytest.mark.parametrize(
    ("do", "given", "end", "stage"),
    [
        ("remove", ["via condor_rm"], "022 004:1023:0 009", Stage.REMOVED),
        ("hold", [], "022 004:1:0 012:1:0", Stage.HELD),
        ("stopped", [BY_VACATE], "022", Stage.LOST),
    ],
)
def test_a_hold_or_removal_under_way_is_not_forgotten_when_the_machine_dies(do, given, end, stage):
    job = Job().run(20).at(25, do, *given).at(27, "contact_lost", (), found_out=False)
    assert job.said == f"{STARTED} {end}"
    assert job.life.stage == stage


def test_a_machine_may_be_lost_in_any_transfer():
    job = Job().match(20).at(23, "contact_lost", (), found_out=True).at(25, "overdue")
    assert job.said == "000 in-start 022 024 004:1008:0"
    assert job.books == {"INPUT": 3, "DISCONNECTED": 2}
    job = Job().run(20).at(30, "exited", GOOD, ()).at(33, "contact_lost", (), found_out=True)
    job.at(35, "overdue")
    assert job.books == {"TRANSFER": 3, "LOST_POWER_FAILURE": 10, "DISCONNECTED": 2}


# ---- the access point itself


def test_after_a_dead_access_point_the_job_goes_on_from_its_last_checkpoint():
    job = Job().run(20).checkpoint(30, 31).at(31, "started")
    job.life = lives.updated(job.life, 37 * SECOND, 5)  # at 35
    job.at(90, "recovered")
    assert job.said == f"{STARTED} out-start out-done 024"
    assert job.left == [False]
    assert job.life.stage == Stage.IDLE
    assert job.books == {
        "USEFUL": 10,
        "TRANSFER": 1,
        "LOST_POWER_FAILURE": 4,
        "DISCONNECTED": 55,
    }
    job.run(91).at(95, "exited", GOOD, ()).at(95, "sent", 5)
    assert job.said.endswith("024 in-start in-done 001 out-start out-done 005:0")
    assert job.books["USEFUL"] == 14


@pytest.mark.parametrize(
    ("do", "given", "end", "stage"),
    [
        ("remove", ["via condor_rm"], "024 004:1023:0 009", Stage.REMOVED),
        ("hold", [], "024 004:1:0 012:1:0", Stage.HELD),
        ("stopped", [BY_VACATE], "024", Stage.IDLE),
    ],
)
def test_and_what_a_person_asked_for_is_done(do, given, end, stage):
    job = Job().run(20).at(25, do, *given).at(60, "recovered")
    assert job.said == f"{STARTED} {end}"
    assert job.life.stage == stage


def test_what_it_was_about_to_say_is_said_when_it_is_back():
    job = Job().run(20).at(30, "exited", CHECKPOINT, ()).at(31, "send_failed", transient=False)
    job.at(35, "recovered")
    assert job.said == f"{STARTED} out-start out-done 021:36:-1 004:36:-1 012:36:-1"
    job = Job(contact_lease=5 * SECOND).run(20).at(22, "contact_lost", (), found_out=False)
    job.at(25, "overdue").at(27, "recovered")
    assert job.said == f"{STARTED} 022 024 004:1008:0"


def test_when_the_pool_is_stopped_each_job_is_killed_and_queued():
    why = Why(Stage.IDLE, Vacate.BY_USER, "The pool was stopped")
    job = Job(on_evict=True).run(20).at(25, "stopped", why, fast=True).at(26, "parted", [])
    assert job.said == f"{STARTED} 004:1022:0"
    assert job.orders == ["stage", "start", "kill", "clear"]
    assert job.life.stage == Stage.IDLE
    assert job.books == {"LOST_EVICTION": 6}


# ---- in the queue


def test_a_job_in_the_queue_is_held_released_and_removed():
    job = (
        Job().at(5, "hold").at(6, "release", "via condor_release").at(7, "remove", "via condor_rm")
    )
    assert job.said == "000 012:1:0 013 009"
    assert job.orders == ["forget"]
    assert lives.release(job.life, "r", 8 * SECOND)[1] == []
    assert lives.stopped(job.life, BY_VACATE, 8 * SECOND) == (job.life, [])


def test_what_is_counted():
    """I48-I51: committed time as in e11, the last transfer's bytes and all, wall clock time."""
    job = Job().run(20).checkpoint(27, 30).at(30, "started")
    assert job.life.counts.committed_s == 7
    job.checkpoint(37, 40).at(40, "started")
    assert job.life.counts.committed_s == 14
    job.at(46, "exited", GOOD, ()).at(48, "sent", 3)
    counts = job.life.counts
    assert counts.committed_s == 25
    assert (counts.shadow_starts, counts.job_starts, counts.completions) == (1, 1, 1)
    assert (counts.wall_s, counts.sent, counts.received) == (28, 3, 100)
    assert counts.checkpoint_number == 1


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        (Stage.IDLE, 1),
        (Stage.STAGING, 2),
        (Stage.RUNNING, 2),
        (Stage.LOST, 2),
        (Stage.REMOVED, 3),
        (Stage.COMPLETED, 4),
        (Stage.HELD, 5),
        (Stage.DELIVERING, 6),
    ],
)
def test_htcondors_status_of_a_stage(stage, status):
    assert lives.status(Job().life._replace(stage=stage)) == status == JobStatus(status)


# ---- any happenings at any times

QUEUE = r"( 012 013)*( 012)?( 009)?"
STAY = re.compile(
    r"in-start( in-done( 001( out-start out-done)*( out-start)?)?)?"
    rf"( 021)?( 022)?( 024)?( 004| 005)?{QUEUE}"
)
TIMES = st.integers(0, 5 * SECOND) | st.integers(0, 10**15)
STATUSES = st.sampled_from([CHECKPOINT, GOOD, BAD, 77 << 8, 9, 15])
MARKS = st.lists(
    st.tuples(st.sampled_from(["computing", "writing", "dreaming"]), TIMES), max_size=4
)
PHASES = {
    Stage.IDLE: {Phase.QUEUED},
    Stage.STAGING: {Phase.FETCHING},
    Stage.RUNNING: {Phase.STARTING, Phase.RESTARTING, Phase.RESUMING},
    Stage.CHECKPOINTING: {Phase.TRANSFERRING, Phase.VACATING},
    Stage.STOPPING: {Phase.STARTING, Phase.RESTARTING, Phase.RESUMING},
    Stage.KILLING: {Phase.STARTING, Phase.RESTARTING, Phase.RESUMING},
    Stage.SAVING: {Phase.VACATING},
    Stage.DELIVERING: {Phase.DELIVERING},
    Stage.LOST: {Phase.DISCONNECTED},
    Stage.PARTING: {Phase.DISCONNECTED, Phase.VACATING},
    Stage.HELD: {Phase.HELD},
    Stage.COMPLETED: {Phase.COMPLETED},
    Stage.REMOVED: {Phase.REMOVED},
}


TERMS = st.builds(
    Terms,
    checkpoint_status=st.just(CHECKPOINT),
    promised_status=st.just(CHECKPOINT),
    on_evict=st.booleans(),
    contact_lease=TIMES,
    job_duration=st.none() | TIMES,
    execute_duration=st.none() | TIMES,
    user=st.just("user"),
    delays=st.booleans(),
)


class AnyLife(RuleBasedStateMachine):
    """A machine that does as it is told, and people who do as they like."""

    @initialize(terms=TERMS, vacate=TIMES, worklife=TIMES | st.just(NEVER))
    def submit(self, terms, vacate, worklife):
        self.now, self.slot_time, self.matches, self.useful = 10**18, 0, 0, 0
        self.vacate, self.worklife = vacate, worklife
        self.words, self.texts = [], []
        self.machine = None  # what it is at: stage, start, run, send; over
        self.life, acts = lives.submitted(terms, "<127.0.0.1:1>", self.now)
        self.done((self.life, acts))

    @precondition(lambda self: not self.is_there())
    @rule(terms=TERMS)
    def submit_another(self, terms):
        self.htcondor_reads_the_log()
        self.submit(terms, self.vacate, self.worklife)

    def done(self, then):
        before = self.life
        self.life, acts = then
        for act in acts:
            if isinstance(act, Log):
                text = joblog.text(act.event, 7, 0, self.now)
                self.texts.append(text)
                self.words += [each.transfer or f"{each.number:03}" for each in events_in(text)]
        orders = [act.order for act in acts if isinstance(act, Tell)]
        ends = before.stay is not None and self.life.stay is None
        assert orders.count("clear") == sum(isinstance(act, Leave) for act in acts) == ends
        assert any(isinstance(act, Forget) for act in acts) == (
            self.life.stage in lives.ENDED and before.stage not in lives.ENDED
        )
        for order in orders:
            if order in ("stage", "start", "send"):
                assert self.machine in (None, "over")
                self.machine = order
        if ends:
            self.machine = None
            self.slot_time += self.now - before.stay.began

    def tell(self, wait, do, *given, **named):
        self.now += wait
        self.done(getattr(lives, do)(self.life, *given, now=self.now, **named))

    def is_on_slot(self):
        return self.life.stage in lives.ON_SLOT

    def is_there(self):
        return self.life.stage not in lives.ENDED

    # -- the pool

    @precondition(lambda self: self.life.stage == Stage.IDLE)
    @rule(wait=TIMES, age=TIMES)
    def match(self, wait, age):
        self.now += wait
        self.matches += 1
        stay = Stay(SLOT, "<127.0.0.1:1>", self.now, {}, USAGE, self.vacate, updated=self.now)
        lease = Lease(self.now - age, NEVER, NEVER, NEVER, NEVER, NEVER, self.now)
        self.tell(0, "matched", stay, lease, self.worklife)

    @precondition(lambda self: self.life.stay and self.life.stay.deadline < NEVER)
    @rule()
    def wait_for_the_deadline(self):
        self.tell(max(0, self.life.stay.deadline - self.now), "overdue")

    @precondition(is_on_slot)
    @rule(wait=TIMES, event=st.sampled_from([Event.WARNED, Event.EXPIRED]), fast=st.booleans())
    def preempt(self, wait, event, fast):
        self.tell(wait, "stopped", PREEMPTED._replace(event=event), fast=fast)

    @precondition(lambda self: self.life.stage in (Stage.RUNNING, Stage.CHECKPOINTING))
    @rule(wait=TIMES, removes=st.booleans())
    def look(self, wait, removes):
        self.now += wait
        own = Why(Stage.HELD, Hold.BY_POLICY, "PeriodicHold", 0, False, Event.WITHDRAWN)
        if removes:
            own = Why(Stage.REMOVED, Vacate.REMOVED, "PeriodicRemove", event=Event.WITHDRAWN)
        self.tell(0, "stopped", lives.limits(self.life, self.now) or own)

    @precondition(is_on_slot)
    @rule(wait=TIMES)
    def retire(self, wait):
        self.now += wait
        self.life = lives.retiring(self.life, self.now)

    @precondition(is_on_slot)
    @rule(wait=TIMES)
    def ask_for_checkpoint(self, wait):
        self.tell(wait, "ask_for_checkpoint")

    @precondition(
        lambda self: self.is_on_slot() and self.life.stage not in (Stage.LOST, Stage.PARTING)
    )
    @rule(wait=TIMES, unseen=TIMES, found_out=st.booleans(), period=st.sampled_from([0, 2, 300]))
    def lose_contact(self, wait, unseen, found_out, period):
        self.now += wait
        lost = self.now
        self.machine = "over"
        self.now += 0 if found_out else unseen
        self.life = lives.updated(self.life, lost, period)
        self.tell(0, "contact_lost", "closed", (), lost, found_out=found_out)

    @precondition(is_on_slot)
    @rule(wait=TIMES)
    def access_point_dies(self, wait):
        self.machine = "over"
        self.tell(wait, "recovered")

    @precondition(is_on_slot)
    @rule(wait=TIMES)
    def stop_the_pool(self, wait):
        self.tell(wait, "stopped", BY_VACATE, fast=True)
        if self.life.stay:
            self.tell(wait, "parted", acts=[])

    # -- the machine

    @precondition(lambda self: self.machine == "stage")
    @rule(wait=TIMES, fails=st.booleans())
    def stage(self, wait, fails):
        self.machine = "over"
        if fails:
            self.tell(wait, "stage_failed", "x: no such file", 2)
        else:
            self.tell(wait, "staged", 100)

    @precondition(lambda self: self.machine == "start")
    @rule(wait=TIMES, fails=st.sampled_from([False, False, True]))
    def start(self, wait, fails):
        self.machine = "over" if fails else "run"
        if fails:
            self.tell(wait, "start_failed", "x: no", 2)
        else:
            self.tell(wait, "started")

    @precondition(lambda self: self.machine == "run")
    @rule(wait=TIMES, status=STATUSES, marks=MARKS)
    def exit(self, wait, status, marks):
        self.machine = "over"
        began = self.life.stay.started
        self.tell(wait, "exited", status, [(name, began + at) for name, at in marks])

    @precondition(lambda self: self.machine == "send")
    @rule(wait=TIMES, own=st.sampled_from([None, None, "requeue", "keep", "hold"]))
    def send(self, wait, own):
        self.machine = "over"
        verdicts = {
            "requeue": REQUEUED,
            "keep": REQUEUED._replace(kept=True),
            "hold": Why(Stage.HELD, Hold.BY_POLICY, "on exit", 0, False, Event.WITHDRAWN),
        }
        verdict = verdicts.get(own) if self.life.stage == Stage.DELIVERING else None
        self.tell(wait, "sent", 5, verdict=verdict)

    @precondition(lambda self: self.machine == "send")
    @rule(wait=TIMES, transient=st.booleans())
    def fail_to_send(self, wait, transient):
        self.machine = "over"
        self.tell(wait, "send_failed", "x: no such file", 2, transient=transient)

    # -- people

    @precondition(is_on_slot)
    @rule(wait=TIMES, fast=st.booleans())
    def vacate_job(self, wait, fast):
        self.tell(wait, "stopped", BY_VACATE, fast=fast)

    @precondition(lambda self: self.is_there() and self.life.stage != Stage.HELD)
    @rule(wait=TIMES)
    def hold_job(self, wait):
        self.tell(wait, "hold")

    @precondition(lambda self: self.life.stage == Stage.HELD)
    @rule(wait=TIMES)
    def release_job(self, wait):
        self.tell(wait, "release", "via condor_release")

    @precondition(is_there)
    @rule(wait=TIMES, really=st.sampled_from([False, False, False, True]))
    def remove_job(self, wait, really):
        if really:
            self.tell(wait, "remove", "via condor_rm")

    # -- what holds at any time

    @invariant()
    def time_adds_up(self):
        life = self.life
        so_far = life.job.since - life.stay.began if life.stay else 0
        assert ledger.slot_time(life.books) + life.job.unsaved == self.slot_time + so_far
        assert life.books[Category.USEFUL] == life.job.saved
        assert min(life.books) >= 0
        assert life.counts.wall_s * SECOND == pytest.approx(self.slot_time)

    @invariant()
    def saved_work_only_grows(self):
        assert self.life.job.saved >= self.useful
        self.useful = self.life.job.saved

    @invariant()
    def stage_and_phase_and_stay_agree(self):
        life = self.life
        assert life.job.phase in PHASES[life.stage]
        assert (life.stay is not None) == self.is_on_slot() == on_slot(life.job.phase)
        assert life.counts.shadow_starts == self.matches
        assert life.stage == Stage.REMOVED or (life.held is None) == (life.stage != Stage.HELD)

    @invariant()
    def a_job_that_is_stopping_comes_to_an_end(self):
        """Whatever a machine or a job does not do, there is a deadline, or SIGKILL is under way."""
        if self.life.stage in (Stage.STOPPING, Stage.SAVING, Stage.LOST, Stage.PARTING):
            assert self.life.stay.deadline < NEVER
        if self.life.stage == Stage.KILLING:
            assert self.machine in ("start", "run")

    @invariant()
    def the_log_is_one_that_htcondor_could_write(self):
        queued, *stays = re.split(r" (?=in-start)", " ".join(self.words))
        assert re.fullmatch(f"000{QUEUE}", queued), queued
        for stay in stays:
            assert STAY.fullmatch(stay), stay
        over = stays if self.life.stay is None else stays[:-1]
        for stay in over:
            assert re.search("004|005|012|024", stay), stay
        for part in [queued, *stays][:-1]:
            assert not re.search("(012|009|005)$", part), part
        last = {Stage.COMPLETED: "005", Stage.REMOVED: "009", Stage.HELD: "012"}
        expected = last.get(self.life.stage)
        assert (self.words[-1] == expected) if expected else self.words[-1] not in last.values()

    def teardown(self):
        if hasattr(self, "texts"):
            self.htcondor_reads_the_log()

    def htcondor_reads_the_log(self):
        reader = pytest.importorskip("htcondor2")
        with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
            file.write("".join(self.texts))
            file.flush()
            events = list(reader.JobEventLog(file.name).events(stop_after=0))
        assert [int(event.type) for event in events] == [
            40 if word.startswith(("in-", "out-")) else int(word) for word in self.words
        ]


AnyLife.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestAnyLife = AnyLife.TestCase
