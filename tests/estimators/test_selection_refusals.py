"""What makes no choice, draw or deviation is refused by name."""

import numpy as np
import pytest

from ntkreg import NTKRegressor, NTKRegressorCV

X = np.random.default_rng(0).normal(size=(12, 3))
Y = X[:, 0]
K = X @ X.T


@pytest.mark.parametrize("cv", [[([0, 99], [1])], [(["a"], [1])], [(0, 1)], [([[0]], [1])]])
def test_folds_that_are_no_rows_are_refused(cv):
    with pytest.raises(ValueError, match="cv must give two lists of rows below 12"):
        NTKRegressorCV(cv=cv).fit(X, Y)


@pytest.mark.parametrize("cv", [[], [([], [1])], [([0, 1], [])]])
def test_folds_without_rows_are_refused(cv):
    with pytest.raises(ValueError, match=r"cv must give (at least one fold|.*neither empty)"):
        NTKRegressorCV(cv=cv).fit(X, Y)


@pytest.mark.parametrize("cv", [[([0, 1, -1], [2, 3])], [(np.arange(12) < 8, np.arange(12) > 7)]])
def test_folds_as_numpy_takes_them_are_taken(cv):
    assert np.isfinite(NTKRegressorCV(cv=cv).fit(X, Y).best_score_)


def test_folds_without_weights_are_refused():
    with pytest.raises(ValueError, match="NTKRegressorCV: sample_weight is 0 for all samples"):
        NTKRegressorCV(cv=3).fit(X, Y, sample_weight=np.eye(12)[0])


def test_draws_that_no_memory_holds_are_refused():
    model = NTKRegressor().fit(X, Y)
    for n_samples in (10**12, -1):
        with pytest.raises(ValueError, match="n_samples must be an integer >= 0 of draws"):
            model.sample_y(X[:4], n_samples)


def test_variances_below_zero_are_refused():
    model = NTKRegressor(kernel="precomputed", get="nngp", store_covariance=True).fit(K, Y)
    with pytest.raises(ValueError, match="test_kernel must hold variances >= 0; got -1"):
        model.predict(K[:2], return_std=True, test_kernel=[1.0, -1.0])
