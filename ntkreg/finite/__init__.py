"""Networks of finite width from the same `Architecture`: draw, train, linearise.

Importing this package loads no JAX; its names do when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntkreg.finite.base import Network as Network
    from ntkreg.finite.dynamics import LinearDynamics as LinearDynamics
    from ntkreg.finite.dynamics import kernel_dynamics as kernel_dynamics
    from ntkreg.finite.dynamics import linear_dynamics as linear_dynamics
    from ntkreg.finite.empirical import EmpiricalKernels as EmpiricalKernels
    from ntkreg.finite.empirical import empirical_kernels as empirical_kernels
    from ntkreg.finite.features import readout_features as readout_features
    from ntkreg.finite.linearized import LinearizedNetwork as LinearizedNetwork
    from ntkreg.finite.linearized import linearize as linearize
    from ntkreg.finite.network import FiniteNetwork as FiniteNetwork
    from ntkreg.finite.network import finite_network as finite_network
    from ntkreg.finite.observers import LayerDrifts as LayerDrifts
    from ntkreg.finite.observers import LayerNorms as LayerNorms
    from ntkreg.finite.observers import ObserveKernel as ObserveKernel
    from ntkreg.finite.observers import ObserveLoss as ObserveLoss
    from ntkreg.finite.observers import ObserveLossUntil as ObserveLossUntil
    from ntkreg.finite.observers import ObserveOutputs as ObserveOutputs
    from ntkreg.finite.observers import Observer as Observer
    from ntkreg.finite.observers import Snapshot as Snapshot
    from ntkreg.finite.observers import log_steps as log_steps
    from ntkreg.finite.optimizers import Training as Training
    from ntkreg.finite.stability import stable_learning_rate as stable_learning_rate
    from ntkreg.finite.training import TrainingRun as TrainingRun
    from ntkreg.finite.training import train as train

_HOME = {
    "EmpiricalKernels": "empirical",
    "FiniteNetwork": "network",
    "LayerDrifts": "observers",
    "LayerNorms": "observers",
    "LinearDynamics": "dynamics",
    "LinearizedNetwork": "linearized",
    "Network": "base",
    "ObserveKernel": "observers",
    "ObserveLoss": "observers",
    "ObserveLossUntil": "observers",
    "ObserveOutputs": "observers",
    "Observer": "observers",
    "Snapshot": "observers",
    "Training": "optimizers",
    "TrainingRun": "training",
    "empirical_kernels": "empirical",
    "finite_network": "network",
    "kernel_dynamics": "dynamics",
    "linear_dynamics": "dynamics",
    "linearize": "linearized",
    "log_steps": "observers",
    "readout_features": "features",
    "stable_learning_rate": "stability",
    "train": "training",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"ntkreg.finite.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ntkreg.finite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
