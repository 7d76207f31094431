"""Questions beside the grid: ways down go down, saddles are found, flat directions are flat."""

import landscape_cases as cases
import numpy as np
import pandas as pd
import pytest

from ntkreg.finite import finite_network
from ntkreg.landscape import LossSurface
from ntkreg.studies.landscape.questions.minima import _level
from ntkreg.studies.landscape.questions.regions import _null_projections
from ntkreg.studies.landscape.questions.ways_down import cross_entropy, sublevel
from ntkreg.studies.landscape.task import load_task, network_of


def table(values):
    rows = pd.DataFrame(values, columns=["subject", "seed", "quantity", "value"])
    return rows.groupby(["subject", "quantity"]).value.max()


@pytest.mark.slow
def test_explicit_paths_fall_to_zero_and_meet_there(landscape_config):
    found = table(sublevel(load_task(landscape_config)))
    assert found["a start", "rank_share"] == 1
    assert found["to zero", "rise"] == 0
    assert found["to zero", "end"] < 1e-20
    assert found["between zeros", "greatest"] < 1e-20


@pytest.mark.slow
def test_cross_entropy_falls_along_the_ray_of_its_read_outs(landscape_config):
    found = table(cross_entropy(load_task(landscape_config)))
    assert found["all", "classified"] == 1
    assert found["all", "rise"] < 1e-12
    assert found["all", "end"] < 1e-12 < found["all", "begin"]


def test_searches_of_small_gradients_find_saddles_and_minima():
    # f(x) = u v x for y = x: the saddle at 0, and minima wherever u v = 1.
    network = finite_network(network_of(1, "linear"), (1,), width=1)
    theta = np.array([[0.1, -0.2], [0.9, 1.3], [-2.0, -0.4]])
    params = network.init_seeds(range(3), "float64")
    surface = LossSurface(network, params, [[1.0]], [1.0])
    points, norms = _level(LossSurface(network, surface.params(theta), [[1.0]], [1.0]))
    assert norms.max() < 1e-9
    assert np.abs(points[0]).max() < 1e-9
    assert points[1:].prod(axis=1) == pytest.approx(1)


def test_directions_at_right_angles_to_the_jacobian_move_no_output():
    surface = cases.surface_of("dense")
    drawn = np.random.default_rng(0).normal(size=surface.theta.shape)
    for k, Q in enumerate(_null_projections(surface)):
        assert Q.shape == (surface.n_parameters, cases.N * cases.OUTPUTS)
        way = drawn[k] - Q @ (Q.T @ drawn[k])
        moved = []
        for step in (1e-3, 2e-3):
            theta = surface.theta.copy()
            theta[k] += step * way
            outputs = [
                surface.network.predict_seeds(surface.params(t), surface.X)[k]
                for t in (theta, surface.theta)
            ]
            moved.append(np.abs(outputs[0] - outputs[1]).max())
        assert moved[1] / moved[0] == pytest.approx(4, rel=0.05)  # to second order alone
