"""What users of scikit-learn take for granted beside its own checks: routing, tables, processes."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntkreg import (
    ChannelStandardizer,
    FiniteNetworkClassifier,
    FiniteNetworkRegressor,
    NTKClassifier,
    NTKRegressor,
    ZCAWhitener,
    fully_connected,
)

KERNEL = [NTKRegressor(fully_connected(1)), NTKClassifier(fully_connected(1))]
FINITE = [
    each(fully_connected(1), width=8, n_steps=3, n_networks=1, random_state=0)
    for each in (FiniteNetworkRegressor, FiniteNetworkClassifier)
]
TRANSFORMERS = [ChannelStandardizer(), ZCAWhitener()]

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 3))
y = (X[:, 0] > 0).astype(int)
NAMES = ["length", "width", "weight"]


def named(model):
    return type(model).__name__


@pytest.mark.parametrize("model", KERNEL, ids=named)
def test_weights_reach_fit_and_score_through_pipelines_and_searches(model):
    weights = np.where(np.arange(30) % 3 == 0, 0.0, 1.0 + np.arange(30) % 2)
    with sklearn.config_context(enable_metadata_routing=True):
        asked = clone(model).set_fit_request(sample_weight=True)
        asked.set_score_request(sample_weight=True)
        routed = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), asked)
        routed.fit(X, y, sample_weight=weights)
        search = GridSearchCV(asked, {"alpha": [1e-3, 1e3]}, cv=3)
        search.fit(X, y, sample_weight=weights)
        scores = cross_validate(asked, X, y, cv=3, params={"sample_weight": weights})
    alone = clone(model).fit(StandardScaler().fit_transform(X), y, sample_weight=weights)
    np.testing.assert_array_equal(routed[-1].dual_coef_, alone.dual_coef_)
    best = clone(model).set_params(**search.best_params_).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(search.best_estimator_.dual_coef_, best.dual_coef_)
    unweighted = cross_validate(clone(model), X, y, cv=3)
    assert not np.array_equal(scores["test_score"], unweighted["test_score"])


@pytest.mark.parametrize("model", KERNEL + FINITE, ids=named)
@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_columns_of_tables_are_held_to_those_of_fit(model, table):
    data = table({name: X[:, i] for i, name in enumerate(NAMES)})
    fitted = clone(model).fit(data, y)
    assert fitted.feature_names_in_.tolist() == NAMES
    plain = clone(model).fit(X, y)
    np.testing.assert_array_equal(fitted.predict(data), plain.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(data[NAMES[::-1]])
    with pytest.warns(UserWarning, match="feature names"):
        fitted.predict(X)


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=named)
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_transformers_make_tables_of_the_same_columns(transformer, kind):
    make = pd.DataFrame if kind == "pandas" else pl.DataFrame
    data = make({name: X[:, i] for i, name in enumerate(NAMES)})
    fitted = clone(transformer).set_output(transform=kind).fit(data)
    made = fitted.transform(data)
    assert isinstance(made, make)
    assert list(made.columns) == NAMES == fitted.get_feature_names_out().tolist()
    plain = clone(transformer).fit(X).transform(X)
    np.testing.assert_allclose(made.to_numpy(), plain, atol=1e-12)  # columns are summed elsewise


@pytest.mark.parametrize("model", KERNEL + FINITE + TRANSFORMERS, ids=named)
def test_sparse_input_is_refused_with_the_way_out(model):
    with pytest.raises(TypeError, match=r"(?i)sparse.*dense|dense.*sparse"):
        clone(model).fit(csr_array(X), y)


@pytest.mark.parametrize("model", KERNEL + FINITE + TRANSFORMERS, ids=named)
def test_notebooks_show_parameters_and_whether_it_is_fitted(model):
    before = clone(model)._repr_html_()
    after = clone(model).fit(X, y)._repr_html_()
    assert type(model).__name__ in before
    assert "Not fitted" in before
    assert "Not fitted" not in after


def test_pickles_predict_the_same_in_another_process(tmp_path):
    import pickle

    fitted = [clone(model).fit(X, y) for model in KERNEL + FINITE]
    (tmp_path / "models.pkl").write_bytes(pickle.dumps((fitted, X)))
    code = (
        "import pickle, sys, numpy as np\n"
        "models, X = pickle.load(open('models.pkl', 'rb'))\n"
        "np.savez('predicted', *(model.predict(X) for model in models))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    found = np.load(tmp_path / "predicted.npz").values()
    for model, predicted in zip(fitted, found, strict=True):
        np.testing.assert_array_equal(predicted, model.predict(X), err_msg=str(model))
