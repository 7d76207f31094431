"""`JaxPairs` as a backend of the image engine: what it computes, says and refuses."""

import json
import re

import jax
import numpy as np
import pytest
from backend_conformance import BackendConformance
from sklearn.pipeline import make_pipeline

from ntkreg import NTKClassifier, cntk, compute_gram, fully_connected, kernel, plan_gram
from ntkreg.errors import SpecError, StoreMismatchError
from ntkreg.estimators.saved_model import load_model, save_model
from ntkreg.kernels import make_engine, to_stax
from ntkreg.studies.few_samples.study import FewSamplesConfig

SHAPE, NET = (5, 4, 2), cntk(2)
X = np.random.default_rng(0).normal(size=(70, *SHAPE))
NAME = f"JaxImageEngine({jax.default_backend()})"


class TestJax(BackendConformance):
    backend = "jax"


def test_a_complete_folder_is_read_under_any_backend_but_a_begun_one_kept_to_its_own(tmp_path):
    wanted = compute_gram(NET, X[:9], backend="jax", folder=tmp_path).values["ntk"]
    again = compute_gram(NET, X[:9], folder=tmp_path)
    np.testing.assert_array_equal(np.asarray(again.values["ntk"]), np.asarray(wanted))
    assert json.loads((tmp_path / "manifest.json").read_text())["engine"] == NAME
    (tmp_path / "tiles.txt").write_text("")  # as if killed before the first tile was done
    with pytest.raises(StoreMismatchError, match=re.escape(f"engine: stored '{NAME}', asked")):
        compute_gram(NET, X[:9], folder=tmp_path)


def test_estimators_use_it_and_saved_models_keep_it(tmp_path):
    y = np.arange(20) % 2
    model = make_pipeline(NTKClassifier(NET, backend="jax").fit(X[:20], y))
    plain = NTKClassifier(NET).fit(X[:20], y)
    np.testing.assert_allclose(
        model.decision_function(X[20:24]), plain.decision_function(X[20:24]), rtol=1e-8
    )
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert again[-1].backend == "jax"
    assert np.array_equal(again.decision_function(X[20:24]), model.decision_function(X[20:24]))


def test_plans_print_the_size_of_a_chunk():
    plan = plan_gram(NET, X, backend="jax")
    rows, lanes = make_engine(NET, SHAPE, dtype=float, backend="jax").pairs.chunk
    assert (
        f"on {jax.default_backend()}, {rows} images x with {lanes} images z at once (float64)"
        in plan.program
    )


@pytest.mark.parametrize("size", [8, 32, 96])
def test_chunks_fill_the_cache_but_hold_two_rows_and_little_of_what_pooling_leaves(size):
    network = cntk(2, "gap")
    engine = make_engine(network, (size, size, 3), dtype="float32", backend="jax")
    rows, lanes = engine.pairs.chunk
    assert rows >= 2
    assert rows * lanes * size**2 * 4 <= 2**18 or rows == 2


@pytest.mark.parametrize("network", [fully_connected(2), to_stax(NET)[2]], ids=["dense", "stax"])
def test_networks_that_are_not_of_images_are_refused_with_what_runs_them(network):
    with pytest.raises(SpecError, match=r'backend="jax" runs networks that read images.*=None'):
        kernel(network, X, backend="jax")


def test_an_unknown_backend_is_refused_everywhere():
    with pytest.raises(SpecError, match='backend must be None or "jax" or "cuda"; got \'tpu\''):
        kernel(NET, X, backend="tpu")
    with pytest.raises(ValueError, match="The 'backend' parameter of NTKClassifier must be"):
        NTKClassifier(NET, backend="tpu").fit(X[:4], [0, 1, 0, 1])
    with pytest.raises(ValueError, match='backend has no effect with kernel="precomputed"'):
        NTKClassifier(kernel="precomputed", backend="jax").fit(np.eye(2), [0, 1])
    with pytest.raises(SpecError, match="backend must be one of null, jax, cuda; got 'tpu'"):
        FewSamplesConfig("x.npz", {"recipe": "cntk"}, backend="tpu")


def test_jax_stays_in_32_bits_elsewhere():
    make_engine(NET, SHAPE, dtype=float, backend="jax").cross(X[:1], X[:1])
    assert not jax.config.jax_enable_x64
