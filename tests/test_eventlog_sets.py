"""Several logs at once: globs, rotated logs, and logs given twice."""

import gzip
import os
import shutil
from pathlib import Path

import pytest

from ckptsim.errors import DataError
from ckptsim.htcondor import eventlog
from ckptsim.htcondor.eventlog import Damage, Event
from ckptsim.htcondor.eventlog_sets import gather, read_all

FORMS = Path(__file__).parent / "data" / "condor-forms"
LOGS = Path(__file__).parent / "data" / "condor-logs"


def log(directory, name, *events):
    """A log of events: (job, minute of the day)."""
    text = "".join(
        f"001 ({job}) 2026-01-31 {minute // 60:02}:{minute % 60:02}:00 Job executing on host: <a>\n"
        "\tSlotName: s\n...\n"
        for job, minute in events
    )
    path = directory / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def names(found):
    """The names of the files of each log kept, and of each one left out."""
    return (
        [[path.name for path in log] for log in found.logs],
        {log[0].name: kept[0].name for log, kept in found.repeated},
    )


def test_a_rotated_log_is_one_log_from_its_oldest_file_on():
    found = gather([FORMS / "json" / "EventLog.json*"])
    assert names(found) == (
        [[f"EventLog.json{number}" for number in (".6", ".5", ".4", ".3", ".2", ".1", "")]],
        {},
    )
    items = list(read_all(found.logs[0]))
    assert len(items) == 161  # of which 7 are the log's own, one at the head of each file
    assert items[0][0].name == "EventLog.json.6"
    jobs = [item for _, item in items if isinstance(item, Event) and item.cluster >= 0]
    minutes = [item.time_ns // (60 * 10**9) for item in jobs]
    assert minutes == sorted(minutes)


@pytest.mark.parametrize(
    ("older", "old", "new"),
    [
        ("job.log.2", "job.log.1", "job.log"),
        ("job.log.10.gz", "job.log.9.gz", "job.log"),
        ("job.log-20260130", "job.log-20260131.gz", "job.log"),
    ],
)
def test_all_names_that_rotation_gives(tmp_path, older, old, new):
    paths = [
        log(tmp_path, new, ("1.0.0", 30), ("1.0.0", 40)),
        log(tmp_path, older, ("1.0.0", 10)),
        log(tmp_path, old, ("1.0.0", 20), ("1.0.0", 30)),
    ]
    assert names(gather(paths)) == ([[older, old, new]], {})


def test_old_is_before_new_even_if_events_came_a_little_out_of_order(tmp_path):
    new = log(tmp_path, "job.log", ("1.0.0", 20), ("1.0.0", 30))
    old = log(tmp_path, "job.log.old", ("1.0.0", 10), ("2.0.0", 21))
    assert names(gather([new, old])) == ([["job.log.old", "job.log"]], {})


def test_logs_of_one_name_at_one_time_are_no_rotated_log(tmp_path):
    paths = [
        log(tmp_path, f"sim.{proc}", (f"7.{proc}.0", 10), (f"7.{proc}.0", 50)) for proc in (0, 1)
    ]
    assert names(gather(paths)) == ([["sim.0"], ["sim.1"]], {})


def test_logs_in_two_folders_are_two_logs(tmp_path):
    (tmp_path / "other").mkdir()
    paths = [
        log(tmp_path, "job.log", ("1.0.0", 30)),
        log(tmp_path / "other", "job.log.1", ("1.0.0", 10)),
    ]
    assert names(gather(paths)) == ([["job.log"], ["job.log.1"]], {})


def test_a_log_given_twice_is_read_once(tmp_path):
    path = log(tmp_path, "job.log", ("1.0.0", 10))
    (tmp_path / "link.log").symlink_to(path)
    given = [path, str(path), tmp_path / "." / "job.log", tmp_path / "link.log", tmp_path / "*.log"]
    assert len(gather(given).logs) == 1
    assert gather(given).repeated == ()


def test_copies_parts_and_the_pools_own_log(tmp_path):
    both = [("1.0.0", 10), ("2.0.0", 11), ("1.0.0", 20), ("2.0.0", 30)]
    paths = [
        log(tmp_path, "job.log", *both[::2]),
        log(tmp_path, "EventLog", *both),
        log(tmp_path, "copy.log.gz", *both),
        log(tmp_path, "early.log", *both[:2]),
        log(tmp_path, "other.log", ("3.0.0", 10)),
    ]
    assert names(gather(paths)) == (
        [["EventLog"], ["other.log"]],
        {"job.log": "EventLog", "copy.log.gz": "EventLog", "early.log": "EventLog"},
    )


def test_an_older_copy_is_no_rotated_part(tmp_path):
    paths = [
        log(tmp_path, "job.log.old", ("1.0.0", 10)),
        log(tmp_path, "job.log", ("1.0.0", 10), ("1.0.0", 10), ("1.0.0", 11)),
    ]
    assert names(gather(paths)) == ([["job.log"]], {"job.log.old": "job.log"})


def test_logs_that_share_some_events_are_both_kept(tmp_path):
    paths = [
        log(tmp_path, "one.log", ("1.0.0", 10), ("1.0.0", 20)),
        log(tmp_path, "two.log", ("1.0.0", 20), ("1.0.0", 30)),
    ]
    assert names(gather(paths)) == ([["one.log"], ["two.log"]], {})


def test_the_same_events_in_another_form_are_told():
    paths = [FORMS / "json" / "EventLog.json*", FORMS / "json" / "text.log"]
    assert names(gather(paths))[1] == {"text.log": "EventLog.json.6"}
    assert names(gather(paths[::-1])) == ([["text.log"]], {"EventLog.json.6": "text.log"})


def test_copies_of_a_log_without_years_are_told_though_their_years_differ(tmp_path):
    source = LOGS / "htcanalyze_job_evicted.log"
    paths = [Path(shutil.copy(source, tmp_path / name)) for name in ("a.log", "b.log")]
    for path, written in zip(paths, (1.5e9, 1.6e9), strict=True):
        os.utime(path, (written, written))
    first, second = (next(eventlog.read(path)) for path in paths)
    assert first.time_ns != second.time_ns
    assert names(gather(paths)) == ([["a.log"]], {"b.log": "a.log"})


def test_globs(tmp_path):
    log(tmp_path, "b.log", ("2.0.0", 10))
    log(tmp_path, "a.log", ("1.0.0", 10))
    log(tmp_path, "[1].log", ("3.0.0", 10))
    (tmp_path / "c.log").mkdir()
    log(tmp_path / "c.log", "d.log", ("4.0.0", 10))
    assert names(gather([tmp_path / "[1].log"])) == ([["[1].log"]], {})  # a file of that name
    assert names(gather([tmp_path / "[ab].log"])) == ([["a.log"], ["b.log"]], {})
    assert names(gather([f"{tmp_path}/**/d.log"])) == ([["d.log"]], {})
    with pytest.raises(
        DataError, match=r"x\*\.log: no file of such a name; expected HTCondor job e"
    ):
        gather([tmp_path / "x*.log"])


def test_a_file_that_is_no_log_is_refused(tmp_path):
    paths = [log(tmp_path, "a.log", ("1.0.0", 10)), tmp_path / "b.log"]
    (why,) = gather(paths).refused
    assert "b.log: No such file" in str(why)
    paths[1].write_text("hello\n")
    (why,) = gather(paths).refused
    assert "b.log:1: no event header" in str(why)
    assert names(gather(paths)) == ([["a.log"]], {})


def test_damage_is_told_with_the_file_it_is_in(tmp_path):
    old, new = log(tmp_path, "a.log.1", ("1.0.0", 10)), log(tmp_path, "a.log", ("1.0.0", 20))
    new.write_text("torn\n" + new.read_text())
    ((files, damage),) = [
        (path, item) for path, item in read_all((old, new)) if isinstance(item, Damage)
    ]
    assert (files, str(damage)) == (new, "1: no event header, but 'torn'")
