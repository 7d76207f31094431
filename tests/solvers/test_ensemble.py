"""Covariances of Gaussian processes and of trained networks, against dense linear algebra."""

import numpy as np
import pytest
from oracles import ensembles

from ntkreg import fully_connected, kernel
from ntkreg.errors import NotPSDError, SpecError
from ntkreg.solvers import CholeskySolver, SpectralSolver
from ntkreg.solvers.ensemble import EnsembleCovariance
from ntkreg.solvers.evidence import log_evidence

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(17, 4)), RNG.normal(size=(45, 4))
NETWORK = fully_connected(2, bias_std=0.2)
N, T = kernel(NETWORK, X, get=("nngp", "ntk"))
NX, TX = kernel(NETWORK, Z, X, get=("nngp", "ntk"))
NZ = kernel(NETWORK, Z, get="nngp")
WEIGHTS = RNG.uniform(0.3, 4, 17)
ALPHA = 0.07


def covariances(target_map, get):
    cross, nngp = (NX, None) if get == "nngp" else (TX, N)
    found = EnsembleCovariance([target_map], nngp)
    whole = found.covariances(NZ, cross, NX)[0]
    variances = found.variances(np.diag(NZ), cross, NX, 1)[0]
    np.testing.assert_allclose(variances, np.diag(whole), atol=1e-12)
    np.testing.assert_array_equal(whole, whole.T)
    return whole


@pytest.mark.parametrize("weighted", [False, True])
def test_of_one_kernel_it_is_the_posterior(weighted):
    weights = WEIGHTS if weighted else None
    target_map = CholeskySolver(N, sample_weight=weights).target_map(ALPHA)
    noise = ALPHA / (WEIGHTS if weighted else np.ones(17))
    wanted = ensembles.posterior(N, NX, NZ, noise)
    np.testing.assert_allclose(covariances(target_map, "nngp"), wanted, atol=1e-12)
    assert np.abs(wanted - NZ).max() > 0.1


@pytest.mark.parametrize("get", ["nngp", "ntk"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("t", [0.0, 3.0, 400.0])
def test_at_any_time_it_is_the_ensemble_of_the_exponential(get, weighted, t):
    weights = WEIGHTS if weighted else np.ones(17)
    K = N if get == "nngp" else T
    solver = SpectralSolver(K, sample_weight=WEIGHTS if weighted else None)
    cross = NX if get == "nngp" else TX
    # The loss is the mean over the sum of weights.
    time = t * 17 / weights.sum()
    wanted = ensembles.trained(
        K, N, cross, NX, NZ, ALPHA / weights, weights, time, noisy_targets=get == "nngp"
    )
    found = covariances(solver.flow_map(t, 1, alpha=ALPHA), get)
    np.testing.assert_allclose(found, wanted, atol=1e-10)
    if t == 0:
        np.testing.assert_array_equal(found, NZ)
    # Twice the outputs, half the speed.
    slower = covariances(solver.flow_map(2 * t, 2, alpha=ALPHA), get)
    np.testing.assert_allclose(slower, found, atol=1e-12)


@pytest.mark.parametrize("get", ["nngp", "ntk"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_end_of_training_is_the_ridge_solution(get, weighted):
    K, weights = (N if get == "nngp" else T), WEIGHTS if weighted else None
    end = SpectralSolver(K, sample_weight=weights).flow_map(1e9, 1, alpha=ALPHA)
    ridge = CholeskySolver(K, sample_weight=weights).target_map(ALPHA)
    np.testing.assert_allclose(covariances(end, get), covariances(ridge, get), atol=1e-11)


@pytest.mark.parametrize("get", ["nngp", "ntk"])
def test_many_small_steps_are_the_flow(get):
    K = N if get == "nngp" else T
    solver = SpectralSolver(K, sample_weight=WEIGHTS)
    flow = covariances(solver.flow_map(2.0, 1, alpha=ALPHA), get)
    steps = covariances(solver.descent_map(20_000, 1e-4, 1, alpha=ALPHA), get)
    np.testing.assert_allclose(steps, flow, atol=1e-3)
    assert np.abs(covariances(solver.descent_map(2, 1.0, 1, alpha=ALPHA), get) - flow).max() > 1e-3


def test_a_learning_rate_that_diverges_has_no_map():
    with pytest.raises(SpecError, match="learning_rate must be > 0 and at most"):
        SpectralSolver(N).descent_map(3, 1e9, 1)


@pytest.mark.parametrize("make", [CholeskySolver, SpectralSolver])
def test_rows_without_a_weight_play_no_part(make):
    weights = WEIGHTS.copy()
    weights[3:7] = 0
    kept = weights > 0

    def map_of(K, w):
        solver = make(K, sample_weight=w)
        return (
            solver.target_map(ALPHA)
            if make is CholeskySolver
            else solver.flow_map(1e8, 1, alpha=ALPHA)
        )

    whole = EnsembleCovariance([map_of(T, weights)], N)
    part = EnsembleCovariance([map_of(T[np.ix_(kept, kept)], weights[kept])], N[np.ix_(kept, kept)])
    np.testing.assert_allclose(
        whole.covariances(NZ, TX, NX), part.covariances(NZ, TX[:, kept], NX[:, kept]), atol=1e-11
    )


@pytest.mark.parametrize("get", ["nngp", "ntk"])
@pytest.mark.parametrize("make", ["cholesky", "flow"])
def test_bits_of_a_row_depend_on_no_other_row_and_no_number_of_threads(get, make):
    K, cross, nngp = (N, NX, None) if get == "nngp" else (T, TX, N)
    solver = SpectralSolver(K)
    target_map = (
        CholeskySolver(K).target_map(ALPHA) if make == "cholesky" else solver.flow_map(5, 1)
    )
    found = EnsembleCovariance([target_map], nngp)
    whole = found.variances(np.diag(NZ), cross, NX, 1)
    np.testing.assert_array_equal(found.variances(np.diag(NZ), cross, NX, 3), whole)
    for rows in (slice(0, 1), slice(5, 40), slice(33, 45)):
        part = found.variances(np.diag(NZ)[rows], cross[rows], NX[rows], 2)
        np.testing.assert_array_equal(part, whole[:, rows])


def test_no_variance_is_negative_where_rounding_is_all_that_is_left():
    target_map = CholeskySolver(N).target_map(0.0)
    found = EnsembleCovariance([target_map]).variances(np.diag(N), N, N, 1)
    assert (found >= 0).all()
    assert found.max() < 1e-8


def test_a_map_holds_no_kernel_and_kept_ones_are_not_made_again(monkeypatch):
    solver = CholeskySolver(N, keep_maps=True)
    solver.solve(np.ones((17, 3)), alpha=[0.1, 0.2, 0.1])
    maps = solver.target_map(0.1), solver.target_map(0.2)
    monkeypatch.setattr("ntkreg.solvers.cholesky.factorise", None)
    assert solver.target_map(0.1) is maps[0]
    assert solver.target_map(0.2) is maps[1]
    assert all(value is not solver.K for each in maps for value in vars(each).values())
    with pytest.raises(TypeError):
        CholeskySolver(N).target_map(0.1)


def test_a_singular_matrix_has_no_map():
    with pytest.raises(NotPSDError, match="Raise alpha"):
        CholeskySolver(np.ones((3, 3))).target_map(0.0)


@pytest.mark.parametrize("make", [CholeskySolver, SpectralSolver])
@pytest.mark.parametrize("n_targets", [None, 1, 3])
@pytest.mark.parametrize("scale", [1.0, 1e-200])
def test_evidence_is_the_density_of_a_normal_distribution(make, n_targets, scale):
    y = RNG.normal(size=17 if n_targets is None else (17, n_targets)) * np.sqrt(scale)
    found = log_evidence(y, make(N * scale).solve(y, alpha=ALPHA * scale), None)
    wanted = ensembles.log_evidence(N, y / np.sqrt(scale), np.full(17, ALPHA))
    assert found == pytest.approx(wanted - y.size * np.log(scale) / 2, rel=1e-9)


@pytest.mark.parametrize("make", [CholeskySolver, SpectralSolver])
def test_evidence_of_weights_is_that_of_repeated_rows(make):
    weights = np.arange(17) % 4
    y = RNG.normal(size=(17, 2))
    rows = np.repeat(np.arange(17), weights)
    alphas = [0.1, 0.4] if make is CholeskySolver else [0.1, 0.1]
    found = make(N, sample_weight=weights).solve(y, alpha=alphas)
    wanted = sum(
        ensembles.log_evidence(N[np.ix_(rows, rows)], y[rows, k], np.full(len(rows), a))
        for k, a in enumerate(alphas)
    )
    assert log_evidence(y, found, weights.astype(float)) == pytest.approx(wanted, rel=1e-9)
