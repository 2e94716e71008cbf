"""How experiments are run that are asked for from Python: with which engine, how precise."""

from ckptsim.commands.experiment_options import precision_from
from ckptsim.engine import Engine
from ckptsim.errors import ScenarioError, nearest
from ckptsim.precision import Precision


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
