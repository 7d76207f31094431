"""Training: eight optimisers, all seeds at once, observed, stopped where it diverges."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import log_softmax

from ntkreg import Architecture, Dense, Relu, fully_connected
from ntkreg.errors import DivergenceError, ShapeError
from ntkreg.finite import (
    LayerDrifts,
    LayerNorms,
    ObserveKernel,
    ObserveLoss,
    ObserveLossUntil,
    ObserveOutputs,
    Training,
    empirical_kernels,
    finite_network,
    log_steps,
    stable_learning_rate,
    train,
)
from ntkreg.finite.optimizers import OPTIMIZERS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3))
Y = RNG.normal(size=(8, 2))
NETWORK = finite_network(fully_connected(1, bias_std=0.2), (3,), width=5, n_outputs=2)

# Each with its own defaults written out: what the named options must mean to optax.
BY_HAND = {
    "gradient_descent": lambda rate: optax.sgd(rate),
    "sgd": lambda rate: optax.sgd(rate),
    "momentum": lambda rate: optax.sgd(rate, momentum=0.9),
    "nesterov": lambda rate: optax.sgd(rate, momentum=0.9, nesterov=True),
    "rmsprop": lambda rate: optax.rmsprop(rate, 0.9, 1e-8, eps_in_sqrt=False),
    "adam": lambda rate: optax.adam(rate),
    "adagrad": lambda rate: optax.adagrad(rate, 0.0, 1e-14),
    "adadelta": lambda rate: optax.adadelta(rate, 0.9, 1e-6),
}


def loss_by_hand(params, X, y):
    first, _, second = params
    hidden = jax.nn.relu(2**0.5 / 3**0.5 * X @ first["w"] + 0.2 * first["b"])
    f = hidden @ second["w"] / 5**0.5
    return ((f - y) ** 2).sum() / (2 * len(X))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_takes_the_steps_of_a_plain_loop(name):
    rate, steps = (1.0 if name == "adadelta" else 0.05), 4  # adadelta begins with small steps
    size = len(X) if name == "sgd" else None  # one batch: its order does not matter
    run = train(NETWORK, Training(rate, steps, name, batch_size=size), X, Y, seeds=(3,))
    params = NETWORK.init(3)
    optimizer = BY_HAND[name](rate)
    state = optimizer.init(params)
    gradient = jax.jit(jax.grad(loss_by_hand))
    for _ in range(steps):
        update, state = optimizer.update(gradient(params, X, Y), state, params)
        params = optax.apply_updates(params, update)
    for got, wanted in zip(jax.tree.leaves(run.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(got[0], wanted, rtol=2e-5, atol=2e-6)
    moved = np.abs(np.asarray(run.params[0]["w"] - run.start[0]["w"])).max()
    assert moved > 1e-3


def test_options_reach_the_optimiser():
    ends = [
        train(NETWORK, Training(0.05, 5, "momentum", options={"momentum": m}), X, Y).predict(X)
        for m in (0.0, 0.5, 0.9)
    ]
    plain = train(NETWORK, Training(0.05, 5), X, Y).predict(X)
    np.testing.assert_allclose(ends[0], plain, atol=1e-6)
    assert np.abs(ends[1] - plain).max() > 1e-3
    assert np.abs(ends[2] - ends[1]).max() > 1e-3


def test_an_epoch_of_small_steps_sees_every_example_once():
    training = Training(1e-5, 4, "sgd", batch_size=2)
    run = train(NETWORK, training, X, Y, dtype=float, seeds=(0, 1))
    whole = train(NETWORK, Training(4e-5, 1), X, Y, dtype=float, seeds=(0, 1))
    for got, wanted, start in zip(
        *(jax.tree.leaves(p) for p in (run.params, whole.params, run.start)), strict=True
    ):
        np.testing.assert_allclose(got - start, wanted - start, rtol=2e-3, atol=1e-9)


def test_seeds_trained_together_end_where_each_ends_alone():
    training = Training(0.1, 7, "sgd", batch_size=3)
    together = train(NETWORK, training, X, Y, seeds=(4, 9)).predict(X)
    for i, seed in enumerate((4, 9)):
        alone = train(NETWORK, training, X, Y, seeds=(seed,)).predict(X)
        np.testing.assert_allclose(together[i], alone[0], rtol=1e-4, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 0.01


def test_untrained_layers_do_not_move_and_trained_ones_do():
    network = finite_network(fully_connected(1, train_first=False), (3,), width=5, n_outputs=2)
    run = train(network, Training(0.1, 5, "adam"), X, Y)
    np.testing.assert_array_equal(run.params[0]["w"], run.start[0]["w"])
    assert np.abs(run.params[2]["w"] - run.start[2]["w"]).max() > 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_runs_in_the_dtype_asked_for(dtype):
    run = train(NETWORK, Training(0.1, 3), X, Y, dtype=dtype)
    assert {leaf.dtype for leaf in jax.tree.leaves(run.params)} == {np.dtype(dtype)}
    assert run.predict(X).dtype == run.observed["loss"].dtype == dtype
    assert not jax.config.jax_enable_x64


def test_observers_see_each_step_they_were_asked_for():
    watch = {
        "loss": ObserveLoss(),
        "f": ObserveOutputs(X[:3]),
        "kernel": ObserveKernel(X[:4], X[4:6]),
        "norms": LayerNorms(),
        "drift": LayerDrifts(),
        "mine": lambda snapshot: np.array([snapshot.step, *snapshot.X.shape]),
    }
    run = train(NETWORK, Training(0.1, 6), X, Y, seeds=(0, 1), observers=watch, observe_at=(6, 0))
    assert run.steps.tolist() == [0, 6]
    shapes = {name: value.shape for name, value in run.observed.items()}
    assert shapes == {
        "loss": (2, 2),
        "f": (2, 2, 3, 2),
        "kernel": (2, 2, 4, 2),
        "norms": (2, 2, 2),
        "drift": (2, 2, 2),
        "mine": (2, 3),
    }
    one = jax.tree.map(lambda leaf: leaf[1], run.params)
    off = jax.tree.map(lambda leaf, start: leaf[1] - start[1], run.params, run.start)
    np.testing.assert_allclose(run.observed["loss"][1, 1], loss_by_hand(one, X, Y), rtol=1e-5)
    np.testing.assert_allclose(run.observed["f"][1], run.predict(X[:3]), rtol=1e-6)
    wanted = empirical_kernels(NETWORK, one, X[:4], X[4:6]).ntk
    np.testing.assert_allclose(run.observed["kernel"][1, 1], wanted, rtol=1e-4, atol=1e-5)
    for name, params in (("norms", one), ("drift", off)):
        layers = [np.concatenate([np.ravel(v) for v in p.values()]) for p in params if p]
        np.testing.assert_allclose(
            run.observed[name][1, 1], [np.linalg.norm(v) for v in layers], rtol=1e-5
        )
    assert np.all(run.observed["drift"][0] == 0)
    assert run.observed["mine"].tolist() == [[0, 8, 3], [6, 8, 3]]


def test_steps_to_observe_are_log_spaced_and_hold_both_ends():
    assert log_steps(0) == (0,)
    assert log_steps(1) == (0, 1)
    steps = np.array(log_steps(10000, per_decade=4))
    assert steps[:3].tolist() == [0, 1, 2]
    assert steps[-1] == 10000
    ratios = steps[9:] / steps[8:-1]
    assert np.all(np.abs(ratios - 10**0.25) < 0.05)
    run = train(NETWORK, Training(0.1, 5), X, Y, observers={})
    assert run.steps.size == 0
    assert run.observed == {}


def test_cross_entropy_is_the_mean_negative_log_probability():
    classes = np.array([0, 1, 1, 0, 1, 0, 0, 1])
    run = train(NETWORK, Training(0.5, 200, loss="cross_entropy"), X, classes)
    for when, params in ((0, run.start), (-1, run.params)):
        f = NETWORK.predict_seeds(params, X)[0]
        wanted = -log_softmax(f, axis=1)[np.arange(8), classes].mean()
        assert run.observed["loss"][when, 0] == pytest.approx(wanted, rel=1e-5)
    assert run.observed["loss"][-1, 0] < 0.5 * run.observed["loss"][0, 0]
    rows = train(NETWORK, Training(0.5, 200, loss="cross_entropy"), X, np.eye(2)[classes])
    np.testing.assert_array_equal(rows.predict(X), run.predict(X))


def test_parameters_given_are_the_start():
    start = NETWORK.init_seeds((7, 8))
    given = train(NETWORK, Training(0.1, 4), X, Y, seeds=(0, 1), params=start)
    drawn = train(NETWORK, Training(0.1, 4), X, Y, seeds=(7, 8))
    np.testing.assert_array_equal(given.predict(X), drawn.predict(X))
    with pytest.raises(ShapeError, match="the first axis of every array one for each of the 3"):
        train(NETWORK, Training(0.1, 4), X, Y, seeds=(0, 1, 2), params=start)


LINEAR = finite_network(Architecture((Dense(1.0),)), (3,), parametrization="ntk")


def first_bad_step(rate, y, steps):
    """Return the first step at which a linear network's loss is a million times too large."""
    w = np.asarray(LINEAR.init(0)[0]["w"], float)
    limit = None
    for step in range(steps + 1):
        residual = X @ w / 3**0.5 - y
        loss = 0.5 * np.mean(residual**2)
        limit = limit or 1e6 * (loss + 0.5 * np.mean(y**2))
        if loss > limit:
            return step
        w = w - rate / len(X) * X.T @ residual / 3**0.5
    return None


def test_divergence_names_step_rate_and_stable_bound():
    y = Y[:, :1]
    bound = 2 * len(X) * 3 / np.linalg.eigvalsh(X @ X.T)[-1]
    rate = 1.5 * bound
    wanted = first_bad_step(rate, y, 1000)
    assert wanted > 5
    with pytest.raises(DivergenceError, match=rf"diverged at step {wanted} \(seed 0; ") as error:
        train(LINEAR, Training(rate, 1000), X, y)
    assert f"learning rate {rate:g}; the stable bound" in str(error.value)
    assert f"is {bound:.3g}. Lower the learning rate." in str(error.value)
    with pytest.raises(DivergenceError, match=r"\(seed \d; \d of 2 seeds\)"):
        train(LINEAR, Training(rate, 1000), X, y, seeds=(1, 0))
    # Also if the loss grows too large by the last step of all.
    with pytest.raises(DivergenceError, match=rf"diverged at step {wanted} "):
        train(LINEAR, Training(rate, wanted), X, y)
    train(LINEAR, Training(rate, wanted - 1), X, y)
    train(LINEAR, Training(0.99 * bound, 1000), X, y)


def test_divergence_of_normalising_optimisers_says_whose_bound_it_names():
    with pytest.raises(DivergenceError, match=r"adam diverged .* gradient descent's stable bound"):
        train(LINEAR, Training(1e30, 100, "adam"), X, Y[:, :1])


@pytest.mark.parametrize(
    ("name", "gain"), [("momentum", 1.9), ("nesterov", 1.9 / 2.8), ("gradient_descent", 1.0)]
)
def test_stable_bounds_are_where_training_starts_to_grow(name, gain):
    y = Y[:, :1]
    bound = stable_learning_rate(LINEAR, LINEAR.init(0), X, Training(1.0, 1, name))
    plain = 2 * len(X) * 3 / np.linalg.eigvalsh(X @ X.T)[-1]
    assert bound == pytest.approx(gain * plain, rel=2e-3)
    for factor, grows in ((0.97, False), (1.03, True)):
        losses = train(
            LINEAR, Training(factor * bound, 20, name), X, y, observe_at=(10, 20)
        ).observed["loss"]
        assert (losses[1] > losses[0]) == grows


def test_mup_trains_as_table_3_of_yang_et_al_2022_says():
    # Effective weights: variances 1/n, 1/n, 1/n^2; rates of SGD m, 1, 1/n and of Adam 1, 1/n,
    # 1/n for input, hidden and output weights of fan-in n and fan-out m.
    widths = (6, 7)
    network = finite_network(
        Architecture((Dense(1.3, 0.4), Relu(), Dense(), Relu(), Dense(1.0, 0.3))),
        (3,),
        width=widths,
        parametrization="mup",
    )
    y = Y[:, :1]
    factors = {"w1": 6**0.5, "b1": 6**0.5, "w2": 1.0, "w3": 7**-0.5, "b3": 1.0}
    rates = {
        "gradient_descent": {"w1": 6, "b1": 6, "w2": 1, "w3": 1 / 7, "b3": 1},
        "adam": {"w1": 1, "b1": 1, "w2": 1 / 6, "w3": 1 / 7, "b3": 1},
    }

    def effective(params):
        first, _, second, _, third = params
        found = {"w1": first["w"], "b1": first["b"], "w2": second["w"]}
        found |= {"w3": third["w"], "b3": third["b"]}
        return {name: factors[name] * np.asarray(value) for name, value in found.items()}

    def loss(p):
        hidden = jax.nn.relu(X @ p["w1"] + p["b1"])
        f = jax.nn.relu(hidden @ p["w2"]) @ p["w3"] + p["b3"]
        return 0.5 * jnp.mean((f - y) ** 2)

    for name, make in (("gradient_descent", optax.sgd), ("adam", optax.adam)):
        run = train(network, Training(0.02, 5, name), X, y, seeds=(2,))
        p = effective(network.init(2))
        optimizer = make(0.02)
        state = optimizer.init(p)
        gradient = jax.jit(jax.grad(loss))
        for _ in range(5):
            update, state = optimizer.update(gradient(p), state)
            p = {k: p[k] + rates[name][k] * update[k] for k in p}
        got = effective(jax.tree.map(lambda leaf: leaf[0], run.params))
        for k in p:
            np.testing.assert_allclose(got[k], p[k], rtol=1e-4, atol=1e-5, err_msg=f"{name} {k}")


def coordinate_slopes(parametrization, optimizer, rate, target=1.0):
    """Return the slope against width of the move of each dense layer's outputs, log-log."""
    widths, moves = (64, 256, 1024), []
    X = np.random.default_rng(1).normal(size=(12, 10)).astype(np.float32)
    y = target * np.sign(X[:, :1])
    for width in widths:
        network = finite_network(
            fully_connected(2), (10,), width=width, parametrization=parametrization
        )
        run = train(network, Training(rate, 4, optimizer), X, y, seeds=range(5), observers={})
        layers = jax.jit(jax.vmap(lambda p, n=network: n.activations(p, X)[::2]))
        pairs = zip(layers(run.start), layers(run.params), strict=True)
        moves.append([float(np.sqrt(np.mean((b - a) ** 2))) for a, b in pairs])
    return np.polyfit(np.log(widths), np.log(moves), 1)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "rate"), [("gradient_descent", 0.2), ("adam", 0.02)])
def test_features_move_as_much_at_every_width_in_mup(optimizer, rate):
    assert np.all(np.abs(coordinate_slopes("mup", optimizer, rate)) < 0.15)


@pytest.mark.slow
def test_features_move_less_and_less_in_the_kernel_regime():
    # Targets far above the outputs of the start, which differ much from seed to seed.
    first, second, output = coordinate_slopes("ntk", "gradient_descent", 0.02, target=10.0)
    assert -0.7 < first < -0.3
    assert -0.7 < second < -0.3
    assert abs(output) < 0.15


def test_a_bar_shows_at_once_or_never(capfd):
    train(NETWORK, Training(0.1, 3), X, Y, progress=False)
    assert capfd.readouterr().err == ""
    train(NETWORK, Training(0.1, 3), X, Y)  # under two seconds, and no terminal
    assert capfd.readouterr().err == ""
    train(NETWORK, Training(0.1, 3), X, Y, progress=True)
    assert "3/3" in capfd.readouterr().err


def test_training_ends_where_an_observer_says_and_a_checkpoint_remembers(tmp_path):
    network = finite_network(fully_connected(1), (3,), width=16)
    X, training = np.eye(3), Training(0.5, 200)
    until = {"loss": ObserveLossUntil(0.1)}
    run = train(network, training, X, [1, 0, -1], observers=until, checkpoint=tmp_path / "c.npz")
    assert run.observed["loss"].shape == (len(run.steps), 1)
    assert run.observed["loss"][-1] < 0.1 / 3 <= run.observed["loss"][-2]
    assert run.steps[-1] < 200
    again = train(network, training, X, [1, 0, -1], observers=until, checkpoint=tmp_path / "c.npz")
    np.testing.assert_array_equal(again.steps, run.steps)
    np.testing.assert_array_equal(again.predict(X), run.predict(X))
    whole = train(network, training, X, [1, 0, -1], observers={"loss": ObserveLossUntil(0.0)})
    assert whole.steps[-1] == 200
