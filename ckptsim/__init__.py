"""How often should a long-running job checkpoint, what does that cost, and how sure is that?

From Python: `import ckptsim as cs`, then `cs.plan(limit="6h", evictions="12h", write="4min")`;
docs/python.md has the rest. Nothing is imported before it is used, so that this costs nothing.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ckptsim.api.audits import Audit, audit
    from ckptsim.api.fits import Fit, fit
    from ckptsim.api.plans import Plan, plan
    from ckptsim.api.scenarios import Scenario, load, scenario
    from ckptsim.api.simulations import Simulation, simulate
    from ckptsim.api.sweeps import Sweep, sweep
    from ckptsim.errors import CkptsimError

__all__ = [
    "Audit",
    "CkptsimError",
    "Fit",
    "Plan",
    "Scenario",
    "Simulation",
    "Sweep",
    "audit",
    "fit",
    "load",
    "plan",
    "scenario",
    "simulate",
    "sweep",
]

_PLACES = {
    "ckptsim.api.audits": ("Audit", "audit"),
    "ckptsim.api.fits": ("Fit", "fit"),
    "ckptsim.api.plans": ("Plan", "plan"),
    "ckptsim.api.scenarios": ("Scenario", "load", "scenario"),
    "ckptsim.api.simulations": ("Simulation", "simulate"),
    "ckptsim.api.sweeps": ("Sweep", "sweep"),
    "ckptsim.errors": ("CkptsimError",),
}
_HOMES = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ckptsim' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """A package whose functions keep their names when its modules of the same name are imported.

    Importing ckptsim.plan, a module, would put it in the place of `ckptsim.plan`, the function.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
