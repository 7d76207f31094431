"""Singular values along gradient descent, beside the differential equation that they follow."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from ntkreg.cpus import one_blas_thread
from ntkreg.factorization import NuclearNormCompletion
from ntkreg.factorization.descent import Point, Training, descend
from ntkreg.factorization.entries import read_entries
from ntkreg.factorization.product import ProductLoss
from ntkreg.factorization.starts import start
from ntkreg.studies.complete.task import Task

__all__ = [
    "DEPTHS",
    "MOST_STEPS",
    "NUMBERS",
    "N_FOLLOWED",
    "SHARES",
    "PathSpec",
    "count_steps",
    "follow",
    "path_specs",
    "spectra",
]

DEPTHS = (1, 2, 3, 4)

SHARES = (0.1, 0.05)
"""Of 1/curvature, each step: half of it tells an error of the steps from one of the equation."""

N_FOLLOWED = 10
"""Singular values, the largest."""

NUMBERS = ("deviation", "steps", "loss")
"""What is kept of a path beside its spec and its points."""

_TOL = 1e-4
"""Loss at which a path ends: later singular values stand still."""

MOST_STEPS = 20_000
"""After which a path ends in any case."""

_N_POINTS = 150
"""Of a path that are kept."""


@dataclass(frozen=True)
class PathSpec:
    """Which path: its instance, depth and share of 1/curvature."""

    kind: ClassVar[str] = "path"

    instance: int
    depth: int
    share: float


def path_specs(task: Task) -> list[PathSpec]:
    """Return every path that the study follows."""
    numbers = range(min(task.config.n_paths, task.config.n_instances))
    return [PathSpec(i, depth, share) for i in numbers for depth in DEPTHS for share in SHARES]


class _Follower:
    """Observes descent: singular values, and what the equation makes of the gradient.

    Attributes
    ----------
    lines : list of (float, float, ndarray, ndarray)
        Time, loss, singular values, and the sum of the equation's right-hand side so far.
    """

    def __init__(self, objective: ProductLoss, depth: int, kept: int) -> None:
        self._objective, self._depth, self._kept = objective, depth, kept
        self.lines: list[tuple[float, float, np.ndarray, np.ndarray]] = []
        self._slope = np.zeros(kept)

    def __call__(self, point: Point) -> None:
        left, sigma, right = np.linalg.svd(self._objective.product)
        left, sigma, right = left[:, : self._kept], sigma[: self._kept], right[: self._kept]
        along = np.einsum("ir,ij,rj->r", left, self._objective.error, right, optimize=True)
        n = self._depth
        slope = -n * sigma ** (2 - 2 / n) * along
        if self.lines:
            before, _, _, total = self.lines[-1]
            total = total + (point.time - before) * (slope + self._slope) / 2  # trapezoidal rule
        else:
            total = sigma.copy()
        self._slope = slope
        self.lines.append((point.time, point.loss, sigma, total))


@one_blas_thread()
def follow(task: Task, spec: PathSpec) -> dict[str, Any]:
    r"""Follow one path from a balanced start.

    Returns
    -------
    dict
        Of the spec; deviation: the largest distance, over the path and the singular values, of
        :math:`\sigma_r` from the integral of
        :math:`-N (\sigma_r^2)^{1-1/N} \langle \nabla\ell(W), u_r v_r^T \rangle` along the path,
        over the largest singular value; steps, loss; points: at some of the steps time, loss,
        the singular values and the integrals.

    References
    ----------
    Arora et al. 2019 (arXiv 1905.13655), theorem 3.
    """
    objective, go = _path(task, spec)
    follower = _Follower(objective, spec.depth, min(N_FOLLOWED, *objective.entries.shape))
    end = go(follower)
    sigma = np.array([line[2] for line in follower.lines])
    integral = np.array([line[3] for line in follower.lines])
    chosen = np.unique(np.linspace(0, end.step, _N_POINTS).round().astype(int))
    points = [
        [float(follower.lines[k][0]), follower.lines[k][1], sigma[k].tolist(), integral[k].tolist()]
        for k in chosen
    ]
    return {
        **asdict(spec),
        "deviation": float(np.abs(sigma - integral).max() / sigma.max()),
        "steps": end.step,
        "loss": end.loss,
        "points": points,
    }


def count_steps(task: Task, spec: PathSpec, seconds: float) -> int | None:
    """Return how many steps a path takes, followed without its singular values; None if long."""
    _, go = _path(task, spec)
    until = time.perf_counter() + seconds

    def watch(point: Point) -> None:
        if time.perf_counter() > until:
            raise TimeoutError

    try:
        return go(watch).step
    except TimeoutError:
        return None


def _path(
    task: Task, spec: PathSpec
) -> tuple[ProductLoss, Callable[[Callable[[Point], None]], Point]]:
    """Return what a path goes down, and what goes down it under the eyes of an observer."""
    config = task.config
    given = task.instance(config.reference_rank or 0, task.reference_seen, spec.instance)
    entries = read_entries("complete", given.rows, given.cols, given.values, given.shape)
    objective = ProductLoss(entries, spec.depth)
    rng = np.random.default_rng([config.seed, spec.instance, spec.depth])
    scale = config.init_scales[0]
    theta = start("balanced", given.shape, spec.depth, None, scale, rng)
    training = Training(tol=_TOL, max_iter=min(MOST_STEPS, config.max_steps), share=spec.share)
    return objective, lambda observe: descend(objective, theta, training, rng, observe)


def spectra(task: Task) -> dict[str, np.ndarray]:
    """Return singular values of the first instance at the reference.

    Returns
    -------
    dict of str to ndarray
        nuclear: of the least nuclear norm; truth: of the matrix itself, NaN of ratings.
    """
    given = task.instance(task.config.reference_rank or 0, task.reference_seen, 0)
    model = NuclearNormCompletion().fit(given.rows, given.cols, given.values, shape=given.shape)
    found = np.linalg.svd(model.matrix_, compute_uv=False)
    truth = np.full(len(found), np.nan)
    if task.ratings is None:
        whole = np.empty(given.shape)
        whole[given.held_out[:2]] = given.held_out[2]
        truth = np.linalg.svd(whole, compute_uv=False)
    return {"nuclear": found, "truth": truth}
