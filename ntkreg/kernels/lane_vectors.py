"""Whole vectors of lanes as values in compiled loops.

LLVM turns a loop over flat numbers into vectors by itself. Where a pixel's lanes are the inner one
of two loops, it may unroll them and then gather and scatter along the outer loop instead, five
times slower, for no reason that the source shows. There the loops say vectors themselves:

    store(out, to, load(out, to) + spread(x[p], n) * load(z, at))
"""

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

from ntkreg.kernels.flags import FASTMATH
from ntkreg.kernels.lanes import n_lanes_of

__all__ = ["load", "spread", "store"]


class _Vector(types.Type):
    """As many numbers of a dtype as there are lanes."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"lanes({dtype})")


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        number = manager.lookup(kind.dtype).get_value_type()
        super().__init__(manager, kind, ir.VectorType(number, n_lanes_of(kind.dtype)))


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    """Where array[at] is, as the address of a vector."""
    data = context.make_array(kind)(context, builder, array).data
    vector = context.get_value_type(_Vector(kind.dtype)).as_pointer()
    return builder.bitcast(cgutils.gep(builder, data, at), vector)


def _load(typing_context: Any, array: Any, at: Any) -> Any:
    """Return array[at : at + lanes] of a contiguous array (n,)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = _pointer(context, builder, signature.args[0], *arguments)
        return builder.load(where, align=array.dtype.bitwidth // 8)

    return _Vector(array.dtype)(array, at), generate


def _store(typing_context: Any, array: Any, at: Any, value: Any) -> Any:
    """array[at : at + lanes] = value."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = _pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], where, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, at, value), generate


def _spread(typing_context: Any, number: Any) -> Any:
    """Return the same number in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), *_first(arguments[0]))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), None)
        return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), everywhere)

    return _Vector(number)(number), generate


def _first(value: Any) -> tuple[Any, Any]:
    return value, ir.Constant(ir.IntType(32), 0)


load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
spread: Any = intrinsic(_spread)


def _arithmetic(operation: str) -> Any:
    def typed(typing_context: Any, one: Any, other: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, operation)(*arguments, flags=tuple(sorted(FASTMATH)))

        return one(one, other), generate

    return intrinsic(typed)


_add, _multiply = _arithmetic("fadd"), _arithmetic("fmul")


@overload(operator.add)
def _sum(one, other):
    if isinstance(one, _Vector) and one == other:
        return lambda one, other: _add(one, other)
    return None


@overload(operator.mul)
def _product(one, other):
    if isinstance(one, _Vector) and one == other:
        return lambda one, other: _multiply(one, other)
    return None
