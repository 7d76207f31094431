"""Calls at the same time, and processes side by side: the same bits, and what was there before."""

import threading

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info

from ntkreg import NTKClassifier, NTKRegressor, fully_connected, kernel
from ntkreg.cpus import check_n_jobs

NET = fully_connected(2)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((420, 300))
    return X, np.sin(X[:, 0]), np.column_stack([X[:, 0], X[:, 1] ** 2])


def _results(data, i):
    X, y, Y = data
    n = 270 + 5 * i
    one = NTKRegressor(NET).fit(X[:n], y[:n])
    two = NTKClassifier(NET, n_jobs=1 + i % 3).fit(X[:n], Y[:n, 0] > 0)
    several = NTKRegressor(kernel="precomputed").fit(kernel(NET, X[:n]), Y[:n])
    cross = kernel(NET, X[n:], X[:n])
    return (
        cross,
        one.dual_coef_,
        one.predict(X[n:]),
        two.decision_function(X[n:]),
        several.predict(cross),
        one.solver_result_.min_eigenvalue,
        one.solver_result_.residual,
    )


def _same(found, wanted):
    return all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_calls_at_the_same_time_give_the_bits_of_calls_one_after_another(data):
    before = threadpool_info()
    wanted = [_results(data, i) for i in range(8)]
    found: list = []

    def call(i):
        found.extend(_same(_results(data, i), wanted[i]) for _ in range(5))

    threads = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 40
    assert threadpool_info() == before


@pytest.mark.parametrize("columns", [1, 2, 10])
def test_a_row_is_predicted_the_same_alone_and_among_others(data, columns):
    X, _, _ = data
    Y = np.random.default_rng(1).standard_normal((300, columns))
    model = NTKRegressor(NET).fit(X[:300], Y[:, 0] if columns == 1 else Y)
    together = model.predict(X[300:])
    for i in (0, 1, 31, 32, 57, 119):
        assert np.array_equal(model.predict(X[300 + i : 301 + i])[0], together[i])
    assert np.array_equal(model.predict(X[307:]), together[7:])


def test_an_error_in_a_fit_leaves_blas_as_it_was(data):
    X, y, _ = data
    before = threadpool_info()
    with pytest.raises(ArithmeticError):
        NTKRegressor(NET, alpha=0).fit(np.vstack([X[:50], X[:50]]), y[:100])
    assert threadpool_info() == before


def test_processes_of_a_grid_search_share_the_cpus(data, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    # First what makes processes grow: one that grows by 300 MB after its first task is replaced by
    # joblib, which may wait for the new one for ever.
    X, y, _ = data
    search = GridSearchCV(NTKRegressor(NET), {"alpha": [1e-4, 1e-2, 1.0]}, cv=3)
    alone = search.set_params(n_jobs=1).fit(X[:90], y[:90]).cv_results_["mean_test_score"]
    apart = search.set_params(n_jobs=2).fit(X[:90], y[:90]).cv_results_["mean_test_score"]
    assert np.array_equal(alone, apart)
    cpus = check_n_jobs(-1)
    shares = Parallel(n_jobs=2)(delayed(check_n_jobs)(None) for _ in range(4))
    assert set(shares) == {max(1, cpus // 2)}
    assert Parallel(n_jobs=1)([delayed(check_n_jobs)(None)]) == [check_n_jobs(None)]
    assert Parallel(n_jobs=2)([delayed(check_n_jobs)(-1)]) == [cpus]
