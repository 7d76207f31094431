"""One training run of the study: until a loss is reached, kept in a file of its own."""

import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg import finite
from ntkreg.data import fingerprint_arrays
from ntkreg.errors import DivergenceError
from ntkreg.studies.optimizers.files import describe, store, stored
from ntkreg.studies.optimizers.rates import learning_rate_of
from ntkreg.studies.optimizers.starts import empirical_ntk

__all__ = ["Run", "RunSpec", "observation_steps", "run_or_load", "train_run"]

_SPACING = 0.02
"""Relative distance of the steps at which the loss is looked at: by so much a run is late."""


@dataclass(frozen=True)
class RunSpec:
    """What makes a run the one it is, beside network and data.

    Attributes
    ----------
    labels : {"correct", "noisy", "random"}
    optimizer : str
    width : int
    batch_size : int or None
    rate : float
        In the units of `ntkreg.studies.optimizers.rates`.
    seed : int
    """

    labels: str
    optimizer: str
    width: int
    batch_size: int | None
    rate: float
    seed: int

    @property
    def name(self) -> str:
        """For a file, and to be read."""
        batch = "" if self.batch_size is None else f"-b{self.batch_size}"
        return f"{self.labels}-{self.optimizer}-w{self.width}{batch}-r{self.rate:g}-s{self.seed}"


@dataclass(frozen=True, eq=False)
class Run:
    """A run that has ended.

    Attributes
    ----------
    spec : RunSpec
    outcome : {"reached", "not reached", "diverged"}
        The last loss level.
    learning_rate : float
    seconds : float
        Of training, compilation included.
    steps : ndarray (n_observed,)
    losses : ndarray (n_observed,)
        Over all training examples, whatever the batches.
    outputs : ndarray (n_observed, m)
        On the test inputs.
    moved : ndarray (n_parameters,)
        Parameters at the end less those at the start; NaN if it diverged. Kept of runs on
        correct labels, empty of others.
    moved_norm, start_norm : float
        Euclidean, of that and of the parameters at the start.
    kernel : ndarray (n, n)
        Empirical NTK of the training inputs at the end; NaN if it diverged.
    """

    spec: RunSpec
    outcome: str
    learning_rate: float
    seconds: float
    steps: np.ndarray
    losses: np.ndarray
    outputs: np.ndarray
    moved: np.ndarray
    moved_norm: float
    start_norm: float
    kernel: np.ndarray


def run_or_load(
    spec: RunSpec,
    network: Any,
    X: np.ndarray,
    y: np.ndarray,
    X_test: np.ndarray,
    *,
    target: float,
    max_steps: int,
    folder: Path,
) -> Run:
    """Train as `spec` says, or read what an earlier call has found.

    Parameters
    ----------
    network : ntkreg.finite.FiniteNetwork
        Of `spec.width`, with one output.
    X, y, X_test : array (n, d), (n,), (m, d), float32
    target : float
        Training loss at which the run ends.
    max_steps : int
    folder : Path
        The file's name carries a hash of everything that determines the run.
    """
    path = folder / describe(
        spec.name,
        **asdict(spec),
        network=network.fingerprint,
        data=fingerprint_arrays(X, y, X_test),
        target=target,
        max_steps=max_steps,
    )
    found = stored(path, [f.name for f in fields(Run) if f.name != "spec"])
    if found is None:
        found = train_run(spec, network, X, y, X_test, target, max_steps)
        store(path, found)
    # What comes out of a file is arrays, plain numbers and texts too.
    plain: dict[str, Any] = {
        k: np.asarray(v).item() if np.ndim(v) == 0 else v for k, v in found.items()
    }
    return Run(spec, **plain)


def observation_steps(max_steps: int) -> list[int]:
    """Return steps from 0 to `max_steps`, each `_SPACING` after the one before, at least 1."""
    steps = [0]
    while steps[-1] < max_steps:
        steps.append(min(max(steps[-1] + 1, int(steps[-1] * (1 + _SPACING))), max_steps))
    return steps


class _Reached(Exception):
    """Ends a run from within an observer: `train` lets it pass."""


class _Watch:
    """Looks at the training loss and at outputs, and ends the run at the target."""

    def __init__(self, y: np.ndarray, X_test: np.ndarray, target: float) -> None:
        self.y, self.X_test, self.target = y, X_test, target
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.outputs: list[np.ndarray] = []
        self.params: Any = None

    def __call__(self, snapshot: Any) -> float:
        f = snapshot.network.predict_seeds(snapshot.params, snapshot.X)[0, :, 0]
        self.steps.append(snapshot.step)
        self.losses.append(float(np.mean(np.square(f - self.y, dtype=float)) / 2))
        self.outputs.append(snapshot.network.predict_seeds(snapshot.params, self.X_test)[0, :, 0])
        self.params = snapshot.params
        if self.losses[-1] <= self.target:
            raise _Reached
        return self.losses[-1]


def train_run(
    spec: RunSpec,
    network: Any,
    X: np.ndarray,
    y: np.ndarray,
    X_test: np.ndarray,
    target: float,
    max_steps: int,
) -> dict[str, Any]:
    """Train as `run_or_load` would; return what it would store."""
    import jax

    start = network.init(spec.seed)
    rate = learning_rate_of(spec.optimizer, spec.rate, network, start, X, y)
    training = finite.Training(rate, max_steps, spec.optimizer, batch_size=spec.batch_size)
    watch, outcome = _Watch(y, X_test, target), "not reached"
    began = time.perf_counter()
    try:
        finite.train(
            network,
            training,
            X,
            y,
            seeds=(spec.seed,),
            observers={"loss": watch},
            observe_at=observation_steps(max_steps),
            progress=False,
        )
    except _Reached:
        outcome = "reached"
    except DivergenceError:
        outcome = "diverged"
    seconds = time.perf_counter() - began
    end = jax.tree.map(lambda leaf: leaf[0], watch.params)
    first, last = (
        np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(p)])
        for p in (start, end)
    )
    kernel = np.full((len(X), len(X)), np.nan, np.float32)
    moved = np.full_like(first, np.nan)
    if outcome != "diverged":
        moved = last - first
        kernel = empirical_ntk(network, end, X)
    return {
        "outcome": outcome,
        "learning_rate": rate,
        "seconds": seconds,
        "steps": np.array(watch.steps),
        "losses": np.array(watch.losses),
        "outputs": np.array(watch.outputs),
        "moved": moved if spec.labels == "correct" else moved[:0],
        "moved_norm": float(np.linalg.norm(moved)),
        "start_norm": float(np.linalg.norm(first)),
        "kernel": kernel,
    }
