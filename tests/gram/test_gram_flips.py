"""`symmetry="flip"` from `kernel` to folders and plans."""

import json

import numpy as np
import pytest
import toy_engine

from ntkreg import cntk, compute_gram, fully_connected, kernel, plan_gram
from ntkreg.errors import SpecError, StoreMismatchError
from ntkreg.gram import work as work_module
from ntkreg.kernels.flip import average_over_flip

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(37, 3, 4, 2)), RNG.normal(size=(19, 3, 4, 2))
FX, FZ = (np.ascontiguousarray(A[:, :, ::-1]) for A in (X, Z))
NET = cntk(3)
BOTH = {"get": ("nngp", "ntk"), "depths": (1, 3)}


def test_kernel_averages_over_the_flip_of_one_argument():
    straight, crossed = (kernel(NET, X, A, **BOTH) for A in (Z, FZ))
    for got, a, b in zip(
        kernel(NET, X, Z, symmetry="flip", **BOTH), straight, crossed, strict=True
    ):
        np.testing.assert_array_equal(got, (a + b) / 2)


def test_symmetric_gram_diagonal_and_tiles_are_of_one_kernel():
    K = kernel(NET, X, symmetry="flip", get="ntk")
    assert np.array_equal(K, K.T)
    upper = np.triu_indices(len(X), 1)
    assert np.array_equal(K[upper], kernel(NET, X, X, symmetry="flip")[upper])
    assert np.array_equal(np.diag(K), kernel(NET, X, symmetry="flip", diag=True))
    tiled = compute_gram(NET, X, symmetry="flip", tile=16, n_jobs=2).values["ntk"]
    assert np.array_equal(tiled, K)


def test_the_average_is_what_gets_a_unit_diagonal():
    K = kernel(NET, X, Z, symmetry="flip")
    q, p = (kernel(NET, A, symmetry="flip", diag=True) for A in (X, Z))
    got = kernel(NET, X, Z, symmetry="flip", normalize="unit_diagonal")
    np.testing.assert_allclose(got, K / np.sqrt(q[:, None] * p), rtol=1e-13)
    own = kernel(NET, X, symmetry="flip", normalize="unit_diagonal")
    assert (np.diag(own) == 1).all()


def test_networks_that_read_vectors_are_refused_even_for_images():
    with pytest.raises(SpecError, match="needs a network that reads images"):
        kernel(fully_connected(2), X, symmetry="flip")


def test_a_folder_keeps_its_symmetry_and_is_refused_for_another(tmp_path):
    first = compute_gram(NET, X, symmetry="flip", folder=tmp_path / "flip")
    assert json.loads((tmp_path / "flip" / "manifest.json").read_text())["symmetry"] == "flip"
    again = compute_gram(NET, X, symmetry="flip", folder=tmp_path / "flip")
    assert first.engine == again.engine == "FlipEngine(ImageEngine)"
    wanted = kernel(NET, X, symmetry="flip")
    assert np.array_equal(np.asarray(again.values["ntk"]), wanted)
    with pytest.raises(StoreMismatchError, match="symmetry: stored 'flip', asked None"):
        compute_gram(NET, X, folder=tmp_path / "flip")
    compute_gram(NET, X, folder=tmp_path / "plain")
    with pytest.raises(StoreMismatchError, match="symmetry: stored None, asked 'flip'"):
        compute_gram(NET, X, symmetry="flip", folder=tmp_path / "plain")


def test_a_folder_from_before_symmetries_is_read_as_one_without(tmp_path):
    wanted = np.asarray(compute_gram(NET, X, folder=tmp_path).values["ntk"])
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["symmetry"]
    path.write_text(json.dumps(manifest))
    assert np.array_equal(np.asarray(compute_gram(NET, X, folder=tmp_path).values["ntk"]), wanted)
    (tmp_path / "tiles.txt").write_text("")  # nothing in it is done: computed, not only read
    again = compute_gram(NET, X, folder=tmp_path)
    assert np.array_equal(np.asarray(again.values["ntk"]), wanted)
    with pytest.raises(StoreMismatchError, match="symmetry: stored None, asked 'flip'"):
        compute_gram(NET, X, symmetry="flip", folder=tmp_path)


def test_a_plan_counts_the_kernel_values_of_each_pair():
    plain, flipped = plan_gram(NET, X), plan_gram(NET, X, symmetry="flip")
    assert (plain.pairs, plain.terms) == (flipped.pairs, 1)
    assert flipped.terms == 2
    assert "703 pairs, 2 kernel values each, in" in str(flipped)
    assert "each" not in str(plain)
    assert flipped.peak_bytes > plain.peak_bytes + X.nbytes


def test_the_seconds_of_a_plan_are_those_of_all_values(monkeypatch):
    def slow(spec, shape):
        engine = toy_engine.ToyEngine(shape, np.dtype(spec.dtype), spec.get, 1, pause=0.06)
        return engine if spec.symmetry is None else average_over_flip(engine, commutes=True)

    monkeypatch.setattr(work_module, "engine_for", slow)
    plain, flipped = (plan_gram(NET, X, Z, symmetry=s, n_jobs=1).seconds for s in (None, "flip"))
    assert 1.5 < flipped / plain < 3
