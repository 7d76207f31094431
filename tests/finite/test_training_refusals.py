"""Training: what makes no sense is refused by name, before any step."""

import numpy as np
import pytest

from ntkreg import Architecture, Dense, fully_connected
from ntkreg.errors import ShapeError, SpecError
from ntkreg.finite import (
    ObserveLoss,
    Training,
    finite_network,
    train,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3))
Y = RNG.normal(size=(8, 2))
NETWORK = finite_network(fully_connected(1, bias_std=0.2), (3,), width=5, n_outputs=2)
LINEAR = finite_network(Architecture((Dense(1.0),)), (3,), parametrization="ntk")
NAN = X.copy()
NAN[2, 1] = np.nan


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ((X[:0], Y[:0]), {}, r"X has no samples: \(0, 3\)"),
        ((X[0], Y), {}, r"X must be \(n, 3\) for this network; got \(3,\)"),
        ((X[:, :2], Y), {}, r"X must be \(n, 3\) for this network; got \(8, 2\)"),
        ((NAN, Y), {}, r"X holds 1 values that are NaN or infinite, the first at \(2, 1\)"),
        ((X, Y + np.inf), {}, r"y holds 16 values that are NaN or infinite"),
        ((X.astype(str), Y), {}, r"X must hold numbers; got dtype <U"),
        ((X, Y[:5]), {}, r"X has 8 samples, y has the shape \(5, 2\)"),
        ((X, Y[:, 0]), {}, r"y must be \(8, 2\) for this network; got \(8,\)"),
        ((X, Y), {"seeds": ()}, "seeds must be one or more different integers"),
        ((X, Y), {"seeds": (1, 1)}, "seeds must be one or more different integers"),
        ((X, Y), {"seeds": (-1,)}, r"seeds must be .* 0 <= seed < 2\*\*31; got \(-1,\)"),
        ((X, Y), {"dtype": "float16"}, "dtype must be float32 or float64; got 'float16'"),
        ((X, Y), {"observers": [ObserveLoss()]}, "observers must map names to callables"),
        ((X, Y), {"observe_at": (0, 11)}, "observe_at must lie between 0 and n_steps = 10"),
        ((X, Y), {"observe_at": (0.5,)}, r"observe_at must be whole steps; got \(0.5,\)"),
    ],
)
def test_data_and_settings_that_make_no_sense_are_refused(data, options, message):
    with pytest.raises((SpecError, ShapeError), match=f"train: {message}"):
        train(NETWORK, Training(0.1, 10), *data, **options)


def test_targets_and_batches_that_do_not_fit_are_refused():
    entropy = Training(0.1, 1, loss="cross_entropy")
    with pytest.raises(SpecError, match=r"y must hold classes 0 to 1 for cross-entropy; got .* 3"):
        train(NETWORK, entropy, X, np.arange(8) % 4)
    with pytest.raises(SpecError, match="rows of y must be probabilities"):
        train(NETWORK, entropy, X, Y)
    with pytest.raises(SpecError, match="needs a network with an output for each class"):
        train(LINEAR, entropy, X, np.zeros(8, int))
    with pytest.raises(SpecError, match="batch_size is 9, but there are 8 samples"):
        train(NETWORK, Training(0.1, 1, "sgd", batch_size=9), X, Y)
    fixed = finite_network(Architecture((Dense(trainable=False),)), (3,), n_outputs=2)
    with pytest.raises(SpecError, match="no layer of the network is trainable"):
        train(fixed, Training(0.1, 1), X, Y)
    with pytest.raises(SpecError, match="network must come from finite_network"):
        train("dense", Training(0.1, 1), X, Y)
    with pytest.raises(SpecError, match="training must be a Training"):
        train(NETWORK, 0.1, X, Y)


def test_an_observer_whose_shape_changes_is_refused():
    with pytest.raises(ShapeError, match=r"observer 'odd' gave an array of shape \(1,\) at step 1"):
        train(NETWORK, Training(0.1, 2), X, Y, observers={"odd": lambda s: np.zeros(s.step)})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((0.0, 1), "learning_rate must be a finite float > 0; got 0.0"),
        (("0.1", 1), "learning_rate must be a finite float > 0; got '0.1'"),
        ((0.1, -1), "n_steps must be an integer >= 0; got -1"),
        ((0.1, 1, "adamw"), "optimizer must be one of gradient_descent, sgd, .*; got 'adamw'"),
        ((0.1, 1, "adam", "hinge"), "loss must be one of squared, cross_entropy; got 'hinge'"),
        ((0.1, 1, "sgd"), "sgd needs a batch_size"),
        ((0.1, 1, "adam", "squared", 0), "batch_size must be an integer >= 1; got 0"),
        ((0.1, 1, "gradient_descent", "squared", 4), "takes all examples; got batch_size=4"),
        ((0.1, 1, "adam", "squared", None, {"momentum": 1}), "no option 'momentum'; its .* b1"),
        ((0.1, 1, "gradient_descent", "squared", None, {"b1": 1}), "'b1'; it has no options"),
        ((0.1, 1, "momentum", "squared", None, {"momentum": -1}), "must be a float >= 0; got -1"),
        ((0.1, 1, "adam", "squared", None, 3), "options must be a mapping .*; got 3"),
    ],
)
def test_trainings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SpecError, match=message):
        Training(*settings)
