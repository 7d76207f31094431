"""Stored neural-tangents kernels: the grid of networks, their inputs, and the values.

Written by make_golden.py. Every combination of depth, size and read-out is there; window,
bias, channels and weight_std rotate so that each meets each. Never imports ntkreg.
"""

import json
import math
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("golden_stax.npz")
DEPTHS = (1, 2, 3, 5, 10)
WINDOWS = (1, 3, 5)
SIZES = ((1, 1), (1, 5), (3, 4), (8, 8), (7, 5))
READOUTS = ("flatten", "gap", "lap0", "lap1", "lap4")
BIASES = (0.0, 0.3)
CHANNELS = (1, 3, 5)
N_X, N_Z = 3, 2
SQRT2 = math.sqrt(2)


@dataclass(frozen=True)
class Case:
    """A network (tuples of `layer_sums`) and the shape of its inputs."""

    name: str
    network: tuple
    shape: tuple

    def inputs(self):
        """Return X (3, *shape) and Z (2, *shape); RandomState's stream is frozen by NumPy."""
        seed = sum(map(ord, self.name))
        rows = np.random.RandomState(seed).standard_normal((N_X + N_Z, *self.shape))
        return rows[:N_X], rows[N_X:]


def _readout(name):
    if name.startswith("lap"):
        return [("lap", int(name[3:])), ("flatten",)]
    return [(name,)]


def image_network(depth, readout, *, window=3, weight_std=SQRT2, bias_std=0.0):
    """`depth` times conv + ReLU, the read-out, dense with weight_std 1."""
    hidden = [("conv", window, weight_std, bias_std, True), ("relu",)] * depth
    return (*hidden, *_readout(readout), ("dense", 1.0, 0.0, True))


def dense_network(depth, *, weight_std=SQRT2, bias_std=0.0):
    """`depth` times dense + ReLU, dense with weight_std 1."""
    hidden = [("dense", weight_std, bias_std, True), ("relu",)] * depth
    return (*hidden, ("dense", 1.0, 0.0, True))


def _image_cases():
    grid = product(enumerate(DEPTHS), enumerate(SIZES), enumerate(READOUTS))
    for (i, depth), (j, (h, w)), (k, readout) in grid:
        window = WINDOWS[(i + j + k) % 3]
        bias_std = BIASES[(i + 2 * j + k // 2) % 2]
        channels = CHANNELS[(i + 2 * j + k) % 3]
        if window == 1 or (h, w) == (1, 1):
            channels = max(channels, 3)  # patches of one number have lambda = 1 or -1
        weight_std = 1.3 if (i + j + 2 * k) % 4 == 0 else SQRT2
        network = image_network(
            depth, readout, window=window, weight_std=weight_std, bias_std=bias_std
        )
        name = f"conv{depth} {readout} window{window} bias{bias_std} std{weight_std:.1f}"
        yield Case(f"{name} {h}x{w}x{channels}", network, (h, w, channels))


def _dense_cases():
    for depth, d, bias_std in product((0, *DEPTHS), (1, 7, 40), BIASES):
        weight_std = 1.3 if d == 40 else SQRT2
        network = dense_network(depth, weight_std=weight_std, bias_std=bias_std)
        yield Case(f"dense{depth} bias{bias_std} d{d}", network, (d,))


def _custom_cases():
    conv, relu, last = ("conv", 3, SQRT2, 0.0, True), ("relu",), ("dense", 1.0, 0.0, True)
    wide, dense = ("conv", 5, 1.1, 0.2, True), ("dense", 1.5, 0.1, True)
    networks = {
        "conv without relu": (conv, wide, relu, ("gap",), last),
        "linear conv": (conv, wide, ("flatten",), last),
        "ends in conv, flatten": (conv, relu, wide, ("flatten",)),
        "ends in conv, gap": (conv, relu, wide, ("gap",)),
        "dense tail after flatten": (conv, relu, ("flatten",), dense, relu, dense, relu, last),
        "dense tail after gap": (wide, relu, conv, relu, ("gap",), dense, relu, last),
        "relu after gap of conv": (conv, relu, wide, ("gap",), relu, last),
        "flatten first": (("flatten",), dense, relu, last),
        "dense without relu": (dense, dense, relu, last),
    }
    for name, network in networks.items():
        shape = (11,) if network[0][0] == "dense" else (5, 6, 2)
        yield Case(name, network, shape)


CASES = (*_image_cases(), *_dense_cases(), *_custom_cases())


def load(file=FILE):
    """Return {case name: arrays} and the versions that made them, of one grid's file.

    Arrays: "cross" (2, 3, 2), NNGP and NTK of X and Z by neural-tangents; "x" (2, 3) and
    "z" (2, 2), each input with itself, and "gap", least 1 - |lambda| of the pairs, by
    `layer_sums`.
    """
    with np.load(file) as stored:
        notes = json.loads(str(stored["notes"]))
        arrays = {key: stored[key] for key in ("cross", "x", "z", "gap")}
    values = {
        name: {key: array[i] for key, array in arrays.items()}
        for i, name in enumerate(notes["names"])
    }
    return values, notes["versions"]
