from dataclasses import replace

import numpy as np
import pytest

from ntkreg.errors import SpecError
from ntkreg.finite import finite_network, stable_learning_rate
from ntkreg.studies.widths.config import network_of
from ntkreg.studies.widths.runs import unpack_symmetric
from ntkreg.studies.widths.task import _ensembles, load_width_data, make_task


def test_targets_are_balanced_and_images_standardised(widths_config):
    data = load_width_data(widths_config)
    assert data.X.shape == (16, 64)
    assert data.X_test.shape == (20, 64)
    assert data.y.sum() == 0
    assert set(data.y_test) == {-1.0, 1.0}
    assert data.X.mean() == pytest.approx(0, abs=1e-6)
    assert data.X.std() == pytest.approx(1, abs=1e-6)
    odd = data.source.y_test[:20] % 2 == 1
    np.testing.assert_array_equal(data.y_test == 1, odd)


def test_images_are_averaged_down_and_keep_their_shape_for_networks_that_read_them(widths_config):
    config = replace(
        widths_config, architecture={"recipe": "cntk"}, downscale=4, preprocessing="none"
    )
    data = load_width_data(config)
    assert data.X.shape == (16, 4, 4, 1)
    first = data.source.X_test[0].reshape(4, 2, 4, 2, 1).mean(axis=(1, 3))
    np.testing.assert_allclose(data.X_test[0], first, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positive": (3, 11)}, "positive must be some, not all, of the labels"),
        ({"positive": tuple(range(10))}, "positive must be some, not all, of the labels"),
        ({"n_test": 501}, "n_test must be at most 500 here; got 501"),
        ({"n_train": 4000}, "n can be at most"),
        ({"downscale": 3}, "side must divide"),
    ],
)
def test_what_the_data_do_not_allow_is_refused(widths_config, change, message):
    with pytest.raises(SpecError, match=message):
        load_width_data(replace(widths_config, **change))


def test_learning_rates_are_the_asked_share_of_the_stable_bound(widths_config):
    data = load_width_data(widths_config)
    for name in ("ntk", "mup"):
        task = make_task(widths_config, data, 2, name)
        network = finite_network(
            network_of(widths_config, 2), (64,), width=1024, parametrization=name
        )
        bound = stable_learning_rate(network, network.init(0), data.X, task.training)
        assert task.training.learning_rate == pytest.approx(0.3 * bound, rel=0.15)
        assert (task.ntk is None) == (not task.ensembles) == (name == "mup")


def test_formulas_are_mean_and_variance_of_networks_drawn_from_their_gaussian():
    rng = np.random.default_rng(0)
    n, m, draws, rate, steps = 4, 3, 200_000, 0.2, 9
    A, B = rng.normal(size=(2, n + m, 8)) / 2
    nngp, ntk = A @ A.T + 0.1 * np.eye(n + m), A @ A.T + B @ B.T
    y = rng.normal(size=n)
    formulas = _ensembles(nngp, ntk, y, rate, steps)
    start = rng.multivariate_normal(np.zeros(n + m), nngp, size=draws)
    # Gradient descent on outputs, step by step.
    f = start.copy()
    for _ in range(steps):
        f -= rate / n * (f[:, :n] - y) @ ntk[:n]
    found = formulas["ntk"]
    np.testing.assert_allclose(f[:, n:].mean(axis=0), found.mean, atol=0.02)
    np.testing.assert_allclose(f[:, n:].var(axis=0), found.variance, rtol=0.02)
    # The read-out trained for ever: Gaussian process regression without noise.
    K, K_cross = nngp[:n, :n], nngp[n:, :n]
    posterior = nngp[n:, n:] - K_cross @ np.linalg.solve(K, K_cross.T)
    np.testing.assert_allclose(formulas["nngp"].mean, K_cross @ np.linalg.solve(K, y), atol=1e-8)
    np.testing.assert_allclose(formulas["nngp"].variance, np.diagonal(posterior), atol=1e-8)
    gaps = {k: np.square(v.mean - found.mean).sum() for k, v in formulas.items()}
    assert gaps["nngp stopped"] <= gaps["nngp"]


def test_a_stored_triangle_gives_the_symmetric_matrix():
    K = np.arange(9.0).reshape(3, 3)
    K = K + K.T
    np.testing.assert_array_equal(unpack_symmetric(K[np.triu_indices(3)]), K)
