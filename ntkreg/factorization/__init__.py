"""Completing a matrix from some of its entries: deep linear networks and the nuclear norm.

A side wing: it shares data and the single files below all rooms, and no kernel. The estimators load
scikit-learn, so they are looked up when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntkreg.factorization.deep import DeepMatrixFactorization as DeepMatrixFactorization
    from ntkreg.factorization.nuclear import NuclearNormCompletion as NuclearNormCompletion

_HOME = {"DeepMatrixFactorization": "deep", "NuclearNormCompletion": "nuclear"}

__all__ = ["DeepMatrixFactorization", "NuclearNormCompletion"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"ntkreg.factorization.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ntkreg.factorization' has no attribute {name!r}")
