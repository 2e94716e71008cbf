"""Memory asked for before it is needed.

A pool of 100,000 slots does not fit into a processor's caches, and an event that waits for each of
the lines it needs, one after the other, takes three times as long as in a small pool. Which event
is next is known some time before it comes: time enough to have its lines fetched.
"""

from typing import TYPE_CHECKING, Any, cast

from llvmlite.ir import Constant, FunctionType, IntType, VoidType  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numba.np import arrayobj

from ckptsim.drivers.compiled.jit import config

if TYPE_CHECKING:
    from collections.abc import Callable

LINE = 64
"""Bytes of the processor's cache that come and go together."""

arrays: Any = arrayobj  # it has no types

TO_READ, KEEP_CLOSE, DATA = 0, 3, 1
"""Arguments of LLVM's prefetch."""


def fetching(_typing: Any, array: Any, _place: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        found = arrays.make_array(array)(context, builder, values[0])
        element = builder.gep(found.data, [values[1]])
        size = context.get_abi_sizeof(context.get_data_type(array.dtype))
        for offset in range(0, size, LINE):
            fetch_line(builder, element, offset)
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


def fetch_line(builder: Any, element: Any, offset: int) -> None:
    whole, address = IntType(32), IntType(8).as_pointer()
    prefetch = builder.module.declare_intrinsic(
        "llvm.prefetch", [address], FunctionType(VoidType(), [address, whole, whole, whole])
    )
    line = builder.gep(builder.bitcast(element, address), [Constant(IntType(64), offset)])
    builder.call(prefetch, [line, *(Constant(whole, n) for n in (TO_READ, KEEP_CLOSE, DATA))])


def do_nothing(array: Any, place: int) -> None:
    """What is fetched without Numba's compiler."""


fetch = cast(
    "Callable[[Any, int], None]", do_nothing if config.DISABLE_JIT else intrinsic(fetching)
)
"""Have an element of an array fetched into the cache; past its end, nothing happens."""
