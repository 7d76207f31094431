import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntkreg.data import ChannelStandardizer, load_digits_images
from ntkreg.errors import ShapeError, SpecError

SHAPE = (5, 4, 3)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return rng.normal([10.0, -3.0, 0.5], [2.0, 0.1, 30.0], (40, *SHAPE))


@parametrize_with_checks([ChannelStandardizer()])
def test_scikit_learn_contract(estimator, check, monkeypatch):
    # Without it scikit-learn skips its check of array API inputs.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)


def test_every_channel_has_mean_0_and_std_1_over_all_pixels(images):
    Z = ChannelStandardizer().fit_transform(images)
    np.testing.assert_allclose(Z.mean(axis=(0, 1, 2)), 0, atol=1e-13)
    np.testing.assert_allclose(Z.std(axis=(0, 1, 2)), 1, rtol=1e-13)
    assert Z.dtype == np.float64


def test_more_rows_than_one_batch_give_the_same_statistics(images):
    many = np.concatenate([images] * 60)
    scaler, one = ChannelStandardizer().fit(many), ChannelStandardizer().fit(images)
    np.testing.assert_allclose(scaler.mean_, one.mean_, rtol=1e-13)
    np.testing.assert_allclose(scaler.scale_, one.scale_, rtol=1e-13)


def test_test_images_get_the_statistics_of_training(images):
    scaler = ChannelStandardizer().fit(images[:30])
    expected = (images[30:] - images[:30].mean(axis=(0, 1, 2))) / images[:30].std(axis=(0, 1, 2))
    np.testing.assert_allclose(scaler.transform(images[30:]), expected, rtol=1e-12)


def test_flat_rows_with_image_shape_equal_images(images):
    flat = images.reshape(len(images), -1)
    Z = ChannelStandardizer(image_shape=SHAPE).fit_transform(flat)
    np.testing.assert_array_equal(
        Z.reshape(images.shape), ChannelStandardizer().fit_transform(images)
    )
    assert Z.shape == flat.shape


def test_flat_rows_without_image_shape_are_columns(images):
    flat = images.reshape(len(images), -1)
    np.testing.assert_allclose(
        ChannelStandardizer().fit_transform(flat), StandardScaler().fit_transform(flat), rtol=1e-10
    )


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ("uint8", "float32"),
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
        ("int64", "float64"),
    ],
)
def test_dtype_follows_x(given, result):
    X = np.random.default_rng(0).integers(0, 100, (6, 2, 2, 3)).astype(given)
    before = X.copy()
    scaler = ChannelStandardizer().fit(X)
    assert scaler.transform(X).dtype == result
    assert scaler.mean_.dtype == np.float64
    np.testing.assert_array_equal(X, before)


def test_float32_statistics_do_not_cancel():
    X = np.random.default_rng(0).normal(1000, 0.1, (500, 4, 4, 1)).astype(np.float32)
    scaler = ChannelStandardizer().fit(X)
    np.testing.assert_allclose(scaler.scale_, X.astype(np.float64).std(), rtol=1e-10)


@pytest.mark.parametrize("value", [0, 7, 0.1, 1e-30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_constant_channel_is_centred_without_nan(images, value, dtype):
    X = images.astype(dtype)
    X[..., 1] = value
    scaler = ChannelStandardizer().fit(X)
    assert scaler.scale_[1] == 1
    np.testing.assert_allclose(scaler.transform(X)[..., 1], 0, atol=1e-6)


def test_black_images_stay_black():
    assert not ChannelStandardizer().fit_transform(np.zeros((3, 2, 2, 1), np.uint8)).any()


def test_inverse_gives_the_images_back(images):
    for X in (images, images.reshape(len(images), -1)):
        scaler = ChannelStandardizer(image_shape=SHAPE).fit(X)
        back = scaler.inverse_transform(scaler.transform(X))
        assert back.shape == X.shape
        np.testing.assert_allclose(back, X, rtol=1e-10, atol=1e-12)


def test_pickle_and_clone(images):
    scaler = ChannelStandardizer(image_shape=SHAPE).fit(images)
    again = pickle.loads(pickle.dumps(scaler))
    np.testing.assert_array_equal(again.transform(images), scaler.transform(images))
    assert clone(scaler).image_shape == SHAPE
    assert not hasattr(clone(scaler), "mean_")


def test_it_works_in_a_pipeline_of_flat_rows():
    X, y = load_digits_images()
    flat = X.reshape(len(X), -1)
    model = make_pipeline(ChannelStandardizer(image_shape=(8, 8, 1)), RidgeClassifier())
    assert model.fit(flat[:1000], y[:1000]).score(flat[1000:], y[1000:]) > 0.85


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_refused(images, bad):
    images[3, 1, 1, 1] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        ChannelStandardizer().fit(images)


@pytest.mark.parametrize("shape", [(0, 5, 4, 3), (3, 4, 5), (3,), (3, 0, 4, 3)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"0 sample|0 feature|dim|Expected 2D"):
        ChannelStandardizer().fit(np.zeros(shape))


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 0), "543", (5.0, 4, 3)])
def test_an_image_shape_that_is_none_is_refused(images, shape):
    with pytest.raises(ValueError, match="image_shape"):
        ChannelStandardizer(image_shape=shape).fit(images)


def test_an_image_shape_that_does_not_fit_is_refused(images):
    with pytest.raises(ShapeError, match=r"needs rows of 60 features; got images of shape \(4, 5"):
        ChannelStandardizer(image_shape=SHAPE).fit(images.swapaxes(1, 2))
    with pytest.raises(ShapeError, match="needs rows of 60 features; got 7 features"):
        ChannelStandardizer(image_shape=SHAPE).fit(np.zeros((3, 7)))


def test_transform_wants_the_shape_of_fit(images):
    scaler = ChannelStandardizer().fit(images)
    with pytest.raises(ShapeError, match="60 channels, but it was fitted on 3"):
        scaler.transform(images.reshape(len(images), -1))
    with pytest.raises(ValueError, match="48 features"):
        scaler.transform(images[:, :4])
    with pytest.raises(NotFittedError):
        ChannelStandardizer().transform(images)


SIZES = [1e160, 1e-170, 1e-300, 1e307, 1e-60, 1e60]


@pytest.mark.parametrize("scale", SIZES)
def test_values_whose_squares_leave_float64_are_standardised_as_others(scale):
    X = np.random.default_rng(0).normal(2, 1, size=(50, 3))
    X[:, 2] = 7
    mixed = X * np.array([scale, 1, scale])
    standardizer = ChannelStandardizer().fit(mixed)
    Z = standardizer.transform(mixed)
    assert np.allclose(Z, ChannelStandardizer().fit_transform(X), rtol=0, atol=1e-12)
    assert np.allclose(standardizer.mean_ / [scale, 1, scale], X.mean(axis=0), rtol=1e-12)
    assert np.allclose(standardizer.scale_[:2], X.std(axis=0)[:2] * [scale, 1], rtol=1e-12, atol=0)
    assert np.allclose(standardizer.inverse_transform(Z) / mixed, 1, rtol=1e-12)


@pytest.mark.parametrize(("dtype", "least"), [(np.float64, 5e-324), (np.float32, 1e-45)])
@pytest.mark.parametrize("top", [False, True])
def test_one_pixel_of_any_size_is_standardised(dtype, least, top):
    X = np.zeros((4, 2, 2, 1), dtype)
    X[0, 0, 0, 0] = np.finfo(dtype).max if top else least
    standardizer = ChannelStandardizer().fit(X)
    Z = standardizer.transform(X)
    assert Z.dtype == dtype
    assert abs(Z.std(dtype=float) - 1) < 1e-6
    assert abs(Z.mean(dtype=float)) < 1e-6
    back = standardizer.inverse_transform(Z)
    assert np.allclose(back.astype(float) / float(X.max()), X / float(X.max()), atol=1e-6)


def test_values_far_beyond_those_of_fit_are_no_infinities():
    standardizer = ChannelStandardizer().fit(np.array([[0.0], [1e-300]]))
    with pytest.raises(SpecError, match="standardised values overflow float64"):
        standardizer.transform([[1e300]])
    with pytest.raises(SpecError, match="ChannelStandardizer: values overflow float64"):
        ChannelStandardizer().fit(np.array([[0.0], [1e300]])).inverse_transform([[1e300]])


def test_an_ordinary_fit_holds_what_it_held_in_older_pickles():
    X = np.random.default_rng(0).normal(2, 1, size=(50, 3))
    fitted = vars(ChannelStandardizer().fit(X))
    assert fitted.keys() == {"image_shape", "n_features_in_", "mean_", "scale_"}
