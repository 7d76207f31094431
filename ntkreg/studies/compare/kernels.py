"""Kernels of the compared models: values of every setting but C, on the same rows."""

import math
import os
from typing import Any

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances

from ntkreg.architecture import cntk, fully_connected
from ntkreg.errors import PlanError, SpecError
from ntkreg.gram import kernel_in_store
from ntkreg.kernels import KernelSpec
from ntkreg.machine import free_memory, readable
from ntkreg.studies.compare.models import Model

__all__ = ["arc_cosine", "kernel_settings", "kernel_values"]


def kernel_settings(model: Model) -> list[dict[str, Any]]:
    """Return the settings that make different kernels: all but C."""
    grid = {key: values for key, values in model.grid.items() if key != "C"}
    return Model(model.name, model.kind, grid).settings()


def kernel_values(
    model: Model, X: np.ndarray, n_fit: int, *, store: str | os.PathLike[str] | None = None
) -> np.ndarray:
    """Return the kernels of all rows with the first `n_fit`, which are those trained on.

    Parameters
    ----------
    model : Model
        Of a kind that is a kernel.
    X : ndarray of shape (n, d) or (n, h, w, c)
    n_fit : int
    store : path or None
        Folder in which networks' kernels are found or kept.

    Returns
    -------
    ndarray of shape (n_kernels, n, n_fit), float64; float32 networks' for images
        In the order of `kernel_settings`. NTK and NNGP are scaled as in the code of Arora et
        al. 2020: the first layer is X X^T without 1/d, each further one has half of Cho and
        Saul's covariance, and zero hidden layers are the linear kernel.

    Raises
    ------
    SpecError
        "cntk" for rows of a table.
    PlanError
        They do not fit into the free memory.
    """
    settings = kernel_settings(model)
    needed, free = 8 * len(settings) * len(X) * n_fit, free_memory()
    if free is not None and needed > free:
        raise PlanError(
            f"{model.name}: {len(settings)} kernels of {len(X)} x {n_fit} values take "
            f"{readable(needed)}, and {readable(free)} of memory are free. Set most_rows."
        )
    if model.kind in ("ntk", "nngp", "cntk"):
        return _networks(model, settings, X, n_fit, store)
    rows = X.reshape(len(X), -1).astype(np.float64)
    return np.stack([_rival(model.kind, setting, rows, rows[:n_fit]) for setting in settings])


def _networks(
    model: Model, settings: list[dict[str, Any]], X: np.ndarray, n_fit: int, store: Any
) -> np.ndarray:
    """Return kernels of infinitely wide networks, all from one pass over the inputs."""
    get = "nngp" if model.kind == "nngp" else "ntk"
    variants = [_variant(setting) for setting in settings]
    deepest = max(v["depth"] for v in variants)
    scale = 1.0
    if model.kind == "cntk":
        if X.ndim != 4:
            raise SpecError(f"{model.name}: convolutional kernels need images; these are rows.")
        network = cntk(deepest)
    else:
        X = X.reshape(len(X), -1)
        # ReLU networks are homogeneous: what is left out of the first layer multiplies all.
        network, scale = fully_connected(deepest, weight_std=1.0), float(X.shape[1])
    spec = KernelSpec(network, get=get, variants=variants)
    run: dict[str, Any] = {"store": store, "n_jobs": 1, "progress": False}
    values = kernel_in_store(spec, X[:n_fit], **run)
    if n_fit < len(X):
        cross = kernel_in_store(spec, X[n_fit:], X[:n_fit], **run)
        values = np.concatenate([values, cross], axis=1)
    return scale * values if scale != 1 else values


def _variant(setting: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe's options that a setting stands for."""
    depth, frozen = setting["network"]
    readout = {key: value for key, value in setting.items() if key == "readout"}
    return {"depth": depth, "frozen": frozen, **readout}


def _rival(kind: str, setting: dict[str, Any], X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Return one kernel whose unit of length is the square root of the number of columns."""
    d = X.shape[1]
    if kind == "rbf":
        return np.exp(-setting["gamma"] / d * euclidean_distances(X, Z, squared=True))
    if kind == "laplacian":
        return np.exp(-setting["gamma"] / math.sqrt(d) * euclidean_distances(X, Z))
    if kind == "polynomial":
        return (X @ Z.T / d + setting["coef0"]) ** setting["degree"]
    return arc_cosine(X, Z, setting["order"], setting["depth"])


def arc_cosine(X: np.ndarray, Z: np.ndarray, order: int, depth: int) -> np.ndarray:
    r"""Return the arc-cosine kernel, composed with itself.

    Parameters
    ----------
    X, Z : ndarray of shape (n, d), (m, d)
    order : {0, 1, 2}
        0: steps, 1: ReLU, 2: its square.
    depth : int
        How often it is composed, >= 1.

    Notes
    -----
    :math:`k(x, z) = |x|^n |z|^n J_n(\theta) / \pi`; a layer takes the cosine of :math:`\theta`
    from the values of the layer before.

    References
    ----------
    Cho & Saul 2009, Kernel methods for deep learning, eqs 3 to 8 and 13.
    """
    K, p, q = X @ Z.T, np.einsum("nd,nd->n", X, X), np.einsum("nd,nd->n", Z, Z)
    at_zero = {0: 1.0, 1: 1.0, 2: 3.0}[order]
    for _ in range(depth):
        norms = np.sqrt(np.outer(p, q))
        cos = np.clip(np.divide(K, norms, out=np.zeros_like(K), where=norms > 0), -1, 1)
        angle, sin = np.pi - np.arccos(cos), np.sqrt(1 - cos**2)
        J = (angle, sin + angle * cos, 3 * sin * cos + angle * (1 + 2 * cos**2))[order]
        K = norms**order * J / np.pi
        p, q = at_zero * p**order, at_zero * q**order
    return K
