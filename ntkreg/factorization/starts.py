"""Where training of a deep linear product begins."""

import numpy as np

from ntkreg.factorization.product import factor_shapes

__all__ = ["STARTS", "start"]

STARTS = ("gaussian", "balanced")


def start(
    kind: str,
    shape: tuple[int, int],
    depth: int,
    width: int | None,
    init_scale: float,
    rng: np.random.Generator,
) -> np.ndarray:
    r"""Return all factors of a start in one vector, W_1 first.

    Parameters
    ----------
    kind : {"gaussian", "balanced"}
        gaussian: entries of every factor are independent, of standard deviation
        init_scale^(1/N) / sqrt(columns of the factor). balanced: the product is one Gaussian
        matrix, of standard deviation init_scale / sqrt(its columns), and its singular values are
        shared out evenly, so that :math:`W_{j+1}^T W_{j+1} = W_j W_j^T`.
    shape, depth, width
        As of `ntkreg.factorization.product.factor_shapes`.
    init_scale : float > 0
        Whatever the depth, W x has about init_scale times the norm of x.
    rng : Generator

    References
    ----------
    Arora et al. 2019 (arXiv 1905.13655), section 4; Arora, Cohen, Golowich and Hu 2019 (arXiv
    1810.02281), procedure 1, of the balanced start.
    """
    shapes = factor_shapes(shape, depth, width)
    share = init_scale ** (1 / depth)
    if kind == "gaussian":
        parts = [share / np.sqrt(b) * rng.normal(size=(a, b)) for a, b in shapes]
        return np.concatenate([part.ravel() for part in parts])
    whole = rng.normal(size=shape) / np.sqrt(shape[1])
    if depth == 1:
        return init_scale * whole.ravel()
    left, sigma, right = np.linalg.svd(whole, full_matrices=False)
    roots = share * sigma ** (1 / depth)
    parts = [np.zeros(each) for each in shapes]
    kept = min(shapes[0][0], len(sigma))
    parts[0][:kept] = roots[:kept, None] * right[:kept]
    parts[-1][:, :kept] = left[:, :kept] * roots[:kept]
    for part in parts[1:-1]:
        part[np.arange(kept), np.arange(kept)] = roots[:kept]
    return np.concatenate([part.ravel() for part in parts])
