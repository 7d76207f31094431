"""Every check of scikit-learn on finite networks; none skipped, none expected to fail."""

import unittest

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntkreg import FiniteNetworkClassifier, FiniteNetworkRegressor, cntk, fully_connected

# One hidden layer compiles in half the time of the default's three.
SMALL = {"architecture": fully_connected(1), "width": 64, "n_networks": 2, "n_steps": 200}


class ReadsRowsAsImages:
    """A row of d features as an image of 1 x d pixels, whatever d a check uses."""

    def _default_architecture(self):
        return cntk(1, "flatten")

    def _image_shape(self, n_features):
        return (1, n_features, 1)


class RowImageFiniteRegressor(ReadsRowsAsImages, FiniteNetworkRegressor):
    pass


class RowImageFiniteClassifier(ReadsRowsAsImages, FiniteNetworkClassifier):
    pass


def _run(estimator, check, monkeypatch):
    # Without it scikit-learn skips its array API check, which here sees NumPy only.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    try:
        check(estimator)
    except (unittest.SkipTest, pytest.skip.Exception) as reason:
        pytest.fail(f"scikit-learn skipped this check: {reason}")


@parametrize_with_checks(
    [FiniteNetworkRegressor(**SMALL), FiniteNetworkClassifier(**SMALL, loss="cross_entropy")]
)
def test_a_small_finite_network_passes_the_check_of_scikit_learn(estimator, check, monkeypatch):
    _run(estimator, check, monkeypatch)


@pytest.mark.slow
@parametrize_with_checks(
    [
        FiniteNetworkRegressor(),
        FiniteNetworkClassifier(),
        RowImageFiniteRegressor(),
        RowImageFiniteClassifier(),
    ]
)
def test_the_default_finite_network_passes_the_check_of_scikit_learn(estimator, check, monkeypatch):
    _run(estimator, check, monkeypatch)
