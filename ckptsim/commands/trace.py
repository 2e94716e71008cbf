"""The trace of a simulation's first replication, to be drawn or written to a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ckptsim.drivers.virtual import simulate, simulate_leases
from ckptsim.errors import OutputError
from ckptsim.experiment import LEASES_A_REPLICATION
from ckptsim.outcome import Row
from ckptsim.report import as_csv, write_whole
from ckptsim.units import seconds
from ckptsim.world import World

if TYPE_CHECKING:
    import pandas as pd

DRAWN_MOST, WRITTEN_MOST = 200_000, 1_000_000  # events
JOBS_DRAWN_MOST = 100_000  # a pool of more is not run again for a picture


class Trace(NamedTuple):
    """The first events of the first replication, and whether these are all."""

    rows: list[Row]
    whole: bool


UNTRACED = Trace([], whole=True)


class Enough(Exception):  # noqa: N818 (it is no error)
    """As many events as are wanted."""


def traced(world: World, leases: int | None, *, written: bool) -> Trace:
    """The events, run again; by the SimPy driver, which can be stopped after so many."""
    if world.scenario.jobs_count > JOBS_DRAWN_MOST and not written:
        return Trace([], whole=False)
    rows: list[Row] = []
    most = WRITTEN_MOST if written else DRAWN_MOST

    def record(row: Row) -> None:
        if len(rows) == most:
            raise Enough
        rows.append(row)

    try:
        if leases is None:
            simulate(world, 0, record)
        else:
            simulate_leases(world, 0, min(leases, LEASES_A_REPLICATION), record)
    except Enough:
        return Trace(rows, whole=False)
    return Trace(rows, whole=True)


def trace_frame(rows: list[Row]) -> "pd.DataFrame":
    """A trace as a table, times in seconds."""
    import pandas as pd

    return pd.DataFrame(
        {
            "time_s": [seconds(row.time) for row in rows],
            "slot": [row.slot for row in rows],
            "job": [row.job for row in rows],
            "event": [row.event.name.lower() for row in rows],
            "phase": [row.phase.name.lower() for row in rows],
            "saved_s": [seconds(row.saved) for row in rows],
            "unsaved_s": [seconds(row.unsaved) for row in rows],
        }
    )


def trace_writer(path: Path) -> Any:
    """What writes a table to `path`, in the form its name asks for; checked before any work."""
    writers = {".csv": as_csv, ".parquet": parquet_bytes}
    if path.suffix not in writers:
        raise OutputError(
            f"--trace {path}: unknown form {path.suffix!r}; expected .csv or .parquet"
        )
    if path.suffix == ".parquet":
        needs_pyarrow(path)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise OutputError(
            f"--trace {path}: no such folder, or a folder itself; expected a file name"
        )
    return lambda frame: write_whole(path, writers[path.suffix](frame))


def parquet_bytes(frame: "pd.DataFrame") -> bytes:
    content: bytes = frame.to_parquet(index=False)
    return content


def needs_pyarrow(path: Path) -> None:
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise OutputError(
            f"--trace {path}: Parquet needs pyarrow; install ckptsim[parquet], or write .csv"
        )
