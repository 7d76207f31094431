"""What deviations hold in memory: nothing of n x n unless asked, nor the whole cross kernel."""

import pickle
import tracemalloc

import numpy as np

from ntkreg import NTKRegressor, fully_connected

NETWORK = fully_connected(2, bias_std=0.3)


def test_a_fit_that_nobody_asks_holds_no_matrix():
    X = np.random.default_rng(0).normal(size=(300, 4))
    small = len(pickle.dumps(NTKRegressor(NETWORK).fit(X, X[:, 0])))
    assert small < 300 * 300 * 8 / 8
    stored = NTKRegressor(NETWORK, store_covariance=True).fit(X, X[:, 0])
    assert 2 * 300 * 300 * 8 < len(pickle.dumps(stored)) < 2.2 * 300 * 300 * 8
    # A later fit without it forgets.
    stored.set_params(store_covariance=False).fit(X, X[:, 0])
    assert len(pickle.dumps(stored)) < 1.1 * small


def test_deviations_never_hold_the_whole_cross_kernel(monkeypatch):
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(400, 2)), rng.normal(size=(3000, 2))
    model = NTKRegressor(fully_connected(1), n_jobs=1).fit(X, X[:, 0])
    model.predict(Z[:1], return_std=True)
    monkeypatch.setattr("ntkreg.estimators.latent.CROSS_BYTES", 2**19)
    tracemalloc.start()
    model.predict(Z, return_std=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * 2**19 < 3000 * 400 * 8 / 3
