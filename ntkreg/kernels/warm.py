"""Compiling ahead what the first kernels of common networks would wait for."""

from collections.abc import Iterator

import numpy as np
from tqdm.auto import tqdm

from ntkreg.architecture import Architecture, cntk, fully_connected, myrtle, resnet
from ntkreg.architecture.registry import ACTIVATIONS
from ntkreg.kernels.select import make_engine

__all__ = ["warm"]

_SHAPE = 8, 8, 3


def warm(*, progress: bool | None = None) -> int:
    """Compile the loops of common networks, in float32 and float64, and keep them on disk.

    Those of `cntk` with every read-out and activation, `myrtle`, `resnet` and `fully_connected`.
    What is on disk already is not compiled again; loops of other networks (several tangents, wide
    windows) are compiled when they are first needed.

    Parameters
    ----------
    progress : bool or None
        Whether to show a progress bar; None: on terminals.

    Returns
    -------
    int
        Number of networks, once for each dtype.
    """
    networks = [*_networks()]
    disable = None if progress is None else not progress
    rng = np.random.default_rng(0)
    with tqdm(total=2 * len(networks), unit="network", desc="compile", disable=disable) as bar:
        for dtype in (np.float32, np.float64):
            for network in networks:
                shape = _SHAPE if network.reads == "image" else (_SHAPE[-1],)
                X = rng.normal(size=(2, *shape)).astype(dtype)
                engine = make_engine(network, shape, dtype=dtype)
                engine.symmetric(X)
                engine.cross(X, X)
                bar.update()
    return 2 * len(networks)


def _networks() -> Iterator[Architecture]:
    yield fully_connected(1)
    yield cntk(2)
    yield cntk(1, readout="lap")
    yield cntk(2, bias_std=0.1)
    yield myrtle(5)
    yield resnet(1)
    for name in ACTIVATIONS:
        yield cntk(1, activation=name)
