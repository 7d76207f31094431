"""ntkreg: neural-tangent-kernel regression.

Importing this package is cheap: names load what they need when first used, and
neither JAX, neural-tangents nor TensorFlow is among it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ntkreg.version import VERSION

if TYPE_CHECKING:
    from ntkreg.architecture import Architecture as Architecture
    from ntkreg.architecture import AvgPool as AvgPool
    from ntkreg.architecture import Conv as Conv
    from ntkreg.architecture import Cos as Cos
    from ntkreg.architecture import Dense as Dense
    from ntkreg.architecture import Erf as Erf
    from ntkreg.architecture import Flatten as Flatten
    from ntkreg.architecture import Gaussian as Gaussian
    from ntkreg.architecture import Gelu as Gelu
    from ntkreg.architecture import GlobalAvgPool as GlobalAvgPool
    from ntkreg.architecture import Identity as Identity
    from ntkreg.architecture import LeakyRelu as LeakyRelu
    from ntkreg.architecture import LocalAvgPool as LocalAvgPool
    from ntkreg.architecture import NormalizedGaussian as NormalizedGaussian
    from ntkreg.architecture import Relu as Relu
    from ntkreg.architecture import Residual as Residual
    from ntkreg.architecture import Sin as Sin
    from ntkreg.architecture import cntk as cntk
    from ntkreg.architecture import fully_connected as fully_connected
    from ntkreg.architecture import myrtle as myrtle
    from ntkreg.architecture import resnet as resnet
    from ntkreg.data import ChannelStandardizer as ChannelStandardizer
    from ntkreg.data import ZCAWhitener as ZCAWhitener
    from ntkreg.estimators import FiniteNetworkClassifier as FiniteNetworkClassifier
    from ntkreg.estimators import FiniteNetworkRegressor as FiniteNetworkRegressor
    from ntkreg.estimators import NTKClassifier as NTKClassifier
    from ntkreg.estimators import NTKClassifierCV as NTKClassifierCV
    from ntkreg.estimators import NTKFeatures as NTKFeatures
    from ntkreg.estimators import NTKNystroem as NTKNystroem
    from ntkreg.estimators import NTKRegressor as NTKRegressor
    from ntkreg.estimators import NTKRegressorCV as NTKRegressorCV
    from ntkreg.estimators import NTKTransformer as NTKTransformer
    from ntkreg.estimators import StreamingRidge as StreamingRidge
    from ntkreg.estimators import StreamingRidgeClassifier as StreamingRidgeClassifier
    from ntkreg.estimators import training_curve as training_curve
    from ntkreg.estimators.gp_kernel import NeuralTangentKernel as NeuralTangentKernel
    from ntkreg.estimators.saved_model import load_model as load_model
    from ntkreg.estimators.saved_model import save_model as save_model
    from ntkreg.factorization import DeepMatrixFactorization as DeepMatrixFactorization
    from ntkreg.factorization import NuclearNormCompletion as NuclearNormCompletion
    from ntkreg.finite import empirical_kernels as empirical_kernels
    from ntkreg.finite import finite_network as finite_network
    from ntkreg.finite import train as train
    from ntkreg.gram import Gram as Gram
    from ntkreg.gram import compute_gram as compute_gram
    from ntkreg.gram import gram_status as gram_status
    from ntkreg.gram import kernel as kernel
    from ntkreg.gram import open_gram as open_gram
    from ntkreg.gram import plan_gram as plan_gram
    from ntkreg.solvers import solve_cholesky as solve_cholesky

_HOME = {
    "Architecture": "architecture",
    "AvgPool": "architecture",
    "ChannelStandardizer": "data",
    "Conv": "architecture",
    "Cos": "architecture",
    "DeepMatrixFactorization": "factorization",
    "Dense": "architecture",
    "Erf": "architecture",
    "FiniteNetworkClassifier": "estimators",
    "FiniteNetworkRegressor": "estimators",
    "Flatten": "architecture",
    "Gaussian": "architecture",
    "Gelu": "architecture",
    "GlobalAvgPool": "architecture",
    "Gram": "gram",
    "Identity": "architecture",
    "LeakyRelu": "architecture",
    "LocalAvgPool": "architecture",
    "NTKClassifier": "estimators",
    "NTKClassifierCV": "estimators",
    "NTKFeatures": "estimators",
    "NTKNystroem": "estimators",
    "NTKRegressor": "estimators",
    "NTKRegressorCV": "estimators",
    "NTKTransformer": "estimators",
    "NeuralTangentKernel": "estimators.gp_kernel",
    "NormalizedGaussian": "architecture",
    "NuclearNormCompletion": "factorization",
    "Relu": "architecture",
    "Residual": "architecture",
    "Sin": "architecture",
    "StreamingRidge": "estimators",
    "StreamingRidgeClassifier": "estimators",
    "ZCAWhitener": "data",
    "cntk": "architecture",
    "compute_gram": "gram",
    "empirical_kernels": "finite",
    "finite_network": "finite",
    "fully_connected": "architecture",
    "kernel": "gram",
    "load_model": "estimators.saved_model",
    "myrtle": "architecture",
    "gram_status": "gram",
    "open_gram": "gram",
    "plan_gram": "gram",
    "resnet": "architecture",
    "save_model": "estimators.saved_model",
    "solve_cholesky": "solvers",
    "train": "finite",
    "training_curve": "estimators",
}

__all__ = sorted(_HOME)
__version__ = VERSION


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"ntkreg.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ntkreg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
