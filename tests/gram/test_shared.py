"""Kernel values that fits share: each pair once, whoever asks, and never those of other rows."""

import threading
from collections import Counter

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit

from ntkreg import cntk, fully_connected, kernel
from ntkreg.gram import shared
from ntkreg.gram.shared import SharedGrams
from ntkreg.kernels import KernelSpec

SPEC = KernelSpec(fully_connected(2), dtype="float64")
ROOM = {"most_bytes": 1e9, "n_jobs": 1}


@pytest.fixture
def X():
    return np.random.default_rng(0).standard_normal((60, 5))


@pytest.fixture
def computed(monkeypatch):
    """Count the pairs that are computed, by network."""
    pairs: Counter = Counter()

    def counting(spec, X, Z=None, **how):
        pairs[spec.network] += len(X) * (len(X) + 1) // 2 if Z is None else len(X) * len(Z)
        return whole(spec, X, Z, **how)

    whole = shared.kernel_of
    monkeypatch.setattr(shared, "kernel_of", counting)
    return pairs


def _folds(grams, spec, X, splits):
    """Ask as a search does; return the largest relative deviation from `kernel`."""
    K = kernel(spec.network, X)
    off = 0.0
    for train, test in splits:
        found = grams.gram(spec, X[train], **ROOM)
        off = max(off, np.abs(found - K[np.ix_(train, train)]).max())
        held_out = grams.columns(spec, X[test], X[train], **ROOM)
        off = max(off, np.abs(held_out - K[np.ix_(test, train)]).max())
    return off / K.max()


@pytest.mark.parametrize("n_splits", [2, 3, 5])
@pytest.mark.parametrize("mixed", [False, True])
def test_all_folds_together_compute_one_gram(n_splits, mixed, X, computed):
    splits = list(KFold(n_splits, shuffle=mixed, random_state=0 if mixed else None).split(X))
    grams = SharedGrams()
    for _ in range(3):
        assert _folds(grams, SPEC, X, splits) < 1e-14
    assert computed[SPEC.network] == 60 * 61 // 2


def test_folds_that_overlap_at_random_compute_little_more_than_asked_for(X, computed):
    splits = list(ShuffleSplit(4, test_size=0.25, random_state=0).split(X))
    assert _folds(SharedGrams(), SPEC, X, splits) < 1e-14
    assert computed[SPEC.network] < 2 * 60 * 61 // 2


def test_a_set_that_grows_computes_what_is_new(X, computed):
    grams = SharedGrams()
    for n in (20, 45, 60):
        np.testing.assert_allclose(
            grams.gram(SPEC, X[:n], **ROOM), kernel(SPEC.network, X[:n]), rtol=1e-13
        )
        assert computed[SPEC.network] == n * (n + 1) // 2


def test_a_gram_and_columns_are_those_of_kernel_to_the_bit_the_first_time(X):
    grams = SharedGrams()
    np.testing.assert_array_equal(grams.gram(SPEC, X[:40], **ROOM), kernel(SPEC.network, X[:40]))
    columns = grams.columns(SPEC, X[40:], X[:40], **ROOM)
    np.testing.assert_array_equal(columns, kernel(SPEC.network, X[40:], X[:40]))


def test_rows_that_differ_in_one_bit_and_networks_that_differ_are_told_apart(X):
    grams = SharedGrams()
    near = X.copy()
    near[7, 3] = np.nextafter(near[7, 3], 9)
    grams.gram(SPEC, X, **ROOM)
    assert (grams.columns(SPEC, near, X, **ROOM)[7, 7]) != grams.gram(SPEC, X, **ROOM)[7, 7]
    deep = KernelSpec(fully_connected(5), dtype="float64")
    np.testing.assert_array_equal(grams.gram(deep, X, **ROOM), kernel(deep.network, X))
    single = KernelSpec(fully_connected(2), dtype="float32")
    assert grams.gram(single, X.astype("float32"), **ROOM).dtype == np.float32


def test_content_of_rows_decides_and_not_their_hash(X, monkeypatch):
    monkeypatch.setattr(shared, "_keys", lambda X: [_SameHash(r.tobytes()) for r in X + 0])
    splits = list(KFold(3).split(X))
    assert _folds(SharedGrams(), SPEC, X, splits) < 1e-14


class _SameHash(bytes):
    def __hash__(self):
        return 1


def test_repeated_rows_and_zeros_of_either_sign_count_once(X, computed):
    grams = SharedGrams()
    X[1], X[2] = X[0], 0.0
    twice = np.concatenate([X, -0.0 * X[2:3], X[:1]])
    K = grams.gram(SPEC, twice, **ROOM)
    assert computed[SPEC.network] == 59 * 60 // 2
    assert K[0, 1] == K[0, -1] == K[0, 0]
    np.testing.assert_allclose(K, kernel(SPEC.network, twice), atol=1e-7 * K.max())
    np.testing.assert_array_equal(grams.columns(SPEC, twice, twice, **ROOM), K)


def test_what_is_given_away_is_a_copy(X):
    grams = SharedGrams()
    splits = [(np.arange(40), np.arange(40, 60))]
    for _ in range(2):
        assert _folds(grams, SPEC, X, splits) < 1e-14
        grams.gram(SPEC, X[:40], **ROOM)[:] = 7
        grams.columns(SPEC, X[40:], X[:40], **ROOM)[:] = 7
    assert _folds(grams, SPEC, X, [(np.arange(60), np.arange(5))]) < 1e-14


def test_predictions_of_new_rows_leave_the_gram_as_large_as_it_was(X, computed):
    grams = SharedGrams()
    new = np.random.default_rng(1).standard_normal((500, 5))
    grams.gram(SPEC, X, **ROOM)
    before = grams.nbytes
    for start in range(0, 500, 100):
        grams.columns(SPEC, new[start : start + 100], X, **ROOM)
        assert grams.nbytes == before + 100 * 60 * 8
    # Those that would not fit are given away alone.
    found = grams.columns(SPEC, new, X, most_bytes=before + 100, n_jobs=1)
    assert grams.nbytes <= before + 100 * 60 * 8
    np.testing.assert_allclose(found, kernel(SPEC.network, new, X), rtol=1e-13)
    assert computed[SPEC.network] == 60 * 61 // 2 + 2 * 500 * 60


def test_the_gram_asked_for_longest_ago_is_forgotten_first(X, computed):
    specs = [KernelSpec(fully_connected(depth), dtype="float64") for depth in (1, 2, 3)]
    grams, room = SharedGrams(), {"most_bytes": 2.5 * (8 * 60 * 60 + 2 * X.nbytes), "n_jobs": 1}
    for k in (0, 1, 0, 2, 0, 1):
        grams.gram(specs[k], X, **room)
        assert grams.nbytes <= room["most_bytes"]
    once = 60 * 61 // 2
    assert [computed[spec.network] for spec in specs] == [once, 2 * once, once]


@pytest.mark.parametrize("most_bytes", [0, 8 * 60 * 60])
def test_a_gram_that_does_not_fit_is_not_kept(most_bytes, X):
    grams, room = SharedGrams(), {"most_bytes": most_bytes, "n_jobs": 1}
    np.testing.assert_array_equal(grams.gram(SPEC, X, **room), kernel(SPEC.network, X))
    columns = grams.columns(SPEC, X[:7], X, **room)
    np.testing.assert_array_equal(columns, kernel(SPEC.network, X[:7], X))
    assert grams.nbytes == 0


def test_rows_of_another_set_take_the_place_of_those_before(X):
    grams = SharedGrams()
    grams.gram(SPEC, X, **ROOM)
    before = grams.nbytes
    grams.gram(SPEC, X + 1, **ROOM)
    assert grams.nbytes == before
    grams.clear()
    assert grams.nbytes == 0


def test_an_interrupted_gram_is_computed_when_asked_again(X, monkeypatch):
    grams, whole = SharedGrams(), shared.kernel_of

    def interrupted(*args, **how):
        raise KeyboardInterrupt

    for rows in (X[:20], X[:40], X):
        monkeypatch.setattr(shared, "kernel_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            grams.gram(SPEC, rows, **ROOM)
        monkeypatch.setattr(shared, "kernel_of", whole)
        found = grams.gram(SPEC, rows, **ROOM)
        np.testing.assert_allclose(found, kernel(SPEC.network, rows), rtol=1e-13)


def test_threads_that_ask_together_compute_one_gram(X, computed):
    grams, wanted = SharedGrams(), kernel(SPEC.network, X)
    splits = list(KFold(4).split(X))
    off: list[float] = []

    def ask(k):
        train, test = splits[k % 4]
        for _ in range(5):
            found = grams.gram(SPEC, X[train], **ROOM)
            off.append(np.abs(found - wanted[np.ix_(train, train)]).max())
            found = grams.columns(SPEC, X[test], X[train], **ROOM)
            off.append(np.abs(found - wanted[np.ix_(test, train)]).max())

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(off) == 80
    assert max(off) < 1e-13
    assert computed[SPEC.network] < 2 * 60 * 61 // 2


def test_images_share_too(computed):
    spec = KernelSpec(cntk(1), dtype="mixed")
    X = np.random.default_rng(0).standard_normal((12, 4, 3, 2)).astype("float32")
    grams, K = SharedGrams(), kernel(spec.network, X, dtype="mixed")
    for train, test in KFold(3).split(X):
        found = grams.gram(spec, X[train], **ROOM)
        np.testing.assert_allclose(found, K[np.ix_(train, train)], rtol=1e-6)
        found = grams.columns(spec, X[test], X[train], **ROOM)
        np.testing.assert_allclose(found, K[np.ix_(test, train)], rtol=1e-6)
    assert computed[spec.network] == 12 * 13 // 2
