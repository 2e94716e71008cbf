"""What several job event logs tell, and what of them was left out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ckptsim.errors import DataError
from ckptsim.htcondor.eventlog import Damage, Event
from ckptsim.htcondor.eventlog_sets import Log, gather, read_all
from ckptsim.htcondor.leases import follow_events
from ckptsim.htcondor.stays import History


class Histories(NamedTuple):
    """The history of each log, and what was left out, in words."""

    histories: tuple[History, ...]
    left_out: tuple[str, ...]


def follow_all(paths: Sequence[Path]) -> Histories:
    """Follow the jobs of logs from slot to slot; a rotated log is one, a copy of a log is none.

    Raises:
        DataError: no file can be read as a log.

    """
    gathered = gather(paths)
    histories, refused = list[History](), list(gathered.refused)
    for log in gathered.logs:
        try:
            histories.append(follow_events(str(log[-1]), named(log)))
        except DataError as error:
            refused.append(error)
    if refused and not histories:
        raise refused[0]
    copies = (
        f"{told(copy)}: all of its events are in {told(kept)} too"
        for copy, kept in gathered.repeated
    )
    return Histories(tuple(histories), (*(f"{error}; left out" for error in refused), *copies))


def named(log: Log) -> Iterator[Event | Damage]:
    """The items of a log; of one in several files, damage says in which."""
    for path, item in read_all(log):
        if isinstance(item, Damage) and len(log) > 1:
            yield replace(item, reason=f"{item.reason}, in {path.name}")
        else:
            yield item


def told(log: Log) -> str:
    return ", ".join(map(str, log))
