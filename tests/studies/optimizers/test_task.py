from dataclasses import replace

import numpy as np
import pytest

from ntkreg.errors import SpecError
from ntkreg.finite.optimizers import OPTIMIZERS
from ntkreg.studies.optimizers.config import DEFAULT_RATES, OptimizersConfig
from ntkreg.studies.optimizers.task import load_task, training_labels
from ntkreg.studies.shared.config import make_config

Y = np.repeat([1.0, -1.0], [14, 6])


def test_random_labels_are_permuted_by_the_seed():
    first, again, other = (training_labels(Y, "random", seed, 0.2) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert (first != Y).any()
    assert (first != other).any()
    assert sorted(first) == sorted(other) == sorted(Y)


def test_noisy_labels_are_flipped_in_the_share_asked_for_wherever_the_seed_says():
    first, other = (training_labels(Y, "noisy", seed, 0.24) for seed in (4, 5))
    assert (first != Y).sum() == (other != Y).sum() == 5
    assert (first != other).any()
    assert set(first) == {1, -1}
    np.testing.assert_array_equal(training_labels(Y, "noisy", 4, 0.0), Y)


def test_correct_labels_stay_what_they_are():
    np.testing.assert_array_equal(training_labels(Y, "correct", 4, 0.3), Y)


def test_a_task_has_the_sides_asked_for_and_standardised_rows(optimizers_config, corners):
    task = load_task(optimizers_config)
    data = np.load(corners)
    np.testing.assert_array_equal(task.y_test == 1, np.isin(data["y_test"], [0, 3]))
    assert task.X.shape == (20, 16)
    assert task.X.dtype == np.float32
    assert task.y.sum() == 0
    assert abs(task.X.mean()) < 1e-6
    other = load_task(replace(optimizers_config, data_seed=1))
    assert np.abs(other.X - task.X).max() > 0.1


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("n_test", 25, "n_test must be at most 24 here"),
        ("n_train", 22, "multiple of the number of classes"),
        ("positive", (7,), "not none of them"),
        ("positive", (0, 1, 2, 3), "not all of them"),
    ],
)
def test_what_the_data_cannot_give_is_refused(optimizers_config, key, value, words):
    with pytest.raises(SpecError, match=words):
        load_task(replace(optimizers_config, **{key: value}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data", ""),
        ("positive", []),
        ("n_train", 0),
        ("n_test", 2.5),
        ("depth", 0),
        ("activation", "step"),
        ("bias_std", -1),
        ("widths", []),
        ("widths", [8, 8]),
        ("width", 100),
        ("seeds", [-1]),
        ("optimizers", ["adam"]),
        ("optimizers", "adam"),
        ("optimizers", ["gradient_descent", "lion"]),
        ("optimizers", ["gradient_descent", "gradient_descent"]),
        ("rates", [0.1]),
        ("rates", {"lion": 0.1}),
        ("rates", {"adam": 0}),
        ("batch_size", 151),
        ("batch_sizes", [5, 151]),
        ("batch_rates", [0.1, 0.1]),
        ("batch_rates", [-0.1]),
        ("batch_rates", 0.1),
        ("levels", [0.01, 0.1]),
        ("levels", [0.6, 0.1]),
        ("levels", "0.1"),
        ("max_steps", 0),
        ("noise", 0.5),
        ("preprocessing", "pca"),
        ("zca_regularization", 0),
        ("data_seed", -1),
    ],
)
def test_a_wrong_value_is_named(key, value):
    with pytest.raises(SpecError, match=key):
        make_config(OptimizersConfig, {"data": "images.npz", key: value})


def test_rates_given_are_laid_over_the_defaults_of_all_eight_optimisers():
    assert set(DEFAULT_RATES) == set(OPTIMIZERS)
    config = OptimizersConfig("images.npz", rates={"adam": 1})
    assert config.rates == {**DEFAULT_RATES, "adam": 1.0}
    assert OptimizersConfig("images.npz").rates == DEFAULT_RATES
