"""Kernels of the comparison against the published recursion, quadrature and scikit-learn."""

import itertools

import numpy as np
import pytest
from oracles.published_ntk import published_ntk
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel

from ntkreg import cntk, kernel
from ntkreg.errors import PlanError, SpecError
from ntkreg.studies.compare import kernels
from ntkreg.studies.compare.kernels import arc_cosine, kernel_settings, kernel_values
from ntkreg.studies.compare.models import as_model

NETWORKS = [(depth, frozen) for depth in range(5) for frozen in range(depth + 1)]


@pytest.fixture
def rows():
    X = np.random.default_rng(0).normal(size=(12, 5))
    X[3], X[4], X[5] = 0, X[2], -2 * X[2]  # no direction, one twice, and its opposite
    return X


def test_networks_are_those_of_the_published_recursion(rows):
    model = as_model("NTK", {"kind": "ntk", "network": [list(n) for n in NETWORKS], "C": [1.0]})
    assert [s["network"] for s in kernel_settings(model)] == NETWORKS
    for K, (depth, frozen) in zip(kernel_values(model, rows, 12), NETWORKS, strict=True):
        wanted = published_ntk(rows, depth + 1, frozen)
        np.testing.assert_allclose(K, wanted, atol=1e-7 * wanted.max(), rtol=0)


def test_nngp_is_the_published_kernel_with_nothing_but_its_last_layer(rows):
    model = as_model("NNGP", {"kind": "nngp", "network": [[0, 0], [3, 0]], "C": [1.0]})
    linear, third = kernel_values(model, rows, 12)
    np.testing.assert_allclose(linear, rows @ rows.T, atol=1e-12)
    wanted = published_ntk(rows, 4, 3)
    np.testing.assert_allclose(third, wanted, atol=1e-12 * wanted.max())


@pytest.mark.parametrize("kind", ["ntk", "nngp", "rbf", "laplacian", "polynomial", "arc_cosine"])
def test_a_part_is_a_part_of_the_whole(rows, kind):
    model = as_model("m", kind)
    whole, part = kernel_values(model, rows, 12), kernel_values(model, rows, 7)
    assert part.shape == (len(kernel_settings(model)), 12, 7)
    np.testing.assert_allclose(part, whole[:, :, :7], rtol=1e-9, atol=1e-9)


def test_rivals_are_scikit_learns(rows):
    [K] = kernel_values(as_model("m", {"kind": "rbf", "gamma": [0.5], "C": [1.0]}), rows, 12)
    np.testing.assert_allclose(K, rbf_kernel(rows, gamma=0.1), rtol=1e-12)
    grid = {"kind": "polynomial", "degree": [3], "coef0": [2.0], "C": [1.0]}
    [K] = kernel_values(as_model("m", grid), rows, 12)
    np.testing.assert_allclose(K, polynomial_kernel(rows, degree=3, gamma=0.2, coef0=2), rtol=1e-12)
    [K] = kernel_values(as_model("m", {"kind": "laplacian", "gamma": [0.5], "C": [1.0]}), rows, 12)
    wanted = np.exp(-0.5 * np.linalg.norm(rows[0] - rows[1]) / np.sqrt(5))
    assert K[0, 1] == pytest.approx(wanted, rel=1e-12)
    assert (np.diag(K) == 1).all()


@pytest.mark.parametrize("order", [0, 1, 2])
def test_arc_cosine_is_the_mean_over_random_directions(order):
    X = np.random.default_rng(1).normal(size=(4, 3))
    W = np.random.default_rng(2).normal(size=(400_000, 3))
    features = np.where(W @ X.T > 0, (W @ X.T) ** order, 0.0)
    products = [features[:, i] * features[:, j] for i, j in itertools.product(range(4), repeat=2)]
    mean = 2 * np.mean(products, axis=1)
    error = 2 * np.std(products, axis=1) / np.sqrt(len(W))
    assert (np.abs(arc_cosine(X, X, order, 1).ravel() - mean) < 4.5 * error + 1e-12).all()


def test_arc_cosine_layers_are_composed():
    """Kernel of the features' own kernel: order 1 is the NNGP, up to its scale."""
    X = np.random.default_rng(3).normal(size=(6, 4))
    np.testing.assert_allclose(arc_cosine(X, X, 1, 2), 4 * published_ntk(X, 3, 2), rtol=1e-9)
    # Order 0 again: cosines of the first layer's values, which are 1 on the diagonal.
    first = arc_cosine(X, X, 0, 1)
    wanted = (np.pi - np.arccos(np.clip(first, -1, 1))) / np.pi
    np.testing.assert_allclose(arc_cosine(X, X, 0, 2), wanted, atol=1e-7)
    # Order 2, by its own formula of cosines and lengths of the first layer.
    first = arc_cosine(X, X, 2, 1)
    lengths = np.sqrt(np.outer(np.diag(first), np.diag(first)))
    cos = np.clip(first / lengths, -1, 1)
    angle = np.arccos(cos)
    wanted = 3 * np.sin(angle) * cos + (np.pi - angle) * (1 + 2 * cos**2)
    np.testing.assert_allclose(arc_cosine(X, X, 2, 2), lengths**2 * wanted / np.pi, rtol=1e-6)


def test_convolutional_kernels_need_images():
    with pytest.raises(SpecError, match="CNTK: convolutional kernels need images"):
        kernel_values(as_model("CNTK", "cntk"), np.ones((3, 4)), 3)


def test_what_does_not_fit_is_refused_before(monkeypatch, rows):
    monkeypatch.setattr(kernels, "free_memory", lambda: 1000)
    with pytest.raises(PlanError, match=r"m: 6 kernels of 12 x 12 values take .* Set most_rows"):
        kernel_values(as_model("m", "rbf"), rows, 12)


def test_convolutional_kernels_are_those_of_their_networks():
    X = np.random.default_rng(4).normal(size=(5, 6, 6, 2))
    grid = {"kind": "cntk", "network": [[1, 0], [2, 1]], "readout": ["flatten", "lap"], "C": [1.0]}
    found = kernel_values(as_model("CNTK", grid), X, 3)
    networks = [cntk(d, r, frozen=f) for d, f in ((1, 0), (2, 1)) for r in ("flatten", "lap")]
    for K, network in zip(found, networks, strict=True):
        np.testing.assert_allclose(K, kernel(network, X, X[:3]), rtol=1e-9)
