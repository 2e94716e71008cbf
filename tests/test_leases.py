import os
from collections import Counter
from pathlib import Path

import pytest

from ckptsim.htcondor.leases import End, Gap, follow

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
        ((7, "Shadow exception!", "\tError from slot1"), End.FAILED),
        ((7, "Shadow exception!", "\tCan no longer talk to condor_starter"), End.POWER_FAILURE),
        (REMOVED, End.REMOVED),
        (held(46), End.LIMIT),
        (held(47), End.LIMIT),
        (held(1), End.HELD),
        (held(3), End.FAILED),
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
        (held(34, "Memory limit exceeded"), End.FAILED),
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
    assert ends(found) == [("7.0", 20, End.FAILED), ("7.0", 0, End.RUNNING)]
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
        (held(3), 0),  # on_exit_hold, at once
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
