"""How every compiled loop of the package is compiled."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
from llvmlite import ir
from numba.core import event, types
from numba.extending import intrinsic

__all__ = [
    "FASTMATH",
    "by_address",
    "checked_while_compiling",
    "compiled",
    "counting_nothing",
    "expanded",
    "inlined",
    "row_of_vectors",
    "wide_vectors",
]

FASTMATH = {"contract", "arcp", "nsz"}
"""LLVM may fuse, reorder and divide by reciprocals. It may *not* assume that NaN and
infinity never occur (nnan, ninf): that would drop the clamps of correlations to [-1, 1]."""


_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "fastmath": FASTMATH,
    "error_model": "numpy",
}
# Says always whether to force inlining: numba would take what is left out from the first caller.
_UNCOUNTED: dict[str, Any] = {**_OPTIONS, "_nrt": False, "no_cfunc_wrapper": True}
_WITHIN: dict[str, Any] = {**_UNCOUNTED, "no_cpython_wrapper": True}  # not for Python to call


def compiled(function: Any) -> Any:
    """Compile on first call, release the GIL, keep the machine code on disk.

    Division by zero gives inf or NaN as in NumPy; indices are not checked, so loops index
    with unsigned integers (a signed index costs a wrap-around test and the vectorisation).
    """
    return _kept(numba.njit(**_OPTIONS)(function))


def counting_nothing(function: Any) -> Any:
    """As `compiled`, for loops that make no arrays, only views of those that they are given.

    References to arrays are not counted: at every call of a loop with many arrays, counting
    them took longer than the loop.
    """
    return _kept(numba.njit(**_UNCOUNTED, forceinline=False)(function))


def by_address(function: Any) -> Any:
    """As `counting_nothing`, for loops that loops call by address (`compiled.addresses`)."""
    return _kept(numba.njit(**_WITHIN, forceinline=False)(function))


def inlined(function: Any) -> Any:
    """As `counting_nothing`, for loops to call: always copied into its callers by LLVM."""
    return _kept(numba.njit(**_WITHIN, forceinline=True)(function))


def expanded(function: Any) -> Any:
    """As `inlined`, but copied before types are known and never compiled alone: the cheapest way.

    Not for functions that begin with `row_of_vectors`: what it says would be said of the caller.
    """
    return numba.njit(**_WITHIN, forceinline=True, inline="always")(function)


def _kept(loop: Any) -> Any:
    """Keep a loop's machine code on disk: in our way, or numba's own if its inside has changed."""
    if not hasattr(loop, "py_func"):  # NUMBA_DISABLE_JIT: it is the Python function still
        return loop
    try:
        from ntkreg.kernels.compiled.machine_code import LoopCache

        cache = LoopCache(loop.py_func)
    except (ImportError, AttributeError):
        cache = None
    if cache is None or not hasattr(loop, "_cache"):
        loop.enable_caching()
    else:
        loop._cache = cache
    return loop


@contextlib.contextmanager
def checked_while_compiling(
    check: Callable[[], None], begins: Callable[[str | None], None] | None = None
) -> Iterator[None]:
    """Call `check` before each of numba's passes in this thread; what it raises ends compiling.

    Python tells the main thread alone of a Ctrl-C; another would go on compiling for ten seconds.
    A pass takes milliseconds, but for LLVM's, which take up to three seconds. What is compiled by
    then is kept. `begins` is called before a loop is compiled, with the folder that will keep it.
    """
    before = _checks.check, _checks.begins
    _checks.check, _checks.begins = check, begins
    try:
        yield
    finally:
        _checks.check, _checks.begins = before


class _Checks(threading.local):
    check: Callable[[], None] | None = None
    begins: Callable[[str | None], None] | None = None


_checks = _Checks()


class _Passes(event.Listener):
    """Hears of every pass of the compiler."""

    def on_start(self, _: Any) -> None:
        if _checks.check is not None:
            _checks.check()

    def on_end(self, _: Any) -> None:
        pass


class _Loops(event.Listener):
    """Hears of every function that is compiled."""

    def on_start(self, compiling: Any) -> None:
        if _checks.begins is not None:
            _checks.begins(compiling.data["dispatcher"]._cache.cache_path)

    def on_end(self, _: Any) -> None:
        pass


event.register("numba:run_pass", _Passes())
event.register("numba:compile", _Loops())


def _hint(builder: Any) -> None:
    # llvmlite's own `add` knows no attributes with values.
    set.add(builder.function.attributes, '"prefer-vector-width"="512"')
    set.add(builder.function.attributes, '"no-builtins"')
    set.add(builder.function.attributes, '"stackrealign"')


def _promise(builder: Any) -> None:
    for argument in builder.function.args:
        if isinstance(argument.type, ir.PointerType):
            argument.add_attribute("noalias")


def _row_of_vectors(typing_context: Any) -> Any:
    """Tell LLVM about the calling function: distinct arrays, and the widest vectors there are.

    That no array argument overlaps one written to: without the promise every short loop over a
    row tests its arrays for overlap first, which costs more than the loop. And for AVX-512 it
    prefers 256 bits, which suits mixed code; a loop of nothing but vector arithmetic gains
    from 512. And no built-ins: LLVM would make calls to memset and memcpy of loops that fill
    and copy, and a call spills the constants of the loops around it. And an aligned stack: a vector
    that is put by across two cache lines stalls a loop, by luck of its callers. To be called
    first in an `inlined` function, or in one that is called by address.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _promise(builder)
        _hint(builder)
        return context.get_dummy_value()

    return types.none(), generate


row_of_vectors: Any = intrinsic(_row_of_vectors)


def _wide_vectors(typing_context: Any) -> Any:
    """As `row_of_vectors`, but without the promise about arrays; never inlined.

    For the functions that hold `inlined` rows, whose own attributes end where they are copied
    to. A loop's constants stay in registers only if the function around it is not too large.
    To be called first in a function.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _hint(builder)
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), generate


wide_vectors: Any = intrinsic(_wide_vectors)
