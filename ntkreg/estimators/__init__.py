"""scikit-learn estimators on the kernels; no numerics of their own."""

from ntkreg.estimators.classifier import NTKClassifier
from ntkreg.estimators.regressor import NTKRegressor

__all__ = ["NTKClassifier", "NTKRegressor"]
