"""Kernel values for blocks of inputs; never files or threads.

Engines are loaded when the first is asked for: with them comes numba, which takes seconds, and
which saying and checking what kernel is meant (`KernelSpec`) need not wait for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ntkreg.kernels.engine import FIELDS, Engine
from ntkreg.kernels.inputs import check_inputs, is_mixed, kernel_dtype, solve_dtype
from ntkreg.kernels.spec import KernelSpec
from ntkreg.kernels.stax.bridge import StaxNetwork, as_network
from ntkreg.kernels.stax.compatibility import import_neural_tangents
from ntkreg.kernels.stax.twin import to_stax

if TYPE_CHECKING:
    from ntkreg.kernels.select import engine_for, make_engine

__all__ = [
    "FIELDS",
    "Engine",
    "KernelSpec",
    "StaxNetwork",
    "as_network",
    "check_inputs",
    "engine_for",
    "import_neural_tangents",
    "is_mixed",
    "kernel_dtype",
    "make_engine",
    "solve_dtype",
    "to_stax",
]


def __getattr__(name: str) -> Any:
    if name in ("engine_for", "make_engine"):
        return getattr(importlib.import_module("ntkreg.kernels.select"), name)
    raise AttributeError(f"module 'ntkreg.kernels' has no attribute {name!r}")
