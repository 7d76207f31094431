"""What training networks on few samples will cost, before any of them is trained."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg import finite
from ntkreg.architecture import from_dict
from ntkreg.studies.few_samples_network.config import FewSamplesNetworkConfig
from ntkreg.studies.few_samples_network.study import train_draw
from ntkreg.studies.few_samples_network.task import Task, load_task, schedule, steps_of
from ntkreg.studies.shared.plan import COPIES, StudyPlan, seconds_of

__all__ = ["plan_few_samples_network"]

_CALIBRATION = 1.0
"""Seconds of training from which on one timed run says enough."""


def plan_few_samples_network(
    config: FewSamplesNetworkConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[StudyPlan]:
    """Yield what `run_few_samples_network` would train.

    Parameters
    ----------
    config : FewSamplesNetworkConfig
    output, n_jobs
        As every study's plan takes them; networks take all CPUs, and their disk is small.

    Raises
    ------
    SpecError, DataError
        If the data do not allow the study.

    Notes
    -----
    Draws of the size whose training is most of the work are begun and thrown away.
    """
    task = load_task(config)
    draws = dict(zip(config.n_samples, config.n_draws, strict=True))
    # Images that go through a network, forth and back, of all draws of a size.
    steps = {n: steps_of(config, n)[0] for n in draws}
    batches = {n: steps_of(config, n)[1] or n for n in draws}
    images = {n: draws[n] * steps[n] * batches[n] * config.n_networks for n in draws}
    costliest = max(images, key=images.__getitem__)
    others = [n for n in draws if n != costliest]
    # What is compiled for any size comes with the first of them.
    beginning = _compiling(config, task, others[0]) if others else 0.0
    compiling, other, per_step = _timed(config, task, costliest)
    per_image = per_step / (batches[costliest] * config.n_networks)
    parametrization: Any = config.parametrization
    network = finite.finite_network(
        from_dict(config.architecture),
        task.X.shape[1:],
        width=config.width,
        n_outputs=len(np.unique(task.data.y_train)),
        parametrization=parametrization,
    )
    counts = {
        "draws": sum(draws.values()),
        "networks": sum(draws.values()) * config.n_networks,
        "steps": sum(draws[n] * steps[n] for n in draws),
        "passes of an image": sum(images.values()),
    }
    seconds = {f"n = {n}": draws[n] * other + images[n] * per_image for n in draws}
    size = np.dtype(config.dtype).itemsize * network.n_parameters * config.n_networks
    labels = counts["draws"] * (500 + 4 * len(task.y_test))
    seconds["compiling"] = beginning + compiling * max(len(draws) - 1, 1)
    yield StudyPlan(counts, seconds, COPIES * size, labels)


def _compiling(config: FewSamplesNetworkConfig, task: Task, n: int) -> float:
    """Return the seconds that a first draw of a size takes more than a second one."""
    return max(_took(config, task, n, 1) - _took(config, task, n, 1), 0.0)


def _timed(config: FewSamplesNetworkConfig, task: Task, n: int) -> tuple[float, float, float]:
    """Return the seconds of compiling, of a draw without its steps, and of a step."""
    most = steps_of(config, n)[0]
    compiling, other, n_steps = _compiling(config, task, n), _took(config, task, n, 1), 8
    while (trained := _took(config, task, n, n_steps) - other) < _CALIBRATION and n_steps < most:
        n_steps *= 4
    return compiling, other, max(trained, 0.0) / n_steps


def _took(config: FewSamplesNetworkConfig, task: Task, n: int, n_steps: int) -> float:
    """Return the seconds of training on the first draw of a size for some steps."""
    index = next(i for size, _, i in schedule(config, task.y) if size == n)
    short = replace(config, n_steps=n_steps, n_epochs=0)
    return seconds_of(lambda: train_draw(short, task, n, 0, index))
