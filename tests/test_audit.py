import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.audit import Item, audit, segments
from ckptsim.audit_saved import saving
from ckptsim.audit_told import saved_told, sentences
from ckptsim.cli import cli
from ckptsim.errors import DataError
from ckptsim.htcondor.eventlog import Event
from ckptsim.htcondor.leases import follow, follow_events
from ckptsim.ledger import Category
from ckptsim.plots import timeline_figure

MINUTE = 60 * 10**9

SUBMIT = (0, "Job submitted from host: <192.0.2.1:9618>")
START = (1, "Job executing on host: <192.0.2.2:9618>")
EVICTED = (4, "Job was evicted. Code 1011 Subcode 0", "\t(0) CPU times")
BY_HAND = (4, "Job was evicted. Code 1022 Subcode 0", "\t(0) CPU times")
LEFT = (4, "Job was evicted. Code 1025 Subcode 0", "\t(0) CPU times")
SAVED = (4, "Job was evicted.", "\t(1) Job was checkpointed.")
REQUEUED = (4, "Job was evicted.", "\t(0) Job terminated and was requeued")
FINISH = (5, "Job terminated.", "\t(1) Normal termination (return value 0)")
EXCEPTION = (7, "Shadow exception!", "\tError from slot1")
REMOVED = (9, "Job was aborted.", "\tvia condor_rm (by user tester)")
SUSPENDED = (10, "Job was suspended.")
UNSUSPENDED = (11, "Job was unsuspended.")
LIMIT = (12, "Job was held.", "\tThe job exceeded its duration", "\tCode 46 Subcode 0")
RELEASED = (13, "Job was released.")
FAILED = (21, "Error from starter on slot1:", "\tNo such file", "\tCode 36 Subcode -1")
LOST = (22, "Job disconnected, attempting to reconnect", "    Socket closed")
BACK = (23, "Job reconnected to slot1@ep1")
GIVEN_UP = (24, "Job reconnection failed", "    Job disconnected too long")
IN = (40, "Started transferring input files")
IN_DONE = (40, "Finished transferring input files")
QUEUED_OUT = (40, "Entered queue to transfer output files")
OUT = (40, "Started transferring output files")
OUT_DONE = (40, "Finished transferring output files")
EVERY = [
    *(SUBMIT, START, EVICTED, LEFT, SAVED, REQUEUED, FINISH, EXCEPTION, REMOVED, SUSPENDED),
    *(UNSUSPENDED, LIMIT, RELEASED, FAILED, LOST, BACK, GIVEN_UP, IN, IN_DONE, QUEUED_OUT),
    *(OUT, OUT_DONE, (3, "Job was checkpointed."), (6, "Image size of job updated: 1")),
]


def events(*told, proc=0):
    for line, (minute, (number, text, *body)) in enumerate(told):
        yield Event(number, 7, proc, 0, minute * MINUTE, text, tuple(body), line + 1)


def audited(*told):
    return audit([follow_events("job.log", events(*told))])


def spent(account):
    """Minutes by item."""
    return {item: account.spent[item] // MINUTE for item in Item if account.spent[item]}


# A checkpoint at 60 and 110, an eviction at 140; a queue; a lease that ends with the job.
STORY = (
    (0, SUBMIT), (10, IN), (14, IN_DONE), (15, START), (60, OUT), (63, OUT_DONE), (110, OUT),
    (114, OUT_DONE), (140, EVICTED), (150, IN), (156, IN_DONE), (158, START),
    (170, SUSPENDED), (180, UNSUSPENDED), (200, OUT), (201, OUT_DONE), (201, FINISH),
)  # fmt: skip


def test_every_minute_of_a_job_is_booked_once():
    whole = audited(*STORY).whole
    assert spent(whole) == {
        Item.INPUT: 4 + 6,
        Item.COLD_START: 1,
        Item.USEFUL: 45 + 47 + 12 + 20,
        Item.TRANSFER: 3 + 4 + 1,
        Item.LOST_EVICTION: 26,
        Item.RESTART_LEASE: 2,
        Item.SUSPENDED: 10,
    }
    assert whole.slot_ns == (130 + 51) * MINUTE
    assert whole.waited_ns == (10 + 10) * MINUTE
    assert (whole.leases, whole.checkpoints) == (2, 2)


def test_what_condor_userlog_would_call_good():
    assert audited(*STORY).whole.userlog_ns == 43 * MINUTE  # the second lease, suspended or not
    assert audited((0, START), (50, SAVED)).whole.userlog_ns == 50 * MINUTE
    assert audited((0, START), (20, OUT), (21, OUT_DONE), (50, LEFT)).whole.userlog_ns == 0


@pytest.mark.parametrize(
    ("end", "item"),
    [
        (FINISH, Item.USEFUL),
        (SAVED, Item.USEFUL),
        (EVICTED, Item.LOST_EVICTION),
        (BY_HAND, Item.LOST_EVICTION),
        (LIMIT, Item.LOST_LIMIT),
        (GIVEN_UP, Item.LOST_POWER_FAILURE),
        (REMOVED, Item.LOST_HOLD),
        (REQUEUED, Item.LOST_LEAVING),
        (EXCEPTION, Item.LOST_FAILURE),
        (START, Item.LOST_FAILURE),  # no end told, another start
        ((6, "Image size of job updated: 1"), Item.PENDING),
    ],
)
def test_what_becomes_of_computing_without_a_checkpoint(end, item):
    whole = audited((0, START), (40, (6, "Image size of job updated: 1")), (40, end)).whole
    assert spent(whole) == {item: 40}


def test_a_dead_slot_is_slot_time_until_it_is_given_up():
    assert spent(audited((0, START), (30, LOST), (70, GIVEN_UP)).whole) == {
        Item.LOST_POWER_FAILURE: 30,
        Item.DISCONNECTED: 40,
    }
    assert spent(audited((0, START), (30, LOST), (70, BACK), (80, FINISH)).whole) == {
        Item.USEFUL: 80
    }


def test_leaving_after_a_checkpoint_loses_nothing():
    whole = audited((0, START), (30, OUT), (35, OUT_DONE), (36, LEFT)).whole
    assert spent(whole) == {Item.USEFUL: 30, Item.TRANSFER: 5, Item.VACATING: 1}


def test_a_slot_without_a_start_is_slot_time_without_a_lease():
    whole = audited((0, SUBMIT), (5, IN), (9, IN_DONE), (12, BY_HAND)).whole
    assert spent(whole) == {Item.INPUT: 4, Item.COLD_START: 3}
    assert (whole.leases, whole.attempts) == (0, 1)


def test_the_items_are_the_ledgers_categories():
    own = {Item.LOST_FAILURE, Item.SUSPENDED}
    assert {item.name for item in Item if item not in own} <= set(Category.__members__)


@given(st.lists(st.tuples(st.integers(-3, 30), st.sampled_from(EVERY), st.integers(0, 1))))
def test_every_nanosecond_of_every_slot_is_booked_whatever_the_log_says(steps):
    """Any events in any order, with a clock that now and then runs back."""
    told, clock = [], 100
    for line, (step, (number, text, *body), proc) in enumerate(steps):
        clock += step
        told.append(Event(number, 7, proc, 0, clock * MINUTE, text, tuple(body), line + 1))
    history = follow_events("job.log", told)
    found = audit([history])
    for lease in found.leases:
        pieces = sorted(segments(lease), key=lambda piece: (piece.start_ns, piece.end_ns))
        assert pieces or lease.slot_start_ns == lease.slot_end_ns
        clock_ns = lease.slot_start_ns
        for piece in pieces:
            assert piece.start_ns == clock_ns <= piece.end_ns
            clock_ns = piece.end_ns
        assert clock_ns == lease.slot_end_ns
    leases_ns = sum(lease.slot_end_ns - lease.slot_start_ns for lease in found.leases)
    attempts_ns = sum(each.told[-1].end_ns - each.told[0].start_ns for each in history.attempts)
    if len(set(history.attempts)) == len(history.attempts) and not found.copies:
        assert found.whole.slot_ns == leases_ns + attempts_ns
    assert len(history.leases) <= sum(event.number == 1 for event in told)


def test_a_lease_in_two_logs_counts_once():
    one, other = (follow_events(name, events(*STORY)) for name in ("job.log", "nodes.log"))
    found = audit([one, other])
    assert found.copies == 2
    assert found.whole.slot_ns == 181 * MINUTE
    assert [account.log for account in found.accounts] == ["job.log"]


def test_the_jobs_that_lost_most_come_first():
    histories = [
        follow_events(f"{minutes}.log", events((0, START), (minutes, EVICTED), proc=minutes))
        for minutes in (10, 30, 20)
    ]
    found = audit(histories)
    assert [account.job for account in found.worst(2)] == ["7.30", "7.20"]


# Outside judges: what HTCondor's own books and the job's own work say of these runs
# (htcondor-observed.md: I48 for c, F39 for e2).
def test_runs_of_a_real_htcondor(shared):
    vacated = audit([follow(shared / "golden" / "c_vacate_midstep" / "job.log")]).whole
    assert vacated.slot_ns == 36 * 10**9
    assert vacated.spent[Item.USEFUL] == pytest.approx(30 * 10**9, abs=1.5e9)  # CommittedTime
    powered_off = audit([follow(shared / "golden" / "e2_power_off" / "job.log")]).whole
    assert powered_off.spent[Item.USEFUL] == 20 * 10**9  # of work
    assert powered_off.spent[Item.DISCONNECTED] == 29 * 10**9


# --- what would have been saved -------------------------------------------------------------------


def days(*told):
    """A log of jobs, each of one lease: minutes, and how it ended."""
    lines = []
    for proc, (minutes, *end) in enumerate(told):
        lines += list(events((0, START), (minutes, *end), proc=proc))
    return audit([follow_events("job.log", sorted(lines, key=lambda event: event.time_ns))])


def test_saved_is_counted_on_the_leases_themselves():
    found = days(*[(600, EVICTED)] * 12, (300, FINISH))
    told = saving(found)
    assert (told.losses, told.by_hand, told.known_cost) == (12, 0, False)
    assert told.spent_ns == 12 * 600 * MINUTE
    for option in told.options:
        interval, cost = option.best.interval_ns, option.cost_s * 10**9
        blocks = 600 * MINUTE // (interval + cost)
        extra = (300 * MINUTE - 1) // interval * cost
        lost = 12 * (600 * MINUTE - blocks * interval)
        assert option.best.saved_ns == told.spent_ns - lost - extra
        assert option.hindsight.saved_ns >= option.best.saved_ns - 12 * 60 * MINUTE
    assert [option.cost_s for option in told.options] == [60, 300, 900]


def test_in_hindsight_one_checkpoint_just_before_the_end_is_best():
    # 60 min lost; a checkpoint of a minute at 59 saves all but that minute.
    (option, *_) = saving(days(*[(60, EVICTED)] * 20)).options
    assert option.hindsight.interval_ns == pytest.approx(59 * MINUTE, rel=0.05)
    assert option.hindsight.saved_ns == pytest.approx(20 * 59 * MINUTE, rel=0.05)


def test_where_checkpoints_do_not_pay_that_is_said():
    found = days(*[(2, EVICTED)] * 30, *[(3000, FINISH)] * 30)
    text = " ".join(saved_told(saving(found)))
    assert "it would have cost" in text
    assert "In hindsight no interval would have paid." in text


def test_too_few_evictions_give_a_range():
    told = saving(audited((0, START), (100, OUT), (101, OUT_DONE), (400, EVICTED)))
    (option,) = told.options
    assert (told.known_cost, option.cost_s) == (True, 60)
    low, high = option.range_ns
    assert low < option.best.interval_ns < high
    text = " ".join(saved_told(told))
    assert "too few evictions to know better" in text
    assert "The interval used was 1 h 40 min (median" in text


def test_with_more_evictions_the_range_is_one_of_confidence():
    ages = [10, 20, 40, 70, 110, 160, 220, 290, 370, 460, 560, 670]  # near an exponential
    text = " ".join(saved_told(saving(days(*[(age, EVICTED) for age in ages]))))
    assert "95 % confidence)" in text
    assert "too few" not in text


def test_a_pool_that_loses_no_slot_has_nothing_to_save():
    assert saving(audited((0, START), (400, FINISH))) is None
    assert "nothing to save" in " ".join(saved_told(None))


def test_evictions_by_hand_are_said_to_be_so():
    text = " ".join(saved_told(saving(audited((0, START), (400, BY_HAND)))))
    assert "1 of 1 lost lease by condor_vacate_job" in text


# --- shown ----------------------------------------------------------------------------------------


def written(folder, *told, name="job.log"):
    path = folder / name
    lines = []
    for minute, (number, *text) in told:
        stamp = f"2026-01-{1 + minute // 1440:02} {minute // 60 % 24:02}:{minute % 60:02}:00"
        lines += [f"{number:03} (007.000.000) {stamp} {text[0]}", *text[1:], "..."]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(*arguments):
    return CliRunner().invoke(cli, ["audit", *map(str, arguments)])


def test_the_account_in_words(tmp_path):
    result = run(written(tmp_path, *STORY), "--no-report")
    assert result.exit_code == 0, result.output
    assert "1 job, 2 leases, 3 h 1 min of slot time: 2 h 4 min (68.5 %) committed" in result.output
    assert "2 checkpoints, one after 46 min (median; quartiles 45.5 min" in result.output
    assert "condor_userlog would have called 43 min (23.8 %) good" in result.output
    assert "What the logs cannot tell" in result.output
    assert "restart in a new lease" in result.output


def test_the_account_for_programs(tmp_path):
    result = run(written(tmp_path, *STORY), "--json")
    told = json.loads(result.output)
    assert told["ledger"]["slot_time_s"] == 181 * 60
    assert told["ledger"]["useful_s"] == 124 * 60
    assert told["lost_by_cause"]["eviction_s"] == told["ledger"]["lost_s"] == 26 * 60
    parts = [value for key, value in told["ledger"].items() if key != "slot_time_s"]
    assert math.fsum(parts) == told["ledger"]["slot_time_s"]
    assert told["interval"] == {
        "count": 2,
        "quartile_low_s": 2730,
        "median_s": 2760,
        "quartile_high_s": 2790,
    }
    assert told["ends"] == {"evicted by the machine's policy": 1, "finished": 1}
    assert [job["job"] for job in told["jobs"]] == ["7.0"]
    assert told["waited_s"] == 20 * 60
    assert told["saving"]["known_cost"] is True
    assert told["saving"]["used_interval_s"] == 46 * 60


def test_a_report_has_the_picture_and_all_jobs(tmp_path):
    out = tmp_path / "out"
    result = run(written(tmp_path, *STORY), "--out", out)
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {
        "audit.md",
        "audit.html",
        "audit.json",
        "audit-timeline.png",
        "audit-jobs.csv",
    }
    head, row = (out / "audit-jobs.csv").read_text().splitlines()
    told = dict(zip(head.split(","), row.split(","), strict=True))
    assert (told["slot_time_s"], told["lost_eviction_s"]) == ("10860", "1560")


def test_a_report_of_a_job_that_never_started(tmp_path):
    path = written(tmp_path, (0, SUBMIT), (5, IN), (9, IN_DONE), (12, BY_HAND))
    result = run(path, "--out", tmp_path / "out", "--worst", "0")
    assert result.exit_code == 0, result.output
    assert "1 job, 0 leases, 7 min of slot time" in result.output
    assert (tmp_path / "out" / "audit-timeline.png").exists()


def test_the_picture_has_each_item_and_end():
    figure = timeline_figure(audited(*STORY))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("useful", "lost: eviction", "transfer", "cold start", "restart in a new lease"),
        *("input transfer", "suspended", "committed", "end: completed", "end: eviction"),
    ]
    (axes,) = figure.axes
    assert axes.get_xlabel() == "Time since the first of these leases began (h)"
    assert axes.get_ylabel() == "Job (cluster.proc)"


def test_jobs_far_apart_are_drawn_on_clocks_of_their_own():
    apart = [
        follow_events("job.log", events((at, START), (at + 10, FINISH), proc=proc))
        for proc, at in enumerate((0, 10_000))
    ]
    (axes,) = timeline_figure(audit(apart)).axes
    assert axes.get_xlabel() == "Time since the job first had a slot (min)"


def test_several_logs_and_what_is_left_out_of_them(tmp_path):
    written(tmp_path, *STORY)
    (tmp_path / "other.log").write_text("no log at all\n")
    result = run(tmp_path / "*.log", "--no-report")
    assert result.exit_code == 0, result.output
    assert "other.log" in result.output
    assert "left out" in result.output


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ([(0, SUBMIT)], "1 event, but no job got a slot"),
        ([], "is empty"),
    ],
)
def test_a_log_with_nothing_in_it_to_audit(tmp_path, told, message):
    path = tmp_path / "job.log"
    path.write_text("")
    path = written(tmp_path, *told) if told else path
    result = run(path, "--no-report")
    assert isinstance(result.exception, DataError)
    assert message in str(result.exception)
    assert not Path("reports").joinpath("audit-job").exists()


def test_sentences_of_every_real_log(shared):
    for path in sorted((shared / "data" / "condor-logs").rglob("*.log")):
        found = audit([follow(path)])
        assert all(sentences(found))
        parts = sum(sum(account.spent) for account in found.accounts)
        assert parts == found.whole.slot_ns
