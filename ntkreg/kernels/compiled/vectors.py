"""Whole vectors of lanes as values in compiled loops.

LLVM turns a loop over flat numbers into vectors by itself. Where a pixel's lanes are the inner one
of two loops, it may unroll them and then gather and scatter along the outer loop instead, five
times slower, for no reason that the source shows.
There the loops say vectors themselves, and where sums are carried from pixel to pixel:

    store(out, to, load(out, to) + spread(x[p]) * load(z, at))

`root_above`, `larger`, `absolute` and `with_sign` take numbers too: a dual is written once.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

from ntkreg.kernels.compiled.flags import FASTMATH
from ntkreg.kernels.compiled.lanes import n_lanes_of

__all__ = ["absolute", "larger", "load", "root_above", "spread", "spread_all", "store", "with_sign"]


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
        return _in_every_lane(context, builder, signature.return_type, arguments[0])

    return _Vector(number)(number), generate


def _in_every_lane(context: Any, builder: Any, vector: Any, number: Any) -> Any:
    kind = context.get_value_type(vector)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), *_first(number))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), None)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), everywhere)


def _spread_all(typing_context: Any, numbers: Any) -> Any:
    """Return `spread` of every number of a tuple."""
    kinds = [_Vector(number) for number in numbers.types]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = cgutils.unpack_tuple(builder, arguments[0])
        vectors = [_in_every_lane(context, builder, *of) for of in zip(kinds, values, strict=True)]
        return context.make_tuple(builder, signature.return_type, vectors)

    return types.BaseTuple.from_types(kinds)(numbers), generate


def _first(value: Any) -> tuple[Any, Any]:
    return value, ir.Constant(ir.IntType(32), 0)


load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
spread: Any = intrinsic(_spread)
spread_all: Any = intrinsic(_spread_all)


def _arithmetic(operation: str) -> Any:
    def typed(typing_context: Any, one: Any, other: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, operation)(*arguments, flags=tuple(sorted(FASTMATH)))

        return one(one, other), generate

    return intrinsic(typed)


_add, _subtract, _multiply = (_arithmetic(name) for name in ("fadd", "fsub", "fmul"))


@overload(operator.add)
def _sum(one, other):
    if isinstance(one, _Vector) and one == other:
        return lambda one, other: _add(one, other)
    return None


@overload(operator.sub)
def _difference(one, other):
    if isinstance(one, _Vector) and one == other:
        return lambda one, other: _subtract(one, other)
    return None


@overload(operator.mul)
def _product(one, other):
    if isinstance(one, _Vector) and one == other:
        return lambda one, other: _multiply(one, other)
    return None


def _called(name: str, signature: Any, context: Any, builder: Any, arguments: Any) -> Any:
    """A call of a function of LLVM's own that takes vectors and gives one."""
    vector = arguments[0].type
    kind = ir.FunctionType(vector, [vector] * len(arguments))
    name = f"llvm.{name}.v{vector.count}f{signature.return_type.dtype.bitwidth}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _unary(name: str) -> Any:
    def typed(typing_context: Any, one: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _called(name, signature, context, builder, arguments)

        return one(one), generate

    return intrinsic(typed)


def _binary(name: str) -> Any:
    def typed(typing_context: Any, one: Any, other: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _called(name, signature, context, builder, arguments)

        return one(one, other), generate

    return intrinsic(typed)


def _if_larger(typing_context: Any, one: Any, other: Any, then: Any, otherwise: Any) -> Any:
    """`then` where one > other, else `otherwise`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, second, yes, no = arguments
        return builder.select(builder.fcmp_ordered(">", first, second), yes, no)

    return then(one, other, then, otherwise), generate


_sqrt, _fabs, _copysign = _unary("sqrt"), _unary("fabs"), _binary("copysign")
_select: Any = intrinsic(_if_larger)


def root_above(u: Any, limit: Any, zero: Any) -> Any:
    """Inside compiled loops: the square root of u, a number or a vector; 0 up to `limit`."""
    raise NotImplementedError("root_above: for compiled loops only.")


@overload(root_above)
def _root_above(u, limit, zero):
    if isinstance(u, _Vector):
        return lambda u, limit, zero: _select(u, limit, _sqrt(u), zero)
    return lambda u, limit, zero: np.sqrt(u) if u > limit else zero


def larger(one: Any, other: Any) -> Any:
    """Inside compiled loops: the larger of two numbers or, lane by lane, of two vectors."""
    raise NotImplementedError("larger: for compiled loops only.")


@overload(larger)
def _larger(one, other):
    if isinstance(one, _Vector):
        return lambda one, other: _select(one, other, one, other)
    return lambda one, other: max(one, other)


def absolute(one: Any) -> Any:
    """Inside compiled loops: the size of a number or of every lane."""
    raise NotImplementedError("absolute: for compiled loops only.")


@overload(absolute)
def _absolute(one):
    if isinstance(one, _Vector):
        return lambda one: _fabs(one)
    return lambda one: abs(one)


def with_sign(one: Any, sign: Any) -> Any:
    """Inside compiled loops: a number or vector with the sign of another."""
    raise NotImplementedError("with_sign: for compiled loops only.")


@overload(with_sign)
def _with_sign(one, sign):
    if isinstance(one, _Vector):
        return lambda one, sign: _copysign(one, sign)
    return lambda one, sign: np.copysign(one, sign)
