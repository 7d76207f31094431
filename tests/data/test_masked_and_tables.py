"""What is handed in masked, and what comes out as tables."""

import numpy as np
import pytest
import sklearn

from ntkreg.data import (
    ChannelStandardizer,
    ZCAWhitener,
    balanced_draws,
    downscale_images,
    fingerprint_arrays,
)
from ntkreg.data.images import make_image_data
from ntkreg.errors import SpecError
from ntkreg.studies.shared.regression import regress_classes

X = np.random.default_rng(0).normal(size=(6, 4, 4, 3))
y = np.arange(6) % 2
GRAM = X.reshape(6, -1) @ X.reshape(6, -1).T


def hidden(array):
    masked = np.ma.array(array)
    masked[0] = np.ma.masked
    return masked


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: downscale_images(hidden(X), 2), "downscale_images: X"),
        (lambda: balanced_draws(hidden(y), 2, 1, 0), "balanced_draws: y"),
        (lambda: fingerprint_arrays(X, hidden(y)), "fingerprint_arrays: array 1"),
        (lambda: make_image_data(hidden(X), y, X, y, None, "set"), "set: X_train"),
        (lambda: make_image_data(X, y, X, hidden(y), None, "set"), "set: y_test"),
        (
            lambda: regress_classes(
                hidden(GRAM), GRAM, np.arange(6), y, np.arange(2), alpha=1, alpha_scale="absolute"
            ),
            "regress_classes: K",
        ),
    ],
)
def test_masked_values_are_refused_by_name(call, name):
    with pytest.raises(SpecError, match=f"^{name} is a masked array"):
        call()


def test_masks_that_hide_nothing_are_no_matter():
    whole = np.ma.array(X)
    np.testing.assert_array_equal(downscale_images(whole, 2), downscale_images(X, 2))
    assert balanced_draws(np.ma.array(y), 2, 1, 0).shape == (1, 2)


@pytest.mark.parametrize("n", [2.0, True, "2", None, 0, np.float64(2)])
def test_draws_of_no_integer_are_refused(n):
    for settings in ((n, 1, 0), (2, n, 0)):
        with pytest.raises(SpecError, match=r"balanced_draws: n.* must be >= 1"):
            balanced_draws(y, *settings)
    with pytest.raises(SpecError, match="side must divide"):
        downscale_images(X, n)


def test_numpys_integers_are_as_good_as_pythons():
    drawn = balanced_draws(y, np.int64(2), np.uint8(3), np.int32(1))
    np.testing.assert_array_equal(drawn, balanced_draws(y, 2, 3, 1))
    np.testing.assert_array_equal(downscale_images(X, np.int64(2)), downscale_images(X, 2))


@pytest.mark.parametrize("make", [ChannelStandardizer, ZCAWhitener])
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_images_stay_arrays_and_rows_become_tables(make, container):
    wanted = make().fit_transform(X)
    step = make().set_output(transform=container)
    for images in (step.fit_transform(X), step.transform(X)):
        assert type(images) is np.ndarray
        np.testing.assert_array_equal(images, wanted)
    rows = X.reshape(6, -1)
    step = make().set_output(transform=container)
    for table in (step.fit_transform(rows), step.transform(rows)):
        assert type(table).__module__.startswith(container)
        np.testing.assert_array_equal(table.to_numpy(), make().fit_transform(rows))
    with sklearn.config_context(transform_output=container):
        assert type(make().fit_transform(X)) is np.ndarray
        assert type(make().fit(X).transform(X)) is np.ndarray
