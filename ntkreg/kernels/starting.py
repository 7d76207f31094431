"""What comes before a process's first kernel value: code is loaded, or compiled."""

import time

import numpy as np
from numba.core.event import install_recorder

from ntkreg.cpus import one_blas_thread
from ntkreg.kernels.engine import Engine

__all__ = ["seconds_to_begin"]


def seconds_to_begin(engine: Engine, X: np.ndarray, Z: np.ndarray) -> float:
    """Return what a first value takes beyond a second one; both are computed.

    Parameters
    ----------
    engine : Engine
    X, Z : ndarray of shape (n, ...), (m, ...)
        As of `Engine.cross`; of each the first row is taken.

    Returns
    -------
    float
        Seconds. 0 in a process that has computed such values, and where loops are compiled now
        that are kept on disk: the next process loads them, which takes less than a second.
    """
    times = []
    with one_blas_thread(), install_recorder("numba:compile") as compiled:
        for _ in range(2):
            began = time.perf_counter()
            engine.cross(X[:1], Z[:1])
            times.append(time.perf_counter() - began)
    return 0.0 if compiled.buffer else max(times[0] - times[1], 0.0)
