"""Job event logs that were damaged in every way: nothing invented, nothing whole lost or hidden."""

import random
import re
import time

import pytest
from test_eventlog import FORMS, LOGS, SHIPPED

from ckptsim.errors import DataError
from ckptsim.htcondor.eventlog import Damage, Event, read

# Of a long log so many lines from anywhere are taken: each cut is another log.
WINDOW = 150
LONG_S = 2  # reading one takes some milliseconds


# --- mutations, of the lines with their ends ------------------------------------------------------


def flip(lines, at, chance):
    line = bytearray(lines[at])
    if line:
        line[chance.randrange(len(line))] ^= 1 << chance.randrange(8)
    lines[at] = bytes(line)


def cut_tail(lines, at, chance):
    lines[at:] = [lines[at][: chance.randrange(len(lines[at]) + 1)]]


def cut_head(lines, at, chance):
    lines[: at + 1] = [lines[at][chance.randrange(len(lines[at]) + 1) :]]


def cut_out(lines, at, chance):
    till = min(len(lines) - 1, at + chance.randrange(12))
    head = lines[at][: chance.randrange(len(lines[at]) + 1)]
    lines[at : till + 1] = [head + lines[till][chance.randrange(len(lines[till]) + 1) :]]


def double(lines, at, chance):
    lines[at:at] = lines[at : at + chance.randrange(1, 12)] * chance.randrange(1, 4)


def swap(lines, at, chance):
    other = chance.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]


def drop(lines, at, _):
    del lines[at]


def nulls(lines, at, chance):
    lines[at] = b"\0" * chance.choice([1, 100, 4096]) + lines[at]


def noise(lines, at, chance):
    lines.insert(at, chance.randbytes(chance.randrange(200)))


def long_line(lines, at, chance):
    lines.insert(at, chance.choice([b"x", b"\t", b"{", b"..."]) * chance.choice([999, 70_000]))


def other_ends(lines, at, chance):
    for number in range(at, min(len(lines), at + chance.randrange(1, 40))):
        lines[number] = lines[number].replace(b"\n", chance.choice([b"\r\n", b"\r", b" \n"]))


def torn(lines, at, chance):
    """Two writers at once."""
    place = chance.randrange(len(lines[at]) + 1)
    mark = chance.choice([b"...\n", b"{\n", b"}\n", b"<c>\n", b"</c>\n", b"[\n", lines[0]])
    lines[at] = lines[at][:place] + mark + lines[at][place:]


MUTATIONS = [flip, cut_tail, cut_head, cut_out, double, swap, drop, nulls, noise, long_line]
MUTATIONS += [other_ends, torn]


def mutated(lines, chance):
    lines = list(lines)
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        if lines:
            chance.choice(MUTATIONS)(lines, chance.randrange(len(lines)), chance)
    return b"".join(lines)


# --- what must hold -------------------------------------------------------------------------------

# An event as HTCondor writes it, in each form.
EVENT = re.compile(
    r"^\d{3} \([^\n]*\n(?:[ \t][^\n]*\n)*\.\.\.$|^<c>\n(?: [^\n]*\n)*</c>$|^\{\n(?: [^\n]*\n)*\}$",
    re.MULTILINE,
)


def text_of(content):
    return re.sub("\r+$", "", content.decode(errors="replace"), flags=re.MULTILINE)


def check(path, content, whole):
    """Each event is in the lines it says, no line is untold, and what is whole is found."""
    path.write_bytes(content)
    lines = text_of(content).split("\n")
    start = time.process_time()
    items = list(items_of(path))
    assert time.process_time() - start < LONG_S
    told = {number for item in items for number in range(item.line, last_line(item, lines) + 1)}
    assert [item.line for item in items] == sorted({item.line for item in items})
    if items:
        filled = {number for number, line in enumerate(lines, 1) if says_something(line)}
        assert filled - told == set()
    found = {item.line for item in items if isinstance(item, Event)}
    assert whole_ones("\n".join(lines), whole) - found == set()


def items_of(path):
    """What is read; nothing where the file is refused, which is told in one line."""
    try:
        yield from read(path)
    except DataError as error:
        if "\n" in str(error):
            raise ValueError("more than a line") from error


def says_something(line):
    around = r"\.\.\.|[\[\],]|<\?xml .*\?>|</?classads>|"
    return not re.fullmatch(around, line.strip())


def last_line(item, lines):
    """Where the item ends, after a look whether an event is what its lines say."""
    if isinstance(item, Damage):
        return item.last_line
    first = lines[item.line - 1]
    if first.startswith(("<c>", "{")):
        return last_line_of_ad(item, lines)
    last = item.line + len(item.body)
    numbers = re.match(r"(\d{3}) \((-?\d+)\.(-?\d+)\.(-?\d+)\) ", first).groups()
    assert tuple(map(int, numbers)) == (item.number, item.cluster, item.proc, item.subproc)
    assert first.endswith(item.text)
    assert lines[item.line : last] == list(item.body)
    assert lines[last].rstrip() == "..."
    return last


def last_line_of_ad(event, lines):
    end = "}" if lines[event.line - 1].startswith("{") else "</c>"
    ends = (
        number
        for number, line in enumerate(lines[event.line - 1 :], event.line)
        if line.rstrip() == end or (number == event.line and line.rstrip().endswith(end))
    )
    last = next(ends)
    text = "\n".join(lines[event.line - 1 : last])
    for name, value in (("EventTypeNumber", event.number), ("Cluster", event.cluster)):
        said = [int(of) for of in re.findall(rf'"{name}"\W+?(?:i>)?(-?\d+)', text)]
        assert value in said or (said, value) == ([], -1)
    return last


def whole_ones(text, whole):
    """The lines at which an event begins that is as it was before the damage."""
    return {
        text.count("\n", 0, match.start()) + 1
        for match in EVENT.finditer(text)
        if match[0] in whole
    }


def windows(path, chance, count):
    """Damaged parts of a log, and the events that they held before."""
    lines = path.read_bytes().splitlines(keepends=True)
    for _ in range(count):
        start = chance.randrange(max(1, len(lines) - WINDOW))
        window = lines[start : start + WINDOW]
        whole = {match[0] for match in EVENT.finditer(text_of(b"".join(window)))}
        yield mutated(window, chance), whole


@pytest.mark.parametrize("path", SHIPPED + FORMS, ids=lambda path: "/".join(path.parts[-2:]))
def test_damaged_logs(path, tmp_path):
    for content, whole in windows(path, random.Random(path.name), 60):
        check(tmp_path / "job.log", content, whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_damaged_logs_at_length(seed, tmp_path):
    chance = random.Random(seed)
    for path in LOGS:
        for content, whole in windows(path, chance, 12_500 // len(LOGS) + 1):
            check(tmp_path / "job.log", content, whole)


def test_these_tests_can_fail(tmp_path):
    whole = "001 (7.000.000) 2026-01-11 12:00:01 Job executing\n\tSlotName: a\n..."
    assert EVENT.findall(f"...\n{whole}\n") == [whole]
    assert whole_ones(f"torn\n{whole}\n", {whole}) == {2}
    for wrong in (
        Event(1, 7, 0, 0, 0, "Job executing", ("\tSlotName: b",), 1),
        Event(1, 8, 0, 0, 0, "Job executing", ("\tSlotName: a",), 1),
        Event(1, 7, 0, 0, 0, "Job executing", (), 1),
    ):
        with pytest.raises(AssertionError):
            last_line(wrong, whole.split("\n"))
    no_time = whole.replace("2026-01-11", "noon")
    with pytest.raises(AssertionError):  # as if a reader had not found the second one
        check(tmp_path / "job.log", f"{whole}\n{no_time}\n".encode(), {whole, no_time})
