"""What tests of clusters share."""

import time

import numpy as np

from ntkreg import fully_connected
from ntkreg.gram import on_worker

X = np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32)
NET = fully_connected(2)


def is_left_empty(client):
    """Wait until nothing of a run is on the cluster."""
    until = time.monotonic() + 10
    while (on_worker._works or client.futures) and time.monotonic() < until:
        time.sleep(0.01)
    assert on_worker._works == {}
    assert client.futures == {}
