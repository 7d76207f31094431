"""Read-outs are weighted sums over pairs of pixels, separable into rows and columns."""

import itertools

import numpy as np
import pytest

from ntkreg.architecture import Flatten, GlobalAvgPool, LocalAvgPool
from ntkreg.kernels.image.readout import readout_weights


def _brute_force(readout, h, w):
    """Weight of every pair of pixels, from the definition of the pooling."""
    weights = np.zeros((h, w, h, w))
    pixels = list(itertools.product(range(h), range(w)))
    c = readout.half_width if isinstance(readout, LocalAvgPool) else 0
    for p, q in itertools.product(pixels, pixels):
        if isinstance(readout, GlobalAvgPool):
            weights[*p, *q] = 1 / (h * w) ** 2
        else:
            centres = sum(
                max(abs(np.subtract(p, r))) <= c and max(abs(np.subtract(q, r))) <= c
                for r in pixels
            )
            weights[*p, *q] = centres / ((2 * c + 1) ** 4 * h * w)
    return weights


@pytest.mark.parametrize("size", [(1, 1), (4, 5), (5, 3)])
@pytest.mark.parametrize(
    "readout", [Flatten(), GlobalAvgPool(), LocalAvgPool(0), LocalAvgPool(1), LocalAvgPool(9)]
)
def test_separable_weights_are_the_definition_of_the_pooling(readout, size):
    rows, columns = (readout_weights(readout, n) for n in size)
    got = np.einsum("ab,cd->acbd", rows, columns)
    assert np.allclose(got, _brute_force(readout, *size), rtol=1e-13, atol=0)
