"""Completing a matrix from some of its entries: deep linear networks and the nuclear norm.

A side wing: it shares data and the single files below all rooms, and no kernel.
"""

from ntkreg.factorization.deep import DeepMatrixFactorization
from ntkreg.factorization.nuclear import NuclearNormCompletion

__all__ = ["DeepMatrixFactorization", "NuclearNormCompletion"]
