import os
from collections import Counter
from pathlib import Path

import pytest

from ckptsim.htcondor.leases import End, Gap, follow
from ckptsim.htcondor.stays import Doing

SHARED = Path(os.environ.get("CKPTSIM_SHARED", Path(__file__).parents[2] / "shared"))

SUBMIT = (0, "Job submitted from host: <192.0.2.1:9618>")
START = (1, "Job executing on host: <192.0.2.2:9618>")
EVICTED = (4, "Job was evicted.", "\t(0) Job was not checkpointed.")
FINISH = (5, "Job terminated.", "\t(1) Normal termination (return value 0)")
LOST = (22, "Job disconnected, attempting to reconnect", "    Socket closed")
BACK = (23, "Job reconnected to slot1@ep1")
GIVEN_UP = (24, "Job reconnection failed", "    Job disconnected too long")
REMOVED = (9, "Job was aborted.", "\tvia condor_rm (by user tester)")
IN = (40, "Started transferring input files")
IN_DONE = (40, "Finished transferring input files")
OUT = (40, "Started transferring output files")
OUT_DONE = (40, "Finished transferring output files")


def evicted(code):
    return (4, f"Job was evicted. Code {code} Subcode 0", "\t(0) CPU times")


def held(code, reason="The job attribute PeriodicHold was true"):
    return (12, "Job was held.", f"\t{reason}", f"\tCode {code} Subcode 0")


def history(tmp_path, *told, job="7.000"):
    """What a log tells of (minute, event) pairs; a third element names another job."""
    path = tmp_path / "job.log"
    with path.open("w") as log:
        for minute, (number, *lines), *other in told:
            of = (other or [job])[0]
            time = f"2026-01-31 {minute // 60:02}:{minute % 60:02}:00"
            log.write(f"{number:03} ({of}.000) {time} " + "\n".join(lines) + "\n...\n")
    return follow(path)


def ends(found):
    return [(lease.job, lease.duration_s / 60, lease.end) for lease in found.leases]


@pytest.mark.parametrize(
    ("event", "end"),
    [
        (FINISH, End.FINISHED),
        (EVICTED, End.EVICTED),
        (evicted(1011), End.EVICTED),
        (evicted(1022), End.EVICTED),
        (evicted(1008), End.POWER_FAILURE),
        (evicted(1023), End.REMOVED),
        (evicted(1025), End.RESCHEDULED),
        (evicted(1), End.HELD),
        (evicted(36), End.FAILED),
        ((4, "Job was evicted.", "\t(0) Job terminated and was requeued"), End.RESCHEDULED),
        ((7, "Shadow exception!", "\tError from slot1"), End.EXCEPTION),
        ((7, "Shadow exception!", "\tCan no longer talk to condor_starter"), End.POWER_FAILURE),
        (REMOVED, End.REMOVED),
        (held(46), End.LIMIT),
        (held(47), End.LIMIT),
        (held(1), End.HELD),
        (held(3), End.POLICY),
        (held(26), End.POLICY),
        (held(34), End.POLICY),
        (held(12), End.FAILED),
        ((12, "Job was held.", "\tReason unspecified"), End.FAILED),
        ((12, "Job was held.", "\tvia condor_hold (by user tester)"), End.HELD),
    ],
)
def test_every_way_to_end(tmp_path, event, end):
    found = history(tmp_path, (0, SUBMIT), (5, START), (65, event))
    assert ends(found) == [("7.0", 60, end)]
    assert found.leases[0].observed == (end in {End.EVICTED, End.POWER_FAILURE})
    assert not found.oddities


def test_a_log_that_ends_while_a_job_runs(tmp_path):
    found = history(tmp_path, (5, START), (20, START, "8.000"), (65, FINISH, "8.000"))
    assert ends(found) == [("8.0", 45, End.FINISHED), ("7.0", 60, End.RUNNING)]


@pytest.mark.parametrize(
    ("then", "end"),
    [
        (REMOVED, End.REMOVED),
        (held(1, "via condor_hold (by user tester)"), End.HELD),
        (held(34, "Memory limit exceeded"), End.POLICY),
    ],
)
def test_an_eviction_without_a_code_is_explained_by_what_follows_in_the_same_second(
    tmp_path, then, end
):
    found = history(tmp_path, (0, START), (60, EVICTED), (60, then))
    assert ends(found) == [("7.0", 60, end)]
    found = history(tmp_path, (0, START), (60, EVICTED), (61, then))
    assert ends(found) == [("7.0", 60, End.EVICTED)]


def test_a_slot_is_lost_when_contact_breaks_not_when_it_is_given_up(tmp_path):
    found = history(
        tmp_path, (0, START), (30, LOST), (70, GIVEN_UP), (71, evicted(1008)), (80, START)
    )
    assert ends(found) == [("7.0", 30, End.POWER_FAILURE), ("7.0", 0, End.RUNNING)]
    assert found.gaps == (Gap(End.POWER_FAILURE, 50 * 60),)
    assert not found.oddities


def test_a_lease_goes_on_where_contact_comes_back(tmp_path):
    found = history(tmp_path, (0, START), (30, LOST), (40, BACK), (60, EVICTED))
    assert ends(found) == [("7.0", 60, End.EVICTED)]
    found = history(tmp_path, (0, START), (30, LOST), (60, FINISH))
    assert ends(found) == [("7.0", 60, End.FINISHED)]


def test_while_contact_is_lost_the_slot_is_not_counted(tmp_path):
    assert ends(history(tmp_path, (0, START), (30, LOST), (60, REMOVED))) == [
        ("7.0", 30, End.REMOVED)
    ]
    assert ends(history(tmp_path, (0, START), (30, LOST), (60, SUBMIT, "8.000"))) == [
        ("7.0", 30, End.RUNNING)
    ]


def test_a_start_without_an_end_before_it_ends_the_lease_at_its_last_sign_of_life(tmp_path):
    found = history(
        tmp_path, (0, START), (20, (6, "Image size of job updated: 1")), (50, IN), (51, START)
    )
    assert ends(found) == [("7.0", 20, End.UNTOLD), ("7.0", 0, End.RUNNING)]
    assert found.gaps == ()
    assert found.oddities == {"another start, with no end of the lease before it": 1}


def test_events_of_jobs_that_had_not_started_are_counted(tmp_path):
    found = history(tmp_path, (0, SUBMIT), (1, EVICTED), (2, GIVEN_UP), (3, FINISH))
    assert ends(found) == []
    assert sum(found.oddities.values()) == 3


def test_checkpoint_transfers_are_those_before_the_last_one(tmp_path):
    found = history(
        tmp_path,
        (0, SUBMIT), (10, IN), (12, IN_DONE), (12, START),
        (42, OUT), (44, OUT_DONE), (84, OUT), (87, OUT_DONE), (90, OUT), (91, OUT_DONE),
        (91, FINISH),
    )  # fmt: skip
    assert found.inputs_s == (120,)
    assert found.transfers_s == (120, 180)
    assert found.cycles_s == (30 * 60, 40 * 60)


@pytest.mark.parametrize(
    ("event", "transfers"),
    [
        (evicted(1025), 1),  # left at the checkpoint
        (evicted(1022), 1),  # ON_EXIT_OR_EVICT
        ((4, "Job was evicted.", "\t(0) Job terminated and was requeued"), 0),
        (held(3, "The job attribute OnExitHold was true"), 0),
        (held(3), 1),  # periodic_hold and ON_EXIT_OR_EVICT (n11)
        (held(46), 1),  # the same at a limit (n10)
        ((21, "Error from starter on slot1:", "\tNo such file", "\tCode 36 Subcode -1"), 0),
        ((21, "Error from starter on slot1:", "\tRescheduling", "\tCode 1025 Subcode 0"), 1),
    ],
)
def test_whether_the_last_transfer_was_a_checkpoint(tmp_path, event, transfers):
    found = history(tmp_path, (0, START), (30, OUT), (31, OUT_DONE), (31, event), (99, EVICTED))
    assert len(found.transfers_s) == transfers


def test_a_transfer_cut_short_is_none(tmp_path):
    found = history(tmp_path, (0, START), (30, OUT), (31, EVICTED), (40, START), (50, OUT_DONE))
    assert found.transfers_s == ()


def test_a_hold_makes_no_gap(tmp_path):
    found = history(tmp_path, (0, START), (9, EVICTED), (20, START), (30, EVICTED), (35, held(1)),
                    (40, (13, "Job was released.")), (50, START))  # fmt: skip
    assert found.gaps == (Gap(End.EVICTED, 11 * 60),)


def test_a_clock_set_back_is_told(tmp_path):
    found = history(tmp_path, (30, START), (20, EVICTED), (10, START), (40, EVICTED))
    assert ends(found) == [("7.0", 30, End.EVICTED)]
    assert found.oddities["lease that ends before it starts (a clock set back)"] == 1


def test_milliseconds_of_an_ad_information_event(tmp_path):
    def exactly(number, fraction):
        return (
            28,
            "Job ad information event triggered.",
            f'EventTime = "2026-01-31T00:00:00.{fraction}"',
            f"TriggerEventTypeNumber = {number}",
        )

    found = history(tmp_path, (0, START), (0, exactly(1, "125")), (1, FINISH), (1, exactly(5, "5")))
    assert [lease.duration_s for lease in found.leases] == [60.375]


# Worked by hand from the logs: lengths in seconds, and ends.
GOLDEN = {
    "a_exit_code": [(20, End.FINISHED)],
    "d_vacate_hold_release": [(7, End.EVICTED), (15, End.FINISHED)],
    "e2_power_off": [(9, End.POWER_FAILURE), (14, End.FINISHED)],
    "e7_claim_worklife": [(12, End.RESCHEDULED), (6, End.RESCHEDULED), (2, End.FINISHED)],
    "n1_allowed_job_duration": [(4, End.LIMIT), (9, End.LIMIT), (9, End.LIMIT)],
    "s_rm_running": [(8, End.REMOVED)],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_runs_of_a_real_htcondor(name):
    path = SHARED / "golden" / name / "job.log"
    if not path.exists():
        pytest.skip("no golden runs here")
    assert [(lease.duration_s, lease.end) for lease in follow(path).leases] == GOLDEN[name]


def test_of_45_evictions_in_a_real_log_44_are_the_users_own():
    path = SHARED / "data" / "condor-logs" / "no-licence" / "icecube_job.log"
    if not path.exists():
        pytest.skip("no real logs here")
    found = follow(path)
    counts = Counter(lease.end for lease in found.leases)
    assert (counts[End.REMOVED], counts[End.EVICTED], counts[End.POWER_FAILURE]) == (44, 1, 1)
    # The contact lease of 40 minutes is in the gap, not in the lease.
    assert [gap.duration_s > 2400 for gap in found.gaps] == [False, True]


# --- what the slot was doing ----------------------------------------------------------------------

SUSPENDED = (10, "Job was suspended.", "\tNumber of processes actually suspended: 1")
UNSUSPENDED = (11, "Job was unsuspended.")
QUEUED_IN = (40, "Entered queue to transfer input files")
QUEUED_OUT = (40, "Entered queue to transfer output files")
LEAVING = (21, "Error from starter on slot1:", "\tRescheduling", "\tCode 1025 Subcode 0")
FAILED_TRANSFER = (21, "Error from starter on slot1:", "\tNo such file", "\tCode 36 Subcode -1")


def minute(time_ns, midnight=1_769_817_600):
    return (time_ns / 10**9 - midnight) / 60


def told(lease):
    return [(doing, minute(start), minute(end)) for doing, start, end in lease.told]


def test_what_a_slot_was_doing_from_the_input_to_the_final_transfer(tmp_path):
    (lease,) = history(
        tmp_path,
        (0, SUBMIT), (3, QUEUED_IN), (5, IN), (7, IN_DONE), (8, START),
        (20, QUEUED_OUT), (21, OUT), (22, OUT_DONE), (40, OUT), (41, OUT_DONE), (41, FINISH),
    ).leases  # fmt: skip
    assert told(lease) == [
        (Doing.TRANSFER_WAIT, 3, 5),
        (Doing.INPUT, 5, 7),
        (Doing.STARTING, 7, 8),
        (Doing.TRANSFER_WAIT, 20, 21),
        (Doing.CHECKPOINT, 21, 22),
        (Doing.TRANSFER, 40, 41),
    ]
    assert (minute(lease.slot_start_ns), minute(lease.slot_end_ns)) == (3, 41)
    assert lease.waited_ns == 180 * 10**9
    assert list(lease.cycles_ns) == [12 * 60 * 10**9]


def test_a_suspended_job_is_on_its_slot_but_does_not_compute(tmp_path):
    found = history(
        tmp_path,
        (0, START), (10, SUSPENDED), (25, UNSUSPENDED), (30, OUT), (31, OUT_DONE),
        (40, SUSPENDED), (44, EVICTED),
    )  # fmt: skip
    (lease,) = found.leases
    assert told(lease) == [
        (Doing.SUSPENDED, 10, 25),
        (Doing.CHECKPOINT, 30, 31),
        (Doing.SUSPENDED, 40, 44),
    ]
    assert lease.suspended_ns == 19 * 60 * 10**9
    assert lease.duration_s == 44 * 60
    assert found.cycles_s == (15 * 60,)


def test_a_dead_slot_is_disconnected_until_it_is_given_up(tmp_path):
    (lease,) = history(tmp_path, (0, START), (30, LOST), (70, GIVEN_UP)).leases
    assert told(lease) == [(Doing.DISCONNECTED, 30, 70)]
    assert (minute(lease.end_ns), minute(lease.slot_end_ns)) == (30, 70)


def test_a_job_that_leaves_after_a_checkpoint_is_not_started_again(tmp_path):
    (lease,) = history(
        tmp_path, (0, START), (30, OUT), (32, OUT_DONE), (32, LEAVING), (33, evicted(1025))
    ).leases
    assert told(lease) == [(Doing.CHECKPOINT, 30, 32), (Doing.VACATING, 32, 33)]
    assert lease.reason == "left after a checkpoint"


def test_a_transfer_cut_short_or_failed_is_no_checkpoint_but_takes_its_time(tmp_path):
    (cut,) = history(tmp_path, (0, START), (30, OUT), (35, EVICTED)).leases
    assert told(cut) == [(Doing.TRANSFER, 30, 35)]
    (failed,) = history(
        tmp_path, (0, START), (30, OUT), (35, FAILED_TRANSFER), (50, OUT), (52, OUT_DONE),
        (52, FAILED_TRANSFER), (53, evicted(36)),
    ).leases  # fmt: skip
    assert told(failed) == [(Doing.TRANSFER, 30, 35), (Doing.TRANSFER, 50, 52)]
    assert failed.checkpoints == ()


def test_an_error_long_after_a_checkpoint_leaves_it_committed(tmp_path):
    found = history(tmp_path, (0, START), (30, OUT), (31, OUT_DONE), (50, FAILED_TRANSFER),
                    (51, evicted(1007)))  # fmt: skip
    assert [(lease.end, len(lease.checkpoints)) for lease in found.leases] == [(End.FAILED, 1)]


def test_a_slot_on_which_the_job_never_started_is_no_lease(tmp_path):
    found = history(tmp_path, (0, SUBMIT), (5, IN), (7, IN_DONE), (9, evicted(1022)), (20, IN),
                    (21, IN_DONE), (21, START))  # fmt: skip
    assert ends(found) == [("7.0", 0, End.RUNNING)]
    (attempt,) = found.attempts
    assert told(attempt) == [(Doing.INPUT, 5, 7), (Doing.STARTING, 7, 9)]
    assert (attempt.waited_ns, found.leases[0].waited_ns) == (300 * 10**9, 660 * 10**9)
    assert not found.oddities


def test_checkpoints_of_condor_itself(tmp_path):
    taken = (3, "Job was checkpointed.", "\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Remote Usage")
    gone = (4, "Job was evicted.", "\t(1) Job was checkpointed.")
    (lease,) = history(tmp_path, (0, START), (30, taken), (50, gone)).leases
    assert told(lease) == [(Doing.CHECKPOINT, 30, 30), (Doing.CHECKPOINT, 50, 50)]
    assert lease.saved


def test_bytes_at_the_end(tmp_path):
    lines = ("\t2103802  -  Run Bytes Sent By Job", "\t286336878  -  Run Bytes Received By Job")
    (lease,) = history(tmp_path, (0, START), (9, (*evicted(1022), *lines))).leases
    assert (lease.sent, lease.received) == (2103802, 286336878)
    (none,) = history(tmp_path, (0, START), (9, (*EVICTED, "\tx  -  Run Bytes Sent By Job"))).leases
    assert (none.sent, none.received) == (None, None)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1004, "evicted by hand"),
        (1022, "evicted by hand"),
        (1011, "evicted by the machine's policy"),
        (1014, "evicted by the machine's policy"),
        (1019, "evicted by the machine's policy"),
        (1000, "left by its own policy"),
        (1025, "left after a checkpoint"),
        (1008, "power failure"),
    ],
)
def test_the_reason_is_finer_than_the_end(tmp_path, code, reason):
    (lease,) = history(tmp_path, (0, START), (9, evicted(code))).leases
    assert lease.reason == reason


def test_a_shadow_exception_is_explained_by_the_hold_in_the_same_second(tmp_path):
    exception = (7, "Shadow exception!", "\tError from slot1")
    for code, end in ((34, End.EXCEPTION), (6, End.EXCEPTION), (1, End.HELD)):
        (lease,) = history(tmp_path, (0, START), (9, exception), (9, held(code))).leases
        assert (lease.end, lease.code) == (end, code)
    (alone,) = history(tmp_path, (0, START), (9, exception), (10, held(34))).leases
    assert (alone.end, alone.code) == (End.EXCEPTION, None)


def test_time_in_the_queue_counts_from_the_release(tmp_path):
    found = history(
        tmp_path, (0, SUBMIT), (4, START), (10, EVICTED), (12, held(1)),
        (50, (13, "Job was released.")), (53, START), (60, FINISH),
    )  # fmt: skip
    assert [lease.waited_ns // (60 * 10**9) for lease in found.leases] == [4, 3]


def test_stamps_that_run_back_leave_the_stretches_in_order(tmp_path):
    (lease,) = history(tmp_path, (10, IN), (9, START), (30, OUT), (20, OUT_DONE), (25, OUT),
                       (40, OUT_DONE), (41, EVICTED)).leases  # fmt: skip
    assert told(lease) == [(Doing.CHECKPOINT, 30, 30), (Doing.CHECKPOINT, 30, 40)]
    assert (minute(lease.slot_start_ns), minute(lease.end_ns)) == (9, 41)


def test_a_job_silent_for_longer_than_any_lease_lasted_is_not_still_running(tmp_path):
    sign = (6, "Image size of job updated: 1")
    later = 23 * 60 + 50  # minutes: less than a day after the last sign of life
    found = history(tmp_path, (0, START), (20, sign), (later, SUBMIT, "8.000"))
    assert ends(found) == [("7.0", later, End.RUNNING)]
    path = tmp_path / "job.log"
    path.write_text(path.read_text().replace("(8.000.000) 2026-01-31", "(8.000.000) 2026-03-31"))
    found = follow(path)
    assert ends(found) == [("7.0", 20, End.SILENT)]
    assert not found.leases[0].observed
    assert found.oddities == {"stay without an end, silent for longer than any other lasted": 1}
