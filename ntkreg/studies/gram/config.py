"""Settings of kernels to keep."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ntkreg.architecture import from_dict, to_dict
from ntkreg.errors import SpecError
from ntkreg.kernels import FIELDS
from ntkreg.kernels.spec import PRECISIONS, KernelOptions
from ntkreg.studies.shared.config import (
    PREPROCESSINGS,
    check_choice,
    check_int,
    check_ints,
    check_options,
    check_positive,
    check_source,
)

__all__ = ["GramConfig"]


@dataclass(frozen=True)
class _GramData:
    """Of what the kernel is: the keys of `GramConfig` that stand before the kernel's options.

    Attributes
    ----------
    data : str
        digits (scikit-learn's, nothing is downloaded), the path of an .npz file with
        x_train, y_train, x_test, y_test, or of CIFAR-10's official folder or .tar.gz.
    architecture : mapping
        The network: {recipe: cntk, depth: 5, readout: gap}, {recipe: fully_connected,
        depth: 3} or {layers: [...]}.
    get : tuple of str
        Which kernels of the network: ntk, nngp, or both from one pass.
    depths : tuple of int or None
        Of a recipe: several depths, from one pass; null for the network as it is.
    n_train : int or None
        First so many training inputs; null for all.
    n_test : int or None
        First so many test inputs, whose kernel with the training inputs is kept too; 0 for
        none, null for all.
    preprocessing : {"channel", "zca", "none"}
        As of `ntkreg fit`, with statistics from the training inputs.
    zca_regularization : float
        Of zca, > 0: what is added to each eigenvalue, in units of their mean.
    """

    data: str
    architecture: dict[str, Any]
    get: tuple[str, ...]
    depths: tuple[int, ...] | None = None
    n_train: int | None = None
    n_test: int | None = 0
    preprocessing: str = "channel"
    zca_regularization: float = 0.1


@dataclass(frozen=True)
class GramConfig(KernelOptions, _GramData):
    """Settings of `run_gram`; every key of the YAML file, with those of its bases.

    Attributes
    ----------
    dtype : {None, "float32", "mixed", "float64"}
        Of the kernel; null as in the estimators.
    tile : int or None
        Side of the tiles that the matrices are kept in, in inputs; null for a good one.
    """

    recorded_as: ClassVar[str] = "Gram"

    dtype: str | None = None
    tile: int | None = None

    def __post_init__(self) -> None:
        source = check_source("data", self.data, "'digits' or a path")
        object.__setattr__(self, "data", source)
        # With all of the recipe's arguments, so that the stored configuration says them.
        object.__setattr__(self, "architecture", to_dict(from_dict(self.architecture)))
        asked = [self.get] if isinstance(self.get, str) else list(self.get or ())
        if not asked or len(set(asked)) < len(asked) or not set(asked) <= set(FIELDS):
            raise SpecError(f"get must be a list of ntk, nngp or both; got {self.get!r}.")
        object.__setattr__(self, "get", tuple(name for name in FIELDS if name in asked))
        if self.depths is not None:
            object.__setattr__(self, "depths", check_ints("depths", self.depths, 1))
        if self.n_train is not None:
            check_int("n_train", self.n_train, 1)
        if self.n_test is not None:
            check_int("n_test", self.n_test, 0)
        check_choice("preprocessing", self.preprocessing, PREPROCESSINGS)
        check = check_positive("zca_regularization", self.zca_regularization)
        object.__setattr__(self, "zca_regularization", check)
        check_options(self)
        check_choice("dtype", self.dtype, PRECISIONS)
        if self.tile is not None:
            check_int("tile", self.tile, 1)
