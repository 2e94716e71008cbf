"""Several job event logs at once: globs, rotated logs, and logs given twice.

A log that grew too long was renamed: `log` to `log.old`, or to `log.1` and that to `log.2` and so
on (HTCondor's EVENT_LOG_MAX_ROTATIONS), perhaps with a date and gzipped (logrotate). A lease may
begin in one file and end in the next, so these are to be followed as one log.
"""

import glob
import re
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

from ckptsim.errors import DataError
from ckptsim.htcondor.eventlog import Damage, Event, read
from ckptsim.units import SECOND

_ROTATED = re.compile(r"(?:\.old|\.\d{1,3}|-\d{8})?(?:\.gz)?$")
# The events of a pool's daemons come to its log a little out of order.
_OVERLAP_NS = 60 * SECOND
_DAY_S = 86_400
_NEVER = 1 << 63

Log = tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """The logs to follow.

    `logs` holds the files of each, oldest first; most are of one file. `repeated` are the logs left
    out, each with the one that has all of its events; `refused` says which files are no logs.
    """

    logs: tuple[Log, ...]
    repeated: tuple[tuple[Log, Log], ...]
    refused: tuple[DataError, ...] = ()


def gather(names: Sequence[str | Path]) -> Gathered:
    """Find the logs that names and globs stand for; more than one are read through for it.

    Files of one name but for what rotation adds are of one log, unless their times overlap: then
    each is a log of its own. Left out is a log given twice, and one all of whose events are in
    another one too: a copy, an older copy, a part of logs joined to one, a job's log beside the
    pool's. Logs that share some of their events are not told.

    A single file is not looked into. Raises DataError where there is no file of a name or glob.
    """
    paths = list({path.resolve(): path for name in names for path in _found(str(name))}.values())
    if len(paths) < 2:
        return Gathered(tuple((path,) for path in paths), ())
    surveys, refused = dict[Path, _Survey](), list[DataError]()
    for path in paths:
        try:
            surveys[path] = _survey(path)
        except DataError as error:
            refused.append(error)
    logs, repeated = _without_repeated(dict(_joined(surveys)))
    return Gathered(tuple(logs), tuple(repeated.items()), tuple(refused))


def read_all(log: Log) -> Iterator[tuple[Path, Event | Damage]]:
    """Yield what `eventlog.read` does of the files of one log, each with its file."""
    for path in log:
        for item in read(path):
            yield path, item


def _found(name: str) -> list[Path]:
    if Path(name).exists() or not glob.has_magic(name):
        return [Path(name)]
    matching = glob.glob(name, recursive=True)  # noqa: PTH207  # Path's own takes no absolute one
    found = [path for path in map(Path, sorted(matching)) if path.is_file()]
    if not found:
        raise DataError(f"{name}: no file of such a name; expected HTCondor job event logs")
    return found


# --- what is in each file -------------------------------------------------------------------------

_AD_INFORMATION = 28  # says more of the event before it; often in one of two logs only


class _Survey(NamedTuple):
    """When a file's earliest and latest event were, and a fingerprint of each event, sorted."""

    first_ns: int
    latest_ns: int
    prints: "array[int]"


def _survey(path: Path) -> _Survey:
    first_ns, latest_ns, prints = _NEVER, -_NEVER, array("q")
    for item in read(path):
        # The first event of a pool's log is of no job, and written anew when the log is rotated.
        if isinstance(item, Event) and item.cluster >= 0 and item.number != _AD_INFORMATION:
            first_ns, latest_ns = min(first_ns, item.time_ns), max(latest_ns, item.time_ns)
            prints.append(hash(_shared(item)))
    return _Survey(first_ns, latest_ns, array("q", sorted(prints)))


def _shared(event: Event) -> Hashable:
    """What two copies of an event share in all forms.

    Not the year, which may hang on the file's time; not the milliseconds; and not the body, of
    which ads have less.
    """
    job = event.cluster, event.proc, event.subproc
    return event.number, job, event.time_ns // SECOND % _DAY_S, event.text


# --- what belongs together ------------------------------------------------------------------------

_Key = TypeVar("_Key")


def _joined(surveys: Mapping[Path, _Survey]) -> Iterator[tuple[Log, _Survey]]:
    """The logs that the files make."""
    groups = defaultdict[Path, dict[Path, _Survey]](dict)
    for path, survey in surveys.items():
        groups[path.with_name(_ROTATED.sub("", path.name) or path.name)][path] = survey
    for group in groups.values():
        files, copies = _without_repeated(group)
        in_order = sorted(files, key=lambda path: group[path][:2])
        if all(_before(group[one], group[other]) for one, other in pairwise(in_order)):
            prints = array("q", sorted(chain(*(group[path].prints for path in in_order))))
            yield tuple(in_order), group[in_order[0]]._replace(prints=prints)
            yield from (((path,), group[path]) for path in copies)
        else:
            yield from (((path,), survey) for path, survey in group.items())


def _before(one: _Survey, other: _Survey) -> bool:
    return one.latest_ns - _OVERLAP_NS <= other.first_ns


def _without_repeated(surveys: Mapping[_Key, _Survey]) -> tuple[list[_Key], dict[_Key, _Key]]:
    """Those to keep; and those all of whose events are in another one, with that one."""
    repeated = dict[_Key, _Key]()
    for key, survey in surveys.items():
        if key not in repeated:
            for other, of in surveys.items():
                if other != key and other not in repeated and _inside(of.prints, survey.prints):
                    repeated[other] = key
    return [key for key in surveys if key not in repeated], repeated


def _inside(prints: "array[int]", others: "array[int]") -> bool:
    return 0 < len(prints) <= len(others) and all(_has(others, of) for of in prints)


def _has(prints: "array[int]", wanted: int) -> bool:
    at = bisect_left(prints, wanted)
    return at < len(prints) and prints[at] == wanted
