"""Loops called by address: each is compiled alone, once, and only if something asks for it.

numba links a loop that is called by name into its caller's module, and LLVM optimises it there
again: at every level of callers anew, and with all that the caller might ever call. A loop called
by address is a number among its caller's data. It takes one argument, a NamedTuple of arguments,
and returns nothing. Addresses are of one process: they are never kept, on disk or in a pickle.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.registry import cpu_target
from numba.extending import intrinsic

__all__ = [
    "address_of",
    "call",
    "declare",
    "loaded",
    "row_type",
    "size_of",
    "store_at",
    "to_pointer",
]

_declared: set[types.Type] = set()


def row_type(number: types.Type, ndim: int = 1) -> types.Array:
    """Return numba's type of a contiguous array."""
    return types.Array(number, ndim, "C")


def declare(arguments: type, *kinds: types.Type | tuple[Any, ...]) -> types.Type:
    """Return numba's type of a NamedTuple of arguments, from those of its fields.

    `call` refuses all that is not declared: a loop called with arguments of other types than it
    is compiled for would read memory at random.
    """
    kind = types.BaseTuple.from_types([_tuple_type(k) for k in kinds], arguments)
    _declared.add(kind)
    return kind


def _tuple_type(kind: Any) -> types.Type:
    if isinstance(kind, tuple):
        cls = None if type(kind) is tuple else type(kind)
        return types.BaseTuple.from_types([_tuple_type(k) for k in kind], cls)
    return kind


def address_of(loop: Any, arguments: types.Type) -> int:
    """Return the address of a loop compiled for a type of arguments, from disk if it is there."""
    loop.compile((arguments,))
    compiled = loop.overloads[(arguments,)]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def _call(typing_context: Any, address: Any, arguments: Any) -> Any:
    """Call the loop at an address."""
    if arguments not in _declared:
        raise TypingError(f"arguments of a loop called by address are not declared: {arguments}")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args[1:]
        kind = context.call_conv.get_function_type(types.none, kinds)
        loop = builder.inttoptr(values[0], kind.as_pointer())
        context.call_conv.call_function(builder, loop, types.none, kinds, values[1:])
        return context.get_dummy_value()

    return types.none(types.uint64, arguments), generate


def _to_pointer(typing_context: Any, address: Any) -> Any:
    """Return an address as a pointer, of a type that its reader knows."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.inttoptr(values[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.uint64), generate


def _loaded(typing_context: Any, pointer: Any) -> Any:
    """Return the value at a pointer; of a structure, what is not used is not loaded."""
    if not isinstance(pointer, types.CPointer):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        return _load_parts(builder, builder.bitcast(values[0], kind.as_pointer()), kind)

    return pointer.dtype(pointer), generate


def _load_parts(builder: Any, pointer: Any, kind: Any) -> Any:
    if not isinstance(kind, ir.Aggregate):
        return builder.load(pointer)
    value = ir.Constant(kind, ir.Undefined)
    for k in range(len(kind)):
        there = cgutils.gep_inbounds(builder, pointer, 0, k)
        part = _load_parts(builder, there, there.type.pointee)
        value = builder.insert_value(value, part, k)
    return value


def _store_at(typing_context: Any, memory: Any, value: Any) -> Any:
    """Write a value to the beginning of an array of bytes, for `loaded`."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        kind = context.get_value_type(signature.args[1])
        _store_parts(builder, builder.bitcast(data, kind.as_pointer()), values[1])
        return context.get_dummy_value()

    return types.none(memory, value), generate


def _store_parts(builder: Any, pointer: Any, value: Any) -> None:
    if not isinstance(value.type, ir.Aggregate):
        builder.store(value, pointer)
        return
    for k in range(len(value.type)):
        there = cgutils.gep_inbounds(builder, pointer, 0, k)
        _store_parts(builder, there, builder.extract_value(value, k))


call: Any = intrinsic(_call)
to_pointer: Any = intrinsic(_to_pointer)
loaded: Any = intrinsic(_loaded)
store_at: Any = intrinsic(_store_at)


def size_of(kind: types.Type) -> int:
    """Return the bytes that `store_at` writes of a value of a type."""
    context = cpu_target.target_context
    return context.get_abi_sizeof(context.get_value_type(kind))
