"""Times to the millisecond, in logs that have them beside their events (event 028; I53)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ckptsim.htcondor.eventlog import Event
from ckptsim.units import SECOND

_TRIGGER = re.compile(r"TriggerEventTypeNumber = (\d+)")
_FRACTION = re.compile(r'EventTime = "[-\dT:]+\.(\d{1,9})"')


def exactly_timed(events: Iterable[Event]) -> Iterator[Event]:
    """Give each event the milliseconds of its 028, if any (job_ad_information_attrs; I53)."""
    held: Event | None = None
    for event in events:
        if held is not None:
            yield _retimed(held, event) if event.number == 28 else held
        held = event
    if held is not None:
        yield held


def _retimed(event: Event, information: Event) -> Event:
    told = "\n".join(information.body)
    trigger, fraction = _TRIGGER.search(told), _FRACTION.search(told)
    if information.job != event.job or trigger is None or int(trigger[1]) != event.number:
        return event
    if fraction is None or event.time_ns % SECOND:
        return event
    return replace(event, time_ns=event.time_ns + int(fraction[1].ljust(9, "0")))
