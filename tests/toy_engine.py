"""An engine for tests of tiles, threads and folders: the linear kernel, slow or failing at will."""

import os
import time
from dataclasses import dataclass

import numpy as np

from ntkreg.gram import work
from ntkreg.kernels import Engine


@dataclass(frozen=True)
class ToyEngine(Engine):
    """K(x, z) = x . z in blocks of `side`; `pause` seconds each; fails above `limit`."""

    NAME = "ToyEngine"

    pause: float = 0.0
    limit: float = np.inf
    side: int = 4

    @property
    def block(self):
        return self.side

    def cross(self, X, Z):
        time.sleep(self.pause)
        if max(X.max(), Z.max()) > self.limit:
            raise FloatingPointError("toy engine: input above its limit")
        K = (X[:, None] * Z[None]).sum(axis=2)
        return np.broadcast_to(K, (len(self.fields), self.n_variants, *K.shape)).copy()

    def symmetric(self, X):
        return self.cross(X, X)

    def diagonal(self, X):
        d = (X * X).sum(axis=1)
        return np.broadcast_to(d, (len(self.fields), self.n_variants, len(d))).copy()


def install(setattr_, **options):
    """Make ntkreg.gram use the toy engine; `setattr_` is setattr or a monkeypatch's."""

    def engine_for(spec, shape):
        return ToyEngine(shape, np.dtype(spec.dtype), spec.get, len(spec.networks), **options)

    setattr_(work, "engine_for", engine_for)
    # Processes are killed here, never the machine: waiting for the disk would be most of the time.
    setattr_(os, "fsync", lambda descriptor: None)
