"""scikit-learn estimators on kernels and on finite networks; no numerics of their own."""

from ntkreg.estimators.classifier import NTKClassifier
from ntkreg.estimators.classifier_cv import NTKClassifierCV
from ntkreg.estimators.features import NTKFeatures
from ntkreg.estimators.finite_base import OPTIMIZERS
from ntkreg.estimators.finite_classifier import FiniteNetworkClassifier
from ntkreg.estimators.finite_regressor import FiniteNetworkRegressor
from ntkreg.estimators.nystroem import NTKNystroem
from ntkreg.estimators.regressor import NTKRegressor
from ntkreg.estimators.regressor_cv import NTKRegressorCV
from ntkreg.estimators.streaming_classifier import StreamingRidgeClassifier
from ntkreg.estimators.streaming_regressor import StreamingRidge
from ntkreg.estimators.times import training_curve
from ntkreg.estimators.transformer import NTKTransformer

__all__ = [
    "OPTIMIZERS",
    "FiniteNetworkClassifier",
    "FiniteNetworkRegressor",
    "NTKClassifier",
    "NTKClassifierCV",
    "NTKFeatures",
    "NTKNystroem",
    "NTKRegressor",
    "NTKRegressorCV",
    "NTKTransformer",
    "StreamingRidge",
    "StreamingRidgeClassifier",
    "training_curve",
]
