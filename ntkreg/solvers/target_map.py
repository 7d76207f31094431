"""The map from targets to dual coefficients, which a solution applies once and then forgets."""

from abc import ABC, abstractmethod

import numpy as np

__all__ = ["TargetMap"]


class TargetMap(ABC):
    r"""The linear map M that takes targets to dual coefficients, :math:`c = M y`, at one ridge.

    It holds what a solver has factorised, some n^2 numbers, and no kernel matrix. Right-hand sides
    of one shape give each column the same bits, whatever the others hold.
    """

    @abstractmethod
    def apply(self, right: np.ndarray) -> np.ndarray:
        """Return M times a matrix (n, k), (n, k)."""

    @abstractmethod
    def root(self, right: np.ndarray) -> np.ndarray:
        r"""Return V, (n_kept, k), with :math:`V^T V = R^T (2 M - M (K + \alpha W^{-1}) M) R`.

        At the ridge solution, where :math:`M = (K + \alpha W^{-1})^{-1}`, that is
        :math:`R^T M R`.
        """
