"""What a plan says of the time before a first value."""

import time
from types import SimpleNamespace

import numba
import numpy as np

from ntkreg.kernels.starting import seconds_to_begin

X = np.ones((3, 2))


def _begins_by(work):
    """Return an engine that does some work before its first value."""
    left = [work]

    def cross(x, z):
        assert x.shape == z.shape == (1, 2)
        if left:
            left.pop()()

    return SimpleNamespace(cross=cross)


def test_what_only_the_first_value_takes_is_counted():
    engine = _begins_by(lambda: time.sleep(0.05))
    assert 0.04 < seconds_to_begin(engine, X, X) < 1
    assert seconds_to_begin(engine, X, X) < 0.04


def test_loops_that_are_compiled_for_good_are_not():
    assert seconds_to_begin(_begins_by(lambda: numba.njit(lambda x: x + 1)(1)), X, X) == 0
