"""How it is trained: the optimiser, the loss, the rate, the noise, the start."""

from typing import Any

import numpy as np

from ntkreg import finite, landscape
from ntkreg.studies.landscape.questions.lines import Values, lines
from ntkreg.studies.landscape.task import Task

__all__ = ["batch_minima", "decayed_rates", "dropout", "losses", "optimizers", "small_starts"]

_PRODUCTS = 48
_MASKS = 32
_KEPT = 0.5
"""Probability of a unit under dropout."""

_SMALL = 0.03
"""What a start near the saddle at zero is multiplied by."""

_ESCAPED = 0.9
"""Loss below which a start has left the saddle at zero; training goes on to half of it."""

_ESCAPE_STEPS = 1500
_PHASES, _PHASE_STEPS = 6, 300


def optimizers(task: Task) -> Values:
    """Curvature and test loss of networks of one width at the least level, by optimiser."""
    rate, batch = task.rate(1), len(task.X) // task.config.n_batches
    trainings: dict[str, tuple[float, dict[str, Any]]] = {
        "gradient descent": (rate, {}),
        "a fifth of the rate": (rate / 5, {}),
        "sgd": (rate / 2, {"optimizer": "sgd", "batch_size": batch}),
        "momentum": (rate / 10, {"optimizer": "momentum"}),
        "adam": (0.02, {"optimizer": "adam"}),
    }
    network = task.network(1, task.middle)
    values: Values = []
    for name, (step, how) in trainings.items():
        _, levels = task.descend(network, step, **how)
        values += _seen(task, network, levels[-1], name)
    return values


def losses(task: Task) -> Values:
    """Largest curvature at the first and the last level but one, for both losses of one task.

    References
    ----------
    Cohen et al. 2021 (arXiv 2103.00065), appendix: late in training the sharpness of
    cross-entropy falls.
    """
    classes = (task.y > 0).astype(int)
    values: Values = []
    for name, y in (("squared", 2.0 * np.eye(2)[classes] - 1), ("cross_entropy", classes)):
        network = task.network(1, task.middle, n_outputs=2)
        _, levels = task.descend(network, task.rate(1), y=y, loss=name)
        for when, level in (("early", levels[0]), ("late", levels[-2])):
            surface = landscape.LossSurface(network, level.params, task.X, y, loss=name)
            top = landscape.extreme_eigenvalues(landscape.Hessian(surface), _PRODUCTS).largest
            values += lines(name, f"lambda_max_{when}", np.ma.MaskedArray(top, ~level.reached))
    return values


def decayed_rates(task: Task) -> Values:
    """Last layer's share of the gradient after SGD whose rate is halved again and again."""
    network = task.network(2, task.middle)
    batch = len(task.X) // task.config.n_batches
    values: Values = []
    for name, decay in (("constant", 1.0), ("decayed", 0.5)):
        params = network.init_seeds(range(task.config.n_seeds), "float64")
        for phase in range(_PHASES):
            rate = task.rate(2) / 4 * decay**phase
            training = finite.Training(rate, _PHASE_STEPS, "sgd", batch_size=batch)
            params = _trained(task, network, training, params, first=1000 * phase)
        surface = task.surface(network, params)
        squares = np.square(landscape.layer_gradient_norms(surface))
        share = squares[:, -1] * squares.shape[1] / squares.sum(axis=1)
        values += lines(name, "last_layer_share", share)
        values += lines(name, "loss", surface.losses() / surface.null_loss)
    return values


def dropout(task: Task) -> Values:
    """Noise that dropout of hidden units makes of the gradient, beside that of batches.

    A mask multiplies the read-out, so that loss and gradient are those of the network there.

    References
    ----------
    Wei, Kakade and Ma 2020 (arXiv 2002.12915).
    """
    import jax

    rng = np.random.default_rng(task.config.seed)
    size = len(task.X) // task.config.n_batches
    values: Values = []
    for width in (min(task.config.widths), max(task.config.widths)):
        network = task.network(1, width)
        _, levels = task.descend(network, task.rate(1))
        for when, level in (("early", levels[0]), ("late", levels[-1])):
            surface = task.surface(network, level.params)
            ones = jax.tree.map(lambda p: np.ones_like(np.asarray(p)), level.params)
            gradients, heights = [], []
            for _ in range(_MASKS):
                kept = (rng.random(ones[-1]["w"].shape) < _KEPT) / _KEPT
                mask = surface.vector((*ones[:-1], {**ones[-1], "w": kept}))
                loss, gradient = surface.losses_and_gradients(surface.theta * mask)
                gradients.append(gradient * mask)
                heights.append(loss / surface.null_loss)
            parts = [
                surface.on(surface.X[rows], surface.y[rows]).gradients()
                for rows in landscape.split_batches(len(task.X), size)
            ]
            subject = f"width {width}, {when}"
            values += _if_reached(level, subject, "dropout", _noise(gradients))
            values += _if_reached(level, subject, "batches", _noise(parts))
            values += _if_reached(level, subject, "dropout_loss", np.mean(heights, axis=0))
    return values


def small_starts(task: Task) -> Values:
    """Steps to leave the saddle at zero, full gradient and SGD, and plateaus on the way."""
    import jax

    batch = len(task.X) // task.config.n_batches
    n_steps = min(task.config.max_steps, _ESCAPE_STEPS)
    rate = task.rate(1) / 20  # so that escapes take many steps, and one says little
    trainings = {
        "gradient descent": finite.Training(rate, n_steps),
        "sgd": finite.Training(rate, n_steps, "sgd", batch_size=batch),
    }
    values: Values = []
    for width in (min(task.config.widths), max(task.config.widths)):
        network = task.network(1, width)
        params = network.init_seeds(range(task.config.n_seeds), "float64")
        for scale in (_SMALL, 1.0):
            start = jax.tree.map(lambda p, s=scale: s * np.asarray(p), params)
            for name, training in trainings.items():
                run = finite.train(
                    network,
                    training,
                    task.X,
                    task.y,
                    seeds=range(task.config.n_seeds),
                    params=start,
                    dtype="float64",
                    observers={"loss": landscape.ObserveLevels((_ESCAPED / 2,))},
                    observe_at=range(n_steps + 1),
                    progress=False,
                )
                null = task.surface(network, start).null_loss
                seen = run.observed["loss"]
                subject = f"width {width}, {'small' if scale < 1 else 'usual'} start, {name}"
                escaped = landscape.escape_steps(run.steps, seen, _ESCAPED * null)
                values += lines(subject, "escape", np.ma.maximum(escaped, 1))
                plateau = landscape.plateau_lengths(run.steps, seen) / run.steps[-1]
                values += lines(subject, "plateau", plateau)
    return values


def batch_minima(task: Task) -> Values:
    """Go to a batch's minimum early on, then down again: how far off the end is the new one."""
    config = task.config
    rows = landscape.split_batches(len(task.X), len(task.X) // config.n_batches)[0]
    values: Values = []
    for width in (min(config.widths), max(config.widths)):
        network = task.network(1, width)
        run, levels = task.descend(network, task.rate(1))
        early = task.surface(network, levels[0].params)
        part = early.on(task.X[rows], task.y[rows])
        away = early.params(landscape.polish(part).theta)
        again, back = task.descend(network, task.rate(1), params=away)
        end, other = (early.vector(r.params) for r in (run, again))
        way = np.linalg.norm(end - early.theta, axis=1)
        apart = np.linalg.norm(other - end, axis=1) / way
        height = landscape.barrier(early, landscape.straight(end, other)).relative
        values += _if_reached(back[-1], f"width {width}", "distance", apart)
        values += _if_reached(back[-1], f"width {width}", "barrier", height)
    return values


def _seen(task: Task, network: Any, level: Any, subject: str) -> Values:
    surface = task.surface(network, level.params)
    tests = surface.on(task.X_test, task.y_test)
    ends = landscape.extreme_eigenvalues(landscape.Hessian(surface), _PRODUCTS)
    return [
        *_if_reached(level, subject, "lambda_max", ends.largest),
        *_if_reached(level, subject, "test_loss", tests.losses() / tests.null_loss),
        *lines(subject, "reached", level.reached),
    ]


def _if_reached(level: Any, subject: str, quantity: str, values: Any) -> Values:
    return lines(subject, quantity, np.ma.MaskedArray(values, mask=~level.reached))


def _trained(task: Task, network: Any, training: Any, params: Any, *, first: int) -> Any:
    """Return networks trained on; their seeds, from the first on, say the order of batches."""
    return finite.train(
        network,
        training,
        task.X,
        task.y,
        seeds=range(first, first + task.config.n_seeds),
        params=params,
        dtype="float64",
        observers={},
        progress=False,
    ).params


def _noise(gradients: Any) -> np.ndarray:
    """Return the root mean square distance of gradients (n, n_seeds, p) from their mean."""
    apart = np.asarray(gradients) - np.mean(gradients, axis=0)
    return np.sqrt(np.square(apart).sum(axis=2).mean(axis=0))
