"""Events of job event logs in the XML and JSON forms, worded as the text form has them.

HTCondor writes an event as an ad, in XML where the submit file says `log_xml = true`, in XML or
JSON where the pool's EVENT_LOG_FORMAT_OPTIONS do. What the text form says of it follows from the ad
(HTCondor `src/condor_utils/condor_event.cpp`, `formatBody` and `toClassAd`). Two things are lost:
the ad of a 004 has no usage table, that of a 028 not the MyType of the event it follows.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, cast
from xml.etree import ElementTree as ET

from ckptsim.htcondor import joblog

Ad = dict[str, Any]

# How the JSON form marks what is an expression and no text.
_EXPRESSION = re.compile(r"/Expr\((.*)\)/", re.DOTALL)


class Expression(NamedTuple):
    """What an attribute holds that is no plain value, in the old ClassAd syntax."""

    text: str

    def __str__(self) -> str:
        return self.text


def of_json(text: str) -> Ad:
    """The ad that a text in braces holds in JSON; raises ValueError."""
    try:
        return cast("Ad", json.loads(text, object_pairs_hook=_ad_of_pairs))
    except json.JSONDecodeError:
        raise ValueError("not well-formed") from None
    except RecursionError:
        raise ValueError("nested too deep") from None


def _ad_of_pairs(pairs: list[tuple[str, Any]]) -> Ad:
    return _ad((name, _of_json(value)) for name, value in pairs)


def _ad(pairs: Iterable[tuple[str, Any]]) -> Ad:
    ad = Ad()
    for name, value in pairs:
        if name in ad:  # two events, and what was between them is lost
            raise ValueError(f"{name!r} twice")
        ad[name] = value
    return ad


def _of_json(value: Any) -> Any:
    match = _EXPRESSION.fullmatch(value) if isinstance(value, str) else None
    return Expression(match[1]) if match else value


def of_xml(text: str) -> Ad:
    """The ad that an element `<c>` holds; raises ValueError."""
    try:
        # No entity can be declared inside an element, so none can blow up.
        return _attributes(ET.fromstring(text))  # noqa: S314
    except (ET.ParseError, KeyError, TypeError):  # the last two: not as classads.dtd has it
        raise ValueError("not well-formed") from None
    except RecursionError:
        raise ValueError("nested too deep") from None


def _attributes(ad: ET.Element) -> Ad:
    return _ad((attribute.attrib["n"], _value(*attribute)) for attribute in ad)


def _value(value: ET.Element) -> Any:
    """The value that an `<a>` holds in its one element (classads.dtd)."""
    text = value.text or ""
    match value.tag:
        case "i":
            return int(text)
        case "r":
            return float(text)
        case "b":
            return value.attrib.get("v") == "t"
        case "c":
            return _attributes(value)
        case "l":
            return [_value(of) for of in value]
        case "e":
            return Expression(text)
        case "un":
            return None
        case "er":
            return Expression("error")
    return text


# --- what it is of --------------------------------------------------------------------------------

TYPES = {
    0: "SubmitEvent",
    1: "ExecuteEvent",
    4: "JobEvictedEvent",
    5: "JobTerminatedEvent",
    6: "JobImageSizeEvent",
    7: "ShadowExceptionEvent",
    8: "GenericEvent",
    9: "JobAbortedEvent",
    10: "JobSuspendedEvent",
    11: "JobUnsuspendedEvent",
    12: "JobHeldEvent",
    13: "JobReleaseEvent",
    16: "PostScriptTerminatedEvent",
    21: "RemoteErrorEvent",
    22: "JobDisconnectedEvent",
    23: "JobReconnectedEvent",
    24: "JobReconnectFailedEvent",
    28: "JobAdInformationEvent",
    40: "FileTransferEvent",
}
# The head of a pool's own log, and a script of a node whose job was never submitted.
_OF_NO_JOB = {8, 16}


class Head(NamedTuple):
    """What the header of the text form says; the stamp as it is written."""

    number: int
    cluster: int
    proc: int
    subproc: int
    stamp: str


def head(ad: Ad) -> Head:
    """What an event is of; raises ValueError where the ad is of none, or of parts of two."""
    number = _integer(ad, "EventTypeNumber")
    absent = -1 if number in _OF_NO_JOB or number not in TYPES else None
    job = [_integer(ad, name, absent) for name in ("Cluster", "Proc", "Subproc")]
    stamp, of = ad.get("EventTime"), ad.get("MyType")
    if not isinstance(stamp, str):
        raise ValueError("without EventTime")  # noqa: TRY004  # a fault of the log, not of the caller
    if of != TYPES.get(number, of):
        raise ValueError(f"of two events: {number} and {of}")
    return Head(number, job[0], job[1], job[2], stamp)


def _integer(ad: Ad, name: str, absent: int | None = None) -> int:
    value = ad.get(name, absent)
    if not isinstance(value, int):
        raise ValueError(f"without {name}")  # noqa: TRY004
    return int(value)


# --- what the text form says ----------------------------------------------------------------------


def words(number: int, ad: Ad) -> tuple[str, tuple[str, ...]]:
    """What follows the header in the text form, and the lines below."""
    lines = _WORDS.get(number, _other)(ad)
    first, *body = (line.replace("\n", "|").replace("\r", "") for line in lines)
    return first, tuple(body)


def _submitted(ad: Ad) -> Iterator[str]:
    yield f"Job submitted from host: {_text(ad, 'SubmitHost')}"
    yield from (f"    {ad[note]}" for note in ("LogNotes", "UserNotes") if note in ad)
    if "Warnings" in ad:
        yield (
            "    WARNING: Committed job submission into the queue with the following warning(s): "
            f"{ad['Warnings']}"
        )


def _executing(ad: Ad) -> Iterator[str]:
    yield f"Job executing on host: {_text(ad, 'ExecuteHost')}"
    if "SlotName" in ad:
        yield f"\tSlotName: {ad['SlotName']}"
    properties = ad.get("ExecuteProps")
    if isinstance(properties, dict):
        yield from (f"\t{line}" for line in joblog.attributes(properties))


def _evicted(ad: Ad) -> Iterator[str]:
    requeued = ad.get("TerminatedAndRequeued") is True
    yield f"Job was evicted.{_codes(ad, 'ReasonCode', 'ReasonSubCode')}"
    if requeued:
        yield "\t(0) Job terminated and was requeued"
    else:
        checkpointed = ad.get("Checkpointed") is True
        yield "\t(1) Job was checkpointed." if checkpointed else "\t(0) CPU times"
    yield from _times(ad, "Run")
    yield from _bytes(ad, "Run", "Sent", "Received")
    if requeued:
        yield from _ending(ad)
    if "Reason" in ad:
        yield f"\t{ad['Reason']}" if requeued else f"\tReason: {ad['Reason']}"


def _terminated(ad: Ad) -> Iterator[str]:
    yield "Job terminated."
    yield from _ending(ad)
    yield from _times(ad, "Run")
    yield from _times(ad, "Total")
    yield from _bytes(ad, "Run", "Sent", "Received")
    yield from _bytes(ad, "Total", "TotalSent", "TotalReceived")
    yield from _usage(ad)


def _image_size(ad: Ad) -> Iterator[str]:
    yield f"Image size of job updated: {_text(ad, 'Size')}"
    for name, unit in (
        ("MemoryUsage", "MB"),
        ("ResidentSetSize", "KB"),
        ("ProportionalSetSize", "KB"),
    ):
        if name in ad:
            yield f"\t{ad[name]}  -  {name} of job ({unit})"


def _shadow_exception(ad: Ad) -> Iterator[str]:
    yield "Shadow exception!"
    yield f"\t{_text(ad, 'Message')}"
    yield from _bytes(ad, "Run", "Sent", "Received")


def _suspended(ad: Ad) -> Iterator[str]:
    yield "Job was suspended."
    yield f"\tNumber of processes actually suspended: {_text(ad, 'NumberOfPIDs')}"


def _held(ad: Ad) -> Iterator[str]:
    code, subcode = _whole(ad, "HoldReasonCode"), _whole(ad, "HoldReasonSubCode")
    return joblog.Held(_text(ad, "HoldReason"), code, subcode).lines()


def _script_terminated(ad: Ad) -> Iterator[str]:
    yield "POST Script terminated."
    yield from _ending(ad, core=False)
    if "DAGNodeName" in ad:
        yield f"    DAG Node: {ad['DAGNodeName']}"


def _remote_error(ad: Ad) -> Iterator[str]:
    what = "Error" if ad.get("CriticalError", True) else "Message"
    yield f"{what} from {_text(ad, 'Daemon')} on {_text(ad, 'ExecuteHost')}:"
    yield from (f"\t{line}" for line in _text(ad, "ErrorMsg").split("\n"))
    if codes := _codes(ad, "HoldReasonCode", "HoldReasonSubCode"):
        yield f"\t{codes.strip()}"


def _disconnected(ad: Ad) -> Iterator[str]:
    reason, slot = _text(ad, "DisconnectReason"), _text(ad, "StartdName")
    return joblog.Disconnected(reason, slot, _text(ad, "StartdAddr")).lines()


def _reconnected(ad: Ad) -> Iterator[str]:
    addresses = _text(ad, "StartdAddr"), _text(ad, "StarterAddr")
    return joblog.Reconnected(_text(ad, "StartdName"), *addresses).lines()


def _reconnect_failed(ad: Ad) -> Iterator[str]:
    return joblog.ReconnectFailed(_text(ad, "Reason"), _text(ad, "StartdName")).lines()


def _transferred(ad: Ad) -> Iterator[str]:
    with suppress(ValueError):
        kind = joblog.Transfer(ad.get("Type", 0))
        return joblog.TransferEvent(kind, ad.get("Host"), ad.get("QueueingDelay")).lines()
    return _other(ad)


def _other(ad: Ad) -> Iterator[str]:
    yield _text(ad, "MyType")
    yield from (f"\t{line}" for line in joblog.attributes(ad))


_WORDS: dict[int, Callable[[Ad], Iterable[str]]] = {
    0: _submitted,
    1: _executing,
    4: _evicted,
    5: _terminated,
    6: _image_size,
    7: _shadow_exception,
    8: lambda ad: [_text(ad, "Info")],
    9: lambda ad: joblog.Aborted(_text(ad, "Reason")).lines(),
    10: _suspended,
    11: lambda _: ["Job was unsuspended."],
    12: _held,
    13: lambda ad: joblog.Released(_text(ad, "Reason")).lines(),
    16: _script_terminated,
    21: _remote_error,
    22: _disconnected,
    23: _reconnected,
    24: _reconnect_failed,
    28: lambda ad: joblog.AdInformation(ad).lines(),
    40: _transferred,
}


# --- their parts ----------------------------------------------------------------------------------


def _text(ad: Ad, name: str) -> str:
    return str(ad.get(name, ""))


def _whole(ad: Ad, name: str) -> int:
    value = ad.get(name, 0)
    return value if isinstance(value, int) else 0


def _codes(ad: Ad, code: str, subcode: str) -> str:
    return f" Code {ad[code]} Subcode {_whole(ad, subcode)}" if _whole(ad, code) else ""


def _ending(ad: Ad, *, core: bool = True) -> Iterator[str]:
    if ad.get("TerminatedNormally") is True:
        yield f"\t(1) Normal termination (return value {_text(ad, 'ReturnValue')})"
        return
    yield f"\t(0) Abnormal termination (signal {_text(ad, 'TerminatedBySignal')})"
    if core:
        yield f"\t(1) Corefile in: {ad['CoreFile']}" if "CoreFile" in ad else "\t(0) No core file"


def _times(ad: Ad, which: str) -> Iterator[str]:
    for where in ("Remote", "Local"):
        yield f"\t\t{_text(ad, f'{which}{where}Usage')}  -  {which} {where} Usage"


def _bytes(ad: Ad, which: str, sent: str, received: str) -> Iterator[str]:
    for name, way in (sent, "Sent"), (received, "Received"):
        value = ad.get(f"{name}Bytes")
        if isinstance(value, int | float):
            yield f"\t{value:.0f}  -  {which} Bytes {way} By Job"


# What a 005 holds beside the usage of resources; and every event.
_OWN = re.compile(
    r"(?:EventTypeNumber|EventTime|MyType|Cluster|Proc|Subproc|Terminated\w+|ReturnValue|CoreFile"
    r"|(?:Total)?(?:Sent|Received)Bytes|(?:Run|Total)(?:Local|Remote)Usage|ToE)"
)
_UNITS = {
    "Memory": " (MB)",
    "Disk": " (KB)",
    "Gpus": " (Average)",
    "GpusMemory": " (MB)",
    "TimeExecute": " (s)",
    "TimeSlotBusy": " (s)",
}
_PARTS = re.compile(r"(Request|Assigned)(?P<of>\w+)|(?P<used>\w+?)(?:AverageUsage|Usage)|\w+")


def _usage(ad: Ad) -> Iterator[str]:
    """The table of what each resource used, asked for, got and had by name."""
    cells = dict[tuple[str, str], Any]()
    for name, value in ad.items():
        if not _OWN.fullmatch(name) and (part := _PARTS.fullmatch(name)):
            column = part[1] or ("Usage" if part["used"] else "Allocated")
            cells[column, part["of"] or part["used"] or name] = value
    resources = sorted({resource for _, resource in cells}, key=str.lower)
    if resources:
        yield from map(
            "\t{} : {} {} {} {}".format,
            ["Partitionable Resources", *_labels(resources)],
            *(
                joblog.column(name, [_figure(cells.get((name, of))) for of in resources], width)
                for name, width in (("Usage", 8), ("Request", 8), ("Allocated", 9))
            ),
            _assigned([cells.get(("Assigned", of)) for of in resources]),
        )


def _labels(resources: list[str]) -> list[str]:
    width = max(12, *map(len, resources)) + 8
    return [f"   {of + _UNITS.get(of, ''):<{width}}" for of in resources]


def _figure(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def _assigned(values: list[Any]) -> list[str]:
    cells = ["" if value is None else joblog.classad(value) for value in values]
    return ["Assigned" if any(cells) else "", *cells]
