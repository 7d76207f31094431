"""Settings of one fit."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ntkreg.architecture import from_dict, to_dict
from ntkreg.kernels.spec import PRECISIONS, KernelOptions
from ntkreg.studies.shared.config import (
    PREPROCESSINGS,
    check_choice,
    check_flag,
    check_int,
    check_number,
    check_options,
    check_positive,
    check_source,
)

__all__ = ["FitConfig"]


@dataclass(frozen=True)
class _FitData:
    """What is fitted: the keys of `FitConfig` that stand before the kernel's options.

    Attributes
    ----------
    data : str
        digits (scikit-learn's, nothing is downloaded), the path of an .npz file with
        x_train, y_train, x_test, y_test, or of CIFAR-10's official folder or .tar.gz.
    architecture : mapping
        The network: {recipe: cntk, depth: 5, readout: gap}, {recipe: fully_connected,
        depth: 3} or {layers: [...]}.
    task : {"classify", "regress"}
        What y holds: labels or numbers.
    n_train, n_test : int or None
        First so many training and test inputs; null for all.
    preprocessing : {"channel", "zca", "none"}
        channel: each channel (of table rows, each column) to mean 0, std 1, statistics
        from the training inputs. zca: each image to mean 0 and norm 1, then whitened with
        the directions of the training images. none: as they come.
    zca_regularization : float
        Of zca, > 0: what is added to each eigenvalue, in units of their mean.
    get : {"ntk", "nngp"}
        Which kernel of the network.
    """

    data: str
    architecture: dict[str, Any]
    task: str = "classify"
    n_train: int | None = None
    n_test: int | None = None
    preprocessing: str = "channel"
    zca_regularization: float = 0.1
    get: str = "ntk"


@dataclass(frozen=True)
class FitConfig(KernelOptions, _FitData):
    """Settings of `run_fit`; every key of the YAML file, with those of its bases.

    Keys are stored and shown in the order of these classes: data, kernel, ridge.

    Attributes
    ----------
    alpha : float
        Ridge, >= 0.
    alpha_scale : {"absolute", "mean_diagonal"}
        Unit of alpha: that of K, or the mean of K's diagonal.
    dtype : {None, "float32", "mixed", "float64"}
        Of the kernel; null as in the estimators. Solves are float64.
    store_kernel : bool
        Keep the kernel matrix under the output folder, tile by tile: a fit that was killed
        goes on where it was, and other ridges cost seconds.
    """

    recorded_as: ClassVar[str] = "Fit"

    alpha: float = 1e-4
    alpha_scale: str = "mean_diagonal"
    dtype: str | None = None
    store_kernel: bool = False

    def __post_init__(self) -> None:
        source = check_source("data", self.data, "'digits' or a path")
        object.__setattr__(self, "data", source)
        # With all of the recipe's arguments, so that the stored configuration says them.
        object.__setattr__(self, "architecture", to_dict(from_dict(self.architecture)))
        check_choice("task", self.task, ("classify", "regress"))
        for key in ("n_train", "n_test"):
            if getattr(self, key) is not None:
                check_int(key, getattr(self, key), 1)
        check_choice("preprocessing", self.preprocessing, PREPROCESSINGS)
        object.__setattr__(
            self,
            "zca_regularization",
            check_positive("zca_regularization", self.zca_regularization),
        )
        check_choice("get", self.get, ("ntk", "nngp"))
        check_options(self)
        object.__setattr__(self, "alpha", check_number("alpha", self.alpha, 0))
        check_choice("alpha_scale", self.alpha_scale, ("absolute", "mean_diagonal"))
        check_choice("dtype", self.dtype, PRECISIONS)
        check_flag("store_kernel", self.store_kernel)
