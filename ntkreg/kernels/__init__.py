"""Kernel values for blocks of inputs; never files or threads."""

from ntkreg.kernels.engine import FIELDS, Engine
from ntkreg.kernels.inputs import check_inputs, is_mixed, kernel_dtype, solve_dtype
from ntkreg.kernels.select import engine_for, make_engine
from ntkreg.kernels.spec import KernelSpec
from ntkreg.kernels.stax.bridge import StaxNetwork, as_network
from ntkreg.kernels.stax.compatibility import import_neural_tangents
from ntkreg.kernels.stax.twin import to_stax

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
