"""Networks too wide, too many or too far out of range: counted and refused before work starts."""

import time

import numpy as np
import pytest

from ntkreg import (
    FiniteNetworkClassifier,
    FiniteNetworkRegressor,
    cntk,
    finite,
    fully_connected,
    machine,
)
from ntkreg.errors import PlanError, SpecError
from ntkreg.finite import Training, empirical_kernels, finite_network, linearize, train

HUGE = 10**9
rng = np.random.default_rng(0)
X = rng.normal(size=(6, 4))
y = X[:, 0]
SMALL = finite_network(fully_connected(2), (4,), width=8)
WIDE = finite_network(fully_connected(2), (4,), width=HUGE)
IMAGES = rng.normal(size=(6, 5, 5, 1))


def test_parameters_are_counted():
    assert SMALL.n_parameters == 4 * 8 + 8 * 8 + 8
    assert WIDE.n_parameters == 4 * HUGE + HUGE**2 + HUGE
    assert linearize(SMALL).n_parameters == 2 * SMALL.n_parameters
    network = finite_network(cntk(2, bias_std=0.1), (5, 5, 1), width=3, n_outputs=2)
    assert network.n_parameters == (9 * 3 + 3) + (27 * 3 + 3) + 3 * 2


@pytest.mark.parametrize(
    "ask",
    [
        lambda: WIDE.init(0),
        lambda: WIDE.init_seeds(range(2), np.float64),
        lambda: linearize(WIDE).init(0),
        lambda: finite_network(cntk(2), (5, 5, 1), width=HUGE).init(0),
        lambda: finite_network(fully_connected(1), (HUGE,), width=HUGE).init(0),
        lambda: SMALL.init_seeds(range(HUGE)),
        lambda: train(WIDE, Training(0.1, 3), X, y),
        lambda: train(SMALL, Training(0.1, 3), X, y, seeds=range(HUGE)),
        lambda: FiniteNetworkRegressor(width=HUGE).fit(X, y),
        lambda: FiniteNetworkRegressor(width=8, n_networks=HUGE).fit(X, y),
        lambda: FiniteNetworkClassifier(cntk(1), width=HUGE).fit(IMAGES, y > 0),
        lambda: FiniteNetworkClassifier(width=8, n_networks=2**31 - 1).fit(X, y > 0),
    ],
)
def test_what_cannot_be_held_is_refused_with_its_sizes(ask, monkeypatch):
    monkeypatch.setattr(finite.memory, "free_memory", lambda: 16 * 10**9)
    began = time.perf_counter()
    sizes = r"[\d,]+ network\(s\) of [\d,]+ parameters .* need [\d.]+ [GT]B of memory; 14.4 GB can"
    with pytest.raises(PlanError, match=sizes):
        ask()
    assert time.perf_counter() - began < 20


def test_an_empirical_kernel_that_cannot_be_held_is_refused(monkeypatch):
    params = SMALL.init(0)
    monkeypatch.setattr(finite.memory, "free_memory", lambda: 100)
    with pytest.raises(PlanError, match=r"6 x 6 values of the NTK .* need 144 B.*90 B can"):
        empirical_kernels(SMALL, params, X)


def test_where_nobody_knows_what_is_free_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(finite.memory, "free_memory", lambda: None)
    WIDE.check_memory("test", 1, np.float32, 1)
    monkeypatch.undo()
    assert machine.free_memory() is None or machine.free_memory() > 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda: Training(0.1, 10**12),
        lambda: finite_network(fully_connected(1), (4,), width=10**12),
        lambda: finite_network(fully_connected(2), (4,), width=[8, 10**400]),
        lambda: finite_network(fully_connected(1), (4,), n_outputs=10**12),
        lambda: finite_network(fully_connected(1), (10**12,)),
        lambda: FiniteNetworkRegressor(n_steps=10**12).fit(X, y),
        lambda: FiniteNetworkRegressor(width=10**12).fit(X, y),
        lambda: FiniteNetworkRegressor(n_networks=10**12).fit(X, y),
    ],
)
def test_numbers_that_no_loop_counts_are_refused(ask):
    with pytest.raises(ValueError, match=r"be (at most|an int in the range)|that of one input"):
        ask()


@pytest.mark.parametrize("scale", [1e200, 1e30])
def test_outputs_and_kernels_that_overflow_are_an_error(scale):
    params = SMALL.init(0)
    with pytest.raises(SpecError, match=r"overflow|does not fit float32"):
        empirical_kernels(SMALL, params, X * scale)
    for inputs, targets in ((X * scale, y), (X, y * scale)):
        with pytest.raises(SpecError, match=r"loss at the start overflows|does not fit float32"):
            train(SMALL, Training(0.1, 3), inputs, targets)
    loud = finite_network(fully_connected(2, weight_std=1e30), (4,), width=8)
    with pytest.raises(SpecError, match="predict: outputs overflow float32"):
        loud.predict(loud.init(0), X)
    run = train(SMALL, Training(0.01, 3), X, y)
    with pytest.raises(SpecError, match=r"overflow|does not fit float32"):
        run.predict(X * scale * 1e9)
