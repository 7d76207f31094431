"""What a width study will cost, before any of it is run."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ntkreg import finite
from ntkreg.machine import readable
from ntkreg.studies.shared.plan import COPIES, duration, seconds_of
from ntkreg.studies.widths.config import WidthsConfig, network_of
from ntkreg.studies.widths.runs import N_STORED, measure_network, start_of
from ntkreg.studies.widths.study import draws_of
from ntkreg.studies.widths.task import WidthData, load_width_data, make_task

__all__ = ["WidthsPlan", "plan_widths"]

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
        By width, wall time on this machine with the CPUs of this process; with the first width
        what comes before all networks.
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

    Steps are timed at a narrow and a middling width, for what a further flop costs; a narrow
    network is measured as the study measures it, for what one costs beside its flops and until it
    is compiled.

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
    narrow = _measured(config, data, rate)
    flops = dict.fromkeys(config.widths, 0.0)
    seconds = dict.fromkeys(config.widths, 0.0)
    seconds[config.widths[0]] = narrow.beginning
    networks = trained = compiled = peak = 0
    for depth, name in itertools.product(config.depths, config.parametrizations):
        draws = zip(config.widths, config.n_seeds, draws_of(config, name), strict=True)
        for width, n_seeds, n_draws in draws:
            one, parameters = _forward(config, depth, width, data.X.shape[1:])
            passes = _passes(config, n, m)
            work = one * (n_seeds * passes.trained + (n_draws - n_seeds) * passes.drawn)
            flops[width] += work
            beside = n_seeds * narrow.trained + (n_draws - n_seeds) * narrow.drawn
            compiling = narrow.compiling * (depth + 1) / (max(config.depths) + 1)
            seconds[width] += work / rate + beside + compiling
            networks, trained, compiled = networks + n_draws, trained + n_seeds, compiled + 1
            peak = max(peak, 4 * COPIES * parameters)
    kept = min(n, N_STORED)
    disk = networks * (2000 + 4 * kept * (kept + 1))
    yield WidthsPlan(networks, trained, compiled, flops, seconds, peak, disk)


class _Costs(NamedTuple):
    """What a network costs that is trained, or only drawn; until it is compiled; and before all."""

    trained: float
    drawn: float
    compiling: float = 0.0
    beginning: float = 0.0


def _passes(config: WidthsConfig, n: int, m: int) -> _Costs:
    """Return passes of one input: a step is three; a kernel about two, and training has two more.

    The kernel of a start is of the training inputs, unless it is trained: then of all.
    """
    return _Costs(3 * n * config.n_steps + 7 * n + 2 * m, 3 * n)


def _measured(config: WidthsConfig, data: WidthData, rate: float) -> _Costs:
    """Measure a network of a narrow width; return its seconds but for those of its flops.

    With the first width comes what is compiled for all of them.
    """
    depth, name = max(config.depths), config.parametrizations[0]
    making = seconds_of(
        lambda: [make_task(config, data, depth, n) for n in config.parametrizations]
    )
    task, architecture = make_task(config, data, depth, name), network_of(config, depth)
    first, width = config.widths[0], _narrow(config)

    def took(width: int, trained: bool) -> float:
        start = start_of(config.seed, depth, width, 0)
        measure = partial(measure_network, task, architecture, width, start, trained=trained)
        return seconds_of(measure)

    once = took(first, True)
    compiled, again = took(width, True), took(width, True)
    drawn = min(took(width, False), took(width, False))
    one, _ = _forward(config, depth, width, data.X.shape[1:])
    passes = _passes(config, len(data.X), len(data.X_test))
    return _Costs(
        max(again - one * passes.trained / rate, 0.0),
        max(drawn - one * passes.drawn / rate, 0.0),
        max(compiled - again, 0.0),
        making * len(config.depths) + max(once - compiled, 0.0),
    )


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


def _narrow(config: WidthsConfig) -> int:
    """Return the width of the networks that are measured: the second."""
    return config.widths[:2][-1]


def _flop_rate(config: WidthsConfig, X: np.ndarray, y: np.ndarray) -> float:
    """Return flops a second by which steps of a middling width take longer than of the narrow one.

    A step of a narrow network is mostly what it takes to begin one, which is none of its flops.
    """
    depth, narrow = max(config.depths), _narrow(config)
    width, flops = next(_fitting(config, depth, X))
    took = _seconds_of_step(config, depth, width, flops, X, y)
    less = _step_flops(config, depth, narrow, X)
    if less < flops:
        longer = took - _seconds_of_step(config, depth, narrow, less, X, y)
        if longer > 0:
            return (flops - less) / longer
    return flops / took


def _seconds_of_step(
    config: WidthsConfig, depth: int, width: int, flops: float, X: np.ndarray, y: np.ndarray
) -> float:
    network = finite.finite_network(network_of(config, depth), X.shape[1:], width=width)
    steps = int(np.clip(20 * _CALIBRATION_FLOPS / flops, 10, 400))  # a run is more than its steps
    training = finite.Training(1e-6, steps)

    def run() -> None:
        finite.train(network, training, X, y, observers={}, progress=False)

    run()  # compiles
    return seconds_of(run) / steps


def _fitting(config: WidthsConfig, depth: int, X: np.ndarray) -> Iterator[tuple[int, float]]:
    """Yield widths, widest first, whose steps are short, with the flops of a step."""
    for width in reversed(config.widths):
        flops = _step_flops(config, depth, width, X)
        if flops <= _CALIBRATION_FLOPS or width == config.widths[0]:
            yield width, flops


def _step_flops(config: WidthsConfig, depth: int, width: int, X: np.ndarray) -> float:
    return 3 * len(X) * _forward(config, depth, width, X.shape[1:])[0]
