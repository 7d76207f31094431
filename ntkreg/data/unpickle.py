"""A pickle reader that can build plain data only.

Unpickling runs whatever the file names (`os.system`, ...). CIFAR-10's python version is
pickled, so it is read here by an unpickler that looks up nothing: the few names which
a numeric array needs stand for the inert objects below, every other name is refused.
NumPy's own reconstruction is not called either: it trusts the flags and sizes in the file.
"""

import io
import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ntkreg.errors import DataError

__all__ = ["load_plain_pickle"]


def load_plain_pickle(content: bytes, source: str) -> Any:
    """Unpickle lists, dicts, strings, bytes, numbers, None and plain numeric arrays.

    Parameters
    ----------
    content : bytes
        The pickle, of any protocol; strings written by Python 2 come back as bytes.
    source : str
        What errors call it.

    Returns
    -------
    object

    Raises
    ------
    DataError
        Anything else in it, named; or a damaged pickle.
    """
    reader = _PlainUnpickler(io.BytesIO(content), encoding="bytes")
    try:
        return _plain(reader.load())
    except _Refused as refusal:
        raise DataError(
            f"{source}: this pickle asks for {refusal}, which a data file has no need of. It is "
            "not read: unpickling it could run any program. Get the file from its official "
            "place."
        ) from None
    except Exception as error:
        # The pickle machine raises nearly any exception on damaged input; all mean that.
        raise DataError(
            f"{source}: not a sound pickle ({type(error).__name__}: {error}). It is truncated or "
            "of another format. Download it again."
        ) from None


class _Refused(Exception):
    """Something other than plain data; str() names it."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> "_Callable":
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            module = "numpy multiarray"
        if module in ("numpy.core.numeric", "numpy._core.numeric"):
            module = "numpy numeric"
        makers: dict[tuple[str, str], Callable[..., Any]] = {
            ("numpy multiarray", "_reconstruct"): lambda *args: _Array(),
            ("numpy numeric", "_frombuffer"): _from_buffer,
            ("numpy", "ndarray"): _refuse_call,  # only ever an argument of _reconstruct
            ("numpy", "dtype"): lambda code, *args: _Dtype(code),
            # How protocols 0 to 2 of Python 3 spell bytes, and empty ones.
            ("_codecs", "encode"): lambda text, *args: str.encode(text, "latin1"),
            ("__builtin__", "bytes"): lambda: b"",
        }
        if (module, name) not in makers:
            raise _Refused(f"'{module}.{name}'")
        return _Callable(makers[module, name])


def _refuse_call(*args: Any) -> None:
    raise _Refused("an array made by calling numpy.ndarray")


class _Callable:
    """A name in the pickle; made anew for each use, so that a file can alter nothing."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *args: Any) -> Any:
        return self._make(*args)

    def __setstate__(self, state: Any) -> None:
        raise _Refused("a change of a function")


class _Dtype:
    """A numeric dtype as the pickle describes it."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any) -> None:
        self.code = code.decode("latin1") if isinstance(code, bytes) else code
        self.order = "="
        if not isinstance(self.code, str) or not re.fullmatch(
            r"[<>|=]?([iuf][1248]|b1)", self.code
        ):
            raise _Refused(f"an array of dtype {self.code!r}")

    def __setstate__(self, state: Any) -> None:
        _, order, *structure = state[:5]
        if any(part is not None for part in structure):
            raise _Refused("an array with a structured dtype")
        self.order = order.decode("latin1") if isinstance(order, bytes) else order

    def real(self) -> np.dtype:
        return np.dtype(self.code).newbyteorder(self.order)  # type: ignore[arg-type]


class _Array:
    """An array as the pickle describes it: shape, dtype, bytes."""

    __slots__ = ("parts",)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self.parts = (shape, dtype, bool(fortran), content)

    def real(self) -> np.ndarray:
        shape, dtype, fortran, content = self.parts
        if not isinstance(dtype, _Dtype) or not isinstance(content, bytes | bytearray):
            raise _Refused("an array of objects")
        # reshape would take a -1 as "whatever is left"; the file has to say.
        if math.prod(shape) * dtype.real().itemsize != len(content) or min(shape, default=0) < 0:
            raise ValueError(f"array of shape {shape} with {len(content)} bytes")
        flat = np.frombuffer(bytes(content), dtype.real())
        return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any, *axes: Any) -> _Array:
    """Take an array as protocol 5 writes it."""
    array = _Array()
    array.parts = (shape, dtype, order == "F", content)
    return array


def _plain(value: Any) -> Any:
    """Return `value` with real arrays in it, or raise if anything in it is not plain data."""
    if isinstance(value, _Array):
        return value.real()
    if type(value) is dict:
        return {_plain(k): _plain(v) for k, v in value.items()}
    if type(value) is list:
        return [_plain(v) for v in value]
    if value is None or type(value) in (str, bytes, int, float, bool):
        return value
    raise _Refused(f"an object of type {type(value).__name__}")
