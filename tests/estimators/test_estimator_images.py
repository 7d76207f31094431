"""Images: flat rows with image_shape, or 4-D X."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from ntkreg import NTKClassifier, NTKRegressor, cntk, fully_connected, kernel
from ntkreg.errors import ShapeError

SHAPE = (3, 4, 2)
ESTIMATORS = pytest.mark.parametrize("Estimator", [NTKRegressor, NTKClassifier])


@pytest.fixture
def images():
    """18 images, not square; class 1 has a bright left half."""
    rng = np.random.default_rng(0)
    y = np.arange(18) % 2
    X = rng.normal(size=(18, *SHAPE))
    X[y == 1, :, :2] += 1.5
    return X, y


@ESTIMATORS
def test_flat_rows_and_images_are_the_same(Estimator, images):
    X, y = images
    network = cntk(2, "flatten")
    from_images = Estimator(network).fit(X, y)
    flat = Estimator(network, image_shape=SHAPE).fit(X.reshape(18, -1), y)
    assert from_images.n_features_in_ == flat.n_features_in_ == 24
    assert from_images.X_fit_.shape == flat.X_fit_.shape == X.shape
    np.testing.assert_array_equal(from_images.predict(X), flat.predict(X.reshape(18, -1)))
    # With image_shape both forms may be mixed.
    np.testing.assert_array_equal(flat.predict(X), flat.predict(X.reshape(18, -1)))
    assert from_images.score(X, y) > 0.9


@ESTIMATORS
def test_the_kernel_of_the_images_is_the_one_that_is_fitted(Estimator, images):
    X, y = images
    network = cntk(1, "gap")
    ours = Estimator(network).fit(X[:12], y[:12])
    same = Estimator(kernel="precomputed").fit(kernel(network, X[:12]), y[:12])
    np.testing.assert_array_equal(ours.dual_coef_, same.dual_coef_)
    np.testing.assert_array_equal(
        ours.predict(X[12:]), same.predict(kernel(network, X[12:], X[:12]))
    )


@ESTIMATORS
def test_a_dense_network_reads_images_as_rows(Estimator, images):
    X, y = images
    np.testing.assert_array_equal(
        Estimator(fully_connected(1)).fit(X, y).predict(X),
        Estimator(fully_connected(1)).fit(X.reshape(18, -1), y).predict(X.reshape(18, -1)),
    )


@ESTIMATORS
def test_images_survive_clone_and_pickle(Estimator, images):
    X, y = images
    model = Estimator(cntk(1)).fit(X, y)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(model)).predict(X), clone(model).fit(X, y).predict(X)
    )


@ESTIMATORS
def test_nested_lists_are_images_too(Estimator, images):
    X, y = images
    network = cntk(1)
    np.testing.assert_array_equal(
        Estimator(network).fit(X.tolist(), y.tolist()).predict(X.tolist()),
        Estimator(network).fit(X, y).predict(X),
    )


@pytest.mark.parametrize("flat", [True, False], ids=["flat with image_shape", "4-D"])
@ESTIMATORS
def test_grid_search_over_depth_and_readout(Estimator, flat, images):
    X, y = images
    network = cntk(1, "gap")
    search = GridSearchCV(
        Estimator(network, image_shape=SHAPE if flat else None),
        {"architecture__depth": [1, 2], "architecture__readout": ["flatten", "gap"]},
        cv=2,
        error_score="raise",
    ).fit(X.reshape(18, -1) if flat else X, y)
    assert network == cntk(1, "gap")
    assert search.estimator.architecture is network
    best = search.best_params_
    assert search.best_estimator_.architecture_ == cntk(
        best["architecture__depth"], best["architecture__readout"]
    )
    # Each candidate scored what it scores alone: the recipe really changed.
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        alone = cntk(params["architecture__depth"], params["architecture__readout"])
        assert score == pytest.approx(cross_val_score(Estimator(alone), X, y, cv=2).mean())
    assert len(set(np.round(search.cv_results_["mean_test_score"], 12))) > 1


@ESTIMATORS
def test_image_shape_that_does_not_fit_is_refused_with_the_numbers(Estimator, images):
    X, y = images
    with pytest.raises(ShapeError, match=r"24 features, but image_shape=\(5, 5, 1\) needs 25"):
        Estimator(cntk(1), image_shape=(5, 5, 1)).fit(X.reshape(18, -1), y)
    with pytest.raises(ShapeError, match=r"shape \(3, 4, 2\), but image_shape=\(4, 3, 2\)"):
        Estimator(cntk(1), image_shape=(4, 3, 2)).fit(X, y)


@ESTIMATORS
@pytest.mark.parametrize("shape", [(3, 8), (3, 4, 2, 1), (0, 4, 2), (1.5, 4, 2), "abc", 24])
def test_image_shape_that_makes_no_sense_is_refused(Estimator, shape, images):
    X, y = images
    with pytest.raises(ValueError, match=f"'image_shape' parameter of {Estimator.__name__} must"):
        Estimator(cntk(1), image_shape=shape).fit(X.reshape(18, -1), y)


@ESTIMATORS
def test_an_image_network_on_flat_rows_asks_for_image_shape(Estimator, images):
    X, y = images
    with pytest.raises(ShapeError, match="image_shape"):
        Estimator(cntk(1)).fit(X.reshape(18, -1), y)


@ESTIMATORS
def test_grey_images_without_a_channel_axis_are_told_what_to_do(Estimator, images):
    X, y = images
    with pytest.raises(ShapeError, match=r"shape \(18, 3, 4\).*np.newaxis"):
        Estimator(cntk(1)).fit(X[..., 0], y)


@ESTIMATORS
def test_samples_of_another_shape_are_refused_in_predict(Estimator, images):
    X, y = images
    model = Estimator(cntk(1)).fit(X, y)
    with pytest.raises(ValueError, match=r"shape \(4, 3, 2\).* fitted on .*\(3, 4, 2\)"):
        model.predict(X.transpose(0, 2, 1, 3))
    with pytest.raises(ValueError, match=r"shape \(24,\).* fitted on .*\(3, 4, 2\)"):
        model.predict(X.reshape(18, -1))
    with pytest.raises(ValueError, match=r"X has 18 features, but .* is expecting 24"):
        model.predict(X[:, :, :3])


@ESTIMATORS
def test_nan_in_one_pixel_is_refused(Estimator, images):
    X, y = images
    model = Estimator(cntk(1)).fit(X, y)
    X[3, 1, 1, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.predict(X)
    with pytest.raises(ValueError, match="NaN"):
        Estimator(cntk(1)).fit(X, y)


@ESTIMATORS
def test_no_images_are_refused(Estimator, images):
    X, y = images
    with pytest.raises(ValueError, match="0 sample"):
        Estimator(cntk(1)).fit(X[:0], y[:0])
    with pytest.raises(ValueError, match="0 sample"):
        Estimator(cntk(1)).fit(X, y).predict(X[:0])


def test_black_and_constant_images_are_fitted(images):
    X, y = images
    X[0], X[1] = 0.0, 1.0
    for readout in ("flatten", "gap", "lap"):
        model = NTKRegressor(cntk(2, readout)).fit(X, y)
        assert np.isfinite(model.predict(X)).all()
        assert model.predict(X[:1])[0] == pytest.approx(y.mean())
