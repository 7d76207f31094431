"""What is measured on runs that have ended: rows of the study's tables."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from ntkreg.studies.optimizers.config import REFERENCE
from ntkreg.studies.optimizers.kernels import KernelPath
from ntkreg.studies.optimizers.runs import Run
from ntkreg.studies.optimizers.starts import Start

__all__ = ["batch_row", "curve_rows", "level_rows", "pair_rows", "run_row", "stop_rows"]

Row = dict[str, Any]


def run_row(run: Run, start: Start, y_test: np.ndarray) -> Row:
    """Return how a run ended: losses, test error in percent, how far it went.

    `moved` and `kernel_drift` are relative: Euclidean, of parameters, and Frobenius, of the
    empirical NTK of the training inputs.
    """
    spec = run.spec
    return {
        "labels": spec.labels,
        "optimizer": spec.optimizer,
        "width": spec.width,
        "batch_size": len(start.K) if spec.batch_size is None else spec.batch_size,
        "rate": spec.rate,
        "seed": spec.seed,
        "outcome": run.outcome,
        "learning_rate": run.learning_rate,
        "steps": int(run.steps[-1]),
        "train_loss": float(run.losses[-1]),
        "test_loss": _loss(run.outputs[-1], y_test),
        "test_error": _error(run.outputs[-1], y_test),
        "moved": run.moved_norm / run.start_norm,
        "kernel_drift": _distance(run.kernel, start.K, start.K),
        "seconds": run.seconds,
    }


def level_rows(
    run: Run, start: Start, path: KernelPath, levels: tuple[float, ...]
) -> Iterator[Row]:
    """Yield the distance from the kernel trajectory at each loss level that a run reached.

    The run is taken where its training loss is first at or below the level, the kernel at
    the time of the very same loss. `kernel_gap` is the Euclidean distance of the two on the
    test inputs, over how far the kernel has come there since the start.
    """
    for level in levels:
        below = np.flatnonzero(run.losses <= level)
        if run.outcome == "diverged" or not len(below):
            continue
        k = below[0]
        flow = path.flow([path.time_at_loss(run.losses[k])])[1][0]
        yield {
            "optimizer": run.spec.optimizer,
            "width": run.spec.width,
            "seed": run.spec.seed,
            "level": level,
            "step": int(run.steps[k]),
            "train_loss": float(run.losses[k]),
            "kernel_gap": _distance(run.outputs[k], flow, flow - start.f0_test),
        }


def pair_rows(runs: Mapping[str, Run], start: Start) -> Iterator[Row]:
    """Yield distances of the end points of every two optimisers from one start.

    Of parameters and of outputs on the test inputs, over how far gradient descent has moved
    either; of kernels of the training inputs (Frobenius), over the kernel at the start.
    """
    own = runs[REFERENCE]
    for a, b in combinations(runs, 2):
        first, second = runs[a], runs[b]
        yield {
            "width": own.spec.width,
            "seed": own.spec.seed,
            "first": a,
            "second": b,
            "parameters": _distance(first.moved, second.moved, own.moved),
            "function": _distance(
                first.outputs[-1], second.outputs[-1], own.outputs[-1] - start.f0_test
            ),
            "kernel": _distance(first.kernel, second.kernel, start.K),
        }


def batch_row(run: Run, own: Run, start: Start, y_test: np.ndarray) -> Row:
    r"""Return where sgd ended, beside gradient descent (`own`) from the same start.

    `noise_scale` is :math:`\eta (n/B - 1)` (Smith and Le 2018, arXiv 1710.06451). It is an
    estimate for independent batches; those of an epoch, which share no example, are a little
    less noisy.
    """
    n, size = len(start.K), run.spec.batch_size or len(start.K)
    moved = own.outputs[-1] - start.f0_test
    return {
        **run_row(run, start, y_test),
        "noise_scale": run.learning_rate * (n / size - 1),
        "parameters": _distance(run.moved, own.moved, own.moved),
        "function": _distance(run.outputs[-1], own.outputs[-1], moved),
    }


def stop_rows(
    path: KernelPath, times: np.ndarray, y_test: np.ndarray, **given: Any
) -> Iterator[Row]:
    """Yield a kernel's flow stopped at times t beside its ridge regression at n / t.

    `distance` is that of the two on the test inputs, over how far the flow has come.
    """
    alphas = len(path.f0) / times
    for t, alpha, flow, ridge in zip(
        times, alphas, path.flow(times)[1], path.ridge(alphas)[1], strict=True
    ):
        yield {
            **given,
            "time": float(t),
            "alpha": float(alpha),
            "flow_loss": _loss(flow, y_test),
            "ridge_loss": _loss(ridge, y_test),
            "flow_error": _error(flow, y_test),
            "ridge_error": _error(ridge, y_test),
            "distance": _distance(flow, ridge, flow - path.f0_test),
        }


def curve_rows(run: Run, path: KernelPath, y_test: np.ndarray) -> Iterator[Row]:
    """Yield a run of gradient descent at every observed step after the first.

    `time` is learning rate times steps; `flow_distance` that from the flow of the start's
    empirical kernel at this time, as in `level_rows`.
    """
    times = run.learning_rate * run.steps[1:]
    for t, step, loss, f, flow in zip(
        times, run.steps[1:], run.losses[1:], run.outputs[1:], path.flow(times)[1], strict=True
    ):
        yield {
            "seed": run.spec.seed,
            "step": int(step),
            "time": float(t),
            "train_loss": float(loss),
            "test_loss": _loss(f, y_test),
            "test_error": _error(f, y_test),
            "flow_distance": _distance(f, flow, flow - path.f0_test),
        }


def _loss(f: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(np.square(f - y, dtype=float)) / 2)


def _error(f: np.ndarray, y: np.ndarray) -> float:
    return 100 * float(np.mean(np.sign(f) != y))


def _distance(a: np.ndarray, b: np.ndarray, unit: np.ndarray) -> float:
    return float(np.linalg.norm(np.subtract(a, b, dtype=float)) / np.linalg.norm(unit))
