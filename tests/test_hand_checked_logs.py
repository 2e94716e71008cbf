"""Leases and ends of real logs, as a person reads them from the text.

The tables were written down by reading the stamps of the logs, not by running the code. Of the
larger logs some jobs are read, those with the traps among them. Logs are not ours to ship; the
tests run where they are.
"""

from datetime import UTC, datetime

import pytest

from ckptsim.htcondor.leases import End, follow
from ckptsim.htcondor.stays import Doing

FINISHED, EVICTED, LOST, REMOVED = End.FINISHED, End.EVICTED, End.POWER_FAILURE, End.REMOVED
EXCEPTION, RESCHEDULED, RUNNING = End.EXCEPTION, End.RESCHEDULED, End.RUNNING
OBSERVED = {EVICTED, LOST}

# Start, end (month-day time), how it ended, and when its checkpoints were committed.
LEASES = {
    "licensed/htcanalyze_job_evicted.log": {
        "164275.0": [
            ("07-30 14:24:34", "07-30 14:42:37", EVICTED),
            ("07-30 14:42:38", "07-30 14:48:15", FINISHED),
        ],
    },
    # 15, 16 and 18 had a shadow exception before any 001, so no lease.
    "licensed/bdp_train1.log": {
        "6.1": [("06-13 11:35:56", "06-13 11:41:05", FINISHED)],
        "7.1": [("06-13 12:02:32", "06-13 12:07:36", FINISHED)],
        "8.1": [("06-13 18:52:16", "06-13 18:57:11", FINISHED)],
        "9.1": [("06-13 19:00:35", "06-13 19:06:19", FINISHED)],
        "10.1": [("06-16 16:42:15", "06-16 16:48:05", FINISHED)],
        "14.1": [("06-16 20:24:28", "06-16 20:31:45", FINISHED)],
        "15.1": [],
        "16.1": [],
        "17.1": [("06-16 21:24:07", "06-16 21:31:19", FINISHED)],
        "18.1": [],
        "19.1": [("06-16 22:13:47", "06-16 22:21:01", FINISHED)],
        "20.1": [("06-17 05:41:12", "06-17 05:41:12", FINISHED)],
        "21.1": [("06-17 21:21:22", "06-17 21:22:37", FINISHED)],
        "22.1": [("06-17 21:35:48", "06-17 21:38:22", FINISHED)],
    },
    # 10094's eviction is the removal that follows in the same second.
    "licensed/lsst_group_failed_1.dag.nodes.log": {
        "10094.0": [("03-10 11:05:45", "03-10 11:08:37", REMOVED)],
        "10095.0": [("03-10 11:05:50", "03-10 11:06:04", FINISHED)],
        "10096.0": [("03-10 11:06:06", "03-10 11:06:17", FINISHED)],
        "10099.0": [("03-10 11:06:10", "03-10 11:06:22", FINISHED)],
        "10108.0": [("03-10 11:06:24", "03-10 11:06:59", FINISHED)],
        "10113.0": [("03-10 11:07:01", "03-10 11:07:34", FINISHED)],
        "10120.0": [("03-10 11:07:37", "03-10 11:08:07", FINISHED)],
        "10129.0": [("03-10 11:08:40", "03-10 11:08:55", FINISHED)],
    },
    # 344.0 had an exception before its first 001: no lease of its own.
    "licensed/usgs_sleep.log": {
        "344.0": [("09-11 10:18:51", "09-11 10:18:52", FINISHED)],
        "344.13": [("09-11 10:18:42", "09-11 10:18:43", FINISHED)],
        "344.27": [("09-11 10:18:43", "09-11 10:18:43", FINISHED)],
        "344.50": [("09-11 10:19:15", "09-11 10:19:16", FINISHED)],
    },
    # Held as they started, then removed later; 106640 was evicted by its own removal.
    "no-licence/inbrotherhood_condor.log": {
        "106583.0": [("08-14 23:16:15", "08-14 23:16:15", EXCEPTION)],
        "106586.0": [("08-14 23:17:29", "08-14 23:17:30", EXCEPTION)],
        "106590.0": [("08-14 23:38:04", "08-14 23:38:04", EXCEPTION)],
        "106640.0": [("08-17 09:57:23", "08-17 09:58:39", REMOVED)],
        "106641.0": [],
        "106642.0": [("08-17 09:59:33", "08-17 10:00:31", FINISHED)],
        "106823.0": [("08-21 23:28:42", "08-22 00:33:18", FINISHED)],
    },
    # Contact broke at 16:17:36; HTCondor gave up 40 minutes later.
    "no-licence/icecube_job.log": {
        "69318176.3": [
            ("10-04 11:47:30", "10-04 16:17:36", LOST),
            ("10-04 16:58:02", "10-04 20:35:54", FINISHED),
        ],
        "62988453.2": [
            ("08-12 15:08:59", "08-12 16:43:42", EVICTED),
            ("08-12 16:45:47", "08-12 18:24:38", FINISHED),
        ],
        "59616921.1": [("07-16 11:59:55", "07-16 12:56:12", REMOVED)],
        "63956142.0": [("08-18 09:47:01", "08-18 11:37:47", REMOVED)],
        "59383197.0": [("07-15 10:09:15", "07-15 10:09:15", EXCEPTION)],
        # Its last sign of life; the log goes on to the end of October.
        "62231176.3": [("08-07 14:43:54", "08-07 16:14:14", End.SILENT)],
        "62284192.1": [("08-08 01:39:55", "08-08 03:25:16", End.SILENT)],
    },
    # The log ends at 13:31:59, with the end of 6645866.
    "no-licence/cern_fairship_0_0.log": {
        "6645866.0": [("01-09 23:39:27", "01-10 13:31:59", FINISHED)],
        "6645849.0": [("01-09 23:37:30", "01-10 13:25:48", FINISHED)],
        "6645833.0": [("01-09 23:35:43", "01-10 13:31:59", RUNNING)],
        "6645885.0": [("01-10 10:22:39", "01-10 13:31:59", RUNNING)],
        "6645899.0": [("01-10 10:24:13", "01-10 13:31:59", RUNNING)],
    },
    # 23825 lost contact twice without ever having started.
    "no-licence/fhvae_condor.log": {
        "27.0": [("12-06 13:46:58", "12-06 13:47:16", FINISHED)],
        "21162.0": [],
        "23825.0": [],
        "23828.0": [("12-09 09:44:16", "12-09 10:13:51", FINISHED)],
        "23832.0": [("12-09 10:21:23", "12-09 13:44:04", FINISHED)],
    },
    "no-licence/utcs_sepa_condor.log": {
        "1506500.9": [("12-26 03:59:50", "12-26 04:22:50", FINISHED)],
        "1506500.5": [
            ("12-26 03:59:50", "12-26 04:12:05", EVICTED),
            ("12-26 04:12:30", "12-26 04:45:54", FINISHED),
        ],
        "1506500.17": [
            ("12-26 03:59:51", "12-26 04:12:11", EVICTED),
            ("12-26 04:12:57", "12-26 04:32:49", EVICTED),
            ("12-26 12:16:08", "12-26 12:16:37", EVICTED),
            ("12-27 10:41:47", "12-27 10:42:19", EVICTED),
            ("12-27 12:07:20", "12-27 12:07:48", EVICTED),
            ("12-27 19:21:17", "12-27 19:22:16", EVICTED),
            ("12-30 10:44:42", "12-30 10:45:05", EVICTED),
            ("12-30 13:38:16", "12-30 13:38:39", EVICTED),
            ("12-30 17:53:07", "12-30 18:25:32", FINISHED),
        ],
        "1506500.36": [("12-26 03:59:51", "12-26 04:39:21", FINISHED)],
    },
    # Saved in the grace of the eviction (ON_EXIT_OR_EVICT): the second transfer.
    "reconstructed/P2b-evict-transfer-vacate_chtc.log": {
        "6573177.0": [
            (
                *("10-02 08:49:55", "10-02 08:52:27", EVICTED),
                *("10-02 08:50:56", "10-02 08:52:27"),
            ),
            ("10-02 08:52:37", "10-02 08:57:09", FINISHED),
        ],
    },
    "reconstructed/P5d-spool-1gb_ospool.log": {
        "6589422.0": [("10-02 11:53:54", "10-02 11:55:22", FINISHED, "10-02 11:54:44")],
    },
    # Between the two it had a slot and its input, but was vacated before it started.
    "reconstructed/P7a-wrapper-exec-vacate_chtc.log": {
        "6575116.0": [
            ("10-02 09:07:35", "10-02 09:08:02", RESCHEDULED, "10-02 09:08:01"),
            ("10-02 09:14:15", "10-02 09:14:16", FINISHED),
        ],
    },
    # Of thirteen transfers the last is the final one.
    "reconstructed/P8b-rapid-exits_chtc.log": {
        "6574310.0": [
            (
                *("10-02 09:00:18", "10-02 09:02:01", FINISHED),
                *("10-02 09:00:24", "10-02 09:00:30", "10-02 09:00:52", "10-02 09:00:59"),
                *("10-02 09:01:05", "10-02 09:01:11", "10-02 09:01:17", "10-02 09:01:24"),
                *("10-02 09:01:30", "10-02 09:01:36", "10-02 09:01:42", "10-02 09:01:48"),
            )
        ],
    },
}


def stamp(time_ns):
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%m-%d %H:%M:%S}"


def read_out(lease):
    commits = (stamp(stretch.end_ns) for stretch in lease.checkpoints)
    return (stamp(lease.start_ns), stamp(lease.end_ns), lease.end, *commits)


@pytest.fixture(scope="module")
def history():
    """Logs, each followed once."""
    known = {}

    def of(path):
        if path not in known:
            known[path] = follow(path)
        return known[path]

    return of


@pytest.mark.parametrize("name", LEASES)
def test_the_leases_are_those_that_a_person_reads(shared, history, name):
    found = history(shared / "data" / "condor-logs" / name)
    for job, leases in LEASES[name].items():
        assert [read_out(lease) for lease in found.leases if lease.job == job] == leases
    for lease in found.leases:
        assert lease.observed == (lease.end in OBSERVED)


# How many leases and unfinished jobs there are in all, by `grep -c '^001'` and by reading.
COUNTS = {
    "licensed/bdp_train1.log": 11,
    "licensed/lsst_group_failed_1.dag.nodes.log": 25,
    "licensed/usgs_sleep.log": 801,
    "no-licence/inbrotherhood_condor.log": 16,
    "no-licence/icecube_job.log": 469,
    "no-licence/cern_fairship_0_0.log": 67,
    "no-licence/fhvae_condor.log": 14,
    "no-licence/utcs_sepa_condor.log": 2079,
    "no-licence/utcs_early_condor.log": 2198,
    "no-licence/ampt_job_0.log": 9,
}


@pytest.mark.parametrize("name", COUNTS)
def test_each_start_is_one_lease(shared, history, name):
    assert len(history(shared / "data" / "condor-logs" / name).leases) == COUNTS[name]


def test_22_jobs_of_a_log_are_still_running_at_its_end(shared, history):
    found = history(shared / "data" / "condor-logs" / "no-licence" / "cern_fairship_0_0.log")
    assert sum(lease.end is RUNNING for lease in found.leases) == 22


SUSPENDED = {
    "1506500.17": [("12-26 04:02:05", "12-26 04:12:10")],
    "1506500.29": [("12-26 04:17:39", "12-26 04:19:11"), ("12-26 04:24:34", "12-26 04:25:24")],
    "1506500.36": [("12-26 04:37:27", "12-26 04:38:53")],
    "1506500.9": [],
}


@pytest.mark.parametrize("job", SUSPENDED)
def test_suspensions_of_a_real_log(shared, history, job):
    found = history(shared / "data" / "condor-logs" / "no-licence" / "utcs_sepa_condor.log")
    told = [stretch for lease in found.leases if lease.job == job for stretch in lease.told]
    assert {stretch.doing for stretch in told} <= {Doing.SUSPENDED}
    assert [(stamp(start), stamp(end)) for _, start, end in told] == SUSPENDED[job]


def test_what_the_slots_of_a_rescheduled_job_did(shared, history):
    name = "P7a-wrapper-exec-vacate_chtc.log"
    found = history(shared / "data" / "condor-logs" / "reconstructed" / name)
    first, second = (
        [(doing, stamp(start)[6:], stamp(end)[6:]) for doing, start, end in lease.told]
        for lease in found.leases
    )
    assert first == [
        (Doing.INPUT, "09:07:27", "09:07:35"),
        (Doing.STARTING, "09:07:35", "09:07:35"),
        (Doing.CHECKPOINT, "09:08:01", "09:08:01"),
        (Doing.VACATING, "09:08:01", "09:08:02"),
    ]
    assert second == [
        (Doing.INPUT, "09:10:11", "09:14:15"),
        (Doing.STARTING, "09:14:15", "09:14:15"),
        (Doing.TRANSFER, "09:14:16", "09:14:16"),
    ]
    ((_, _, attempt, waited_ns),) = found.attempts
    assert [(doing, stamp(s)[6:], stamp(e)[6:]) for doing, s, e in attempt] == [
        (Doing.INPUT, "09:09:31", "09:09:32"),
        (Doing.STARTING, "09:09:32", "09:09:32"),
    ]
    assert waited_ns == 89 * 10**9  # 09:08:02 to 09:09:31
    assert found.leases[1].waited_ns == 39 * 10**9  # 09:09:32 to 09:10:11
