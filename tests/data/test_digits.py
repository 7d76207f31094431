import numpy as np
from sklearn.datasets import load_digits

from ntkreg.data import load_digits_images, load_digits_split


def test_digits_are_sklearns_pixels_over_16():
    X, y = load_digits_images()
    np.testing.assert_array_equal(X[..., 0] * 16, load_digits().images)
    assert X.dtype == np.float32
    assert X.shape == (1797, 8, 8, 1)
    np.testing.assert_array_equal(y, load_digits().target)


def test_split_is_in_the_order_of_the_data_set():
    data, (X, y) = load_digits_split(), load_digits_images()
    np.testing.assert_array_equal(np.concatenate([data.X_train, data.X_test]), X)
    np.testing.assert_array_equal(np.concatenate([data.y_train, data.y_test]), y)
    assert len(data.y_test) == 500
    assert data.class_names == tuple("0123456789")
