import gzip
import os
import random
import re
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.errors import DataError
from ckptsim.htcondor.eventlog import Damage, Event, read

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("CKPTSIM_SHARED", HERE.parents[1] / "shared"))
SHIPPED = sorted((HERE / "data" / "condor-logs").glob("*.log"))
FORMS = sorted((HERE / "data" / "condor-forms").glob("*/*log*"))
LOGS = [
    *SHIPPED,
    *FORMS,
    *sorted(SHARED.glob("data/condor-logs/*/*.[lt]*")),
    *sorted(SHARED.glob("golden/*/*.log")),
]

NOISE = random.Random(1).randbytes(200_000)

SUBMITTED = "000 (7.000.000) {} Job submitted from host: <192.0.2.1:9618>\n...\n"


def stamp(event):
    return str(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.time_ns // 1000))[
        :-6
    ]


def stamps(path):
    return [stamp(event) for event in read(path)]


def log_of(directory, *times, written=None):
    """A log of one event at each of the times, last written at a certain moment."""
    path = directory / "job.log"
    path.write_text("".join(SUBMITTED.format(time) for time in times))
    if written:
        seconds = datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp()
        os.utime(path, (seconds, seconds))
    return path


def test_an_event_is_its_header_and_the_lines_down_to_three_dots(tmp_path):
    path = tmp_path / "job.log"
    path.write_text(
        "000 (0012.003.000) 2026-01-31 12:00:00 Job submitted from host: <192.0.2.1:9618>\n"
        "    DAG Node: A\n"
        "...\n"
        "012 (0012.003.000) 2026-01-31 12:00:01 Job was held.\n"
        "\tvia condor_hold (by user tester)\n"
        "\tCode 1 Subcode 0\n"
        "...\n"
    )
    noon = 1_769_860_800 * 10**9  # date -u -d '2026-01-31 12:00' +%s
    assert list(read(path)) == [
        Event(
            0,
            12,
            3,
            0,
            noon,
            "Job submitted from host: <192.0.2.1:9618>",
            ("    DAG Node: A",),
            1,
        ),
        Event(
            12,
            12,
            3,
            0,
            noon + 10**9,
            "Job was held.",
            ("\tvia condor_hold (by user tester)", "\tCode 1 Subcode 0"),
            4,
        ),
    ]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2026-01-31 12:00:01", "2026-01-31 12:00:01"),
        ("2026-01-31T12:00:01", "2026-01-31 12:00:01"),
        ("2026-01-31 12:00:01.250", "2026-01-31 12:00:01.250000"),
        ("2026-01-31T12:00:01Z", "2026-01-31 12:00:01"),
        ("2026-01-31 12:00:01.25Z", "2026-01-31 12:00:01.250000"),
        ("2026-01-31T12:00:01+01:00", "2026-01-31 11:00:01"),
        ("2026-01-31 23:00:01.25-0230", "2026-02-01 01:30:01.250000"),
    ],
)
def test_all_forms_of_stamps_with_a_year(tmp_path, written, read_as):
    assert stamps(log_of(tmp_path, written)) == [read_as]


def test_a_log_without_years_that_crosses_new_year(tmp_path):
    path = log_of(
        tmp_path, "12/31 23:59:00", "01/01 00:01:00", "12/31 23:59:59", written="2014-01-09"
    )
    assert stamps(path) == ["2013-12-31 23:59:00", "2014-01-01 00:01:00", "2013-12-31 23:59:59"]


def test_the_last_event_without_a_year_is_not_after_the_file_was_written(tmp_path):
    assert stamps(log_of(tmp_path, "03/01 10:00:00", written="2026-02-27")) == [
        "2025-03-01 10:00:00"
    ]
    assert stamps(log_of(tmp_path, "02/27 10:00:00", written="2026-02-27")) == [
        "2026-02-27 10:00:00"
    ]


def test_a_pause_of_months_is_no_new_year_but_a_jump_back_of_months_is(tmp_path):
    path = log_of(
        tmp_path, "02/01 10:00:00", "11/30 10:00:00", "03/01 10:00:00", written="2021-06-01"
    )
    assert stamps(path) == ["2020-02-01 10:00:00", "2020-11-30 10:00:00", "2021-03-01 10:00:00"]


def test_the_29th_of_february_is_of_a_leap_year(tmp_path):
    path = log_of(tmp_path, "02/29 10:00:00", "03/01 10:00:00", written="2026-05-05")
    assert stamps(path) == ["2024-02-29 10:00:00", "2024-03-01 10:00:00"]


def test_a_stamp_with_a_year_dates_those_without(tmp_path):
    path = log_of(tmp_path, "12/31 10:00:00", "2020-01-02 10:00:00", "01/03 10:00:00")
    assert stamps(path) == ["2019-12-31 10:00:00", "2020-01-02 10:00:00", "2020-01-03 10:00:00"]


def test_the_footer_of_a_terminated_job_dates_the_log(tmp_path):
    path = tmp_path / "job.log"
    path.write_text(
        SUBMITTED.format("12/31 22:00:00")
        + "005 (7.000.000) 12/31 23:00:00 Job terminated.\n"
        + "\tJob terminated of its own accord at 2023-01-01T04:00:00Z with exit-code 0.\n...\n"
    )
    assert stamps(path) == ["2022-12-31 22:00:00", "2022-12-31 23:00:00"]


def test_what_is_no_event_is_told_with_its_lines(tmp_path):
    whole = SUBMITTED.format("2026-01-31 12:00:00")
    path = tmp_path / "job.log"
    path.write_bytes(
        b"\x00\xffgarbage\nmore of it\n"  # 1, 2
        + whole.encode()  # 3, 4
        + b"001 (7.000.000) 2026-01-31 12:00:01 Job exec\n\tSlotN\n"  # 5, 6: cut off by
        + whole.encode()  # 7, 8
        + b"...\n"  # 9
        + b"001 (7.000.000) 2026-02-30 12:00:00 Job executing\n...\n"  # 10
        + b"005 (7.000.000) 2026-01-31 12:00:02 Job ter"  # 12: cut off by the end
    )
    items = list(read(path))
    assert [item.line for item in items if isinstance(item, Event)] == [3, 7]
    assert [str(item) for item in items if isinstance(item, Damage)] == [
        "1-2: no event header, but '\\x00\ufffdgarbage'",
        "5-6: event cut off: no line of three dots after it",
        "9: a line of dots, but no event before it",
        "10: impossible time (day is out of range for month)",
        "12: event cut off: no line of three dots after it",
    ]


def test_a_gzipped_log_and_one_that_breaks_off(tmp_path):
    path = tmp_path / "job.log.gz"
    text = "".join(SUBMITTED.format(f"2026-01-31 12:00:{second:02}") for second in range(60))
    path.write_bytes(gzip.compress(text.encode()))
    assert len(stamps(path)) == 60
    path.write_bytes(gzip.compress(text.encode() + NOISE)[:-9])
    *_, last = read(path)
    assert isinstance(last, Damage)
    assert "cannot be read from here on" in last.reason


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ": is empty"),
        (b"\n\n", ": is empty"),
        (b"\x89PNG\r\n\x1a\n" * 50, ":1-100: no event header, but "),
        (b"\nhello\n...\n", ":2: no event header, but 'hello'"),
        (b'<?xml version="1.0"?>\n<plist/>\n', ":2: no event header, but '<plist/>'"),
        (b"000 (7.000.000) 2026-01-31 12:00:00 Job submitted", ":1: event cut off: no line of "),
        (gzip.compress(NOISE, mtime=0)[:99], ":1: cannot be read from here on (Compressed file"),
    ],
)
def test_a_file_that_is_no_log_is_told_in_one_line(tmp_path, content, told):
    path = tmp_path / "job.log"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        list(read(path))
    assert str(error.value).startswith(f"{path}:")
    assert told in str(error.value)
    assert "expected an HTCondor job event log" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_log_and_a_directory_are_refused_at_once(tmp_path):
    with pytest.raises(DataError, match=r"absent\.log: No such file or directory; expected an HTC"):
        read(tmp_path / "absent.log")
    with pytest.raises(DataError, match="is a directory"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="can be read only once"):
        read(tmp_path / "pipe")


def test_an_overlong_line_is_one_line(tmp_path):
    path = tmp_path / "job.log"
    event = SUBMITTED.format("2026-01-31 12:00:00")
    path.write_text("\x00" * (5 << 20) + "\n" + event)
    damage, found = read(path)
    assert (damage.line, damage.last_line, found.line) == (1, 1, 2)


@pytest.mark.parametrize("size", range(1 << 15, 20 << 15, 1 << 15))
def test_what_follows_a_hole_in_its_line_is_no_event(tmp_path, size):
    path = tmp_path / "job.log"
    event = SUBMITTED.format("2026-01-31 12:00:00")
    path.write_text("\x00" * size + event + event)
    damage, found = read(path)
    assert (damage.line, damage.last_line, found.line) == (1, 1, 3)


# A body line is anything on one line that would not begin or end an event.
BODY = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])).map(
    lambda text: "\t" + text
)
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 999),
        st.integers(-1, 10**6),
        st.integers(0, 10**4),
        st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)),  # noqa: DTZ001
        st.lists(BODY, max_size=4),
    ),
    min_size=1,
    max_size=6,
)


def written_out(events):
    return "".join(
        f"{number:03} ({cluster:03}.{proc:03}.000) {time:%Y-%m-%d %H:%M:%S} Something happened\n"
        + "".join(line + "\n" for line in body)
        + "...\n"
        for number, cluster, proc, time, body in events
    )


@given(EVENTS)
def test_what_is_written_is_read(tmp_path_factory, events):
    path = tmp_path_factory.getbasetemp() / "job.log"
    path.write_text(written_out(events), newline="")
    found = [
        (event.number, event.cluster, event.proc, event.time_ns, list(event.body))
        for event in read(path)
    ]
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001
    assert found == [
        (number, cluster, proc, (time - epoch) // timedelta(seconds=1) * 10**9, body)
        for number, cluster, proc, time, body in events
    ]


@given(EVENTS, st.data())
def test_a_log_cut_anywhere_gives_the_events_before_the_cut(tmp_path_factory, events, data):
    text = written_out(events).encode()
    first = text.index(b"...\n") + 4
    cut = data.draw(st.integers(first, len(text)))
    path = tmp_path_factory.getbasetemp() / "job.log"
    path.write_bytes(text)
    whole = list(read(path))
    path.write_bytes(text[:cut])
    kept = [item for item in read(path) if isinstance(item, Event)]
    assert kept == whole[: len(kept)]
    assert len(kept) == text[:cut].split(b"\n").count(b"...")


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([b"...", b"\r"])), max_size=12))
def test_every_line_is_in_an_event_or_told_as_damage(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "job.log"
    path.write_bytes(SUBMITTED.format("2026-01-31 12:00:00").encode() + b"\n".join(lines))
    told = set()
    for item in read(path):
        last = item.last_line if isinstance(item, Damage) else item.line + len(item.body)
        told |= set(range(item.line, last + 1))
    text = path.read_bytes().decode(errors="replace").split("\n")
    filled = {
        number for number, line in enumerate(text, 1) if line.strip() and line.rstrip() != "..."
    }
    assert filled <= told


# What the lines of an event hold of the ad that HTCondor makes of it.
FIELDS = {
    1: {"ExecuteHost": r"on host: (.*)", "SlotName": r"SlotName: (.*)"},
    4: {"ReasonCode": r"Code (\d+)", "Reason": r"\t(?:Reason: |(?=The job attribute))(.*)"},
    5: {"ReturnValue": r"\(return value (-?\d+)\)", "TerminatedBySignal": r"\(signal (\d+)\)"},
    7: {"Message": r"Shadow exception!\n\s+(.*)"},
    9: {"Reason": r"Job was aborted.*\n\t(.*)"},
    12: {"HoldReason": r"held\.\n\t(.*)", "HoldReasonCode": r"Code (\d+) Subcode"},
    16: {"DAGNodeName": r"DAG Node: (.*)"},
    22: {"StartdName": r"Trying to reconnect to (\S+)", "DisconnectReason": r"\n    (.*)"},
    24: {"StartdName": r"Can not reconnect to (.*), ", "Reason": r"\n    (.*)"},
    40: {"Host": r"Transferring to host: (.*)"},
}


def fields(event, ad):
    """The fields by our lines and by HTCondor's reader."""
    text = "\n".join([event.text, *event.body])
    for name, pattern in FIELDS.get(event.number, {}).items():
        match = re.search(pattern, text)
        yield match and match[1].strip(), str(ad[name]).strip() if name in ad else None


@pytest.mark.parametrize("path", LOGS, ids=lambda path: "/".join(path.parts[-2:]))
def test_htcondors_own_reader_finds_the_same_events(path):
    htcondor2 = pytest.importorskip("htcondor2")
    ours = list(read(path))
    theirs = list(htcondor2.JobEventLog(str(path)).events(stop_after=0))
    # Without a year in the stamp that reader takes the present one: only the rest is compared.
    start = 5 if re.search(r"\) \d\d/", path.read_text(errors="replace")) else 0
    assert [
        (
            event.number,
            event.cluster,
            event.proc,
            event.subproc,
            stamp(event)[start:23].replace(" ", "T"),
        )
        for event in ours
    ] == [
        (
            int(event.type),
            event.cluster,
            event.proc,
            event.get("Subproc", -1),
            event["EventTime"][start:23],
        )
        for event in theirs
    ]
    pairs = [pair for event, ad in zip(ours, theirs, strict=True) for pair in fields(event, ad)]
    assert [found for found, _ in pairs] == [told for _, told in pairs]


def readmes_counts():
    """File and counts of events of the data's README, whose author took HTCondor's own reader."""
    readme = SHARED / "data" / "condor-logs" / "README.md"
    rows = readme.read_text().splitlines() if readme.exists() else []
    for row in rows:
        name = re.match(r"(?:\| |- `)([\w/.-]+\.(?:log|txt))", row)
        if name:
            folder = "reconstructed/" if row.startswith("-") else ""
            counts = re.findall(r"(?<=[ |])(\d{3}):(\d+)(?=[ |])", row)
            yield folder + name[1], {int(number): int(count) for number, count in counts}


def test_the_readme_tells_of_every_log(shared):
    told = {name for name, _ in readmes_counts()}
    assert told == {
        str(path.relative_to(shared / "data" / "condor-logs"))
        for path in LOGS
        if path.parent.parent.name == "condor-logs" and path.is_relative_to(shared)
    }
    assert len(told) == 25


@pytest.mark.parametrize(("name", "counts"), list(readmes_counts()))
def test_as_many_events_of_each_kind_as_the_readme_says(shared, name, counts):
    assert counts
    assert Counter(event.number for event in read(shared / "data" / "condor-logs" / name)) == counts


# --- size -----------------------------------------------------------------------------------------


def peak_memory(path):
    """In bytes, while the log is read."""
    tracemalloc.start()
    try:
        for _ in read(path):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path", [SHIPPED[0], FORMS[0], FORMS[-1]], ids=lambda path: path.name)
def test_memory_does_not_grow_with_the_log(tmp_path, path):
    content = path.read_bytes() * (200_000 // path.stat().st_size + 1)
    peaks = []
    for times in (1, 10):
        log = tmp_path / f"{times}.log"
        log.write_bytes(content * times)
        peaks.append(peak_memory(log))
    assert peaks[1] < peaks[0] + 100_000 < len(content) * 10 / 2


@pytest.mark.parametrize(
    ("start", "line"),
    [
        ("001 (7.000.000) 2026-01-31 12:00:01 Job executing\n", "\tindented\n"),
        ("001 (7.000.000) 2026-01-31 12:00:01 Job executing\n", "not indented\n"),
        ("<c>\n", "    <a/>\n"),
        ("{\n", '  "a": 1,\n'),
        ("", "no event\n"),
        ("", "\x00" * 100),
    ],
    ids=["body", "other lines", "XML", "JSON", "no event", "one line"],
)
def test_an_event_without_end_does_not_fill_the_memory(tmp_path, start, line):
    path = tmp_path / "job.log"
    path.write_text(
        SUBMITTED.format("2026-01-31 12:00:00") + start + line * (1_500_000 // len(line))
    )
    assert peak_memory(path) < 3_000_000
    event, damage = read(path)
    assert (event.line, damage.line) == (1, 3)
