"""From the events of job event logs to leases: how long each lasted and how it ended.

A lease is one stay of a job on a slot, from event 001 to the event that ends it. What the events
mean was seen with HTCondor 25.14 (htcondor-observed.md; its numbers are cited below) and in logs of
older pools. The traps:

* a restart in place after a checkpoint writes no 001: it is still the same lease (A1);
* a slot that is lost without notice is gone when contact breaks (022), not when HTCondor gives up
  (024, then 004 code 1008), a contact lease later (F35);
* a 004 of older pools has no code: it may be the user's own condor_rm or condor_hold, told by the
  009 or 012 that follows within the second;
* limits and policies of the job hold it with a 012 and no 004 (E31-33);
* a shadow that dies writes nothing: just another start (F40);
* checkpoint and final transfers look alike (A1): the last one before the end is the output; and a
  transfer that failed says Finished too, just before the error (G41);
* a job whose end was never written is silent until the log ends, months later: it was not running
  all that time;
* a suspended job (010) is on its slot but does not compute until it goes on (011);
* a slot is taken from the input's transfer on, also by a job that then never starts.

`observed` is for statistics: the slot was taken (eviction) or lost (power failure). Every other end
only tells that the slot would have lasted at least as long: the lease is censored.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ckptsim.htcondor.eventlog import Damage, Event, read
from ckptsim.htcondor.logbook import Logbook
from ckptsim.htcondor.milliseconds import exactly_timed
from ckptsim.htcondor.stays import LEFT_AT_A_CHECKPOINT, End, Gap, History, Lease

__all__ = [
    "LEFT_AT_A_CHECKPOINT",
    "End",
    "Gap",
    "History",
    "Lease",
    "counted",
    "follow",
    "follow_events",
]


def follow(path: Path) -> History:
    """Follow the jobs of a log from slot to slot; raises DataError as `eventlog.read` does."""
    return follow_events(str(path), read(path))


def follow_events(log: str, items: Iterable[Event | Damage]) -> History:
    """Follow the jobs of a log that is read elsewhere; `log` is its name."""
    damage = list[Damage]()
    book = Logbook(log)
    for event in exactly_timed(_undamaged(items, damage)):
        book.enter(event)
    return book.close(tuple(damage))


def counted(number: int, word: str) -> str:
    """`1 lease`, `2,198 leases`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _undamaged(items: Iterable[Event | Damage], damage: list[Damage]) -> Iterator[Event]:
    for item in items:
        if isinstance(item, Damage):
            damage.append(item)
        else:
            yield item
