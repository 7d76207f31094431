"""Settings of the few-samples study of finite networks."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

from ntkreg.architecture import from_dict, to_dict
from ntkreg.errors import SpecError
from ntkreg.studies.shared.config import (
    PREPROCESSINGS,
    check_choice,
    check_int,
    check_ints,
    check_positive,
    check_source,
)

__all__ = ["FewSamplesNetworkConfig"]


@dataclass(frozen=True)
class FewSamplesNetworkConfig:
    """Settings of `run_few_samples_network`; every key of the YAML file.

    Attributes
    ----------
    data : str
        Path of an npz file with x_train, y_train, x_test, y_test (images n, h, w, c).
    architecture : mapping
        The network: {recipe: cntk, depth: 4, readout: gap}, or {layers: [...]}.
    pool : int
        Training images that all draws share, class-balanced; a multiple of the classes.
    n_test : int or None
        First so many test images; None for all.
    n_samples : tuple of int
        Sizes of the draws, multiples of the number of classes, at most `pool`.
    n_draws : tuple of int
        Draws of each size, in the order of `n_samples`; one number stands for all. Large
        sizes cost more and spread less.
    width : int
        Channels or units of every hidden layer.
    parametrization : {"ntk", "standard", "mup"}
    loss : {"squared", "cross_entropy"}
        "squared": on labels e_c - 1/k, as the kernels.
    optimizer : str
        As in `FiniteNetworkClassifier`.
    learning_rate : float or None
        None: a tenth of the stable rate, found anew for each draw.
    n_steps : int
        Steps of every training, at least.
    n_epochs : int
        Times that every image of a draw is seen, at least: more steps where batches are small
        parts of a draw.
    batch_size : int or None
        Images of a step; all where a draw has no more, or with None.
    n_networks : int
        Networks trained on each draw.
    preprocessing : {"channel", "zca", "none"}
        As in the study of kernels: statistics from the pool.
    zca_regularization : float
        Of "zca", > 0.
    dtype : {"float32", "float64"}
    seed : int
        Of the pool; the draws take the next one, networks start from seed + draw.
    kernel_rows : str or None
        CSV file with the rows of a few-samples run of kernels on the same pool, test images
        and seed, to be compared draw by draw.
    kernel_depth : int or None
        Hidden layers of the kernel in those rows.
    """

    recorded_as: ClassVar[str] = "FewSamplesNetwork"

    data: str
    architecture: dict[str, Any]
    pool: int = 640
    n_test: int | None = 500
    n_samples: tuple[int, ...] = (10, 20, 40, 80, 160, 320)
    n_draws: tuple[int, ...] = (20,)
    width: int = 32
    parametrization: str = "standard"
    loss: str = "cross_entropy"
    optimizer: str = "adam"
    learning_rate: float | None = 1e-3
    n_steps: int = 100
    n_epochs: int = 0
    batch_size: int | None = None
    n_networks: int = 1
    preprocessing: str = "channel"
    zca_regularization: float = 0.1
    dtype: str = "float32"
    seed: int = 0
    kernel_rows: str | None = None
    kernel_depth: int | None = None

    def __post_init__(self) -> None:
        # Here, since it brings scikit-learn, for which `--help` should not wait.
        from ntkreg.estimators import OPTIMIZERS

        object.__setattr__(self, "data", check_source("data", self.data))
        object.__setattr__(self, "architecture", to_dict(from_dict(self.architecture)))
        check_int("pool", self.pool, 1)
        if self.n_test is not None:
            check_int("n_test", self.n_test, 1)
        object.__setattr__(self, "n_samples", check_ints("n_samples", self.n_samples, 1))
        if max(self.n_samples) > self.pool:
            raise SpecError(
                f"n_samples must be at most pool ({self.pool}); got {max(self.n_samples)}."
            )
        object.__setattr__(self, "n_draws", _draws(self.n_draws, len(self.n_samples)))
        for key, least in (
            ("width", 1),
            ("n_steps", 1),
            ("n_networks", 1),
            ("n_epochs", 0),
            ("seed", 0),
        ):
            check_int(key, getattr(self, key), least)
        if self.batch_size is not None:
            check_int("batch_size", self.batch_size, 1)
        if self.learning_rate is not None:
            rate = check_positive("learning_rate", self.learning_rate)
            object.__setattr__(self, "learning_rate", rate)
        check_choice("parametrization", self.parametrization, ("ntk", "standard", "mup"))
        check_choice("optimizer", self.optimizer, tuple(OPTIMIZERS))
        if self.learning_rate is None and not OPTIMIZERS[self.optimizer]:
            raise SpecError(f"learning_rate must be given: {self.optimizer} has no stable rate.")
        check_choice("loss", self.loss, ("squared", "cross_entropy"))
        check_choice("preprocessing", self.preprocessing, PREPROCESSINGS)
        whitening = check_positive("zca_regularization", self.zca_regularization)
        object.__setattr__(self, "zca_regularization", whitening)
        check_choice("dtype", self.dtype, ("float32", "float64"))
        if self.kernel_rows is not None:
            rows = check_source("kernel_rows", self.kernel_rows, "the path of a CSV file")
            object.__setattr__(self, "kernel_rows", rows)
        if (self.kernel_rows is None) != (self.kernel_depth is None):
            raise SpecError("kernel_rows and kernel_depth go together: give both or neither.")
        if self.kernel_depth is not None:
            check_int("kernel_depth", self.kernel_depth, 1)


def _draws(value: Any, n_sizes: int) -> tuple[int, ...]:
    given = [value] if isinstance(value, Integral) else value
    if isinstance(given, str) or not isinstance(given, list | tuple):
        raise SpecError(f"n_draws must be integers >= 1; got {value!r}.")
    numbers = tuple(check_int(f"n_draws[{i}]", v, 1) for i, v in enumerate(given))
    if len(numbers) not in (1, n_sizes):
        raise SpecError(
            f"n_draws must be one number, or one for each of {n_sizes} n_samples; got {value!r}."
        )
    return numbers * n_sizes if len(numbers) == 1 else numbers
