"""Settings of the few-samples study, and the network they describe."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ntkreg.architecture import Activation, Architecture, Layer, Residual, from_dict, to_dict
from ntkreg.errors import SpecError
from ntkreg.kernels.spec import PRECISIONS, KernelOptions
from ntkreg.studies.shared.config import (
    PREPROCESSINGS,
    check_choice,
    check_int,
    check_ints,
    check_number,
    check_options,
    check_positive,
    check_source,
)

__all__ = ["FewSamplesConfig", "hidden_layers", "network_of"]


@dataclass(frozen=True)
class _FewSamplesData:
    """What is learned: the keys of `FewSamplesConfig` that stand before the kernel's options.

    Attributes
    ----------
    data : str
        Path of an npz file with x_train, y_train, x_test, y_test (images n, h, w, c).
    architecture : mapping
        The network: {recipe: cntk, depth: 14, readout: gap}, {recipe: myrtle, depth: 5} or
        {layers: [...]}.
    depths : tuple of int or None
        Of recipe cntk: at which hidden layers to read, all from one pass, none above the
        architecture's depth. null: the network as it is.
    classes : tuple of int or None
        Labels to keep, two or more, in training and test images; null for all.
    pool : int
        Training images that all draws share, class-balanced; a multiple of the classes.
    n_test : int or None
        First so many test images (of the classes kept); null for all.
    n_samples : tuple of int
        Sizes of the draws, multiples of the number of classes, at most `pool`.
    n_draws : int
        Draws of each size.
    preprocessing : {"channel", "zca", "none"}
        "channel": each channel to mean 0, std 1, statistics from the pool.
        "zca": each image to mean 0 and norm 1, then whitened with the directions of the
        pool. "none": pixels as they come.
    zca_regularization : float
        Of "zca", > 0: what is added to each eigenvalue, in units of their mean.
    """

    recorded_as: ClassVar[str] = "FewSamples"

    data: str
    architecture: dict[str, Any]
    depths: tuple[int, ...] | None = None
    classes: tuple[int, ...] | None = None
    pool: int = 640
    n_test: int | None = 500
    n_samples: tuple[int, ...] = (10, 20, 40, 80, 160, 320)
    n_draws: int = 20
    preprocessing: str = "channel"
    zca_regularization: float = 0.1


@dataclass(frozen=True)
class FewSamplesConfig(KernelOptions, _FewSamplesData):
    """Settings of `run_few_samples`; every key of the YAML file, with those of its bases.

    Keys are stored and shown in the order of these classes: data, kernel, ridge.

    Attributes
    ----------
    alpha : float
        Ridge, >= 0; 0 is the plain solve.
    alpha_scale : {"absolute", "mean_diagonal"}
        Unit of `alpha`.
    dtype : {None, "float32", "mixed", "float64"}
        Of the kernel; null as in the estimators, "mixed" for images. Solves are float64.
    seed : int or None
        Of the pool; the draws take the next one. Draw i of a smaller size is part of draw
        i of a larger one. With the same data, classes, pool and seed, two kernels see the
        same images in every draw. null: nothing is drawn, the pool is the first `pool` training
        images, balanced or not, and the one draw of n (`n_draws` is 1) their first n.
    """

    alpha: float = 0.0
    alpha_scale: str = "mean_diagonal"
    dtype: str | None = None
    seed: int | None = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", check_source("data", self.data))
        # With all of the recipe's arguments, so that the stored configuration says them.
        object.__setattr__(self, "architecture", to_dict(from_dict(self.architecture)))
        if self.depths is not None:
            object.__setattr__(self, "depths", check_ints("depths", self.depths, 1))
            _check_depths(self.depths, self.architecture)
        if self.classes is not None:
            object.__setattr__(self, "classes", check_ints("classes", self.classes, 0))
            if len(self.classes) < 2:
                raise SpecError(f"classes must be two or more; got {list(self.classes)}.")
        check_int("pool", self.pool, 1)
        if self.n_test is not None:
            check_int("n_test", self.n_test, 1)
        object.__setattr__(self, "n_samples", check_ints("n_samples", self.n_samples, 1))
        if max(self.n_samples) > self.pool:
            raise SpecError(
                f"n_samples must be at most pool ({self.pool}); got {max(self.n_samples)}."
            )
        check_int("n_draws", self.n_draws, 1)
        check_choice("preprocessing", self.preprocessing, PREPROCESSINGS)
        object.__setattr__(
            self,
            "zca_regularization",
            check_positive("zca_regularization", self.zca_regularization),
        )
        check_options(self)
        object.__setattr__(self, "alpha", check_number("alpha", self.alpha, 0))
        check_choice("alpha_scale", self.alpha_scale, ("absolute", "mean_diagonal"))
        check_choice("dtype", self.dtype, PRECISIONS)
        if self.seed is not None:
            check_int("seed", self.seed, 0)
        elif self.n_draws != 1:
            raise SpecError(
                f"n_draws must be 1 where seed is null; got {self.n_draws}. The first n images are "
                "the same in every draw: give a seed to draw."
            )


def network_of(config: FewSamplesConfig) -> Architecture:
    """Return the network; with `depths` that of the greatest, of which the others are parts."""
    network = from_dict(config.architecture)
    return network if config.depths is None else network.replace(depth=max(config.depths))


def hidden_layers(network: Architecture) -> int:
    """Return the hidden layers of a network: its activations, along the longer branches.

    Examples
    --------
    >>> from ntkreg.architecture import cntk, myrtle
    >>> hidden_layers(cntk(14)), hidden_layers(myrtle(5))
    (14, 4)
    """
    return _activations(network.layers)


def _activations(layers: tuple[Layer, ...]) -> int:
    return sum(
        max(_activations(layer.body), _activations(layer.shortcut))
        if isinstance(layer, Residual)
        else isinstance(layer, Activation)
        for layer in layers
    )


def _check_depths(depths: tuple[int, ...], architecture: dict[str, Any]) -> None:
    if architecture.get("recipe") != "cntk":
        name = architecture.get("recipe", "a network given layer by layer")
        raise SpecError(
            f"depths must be null for {name}; got {list(depths)}. Only in recipe cntk do "
            "shorter networks begin like longer ones, so that one pass reads them all."
        )
    if max(depths) > architecture["depth"]:
        raise SpecError(
            f"depths must be at most architecture.depth ({architecture['depth']}); "
            f"got {max(depths)}. Raise architecture.depth."
        )
