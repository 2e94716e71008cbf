"""How experiments are run that are asked for from Python: with which engine, how precise."""

from collections.abc import Iterator
from contextlib import contextmanager

from ckptsim.commands.experiment_options import precision_from
from ckptsim.engine import Engine
from ckptsim.errors import ScenarioError, nearest
from ckptsim.precision import Precision
from ckptsim.running import Means, Progress
from ckptsim.terminal import progress


@contextmanager
def experiment(what: str, engine: str | None) -> Iterator[tuple[Means, Progress | None]]:
    """With what an experiment is run, and the function to report its progress to.

    Raises ScenarioError for an unknown engine, and KeyboardInterrupt where Ctrl-C kept some of it
    out: a notebook goes on to the next cell with half an answer otherwise.
    """
    means = Means(engine=engine_of(engine))
    with progress(what, shown=True) as bar:
        yield means, bar
    if not means.complete:
        raise KeyboardInterrupt


def engine_of(name: str | None) -> Engine:
    """The engine of that name; None leaves the choice. Raises ScenarioError."""
    known = [str(engine) for engine in Engine]
    if name is not None and name not in known:
        raise ScenarioError(
            f"--engine {name}: expected one of {', '.join(known)}{nearest(name, known)}"
        )
    return Engine(name or Engine.AUTO)


def precision_of(precision: str | float | None, replications_max: int | None) -> Precision | None:
    """How precise the answer is to be, as on the command line. Raises ScenarioError."""
    return precision_from({"precision": as_typed(precision), "replications_max": replications_max})


def as_typed(share: str | float | None) -> str | None:
    """A share as it would be typed: "1%" or 0.01."""
    return None if share is None else str(share)
