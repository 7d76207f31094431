"""Kernel values for blocks of inputs; never files or threads."""

from ntkreg.kernels.engine import FIELDS, Engine
from ntkreg.kernels.inputs import check_inputs, kernel_dtype
from ntkreg.kernels.select import make_engine

__all__ = ["FIELDS", "Engine", "check_inputs", "kernel_dtype", "make_engine"]
