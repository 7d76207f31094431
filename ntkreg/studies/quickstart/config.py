"""Settings of the comparison on digits."""

from dataclasses import dataclass
from typing import ClassVar

from ntkreg.errors import SpecError
from ntkreg.studies.shared.config import check_choice, check_int, check_ints, check_number

__all__ = ["N_CLASSES", "QuickstartConfig"]

N_CLASSES = 10


@dataclass(frozen=True)
class QuickstartConfig:
    """Settings of `run_quickstart`.

    Attributes
    ----------
    n_images : int
        Digits used in all, class-balanced; a multiple of 10, at most 1740.
    n_train : tuple of int
        Sizes of the training sets, nested; what is left of the largest is tested on. Empty
        for those of 50, 100, 200 and 400 that are at most two thirds of `n_images`, or for
        just that many of fewer than 80 images.
    n_splits : int
        Random stratified splits into training and test images.
    dense_depth, conv_depth : int
        Hidden layers of the dense and of the convolutional networks.
    half_width : int
        c of local average pooling.
    alpha : float
        Ridge, in units of `alpha_scale`.
    alpha_scale : {"absolute", "mean_diagonal"}
    n_hardest : int
        Images to keep for the gallery of errors.
    n_shown : int
        Images, class-balanced, in the stored kernel heat maps, at most; a multiple of 10.
    seed : int
    """

    recorded_as: ClassVar[str] = "Quickstart"

    n_images: int = 600
    n_train: tuple[int, ...] = ()
    n_splits: int = 5
    dense_depth: int = 3
    conv_depth: int = 5
    half_width: int = 2
    alpha: float = 1e-4
    alpha_scale: str = "mean_diagonal"
    n_hardest: int = 12
    n_shown: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        check_int("n_images", self.n_images, 3 * N_CLASSES)
        n_train = self.n_train if self.n_train != () else _sizes_for(self.n_images)
        object.__setattr__(self, "n_train", check_ints("n_train", n_train, 2 * N_CLASSES))
        if max(self.n_train) > self.n_images - N_CLASSES:
            raise SpecError(
                f"n_train must leave at least {N_CLASSES} of n_images ({self.n_images}) "
                f"to test on; got {list(self.n_train)}. Raise n_images or lower n_train."
            )
        check_int("n_splits", self.n_splits, 1)
        check_int("dense_depth", self.dense_depth, 1)
        check_int("conv_depth", self.conv_depth, 1)
        check_int("half_width", self.half_width, 0)
        object.__setattr__(self, "alpha", check_number("alpha", self.alpha, 0))
        check_choice("alpha_scale", self.alpha_scale, ("absolute", "mean_diagonal"))
        check_int("n_hardest", self.n_hardest, 1)
        check_int("n_shown", self.n_shown, N_CLASSES)
        for key in ("n_images", "n_shown"):
            if getattr(self, key) % N_CLASSES:
                raise SpecError(
                    f"{key} must be a multiple of {N_CLASSES}; got {getattr(self, key)}."
                )
        object.__setattr__(self, "n_shown", min(self.n_shown, self.n_images))
        check_int("seed", self.seed, 0)


def _sizes_for(n_images: int) -> tuple[int, ...]:
    """Return training-set sizes that leave a third of the images or more to test on."""
    most = 2 * n_images // 3 // N_CLASSES * N_CLASSES
    return tuple(n for n in (50, 100, 200, 400) if n <= most) or (most,)
