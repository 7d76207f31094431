"""Parameters as scikit-learn handles them: clone, nested names, pickles, tags, reprs."""

import functools
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

import ntkreg
from ntkreg import Architecture, Dense, NTKClassifier, NTKRegressor, Relu, cntk, fully_connected
from ntkreg.kernels import StaxNetwork, to_stax

ESTIMATORS = pytest.mark.parametrize("Estimator", [NTKRegressor, NTKClassifier])


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 3)), np.arange(12) % 2


@ESTIMATORS
def test_setting_the_depth_replaces_the_recipe_and_leaves_it_as_it_was(Estimator):
    network = cntk(depth=3, readout="flatten", half_width=2)
    model = Estimator(network)
    other = Estimator(network)
    assert model.set_params(architecture__depth=5, alpha=0.5) is model
    assert model.architecture.get_params() == {**network.get_params(), "depth": 5}
    assert model.alpha == 0.5
    assert network == cntk(depth=3, readout="flatten")
    assert other.architecture is network


@ESTIMATORS
def test_nested_names_start_from_the_default_network_or_the_one_set_beside_them(Estimator):
    assert Estimator().set_params(architecture__depth=1).architecture == fully_connected(1)
    biased = Estimator().set_params(architecture__bias_std=0.1).architecture
    assert biased == fully_connected(3, bias_std=0.1)
    both = Estimator().set_params(architecture__readout="gap", architecture=cntk(2, "flatten"))
    assert both.architecture == cntk(2, "gap")


@ESTIMATORS
def test_get_params_lists_the_arguments_of_the_recipe(Estimator):
    params = Estimator(cntk(4)).get_params()
    assert params["architecture__depth"] == 4
    assert params["architecture__readout"] == "gap"
    assert "architecture__depth" not in Estimator(cntk(4)).get_params(deep=False)


@ESTIMATORS
@pytest.mark.parametrize(
    ("architecture", "params", "message"),
    [
        (cntk(2), {"architecture__width": 3}, "unexpected .*'width'.* depth, readout"),
        (cntk(2), {"architecture__depth": 0}, "depth must be an integer >= 1; got 0"),
        (Architecture((Dense(),)), {"architecture__depth": 1}, "only a recipe"),
        ("cntk", {"architecture__depth": 1}, "needs architecture to be a recipe .* got 'cntk'"),
        (None, {"depth": 1}, "Invalid parameter 'depth'"),
    ],
)
def test_names_that_do_not_exist_are_refused(Estimator, architecture, params, message):
    with pytest.raises(ValueError, match=message):
        Estimator(architecture).set_params(**params)


@ESTIMATORS
@pytest.mark.parametrize(
    "architecture", [None, cntk(2), Architecture((Dense(), Relu(), Dense(1.0)))]
)
def test_clones_and_pickles_are_the_same_estimator(Estimator, architecture):
    model = Estimator(architecture, alpha=0.3, get="nngp", image_shape=(2, 2, 1), n_jobs=1)
    for copy in (clone(model), pickle.loads(pickle.dumps(model))):
        assert copy is not model
        assert copy.get_params(deep=False) == model.get_params(deep=False)


@ESTIMATORS
def test_a_fitted_model_predicts_the_same_after_pickling(Estimator, data):
    X, y = data
    model = Estimator(fully_connected(2)).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X + 0.1), model.predict(X + 0.1))


@ESTIMATORS
def test_a_pickle_with_the_kernel_that_fit_used_to_keep_predicts_the_same(Estimator, data):
    X, y = data
    model = Estimator(fully_connected(2), normalize="unit_diagonal").fit(X, y)
    expected = model.predict(X + 0.1)
    keywords = {"get": "ntk", "dtype": "float64", "normalize": "unit_diagonal"}
    keywords |= {"symmetry": None, "backend": None, "n_jobs": None}
    model.kernel_ = functools.partial(ntkreg.gram.compute.kernel, model.architecture_, **keywords)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X + 0.1), expected)


@ESTIMATORS
def test_pairwise_exactly_if_precomputed(Estimator):
    assert get_tags(Estimator(kernel="precomputed")).input_tags.pairwise
    assert not get_tags(Estimator()).input_tags.pairwise


@ESTIMATORS
def test_text_and_html_show_the_network(Estimator):
    model = Estimator(cntk(2, "flatten"))
    assert "cntk(depth=2, readout='flatten'" in repr(model)
    assert "cntk" in model._repr_html_()


@ESTIMATORS
def test_predict_before_fit_says_so(Estimator, data):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        Estimator().predict(data[0])


@ESTIMATORS
def test_column_names_are_kept_and_checked(Estimator, data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    model = Estimator().fit(frame, y)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    np.testing.assert_array_equal(model.predict(frame), Estimator().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c"]])


@ESTIMATORS
def test_a_stax_kernel_function_stands_wherever_a_network_does(Estimator, data):
    X, y = data
    network = fully_connected(1)
    kernel_fn = to_stax(network)[2]
    ours = Estimator(network).fit(X, y).predict(X)
    for twin in (kernel_fn, StaxNetwork(kernel_fn)):
        theirs = clone(Estimator(twin)).fit(X, y).predict(X)
        np.testing.assert_allclose(theirs, ours, atol=1e-6)


def test_estimators_are_public_names():
    assert {"NTKRegressor", "NTKClassifier"} <= set(ntkreg.__all__)


@ESTIMATORS
def test_every_parameter_and_fitted_attribute_is_documented(Estimator, data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    model = Estimator().fit(pandas.DataFrame(X, columns=["a", "b", "c"]), y)
    names = [*model.get_params(deep=False), *(a for a in vars(model) if a.endswith("_"))]
    undocumented = [name for name in names if name not in Estimator.__doc__]
    assert not undocumented
