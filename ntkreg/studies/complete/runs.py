"""One completion of one instance."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from ntkreg.errors import DivergenceError
from ntkreg.factorization import DeepMatrixFactorization, NuclearNormCompletion
from ntkreg.factorization.path import spectrum_of
from ntkreg.studies.complete.config import LONG, REFERENCE
from ntkreg.studies.complete.task import Task

__all__ = ["NUMBERS", "OUTCOMES", "RunSpec", "complete", "run_specs"]

OUTCOMES = ("reached", "not reached", "diverged")
"""Whether a run came to the loss, or to the duality gap, that it was to reach."""

NUMBERS = (
    *("error", "least_error", "loss", "steps", "seconds"),
    *spectrum_of(np.ones(1)),
)
"""What a row holds beside its spec and its outcome."""


@dataclass(frozen=True)
class RunSpec:
    """What is completed how.

    Attributes
    ----------
    rank, n_seen, instance : int
        Which matrix.
    depth : int
        0: the least nuclear norm, which has neither start nor optimiser.
    init_scale : float
    optimizer : str
    """

    kind: ClassVar[str] = "run"

    rank: int
    n_seen: int
    instance: int
    depth: int
    init_scale: float = 0.0
    optimizer: str = ""


def run_specs(task: Task) -> Iterator[RunSpec]:
    """Yield every run once: the window, then starts and optimisers at the reference."""
    config, done = task.config, set()
    first = config.init_scales[0]
    assert config.ranks is not None  # filled when they were checked
    for number in range(config.n_instances):
        for rank in config.ranks:
            for n_seen in task.n_seen:
                yield RunSpec(rank, n_seen, number, 0)
                for depth in config.depths:
                    spec = RunSpec(rank, n_seen, number, depth, first, REFERENCE)
                    done.add(spec)
                    yield spec
        reference = (config.reference_rank, task.reference_seen, number)
        others = [(d, s, REFERENCE) for d in config.depths for s in config.init_scales]
        others += [(d, first, o) for d in config.optimizer_depths for o in config.optimizers]
        if LONG in config.optimizers and 2 in config.depths:
            others += [(2, s, LONG) for s in config.init_scales]
        for other in others:
            spec = RunSpec(*reference, *other)  # type: ignore[arg-type]
            if spec not in done:
                done.add(spec)
                yield spec


def complete(task: Task, spec: RunSpec) -> dict[str, Any]:
    """Complete an instance and return its row.

    Returns
    -------
    dict
        Of the spec; error (mean square over what is held out), least_error (the
        smallest on the path: known only to who looks), loss, outcome, steps, seconds, and of the
        completed matrix nuclear_norm, effective_rank, schatten_2/3, schatten_1/2. Of a run that
        diverged all of these are NaN but its outcome and seconds.
    """
    config = task.config
    given = task.instance(spec.rank, spec.n_seen, spec.instance)
    seed = int(np.random.default_rng([config.seed, spec.instance, spec.depth]).integers(2**31))
    model: Any = NuclearNormCompletion()
    held_out = {}
    if spec.depth:
        model = DeepMatrixFactorization(
            spec.depth,
            spec.init_scale,
            optimizer=spec.optimizer,
            tol=config.tol,
            max_iter=config.max_steps,
            random_state=seed,
        )
        held_out = {"held_out": given.held_out}
    began = time.perf_counter()
    try:
        model.fit(given.rows, given.cols, given.values, shape=given.shape, **held_out)
    except DivergenceError:
        nothing = dict.fromkeys(NUMBERS, np.nan) | {"seconds": time.perf_counter() - began}
        return {**asdict(spec), **nothing, "outcome": "diverged"}
    seconds = time.perf_counter() - began
    matrix = model.matrix_
    rows, cols, values = given.held_out
    predicted = matrix[rows, cols]
    if config.bounds is not None:
        low, high = config.bounds
        predicted = np.clip(predicted, low, high)
    if spec.depth:
        loss, least = float(model.loss_), float(np.min(model.path_["error"]))
        reached = loss <= config.tol
    else:
        loss, least = 0.0, np.nan
        reached = model.nuclear_norm_ - model.dual_bound_ <= model.tol * model.nuclear_norm_
    sigma = np.linalg.svd(matrix, compute_uv=False)
    return {
        **asdict(spec),
        "error": float(np.mean((predicted - values) ** 2)),
        "least_error": least,
        "loss": loss,
        "outcome": "reached" if reached else "not reached",
        "steps": int(model.n_iter_),
        "seconds": seconds,
        **spectrum_of(sigma),
    }
