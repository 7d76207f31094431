"""Where all runs of a seed and a width begin: outputs and empirical kernel, kept in a file."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg import finite
from ntkreg.data import fingerprint_arrays
from ntkreg.studies.optimizers.files import describe, store, stored
from ntkreg.studies.optimizers.kernels import KernelPath

__all__ = ["Start", "empirical_ntk", "start_or_load"]


@dataclass(frozen=True, eq=False)
class Start:
    """A network before training.

    Attributes
    ----------
    f0, f0_test : ndarray (n,), (m,)
        Outputs on the training and test inputs.
    K, K_cross : ndarray (n, n), (m, n)
        Empirical NTK.
    """

    f0: np.ndarray
    f0_test: np.ndarray
    K: np.ndarray
    K_cross: np.ndarray

    def path(self, y: np.ndarray) -> KernelPath:
        """Return the closed form of linearised training on labels (n,)."""
        return KernelPath(self.K, self.K_cross, y, self.f0, self.f0_test)


def empirical_ntk(network: Any, params: Any, X: np.ndarray, Z: Any = None) -> np.ndarray:
    """Return the empirical NTK of a network with one output, (n, m)."""
    return finite.empirical_kernels(network, params, X, Z).ntk


def start_or_load(
    network: Any, seed: int, X: np.ndarray, X_test: np.ndarray, folder: Path
) -> Start:
    """Compute a start, or read what an earlier call has found.

    Notes
    -----
    Gradients of (n + m) outputs: 4 (n + m) P bytes for P parameters.
    """
    path = folder / describe(
        f"start-w{network.widths[0]}-s{seed}",
        network=network.fingerprint,
        seed=seed,
        data=fingerprint_arrays(X, X_test),
    )
    found = stored(path, [f.name for f in fields(Start)])
    if found is None:
        params = network.init(seed)
        found = {
            "f0": network.predict(params, X)[:, 0],
            "f0_test": network.predict(params, X_test)[:, 0],
            "K": empirical_ntk(network, params, X),
            "K_cross": empirical_ntk(network, params, X_test, X),
        }
        store(path, found)
    return Start(**found)
