"""Every check that scikit-learn has for estimators; none skipped, none expected to fail."""

import unittest

import pytest
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from ntkreg import NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV, cntk
from ntkreg.errors import NotPSDError

# Two checks hand a precomputed kernel that is none: a Gram matrix rounded to integers
# (least eigenvalue -2.0) and one minus the mean of its entries (-1467). A ridge below
# that is refused, as the test at the end shows.
ABOVE_EVERY_NEGATIVE_EIGENVALUE = 2000.0


class ReadsRowsAsImages:
    """A row of d features as an image of 1 x d pixels, whatever d a check uses."""

    def _default_architecture(self):
        return cntk(2, "flatten")

    def _image_shape(self, n_features):
        return (1, n_features, 1)


class RowImageRegressor(ReadsRowsAsImages, NTKRegressor):
    pass


class RowImageClassifier(ReadsRowsAsImages, NTKClassifier):
    pass


def _run(estimator, check, monkeypatch):
    # Without it scikit-learn skips its array API check, which here sees NumPy only.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    try:
        check(estimator)
    except (unittest.SkipTest, pytest.skip.Exception) as reason:
        pytest.fail(f"scikit-learn skipped this check: {reason}")


@pytest.mark.filterwarnings("ignore::ntkreg.errors.PrecisionWarning")  # for the two above
@parametrize_with_checks(
    [
        NTKRegressor(),
        NTKClassifier(),
        NTKRegressor(
            kernel="precomputed", alpha_scale="absolute", alpha=ABOVE_EVERY_NEGATIVE_EIGENVALUE
        ),
        NTKClassifier(
            kernel="precomputed", alpha_scale="absolute", alpha=ABOVE_EVERY_NEGATIVE_EIGENVALUE
        ),
        NTKRegressor(get="nngp", store_covariance=True),
        NTKClassifier(probability=True),
        NTKClassifierCV(probability=True, class_weight="balanced", alphas=[0.01, 1.0]),
        RowImageRegressor(),
        RowImageClassifier(),
        NTKRegressorCV(),
        NTKClassifierCV(),
        NTKRegressorCV(
            kernel="precomputed",
            alpha_scale="absolute",
            alphas=[0.01, ABOVE_EVERY_NEGATIVE_EIGENVALUE],
        ),
        NTKRegressorCV(variants=[{"depth": 1}, {"depth": 2}], alphas=[0.01, 0.1]),
        NTKRegressor(train_time=50.0),
    ]
)
def test_passes_the_check_of_scikit_learn(estimator, check, monkeypatch):
    _run(estimator, check, monkeypatch)


# What they add to the classifiers above is what the regressors beside them add.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ntkreg.errors.PrecisionWarning")
@parametrize_with_checks(
    [
        NTKClassifierCV(
            kernel="precomputed",
            alpha_scale="absolute",
            alphas=[0.01, ABOVE_EVERY_NEGATIVE_EIGENVALUE],
        ),
        NTKClassifier(train_time=50.0),
        NTKClassifierCV(
            variants=[{"depth": 1}, {"depth": 2}], alphas=[0.01, 0.1], scoring="accuracy"
        ),
    ]
)
def test_passes_it_with_what_regressors_have_too(estimator, check, monkeypatch):
    _run(estimator, check, monkeypatch)


@pytest.mark.parametrize("Estimator", [NTKRegressor, NTKClassifier])
def test_only_matrices_that_are_no_kernels_are_refused_at_the_default_ridge(Estimator, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    results = check_estimator(Estimator(kernel="precomputed"), on_fail=None)
    assert len(results) > 50
    refused = {r["check_name"]: r["exception"] for r in results if r["status"] != "passed"}
    assert set(refused) == {"check_estimators_dtypes", "check_positive_only_tag_during_fit"}
    for error in refused.values():
        assert isinstance(error, NotPSDError) or isinstance(error.__cause__, NotPSDError)


def test_row_images_really_go_through_the_image_network():
    X = [[0.0, 1.0, 2.0], [1.0, 1.0, 0.0], [2.0, 0.0, 1.0]]
    model = RowImageRegressor().fit(X, [0.0, 1.0, 2.0])
    assert model.X_fit_.shape == (3, 1, 3, 1)
    assert model.architecture_.reads == "image"
