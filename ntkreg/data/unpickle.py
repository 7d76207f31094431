"""A pickle reader that can build plain data only.

Unpickling runs whatever the file names (`os.system`, ...). CIFAR-10's python version is
pickled, so it is read here by an unpickler that looks up nothing: the few names which
a numeric array needs stand for the inert objects below, every other name is refused.
NumPy's own reconstruction is not called either: it trusts the flags and sizes in the file.
"""

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ntkreg.errors import DataError

__all__ = ["load_plain_pickle"]

# A batch of CIFAR-10 takes 60,000 instructions, and 10,000 tuples as newer versions write it.
_MOST_OPCODES = 1_000_000
_MOST_TUPLES = 20_000
"""Hashing nested tuples runs on the machine's own stack: some 100,000 deep it ends in a crash."""

_MOST_KEYS = 100
"""A batch has 4; numbers and tuples can be chosen to hash alike, which takes quadratic time."""

_HASHING = {"SETITEM", "SETITEMS", "DICT", "ADDITEMS", "FROZENSET"}
_NESTING = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET"}
_MOST_AXES = 32


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
    try:
        _check_opcodes(content)
        return _Conversion(len(content)).plain(_PlainUnpickler(content).load())
    except _Refused as refusal:
        raise DataError(
            f"{source}: this pickle asks for {refusal}, which a data file has no need of. It is "
            "not read: unpickling it could run any program. Get the file from its official "
            "place."
        ) from None
    except Exception as error:
        # The pickle machine raises nearly any exception on damaged input; all mean that.
        raise DataError(
            f"{source}: not a sound pickle ({type(error).__name__}: {str(error)[:200]}). It is "
            "truncated or of another format. Download it again."
        ) from None


def _check_opcodes(content: bytes) -> None:
    """Raise for what would cost memory or the stack out of proportion to the file.

    pickletools checks lengths against what is there; a dozen bytes can make pickle allocate
    gigabytes for a string that does not come, or for a memo of one entry.
    """
    n_tuples = n_keys = 0
    marks: list[int] = []
    height = 0  # of the machine's stack
    argument: Any
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if count >= _MOST_OPCODES:
            raise ValueError(f"over {_MOST_OPCODES:,} instructions")
        if "PUT" in opcode.name and argument > count:
            raise ValueError(f"entry {argument} of a memo that has {count} at most")
        n_tuples += opcode.name in _NESTING
        if n_tuples > _MOST_TUPLES:
            raise ValueError(f"over {_MOST_TUPLES:,} tuples")
        if opcode.name == "MARK":
            marks.append(height)
            continue
        if opcode.name == "POP" and marks and marks[-1] == height:
            marks.pop()
            continue
        taken = len(opcode.stack_before)
        if pickletools.markobject in opcode.stack_before:
            taken = opcode.stack_before.index(pickletools.markobject) + height - marks.pop()
        height += len(opcode.stack_after) - taken
        n_keys += taken // 2 if opcode.name in _HASHING else 0
        if n_keys > _MOST_KEYS:
            raise ValueError(f"over {_MOST_KEYS} keys")


class _Refused(Exception):
    """Something other than plain data; str() names it."""


class _PlainUnpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._left = len(content)

    def _encode(self, text: str, *args: Any) -> bytes:
        """Return how protocols 0 to 2 of Python 3 spell bytes; each text once."""
        self._left -= len(text)
        if self._left < 0:
            raise ValueError("more bytes than the file has")
        return str.encode(text, "latin1")

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
            ("_codecs", "encode"): self._encode,
            ("__builtin__", "bytes"): lambda: b"",  # how they spell empty ones
        }
        if (module, name) not in makers:
            raise _Refused(f"'{module[:80]}.{name[:80]}'")
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
            raise _Refused(f"an array of dtype {str(self.code)[:80]!r}")

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
        if len(shape) > _MOST_AXES or not all(type(s) is int and 0 <= s < 2**63 for s in shape):
            raise ValueError("an array of shape that makes no sense")
        if math.prod(shape) * dtype.real().itemsize != len(content):
            raise ValueError(f"array of shape {shape} with {len(content)} bytes")
        flat = np.frombuffer(content, dtype.real())
        return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any, *axes: Any) -> _Array:
    """Take an array as protocol 5 writes it."""
    array = _Array()
    array.parts = (shape, dtype, order == "F", content)
    return array


class _Conversion:
    """Makes real arrays of described ones, and refuses what is not plain data.

    Parameters
    ----------
    left : int
        How many values there may be, counted wherever they are named again: lists of lists of
        one list stand for billions in a few bytes.
    """

    def __init__(self, left: int) -> None:
        self.left = left

    def plain(self, value: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ValueError("more values than the file has bytes")
        if isinstance(value, _Array):
            return value.real()
        if type(value) is dict:
            return {self.plain(k): self.plain(v) for k, v in value.items()}
        if type(value) is list:
            return [self.plain(v) for v in value]
        if value is None or type(value) in (str, bytes, int, float, bool):
            return value
        raise _Refused(f"an object of type {type(value).__name__}")
