"""Every check of scikit-learn on transformers and streaming ridge; none expected to fail."""

import unittest

import pytest
from sklearn.preprocessing import Normalizer
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntkreg import (
    NTKFeatures,
    NTKNystroem,
    NTKTransformer,
    StreamingRidge,
    StreamingRidgeClassifier,
    cntk,
)


class ReadsRowsAsImages:
    """A row of d features as an image of 1 x d pixels, whatever d a check uses."""

    def _default_architecture(self):
        return cntk(2, "flatten")

    def _image_shape(self, n_features):
        return (1, n_features, 1)


class RowImageTransformer(ReadsRowsAsImages, NTKTransformer):
    pass


class RowImageNystroem(ReadsRowsAsImages, NTKNystroem):
    pass


# Checks fit on less samples than there are landmarks.
@pytest.mark.filterwarnings("ignore:.*n_components=100 is more than:UserWarning")
@parametrize_with_checks(
    [
        NTKTransformer(),
        NTKTransformer(normalize="unit_diagonal", cache_size=0),
        NTKNystroem(),
        NTKNystroem(n_components=5, landmarks="rpcholesky"),
        NTKFeatures(),
        NTKFeatures(n_components=64, get="nngp"),
        RowImageTransformer(),
        RowImageNystroem(),
        StreamingRidge(),
        StreamingRidge(Normalizer(), batch_size=7, fit_intercept=False),
        StreamingRidge(NTKFeatures(n_components=200, random_state=0), alpha=1e-6),
        StreamingRidgeClassifier(),
        StreamingRidgeClassifier(NTKFeatures(n_components=64, random_state=0), batch_size=10),
    ]
)
def test_passes_the_check_of_scikit_learn(estimator, check, monkeypatch):
    # Without it scikit-learn skips its array API check, which here sees NumPy only.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    try:
        check(estimator)
    except (unittest.SkipTest, pytest.skip.Exception) as reason:
        pytest.fail(f"scikit-learn skipped this check: {reason}")
