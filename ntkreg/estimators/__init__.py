"""scikit-learn estimators on kernels and on finite networks; no numerics of their own."""

from ntkreg.estimators.classifier import NTKClassifier
from ntkreg.estimators.finite_base import OPTIMIZERS
from ntkreg.estimators.finite_classifier import FiniteNetworkClassifier
from ntkreg.estimators.finite_regressor import FiniteNetworkRegressor
from ntkreg.estimators.regressor import NTKRegressor

__all__ = [
    "OPTIMIZERS",
    "FiniteNetworkClassifier",
    "FiniteNetworkRegressor",
    "NTKClassifier",
    "NTKRegressor",
]
