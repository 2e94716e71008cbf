"""Words of an event log, after a crash in the midst of writing them, and on a full disk."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.drivers.real import store as stores
from ckptsim.drivers.real.store import Store, Words, decoded, encoded, end_of, finish, written
from ckptsim.errors import CkptsimError
from ckptsim.htcondor import joblog
from ckptsim.htcondor import life as lives
from ckptsim.htcondor.codes import Hold
from ckptsim.htcondor.joblog import Resource, Usage
from ckptsim.htcondor.life import Counts, Life, Stage, Stay, Terms, Why
from ckptsim.ledger import Category
from ckptsim.rules import NEVER, Event, Job, Lease, Phase

TIMES = st.integers(0, NEVER)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 2**53)
TEXTS = st.text(max_size=20)
JSON = st.none() | st.booleans() | st.integers() | NUMBERS | TEXTS
RESOURCES = st.builds(Resource, *[st.none() | NUMBERS] * 3)
WHYS = st.builds(
    Why,
    then=st.sampled_from(Stage),
    code=st.integers(-1, 2000) | st.sampled_from(Hold),
    reason=TEXTS,
    subcode=st.integers(-1, 2000),
    evicted=st.booleans(),
    event=st.sampled_from(Event),
    kept=st.booleans(),
    at=TIMES,
)
USAGES = st.builds(
    Usage, RESOURCES, RESOURCES, RESOURCES, RESOURCES, st.none() | TIMES, st.none() | TIMES
)
LIVES = st.builds(
    Life,
    terms=st.builds(
        Terms,
        checkpoint_status=st.none() | st.integers(0, 65535),
        contact_lease=TIMES,
        job_duration=st.none() | TIMES,
        user=TEXTS,
    ),
    job=st.builds(Job, st.sampled_from(Phase), TIMES, TIMES, TIMES, TIMES, TIMES, TIMES, TIMES),
    books=st.tuples(*[TIMES] * len(Category)),
    submitted=TIMES,
    stage=st.sampled_from(Stage),
    stay=st.none()
    | st.builds(
        Stay,
        slot=TEXTS,
        host=TEXTS,
        began=TIMES,
        properties=st.dictionaries(TEXTS, JSON, max_size=3),
        usage=USAGES,
        vacate_time=TIMES,
        why=st.none() | WHYS,
        signalled=st.booleans(),
    ),
    lease=st.builds(Lease, *[TIMES] * 9),
    worklife=TIMES,
    counts=st.builds(Counts, wall_s=NUMBERS, holds=st.integers(0, 9)),
    held=st.none() | WHYS,
    exit_status=st.integers(0, 65535),
)
LIFE = lives.submitted(Terms(), "<127.0.0.1:1>", 10**18)[0]
NO_WORDS = Words("", 0, "")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "pool.db"


def said(number):
    """An event with letters of more than one byte."""
    return joblog.text(joblog.Generic(f"état {number} ✓"), 7, 0, 10**18)


# ---- jobs


@given(life=LIVES)
def test_any_life_comes_back_as_it_was(life):
    store = Store(Path(":memory:"))
    store.save(7, 3, "[ ]", life, NO_WORDS)
    (record,) = store.jobs()
    store.close()
    assert record == (7, 3, "[ ]", life)
    assert type(record.life.stage) is Stage
    assert type(record.life.job.phase) is Phase
    if life.stay and life.stay.why:
        assert type(record.life.stay.why.then) is Stage
        assert type(record.life.stay.why.event) is Event
    assert type(record.life.books) is tuple


def test_a_life_that_came_back_goes_on():
    why = Why(Stage.IDLE, 1022, "so")
    life = LIFE
    usage = Usage(Resource(), Resource(), Resource(0.5, 1, None))
    stay = Stay("slot1", "<h>", 10**18, {"Cpus": 1}, usage, 5)
    lease = Lease(0, NEVER, NEVER, NEVER, NEVER, NEVER)
    for step in (
        lambda life: lives.matched(life, stay, lease, NEVER, 10**18),
        lambda life: lives.staged(life, 7, 10**18 + 5),
        lambda life: lives.started(life, 10**18 + 6),
        lambda life: lives.stopped(life, why, 10**18 + 10),
        lambda life: lives.exited(life, 15, (), 10**18 + 12),
    ):
        kept, acts = step(life)
        assert step(decoded(Life, encoded(life))) == (kept, acts)
        life = kept
    assert life.stage == Stage.IDLE


def test_jobs_are_kept_in_the_order_of_their_numbers(place):
    store = Store(place)
    for cluster, proc in ((10, 0), (9, 1), (9, 0)):
        store.save(cluster, proc, f"[ C = {cluster} ]", LIFE, NO_WORDS)
    store.close()
    records = list(Store(place).jobs())
    assert [(record.cluster, record.proc) for record in records] == [(9, 0), (9, 1), (10, 0)]
    assert records[2].ad == "[ C = 10 ]"


def test_an_ad_that_did_not_change_stays(place):
    store = Store(place)
    store.save(7, 0, "[ A = 1 ]", LIFE, NO_WORDS)
    store.save(7, 0, None, LIFE._replace(stage=Stage.HELD), NO_WORDS)
    (record,) = store.jobs()
    assert (record.ad, record.life.stage) == ("[ A = 1 ]", Stage.HELD)
    store.save(7, 0, "[ A = 2 ]", LIFE, NO_WORDS)
    (record,) = store.jobs()
    assert (record.ad, record.life.stage) == ("[ A = 2 ]", Stage.IDLE)


def test_no_cluster_number_is_given_twice(place):
    store = Store(place)
    assert [store.next_cluster(), store.next_cluster()] == [1, 2]
    store.close()
    assert Store(place).next_cluster() == 3


def test_a_fact_stays_as_it_was_first_told_until_it_is_told_anew(place):
    store = Store(place)
    assert store.fact("pool", "abc") == "abc"
    assert store.fact("pool", "xyz") == "abc"
    store.remember("pool", "xyz")
    store.close()
    assert Store(place).fact("pool", "abc") == "xyz"


# ---- the last words of a log


def test_a_log_torn_at_any_byte_is_whole_again(place, tmp_path):
    store, log = Store(place), tmp_path / "job.log"
    before = b""
    for number in range(4):
        words = Words(f"{log}", end_of(f"{log}"), said(number))
        store.save(7, 0, None, LIFE, words)
        text = words.text.encode()
        for torn in range(len(text) + 1):
            log.write_bytes(before + text[:torn])
            store.finish_logs()
            assert log.read_bytes() == before + text
            store.finish_logs()
            assert log.read_bytes() == before + text
        before += text


def test_events_of_a_torn_log_are_there_once_for_htcondors_reader(place, tmp_path):
    htcondor2 = pytest.importorskip("htcondor2")
    store, log = Store(place), tmp_path / "job.log"
    first = joblog.text(joblog.Submitted("<127.0.0.1:1>"), 7, 0, 10**18)
    both = joblog.text(joblog.Held("so", 1, 0), 7, 0, 10**18) + said(1)
    for torn in (0, 1, 40, len(both) // 2, len(both) - 1, len(both)):
        log.write_text(first)
        store.save(7, 0, None, LIFE, Words(f"{log}", end_of(f"{log}"), both))
        log.write_bytes((first + both).encode()[: len(first) + torn])
        store.finish_logs()
        events = htcondor2.JobEventLog(f"{log}").events(stop_after=0)
        assert [int(event.type) for event in events] == [0, 12, 8]


def test_jobs_may_share_a_log(place, tmp_path):
    store, log = Store(place), tmp_path / "job.log"
    for proc in range(3):
        words = Words(f"{log}", end_of(f"{log}"), said(proc))
        store.save(7, proc, None, LIFE, words)
        if proc < 2:
            written(words)
    store.finish_logs()
    assert log.read_text() == said(0) + said(1) + said(2)


def test_a_change_that_says_nothing_leaves_the_last_words_to_be_finished(place, tmp_path):
    store, log = Store(place), tmp_path / "job.log"
    store.save(7, 0, None, LIFE, Words(f"{log}", 0, said(0)))
    store.save(7, 0, None, LIFE, Words(f"{log}", 0, ""))
    store.close()
    Store(place).finish_logs()
    assert log.read_text() == said(0)


@pytest.mark.parametrize(
    "now", ["", "short", "other words, and more of them than there were before"]
)
def test_a_log_that_is_another_by_now_is_left_alone(place, tmp_path, now):
    store, log = Store(place), tmp_path / "job.log"
    store.save(7, 0, None, LIFE, Words(f"{log}", 10, said(0)))
    log.write_text(now)
    store.finish_logs()
    assert log.read_text() == now


def test_neither_a_missing_folder_nor_a_job_without_log_is_a_fault(place, tmp_path):
    store = Store(place)
    store.save(7, 0, None, LIFE, Words(f"{tmp_path}/gone/job.log", 0, said(0)))
    store.save(7, 1, None, LIFE, Words("", 0, said(0)))
    log = tmp_path / "job.log"
    store.save(7, 2, None, LIFE, Words(f"{log}", 0, said(0)))
    store.finish_logs()
    assert log.read_text() == said(0)
    assert {path.name for path in tmp_path.iterdir()} >= {"job.log", "pool.db"}
    written(Words("", 0, said(0)))


@given(before=st.binary(max_size=30), text=st.text(min_size=1, max_size=30), torn=st.integers(0))
def test_any_words_torn_anywhere(tmp_path_factory, before, text, torn):
    log = tmp_path_factory.mktemp("log") / "job.log"
    wanted = text.encode()
    log.write_bytes(before + wanted[: torn % (len(wanted) + 1)])
    finish(Words(f"{log}", len(before), text))
    assert log.read_bytes() == before + wanted


def test_no_room_on_the_disk_leaves_the_log_as_it_was(tmp_path, monkeypatch):
    log, write = tmp_path / "job.log", os.write
    log.write_text(said(0))
    monkeypatch.setattr(stores.os, "write", lambda file, text: write(file, text[:10]))
    with pytest.raises(OSError, match="No space left"):
        written(Words(f"{log}", end_of(f"{log}"), said(1)))
    assert log.read_text() == said(0)


# A process that notes each change and then writes it, for as long as it lives.
WRITER = """
import sys, time
from pathlib import Path
from ckptsim.drivers.real.store import Store, Words, end_of, written
from ckptsim.htcondor import joblog, life as lives
store, log = Store(Path(sys.argv[1])), sys.argv[2]
store.finish_logs()
life = next(store.jobs()).life
print("ready", flush=True)
while True:
    life = life._replace(exit_status=life.exit_status + 1)
    text = joblog.text(joblog.Generic(f"number {life.exit_status} " + "x" * 5000), 7, 0, 10**18)
    words = Words(log, end_of(log), text)
    store.save(7, 0, None, life, words)
    written(words)
"""


def test_kill_9_at_any_moment_loses_and_doubles_nothing(place, tmp_path):
    log = tmp_path / "job.log"
    store = Store(place)
    store.save(7, 0, "[ ]", LIFE, NO_WORDS)
    store.close()
    for wait in (0.0, 0.05, 0.11):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, place, log], stdout=subprocess.PIPE
        )
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    store = Store(place)
    store.finish_logs()
    (record,) = store.jobs()
    store.close()
    numbers = [line.split()[-2] for line in log.read_text().splitlines() if "number" in line]
    assert numbers == [f"{number}" for number in range(1, record.life.exit_status + 1)]
    assert record.life.exit_status > 3
    assert log.read_text().count("...\n") == record.life.exit_status


def test_jobs_stored_by_another_version_are_not_misread(place):
    store = Store(place)
    store.remember("shape", store.fact("shape", "").replace("stage", "state"))
    store.close()
    with pytest.raises(CkptsimError, match="another version of ckptsim"):
        Store(place)
