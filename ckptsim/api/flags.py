"""The flags of the command line as names of Python arguments: `limit`, `power_failures`, …"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from inspect import Parameter, cleandoc, signature
from numbers import Integral
from typing import Any, TypedDict, TypeVar, get_type_hints

from ckptsim.commands.options import FLAGS as TYPED
from ckptsim.commands.options import descriptions, switched
from ckptsim.errors import ScenarioError, nearest
from ckptsim.lifetimes import Law
from ckptsim.scenario import profiles
from ckptsim.units import spelled

Time = str | timedelta
"""`"1h24min"`, or a timedelta; never a number, which has no unit."""
Given = str | timedelta | Law
"""A law as the command line takes it, or the time that is its constant or its mean."""

F = TypeVar("F", bound=Callable[..., Any])
MICROSECOND = timedelta(microseconds=1)
KEYS = {flag.removeprefix("--").replace("-", "_"): key for flag, key in TYPED.items()}
KEYS["pool"] = "pool"
OTHERS = {
    "pool": f"A pool's rules: {', '.join(profiles())}.",
    "settings": 'Any keys of a scenario, as in {"queue.order": "priority"}.',
}
NAMES = {key: name for name, key in KEYS.items()}


class Flags(TypedDict, total=False):
    """What can be said of a scenario, as on the command line; None is as if it were not said."""

    pool: str | None
    mode: str | None
    work: Time | None
    interval: Time | None
    step: Time | None
    steps: str | Sequence[Time] | None
    limit: Time | None
    evictions: Given | None
    power_failures: Given | None
    contact_lease: Time | None
    grace: Time | None
    retirement: Time | None
    gap: Given | None
    first_gap: bool | None
    write: Given | None
    transfer: Given | None
    size: str | None
    bandwidth: str | None
    link: str | None
    restart: Given | None
    restart_in_place: Given | None
    restart_lease: Given | None
    cold_start: Given | None
    input: Given | None
    claim_worklife: Time | None
    last_checkpoint: bool | None
    leave_early: bool | None
    absence: Given | None
    slots: int | None
    jobs: int | None
    duration: Time | None
    warm_up: Time | None
    seed: int | None
    replications: int | None
    settings: Mapping[str, object] | None


def takes_flags(function: F) -> F:
    """Tell `help`, and a notebook that completes names, of the flags one by one."""
    own, hints = signature(function), get_type_hints(Flags)
    named = [each for each in own.parameters.values() if each.kind is not each.VAR_KEYWORD]
    flags = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=hint)
        for name, hint in hints.items()
    ]
    meanings = {**descriptions(), **OTHERS}
    lines = [f"    {name}: {switched(meanings[KEYS.get(name, name)])}" for name in hints]
    vars(function)["__signature__"] = own.replace(parameters=[*named, *flags])
    function.__doc__ = "\n".join([cleandoc(function.__doc__ or ""), "", "Flags:", *lines])
    return function


def keys_of(flags: Mapping[str, Any], others: Iterable[str] = ()) -> dict[str, object]:
    """The scenario keys that flags give, `settings` on top.

    Raises ScenarioError where one is neither a flag nor meant for one of the `others`, which are
    what a function takes besides.
    """
    known = list(dict.fromkeys([*KEYS, "settings", *others]))
    for name in flags:
        if name not in known:
            raise ScenarioError(
                f"{name}: no such flag{nearest(name, known)}; the flags are {', '.join(known)}"
            )
    said = {KEYS[name]: value for name, value in flags.items() if name != "settings"}
    return {key: typed(value) for key, value in {**said, **(flags.get("settings") or {})}.items()}


def typed(value: object) -> object:
    """A value as it would be typed; what cannot be is left for the scenario's door to refuse."""
    match value:
        case bool():
            return "yes" if value else "no"
        case timedelta() if value >= timedelta(0):
            return spelled(value // MICROSECOND * 1000)
        case Integral():  # NumPy's too
            return int(value)
        case list() | tuple():
            return [typed(each) for each in value]
    return value


def listed(values: Time | Sequence[Time | float]) -> str:
    """One or several as they would be typed."""
    several = [values] if isinstance(values, str | timedelta) else values
    return ",".join(str(typed(each)) for each in several)


def count(flag: str, value: object, least: int) -> int:
    """A number of something that is `least` or more. Raises ScenarioError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise ScenarioError(f"{flag}: found {value!r}; expected a whole number from {least} on")
    return int(value)
