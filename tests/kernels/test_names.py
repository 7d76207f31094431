"""What engines are called: folders hold these names, and go on only under the same."""

import jax
import numpy as np
import pytest

from ntkreg import cntk, fully_connected, plan_gram
from ntkreg.kernels import to_stax

IMAGES = np.random.default_rng(0).normal(size=(3, 4, 4, 1))
ROWS = np.random.default_rng(0).normal(size=(3, 5))
JAX = f"JaxImageEngine({jax.default_backend()})"
TWO = [{}, {"bias_std": 0.2}]


@pytest.mark.parametrize(
    ("network", "X", "options", "name"),
    [
        (fully_connected(2), ROWS, {}, "DenseEngine"),
        (fully_connected(2, activation="erf"), ROWS, {}, "PlainDenseEngine"),
        (to_stax(fully_connected(2))[2], ROWS, {}, "StaxEngine"),
        (cntk(2), IMAGES, {}, "ImageEngine"),
        (cntk(2), IMAGES, {"backend": "jax"}, JAX),
        (cntk(2), IMAGES, {"symmetry": "flip"}, "FlipEngine(ImageEngine)"),
        (cntk(2), IMAGES, {"symmetry": "flip", "backend": "jax"}, f"FlipEngine({JAX})"),
        (cntk(2), np.ldexp(IMAGES, 300), {}, "ScaledEngine(ImageEngine)"),
        (cntk(2), IMAGES, {"variants": TWO}, "PassesEngine(ImageEngine, ImageEngine)"),
    ],
)
def test_names_that_folders_hold_stay_as_they_are(network, X, options, name):
    assert plan_gram(network, X, **options).engine == name
