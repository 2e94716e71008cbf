"""Several logs at once: what is one log, what is a copy, what is none."""

import re
from pathlib import Path

import pytest

from ckptsim.errors import DataError
from ckptsim.htcondor.histories import follow_all
from ckptsim.htcondor.leases import End

FORMS = Path(__file__).parent / "data" / "condor-forms"


def event(number, job, at, text="x"):
    return f"{number:03} ({job}.000) 2026-01-31 {at} {text}\n...\n"


def test_a_lease_may_begin_in_one_file_and_end_in_the_next(tmp_path):
    old, new = tmp_path / "job.log.old", tmp_path / "job.log"
    old.write_text(event(0, "7.0", "00:00:00") + event(1, "7.0", "01:00:00"))
    new.write_text(event(4, "7.0", "04:00:00") + event(1, "7.0", "05:00:00"))
    (history,) = follow_all([new, old]).histories
    told = [(lease.duration_s, lease.end) for lease in history.leases]
    assert told == [(3 * 3600, End.EVICTED), (0, End.RUNNING)]
    assert history.log == str(new)
    assert not history.oddities


def test_damage_in_one_of_several_files_of_a_log_is_told_with_the_file(tmp_path):
    old, new = tmp_path / "job.log.1", tmp_path / "job.log"
    old.write_text(event(0, "7.0", "00:00:00") + "junk\n...\n")
    new.write_text(event(9, "7.0", "04:00:00"))
    (history,) = follow_all([old, new]).histories
    (damage,) = history.damage
    assert str(damage) == "3: no event header, but 'junk', in job.log.1"


def test_a_real_rotated_log_has_the_leases_of_the_jobs_own_logs():
    """The pool's log, in JSON and in seven files, beside the jobs' own, as text."""
    both = follow_all([*sorted((FORMS / "json").glob("EventLog.json*"))])
    (pool,) = both.histories
    (jobs,) = follow_all([FORMS / "json" / "text.log"]).histories

    def told(history):
        return sorted(
            (lease.job, lease.end.value, lease.start_ns // 10**9) for lease in history.leases
        )

    assert told(pool) == told(jobs) != []


def test_a_copy_is_told_and_left_out():
    found = follow_all([*sorted((FORMS / "json").glob("*"))])
    assert len(found.histories) == 1
    (sentence,) = found.left_out
    assert re.search(r"text\.log: all of its events are in .*EventLog\.json\.6, .* too$", sentence)


def test_what_is_no_log_is_left_out_unless_there_is_nothing_else(tmp_path):
    log, other = tmp_path / "a.log", tmp_path / "b.txt"
    log.write_text(event(0, "7.0", "00:00:00"))
    other.write_text("hello\n")
    found = follow_all([log, other])
    assert [history.log for history in found.histories] == [str(log)]
    (sentence,) = found.left_out
    assert sentence.startswith(f"{other}:1: no event header, but 'hello'; expected")
    assert sentence.endswith("; left out")
    for paths in ([other], [other, tmp_path / "c.txt"]):
        with pytest.raises(DataError, match=r"b\.txt:1: no event header"):
            follow_all(paths)
