"""Settings of the precision study."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ntkreg.architecture import Architecture, from_dict
from ntkreg.errors import SpecError
from ntkreg.storage import check_name
from ntkreg.studies.shared.config import (
    PREPROCESSINGS,
    check_choice,
    check_int,
    check_ints,
    check_number,
    check_positive,
    check_source,
)

__all__ = ["PrecisionConfig"]


@dataclass(frozen=True)
class PrecisionConfig:
    """Settings of `run_precision`; every key of the YAML file.

    Attributes
    ----------
    data : str
        Path of an npz file with x_train, y_train, x_test, y_test (images n, h, w, c).
    networks : dict
        From a name to a network, written as in `ntkreg fit`. A recipe may have `depths`, a list,
        in place of its depth: all come from one pass.
    n_train : int
        Training images, class-balanced; a multiple of the classes.
    n_copies : int
        How many of them come a second time, changed a little, and how many as they are.
    copy_noise : int
        Greatest change of a changed copy, in grey levels: each number moves by a random
        integer up to it.
    n_test : int
        First so many test images.
    alphas : tuple of float
        Ridges, >= 0, in units of the mean of the kernel's diagonal.
    tolerance : float
        Up to which `relative_error` (see `compare_grams`) an alpha counts as safe.
    preprocessing : {"channel", "zca", "none"}
        As in `FewSamplesConfig`; statistics from the training images.
    zca_regularization : float
        Of "zca", > 0.
    seed : int
        Of the draw, the copies and their noise.
    """

    recorded_as: ClassVar[str] = "Precision"

    data: str
    networks: dict
    n_train: int = 50
    n_copies: int = 7
    copy_noise: int = 1
    n_test: int = 64
    alphas: tuple[float, ...] = (0.0, 1e-8, 1e-6, 1e-4)
    tolerance: float = 0.01
    preprocessing: str = "channel"
    zca_regularization: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", check_source("data", self.data))
        if not isinstance(self.networks, Mapping) or not self.networks:
            raise SpecError(
                f"networks must map at least one name to a network; got {self.networks!r}."
            )
        for name in self.networks:
            self.network(check_name("networks", name))
        check_int("n_train", self.n_train, 1)
        check_int("n_copies", self.n_copies, 1)
        if self.n_copies > self.n_train:
            raise SpecError(
                f"n_copies must be at most n_train ({self.n_train}); got {self.n_copies}."
            )
        check_int("copy_noise", self.copy_noise, 1)
        check_int("n_test", self.n_test, 1)
        if isinstance(self.alphas, str) or not hasattr(self.alphas, "__iter__"):
            raise SpecError(f"alphas must be a list of numbers >= 0; got {self.alphas!r}.")
        alphas = tuple(check_number(f"alphas[{i}]", a, 0) for i, a in enumerate(self.alphas))
        if not alphas or list(alphas) != sorted(set(alphas)):
            raise SpecError(f"alphas must be in rising order, at least one; got {list(alphas)}.")
        object.__setattr__(self, "alphas", alphas)
        object.__setattr__(self, "tolerance", check_positive("tolerance", self.tolerance))
        check_choice("preprocessing", self.preprocessing, PREPROCESSINGS)
        object.__setattr__(
            self,
            "zca_regularization",
            check_positive("zca_regularization", self.zca_regularization),
        )
        check_int("seed", self.seed, 0)

    def network(self, name: str) -> tuple[Architecture, tuple[int, ...] | None]:
        """Return a network of `networks`, and the depths to take from it or None."""
        described = self.networks[name]
        if not isinstance(described, Mapping):
            raise SpecError(f"networks[{name}] must be a mapping; got {described!r}.")
        described = dict(described)
        if "depths" not in described:
            return from_dict(described), None
        depths = check_ints(f"networks[{name}].depths", described.pop("depths"), 1)
        return from_dict({**described, "depth": max(depths)}), depths
