import numpy as np
import pytest

from ntkreg.data import downscale_images
from ntkreg.errors import ShapeError, SpecError


def test_pixels_are_means_of_squares_whatever_the_dtype():
    images = np.random.default_rng(0).integers(0, 256, size=(3, 12, 12, 2), dtype=np.uint8)
    for dtype, expected in ((np.uint8, np.float32), (np.float32, np.float32), (float, float)):
        small = downscale_images(images.astype(dtype), 4)
        assert small.shape == (3, 4, 4, 2)
        assert small.dtype == expected
        assert small[1, 2, 3, 1] == pytest.approx(images[1, 6:9, 9:12, 1].mean())
    np.testing.assert_array_equal(downscale_images(images, 12), images)


def test_sizes_that_do_not_fit_are_refused_with_those_that_do():
    with pytest.raises(
        SpecError, match=r"divide the images' 12 pixels \(1, 2, 3, 4, 6, 12\); got 5"
    ):
        downscale_images(np.zeros((1, 12, 12, 1)), 5)
    with pytest.raises(SpecError, match="got 24"):
        downscale_images(np.zeros((1, 12, 12, 1)), 24)
    with pytest.raises(ShapeError, match=r"square images.*got \(1, 12, 8, 1\)"):
        downscale_images(np.zeros((1, 12, 8, 1)), 4)
    with pytest.raises(ShapeError, match="square images"):
        downscale_images(np.zeros((5, 144)), 4)


def test_pixels_whose_sums_overflow_are_refused():
    for X in (np.full((1, 4, 4, 1), 1e308), np.full((1, 4, 4, 1), 2e38, np.float32)):
        with pytest.raises(SpecError, match="sums of pixels overflow"):
            downscale_images(X, 2)
