"""`JaxImageEngine` as an engine: blocks, diagonals, depths, flips, what it says and refuses."""

import json
import re

import jax
import numpy as np
import pytest
from agreement import assert_agrees, tolerance
from sklearn.pipeline import make_pipeline

from ntkreg import NTKClassifier, cntk, compute_gram, fully_connected, kernel, plan_gram
from ntkreg.architecture import Architecture, AvgPool, Conv, Dense, Flatten, Relu, Residual
from ntkreg.errors import SpecError, StoreMismatchError
from ntkreg.estimators.saved_model import load_model, save_model
from ntkreg.kernels import make_engine, to_stax
from ntkreg.kernels.image.engine import ImageEngine
from ntkreg.kernels.image_jax.engine import JaxImageEngine
from ntkreg.studies.few_samples.study import FewSamplesConfig

SHAPE, NET = (5, 4, 2), cntk(2)
X = np.random.default_rng(0).normal(size=(70, *SHAPE))
BOTH = ("nngp", "ntk")
NAME = f"JaxImageEngine({jax.default_backend()})"


def both_engines(network, **options):
    return [make_engine(network, SHAPE, dtype=float, backend=b, **options) for b in (None, "jax")]


def test_values_have_the_same_bits_in_any_block():
    engine = make_engine(NET, SHAPE, dtype=float, backend="jax")
    whole = engine.cross(X, X[:40])
    for rows, columns in ((slice(3, 5), slice(7, 8)), (slice(33, 70), slice(1, 40))):
        part = engine.cross(X[rows], X[columns])
        np.testing.assert_array_equal(part, whole[..., rows, columns])


def test_symmetric_is_cross_above_the_diagonal_and_exact_on_it():
    compiled, engine = both_engines(NET)
    K = engine.symmetric(X)
    upper = np.triu_indices(len(X), 1)
    np.testing.assert_array_equal(K, K.swapaxes(2, 3))
    np.testing.assert_array_equal(K[:, :, *upper], engine.cross(X, X)[:, :, *upper])
    np.testing.assert_array_equal(np.einsum("fdii->fdi", K), compiled.diagonal(X))
    np.testing.assert_array_equal(engine.diagonal(X), compiled.diagonal(X))


def test_several_depths_and_one_field_come_from_one_pass():
    options = {"depths": (3, 1), "fields": ("ntk",)}
    compiled, engine = both_engines(cntk(3, frozen=1, bias_std=0.3), **options)
    wanted = compiled.cross(X[:3], X[3:7])
    assert wanted.shape == (1, 2, 3, 4)
    np.testing.assert_allclose(engine.cross(X[:3], X[3:7]), wanted, rtol=1e-12)


def test_read_outs_and_last_layers_come_from_one_pass_and_others_from_their_own():
    wide = cntk(3, "lap", half_width=2)
    variants = [{"readout": "flatten"}, {"half_width": 1, "depth": 2}, {"readout": "gap"}]
    variants += [{"train_last": False}, {}]
    compiled, engine = both_engines(wide, variants=variants)
    assert type(engine) is type(both_engines(NET)[1])
    np.testing.assert_allclose(
        engine.cross(X[:3], X[3:7]), compiled.cross(X[:3], X[3:7]), rtol=1e-12
    )
    np.testing.assert_array_equal(engine.diagonal(X[:3]), compiled.diagonal(X[:3]))
    compiled, engine = both_engines(wide, variants=[{"bias_std": 0.2}, {"depth": 2}])
    assert engine.name == f"PassesEngine({NAME}, {NAME})"
    np.testing.assert_allclose(engine.symmetric(X[:3]), compiled.symmetric(X[:3]), rtol=1e-12)


def test_networks_trained_in_part_come_from_one_pass_through_poolings_and_blocks():
    block = Residual((Relu(), Conv()), (Conv(1),))
    flags = ((True, True), (False, True), (True, False))
    networks = tuple(
        Architecture(
            (Conv(trainable=a), Relu(), AvgPool(2), Conv(trainable=b), block, Flatten(), Dense())
        )
        for a, b in flags
    )
    common = (SHAPE, np.dtype(float), BOTH, len(networks), networks)
    compiled, engine = ImageEngine(*common), JaxImageEngine(*common)
    assert engine.program.n_tangents == 3
    for inputs in ((X[:3], X[3:7]), (X[:3], X[:3])):
        np.testing.assert_allclose(engine.cross(*inputs), compiled.cross(*inputs), rtol=1e-12)
    np.testing.assert_array_equal(engine.diagonal(X[:3]), compiled.diagonal(X[:3]))


def test_layers_after_the_read_out_and_untrained_ends_are_the_same():
    network = cntk(2, "flatten", train_first=False, train_last=False)
    compiled, engine = both_engines(network)
    np.testing.assert_allclose(engine.symmetric(X[:4]), compiled.symmetric(X[:4]), rtol=1e-12)


def test_black_images_and_equal_images_have_finite_right_values():
    compiled, engine = both_engines(NET)
    A = X[:4].copy()
    A[0] = 0
    A[1, :, 1:] = 0  # whole windows without variance
    A[3] = -A[2]
    wanted, rows = compiled.symmetric(A)[:, 0], compiled.diagonal(A)[:, 0]
    for K in (engine.symmetric(A), engine.cross(A, A.copy())):
        assert_agrees(K[:, 0], wanted, rows, rows, tolerance(float, gap=0.0, depth=2))


def test_flips_average_over_it():
    plain = [kernel(NET, X[:3], B, backend="jax") for B in (X[3:6], X[3:6, :, ::-1])]
    got = kernel(NET, X[:3], X[3:6], symmetry="flip", backend="jax")
    np.testing.assert_array_equal(got, (plain[0] + plain[1]) / 2)
    assert plan_gram(NET, X, symmetry="flip", backend="jax").engine == f"FlipEngine({NAME})"


def test_a_gram_has_the_same_bits_with_any_number_of_threads_and_in_a_folder(tmp_path):
    one, two = (kernel(NET, X, get=BOTH, backend="jax", n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one, two)
    stored = compute_gram(NET, X, get=BOTH, backend="jax", folder=tmp_path)
    np.testing.assert_array_equal(np.asarray(stored.values["ntk"]), one[1])
    np.testing.assert_allclose(kernel(NET, X), one[1], rtol=1e-12)


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


def test_plans_print_the_program_and_the_size_of_a_chunk():
    plan = plan_gram(NET, X, backend="jax")
    rows, lanes = make_engine(NET, SHAPE, dtype=float, backend="jax").chunk
    assert (
        f"on {jax.default_backend()}, {rows} images x with {lanes} images z at once (float64)"
        in plan.program
    )
    assert "S, T: sums over 3 x 3" in plan.program
    assert plan.seconds > 0


@pytest.mark.parametrize("size", [8, 32, 96])
def test_chunks_fill_the_cache_but_hold_two_rows_and_little_of_what_pooling_leaves(size):
    network = cntk(2, "gap")
    engine = make_engine(network, (size, size, 3), dtype="float32", backend="jax")
    rows, lanes = engine.chunk
    assert rows >= 2
    assert rows * lanes * size**2 * 4 <= 2**18 or rows == 2


@pytest.mark.parametrize("network", [fully_connected(2), to_stax(NET)[2]], ids=["dense", "stax"])
def test_networks_that_are_not_of_images_are_refused_with_what_runs_them(network):
    with pytest.raises(SpecError, match=r'backend="jax" runs networks that read images.*=None'):
        kernel(network, X, backend="jax")


def test_an_unknown_backend_is_refused_everywhere():
    with pytest.raises(SpecError, match="backend must be None or \"jax\"; got 'cuda'"):
        kernel(NET, X, backend="cuda")
    with pytest.raises(ValueError, match="The 'backend' parameter of NTKClassifier must be"):
        NTKClassifier(NET, backend="cuda").fit(X[:4], [0, 1, 0, 1])
    with pytest.raises(ValueError, match='backend has no effect with kernel="precomputed"'):
        NTKClassifier(kernel="precomputed", backend="jax").fit(np.eye(2), [0, 1])
    with pytest.raises(SpecError, match="backend must be one of null, jax; got 'cuda'"):
        FewSamplesConfig("x.npz", {"recipe": "cntk"}, backend="cuda")


def test_jax_stays_in_32_bits_elsewhere():
    make_engine(NET, SHAPE, dtype=float, backend="jax").cross(X[:1], X[:1])
    assert not jax.config.jax_enable_x64
