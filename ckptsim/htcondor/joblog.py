"""Writing HTCondor's job event log, byte for byte as HTCondor 25.14 does.

Each event is a value; `text` makes it the lines to append to the log. Layouts: htcondor-rules.md,
section 8, and HTCondor `src/condor_utils/condor_event.cpp`.

Whatever a reason or a name holds, an event stays one event: a line break in it becomes `|`, as in
HTCondor, and every other character that some reader takes for the end of a line or of a string, or
that UTF-8 cannot hold, is made harmless.
"""

import enum
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

_NO_REASON = "Reason unspecified"  # HTCondor's words; its readers cannot do without a reason
_DOTS = "..."
# All that ends a line for `str.splitlines`, or a string in C; and halves of a character.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")

# In the old ClassAd syntax a backslash is itself, but one before a quotation mark takes away its
# meaning, and nothing takes that away: such a backslash is parted from the mark.
_SWALLOWED = re.compile(r'(?<=\\)(?="|\Z)')


class Transfer(enum.IntEnum):
    """The kinds of event 040, by HTCondor's numbers."""

    INPUT_QUEUED = 1
    INPUT_STARTED = 2
    INPUT_FINISHED = 3
    OUTPUT_QUEUED = 4
    OUTPUT_STARTED = 5
    OUTPUT_FINISHED = 6


_TRANSFERS = {
    Transfer.INPUT_QUEUED: "Entered queue to transfer input files",
    Transfer.INPUT_STARTED: "Started transferring input files",
    Transfer.INPUT_FINISHED: "Finished transferring input files",
    Transfer.OUTPUT_QUEUED: "Entered queue to transfer output files",
    Transfer.OUTPUT_STARTED: "Started transferring output files",
    Transfer.OUTPUT_FINISHED: "Finished transferring output files",
}


class Cpu(NamedTuple):
    """Processor time in seconds; printed in whole ones."""

    user_s: float = 0
    system_s: float = 0


class Resource(NamedTuple):
    """One row of the usage table; None leaves the cell empty."""

    used: float | None = None
    requested: float | None = None
    allocated: float | None = None


class Usage(NamedTuple):
    """The usage table: disk in KiB, memory in MiB.

    `execute_s` is the last execution's length, `busy_s` the slot's time, in whole seconds; None
    leaves the row out (htcondor-observed.md F35, I51).
    """

    cpus: Resource
    disk_kb: Resource
    memory_mb: Resource
    gpus: Resource = Resource(allocated=0)
    execute_s: int | None = None
    busy_s: int | None = None


class Event(Protocol):
    """What can be written: the lines of an event, the first one without its header."""

    def lines(self) -> Iterator[str]:
        """Yield the lines without their ends."""


class Submitted(NamedTuple):
    """000; host as HTCondor writes addresses: `<127.0.0.1:9618>`."""

    host: str

    def lines(self) -> Iterator[str]:
        yield f"Job submitted from host: {self.host}"


class Executing(NamedTuple):
    """001; `properties` of the slot by attribute name, written in the order of the names."""

    host: str
    slot: str
    properties: Mapping[str, object]

    def lines(self) -> Iterator[str]:
        yield f"Job executing on host: {self.host}"
        yield f"\tSlotName: {self.slot}"
        yield from (f"\t{line}" for line in attributes(self.properties))


class Evicted(NamedTuple):
    """004; code 0 leaves the codes out.

    `sent` and `received` are bytes of this stay on a slot. `requeued` is the raw wait status of a
    job that ended, but was put back into the queue by its own policy (htcondor-observed.md H45).
    """

    code: int
    subcode: int
    reason: str
    sent: int
    received: int
    usage: Usage | None = None
    requeued: int | None = None
    cpu: Cpu = Cpu()

    def lines(self) -> Iterator[str]:
        ended = self.requeued is not None
        codes = f" Code {self.code} Subcode {self.subcode}" if self.code else ""
        yield f"Job was evicted.{codes}"
        yield "\t(0) Job terminated and was requeued" if ended else "\t(0) CPU times"
        yield from _times("Run", self.cpu)
        yield from _bytes("Run", self.sent, self.received)
        if self.requeued is not None:
            yield from _ending(self.requeued)
        if self.reason:
            yield f"\t{self.reason}" if ended else f"\tReason: {self.reason}"
        yield from _table(self.usage)


class Terminated(NamedTuple):
    """005; `status` is the raw wait status, the numbers without `total` are of the last slot."""

    status: int
    sent: int
    received: int
    total_sent: int
    total_received: int
    usage: Usage | None = None
    cpu: Cpu = Cpu()
    total_cpu: Cpu = Cpu()

    def lines(self) -> Iterator[str]:
        yield "Job terminated."
        yield from _ending(self.status)
        yield from _times("Run", self.cpu)
        yield from _times("Total", self.total_cpu)
        yield from _bytes("Run", self.sent, self.received)
        yield from _bytes("Total", self.total_sent, self.total_received)
        yield from _table(self.usage)


class ImageSize(NamedTuple):
    """006; in KiB, MiB and KiB."""

    size_kb: int
    memory_mb: int
    resident_kb: int

    def lines(self) -> Iterator[str]:
        yield f"Image size of job updated: {self.size_kb}"
        yield f"\t{self.memory_mb}  -  MemoryUsage of job (MB)"
        yield f"\t{self.resident_kb}  -  ResidentSetSize of job (KB)"


class Generic(NamedTuple):
    """008: a line of the job's own, by chirp's ulog."""

    text: str

    def lines(self) -> Iterator[str]:
        # Dots right after the header would end the event for HTCondor's reader.
        yield f" {_DOTS}" if self.text == _DOTS else self.text


class Aborted(NamedTuple):
    """009: removed from the queue."""

    reason: str

    def lines(self) -> Iterator[str]:
        yield "Job was aborted."
        yield from _indented(self.reason)


class Held(NamedTuple):
    """012."""

    reason: str
    code: int
    subcode: int

    def lines(self) -> Iterator[str]:
        yield "Job was held."
        yield f"\t{self.reason or _NO_REASON}"
        yield f"\tCode {self.code} Subcode {self.subcode}"


class Released(NamedTuple):
    """013."""

    reason: str

    def lines(self) -> Iterator[str]:
        yield "Job was released."
        yield from _indented(self.reason)


class StarterError(NamedTuple):
    """021; code 0 leaves the codes out."""

    machine: str
    text: str
    code: int
    subcode: int

    def lines(self) -> Iterator[str]:
        yield f"Error from starter on {self.machine}:"
        yield from _indented(self.text)
        if self.code:
            yield f"\tCode {self.code} Subcode {self.subcode}"


class Disconnected(NamedTuple):
    """022; the slot's name holds no space."""

    reason: str
    slot: str
    host: str

    def lines(self) -> Iterator[str]:
        yield "Job disconnected, attempting to reconnect"
        yield f"    {self.reason or _NO_REASON}"
        yield f"    Trying to reconnect to {self.slot} {self.host}"


class Reconnected(NamedTuple):
    """023; `startd` and `starter` are addresses."""

    slot: str
    startd: str
    starter: str

    def lines(self) -> Iterator[str]:
        yield f"Job reconnected to {self.slot}"
        yield f"    startd address: {self.startd}"
        yield f"    starter address: {self.starter}"


class ReconnectFailed(NamedTuple):
    """024; the slot's name holds no comma."""

    reason: str
    slot: str

    def lines(self) -> Iterator[str]:
        yield "Job reconnection failed"
        yield f"    {self.reason or _NO_REASON}"
        yield f"    Can not reconnect to {self.slot}, rescheduling job"


class AdInformation(NamedTuple):
    """028; attributes by name, at least one, written in the order of the names.

    HTCondor's own hold the event that it follows too (htcondor-observed.md I53).
    """

    attributes: Mapping[str, object]

    def lines(self) -> Iterator[str]:
        yield "Job ad information event triggered."
        yield from attributes(self.attributes)


class TransferEvent(NamedTuple):
    """040; `host` where the files come from, `queued_s` whole seconds waited in the queue."""

    kind: Transfer
    host: str | None = None
    queued_s: int | None = None

    def lines(self) -> Iterator[str]:
        yield _TRANSFERS[self.kind]
        if self.queued_s is not None:
            yield f"\tSeconds spent in queue: {self.queued_s}"
        if self.host is not None:
            yield f"\tTransferring to host: {self.host}"


_NUMBERS: dict[type[Event], int] = {
    Submitted: 0,
    Executing: 1,
    Evicted: 4,
    Terminated: 5,
    ImageSize: 6,
    Generic: 8,
    Aborted: 9,
    Held: 12,
    Released: 13,
    StarterError: 21,
    Disconnected: 22,
    Reconnected: 23,
    ReconnectFailed: 24,
    AdInformation: 28,
    TransferEvent: 40,
}


def text(event: Event, cluster: int, proc: int, at_ns: int, *, milliseconds: bool = False) -> str:
    """The event as the log holds it, down to the line of three dots.

    `at_ns` is in nanoseconds since 1970-01-01 UTC, written as local time without a zone. The text
    can be encoded as UTF-8 and holds no line break but those of the log's own lines.
    """
    header = (
        f"{_NUMBERS[type(event)]:03} ({cluster:03}.{proc:03}.000) {_stamp(at_ns, milliseconds)}"
    )
    lines = "\n".join(map(_one_line, event.lines()))
    return f"{header} {lines}\n{_DOTS}\n"


def _stamp(at_ns: int, milliseconds: bool) -> str:
    seconds, rest = divmod(at_ns, 10**9)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    return f"{stamp}.{rest // 10**6:03}" if milliseconds else stamp


def _one_line(line: str) -> str:
    return _HARMFUL.sub(" ", line.replace("\n", "|"))


def _indented(text: str) -> Iterator[str]:
    if text:
        yield f"\t{text}"


def _ending(status: int) -> Iterator[str]:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        yield f"\t(1) Normal termination (return value {code})"
    else:
        yield f"\t(0) Abnormal termination (signal {-code})"
        yield "\t(0) No core file"


def _times(which: str, cpu: Cpu) -> Iterator[str]:
    """Of the job, and of what serves it on the access point: nothing is counted for that."""
    for where, times in (("Remote", cpu), ("Local", Cpu())):
        user, system = map(_days, times)
        yield f"\t\tUsr {user}, Sys {system}  -  {which} {where} Usage"


def _days(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{day} {hour:02}:{minute:02}:{second:02}"


def _bytes(which: str, sent: int, received: int) -> Iterator[str]:
    yield f"\t{sent}  -  {which} Bytes Sent By Job"
    yield f"\t{received}  -  {which} Bytes Received By Job"


# --- the usage table ------------------------------------------------------------------------------


def _table(usage: Usage | None) -> Iterator[str]:
    if usage is None:
        return
    labels, rows = zip(*_rows(usage), strict=True)
    used, requested, allocated = zip(*rows, strict=True)
    yield from map(
        "\t{} : {} {} {} ".format,
        ["Partitionable Resources", *(f"   {label:<20}" for label in labels)],
        column("Usage", used, 8),
        column("Request", requested, 8),
        column("Allocated", allocated, 9),
    )


def _rows(usage: Usage) -> Iterator[tuple[str, Resource]]:
    yield "Cpus", usage.cpus
    yield "Disk (KB)", usage.disk_kb
    yield "GPUs", usage.gpus
    yield "Memory (MB)", usage.memory_mb
    if usage.execute_s is not None:
        yield "TimeExecute (s)", Resource(usage.execute_s)
    if usage.busy_s is not None:
        yield "TimeSlotBusy (s)", Resource(usage.busy_s)


def column(heading: str, values: Iterable[float | None], width: int) -> list[str]:
    """Right-justified; where one value has a fraction, the units of all stand in line."""
    cells = ["" if value is None else _number(value) for value in values]
    if any("." in cell for cell in cells):
        cells = [f"{cell}   " if cell.isdigit() else cell for cell in cells]
    width = max(width, *map(len, cells))
    return [cell.rjust(width) for cell in (heading, *cells)]


def _number(value: float) -> str:
    return f"{value:.2f}" if value % 1 else f"{value:.0f}"


# --- attributes -----------------------------------------------------------------------------------


def attributes(ad: Mapping[str, object]) -> Iterator[str]:
    """Yield `Name = value` lines in the order of the names."""
    for name in sorted(ad, key=str.lower):
        yield f"{name} = {classad(ad[name])}"


def classad(value: object) -> str:
    """The value as the old ClassAd syntax has it; what is no value is taken as an expression."""
    match value:
        case None:
            return "undefined"
        case enum.Enum():  # classad2's Value.Undefined and Value.Error
            return value.name.lower()
        case bool():
            return str(value).lower()
        case float():
            return _real(value)
        case str():
            return '"' + _SWALLOWED.sub(" ", value).replace('"', r"\"") + '"'
        case Mapping():
            return f"[ {'; '.join(f'{name} = {classad(of)}' for name, of in value.items())} ]"
        case list():
            return f"{{ {','.join(map(classad, value))} }}"
    return str(value)


def _real(value: float) -> str:
    """Sixteen digits, and always to be told from an integer."""
    digits = f"{value:.16G}"
    return f"{digits}.0" if digits.lstrip("-").isdigit() else digits
