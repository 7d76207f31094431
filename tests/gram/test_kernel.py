import io
import sys
import threading

import numpy as np
import pytest
import toy_engine
from sklearn.datasets import load_digits

from ntkreg import cntk, compute_gram, fully_connected, kernel
from ntkreg.errors import ShapeError, SpecError

DIGITS = load_digits().images[:20]
X = DIGITS.reshape(20, 64)
NET = fully_connected(depth=2)


def test_shapes_follow_get_depths_and_diag():
    Z = X[:7]
    assert kernel(NET, X).shape == (20, 20)
    assert kernel(NET, X, Z).shape == (20, 7)
    assert kernel(NET, X, Z, depths=(1, 3, 4)).shape == (3, 20, 7)
    assert kernel(NET, X, diag=True).shape == (20,)
    assert kernel(NET, X, diag=True, depths=(1, 3)).shape == (2, 20)
    one, more = [{}], [{}, {"train_first": False}, {"depth": 1}]
    assert kernel(NET, X, Z, variants=one).shape == (1, 20, 7)
    assert kernel(NET, X, Z, variants=more).shape == (3, 20, 7)
    assert kernel(NET, X, diag=True, variants=more, normalize="unit_diagonal").shape == (3, 20)


def test_a_tuple_comes_back_in_its_own_order():
    nngp, ntk = kernel(NET, X, get=("nngp", "ntk"))
    again_ntk, again_nngp = kernel(NET, X, get=("ntk", "nngp"))
    assert np.array_equal(ntk, again_ntk)
    assert np.array_equal(nngp, again_nngp)
    assert np.array_equal(ntk, kernel(NET, X, get="ntk"))
    assert not np.array_equal(ntk, nngp)


@pytest.mark.parametrize(
    ("given", "other", "asked", "wanted"),
    [
        (np.float64, None, None, np.float64),
        (np.float32, None, None, np.float32),
        (np.uint8, None, None, np.float32),
        (np.int64, None, None, np.float64),
        (np.float32, np.float64, None, np.float64),
        (np.float64, None, np.float32, np.float32),
    ],
)
def test_dtype_follows_the_inputs_unless_asked(given, other, asked, wanted):
    Z = None if other is None else X.astype(other)
    assert kernel(NET, X.astype(given), Z, dtype=asked).dtype == wanted


def test_symmetric_gram_is_symmetric_and_equals_the_cross_gram():
    K = kernel(NET, X)
    assert np.array_equal(K, K.T)
    # The diagonal differs by design: the NTK has infinite slope where x = z.
    off = ~np.eye(20, dtype=bool)
    np.testing.assert_allclose(K[off], kernel(NET, X, X.copy())[off], rtol=1e-12)


def test_diagonal_is_that_of_the_gram():
    for network, inputs in ((NET, X), (cntk(2), DIGITS[:6, ..., None])):
        K = kernel(network, inputs, depths=(1, 2))
        diagonal = np.diagonal(K, axis1=1, axis2=2)
        np.testing.assert_allclose(kernel(network, inputs, depths=(1, 2), diag=True), diagonal)


def test_unit_diagonal_divides_by_both_diagonals_in_every_tile():
    plain, rows, columns = kernel(NET, X, X[3:9]), kernel(NET, X, diag=True), None
    columns = kernel(NET, X[3:9], diag=True)
    wanted = plain / np.sqrt(rows[:, None] * columns)
    got = compute_gram(NET, X, X[3:9], normalize="unit_diagonal", tile=1).values["ntk"]
    np.testing.assert_allclose(got, wanted, rtol=1e-14)
    symmetric = kernel(NET, X, normalize="unit_diagonal")
    assert np.array_equal(np.diag(symmetric), np.ones(20))
    assert np.array_equal(symmetric, symmetric.T)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_black_images_keep_zeros_under_unit_diagonal(dtype):
    inputs = X.astype(dtype)
    inputs[4] = 0
    K = kernel(NET, inputs, normalize="unit_diagonal")
    assert not K[4].any()
    assert not K[:, 4].any()
    assert np.array_equal(np.diag(K), np.arange(20) != 4)
    assert not kernel(NET, inputs, inputs[4:5], normalize="unit_diagonal").any()
    assert np.array_equal(
        kernel(NET, inputs, diag=True, normalize="unit_diagonal"), np.arange(20) != 4
    )


def test_one_sample_is_enough():
    assert kernel(NET, X[:1]).shape == (1, 1)
    assert kernel(cntk(2), DIGITS[:1, ..., None]).shape == (1, 1)


def test_inputs_are_not_changed():
    before = X.copy()
    kernel(NET, X, normalize="unit_diagonal")
    assert np.array_equal(X, before)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"Z": np.ones((2, 9))}, ShapeError, r"X \(20, 64\), Z \(2, 9\).*same preprocessing"),
        ({"Z": np.ones(9)}, ShapeError, "Z must be"),
        ({"Z": np.full((1, 64), np.nan)}, ValueError, "Z contains NaN or infinity"),
        ({"get": "nntk"}, SpecError, "get must be .* got 'nntk'"),
        ({"get": ()}, SpecError, "get must be"),
        ({"get": ("ntk", "ntk")}, SpecError, "get must be"),
        ({"normalize": "cosine"}, SpecError, "unit_diagonal.*got 'cosine'"),
        ({"diag": True, "Z": X}, SpecError, "Z must be None"),
        ({"n_jobs": 0}, SpecError, "n_jobs must be a positive integer.*got 0"),
        ({"n_jobs": 1.5}, SpecError, "n_jobs must be a positive integer"),
        ({"dtype": np.float16}, ValueError, "float32 or float64"),
    ],
)
def test_bad_arguments_are_named(options, error, match):
    with pytest.raises(error, match=match):
        kernel(NET, X, **options)


@pytest.mark.parametrize("tile", [0, -4, 2.5, True])
def test_bad_tile_is_named(tile):
    with pytest.raises(SpecError, match="tile must be an integer >= 1"):
        compute_gram(NET, X, tile=tile)


def test_an_error_in_a_worker_comes_out_as_itself_and_no_thread_stays(monkeypatch):
    toy_engine.install(monkeypatch.setattr, limit=1.0)
    inputs = np.ones((40, 2))
    inputs[17] = 5
    before = threading.active_count()
    with pytest.raises(FloatingPointError, match="above its limit"):
        compute_gram(NET, inputs, n_jobs=4)
    assert threading.active_count() == before


def _stderr_of(monkeypatch, *, terminal, **options):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    kernel(NET, np.ones((8, 2)), **options)
    return stream.getvalue()


def test_progress_bar_is_shown_when_asked_for(monkeypatch):
    assert "pair" in _stderr_of(monkeypatch, terminal=True, progress=True)
    assert _stderr_of(monkeypatch, terminal=True, progress=False) == ""


@pytest.mark.parametrize(("pause", "terminal", "shown"), [
    (0.0, True, False),
    (0.8, True, True),
    (0.8, False, False),
])  # fmt: skip
def test_progress_bar_comes_by_itself_on_terminals_after_two_seconds(
    monkeypatch, pause, terminal, shown
):
    toy_engine.install(monkeypatch.setattr, pause=pause)
    assert bool(_stderr_of(monkeypatch, terminal=terminal, n_jobs=1)) == shown
