"""The oracles agree with each other, know nothing of ntkreg, and the comparison can fail."""

import ast
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from agreement import FAR, TOLERANCE, architecture_of, assert_agrees, deviation, tolerance
from oracles import closed_forms, golden
from oracles.layer_sums import layer_sums
from oracles.monte_carlo import monte_carlo
from oracles.quadrature import relu_duals

from ntkreg.kernels import make_engine

ORACLES = sorted(Path(golden.__file__).parent.glob("*.py"))


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


@pytest.mark.parametrize("path", ORACLES, ids=lambda path: path.name)
def test_oracles_never_import_ntkreg(path):
    roots = {name.split(".")[0] for name in imported_modules(path)}
    assert roots, f"{path.name} imports nothing: is it read at all?"
    assert not roots & {"ntkreg", "agreement", "conftest", ""}


def test_golden_file_says_what_made_it_and_holds_every_case():
    values, versions = golden.load()
    assert versions["neural-tangents"] == "0.6.5"
    assert set(versions) == {"neural-tangents", "jax", "jaxlib", "numpy"}
    assert list(values) == [case.name for case in golden.CASES]
    assert golden.FILE.stat().st_size < 300_000


def test_golden_file_was_made_by_the_release_that_is_installed():
    assert golden.load()[1]["neural-tangents"] == version("neural-tangents")


@pytest.mark.parametrize("c", [-0.99, -0.5, 0.0, 0.3, 0.9, 0.999])
def test_quadrature_gives_the_arc_cosine_kernels(c):
    relu, step = relu_duals(c)
    assert relu == pytest.approx(float(closed_forms.kappa1(c)) / 2, abs=1e-12)
    assert step == pytest.approx(float(closed_forms.kappa0(c)) / 2, abs=1e-12)


def test_layer_sums_give_the_closed_form_of_a_dense_network():
    X = np.random.default_rng(0).normal(size=(3, 7))
    nngp, ntk, _ = layer_sums(golden.dense_network(4, weight_std=1.2, bias_std=0.3), X)
    for i in range(3):
        for j in range(3):
            exact = closed_forms.dense_kernels(4, X[i], X[j], weight_std=1.2, bias_std=0.3)
            assert nngp[i, j] == pytest.approx(float(exact[0]), rel=1e-14)
            assert ntk[i, j] == pytest.approx(float(exact[1]), rel=1e-14)


NETWORKS = {
    "dense": golden.dense_network(3, bias_std=0.5),
    "flatten": golden.image_network(2, "flatten", bias_std=0.3),
    "gap": golden.image_network(2, "gap"),
    "lap": golden.image_network(2, "lap1", weight_std=1.2),
    "gap, ends untrained": (
        ("conv", 3, 1.4, 0.2, False),
        ("relu",),
        ("conv", 3, 1.4, 0.2, True),
        ("relu",),
        ("gap",),
        ("dense", 1.0, 0.0, False),
    ),
}


def sampled(network, X):
    """Monte Carlo means and standard errors of NNGP and NTK."""
    return monte_carlo(network, X, width=96, draws=40, seed=0)


def z_scores(sample, kernels):
    """Distance from the sampled means in standard errors, largest over pairs, (2,)."""
    return np.array([np.abs((m - k) / s).max() for (m, s), k in zip(sample, kernels, strict=True)])


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_random_networks_of_finite_width_have_these_mean_kernels(network):
    X = np.random.default_rng(7).normal(size=(3, 3, 3, 2))
    X = X.reshape(3, -1) if network[0][0] == "dense" else X
    K = make_engine(architecture_of(network), X.shape[1:], dtype=float).symmetric(X)[:, 0]
    assert (z_scores(sampled(network, X), K) < 4).all()


def test_monte_carlo_bounds_reject_wrong_kernels_on_both_sides():
    network = golden.image_network(2, "gap")
    X = np.random.default_rng(7).normal(size=(3, 3, 3, 2))
    nngp, ntk, _ = (np.array(v, float) for v in layer_sums(network, X))
    sample = sampled(network, X)
    assert (z_scores(sample, (nngp, ntk)) < 4).all()
    for factor in (0.85, 1.15):
        assert (z_scores(sample, (factor * nngp, factor * ntk)) > 4).all()
    _, last_untrained, _ = layer_sums((*network[:-1], ("dense", 1.0, 0.0, False)), X)
    assert z_scores(sample, (nngp, last_untrained.astype(float)))[1] > 4


ONES = np.ones(2)
KERNEL = np.array([[1.0, 0.5], [0.5, 1.0]])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_agreement_fails_just_past_its_bound_on_either_side(dtype):
    bound = tolerance(dtype)
    for sign in (-1, 1):
        assert_agrees(KERNEL + sign * 0.9 * bound, KERNEL, ONES, ONES, bound)
        with pytest.raises(AssertionError, match="kernels differ by"):
            assert_agrees(KERNEL + sign * 1.1 * bound, KERNEL, ONES, ONES, bound)


@pytest.mark.parametrize(
    "wrong",
    [np.full((2, 2), np.nan), np.full((2, 2), np.inf), KERNEL[:1], KERNEL[None], KERNEL.T * 2],
    ids=["nan", "inf", "fewer rows", "another rank", "doubled"],
)
def test_agreement_fails_on_wrong_values_and_shapes(wrong):
    with pytest.raises(AssertionError, match="kernels differ by"):
        assert_agrees(wrong, KERNEL, ONES, ONES, 1e-2)


def test_agreement_is_measured_in_units_of_the_diagonals():
    K = np.array([[1e6, 10.0], [10.0, 1e-4]])
    off = K + np.array([[0, 1e-3], [0, 0]])
    assert deviation(off, K, np.diag(K), np.diag(K)) == pytest.approx(1e-4)


def test_agreement_takes_only_exact_zeros_where_an_input_is_black():
    K = np.array([[0.0, 0.0], [0.0, 1.0]])
    assert deviation(K, K, np.diag(K), np.diag(K)) == 0
    assert deviation(K + 1e-300, K, np.diag(K), np.diag(K)) == np.inf


def test_tolerance_loosens_only_near_perfect_correlation():
    assert tolerance(np.float64, gap=2 * FAR, depth=5) == 1e-10
    assert tolerance(np.float64, gap=FAR / 2, depth=5) == pytest.approx(5 * 1.49e-8, rel=1e-2)
    assert tolerance(np.float32, gap=FAR / 2, depth=2) == pytest.approx(2 * 3.45e-4, rel=1e-2)
