import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from ntkreg.data import ZCAWhitener, load_digits_images
from ntkreg.errors import DataError, ShapeError, SpecError

SHAPE = (4, 3, 2)
RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(24, 24)) * 0.9 ** np.arange(24)
MANY = (RNG.normal(size=(90, 24)) @ MIXING.T + 3).reshape(90, *SHAPE)
FEW = MANY[:15]
NEW = (RNG.normal(size=(7, 24)) @ MIXING.T + 3).reshape(7, *SHAPE)
OPTIONS = {
    "as Shankar et al.": {},
    "plain": {"center_images": False, "unit_norm": False, "center_features": True},
    "raw": {"center_images": False, "unit_norm": False},
    "all": {"center_features": True, "regularization": 1.5},
}


def oracle(X, new, regularization=0.1, center_images=True, unit_norm=True, center_features=False):
    """The formula with a full d x d inverse square root: images in, whitened `new` out."""

    def treat(images):
        rows = images.reshape(len(images), -1).astype(float)
        rows = rows - rows.mean(1, keepdims=True) if center_images else rows
        return rows / np.linalg.norm(rows, axis=1, keepdims=True) if unit_norm else rows

    rows = treat(X)
    mean = rows.mean(0) if center_features else 0
    S = (rows - mean).T @ (rows - mean) / len(rows)
    d = len(S)
    values, V = np.linalg.eigh(S + regularization * np.trace(S) / d * np.eye(d))
    return ((treat(new) - mean) @ V / np.sqrt(values) @ V.T).reshape(new.shape), S


@parametrize_with_checks(
    [ZCAWhitener(), ZCAWhitener(center_images=False, unit_norm=False, center_features=True)]
)
def test_scikit_learn_contract(estimator, check, monkeypatch):
    # Without it scikit-learn skips its check of array API inputs.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("X", [MANY, FEW, MANY[:24]], ids=["n > d", "n < d", "n = d"])
def test_it_is_the_regularised_closed_form_on_training_and_new_images(X, options):
    whitener = ZCAWhitener(**options).fit(X)
    for new in (X, NEW):
        wanted, _ = oracle(X, new, **options)
        np.testing.assert_allclose(whitener.transform(new), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("X", [MANY, FEW], ids=["n > d", "n < d"])
def test_second_moments_of_the_output_are_those_of_the_input_over_the_regularised(X, options):
    whitener = ZCAWhitener(**options)
    Z = whitener.fit_transform(X).reshape(len(X), -1)
    _, S = oracle(X, NEW, **options)
    epsilon = options.get("regularization", 0.1) * np.trace(S) / len(S)
    assert whitener.epsilon_ == pytest.approx(epsilon, rel=1e-12)
    wanted = S @ np.linalg.inv(S + epsilon * np.eye(len(S)))
    np.testing.assert_allclose(Z.T @ Z / len(Z), wanted, rtol=1e-8, atol=1e-9)


def test_next_to_no_regularisation_whitens_and_a_second_time_changes_nothing():
    options = {"regularization": 1e-13, **OPTIONS["plain"]}
    Z = ZCAWhitener(**options).fit_transform(MANY)
    np.testing.assert_allclose(np.cov(Z.reshape(90, -1).T, bias=True), np.eye(24), atol=1e-5)
    np.testing.assert_allclose(ZCAWhitener(**options).fit_transform(Z), Z, atol=1e-4)


def test_much_regularisation_only_scales():
    Z = ZCAWhitener(regularization=1e9, **OPTIONS["plain"]).fit_transform(MANY)
    centred = MANY - MANY.mean(axis=0)
    np.testing.assert_allclose(Z / Z.std(), centred / centred.std(), atol=1e-6)


@pytest.mark.parametrize("X", [MANY, FEW], ids=["n > d", "n < d"])
def test_inverse_gives_back_what_was_whitened(X):
    whitener = ZCAWhitener(**OPTIONS["plain"]).fit(X)
    for given in (NEW, NEW.reshape(7, -1)):
        back = whitener.inverse_transform(whitener.transform(given))
        assert back.shape == given.shape
        np.testing.assert_allclose(back, given, rtol=1e-9)
    # With images normalised one by one, their own means and norms are gone.
    whitener = ZCAWhitener().fit(X)
    back = whitener.inverse_transform(whitener.transform(NEW)).reshape(7, -1)
    np.testing.assert_allclose(back.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, rtol=1e-9)
    again = whitener.inverse_transform(whitener.transform(5 * back - 2))
    np.testing.assert_allclose(again, back, atol=1e-12)


def test_flat_rows_give_the_values_of_images():
    flat = ZCAWhitener().fit(MANY.reshape(90, -1))
    images = ZCAWhitener().fit(MANY)
    assert images.image_shape_ == SHAPE
    assert flat.image_shape_ is None
    assert images.n_features_in_ == flat.n_features_in_ == 24
    np.testing.assert_array_equal(
        images.transform(NEW).reshape(7, -1), flat.transform(NEW.reshape(7, -1))
    )
    np.testing.assert_array_equal(flat.transform(NEW), images.transform(NEW))


def test_more_rows_than_one_batch_are_whitened_alike():
    many = np.concatenate([MANY] * 12)
    many, one = ZCAWhitener().fit(many), ZCAWhitener().fit(MANY)
    new = np.concatenate([NEW] * 200)
    np.testing.assert_allclose(many.transform(new), one.transform(new), rtol=1e-8, atol=1e-10)


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
def test_dtype_follows_x_and_x_is_not_changed(given, result):
    X = np.random.default_rng(0).integers(0, 100, (6, 2, 2, 3)).astype(given)
    before = X.copy()
    whitener = ZCAWhitener().fit(X)
    Z = whitener.transform(X)
    assert Z.dtype == result
    assert whitener.components_.dtype == np.float64
    np.testing.assert_array_equal(X, before)
    full = ZCAWhitener().fit_transform(X.astype(float))
    np.testing.assert_allclose(Z, full, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_unit_of_the_pixels_does_not_matter(scale):
    np.testing.assert_allclose(
        ZCAWhitener().fit_transform(scale * MANY), ZCAWhitener().fit_transform(MANY), rtol=1e-9
    )


def test_pickle_and_clone():
    whitener = ZCAWhitener(regularization=0.3).fit(FEW)
    again = pickle.loads(pickle.dumps(whitener))
    np.testing.assert_array_equal(again.transform(NEW), whitener.transform(NEW))
    assert clone(whitener).regularization == 0.3
    assert not hasattr(clone(whitener), "components_")


def test_it_works_in_a_pipeline():
    X, y = load_digits_images()
    flat = X.reshape(len(X), -1)
    model = make_pipeline(ZCAWhitener(), RidgeClassifier())
    assert model.fit(flat[:1000], y[:1000]).score(flat[1000:], y[1000:]) > 0.85


@pytest.mark.parametrize("value", [0, 7, 0.1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_image_without_contrast_becomes_zero_among_others(value, dtype):
    X = MANY.astype(dtype)
    X[5] = value
    whitener = ZCAWhitener()
    Z = whitener.fit_transform(X)
    assert np.isfinite(Z).all()
    assert not Z[5].any()
    assert not whitener.transform(X[5:6]).any()
    about_zero = ZCAWhitener(center_images=False).fit_transform(X)
    assert np.isfinite(about_zero).all()
    assert about_zero[5].any() == bool(value)


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_samples_without_any_variance_are_refused(n, options):
    pixel = 0.0 if options == OPTIONS["raw"] else 0.1
    with pytest.raises(DataError, match="no variance"):
        ZCAWhitener(**options).fit(np.full((n, 24), pixel))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_refused(bad):
    X = MANY.copy()
    X[3, 1, 1, 1] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        ZCAWhitener().fit(X)


@pytest.mark.parametrize("shape", [(0, 4, 3, 2), (1, 4, 3, 2), (3, 4, 5), (3,), (3, 0, 3, 2)])
def test_wrong_shapes_and_one_sample_are_refused(shape):
    with pytest.raises(ValueError, match=r"[01] sample|0 feature|dim|Expected 2D"):
        ZCAWhitener().fit(np.ones(shape))


@pytest.mark.parametrize(
    ("name", "value"),
    [("regularization", 0), ("regularization", -1.0), ("unit_norm", 2), ("center_images", "yes")],
)
def test_parameters_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of ZCAWhitener"):
        ZCAWhitener(**{name: value}).fit(MANY)


def test_transform_wants_the_shape_of_fit():
    whitener = ZCAWhitener().fit(MANY)
    with pytest.raises(ShapeError, match=r"shape \(3, 4, 2\), but it was fitted on \(4, 3, 2\)"):
        whitener.transform(NEW.swapaxes(1, 2))
    with pytest.raises(ValueError, match="18 features"):
        whitener.transform(NEW[:, :3])
    with pytest.raises(NotFittedError):
        ZCAWhitener().transform(NEW)


@pytest.mark.parametrize("n", [150, 600], ids=["n < d", "n > d"])
def test_bits_do_not_depend_on_the_number_of_threads(n):
    X = np.random.default_rng(0).normal(size=(n, 16, 16, 2)).astype(np.float32)
    whitened = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            whitened.append(ZCAWhitener().fit(X).transform(X))
    assert np.array_equal(*whitened)


@pytest.mark.parametrize("scale", [1e-310, 1e-170, 1e160, 1e299])
def test_images_of_any_size_are_whitened_if_their_norm_is_taken(scale):
    X = np.random.default_rng(0).normal(size=(20, 6))
    wanted = ZCAWhitener().fit_transform(X)
    assert np.allclose(ZCAWhitener().fit_transform(X * scale), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("scale", "options"),
    [(1e160, {"unit_norm": False}), (1e-170, {"unit_norm": False}), (1e307, {})],
)
def test_images_whose_sums_leave_float64_are_refused(scale, options):
    X = np.random.default_rng(0).normal(size=(20, 6))
    with pytest.raises(DataError, match=r"the largest value is .* Rescale the images"):
        ZCAWhitener(**options).fit(X * scale)


def test_images_far_beyond_those_of_fit_are_no_infinities():
    X = np.random.default_rng(0).normal(size=(20, 6))
    whitener = ZCAWhitener(unit_norm=False, center_images=False).fit(X * 1e-100)
    with pytest.raises(SpecError, match="whitened values overflow float64"):
        whitener.transform(X * 1e300)
