"""One network of the width study: draw it, train it, measure it."""

import hashlib
import time
from typing import Any

import numpy as np

from ntkreg import finite
from ntkreg.architecture import Architecture
from ntkreg.errors import DivergenceError
from ntkreg.studies.widths.task import WidthTask

__all__ = ["N_STORED", "measure_network", "start_of", "unpack_symmetric"]

N_STORED = 128
"""Training inputs, at most, whose kernels at the start are kept for means over seeds."""


def start_of(seed: int, depth: int, width: int, draw: int) -> int:
    """Return the integer that a network is drawn from.

    JAX draws the first numbers of arrays of any size alike from one key, so each width
    needs its own: otherwise narrow networks would be parts of wide ones.

    Examples
    --------
    >>> start_of(0, 3, 64, 0) == start_of(0, 3, 64, 0), start_of(0, 3, 128, 0) < 2**31
    (True, True)
    """
    digest = hashlib.sha256(f"{seed} {depth} {width} {draw}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 2**31


def measure_network(
    task: WidthTask, architecture: Architecture, width: int, start: int, *, trained: bool = True
) -> dict[str, Any]:
    """Draw a network, train it and return all that the study looks at.

    Parameters
    ----------
    task : WidthTask
    architecture : Architecture
    width : int
    start : int
        Seed of the network's parameters.
    trained : bool, default=True
        Whether to train it, or to measure the start only.

    Returns
    -------
    dict
        Numbers by the name of their quantity (`ntkreg.studies.widths.quantities`), NaN for
        those that training should have given where it diverged; and arrays: ``outputs``
        (m,), of the test inputs after training, and in `ntk` ``nngp`` and ``ntk``, upper
        triangles of the kernels at the start, float32.

    Notes
    -----
    Cost: training, two empirical NTKs of the training inputs and one with the test inputs.
    """
    began = time.perf_counter()
    data, n = task.data, len(task.data.X)
    everything = np.concatenate([data.X, data.X_test])
    network = finite.finite_network(
        architecture, data.X.shape[1:], width=width, parametrization=task.parametrization
    )
    first = network.init(start)
    ntk = _ntk(network, first, everything if trained else data.X, data.X)
    features = finite.readout_features(network, first, data.X).astype(float)
    found: dict[str, Any] = {"trained": float(trained), "rank_start": _effective_rank(features)}
    if task.ntk is not None and task.nngp is not None:
        nngp = _covariance(architecture, features)
        found |= _kernel_errors("nngp", nngp, task.nngp[:n])
        found |= _kernel_errors("ntk", ntk[:n], task.ntk[:n])
        found |= {"nngp": _pack_symmetric(nngp), "ntk": _pack_symmetric(ntk[:n])}
    if not trained:
        return found | {"seconds": time.perf_counter() - began}
    try:
        run = finite.train(
            network,
            task.training,
            data.X,
            data.y,
            seeds=(start,),
            observers={
                "outputs": finite.ObserveOutputs(everything),
                "norms": finite.LayerNorms(),
                "drifts": finite.LayerDrifts(),
            },
            progress=False,
        )
    except DivergenceError:
        found["outputs"] = np.full(len(data.X_test), np.nan)
        return found | {"diverged": 1.0, "seconds": time.perf_counter() - began}
    import jax

    last = jax.tree.map(lambda leaf: leaf[0], run.params)
    after = finite.readout_features(network, last, data.X).astype(float)
    outputs = run.observed["outputs"][:, 0, :, 0].astype(float)
    found |= _drifts(run)
    found |= {
        "diverged": 0.0,
        "ntk_drift": _distance(_ntk(network, last, data.X, data.X), ntk[:n]),
        "feature_drift": _distance(after @ after.T, features @ features.T),
        "rank_end": _effective_rank(after),
    }
    found |= _gaps(task, run.steps, outputs, ntk)
    found |= _errors(task, outputs[-1])
    return found | {"outputs": outputs[-1, n:], "seconds": time.perf_counter() - began}


def unpack_symmetric(triangle: np.ndarray) -> np.ndarray:
    """Return the matrix whose upper triangle was stored, float64."""
    n = int(np.sqrt(2 * len(triangle)))
    K = np.zeros((n, n))
    K[np.triu_indices(n)] = triangle
    return K + np.triu(K, 1).T


def _pack_symmetric(K: np.ndarray) -> np.ndarray:
    head = K[:N_STORED, :N_STORED]
    return head[np.triu_indices(len(head))].astype(np.float32)


def _ntk(network: Any, params: Any, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Return the empirical NTK of a network with one output, float64."""
    return finite.empirical_kernels(network, params, X, Z).ntk.astype(float)


def _covariance(architecture: Architecture, features: np.ndarray) -> np.ndarray:
    """Return the mean over read-outs of f(x) f(z): the NNGP of these hidden layers."""
    readout: Any = architecture.layers[-1]
    scale = readout.weight_std**2 / features.shape[1]
    return scale * features @ features.T + readout.bias_std**2


def _kernel_errors(name: str, K: np.ndarray, limit: np.ndarray) -> dict[str, float]:
    operator = [float(np.abs(np.linalg.eigvalsh(A)).max()) for A in (K - limit, limit)]
    return {
        f"{name}_frobenius": _distance(K, limit),
        f"{name}_operator": operator[0] / operator[1],
    }


def _distance(K: np.ndarray, reference: np.ndarray) -> float:
    return float(np.linalg.norm(K - reference) / np.linalg.norm(reference))


def _effective_rank(features: np.ndarray) -> float:
    """Return exp(entropy) of the singular values as shares of their sum (Roy and Vetterli 2007)."""
    values = np.linalg.svd(features, compute_uv=False)
    if not values.any():
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _drifts(run: Any) -> dict[str, float]:
    """Return |w_t - w_0| / |w_0| of input, hidden and output layers, and of all together."""
    drifts, norms = run.observed["drifts"][-1, 0], run.observed["norms"][0, 0]
    parts = {
        "input": slice(0, 1),
        "hidden": slice(1, -1),
        "output": slice(-1, None),
        "all": slice(None),
    }
    return {
        f"weights_{name}": float(np.linalg.norm(drifts[part]) / np.linalg.norm(norms[part]))
        for name, part in parts.items()
        if len(drifts[part])
    }


def _gaps(
    task: WidthTask, steps: np.ndarray, outputs: np.ndarray, ntk: np.ndarray
) -> dict[str, float]:
    """Return how far the test outputs go from linearised training, both kernels' ways."""
    data, n = task.data, len(task.data.X)
    start = {"f0": outputs[0, :n], "f0_test": outputs[0, n:]}
    rate = task.training.learning_rate
    line = finite.kernel_dynamics(ntk[:n], data.y, K_test=ntk[n:], **start)
    linear = line.at_steps(steps, rate)[1][..., 0]
    gap = float(np.sqrt(np.square(outputs[:, n:] - linear).mean(axis=1)).max())
    # Kernels of narrow networks scatter: above its own stable rate a linearisation grows
    # without bound while the network itself finds a flatter place.
    stable = rate * line.eigenvalues[-1] < 2 * n
    found = {"linear_gap": gap if stable else np.nan}
    if task.ntk is not None:
        K = task.ntk
        limit = finite.kernel_dynamics(K[:n], data.y, K_test=K[n:], **start)
        predicted = limit.at_steps(steps[-1:], rate)[1][0, :, 0]
        found["prediction_gap"] = float(np.square(outputs[-1, n:] - predicted).mean())
    return found


def _errors(task: WidthTask, outputs: np.ndarray) -> dict[str, float]:
    """Return mean squared errors, and the share of wrong signs in percent."""
    n = len(task.data.X)
    found = {}
    parts = (("train", outputs[:n], task.data.y), ("test", outputs[n:], task.data.y_test))
    for name, f, y in parts:
        found[f"{name}_loss"] = float(np.square(f - y).mean())
        found[f"{name}_error"] = 100 * float(np.mean(f * y <= 0))
    return found
