"""Damaged and shuffled logs: no traceback, no lease that is not in the log, no time made up."""

import random
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from ckptsim.audit import audit
from ckptsim.audit_told import left_out, sentences
from ckptsim.errors import DataError
from ckptsim.htcondor.leases import follow

HEADER = re.compile(
    r"^(\d{3}) \((-?\d+)\.(-?\d+)\.-?\d+\) (?:\d{4}-)?(\d\d)[-/](\d\d)[ T](\d\d):(\d\d):(\d\d)",
    re.MULTILINE,
)
OWN = """\
000 (007.000.000) 2026-01-31 08:00:00 Job submitted from host: <192.0.2.1:9618>
...
040 (007.000.000) 2026-01-31 08:00:10 Started transferring input files
\tTransferring to host: <192.0.2.2:9618>
...
040 (007.000.000) 2026-01-31 08:00:20 Finished transferring input files
...
001 (007.000.000) 2026-01-31 08:00:21 Job executing on host: <192.0.2.2:9618>
...
010 (007.000.000) 2026-01-31 08:10:00 Job was suspended.
\tNumber of processes actually suspended: 1
...
011 (007.000.000) 2026-01-31 08:20:00 Job was unsuspended.
...
040 (007.000.000) 2026-01-31 09:00:00 Started transferring output files
...
040 (007.000.000) 2026-01-31 09:01:00 Finished transferring output files
...
021 (007.000.000) 2026-01-31 09:01:00 Error from starter on slot1@ep1:
\tRescheduling self-checkpoint job
\tCode 1025 Subcode 0
...
004 (007.000.000) 2026-01-31 09:01:01 Job was evicted. Code 1025 Subcode 0
\t(0) CPU times
\t307  -  Run Bytes Sent By Job
\t1000  -  Run Bytes Received By Job
...
001 (007.000.000) 2026-01-31 09:05:00 Job executing on host: <192.0.2.3:9618>
...
022 (007.000.000) 2026-01-31 10:00:00 Job disconnected, attempting to reconnect
    Socket between submit and execute hosts closed unexpectedly
...
024 (007.000.000) 2026-01-31 10:40:00 Job reconnection failed
    Job disconnected too long: JobLeaseDuration (2400 seconds) expired
...
001 (007.000.000) 2026-01-31 10:42:00 Job executing on host: <192.0.2.4:9618>
...
004 (007.000.000) 2026-01-31 11:00:00 Job was evicted.
\t(0) Job was not checkpointed.
...
009 (007.000.000) 2026-01-31 11:00:00 Job was aborted.
\tvia condor_rm (by user tester)
...
001 (008.001.000) 2026-01-31 11:10:00 Job executing on host: <192.0.2.4:9618>
...
012 (008.001.000) 2026-01-31 12:10:00 Job was held.
\tThe job exceeded allowed job duration of 01:00:00
\tCode 46 Subcode 0
...
013 (008.001.000) 2026-01-31 12:20:00 Job was released.
...
001 (008.001.000) 2026-01-31 12:21:00 Job executing on host: <192.0.2.4:9618>
...
005 (008.001.000) 2026-01-31 12:31:00 Job terminated.
\t(1) Normal termination (return value 0)
...
"""


def lines_of(draw, text):
    lines = text.splitlines(keepends=True) or ["\n"]
    at = draw.randrange(len(lines))
    return lines, at


def without_a_line(draw, text):
    lines, at = lines_of(draw, text)
    return "".join(lines[:at] + lines[at + 1 :])


def with_a_line_twice(draw, text):
    lines, at = lines_of(draw, text)
    return "".join([*lines[: at + 1], *lines[at:]])


def with_events_swapped(draw, text):
    blocks = text.split("...\n")
    one, other = draw.randrange(len(blocks)), draw.randrange(len(blocks))
    blocks[one], blocks[other] = blocks[other], blocks[one]
    return "...\n".join(blocks)


def with_another_digit(draw, text):
    digits = [match.start() for match in re.finditer(r"\d", text)] or [0]
    at = draw.choice(digits)
    return text[:at] + draw.choice("0123456789") + text[at + 1 :]


def with_another_character(draw, text):
    at = draw.randrange(max(len(text), 1))
    return text[:at] + draw.choice("\x00\n\t .(<{é�9") + text[at + 1 :]


def cut_off(draw, text):
    return text[: draw.randrange(max(len(text), 1))]


def begun_late(draw, text):
    return text[draw.randrange(max(len(text), 1)) :]


def with_rubbish(draw, text):
    lines, at = lines_of(draw, text)
    rubbish = draw.choice(["...\n", "\n", "001 (\n", "rubbish\n", "Code 999999999999 Subcode 0\n"])
    return "".join([*lines[:at], rubbish, *lines[at:]])


def doubled(_draw, text):
    return text + text


MUTATIONS = [
    *(without_a_line, with_a_line_twice, with_events_swapped, with_another_digit, cut_off),
    *(with_another_character, begun_late, with_rubbish, doubled),
]


def stamp(month, day, hour, minute, second):
    """A stamp as a key; a leap second is the next minute's first."""
    try:
        midnight = datetime(2000, int(month), int(day), tzinfo=UTC)
    except ValueError:
        return None
    told = midnight + timedelta(hours=int(hour), minutes=int(minute), seconds=int(second))
    return f"{told:%m%d%H%M%S}"


def key(time_ns):
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return f"{epoch + timedelta(seconds=time_ns // 10**9):%m%d%H%M%S}"


def check(path, text):
    """Follow and audit a log; every lease and every time must be in its text."""
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        history = follow(path)
    except DataError:
        return 0
    headers = [
        (number, f"{int(cluster)}.{int(proc)}", stamp(*when))
        for number, cluster, proc, *when in HEADER.findall(text)
    ]
    starts = {(job, at) for number, job, at in headers if number == "001"}
    stamps = {at for _, _, at in headers}
    for lease in history.leases:
        assert (lease.job, key(lease.start_ns)) in starts
        assert key(lease.end_ns) in stamps
        assert lease.start_ns <= lease.end_ns
        assert all(key(time) in stamps for _, *span in lease.told for time in span)
    found = audit([history])
    assert all(time >= 0 for account in found.accounts for time in account.spent)
    assert all(sentences(found))
    assert all(isinstance(line, str) for line in left_out(found))
    return len(history.leases)


def seeds(folder):
    """Logs that mutations begin with; the real ones where they are."""
    logs = folder / "data" / "condor-logs" if folder else None
    found = (
        [path.read_text(errors="replace") for path in sorted(logs.rglob("*.log"))] if logs else []
    )
    return [OWN, *(text for text in found if len(text) < 40_000)]


def mutated(number, texts):
    draw = random.Random(number)
    text = draw.choice(texts)
    for mutation in draw.choices(MUTATIONS, k=draw.choice([1, 1, 2, 4, 16])):
        text = mutation(draw, text)[:100_000]
    return text


def test_mutations_of_a_log_invent_nothing(tmp_path):
    assert check(tmp_path / "job.log", OWN) == 5
    leases = sum(check(tmp_path / "job.log", mutated(number, [OWN])) for number in range(300))
    assert leases > 300  # most of them can still be read


def test_mutations_of_real_logs_invent_nothing(tmp_path, shared):
    texts = seeds(shared)
    assert len(texts) > 15
    for number in range(1000, 1150):
        check(tmp_path / "job.log", mutated(number, texts))


@pytest.mark.slow
def test_many_mutations_of_real_logs_invent_nothing(tmp_path, shared):
    texts = seeds(shared)
    for number in range(10_000, 30_000):
        check(tmp_path / "job.log", mutated(number, texts))


# --- a million events -----------------------------------------------------------------------------

MILLION = 1_000_000
# Jobs of 10 events a lease, one in ten of them with an eviction: 100,000 leases.
AUDIT = f"""
import resource, sys, time
from ckptsim.audit import audit
from ckptsim.audit_saved import saving
from ckptsim.htcondor.eventlog import Event
from ckptsim.htcondor.leases import follow_events

SECOND = 10**9
OUT = "Started transferring output files", "Finished transferring output files"

def events():
    for lease in range({MILLION} // 10):
        job, evicted = lease // 10, lease % 10 < 9
        at, line = lease * 600 * SECOND, 30 * lease
        def event(number, after, text, *body):
            return Event(number, 1000 + job // 5, job % 5, 0, at + after * SECOND, text, body, line)
        if lease % 10 == 0:
            yield event(0, 0, "Job submitted from host: <192.0.2.1:9618>")
        else:
            yield event(6, 0, "Image size of job updated: 1")
        yield event(1, 10, "Job executing on host: <192.0.2.2:9618>")
        for checkpoint in range(3):
            yield event(40, 100 * (checkpoint + 1), OUT[0])
            yield event(40, 100 * (checkpoint + 1) + 3, OUT[1])
        yield event(6, 350, "Image size of job updated: 1")
        if evicted:
            yield event(4, 400 + lease % 97, "Job was evicted. Code 1011 Subcode 0")
        else:
            yield event(5, 400, "Job terminated.")

started = time.perf_counter()
found = audit([follow_events("job.log", events())])
booked = time.perf_counter()
saving(found)
print(found.events, len(found.leases), found.whole.checkpoints)
print(f"booked in {{booked - started:.1f}} s, saving {{time.perf_counter() - booked:.1f}} s")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_a_million_events_are_audited_in_300_mb():
    """The events are made as they are needed: what counts is what is kept of them."""
    run = subprocess.run([sys.executable, "-c", AUDIT], capture_output=True, text=True, check=True)
    counts, told, peak_mb = run.stdout.splitlines()
    print(told, f"{float(peak_mb):.0f} MB")  # the time depends on the machine: told, not judged
    # Of the last lease of each job the third transfer is the final one.
    assert counts == "1000000 100000 290000"
    assert float(peak_mb) < 300
