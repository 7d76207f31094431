"""Lanczos' method on an operator: Ritz pairs, each with the residual that says how true it is."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from ntkreg.errors import SpecError
from ntkreg.finite.base import Network
from ntkreg.finite.precision import precision
from ntkreg.landscape.checks import check_operator, check_seed
from ntkreg.landscape.library import matfree
from ntkreg.landscape.operator import Operator

__all__ = ["Ritz", "lanczos"]

_BREAK = 100.0
"""Off-diagonal, in units of eps times the matrix's norm, at which the Krylov space is full."""


@dataclass(frozen=True, eq=False)
class Ritz:
    r"""Approximate eigenpairs of one network's operator, ascending.

    Attributes
    ----------
    values : ndarray (m,)
    vectors : ndarray (m, n_parameters)
        Of length 1.
    residuals : ndarray (m,)
        :math:`\|A u - \lambda u\|`, from a product with each vector: some eigenvalue lies at
        most that far from the value.
    weights : ndarray (m,)
        Squared overlap of each vector with the start, summing to 1: the quadrature of the
        start's spectral density.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    weights: np.ndarray


def lanczos(operator: Operator, n_products: int, seed: int = 0) -> list[Ritz]:
    """Return the Ritz pairs of each network's operator from one random start.

    matfree orthogonalises every vector against all before. Past the end of the Krylov space it
    goes on with rounding errors made unit vectors, whose Ritz values are ghosts: the recursion is
    cut where its off-diagonal vanishes, and every pair is judged by a product of its own.

    Parameters
    ----------
    operator : Operator
    n_products : int
        Dimension of the Krylov space; at most ``n_parameters`` are used.
    seed : int, default=0
        Of the start.

    Returns
    -------
    list of Ritz
        One a network, with `n_products` pairs or as many as the Krylov space has.

    Raises
    ------
    SpecError
        If `n_products` is no integer >= 1.
    BackendError
        If matfree is missing.

    Notes
    -----
    Holds `n_products` vectors of parameters for each network; takes twice as many products.

    References
    ----------
    Lanczos 1950 (J. Res. Natl. Bur. Stand. 45); Parlett 1998 (The Symmetric Eigenvalue Problem,
    theorem 4.5.1) for the residual's bound.
    """
    if not isinstance(n_products, int) or isinstance(n_products, bool) or n_products < 1:
        raise SpecError(f"lanczos: n_products must be an integer >= 1; got {n_products!r}.")
    check_operator("lanczos", operator)
    surface = operator.surface
    steps = min(n_products, surface.n_parameters)
    start = np.random.default_rng(check_seed("lanczos", seed)).standard_normal(operator.theta.shape)
    with precision(surface.dtype):
        run = _tridiagonal(type(operator), surface.network, surface.loss, steps)
        Q, diagonal, beside = map(np.asarray, run(start.astype(surface.dtype), *operator.operands))
        bases, small = [], []
        for one in zip(Q, diagonal, beside, strict=True):
            basis, values, weights = _small(*one)
            bases.append(basis)
            small.append((values, weights))
        # Padded to one shape, so that the residuals of all networks are one compiled call.
        padded = np.zeros_like(Q)
        for k, basis in enumerate(bases):
            padded[k, : len(basis)] = basis
        images = np.asarray(
            _images(type(operator), surface.network, surface.loss)(padded, *operator.operands)
        )
    found = []
    for basis, image, (values, weights) in zip(bases, images, small, strict=True):
        rest = image[: len(basis)] - values[:, None] * basis
        found.append(Ritz(values, basis, np.linalg.norm(rest, axis=1), weights))
    return found


def _small(
    Q: np.ndarray, diagonal: np.ndarray, beside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Ritz vectors, values and weights of the part before the recursion breaks down."""
    scale = np.nanmax(np.abs(np.concatenate([diagonal[:1], beside[:1], diagonal])), initial=0.0)
    bad = ~(beside > _BREAK * np.finfo(Q.dtype).eps * scale)
    m = int(np.argmax(bad)) + 1 if bad.any() else len(diagonal)
    T = np.diag(diagonal[:m].astype(float))
    T += np.diag(beside[: m - 1], 1) + np.diag(beside[: m - 1], -1)
    values, S = np.linalg.eigh(T)
    vectors = S.T @ Q[:m]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, values, S[0] ** 2


@lru_cache(maxsize=64)
def _tridiagonal(kind: type[Operator], network: Network, loss: str, steps: int) -> Any:
    product = kind.product(network, loss)
    decompose = matfree("lanczos", "decomp").tridiag_sym(
        steps, materialize=False, reortho="full", custom_vjp=False
    )

    def run(start: jax.Array, *operands: Any) -> tuple[jax.Array, ...]:
        found = decompose(product, start, *operands)
        return found.Q_tall, *found.J_small

    return jax.jit(jax.vmap(run, (0, 0, 0, None, None)))


@lru_cache(maxsize=64)
def _images(kind: type[Operator], network: Network, loss: str) -> Any:
    product = kind.product(network, loss)

    def run(vectors: jax.Array, *operands: Any) -> jax.Array:
        return jax.lax.map(lambda v: product(v, *operands), vectors)

    return jax.jit(jax.vmap(run, (0, 0, 0, None, None)))
