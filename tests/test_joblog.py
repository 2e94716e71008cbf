"""Judges: the logs of real runs, byte for byte, and HTCondor's own reader."""

import re
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptsim.htcondor import eventlog, joblog
from ckptsim.htcondor.joblog import (
    Aborted,
    AdInformation,
    Cpu,
    Disconnected,
    Evicted,
    Executing,
    Generic,
    Held,
    ImageSize,
    Reconnected,
    ReconnectFailed,
    Released,
    Resource,
    StarterError,
    Submitted,
    Terminated,
    Transfer,
    TransferEvent,
    Usage,
)

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*/job.log"))
HOST = "<192.0.2.1:9618?addrs=192.0.2.1-9618>"
SLOT = "slot1_1@ep1"


def local_ns(stamp):
    return int(time.mktime(time.strptime(stamp, "%Y-%m-%d %H:%M:%S"))) * 10**9


AT = local_ns("2026-11-22 15:27:26") + 987_654_321
USAGE = Usage(Resource(0.25, 1, 1), Resource(17, 65536, 65536), Resource(10, 64, 128), busy_s=3)


# --- real logs, parsed by regular expressions and written again -----------------------------------

RUSAGE = r"\t\tUsr (\S+ \S+), Sys (\S+ \S+)  -  {} Remote Usage\n\t\tUsr .*\n"
BYTES = r"\t(\d+)  -  {0} Bytes Sent By Job\n\t(\d+)  -  {0} Bytes Received By Job\n"
ENDING = (
    r"\t\(([01])\) (?:Ab)?[Nn]ormal termination \((?:return value|signal) (\d+)\)\n(?:\t\(0\).*\n)?"
)
TABLE = r"((?:\tPartitionable[^\0]*)?)"
CODES = r"(?: Code (\S+) Subcode (\S+))?"


def evicted(code, subcode, user, system, sent, received, normal, number, reason, table):
    return Evicted(
        int(code or 0),
        int(subcode or 0),
        reason.removeprefix("Reason: "),
        int(sent),
        int(received),
        usage(table),
        None if number is None else status(normal, number),
        cpu(user, system),
    )


def terminated(normal, number, user, system, total_user, total_system, *rest):
    *sizes, table = rest
    return Terminated(
        status(normal, number),
        *map(int, sizes),
        usage(table),
        cpu(user, system),
        cpu(total_user, total_system),
    )


def transferred(words, host):
    moment, way = words.split()[0], words.split()[-2]
    kinds = {"Entered": 1, "Started": 2, "Finished": 3}
    return TransferEvent(Transfer(kinds[moment] + 3 * (way == "output")), host)


EVICTED = (
    rf"Job was evicted\.{CODES}\n\t\(0\).*\n{RUSAGE.format('Run')}{BYTES.format('Run')}"
    rf"(?:{ENDING})?\t(.*)\n{TABLE}"
)
TERMINATED = (
    rf"Job terminated\.\n{ENDING}{RUSAGE.format('Run')}{RUSAGE.format('Total')}"
    rf"{BYTES.format('Run')}{BYTES.format('Total')}{TABLE}"
)
SHAPES = {
    "000": (r"Job submitted from host: (.*)\n", Submitted),
    "001": (
        r"Job executing on host: (.*)\n\tSlotName: (.*)\n((?:\t.*\n)*)",
        lambda host, slot, lines: Executing(host, slot, attributes(lines)),
    ),
    "004": (EVICTED, evicted),
    "005": (TERMINATED, terminated),
    "006": (r"\D*(\d+)\n\t(\d+)  -  M.*\n\t(\d+)  -  R.*\n", lambda *n: ImageSize(*map(int, n))),
    "008": (r"(.*)\n", Generic),
    "009": (r"Job was aborted\.\n\t(.*)\n", Aborted),
    "012": (
        r"Job was held\.\n\t(.*)\n\tCode (\S+) Subcode (\S+)\n",
        lambda reason, code, subcode: Held(reason, int(code), int(subcode)),
    ),
    "013": (r"Job was released\.\n\t(.*)\n", Released),
    "021": (
        r"Error from starter on (.*):\n\t(.*)\n\tCode (\S+) Subcode (\S+)\n",
        lambda machine, text, *codes: StarterError(machine, text, *map(int, codes)),
    ),
    "022": (r"Job disc.*\n    (.*)\n    Trying to reconnect to (\S+) (\S+)\n", Disconnected),
    "024": (r"Job rec.*\n    (.*)\n    Can not reconnect to (\S+), .*\n", ReconnectFailed),
    "028": (r"Job ad .*\n([^\0]*)", lambda lines: AdInformation(attributes(lines))),
    "040": (r"(.*)\n(?:\tTransferring to host: (.*)\n)?", transferred),
}


def status(normal, number):
    return int(number) << 8 if normal == "1" else int(number)


def cpu(*times):
    parts = (map(int, re.split("[ :]", text)) for text in times)
    return Cpu(*(((d * 24 + h) * 60 + m) * 60 + s for d, h, m, s in parts))


def usage(table):
    """Read by its columns: they end where the words of the heading end."""
    if not table:
        return None
    heading, *rows = table.splitlines()
    ends = [heading.index(":") + 1, *(heading.index(word) + len(word) for word in HEADINGS)]
    cells = {
        row.split()[0]: Resource(*(number(row[a:b]) for a, b in pairwise(ends))) for row in rows
    }
    times = (cells.pop(f"Time{what}", Resource()).used for what in ("Execute", "SlotBusy"))
    return Usage(cells["Cpus"], cells["Disk"], cells["Memory"], cells["GPUs"], *times)


HEADINGS = ("Usage", "Request", "Allocated")


def number(cell):
    """Only the digits shown are known: 0.00 is some small fraction."""
    if "." in cell:
        return float(cell) or 0.001
    return int(cell) if cell.strip() else None


def attributes(lines):
    pairs = (line.strip().split(" = ", 1) for line in lines.splitlines())
    return {name: attribute(value) for name, value in pairs}


def attribute(value):
    if value.startswith("[ "):
        return attributes(value[2:-2].replace("; ", "\n"))
    if value in {"true", "false"}:
        return value == "true"
    return value[1:-1] if value[0] == '"' else float(value) if "." in value else int(value)


HEADER = re.compile(r"(\d+) \((\d+)\.(\d+)\.000\) (\S+ \S+) ")


def written_again(event):
    header = HEADER.match(event)
    kind, cluster, proc, stamp = header.groups()
    shape, make = SHAPES[kind]
    value = make(*re.fullmatch(shape, event[header.end() :]).groups())
    return joblog.text(value, int(cluster), int(proc), local_ns(stamp))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parent.name)
def test_every_event_of_a_real_log_is_written_byte_for_byte(path):
    *events, rest = path.read_text().split("\n...\n")
    assert (len(events) > 5, rest) == (True, "")
    for event in events:
        assert written_again(f"{event}\n") == f"{event}\n...\n"


# --- what no golden run has -----------------------------------------------------------------------


def lines_of(event, **how):
    return joblog.text(event, 7, 12, AT, **how).splitlines()


def test_a_queued_transfer():
    assert lines_of(TransferEvent(Transfer.OUTPUT_QUEUED)) == [
        "040 (007.012.000) 2026-11-22 15:27:26 Entered queue to transfer output files",
        "...",
    ]
    assert lines_of(TransferEvent(Transfer.INPUT_STARTED, HOST, 70))[1:] == [
        "\tSeconds spent in queue: 70",
        f"\tTransferring to host: {HOST}",
        "...",
    ]


def test_contact_is_found_again():
    assert lines_of(Reconnected(SLOT, "<a>", "<b>")) == [
        "023 (007.012.000) 2026-11-22 15:27:26 Job reconnected to slot1_1@ep1",
        "    startd address: <a>",
        "    starter address: <b>",
        "...",
    ]


def test_a_death_by_signal_and_processor_times():
    day = Cpu(86_400 + 3 * 3600 + 4 * 60 + 5.9, 1)
    event = Terminated(9, 1, 2, 3, 4, cpu=day, total_cpu=Cpu(60.0, 0.5))
    assert lines_of(event)[1:7] == [
        "\t(0) Abnormal termination (signal 9)",
        "\t(0) No core file",
        "\t\tUsr 1 03:04:05, Sys 0 00:00:01  -  Run Remote Usage",
        "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Local Usage",
        "\t\tUsr 0 00:01:00, Sys 0 00:00:00  -  Total Remote Usage",
        "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Total Local Usage",
    ]


def test_milliseconds_are_cut_off():
    assert lines_of(Generic("x"), milliseconds=True)[0].split(")")[1] == (
        " 2026-11-22 15:27:26.987 x"
    )


def test_the_time_is_local(monkeypatch):
    monkeypatch.setenv("TZ", "XYZ-5:30")
    time.tzset()
    try:
        assert "1970-01-01 05:30:01.000 x" in joblog.text(
            Generic("x"), 1, 0, 10**9, milliseconds=True
        )
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_line_break_becomes_a_bar_as_in_htcondor():
    assert lines_of(Aborted("a\nb\r\n...\n")) == [
        "009 (007.012.000) 2026-11-22 15:27:26 Job was aborted.",
        "\ta|b |...|",
        "...",
    ]


def test_what_has_no_code_says_nothing_of_codes():
    assert lines_of(StarterError(SLOT, "text", 0, 0))[1:] == ["\ttext", "..."]
    assert lines_of(Evicted(0, 0, "", 1, 2))[0].endswith("Job was evicted.")


def test_attributes_are_sorted_as_htcondor_does_without_regard_to_capitals():
    assert lines_of(AdInformation({"c": 1, "B": 2, "a": None}))[1:-1] == [
        "a = undefined",
        "B = 2",
        "c = 1",
    ]


# --- HTCondor's reader ----------------------------------------------------------------------------

TEXT = st.text() | st.text(alphabet='.\n\r\t\0\x0b\x85\u2028\udc80" ', max_size=12)
CODE = st.integers(-3, 1100)
SIZE = st.integers(0, 10**13)
STATUS = st.integers(0, 255).map(lambda code: code << 8) | st.integers(1, 64)
CELL = st.none() | st.integers(0, 10**9) | st.floats(0, 10**7)
ROW = st.builds(Resource, CELL, CELL, CELL)
SECONDS = st.none() | st.integers(0, 10**9)
USAGES = st.none() | st.builds(Usage, ROW, ROW, ROW, ROW, SECONDS, SECONDS)
CPU = st.builds(Cpu, st.floats(0, 10**8), st.floats(0, 10**8))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e300, 1e300) | TEXT,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.just("x"), some),
)
NAMES = st.from_regex("[a-z][A-Za-z_]{9}", fullmatch=True)
PROPERTIES = st.dictionaries(NAMES, VALUES)
ATTRIBUTES = st.dictionaries(NAMES, VALUES, min_size=1)

EVENTS = st.one_of(
    st.builds(Submitted, st.just(HOST)),
    st.builds(Executing, st.just(HOST), st.just(SLOT), PROPERTIES),
    st.builds(Evicted, CODE, CODE, TEXT, SIZE, SIZE, USAGES, st.none() | STATUS, CPU),
    st.builds(Terminated, STATUS, SIZE, SIZE, SIZE, SIZE, USAGES, CPU, CPU),
    st.builds(ImageSize, SIZE, SIZE, SIZE),
    st.builds(Generic, TEXT),
    st.builds(Aborted, TEXT),
    st.builds(Held, TEXT, CODE, CODE),
    st.builds(Released, TEXT),
    st.builds(StarterError, st.just(SLOT), TEXT, CODE, CODE),
    st.builds(Disconnected, TEXT, st.just(SLOT), st.just(HOST)),
    st.builds(Reconnected, st.just(SLOT), st.just(HOST), st.just(HOST)),
    st.builds(ReconnectFailed, TEXT, st.just(SLOT)),
    st.builds(AdInformation, ATTRIBUTES),
    st.builds(TransferEvent, st.sampled_from(Transfer), st.none() | st.just(HOST), SECONDS),
)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "job.log"


def read_by_htcondor(log, *events, **how):
    htcondor2 = pytest.importorskip("htcondor2")
    texts = [joblog.text(event, 7, proc, AT, **how) for proc, event in enumerate(events)]
    log.write_bytes("".join(texts).encode())
    return list(htcondor2.JobEventLog(str(log)).events(stop_after=0))


@given(st.lists(EVENTS, min_size=1, max_size=6), st.booleans())
def test_whatever_it_holds_an_event_stays_one_event(log, events, milliseconds):
    theirs = read_by_htcondor(log, *events, milliseconds=milliseconds)
    ours = list(eventlog.read(log))
    assert [int(event.type) for event in theirs] == [
        joblog._NUMBERS[type(event)] for event in events
    ]
    assert [event.proc for event in theirs] == [event.proc for event in ours]
    assert [event.proc for event in ours] == list(range(len(events)))
    lines = log.read_text(encoding="utf-8")
    assert lines.splitlines() == lines[:-1].split("\n")
    assert lines.splitlines().count("...") == len(events)


def printable(text):
    return [character for character in text if character.isprintable() and character != " "]


def test_three_dots_of_the_job_end_no_event(log):
    told, after = read_by_htcondor(log, Generic("..."), Released("ok"))
    assert (told["Info"], after["Reason"]) == (" ...", "ok")


@given(TEXT, CODE, CODE)
def test_htcondor_reads_the_reason(log, reason, code, subcode):
    (held,) = read_by_htcondor(log, Held(reason, code, subcode))
    assert (held["HoldReasonCode"], held["HoldReasonSubCode"]) == (code, subcode)
    assert printable(held.get("HoldReason", "")) == printable(reason.replace("\n", "|"))


def test_htcondor_reads_the_numbers(log):
    vacated = Evicted(1022, 0, "Job vacated by schedd", 83, 485, USAGE)
    requeued = Evicted(0, 0, "no", 1, 2, None, 77 << 8)
    done = Terminated(3 << 8, 307, 485, 614, 970, USAGE)
    out, again, end, size = read_by_htcondor(log, vacated, requeued, done, ImageSize(5, 6, 7))
    assert (out["ReasonCode"], out["Reason"]) == (1022, "Job vacated by schedd")
    assert (out["SentBytes"], out["ReceivedBytes"], out["Checkpointed"]) == (83, 485, False)
    assert (again["TerminatedAndRequeued"], again["ReturnValue"]) == (True, 77)
    assert (end["TerminatedNormally"], end["ReturnValue"]) == (True, 3)
    assert (end["SentBytes"], end["TotalSentBytes"], end["TotalReceivedBytes"]) == (307, 614, 970)
    assert (end["CpusUsage"], end["Cpus"], end["RequestMemory"]) == (0.25, 1, 64)
    assert (end["DiskUsage"], end["MemoryUsage"], end["TimeSlotBusyUsage"]) == (17, 10, 3)
    assert (size["Size"], size["MemoryUsage"], size["ResidentSetSize"]) == (5, 6, 7)


def test_htcondor_reads_the_milliseconds(log):
    (event,) = read_by_htcondor(log, Generic("x"), milliseconds=True)
    assert event["EventTime"] == "2026-11-22T15:27:26.987"
    assert event.timestamp == AT // 10**9


@given(ATTRIBUTES)
def test_htcondor_reads_the_attributes(log, attributes):
    names = {name.lower() for name in attributes}
    (event,) = read_by_htcondor(log, AdInformation(attributes))
    assert names <= {name.lower() for name in event}


def test_a_backslash_swallows_no_quotation_mark(log):
    (event,) = read_by_htcondor(log, AdInformation({"a": ["\\"], "b": 'x\\"y'}))
    assert (event["a"], event["b"]) == (["\\ "], 'x\\ "y')


def test_htcondor_reads_the_values(log):
    classad2 = pytest.importorskip("classad2")
    held = {"a": 'say "hi"', "b": r"C:\x", "c": 0.1, "d": 2.0, "e": [1, "x"], "f": {"y": True}}
    also = {"g": None, "h": classad2.Value.Undefined, "i": classad2.ExprTree("a + 1"), "j": 1e20}
    (event,) = read_by_htcondor(log, AdInformation(held | also))
    assert {name: event[name] for name in "abcde"} == {name: held[name] for name in "abcde"}
    assert dict(event["f"]) == {"y": True}
    # `is`: the number 2 equals Value.Undefined.
    assert event["g"] is event["h"] is classad2.Value.Undefined
    assert (str(event["i"]), event["j"]) == ("a + 1", 1e20)
