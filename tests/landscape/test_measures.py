"""Sharpness, minima, batches, features and histories against closed forms."""

import jax
import landscape_cases as cases
import numpy as np
import pytest

from ntkreg import fully_connected
from ntkreg.errors import DivergenceError, ShapeError, SpecError
from ntkreg.finite import Training, finite_network, train
from ntkreg.landscape import (
    Hessian,
    LossSurface,
    ObserveLevels,
    average_sharpness,
    batch_landscape,
    box_sharpness,
    criticality,
    escape_steps,
    feature_rank,
    filter_sharpness,
    iterate_diameter,
    last_layer_residual,
    leave_one_out,
    loss_floor,
    perturbed_losses,
    plateau_lengths,
    polish,
    sam_sharpness,
    spread_shares,
)

rng = np.random.default_rng(0)
LINEAR = finite_network(fully_connected(0), (3,))
X, Y = rng.normal(size=(8, 3)), rng.normal(size=8)
WORDS = finite_network(fully_connected(1, weight_std=1.0, activation="identity"), (3,), width=4)


def linear_surface():
    return LossSurface(LINEAR, LINEAR.init_seeds([0, 1], "float64"), X, Y)


@pytest.mark.slow
def test_sharpness_is_exact_at_a_quadratic_loss():
    surface = linear_surface()
    H = X.T @ X / (8 * 3)  # the NTK parametrisation: w / sqrt(3)
    assert np.allclose(Hessian(surface).dense(), H)
    g, rho = surface.gradients(), 0.3
    length = np.linalg.norm(g, axis=1)
    bent = np.einsum("sa,ab,sb->s", g, H, g)
    wanted = rho * length + rho**2 * bent / length**2 / 2
    assert np.allclose(sam_sharpness(surface, rho), wanted)
    assert np.allclose(criticality(surface).curvature_ratio, np.linalg.norm(g @ H, axis=1) / length)
    low = polish(surface)
    assert low.converged.all()
    exact = np.sqrt(3) * np.linalg.lstsq(X, Y, rcond=None)[0]
    assert np.allclose(low.theta, exact, atol=1e-8)
    bottom = LossSurface(LINEAR, surface.params(low.theta), X, Y)
    found = average_sharpness(bottom, rho, n_draws=64)
    mean = rho**2 * np.trace(H) / 3 / 2
    assert np.all(np.abs(found.value - mean) < 4 * found.error)
    assert found.error.max() < 0.2 * mean
    relative = filter_sharpness(bottom, rho, n_draws=64)
    scaled = found.value * np.square(low.theta).sum(axis=1)  # one filter: its norm is the radius
    assert np.allclose(relative.value, scaled, rtol=1e-6)
    half = 0.1 * (np.abs(low.theta[0]) + 1)
    corners = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T * half
    rise = np.einsum("ka,ab,kb->k", corners, H, corners).max() / 2
    loss = bottom.losses()[0]
    assert box_sharpness(bottom, 0.1, n_starts=6)[0] == pytest.approx(100 * rise / (1 + loss))
    changed = perturbed_losses(bottom, [0, rho], n_draws=3)
    assert changed.shape == (2, 3, 2)
    assert np.allclose(changed[:, :, 0], bottom.losses()[:, None])


@pytest.mark.slow
def test_leaving_one_out_of_least_squares_moves_it_as_linear_algebra_says():
    bottom = LossSurface(LINEAR, LINEAR.init_seeds([0], "float64"), X, Y)
    bottom = LossSurface(LINEAR, bottom.params(polish(bottom).theta), X, Y)
    found = leave_one_out(bottom, [0, 5])
    for k, row in enumerate((0, 5)):
        rest = np.delete(np.arange(8), row)
        other = np.sqrt(3) * np.linalg.lstsq(X[rest], Y[rest], rcond=None)[0]
        shift = np.linalg.norm(other - bottom.theta[0])
        assert found.shift[0, k] == pytest.approx(shift)
        assert found.newton[0, k] == pytest.approx(shift)
        change = abs(X[row] @ (other - bottom.theta[0])) / np.sqrt(3)
        assert found.prediction[0, k] == pytest.approx(change)
    assert found.converged.all()


@pytest.mark.slow
def test_linear_networks_reach_least_squares_but_for_a_start_at_zero():
    starts = WORDS.init_seeds(range(4), "float64")
    zero = jax.tree.map(lambda p: np.concatenate([p, 0 * np.asarray(p[:1])]), starts)
    ends = train(WORDS, Training(0.2, 3000), X, Y, seeds=range(5), params=zero, dtype="float64")
    best = 0.5 * np.square(Y - X @ np.linalg.lstsq(X, Y, rcond=None)[0]).mean()
    surface = LossSurface(WORDS, ends.params, X, Y)
    losses = surface.losses()
    assert np.allclose(losses[:4], best, atol=1e-10)
    assert losses[4] == surface.null_loss
    found = criticality(surface)
    assert found.curvature_ratio.mask[4]
    assert np.linalg.eigvalsh(Hessian(surface).dense()[4]).min() < -0.01
    stuck = polish(surface).theta[4]
    assert not stuck.any()


@pytest.mark.slow
def test_polish_reaches_gradients_that_descent_does_not():
    surface = cases.surface_of()
    found = polish(surface)
    assert found.converged.all()
    assert found.gradient_norms.max() < 1e-9
    assert np.all(surface.losses(found.theta) < surface.losses())
    with pytest.raises(SpecError, match="polish: needs float64"):
        polish(LossSurface(LINEAR, LINEAR.init_seeds([0]), X, Y))


@pytest.mark.slow
def test_batches_of_data_that_are_fitted_have_no_gap():
    truth = X @ [1.0, -2.0, 0.5]
    fitted = LossSurface(LINEAR, LINEAR.init_seeds([0], "float64"), X, truth)
    low = polish(fitted, tol=1e-13).theta
    for y, theta, gap in ((truth, low, 0.0), (Y, linear_surface().theta[:1], None)):
        surface = LossSurface(LINEAR, fitted.params(theta), X, y)
        found = batch_landscape(surface, 4)
        assert found.gap.shape == (1, 2)
        if gap == 0:
            assert np.abs(found.gap).max() < 1e-15
            assert found.distance.max() < 1e-9
            assert found.noise < 1e-9
        else:
            rows = np.random.default_rng(0).permutation(8)
            for k, part in enumerate((rows[:4], rows[4:])):
                best = X[part] @ np.linalg.lstsq(X[part], y[part], rcond=None)[0]
                least = 0.5 * np.square(y[part] - best).mean()
                now = 0.5 * np.square(y[part] - X[part] @ theta[0] / np.sqrt(3)).mean()
                assert found.gap[0, k] == pytest.approx(now - least)
            g = [-(y[p] - X[p] @ theta[0] / np.sqrt(3)) @ X[p] for p in (rows[:4], rows[4:])]
            cosine = g[0] @ g[1] / np.linalg.norm(g[0]) / np.linalg.norm(g[1])
            assert found.least_cosine[0] == pytest.approx(cosine)
            assert found.noise[0] == pytest.approx(np.linalg.norm(g[0] - g[1]) / 8 / np.sqrt(3))
    # Where no batch has a gradient there is no angle between two.
    at_rest = LossSurface(
        WORDS, jax.tree.map(np.zeros_like, WORDS.init_seeds([0], "float64")), X, Y
    )
    still = batch_landscape(at_rest, 4)
    assert still.least_cosine.mask.all()
    assert still.noise == 0


@pytest.mark.parametrize("width", [3, 8])
def test_rank_is_the_smaller_of_width_and_distinct_inputs(width):
    network = finite_network(fully_connected(1, activation="erf"), (3,), width=width)
    params = network.init_seeds([0, 1], "float64")
    found = feature_rank(network, params, X)
    assert found.rank.tolist() == [min(width, 8)] * 2
    assert found.n_distinct == 8
    assert np.all(found.least > 0)
    residual = last_layer_residual(network, params, X, Y)
    if width >= 8:
        assert residual.max() < 1e-12
    else:
        assert residual.min() > 0.01
    twice = np.vstack([X, X[:2]])
    repeated = feature_rank(network, params, twice)
    assert repeated.rank.tolist() == [min(width, 8)] * 2
    assert repeated.n_distinct == 8


@pytest.mark.slow
def test_conflicting_labels_leave_a_loss_that_no_network_gets_under():
    both = np.vstack([X, X[:1]])
    y = np.append(Y, Y[0] + 3.0)
    floor = loss_floor(both, y)
    assert floor.loss == pytest.approx(0.5 * 2 * 1.5**2 / 9)
    network = finite_network(fully_connected(1, activation="erf"), (3,), width=16)
    surface = LossSurface(network, network.init_seeds([0], "float64"), both, y)
    end = surface.losses(polish(surface, tol=1e-7).theta)
    assert end == pytest.approx(floor.loss, rel=1e-6)
    assert loss_floor(X, Y) == (0.0, 8)
    coin = loss_floor([[1.0], [1.0]], [0, 1], "cross_entropy")
    assert coin.loss == pytest.approx(np.log(2))


@pytest.mark.slow
def test_escapes_plateaus_and_diameters():
    # u = v = r on y = 1 leaves the saddle as r e^t: from half as far it takes ln 2 longer.
    network = finite_network(
        fully_connected(1, weight_std=1.0, activation="identity"), (1,), width=1
    )
    ones = jax.tree.map(np.ones_like, network.init_seeds([0, 1, 2], "float64"))
    radii = np.array([1e-2, 1e-3, 0.0])
    params = jax.tree.map(lambda p: p * radii.reshape(3, *[1] * (p.ndim - 1)), ones)
    run = train(
        network,
        Training(0.01, 1000),
        [[1.0]],
        [1.0],
        seeds=(0, 1, 2),
        params=params,
        dtype="float64",
        observe_at=range(0, 1001, 5),
    )
    left = escape_steps(run.steps, run.observed["loss"], 0.45)
    assert left.mask.tolist() == [False, False, True]
    assert 0.01 * (left[1] - left[0]) == pytest.approx(np.log(10), abs=0.06)
    stayed = plateau_lengths(run.steps, run.observed["loss"])
    assert stayed[2] == 1000
    assert 0.01 * (stayed[1] - stayed[0]) == pytest.approx(np.log(10), abs=0.1)
    square = np.array([[[0.0, 0.0]], [[3.0, 0.0]], [[3.0, 4.0]]])
    assert iterate_diameter(square) == [5]


@pytest.mark.slow
def test_levels_are_of_each_network_by_itself():
    watch = ObserveLevels([0.9, 1e-3])
    starts = LINEAR.init_seeds([0, 1, 2], "float64")
    run = train(
        LINEAR,
        Training(0.5, 200),
        X,
        X @ [1.0, -2.0, 0.5],
        seeds=range(3),
        params=starts,
        dtype="float64",
        observers={"loss": watch},
        observe_at=range(0, 201),
    )
    null = 0.5 * np.square(X @ [1.0, -2.0, 0.5]).mean()
    losses = run.observed["loss"]
    for level, bound in zip(watch.found, watch.levels, strict=True):
        assert level.reached.all()
        surface = LossSurface(LINEAR, level.params, X, X @ [1.0, -2.0, 0.5])
        for seed, step in enumerate(level.steps):
            assert step == np.argmax(losses[:, seed] < bound * null)
            assert surface.losses()[seed] == pytest.approx(losses[step, seed])
    assert run.steps[-1] == watch.found[1].steps.max() < 200
    with pytest.raises(SpecError, match="levels must be one or more finite numbers > 0"):
        ObserveLevels([0.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: LossSurface(None, s.params(s.theta), X, Y), SpecError, "network must come"),
        (lambda s: LossSurface(LINEAR, LINEAR.init(0), X, Y), ShapeError, "stacked parameters"),
        (lambda s: LossSurface(LINEAR, s.params(s.theta), X, Y, loss="hinge"), SpecError, "hinge"),
        (lambda s: LossSurface(LINEAR, s.params(s.theta), X[:, :2], Y), ShapeError, "X must be"),
        (lambda s: LossSurface(LINEAR, s.params(s.theta), X, Y * np.nan), SpecError, "NaN"),
        (
            lambda s: LossSurface(LINEAR, s.params(s.theta), X, Y > 0, loss="cross_entropy"),
            SpecError,
            "an output for each class",
        ),
        (lambda s: s.losses(s.theta[0]), ShapeError, r"theta must be \(2, 3\)"),
        (lambda s: s.on(X[:0], Y[:0]), ShapeError, "no samples"),
        (lambda s: batch_landscape(s, 5), SpecError, "fewer than two batches"),
        (lambda s: batch_landscape(s, 0), SpecError, "batch_size must be an integer >= 1"),
        (lambda s: leave_one_out(s.on(X[:1], Y[:1]), [0]), SpecError, "one example only"),
        (lambda s: leave_one_out(s, [8]), SpecError, "rows must be integers from 0 to 7"),
        (lambda s: sam_sharpness(s, -1), SpecError, "radius must be a finite number >= 0"),
        (lambda s: box_sharpness(s, np.nan), SpecError, "radius must be"),
        (lambda s: perturbed_losses(s, [1], kind="cube"), SpecError, "kind must be one of"),
        (lambda s: average_sharpness(s, 1, n_draws=0), SpecError, "n_draws must be an integer"),
        (lambda s: spread_shares(s.theta, s.theta, 2), SpecError, "from 1 to 1"),
        (lambda s: spread_shares(s.theta, s.theta[:1]), ShapeError, "starts and ends"),
        (lambda s: plateau_lengths([0, 0], [[1.0], [1.0]]), ShapeError, "steps must increase"),
        (lambda s: plateau_lengths([0], [[1.0]], 2), SpecError, "fall must be between 0 and 1"),
        (lambda s: loss_floor(X, Y[:2]), ShapeError, "as many rows"),
        (
            lambda s: last_layer_residual(LINEAR, s.params(s.theta), X, 0 * Y),
            SpecError,
            "y is all 0",
        ),
        (
            lambda s: LossSurface(LINEAR, s.params(s.theta * np.inf), X, Y),
            DivergenceError,
            "training diverged",
        ),
        (
            lambda s: LossSurface(LINEAR, s.params(s.theta * 1e200), X, Y),
            DivergenceError,
            "overflows float64",
        ),
        (lambda s: finite_network(fully_connected(1), (3,), width=0), SpecError, "width must be"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(linear_surface())


def test_networks_without_anything_to_move_and_other_fixed_layers_are_refused():
    still = finite_network(fully_connected(1, frozen=1, train_last=False), (3,), width=2)
    with pytest.raises(SpecError, match="no trained parameter"):
        LossSurface(still, still.init_seeds([0]), X, Y)
    half = finite_network(fully_connected(1, train_first=False), (3,), width=2)
    surface = LossSurface(half, half.init_seeds([0]), X, Y)
    with pytest.raises(SpecError, match="not trained differ"):
        surface.vector(half.init_seeds([1]))
