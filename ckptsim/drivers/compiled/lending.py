"""A named tuple of arrays handed on by its address.

Compiled code passes a tuple on by its fields, and an array by seven of its own; for the state of a
pool that is hundreds of them at every call, which take longer to compile than all the rules, and
longer to pass on than a rule takes. A tuple that is lent is one address, read from where it lies in
the frame of the function that lends it, and must not outlive that. Its fields are read as those of
the tuple itself, so that functions need not know.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from llvmlite.ir import Constant, IntType  # type: ignore[import-untyped]
from numba import extending, types
from numba.core.typing.templates import AttributeTemplate

from ckptsim.drivers.compiled.jit import config

Value = TypeVar("Value", bound=tuple[Any, ...])

numba: Any = extending  # much of it has no types


class Lent(types.Type):
    """A named tuple in the memory of another function."""

    def __init__(self, lender: Any) -> None:
        self.lender = lender
        super().__init__(f"Lent({lender})")


@numba.register_model(Lent)
class Address(numba.models.PrimitiveModel):  # type: ignore[misc]
    """It is kept as the address of the tuple."""

    def __init__(self, manager: Any, lent: Lent) -> None:
        super().__init__(manager, lent, manager.lookup(lent.lender).get_value_type().as_pointer())


@numba.infer_getattr
class Fields(AttributeTemplate):
    """Its fields; tuples among them are lent in their turn."""

    key = Lent

    def generic_resolve(self, lent: Any, name: str) -> Any:  # type: ignore[override]
        fields = lent.lender.fields
        return seen(lent.lender[fields.index(name)]) if name in fields else None


def seen(field: Any) -> Any:
    return Lent(field) if isinstance(field, types.BaseNamedTuple) else field


@numba.lower_getattr_generic(Lent)  # type: ignore[untyped-decorator]
def read(_: Any, builder: Any, lent: Lent, address: Any, name: str) -> Any:
    place = lent.lender.fields.index(name)
    field = builder.gep(address, [Constant(IntType(32), n) for n in (0, place)], inbounds=True)
    nested = isinstance(lent.lender[place], types.BaseNamedTuple)
    return field if nested else builder.load(field)


def laid_down(_typing: Any, value: Any) -> tuple[Any, Any]:
    """A tuple in the frame of the function that calls this."""

    def generate(_: Any, builder: Any, _signature: Any, values: Any) -> Any:
        with builder.goto_entry_block():
            place = builder.alloca(values[0].type)
        builder.store(values[0], place)
        return place

    return Lent(value)(value), generate


def lend_itself(value: Value) -> Value:
    return value


lend: Callable[[Any], Any] = lend_itself if config.DISABLE_JIT else numba.intrinsic(laid_down)
"""The same tuple, lent to the functions that are called with it."""
