"""Loops compiled ahead are those that kernels need."""

import numpy as np
import pytest
from numba.core import event

from ntkreg import cntk, fully_connected
from ntkreg.kernels import warm as module
from ntkreg.kernels.select import make_engine


@pytest.mark.parametrize("network", [fully_connected(3), cntk(4, readout="flatten")], ids=repr)
def test_nothing_is_left_to_compile(network, monkeypatch):
    few = [fully_connected(1), cntk(2)]
    monkeypatch.setattr(module, "_networks", lambda: iter(few))
    assert module.warm(progress=False) == 2 * len(few)
    shape = (6, 5, 3) if network.reads == "image" else (4,)
    with event.install_recorder("numba:compile") as compiled:
        for dtype in (np.float32, np.float64):
            engine = make_engine(network, shape, dtype=dtype)
            engine.symmetric(np.ones((2, *shape), dtype))
    assert not compiled.buffer


def test_all_activations_are_among_the_networks():
    used = {layer for network in module._networks() for layer in network.layers}
    assert set(module.ACTIVATIONS.values()) <= used
