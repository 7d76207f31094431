"""What is not an argument of a measure is named, and scales leave no NaN."""

import numpy as np
import pytest

from ntkreg import fully_connected
from ntkreg.errors import DivergenceError, ShapeError, SpecError
from ntkreg.finite import finite_network
from ntkreg.landscape import (
    Hessian,
    LossSurface,
    apply_symmetry,
    criticality,
    draw_symmetry,
    escape_steps,
    feature_rank,
    find_basins,
    find_curve,
    inertia,
    iterate_diameter,
    lanczos,
    last_layer_residual,
    line,
    loss_floor,
    match,
    polish,
    spread_shares,
    trace,
    unit_directions,
)

NETWORK = finite_network(fully_connected(1, activation="erf"), (2,), width=2)
PARAMS = NETWORK.init_seeds([0, 1], "float64")
X = np.random.default_rng(0).standard_normal((4, 2))
SURFACE = LossSurface(NETWORK, PARAMS, X, X[:, 0])
T = SURFACE.theta


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: polish(T), SpecError, "polish: surface must be a LossSurface; got ndarray"),
        (lambda: Hessian(T), SpecError, "Hessian: surface must be a LossSurface"),
        (lambda: trace(SURFACE), SpecError, r"trace: operator must be Hessian\(surface\)"),
        (lambda: inertia(Hessian(SURFACE), -1), SpecError, "zero must be a finite number >= 0"),
        (lambda: lanczos(Hessian(SURFACE), 2, -1), SpecError, "seed must be an integer >= 0"),
        (lambda: trace(Hessian(SURFACE), 4, 2**40), SpecError, "seed must be .* <= 4294967295"),
        (lambda: unit_directions(SURFACE, "a"), SpecError, "unit_directions: seed must be"),
        (lambda: draw_symmetry(NETWORK, 0.5), SpecError, "draw_symmetry: seed must be"),
        (lambda: SURFACE.only(2), SpecError, "seed must be an integer from 0 to 1; got 2"),
        (lambda: SURFACE.losses("a"), TypeError, "theta must hold real numbers"),
        (lambda: SURFACE.gradients(T * np.nan), DivergenceError, "theta holds NaN"),
        (lambda: criticality(SURFACE, T * np.inf), DivergenceError, "theta holds NaN"),
        (lambda: SURFACE.losses_along(T, [1]), ShapeError, "basis must be"),
        (lambda: line(SURFACE, T, ["a"]), TypeError, "line: at must hold real numbers"),
        (lambda: polish(SURFACE, tol="a"), SpecError, "tol must be a finite number > 0"),
        (lambda: find_curve(SURFACE, T, T, learning_rate=0), SpecError, "learning_rate must be"),
        (lambda: find_basins(SURFACE, distance=np.nan), SpecError, "distance must be"),
        (lambda: match(NETWORK, T, PARAMS), ShapeError, "match: params must be stacked"),
        (lambda: match(NETWORK, PARAMS, T), ShapeError, "match: to must be stacked"),
        (lambda: match(T, PARAMS, PARAMS), SpecError, "network must come from finite_network"),
        (lambda: apply_symmetry(NETWORK, PARAMS, {}), ShapeError, "apply_symmetry: params must be"),
        (lambda: feature_rank(NETWORK, 3, X), ShapeError, "feature_rank: params must be stacked"),
        (lambda: escape_steps([0], [[1.0]], np.nan), SpecError, "level must be a finite number"),
        (lambda: iterate_diameter(T[None] * np.nan), DivergenceError, "iterates hold NaN"),
        (lambda: spread_shares(T, T * np.nan, 1), DivergenceError, "hold NaN"),
        (lambda: spread_shares(T, T, 1), SpecError, "all rows of ends - starts are the same"),
        (lambda: loss_floor(X, X[..., None]), ShapeError, "y must be"),
        (lambda: loss_floor(X, X, "cross_entropy"), SpecError, "class probabilities"),
    ],
)
def test_what_is_no_argument_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_shares_and_residuals_do_not_depend_on_scale(scale):
    starts = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -2.0]])
    ends = starts * [3.0, 1.0]
    np.testing.assert_allclose(
        spread_shares(starts * scale, ends * scale, 1), spread_shares(starts, ends, 1)
    )
    one, y = finite_network(fully_connected(0), (1,)), np.array([3.0, 4.0])
    found = last_layer_residual(one, one.init_seeds([0], "float64"), [[1.0], [0.0]], y * scale)
    np.testing.assert_allclose(found, [0.64])


def test_classes_of_a_floor_are_labels_of_any_size():
    assert loss_floor([[0.0]] * 2, [0, 10**12], "cross_entropy").loss == pytest.approx(np.log(2))
