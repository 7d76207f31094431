"""What is completed: random matrices of low rank, or ratings of which some are held out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ntkreg.data import Ratings, load_ratings, most_rated
from ntkreg.errors import SpecError
from ntkreg.studies.complete.config import CompleteConfig

__all__ = ["Instance", "Task", "load_task"]


@dataclass(frozen=True, eq=False)
class Instance:
    """One matrix with its seen entries.

    Attributes
    ----------
    rows, cols, values : ndarray of shape (m,)
        Seen.
    shape : tuple of int
    held_out : (ndarray, ndarray, ndarray)
        Rows, columns and values of the entries that the error is of.
    """

    rows: np.ndarray
    cols: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]
    held_out: tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Task:
    """Where instances come from.

    Attributes
    ----------
    config : CompleteConfig
    ratings : Ratings or None
    n_seen : tuple of int
        As configured, or all ratings that are not held out.
    reference_seen : int
    source, sha256 : str
        Of the ratings; "low-rank" and "" of random matrices.
    """

    config: CompleteConfig
    ratings: Ratings | None
    n_seen: tuple[int, ...]
    reference_seen: int
    source: str
    sha256: str

    @property
    def shape(self) -> tuple[int, int]:
        """Of every matrix."""
        size = self.config.size
        return (size, size) if self.ratings is None else self.ratings.shape

    def instance(self, rank: int, n_seen: int, number: int) -> Instance:
        """Return an instance: fewer seen entries are some of the more of the same number."""
        rng = np.random.default_rng([self.config.seed, rank, number])
        if self.ratings is not None:
            return self._split(self.ratings, n_seen, rng)
        n = self.config.size
        left, right = rng.normal(size=(2, n, rank))
        truth = left @ right.T / np.sqrt(rank)
        truth *= n / np.linalg.norm(truth)
        rows, cols = np.divmod(rng.permutation(n * n), n)
        values = truth[rows, cols]
        seen = slice(n_seen)
        return Instance(rows[seen], cols[seen], values[seen], (n, n), (rows, cols, values))

    def _split(self, ratings: Ratings, n_seen: int, rng: np.random.Generator) -> Instance:
        order = rng.permutation(len(ratings.values))
        first = _n_held_out(self.config, ratings)
        out, seen = order[:first], order[first : first + n_seen]
        rows, cols, values = ratings.rows, ratings.cols, ratings.values
        held_out = (rows[out], cols[out], values[out])
        return Instance(rows[seen], cols[seen], values[seen], ratings.shape, held_out)


def load_task(config: CompleteConfig) -> Task:
    """Read what there is to read.

    Raises
    ------
    FileNotFoundError, DataError
        Of a file of ratings.
    SpecError
        More seen entries than ratings that are not held out.
    """
    if config.drawn:
        assert config.n_seen is not None  # filled when they were checked
        assert config.reference_seen is not None
        return Task(config, None, config.n_seen, config.reference_seen, config.matrix, "")
    ratings = most_rated(load_ratings(config.matrix, config.bounds), config.size)  # type: ignore[arg-type]
    left = len(ratings.values) - _n_held_out(config, ratings)
    n_seen = config.n_seen or (left,)
    if max(n_seen) > left:
        raise SpecError(
            f"n_seen must be at most the {left} ratings of the {ratings.shape[0]} users and "
            f"{ratings.shape[1]} items that are not held out; got {max(n_seen)}."
        )
    reference = config.reference_seen or n_seen[len(n_seen) // 2]
    return Task(config, ratings, n_seen, reference, Path(config.matrix).name, ratings.sha256)


def _n_held_out(config: CompleteConfig, ratings: Ratings) -> int:
    n = round(config.held_out * len(ratings.values))
    if not 1 <= n < len(ratings.values):
        raise SpecError(
            f"held_out={config.held_out:g} leaves none of {len(ratings.values)} ratings on one "
            "side. Take another share, or a larger size."
        )
    return n
