"""One field or several in compiled loops: functions on tuples, unrolled by their length.

With one tangent field they leave the machine code of a loop that knows of one alone.
"""

from typing import Any

import numpy as np
from numba.extending import overload

from ntkreg.kernels.compiled.flags import FASTMATH, inlined, row_of_vectors
from ntkreg.kernels.compiled.vectors import load, spread, spread_all, store
from ntkreg.kernels.image.loops.rows import clear

__all__ = [
    "add_all",
    "clear_all",
    "in_order",
    "load_all",
    "none_of",
    "parts",
    "spread_layer",
    "store_all",
    "tangents",
    "times_all",
    "with_first",
]

_OPTIONS: Any = {
    "fastmath": FASTMATH,
    "error_model": "numpy",
    "forceinline": True,
    "_nrt": False,
}


def _unrolled(function: Any) -> Any:
    return overload(function, jit_options=_OPTIONS)


def _compiled_only(name: str) -> Any:
    raise NotImplementedError(f"{name}: for compiled loops only.")


def parts(rows: Any, first: Any, start: Any, end: Any, like: Any) -> Any:
    """Inside compiled loops: rows[first, start:end] and of the rows below, as many as `like`."""
    _compiled_only("parts")


@_unrolled(parts)
def _parts(rows, first, start, end, like):
    if len(like) == 1:
        return lambda rows, first, start, end, like: (rows[first, start:end],)
    return lambda rows, first, start, end, like: (
        rows[first, start:end],
        *parts(rows, first + np.uint64(1), start, end, like[1:]),
    )


def in_order(arrays: Any, at: Any) -> Any:
    """Inside compiled loops: array[at] of every array, a number each."""
    _compiled_only("in_order")


@_unrolled(in_order)
def _in_order(arrays, at):
    if len(arrays) == 1:
        return lambda arrays, at: (arrays[0][at],)
    return lambda arrays, at: (arrays[0][at], *in_order(arrays[1:], at))


def load_all(arrays: Any, at: Any) -> Any:
    """Inside compiled loops: `load` of every array."""
    _compiled_only("load_all")


@_unrolled(load_all)
def _load_all(arrays, at):
    if len(arrays) == 1:
        return lambda arrays, at: (load(arrays[0], at),)
    return lambda arrays, at: (load(arrays[0], at), *load_all(arrays[1:], at))


def store_all(arrays: Any, at: Any, values: Any) -> None:
    """Inside compiled loops: `store` a value in every array."""
    _compiled_only("store_all")


@_unrolled(store_all)
def _store_all(arrays, at, values):
    if len(arrays) == 1:
        return lambda arrays, at, values: store(arrays[0], at, values[0])

    def run(arrays, at, values):
        store(arrays[0], at, values[0])
        store_all(arrays[1:], at, values[1:])

    return run


def clear_all(arrays: Any, at: Any, n: Any) -> None:
    """Inside compiled loops: `clear` every array."""
    _compiled_only("clear_all")


@_unrolled(clear_all)
def _clear_all(arrays, at, n):
    # The hint against calls to memset is wanted here too: the loop is optimised here first.
    if len(arrays) == 1:

        def run(arrays, at, n):
            row_of_vectors()
            clear(arrays[0], at, n)

    else:

        def run(arrays, at, n):
            row_of_vectors()
            clear(arrays[0], at, n)
            clear_all(arrays[1:], at, n)

    return run


def add_all(one: Any, other: Any) -> Any:
    """Inside compiled loops: the sums of two tuples, term by term."""
    _compiled_only("add_all")


@_unrolled(add_all)
def _add_all(one, other):
    if len(one) == 1:
        return lambda one, other: (one[0] + other[0],)
    return lambda one, other: (one[0] + other[0], *add_all(one[1:], other[1:]))


def times_all(values: Any, factor: Any) -> Any:
    """Inside compiled loops: every value times a factor."""
    _compiled_only("times_all")


@_unrolled(times_all)
def _times_all(values, factor):
    if len(values) == 1:
        return lambda values, factor: (values[0] * factor,)
    return lambda values, factor: (values[0] * factor, *times_all(values[1:], factor))


def none_of(like: Any, zero: Any) -> Any:
    """Inside compiled loops: as many zeros as `like` has terms."""
    _compiled_only("none_of")


@_unrolled(none_of)
def _none_of(like, zero):
    if len(like) == 1:
        return lambda like, zero: (zero,)
    return lambda like, zero: (zero, *none_of(like[1:], zero))


def tangents(factor: Any, sums: Any, trained: Any, cov: Any) -> Any:
    """Inside compiled loops: factor * sums + trained * cov, of every field."""
    _compiled_only("tangents")


@_unrolled(tangents)
def _tangents(factor, sums, trained, cov):
    if len(sums) == 1:
        return lambda factor, sums, trained, cov: (factor * sums[0] + trained[0] * cov,)
    return lambda factor, sums, trained, cov: (
        factor * sums[0] + trained[0] * cov,
        *tangents(factor, sums[1:], trained[1:], cov),
    )


def with_first(value: Any, others: Any) -> Any:
    """Inside compiled loops: a tuple with another first term."""
    _compiled_only("with_first")


@_unrolled(with_first)
def _with_first(value, others):
    if len(others) == 1:
        return lambda value, others: (value,)
    return lambda value, others: (value, *others[1:])


@inlined
def spread_layer(layer):
    """A layer's factor, bias and `trained` of every field, each in every lane."""
    factor, bias, trained = layer
    return spread(factor), spread(bias), spread_all(trained)
