"""What a width study will cost, before any of it is run."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg import finite
from ntkreg.machine import readable
from ntkreg.studies.shared.plan import COPIES, duration
from ntkreg.studies.widths.config import WidthsConfig, network_of
from ntkreg.studies.widths.runs import N_STORED
from ntkreg.studies.widths.study import draws_of
from ntkreg.studies.widths.task import load_width_data

__all__ = ["WidthsPlan", "plan_widths"]

_NETWORK_SECONDS = 0.1
"""Of a network beside its flops: calls, observations, one file."""

_COMPILE_SECONDS = 6.0
"""Until the functions of one width are compiled."""

_CALIBRATION_FLOPS = 1e9
"""Of one step, at most, of the network that is timed."""


@dataclass(frozen=True)
class WidthsPlan:
    """What a width study will cost.

    Attributes
    ----------
    n_networks, n_trained, n_compiled : int
        Networks drawn, those of them that are trained, and different architectures.
    flops : dict of int to float
        By width, everything.
    seconds : dict of int to float
        By width, wall time on this machine with the CPUs of this process.
    peak_bytes, disk_bytes : int
        Memory of a widest network's parameters, all copies; files of all networks.
    """

    n_networks: int
    n_trained: int
    n_compiled: int
    flops: dict[int, float]
    seconds: dict[int, float]
    peak_bytes: int
    disk_bytes: int

    def __str__(self) -> str:
        total = sum(self.seconds.values())
        lines = [
            f"networks   {self.n_networks:,} drawn, {self.n_trained:,} of them trained; "
            f"{self.n_compiled} kinds to compile",
            f"work       about {sum(self.flops.values()) / 1e12:,.1f} Tflop",
            f"memory     about {readable(self.peak_bytes)} for a widest network's parameters",
            f"disk       about {readable(self.disk_bytes)}",
            f"time       about {duration(total)}, by width: "
            + ", ".join(f"{n}: {duration(s)}" for n, s in self.seconds.items()),
        ]
        return "\n".join(lines)


def plan_widths(
    config: WidthsConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[WidthsPlan]:
    """Yield what a study costs; computes nothing but a calibration of some seconds.

    Parameters
    ----------
    config : WidthsConfig
    output, n_jobs
        As every study's plan takes them; networks take all CPUs, and their disk is small.

    Raises
    ------
    SpecError, DataError
        If the data do not allow the study.
    """
    data = load_width_data(config)
    n, m = len(data.X), len(data.X_test)
    rate = _flop_rate(config, data.X, data.y)
    flops = dict.fromkeys(config.widths, 0.0)
    seconds = dict.fromkeys(config.widths, 0.0)
    networks = trained = compiled = peak = 0
    for depth, name in itertools.product(config.depths, config.parametrizations):
        draws = zip(config.widths, config.n_seeds, draws_of(config, name), strict=True)
        for width, n_seeds, n_draws in draws:
            one, parameters = _forward(config, depth, width, data.X.shape[1:])
            # A step is three passes; a kernel about two, and two of three are of training.
            work = one * (n_seeds * (3 * n * config.n_steps + 4 * n + 2 * m) + n_draws * 3 * n)
            flops[width] += work
            seconds[width] += work / rate + _NETWORK_SECONDS * n_draws + _COMPILE_SECONDS
            networks, trained, compiled = networks + n_draws, trained + n_seeds, compiled + 1
            peak = max(peak, 4 * COPIES * parameters)
    kept = min(n, N_STORED)
    disk = networks * (2000 + 4 * kept * (kept + 1))
    yield WidthsPlan(networks, trained, compiled, flops, seconds, peak, disk)


def _forward(
    config: WidthsConfig, depth: int, width: int, shape: tuple[int, ...]
) -> tuple[float, int]:
    """Return the flops of one input through a network, and its number of parameters."""
    import jax

    network = finite.finite_network(network_of(config, depth), shape, width=width)
    params = jax.eval_shape(lambda: network.init(0))
    x = jax.ShapeDtypeStruct((1, *shape), np.float32)
    cost: Any = jax.jit(network.apply).lower(params, x).cost_analysis()
    return float(cost["flops"]), sum(leaf.size for leaf in jax.tree.leaves(params))


def _flop_rate(config: WidthsConfig, X: np.ndarray, y: np.ndarray) -> float:
    """Return flops a second of training steps, timed on a network of middling width."""
    depth = max(config.depths)
    width, flops = next(_fitting(config, depth, X))
    network = finite.finite_network(network_of(config, depth), X.shape[1:], width=width)
    steps = int(np.clip(2 * _CALIBRATION_FLOPS / flops, 4, 400))
    training = finite.Training(1e-6, steps)
    for _ in range(2):  # the first compiles
        began = time.perf_counter()
        finite.train(network, training, X, y, observers={}, progress=False)
        took = time.perf_counter() - began
    return steps * flops / took


def _fitting(config: WidthsConfig, depth: int, X: np.ndarray) -> Iterator[tuple[int, float]]:
    """Yield widths, widest first, whose steps are short, with the flops of a step."""
    for width in reversed(config.widths):
        flops = 3 * len(X) * _forward(config, depth, width, X.shape[1:])[0]
        if flops <= _CALIBRATION_FLOPS or width == config.widths[0]:
            yield width, flops
