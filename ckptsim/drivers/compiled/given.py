"""A world as compiled code takes it: plans with arrays for tuples, laws as codes in one array."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from ckptsim.chance import coded, nanoseconds_of
from ckptsim.draws import Purpose
from ckptsim.drivers.compiled.fetching import LINE
from ckptsim.drivers.compiled.jit import config, inlined
from ckptsim.lifetimes import Constant, Law, Never
from ckptsim.rules import NEVER, Lease, Phase, Plan, Row
from ckptsim.scenario import Slots

Integers = NDArray[np.int64]
Value = TypeVar("Value", bound=tuple[Any, ...])

TABLE_ROOM = 2_048
UNSURE = -1
FATE_PURPOSES = (Purpose.EVICTION, Purpose.POWER_FAILURE, Purpose.ABSENCE)


class Laws(NamedTuple):
    """Many laws' codes (chance.py) in one array, and where each law's begin."""

    codes: Any
    at: Integers


def laws_of(laws: Iterable[Law]) -> Laws:
    codes: list[float] = []
    at = []
    for law in laws:
        at.append(len(codes))
        codes += coded(law)
    return Laws(np.array(codes, np.float64), np.array(at, np.int64))


def fate_laws(slots: Slots) -> tuple[Law, ...]:
    """In the order of FATE_PURPOSES."""
    return slots.evictions, slots.power_failures, slots.absence


def sure_time(law: Law) -> int:
    """The law's only time in nanoseconds, or UNSURE where there is chance in it."""
    if isinstance(law, Never):
        return NEVER
    return nanoseconds_of(law.value) if isinstance(law, Constant) else UNSURE


def plan_records(plans: Sequence[Plan]) -> Any:
    """The plans as records of one type; their tables and boundaries padded to one of two lengths.

    Compiled code hands on a record by its address, a tuple by its fields, and has one type for
    each length: so there is one compilation for plans without tables and steps, and one for all
    others. Rows that never come and boundaries that are never reached change nothing.
    """
    short = all(len(plan.table) <= 1 and not plan.boundaries for plan in plans)
    return records(plan_record(plan, 1 if short else TABLE_ROOM) for plan in plans)


def plan_record(plan: Plan, room: int) -> Any:
    last = plan.table[-1] if plan.table else Row(0, plan.interval, plan.interval)
    rows = [*plan.table[:-1], last._replace(compute_at_end=last.compute)]
    rows += [Row(NEVER, last.compute, last.compute)] * (room - len(rows))
    boundaries = (*plan.boundaries, *[0] * (room - len(plan.boundaries)))
    return record_of(plan._replace(table=tuple(rows), boundaries=boundaries))


def records(found: Iterable[Any]) -> Any:
    """An array of records of one type."""
    every = list(found)
    return np.array(every, every[0].dtype)


def record_of(value: tuple[Any, ...]) -> Any:
    """A named tuple of numbers, and of such tuples, as a record with the same names."""
    return np.array(plain(value), dtype_of(value))[()]


def dtype_of(value: tuple[Any, ...]) -> np.dtype[Any]:
    """The type of such a record; sequences in it are arrays."""
    names: tuple[str, ...] = value._fields  # type: ignore[attr-defined]
    return record_type((name, *kind_of(each)) for name, each in zip(names, value, strict=True))


def record_type(fields: Iterable[tuple[Any, ...]]) -> np.dtype[Any]:
    """A type of records whose fields are attributes, also where nothing is compiled."""
    return np.dtype((np.record, list(fields)))


def kind_of(value: Any) -> tuple[Any, ...]:
    if hasattr(value, "_fields"):
        return (dtype_of(value),)
    if isinstance(value, tuple):
        return (*kind_of(value[0]), (len(value),))
    return (np.float64,) if isinstance(value, float) else (np.int64,)


def plain(value: Any) -> Any:
    """The value as NumPy takes it: records as tuples, arrays as lists."""
    if hasattr(value, "_fields"):
        return tuple(plain(each) for each in value)
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def arrays_of(value: Value) -> Value:
    """A named tuple with arrays for its lists, and so in the named tuples within."""
    return type(value)(*(array_of(each) for each in value))


def array_of(value: Any) -> Any:
    if isinstance(value, list):
        return np.array(value, np.float64 if value and isinstance(value[0], float) else np.int64)
    return arrays_of(value) if isinstance(value, tuple) else value


class Room:
    """A stretch of memory where arrays lie one behind the other, each from a cache line's start.

    It is one, so that it can be made of large pages: with an array here and an array there, looking
    up where their small pages are takes a good part of a large pool's time.
    """

    def __init__(self, size: int) -> None:
        self.bytes = np.zeros(size + LARGE_PAGE, np.uint8)
        self.used = -self.bytes.ctypes.data % LARGE_PAGE

    def take(self, array: NDArray[Any]) -> NDArray[Any]:
        """A copy of the array in it."""
        start, self.used = self.used, self.used + lines_of(array)
        copy = self.bytes[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
        copy[...] = array
        return copy


LARGE_PAGE = 1 << 21


def lines_of(array: NDArray[Any]) -> int:
    """The bytes of the lines that the array takes."""
    return (array.nbytes + LINE - 1) // LINE * LINE


def room_of(state: Any) -> int:
    """The bytes that all arrays in a tuple take, and in the tuples within."""
    if isinstance(state, tuple):
        return sum(map(room_of, state))
    return lines_of(state) if isinstance(state, np.ndarray) else 0


def packed(state: Value, room: Room) -> Value:
    """The same named tuple with its arrays, and those of the tuples within, moved into one room."""
    return type(state)(*(moved(each, room) for each in state))


def moved(value: Any, room: Room) -> Any:
    if isinstance(value, tuple):
        return packed(value, room)
    return room.take(value) if isinstance(value, np.ndarray) else value


@inlined
def set_lease(record: Any, lease: Lease) -> None:
    """Write a lease into a record."""
    record.claimed, record.expires, record.warned = lease.claimed, lease.expires, lease.warned
    record.evicted, record.powered_off = lease.evicted, lease.powered_off
    record.noticed, record.began, record.respite = lease.noticed, lease.began, lease.respite
    record.retiring, record.speed = lease.retiring, lease.speed
    record.first_block = lease.first_block


@inlined
def set_cost(record: Any, place: int, time: int) -> None:
    """Write one of the six costs, by its place in `Costs`, into a record."""
    if place == 0:
        record.input = time
    elif place == 1:
        record.cold_start = time
    elif place == 2:
        record.restart_lease = time
    elif place == 3:
        record.restart_in_place = time
    elif place == 4:
        record.write = time
    else:
        record.transfer = time


def phase_in_numba(_typing: Any, number: Any) -> tuple[Any, Any]:
    member = types.IntEnumMember(Phase, types.int64)
    return member(number), lambda _context, _builder, _signature, numbers: numbers[0]


phase_of = cast(
    "Callable[[int], Phase]", Phase if config.DISABLE_JIT else intrinsic(phase_in_numba)
)
"""The phase with a number.

To Numba a job with one and a job with the other are of two types, and it would compile the rules
twice.
"""
