"""Settings of the completion study."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ntkreg.errors import SpecError
from ntkreg.factorization.entries import check_bounds
from ntkreg.factorization.optimizers import OPTIMIZERS
from ntkreg.studies.shared.config import (
    check_choice,
    check_int,
    check_ints,
    check_number,
    check_positive,
    check_source,
    shortened,
)

__all__ = ["LONG", "LOW_RANK", "REFERENCE", "CompleteConfig"]

LOW_RANK = "low-rank"
"""What `matrix` is called where matrices are drawn."""

REFERENCE = "gd"
"""What other optimisers are compared with; always among them."""

LONG = "gd_long"
"""The same by long steps: how much of what the start decides is the steps' doing."""


@dataclass(frozen=True)
class CompleteConfig:
    """Settings of `run_complete`; every key of the YAML file.

    Attributes
    ----------
    matrix : str
        low-rank: random matrices U V^T / sqrt(rank), scaled to root mean square 1. Or the path of
        a file of ratings: u.data, ratings.dat or ratings.csv of MovieLens, or one like them.
    size : int
        Rows and columns of random matrices; of ratings the so many users and items with most.
    ranks : tuple of int or None
        Of random matrices; null for 5. Of ratings null.
    n_seen : tuple of int or None
        Entries that are seen, drawn uniformly; null for 2000, of ratings for all that are not
        held out.
    held_out : float
        Share of ratings that nothing is trained on: the error is theirs. Of random matrices it
        is that of all entries.
    bounds : tuple of float or None
        Least and largest rating, [1, 5]; a file with others is refused. Null: any.
    depths : tuple of int
        Factors of the deep linear networks.
    init_scales : tuple of float
        Of the start; the first is that of all runs that ask something else.
    optimizers : tuple of str
        gd, sgd, momentum, adam, adagrad, group_rmsprop, gd_long (gd by long steps, from every
        start at depth 2); gd is always among them.
    optimizer_depths : tuple of int
        Depths, some of `depths`, at which optimisers are compared.
    reference_rank, reference_seen : int or None
        Where starts, optimisers and paths are compared; null for the first rank, and the
        middle of n_seen.
    n_instances : int
        Matrices of every rank, or splits of the ratings, and starts: what intervals are over.
    n_paths : int
        Of them, those whose singular values are followed beside the differential equation.
    tol : float
        Mean square error over the seen entries at which runs end.
    max_steps : int
        Where runs end that do not reach it.
    seed : int
        Of matrices, draws and starts.
    """

    recorded_as: ClassVar[str] = "Complete"

    matrix: str
    size: int = 100
    ranks: tuple[int, ...] | None = None
    n_seen: tuple[int, ...] | None = None
    held_out: float = 0.1
    bounds: tuple[float, ...] | None = None
    depths: tuple[int, ...] = (2, 3, 4)
    init_scales: tuple[float, ...] = (1e-3, 1e-4, 1e-6)
    optimizers: tuple[str, ...] = tuple(OPTIMIZERS)
    optimizer_depths: tuple[int, ...] = (2, 3)
    reference_rank: int | None = None
    reference_seen: int | None = None
    n_instances: int = 5
    n_paths: int = 2
    tol: float = 1e-6
    max_steps: int = 1_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        self._set("matrix", check_source("matrix", self.matrix, "low-rank or a path"))
        check_int("size", self.size, 2)
        self._set("ranks", self._ranks())
        if self.n_seen is None and self.drawn:
            self._set("n_seen", (2000,))
        if self.n_seen is not None:
            self._set("n_seen", tuple(sorted(check_ints("n_seen", self.n_seen, 1))))
        if self.drawn and max(self.n_seen or ()) > self.size**2:
            raise SpecError(
                f"n_seen must be at most size^2, {self.size**2}, the entries of a matrix; got "
                f"{max(self.n_seen or ())}."
            )
        self._set("held_out", check_number("held_out", self.held_out, 0))
        if not 0 < self.held_out < 1:
            raise SpecError(f"held_out must be between 0 and 1; got {self.held_out:g}.")
        self._set("bounds", check_bounds("complete", self.bounds))
        self._set("depths", tuple(sorted(check_ints("depths", self.depths, 1))))
        self._set("init_scales", _scales(self.init_scales))
        self._set("optimizers", _optimizers(self.optimizers))
        self._set("optimizer_depths", check_ints("optimizer_depths", self.optimizer_depths, 1))
        for depth in self.optimizer_depths:
            check_choice("optimizer_depths", depth, self.depths)
        ranks, seen = self.ranks or (), self.n_seen or ()
        if self.reference_rank is None:
            self._set("reference_rank", ranks[0])
        check_choice("reference_rank", self.reference_rank, ranks)
        if self.reference_seen is None and seen:
            self._set("reference_seen", seen[len(seen) // 2])
        if seen:
            check_choice("reference_seen", self.reference_seen, seen)
        check_int("n_instances", self.n_instances, 1)
        check_int("n_paths", self.n_paths, 0)
        self._set("tol", check_positive("tol", self.tol))
        check_int("max_steps", self.max_steps, 1)
        check_int("seed", self.seed, 0)

    @property
    def drawn(self) -> bool:
        """Whether matrices are drawn, not read."""
        return self.matrix == LOW_RANK

    def _set(self, key: str, value: Any) -> None:
        object.__setattr__(self, key, value)

    def _ranks(self) -> tuple[int, ...]:
        if not self.drawn:
            if self.ranks is not None and list(self.ranks) != [0]:
                raise SpecError(
                    f"ranks are those of matrix: {LOW_RANK}; ratings have none. Leave it at null; "
                    f"got {shortened(self.ranks)}."
                )
            return (0,)
        ranks = check_ints("ranks", (5,) if self.ranks is None else self.ranks, 1)
        if max(ranks) > self.size:
            raise SpecError(f"ranks must be at most size, {self.size}; got {max(ranks)}.")
        return ranks


def _scales(given: Any) -> tuple[float, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise SpecError(f"init_scales must be a list of numbers above 0; got {shortened(given)}.")
    scales = tuple(check_positive(f"init_scales[{i}]", v) for i, v in enumerate(given))
    if len(set(scales)) < len(scales):
        raise SpecError(f"init_scales must be distinct; got {list(scales)}.")
    return scales


def _optimizers(given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise SpecError(f"optimizers must be a list of names; got {shortened(given)}.")
    for name in given:
        check_choice("optimizers", name, tuple(OPTIMIZERS))
    if REFERENCE not in given or len(set(given)) < len(given):
        raise SpecError(f"optimizers must be distinct, {REFERENCE} among them; got {list(given)}.")
    return tuple(given)
