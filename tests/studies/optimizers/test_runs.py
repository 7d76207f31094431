from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ntkreg import finite
from ntkreg.errors import DataError
from ntkreg.studies.optimizers.rates import learning_rate_of
from ntkreg.studies.optimizers.runs import RunSpec, observation_steps, run_or_load
from ntkreg.studies.optimizers.task import architecture_of, load_task

GRADIENT_DESCENT = RunSpec("correct", "gradient_descent", 8, None, 0.25, 3)
SGD = replace(GRADIENT_DESCENT, optimizer="sgd", batch_size=5)


@pytest.fixture(scope="module")
def task(optimizers_config):
    return load_task(optimizers_config)


@pytest.fixture(scope="module")
def network(optimizers_config):
    return finite.finite_network(architecture_of(optimizers_config), (16,), width=8)


@pytest.fixture
def start(network, task, tmp_path):
    """Return a function that runs a specification in a folder of this test."""

    def run(spec, y=task.y, target=0.05, max_steps=2000):
        return run_or_load(
            spec, network, task.X, y, task.X_test,
            target=target, max_steps=max_steps, folder=tmp_path,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("spec", [GRADIENT_DESCENT, SGD])
def test_a_run_is_plain_training_that_stops_at_the_target(spec, start, network, task):
    run = start(spec)
    assert run.outcome == "reached"
    assert run.losses[-1] <= 0.05 < run.losses[:-1].min()
    training = finite.Training(
        run.learning_rate, int(run.steps[-1]), spec.optimizer, batch_size=spec.batch_size
    )
    plain = finite.train(network, training, task.X, task.y, seeds=(3,))
    np.testing.assert_allclose(plain.predict(task.X_test)[0, :, 0], run.outputs[-1], atol=1e-6)
    f = plain.predict(task.X)[0, :, 0]
    assert np.mean((f - task.y) ** 2) / 2 == pytest.approx(run.losses[-1], rel=1e-4)
    ends = (np.concatenate([np.ravel(p["w"]) for p in params if p])
            for params in (plain.params, plain.start))  # fmt: skip
    moved = np.subtract(*ends)
    assert np.linalg.norm(moved) == pytest.approx(run.moved_norm, rel=1e-4)
    assert np.linalg.norm(run.moved) == pytest.approx(run.moved_norm, rel=1e-6)


def test_the_kernel_kept_is_that_of_the_end(start, network, task):
    run = start(GRADIENT_DESCENT)
    training = finite.Training(run.learning_rate, int(run.steps[-1]))
    observers = {"ntk": finite.ObserveKernel()}
    kernels = finite.train(network, training, task.X, task.y, seeds=(3,), observers=observers)
    np.testing.assert_allclose(run.kernel, kernels.observed["ntk"][-1, 0], rtol=1e-3, atol=1e-3)
    assert np.abs(run.kernel - kernels.observed["ntk"][0, 0]).max() > 0.05


def test_a_run_that_does_not_get_there_says_so(start):
    run = start(GRADIENT_DESCENT, max_steps=7)
    assert (run.outcome, run.steps[-1]) == ("not reached", 7)
    assert run.losses[-1] > 0.05
    assert run.moved_norm > 0


def test_a_run_that_diverges_says_so_and_has_no_end_point(start):
    run = start(replace(GRADIENT_DESCENT, rate=30.0))
    assert run.outcome == "diverged"
    assert np.isnan(run.moved).all()
    assert np.isnan(run.kernel).all()


def test_a_run_is_read_from_its_file_and_only_from_its_own(start, task, tmp_path, monkeypatch):
    first = start(GRADIENT_DESCENT)
    monkeypatch.setattr(finite, "train", None)  # would fail if called
    again = start(GRADIENT_DESCENT)
    for name, value in vars(first).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    changes = [
        {"spec": replace(GRADIENT_DESCENT, seed=0)},
        {"spec": replace(GRADIENT_DESCENT, rate=0.2)},
        {"y": -task.y},
        {"target": 0.04},
        {"max_steps": 1999},
    ]
    for change in changes:
        with pytest.raises(TypeError, match="not callable"):
            start(**{"spec": GRADIENT_DESCENT, **change})
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=path.name):
        start(GRADIENT_DESCENT)


def test_parameters_are_kept_of_correct_labels_only(start):
    assert len(start(GRADIENT_DESCENT).moved) == 16 * 8 + 8
    random = start(replace(GRADIENT_DESCENT, labels="random"))
    assert len(random.moved) == 0
    assert random.moved_norm > 0


def test_the_first_steps_are_all_looked_at_and_later_ones_two_per_cent_apart():
    steps = observation_steps(1000)
    assert steps[:40] == list(range(40))
    assert steps[-1] == 1000
    assert all(1 < b / a <= 1.05 for a, b in pairwise(steps[40:]))


def loss_after_one_step(network, task, optimizer, rate):
    training = finite.Training(rate, 1, optimizer)
    run = finite.train(network, training, task.X, task.y, seeds=(3,), observe_at=[0, 1])
    return run.observed["loss"][:, 0]


def test_a_unit_rate_of_adam_takes_all_the_loss_to_first_order(network, task):
    params = network.init(3)
    rate = learning_rate_of("adam", 0.01, network, params, task.X, task.y)
    before, after = loss_after_one_step(network, task, "adam", rate)
    assert (before - after) / before == pytest.approx(0.01, rel=0.05)


def test_a_unit_rate_of_momentum_is_its_stable_bound(network, task):
    params = network.init(3)
    own, plain = (
        learning_rate_of(name, 0.5, network, params, task.X, task.y) for name in ("momentum", "sgd")
    )
    training = finite.Training(1.0, 1)
    assert plain == 0.5 * finite.stable_learning_rate(network, params, task.X, training)
    assert own == pytest.approx(1.9 * plain)
