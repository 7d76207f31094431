"""Kernels that estimators keep in a folder, and find there."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from ntkreg import (
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    NTKTransformer,
    compute_gram,
    fully_connected,
)
from ntkreg.errors import StoreMismatchError
from ntkreg.estimators.saved_model import load_model, save_model
from ntkreg.gram import gram, store

RNG = np.random.default_rng(0)
X, X_NEW = RNG.normal(size=(40, 3)), RNG.normal(size=(9, 3))
Y = X[:, 0] + 0.1 * RNG.normal(size=40)
LABELS = np.where(Y > 0, "up", "down")
NET = fully_connected(2)


@pytest.fixture
def computed(monkeypatch):
    """Return a list that grows by each tile computed from now on, in folders and in memory."""
    found, compute_tile = [], store.compute_tile

    def counted(work, tile, *rest):
        found.append(work.shape)
        return compute_tile(work, tile, *rest)

    monkeypatch.setattr(store, "compute_tile", counted)
    monkeypatch.setattr(gram, "compute_tile", counted)
    return found


def _folders(place):
    return sorted(path.parent.name for path in place.glob("*/manifest.json"))


@pytest.mark.parametrize(
    "model",
    [
        NTKRegressor(NET),
        NTKClassifier(NET),
        NTKRegressorCV(NET, variants=[{"depth": 1}, {"depth": 3}]),
        NTKClassifierCV(NET),
    ],
    ids=lambda model: type(model).__name__,
)
def test_kernels_are_kept_and_found_again_to_the_same_bits(tmp_path, computed, model):
    y = LABELS if "Classifier" in type(model).__name__ else Y
    score = "decision_function" if y is LABELS else "predict"
    plain = clone(model).fit(X, y)
    wanted = getattr(plain, score)(X_NEW)
    kept = clone(model).set_params(store=tmp_path).fit(X, y)
    assert np.array_equal(getattr(kept, score)(X_NEW), wanted)
    assert len(_folders(tmp_path)) == 2
    del computed[:]
    again = clone(kept).fit(X, y)
    assert np.array_equal(again.dual_coef_, plain.dual_coef_)
    assert np.array_equal(getattr(pickle.loads(pickle.dumps(again)), score)(X_NEW), wanted)
    assert computed == []


def test_predictions_in_batches_read_each_its_own_rows(tmp_path, monkeypatch):
    model = NTKRegressor(NET, store=tmp_path).fit(X, Y)
    wanted = model.predict(X_NEW)
    monkeypatch.setattr("ntkreg.estimators.kernel_base.CROSS_BYTES", 8 * len(X) * 4)
    np.testing.assert_allclose(model.predict(X_NEW), wanted, rtol=1e-12)


def test_a_fit_reads_its_store_by_tiles(tmp_path, monkeypatch):
    NTKRegressor(NET, store=tmp_path).fit(X, Y)
    whole = []
    monkeypatch.setattr("ntkreg.gram.collection.KeptGram.read", lambda *given: whole.append(given))
    NTKRegressor(NET, store=tmp_path).fit(X, Y)
    assert whole == []


def test_a_transformer_keeps_its_kernels_there(tmp_path, computed):
    plain, kept = NTKTransformer(NET, cache_size=0), NTKTransformer(NET, store=tmp_path)
    for _ in range(2):
        assert np.array_equal(kept.fit_transform(X), plain.fit_transform(X))
        assert np.array_equal(kept.transform(X_NEW), plain.transform(X_NEW))
    assert len(computed) == 2 * 2 + 2


def test_deviations_read_the_store_too(tmp_path, computed):
    model = NTKRegressor(NET, store=tmp_path, store_covariance=True)
    wanted = clone(model).set_params(store=None).fit(X, Y).predict(X_NEW, return_std=True)
    model.fit(X, Y).predict(X_NEW, return_std=True)
    del computed[:]
    found = clone(model).fit(X, Y).predict(X_NEW, return_std=True)
    assert np.array_equal(found, wanted)
    # Of new samples with themselves nothing is kept: the diagonal is no tile.
    assert computed == []


def test_one_network_of_a_folder_of_several_is_read_from_there(tmp_path, computed):
    options = {"get": ("nngp", "ntk"), "depths": (1, 2, 3), "tile": 16}
    compute_gram(NET, X, folder=tmp_path / "kernel", **options)
    compute_gram(NET, X_NEW, X, folder=tmp_path / "test_kernel", **options)
    for get, depth in (("ntk", 3), ("nngp", 1)):
        plain = NTKRegressor(fully_connected(depth), get=get).fit(X, Y)
        wanted = plain.predict(X_NEW)
        del computed[:]
        found = NTKRegressor(fully_connected(depth), get=get, store=tmp_path).fit(X, Y)
        assert np.array_equal(found.predict(X_NEW), wanted)
        assert computed == []
    chosen = NTKRegressorCV(NET, variants=[{"depth": 3}, {"depth": 1}], store=tmp_path).fit(X, Y)
    assert computed == []
    variants = chosen.get_params()["variants"]
    assert np.array_equal(chosen.scores_, NTKRegressorCV(NET, variants=variants).fit(X, Y).scores_)
    assert _folders(tmp_path) == ["kernel", "test_kernel"]
    # What is not whole is not read for a part of it, nor changed.
    (tmp_path / "kernel" / "tiles.txt").write_text("")
    NTKRegressor(fully_connected(3), store=tmp_path).fit(X, Y)
    assert len(_folders(tmp_path)) == 3


def test_a_store_that_is_one_kernel_is_read_and_takes_no_other(tmp_path, computed):
    compute_gram(NET, X, folder=tmp_path, tile=16)
    del computed[:]
    model = NTKRegressor(NET, store=tmp_path).fit(X, Y)
    assert computed == []
    with pytest.raises(StoreMismatchError, match=r"store: folder .* holds one kernel, and another"):
        model.predict(X_NEW)
    assert np.isfinite(model.set_params(store=None).predict(X_NEW)).all()


def test_a_search_keeps_the_kernels_of_its_folds(tmp_path, computed):
    search = GridSearchCV(NTKRegressor(NET, store=tmp_path), {"alpha": [1e-3, 1e-1]}, cv=2)
    wanted = clone(search).set_params(estimator__store=None).fit(X, Y).cv_results_
    del computed[:]
    found = search.fit(X, Y).cv_results_
    assert np.array_equal(found["mean_test_score"], wanted["mean_test_score"])
    assert len(computed) == 2 + 2 + 1  # each fold's Gram, its test part, and that of all


def test_a_damaged_tile_is_computed_again_and_a_strangers_folder_is_none(tmp_path):
    model = NTKRegressor(NET, store=str(tmp_path)).fit(X, Y)
    (folder,) = tmp_path.iterdir()
    (tile,) = (p for p in folder.rglob("*") if p.is_file() and p.parent.name == "0")
    tile.write_bytes(tile.read_bytes()[:-1])
    with pytest.warns(RuntimeWarning, match="1 of 1 tiles"):
        again = clone(model).fit(X, Y)
    assert np.array_equal(again.dual_coef_, model.dual_coef_)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(StoreMismatchError, match="not the manifest of a kernel folder"):
        clone(model).fit(X, Y)


def test_a_store_is_no_part_of_a_saved_model(tmp_path):
    model = NTKRegressor(NET, store=tmp_path / "store").fit(X, Y)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")[-1]
    assert loaded.store is None
    assert np.array_equal(loaded.predict(X_NEW), model.predict(X_NEW))


@pytest.mark.parametrize(("store", "message"), [(3, "'store' parameter"), ("", "must be a path")])
def test_what_is_no_store_is_refused(store, message):
    with pytest.raises(ValueError, match=message):
        NTKRegressor(NET, store=store).fit(X, Y)


def test_a_precomputed_kernel_has_no_store(tmp_path):
    with pytest.raises(ValueError, match='store has no effect with kernel="precomputed"'):
        NTKRegressor(kernel="precomputed", store=tmp_path).fit(np.eye(40), Y)
