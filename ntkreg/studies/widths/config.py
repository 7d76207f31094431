"""Settings of the width-scaling study."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ntkreg.architecture import Architecture, Dense, from_dict, to_dict
from ntkreg.errors import SpecError
from ntkreg.studies.shared.config import (
    PREPROCESSINGS,
    check_choice,
    check_int,
    check_ints,
    check_number,
    check_positive,
    check_source,
)

__all__ = ["PARAMETRIZATIONS", "WidthsConfig", "network_of"]

PARAMETRIZATIONS = ("ntk", "mup")
"""Lazy and feature-learning: both keep one learning rate at every width. The standard
parametrisation at rates 1/width is the ntk one again, with a rate for each layer."""


@dataclass(frozen=True)
class WidthsConfig:
    """Settings of `run_widths`; every key of the YAML file.

    Attributes
    ----------
    data : str
        digits (scikit-learn's, nothing is downloaded), the path of an .npz file with
        x_train, y_train, x_test, y_test, or of CIFAR-10's official folder or .tar.gz.
    positive : tuple of int
        Labels whose target is +1; that of all others is -1. Networks have one output.
    architecture : mapping
        A recipe and its arguments, {recipe: fully_connected} or {recipe: cntk, readout:
        gap}; its depth is that of depths.
    depths : tuple of int
        Hidden layers.
    parametrizations : tuple of str
        ntk, mup or both.
    widths : tuple of int
        Units or channels of every hidden layer, at least 3 widths.
    n_seeds : tuple of int
        Trained networks of each width, at least 2: one number for all or one for each.
    n_starts : tuple of int
        Starts of each width whose kernels are measured: one number for all or one for
        each. Kernels of single starts scatter more than what training does to them, and
        a start without training is cheap. Where it is less than n_seeds, n_seeds counts.
    n_train, n_test : int
        Training inputs, even, half of them with target +1, drawn at random; and the first
        so many test inputs.
    downscale : int or None
        Side to which images are averaged down; null leaves them as they are.
    preprocessing : {"channel", "zca", "none"}
        channel: each channel to mean 0, std 1, statistics from the training inputs. zca:
        each image to mean 0 and norm 1, then whitened. none: as they come.
    zca_regularization : float
        Of zca, > 0: what is added to each eigenvalue, in units of their mean.
    rate : float
        Learning rate of full-batch gradient descent, in units of the largest stable one
        of the infinitely wide network, 0 < rate < 1; the same for all widths.
    n_steps : int
        Steps of training.
    seed : int
        Of the draw of training inputs and of all starts.
    """

    recorded_as: ClassVar[str] = "Widths"

    data: str
    positive: tuple[int, ...]
    architecture: dict[str, Any]
    depths: tuple[int, ...] = (1, 3)
    parametrizations: tuple[str, ...] = PARAMETRIZATIONS
    widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 1024)
    n_seeds: tuple[int, ...] = (16,)
    n_starts: tuple[int, ...] = (128,)
    n_train: int = 128
    n_test: int = 128
    downscale: int | None = None
    preprocessing: str = "channel"
    zca_regularization: float = 0.1
    rate: float = 0.5
    n_steps: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        source = check_source("data", self.data, "'digits' or a path")
        object.__setattr__(self, "data", source)
        object.__setattr__(self, "positive", check_ints("positive", self.positive, 0))
        object.__setattr__(self, "depths", check_ints("depths", self.depths, 1))
        object.__setattr__(self, "architecture", _checked(self.architecture, self.depths[0]))
        object.__setattr__(self, "parametrizations", _names(self.parametrizations))
        widths = check_ints("widths", self.widths, 1)
        if len(widths) < 3:
            raise SpecError(f"widths must be at least 3, for a slope; got {list(widths)}.")
        order = sorted(range(len(widths)), key=widths.__getitem__)
        object.__setattr__(self, "widths", tuple(widths[i] for i in order))
        for key, least in (("n_seeds", 2), ("n_starts", 0)):
            counts = _counts(key, getattr(self, key), least, len(widths))
            object.__setattr__(self, key, tuple(counts[i] for i in order))
        check_int("n_train", self.n_train, 2)
        if self.n_train % 2:
            raise SpecError(f"n_train must be even, half for each target; got {self.n_train}.")
        check_int("n_test", self.n_test, 1)
        if self.downscale is not None:
            check_int("downscale", self.downscale, 1)
        check_choice("preprocessing", self.preprocessing, PREPROCESSINGS)
        zca = check_positive("zca_regularization", self.zca_regularization)
        object.__setattr__(self, "zca_regularization", zca)
        rate = check_number("rate", self.rate, 0)
        if not 0 < rate < 1:
            raise SpecError(f"rate must be between 0 and 1, in stable rates; got {self.rate!r}.")
        object.__setattr__(self, "rate", rate)
        check_int("n_steps", self.n_steps, 1)
        check_int("seed", self.seed, 0)


def network_of(config: WidthsConfig, depth: int) -> Architecture:
    """Return the architecture of a number of hidden layers."""
    return from_dict(config.architecture).replace(depth=depth)


def _checked(spec: Any, depth: int) -> dict[str, Any]:
    """Return a recipe with all its arguments, so that the stored configuration says them."""
    network = from_dict(spec)
    if network.recipe is None or "depth" not in network.get_params():
        raise SpecError(
            f"architecture must be a recipe with a depth (fully_connected, cntk); got {network!r}."
        )
    network = network.replace(depth=depth)
    last = network.layers[-1]
    if not isinstance(last, Dense) or not last.trainable:
        raise SpecError(
            f"architecture must end in a trained Dense layer; got {network!r}. "
            "Leave train_last at true."
        )
    return to_dict(network)


def _names(given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not hasattr(given, "__iter__") or not list(given):
        raise SpecError(
            f"parametrizations must be a list of {', '.join(PARAMETRIZATIONS)}; got {given!r}."
        )
    for name in given:
        check_choice("parametrizations", name, PARAMETRIZATIONS)
    return tuple(dict.fromkeys(given))


def _counts(key: str, given: Any, least: int, n_widths: int) -> list[int]:
    counts = list(given) if isinstance(given, tuple | list) else [given]
    counts = [check_int(f"{key}[{i}]", n, least) for i, n in enumerate(counts)]
    if len(counts) == 1:
        counts *= n_widths
    if len(counts) != n_widths:
        raise SpecError(
            f"{key} must be one number, or one for each of the {n_widths} widths; "
            f"got {len(counts)}."
        )
    return counts
