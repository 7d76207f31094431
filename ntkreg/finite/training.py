"""Train networks of finite width, all seeds at once."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from ntkreg.arrays import refuse_infinite
from ntkreg.errors import ShapeError, SpecError
from ntkreg.finite.base import Network, Params, dtype_of
from ntkreg.finite.checkpoint import Checkpoint, State, describe_run
from ntkreg.finite.losses import check_inputs
from ntkreg.finite.observers import ObserveLoss, Observer, Snapshot, log_steps
from ntkreg.finite.optimizers import Training
from ntkreg.finite.precision import precision
from ntkreg.finite.ready_run import ReadyRun

__all__ = ["TrainingRun", "train"]

_BAR_AFTER = 2.0
"""Seconds before a progress bar shows up."""

_CALL_SECONDS = 0.5
"""What one compiled call should take: between calls the bar moves and Ctrl-C is heard."""

_SAVE_SECONDS = 30.0
"""Longest time between two checkpoints; bits do not depend on where they fall."""


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """Trained networks and what was seen on the way.

    Attributes
    ----------
    network : Network
    training : Training
    seeds : ndarray (n_seeds,)
    params, start : stacked parameters
        After and before training; seeds are the first axis of every array.
    steps : ndarray (n_observed,)
        Steps after which the observers were called.
    observed : dict of str to ndarray (n_observed, n_seeds, ...)
    """

    network: Network
    training: Training
    seeds: np.ndarray
    params: Params
    start: Params
    steps: np.ndarray
    observed: dict[str, np.ndarray]

    def predict(self, X: Any) -> np.ndarray:
        """Return the trained networks' outputs (n_seeds, n, n_outputs) of inputs (n, *shape)."""
        X = check_inputs("predict", "X", self.network, X, dtype_of(self.params))
        return refuse_infinite("predict: outputs", self.network.predict_seeds(self.params, X))


def train(
    network: Network,
    training: Training,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    seeds: Sequence[int] = (0,),
    params: Params | None = None,
    dtype: Any = np.float32,
    observers: Mapping[str, Callable[[Snapshot], Any]] | None = None,
    observe_at: Sequence[int] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> TrainingRun:
    """Train a network from several starts at once.

    Parameters
    ----------
    network : Network
        From `finite_network` or `linearize`.
    training : Training
        Optimiser, learning rate, steps, loss, batches.
    X : array (n, *network.shape)
    y : array (n, n_outputs), or (n,)
        (n,) for one output, or for classes 0, 1, ... with cross-entropy.
    sample_weight : array (n,), default=None
        Weights > 0: the loss is the weighted mean over examples. Batches are drawn as without,
        and take the mean over theirs of losses times weights over the mean weight of all.
    seeds : sequence of int, default=(0,)
        Each gives a start (``network.init(seed)``) and an order of batches.
    params : stacked parameters, default=None
        Starts to use instead of those of the seeds, one for each seed.
    dtype : float32 or float64, default=float32
        Of parameters and arithmetic. float64 is on during the call only.
    observers : mapping of str to callable, default=None
        Called with a `Snapshot` at every step of `observe_at`; must return an array of one
        shape. None for ``{"loss": ObserveLoss()}``. An `Observer` may end the training
        (`ObserveLossUntil`).
    observe_at : sequence of int, default=None
        Steps, from 0 to ``training.n_steps``. None for `log_steps`.
    checkpoint : path, default=None
        An .npz file, written at every observed step, every half minute and on Ctrl-C. If it
        is there the run goes on from it, to the same bits as without the interruption (same
        versions and hardware).
    progress : bool, default=None
        Bar at once (True), never (False), or after two seconds on terminals and in notebooks.

    Returns
    -------
    TrainingRun

    Raises
    ------
    SpecError, ShapeError
        If data, seeds, dtype or observers are not as described; before anything is trained.
    PlanError
        If the networks cannot be held.
    DivergenceError
        If the loss of a seed is no number or grows a million times; names step, learning
        rate and the stable bound at the start.
    StoreMismatchError, DataError
        If the checkpoint is another run's, or damaged.

    Notes
    -----
    Holds parameters and optimiser state of all seeds, activations of one batch of all seeds.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import Training, finite_network, train
    >>> X = np.eye(3)
    >>> network = finite_network(fully_connected(1), (3,), width=32)
    >>> run = train(network, Training(0.5, 50), X, [1, 0, -1], seeds=(0, 1))
    >>> run.predict(X).shape, bool(np.all(run.observed["loss"][-1] < 0.1))
    ((2, 3, 1), True)
    """
    run = ReadyRun(network, training, (X, y, sample_weight), seeds, params, dtype)
    watch = _check_observers(observers)
    at = _check_steps(observe_at, training.n_steps) if watch else ()
    with precision(run.dtype):
        state = State(0, run.trained, run.steps.start(run.trained), {name: [] for name in watch})
        file = None
        if checkpoint is not None:
            given = None if params is None else run.start
            config = describe_run(network, training, run.data, run.seeds, given, dict(watch), at)
            file = Checkpoint(checkpoint, config)
            state = file.load(state) or state
        bar = _progress_bar(training.n_steps, state.step, progress)
        with bar:
            try:
                _go_on(run, state, watch, at, file, bar)
            except KeyboardInterrupt:
                if file is not None:
                    file.save(state)
                raise
        seen = len(next(iter(state.observed.values()), ()))
        return TrainingRun(
            network,
            training,
            run.seeds,
            network.join(state.trained, run.fixed),
            run.start,
            np.array(at[:seen], dtype=np.int64),
            {name: np.array(values) for name, values in state.observed.items()},
        )


def _go_on(
    run: ReadyRun,
    state: State,
    observers: Mapping[str, Callable[[Snapshot], Any]],
    at: tuple[int, ...],
    file: Checkpoint | None,
    bar: Any,
) -> None:
    """Take the state to the last step, observing and saving on the way."""
    seen = len(next(iter(state.observed.values()), ()))
    stops = [*((step, True) for step in at[seen:]), (run.training.n_steps, False)]
    call, saved = 1, time.monotonic()
    for stop, observed in stops:
        if _is_over(run, state, observers):
            run.finish(state)
            return
        while state.step < stop:
            began = time.monotonic()
            run.advance(state, min(stop, state.step + call))
            bar.update(state.step - bar.n)
            now = time.monotonic()
            if now - began < _CALL_SECONDS / 2:
                call *= 2
            elif now - began > 2 * _CALL_SECONDS:
                call = max(1, call // 2)
            if file is not None and now - saved > _SAVE_SECONDS:
                file.save(state)
                saved = now
        if observed:
            _observe(run, state, observers)
        else:
            run.finish(state)
        if file is not None:
            file.save(state)
            saved = time.monotonic()


def _observe(run: ReadyRun, state: State, observers: Mapping[str, Callable[..., Any]]) -> None:
    """Call every observer and keep what it gives, all or none."""
    snapshot = _snapshot(run, state)
    found = {name: np.asarray(observe(snapshot)) for name, observe in observers.items()}
    for name, value in found.items():
        before = state.observed[name]
        if before and before[0].shape != value.shape:
            raise ShapeError(
                f"train: observer {name!r} gave an array of shape {value.shape} at step "
                f"{state.step}, and {before[0].shape} before. It must not change."
            )
    for name, value in found.items():
        state.observed[name].append(value)


def _is_over(run: ReadyRun, state: State, observers: Mapping[str, Callable[..., Any]]) -> bool:
    """Whether some observer ended the training at the last step that was observed."""
    return any(
        observer.is_last(state.observed[name][-1], _snapshot(run, state))
        for name, observer in observers.items()
        if isinstance(observer, Observer) and state.observed[name]
    )


def _snapshot(run: ReadyRun, state: State) -> Snapshot:
    return Snapshot(
        run.network,
        state.step,
        run.network.join(state.trained, run.fixed),
        run.start,
        run.X,
        run.y,
        run.training.loss,
        run.weights,
    )


def _check_observers(observers: Any) -> Mapping[str, Callable[..., Any]]:
    if observers is None:
        return {"loss": ObserveLoss()}
    named = isinstance(observers, Mapping) and all(isinstance(name, str) for name in observers)
    if not named or not all(callable(o) for o in observers.values()):
        raise SpecError(
            "train: observers must map names to callables, e.g. "
            f'{{"loss": ObserveLoss()}}; got {observers!r}.'
        )
    return observers


def _check_steps(observe_at: Any, n_steps: int) -> tuple[int, ...]:
    if observe_at is None:
        return log_steps(n_steps)
    found = np.asarray(observe_at)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise SpecError(f"train: observe_at must be whole steps; got {observe_at!r}.")
    steps = tuple(sorted(set(found.tolist())))
    if steps and (steps[0] < 0 or steps[-1] > n_steps):
        raise SpecError(
            f"train: observe_at must lie between 0 and n_steps = {n_steps}; got {observe_at!r}."
        )
    return steps


def _progress_bar(n_steps: int, done: int, progress: bool | None) -> Any:
    # A notebook's stderr is no terminal, yet shows bars; a log file would fill with them.
    disable = None if progress is None and "ipykernel" not in sys.modules else progress is False
    return tqdm(
        total=n_steps,
        initial=done,
        unit="step",
        disable=disable,
        delay=0.0 if progress else _BAR_AFTER,
        leave=bool(progress),
        desc="train",
    )
