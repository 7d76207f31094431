"""Flat regions: what the test loss is throughout one, and how much of a spectrum is near zero."""

from typing import Any

import numpy as np

from ntkreg import landscape
from ntkreg.studies.landscape.questions.lines import Values, lines
from ntkreg.studies.landscape.task import Task

__all__ = ["flat_regions", "spectra"]

_RADII = np.geomspace(1e-3, 3.0, 60)
"""Over the norm of the parameters."""

_DIRECTIONS = 8
_NEAR_ZERO = 1e-3
"""Of the largest eigenvalue: what is smaller in size counts as flat."""


def flat_regions(task: Task) -> Values:
    """Test loss where a flat region ends, over that of its minimum.

    From minima straight on along random directions in which no output moves to first order, as
    far as the training loss stays below the second least level; beside it any random directions.

    References
    ----------
    Hochreiter and Schmidhuber 1997 (Neural Computation 9), flat minima.
    """
    config = task.config
    network = task.network(1, task.middle)
    run, _ = task.descend(network, task.rate(1))
    surface = task.surface(network, run.params)
    surface = task.surface(network, surface.params(landscape.polish(surface).theta))
    tests = surface.on(task.X_test, task.y_test)
    size = np.linalg.norm(surface.theta, axis=1)
    flat = _null_projections(surface)
    rng = np.random.default_rng(config.seed)
    found: dict[str, dict[str, list[np.ndarray]]] = {
        name: {"radius": [], "test_ratio": []} for name in ("flat", "any")
    }
    for _ in range(_DIRECTIONS):
        drawn = rng.normal(size=surface.theta.shape)
        inside = np.stack([v - Q @ (Q.T @ v) for v, Q in zip(drawn, flat, strict=True)])
        for name, way in (("flat", inside), ("any", drawn)):
            way = way / np.linalg.norm(way, axis=1, keepdims=True) * size[:, None]
            basis = np.stack([surface.theta, way], axis=1)
            weights = np.stack([np.ones(len(_RADII)), _RADII], axis=1)
            losses = surface.losses_along(basis, weights) / surface.null_loss
            # The last radius before the first that is out: the region, not an island behind it.
            n_in = np.argmax(np.c_[losses > config.levels[-2], np.ones(len(losses), bool)], axis=1)
            last = np.maximum(n_in - 1, 0)
            at = tests.losses_along(basis, weights)[np.arange(len(last)), last] / tests.losses()
            found[name]["radius"].append(np.where(n_in > 0, _RADII[last], 0.0))
            found[name]["test_ratio"].append(np.where(n_in > 0, at, 1.0))
    values: Values = []
    for name, quantities in found.items():
        for quantity, each in quantities.items():
            values += lines(name, quantity, np.mean(each, axis=0))
    return values


def spectra(task: Task) -> Values:
    """Share of curvatures that are not near zero at minima, and positive ones over the points.

    References
    ----------
    Sagun et al. 2018 (arXiv 1706.04454): a bulk at zero, and outliers.
    """
    values: Values = []
    for width in (min(task.config.widths), task.middle):
        network = task.network(1, width)
        run, _ = task.descend(network, task.rate(1))
        surface = task.surface(network, run.params)
        surface = task.surface(network, surface.params(landscape.polish(surface).theta))
        curvature = np.linalg.eigvalsh(landscape.Hessian(surface).dense())
        size = np.abs(curvature) / np.abs(curvature).max(axis=1, keepdims=True)
        outliers = (size > _NEAR_ZERO).sum(axis=1)
        values += lines(f"width {width}", "share", outliers / surface.n_parameters)
        values += lines(f"width {width}", "over_points", outliers / len(task.X))
    return values


def _null_projections(surface: Any) -> list[np.ndarray]:
    """Return orthonormal columns that span the rows of each network's Jacobian."""
    import jax

    from ntkreg.finite.precision import precision
    from ntkreg.landscape.surface import pure

    outputs = pure(surface.network, surface.loss).outputs
    found = []
    with precision(surface.dtype):
        rows = jax.jit(jax.jacrev(lambda t, f: outputs(t, f, surface.X).ravel()))
        for k in range(surface.n_seeds):
            fixed = jax.tree.map(lambda leaf, k=k: leaf[k], surface.fixed)
            jacobian = np.asarray(rows(surface.theta[k], fixed))
            found.append(np.linalg.qr(jacobian.T)[0])
    return found
