"""Several job event logs at once: globs, rotated logs, and logs given twice.

A log that grew too long was renamed: `log` to `log.old`, or to `log.1` and that to `log.2` and so
on (HTCondor's EVENT_LOG_MAX_ROTATIONS), perhaps with a date and gzipped (logrotate). A lease may
begin in one file and end in the next, so these are to be followed as one log.
"""

import glob
import re
from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ckptsim.errors import DataError
from ckptsim.htcondor.eventlog import Damage, Event, read
from ckptsim.units import SECOND

_ROTATED = re.compile(r"(?:\.old|\.\d{1,3}|-\d{8})?(?:\.gz)?$")
# The events of a pool's daemons come to its log a little out of order.
_OVERLAP_NS = 60 * SECOND
_DAY_S = 86_400
_NEVER = 1 << 63


@dataclass(frozen=True, slots=True)
class Gathered:
    """The logs to follow.

    `sets` holds the files of each, oldest first; most are of one file. `repeated` are files that
    are left out, each with the one that has all of its events.
    """

    sets: tuple[tuple[Path, ...], ...]
    repeated: tuple[tuple[Path, Path], ...]


def gather(names: Sequence[str | Path]) -> Gathered:
    """Find the logs that names and globs stand for; more than one are read through for it.

    Left out is a file given twice, and one all of whose events are in another one in the same
    order: a copy, an older copy, a part of logs joined to one, a job's log beside the pool's. Logs
    that overlap in any other way are not told. Files of one name but for what rotation adds are of
    one log, unless their times overlap: then each is a log of its own. Memory: 8 bytes an event.

    Raises:
        DataError: no file of that name or glob, or one that is no job event log.

    """
    paths = list({path.resolve(): path for name in names for path in _found(str(name))}.values())
    if len(paths) < 2:
        return Gathered(tuple((path,) for path in paths), ())
    surveys = {path: _survey(path) for path in paths}
    repeated = _repeated(surveys)
    kept = {path: survey for path, survey in surveys.items() if path not in repeated}
    return Gathered(tuple(_sets(kept)), tuple(repeated.items()))


def read_all(files: Iterable[Path]) -> Iterator[tuple[Path, Event | Damage]]:
    """Yield what `eventlog.read` does of the files of one log, each with its file."""
    for path in files:
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
    """When a file's earliest and latest event were, and a fingerprint of each event."""

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
    return _Survey(first_ns, latest_ns, prints)


def _shared(event: Event) -> Hashable:
    """What two copies of an event share in all forms.

    Not the year, which may hang on the file's time; not the milliseconds; and not the body, of
    which ads have less.
    """
    job = event.cluster, event.proc, event.subproc
    return event.number, job, event.time_ns // SECOND % _DAY_S, event.text


def _repeated(surveys: Mapping[Path, _Survey]) -> dict[Path, Path]:
    """Each file all of whose events are, in their order, in another one; and that other one."""
    repeated = dict[Path, Path]()
    for path, survey in surveys.items():
        if path not in repeated:
            others = {
                other: of.prints
                for other, of in surveys.items()
                if other != path and other not in repeated and len(of.prints) <= len(survey.prints)
            }
            repeated |= dict.fromkeys(_inside(survey.prints, others), path)
    return repeated


def _inside(prints: "array[int]", others: "Mapping[Path, array[int]]") -> Iterator[Path]:
    awaited = defaultdict[int, list[tuple[Path, int]]](list)  # by the next event to be found
    for other, of in others.items():
        if of:
            awaited[of[0]].append((other, 0))
    for found in prints:
        for other, at in awaited.pop(found, ()):
            if at + 1 == len(others[other]):
                yield other
            else:
                awaited[others[other][at + 1]].append((other, at + 1))


# --- rotated logs ---------------------------------------------------------------------------------


def _sets(surveys: Mapping[Path, _Survey]) -> Iterator[tuple[Path, ...]]:
    logs = defaultdict[Path, list[Path]](list)
    for path in surveys:
        logs[path.with_name(_ROTATED.sub("", path.name) or path.name)].append(path)
    for files in logs.values():
        in_order = sorted(files, key=lambda path: surveys[path][:2])
        if all(_before(surveys[one], surveys[next_]) for one, next_ in pairwise(in_order)):
            yield tuple(in_order)
        else:
            yield from ((path,) for path in files)


def _before(one: _Survey, other: _Survey) -> bool:
    return one.latest_ns - _OVERLAP_NS <= other.first_ns
