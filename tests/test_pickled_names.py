"""Names that pickles of fitted estimators hold: files that users keep must go on loading."""

import pickle

import pytest

NAMES = (
    *(
        f"ntkreg.architecture.activations {name}"
        for name in ("Cos", "Erf", "Gaussian", "Gelu", "Identity", "LeakyRelu", "Relu", "Sin")
    ),
    "ntkreg.architecture.activations NormalizedGaussian",
    *(
        f"ntkreg.architecture.layers {name}"
        for name in ("AvgPool", "Conv", "Dense", "Flatten", "GlobalAvgPool", "LocalAvgPool")
    ),
    "ntkreg.architecture.network Architecture",
    "ntkreg.architecture.residual Residual",
    "ntkreg.data.standardize ChannelStandardizer",
    "ntkreg.data.zca ZCAWhitener",
    "ntkreg.estimators.classifier NTKClassifier",
    "ntkreg.estimators.finite_classifier FiniteNetworkClassifier",
    "ntkreg.estimators.finite_regressor FiniteNetworkRegressor",
    "ntkreg.estimators.features NTKFeatures",
    "ntkreg.estimators.nystroem NTKNystroem",
    "ntkreg.estimators.regressor NTKRegressor",
    "ntkreg.estimators.streaming_classifier StreamingRidgeClassifier",
    "ntkreg.estimators.streaming_regressor StreamingRidge",
    "ntkreg.estimators.transformer NTKTransformer",
    "ntkreg.finite.empirical EmpiricalKernels",
    "ntkreg.finite.network FiniteNetwork",
    "ntkreg.finite.optimizers Training",
    "ntkreg.finite.training TrainingRun",
    "ntkreg.gram.compute Gram",
    "ntkreg.gram.compute kernel",
    "ntkreg.gram.gram Gram",
    "ntkreg.gram.gram kernel_of",
    "ntkreg.gram.layout Layout",
    "ntkreg.gram.plan GramPlan",
    "ntkreg.gram.stored StoredValues",
    "ntkreg.gram.tile_files TileFiles",
    "ntkreg.kernels.features.projection Projection",
    "ntkreg.kernels.features.random_features Hidden",
    "ntkreg.kernels.features.random_features RandomFeatures",
    "ntkreg.kernels.spec KernelSpec",
    "ntkreg.estimators.stop Stop",
    "ntkreg.solvers.base Solution",
    "ntkreg.solvers.cholesky CholeskyMap",
    "ntkreg.solvers.ensemble EnsembleCovariance",
    "ntkreg.solvers.spectral SpectralMap",
    "ntkreg.solvers.cholesky Solution",
    "ntkreg.solvers.normal_equations LinearSolution",
    "ntkreg.solvers.normal_equations NormalEquations",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_in_pickles_stay_where_they_are(name):
    module, _, qualname = name.partition(" ")
    found = pickle.loads(f"c{module}\n{qualname}\n.".encode())
    assert found.__name__ == qualname
